//! A canonical form of rules, so that identical ones need no comparison.
//!
//! Most of two policies is the same, word for word or except for names, order and the position of
//! conditions. Equal keys mean equal rules; different keys mean nothing.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;
use std::sync::Arc;

use crate::model::{
    Atom, Bound, ClaimTest, Condition, ConditionKind, Issuer, Members, Model, Operand, StringSet,
    TextTest, Values,
};
use crate::pattern::{PathPattern, SegmentPattern};
use crate::settings::{ClaimId, IssuerUrl, PathParameter};

use super::atoms::Rule;

/// Numbers for sets of strings of both policies: equal sets have one.
#[derive(Debug, Default)]
pub struct Sets {
    by_place: RefCell<HashMap<*const Vec<String>, usize>>,
    by_members: RefCell<HashMap<Members, usize>>,
}

impl Sets {
    fn number(&self, set: &Arc<StringSet>) -> usize {
        if let Some(known) = self.by_place.borrow().get(&set.shared().place()) {
            return *known;
        }
        let mut by_members = self.by_members.borrow_mut();
        let fresh = by_members.len();
        let number = *by_members.entry(set.shared().clone()).or_insert(fresh);
        let mut by_place = self.by_place.borrow_mut();
        by_place.insert(set.shared().place(), number);
        number
    }
}

/// Writes the rules of one policy down.
#[derive(Debug)]
pub struct Writer<'m> {
    sets: &'m Sets,
    /// What each claim is, for each issuer.
    claims: Vec<String>,
    /// Where each issuer has its scopes.
    scopes: String,
    /// Where each issuer has the client.
    client: String,
    /// What each issuer's leeway is, and where the time of the login.
    logins: String,
    urls: Vec<String>,
}

