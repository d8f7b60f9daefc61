//! Two policies, and what is different in meaning: as data, through the library.
//!
//! A file of `tests/cases/diff` holds cases:
//!
//! ```text
//! == NAME
//! the old policy
//! --- new
//! the new policy
//! --- equal
//! ```
//!
//! or, in place of the last line, `--- changes` and a line for each: `[added|removed] EFFECT ROUTE`,
//! or `EFFECT about WORDS` for one that is not a route's, whose sentence has these words. Lines of a
//! policy that are indented stand in the API of `common.gate`, others beside it; in a file that says
//! `whole` before its first case, policies are whole.
//!
//! Each pair is compared the other way round too, and each request that shows a change is decided
//! again by both policies.

mod bounded;

use std::path::{Path, PathBuf};

use portcullis::analyze::{self, Change, Effect, Kind};
use portcullis::engine::Policy;

use crate::support::policy::compiled;

/// 2026-01-01T00:00:00Z.
pub const NOW: f64 = 1_767_225_600.0;

struct Case {
    place: String,
    old: String,
    new: String,
    changes: Vec<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/diff")
}

/// A policy of a case, with what all share.
fn whole(common: &str, text: &str) -> String {
    let (mut beside, mut within) = (String::new(), String::new());
    for line in text.lines() {
        let part = if line.starts_with(' ') {
            &mut within
        } else {
            &mut beside
        };
        part.push_str(line);
        part.push('\n');
    }
    format!("{common}{beside}api shop {{\n{within}}}\n")
}

fn cases(path: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(path).expect("a file of cases");
    let common = std::fs::read_to_string(folder().join("common.gate")).expect("common.gate");
    let name = path.file_name().expect("a name").to_string_lossy();
    let (head, rest) = text.split_once("\n== ").expect("a case");
    let is_whole = head.lines().any(|line| line == "whole");
    let policy = |text: &str| {
        if is_whole {
            text.to_owned()
        } else {
            whole(&common, text)
        }
    };
    rest.split("\n== ")
        .map(|case| {
            let (title, body) = case.split_once('\n').expect("a title");
            let place = format!("{name}: {title}");
            let (policies, wanted) = match body.split_once("--- equal") {
                Some((policies, _)) => (policies, ""),
                None => body
                    .split_once("--- changes\n")
                    .unwrap_or_else(|| panic!("{place}: no expectation")),
            };
            let (old, new) = policies
                .split_once("--- new\n")
                .unwrap_or_else(|| panic!("{place}: no new policy"));
            Case {
                place,
                old: policy(old),
                new: policy(new),
                changes: wanted
                    .lines()
                    .filter(|line| !line.is_empty())
                    .map(str::to_owned)
                    .collect(),
            }
        })
        .collect()
}

/// A change in the form that cases use.
fn shown(change: &Change) -> String {
    let kind = match change.kind {
        Kind::Changed => "",
        Kind::Added => "added ",
        Kind::Removed => "removed ",
    };
    let what = change.route.as_deref().unwrap_or("about");
    format!("{kind}{} {what}", change.effect.as_str())
}

/// The same change, in the other direction.
fn reversed(wanted: &str) -> String {
    wanted
        .split(' ')
        .enumerate()
        .map(|(at, word)| match word {
            "added" if at == 0 => "removed",
            "removed" if at == 0 => "added",
            "loosened" if at < 2 => "tightened",
            "tightened" if at < 2 => "loosened",
            word => word,
        })
        .collect::<Vec<_>>()
        .join(" ")
}

fn is(change: &Change, wanted: &str) -> bool {
    match wanted.split_once(" about ") {
        Some((effect, words)) => {
            shown(change) == format!("{effect} about")
                && change
                    .about
                    .as_ref()
                    .is_some_and(|about| about.contains(words))
        }
        None => shown(change) == wanted,
    }
}

