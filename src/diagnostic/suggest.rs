//! "Did you mean": the nearest valid word.

/// The maximum number of candidates that are considered, and of similar length that are compared. A
/// policy may have 20,000 unknown words, and as many candidates for each.
const MAX_CANDIDATES: usize = 2_000;
const MAX_COMPARED: usize = 300;

/// The candidate that `word` is a plausible typo of, if there is one.
///
/// Up to a third of the letters may differ, where a swap of neighbours counts as one. At least one
/// may differ but never all of them: `as` is not taken for `is`. Differences in case don't count.
/// Of equally similar candidates, the first one wins.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let letters = lower.chars().count();
    candidates
        .into_iter()
        .take(MAX_CANDIDATES)
        .filter(|candidate| *candidate != word)
        .filter_map(|candidate| {
            let length = candidate.chars().count();
            let shorter = letters.min(length);
            let allowed = match shorter {
                0..=2 => 0,
                3..=5 => 1,
                _ => shorter / 3,
            };
            (letters.abs_diff(length) <= allowed).then_some((candidate, allowed))
        })
        .take(MAX_COMPARED)
        .filter_map(|(candidate, allowed)| {
            let distance = strsim::osa_distance(&lower, &candidate.to_lowercase());
            (distance <= allowed).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_typo_is_near_and_another_word_is_not() {
        let words = ["requires", "public", "denied", "in", "is", "read:orders"];
        for (typed, meant) in [
            ("require", Some("requires")),
            ("reuqires", Some("requires")),
            ("Public", Some("public")),
            ("read:order", Some("read:orders")),
            ("as", None),
            ("forbidden", None),
            ("public", None),
        ] {
            assert_eq!(nearest(typed, words), meant, "{typed}");
        }
    }
}
