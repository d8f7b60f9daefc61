//! Claims: the registered ones, and the meaning of a name in an API.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Claim, ClaimId, IssuerId};
use crate::source::Span;
use crate::syntax::ast;
use crate::value::ClaimType;

use super::issuers::IssuerInfo;
use super::out::unknown;
use super::registered::{LOGIN, REGISTERED, checked, is_checked, registered};

/// All claims that rules can use, sorted by name and type.
///
/// Registered claims are included only if some rule names them, so that a policy doesn't read
/// unneeded claims from each token.
pub(super) fn all(
    issuers: &[IssuerInfo],
    named: &BTreeSet<&'static str>,
) -> (Vec<Claim>, BTreeMap<(String, ClaimType), ClaimId>) {
    let declared = issuers
        .iter()
        .flat_map(|issuer| &issuer.claims)
        .map(|(name, claim)| (name.clone(), claim.ty));
    let registered = REGISTERED
        .iter()
        .filter(|(name, _)| named.contains(name))
        .map(|(name, ty)| ((*name).to_owned(), *ty));
    let sorted: BTreeSet<(String, ClaimType)> = declared.chain(registered).collect();
    let claims = sorted
        .iter()
        .map(|(name, ty)| Claim {
            name: name.clone(),
            ty: *ty,
        })
        .collect();
    let ids = sorted
        .into_iter()
        .zip(0..)
        .map(|(key, id)| (key, ClaimId(id)))
        .collect();
    (claims, ids)
}

/// The registered claims that some rule names.
pub(super) fn registered_in(documents: &[ast::Document]) -> BTreeSet<&'static str> {
    let mut named = BTreeSet::new();
    for item in documents.iter().flat_map(|document| &document.items) {
        named_in_item(item, &mut named);
    }
    REGISTERED
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| named.contains(name))
        .collect()
}

fn named_in_item<'a>(item: &'a ast::Item, named: &mut BTreeSet<&'a str>) {
    match item {
        ast::Item::Api(api) => {
            for setting in &api.settings {
                if let ast::ApiSetting::Forward(ast::Forward::Claim { claim, .. }) = &setting.node {
                    named.insert(&claim.node);
                }
            }
            for route in &api.routes {
                named_in_route(route, named);
            }
        }
        ast::Item::Guard(guard) => {
            if let Some(condition) = &guard.requires {
                named_in(condition, named);
            }
        }
        ast::Item::Let(item) => named_in(&item.condition, named),
        ast::Item::Issuer(_) | ast::Item::Set(_) | ast::Item::Param(_) | ast::Item::Test(_) => {}
    }
}

fn named_in_route<'a>(item: &'a ast::RouteItem, named: &mut BTreeSet<&'a str>) {
    match item {
        ast::RouteItem::Route(route) => {
            let access = route.access.as_ref().map(|access| &access.kind);
            if let Some(
                ast::AccessKind::PublicIf(condition) | ast::AccessKind::Requires(condition),
            ) = access
            {
                named_in(condition, named);
            }
        }
        ast::RouteItem::Under(under) => {
            if let Some(condition) = &under.requires {
                named_in(condition, named);
            }
            for item in &under.items {
                named_in_route(item, named);
            }
        }
    }
}

