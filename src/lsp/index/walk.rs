//! Collects the names from the syntax trees.

use std::collections::{BTreeMap, BTreeSet};

use super::claims::{self, Site};
use super::groups::Groups;
use super::{ClaimLine, Declared, Index, Kind, Occurrence, Symbol};
use crate::pattern::Method;
use crate::source::{Sources, Span, Spanned};
use crate::syntax::ast::{
    AccessKind, Api, ApiSetting, Condition, Document, Forward, Guard, Issuer, IssuerSetting, Item,
    Let, Literal, Mention, Name, Outcome, Path, RouteItem, Segment, SetValue, Term, TestBlock,
    TestClaim, TestClaimName, TestStep, TestValue, TokenPlace,
};

/// The names of all trees.
pub fn all(sources: &Sources, documents: &[Document]) -> Index {
    let mut walk = Walk {
        sources,
        index: Index::default(),
        lets: BTreeMap::new(),
        let_issuers: BTreeMap::new(),
        sites: Vec::new(),
        parameters: Vec::new(),
        bound: Groups::default(),
    };
    let items = || documents.iter().flat_map(|document| &document.items);
    items().for_each(|item| walk.declare(item));
    items().for_each(|item| walk.item(item));
    walk.finish()
}

struct Walk<'a> {
    sources: &'a Sources,
    index: Index,
    lets: BTreeMap<&'a str, &'a Let>,
    /// The issuers of the APIs where each `let` is used.
    let_issuers: BTreeMap<&'a str, BTreeSet<String>>,
    sites: Vec<Site>,
    /// Parameters of paths: their places, and whether each is a declaration.
    parameters: Vec<(Span, bool)>,
    bound: Groups<Span>,
}

/// The surroundings of a condition.
struct Around<'a> {
    /// The issuers whose tokens it is about.
    issuers: BTreeSet<String>,
    /// The parameters of the paths around it; the last with a name counts.
    parameters: Vec<&'a Name>,
}

impl<'a> Walk<'a> {
    fn declare(&mut self, item: &'a Item) {
        let (kind, name, span) = match item {
            Item::Issuer(item) => {
                let claims = self
                    .index
                    .claims_of
                    .entry(item.name.node.clone())
                    .or_default();
                for setting in &item.settings {
                    if let IssuerSetting::Claims(declared) = &setting.node {
                        for claim in declared {
                            claims.entry(claim.name.node.clone()).or_insert(ClaimLine {
                                span: claim.span,
                                ty: claim.ty.span,
                                has_place: claim.from.is_some(),
                            });
                        }
                    }
                }
                (Kind::Issuer, &item.name, item.span)
            }
            Item::Api(item) => {
                for setting in &item.settings {
                    self.declare_setting(&item.name.node, &setting.node);
                }
                (Kind::Api, &item.name, item.span)
            }
            Item::Let(item) => {
                self.lets.entry(&item.name.node).or_insert(item);
                (Kind::Let, &item.name, item.span)
            }
            Item::Set(item) => (Kind::Set, &item.name, item.span),
            Item::Param(item) => (Kind::Param, &item.name, item.span),
            Item::Guard(_) | Item::Test(_) => return,
        };
        self.index
            .names
            .entry(name.node.clone())
            .or_default()
            .push(Declared { kind, span });
        self.add(name.span, Symbol::Named(name.node.clone()), true);
    }

    fn declare_setting(&mut self, api: &str, setting: &ApiSetting) {
        match setting {
            ApiSetting::Issuer(names) => self
                .index
                .issuers_of
                .entry(api.to_owned())
                .or_default()
                .extend(names.iter().map(|name| name.node.clone())),
            ApiSetting::Scopes(terms) => {
                let scopes = terms.iter().filter_map(|term| match term {
                    Term::Literal(Spanned {
                        node: Literal::String(scope),
                        ..
                    }) => Some(scope.clone()),
                    _ => None,
                });
                self.index
                    .scopes_of
                    .entry(api.to_owned())
                    .or_default()
                    .extend(scopes);
            }
            _ => {}
        }
    }

    fn item(&mut self, item: &'a Item) {
        match item {
            Item::Issuer(issuer) => self.issuer(issuer),
            Item::Api(api) => self.api(api),
            Item::Guard(guard) => self.guard(guard),
            Item::Let(_) => {}
            Item::Set(set) => {
                if let SetValue::Items(items) = &set.value {
                    items.node.iter().for_each(|term| self.term(term));
                }
            }
            Item::Param(_) => {}
            Item::Test(test) => self.test(test),
        }
    }

