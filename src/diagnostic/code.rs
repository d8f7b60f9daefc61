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
    /// A name is nearly that of a policy file.
    NearlyPolicy = "P0005", Error;
    /// A policy file declares nothing.
    NothingDeclared = "P0006", Error;
    /// A file of tests declares something else.
    NotATest = "P0007", Error;
    /// A file or folder has a name that can't be shown.
    UnshowableName = "P0008", Error;
    /// The text is not of the language.
    Syntax = "P0101", Error;
    /// Conditions or blocks are nested too deeply.
    TooDeep = "P0102", Error;
    /// `and` stands beside `or` without parentheses.
    MixedAndOr = "P0103", Error;
    /// A name is declared twice.
    DoubledName = "P0201", Error;
    /// A name stands for nothing.
    UnknownName = "P0202", Error;
    /// A name stands for a declaration of another kind than is expected there.
    WrongKind = "P0203", Error;
    /// `let`s stand for each other in a circle.
    LetCycle = "P0204", Error;
    /// A claim that no issuer of the API declares.
    UnknownClaim = "P0205", Error;
    /// A scope that is not in the API's closed list.
    UnknownScope = "P0206", Error;
    /// The path has no parameter of that name.
    UnknownPathParameter = "P0207", Error;
    /// Not every host of the API has a label of that name.
    UnknownHostLabel = "P0208", Error;
    /// A method that is not registered.
    UnknownMethod = "P0209", Error;
    /// An algorithm that is not of the language.
    UnknownAlgorithm = "P0210", Error;
    /// An issuer whose tokens the API does not take.
    ForeignIssuer = "P0211", Error;
    /// A value is of another type than is expected there.
    TypeMismatch = "P0301", Error;
    /// What stands on the left has no such test.
    WrongTest = "P0302", Error;
    /// A value does not have the form that it must have.
    BadValue = "P0303", Error;
    /// An address range has bits set behind its prefix.
    HostBits = "P0304", Error;
    /// A list is empty.
    EmptyList = "P0305", Error;
    /// A set is empty and may not be.
    EmptySet = "P0306", Error;
    /// A line of a set's file is not exactly one value.
    SetLine = "P0307", Error;
    /// A `param` has no value.
    ParamMissing = "P0308", Error;
    /// The value given for a `param` is not of its type.
    ParamValue = "P0309", Error;
    /// A header or query parameter is asked to differ.
    NegatedRequest = "P0310", Error;
    /// `all` of a set that may be empty.
    EmptyAll = "P0311", Error;
    /// `public if` speaks of a token.
    TokenAtomInPublic = "P0312", Error;
    /// `sub` is compared where several issuers can name the same one.
    SubjectWithoutIssuer = "P0313", Error;
    /// A claim that the language checks by itself.
    CheckedClaim = "P0314", Error;
    /// A claim has two types in one API.
    ClaimOfTwoTypes = "P0315", Error;
    /// A number is out of its bounds.
    BadBound = "P0316", Error;
    /// A value is listed twice.
    DoubledValue = "P0317", Error;
    /// A setting is said twice.
    DoubledSetting = "P0401", Error;
    /// An issuer has no URL.
    MissingUrl = "P0402", Error;
    /// A URL that can't be an issuer's, or that can't be asked for keys or about tokens.
    BadUrl = "P0403", Error;
    /// A token could be of two issuers by its `iss`.
    DoubledUrl = "P0404", Error;
    /// Keys can't be discovered where the issuer's URL differs by tenant.
    TenantKeys = "P0405", Error;
    /// A file holds no key that could verify a token.
    KeyFile = "P0406", Error;
    /// An HMAC algorithm without a key file.
    HmacWithoutFile = "P0407", Error;
    /// A claim is declared in a way that has no meaning.
    ClaimDeclaration = "P0408", Error;
    /// A claim is declared twice.
    DoubledClaim = "P0409", Error;
    /// An API's settings stand in two blocks.
    ApiSettingsTwice = "P0410", Error;
    /// A text is no host.
    BadHost = "P0411", Error;
    /// An API has no issuer where it needs one.
    MissingIssuer = "P0412", Error;
    /// An API has no audience where it needs one.
    MissingAudience = "P0413", Error;
    /// A text is no scope.
    BadScope = "P0414", Error;
    /// A header that is not a policy's to set.
    ReservedHeader = "P0415", Error;
    /// A header is set twice.
    DoubledForward = "P0416", Error;
    /// A list is forwarded without saying how.
    ForwardedList = "P0417", Error;
    /// A text that no browser sends as an origin.
    BadOrigin = "P0418", Error;
    /// A place that a token can't stand in alone.
    TokenPlace = "P0419", Error;
    /// APIs that share a host read its paths differently.
    PathOptionsDiffer = "P0420", Error;
    /// ID tokens are taken whatever their audience.
    IdTokenAudience = "P0421", Error;
    /// An API that takes DPoP proofs names no host.
    ProofWithoutHost = "P0424", Error;
    /// An API that takes DPoP proofs looks for tokens where no proof can stand beside one.
    ProofWithoutAuthorization = "P0425", Error;
    /// Two issuers of an API are asked about tokens that are no JWTs.
    TwoIntrospect = "P0426", Error;
    /// ID tokens are asked for where tokens that are no JWTs are introspected.
    IntrospectedIdTokens = "P0427", Error;
    /// No token is to be forwarded, and one can stand where it can't be taken away.
    TokenForwarded = "P0428", Error;
    /// A header that is forwarded or holds a token has a name that some proxy can't set or remove.
    HeaderName = "P0429", Error;
    /// A header or a place of a token has two uses, or two places are one to some application.
    SharedName = "P0430", Error;
    /// A condition reads another spelling of a header or parameter that is forwarded or holds a token.
    OtherSpelling = "P0431", Error;
    /// A `keys url` names a tenant in a way that can't work.
    TenantKeyUrl = "P0437", Error;
    /// The issuer's URL is one of Entra's that no token has.
    SharedAuthority = "P0438", Error;
    /// A path that has no meaning.
    BadPath = "P0501", Error;
    /// A route does not say who may call it.
    RouteWithoutAccess = "P0502", Error;
    /// Two routes are for exactly the same requests.
    DoubledRoute = "P0503", Error;
    /// Routes of two APIs overlap, and neither is more specific.
    OverlapOfApis = "P0504", Error;
    /// A `denied` rule covers a route.
    DeniedCovers = "P0505", Error;
    /// More specific routes take every request of a route.
    NeverChosen = "P0506", Error;
    /// A public route answers requests that a guard asks for a token.
    PublicUnderGuard = "P0507", Error;
    /// A condition can never hold.
    NeverHolds = "P0508", Error;
    /// A test names a token that it does not have.
    UnknownToken = "P0601", Error;
    /// A test's target is none.
    TestTarget = "P0602", Error;
    /// A test names a reason that there is not.
    UnknownReason = "P0603", Error;
    /// A test expects a header that no API forwards.
    UnknownForward = "P0604", Error;
    /// A declaration is never used.
    Unused = "P0901", Warning;
    /// An issuer is asked for ID tokens.
    IdTokens = "P0902", Warning;
    /// A token is looked for in the URL.
    TokenInQuery = "P0903", Warning;
    /// `email` is compared without `email_verified`.
    UnverifiedEmail = "P0904", Warning;
    /// A host names a port, which is not compared.
    HostPort = "P0905", Warning;
    /// A key of a file can't be used.
    KeyProblem = "P0906", Warning;
    /// Two routes overlap, neither is more specific, and they ask for different things.
    CrossingRoutes = "P0907", Warning;
    /// A route asks for less than the broader one around it.
    WeakerRoute = "P0908", Warning;
    /// A guard tightens no route.
    GuardWithoutRoute = "P0909", Warning;
    /// A scope is used once and differs from another by a letter.
    NearScope = "P0910", Warning;
    /// A value is given for a `param` that is not declared.
    UnknownParam = "P0911", Warning;
    /// A condition always holds.
    AlwaysHolds = "P0912", Warning;
    /// A part of a condition changes nothing.
    ChangesNothing = "P0913", Warning;
    /// A `not` is never true without a claim.
    NotWithoutClaim = "P0914", Warning;
    /// A path in other case falls to a route that asks for less.
    OtherCase = "P0915", Warning;
    /// A literal looks like the parameter of another tool.
    LiteralParameter = "P0916", Warning;
    /// A condition is too complex to be looked at.
    TooComplex = "P0917", Warning;
    /// A file looks like a policy file and is not read.
    PutAside = "P0921", Warning;
    /// A number of a key is not written as RFC 7518 asks.
    OddKey = "P0923", Warning;
    /// Keys are fetched over plain HTTP.
    PlainHttpKeys = "P0924", Warning;
}
