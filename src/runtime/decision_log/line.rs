//! One line of the decision log.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::judge::Inputs;
pub use crate::replay::{MAX_HOST, MAX_METHOD, MAX_PATH};

/// One decision. It never contains the token, and of the claims only those that identify the caller
/// and those that the configuration names.
#[derive(Debug, Serialize)]
pub struct Line<'a> {
    /// When, RFC 3339.
    pub time: String,
    /// Its number, which the answer contains too.
    pub decision_id: &'a str,
    /// The revision of the policy.
    pub policy: &'a str,
    /// The adapter that was asked.
    pub adapter: &'static str,
    /// The method as sent, cut after [`MAX_METHOD`] bytes.
    pub method: Option<&'a str>,
    /// The host as sent, cut after [`MAX_HOST`] bytes.
    pub host: Option<&'a str>,
    /// The path as sent, without the query; invalid UTF-8 is replaced.
    pub path: Option<String>,
    /// The API.
    pub api: Option<&'a str>,
    /// The route; overlapping ones are joined by ` + `.
    pub route: Option<&'a str>,
    /// `allow` or `deny`.
    pub decision: &'static str,
    /// The reason's code.
    pub reason: Option<&'static str>,
    /// The denial that was only observed: `deny` and the reason's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would: Option<String>,
    /// The hint: what was wrong and how to fix it, even if `explain` keeps it from the client.
    pub hint: Option<&'a str>,
    /// The token's issuer, if the token was verified.
    pub issuer: Option<&'a str>,
    /// `sub`, if the token was verified.
    pub sub: Option<&'a str>,
    /// The OAuth client.
    pub client: Option<&'a str>,
    /// `jti`
    pub jti: Option<&'a str>,
    /// The claims listed in `log.claims`, if the token has them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<&'a str, Value>,
    /// What an unverified token claims.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unverified: Option<Unverified<'a>>,
    /// What the rules read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Box<RawValue>>,
    /// The time that the decision took.
    pub latency_us: u64,
}

/// The claims of an unverified token: anybody can have written them.
#[derive(Debug, Serialize)]
pub struct Unverified<'a> {
    /// `iss`
    pub issuer: Option<&'a str>,
    /// `sub`
    pub sub: Option<&'a str>,
}

/// The largest inputs in a line, in bytes. A token of 16 KB has as much, and a policy that reads
/// more of a request would fill the buffer with a few lines.
pub const MAX_INPUTS: usize = 32 * 1024;

/// What stands in place of larger inputs.
#[derive(Serialize)]
struct Truncated {
    truncated: bool,
}

/// The inputs as JSON.
pub fn written(inputs: &Inputs) -> Option<Box<RawValue>> {
    let whole = to_raw_value(inputs).ok();
    whole
        .filter(|whole| whole.get().len() <= MAX_INPUTS)
        .or_else(|| to_raw_value(&Truncated { truncated: true }).ok())
}

/// The beginning of a text, cut after this many bytes.
pub fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at));
    text.get(..end.unwrap_or(0)).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("short", 512), "short");
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
    }
}
