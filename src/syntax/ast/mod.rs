//! A policy file as it was written.
//!
//! The tree keeps what the author wrote, in the author's order, with spans; it knows nothing of
//! what a name means. Its shapes follow the grammar in `grammar/policy.pest`.

use crate::source::{FileId, Span, Spanned};

/// A bare word: a name of the policy or of the language.
pub type Name = Spanned<String>;

/// One file.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The file.
    pub file: FileId,
    /// Its declarations, without those that could not be parsed.
    pub items: Vec<Item>,
}

/// A declaration.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// `issuer NAME { … }`
    Issuer(Issuer),
    /// `api NAME { … }`
    Api(Api),
    /// `guard …`
    Guard(Guard),
    /// `let NAME = CONDITION`
    Let(Let),
    /// `set NAME = …`
    Set(Set),
    /// `param NAME TYPE [= default]`
    Param(Param),
    /// `test "…" { … }`
    Test(TestBlock),
}

/// `issuer NAME { … }`
#[derive(Debug, Clone, PartialEq)]
pub struct Issuer {
    /// The whole declaration.
    pub span: Span,
    /// Its name.
    pub name: Name,
    /// What stands between the braces.
    pub settings: Vec<Spanned<IssuerSetting>>,
}

/// One line of an issuer.
#[derive(Debug, Clone, PartialEq)]
pub enum IssuerSetting {
    /// `url "…"`
    Url(Term),
    /// `keys discover`
    KeysDiscover,
    /// `keys url "…"`
    KeysUrl(Term),
    /// `keys file "…", "…"`
    KeysFile(Vec<Term>),
    /// `keys introspect "…"`
    KeysIntrospect(Term),
    /// `algorithms RS256, …`
    Algorithms(Vec<Name>),
    /// `leeway 60s`
    Leeway(Term),
    /// `max age 1h`
    MaxAge(Term),
    /// `tokens jwt`, `tokens access`, `tokens id`
    Tokens(TokenKind),
    /// `scopes from PATH`
    ScopesFrom(ClaimPath),
    /// `client from PATH`
    ClientFrom(ClaimPath),
    /// `audience from PATH`
    AudienceFrom(ClaimPath),
    /// `audience "…"`: what this issuer's tokens must have beside the API's
    Audience(Vec<Term>),
    /// `claims { … }`
    Claims(Vec<ClaimDeclaration>),
    /// `sender dpop|mtls optional|required`
    Sender(Sender),
}

/// Which `typ` an issuer's tokens have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// No `typ`, `JWT` or `at+jwt`; ID tokens are refused.
    Jwt,
    /// `at+jwt` only (RFC 9068).
    Access,
    /// ID tokens.
    Id,
}

/// `sender dpop|mtls [optional|required]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// How a token is bound to its holder.
    pub method: SenderMethod,
    /// Whether it has to be.
    pub required: bool,
}

/// How a token is bound to its holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SenderMethod {
    /// RFC 9449.
    Dpop,
    /// RFC 8705.
    Mtls,
}

/// `NAME TYPE [from [keys of] PATH]` inside `claims { … }`
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimDeclaration {
    /// The whole line.
    pub span: Span,
    /// The name that rules use.
    pub name: Name,
    /// Its type.
    pub ty: Spanned<TypeName>,
    /// Where it is in the token; by default under its name.
    pub from: Option<ClaimPath>,
    /// Whether it is the member names of the object there.
    pub keys_of: bool,
}

/// A type as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TypeName {
    /// `string`
    String,
    /// `number`
    Number,
    /// `boolean`
    Boolean,
    /// `time`
    Time,
    /// `list of string`
    ListOfString,
    /// `list of number`
    ListOfNumber,
    /// `words`
    Words,
    /// `duration` (parameters only)
    Duration,
    /// `address` (parameters only)
    Address,
    /// `list of address` (parameters only)
    ListOfAddress,
}

/// Where a claim is in the claims set: member names from the outside in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClaimPath {
    /// The whole path.
    pub span: Span,
    /// The names; never empty.
    pub members: Vec<Spanned<String>>,
}

/// A value that is known at load: a literal, or the name of a `param`.
#[derive(Debug, Clone, PartialEq)]
pub enum Term {
    /// Written out.
    Literal(Spanned<Literal>),
    /// The name of a `param` (or, where methods are expected, of a method).
    Name(Name),
}

