//! Introspection results for opaque tokens (RFC 7662).
//!
//! The endpoint is called over TLS, at its URL in the policy, and answers with the claims that a
//! JWT would have. From there on, the token is treated like any other: the same code checks issuer,
//! audience, times and sender. Instead of a signature, there is the issuer's own statement that the
//! token is active. The cache decides how long that is used.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::claims::Registered;
use super::faults::malformed;
use super::jws;
use super::sender::{Confirmation, Member};
use super::{Examined, Verified, issuer, kind, refuse_other_kinds, sender, tell};
use crate::engine::{Api, Fault, Issuer, Policy, SeenKind};
use crate::json::{Bounds, Json, JsonError, MAX_DEPTH};
use crate::reason::Reason;
use crate::settings::{IssuerId, IssuerUrl, TokenKind};
use crate::text::quoted;

/// The maximum length of a token that is introspected, in bytes. Random strings have a few dozen;
/// the longest in use, macaroons and tokens with custom encryption, have a few thousand. The limit
/// bounds what somebody can make this daemon send to others.
pub const MAX_ASKED_BYTES: usize = 8 * 1024;

/// The maximum size of an answer, in bytes: enough for the claims of the largest token.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// The issuer to ask about a token: the token isn't a JWT, and one of the API's issuers has
/// introspection. There is at most one such issuer.
///
/// A token that can't be valid anywhere is [`Reason::TokenMalformed`].
pub fn whom_to_ask(token: &str, policy: &Policy, api: &Api) -> Result<Option<IssuerId>, Fault> {
    let introspects = |id: &&IssuerId| {
        let issuer = policy.issuer(**id);
        issuer.is_some_and(|issuer| issuer.introspect.is_some())
    };
    let Some(id) = api.issuers.iter().find(introspects).copied() else {
        return Ok(None);
    };
    if !jws::is_opaque(token) {
        return Ok(None);
    }
    if token.len() > MAX_ASKED_BYTES {
        return Err(malformed(format!(
            "the token is opaque and has {} bytes; at most {MAX_ASKED_BYTES} are sent to \
            introspection",
            token.len()
        )));
    }
    // RFC 6749, appendix A.12. It also allows a blank, but no server issues tokens with one.
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(malformed(
            "the token is opaque and contains characters that no access token can have",
        ));
    }
    Ok(Some(id))
}

/// A valid answer of an introspection endpoint (RFC 7662, section 2.2).
#[derive(Debug, Clone, PartialEq)]
pub struct Introspection {
    body: Vec<u8>,
    active: bool,
    expires: Option<f64>,
}

impl Introspection {
    /// Reads an answer: an object, no member twice, with a Boolean `active`, and every registered
    /// claim of its type. What is not so is nothing to be relied on in any part.
    pub fn read(body: &[u8]) -> Result<Introspection, IntrospectionError> {
        let bounds = Bounds {
            bytes: MAX_ANSWER_BYTES,
            depth: MAX_DEPTH,
        };
        let claims = Json::parse_within(body, &bounds).map_err(IntrospectionError::Json)?;
        if claims.as_object().is_none() {
            return Err(IntrospectionError::NotAnObject(claims.kind()));
        }
        let active = match claims.get("active") {
            Some(Json::Bool(active)) => *active,
            Some(other) => return Err(IntrospectionError::Active(other.kind())),
            None => return Err(IntrospectionError::NoActive),
        };
        // If the token isn't active, nothing else matters.
        let expires = if active {
            check_members(&claims)?
        } else {
            None
        };
        Ok(Introspection {
            active,
            expires,
            body: body.to_vec(),
        })
    }

    /// Whether the token is active, according to its issuer.
    pub fn is_active(&self) -> bool {
        self.active
    }

    /// `exp`
    pub fn expires(&self) -> Option<f64> {
        self.expires
    }

    /// The approximate size in bytes.
    pub fn bytes(&self) -> usize {
        size_of::<Introspection>() + self.body.capacity()
    }
}

/// Checks the types, and returns `exp`.
fn check_members(claims: &Json<'_>) -> Result<Option<f64>, IntrospectionError> {
    match claims.get("token_type") {
        None | Some(Json::String(_) | Json::Null) => {}
        Some(other) => return Err(IntrospectionError::TokenType(other.kind())),
    }
    let registered = Registered::read(claims).map_err(IntrospectionError::Claim)?;
    Ok(registered.expires)
}

/// Why an answer says nothing about a token.
#[derive(Debug, Clone, PartialEq)]
pub enum IntrospectionError {
    /// It is not JSON.
    Json(JsonError),
    /// It is another kind of JSON value than an object.
    NotAnObject(&'static str),
    /// It has no `active`.
    NoActive,
    /// `active` is of another kind than a Boolean.
    Active(&'static str),
    /// `token_type` is of another kind than a string.
    TokenType(&'static str),
    /// A registered claim is of the wrong type.
    Claim(Fault),
}

impl fmt::Display for IntrospectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IntrospectionError::Json(error) => write!(f, "the answer is not JSON: {error}"),
            IntrospectionError::NotAnObject(kind) => {
                write!(f, "the answer is {kind}, not an object")
            }
            IntrospectionError::NoActive => f.write_str("the answer has no `active`"),
            IntrospectionError::Active(kind) => {
                write!(f, "the answer's `active` is {kind}, not a boolean")
            }
            IntrospectionError::TokenType(kind) => {
                write!(f, "the answer's `token_type` is {kind}, not a string")
            }
            IntrospectionError::Claim(fault) => f.write_str(&fault.hint),
        }
    }
}

