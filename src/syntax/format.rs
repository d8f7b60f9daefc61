//! Syntax tree to policy text: one layout, in which the tree is read back as it was.
//!
//! The tree holds no comments and no blank lines, so neither does this text: it is what tools
//! compare and quote, not what an author's file is replaced with.

use std::fmt::Write as _;

use super::ast::{
    Access, AccessKind, Api, ApiSetting, ClaimDeclaration, ClaimPath, Comparison, Condition,
    ConditionKind, Document, Expectation, Forward, Guard, Issuer, IssuerSetting, Item, List,
    Literal, Methods, Name, Operand, Outcome, ParamDefault, Path, PathOption, RouteItem, ScopeTest,
    Segment, Sender, SenderMethod, Set, SetValue, Term, Test, TestBlock, TestClaimName, TestStep,
    TestToken, TestValue, TokenKind, TokenPlace, TypeName,
};

/// How far what stands in a block is indented.
const INDENT: &str = "    ";

/// Writes a document.
pub fn format(document: &Document) -> String {
    let mut printer = Printer::default();
    for item in &document.items {
        printer.item(item);
    }
    printer.text
}

#[derive(Default)]
struct Printer {
    text: String,
    depth: usize,
}

impl Printer {
    fn line(&mut self, line: &str) {
        for _ in 0..self.depth {
            self.text.push_str(INDENT);
        }
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn block(&mut self, head: &str, body: impl FnOnce(&mut Printer)) {
        self.line(&format!("{head} {{"));
        self.depth += 1;
        body(self);
        self.depth -= 1;
        self.line("}");
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Issuer(issuer) => self.issuer(issuer),
            Item::Api(api) => self.api(api),
            Item::Guard(guard) => self.line(&guard_line(guard)),
            Item::Let(item) => self.line(&format!(
                "let {} = {}",
                item.name.node,
                condition(&item.condition)
            )),
            Item::Set(set) => self.line(&set_line(set)),
            Item::Param(param) => {
                let default = match &param.default {
                    None => String::new(),
                    Some(ParamDefault::One(value)) => format!(" = {}", literal(&value.node)),
                    Some(ParamDefault::List(values)) => {
                        format!(" = [{}]", join(&values.node, |value| literal(&value.node)))
                    }
                };
                let ty = type_name(param.ty.node);
                self.line(&format!("param {} {ty}{default}", param.name.node));
            }
            Item::Test(test) => self.test(test),
        }
    }

    fn issuer(&mut self, issuer: &Issuer) {
        self.block(&format!("issuer {}", issuer.name.node), |printer| {
            for setting in &issuer.settings {
                match &setting.node {
                    IssuerSetting::Claims(claims) => printer.block("claims", |printer| {
                        for claim in claims {
                            printer.line(&claim_line(claim));
                        }
                    }),
                    other => printer.line(&issuer_setting(other)),
                }
            }
        });
    }

    fn api(&mut self, api: &Api) {
        self.block(&format!("api {}", api.name.node), |printer| {
            for setting in &api.settings {
                printer.line(&api_setting(&setting.node));
            }
            printer.routes(&api.routes);
        });
    }

    fn routes(&mut self, items: &[RouteItem]) {
        for item in items {
            match item {
                RouteItem::Route(route) => {
                    let mut line = format!("{} {}", methods(&route.methods), path(&route.path));
                    if let Some(given) = &route.access {
                        let _ = write!(line, " {}", access(given));
                    }
                    if route.instead.is_some() {
                        line.push_str(" instead");
                    }
                    self.line(&line);
                }
                RouteItem::Under(under) => {
                    let mut head = format!("under {}", path(&under.path));
                    if let Some(requires) = &under.requires {
                        let _ = write!(head, " requires {}", condition(requires));
                    }
                    self.block(&head, |printer| printer.routes(&under.items));
                }
            }
        }
    }

    fn test(&mut self, test: &TestBlock) {
        self.block(&format!("test {}", quoted(&test.name.node)), |printer| {
            for step in &test.steps {
                match step {
                    TestStep::Token(token) => printer.token(token),
                    TestStep::Expectation(expectation) => {
                        printer.line(&expectation_line(expectation));
                    }
                }
            }
        });
    }

