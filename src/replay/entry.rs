//! A request in a log, whatever the log's format.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;

use serde_json::Value;

use crate::engine::{Input, Text};
use crate::judge::{Remembered, TokenInputs};
use crate::reason::Reason;

/// A request in a log, and what became of it.
#[derive(Debug)]
pub struct Entry<'a> {
    /// The method.
    pub method: Cow<'a, str>,
    /// The scheme, if it is known.
    pub scheme: Option<String>,
    /// The host, if the request had one.
    pub host: Option<Cow<'a, str>>,
    /// Path and query.
    pub target: Vec<u8>,
    /// The time, as a NumericDate.
    pub now: f64,
    /// The peer's address.
    pub address: Option<IpAddr>,
    /// Whether a `!` may stand for another byte.
    pub masked: bool,
    /// The headers that the log has, with names in lower case.
    pub(super) headers: Vec<(String, Text)>,
    /// The query parameters that are known.
    pub(super) query: BTreeSet<String>,
    /// Whether the address is known, even if there is none.
    pub(super) has_address: bool,
    /// The token.
    pub(super) token: Token,
    /// What became of it.
    pub was: Was,
    /// The OAuth client.
    pub client: Option<Cow<'a, str>>,
    /// The token's subject.
    pub sub: Option<Cow<'a, str>>,
    /// The revision of the policy that decided it.
    pub revision: Option<Cow<'a, str>>,
    /// A part of the request that isn't known, without which no rule can be found.
    pub unknown: Option<&'static str>,
}

/// What is known about the token.
#[derive(Debug)]
pub(super) enum Token {
    Unknown,
    Inputs(TokenInputs),
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Was {
    /// It was allowed.
    Allowed,
    /// It was allowed, though the policy denied it for this reason: the denial was only observed.
    Observed(Reason),
    /// It was denied, for this reason if it is known.
    Denied(Option<Reason>),
}

impl Was {
    /// The reason for which the policy in force denied it, whether or not it was enforced.
    pub fn reason(self) -> Option<Reason> {
        match self {
            Was::Allowed => None,
            Was::Observed(reason) => Some(reason),
            Was::Denied(reason) => reason,
        }
    }
}

impl Entry<'_> {
    /// The headers, in the form that the engine reads.
    pub(super) fn headers(&self) -> Vec<(&str, &[u8])> {
        let values = self.headers.iter().filter_map(|(name, text)| {
            let value = match text {
                Text::Is(value) => value.as_bytes(),
                Text::Unclear(_) => UNCLEAR,
                Text::Absent => return None,
            };
            Some((name.as_str(), value))
        });
        values.collect()
    }

    pub(super) fn remembered(&self) -> Remembered<'_> {
        match &self.token {
            Token::Unknown | Token::Inputs(TokenInputs::Unread) => Remembered::Unknown,
            Token::Inputs(TokenInputs::Absent(places)) => Remembered::AbsentFrom(places),
            Token::Inputs(TokenInputs::Refused(code)) => {
                Reason::from_code(code).map_or(Remembered::Unknown, Remembered::Refused)
            }
            Token::Inputs(TokenInputs::Accepted(recorded)) => Remembered::Recorded(recorded),
        }
    }

    /// The scopes of the token, if it was accepted and the log has them.
    pub(super) fn scopes(&self) -> Option<&[String]> {
        match &self.token {
            Token::Inputs(TokenInputs::Accepted(recorded)) => recorded.scopes(),
            Token::Unknown
            | Token::Inputs(
                TokenInputs::Unread | TokenInputs::Absent(_) | TokenInputs::Refused(_),
            ) => None,
        }
    }

    /// Whether an input of the request is known.
    pub(super) fn knows(&self, input: Input<'_>) -> bool {
        match input {
            Input::Header(name) => self.headers.iter().any(|(known, _)| known == name),
            Input::Query(name) => self.query.contains(name),
            Input::Address => self.has_address,
            Input::Scopes
            | Input::Claim(_)
            | Input::Issuer
            | Input::Client
            | Input::Leeway
            | Input::Path(_)
            | Input::Host
            | Input::Method => true,
        }
    }

    /// The arguments with which `portcullis why` decides the same, without the policy: words for a
    /// shell, unquoted. `None` if the token isn't known.
    pub fn why(&self) -> Option<Vec<String>> {
        let mut words = vec![format!(
            "{} {}://{}{}",
            self.method,
            self.scheme.as_deref().unwrap_or("https"),
            self.host.as_deref().unwrap_or_default(),
            String::from_utf8_lossy(&self.target)
        )];
        let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
        for (name, value) in self.headers() {
            option(
                "--header",
                format!("{name}: {}", String::from_utf8_lossy(value)),
            );
        }
        match &self.token {
            Token::Unknown | Token::Inputs(TokenInputs::Refused(_)) => return None,
            Token::Inputs(TokenInputs::Unread | TokenInputs::Absent(_)) => {}
            Token::Inputs(TokenInputs::Accepted(recorded)) => {
                option("--claims", Value::Object(recorded.claims()).to_string());
            }
        }
        if let Some(address) = self.address {
            option("--address", address.to_string());
        }
        option("--at", self.now.to_string());
        Some(words)
    }
}

/// A header's value that counts as missing: a comma, as if it had been joined from several.
const UNCLEAR: &[u8] = b",";

/// Appends query parameters to a path. One that is unclear is there twice.
pub(super) fn add_query<'q>(
    target: &mut String,
    parameters: impl Iterator<Item = (&'q String, &'q Text)>,
) {
    let mut sign = '?';
    let mut add = |name: &str, value: &str| {
        target.push(sign);
        sign = '&';
        encode(target, name);
        target.push('=');
        encode(target, value);
    };
    for (name, text) in parameters {
        match text {
            Text::Absent => {}
            Text::Is(value) => add(name, value),
            Text::Unclear(_) => {
                add(name, "");
                add(name, "");
            }
        }
    }
}

fn encode(target: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            target.push(char::from(byte));
        } else {
            // Writing to a string can't fail.
            let _ = write!(target, "%{byte:02X}");
        }
    }
}
