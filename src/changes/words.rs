//! A change in words, for reports for people.

use crate::analyze::{Change, Difference, Effect, Kind, Verdict};

/// The changes in the order for a reviewer: first those that may loosen, last those that tighten,
/// otherwise unchanged.
pub fn by_weight(difference: &Difference) -> Vec<&Change> {
    let mut changes: Vec<&Change> = difference.changes.iter().collect();
    changes.sort_by_key(|change| weight(change));
    changes
}

/// The sort key of a change. Changes that a reviewer should see first have the smallest.
fn weight(change: &Change) -> u8 {
    match change.effect {
        Effect::Loosened => 0,
        Effect::Changed if change.may_loosen() => 1,
        Effect::Changed => 2,
        Effect::Tightened => 3,
    }
}

/// The number of changes by effect: `3 changes: 1 loosened, 2 tightened`.
pub fn count(changes: &[&Change]) -> String {
    let total = match changes.len() {
        1 => "1 change".to_owned(),
        several => format!("{several} changes"),
    };
    let effects: Vec<(usize, &str)> = [Effect::Loosened, Effect::Changed, Effect::Tightened]
        .into_iter()
        .map(|effect| {
            let of_it = changes.iter().filter(|change| change.effect == effect);
            (of_it.count(), effect.as_str())
        })
        .filter(|(count, _)| *count > 0)
        .collect();
    match effects.as_slice() {
        [(1, effect)] => format!("{total}, {effect}"),
        [(_, effect)] => format!("{total}, all {effect}"),
        several => {
            let each: Vec<String> = several
                .iter()
                .map(|(count, effect)| format!("{count} {effect}"))
                .collect();
            format!("{total}: {}", each.join(", "))
        }
    }
}

/// The effect of a change, as a sentence without capital and full stop. Codes of reasons and text
/// from a policy are in backticks.
pub fn sentence(change: &Change) -> String {
    let moved = match (change.old, change.new) {
        (Verdict::Deny(reason), Verdict::Allow) => {
            format!("a request is allowed that was denied by `{reason}`")
        }
        (Verdict::Allow, Verdict::Deny(reason)) => {
            format!("a request is denied by `{reason}` that was allowed")
        }
        (Verdict::Allow, Verdict::Allow) => "the application is told something else".to_owned(),
        (Verdict::Deny(_), Verdict::Deny(_)) => String::new(),
    };
    let also = match (change.effect, change.old.allows(), change.new.allows()) {
        (Effect::Changed, false, true) => "; another is denied that was allowed",
        (Effect::Changed, true, false) => "; another is allowed that was denied",
        _ => "",
    };
    let kind = match (change.kind, &change.route) {
        (Kind::Added, Some(_)) => "the route is new",
        (Kind::Removed, Some(_)) => "the route is gone",
        _ => "",
    };
    let about = change.about.as_deref().unwrap_or_default();
    // `about` already describes the forwarded or accepted values.
    let moved = if about.is_empty() || change.old != change.new {
        format!("{moved}{also}")
    } else {
        String::new()
    };
    let parts: Vec<&str> = [about, kind, &moved]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    parts.join("; ")
}

/// A verdict in a column: `allowed`, `denied by request.no_route`.
pub fn verdict(verdict: Verdict) -> String {
    match verdict {
        Verdict::Allow => "allowed".to_owned(),
        Verdict::Deny(reason) => format!("denied by {reason}"),
    }
}
