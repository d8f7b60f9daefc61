//! `let`s: cycles among them, and unused ones.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{self, ConditionKind};

use super::limits::MAX_CYCLES_SHOWN;
use super::names::{Kind, Names};
use super::out::Out;

/// Reports cycles of `let`s. Returns the `let`s that can't be expanded.
pub(super) fn check<'a>(names: &Names<'a>, out: &mut Out) -> BTreeSet<&'a str> {
    let graph: BTreeMap<&'a str, Vec<(&'a str, Span)>> = names
        .lets
        .iter()
        .map(|(name, item)| {
            let mut named = Vec::new();
            collect(&item.condition, &mut named);
            named.retain(|(name, _)| names.lets.contains_key(name));
            (*name, named)
        })
        .collect();
    let mut finished: BTreeMap<&str, bool> = BTreeMap::new();
    let mut cycles = 0;
    for start in graph.keys() {
        visit(&graph, start, &mut finished, &mut cycles, names, out);
    }
    let endless: BTreeSet<&str> = finished
        .into_iter()
        .filter(|(_, endless)| *endless)
        .map(|(name, _)| name)
        .collect();
    if cycles > MAX_CYCLES_SHOWN {
        // Unused `let`s are reported separately, whether or not their cycle was shown.
        for name in &endless {
            out.uses(name);
        }
        out.say(Diagnostic::without_place(
            Code::LetCycle,
            format!(
                "{} further cycles of `let`s refer to each other",
                cycles - MAX_CYCLES_SHOWN
            ),
        ));
    }
    endless
}

