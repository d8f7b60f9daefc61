//! A canonical form of rules, to find identical ones at once.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::analyze::condition::is_named;
use crate::model::{
    Access, Atom, ClaimTest, Condition, ConditionKind, Operand, Route, StringSet, TextTest, Values,
};
use crate::settings::PathParameter;
use crate::source::Span;

use super::beside::conjuncts;

/// Accesses written down in one way, each once.
#[derive(Default)]
pub(super) struct Keys(RefCell<BTreeMap<(Span, String), String>>);

impl Keys {
    /// Whether two routes ask for the same.
    pub fn same_access(&self, a: &Route, b: &Route) -> bool {
        match (&a.access, &b.access) {
            (Access::Denied, Access::Denied) => true,
            (
                Access::Open {
                    demand: a_demand,
                    condition: a_condition,
                },
                Access::Open {
                    demand: b_demand,
                    condition: b_condition,
                },
            ) => {
                a_demand == b_demand
                    && match (a_condition, b_condition) {
                        (None, None) => true,
                        (Some(_), Some(_)) => self.of(a) == self.of(b),
                        _ => false,
                    }
            }
            _ => false,
        }
    }

    fn of(&self, route: &Route) -> String {
        let mut keys = self.0.borrow_mut();
        keys.entry((route.span, route.name.clone()))
            .or_insert_with(|| match &route.access {
                Access::Open {
                    condition: Some(condition),
                    ..
                } => joined(condition, &route.parameters)
                    .into_iter()
                    .collect::<Vec<String>>()
                    .join(" and "),
                _ => String::new(),
            })
            .clone()
    }
}

/// What a condition joins by `and`, each part written down in one way.
pub(super) fn joined(condition: &Condition, parameters: &[PathParameter]) -> BTreeSet<String> {
    conjuncts(condition)
        .map(|conjunct| {
            let mut text = String::new();
            write_condition(&mut text, conjunct, parameters);
            text
        })
        .collect()
}

/// A condition as it is written, but for names: in its own order, and with what `let`s stand for
/// told from what stands in it.
pub(super) fn in_order(condition: &Condition, parameters: &[PathParameter]) -> String {
    let mut text = String::new();
    write_in_order(&mut text, condition, parameters, condition.span);
    text
}

fn write_in_order(
    text: &mut String,
    condition: &Condition,
    parameters: &[PathParameter],
    around: Span,
) {
    let mut several = |word: &str, parts: &[Condition]| {
        text.push_str(word);
        text.push('(');
        for part in parts {
            write_in_order(text, part, parameters, condition.span);
            text.push(',');
        }
        text.push(')');
    };
    let named = is_named(condition, around);
    match &condition.kind {
        ConditionKind::And(all) => several(if named { "let and" } else { "and" }, all),
        ConditionKind::Or(any) => several(if named { "let or" } else { "or" }, any),
        ConditionKind::Not(inner) => {
            several(
                if named { "let not" } else { "not" },
                std::slice::from_ref(inner),
            );
        }
        ConditionKind::Atom(atom) => write_atom(text, atom, parameters),
    }
}

fn write_condition(text: &mut String, condition: &Condition, parameters: &[PathParameter]) {
    let mut several = |word: &str, conditions: &[Condition]| {
        let parts: BTreeSet<String> = conditions
            .iter()
            .map(|condition| {
                let mut part = String::new();
                write_condition(&mut part, condition, parameters);
                part
            })
            .collect();
        text.push('(');
        for part in parts {
            text.push_str(&part);
            text.push_str(word);
        }
        text.push(')');
    };
    match &condition.kind {
        ConditionKind::And(all) => several(" and ", all),
        ConditionKind::Or(any) => several(" or ", any),
        ConditionKind::Not(inner) => {
            text.push_str("not ");
            write_condition(text, inner, parameters);
        }
        ConditionKind::Atom(atom) => write_atom(text, atom, parameters),
    }
}