fn named_in<'a>(condition: &'a ast::Condition, named: &mut BTreeSet<&'a str>) {
    use ast::ConditionKind as Kind;
    let test = match &condition.kind {
        Kind::And(conditions) | Kind::Or(conditions) => {
            for condition in conditions {
                named_in(condition, named);
            }
            return;
        }
        Kind::Not(condition) => return named_in(condition, named),
        Kind::Claim(name, test) => {
            named.insert(&name.node);
            test
        }
        Kind::Path(_, test)
        | Kind::Host(_, test)
        | Kind::Header(_, test)
        | Kind::Query(_, test) => test,
        Kind::LoginWithin(_) => {
            named.insert(LOGIN.0);
            return;
        }
        Kind::Scope(_)
        | Kind::TokenFrom(_)
        | Kind::Client(_)
        | Kind::Method(_)
        | Kind::Address(_)
        | Kind::Named(_) => return,
    };
    match test {
        ast::Test::Compare(_, operand)
        | ast::Test::Contains(operand)
        | ast::Test::StartsWith(operand)
        | ast::Test::EndsWith(operand) => match operand {
            ast::Operand::Claim(name) => {
                named.insert(&name.node);
            }
            ast::Operand::Term(_)
            | ast::Operand::Path(_)
            | ast::Operand::Host(_)
            | ast::Operand::Now(_) => {}
        },
        ast::Test::In(_)
        | ast::Test::NotIn(_)
        | ast::Test::InDomain(_)
        | ast::Test::ContainsAny(_)
        | ast::Test::ContainsAll(_)
        | ast::Test::Present
        | ast::Test::Absent => {}
    }
}

/// The meaning of a claim's name in one API.
#[derive(Debug, Clone)]
pub(super) struct ApiClaim {
    pub id: ClaimId,
    pub ty: ClaimType,
    /// The place of its declaration, if it has one.
    pub declared: Option<Span>,
}

/// The claims of APIs, by the issuers whose tokens they accept.
pub(super) struct ClaimsOf<'i> {
    ids: &'i BTreeMap<(String, ClaimType), ClaimId>,
    known: BTreeMap<Vec<IssuerId>, Rc<ApiClaims>>,
}

impl<'i> ClaimsOf<'i> {
    /// For these claims.
    pub fn new(ids: &'i BTreeMap<(String, ClaimType), ClaimId>) -> ClaimsOf<'i> {
        ClaimsOf {
            ids,
            known: BTreeMap::new(),
        }
    }

    /// The claims of these issuers' tokens.
    ///
    /// An API without an issuer has no token, but a guard of all APIs may still test one. Its tests
    /// are then read as if any issuer were meant.
    pub fn get(&mut self, accepted: &[IssuerId], issuers: &[IssuerInfo]) -> Rc<ApiClaims> {
        let known = self.known.entry(accepted.to_vec()).or_insert_with(|| {
            let all: Vec<IssuerId> = (0..).map(IssuerId).take(issuers.len()).collect();
            let accepted = if accepted.is_empty() { &all } else { accepted };
            Rc::new(ApiClaims::of(accepted, issuers, self.ids))
        });
        Rc::clone(known)
    }
}

/// The claims of one API.
#[derive(Default)]
pub(super) struct ApiClaims {
    known: BTreeMap<String, ApiClaim>,
    /// Names with two types, and the place of each declaration.
    torn: BTreeMap<String, Vec<(String, ClaimType, Option<Span>)>>,
    login: Option<ClaimId>,
}

impl ApiClaims {
    /// The claims of these issuers' tokens.
    fn of(
        accepted: &[IssuerId],
        issuers: &[IssuerInfo],
        ids: &BTreeMap<(String, ClaimType), ClaimId>,
    ) -> ApiClaims {
        let mut claims = ApiClaims {
            login: ids.get(&(LOGIN.0.to_owned(), LOGIN.1)).copied(),
            ..ApiClaims::default()
        };
        let accepted: Vec<&IssuerInfo> = accepted
            .iter()
            .filter_map(|id| issuers.get(id.0 as usize))
            .collect();
        let names: BTreeSet<&str> = ids.keys().map(|(name, _)| name.as_str()).collect();
        for name in names {
            let types: Vec<(String, ClaimType, Option<Span>)> = accepted
                .iter()
                .filter_map(|issuer| match issuer.claims.get(name) {
                    Some(claim) => Some((issuer.name.clone(), claim.ty, Some(claim.span))),
                    None => registered(name).map(|ty| (issuer.name.clone(), ty, None)),
                })
                .collect();
            let Some((_, ty, _)) = types.first() else {
                continue;
            };
            let ty = *ty;
            if types.iter().any(|(_, other, _)| *other != ty) {
                claims.torn.insert(name.to_owned(), types);
            } else if let Some(id) = ids.get(&(name.to_owned(), ty)) {
                let declared = types.iter().find_map(|(_, _, declared)| *declared);
                claims.known.insert(
                    name.to_owned(),
                    ApiClaim {
                        id: *id,
                        ty,
                        declared,
                    },
                );
            }
        }
        claims
    }