impl<'m> Writer<'m> {
    /// For a policy.
    pub fn new(model: &'m Model, sets: &'m Sets) -> Writer<'m> {
        let urls: Vec<String> = model
            .issuers
            .iter()
            .map(|issuer| match &issuer.url {
                IssuerUrl::Exact(url) => format!("{url:?}"),
                other => format!("{other:?}"),
            })
            .collect();
        let claims: Vec<String> = model
            .claims
            .iter()
            .enumerate()
            .map(|(at, claim)| {
                let places: BTreeSet<String> = model
                    .issuers
                    .iter()
                    .zip(&urls)
                    .flat_map(|(issuer, url)| {
                        issuer
                            .claims
                            .iter()
                            .filter(move |place| place.claim.0 as usize == at)
                            .map(move |place| format!("{url}{:?}{}", place.path, place.keys_of))
                    })
                    .collect();
                format!("{}{places:?}", claim.ty)
            })
            .collect();
        let each = |said: &dyn Fn(&Issuer) -> String| -> String {
            let all: BTreeMap<&String, String> =
                urls.iter().zip(model.issuers.iter().map(said)).collect();
            format!("{all:?}")
        };
        let auth_time = |issuer: &Issuer| -> Vec<String> {
            let named = issuer.claims.iter().filter(|place| {
                model
                    .claims
                    .get(place.claim.0 as usize)
                    .is_some_and(|claim| claim.name == "auth_time")
            });
            named
                .map(|place| {
                    claims
                        .get(place.claim.0 as usize)
                        .cloned()
                        .unwrap_or_default()
                })
                .collect()
        };
        Writer {
            sets,
            scopes: each(&|issuer| format!("{:?}", issuer.scopes_from)),
            client: each(&|issuer| format!("{:?}", issuer.client_from)),
            logins: each(&|issuer| format!("{} {:?}", issuer.leeway, auth_time(issuer))),
            claims,
            urls,
        }
    }

    /// What a condition joins by `and`, each part written down.
    pub fn parts(&self, condition: &Condition, rule: Rule<'_>, parts: &mut BTreeSet<String>) {
        match &condition.kind {
            ConditionKind::And(all) => {
                for one in all {
                    self.parts(one, rule, parts);
                }
            }
            _ => {
                let mut text = String::new();
                self.write(&mut text, condition, rule);
                parts.insert(text);
            }
        }
    }

    fn write(&self, text: &mut String, condition: &Condition, rule: Rule<'_>) {
        let several = |text: &mut String, word: char, conditions: &[Condition]| {
            let parts: BTreeSet<String> = conditions
                .iter()
                .map(|condition| {
                    let mut part = String::new();
                    self.write(&mut part, condition, rule);
                    part
                })
                .collect();
            text.push('(');
            for part in parts {
                text.push_str(&part);
                text.push(word);
            }
            text.push(')');
        };
        match &condition.kind {
            ConditionKind::And(all) => several(text, '&', all),
            ConditionKind::Or(any) => several(text, '|', any),
            ConditionKind::Not(inner) => {
                text.push('!');
                self.write(text, inner, rule);
            }
            ConditionKind::Atom(atom) => self.atom(text, atom, rule),
        }
    }

    fn atom(&self, text: &mut String, atom: &Atom, rule: Rule<'_>) {
        // Writing to a string cannot fail.
        let _ = match atom {
            Atom::ScopeAny(scopes) => {
                write!(text, "scope any {:?} {}", unordered(scopes), self.scopes)
            }
            Atom::ScopeAll(scopes) => {
                write!(text, "scope all {:?} {}", unordered(scopes), self.scopes)
            }
            Atom::Claim(claim, test) => {
                let _ = write!(text, "claim {} ", self.claim(*claim));
                self.claim_test(text, test, rule);
                Ok(())
            }
            Atom::TokenFrom(issuer) => {
                let url = self.urls.get(issuer.0 as usize);
                write!(text, "from {url:?}")
            }
            Atom::Client { any_of, negated } => {
                let set = self.sets.number(any_of);
                write!(text, "client {negated} {set} {}", self.client)
            }
            Atom::LoginWithin(seconds) => write!(text, "login {seconds} {}", self.logins),
            Atom::Path(parameter, test) => {
                let _ = write!(text, "path {} ", self.parameter(*parameter, rule));
                self.text_test(text, test, rule);
                Ok(())
            }
            Atom::Host(test) => {
                text.push_str("host ");
                self.text_test(text, test, rule);
                Ok(())
            }
            Atom::Method(methods) => write!(text, "method {methods:?}"),
            Atom::Address { any_of, negated } => {
                write!(text, "address {negated} {:?}", any_of.ranges())
            }
            Atom::Header(name, test) => {
                let _ = write!(text, "header {name:?} ");
                self.text_test(text, test, rule);
                Ok(())
            }
            Atom::Query(name, test) => {
                let _ = write!(text, "query {name:?} ");
                self.text_test(text, test, rule);
                Ok(())
            }
        };
    }

    fn claim(&self, claim: ClaimId) -> &str {
        self.claims.get(claim.0 as usize).map_or("", String::as_str)
    }

    /// A parameter, by where it is.
    fn parameter(&self, parameter: usize, rule: Rule<'_>) -> String {
        let Some(parameter) = rule.parameters.get(parameter) else {
            return String::new();
        };
        let around = match rule.path.segments.get(parameter.segment) {
            Some(SegmentPattern::Mixed { prefix, suffix }) => format!("{prefix:?}{suffix:?}"),
            _ => String::new(),
        };
        format!("{}{around}", parameter.segment)
    }

    fn operand(&self, operand: &Operand, rule: Rule<'_>) -> String {
        match operand {
            Operand::Claim(claim) => format!("claim {}", self.claim(*claim)),
            Operand::Path(parameter) => format!("path {}", self.parameter(*parameter, rule)),
            other => format!("{other:?}"),
        }
    }

    fn claim_test(&self, text: &mut String, test: &ClaimTest, rule: Rule<'_>) {
        let _ = match test {
            ClaimTest::Equals { operand, negated } => {
                write!(text, "equals {negated} {}", self.operand(operand, rule))
            }
            ClaimTest::Order { order, bound } => match bound {
                Bound::Number(number) => write!(text, "{order:?} {number}"),
                Bound::Now => write!(text, "{order:?} now"),
            },
            ClaimTest::In { any_of, negated } => {
                write!(text, "in {negated} {}", self.values(any_of))
            }
            ClaimTest::Contains(operand) => write!(text, "holds {}", self.operand(operand, rule)),
            ClaimTest::ContainsAny(values) => write!(text, "any {}", self.values(values)),
            ClaimTest::ContainsAll(values) => write!(text, "all {}", self.values(values)),
            ClaimTest::StartsWith(operand) => {
                write!(text, "begins {}", self.operand(operand, rule))
            }
            ClaimTest::EndsWith(operand) => write!(text, "ends {}", self.operand(operand, rule)),
            ClaimTest::InDomain(domain) => write!(text, "domain {domain:?}"),
            ClaimTest::Present => write!(text, "present"),
            ClaimTest::Absent => write!(text, "absent"),
        };
    }

    fn values(&self, values: &Values) -> String {
        match values {
            Values::Strings(set) => format!("set {}", self.sets.number(set)),
            other => format!("{other:?}"),
        }
    }

    fn text_test(&self, text: &mut String, test: &TextTest, rule: Rule<'_>) {
        let _ = match test {
            TextTest::Equals { operand, negated } => {
                write!(text, "equals {negated} {}", self.operand(operand, rule))
            }
            TextTest::In { any_of, negated } => {
                write!(text, "in {negated} {}", self.sets.number(any_of))
            }
            TextTest::StartsWith(operand) => write!(text, "begins {}", self.operand(operand, rule)),
            TextTest::Present => write!(text, "present"),
        };
    }
}

fn unordered(texts: &[String]) -> BTreeSet<&String> {
    texts.iter().collect()
}

/// A path pattern in short.
pub fn pattern(path: &PathPattern) -> String {
    format!("{path:?}")
}

/// A rule's path and names.
pub fn rule<'m>(path: &'m PathPattern, parameters: &'m [PathParameter]) -> Rule<'m> {
    Rule { path, parameters }
}