impl std::error::Error for IntrospectionError {}

/// Treats the answer of an API's issuer as the token's claims.
///
/// The caller got the answer from the issuer's own endpoint. As with [`super::verify`], the result
/// is valid for every API that accepts the tokens of this issuer, and [`super::admit`] checks the
/// rest.
pub fn introspected(
    answer: &Introspection,
    policy: &Policy,
    api: &Api,
    id: IssuerId,
) -> Result<Verified, Fault> {
    let issuer = policy
        .issuer(id)
        .filter(|issuer| issuer.introspect.is_some() && api.issuers.contains(&id))
        .ok_or_else(|| {
            Fault::new(
                Reason::TokenUnknownIssuer,
                "no issuer of this API introspects opaque tokens",
            )
        })?;
    let mut claims = Json::parse(&answer.body)
        .map_err(|error| malformed(format!("the answer is not JSON: {error}")))?;
    if !answer.active {
        return Err(revoked(issuer));
    }
    // RFC 7662 lets the issuer leave its own name out.
    if claims.get("iss").is_none()
        && let (IssuerUrl::Exact(url), Json::Object(members)) = (&issuer.url, &mut claims)
    {
        members.push(("iss".into(), Json::String(url.clone().into())));
    }
    let registered = Registered::read(&claims)?;
    let recognised = kind::recognise(None, &claims, &registered, issuer.scopes_from.as_deref());
    let seen = match recognised.kind {
        SeenKind::Access | SeenKind::Unknown => SeenKind::Opaque,
        other => other,
    };
    let tell = |fault| tell(fault, seen, &registered);
    let iss = whose(registered.issuer, issuer, &claims).map_err(tell)?;
    refuse_other_kinds(&recognised, false, policy, api, Some(issuer)).map_err(tell)?;
    check_type(&claims, issuer).map_err(tell)?;
    if issuer.max_age.is_some() && registered.issued_at.is_none() {
        return Err(tell(malformed(format!(
            "{}'s introspection result does not say when the token was issued (`iat`), which `max \
            age` needs",
            issuer.name
        ))));
    }
    let examined = Examined {
        iss,
        kind: SeenKind::Opaque,
        // The issuer says that it is active, so it may lack an expiry. A JWT can't be revoked this
        // way.
        expires: registered.expires.unwrap_or(f64::INFINITY),
        issuer_id: id,
        issuer,
        // The issuer itself was asked, so no key was used.
        tenant: None,
        registered: registered.clone(),
    };
    let payload = URL_SAFE_NO_PAD.encode(claims.to_string());
    Ok(examined.verified(None, policy, &claims, &payload))
}

fn revoked(issuer: &Issuer) -> Fault {
    let mut fault = Fault::new(
        Reason::TokenRevoked,
        format!(
            "{} says that the token is not active: it has expired, was revoked, is another \
            provider's, or is not for the client that introspects it; get a new one",
            issuer.name
        ),
    );
    fault.kind = Some(SeenKind::Opaque);
    fault
}

/// `iss`, which must be that of the introspecting issuer: one provider can't speak for another.
fn whose<'c>(iss: Option<&'c str>, issuer: &Issuer, claims: &Json<'_>) -> Result<&'c str, Fault> {
    match iss {
        Some(iss) if issuer::fits(&issuer.url, iss, claims) => Ok(iss),
        Some(iss) => Err(Fault::new(
            Reason::TokenUnknownIssuer,
            format!(
                "{}'s introspection result names another issuer, {}, not {}",
                issuer.name,
                quoted(iss),
                quoted(&issuer::written(&issuer.url))
            ),
        )),
        None => Err(Fault::new(
            Reason::TokenUnknownIssuer,
            format!(
                "{}'s introspection result has no `iss`, which tells its tenants apart",
                issuer.name
            ),
        )),
    }
}

/// `token_type`, as at the token endpoint (RFC 6749, section 5.1; RFC 9449, section 6.2). It is
/// compared without case.
fn check_type(claims: &Json<'_>, issuer: &Issuer) -> Result<(), Fault> {
    let named = claims.get("token_type").and_then(Json::as_str);
    let is = |name: &str| named.is_some_and(|named| named.eq_ignore_ascii_case(name));
    match named {
        None if issuer.tokens == TokenKind::Access => Err(Fault::new(
            Reason::TokenWrongType,
            format!(
                "{}'s introspection result has no `token_type`, which `tokens access` requires",
                issuer.name
            ),
        )),
        None => Ok(()),
        // Some servers use the last one instead of the first.
        Some(_) if is("Bearer") || is("access_token") => Ok(()),
        Some(_) if is("DPoP") => match Confirmation::of(claims) {
            Some(confirmation) if confirmation.key != Member::Absent => Ok(()),
            _ => Err(sender::refused(format!(
                "the token's type is `DPoP`, but {}'s introspection result does not name its key \
                (`cnf.jkt`)",
                issuer.name
            ))),
        },
        Some(other) => Err(Fault::new(
            Reason::TokenWrongType,
            format!(
                "the token's type is {}; for {} it must be `Bearer` or `DPoP`",
                quoted(other),
                issuer.name
            ),
        )),
    }
}