/// The faults of a comparison.
fn compare(old: &Policy, new: &Policy, wanted: &[String]) -> Result<(), String> {
    let difference = analyze::diff(old, new, NOW).map_err(|failure| failure.to_string())?;
    let mut changes: Vec<&Change> = difference.changes.iter().collect();
    for wanted in wanted {
        let at = changes
            .iter()
            .position(|change| is(change, wanted))
            .ok_or_else(|| format!("no `{wanted}` in {:#?}", difference.changes))?;
        let change = changes.remove(at);
        confirm(change, old, new)?;
    }
    if changes.is_empty() {
        Ok(())
    } else {
        Err(format!("not expected: {changes:#?}"))
    }
}

/// Checks that a change's request shows the change.
pub fn confirm(change: &Change, old: &Policy, new: &Policy) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("{what}: {change:#?}"));
    if change.route.is_some() == change.about.is_some() {
        return wrong("a change is one of a route or says what it is about");
    }
    let Some(witness) = &change.witness else {
        return if change.route.is_some() {
            wrong("nothing shows it")
        } else {
            Ok(())
        };
    };
    let (before, after) = (witness.decide(old), witness.decide(new));
    if (before.verdict, after.verdict) != (change.old, change.new) {
        return wrong(&format!("the witness says {before:?} and {after:?}"));
    }
    let in_its_direction = match (change.old.allows(), change.new.allows()) {
        (false, true) => change.effect != Effect::Tightened,
        (true, false) => change.effect != Effect::Loosened,
        // The answer to the application or the browser differs.
        (true, true) | (false, false) => change.about.is_some(),
    };
    if !in_its_direction {
        return wrong("the witness shows something else");
    }
    Ok(())
}

fn run(name: &str) {
    let mut count = 0;
    let mut wrong = Vec::new();
    for case in cases(&folder().join(name)) {
        count += 1;
        let (old, new) = (compiled(&case.old), compiled(&case.new));
        if let Err(error) = compare(&old, &new, &case.changes) {
            wrong.push(format!("{}: {error}", case.place));
        }
        let back: Vec<String> = case.changes.iter().map(|wanted| reversed(wanted)).collect();
        if let Err(error) = compare(&new, &old, &back) {
            wrong.push(format!("{}, the other way round: {error}", case.place));
        }
        for (side, policy) in [("old", &old), ("new", &new)] {
            if let Err(error) = compare(policy, policy, &[]) {
                wrong.push(format!(
                    "{}, the {side} one against itself: {error}",
                    case.place
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(count > 20, "{name} was not found");
}

#[test]
fn rewrites() {
    run("rewrites.cases");
}

#[test]
fn conditions() {
    run("conditions.cases");
}

#[test]
fn routes() {
    run("routes.cases");
}

#[test]
fn policies() {
    run("policies.cases");
}

/// A request whose headers differ is found even if two claims of the same type swap places.
#[test]
fn other_headers_are_shown() {
    let with = |claim: &str, header: &str| {
        compiled(&format!(
            r#"issuer main {{ url "https://issuer.example/" claims {{ a string b string }} }}
            api shop {{ issuer main audience "shop" GET /a authenticated forward {claim} as "{header}" }}"#
        ))
    };
    let old = with("a", "x-user");
    for new in [with("b", "x-user"), with("a", "x-person")] {
        let difference = analyze::diff(&old, &new, NOW).expect("simple enough");
        let [change] = difference.changes.as_slice() else {
            panic!("{difference:#?}");
        };
        let witness = change.witness.as_ref().expect("a request");
        assert_ne!(witness.decide(&old).headers, witness.decide(&new).headers);
    }
}

/// Where the range of a time ends depends on the clock, and the clock is rarely at a whole second.
#[test]
fn a_fraction_of_a_second_changes_nothing() {
    let with = |access: &str| {
        compiled(&format!(
            r#"issuer main {{ url "https://issuer.example/" }}
            api shop {{ issuer main audience "shop" GET /a {access} }}"#
        ))
    };
    let (old, new) = (with("denied"), with("requires login within 15m"));
    let at_whole = analyze::diff(&old, &new, NOW).expect("simple enough");
    for step in 1..200 {
        let difference = analyze::diff(&old, &new, NOW + f64::from(step) / 200.0)
            .unwrap_or_else(|failure| panic!("{step}: {failure}"));
        assert_eq!(format!("{difference:?}"), format!("{at_whole:?}"));
    }
}
