//! Scopes that look like typing errors of others.
//!
//! Where an API lists its scopes, a wrong one is an error. Where it does not, all that can be
//! seen is that one is used once and that another differs from it by a letter.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Access, Api, Atom, Condition, ConditionKind, Guard};
use crate::source::Span;

use super::out::Out;

/// How long a scope must be for one letter to be a likely error: `read:a` and `read:b` are two
/// scopes.
const SHORTEST: usize = 8;

/// Warns of scopes that are used once in an API and are near another.
pub(super) fn check(apis: &[Api], guards: &[Guard], out: &mut Out) {
    let mut of_guards: BTreeMap<u32, Vec<&Condition>> = BTreeMap::new();
    for guard in guards {
        if let Some(condition) = &guard.condition {
            of_guards.entry(guard.api.0).or_default().push(condition);
        }
    }
    for (number, api) in (0..).zip(apis) {
        if api.scopes.is_some() {
            continue;
        }
        // By where they are written: one line may be several routes, one `let` may be in many.
        let mut used: BTreeMap<&str, BTreeSet<Span>> = BTreeMap::new();
        for route in &api.routes {
            if let Access::Open {
                condition: Some(condition),
                ..
            } = &route.access
            {
                collect(condition, &mut used);
            }
        }
        for condition in of_guards.remove(&number).unwrap_or_default() {
            collect(condition, &mut used);
        }
        check_one(&used, out);
    }
}

fn collect<'m>(condition: &'m Condition, used: &mut BTreeMap<&'m str, BTreeSet<Span>>) {
    match &condition.kind {
        ConditionKind::And(conditions) | ConditionKind::Or(conditions) => {
            for condition in conditions {
                collect(condition, used);
            }
        }
        ConditionKind::Not(inner) => collect(inner, used),
        ConditionKind::Atom(Atom::ScopeAny(scopes) | Atom::ScopeAll(scopes)) => {
            for scope in scopes {
                used.entry(scope).or_default().insert(condition.span);
            }
        }
        ConditionKind::Atom(_) => {}
    }
}

fn check_one(used: &BTreeMap<&str, BTreeSet<Span>>, out: &mut Out) {
    // Two texts that differ by a letter are equal once one letter is left out of the longer, or
    // of both; so near ones are found by their shortened forms, and not by comparing all pairs.
    let mut by_shortened: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for scope in used.keys().filter(|scope| scope.len() >= SHORTEST) {
        let mut forms: BTreeSet<String> = BTreeSet::from([scope.to_lowercase()]);
        for (at, character) in scope.char_indices() {
            let mut form = scope.to_lowercase();
            if form.get(at..at + character.len_utf8()).is_some() {
                form.replace_range(at..at + character.len_utf8(), "");
            }
            forms.insert(form);
        }
        for form in forms {
            by_shortened.entry(form).or_default().push(scope);
        }
    }
    let mut pairs: BTreeSet<(&str, &str)> = BTreeSet::new();
    for near in by_shortened.values() {
        for (at, a) in near.iter().enumerate() {
            for b in near.iter().skip(at + 1) {
                let (a, b) = if a < b { (*a, *b) } else { (*b, *a) };
                if is_near(a, b) {
                    pairs.insert((a, b));
                }
            }
        }
    }
    for (a, b) in pairs {
        let once = |scope: &str| {
            used.get(scope)
                .filter(|places| places.len() == 1)
                .and_then(|places| places.first().copied())
        };
        // Of two that are used once either may be wrong; one warning points at both.
        let (wrong, right, place) = match (once(a), once(b)) {
            (Some(place), None) => (a, b, place),
            (None, Some(place)) | (Some(_), Some(place)) => (b, a, place),
            (None, None) => continue,
        };
        let mut diagnostic = Diagnostic::new(
            Code::NearScope,
            place,
            format!("the scope `{wrong}` is used once, and is near `{right}`"),
        )
        .help("list the API's scopes with `scopes \"…\"`, and a wrong one is an error");
        if let Some(other) = used.get(right).and_then(|places| places.first()) {
            diagnostic = diagnostic.also(*other, format!("`{right}` is used here"));
        }
        out.say(diagnostic);
    }
}

/// Whether two scopes differ by one letter, or by the case of letters; digits tell scopes apart
/// on purpose.
fn is_near(a: &str, b: &str) -> bool {
    let letters = |text: &str| -> String {
        text.to_lowercase()
            .chars()
            .filter(|character| !character.is_ascii_digit())
            .collect()
    };
    let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
    digits(a) == digits(b) && strsim::osa_distance(&letters(a), &letters(b)) <= 1
}
