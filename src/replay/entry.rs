//! A request in a log, whatever the log's format.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;

use serde_json::{Map, Value};

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
    /// When it was decided.
    pub times: Times,
    /// The peer's address.
    pub address: Option<IpAddr>,
    /// Whether a `!` may stand for another byte.
    pub masked: bool,
    /// The headers that the log has, with names in lower case.
    pub(super) headers: Vec<(String, Text)>,
    /// The query parameters that are known.
    pub(super) query: Known,
    /// Whether the address is known, even if there is none.
    pub(super) has_address: bool,
    /// Whether the host is known, even if there is none.
    pub(super) has_host: bool,
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
    /// Nothing, or something that matters is missing, in words.
    Unknown(&'static str),
    /// What a policy read of it.
    Inputs(TokenInputs),
    /// Its claims set, as JSON.
    Claims(String),
}

/// Query parameters of which something is known.
#[derive(Debug)]
pub(super) enum Known {
    /// All that there are.
    All,
    /// These, and nothing about others.
    These(BTreeSet<String>),
}

/// When a request was decided, as NumericDates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Times {
    /// About then.
    pub now: f64,
    /// Not earlier.
    pub earliest: f64,
    /// Not later.
    pub latest: f64,
}

impl Times {
    /// Exactly then.
    pub(super) fn at(now: f64) -> Times {
        Times {
            now,
            earliest: now,
            latest: now,
        }
    }
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
    /// It had an answer that says nothing about authorization, such as 404.
    Unrelated,
}

impl Was {
    /// The reason for which the policy in force denied it, whether or not it was enforced.
    pub fn reason(self) -> Option<Reason> {
        match self {
            Was::Allowed | Was::Unrelated => None,
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
            Token::Unknown(what) => Remembered::Unknown(what),
            Token::Inputs(TokenInputs::Unread) => Remembered::Unknown(TOKEN),
            Token::Claims(claims) => Remembered::Claims(claims),
            Token::Inputs(TokenInputs::Absent(places)) => Remembered::AbsentFrom(places),
            Token::Inputs(TokenInputs::Refused(code)) => {
                Reason::from_code(code).map_or(Remembered::Unknown(TOKEN), Remembered::Refused)
            }
            Token::Inputs(TokenInputs::Accepted(recorded)) => Remembered::Recorded(recorded),
        }
    }

    /// The scopes of the token, if it was accepted and the log has them.
    pub(super) fn scopes(&self) -> Option<&[String]> {
        match &self.token {
            Token::Inputs(TokenInputs::Accepted(recorded)) => recorded.scopes(),
            Token::Unknown(_)
            | Token::Claims(_)
            | Token::Inputs(
                TokenInputs::Unread | TokenInputs::Absent(_) | TokenInputs::Refused(_),
            ) => None,
        }
    }

    /// The numbers in the claims, which may be times.
    pub(super) fn claimed_times(&self) -> Vec<f64> {
        let Token::Claims(claims) = &self.token else {
            return Vec::new();
        };
        let claims: Map<String, Value> = serde_json::from_str(claims).unwrap_or_default();
        claims.values().filter_map(Value::as_f64).collect()
    }

    /// Whether an input of the request is known.
    pub(super) fn knows(&self, input: Input<'_>) -> bool {
        match input {
            Input::Header(name) => self.headers.iter().any(|(known, _)| known == name),
            Input::Query(name) => match &self.query {
                Known::All => true,
                Known::These(names) => names.contains(name),
            },
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
    /// shell, unquoted. `None` if the token isn't known. `decided` says whether the decision doesn't
    /// depend on an unknown token. Claims and the address are left out unless `shown` has them, and so
    /// are values of the query that may be secret.
    pub fn why(&self, decided: bool, shown: &Shown<'_>) -> Option<Vec<String>> {
        let target = without_secrets(&String::from_utf8_lossy(&self.target), shown.is_secret);
        let url = match &self.host {
            // Any host will do.
            None if !self.has_host => target,
            host => format!(
                "{}://{}{target}",
                self.scheme.as_deref().unwrap_or("https"),
                host.as_deref().unwrap_or_default()
            ),
        };
        let mut words = vec![format!("{} {url}", self.method)];
        let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
        for (name, value) in self.headers() {
            option(
                "--header",
                format!("{name}: {}", String::from_utf8_lossy(value)),
            );
        }
        match &self.token {
            Token::Unknown(_) if decided => {}
            Token::Unknown(_) | Token::Inputs(TokenInputs::Refused(_)) => return None,
            Token::Inputs(TokenInputs::Unread | TokenInputs::Absent(_)) => {}
            Token::Claims(_) | Token::Inputs(TokenInputs::Accepted(_)) if !shown.subjects => {}
            Token::Claims(claims) => option("--claims", claims.clone()),
            Token::Inputs(TokenInputs::Accepted(recorded)) => {
                option("--claims", Value::Object(recorded.claims()).to_string());
            }
        }
        if let Some(address) = self.address.filter(|_| shown.subjects) {
            option("--address", address.to_string());
        }
        option("--at", self.times.now.to_string());
        Some(words)
    }
}

/// What a report may show of requests.
pub struct Shown<'a> {
    /// Whether it shows subjects as they are, rather than as hashes, and claims and addresses.
    pub subjects: bool,
    /// Whether a query parameter of this name may hold a secret, which is never shown.
    pub is_secret: &'a dyn Fn(&str) -> bool,
}

/// A target without values in its query that may be secret.
fn without_secrets(target: &str, is_secret: &dyn Fn(&str) -> bool) -> String {
    let Some((path, query)) = target.split_once('?') else {
        return target.to_owned();
    };
    let parameters = query.split('&').map(|parameter| {
        let (name, _) = parameter.split_once('=')?;
        // An encoded name is one that few clients send, so its value isn't worth a risk.
        let is_hidden = name.contains('%') || is_secret(name);
        is_hidden.then(|| format!("{name}={WITHHELD}"))
    });
    let parameters: Vec<String> = query
        .split('&')
        .zip(parameters)
        .map(|(parameter, hidden)| hidden.unwrap_or_else(|| parameter.to_owned()))
        .collect();
    format!("{path}?{}", parameters.join("&"))
}

/// What stands for a secret value.
const WITHHELD: &str = "withheld";

/// What is missing if nothing is known about the token.
const TOKEN: &str = "token";

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
