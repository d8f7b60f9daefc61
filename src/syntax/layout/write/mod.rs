//! From a tree to a sheet.

use super::sheet::{Block, Entry, Kind, Sort, Word};
use crate::settings::TokenKind;
use crate::syntax::ast::{
    Access, AccessKind, Api, ApiSetting, ClaimDeclaration, ClaimPath, Document, Expectation,
    Forward, Guard, Issuer, IssuerSetting, Item, Literal, Methods, Name, Outcome, Param,
    ParamDefault, Path, PathOption, Route, RouteItem, Segment, Sender, SenderMethod, Set, SetValue,
    Term, TestBlock, TestClaimName, TestStep, TestToken, TestValue, TokenPlace, TypeName,
};

mod conditions;

/// The sheet of a document.
pub(super) fn sheet(document: &Document) -> Block<'_> {
    Block {
        entries: document.items.iter().map(item).collect(),
        ..Block::default()
    }
}

/// The words of one statement.
#[derive(Default)]
struct Words<'a>(Vec<Word<'a>>);

impl<'a> Words<'a> {
    /// Adds keywords, separated by blanks.
    fn say(&mut self, words: &'static str) -> &mut Self {
        for word in words.split(' ') {
            self.0.push(Word::new(word, Sort::Plain));
        }
        self
    }

    /// Adds a name.
    fn name(&mut self, name: &'a Name) -> &mut Self {
        self.0.push(Word::new(&*name.node, Sort::Plain));
        self
    }

    /// Adds a word.
    fn made(&mut self, word: String) -> &mut Self {
        self.0.push(Word::new(word, Sort::Plain));
        self
    }

    /// Adds a string in quotes.
    fn quoted(&mut self, text: &str) -> &mut Self {
        self.made(quoted(text))
    }

    fn sign(&mut self, sign: &'static str, sort: Sort) -> &mut Self {
        self.0.push(Word::new(sign, sort));
        self
    }

    /// Adds items, separated by commas.
    fn list<T>(&mut self, items: &'a [T], mut one: impl FnMut(&mut Self, &'a T)) -> &mut Self {
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.sign(",", Sort::Comma);
            }
            one(self, item);
        }
        self
    }

    /// Adds items in brackets.
    fn bracketed<T>(&mut self, items: &'a [T], one: impl FnMut(&mut Self, &'a T)) -> &mut Self {
        self.sign("[", Sort::Open)
            .list(items, one)
            .sign("]", Sort::Close)
    }

    fn names(&mut self, names: &'a [Name]) -> &mut Self {
        self.list(names, |words, name| {
            words.name(name);
        })
    }

    fn terms(&mut self, terms: &'a [Term]) -> &mut Self {
        self.list(terms, |words, term| {
            words.term(term);
        })
    }

    fn term(&mut self, term: &'a Term) -> &mut Self {
        match term {
            Term::Literal(value) => self.made(literal(&value.node)),
            Term::Name(name) => self.name(name),
        }
    }

    /// Returns the statement.
    fn entry(&mut self, kind: Kind) -> Entry<'a> {
        Entry::new(kind, std::mem::take(&mut self.0))
    }
}

fn words<'a>() -> Words<'a> {
    Words::default()
}

fn item(item: &Item) -> Entry<'_> {
    match item {
        Item::Issuer(issuer) => issuer_block(issuer),
        Item::Api(api) => api_block(api),
        Item::Guard(item) => guard(item),
        Item::Let(item) => {
            let mut words = words();
            words.say("let").name(&item.name).say("=");
            words.condition(&item.condition);
            words.entry(Kind::Named)
        }
        Item::Set(item) => set(item),
        Item::Param(item) => param(item),
        Item::Test(item) => test_block(item),
    }
}

fn issuer_block(issuer: &Issuer) -> Entry<'_> {
    let settings = issuer
        .settings
        .iter()
        .map(|setting| issuer_setting(&setting.node));
    words()
        .say("issuer")
        .name(&issuer.name)
        .entry(Kind::Issuer)
        .with_block(settings.collect())
}

