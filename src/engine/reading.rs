//! Reads the headers and the query of a request once, for all conditions.
//!
//! A policy may test a header or a query parameter in thousands of places, and the search for a
//! denial's reason evaluates conditions more than once. Without an index each of those tests would
//! scan everything that the client sent, and the client chooses how much that is. So the query and
//! the headers are each scanned at most once per request, and only if a condition or a token place
//! reads them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::OnceLock;

use super::path::decode;
use super::request::Request;
use crate::model::{Atom, Condition, Model};
use crate::settings::TokenPlace;

/// The maximum number of query parameters that a condition or a token place reads. PHP
/// (`max_input_vars`) and Node (`querystring`, `qs`) drop parameters after the first 1,000, so a
/// longer query can be read in two ways. The limit also bounds the cost of reading one.
pub const MAX_QUERY_PARAMETERS: usize = 1000;

/// The names of headers and query parameters that a policy reads, each with its number.
#[derive(Debug, Default)]
pub(super) struct Names {
    headers: HashMap<String, usize>,
    parameters: HashMap<String, usize>,
    /// The lengths of the parameters' names: [`length_bit`].
    lengths: u64,
}

fn add(numbers: &mut HashMap<String, usize>, name: &str) {
    let next = numbers.len();
    numbers.entry(name.to_owned()).or_insert(next);
}

/// The bit of a name's length in a set of lengths. The last bit is for all longer ones.
pub(super) fn length_bit(name: &str) -> u64 {
    1 << name.len().min(63)
}

impl Names {
    pub fn of(model: &Model) -> Names {
        let mut names = Names::default();
        let atoms = model.conditions().flat_map(Condition::atoms);
        for (_, atom) in atoms {
            match atom {
                Atom::Header(name, _) => add(&mut names.headers, name),
                Atom::Query(name, _) => names.add_parameter(name),
                Atom::ScopeAny(_)
                | Atom::ScopeAll(_)
                | Atom::Claim(..)
                | Atom::TokenFrom(_)
                | Atom::Client { .. }
                | Atom::Path(..)
                | Atom::Host(_)
                | Atom::Method(_)
                | Atom::Address { .. } => {}
            }
        }
        for place in model.apis.iter().flat_map(|api| &api.token_places) {
            if let TokenPlace::Query(name) = place {
                names.add_parameter(name);
            }
        }
        names
    }

    /// The headers that conditions read.
    pub fn headers(&self) -> impl Iterator<Item = &str> {
        self.headers.keys().map(String::as_str)
    }

    /// The query parameters that conditions and token places read.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.parameters.keys().map(String::as_str)
    }

    fn add_parameter(&mut self, name: &str) {
        add(&mut self.parameters, name);
        self.lengths |= length_bit(name);
    }

    /// Whether a parameter of this name may be read. The length rules out most of what a client
    /// sends, without a hash.
    fn may_be(&self, name: &str) -> bool {
        self.lengths & length_bit(name) != 0
    }
}

/// The headers and the query of one request. Each is read when it is first needed.
#[derive(Debug)]
pub(super) struct Reading<'p, 'r> {
    names: &'p Names,
    request: &'r Request<'r>,
    query: Option<&'r [u8]>,
    // By number. They own their texts: borrowing cells would make the lifetimes of every type
    // around them invariant.
    headers: OnceLock<Vec<Value>>,
    parameters: OnceLock<Vec<Value>>,
}

/// The value of a name in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Absent,
    One(String),
    /// Programs could read different values; says why.
    Unclear(Why),
}

/// Why a value is unclear. Never repeats what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    Repeated,
    Comma,
    NotText,
    Masked,
    Escape,
    Semicolon,
    TooMany,
    /// A parameter has an unreadable name.
    Name,
}

impl Why {
    /// A sentence about a header.
    pub fn of_header(self, name: &str) -> String {
        match self {
            Why::Repeated => format!("the header `{name}` is repeated"),
            Why::Comma => {
                format!("the header `{name}` has a comma, as if it had been joined from several")
            }
            Why::Masked => format!(
                "the header `{name}` has a `!`, which the proxy writes in place of a byte that is \
                not ASCII"
            ),
            Why::NotText | Why::Escape | Why::Semicolon | Why::TooMany | Why::Name => {
                format!("the header `{name}` is not UTF-8")
            }
        }
    }

    /// A sentence about a query parameter.
    pub fn of_parameter(self, name: &str) -> String {
        match self {
            Why::Repeated => format!("the query parameter `{name}` is repeated"),
            Why::Masked => format!(
                "the query parameter `{name}` has a `!`, which the proxy writes in place of a \
                byte that is not ASCII"
            ),
            Why::NotText | Why::Escape | Why::Comma => {
                format!("the query parameter `{name}` has an invalid escape, or is not UTF-8")
            }
            Why::Semicolon => {
                format!("the query has a `;`, after which some servers read another `{name}`")
            }
            Why::TooMany => format!(
                "the query has more than {MAX_QUERY_PARAMETERS} parameters, and some servers drop the last ones"
            ),
            Why::Name => {
                format!("the name of a query parameter is ambiguous, and could be read as `{name}`")
            }
        }
    }
}

impl Value {
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::One(text) => Some(text),
            Value::Absent | Value::Unclear(_) => None,
        }
    }

    /// Adds a value. A second one makes the result unclear.
    fn add(&mut self, found: Result<String, Why>) {
        *self = match (&self, found) {
            (Value::Absent, Ok(text)) => Value::One(text),
            (Value::Absent, Err(why)) => Value::Unclear(why),
            (Value::One(_) | Value::Unclear(_), _) => Value::Unclear(Why::Repeated),
        };
    }
}

