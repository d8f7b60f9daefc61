//! The intersection of two path patterns, as patterns.

use super::{PathPattern, SegmentPattern};

/// The maximum number of patterns in an intersection. More need several segments that each combine
/// a prefix of one pattern with a suffix of the other.
pub const MAX_MEETINGS: usize = 64;

/// Patterns that together match exactly the paths that both match.
pub fn meet(a: &PathPattern, b: &PathPattern) -> Vec<PathPattern> {
    if a.common(b).is_none() {
        return Vec::new();
    }
    let length = a.segments.len().max(b.segments.len());
    let mut meetings = vec![PathPattern {
        segments: Vec::with_capacity(length),
        rest: a.rest && b.rest,
    }];
    for at in 0..length {
        let segments = match (a.segments.get(at), b.segments.get(at)) {
            (Some(a), Some(b)) => meet_segments(a, b),
            (Some(one), None) | (None, Some(one)) => vec![one.clone()],
            (None, None) => Vec::new(),
        };
        meetings = meetings
            .iter()
            .flat_map(|begun| {
                segments.iter().map(|segment| {
                    let mut longer = begun.clone();
                    longer.segments.push(segment.clone());
                    longer
                })
            })
            // The caller gives up at this number, so a truncated list is never taken for a complete
            // one.
            .take(MAX_MEETINGS)
            .collect();
    }
    meetings
}

fn meet_segments(a: &SegmentPattern, b: &SegmentPattern) -> Vec<SegmentPattern> {
    if a.contains(b) {
        return vec![b.clone()];
    }
    if b.contains(a) {
        return vec![a.clone()];
    }
    let (
        SegmentPattern::Mixed {
            prefix: a_prefix,
            suffix: a_suffix,
        },
        SegmentPattern::Mixed {
            prefix: b_prefix,
            suffix: b_suffix,
        },
    ) = (a, b)
    else {
        return Vec::new();
    };
    let longer = |a: &str, b: &str| {
        if a.len() >= b.len() {
            a.to_owned()
        } else {
            b.to_owned()
        }
    };
    let prefix = longer(a_prefix, b_prefix);
    let suffix = longer(a_suffix, b_suffix);
    // The intersection of `v{x}` and `{y}.csv` is `v{z}.csv` and `v.csv`: the prefix of one and the
    // suffix of the other may touch, or share characters.
    let touching: Vec<SegmentPattern> = (0..=prefix.len().min(suffix.len()))
        .filter_map(|shared| {
            let (kept, tail) = prefix.split_at_checked(prefix.len() - shared)?;
            suffix.starts_with(tail).then(|| format!("{kept}{suffix}"))
        })
        .filter(|text| a.matches(text) && b.matches(text))
        .map(SegmentPattern::Literal)
        .collect();
    let apart = SegmentPattern::Mixed { prefix, suffix };
    std::iter::once(apart).chain(touching).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mixed(prefix: &str, suffix: &str) -> SegmentPattern {
        SegmentPattern::Mixed {
            prefix: prefix.into(),
            suffix: suffix.into(),
        }
    }

    #[test]
    fn a_prefix_and_a_suffix_meet_also_where_they_touch() {
        assert_eq!(
            meet_segments(&mixed("v", ""), &mixed("", ".csv")),
            [mixed("v", ".csv"), SegmentPattern::Literal("v.csv".into())]
        );
        assert_eq!(
            meet_segments(&mixed("aba", "c"), &mixed("a", "bac")),
            [
                mixed("aba", "bac"),
                SegmentPattern::Literal("ababac".into()),
            ],
            "but not in `abac`, which leaves the first nothing"
        );
    }
}