impl Term {
    /// Where it stands.
    pub fn span(&self) -> Span {
        match self {
            Term::Literal(literal) => literal.span,
            Term::Name(name) => name.span,
        }
    }
}

/// A literal.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// `"…"`, its escapes resolved
    String(String),
    /// `-1.5`
    Number(f64),
    /// `true`, `false`
    Boolean(bool),
    /// `15m`, in seconds
    Duration(u64),
}

/// The right-hand side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// A literal or a `param`.
    Term(Term),
    /// `path.NAME`
    Path(Name),
    /// `host.NAME`
    Host(Name),
    /// `claim NAME`
    Claim(Name),
    /// `now`
    Now(Span),
}

impl Operand {
    /// Where it stands; for `path.x` and the like, the name.
    pub fn span(&self) -> Span {
        match self {
            Operand::Term(term) => term.span(),
            Operand::Path(name) | Operand::Host(name) | Operand::Claim(name) => name.span,
            Operand::Now(span) => *span,
        }
    }
}

/// The right-hand side of `in`, `contains any` and the like.
#[derive(Debug, Clone, PartialEq)]
pub enum List {
    /// `[…]`
    Items(Spanned<Vec<Term>>),
    /// The name of a `set`, or of a `param` that is a list.
    Name(Name),
}

impl List {
    /// Where it stands.
    pub fn span(&self) -> Span {
        match self {
            List::Items(items) => items.span,
            List::Name(name) => name.span,
        }
    }
}

/// A condition with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// The whole condition, parentheses around it apart.
    pub span: Span,
    /// What it says.
    pub kind: ConditionKind,
}

/// What a condition says.
#[derive(Debug, Clone, PartialEq)]
pub enum ConditionKind {
    /// `a and b and …`, at least two
    And(Vec<Condition>),
    /// `a or b or …`, at least two
    Or(Vec<Condition>),
    /// `not a`
    Not(Box<Condition>),
    /// `scope "x"`, `scope any […]`, `scope all […]`
    Scope(ScopeTest),
    /// `claim NAME …`
    Claim(Name, Test),
    /// `token from ISSUER`
    TokenFrom(Name),
    /// `client "id"`, `client in SET`, `client not in SET`
    Client(Test),
    /// `login within 15m`
    LoginWithin(Term),
    /// `path.NAME …`
    Path(Name, Test),
    /// `host.NAME …`
    Host(Name, Test),
    /// `method …`
    Method(Test),
    /// `address in …`
    Address(Test),
    /// `header "x" …`
    Header(Term, Test),
    /// `query "x" …`
    Query(Term, Test),
    /// The name of a `let`.
    Named(String),
}

/// What `scope` asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum ScopeTest {
    /// `scope "x"`
    One(Term),
    /// `scope any […]`
    Any(List),
    /// `scope all […]`
    All(List),
}

/// What is asked of the left-hand side of an atom.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// `== V` and its kin; `client "id"` is `==`
    Compare(Comparison, Operand),
    /// `in […]`
    In(List),
    /// `not in […]`
    NotIn(List),
    /// `contains V`
    Contains(Operand),
    /// `contains any […]`
    ContainsAny(List),
    /// `contains all […]`
    ContainsAll(List),
    /// `starts with V`
    StartsWith(Operand),
    /// `ends with V`
    EndsWith(Operand),
    /// `present`
    Present,
    /// `absent`
    Absent,
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Comparison::Equal => "==",
            Comparison::NotEqual => "!=",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        }
    }
}

/// `api NAME { … }`
#[derive(Debug, Clone, PartialEq)]
pub struct Api {
    /// The whole declaration.
    pub span: Span,
    /// Its name.
    pub name: Name,
    /// Its settings.
    pub settings: Vec<Spanned<ApiSetting>>,
    /// Its routes and `under` blocks.
    pub routes: Vec<RouteItem>,
}

/// One setting of an API.
#[derive(Debug, Clone, PartialEq)]
pub enum ApiSetting {
    /// `host "…", …`
    Host(Vec<Term>),
    /// `issuer a, b`
    Issuer(Vec<Name>),
    /// `audience "…", …`
    Audience(Vec<Term>),
    /// `audience any "reason"`
    AudienceAny(Term),
    /// `scopes "…", …`
    Scopes(Vec<Term>),
    /// `realm "…"`
    Realm(Term),
    /// `token [only] in PLACE, …`
    TokenIn {
        /// Whether `Authorization` is not looked at.
        only: bool,
        /// The places.
        places: Vec<Spanned<TokenPlace>>,
    },
    /// `cors "origin", … [with credentials]`
    Cors {
        /// The origins.
        origins: Vec<Term>,
        /// Whether browsers may send cookies.
        credentials: bool,
    },
    /// `preflight public`
    PreflightPublic,
    /// `forward …`
    Forward(Forward),
    /// `paths case-insensitive` and its kin
    Paths(PathOption),
    /// `sender dpop|mtls optional|required`
    Sender(Sender),
}

