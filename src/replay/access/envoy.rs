//! Envoy's format strings and format dictionaries.

use serde_json::Value;

use super::error::FormatError;
use super::field::{Clock, Field, Role};
use super::pattern::Part;

/// Envoy's default format.
pub const TEXT: &str = r#"[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%""#;

/// The members that JSON logs usually have; those of Istio's default.
pub const JSON: &str = r#"{
    "start_time": "%START_TIME%",
    "method": "%REQ(:METHOD)%",
    "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "authority": "%REQ(:AUTHORITY)%",
    "response_code": "%RESPONSE_CODE%",
    "duration": "%DURATION%",
    "downstream_remote_address": "%DOWNSTREAM_REMOTE_ADDRESS%"
}"#;

/// A member of a format dictionary: the path to it, and the parts of its value.
pub type Member = (Vec<String>, Vec<Part<Field>>);

/// Reads a format dictionary.
pub fn members(text: &str) -> Result<Vec<Member>, FormatError> {
    let value: Value = serde_json::from_str(text).map_err(|_| FormatError::Json)?;
    let mut members = Vec::new();
    collect(&value, &mut Vec::new(), &mut members)?;
    Ok(members)
}

fn collect(
    value: &Value,
    path: &mut Vec<String>,
    members: &mut Vec<Member>,
) -> Result<(), FormatError> {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                path.push(name.clone());
                collect(value, path, members)?;
                path.pop();
            }
        }
        Value::String(format) => members.push((path.clone(), parts(format)?)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {}
    }
    Ok(())
}

/// Reads a format string.
pub fn parts(text: &str) -> Result<Vec<Part<Field>>, FormatError> {
    let mut parts = Vec::new();
    let mut rest = text.trim_end_matches('\n');
    while let Some((before, after)) = rest.split_once('%') {
        parts.push(Part::Text(before.to_owned()));
        if let Some(after) = after.strip_prefix('%') {
            parts.push(Part::Text("%".to_owned()));
            rest = after;
            continue;
        }
        let (field, after) = operator(after).ok_or_else(|| {
            let shown = after.chars().take(SHOWN);
            FormatError::Operator(shown.collect())
        })?;
        parts.push(Part::Field(field));
        rest = after;
    }
    parts.push(Part::Text(rest.to_owned()));
    Ok(parts)
}

/// How many characters of an operator that can't be read are shown.
const SHOWN: usize = 40;

/// Reads `NAME(ARGUMENT):LENGTH%`.
fn operator(text: &str) -> Option<(Field, &str)> {
    let is_name =
        |found: char| found.is_ascii_uppercase() || found.is_ascii_digit() || found == '_';
    let (name, rest) = text.split_at(text.find(|found| !is_name(found))?);
    let (argument, rest) = match rest.strip_prefix('(') {
        Some(inner) => inner.split_once(')')?,
        None => ("", rest),
    };
    let (most, rest) = match rest.strip_prefix(':') {
        Some(inner) => {
            let (digits, rest) = inner.split_once('%')?;
            (Some(digits.parse().ok()?), rest)
        }
        None => (None, rest.strip_prefix('%')?),
    };
    let whole = text.get(..text.len() - rest.len())?;
    let field = Field {
        name: whole.trim_end_matches('%').to_owned(),
        role: role(name, argument),
        most,
    };
    Some((field, rest))
}

fn role(name: &str, argument: &str) -> Role {
    match (name, argument.to_ascii_uppercase().as_str()) {
        ("REQ" | "REQUEST_HEADER", ":METHOD") => Role::Method,
        ("REQ" | "REQUEST_HEADER", "X-ENVOY-ORIGINAL-PATH?:PATH") => Role::Target,
        // A route may have rewritten it.
        ("REQ" | "REQUEST_HEADER", ":PATH") => Role::Rewritten,
        ("REQ" | "REQUEST_HEADER", ":AUTHORITY" | "HOST" | ":AUTHORITY?HOST") => Role::Host,
        ("REQ" | "REQUEST_HEADER", ":SCHEME") => Role::Scheme,
        ("RESPONSE_CODE", _) => Role::Status,
        ("DOWNSTREAM_REMOTE_ADDRESS" | "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", "") => {
            Role::Address
        }
        ("DURATION", "") => Role::Milliseconds,
        ("GRPC_STATUS" | "GRPC_STATUS_NUMBER", _) => Role::GrpcStatus,
        // In another case, the letters of a time mean something else: `%S` is seconds of a minute.
        ("START_TIME", _) => match argument {
            "" => Role::Time(Clock::IsoBegin),
            "%s" | "%s.%3f" | "%s.%6f" | "%s.%9f" => Role::Time(Clock::UnixBegin),
            _ => Role::Other,
        },
        _ => Role::Other,
    }
}
