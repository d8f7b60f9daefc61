//! How much routes ask for, as far as that shows without solving their conditions.
//!
//! Two conditions are compared as the sets of what they join by `and`, each written down in one
//! way. What only logic can tell apart is for the decision diagrams.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::model::{
    Access, Atom, ClaimTest, Condition, ConditionKind, Demand, Guard, Operand, Route, TextTest,
    Values,
};
use crate::settings::PathParameter;
use crate::source::Span;

use super::beside::conjuncts;
use super::guarding::Guards;
use super::relations::Entry;
use crate::pattern::index::Budget;

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

/// Whether a route plainly asks for less than a broader one: no more of the token, and of the
/// conditions a part.
pub(super) fn is_weaker(route: &Entry, broader: &Entry, guards: &Guards, budget: &Budget) -> bool {
    let (
        Access::Open { demand, condition },
        Access::Open {
            demand: broader_demand,
            condition: broader_condition,
        },
    ) = (&route.route.access, &broader.route.access)
    else {
        return false;
    };
    if demand > broader_demand {
        return false;
    }
    if *broader_demand == Demand::None && broader_condition.is_none() {
        return false;
    }
    let of = |condition: &Option<Condition>, route: &Route| {
        condition
            .as_ref()
            .map(|condition| joined(condition, &route.parameters))
            .unwrap_or_default()
    };
    let outer = of(broader_condition, broader.route);
    let own = of(condition, route.route);
    if !own.is_subset(&outer) || (demand == broader_demand && own == outer) {
        return false;
    }
    // A guard around the narrower route alone may ask for what the broader one does.
    let mut tightened = guards
        .around(route, budget)
        .filter(|guard| guard.condition.is_some());
    tightened.all(|guard| {
        guards
            .around(broader, budget)
            .any(|other| other.span == guard.span)
            || guard
                .condition
                .as_ref()
                .is_some_and(|condition| joined(condition, &guard.parameters).is_subset(&outer))
    })
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
            write!(text, "client {negated} {:?}", any_of.members())
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
            let _ = write!(text, " in {negated} {:?}", any_of.members());
        }
        TextTest::StartsWith(operand) => {
            text.push_str(" starts ");
            write_operand(text, operand, parameters);
        }
        TextTest::Present => text.push_str(" present"),
    }
}

fn write_values(text: &mut String, values: &Values) {
    let _ = match values {
        Values::Strings(strings) => write!(text, "{:?}", strings.members()),
        Values::Numbers(numbers) => write!(text, "{numbers:?}"),
        Values::Booleans(booleans) => write!(text, "{booleans:?}"),
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
        ClaimTest::Present => text.push_str("present"),
        ClaimTest::Absent => text.push_str("absent"),
    }
}

/// Whether a condition speaks of a token.
pub(super) fn speaks_of_token(condition: &Condition) -> bool {
    let of_text = |test: &TextTest| {
        matches!(
            test,
            TextTest::Equals {
                operand: Operand::Claim(_),
                ..
            } | TextTest::StartsWith(Operand::Claim(_))
        )
    };
    match &condition.kind {
        ConditionKind::And(conditions) | ConditionKind::Or(conditions) => {
            conditions.iter().any(speaks_of_token)
        }
        ConditionKind::Not(inner) => speaks_of_token(inner),
        ConditionKind::Atom(atom) => match atom {
            Atom::ScopeAny(_)
            | Atom::ScopeAll(_)
            | Atom::Claim(..)
            | Atom::TokenFrom(_)
            | Atom::Client { .. }
            | Atom::LoginWithin(_) => true,
            Atom::Path(_, test)
            | Atom::Host(test)
            | Atom::Header(_, test)
            | Atom::Query(_, test) => of_text(test),
            Atom::Method(_) | Atom::Address { .. } => false,
        },
    }
}

/// Whether a guard asks something of a token of every request that it matches.
pub(super) fn needs_token(guard: &Guard) -> bool {
    guard.condition.as_ref().is_some_and(speaks_of_token)
}
