//! Plain settings that a checked policy, its compiled form and the token path share.
//!
//! They mean the same in all three, so nothing has to be converted.

use std::fmt;
use std::sync::Arc;

/// The number of an issuer in its policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IssuerId(pub u32);

/// The number of an API in its policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiId(pub u32);

/// The number of a claim in its policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimId(pub u32);

/// The required `iss`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IssuerUrl {
    /// Exactly this URL.
    Exact(String),
    /// `prefix`, one path segment that equals a claim of the token, `suffix`.
    Tenant {
        /// The text before the segment.
        prefix: String,
        /// The path of the claim that the segment must equal.
        claim: Vec<String>,
        /// The text after the segment.
        suffix: String,
    },
}

impl IssuerUrl {
    /// The URL, for a tenant of this name.
    pub fn of_tenant(&self, name: &str) -> String {
        match self {
            IssuerUrl::Exact(url) => url.clone(),
            IssuerUrl::Tenant { prefix, suffix, .. } => format!("{prefix}{name}{suffix}"),
        }
    }

    /// The claim that names the tenant, if the URL contains one.
    pub fn tenant_claim(&self) -> Option<&[String]> {
        match self {
            IssuerUrl::Exact(_) => None,
            IssuerUrl::Tenant { claim, .. } => Some(claim),
        }
    }
}

/// The maximum length of a tenant's name in bytes.
pub const MAX_TENANT_BYTES: usize = 64;

/// A tenant whose keys can be fetched by its name: a URL segment that every program reads as the
/// same text, whatever it decodes, resolves or normalises.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tenant(Arc<str>);

impl Tenant {
    /// Parses a tenant's name: letters, digits, `-`, `_`, `.` and `~`, which no URL escapes (RFC
    /// 3986, section 2.3), but not only dots.
    pub fn parse(name: &str) -> Option<Tenant> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        let fine = name.len() <= MAX_TENANT_BYTES
            && name.bytes().all(plain)
            && name.bytes().any(|byte| byte != b'.');
        fine.then(|| Tenant(name.into()))
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The owner of keys that verify a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyOwner {
    /// The issuer.
    pub issuer: IssuerId,
    /// The tenant, if each has separate keys.
    pub tenant: Option<Tenant>,
}

/// The kind of tokens that an issuer's settings accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// `typ` missing, `JWT` or `at+jwt`; ID tokens are refused.
    Jwt,
    /// `typ: at+jwt` only (RFC 9068).
    Access,
    /// ID tokens.
    Id,
}

/// The requirement on `aud`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// One of these; empty if no route needs a token.
    OneOf(Vec<String>),
    /// Not checked, for the given reason.
    Any(String),
}

/// A place where a token is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenPlace {
    /// `Authorization: Bearer` (RFC 6750, section 2.1).
    Authorization,
    /// A header that holds only the token; the name is in lower case.
    Header(String),
    /// A cookie.
    Cookie(String),
    /// A query parameter.
    Query(String),
    /// A WebSocket subprotocol: the one after this is the token.
    Subprotocol(String),
}

/// Browser origins (the Fetch standard's CORS protocol).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// The origins.
    pub origins: Vec<Origin>,
    /// Whether browsers may send credentials.
    pub credentials: bool,
    /// Whether preflights are passed on to the application, which also sends the CORS headers
    /// itself.
    pub passed_on: bool,
}

/// An origin, in the form that browsers send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Any.
    Any,
    /// Exactly this.
    Exact(String),
    /// `scheme://`, one label, `.suffix`.
    Label {
        /// `https://`
        scheme: String,
        /// The text after the label's dot, including the port.
        suffix: String,
    },
}

impl Origin {
    /// Whether it matches the `Origin` that a browser sends.
    pub fn matches(&self, origin: &str) -> bool {
        match self {
            Origin::Any => true,
            Origin::Exact(exact) => exact == origin,
            Origin::Label { scheme, suffix } => origin
                .strip_prefix(scheme.as_str())
                .and_then(|rest| rest.strip_suffix(suffix.as_str()))
                .and_then(|rest| rest.strip_suffix('.'))
                .is_some_and(is_label),
        }
    }
}

/// Whether a text is a host label, as in [`Origin::Label`].
pub fn is_label(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// How an API reads paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PathOptions {
    /// Letters match regardless of case.
    pub case_insensitive: bool,
    /// `%2F` is a slash inside a segment.
    pub allow_encoded_slash: bool,
    /// `;` and everything after it in a segment is ignored.
    pub allow_matrix_parameters: bool,
}

/// Whether tokens that are bound to a key by one method are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Binding {
    /// The policy has no setting: a token that is bound this way is refused, since nobody checks
    /// the binding.
    #[default]
    Undeclared,
    /// A bound token needs the proof; an unbound one doesn't.
    Optional,
    /// A token must be bound this way.
    Required,
}

/// The settings of an issuer or an API for bound tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Senders {
    /// Bound to a key of the client, with a proof in each request (DPoP, RFC 9449).
    pub dpop: Binding,
    /// Bound to the client's certificate (RFC 8705, section 3).
    pub mtls: Binding,
}

impl Senders {
    /// The combination of two settings: the stricter one for each method.
    #[must_use]
    pub fn and(self, other: Senders) -> Senders {
        Senders {
            dpop: self.dpop.max(other.dpop),
            mtls: self.mtls.max(other.mtls),
        }
    }
}

/// Whether a token is needed. The strictest of several applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Demand {
    /// No token is read.
    None,
    /// None, or a valid one.
    Optional,
    /// A valid one.
    Required,
}

/// Whether a text is an email address in a domain: one `@`, a local part before it, and exactly the
/// domain after it. Applications disagree about a text with two.
pub fn is_address_in(text: &str, domain: &str) -> bool {
    text.split_once('@')
        .is_some_and(|(local, behind)| is_local_part(local) && behind == domain)
}

/// Whether a text can be the local part of an email address: no quoted text with blanks, and no
/// list of addresses.
pub fn is_local_part(text: &str) -> bool {
    let is_none =
        |character: char| character == '@' || character.is_whitespace() || character.is_control();
    !text.is_empty() && !text.contains(is_none)
}

/// A `{name}` in a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathParameter {
    /// The name.
    pub name: String,
    /// The segment that has it, counted from 0.
    pub segment: usize,
    /// The number of bytes of the segment before it.
    pub prefix: usize,
    /// The number of bytes of the segment after it.
    pub suffix: usize,
}

/// The place of a claim in an issuer's tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerClaim {
    /// The claim.
    pub claim: ClaimId,
    /// Member names from the outside in; never empty.
    pub path: Vec<String>,
    /// Whether the value is the list of member names of the object there.
    pub keys_of: bool,
}

/// An order between numbers or times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}
