//! A DPoP proof: a JWT that the client signs for one request (RFC 9449, section 4).

use aws_lc_rs::digest::{Context, SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Asked, Nonces, Shown, refused, target};
use crate::engine::{Fault, ProofError, Request, Scheme};
use crate::json::Json;
use crate::keys::{self, Algorithm, Key, Thumbprint};
use crate::text::quoted;
use crate::token::jws::Jws;

/// The header that holds the proof.
const HEADER: &str = "dpop";

/// The maximum length of a proof in bytes, with the largest supported RSA key and a long URL.
pub const MAX_PROOF_BYTES: usize = 8 * 1024;

/// The maximum age of a proof in seconds. It is made for the request that it comes with, so this
/// only has to cover the network and a slow clock. Each proof is remembered for this time, since it
/// could be used again.
pub const PROOF_MAX_AGE: f64 = 60.0;

/// How far in the future a client's clock may be, in seconds.
pub const PROOF_AHEAD: f64 = 30.0;

/// The domain of the hash of a proof's identity, so that it never equals another hash.
const DOMAIN: &[u8] = b"portcullis DPoP proof 1\0";

/// A valid proof. A caller that lets a request through must make sure that the proof was not used
/// before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Proof {
    id: [u8; 32],
    key: Thumbprint,
    expires: f64,
}

impl Proof {
    /// A hash of the client's key and the proof's `jti`. A proof that is sent again has the same
    /// one, and no other proof does.
    pub fn id(&self) -> &[u8; 32] {
        &self.id
    }

    /// The client's key.
    pub fn key(&self) -> Thumbprint {
        self.key
    }

    /// When it expires, as a NumericDate.
    pub fn expires(&self) -> f64 {
        self.expires
    }

    /// The fault of a proof that was used before.
    pub fn used_again() -> Fault {
        invalid(
            "the DPoP proof was used before (`jti`): make one for each request (RFC 9449, \
             section 11.1)",
        )
    }
}

/// Checks the proof of a bound token.
///
/// Cheap checks come first, and the signature last.
pub(super) fn check(shown: &Shown<'_>, bound: Thumbprint, now: f64) -> Result<Proof, Fault> {
    if shown.scheme != Scheme::Dpop {
        return Err(refused(
            "the token is bound to a key of its client (`cnf.jkt`), but was sent as a bearer \
            token: send it as `Authorization: DPoP`, with a proof in the header `DPoP` \
             (RFC 9449, section 7.1)",
        ));
    }
    let text = only_header(shown.request)?;
    let jws = Jws::read(text).map_err(|fault| {
        let why = fault.hint.replace("the token", "the proof");
        invalid(format!("the DPoP proof is not well formed: {why}"))
    })?;
    let (algorithm, key) = signer(&jws)?;
    let payload = Json::parse(jws.payload())
        .map_err(|error| invalid(format!("the DPoP proof's payload is not JSON: {error}")))?;
    let claims = Claims::read(&payload)?;
    claims.fit(shown)?;
    if key.thumbprint() != bound {
        return Err(refused(format!(
            "the DPoP proof is signed with another key ({}) than the one that the token is bound \
             to (`cnf.jkt` {bound})",
            key.thumbprint()
        )));
    }
    if !jws.signed_by(&key, algorithm) {
        return Err(invalid(
            "the DPoP proof's signature does not match the key in it: it was changed in transit, \
            or signed by somebody else",
        ));
    }
    Ok(Proof {
        id: identity(bound, claims.id),
        key: bound,
        expires: claims.fresh_until(shown, now)?,
    })
}

/// The fault of an invalid proof.
fn invalid(hint: impl Into<String>) -> Fault {
    let mut fault = refused(hint);
    fault.proof = Some(ProofError::Invalid);
    fault
}

/// The header, which must occur once. A proof contains no comma, so a comma shows that several were
/// joined.
fn only_header<'r>(request: &Request<'r>) -> Result<&'r str, Fault> {
    let mut values = request.header(HEADER);
    let value = values.next().ok_or_else(|| {
        invalid(
            "the request has no DPoP proof: send one in the header `DPoP` (RFC 9449, section 4.1)",
        )
    })?;
    if values.next().is_some() || value.contains(&b',') {
        return Err(invalid("the request has several DPoP proofs"));
    }
    if value.len() > MAX_PROOF_BYTES {
        return Err(invalid(format!(
            "the DPoP proof has {} bytes, more than {MAX_PROOF_BYTES}",
            value.len()
        )));
    }
    std::str::from_utf8(value)
        .map(|text| text.trim_matches(' '))
        .map_err(|_| invalid("the DPoP proof is not ASCII"))
}

/// The key and the algorithm in the header (RFC 9449, section 4.2).
fn signer(jws: &Jws<'_>) -> Result<(Algorithm, Key), Fault> {
    let header = jws.header();
    if header.typ() != Some("dpop+jwt") {
        let is = header.typ().map_or("missing".to_owned(), quoted);
        return Err(invalid(format!(
            "the DPoP proof's `typ` is {is}; it must be `dpop+jwt`"
        )));
    }
    let algorithm = Algorithm::asymmetric()
        .find(|algorithm| algorithm.names().any(|name| name == header.algorithm()))
        .ok_or_else(|| {
            let names: Vec<&str> = Algorithm::asymmetric().flat_map(Algorithm::names).collect();
            invalid(format!(
                "the DPoP proof is signed with {}; supported are {}",
                quoted(header.algorithm()),
                names.join(", ")
            ))
        })?;
    let bytes = URL_SAFE_NO_PAD
        .decode(jws.encoded_header())
        .unwrap_or_default();
    let json = Json::parse(&bytes).map_err(|error| invalid(error.to_string()))?;
    let jwk = json
        .get("jwk")
        .ok_or_else(|| invalid("the DPoP proof's header holds no key (`jwk`)"))?;
    let key = keys::public_key(jwk).map_err(|problem| {
        invalid(format!(
            "the DPoP proof's key (`jwk`) is invalid: {problem}"
        ))
    })?;
    if !key.fits(algorithm) {
        return Err(invalid(format!(
            "the DPoP proof's key (`jwk`) is not for its algorithm {algorithm}"
        )));
    }
    Ok((algorithm, key))
}