    fn token(&mut self, token: &TestToken) {
        let head = format!("token {} = {}", token.name.node, token.issuer.node);
        self.block(&head, |printer| {
            for claim in &token.claims {
                let name = match &claim.name.node {
                    TestClaimName::Known(name) => name.clone(),
                    TestClaimName::Json(name) => quoted(name),
                };
                printer.line(&format!("{name} {}", test_value(&claim.value.node)));
            }
        });
    }
}

fn join<T>(items: &[T], one: impl Fn(&T) -> String) -> String {
    items.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn names(names: &[Name]) -> String {
    join(names, |name| name.node.clone())
}

fn terms(terms: &[Term]) -> String {
    join(terms, term)
}

/// A string with its escapes.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A duration in the largest unit that it is a multiple of.
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

fn term(term: &Term) -> String {
    match term {
        Term::Literal(value) => literal(&value.node),
        Term::Name(name) => name.node.clone(),
    }
}

fn list(list: &List) -> String {
    match list {
        List::Items(items) => format!("[{}]", terms(&items.node)),
        List::Name(name) => name.node.clone(),
    }
}

fn operand(operand: &Operand) -> String {
    match operand {
        Operand::Term(value) => term(value),
        Operand::Path(name) => format!("path.{}", name.node),
        Operand::Host(name) => format!("host.{}", name.node),
        Operand::Claim(name) => format!("claim {}", name.node),
        Operand::Now(_) => "now".to_owned(),
    }
}

fn type_name(ty: TypeName) -> &'static str {
    match ty {
        TypeName::String => "string",
        TypeName::Number => "number",
        TypeName::Boolean => "boolean",
        TypeName::Time => "time",
        TypeName::ListOfString => "list of string",
        TypeName::ListOfNumber => "list of number",
        TypeName::Words => "words",
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

fn claim_line(claim: &ClaimDeclaration) -> String {
    let from = claim.from.as_ref().map_or_else(String::new, |path| {
        let keys = if claim.keys_of { "keys of " } else { "" };
        format!(" from {keys}{}", claim_path(path))
    });
    format!("{} {}{from}", claim.name.node, type_name(claim.ty.node))
}

fn sender(sender: &Sender) -> String {
    let method = match sender.method {
        SenderMethod::Dpop => "dpop",
        SenderMethod::Mtls => "mtls",
    };
    let needed = if sender.required {
        "required"
    } else {
        "optional"
    };
    format!("sender {method} {needed}")
}

fn issuer_setting(setting: &IssuerSetting) -> String {
    match setting {
        IssuerSetting::Url(url) => format!("url {}", term(url)),
        IssuerSetting::KeysDiscover => "keys discover".to_owned(),
        IssuerSetting::KeysUrl(url) => format!("keys url {}", term(url)),
        IssuerSetting::KeysFile(files) => format!("keys file {}", terms(files)),
        IssuerSetting::KeysIntrospect(url) => format!("keys introspect {}", term(url)),
        IssuerSetting::Algorithms(algorithms) => format!("algorithms {}", names(algorithms)),
        IssuerSetting::Leeway(leeway) => format!("leeway {}", term(leeway)),
        IssuerSetting::MaxAge(age) => format!("max age {}", term(age)),
        IssuerSetting::Tokens(kind) => {
            let kind = match kind {
                TokenKind::Jwt => "jwt",
                TokenKind::Access => "access",
                TokenKind::Id => "id",
            };
            format!("tokens {kind}")
        }
        IssuerSetting::ScopesFrom(path) => format!("scopes from {}", claim_path(path)),
        IssuerSetting::ClientFrom(path) => format!("client from {}", claim_path(path)),
        IssuerSetting::AudienceFrom(path) => format!("audience from {}", claim_path(path)),
        IssuerSetting::Audience(audiences) => format!("audience {}", terms(audiences)),
        IssuerSetting::Claims(claims) => join(claims, claim_line),
        IssuerSetting::Sender(given) => sender(given),
    }
}

fn api_setting(setting: &ApiSetting) -> String {
    match setting {
        ApiSetting::Host(hosts) => format!("host {}", terms(hosts)),
        ApiSetting::Issuer(issuers) => format!("issuer {}", names(issuers)),
        ApiSetting::Audience(audiences) => format!("audience {}", terms(audiences)),
        ApiSetting::AudienceAny(reason) => format!("audience any {}", term(reason)),
        ApiSetting::Scopes(scopes) => format!("scopes {}", terms(scopes)),
        ApiSetting::Realm(realm) => format!("realm {}", term(realm)),
        ApiSetting::TokenIn { only, places } => {
            let only = if *only { "only " } else { "" };
            let places = join(places, |place| match &place.node {
                TokenPlace::Header(name) => format!("header {}", term(name)),
                TokenPlace::Cookie(name) => format!("cookie {}", term(name)),
                TokenPlace::Query(name) => format!("query {}", term(name)),
                TokenPlace::Subprotocol(name) => format!("subprotocol {}", term(name)),
            });
            format!("token {only}in {places}")
        }
        ApiSetting::Cors {
            origins,
            credentials,
        } => {
            let with = if *credentials {
                " with credentials"
            } else {
                ""
            };
            format!("cors {}{with}", terms(origins))
        }
        ApiSetting::PreflightPublic => "preflight public".to_owned(),
        ApiSetting::Forward(Forward::Claim {
            claim,
            header,
            json,
        }) => {
            let json = if *json { " as json" } else { "" };
            format!("forward {} as {}{json}", claim.node, term(header))
        }
        ApiSetting::Forward(Forward::Payload { header }) => {
            format!("forward payload as {}", term(header))
        }
        ApiSetting::Forward(Forward::NoToken) => "forward no token".to_owned(),
        ApiSetting::Paths(option) => {
            let option = match option {
                PathOption::CaseInsensitive => "case-insensitive",
                PathOption::AllowEncodedSlash => "allow encoded-slash",
                PathOption::AllowMatrixParameters => "allow matrix-parameters",
            };
            format!("paths {option}")
        }
        ApiSetting::Sender(given) => sender(given),
    }
}

fn methods(methods: &Methods) -> String {
    let mut text = methods
        .names
        .as_ref()
        .map_or_else(|| "*".to_owned(), |given| names(given));
    if !methods.except.is_empty() {
        let _ = write!(text, " except {}", names(&methods.except));
    }
    text
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
                let _ = write!(text, "{prefix}{{{}}}{suffix}", name.node);
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

fn access(access: &Access) -> String {
    match &access.kind {
        AccessKind::Public => "public".to_owned(),
        AccessKind::PublicIf(given) => format!("public if {}", condition(given)),
        AccessKind::Authenticated => "authenticated".to_owned(),
        AccessKind::AuthenticatedOrAnonymous => "authenticated or anonymous".to_owned(),
        AccessKind::Requires(given) => format!("requires {}", condition(given)),
        AccessKind::Denied => "denied".to_owned(),
    }
}

fn guard_line(guard: &Guard) -> String {
    let apis = guard
        .apis
        .as_ref()
        .map_or_else(|| "all".to_owned(), |apis| names(apis));
    let except = if guard.except_public.is_some() {
        " except public"
    } else {
        ""
    };
    let what = guard.requires.as_ref().map_or_else(
        || "denied".to_owned(),
        |given| format!("requires {}", condition(given)),
    );
    format!(
        "guard {} {} of {apis}{except} {what}",
        methods(&guard.methods),
        path(&guard.path)
    )
}

fn set_line(set: &Set) -> String {
    let value = match &set.value {
        SetValue::Items(items) => format!("[{}]", terms(&items.node)),
        SetValue::File(file) => format!("file {}", quoted(&file.node)),
    };
    let empty = if set.may_be_empty {
        " may be empty"
    } else {
        ""
    };
    format!("set {} = {value}{empty}", set.name.node)
}

/// A condition; what is made of several parts stands in parentheses inside another one.
fn condition(given: &Condition) -> String {
    let inner = |one: &Condition| match one.kind {
        ConditionKind::And(_) | ConditionKind::Or(_) => format!("({})", condition(one)),
        _ => condition(one),
    };
    let several = |all: &[Condition], word: &str| {
        all.iter()
            .map(inner)
            .collect::<Vec<_>>()
            .join(&format!(" {word} "))
    };
    match &given.kind {
        ConditionKind::And(all) => several(all, "and"),
        ConditionKind::Or(any) => several(any, "or"),
        ConditionKind::Not(one) => format!("not {}", inner(one)),
        ConditionKind::Scope(ScopeTest::One(scope)) => format!("scope {}", term(scope)),
        ConditionKind::Scope(ScopeTest::Any(scopes)) => format!("scope any {}", list(scopes)),
        ConditionKind::Scope(ScopeTest::All(scopes)) => format!("scope all {}", list(scopes)),
        ConditionKind::Claim(name, given) => format!("claim {} {}", name.node, test(given)),
        ConditionKind::TokenFrom(issuer) => format!("token from {}", issuer.node),
        ConditionKind::Client(Test::Compare(Comparison::Equal, client)) => {
            format!("client {}", operand(client))
        }
        ConditionKind::Client(given) => format!("client {}", test(given)),
        ConditionKind::LoginWithin(age) => format!("login within {}", term(age)),
        ConditionKind::Path(name, given) => format!("path.{} {}", name.node, test(given)),
        ConditionKind::Host(name, given) => format!("host.{} {}", name.node, test(given)),
        ConditionKind::Method(given) => format!("method {}", test(given)),
        ConditionKind::Address(given) => format!("address {}", test(given)),
        ConditionKind::Header(name, given) => format!("header {} {}", term(name), test(given)),
        ConditionKind::Query(name, given) => format!("query {} {}", term(name), test(given)),
        ConditionKind::Named(name) => name.clone(),
    }
}

fn test(test: &Test) -> String {
    match test {
        Test::Compare(comparison, value) => format!("{} {}", comparison.as_str(), operand(value)),
        Test::In(values) => format!("in {}", list(values)),
        Test::NotIn(values) => format!("not in {}", list(values)),
        Test::Contains(value) => format!("contains {}", operand(value)),
        Test::ContainsAny(values) => format!("contains any {}", list(values)),
        Test::ContainsAll(values) => format!("contains all {}", list(values)),
        Test::StartsWith(value) => format!("starts with {}", operand(value)),
        Test::EndsWith(value) => format!("ends with {}", operand(value)),
        Test::Present => "present".to_owned(),
        Test::Absent => "absent".to_owned(),
    }
}

fn test_value(value: &TestValue) -> String {
    match value {
        TestValue::String(text) => quoted(text),
        TestValue::Number(number) => number.to_string(),
        TestValue::Boolean(value) => value.to_string(),
        TestValue::Null => "null".to_owned(),
        TestValue::List(values) => format!("[{}]", join(values, |one| test_value(&one.node))),
        TestValue::Ago(seconds) => format!("{} ago", duration(*seconds)),
        TestValue::In(seconds) => format!("in {}", duration(*seconds)),
    }
}

fn expectation_line(given: &Expectation) -> String {
    let mut line = format!("{} {}", given.method.node, given.target.node);
    if let Some(token) = &given.token {
        let _ = write!(line, " with {}", token.node);
    }
    for (name, value) in &given.headers {
        let _ = write!(
            line,
            ", header {} {}",
            quoted(&name.node),
            quoted(&value.node)
        );
    }
    if let Some(address) = &given.address {
        let _ = write!(line, ", from {}", quoted(&address.node));
    }
    if let Some(at) = &given.at {
        let _ = write!(line, ", at {}", quoted(&at.node));
    }
    match &given.outcome {
        Outcome::Allowed { forwards } => {
            line.push_str(" is allowed");
            for (name, value) in forwards {
                let _ = write!(
                    line,
                    " forwards {} {}",
                    quoted(&name.node),
                    quoted(&value.node)
                );
            }
        }
        Outcome::Denied { by } => {
            line.push_str(" is denied");
            if let Some(reason) = by {
                let _ = write!(line, " by {}", reason.node);
            }
        }
    }
    line
}
