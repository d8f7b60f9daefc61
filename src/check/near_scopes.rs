//! Scopes that look like typos of others.
//!
//! If an API lists its scopes, an unknown one is an error. Without a list, the only evidence is
//! that a scope is used once and differs from another by one letter.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher as _};

use rustc_hash::FxHashMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Api, Condition, Guard};
use crate::source::Span;

use super::out::Out;

/// The minimum length at which one different letter is likely a typo. `read:a` and `read:b` are two
/// scopes.
const SHORTEST: usize = 8;

/// Up to this many scopes, each is compared with each.
const FEW: usize = 16;

/// How many scopes may differ only in one letter at one place. More are an intentional series.
const MAX_ALIKE: usize = 32;

/// The maximum number of bytes of one additional letter.
const LONGEST_LETTER: usize = 4;

/// Warns about scopes that are used once in an API and are similar to another.
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
        // By place: one line may be several routes, and one `let` may be used many times.
        let mut used: FxHashMap<&str, Uses> = FxHashMap::default();
        for condition in api.conditions() {
            collect(condition, &mut used);
        }
        for condition in of_guards.remove(&number).unwrap_or_default() {
            collect(condition, &mut used);
        }
        check_one(&used, out);
    }
}

fn collect<'m>(condition: &'m Condition, used: &mut FxHashMap<&'m str, Uses>) {
    for (span, atom) in condition.atoms() {
        for scope in atom.scopes() {
            Uses::add(used, scope, span);
        }
    }
}

/// The uses of a scope.
struct Uses {
    first: Span,
    /// Whether it is used in other places too.
    several: bool,
}

impl Uses {
    fn add<'m>(used: &mut FxHashMap<&'m str, Uses>, scope: &'m str, place: Span) {
        used.entry(scope)
            .and_modify(|uses| {
                uses.several |= uses.first != place;
                uses.first = uses.first.min(place);
            })
            .or_insert(Uses {
                first: place,
                several: false,
            });
    }
}

fn check_one(used: &FxHashMap<&str, Uses>, out: &mut Out) {
    for (a, b) in near_pairs(used.keys().copied()) {
        let once = |scope: &str| {
            used.get(scope)
                .filter(|uses| !uses.several)
                .map(|uses| uses.first)
        };
        // If both are used once, either may be wrong, and one warning points at both.
        let (wrong, right, place) = match (once(a), once(b)) {
            (Some(place), None) => (a, b, place),
            (None, Some(place)) | (Some(_), Some(place)) => (b, a, place),
            (None, None) => continue,
        };
        let mut diagnostic = Diagnostic::new(
            Code::NearScope,
            place,
            format!("the scope `{wrong}` is used only once, and is similar to `{right}`"),
        )
        .help("list the API's scopes with `scopes \"…\"`, so that a wrong one is an error");
        if let Some(other) = used.get(right) {
            diagnostic = diagnostic.also(other.first, format!("`{right}` is used here"));
        }
        out.say(diagnostic);
    }
}

/// A scope, and the form in which it is compared.
struct Spelling<'s> {
    /// Its digits. Digits distinguish scopes on purpose, so only scopes with the same ones are
    /// compared.
    digits: String,
    folded: String,
    scope: &'s str,
}

/// The pairs of scopes that differ by one letter, or by the case of letters. They are sorted,
/// without duplicates, and the smaller scope comes first.
fn near_pairs<'s>(scopes: impl Iterator<Item = &'s str>) -> BTreeSet<(&'s str, &'s str)> {
    let mut spellings: Vec<Spelling> = scopes
        .filter(|scope| scope.len() >= SHORTEST)
        .map(|scope| Spelling {
            digits: scope.chars().filter(char::is_ascii_digit).collect(),
            folded: scope.to_lowercase(),
            scope,
        })
        .collect();
    spellings.sort_unstable_by(|a, b| (&a.digits, a.scope).cmp(&(&b.digits, b.scope)));
    let mut pairs = BTreeSet::new();
    for alike in spellings.chunk_by(|a, b| a.digits == b.digits) {
        if alike.len() <= FEW {
            add_near(alike.iter(), &mut pairs);
        } else {
            for few in by_shortened(alike) {
                add_near(few.into_iter(), &mut pairs);
            }
        }
    }
    pairs
}

/// Compares each with each.
fn add_near<'i, 's: 'i>(
    spellings: impl Iterator<Item = &'i Spelling<'s>> + Clone,
    pairs: &mut BTreeSet<(&'s str, &'s str)>,
) {
    let mut rest = spellings;
    while let Some(a) = rest.next() {
        for b in rest.clone() {
            if a.folded.len().abs_diff(b.folded.len()) <= LONGEST_LETTER
                && strsim::osa_distance(&a.folded, &b.folded) <= 1
            {
                pairs.insert((a.scope.min(b.scope), a.scope.max(b.scope)));
            }
        }
    }
}

/// Candidates for similar pairs among many scopes: two texts that differ by one letter become equal
/// if one letter is removed from the longer one, or from both. Only a hash of each shortened text
/// is kept, as there are more of them than letters in the policy. Texts with the same hash by
/// chance are compared in vain.
fn by_shortened<'i, 's>(spellings: &'i [Spelling<'s>]) -> Vec<Vec<&'i Spelling<'s>>> {
    let mut shortened: Vec<(u64, usize)> = Vec::new();
    let mut text = String::new();
    for (number, spelling) in spellings.iter().enumerate() {
        let folded = spelling.folded.as_str();
        shortened.push((digest(folded), number));
        for (at, character) in folded.char_indices() {
            let after = at + character.len_utf8();
            text.clear();
            text.push_str(folded.get(..at).unwrap_or_default());
            text.push_str(folded.get(after..).unwrap_or_default());
            shortened.push((digest(&text), number));
        }
    }
    shortened.sort_unstable();
    shortened.dedup();
    shortened
        .chunk_by(|a, b| a.0 == b.0)
        .filter(|alike| (2..=MAX_ALIKE).contains(&alike.len()))
        .map(|alike| {
            alike
                .iter()
                .filter_map(|(_, number)| spellings.get(*number))
                .collect()
        })
        .collect()
}

/// A hash without a random key, so that messages don't depend on chance.
fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(text.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_scope_is_the_same_by_index_and_by_comparison() {
        let word = |number: u32| -> String {
            (0..8)
                .map(|place| {
                    char::from(b'a' + (number.wrapping_mul(2_654_435_761) >> (3 * place)) as u8 % 5)
                })
                .collect()
        };
        let mut scopes: Vec<String> = (0..400)
            .map(|number| format!("{}:read", word(number)))
            .collect();
        scopes.extend([
            "Orders:read".to_owned(),
            "orders:read".to_owned(),
            "oders:read".to_owned(),
        ]);
        scopes.sort_unstable();
        scopes.dedup();
        let mut all = BTreeSet::new();
        for a in &scopes {
            for b in scopes.iter().filter(|b| a < *b) {
                if strsim::osa_distance(&a.to_lowercase(), &b.to_lowercase()) <= 1 {
                    all.insert((a.as_str(), b.as_str()));
                }
            }
        }
        assert!(all.len() > 10, "{}", all.len());
        assert_eq!(near_pairs(scopes.iter().map(String::as_str)), all);
    }
}
