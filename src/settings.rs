//! Plain settings that a checked policy, its compiled form and the token path share.
//!
//! They say the same in all three, so that nothing has to be translated between them.

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

/// What `iss` must be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IssuerUrl {
    /// Exactly this.
    Exact(String),
    /// `prefix`, one path segment that equals a claim of the token, `suffix`.
    Tenant {
        /// What stands before the segment.
        prefix: String,
        /// Where the claim is that the segment must equal.
        claim: Vec<String>,
        /// What stands behind the segment.
        suffix: String,
    },
}

/// The most bytes of a tenant's name.
pub const MAX_TENANT_BYTES: usize = 64;

/// A tenant whose keys can be asked for by its name: one segment of a URL's path that every reader
/// takes for the same, whatever it decodes, resolves or normalises.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tenant(Arc<str>);

impl Tenant {
    /// The tenant of this name, if it is one: letters, digits, `-`, `_`, `.` and `~`, which no URL
    /// escapes (RFC 3986, section 2.3), but no dots alone.
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

/// Whose keys verify a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyOwner {
    /// The issuer.
    pub issuer: IssuerId,
    /// Its tenant, where each has keys of its own.
    pub tenant: Option<Tenant>,
}

/// Which kind of token an issuer's rules want.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// `typ` missing, `JWT` or `at+jwt`; ID tokens are refused.
    Jwt,
    /// `typ: at+jwt` only (RFC 9068).
    Access,
    /// ID tokens.
    Id,
}

/// What `aud` must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// One of these; empty where no route needs a token.
    OneOf(Vec<String>),
    /// Unchecked, for the reason given.
    Any(String),
}

/// Where a token is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenPlace {
    /// `Authorization: Bearer` (RFC 6750, section 2.1).
    Authorization,
    /// A header that holds the token alone; the name in lower case.
    Header(String),
    /// A cookie.
    Cookie(String),
    /// A query parameter.
    Query(String),
    /// A WebSocket subprotocol: the one behind this one is the token.
    Subprotocol(String),
}

/// Browser origins (the Fetch standard's CORS protocol).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// The origins.
    pub origins: Vec<Origin>,
    /// Whether browsers may send credentials.
    pub credentials: bool,
    /// Whether preflights are passed on to the application, which sends the CORS headers of what is
    /// allowed itself.
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
        /// What follows the label's dot, port included.
        suffix: String,
    },
}

impl Origin {
    /// Whether what a browser sends as `Origin` is one of these.
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

/// Whether a text is a label of a host, as [`Origin::Label`] takes it.
pub fn is_label(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// How the paths of an API are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PathOptions {
    /// Letters match whatever their case.
    pub case_insensitive: bool,
    /// `%2F` is a slash inside a segment.
    pub allow_encoded_slash: bool,
    /// `;` and what follows it in a segment is set aside.
    pub allow_matrix_parameters: bool,
}

/// Whether tokens are taken that are bound to a key of who sends them, by one method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Binding {
    /// The policy is silent: such a bound token is refused, since nobody checks the binding.
    #[default]
    Undeclared,
    /// One that is bound so needs the proof; one that is not needs none.
    Optional,
    /// A token must be bound so.
    Required,
}

/// What an issuer or an API says of the senders of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Senders {
    /// By a key of the client, shown by a proof in each request (DPoP, RFC 9449).
    pub dpop: Binding,
    /// By the client's certificate (RFC 8705, section 3).
    pub mtls: Binding,
}

impl Senders {
    /// What holds where both are said: of each method the stricter.
    #[must_use]
    pub fn and(self, other: Senders) -> Senders {
        Senders {
            dpop: self.dpop.max(other.dpop),
            mtls: self.mtls.max(other.mtls),
        }
    }
}

/// Whether a token is needed; the strictest of several wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Demand {
    /// No token is looked at.
    None,
    /// None, or a valid one.
    Optional,
    /// A valid one.
    Required,
}

/// Whether a text is an address in a domain: one `@`, a local part before it, and exactly the domain
/// after it. Applications disagree about where a text with two is delivered.
pub fn is_address_in(text: &str, domain: &str) -> bool {
    text.split_once('@')
        .is_some_and(|(local, behind)| is_local_part(local) && behind == domain)
}

/// Whether a text can be what an address has before its `@`: not quoted text with blanks in it, and
/// not a list of addresses.
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
    /// Which segment holds it, counted from 0.
    pub segment: usize,
    /// How many bytes of the segment stand before it.
    pub prefix: usize,
    /// How many bytes of the segment stand behind it.
    pub suffix: usize,
}

/// Where an issuer puts a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerClaim {
    /// The claim.
    pub claim: ClaimId,
    /// Member names from the outside in; never empty.
    pub path: Vec<String>,
    /// Whether it is the member names of the object there.
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
