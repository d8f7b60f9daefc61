//! "Did you mean": the nearest valid word.

/// The most candidates that are looked at, and the most of about the word's length that are compared
/// with it: a policy may have 20,000 unknown words, and as many that each could be meant for.
const MAX_CANDIDATES: usize = 2_000;
const MAX_COMPARED: usize = 300;

/// The candidate that `word` is a plausible typing error of, if there is one.
///
/// A third of the letters may differ, a swap of neighbours counting as one, and at least one but
/// never all of them: `as` is not taken for `is`. Case alone is no difference at all. Of equally
/// near ones the first is taken.
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
    fn a_typing_error_is_near_and_another_word_is_not() {
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