fn issuer_setting(setting: &IssuerSetting) -> Entry<'_> {
    let mut words = words();
    match setting {
        IssuerSetting::Url(url) => words.say("url").term(url),
        IssuerSetting::KeysDiscover => words.say("keys discover"),
        IssuerSetting::KeysUrl(urls) => words.say("keys url").terms(urls),
        IssuerSetting::KeysFile(files) => words.say("keys file").terms(files),
        IssuerSetting::KeysIntrospect(url) => words.say("keys introspect").term(url),
        IssuerSetting::Algorithms(algorithms) => words.say("algorithms").names(algorithms),
        IssuerSetting::Leeway(leeway) => words.say("leeway").term(leeway),
        IssuerSetting::MaxAge(age) => words.say("max age").term(age),
        IssuerSetting::Tokens(kind) => words.say("tokens").say(match kind {
            TokenKind::Jwt => "jwt",
            TokenKind::Access => "access",
            TokenKind::Id => "id",
        }),
        IssuerSetting::ScopesFrom(path) => words.say("scopes from").made(claim_path(path)),
        IssuerSetting::ClientFrom(path) => words.say("client from").made(claim_path(path)),
        IssuerSetting::AudienceFrom(path) => words.say("audience from").made(claim_path(path)),
        IssuerSetting::Audience(audiences) => words.say("audience").terms(audiences),
        IssuerSetting::Claims(claims) => {
            return words
                .say("claims")
                .entry(Kind::Claims)
                .with_block(claims.iter().map(claim).collect());
        }
        IssuerSetting::Sender(given) => words.say(sender(given)),
    };
    words.entry(Kind::IssuerSetting)
}

fn claim(claim: &ClaimDeclaration) -> Entry<'_> {
    let mut words = words();
    words.name(&claim.name).say(type_name(claim.ty.node));
    if let Some(path) = &claim.from {
        words.say("from");
        if claim.keys_of {
            words.say("keys of");
        }
        words.made(claim_path(path));
    }
    words.entry(Kind::Claim)
}

fn api_block(api: &Api) -> Entry<'_> {
    let settings = api
        .settings
        .iter()
        .map(|setting| api_setting(&setting.node));
    let routes = api.routes.iter().map(route_item);
    words()
        .say("api")
        .name(&api.name)
        .entry(Kind::Api)
        .with_block(settings.chain(routes).collect())
}

fn api_setting(setting: &ApiSetting) -> Entry<'_> {
    let mut words = words();
    match setting {
        ApiSetting::Host(hosts) => words.say("host").terms(hosts),
        ApiSetting::Issuer(issuers) => words.say("issuer").names(issuers),
        ApiSetting::Audience(audiences) => words.say("audience").terms(audiences),
        ApiSetting::AudienceAny(reason) => words.say("audience any").term(reason),
        ApiSetting::Scopes(scopes) => words.say("scopes").terms(scopes),
        ApiSetting::Realm(realm) => words.say("realm").term(realm),
        ApiSetting::TokenIn { only, places } => words
            .say(if *only { "token only in" } else { "token in" })
            .list(places, |words, place| {
                match &place.node {
                    TokenPlace::Header(name) => words.say("header").term(name),
                    TokenPlace::Cookie(name) => words.say("cookie").term(name),
                    TokenPlace::Query(name) => words.say("query").term(name),
                    TokenPlace::Subprotocol(name) => words.say("subprotocol").term(name),
                };
            }),
        ApiSetting::Cors {
            origins,
            credentials,
            passed_on,
        } => {
            words.say("cors").terms(origins);
            if *credentials {
                words.say("with credentials");
            }
            if *passed_on {
                words.say("passed on");
            }
            &mut words
        }
        ApiSetting::PreflightPublic => words.say("preflight public"),
        ApiSetting::Forward(Forward::Claim {
            claim,
            header,
            json,
        }) => {
            words.say("forward").name(claim).say("as").term(header);
            if *json {
                words.say("as json");
            }
            &mut words
        }
        ApiSetting::Forward(Forward::Payload { header }) => {
            words.say("forward payload as").term(header)
        }
        ApiSetting::Forward(Forward::NoToken) => words.say("forward no token"),
        ApiSetting::Paths(option) => words.say("paths").say(match option {
            PathOption::CaseInsensitive => "case-insensitive",
            PathOption::AllowEncodedSlash => "allow encoded-slash",
            PathOption::AllowMatrixParameters => "allow matrix-parameters",
        }),
        ApiSetting::Sender(given) => words.say(sender(given)),
    };
    words.entry(Kind::ApiSetting)
}

