//! Values in lines of access logs.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::super::line::{LineError, not_json, numeric_date};
use super::field::{Clock, Escape};
use crate::json::Json;

impl Escape {
    /// The value as it was before it was written, `None` if it is missing.
    pub fn value(self, written: &[u8]) -> Result<Option<Cow<'_, [u8]>>, LineError> {
        let is_missing = match self {
            Escape::Hexadecimal | Escape::Dash => written == b"-" || written.is_empty(),
            Escape::Json | Escape::None => written.is_empty(),
        };
        if is_missing {
            return Ok(None);
        }
        let value = match self {
            Escape::Hexadecimal if written.contains(&b'\\') => {
                Cow::Owned(hexadecimal(written).ok_or(LineError::NotInFormat)?)
            }
            Escape::Json if written.contains(&b'\\') => {
                Cow::Owned(json(written).ok_or(LineError::NotInFormat)?)
            }
            Escape::Hexadecimal | Escape::Json | Escape::None | Escape::Dash => {
                Cow::Borrowed(written)
            }
        };
        Ok(Some(value))
    }
}

/// Undoes `\xXX`.
fn hexadecimal(written: &[u8]) -> Option<Vec<u8>> {
    let mut value = Vec::with_capacity(written.len());
    let mut rest = written;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'\\' {
            value.push(*first);
            continue;
        }
        let digits = after.strip_prefix(b"x")?.get(..2)?;
        let digits = std::str::from_utf8(digits).ok()?;
        value.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after.get(3..)?;
    }
    Some(value)
}

/// Undoes what nginx escapes in JSON. Other bytes stay as they are, so it needn't be UTF-8.
fn json(written: &[u8]) -> Option<Vec<u8>> {
    let mut value = Vec::with_capacity(written.len());
    let mut rest = written;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'\\' {
            value.push(*first);
            continue;
        }
        let (kind, after) = after.split_first()?;
        rest = after;
        value.push(match kind {
            b'"' | b'\\' | b'/' => *kind,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'b' => 8,
            b'f' => 12,
            b'u' => {
                let digits = std::str::from_utf8(after.get(..4)?).ok()?;
                rest = after.get(4..)?;
                u8::from_str_radix(digits, 16).ok().filter(u8::is_ascii)?
            }
            _ => return None,
        });
    }
    Some(value)
}

/// Reads a line that is a JSON object, without a duplicate member.
pub fn object(line: &[u8]) -> Result<Value, LineError> {
    let value: Value = serde_json::from_slice(line).map_err(|error| not_json(&error))?;
    Json::parse(line).map_err(|_| LineError::NotInFormat)?;
    value
        .is_object()
        .then_some(value)
        .ok_or(LineError::NotInFormat)
}

/// Whether the status of a gRPC call means that it was denied (`Some(true)`), or that it succeeded
/// (`Some(false)`).
pub fn grpc_denied(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().replace('_', "").as_str() {
        "0" | "ok" => Some(false),
        "7" | "permissiondenied" | "16" | "unauthenticated" => Some(true),
        _ => None,
    }
}

/// Reads a status.
pub fn status(text: &str) -> Option<u16> {
    let status = text.parse().ok()?;
    (100..600).contains(&status).then_some(status)
}

/// Method and target of a request line.
pub fn request_line(text: &str) -> Option<(&str, &str)> {
    let (rest, version) = text.rsplit_once(' ')?;
    let (method, target) = rest.split_once(' ')?;
    version.starts_with("HTTP/").then_some((method, target))
}

/// The target of a request line that isn't UTF-8; with the method it isn't known.
pub fn raw_target(line: &[u8]) -> Option<&[u8]> {
    let mut parts = line.split(|byte| *byte == b' ');
    parts.nth(1)
}

/// Whether a target in JSON could have had other bytes: Envoy escapes or replaces those that aren't
/// UTF-8.
pub fn may_be_replaced(target: &[u8]) -> bool {
    target
        .iter()
        .any(|byte| matches!(byte, b'!' | b'\\') || !byte.is_ascii())
}

/// Reads seconds.
pub fn seconds(text: &str) -> Option<f64> {
    let seconds: f64 = text.parse().ok()?;
    (seconds.is_finite() && seconds >= 0.0).then_some(seconds)
}

/// Reads a time. Also returns its precision.
pub fn time(clock: Clock, text: &str) -> Option<(f64, f64)> {
    let iso = |text: &str| Some(numeric_date(OffsetDateTime::parse(text, &Rfc3339).ok()?));
    let at = match clock {
        Clock::Common => iso(&from_common(text)?)?,
        Clock::Iso | Clock::IsoBegin => iso(text)?,
        Clock::Unix | Clock::UnixBegin => seconds(text)?,
    };
    let precision = if text.contains('.') { 0.001 } else { 1.0 };
    Some((at, precision))
}

/// The months in nginx's logs, in every language.
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Writes `02/Mar/2026:09:12:44 +0000` as RFC 3339 does.
fn from_common(text: &str) -> Option<String> {
    let (day, rest) = text.split_once('/')?;
    let (month, rest) = rest.split_once('/')?;
    let (year, rest) = rest.split_once(':')?;
    let (clock, offset) = rest.split_once(' ')?;
    let (hours, minutes) = offset.split_at_checked(3)?;
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    Some(format!("{year}-{month:02}-{day}T{clock}{hours}:{minutes}"))
}

/// Reads a claims set: a JSON object, or base64url of one.
pub fn claims(value: &[u8]) -> Option<(String, Map<String, Value>)> {
    let text = match value.first()? {
        b'{' => String::from_utf8(value.to_vec()).ok()?,
        _ => {
            let value = value
                .strip_suffix(b"==")
                .or(value.strip_suffix(b"="))
                .unwrap_or(value);
            String::from_utf8(URL_SAFE_NO_PAD.decode(value).ok()?).ok()?
        }
    };
    Json::parse(text.as_bytes()).ok()?;
    let claims = serde_json::from_str(&text).ok()?;
    Some((text, claims))
}
