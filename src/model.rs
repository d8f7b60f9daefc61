//! The checked policy: names resolved, types known, parameters filled in, spans kept.
//!
//! A model is only made by the checker and only from a policy without errors; what compiles it
//! or analyses it need not check again.

mod condition;
mod key;
mod ruling;
mod sets;

use std::sync::Arc;

use crate::keys::{Algorithm, KeySet};
use crate::pattern::{HostPattern, Method, MethodSet, PathPattern};
use crate::reason::Reason;
use crate::source::Span;
use crate::value::ClaimType;

pub use ruling::Ruling;

pub use crate::settings::{
    ApiId, Audience, Binding, ClaimId, Cors, Demand, IssuerClaim, IssuerId, IssuerUrl, Order,
    Origin, PathOptions, PathParameter, Senders, TokenKind, TokenPlace,
};
pub use condition::{Atom, Bound, ClaimTest, Condition, ConditionKind, Input, Operand, TextTest};
pub use key::{Key, Keys, Names, Own};
pub use sets::{Members, StringSet, Values};

/// A whole policy set.
#[derive(Debug, Clone, Default)]
pub struct Model {
    /// Who may sign tokens, in the order of their names.
    pub issuers: Vec<Issuer>,
    /// Every claim that some issuer's rules may use: one for each name and type.
    pub claims: Vec<Claim>,
    /// The protected APIs, in the order of their names.
    pub apis: Vec<Api>,
    /// What tightens: first the conditions of `under` blocks, outer ones first, then guards by
    /// file and line. A guard of several APIs stands here once for each.
    pub guards: Vec<Guard>,
    /// The tests.
    pub tests: Vec<Test>,
}

impl Model {
    /// Every condition of its routes and guards.
    pub fn conditions(&self) -> impl Iterator<Item = &Condition> {
        let routes = self.apis.iter().flat_map(Api::conditions);
        routes.chain(
            self.guards
                .iter()
                .filter_map(|guard| guard.condition.as_ref()),
        )
    }

    /// Whether some tokens are taken that are bound to who sends them, by this method.
    pub fn binds(&self, method: fn(Senders) -> Binding) -> bool {
        let issuers = self.issuers.iter().map(|issuer| issuer.senders);
        let apis = self.apis.iter().map(|api| api.senders);
        issuers
            .chain(apis)
            .any(|senders| method(senders) != Binding::Undeclared)
    }
}

/// A claim as rules know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: ClaimType,
}

/// Who may sign tokens.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// The declaration.
    pub span: Span,
    /// Its name.
    pub name: String,
    /// What `iss` must be.
    pub url: IssuerUrl,
    /// Where its keys come from.
    pub keys: KeySource,
    /// The introspection endpoint for opaque tokens (RFC 7662).
    pub introspect: Option<String>,
    /// The algorithms that it may sign with.
    pub algorithms: Vec<Algorithm>,
    /// How far its clock may be off, in seconds.
    pub leeway: u64,
    /// How long ago a token may have been issued, in seconds.
    pub max_age: Option<u64>,
    /// Which kind of token is wanted.
    pub tokens: TokenKind,
    /// Where its scopes are; `None` for `scope` and `scp`.
    pub scopes_from: Option<Vec<String>>,
    /// Where the client is; `None` for `azp` and `client_id`.
    pub client_from: Option<Vec<String>>,
    /// Where the audience is; `None` for `aud`.
    pub audience_from: Option<Vec<String>>,
    /// Audiences of which its tokens must have one beside the API's; empty for no such demand.
    pub audience: Vec<String>,
    /// How its tokens are bound to who sends them.
    pub senders: Senders,
    /// Where the claims are that rules may use.
    pub claims: Vec<IssuerClaim>,
    /// Whether the development issuer stands in its place, so that no token of its own is good.
    pub built_in: bool,
}

impl Issuer {
    /// Whether each of its tenants has keys of its own.
    pub fn has_keys_by_tenant(&self) -> bool {
        match self.keys {
            KeySource::TenantUrl { .. } => true,
            KeySource::Discover | KeySource::Urls(_) | KeySource::Files(_) => false,
        }
    }
}

/// Where an issuer's keys come from.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// OpenID Connect discovery, then RFC 8414, from the issuer's URL.
    Discover,
    /// JWK sets at these URLs, which are the issuer's together; never empty.
    Urls(Vec<String>),
    /// A JWK set for each tenant that the issuer's URL names.
    TenantUrl {
        /// What stands before the tenant.
        prefix: String,
        /// What follows it.
        suffix: String,
    },
    /// Files, read with the policy.
    Files(Arc<KeySet>),
}

/// A protected API.
#[derive(Debug, Clone)]
pub struct Api {
    /// The declaration that holds its settings.
    pub span: Span,
    /// Its name.
    pub name: String,
    /// Its hosts; never empty.
    pub hosts: Vec<Host>,
    /// Whose tokens it takes.
    pub issuers: Vec<IssuerId>,
    /// What `aud` must hold.
    pub audience: Audience,
    /// The closed list of scopes, if there is one.
    pub scopes: Option<Vec<String>>,
    /// The realm of the challenge (RFC 9110, section 11.5).
    pub realm: Option<String>,
    /// Where a token is looked for.
    pub token_places: Vec<TokenPlace>,
    /// How the tokens that it takes are bound to who sends them, beside what their issuers say.
    pub senders: Senders,
    /// Which browsers may ask and read.
    pub cors: Option<Cors>,
    /// Whether every CORS preflight passes, whatever its origin.
    pub preflight_public: bool,
    /// The headers set on allow.
    pub forward: Vec<Forward>,
    /// Whether the token is kept from the upstream.
    pub forward_no_token: bool,
    /// How its paths are read.
    pub paths: PathOptions,
    /// Its routes, by file and line.
    pub routes: Vec<Route>,
}

