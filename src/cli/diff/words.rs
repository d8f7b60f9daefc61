//! A change in words, for the reports that people read.

use crate::analyze::{Change, Effect, Kind, Verdict};

/// What a reviewer should see first has the least.
pub fn weight(change: &Change) -> u8 {
    match change.effect {
        Effect::Loosened => 0,
        Effect::Changed if change.may_loosen() => 1,
        Effect::Changed => 2,
        Effect::Tightened => 3,
    }
}

/// How many changes there are, by effect: `3 changes: 1 loosened, 2 tightened`.
pub fn count(changes: &[&Change]) -> String {
    let total = match changes.len() {
        1 => "1 change".to_owned(),
        several => format!("{several} changes"),
    };
    let effects: Vec<String> = [Effect::Loosened, Effect::Changed, Effect::Tightened]
        .into_iter()
        .filter_map(|effect| {
            let of_it = changes
                .iter()
                .filter(|change| change.effect == effect)
                .count();
            (of_it > 0).then(|| format!("{of_it} {}", effect.as_str()))
        })
        .collect();
    format!("{total}: {}", effects.join(", "))
}

/// What a change does, in one sentence without a beginning and an end. Codes of reasons and what a
/// policy says stand in backticks.
pub fn sentence(change: &Change) -> String {
    let moved = match (change.old, change.new) {
        (Verdict::Deny(reason), Verdict::Allow) => {
            format!("what was denied by `{reason}` is allowed")
        }
        (Verdict::Allow, Verdict::Deny(reason)) => {
            format!("what was allowed is denied by `{reason}`")
        }
        (Verdict::Allow, Verdict::Allow) => {
            "the same is allowed, and the application is told something else".to_owned()
        }
        (Verdict::Deny(_), Verdict::Deny(_)) => String::new(),
    };
    let also = match (change.effect, change.old.allows(), change.new.allows()) {
        (Effect::Changed, false, true) => ", and something else that was allowed is denied",
        (Effect::Changed, true, false) => ", and something else that was denied is allowed",
        _ => "",
    };
    let kind = match (change.kind, &change.route) {
        (Kind::Added, Some(_)) => "the route is new",
        (Kind::Removed, Some(_)) => "the route is gone",
        _ => "",
    };
    let about = change.about.as_deref().unwrap_or_default();
    // What is forwarded or accepted instead is said by `about` already.
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

/// What a policy says, for a column: `allowed`, `denied by request.no_route`.
pub fn verdict(verdict: Verdict) -> String {
    match verdict {
        Verdict::Allow => "allowed".to_owned(),
        Verdict::Deny(reason) => format!("denied by {reason}"),
    }
}
