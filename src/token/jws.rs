//! Parses a signed token: strict compact serialization (RFC 7515, section 7.1).
//!
//! Two programs must never read different tokens from the same text. So only one encoding of each
//! part is accepted, even if the meaning of another would be clear: no padding, no white space, no
//! stray bits after the last byte, no duplicate member.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::faults::{encrypted, malformed};
use super::header::Header;
use crate::engine::{Fault, SeenKind};
use crate::json::Json;
use crate::keys::{Algorithm, Key, KeySet, MAX_TRIED, NoKey};
use crate::reason::Reason;
use crate::text::quoted;

/// The maximum length of a token in bytes. Proxies pass on 8 to 60 KiB of headers; a token with
/// hundreds of groups has 20.
pub const MAX_TOKEN_BYTES: usize = 64 * 1024;

/// A well-formed JSON Web Signature. Don't trust anything in it until [`Jws::verify`] has found its
/// key.
#[derive(Debug)]
pub struct Jws<'t> {
    header: Header,
    payload: Vec<u8>,
    signature: Vec<u8>,
    /// The signed text: the first two parts, unchanged.
    message: &'t str,
}

impl<'t> Jws<'t> {
    /// Parses a token. A token that can't be a JWT is [`Reason::TokenOpaque`], a JWE is
    /// [`Reason::TokenEncrypted`], and a damaged JWT is [`Reason::TokenMalformed`], with what is
    /// wrong.
    pub fn read(token: &'t str) -> Result<Jws<'t>, Fault> {
        Jws::take_apart(token).map_err(|mut fault| {
            fault.kind.get_or_insert(SeenKind::Unknown);
            fault
        })
    }

    fn take_apart(token: &'t str) -> Result<Jws<'t>, Fault> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(malformed(format!(
                "the token has {} bytes, more than {MAX_TOKEN_BYTES}",
                token.len()
            )));
        }
        let [header, payload, signature] = three_parts(token)?;
        let message = token
            .get(..header.len() + 1 + payload.len())
            .unwrap_or_default();
        let header = Header::read(&decode("header", header)?)?;
        let payload = decode("payload", payload)?;
        if signature.is_empty() {
            return Err(malformed("the token has no signature"));
        }
        let signature = decode("signature", signature)?;
        Ok(Jws {
            header,
            payload,
            signature,
            message,
        })
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The header in base64url, unchanged.
    pub(super) fn encoded_header(&self) -> &'t str {
        self.message
            .split_once('.')
            .map_or("", |(header, _)| header)
    }

    /// Whether a key has signed it, with an algorithm that the caller has chosen.
    #[must_use]
    pub(super) fn signed_by(&self, key: &Key, algorithm: Algorithm) -> bool {
        key.verifies(algorithm, self.message.as_bytes(), &self.signature)
    }

