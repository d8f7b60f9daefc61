//! The checked policy: names are resolved, types are known, parameters are filled in, spans are
//! kept.
//!
//! Only the checker makes a model, and only from a policy without errors. So code that compiles or
//! analyses a model needn't check it again.

mod condition;
mod constant;
mod input;
mod key;
mod ruling;
mod sets;

use std::sync::Arc;

use crate::keys::{Algorithm, KeySet};
use crate::pattern::{HostPattern, Method, MethodSet, PathPattern};
use crate::reason::Reason;
use crate::source::Span;
use crate::value::ClaimType;

pub use ruling::{Bearing, Ruling};

pub use crate::settings::{
    ApiId, Audience, Binding, ClaimId, Cors, Demand, IssuerClaim, IssuerId, IssuerUrl, Order,
    Origin, PathOptions, PathParameter, Senders, TokenKind, TokenPlace,
};
pub use condition::{Atom, Bound, ClaimTest, Condition, ConditionKind, Operand, TextTest};
pub use input::Input;
pub use key::{ConditionKey, ConditionKeys, Names, Own};
pub use sets::{Members, StringSet, Values};

/// A whole policy set.
#[derive(Debug, Clone, Default)]
pub struct Model {
    /// The issuers, sorted by name.
    pub issuers: Vec<Issuer>,
    /// Every claim that rules may use: one for each name and type.
    pub claims: Vec<Claim>,
    /// The protected APIs, sorted by name.
    pub apis: Vec<Api>,
    /// The guards: first the conditions of `under` blocks, outer ones first, then `guard`s by file
    /// and line. A guard of several APIs occurs once for each.
    pub guards: Vec<Guard>,
    /// The tests.
    pub tests: Vec<Test>,
}

impl Model {
    /// Every condition of routes and guards.
    pub fn conditions(&self) -> impl Iterator<Item = &Condition> {
        let routes = self.apis.iter().flat_map(Api::conditions);
        routes.chain(
            self.guards
                .iter()
                .filter_map(|guard| guard.condition.as_ref()),
        )
    }

    /// Whether some bound tokens are accepted, with this method of binding.
    pub fn binds(&self, method: fn(Senders) -> Binding) -> bool {
        let issuers = self.issuers.iter().map(|issuer| issuer.senders);
        let apis = self.apis.iter().map(|api| api.senders);
        issuers
            .chain(apis)
            .any(|senders| method(senders) != Binding::Undeclared)
    }
}

/// A claim, as rules see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: ClaimType,
}

/// An identity provider.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// The place of the declaration.
    pub span: Span,
    /// Its name.
    pub name: String,
    /// The required `iss`.
    pub url: IssuerUrl,
    /// The source of its keys.
    pub keys: KeySource,
    /// The introspection endpoint for opaque tokens (RFC 7662).
    pub introspect: Option<String>,
    /// The algorithms that it may sign with.
    pub algorithms: Vec<Algorithm>,
    /// The leeway for its clock, in seconds.
    pub leeway: u64,
    /// The maximum age of a token, in seconds.
    pub max_age: Option<u64>,
    /// The accepted kind of tokens.
    pub tokens: TokenKind,
    /// The path of the scopes; `None` for `scope` and `scp`.
    pub scopes_from: Option<Vec<String>>,
    /// The path of the client; `None` for `azp` and `client_id`.
    pub client_from: Option<Vec<String>>,
    /// The path of the audience; `None` for `aud`.
    pub audience_from: Option<Vec<String>>,
    /// Its tokens need one of these audiences in addition to the API's; empty if there is no such
    /// requirement.
    pub audience: Vec<String>,
    /// How its tokens must be bound to their sender.
    pub senders: Senders,
    /// The places of the claims that rules may use.
    pub claims: Vec<IssuerClaim>,
    /// Whether the development issuer takes its place, so that its own tokens are refused.
    pub built_in: bool,
}

impl Issuer {
    /// Whether each of its tenants has separate keys.
    pub fn has_keys_by_tenant(&self) -> bool {
        match self.keys {
            KeySource::TenantUrl { .. } => true,
            KeySource::Discover | KeySource::Urls(_) | KeySource::Files(_) => false,
        }
    }
}

/// The source of an issuer's keys.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// OpenID Connect discovery from the issuer's URL, otherwise RFC 8414.
    Discover,
    /// The JWK sets at these URLs together; never empty.
    Urls(Vec<String>),
    /// A separate JWK set for each tenant in the issuer's URL.
    TenantUrl {
        /// The text before the tenant.
        prefix: String,
        /// The text after the tenant.
        suffix: String,
    },
    /// Files, read with the policy.
    Files(Arc<KeySet>),
}