impl Api {
    /// Whether portcullis answers the CORS preflights of the origins that are listed, and adds the
    /// CORS headers to what is allowed; the application does where it is said to.
    pub fn answers_preflights(&self) -> bool {
        let answered = self.cors.as_ref().is_some_and(|cors| !cors.passed_on);
        answered && !self.preflight_public
    }

    /// Every condition of its routes.
    pub fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.routes.iter().filter_map(Route::condition)
    }
}

/// A host of an API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// The pattern.
    pub pattern: HostPattern,
    /// The name of its label, for `host.NAME`.
    pub label: Option<String>,
}

/// A header set on allow, and always removed from what the client sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// The header, in lower case.
    pub header: String,
    /// What it holds.
    pub value: Forwarded,
}

/// What a forwarded header holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forwarded {
    /// A claim.
    Claim {
        /// The claims of that name: one for each type that some issuer declares.
        claims: Vec<ClaimId>,
        /// Whether it is written as JSON.
        json: bool,
    },
    /// The claims set, base64url.
    Payload,
}

/// A route: one for each method that its line names (`GET` with its `HEAD` is one, `*` is one).
#[derive(Debug, Clone)]
pub struct Route {
    /// The line.
    pub span: Span,
    /// The route as it is called, such as `GET /orders/{id}`.
    pub name: String,
    /// What its methods' part stands for.
    pub methods: MethodSet,
    /// Whether the line names `OPTIONS` (not `*`).
    pub names_options: bool,
    /// The path.
    pub path: PathPattern,
    /// The names in the path.
    pub parameters: Vec<PathParameter>,
    /// What it asks for.
    pub access: Access,
    /// Whether the route has `instead`.
    pub instead: bool,
}

impl Route {
    /// Its condition, if it has one.
    pub fn condition(&self) -> Option<&Condition> {
        match &self.access {
            Access::Permitted { condition, .. } => condition.as_ref(),
            Access::Denied => None,
        }
    }
}

/// What a route asks for.
#[derive(Debug, Clone)]
pub enum Access {
    /// Nothing passes.
    Denied,
    /// What is needed of the token, and the condition.
    Permitted {
        /// The token.
        demand: Demand,
        /// The condition, if there is one.
        condition: Option<Condition>,
    },
}

/// What tightens every request that it matches.
#[derive(Debug, Clone)]
pub struct Guard {
    /// The declaration; for an `under`, its head.
    pub span: Span,
    /// What it is called in explanations, such as `guard POST /**` or `under /admin`.
    pub name: String,
    /// Whose requests it matches.
    pub api: ApiId,
    /// The methods.
    pub methods: MethodSet,
    /// The path.
    pub path: PathPattern,
    /// The names in its path.
    pub parameters: Vec<PathParameter>,
    /// Whether it leaves requests alone that a `public` or `public if` route answers.
    pub except_public: bool,
    /// The condition; `None` for `denied`.
    pub condition: Option<Condition>,
}

/// A `test` block.
#[derive(Debug, Clone)]
pub struct Test {
    /// The block.
    pub span: Span,
    /// What it is called.
    pub name: String,
    /// The tokens.
    pub tokens: Vec<TestToken>,
    /// The expectations, in order.
    pub expectations: Vec<Expectation>,
}

/// A token of a test.
#[derive(Debug, Clone)]
pub struct TestToken {
    /// The name that expectations use.
    pub name: String,
    /// Who would have signed it.
    pub issuer: IssuerId,
    /// Its claims: where each is in the claims set, and its value. `typ` is the header's.
    pub claims: Vec<(TestClaimPlace, TestValue)>,
}

/// Where a test's claim goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestClaimPlace {
    /// The header's `typ`.
    Typ,
    /// Member names from the outside in.
    Path(Vec<String>),
    /// The value's strings become the member names of the object there.
    KeysOf(Vec<String>),
}

/// A value of a test's token.
#[derive(Debug, Clone, PartialEq)]
pub enum TestValue {
    /// A string.
    String(String),
    /// A number.
    Number(f64),
    /// A boolean.
    Boolean(bool),
    /// `null`
    Null,
    /// A list.
    List(Vec<TestValue>),
    /// This many seconds from the time of the request (`5m ago` is negative).
    FromNow(i64),
}

/// What a test expects of one request.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// The line.
    pub span: Span,
    /// The method.
    pub method: Method,
    /// The host; `None` where the only API has none or any.
    pub host: Option<String>,
    /// The target, raw, from its `/` on.
    pub target: String,
    /// The scheme; `https` unless the target names it.
    pub scheme: String,
    /// An index into [`Test::tokens`].
    pub token: Option<usize>,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The peer's address.
    pub address: Option<std::net::IpAddr>,
    /// The time, as a NumericDate; `None` for now.
    pub at: Option<f64>,
    /// What is expected.
    pub outcome: Outcome,
}

/// What a test expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The request is allowed, and the upstream gets these headers.
    Allowed {
        /// Names in lower case, and values.
        forwards: Vec<(String, String)>,
    },
    /// The request is denied, for this reason if one is given.
    Denied {
        /// The reason.
        by: Option<Reason>,
    },
}