    fn issuer(&mut self, issuer: &'a Issuer) {
        let own = BTreeSet::from([issuer.name.node.clone()]);
        for setting in &issuer.settings {
            match &setting.node {
                IssuerSetting::Url(term) => {
                    self.term(term);
                    if let Some((span, name)) = self.braced(term) {
                        self.claim(span, name, own.clone(), false);
                    }
                }
                IssuerSetting::KeysUrl(terms) => {
                    for term in terms {
                        self.term(term);
                        if let Some((span, name)) = self.braced(term) {
                            self.claim(span, name, own.clone(), false);
                        }
                    }
                }
                IssuerSetting::KeysIntrospect(term)
                | IssuerSetting::Leeway(term)
                | IssuerSetting::MaxAge(term) => self.term(term),
                IssuerSetting::KeysFile(terms) | IssuerSetting::Audience(terms) => {
                    terms.iter().for_each(|term| self.term(term));
                }
                IssuerSetting::Claims(claims) => {
                    for claim in claims {
                        let name = &claim.name;
                        self.claim(name.span, name.node.clone(), own.clone(), true);
                    }
                }
                IssuerSetting::KeysDiscover
                | IssuerSetting::Algorithms(_)
                | IssuerSetting::Tokens(_)
                | IssuerSetting::ScopesFrom(_)
                | IssuerSetting::ClientFrom(_)
                | IssuerSetting::AudienceFrom(_)
                | IssuerSetting::Sender(_) => {}
            }
        }
    }

    fn api(&mut self, api: &'a Api) {
        let mut around = Around {
            issuers: self.issuers_of(&api.name.node),
            parameters: Vec::new(),
        };
        for setting in &api.settings {
            match &setting.node {
                ApiSetting::Host(terms) => {
                    for term in terms {
                        self.term(term);
                        if let Some((span, name)) = self.braced(term) {
                            self.add(span, Symbol::HostLabel(name), true);
                        }
                    }
                }
                ApiSetting::Issuer(names) => names.iter().for_each(|name| self.named(name)),
                ApiSetting::Scopes(terms) => {
                    for term in terms {
                        match term {
                            Term::Literal(literal) => self.scope(literal, true),
                            Term::Name(name) => self.named(name),
                        }
                    }
                }
                ApiSetting::Audience(terms) | ApiSetting::Cors { origins: terms, .. } => {
                    terms.iter().for_each(|term| self.term(term));
                }
                ApiSetting::AudienceAny(term) | ApiSetting::Realm(term) => self.term(term),
                ApiSetting::TokenIn { places, .. } => {
                    for place in places {
                        let (TokenPlace::Header(term)
                        | TokenPlace::Cookie(term)
                        | TokenPlace::Query(term)
                        | TokenPlace::Subprotocol(term)) = &place.node;
                        self.term(term);
                    }
                }
                ApiSetting::Forward(Forward::Claim { claim, header, .. }) => {
                    let issuers = around.issuers.clone();
                    self.claim(claim.span, claim.node.clone(), issuers, false);
                    self.term(header);
                }
                ApiSetting::Forward(Forward::Payload { header }) => self.term(header),
                ApiSetting::Forward(Forward::NoToken)
                | ApiSetting::PreflightPublic
                | ApiSetting::Paths(_)
                | ApiSetting::Sender(_) => {}
            }
        }
        self.routes(&api.routes, &mut around);
    }

    fn routes(&mut self, items: &'a [RouteItem], around: &mut Around<'a>) {
        for item in items {
            let outside = around.parameters.len();
            match item {
                RouteItem::Route(route) => {
                    self.path(&route.path, around);
                    let access = route.access.as_ref().map(|access| &access.kind);
                    if let Some(AccessKind::Requires(condition) | AccessKind::PublicIf(condition)) =
                        access
                    {
                        self.condition(condition, around);
                    }
                }
                RouteItem::Under(under) => {
                    self.path(&under.path, around);
                    if let Some(condition) = &under.requires {
                        self.condition(condition, around);
                    }
                    self.routes(&under.items, around);
                }
            }
            around.parameters.truncate(outside);
        }
    }