/// A protected API.
#[derive(Debug, Clone)]
pub struct Api {
    /// The place of the declaration with its settings.
    pub span: Span,
    /// Its name.
    pub name: String,
    /// Its hosts; never empty.
    pub hosts: Vec<Host>,
    /// The issuers whose tokens it accepts.
    pub issuers: Vec<IssuerId>,
    /// The required `aud`.
    pub audience: Audience,
    /// The closed list of scopes, if there is one.
    pub scopes: Option<Vec<String>>,
    /// The realm of the challenge (RFC 9110, section 11.5).
    pub realm: Option<String>,
    /// The places where it looks for a token.
    pub token_places: Vec<TokenPlace>,
    /// How tokens must be bound to their sender, in addition to the settings of their issuers.
    pub senders: Senders,
    /// The origins whose pages may call the API and read its responses.
    pub cors: Option<Cors>,
    /// Whether every CORS preflight passes, whatever its origin.
    pub preflight_public: bool,
    /// The headers set on allow.
    pub forward: Vec<Forward>,
    /// Whether the token is removed from the request for the upstream.
    pub forward_no_token: bool,
    /// How its paths are read.
    pub paths: PathOptions,
    /// Its routes, sorted by file and line.
    pub routes: Vec<Route>,
}

impl Api {
    /// Whether portcullis answers the CORS preflights of listed origins, and adds the CORS headers
    /// to responses. Otherwise the application does.
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

/// A header that is set on allow. The client's own copy is always removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// The header, in lower case.
    pub header: String,
    /// Its value.
    pub value: Forwarded,
}

/// The value of a forwarded header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forwarded {
    /// A claim.
    Claim {
        /// The claims of that name: one for each type that an issuer declares.
        claims: Vec<ClaimId>,
        /// Whether it is written as JSON.
        json: bool,
    },
    /// The claims set, base64url.
    Payload,
}

/// A route: one for each method on its line. `GET` with its `HEAD` is one route, and so is `*`.
#[derive(Debug, Clone)]
pub struct Route {
    /// The place of the line.
    pub span: Span,
    /// The name of the route, such as `GET /orders/{id}`.
    pub name: String,
    /// Its methods.
    pub methods: MethodSet,
    /// Whether the line names `OPTIONS` (not `*`).
    pub names_options: bool,
    /// The path.
    pub path: PathPattern,
    /// The parameters of the path.
    pub parameters: Vec<PathParameter>,
    /// Its access.
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

/// The access of a route.
#[derive(Debug, Clone)]
pub enum Access {
    /// Every request is denied.
    Denied,
    /// The requirement for a token, and the condition.
    Permitted {
        /// The token.
        demand: Demand,
        /// The condition, if there is one.
        condition: Option<Condition>,
    },
}

/// A condition on every request that it matches.
#[derive(Debug, Clone)]
pub struct Guard {
    /// The place of the declaration; for an `under`, its head.
    pub span: Span,
    /// Its name in explanations, such as `guard POST /**` or `under /admin`.
    pub name: String,
    /// The API whose requests it matches.
    pub api: ApiId,
    /// The methods.
    pub methods: MethodSet,
    /// The path.
    pub path: PathPattern,
    /// The parameters of its path.
    pub parameters: Vec<PathParameter>,
    /// Whether it skips requests of `public` and `public if` routes.
    pub except_public: bool,
    /// The condition; `None` for `denied`.
    pub condition: Option<Condition>,
}

/// A `test` block.
#[derive(Debug, Clone)]
pub struct Test {
    /// The place of the block.
    pub span: Span,
    /// Its name.
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
    /// Its issuer.
    pub issuer: IssuerId,
    /// Its claims: the place of each in the claims set, and its value. `typ` is in the header.
    pub claims: Vec<(TestClaimPlace, TestValue)>,
}

/// The place of a test's claim.
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
    /// The place of the line.
    pub span: Span,
    /// The method.
    pub method: Method,
    /// The host; `None` if the only API has no host or accepts any.
    pub host: Option<String>,
    /// The raw target, from its `/` on.
    pub target: String,
    /// The scheme; `https` unless the target names it.
    pub scheme: String,
    /// Its index in [`Test::tokens`].
    pub token: Option<usize>,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The peer's address.
    pub address: Option<std::net::IpAddr>,
    /// The time, as a NumericDate; `None` for now.
    pub at: Option<f64>,
    /// The expected decision.
    pub outcome: Outcome,
}

/// The expected decision.
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
