//! The stable codes of diagnostics.
//!
//! A code is never reused for another meaning. Each has a case under `tests/cases/diagnostics`
//! and a row in `docs/diagnostics.md`; tests fail where one lacks either.

use super::Severity;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $severity:ident;)+) => {
        /// The code of a [`super::Diagnostic`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Code] = &[$(Code::$name,)+];

            /// The code as it is printed, such as `P0101`.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $code,)+ }
            }

            /// Whether it keeps a policy from loading.
            pub fn severity(self) -> Severity {
                match self { $(Code::$name => Severity::$severity,)+ }
            }

            /// One line on what it means.
            pub fn summary(self) -> &'static str {
                match self { $(Code::$name => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

// P00xx: files and limits. P01xx: syntax. P02xx: names. P03xx: types and values.
// P04xx: issuers and APIs. P05xx: routes and guards. P06xx: tests. P09xx: warnings.
codes! {
    /// A file or folder cannot be read.
    Unreadable = "P0001", Error;
    /// A file is not UTF-8.
    NotUtf8 = "P0002", Error;
    /// A file, or what it holds, exceeds a limit.
    TooLarge = "P0003", Error;
    /// A folder holds no policy file.
    Empty = "P0004", Error;
    /// A name is almost that of a policy file.
    NearlyPolicy = "P0005", Error;
    /// A policy file declares nothing.
    NothingDeclared = "P0006", Error;
    /// A test file declares something other than tests.
    NotATest = "P0007", Error;
    /// A file or folder has a name that can't be shown.
    UnshowableName = "P0008", Error;
    /// A syntax error.
    Syntax = "P0101", Error;
    /// Conditions or blocks are nested too deeply.
    TooDeep = "P0102", Error;
    /// `and` stands beside `or` without parentheses.
    MixedAndOr = "P0103", Error;
    /// A name is declared twice.
    DoubledName = "P0201", Error;
    /// A name isn't declared.
    UnknownName = "P0202", Error;
    /// A name refers to another kind of declaration.
    WrongKind = "P0203", Error;
    /// `let`s refer to each other in a circle.
    LetCycle = "P0204", Error;
    /// No issuer of the API declares the claim.
    UnknownClaim = "P0205", Error;
    /// The scope isn't in the API's closed list.
    UnknownScope = "P0206", Error;
    /// The path has no parameter of that name.
    UnknownPathParameter = "P0207", Error;
    /// A host of the API has no label of that name.
    UnknownHostLabel = "P0208", Error;
    /// The method isn't registered.
    UnknownMethod = "P0209", Error;
    /// The algorithm isn't supported.
    UnknownAlgorithm = "P0210", Error;
    /// The API doesn't accept tokens of this issuer.
    ForeignIssuer = "P0211", Error;
    /// A value has the wrong type.
    TypeMismatch = "P0301", Error;
    /// The operator doesn't apply to this type.
    WrongTest = "P0302", Error;
    /// A value is malformed.
    BadValue = "P0303", Error;
    /// An address range has bits set after its prefix.
    HostBits = "P0304", Error;
    /// A list is empty.
    EmptyList = "P0305", Error;
    /// A set is empty but isn't declared `may be empty`.
    EmptySet = "P0306", Error;
    /// A line of a set file isn't exactly one value.
    SetLine = "P0307", Error;
    /// A `param` has no value.
    ParamMissing = "P0308", Error;
    /// The value of a `param` has the wrong type.
    ParamValue = "P0309", Error;
    /// A header or query parameter is negated.
    NegatedRequest = "P0310", Error;
    /// `all` of a set that may be empty.
    EmptyAll = "P0311", Error;
    /// `public if` tests a token.
    TokenAtomInPublic = "P0312", Error;
    /// `sub` is compared without saying which issuer.
    SubjectWithoutIssuer = "P0313", Error;
    /// The language checks this claim itself.
    CheckedClaim = "P0314", Error;
    /// A claim has two types in one API.
    ClaimOfTwoTypes = "P0315", Error;
    /// A number is out of range.
    BadBound = "P0316", Error;
    /// A value is listed twice.
    DoubledValue = "P0317", Error;
    /// `in domain` isn't followed by a domain.
    NoDomain = "P0318", Error;
    /// A setting is given twice.
    DoubledSetting = "P0401", Error;
    /// An issuer has no URL.
    MissingUrl = "P0402", Error;
    /// A URL can't be used for an issuer, its keys or introspection.
    BadUrl = "P0403", Error;
    /// Two issuers match the same `iss`.
    DoubledUrl = "P0404", Error;
    /// Keys can't be discovered when the issuer's URL contains a tenant.
    TenantKeys = "P0405", Error;
    /// A file holds no usable key.
    KeyFile = "P0406", Error;
    /// An HMAC algorithm without a key file.
    HmacWithoutFile = "P0407", Error;
    /// A claim declaration is invalid.
    ClaimDeclaration = "P0408", Error;
    /// A claim is declared twice.
    DoubledClaim = "P0409", Error;
    /// An API has two blocks with settings.
    ApiSettingsTwice = "P0410", Error;
    /// A host is invalid.
    BadHost = "P0411", Error;
    /// An API needs an issuer.
    MissingIssuer = "P0412", Error;
    /// An API needs an audience.
    MissingAudience = "P0413", Error;
    /// A scope is invalid.
    BadScope = "P0414", Error;
    /// A policy can't set this header.
    ReservedHeader = "P0415", Error;
    /// A header is set twice.
    DoubledForward = "P0416", Error;
    /// A list is forwarded without a format.
    ForwardedList = "P0417", Error;
    /// An origin that no browser sends.
    BadOrigin = "P0418", Error;
    /// A token can't be alone in this place.
    TokenPlace = "P0419", Error;
    /// APIs that share a host read its paths differently.
    PathOptionsDiffer = "P0420", Error;
    /// ID tokens are accepted with any audience.
    IdTokenAudience = "P0421", Error;
    /// An API that accepts DPoP proofs names no host.
    ProofWithoutHost = "P0424", Error;
    /// An API that accepts DPoP proofs doesn't read `Authorization`.
    ProofWithoutAuthorization = "P0425", Error;
    /// Two issuers of an API introspect opaque tokens.
    TwoIntrospect = "P0426", Error;
    /// ID tokens are required from an issuer that introspects.
    IntrospectedIdTokens = "P0427", Error;
    /// `forward no token` can't remove the token from this place.
    TokenForwarded = "P0428", Error;
    /// A proxy can't set or remove a header of this name.
    HeaderName = "P0429", Error;
    /// A header or token place has two uses.
    SharedName = "P0430", Error;
    /// A condition reads another spelling of a forwarded or token name.
    OtherSpelling = "P0431", Error;
    /// The tenant in a `keys url` is invalid.
    TenantKeyUrl = "P0437", Error;
    /// No Entra token has this issuer.
    SharedAuthority = "P0438", Error;
    /// A path is invalid.
    BadPath = "P0501", Error;
    /// A route doesn't say who may call it.
    RouteWithoutAccess = "P0502", Error;
    /// Two routes match exactly the same requests.
    DoubledRoute = "P0503", Error;
    /// Routes of two APIs overlap, and neither is more specific.
    OverlapOfApis = "P0504", Error;
    /// A `denied` rule covers a route.
    DeniedCovers = "P0505", Error;
    /// More specific routes match every request of a route.
    NeverChosen = "P0506", Error;
    /// A guard requires a token from a public route.
    PublicUnderGuard = "P0507", Error;
    /// A condition can never hold.
    NeverHolds = "P0508", Error;
    /// A test uses a token that it doesn't declare.
    UnknownToken = "P0601", Error;
    /// The target of a test is invalid.
    TestTarget = "P0602", Error;
    /// No reason has this code.
    UnknownReason = "P0603", Error;
    /// A test expects a header that no API forwards.
    UnknownForward = "P0604", Error;
    /// A declaration is never used.
    Unused = "P0901", Warning;
    /// An issuer is asked for ID tokens.
    IdTokens = "P0902", Warning;
    /// A token may be sent in the URL.
    TokenInQuery = "P0903", Warning;
    /// `email` is compared without `email_verified`.
    UnverifiedEmail = "P0904", Warning;
    /// The port of a host isn't compared.
    HostPort = "P0905", Warning;
    /// A key in a file can't be used.
    KeyProblem = "P0906", Warning;
    /// Two routes overlap with different requirements.
    CrossingRoutes = "P0907", Warning;
    /// A route requires less than the broader one around it.
    WeakerRoute = "P0908", Warning;
    /// A guard matches no route.
    GuardWithoutRoute = "P0909", Warning;
    /// A scope that is used once differs from another by one letter.
    NearScope = "P0910", Warning;
    /// A value is given for an undeclared `param`.
    UnknownParam = "P0911", Warning;
    /// A condition always holds.
    AlwaysHolds = "P0912", Warning;
    /// A part of a condition changes nothing.
    ChangesNothing = "P0913", Warning;
    /// A `not` never holds when the claim is missing.
    NotWithoutClaim = "P0914", Warning;
    /// A path in other case matches a route that requires less.
    OtherCase = "P0915", Warning;
    /// A literal segment looks like another tool's parameter.
    LiteralParameter = "P0916", Warning;
    /// A condition is too complex to analyse.
    TooComplex = "P0917", Warning;
    /// A file looks like a policy file but isn't read.
    PutAside = "P0921", Warning;
    /// A number in a key isn't written as RFC 7518 requires.
    OddKey = "P0923", Warning;
    /// Keys are fetched over plain HTTP.
    PlainHttpKeys = "P0924", Warning;
    /// `ends with` accepts more than the addresses of a domain.
    SuffixOfAddress = "P0925", Warning;
    /// The trailing slash of an issuer's `url` differs from its provider's `iss`.
    IssuerSlash = "P0929", Warning;
    /// An API accepts the tokens of every tenant.
    AnyTenant = "P0930", Warning;
}