fn write_atom(text: &mut String, atom: &Atom, parameters: &[PathParameter]) {
    // Writing to a string can't fail.
    let _ = match atom {
        Atom::ScopeAny(scopes) => write!(text, "scope any {scopes:?}"),
        Atom::ScopeAll(scopes) => write!(text, "scope all {scopes:?}"),
        Atom::Claim(id, test) => {
            let _ = write!(text, "claim {} ", id.0);
            write_claim_test(text, test, parameters);
            Ok(())
        }
        Atom::TokenFrom(id) => write!(text, "token from {}", id.0),
        Atom::Client { any_of, negated } => {
            write!(text, "client {negated} ").map(|()| write_set(text, any_of))
        }
        Atom::LoginWithin(seconds) => write!(text, "login {seconds}"),
        Atom::Path(index, test) => {
            write_parameter(text, *index, parameters);
            write_text_test(text, test, parameters);
            Ok(())
        }
        Atom::Host(test) => {
            text.push_str("host");
            write_text_test(text, test, parameters);
            Ok(())
        }
        Atom::Method(methods) => write!(text, "method {methods:?}"),
        Atom::Address { any_of, negated } => {
            write!(text, "address {negated} {:?}", any_of.ranges())
        }
        Atom::Header(name, test) => {
            let _ = write!(text, "header {name:?}");
            write_text_test(text, test, parameters);
            Ok(())
        }
        Atom::Query(name, test) => {
            let _ = write!(text, "query {name:?}");
            write_text_test(text, test, parameters);
            Ok(())
        }
    };
}

/// A path parameter is where it is in the path, whatever it is called.
fn write_parameter(text: &mut String, index: usize, parameters: &[PathParameter]) {
    if let Some(parameter) = parameters.get(index) {
        let _ = write!(
            text,
            "path {} {} {}",
            parameter.segment, parameter.prefix, parameter.suffix
        );
    }
}

fn write_operand(text: &mut String, operand: &Operand, parameters: &[PathParameter]) {
    match operand {
        Operand::Path(index) => write_parameter(text, *index, parameters),
        other => {
            let _ = write!(text, "{other:?}");
        }
    }
}

fn write_text_test(text: &mut String, test: &TextTest, parameters: &[PathParameter]) {
    match test {
        TextTest::Equals { operand, negated } => {
            let _ = write!(text, " equals {negated} ");
            write_operand(text, operand, parameters);
        }
        TextTest::In { any_of, negated } => {
            let _ = write!(text, " in {negated} ");
            write_set(text, any_of);
        }
        TextTest::StartsWith(operand) => {
            text.push_str(" starts ");
            write_operand(text, operand, parameters);
        }
        TextTest::Present => text.push_str(" present"),
    }
}

fn write_values(text: &mut String, values: &Values) {
    match values {
        Values::Strings(strings) => write_set(text, strings),
        Values::Numbers(numbers) => {
            let _ = write!(text, "{numbers:?}");
        }
        Values::Booleans(booleans) => {
            let _ = write!(text, "{booleans:?}");
        }
    }
}

/// The most members of a set that are written out. Many rules may read a set of a million, which
/// is then told by where it is: sets of one file share that. Two large ones that only happen to be
/// equal are then taken for different ones, which costs a warning at most.
const MAX_WRITTEN_MEMBERS: usize = 1_000;

fn write_set(text: &mut String, set: &StringSet) {
    let members = set.members();
    let _ = if members.len() <= MAX_WRITTEN_MEMBERS {
        write!(text, "{members:?}")
    } else {
        write!(text, "{} at {:?}", members.len(), set.shared().place())
    };
}

fn write_claim_test(text: &mut String, test: &ClaimTest, parameters: &[PathParameter]) {
    match test {
        ClaimTest::Equals { operand, negated } => {
            let _ = write!(text, "equals {negated} ");
            write_operand(text, operand, parameters);
        }
        ClaimTest::Order { order, bound } => {
            let _ = write!(text, "{order:?} {bound:?}");
        }
        ClaimTest::In { any_of, negated } => {
            let _ = write!(text, "in {negated} ");
            write_values(text, any_of);
        }
        ClaimTest::Contains(operand) => {
            text.push_str("contains ");
            write_operand(text, operand, parameters);
        }
        ClaimTest::ContainsAny(values) => {
            text.push_str("contains any ");
            write_values(text, values);
        }
        ClaimTest::ContainsAll(values) => {
            text.push_str("contains all ");
            write_values(text, values);
        }
        ClaimTest::StartsWith(operand) => {
            text.push_str("starts ");
            write_operand(text, operand, parameters);
        }
        ClaimTest::EndsWith(operand) => {
            text.push_str("ends ");
            write_operand(text, operand, parameters);
        }
        ClaimTest::InDomain(domain) => {
            let _ = write!(text, "domain {domain:?}");
        }
        ClaimTest::Present => text.push_str("present"),
        ClaimTest::Absent => text.push_str("absent"),
    }
}