    /// The decoded payload.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The payload in base64url, unchanged.
    pub fn encoded_payload(&self) -> &'t str {
        self.message
            .split_once('.')
            .map_or("", |(_, payload)| payload)
    }

    /// The header's algorithm, which must be one of these. The policy decides which algorithms are
    /// allowed, never the token (RFC 8725, section 3.1).
    pub fn algorithm(&self, allowed: &[Algorithm]) -> Result<Algorithm, Fault> {
        let named = self.header.algorithm();
        if let Some(algorithm) = Algorithm::parse(named)
            && allowed.contains(&algorithm)
        {
            return Ok(algorithm);
        }
        let names: Vec<&str> = allowed.iter().flat_map(|known| known.names()).collect();
        let mut hint = format!(
            "the token is signed with {}; its issuer may sign with {}",
            quoted(named),
            names.join(", ")
        );
        if Algorithm::ALL
            .into_iter()
            .flat_map(Algorithm::names)
            .any(|known| known.eq_ignore_ascii_case(named))
            && Algorithm::parse(named).is_none()
        {
            hint.push_str(" (names of algorithms are case-sensitive)");
        } else if Algorithm::parse(named)
            .is_some_and(|algorithm| algorithm.key_type() == crate::keys::KeyType::Oct)
        {
            hint.push_str("; anyone who can verify an HMAC can also create one");
        }
        Err(Fault::new(Reason::TokenAlgorithm, hint))
    }

    /// The key that signed it, among those that match its header, with one of these algorithms.
    /// `owner` names the keys in the hint.
    pub fn verify<'k>(
        &self,
        allowed: &[Algorithm],
        keys: &'k KeySet,
        owner: &str,
    ) -> Result<&'k Key, Fault> {
        let algorithm = self.algorithm(allowed)?;
        let id = self.header.key_id();
        let mut fitting = 0;
        // Several keys may match: a rotation can leave two without `kid`, or two with the same
        // `kid` (RFC 7517, section 4.5). The limit keeps a token from causing a signature check for
        // every key.
        let signer = keys
            .fitting(id, algorithm)
            .inspect(|_| fitting += 1)
            .take(MAX_TRIED)
            .find(|key| self.signed_by(key, algorithm));
        match signer {
            Some(key) => Ok(key),
            None if fitting == 0 => Err(no_key(&keys.why_none(id), id, algorithm, owner)),
            None => Err(not_signed(keys, id, algorithm, owner)),
        }
    }

    /// Whether newer keys may verify the token after [`Jws::verify`] returned this fault. A `kid`
    /// always names the same key. Without one, an unknown key may have signed.
    pub(super) fn newer_keys_may_help(&self, fault: &Fault, keys: &KeySet) -> bool {
        let names_none = || keys.binding(self.header.key_id()).is_none();
        fault.reason == Reason::TokenUnknownKey
            || (fault.reason == Reason::TokenBadSignature && names_none())
    }
}

fn no_key(why: &NoKey, id: Option<&str>, algorithm: Algorithm, owner: &str) -> Fault {
    let id = id.map(quoted).unwrap_or_default();
    let hint = match why {
        NoKey::UnknownId => format!("{owner} has no key with the `kid` {id}"),
        NoKey::Unusable(problem) => {
            format!("{owner}'s key with the `kid` {id} can't be used: {problem}")
        }
        NoKey::Unfit => {
            format!("{owner}'s key with the `kid` {id} is not for the algorithm {algorithm}")
        }
        NoKey::NoneFits => format!("{owner} has no key for the algorithm {algorithm}"),
    };
    Fault::new(Reason::TokenUnknownKey, hint)
}

/// The fault of a token that none of the matching keys has signed.
fn not_signed(keys: &KeySet, id: Option<&str>, algorithm: Algorithm, owner: &str) -> Fault {
    let fitting: Vec<&Key> = keys.fitting(id, algorithm).collect();
    let whose = match fitting.as_slice() {
        [key] => {
            let named = key.id().map(|id| format!(" {}", quoted(id)));
            format!("{owner}'s key{}", named.unwrap_or_default())
        }
        several => {
            let (count, tried) = (several.len(), MAX_TRIED.min(several.len()));
            let which = keys.binding(id).map_or(format!("for {algorithm}"), |id| {
                format!("named {}", quoted(id))
            });
            let of = if tried < count {
                format!("the first {tried} of ")
            } else {
                String::new()
            };
            format!("any of {of}{owner}'s {count} keys {which}")
        }
    };
    let hint = format!(
        "the signature does not match {whose}: the token was changed in transit, or signed by \
         somebody else"
    );
    Fault::new(Reason::TokenBadSignature, hint)
}

/// Whether a token can't be a JWT, for which [`Jws::read`] returns [`Reason::TokenOpaque`].
pub(super) fn is_opaque(token: &str) -> bool {
    token.len() <= MAX_TOKEN_BYTES
        && three_parts(token).is_err_and(|fault| fault.reason == Reason::TokenOpaque)
}