    /// The meaning of a name, if it has only one.
    pub fn get(&self, name: &str) -> Option<&ApiClaim> {
        self.known.get(name)
    }

    /// The claim that `login within` tests, if the policy has it. Unlike a claim that is tested by
    /// its name, it may have two types in one API.
    pub fn login(&self) -> Option<ClaimId> {
        self.login
    }

    /// Whether a bare word could be meant as a claim.
    pub fn could_be(&self, word: &str) -> bool {
        self.known.contains_key(word) || registered(word).is_some()
    }

    /// The meaning of a name, or an error.
    pub fn find(
        &self,
        name: &ast::Name,
        api: &str,
        issuers: &[IssuerInfo],
        accepted: &[IssuerId],
    ) -> Result<&ApiClaim, Box<Diagnostic>> {
        if let Some(claim) = self.known.get(&name.node) {
            return Ok(claim);
        }
        if let Some(instead) = checked(&name.node) {
            return Err(Box::new(is_checked(name, instead)));
        }
        if let Some(types) = self.torn.get(&name.node) {
            return Err(Box::new(torn(name, api, types)));
        }
        let elsewhere = issuers.iter().find_map(|issuer| {
            let claim = issuer.claims.get(&name.node)?;
            Some((issuer, claim.span))
        });
        if let Some((issuer, declared)) = elsewhere {
            let diagnostic = Diagnostic::new(
                Code::UnknownClaim,
                name.span,
                format!("the tokens of API `{api}` have no claim `{}`", name.node),
            )
            .also(
                declared,
                format!("declared for the issuer `{}` only", issuer.name),
            )
            .help(format!(
                "declare it in an issuer whose tokens `{api}` accepts, or add `{}` to them",
                issuer.name
            ));
            return Err(Box::new(diagnostic));
        }
        let candidates = self
            .known
            .keys()
            .map(String::as_str)
            .chain(REGISTERED.iter().map(|(registered, _)| *registered));
        let mut diagnostic = unknown(Code::UnknownClaim, "claim", name, candidates);
        if diagnostic.help.is_none() {
            let issuer = accepted
                .first()
                .and_then(|id| issuers.get(id.0 as usize))
                .map_or("the issuer", |issuer| issuer.name.as_str());
            diagnostic.help = Some(format!(
                "declare it: `claims {{ {} string }}` in `issuer {issuer}`",
                name.node
            ));
        }
        Err(Box::new(diagnostic))
    }
}

fn torn(name: &ast::Name, api: &str, types: &[(String, ClaimType, Option<Span>)]) -> Diagnostic {
    let mut diagnostic = Diagnostic::new(
        Code::ClaimOfTwoTypes,
        name.span,
        format!("`{}` has two types in API `{api}`", name.node),
    )
    .help("give it one type in all issuers of the API, or two names");
    let mut undeclared = Vec::new();
    for (issuer, ty, declared) in types {
        match declared {
            Some(span) => {
                diagnostic = diagnostic.also(*span, format!("`{ty}` for `{issuer}`"));
            }
            None => undeclared.push(format!("`{issuer}` ({ty}, without a declaration)")),
        }
    }
    if !undeclared.is_empty() {
        diagnostic.message = format!(
            "{}; it is not declared for {}",
            diagnostic.message,
            undeclared.join(", ")
        );
    }
    diagnostic
}