/// The claims of a proof.
struct Claims<'j> {
    id: &'j str,
    method: &'j str,
    target: &'j str,
    issued_at: f64,
    token_hash: &'j str,
    nonce: Option<&'j str>,
}

impl<'j> Claims<'j> {
    fn read(payload: &'j Json<'_>) -> Result<Claims<'j>, Fault> {
        let optional = |name: &str| match payload.get(name) {
            None => Ok(None),
            Some(Json::String(text)) if !text.is_empty() => Ok(Some(text.as_ref())),
            Some(Json::String(_)) => Err(invalid(format!("the DPoP proof's `{name}` is empty"))),
            Some(other) => Err(invalid(format!(
                "the DPoP proof's `{name}` is {}, not a string",
                other.kind()
            ))),
        };
        let text = |name: &str| {
            optional(name)?.ok_or_else(|| invalid(format!("the DPoP proof has no `{name}`")))
        };
        if payload.as_object().is_none() {
            return Err(invalid("the DPoP proof's payload is not an object"));
        }
        Ok(Claims {
            id: text("jti")?,
            method: text("htm")?,
            target: text("htu")?,
            issued_at: payload
                .get("iat")
                .and_then(Json::as_f64)
                .filter(|time| time.is_finite())
                .ok_or_else(|| invalid("the DPoP proof does not say when it was made (`iat`)"))?,
            token_hash: text("ath")?,
            nonce: optional("nonce")?,
        })
    }

    /// Whether it was made for this request and this token.
    fn fit(&self, shown: &Shown<'_>) -> Result<(), Fault> {
        if self.method != shown.request.method {
            return Err(invalid(format!(
                "the DPoP proof is for the method {} (`htm`), but the request's is {}",
                quoted(self.method),
                quoted(shown.request.method)
            )));
        }
        target::check(self.target, shown.request, shown.demands.ports)
            .map_err(|error| invalid(error.to_string()))?;
        let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, shown.token.as_bytes()));
        if self.token_hash != hash {
            return Err(invalid(
                "the DPoP proof is for another token: its `ath` is not the hash of this one",
            ));
        }
        Ok(())
    }

    /// When it expires. If a nonce says when it was made, the client's clock may be wrong (RFC
    /// 9449, section 4.3, step 11).
    fn fresh_until(&self, shown: &Shown<'_>, now: f64) -> Result<f64, Fault> {
        let until = match shown.demands.nonces {
            Some(nonces) => match nonces.asked() {
                Asked::InsteadOfTheClock => return self.nonce_until(nonces),
                Asked::BesideTheClock => Some(self.nonce_until(nonces)?),
                Asked::Nothing => self.optional_nonce_until(nonces)?,
            },
            None => None,
        };
        let age = now - self.issued_at;
        if age > PROOF_MAX_AGE {
            return Err(invalid(format!(
                "the DPoP proof was made {age:.0} s ago (`iat`), but at most {PROOF_MAX_AGE:.0} s \
                 are allowed: make one for each request, and set the client's clock"
            )));
        }
        if -age > PROOF_AHEAD {
            return Err(invalid(format!(
                "the DPoP proof was made {:.0} s in the future (`iat`), but at most \
                 {PROOF_AHEAD:.0} s are allowed: set the client's clock",
                -age
            )));
        }
        // With its nonce, it would be valid for longer if nonces replaced the clock.
        let by_the_clock = self.issued_at + PROOF_MAX_AGE;
        Ok(until.map_or(by_the_clock, |until| until.max(by_the_clock)))
    }

    /// When its nonce expires, if it needs none.
    fn optional_nonce_until(&self, nonces: &dyn Nonces) -> Result<Option<f64>, Fault> {
        match self.nonce {
            Some(nonce) if nonces.is_outdated(nonce) => Err(self.wants_nonce()),
            Some(nonce) => Ok(nonces.good_until(nonce)),
            None => Ok(None),
        }
    }

    /// When its nonce expires.
    fn nonce_until(&self, nonces: &dyn Nonces) -> Result<f64, Fault> {
        self.nonce
            .and_then(|nonce| nonces.good_until(nonce))
            .ok_or_else(|| self.wants_nonce())
    }

    fn wants_nonce(&self) -> Fault {
        let what = match self.nonce {
            None => "has no `nonce`",
            Some(_) => "has an invalid or expired `nonce`",
        };
        let mut fault = invalid(format!(
            "the DPoP proof {what}: make another with the nonce in the header `DPoP-Nonce` of this \
            response"
        ));
        fault.proof = Some(ProofError::NonceWanted);
        fault
    }
}

/// The hash that identifies a proof. The target isn't part of it: a client that uses one `jti` for
/// two requests is refused the second.
fn identity(key: Thumbprint, id: &str) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(DOMAIN);
    context.update(key.as_bytes());
    context.update(id.as_bytes());
    let mut bytes = [0; 32];
    for (byte, hashed) in bytes.iter_mut().zip(context.finish().as_ref()) {
        *byte = *hashed;
    }
    bytes
}