/// Where a token is looked for.
#[derive(Debug, Clone, PartialEq)]
pub enum TokenPlace {
    /// `header "…"`
    Header(Term),
    /// `cookie "…"`
    Cookie(Term),
    /// `query "…"`
    Query(Term),
    /// `subprotocol "…"`
    Subprotocol(Term),
}

/// What is handed to the upstream.
#[derive(Debug, Clone, PartialEq)]
pub enum Forward {
    /// `forward CLAIM as "header" [as json]`
    Claim {
        /// The claim.
        claim: Name,
        /// The header.
        header: Term,
        /// Whether the value is written as JSON.
        json: bool,
    },
    /// `forward payload as "header"`
    Payload {
        /// The header.
        header: Term,
    },
    /// `forward no token`
    NoToken,
}

/// How paths of a host are read, where it is not the strict way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PathOption {
    /// `paths case-insensitive`
    CaseInsensitive,
    /// `paths allow encoded-slash`
    AllowEncodedSlash,
    /// `paths allow matrix-parameters`
    AllowMatrixParameters,
}

/// A route, or a block of routes below a path.
#[derive(Debug, Clone, PartialEq)]
pub enum RouteItem {
    /// `METHODS PATH ACCESS`
    Route(Route),
    /// `under PATH [requires CONDITION] { … }`
    Under(Under),
}

/// `METHODS PATH ACCESS [instead]`
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// The whole line.
    pub span: Span,
    /// The methods.
    pub methods: Methods,
    /// The path.
    pub path: Path,
    /// What it asks for; `None` where an enclosing `under` says it.
    pub access: Option<Access>,
    /// `instead`, where it stands.
    pub instead: Option<Span>,
}

/// `GET, POST` or `* [except GET]`
#[derive(Debug, Clone, PartialEq)]
pub struct Methods {
    /// The whole.
    pub span: Span,
    /// `None` for `*`.
    pub names: Option<Vec<Name>>,
    /// What `* except` leaves out (guards only).
    pub except: Vec<Name>,
}

/// A path template.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// The whole.
    pub span: Span,
    /// Its segments.
    pub segments: Vec<Segment>,
    /// Whether it ends in `/**`.
    pub rest: bool,
}

/// A segment of a path template.
#[derive(Debug, Clone, PartialEq)]
pub enum Segment {
    /// `orders`
    Literal(Spanned<String>),
    /// `{name}`, `{name}.csv`, `v{name}`
    Parameter {
        /// The whole segment.
        span: Span,
        /// What stands before the brace.
        prefix: String,
        /// The name.
        name: Name,
        /// What stands behind the brace.
        suffix: String,
    },
}

/// What a route asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Access {
    /// The whole, `instead` apart.
    pub span: Span,
    /// What it says.
    pub kind: AccessKind,
}

/// What an access says.
#[derive(Debug, Clone, PartialEq)]
pub enum AccessKind {
    /// `public`
    Public,
    /// `public if CONDITION`
    PublicIf(Condition),
    /// `authenticated`
    Authenticated,
    /// `authenticated or anonymous`
    AuthenticatedOrAnonymous,
    /// `requires CONDITION`
    Requires(Condition),
    /// `denied`
    Denied,
}

/// `under PATH [requires CONDITION] { … }`
#[derive(Debug, Clone, PartialEq)]
pub struct Under {
    /// The whole block.
    pub span: Span,
    /// The path that its routes' paths are put behind.
    pub path: Path,
    /// What everything on and below that path needs.
    pub requires: Option<Condition>,
    /// Its routes.
    pub items: Vec<RouteItem>,
}

/// `guard METHODS PATH of API [except public] requires CONDITION`, or `denied`
#[derive(Debug, Clone, PartialEq)]
pub struct Guard {
    /// The whole declaration.
    pub span: Span,
    /// The methods.
    pub methods: Methods,
    /// The path.
    pub path: Path,
    /// `None` for `of all`.
    pub apis: Option<Vec<Name>>,
    /// `except public`, where it stands.
    pub except_public: Option<Span>,
    /// `None` for `denied`.
    pub requires: Option<Condition>,
}

