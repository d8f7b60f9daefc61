//! The reasons of a denial: the stable codes that clients, logs and tests rely on.

use std::fmt;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $status:literal, $advice:literal;)+) => {
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

            /// What whoever wrote the client should do next. It is the same for every policy, and
            /// gives away nothing of it.
            pub fn advice(self) -> &'static str {
                match self { $(Reason::$name => $advice,)+ }
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
    RequestMalformed = "request.malformed", 400,
        "Send one request with one host and a method in capitals; if a plain request fails too, tell the operator of the API.";
    /// The path can be read in two ways.
    RequestAmbiguousPath = "request.ambiguous_path", 400,
        "Send the path in its plain form: no `..`, no empty segment, nothing encoded that need not be.";
    /// No route of the policy names the request.
    RequestNoRoute = "request.no_route", 403,
        "Check the method, the host and the path against the documentation of the API.";
    /// A `denied` rule covers the request.
    RequestDenied = "request.denied", 403,
        "Nobody may send this request from outside; use another endpoint of the API.";
    /// No bearer token was sent.
    TokenMissing = "token.missing", 401,
        "Get an access token for this API and send it as the API expects it, usually `Authorization: Bearer TOKEN`.";
    /// The token is encrypted (JWE), which only the provider's own services can read.
    TokenEncrypted = "token.encrypted", 401,
        "Ask the identity provider for an access token for this API's audience.";
    /// The token is not a JWT, and the issuer has no introspection.
    TokenOpaque = "token.opaque", 401,
        "Ask the identity provider for an access token for this API's audience, so that it issues a JWT.";
    /// The token is neither a JWT nor an opaque one.
    TokenMalformed = "token.malformed", 401,
        "Send the access token as the identity provider issued it: whole, unquoted, and nothing else.";
    /// The token is an OpenID Connect ID token.
    TokenIsIdToken = "token.is_id_token", 401,
        "Send the access token, not the ID token; if you have none, ask for one for this API's audience.";
    /// The token is a refresh token.
    TokenIsRefreshToken = "token.is_refresh_token", 401,
        "Exchange the refresh token at the identity provider for an access token, and send that.";
    /// The token's algorithm is `none`, or not one of the issuer's.
    TokenAlgorithm = "token.algorithm", 401,
        "Ask the identity provider for a token signed by the algorithm that it publishes; do not sign tokens yourself.";
    /// No key of the issuer fits the token.
    TokenUnknownKey = "token.unknown_key", 401,
        "Get a new token; if that is refused too, it comes from another tenant or environment than this API accepts.";
    /// The signature does not fit the token.
    TokenBadSignature = "token.bad_signature", 401,
        "Send the token unchanged; if it is, it comes from another tenant or environment than this API accepts.";
    /// The token's issuer is not one of the API's.
    TokenUnknownIssuer = "token.unknown_issuer", 401,
        "Get the token from the identity provider that this API accepts: check tenant, realm and environment.";
    /// The token's `typ` is not what the issuer's `tokens` asks for.
    TokenWrongType = "token.wrong_type", 401,
        "Ask for an access token for this API's audience; another kind of token does not do.";
    /// The token is for another audience.
    TokenWrongAudience = "token.wrong_audience", 401,
        "Ask the identity provider for an access token for this API's audience.";
    /// The DPoP proof or the client certificate does not fit the token.
    TokenSender = "token.sender", 401,
        "Use the token from the client that it was issued to, with a new DPoP proof for each request or with that client's certificate.";
    /// The token has expired.
    TokenExpired = "token.expired", 401,
        "Get a new access token, for instance with the refresh token.";
    /// The token is not valid yet.
    TokenNotYetValid = "token.not_yet_valid", 401,
        "Set the clock of the machine that gets the tokens, and try again.";
    /// The token was issued longer ago than `max age`.
    TokenTooOld = "token.too_old", 401,
        "Get a new access token: this one was issued too long ago.";
    /// The token has a `crit` header that is not understood.
    TokenCritical = "token.critical", 401,
        "Ask the identity provider for a token without extensions in its header.";
    /// The token is inactive at introspection.
    TokenRevoked = "token.revoked", 401,
        "Get a new access token; if that is refused too, log in again.";
    /// The token lacks a scope.
    ScopeMissing = "scope.missing", 403,
        "Ask the identity provider for the scope that the challenge names, with the user's consent where it needs it.";
    /// A claim that the rule reads is missing.
    ClaimMissing = "claim.missing", 403,
        "Ask the identity provider's administrator to put the claim that this API needs into access tokens.";
    /// A claim does not have the value that the rule asks for.
    ClaimMismatch = "claim.mismatch", 403,
        "Send the request for what belongs to this user or client, or with the token of one who may.";
    /// A condition over the request itself does not hold.
    RequestCondition = "request.condition", 403,
        "Check headers, query and network: this endpoint asks for something about the request beside the token.";
    /// The user logged in too long ago (RFC 9470).
    AuthenticationTooOld = "authentication.too_old", 403,
        "Let the user log in again, as the challenge asks (`max_age`).";
    /// The authentication context class is too weak (RFC 9470).
    AuthenticationTooWeak = "authentication.too_weak", 403,
        "Let the user log in more strongly, as the challenge asks (`acr_values`).";
    /// The issuer's keys can't be had.
    KeysUnavailable = "keys.unavailable", 503,
        "Try again in some seconds; the token itself was not judged.";
    /// A fault inside portcullis.
    Internal = "internal", 503,
        "Try again in some seconds; if it goes on, give the operator the decision id.";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