/// The three parts of a token, or what it is instead.
fn three_parts(token: &str) -> Result<[&str; 3], Fault> {
    if token.is_empty() {
        return Err(malformed("the token is empty"));
    }
    if token.starts_with('{') {
        return Err(malformed(
            "the token uses the JSON serialization; a JWT uses the compact one \
             (RFC 7519, section 1)",
        ));
    }
    let count = token.split('.').count();
    let mut parts = token.split('.');
    match (parts.next(), parts.next(), parts.next(), count) {
        (Some(header), Some(payload), Some(signature), 3) if is_meant_as_jwt(token, header) => {
            Ok([header, payload, signature])
        }
        (Some(header), _, _, 5) if is_encrypted(header) => Err(encrypted()),
        (Some(header), ..) if begins_like_a_header(header) => Err(malformed(format!(
            "a JWT has three parts separated by dots; the token has {count}"
        ))),
        _ => Err(opaque()),
    }
}

/// Whether a token of three parts is meant as a JWT: its first part is JSON, or begins like a
/// header and was damaged. Opaque tokens have dots too, such as Entra's refresh tokens and some of
/// Google's access tokens. Text with characters that no token has (RFC 6750, section 2.1), such as
/// a quote or a blank, was copied together with something else.
fn is_meant_as_jwt(token: &str, header: &str) -> bool {
    let of_tokens = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    header.is_empty()
        || begins_like_a_header(header)
        || !token.bytes().all(of_tokens)
        || URL_SAFE_NO_PAD
            .decode(header)
            .is_ok_and(|bytes| Json::parse(&bytes).is_ok())
}

fn opaque() -> Fault {
    let mut fault = Fault::new(Reason::TokenOpaque, "the token is not a JWT");
    fault.kind = Some(SeenKind::Opaque);
    fault
}

/// Whether the first of five parts is the header of a JWE (RFC 7516, section 9).
fn is_encrypted(header: &str) -> bool {
    URL_SAFE_NO_PAD
        .decode(header)
        .is_ok_and(|bytes| Json::parse(&bytes).is_ok_and(|header| header.get("enc").is_some()))
}

/// Whether a part begins like a JSON object in base64: `{`, then `"`, `}` or a blank. Four
/// characters are enough to tell. A random token passes about once in 16,000 times.
fn begins_like_a_header(part: &str) -> bool {
    let bytes = part.as_bytes();
    let start = bytes.get(..4).unwrap_or(bytes);
    URL_SAFE_NO_PAD.decode(start).is_ok_and(|bytes| {
        matches!(
            bytes.as_slice(),
            [b'{', b'"' | b'}' | b' ' | b'\t' | b'\r' | b'\n', ..]
        )
    })
}

/// Decodes base64url without padding (RFC 7515, section 2).
fn decode(part: &str, encoded: &str) -> Result<Vec<u8>, Fault> {
    URL_SAFE_NO_PAD
        .decode(encoded)
        .map_err(|_| not_base64url(part, encoded))
}

/// The fault of a part that isn't base64url.
fn not_base64url(part: &str, encoded: &str) -> Fault {
    let foreign = encoded
        .char_indices()
        .find(|(_, character)| !matches!(character, 'A'..='Z' | 'a'..='z' | '0'..='9' | '-' | '_'));
    if let Some((at, character)) = foreign {
        let what = match character {
            '=' => "padding (`=`)".to_owned(),
            '+' | '/' => format!("`{character}`, of base64 but not of base64url,"),
            ' ' | '\t' | '\r' | '\n' => "white space".to_owned(),
            other => quoted(&other.to_string()),
        };
        return malformed(format!(
            "the {part} is not base64url: {what} at character {}",
            at + 1
        ));
    }
    malformed(if encoded.len() % 4 == 1 {
        format!("the {part} is not base64url: one character is missing or too many")
    } else {
        format!("the {part} is not base64url: the bits after its last byte are not zero")
    })
}
