//! Builds a request from a solution.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::json::{number, value_at};
use crate::pattern::{Method, PathPattern};

use super::change::Witness;
use super::hosts::HostClass;
use super::solve::{Solution, Solved};
use super::tokens::{Bearer, Case, Iss};
use super::vocabulary::{Place, View, Vocabulary};

/// The parts of a request that a solution doesn't contain.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'f> {
    /// The hosts.
    pub host: &'f HostClass,
    /// The paths.
    pub region: &'f PathPattern,
    /// The method.
    pub method: Method,
    /// The issuer of its token, if it has one.
    pub bearer: Bearer<'f, 'f>,
    /// The base claims.
    pub base: &'f Map<String, Value>,
    /// A claim that tells the kind of the token, unless the rules require another.
    pub sign: Option<(&'static str, &'static str)>,
}

/// The request, and the decoded segments of its path.
pub fn request(
    frame: Frame<'_>,
    vocabulary: &Vocabulary,
    solution: &Solution,
) -> (Witness, Vec<String>) {
    let values = || vocabulary.values().iter().zip(&solution.values);
    let segments = segments(frame.region, vocabulary, solution);
    let mut witness = Witness {
        method: frame.method.as_str().to_owned(),
        scheme: "https".to_owned(),
        host: frame.host.host.clone(),
        target: target(&segments),
        at: solution.now,
        ..Witness::default()
    };
    if frame.host.labelled {
        let label = values().find_map(|(value, solved)| match (&value.place, solved) {
            (Place::Label, Solved::Text(label)) => Some(label.clone()),
            _ => None,
        });
        witness.host = format!(
            "{}.{}",
            label.unwrap_or_else(|| free_label(frame.host)),
            frame.host.host
        );
    }
    let mut query = String::new();
    for (value, solved) in values() {
        match (&value.place, solved) {
            (Place::Header(name), Solved::Text(text)) => {
                witness.headers.push((name.clone(), text.clone()));
            }
            (Place::Query(name), Solved::Text(text)) => {
                query.push(if query.is_empty() { '?' } else { '&' });
                let _ = write!(query, "{}={}", encoded(name), encoded(text));
            }
            (Place::Address, Solved::Address(address)) => witness.address = Some(*address),
            _ => {}
        }
    }
    witness.headers.sort();
    witness.target.push_str(&query);
    witness.claims = match frame.bearer {
        Bearer::Nobody => None,
        Bearer::Valid(case, _) => Some(claims(frame, case, vocabulary, solution)),
        Bearer::Invalid => Some(frame.base.clone()),
    }
    .map(|claims| Value::Object(claims).to_string());
    (witness, segments)
}

/// A label that no more specific host pattern has.
fn free_label(host: &HostClass) -> String {
    use super::atoms::Label;
    let taken = |label: &str| {
        [&host.old.label, &host.new.label]
            .iter()
            .any(|known| match known {
                Label::Any { but } => but.iter().any(|other| other == label),
                _ => false,
            })
    };
    (0..)
        .map(|number| format!("any{number}"))
        .find(|label| !taken(label))
        .unwrap_or_default()
}

fn segments(region: &PathPattern, vocabulary: &Vocabulary, solution: &Solution) -> Vec<String> {
    let found = |at: usize| {
        let id = vocabulary.find(&Place::Segment(at))?;
        match solution.values.get(id)? {
            Solved::Text(text) => Some(text.clone()),
            _ => None,
        }
    };
    let mut segments: Vec<String> = region
        .segments
        .iter()
        .enumerate()
        .map(|(at, segment)| {
            let known = segment.literal().map(str::to_owned);
            known
                .or_else(|| found(at))
                .unwrap_or_else(|| segment.example())
        })
        .collect();
    while let Some(text) = found(segments.len()) {
        segments.push(text);
    }
    segments
}

/// A path as a request target.
pub fn target(segments: &[String]) -> String {
    let mut target = String::new();
    for segment in segments {
        target.push('/');
        for byte in segment.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~!$&'()+=:@*,".contains(&byte) {
                target.push(char::from(byte));
            } else {
                let _ = write!(target, "%{byte:02X}");
            }
        }
    }
    if target.is_empty() {
        target.push('/');
    }
    target
}

/// A query name or value, percent-encoded.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:@/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn claims(
    frame: Frame<'_>,
    case: &Case<'_>,
    vocabulary: &Vocabulary,
    solution: &Solution,
) -> Map<String, Value> {
    let mut claims = frame.base.clone();
    // The base claims are for the default time, but the solution may have needed another.
    let mut outer_first: Vec<(&[String], &Solved, bool)> = Vec::new();
    for (value, solved) in vocabulary.values().iter().zip(&solution.values) {
        match (&value.place, solved) {
            (Place::Member(path), solved) => {
                outer_first.push((path, solved, value.views.contains(&View::Keys)));
            }
            (Place::Scopes, Solved::Texts(scopes)) => {
                claims.insert("scope".to_owned(), scope_value(scopes));
            }
            (Place::Client, Solved::Text(client)) => {
                claims.insert("client_id".to_owned(), json!(client));
            }
            _ => {}
        }
    }
    outer_first.sort_by_key(|(path, ..)| path.len());
    for (path, solved, _) in outer_first {
        put(&mut claims, path, json_of(solved));
    }
    if let Some((name, value)) = frame.sign {
        claims.entry(name).or_insert_with(|| json!(value));
    }
    if let Iss::Tenant {
        prefix,
        claim,
        suffix,
        ..
    } = &case.iss
    {
        let tenant = value_at(&claims, claim)
            .and_then(Value::as_str)
            .unwrap_or_default();
        let iss = format!("{prefix}{tenant}{suffix}");
        claims.insert("iss".to_owned(), json!(iss));
    }
    claims
}

/// Scopes as a string, or as an array if one of them isn't a single word.
fn scope_value(scopes: &[String]) -> Value {
    if scopes
        .iter()
        .all(|scope| !scope.is_empty() && !scope.contains(' '))
    {
        json!(scopes.join(" "))
    } else {
        json!(scopes)
    }
}

/// A value as JSON; `None` if it is absent.
fn json_of(solved: &Solved) -> Option<Value> {
    Some(match solved {
        Solved::Absent | Solved::Address(_) => return None,
        Solved::Null => Value::Null,
        Solved::Boolean(value) => json!(value),
        Solved::Number(value) => number(*value),
        Solved::Text(text) => json!(text),
        Solved::Texts(texts) => json!(texts),
        Solved::Object(names) => {
            Value::Object(names.iter().map(|name| (name.clone(), json!({}))).collect())
        }
        Solved::Numbers(numbers) => Value::Array(numbers.iter().map(|one| number(*one)).collect()),
        // An array of neither strings nor numbers.
        Solved::Other => json!([true]),
    })
}

/// Sets the value at a path, or removes it.
pub fn put(claims: &mut Map<String, Value>, path: &[String], value: Option<Value>) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    match (rest, value) {
        ([], Some(value)) => {
            claims.insert(first.clone(), value);
        }
        ([], None) => {
            claims.remove(first);
        }
        (_, None) => {
            if let Some(Value::Object(inner)) = claims.get_mut(first) {
                put(inner, rest, None);
            }
        }
        (_, Some(value)) => {
            let inner = claims
                .entry(first.clone())
                .or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                put(inner, rest, Some(value));
            }
        }
    }
}
