//! The reasons of a denial: the stable codes that clients, logs and tests rely on.

use std::fmt;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $status:literal;)+) => {
        /// Why a request is denied. Its page in the manual is `docs/reasons/CODE.md`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Reason] = &[$(Reason::$name,)+];

            /// The code, such as `token.expired`.
            pub fn code(self) -> &'static str {
                match self { $(Reason::$name => $code,)+ }
            }

            /// The HTTP status code of the denial (RFC 9110, section 15).
            pub fn status(self) -> u16 {
                match self { $(Reason::$name => $status,)+ }
            }

            /// One line on what it means.
            pub fn summary(self) -> &'static str {
                match self { $(Reason::$name => concat!($($doc),+).trim_ascii(),)+ }
            }

            /// Its page of the manual, in Markdown: cause, how to see it, how to fix it.
            pub fn page(self) -> &'static str {
                match self {
                    $(Reason::$name => include_str!(concat!("../docs/reasons/", $code, ".md")),)+
                }
            }

            /// The reason of that code.
            pub fn from_code(code: &str) -> Option<Reason> {
                Self::ALL.iter().copied().find(|reason| reason.code() == code)
            }
        }
    };
}

reasons! {
    /// The request, or what the proxy says of it, is malformed.
    RequestMalformed = "request.malformed", 400;
    /// The path can be read in two ways.
    RequestAmbiguousPath = "request.ambiguous_path", 400;
    /// No route of the policy names the request.
    RequestNoRoute = "request.no_route", 403;
    /// A `denied` rule covers the request.
    RequestDenied = "request.denied", 403;
    /// No bearer token was sent.
    TokenMissing = "token.missing", 401;
    /// The token is encrypted (JWE), which only the provider's own services can read.
    TokenEncrypted = "token.encrypted", 401;
    /// The token is not a JWT, and the issuer has no introspection.
    TokenOpaque = "token.opaque", 401;
    /// The token is neither a JWT nor an opaque one.
    TokenMalformed = "token.malformed", 401;
    /// The token is an OpenID Connect ID token.
    TokenIsIdToken = "token.is_id_token", 401;
    /// The token is a refresh token.
    TokenIsRefreshToken = "token.is_refresh_token", 401;
    /// The token's algorithm is `none`, or not one of the issuer's.
    TokenAlgorithm = "token.algorithm", 401;
    /// No key of the issuer fits the token.
    TokenUnknownKey = "token.unknown_key", 401;
    /// The signature does not fit the token.
    TokenBadSignature = "token.bad_signature", 401;
    /// The token's issuer is not one of the API's.
    TokenUnknownIssuer = "token.unknown_issuer", 401;
    /// The token's `typ` is not what the issuer's `tokens` asks for.
    TokenWrongType = "token.wrong_type", 401;
    /// The token is for another audience.
    TokenWrongAudience = "token.wrong_audience", 401;
    /// The DPoP proof or the client certificate does not fit the token.
    TokenSender = "token.sender", 401;
    /// The token has expired.
    TokenExpired = "token.expired", 401;
    /// The token is not valid yet.
    TokenNotYetValid = "token.not_yet_valid", 401;
    /// The token was issued longer ago than `max age`.
    TokenTooOld = "token.too_old", 401;
    /// The token has a `crit` header that is not understood.
    TokenCritical = "token.critical", 401;
    /// The token is inactive at introspection.
    TokenRevoked = "token.revoked", 401;
    /// The token lacks a scope.
    ScopeMissing = "scope.missing", 403;
    /// A claim that the rule reads is missing.
    ClaimMissing = "claim.missing", 403;
    /// A claim does not have the value that the rule asks for.
    ClaimMismatch = "claim.mismatch", 403;
    /// A condition over the request itself does not hold.
    RequestCondition = "request.condition", 403;
    /// The user logged in too long ago (RFC 9470).
    AuthenticationTooOld = "authentication.too_old", 403;
    /// The authentication context class is too weak (RFC 9470).
    AuthenticationTooWeak = "authentication.too_weak", 403;
    /// The issuer's keys can't be had.
    KeysUnavailable = "keys.unavailable", 503;
    /// A fault inside portcullis.
    Internal = "internal", 503;
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