    fn guard(&mut self, guard: &'a Guard) {
        let issuers = match &guard.apis {
            Some(names) => {
                names.iter().for_each(|name| self.named(name));
                names
                    .iter()
                    .flat_map(|name| self.issuers_of(&name.node))
                    .collect()
            }
            None => self.index.issuers_of.values().flatten().cloned().collect(),
        };
        let mut around = Around {
            issuers,
            parameters: Vec::new(),
        };
        self.path(&guard.path, &mut around);
        if let Some(condition) = &guard.requires {
            self.condition(condition, &around);
        }
    }

    fn test(&mut self, test: &'a TestBlock) {
        for step in &test.steps {
            match step {
                TestStep::Token(token) => {
                    let name = &token.name;
                    let symbol = Symbol::TestToken(test.span, name.node.clone());
                    self.add(name.span, symbol, true);
                    self.named(&token.issuer);
                    let issuers = BTreeSet::from([token.issuer.node.clone()]);
                    for claim in &token.claims {
                        self.test_claim(claim, &issuers);
                    }
                }
                TestStep::Expectation(expectation) => {
                    if let Some(name) = &expectation.token {
                        let symbol = Symbol::TestToken(test.span, name.node.clone());
                        self.add(name.span, symbol, false);
                    }
                    if let Outcome::Denied { by: Some(reason) } = &expectation.outcome {
                        self.add(reason.span, Symbol::Reason(reason.node.clone()), false);
                    }
                }
            }
        }
    }

    fn test_claim(&mut self, claim: &'a TestClaim, issuers: &BTreeSet<String>) {
        let TestClaimName::Known(name) = &claim.name.node else {
            return;
        };
        match name.as_str() {
            "scope" | "scp" => match &claim.value.node {
                TestValue::List(items) => {
                    for item in items {
                        self.scopes_in(item.span);
                    }
                }
                TestValue::String(_) => self.scopes_in(claim.value.span),
                _ => {}
            },
            "iss" | "aud" | "exp" | "nbf" | "iat" | "typ" => {}
            _ => self.claim(claim.name.span, name.clone(), issuers.clone(), false),
        }
    }

    /// The scopes in a string with several, separated by spaces.
    fn scopes_in(&mut self, string: Span) {
        let Some((inner, text)) = self.inside(string) else {
            return;
        };
        let mut at = 0;
        for word in text.split(' ') {
            if !word.is_empty() {
                let span = part(inner, at, word.len());
                self.add(span, Symbol::Scope(word.to_owned()), false);
            }
            at += word.len() + 1;
        }
    }

    /// The parameters of a path, which later conditions may read.
    fn path(&mut self, path: &'a Path, around: &mut Around<'a>) {
        for segment in &path.segments {
            if let Segment::Parameter { name, .. } = segment {
                self.parameters.push((name.span, true));
                around.parameters.push(name);
            }
        }
    }

    fn condition(&mut self, condition: &'a Condition, around: &Around<'a>) {
        condition.mentions(&mut |mention| self.mention(mention, around));
    }

    fn mention(&mut self, mention: Mention<'a>, around: &Around<'a>) {
        match mention {
            Mention::Claim(name) => {
                self.claim(name.span, name.node.clone(), around.issuers.clone(), false);
            }
            Mention::Parameter(name) => {
                self.parameters.push((name.span, false));
                self.bind(name, around);
            }
            Mention::HostLabel(name) => {
                self.add(name.span, Symbol::HostLabel(name.node.clone()), false);
            }
            Mention::Let(name, condition) => {
                self.add(condition.span, Symbol::Named(name.to_owned()), false);
                self.used(name, around, &mut BTreeSet::new());
            }
            Mention::Issuer(name) | Mention::Param(name) | Mention::List(name) => self.named(name),
            Mention::Method(name) => {
                if Method::parse(&name.node).is_none() {
                    self.named(name);
                }
            }
            Mention::Scope(literal) => self.scope(literal, false),
        }
    }

    /// Connects a parameter that is read with the one around it that has the same name.
    fn bind(&mut self, name: &Name, around: &Around<'a>) {
        let declared = around
            .parameters
            .iter()
            .rev()
            .find(|parameter| parameter.node == name.node);
        if let Some(declared) = declared {
            self.bound.join(&name.span, &declared.span);
        }
    }

