//! Reads lines of portcullis' own decision log.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::entry::{Entry, Known, Times, Token, Was, add_query};
use crate::engine::{MAX_TARGET_BYTES, RequestInputs, Text};
use crate::judge::TokenInputs;
use crate::reason::Reason;

/// The longest path in a line, in bytes; longer ones are cut.
pub const MAX_PATH: usize = 2048;

/// The longest host in a line, in bytes: longer than any name (RFC 1035, section 2.3.4) with a port.
pub const MAX_HOST: usize = 512;

/// The longest method in a line, in bytes: longer than any that is registered.
pub const MAX_METHOD: usize = 64;

/// Why a line of a log can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LineError {
    /// It ends within a JSON object.
    Torn,
    /// It isn't JSON.
    NotJson,
    /// It is JSON, but not a decision.
    NotADecision,
    /// It doesn't have the access log's format.
    NotInFormat,
    /// It has the access log's format in more than one way.
    Ambiguous,
    /// It is longer than a line may be.
    TooLong,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LineError::Torn => "the line is cut off",
            LineError::NotJson => "the line is not JSON",
            LineError::NotADecision => "the line is not a decision of portcullis",
            LineError::NotInFormat => "the line does not have the log's format",
            LineError::Ambiguous => "the fields of the line can't be told apart",
            LineError::TooLong => "the line is too long",
        })
    }
}

impl std::error::Error for LineError {}

/// The fields of a line that matter here.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    time: Cow<'a, str>,
    #[serde(borrow)]
    policy: Cow<'a, str>,
    #[serde(borrow)]
    adapter: Cow<'a, str>,
    #[serde(borrow)]
    decision: Cow<'a, str>,
    reason: Option<Cow<'a, str>>,
    would: Option<Cow<'a, str>>,
    method: Option<Cow<'a, str>>,
    host: Option<Cow<'a, str>>,
    path: Option<Cow<'a, str>>,
    client: Option<Cow<'a, str>>,
    sub: Option<Cow<'a, str>>,
    inputs: Option<Recorded>,
}

/// What `log.record: inputs` adds.
#[derive(Deserialize)]
struct Recorded {
    request: Option<RequestInputs>,
    token: Option<TokenInputs>,
}

/// Reads a line of the decision log.
pub fn own(line: &[u8]) -> Result<Entry<'_>, LineError> {
    let is_object = line.starts_with(b"{");
    let mut line: Line<'_> = serde_json::from_slice(line).map_err(|error| {
        if error.is_data() && is_object {
            LineError::NotADecision
        } else {
            not_json(&error)
        }
    })?;
    let code = |code: &str| Reason::from_code(code).ok_or(LineError::NotADecision);
    let reason = line.reason.as_deref().map(code).transpose()?;
    let was = match (line.decision.as_ref(), reason, line.would.as_deref()) {
        ("allow", None, None) => Was::Allowed,
        ("allow", None, Some(would)) => {
            let denied = would.strip_prefix("deny ").ok_or(LineError::NotADecision)?;
            Was::Observed(code(denied)?)
        }
        ("deny", reason, None) => Was::Denied(reason),
        _ => return Err(LineError::NotADecision),
    };
    // If they were too large, both are missing.
    let inputs = match line.inputs.take() {
        Some(Recorded {
            request: Some(request),
            token: Some(token),
        }) => Some((request, token)),
        Some(_) | None => None,
    };
    let at = OffsetDateTime::parse(&line.time, &Rfc3339).map_err(|_| LineError::NotADecision)?;
    let unknown = unknown(&line, inputs.is_some());
    let path = line.path.unwrap_or_default();
    let method = line.method.unwrap_or_default();
    let mut target = path.into_owned();
    let entry = match inputs {
        Some((request, token)) => {
            add_query(&mut target, request.query.iter());
            Entry {
                times: Times::at(request.at),
                scheme: request.scheme,
                address: request.address,
                masked: request.masked,
                has_address: true,
                has_host: true,
                headers: request.headers.into_iter().collect(),
                query: Known::These(request.query.into_keys().collect()),
                token: Token::Inputs(token),
                method,
                host: line.host,
                target: Vec::new(),
                was,
                client: line.client,
                sub: line.sub,
                revision: Some(line.policy),
                unknown,
            }
        }
        None => Entry {
            times: Times::at(numeric_date(at)),
            scheme: None,
            address: None,
            masked: false,
            has_address: false,
            has_host: true,
            headers: Vec::<(String, Text)>::new(),
            query: Known::These(BTreeSet::new()),
            token: match was.reason() {
                // It still needs the same policy to say the same.
                Some(reason) if reason.code().starts_with("token.") => {
                    Token::Inputs(TokenInputs::Refused(reason.code().to_owned()))
                }
                Some(_) | None => Token::Unknown("token"),
            },
            method,
            host: line.host,
            target: Vec::new(),
            was,
            client: line.client,
            sub: line.sub,
            revision: Some(line.policy),
            unknown,
        },
    };
    let too_long = target.len() > MAX_TARGET_BYTES;
    Ok(Entry {
        target: target.into_bytes(),
        unknown: entry.unknown.or(too_long.then_some("query")),
        ..entry
    })
}

/// What is missing of the request itself.
fn unknown(line: &Line<'_>, has_inputs: bool) -> Option<&'static str> {
    let (Some(_), Some(path)) = (&line.method, &line.path) else {
        return Some("request");
    };
    let is_cut = |text: &str, most: usize| text.len() >= most;
    if is_cut(path, MAX_PATH) || path.contains(char::REPLACEMENT_CHARACTER) {
        return Some("path");
    }
    if line
        .host
        .as_ref()
        .is_some_and(|host| is_cut(host, MAX_HOST))
    {
        return Some("host");
    }
    // Envoy may have written it for another byte.
    let may_mask = matches!(line.adapter.as_ref(), "grpc" | "envoy");
    (may_mask && !has_inputs && path.contains('!')).then_some("path")
}

/// Why a line isn't JSON.
pub(super) fn not_json(error: &serde_json::Error) -> LineError {
    if error.is_eof() {
        LineError::Torn
    } else {
        LineError::NotJson
    }
}

/// A time as a NumericDate.
#[expect(
    clippy::cast_precision_loss,
    reason = "a time in a log is far below 2^53 microseconds"
)]
pub(super) fn numeric_date(at: OffsetDateTime) -> f64 {
    at.unix_timestamp_nanos() as f64 / 1e9
}