impl<'p, 'r> Reading<'p, 'r> {
    pub fn new(names: &'p Names, request: &'r Request<'r>, query: Option<&'r [u8]>) -> Self {
        Reading {
            names,
            request,
            query,
            headers: OnceLock::new(),
            parameters: OnceLock::new(),
        }
    }

    /// A header that the policy reads. It is unclear if it is repeated, isn't UTF-8, or contains a
    /// comma, which a proxy may have put between two values.
    pub fn header(&self, name: &str) -> &Value {
        let headers = self.headers.get_or_init(|| self.read_headers());
        value(headers, &self.names.headers, name)
    }

    /// A query parameter that the policy reads. Names and values are percent-decoded once, and `+`
    /// is a space.
    pub fn parameter(&self, name: &str) -> &Value {
        let parameters = self.parameters.get_or_init(|| {
            self.read_query()
                .unwrap_or_else(|why| vec![Value::Unclear(why); self.names.parameters.len()])
        });
        value(parameters, &self.names.parameters, name)
    }

    /// The first parameter whose decoded name satisfies this. An unreadable query makes every
    /// parameter unclear, so it has no result here.
    pub fn other_parameter(&self, is: impl Fn(&str) -> bool) -> Option<String> {
        let pairs = self.query?.split(|byte| *byte == b'&');
        pairs
            .take(MAX_QUERY_PARAMETERS)
            .filter_map(|pair| {
                self.query_text(pair.split(|byte| *byte == b'=').next()?)
                    .ok()
            })
            .find(|name| is(name))
            .map(Cow::into_owned)
    }

    fn read_headers(&self) -> Vec<Value> {
        let mut headers = vec![Value::Absent; self.names.headers.len()];
        for (name, value) in self.request.headers {
            // A header that no rule reads costs one look-up and no copy, however many a client
            // sends.
            let number = self.names.headers.get(*name);
            let Some(slot) = number.and_then(|number| headers.get_mut(*number)) else {
                continue;
            };
            let masked = |text: &str| self.request.masked && text.contains('!');
            slot.add(match std::str::from_utf8(value) {
                Err(_) => Err(Why::NotText),
                // A proxy may join repeated fields with a comma (RFC 9110, section 5.3), so one
                // value with a comma may have been two.
                Ok(text) if text.contains(',') => Err(Why::Comma),
                Ok(text) if masked(text) => Err(Why::Masked),
                Ok(text) => Ok(text.to_owned()),
            });
        }
        headers
    }

    /// The parameters; an error if any of them might have any value.
    fn read_query(&self) -> Result<Vec<Value>, Why> {
        let mut values = vec![Value::Absent; self.names.parameters.len()];
        let Some(query) = self.query else {
            return Ok(values);
        };
        // Some applications treat `;` like `&`, so any parameter could follow it.
        if query.contains(&b';') {
            return Err(Why::Semicolon);
        }
        // To ignore the rest would be to choose one of the two readings.
        let separators = query.iter().filter(|byte| **byte == b'&').count();
        if separators >= MAX_QUERY_PARAMETERS {
            return Err(Why::TooMany);
        }
        for pair in query.split(|byte| *byte == b'&') {
            let mut parts = pair.splitn(2, |byte| *byte == b'=');
            let (key, value) = (
                parts.next().unwrap_or_default(),
                parts.next().unwrap_or_default(),
            );
            // An unreadable name might be any.
            let key = self.query_text(key).map_err(|_| Why::Name)?;
            if !self.names.may_be(&key) {
                continue;
            }
            let number = self.names.parameters.get(key.as_ref());
            if let Some(slot) = number.and_then(|number| values.get_mut(*number)) {
                slot.add(self.query_text(value).map(Cow::into_owned));
            }
        }
        Ok(values)
    }

    fn query_text(&self, raw: &'r [u8]) -> Result<Cow<'r, str>, Why> {
        if self.request.masked && raw.contains(&b'!') {
            return Err(Why::Masked);
        }
        if !raw.iter().any(|byte| matches!(byte, b'%' | b'+')) {
            return match std::str::from_utf8(raw) {
                Ok(text) => Ok(Cow::Borrowed(text)),
                Err(_) => Err(Why::NotText),
            };
        }
        // Before the escapes are decoded, so that `%2B` stays a plus (the URL standard, section
        // 5.1).
        let spaced: Vec<u8> = raw
            .iter()
            .map(|byte| if *byte == b'+' { b' ' } else { *byte })
            .collect();
        let decoded = decode(&spaced).map_err(|_| Why::Escape)?;
        String::from_utf8(decoded)
            .map(Cow::Owned)
            .map_err(|_| Why::NotText)
    }
}

fn value<'v>(values: &'v [Value], numbers: &HashMap<String, usize>, name: &str) -> &'v Value {
    let number = numbers.get(name);
    number
        .and_then(|number| values.get(*number))
        .unwrap_or(&Value::Absent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_once() {
        let mut names = Names::default();
        add(&mut names.headers, "x-plan");
        names.add_parameter("kind");
        let request = Request {
            method: "GET",
            target: b"/",
            scheme: None,
            host: None,
            headers: &[("x-plan", b"pro")],
            address: None,
            now: 0.0,
            masked: false,
        };
        let reading = Reading::new(&names, &request, Some(b"a&kind=b%20c"));
        let texts = || {
            (
                reading.header("x-plan").text(),
                reading.parameter("kind").text(),
            )
        };
        assert_eq!(texts(), (Some("pro"), Some("b c")));
        // The same memory: nothing is read or decoded again.
        assert!(std::ptr::eq(
            reading.parameter("kind"),
            reading.parameter("kind")
        ));
        assert_eq!(texts().0.map(str::as_ptr), texts().0.map(str::as_ptr),);
    }
}