/// `let NAME = CONDITION`
#[derive(Debug, Clone, PartialEq)]
pub struct Let {
    /// The whole declaration.
    pub span: Span,
    /// Its name.
    pub name: Name,
    /// What it stands for.
    pub condition: Condition,
}

/// `set NAME = [ … ]`, `set NAME = file "…" [may be empty]`
#[derive(Debug, Clone, PartialEq)]
pub struct Set {
    /// The whole declaration.
    pub span: Span,
    /// Its name.
    pub name: Name,
    /// Its members.
    pub value: SetValue,
    /// Whether `may be empty` is said.
    pub may_be_empty: bool,
}

/// Where a set's members come from.
#[derive(Debug, Clone, PartialEq)]
pub enum SetValue {
    /// `[ … ]`
    Items(Spanned<Vec<Term>>),
    /// `file "…"`
    File(Spanned<String>),
}

/// `param NAME TYPE [= default]`
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// The whole declaration.
    pub span: Span,
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: Spanned<TypeName>,
    /// Its default.
    pub default: Option<ParamDefault>,
}

/// A parameter's default.
#[derive(Debug, Clone, PartialEq)]
pub enum ParamDefault {
    /// One value.
    One(Spanned<Literal>),
    /// `[ … ]`
    List(Spanned<Vec<Spanned<Literal>>>),
}

/// `test "…" { … }`
#[derive(Debug, Clone, PartialEq)]
pub struct TestBlock {
    /// The whole declaration.
    pub span: Span,
    /// What it is called.
    pub name: Spanned<String>,
    /// Its tokens and expectations, in order.
    pub steps: Vec<TestStep>,
}

/// One line of a test.
#[derive(Debug, Clone, PartialEq)]
pub enum TestStep {
    /// `token NAME = ISSUER { … }`
    Token(TestToken),
    /// `METHOD TARGET … is allowed`, or `is denied`
    Expectation(Expectation),
}

/// `token NAME = ISSUER { NAME VALUE … }`
#[derive(Debug, Clone, PartialEq)]
pub struct TestToken {
    /// The whole.
    pub span: Span,
    /// The name that expectations use.
    pub name: Name,
    /// Who would have signed it.
    pub issuer: Name,
    /// Its claims, in order.
    pub claims: Vec<TestClaim>,
}

/// `NAME VALUE` in a test's token.
#[derive(Debug, Clone, PartialEq)]
pub struct TestClaim {
    /// The claim.
    pub name: Spanned<TestClaimName>,
    /// Its value.
    pub value: Spanned<TestValue>,
}

/// How a test names a claim.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TestClaimName {
    /// A claim known to the issuer, or one of `iss aud exp nbf iat scope scp typ`.
    Known(String),
    /// `"…"`, a member of the claims set by its JSON name
    Json(String),
}

/// A value in a test's token.
#[derive(Debug, Clone, PartialEq)]
pub enum TestValue {
    /// `"…"`
    String(String),
    /// `1`
    Number(f64),
    /// `true`, `false`
    Boolean(bool),
    /// `null`
    Null,
    /// `[ … ]`
    List(Vec<Spanned<TestValue>>),
    /// `5m ago`, in seconds
    Ago(u64),
    /// `in 5m`, in seconds
    In(u64),
}

/// `METHOD TARGET [with NAME] [, header "a" "b"] [, from "…"] [, at "…"] is …`
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// The whole.
    pub span: Span,
    /// The method.
    pub method: Name,
    /// The target, raw: a path, or a URL with a host.
    pub target: Spanned<String>,
    /// The token.
    pub token: Option<Name>,
    /// Headers: name and value.
    pub headers: Vec<(Spanned<String>, Spanned<String>)>,
    /// The peer's address.
    pub address: Option<Spanned<String>>,
    /// The time.
    pub at: Option<Spanned<String>>,
    /// What is expected.
    pub outcome: Outcome,
}

/// What a test expects.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// `is allowed [forwards "header" "value"]…`
    Allowed {
        /// Headers that the upstream must get: name and value.
        forwards: Vec<(Spanned<String>, Spanned<String>)>,
    },
    /// `is denied [by CODE]`
    Denied {
        /// The reason's code.
        by: Option<Spanned<String>>,
    },
}