fn route_item(item: &RouteItem) -> Entry<'_> {
    match item {
        RouteItem::Route(item) => route(item),
        RouteItem::Under(under) => {
            let mut words = words();
            words.say("under").made(path(&under.path));
            if let Some(requires) = &under.requires {
                words.say("requires").condition(requires);
            }
            words
                .entry(Kind::Under)
                .with_block(under.items.iter().map(route_item).collect())
        }
    }
}

fn route(route: &Route) -> Entry<'_> {
    let mut words = words();
    methods(&mut words, &route.methods);
    words.made(path(&route.path));
    if let Some(given) = &route.access {
        access(&mut words, given);
    }
    if route.instead.is_some() {
        words.say("instead");
    }
    words.entry(Kind::Route)
}

fn methods<'a>(words: &mut Words<'a>, methods: &'a Methods) {
    match &methods.names {
        Some(names) => words.names(names),
        None => words.say("*"),
    };
    if !methods.except.is_empty() {
        words.say("except").names(&methods.except);
    }
}

fn access<'a>(words: &mut Words<'a>, access: &'a Access) {
    match &access.kind {
        AccessKind::Public => words.say("public"),
        AccessKind::PublicIf(given) => words.say("public if").condition(given),
        AccessKind::Authenticated => words.say("authenticated"),
        AccessKind::AuthenticatedOrAnonymous => words.say("authenticated or anonymous"),
        AccessKind::Requires(given) => words.say("requires").condition(given),
        AccessKind::Denied => words.say("denied"),
    };
}

fn guard(guard: &Guard) -> Entry<'_> {
    let mut words = words();
    words.say("guard");
    methods(&mut words, &guard.methods);
    words.made(path(&guard.path)).say("of");
    match &guard.apis {
        Some(apis) => words.names(apis),
        None => words.say("all"),
    };
    if guard.except_public.is_some() {
        words.say("except public");
    }
    match &guard.requires {
        Some(given) => words.say("requires").condition(given),
        None => words.say("denied"),
    };
    words.entry(Kind::Guard)
}

fn set(set: &Set) -> Entry<'_> {
    let mut words = words();
    words.say("set").name(&set.name).say("=");
    match &set.value {
        SetValue::Items(items) => words.bracketed(&items.node, |words, item| {
            words.term(item);
        }),
        SetValue::File(file) => words.say("file").quoted(&file.node),
    };
    if set.may_be_empty {
        words.say("may be empty");
    }
    words.entry(Kind::Named)
}

fn param(param: &Param) -> Entry<'_> {
    let mut words = words();
    words
        .say("param")
        .name(&param.name)
        .say(type_name(param.ty.node));
    match &param.default {
        None => &mut words,
        Some(ParamDefault::One(value)) => words.say("=").made(literal(&value.node)),
        Some(ParamDefault::List(values)) => {
            words.say("=").bracketed(&values.node, |words, value| {
                words.made(literal(&value.node));
            })
        }
    };
    words.entry(Kind::Param)
}

fn test_block(test: &TestBlock) -> Entry<'_> {
    let steps = test.steps.iter().map(|step| match step {
        TestStep::Token(step) => token(step),
        TestStep::Expectation(step) => expectation(step),
    });
    words()
        .say("test")
        .quoted(&test.name.node)
        .entry(Kind::Test)
        .with_block(steps.collect())
}

fn token(token: &TestToken) -> Entry<'_> {
    let claims = token.claims.iter().map(|claim| {
        let mut words = words();
        match &claim.name.node {
            TestClaimName::Known(name) => words.made(name.clone()),
            TestClaimName::Json(name) => words.quoted(name),
        };
        test_value(&mut words, &claim.value.node);
        words.entry(Kind::TestClaim)
    });
    words()
        .say("token")
        .name(&token.name)
        .say("=")
        .name(&token.issuer)
        .entry(Kind::Token)
        .with_block(claims.collect())
}