    /// Records a use of a `let`: its claims are those of the issuers there, and its parameters
    /// those of the paths.
    fn used(&mut self, name: &str, around: &Around<'a>, seen: &mut BTreeSet<&'a str>) {
        let Some((name, item)) = self
            .lets
            .get_key_value(name)
            .map(|(name, item)| (*name, *item))
        else {
            return;
        };
        if !seen.insert(name) {
            return;
        }
        self.let_issuers
            .entry(name)
            .or_default()
            .extend(around.issuers.iter().cloned());
        let mut further = Vec::new();
        item.condition.mentions(&mut |mention| match mention {
            Mention::Parameter(name) => self.bind(name, around),
            Mention::Let(name, _) => further.push(name),
            Mention::Claim(_)
            | Mention::HostLabel(_)
            | Mention::Issuer(_)
            | Mention::Param(_)
            | Mention::List(_)
            | Mention::Method(_)
            | Mention::Scope(_) => {}
        });
        for name in further {
            self.used(name, around, seen);
        }
    }

    fn issuers_of(&self, api: &str) -> BTreeSet<String> {
        let issuers = self.index.issuers_of.get(api);
        issuers.into_iter().flatten().cloned().collect()
    }

    fn term(&mut self, term: &Term) {
        if let Term::Name(name) = term {
            self.named(name);
        }
    }

    fn named(&mut self, name: &Name) {
        self.add(name.span, Symbol::Named(name.node.clone()), false);
    }

    fn scope(&mut self, literal: &Spanned<Literal>, declares: bool) {
        if let Literal::String(scope) = &literal.node
            && let Some((span, _)) = self.inside(literal.span)
        {
            self.add(span, Symbol::Scope(scope.clone()), declares);
        }
    }

    fn claim(&mut self, span: Span, name: String, issuers: BTreeSet<String>, declares: bool) {
        self.sites.push(Site {
            span,
            name,
            issuers,
            declares,
        });
    }

    fn add(&mut self, span: Span, symbol: Symbol, declares: bool) {
        self.index.occurrences.push(Occurrence {
            span,
            symbol,
            declares,
        });
    }

    /// The text between the quotes of a string; `None` if it contains an escape, since positions in
    /// it would differ from those in the text.
    fn inside(&self, string: Span) -> Option<(Span, &'a str)> {
        let text = self.sources.text(string);
        let inner = text.strip_prefix('"')?.strip_suffix('"')?;
        (!inner.contains('\\')).then_some((part(string, 1, inner.len()), inner))
    }

    /// The name in braces inside a string.
    fn braced(&self, term: &Term) -> Option<(Span, String)> {
        let Term::Literal(literal) = term else {
            return None;
        };
        let (span, text) = self.inside(literal.span)?;
        let start = text.find('{')? + 1;
        let length = text.get(start..)?.find('}')?;
        let name = text.get(start..start + length)?;
        Some((part(span, start, length), name.to_owned()))
    }

    fn finish(mut self) -> Index {
        // An unused `let` may be meant for any issuer.
        let every: BTreeSet<String> = self.index.claims_of.keys().cloned().collect();
        let lets: Vec<&'a Let> = self.lets.values().copied().collect();
        for item in lets {
            let around = Around {
                issuers: self
                    .let_issuers
                    .get(item.name.node.as_str())
                    .cloned()
                    .unwrap_or_else(|| every.clone()),
                parameters: Vec::new(),
            };
            item.condition.mentions(&mut |mention| match mention {
                Mention::Let(name, condition) => {
                    self.add(condition.span, Symbol::Named(name.to_owned()), false);
                }
                other => self.mention(other, &around),
            });
        }
        let Walk {
            mut index,
            sites,
            parameters,
            bound,
            ..
        } = self;
        index
            .occurrences
            .extend(claims::occurrences(sites, &index.claims_of));
        index
            .occurrences
            .extend(parameters.into_iter().map(|(span, declares)| Occurrence {
                span,
                symbol: Symbol::Parameter(bound.of(&span)),
                declares,
            }));
        index
    }
}

/// This many bytes of a span, from an offset in it.
fn part(span: Span, at: usize, length: usize) -> Span {
    let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let start = span.start.saturating_add(offset(at));
    Span {
        start,
        end: start.saturating_add(offset(length)),
        ..span
    }
}
