//! Paths that two policies read differently.
//!
//! Slashes in segments and matrix parameters, which only one policy may accept, are compared
//! exactly. If only one policy ignores case, some paths are tried. If none of them shows a
//! difference, that is not a proof, and the comparison says so.

use serde_json::Map;

use crate::model::Api;
use crate::pattern::{PathPattern, SegmentPattern};

use super::super::change::{Failure, Witness};
use super::super::compare::{Paths, Region, Wanted};
use super::aspect::Aspect;
use super::{Shown, Trial, allowed, decide, only, settings};

/// A kind of path that policies may read differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathKind {
    /// A path with a slash in a segment.
    Slash,
    /// A path with matrix parameters.
    Matrix,
    /// A path with letters in another case, or with letters whose case applications disagree about.
    Case,
}

/// Compares how two APIs read paths.
pub(super) fn aspect<'m>(old: &Api, new: &Api) -> Option<Aspect<'m>> {
    if old.paths == new.paths {
        return None;
    }
    let mut aspect = Aspect::new(
        format!(
            "how paths are read: {} became {}",
            settings::path_options(old),
            settings::path_options(new)
        ),
        Vec::new(),
    );
    for (side, own, other) in [(0, old, new), (1, new, old)] {
        let (reads, refuses) = (own.paths, other.paths);
        let mut add = |kind| aspect.trials.push(Trial::Path { side, kind });
        if reads.allow_encoded_slash && !refuses.allow_encoded_slash {
            add(PathKind::Slash);
        }
        if reads.allow_matrix_parameters && !refuses.allow_matrix_parameters {
            add(PathKind::Matrix);
        }
        if reads.case_insensitive != refuses.case_insensitive {
            add(PathKind::Case);
            if may_differ_by_case(own) {
                let limit = format!("{}, of which only some paths could be tried", aspect.about);
                aspect.doubts.insert(only(side), limit);
            }
        }
    }
    Some(aspect)
}

/// Whether an API may allow a path that its routes don't name literally and that the other API,
/// which treats case differently, denies.
///
/// An API that ignores case matches literals in capitals, and its conditions see them in lower
/// case. One that doesn't ignore case matches letters of any case where its routes have a
/// parameter.
fn may_differ_by_case(api: &Api) -> bool {
    let is_any = |segment: &SegmentPattern| *segment == SegmentPattern::Any;
    let is_literal = |segment: &SegmentPattern| segment.literal().is_some();
    api.routes.iter().any(|route| {
        let mut segments = route.path.segments.iter();
        if api.paths.case_insensitive {
            !route.parameters.is_empty() || !segments.all(is_any)
        } else {
            route.path.rest || !segments.all(is_literal)
        }
    })
}

/// Looks in a region for a path of this kind that only one policy allows.
pub(super) fn run(
    region: &Region<'_, '_>,
    side: usize,
    kind: PathKind,
) -> Result<Option<Shown>, Failure> {
    if region.denies(side) {
        return Ok(None);
    }
    let looked_at: Vec<Option<Paths>> = match kind {
        PathKind::Slash => open_segments(region.path)
            .map(|at| Some(Paths::Slashed(at)))
            .collect(),
        PathKind::Matrix | PathKind::Case if region.path.rest => {
            vec![None, Some(Paths::With(region.path.segments.len()))]
        }
        PathKind::Matrix | PathKind::Case => vec![None],
    };
    let change: fn(Witness) -> Vec<Witness> = match kind {
        PathKind::Slash => |witness| vec![witness],
        PathKind::Matrix => with_matrix_parameter,
        PathKind::Case => in_other_cases,
    };
    let cases = region.cases();
    for paths in looked_at {
        let region = Region { paths, ..*region };
        for case in std::iter::once(None).chain(cases.iter().map(Some)) {
            let Some(found) = allowed(&region, case, &Map::new(), Wanted::One(side))? else {
                continue;
            };
            for witness in change(found.witness) {
                let shown = Shown::of(decide(&region, witness));
                if let Some(shown) = shown.filter(|shown| shown.effect == only(side)) {
                    return Ok(Some(shown));
                }
            }
        }
    }
    Ok(None)
}

/// The segments that more than one text matches.
fn open_segments(path: &PathPattern) -> impl Iterator<Item = usize> {
    let segments = path.segments.iter().enumerate();
    segments
        .filter(|(_, segment)| segment.literal().is_none())
        .map(|(at, _)| at)
        .chain(path.rest.then_some(path.segments.len()))
}

fn path_and_query(target: &str) -> (&str, &str) {
    target
        .find('?')
        .and_then(|at| target.split_at_checked(at))
        .unwrap_or((target, ""))
}

fn with_matrix_parameter(witness: Witness) -> Vec<Witness> {
    let (path, query) = path_and_query(&witness.target);
    let target = format!("{path};a=1{query}");
    vec![Witness { target, ..witness }]
}

/// `ſ`, whose upper case is `S`.
const CONTESTED: (char, &str) = ('\u{17f}', "%C5%BF");

/// The request with its segments in capitals, all at once or one at a time, and with one that ends
/// in a letter of disputed case. Claims equal to that segment are changed with it.
fn in_other_cases(witness: Witness) -> Vec<Witness> {
    let (path, query) = path_and_query(&witness.target);
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let joined = |segments: &[String]| format!("/{}{query}", segments.join("/"));
    let all: Vec<String> = segments
        .iter()
        .map(|segment| in_capitals(segment))
        .collect();
    let mut changed = vec![Witness {
        target: joined(&all),
        ..witness.clone()
    }];
    for (at, segment) in segments.iter().enumerate() {
        let with = |text: String| {
            let mut own: Vec<String> = segments.iter().map(|&one| one.to_owned()).collect();
            if let Some(own) = own.get_mut(at) {
                *own = text;
            }
            joined(&own)
        };
        let (letter, escaped) = CONTESTED;
        for (path, claim) in [
            (in_capitals(segment), segment.to_ascii_uppercase()),
            (format!("{segment}{escaped}"), format!("{segment}{letter}")),
        ] {
            let target = with(path);
            let claims = witness
                .claims
                .as_ref()
                .map(|claims| claims.replace(&format!("\"{segment}\""), &format!("\"{claim}\"")));
            changed.push(Witness {
                target: target.clone(),
                ..witness.clone()
            });
            changed.push(Witness {
                target,
                claims,
                ..witness.clone()
            });
        }
    }
    changed
}

/// A segment in capitals, except for its escapes.
fn in_capitals(segment: &str) -> String {
    let mut escaped = 0_u8;
    segment
        .chars()
        .map(|character| {
            if character == '%' {
                escaped = 4;
            }
            escaped = escaped.saturating_sub(1);
            if escaped > 0 {
                character
            } else {
                character.to_ascii_uppercase()
            }
        })
        .collect()
}
