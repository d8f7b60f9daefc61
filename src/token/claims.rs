//! The registered claims (RFC 7519, section 4.1) and their types.

use super::faults::malformed;
use crate::engine::Fault;
use crate::json::Json;

/// The registered claims of a claims set; `None` for an absent one.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Registered<'c> {
    pub(super) issuer: Option<&'c str>,
    pub(super) subject: Option<&'c str>,
    /// Empty if there is no `aud`, or an empty array.
    pub(super) audiences: Vec<&'c str>,
    pub(super) expires: Option<f64>,
    pub(super) not_before: Option<f64>,
    pub(super) issued_at: Option<f64>,
    pub(super) id: Option<&'c str>,
}

impl<'c> Registered<'c> {
    /// Reads the claims. One that is null or has the wrong type makes the token malformed: one
    /// program might treat it as missing, another as a value.
    pub(super) fn read(claims: &'c Json<'_>) -> Result<Registered<'c>, Fault> {
        if claims.as_object().is_none() {
            return Err(malformed(format!(
                "the payload is {}, not a claims set",
                claims.kind()
            )));
        }
        Ok(Registered {
            issuer: text(claims, "iss")?,
            subject: text(claims, "sub")?,
            audiences: audiences(claims)?,
            expires: time(claims, "exp")?,
            not_before: time(claims, "nbf")?,
            issued_at: time(claims, "iat")?,
            id: text(claims, "jti")?,
        })
    }
}

fn wrong_type(name: &str, found: &Json<'_>, wanted: &str) -> Fault {
    malformed(format!(
        "the claim `{name}` is {}, not {wanted}",
        found.kind()
    ))
}

fn text<'c>(claims: &'c Json<'_>, name: &str) -> Result<Option<&'c str>, Fault> {
    match claims.get(name) {
        None => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(other) => Err(wrong_type(name, other, "a string")),
    }
}

/// A NumericDate (RFC 7519, section 2). One beyond 2^53-1 is refused, since it would never be
/// valid.
fn time(claims: &Json<'_>, name: &str) -> Result<Option<f64>, Fault> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => match (value, value.as_f64()) {
            (_, Some(seconds)) => Ok(Some(seconds)),
            (Json::Number(_), None) => Err(malformed(format!(
                "the claim `{name}` is too large a number for a time"
            ))),
            (other, None) => Err(wrong_type(name, other, "a number")),
        },
    }
}

fn audiences<'c>(claims: &'c Json<'_>) -> Result<Vec<&'c str>, Fault> {
    match claims.get("aud") {
        None => Ok(Vec::new()),
        Some(Json::String(audience)) => Ok(vec![audience]),
        Some(Json::Array(audiences)) => audiences
            .iter()
            .map(|audience| {
                audience.as_str().ok_or_else(|| {
                    malformed(format!(
                        "the claim `aud` holds {}, not only strings",
                        audience.kind()
                    ))
                })
            })
            .collect(),
        Some(other) => Err(wrong_type("aud", other, "a string or an array of strings")),
    }
}
