//! The difference of two policies agrees with random requests.
//!
//! A random policy is edited at random, sometimes without a change in meaning. If `diff` reports
//! the two as equal, no request may tell them apart. Otherwise each change comes with a request
//! that does, and each request found here belongs to a reported change.

use std::fmt;

use portcullis::analyze::{self, Difference, Effect, Kind};
use portcullis::engine::Policy;
use proptest::prelude::*;
use proptest::sample::Index;

use super::generate::{self, Line, NOW, Spec};
use super::naive::Asked;
use super::{allows, loads, policy, settled};
use crate::diff::confirm;

/// Texts that can replace each other with the same or nearly the same meaning, in both directions.
const NEARLY: [(&str, &str); 26] = [
    // The same.
    (r#"scope any ["s1", "s2"]"#, r#"(scope "s1" or scope "s2")"#),
    (
        r#"scope all ["s1", "s2"]"#,
        r#"(scope "s2" and scope "s1")"#,
    ),
    (
        r#"claim plan in plans"#,
        r#"(claim plan == "x" or claim plan in ["team", "pro"])"#,
    ),
    (r#"claim plan != "pro""#, r#"not (claim plan == "pro")"#),
    (r#"claim seats >= 5"#, r#"not (claim seats < 5)"#),
    (
        r#"claim seats in [4, 5]"#,
        r#"(claim seats == 4 or claim seats == 5)"#,
    ),
    (
        r#"claim roles contains all ["staff", "boss"]"#,
        r#"(claim roles contains "boss" and claim roles contains "staff")"#,
    ),
    (r#"claim paid == true"#, r#"claim paid != false"#),
    (
        r#"client not in ["spa", "cli"]"#,
        r#"not (client "spa" or client "cli")"#,
    ),
    ("method in [PUT, POST]", "(method == POST or method == PUT)"),
    (
        "address in office",
        r#"address in ["192.0.2.0/26", "192.0.2.64/26", "2001:db8::/32"]"#,
    ),
    (
        "staff",
        r#"(claim plan == "team" or claim roles contains "staff")"#,
    ),
    (r#"claim plan == claim org"#, "claim org == claim plan"),
    ("login within 5m", "login within 300s"),
    // Nearly the same.
    (r#"scope "s1""#, r#"scope "s2""#),
    (r#"claim plan == "pro""#, r#"claim plan starts with "pr""#),
    (r#"claim plan in plans"#, r#"claim plan in ["pro", "team"]"#),
    (r#"claim seats >= 5"#, "claim seats > 5"),
    (r#"claim seats < 7"#, "claim seats <= 6.5"),
    (r#"claim org present"#, r#"claim org in ["pro", "a", "x"]"#),
    (
        r#"claim roles contains "staff""#,
        r#"claim roles contains any ["staff", "boss"]"#,
    ),
    (
        r#"header "x-org" starts with "x""#,
        r#"header "x-org" in ["x", "xy"]"#,
    ),
    (r#"query "q" present"#, r#"query "q" == "x y""#),
    (" and ", " or "),
    ("address in office", r#"address not in ["192.0.2.64/26"]"#),
    ("login within 5m", "login within 301s"),
];

/// One edit of a policy.
#[derive(Debug, Clone)]
enum Edit {
    /// A text is replaced by one with nearly the same meaning.
    Reword {
        nearly: Index,
        back: bool,
        at: Index,
    },
    /// A line of the API is removed.
    Drop(Index),
    /// A guard is removed.
    Unguard(Index),
    /// A route is added.
    Route(String),
    /// A guard is added.
    Guard(String),
    /// A block's condition becomes a guard, and its routes stand alone.
    Unfold(Index),
    /// The lines change places.
    Reorder,
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        8 => (any::<Index>(), any::<bool>(), any::<Index>())
            .prop_map(|(nearly, back, at)| Edit::Reword { nearly, back, at }),
        1 => any::<Index>().prop_map(Edit::Drop),
        1 => any::<Index>().prop_map(Edit::Unguard),
        2 => generate::route().prop_map(Edit::Route),
        1 => generate::guard().prop_map(Edit::Guard),
        1 => any::<Index>().prop_map(Edit::Unfold),
        1 => Just(Edit::Reorder),
    ]
}

impl Edit {
    fn apply(&self, spec: &mut Spec) {
        match self {
            Edit::Reword { nearly, back, at } => {
                let (mut from, mut to) = *nearly.get(&NEARLY);
                if *back {
                    std::mem::swap(&mut from, &mut to);
                }
                let mut places: Vec<&mut String> = texts(spec)
                    .into_iter()
                    .filter(|text| text.contains(from))
                    .collect();
                if !places.is_empty() {
                    let place = at.index(places.len());
                    *places[place] = places[place].replace(from, to);
                }
            }
            Edit::Drop(at) => {
                if !spec.lines.is_empty() {
                    spec.lines.remove(at.index(spec.lines.len()));
                }
            }
            Edit::Unguard(at) => {
                if !spec.guards.is_empty() {
                    spec.guards.remove(at.index(spec.guards.len()));
                }
            }
            Edit::Route(route) => spec.lines.push(Line::Route(route.clone())),
            Edit::Guard(guard) => spec.guards.push(guard.clone()),
            Edit::Unfold(at) => unfold(spec, *at),
            Edit::Reorder => {
                spec.lines.reverse();
                spec.guards.reverse();
            }
        }
    }
}

fn texts(spec: &mut Spec) -> Vec<&mut String> {
    let lines = spec.lines.iter_mut().flat_map(|line| match line {
        Line::Route(route) => vec![route],
        Line::Under { head, routes } => std::iter::once(head).chain(routes).collect(),
    });
    lines.chain(&mut spec.guards).collect()
}

fn unfold(spec: &mut Spec, at: Index) {
    let blocks: Vec<usize> = spec
        .lines
        .iter()
        .enumerate()
        .filter(|(_, line)| matches!(line, Line::Under { .. }))
        .map(|(at, _)| at)
        .collect();
    if blocks.is_empty() {
        return;
    }
    let Line::Under { head, routes } = spec.lines.remove(blocks[at.index(blocks.len())]) else {
        return;
    };
    let (path, condition) = head
        .strip_prefix("under ")
        .and_then(|head| head.split_once(" requires "))
        .expect("a block has a path and a condition");
    spec.guards
        .push(format!("guard * {path}/** of shop requires {condition}"));
    for route in routes {
        let (methods, rest) = route.split_once(" /").expect("a path");
        let (below, access) = rest.split_once(' ').unwrap_or((rest, "authenticated"));
        spec.lines
            .push(Line::Route(format!("{methods} {path}/{below} {access}")));
    }
}

/// Requests that aren't printed in a failure: the message names the one that matters.
#[derive(Clone)]
pub struct Many<T>(pub Vec<T>);

impl<T> fmt::Debug for Many<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} requests", self.0.len())
    }
}

/// This many requests.
pub fn many<T: fmt::Debug>(
    one: impl Strategy<Value = T>,
    count: usize,
) -> impl Strategy<Value = Many<T>> {
    prop::collection::vec(one, count).prop_map(Many)
}

/// A policy before and after an edit.
#[derive(Clone)]
struct Pair {
    old: Spec,
    new: Spec,
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "--- old\n{}--- new\n{}",
            self.old.text(),
            self.new.text()
        )
    }
}

fn pairs() -> impl Strategy<Value = Pair> {
    (settled(), prop::collection::vec(edit(), 1..4)).prop_map(|(old, edits)| {
        let mut edited = old.clone();
        for edit in &edits {
            edit.apply(&mut edited);
        }
        Pair {
            new: Spec::settle(&edited, loads),
            old,
        }
    })
}

/// The faults of a difference, given requests.
fn wrong(
    old: &Policy,
    new: &Policy,
    difference: &Difference,
    requests: &[Asked],
) -> Result<(), String> {
    for change in &difference.changes {
        confirm(change, old, new)?;
        // A route counts as belonging to one policy alone if the other has no route with its name.
        let has = |policy: &Policy| {
            policy.model().apis.iter().any(|api| {
                api.routes
                    .iter()
                    .any(|route| Some(&route.name) == change.route.as_ref())
            })
        };
        let fits = match change.kind {
            Kind::Added => !has(old),
            Kind::Removed => !has(new),
            Kind::Changed => true,
        };
        if !fits {
            return Err(format!("both have it: {change:#?}"));
        }
    }
    for asked in requests {
        let (before, after) = (allows(old, asked), allows(new, asked));
        if before == after {
            continue;
        }
        let opposite = if after {
            Effect::Tightened
        } else {
            Effect::Loosened
        };
        let told = difference
            .changes
            .iter()
            .any(|change| change.route.is_some() && change.effect != opposite);
        if !told {
            return Err(format!(
                "allowed before: {before}, after: {after}, and not reported in {:#?}: {asked:?}",
                difference.changes
            ));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        // A failing case becomes a case of `tests/cases/diff`.
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn equal_is_what_no_request_tells_apart(
        pair in pairs(),
        requests in many(generate::asked(), 200),
    ) {
        let (old, new) = (policy(&[&pair.old.text()]), policy(&[&pair.new.text()]));
        let compared = analyze::diff(&old, &new, NOW);
        // Once in some thousands, a list is tested for a segment and for a part of it too.
        if let Err(failure) = &compared {
            prop_assume!(!failure.to_string().contains("parts of one segment with each other"));
        }
        let there = compared
            .map_err(|failure| TestCaseError::fail(format!("{failure}\n{pair:?}")))?;
        let back = analyze::diff(&new, &old, NOW)
            .map_err(|failure| TestCaseError::fail(format!("{failure}\n{pair:?}")))?;
        prop_assert_eq!(
            there.changes.is_empty(),
            back.changes.is_empty(),
            "equal in one direction only: {:#?} {:#?}", there, back
        );
        for (from, to, difference) in [(&old, &new, &there), (&new, &old, &back)] {
            if let Err(error) = wrong(from, to, difference, &requests.0) {
                return Err(TestCaseError::fail(format!("{error}\n{pair:?}")));
            }
        }
    }

    /// A different order is no difference, and neither is the policy itself.
    #[test]
    fn order_is_no_difference(spec in settled()) {
        let mut other = spec.clone();
        Edit::Reorder.apply(&mut other);
        let (before, after) = (policy(&[&spec.text()]), policy(&[&other.text()]));
        for (old, new) in [(&before, &after), (&before, &before)] {
            let difference = analyze::diff(old, new, NOW)
                .map_err(|failure| TestCaseError::fail(format!("{failure}\n{}", spec.text())))?;
            prop_assert!(difference.changes.is_empty(), "{difference:#?}\n{}", spec.text());
        }
    }
}
