//! The header of a signed token (RFC 7515, section 4).
//!
//! The header's information about its own key is never trusted: `jwk`, `jku`, `x5c`, `x5u` are
//! ignored (RFC 8725, section 3.10). The `kid` only chooses among the issuer's own keys.

use super::faults::{encrypted, malformed};
use crate::engine::Fault;
use crate::json::Json;
use crate::reason::Reason;
use crate::text::quoted;

/// The maximum length of a `kid` in bytes, the same as for keys in a set.
const MAX_KEY_ID_BYTES: usize = crate::keys::MAX_ID_BYTES;

/// The parts of a header that are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    algorithm: String,
    key_id: Option<String>,
    typ: Option<String>,
    nonce: bool,
}

impl Header {
    /// Parses a header, and refuses one that requires unsupported extensions.
    pub(super) fn read(bytes: &[u8]) -> Result<Header, Fault> {
        let header = Json::parse(bytes)
            .map_err(|error| malformed(format!("the header is not JSON: {error}")))?;
        if header.as_object().is_none() {
            return Err(malformed(format!(
                "the header is {}, not an object",
                header.kind()
            )));
        }
        if header.get("enc").is_some() {
            return Err(encrypted());
        }
        let algorithm =
            text(&header, "alg")?.ok_or_else(|| malformed("the header has no `alg`"))?;
        if algorithm.eq_ignore_ascii_case("none") {
            return Err(Fault::new(
                Reason::TokenAlgorithm,
                format!(
                    "the token is not signed: its `alg` is {}",
                    quoted(algorithm)
                ),
            ));
        }
        critical(&header)?;
        let key_id = text(&header, "kid")?;
        if key_id.is_some_and(|id| id.len() > MAX_KEY_ID_BYTES) {
            return Err(malformed(format!(
                "the header's `kid` has more than {MAX_KEY_ID_BYTES} bytes"
            )));
        }
        Ok(Header {
            algorithm: algorithm.to_owned(),
            key_id: key_id.map(str::to_owned),
            typ: text(&header, "typ")?.map(str::to_owned),
            nonce: header.get("nonce").is_some(),
        })
    }

    /// `alg`, unchanged.
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// `kid`
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// `typ`, unchanged.
    pub fn typ(&self) -> Option<&str> {
        self.typ.as_deref()
    }

    /// Whether there is a `nonce`. Microsoft signs tokens for its own APIs with a hashed nonce, so
    /// that nobody else can verify them.
    pub(super) fn has_nonce(&self) -> bool {
        self.nonce
    }
}

/// A member that must be a string if it is there.
fn text<'j>(header: &'j Json<'_>, name: &str) -> Result<Option<&'j str>, Fault> {
    match header.get(name) {
        None => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(other) => Err(malformed(format!(
            "the header's `{name}` is {}, not a string",
            other.kind()
        ))),
    }
}

/// No extensions are supported, so none may be critical (RFC 7515, section 4.1.11). An unencoded
/// payload is one (RFC 7797, section 6), which JWTs must not use (section 7).
fn critical(header: &Json<'_>) -> Result<(), Fault> {
    let what = match (header.get("crit"), header.get("b64")) {
        (None, None | Some(Json::Bool(true))) => return Ok(()),
        (None, Some(Json::Bool(false))) => "an unencoded payload (`b64`)".to_owned(),
        (None, Some(other)) => {
            return Err(malformed(format!(
                "the header's `b64` is {}, not a boolean",
                other.kind()
            )));
        }
        (Some(critical), _) => {
            let names: Vec<String> = critical
                .as_array()
                .unwrap_or_default()
                .iter()
                .filter_map(Json::as_str)
                .take(MAX_CRITICAL_SHOWN)
                .map(quoted)
                .collect();
            if names.is_empty() {
                "critical members (`crit`) without a name".to_owned()
            } else {
                format!("critical members (`crit`): {}", names.join(", "))
            }
        }
    };
    Err(Fault::new(
        Reason::TokenCritical,
        format!("the header has {what}, which portcullis does not support"),
    ))
}

/// How many critical members a hint names.
const MAX_CRITICAL_SHOWN: usize = 3;