fn test_value<'a>(words: &mut Words<'a>, value: &'a TestValue) {
    match value {
        TestValue::String(text) => words.quoted(text),
        TestValue::Number(number) => words.made(number.to_string()),
        TestValue::Boolean(value) => words.made(value.to_string()),
        TestValue::Null => words.say("null"),
        TestValue::List(values) => words.bracketed(values, |words, value| {
            test_value(words, &value.node);
        }),
        TestValue::Ago(seconds) => words.made(duration(*seconds)).say("ago"),
        TestValue::In(seconds) => words.say("in").made(duration(*seconds)),
    };
}

fn expectation(given: &Expectation) -> Entry<'_> {
    let mut words = words();
    words.name(&given.method).name(&given.target);
    if let Some(token) = &given.token {
        words.say("with").name(token);
    }
    for (name, value) in &given.headers {
        words.sign(",", Sort::Comma).say("header");
        words.quoted(&name.node).quoted(&value.node);
    }
    if let Some(address) = &given.address {
        words.sign(",", Sort::Comma).say("from");
        words.quoted(&address.node);
    }
    if let Some(at) = &given.at {
        words.sign(",", Sort::Comma).say("at").quoted(&at.node);
    }
    match &given.outcome {
        Outcome::Allowed { forwards } => {
            words.say("is allowed");
            for (name, value) in forwards {
                words.say("forwards");
                words.quoted(&name.node).quoted(&value.node);
            }
        }
        Outcome::Denied { by } => {
            words.say("is denied");
            if let Some(reason) = by {
                words.say("by").name(reason);
            }
        }
    }
    words.entry(Kind::Expectation)
}

/// A string with its escapes.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A duration in the largest unit that gives an integer.
fn duration(seconds: u64) -> String {
    for (unit, length) in [("d", 86_400), ("h", 3_600), ("m", 60)] {
        if seconds > 0 && seconds.is_multiple_of(length) {
            return format!("{}{unit}", seconds / length);
        }
    }
    format!("{seconds}s")
}

fn literal(literal: &Literal) -> String {
    match literal {
        Literal::String(text) => quoted(text),
        Literal::Number(number) => number.to_string(),
        Literal::Boolean(value) => value.to_string(),
        Literal::Duration(seconds) => duration(*seconds),
    }
}

fn type_name(ty: TypeName) -> &'static str {
    match ty {
        TypeName::Claim(ty) => ty.as_str(),
        TypeName::Duration => "duration",
        TypeName::Address => "address",
        TypeName::ListOfAddress => "list of address",
    }
}

fn claim_path(path: &ClaimPath) -> String {
    let plain = |name: &str| {
        !name.is_empty()
            && name
                .chars()
                .all(|character| character.is_ascii_alphanumeric() || character == '_')
    };
    let members: Vec<String> = path
        .members
        .iter()
        .map(|member| {
            if plain(&member.node) {
                member.node.clone()
            } else {
                quoted(&member.node)
            }
        })
        .collect();
    members.join(".")
}

fn sender(sender: &Sender) -> &'static str {
    match (sender.method, sender.required) {
        (SenderMethod::Dpop, true) => "sender dpop required",
        (SenderMethod::Dpop, false) => "sender dpop optional",
        (SenderMethod::Mtls, true) => "sender mtls required",
        (SenderMethod::Mtls, false) => "sender mtls optional",
    }
}

fn path(path: &Path) -> String {
    let mut text = String::new();
    for segment in &path.segments {
        text.push('/');
        match segment {
            Segment::Literal(literal) => text.push_str(&literal.node),
            Segment::Parameter {
                prefix,
                name,
                suffix,
                ..
            } => {
                text.push_str(&format!("{prefix}{{{}}}{suffix}", name.node));
            }
        }
    }
    if path.rest {
        text.push_str("/**");
    } else if text.is_empty() {
        text.push('/');
    }
    text
}
