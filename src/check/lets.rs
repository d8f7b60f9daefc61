//! `let`s: cycles among them, and unused ones.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{self, Mention};

use super::limits::MAX_CYCLES_SHOWN;
use super::names::{Kind, Names};
use super::out::Out;

/// Reports cycles of `let`s. Returns the `let`s that can't be expanded.
pub(super) fn check<'a>(names: &Names<'a>, out: &mut Out) -> BTreeSet<&'a str> {
    let graph: BTreeMap<&'a str, Vec<(&'a str, Span)>> = names
        .lets
        .iter()
        .map(|(name, item)| {
            let named = item.condition.lets().into_iter();
            let known = named.filter(|(name, _)| names.lets.contains_key(name));
            let places = known.map(|(name, condition)| (name, condition.span));
            (*name, places.collect())
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

/// Checks the names in an unused `let`. Its claims and paths have no meaning without a use, but an
/// unknown set or issuer is wrong anywhere.
pub(super) fn check_unused(names: &Names, item: &ast::Let, out: &mut Out) {
    item.condition.mentions(&mut |mention| match mention {
        Mention::Let(name, condition) => {
            let name = ast::Name::new(name.to_owned(), condition.span);
            names.expect(&[Kind::Let], &name, out);
        }
        Mention::Issuer(name) => {
            names.expect(&[Kind::Issuer], name, out);
        }
        Mention::Param(name) => {
            names.expect(&[Kind::Param], name, out);
        }
        Mention::List(name) => {
            names.expect(&[Kind::Set, Kind::Param], name, out);
        }
        // A method's name stands where a param's would.
        Mention::Method(_)
        | Mention::Claim(_)
        | Mention::Parameter(_)
        | Mention::HostLabel(_)
        | Mention::Scope(_) => {}
    });
}
