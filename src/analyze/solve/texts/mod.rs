//! Strings that depend on each other: equality, prefixes and suffixes, membership in lists.
//!
//! Strings that must be equal form a class, which has to satisfy everything that its members must.
//! For each class some candidates are tried. If any string is possible, there is one more candidate
//! than there are classes, so that strings that must differ can. This is exact for equality and
//! lists. If a string is a prefix or suffix of another, or case is ignored, the candidates may not
//! cover everything. Then a failed search proves nothing, and reports no contradiction.

mod fitting;
mod search;

use std::collections::HashMap;

use super::super::domains::{Shape, related_values};
use super::super::limits::MAX_SEARCH_STEPS;
use super::super::vocabulary::{Relation, ValueId, View};
use super::{Conflict, Settled, Solver, Way, components};

use search::Search;

/// The texts that were found.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// The shape of each value.
    pub shapes: HashMap<ValueId, Shape>,
    /// The texts.
    pub values: HashMap<ValueId, String>,
    /// The elements that lists must also contain.
    pub held: HashMap<ValueId, Vec<String>>,
    /// The elements that lists must not contain.
    pub not_held: HashMap<ValueId, Vec<String>>,
}

/// The maximum number of candidates for one class.
const MAX_TRIED: usize = 64;

/// Finds texts that satisfy all relations.
pub(super) fn solve(
    solver: &Solver<'_>,
    way: &Way,
    relations: &[Settled<'_>],
) -> Result<Texts, Conflict> {
    let mut texts = Texts::default();
    let of_texts = |relation: &Relation| {
        !matches!(
            relation,
            Relation::SameNumber { .. } | Relation::HoldsNumber { .. }
        )
    };
    for component in components(relations, of_texts) {
        solve_component(solver, way, &component, &mut texts)?;
    }
    Ok(texts)
}

/// How a list is represented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ListAs {
    /// A list of this shape.
    Whole(Shape),
    /// A string that counts as a list of one.
    Alone,
    /// Empty.
    Empty,
}

fn solve_component(
    solver: &Solver<'_>,
    way: &Way,
    relations: &[Settled<'_>],
    texts: &mut Texts,
) -> Result<(), Conflict> {
    let mut lists: Vec<(ValueId, View)> = Vec::new();
    for (_, relation, _) in relations {
        if let Relation::Holds { list, view, .. } = relation
            && !lists.contains(&(*list, *view))
        {
            lists.push((*list, *view));
        }
    }
    let mut steps = 0;
    let mut unknown = None;
    let mut taken: Vec<ListAs> = Vec::new();
    if take_lists(
        solver,
        way,
        relations,
        &lists,
        &mut taken,
        &mut steps,
        &mut unknown,
        texts,
    ) {
        return Ok(());
    }
    if steps > MAX_SEARCH_STEPS {
        unknown = Some("too many texts are compared with each other");
    }
    if let Some(what) = unknown {
        return Err(Conflict::Unknown(what));
    }
    Err(Conflict::Of {
        values: relations
            .iter()
            .flat_map(|(_, relation, _)| related_values(relation))
            .collect(),
        relations: relations.iter().map(|(number, ..)| *number).collect(),
    })
}

/// Tries every representation of the lists.
#[expect(
    clippy::too_many_arguments,
    reason = "the state of a search, passed down as it is"
)]
fn take_lists(
    solver: &Solver<'_>,
    way: &Way,
    relations: &[Settled<'_>],
    lists: &[(ValueId, View)],
    taken: &mut Vec<ListAs>,
    steps: &mut usize,
    unknown: &mut Option<&'static str>,
    texts: &mut Texts,
) -> bool {
    let Some((list, view)) = lists.get(taken.len()) else {
        let as_lists: HashMap<(ValueId, View), ListAs> =
            lists.iter().copied().zip(taken.iter().copied()).collect();
        return Search::new(solver, way, relations, as_lists).run(steps, unknown, texts);
    };
    let shapes = solver
        .domains
        .values
        .get(*list)
        .map(|domain| way.shapes(domain))
        .unwrap_or_default();
    let mut ways: Vec<ListAs> = Vec::new();
    for shape in shapes {
        let way = match shape {
            Shape::Elements if view.reads_elements() => ListAs::Whole(shape),
            Shape::Scopes if *view == View::Scopes => ListAs::Whole(shape),
            Shape::Object if *view == View::Keys => ListAs::Whole(shape),
            Shape::Text(_) if view.reads_words() => ListAs::Whole(shape),
            Shape::Text(_) if *view == View::Texts => ListAs::Alone,
            Shape::Empty if view.reads_elements() => ListAs::Empty,
            _ => continue,
        };
        if !ways.contains(&way) {
            ways.push(way);
        }
    }
    // A proper list restricts the search least.
    ways.sort_by_key(|way| match way {
        ListAs::Whole(Shape::Elements | Shape::Object | Shape::Scopes) => 0,
        ListAs::Whole(_) => 1,
        ListAs::Alone => 2,
        ListAs::Empty => 3,
    });
    for one in ways {
        taken.push(one);
        if take_lists(solver, way, relations, lists, taken, steps, unknown, texts) {
            return true;
        }
        taken.pop();
    }
    false
}
