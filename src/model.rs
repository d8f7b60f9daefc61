//! The checked policy: names resolved, types known, parameters filled in, spans kept.
//!
//! A model is only made by the checker and only from a policy without errors; what compiles it
//! or analyses it need not check again.

use std::sync::Arc;

use crate::keys::{Algorithm, KeySet};
use crate::pattern::{HostPattern, Method, MethodSet, PathPattern};
use crate::reason::Reason;
use crate::source::Span;
use crate::value::{AddressSet, ClaimType};

pub use crate::settings::{
    ApiId, Audience, Binding, ClaimId, Cors, Demand, IssuerClaim, IssuerId, IssuerUrl, Order,
    Origin, PathOptions, PathParameter, Senders, TokenKind, TokenPlace,
};

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
    /// The endpoint that is asked about tokens that are no JWTs (RFC 7662).
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
        /// What stands behind it.
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
    /// Whether `instead` is said.
    pub instead: bool,
}

/// What a route asks for.
#[derive(Debug, Clone)]
pub enum Access {
    /// Nothing passes.
    Denied,
    /// What is needed of the token, and the condition.
    Open {
        /// The token.
        demand: Demand,
        /// The condition; `None` where there is none.
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

/// A condition, `let`s written out.
#[derive(Debug, Clone)]
pub struct Condition {
    /// Where it stands; for what a `let` stands for, the place in the `let`.
    pub span: Span,
    /// What it says.
    pub kind: ConditionKind,
}

/// What a condition says.
#[derive(Debug, Clone)]
pub enum ConditionKind {
    /// All of them.
    And(Vec<Condition>),
    /// One of them.
    Or(Vec<Condition>),
    /// Not this.
    Not(Box<Condition>),
    /// One test.
    Atom(Atom),
}

/// One test, three-valued: true, false or missing.
#[derive(Debug, Clone)]
pub enum Atom {
    /// The token's scopes hold one of these.
    ScopeAny(Vec<String>),
    /// The token's scopes hold all of these.
    ScopeAll(Vec<String>),
    /// A claim.
    Claim(ClaimId, ClaimTest),
    /// Which issuer signed.
    TokenFrom(IssuerId),
    /// The client is one of these (`negated`: none of these).
    Client {
        /// The clients.
        any_of: Arc<StringSet>,
        /// Whether it must be none of them.
        negated: bool,
    },
    /// `auth_time` is at most this many seconds ago.
    LoginWithin(u64),
    /// A parameter of the path, by its index in the parameters of the route or guard.
    Path(usize, TextTest),
    /// The label of the host.
    Host(TextTest),
    /// The method is one of these.
    Method(MethodSet),
    /// The peer's address.
    Address {
        /// The addresses.
        any_of: Arc<AddressSet>,
        /// Whether it must be none of them.
        negated: bool,
    },
    /// A header, its name in lower case.
    Header(String, TextTest),
    /// A query parameter.
    Query(String, TextTest),
}

/// What a claim is compared with.
#[derive(Debug, Clone)]
pub enum ClaimTest {
    /// Equal to this (`negated`: not equal).
    Equals {
        /// The other side.
        operand: Operand,
        /// Whether it must differ.
        negated: bool,
    },
    /// Ordered so to this.
    Order {
        /// How.
        order: Order,
        /// The other side.
        bound: Bound,
    },
    /// Equal to one of these (`negated`: to none).
    In {
        /// The values.
        any_of: Values,
        /// Whether it must be none of them.
        negated: bool,
    },
    /// The list holds this.
    Contains(Operand),
    /// The list holds one of these.
    ContainsAny(Values),
    /// The list holds all of these.
    ContainsAll(Values),
    /// The string begins with this.
    StartsWith(Operand),
    /// The string ends with this.
    EndsWith(Operand),
    /// It is there, with the declared type.
    Present,
    /// It is not there, or null.
    Absent,
}

/// What a number or a time is ordered against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// A number, or a time as a NumericDate.
    Number(f64),
    /// The time of the request.
    Now,
}

/// The other side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// A string.
    String(String),
    /// A number, or a time as a NumericDate.
    Number(f64),
    /// A boolean.
    Boolean(bool),
    /// A parameter of the path, by its index.
    Path(usize),
    /// The label of the host.
    Host,
    /// Another claim of the same type.
    Claim(ClaimId),
    /// The time of the request.
    Now,
}

/// Several values of one type.
#[derive(Debug, Clone)]
pub enum Values {
    /// Strings.
    Strings(Arc<StringSet>),
    /// Numbers, or times as NumericDates; sorted, each once.
    Numbers(Arc<[f64]>),
    /// Booleans.
    Booleans(Vec<bool>),
}

/// What a text of the request is compared with.
#[derive(Debug, Clone)]
pub enum TextTest {
    /// Equal to this (`negated`: not equal).
    Equals {
        /// The other side.
        operand: Operand,
        /// Whether it must differ.
        negated: bool,
    },
    /// One of these (`negated`: none of them).
    In {
        /// The values.
        any_of: Arc<StringSet>,
        /// Whether it must be none of them.
        negated: bool,
    },
    /// It begins with this.
    StartsWith(Operand),
    /// It is there.
    Present,
}

/// Strings, sorted, each once.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct StringSet {
    /// The name of the `set` that they come from, if any.
    pub name: Option<String>,
    members: Members,
}

/// Strings, sorted, each once, in memory once for all sets that have the same source: a file of a
/// million lines may stand behind many of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Members(Arc<Vec<String>>);

impl Members {
    /// These.
    pub fn new(mut members: Vec<String>) -> Members {
        members.sort_unstable();
        members.dedup();
        Members(Arc::new(members))
    }

    /// Where they are in memory: equal only for clones of one.
    pub fn place(&self) -> *const Vec<String> {
        Arc::as_ptr(&self.0)
    }
}

impl StringSet {
    /// The set of these.
    pub fn new(name: Option<String>, members: Vec<String>) -> StringSet {
        StringSet::of(name, Members::new(members))
    }

    /// The set of members that other sets may share.
    pub fn of(name: Option<String>, members: Members) -> StringSet {
        StringSet { name, members }
    }

    /// Its members, to be shared.
    pub fn shared(&self) -> &Members {
        &self.members
    }

    /// Whether it is one of them.
    pub fn contains(&self, text: &str) -> bool {
        self.members()
            .binary_search_by(|member| member.as_str().cmp(text))
            .is_ok()
    }

    /// Those in it, sorted.
    pub fn members(&self) -> &[String] {
        &self.members.0
    }
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