/// A depth-first search with its own stack, since a chain of `let`s may be as long as a file.
fn visit<'a>(
    graph: &BTreeMap<&'a str, Vec<(&'a str, Span)>>,
    start: &'a str,
    finished: &mut BTreeMap<&'a str, bool>,
    cycles: &mut usize,
    names: &Names<'a>,
    out: &mut Out,
) {
    let mut path: Vec<(&'a str, usize, bool)> = Vec::new();
    // The position of each name in `path`. Searching the path for each name would take quadratic
    // time.
    let mut places: BTreeMap<&'a str, usize> = BTreeMap::new();
    if !finished.contains_key(start) {
        path.push((start, 0, false));
    }
    while let Some((name, next, endless)) = path.pop() {
        let edge = graph.get(name).and_then(|edges| edges.get(next)).copied();
        let Some((target, span)) = edge else {
            finished.insert(name, endless);
            places.remove(name);
            if endless && let Some(parent) = path.last_mut() {
                parent.2 = true;
            }
            continue;
        };
        if let Some(known) = finished.get(target) {
            path.push((name, next + 1, endless || *known));
            continue;
        }
        places.insert(name, path.len());
        if let Some(begins) = places.get(target) {
            *cycles += 1;
            if *cycles <= MAX_CYCLES_SHOWN {
                let on_path = path.iter().skip(*begins).map(|(name, ..)| *name);
                let cycle: Vec<&str> = on_path.chain(std::iter::once(name)).collect();
                say_cycle(&cycle, span, names, out);
            }
            path.push((name, next + 1, true));
        } else {
            path.push((name, next + 1, endless));
            path.push((target, 0, false));
        }
    }
}

fn say_cycle(cycle: &[&str], span: Span, names: &Names, out: &mut Out) {
    let first = cycle.first().copied().unwrap_or("");
    let mut diagnostic = if cycle.len() == 1 {
        Diagnostic::new(
            Code::LetCycle,
            span,
            format!("the `let` `{first}` refers to itself"),
        )
    } else {
        let mut round: Vec<String> = cycle
            .iter()
            .take(MAX_CYCLES_SHOWN)
            .map(|name| format!("`{name}`"))
            .collect();
        if cycle.len() > MAX_CYCLES_SHOWN {
            round.push(format!("{} further ones", cycle.len() - MAX_CYCLES_SHOWN));
        }
        round.push(format!("`{first}`"));
        Diagnostic::new(
            Code::LetCycle,
            span,
            format!("these `let`s refer to each other: {}", round.join(" → ")),
        )
    };
    for name in cycle {
        // Unused `let`s are reported separately.
        out.uses(name);
        if diagnostic.secondary.len() < MAX_CYCLES_SHOWN
            && let Some(item) = names.lets.get(name)
        {
            diagnostic = diagnostic.also(item.name.span, "part of the cycle");
        }
    }
    out.say(diagnostic.help(
        "a condition can't contain itself: replace one of the names with its \
    condition",
    ));
}

fn collect<'a>(condition: &'a ast::Condition, named: &mut Vec<(&'a str, Span)>) {
    match &condition.kind {
        ConditionKind::And(conditions) | ConditionKind::Or(conditions) => {
            for condition in conditions {
                collect(condition, named);
            }
        }
        ConditionKind::Not(inner) => collect(inner, named),
        ConditionKind::Named(name) => named.push((name, condition.span)),
        ConditionKind::Scope(_)
        | ConditionKind::Claim(..)
        | ConditionKind::TokenFrom(_)
        | ConditionKind::Client(_)
        | ConditionKind::LoginWithin(_)
        | ConditionKind::Path(..)
        | ConditionKind::Host(..)
        | ConditionKind::Method(_)
        | ConditionKind::Address(_)
        | ConditionKind::Header(..)
        | ConditionKind::Query(..) => {}
    }
}

/// Checks the names in an unused `let`. Its claims and paths have no meaning without a use, but an
/// unknown set or issuer is wrong anywhere.
pub(super) fn check_unused(names: &Names, item: &ast::Let, out: &mut Out) {
    check_names(names, &item.condition, out);
}

fn check_names(names: &Names, condition: &ast::Condition, out: &mut Out) {
    match &condition.kind {
        ConditionKind::And(conditions) | ConditionKind::Or(conditions) => {
            for condition in conditions {
                check_names(names, condition, out);
            }
        }
        ConditionKind::Not(inner) => check_names(names, inner, out),
        ConditionKind::Named(name) => {
            let name = ast::Name::new(name.clone(), condition.span);
            names.expect(&[Kind::Let], &name, out);
        }
        ConditionKind::TokenFrom(name) => {
            names.expect(&[Kind::Issuer], name, out);
        }
        ConditionKind::Scope(ast::ScopeTest::One(term)) | ConditionKind::LoginWithin(term) => {
            check_term(names, term, out);
        }
        ConditionKind::Scope(ast::ScopeTest::Any(list) | ast::ScopeTest::All(list)) => {
            check_list(names, list, out);
        }
        // The parser reads a method's name in the position of a param.
        ConditionKind::Method(_) => {}
        ConditionKind::Claim(_, test)
        | ConditionKind::Client(test)
        | ConditionKind::Path(_, test)
        | ConditionKind::Host(_, test)
        | ConditionKind::Address(test) => check_test(names, test, out),
        ConditionKind::Header(term, test) | ConditionKind::Query(term, test) => {
            check_term(names, term, out);
            check_test(names, test, out);
        }
    }
}

fn check_test(names: &Names, test: &ast::Test, out: &mut Out) {
    match test {
        ast::Test::Compare(_, operand)
        | ast::Test::Contains(operand)
        | ast::Test::StartsWith(operand)
        | ast::Test::EndsWith(operand) => match operand {
            ast::Operand::Term(term) => check_term(names, term, out),
            ast::Operand::Path(_)
            | ast::Operand::Host(_)
            | ast::Operand::Claim(_)
            | ast::Operand::Now(_) => {}
        },
        ast::Test::InDomain(term) => check_term(names, term, out),
        ast::Test::In(list)
        | ast::Test::NotIn(list)
        | ast::Test::ContainsAny(list)
        | ast::Test::ContainsAll(list) => check_list(names, list, out),
        ast::Test::Present | ast::Test::Absent => {}
    }
}

fn check_term(names: &Names, term: &ast::Term, out: &mut Out) {
    if let ast::Term::Name(name) = term {
        names.expect(&[Kind::Param], name, out);
    }
}

fn check_list(names: &Names, list: &ast::List, out: &mut Out) {
    match list {
        ast::List::Name(name) => {
            names.expect(&[Kind::Set, Kind::Param], name, out);
        }
        ast::List::Items(items) => {
            for term in &items.node {
                check_term(names, term, out);
            }
        }
    }
}
