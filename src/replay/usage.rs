//! Which rules of a policy the requests of a log use, and what they ask for that no rule names.

use std::collections::{BTreeMap, BTreeSet};

use super::tally::{Row, add, merge};
use super::{Entry, LineError, Now, Verdict};
use crate::engine::Policy;
use crate::reason::Reason;

/// How many different requests without a rule are kept. The log decides how many there are.
const MAX_UNRULED: usize = 1000;

/// The longest part of a path that is shown, in characters.
const MAX_SHOWN: usize = 200;

/// What the requests of a log use. The parts of a log add up to the whole.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// How many lines were read.
    pub lines: u64,
    /// How many requests each rule matched, by API and route.
    pub used: BTreeMap<(String, String), u64>,
    /// The requests that no rule names, by method, host and path.
    pub unruled: BTreeMap<Asked, Row>,
    /// How many such requests are beyond those that are kept.
    pub other_unruled: u64,
    /// How many requests had a token whose scopes the log has.
    pub tokens: u64,
    /// In how many of those tokens each scope was.
    pub scopes: BTreeMap<String, u64>,
    /// The lines that can't be read.
    pub unread: BTreeMap<LineError, Row>,
}

/// The method, host and path of a request.
pub type Asked = (String, String, String);

/// A rule that no request of the log matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unused {
    /// Its API.
    pub api: String,
    /// Its name.
    pub route: String,
    /// Its place in the policy.
    pub place: String,
}

impl Usage {
    /// Adds a line that was decided.
    pub fn add(&mut self, entry: &Entry<'_>, verdict: &Verdict, place: (usize, u64)) {
        self.lines += 1;
        for route in verdict.route.split(" + ").filter(|route| !route.is_empty()) {
            let key = (verdict.api.clone(), route.to_owned());
            *self.used.entry(key).or_default() += 1;
        }
        if verdict.now == Now::Denied(Some(Reason::RequestNoRoute)) {
            let target = String::from_utf8_lossy(&entry.target);
            let path = target.split('?').next().unwrap_or_default();
            let host = entry.host.as_deref().unwrap_or_default().to_lowercase();
            let key = (entry.method.clone().into_owned(), host, general(path));
            if self.unruled.len() < MAX_UNRULED || self.unruled.contains_key(&key) {
                add(self.unruled.entry(key).or_default(), place, || None);
            } else {
                self.other_unruled += 1;
            }
        }
        if let Some(scopes) = entry.scopes() {
            self.tokens += 1;
            // A scope may be there twice.
            for scope in scopes.iter().collect::<BTreeSet<_>>() {
                *self.scopes.entry(scope.clone()).or_default() += 1;
            }
        }
    }

    /// Adds a line that can't be read.
    pub fn unread(&mut self, error: LineError, place: (usize, u64)) {
        self.lines += 1;
        add(self.unread.entry(error).or_default(), place, || None);
    }

    /// Adds the usage of another part of the log.
    pub fn merge(&mut self, other: Usage) {
        self.lines += other.lines;
        self.tokens += other.tokens;
        self.other_unruled += other.other_unruled;
        sum(&mut self.used, other.used);
        sum(&mut self.scopes, other.scopes);
        merge(&mut self.unread, other.unread);
        merge(&mut self.unruled, other.unruled);
    }

    /// The rules that no request matched.
    pub fn unused(&self, policy: &Policy) -> Vec<Unused> {
        let routes = policy.apis().iter().flat_map(|api| {
            let routes = api.routes.iter();
            routes.map(move |route| (api, route))
        });
        routes
            .filter(|(api, route)| {
                let key = (api.name.clone(), route.name.clone());
                !self.used.contains_key(&key)
            })
            .map(|(api, route)| Unused {
                api: api.name.clone(),
                route: route.name.clone(),
                place: policy.sources().place(route.span).to_string(),
            })
            .collect()
    }

    /// The scopes that every token had and no rule names.
    pub fn needless_scopes(&self, policy: &Policy) -> Vec<&str> {
        let named: BTreeSet<&str> = policy
            .model()
            .conditions()
            .flat_map(|condition| condition.atoms())
            .flat_map(|(_, atom)| atom.scopes())
            .map(String::as_str)
            .collect();
        self.scopes
            .iter()
            .filter(|(scope, count)| **count == self.tokens && !named.contains(scope.as_str()))
            .map(|(scope, _)| scope.as_str())
            .collect()
    }
}

fn sum<K: Ord>(counts: &mut BTreeMap<K, u64>, others: BTreeMap<K, u64>) {
    for (key, count) in others {
        *counts.entry(key).or_default() += count;
    }
}

/// A path with `{id}` in place of each segment that looks like an identifier, so that requests for
/// many things count as requests for one route.
fn general(path: &str) -> String {
    let segments = path.split('/').map(|segment| {
        if is_identifier(segment) {
            "{id}"
        } else {
            segment
        }
    });
    let general = segments.collect::<Vec<_>>().join("/");
    general.chars().take(MAX_SHOWN).collect()
}

/// Whether a segment is a number, a UUID, or another long text of hexadecimal digits.
fn is_identifier(segment: &str) -> bool {
    let digits = |digit: fn(&u8) -> bool| {
        let mut bytes = segment.bytes();
        bytes.all(|byte| byte == b'-' || digit(&byte))
    };
    let long = segment.len() >= 16 && digits(u8::is_ascii_hexdigit);
    !segment.is_empty() && (long || segment.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_not_told_apart() {
        for (path, shown) in [
            ("/orders/17/items/2", "/orders/{id}/items/{id}"),
            ("/a/123e4567-e89b-12d3-a456-426614174000", "/a/{id}"),
            ("/v1/bed", "/v1/bed"),
            ("/", "/"),
        ] {
            assert_eq!(general(path), shown);
        }
    }
}
