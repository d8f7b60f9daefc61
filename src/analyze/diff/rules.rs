//! The rules of both policies for the paths of a region.

use crate::model::Guard;
use crate::pattern::index::Budget;
use crate::pattern::{Method, MethodSet, PathPattern};

use super::super::group::{Group, Ruling};

/// The routes that contain a region and the guards that match some of it.
pub(super) struct Rules<'g, 'p> {
    groups: [&'g Group<'p>; 2],
    around: [Vec<usize>; 2],
    guards: [Vec<(&'p Guard, bool)>; 2],
}

impl<'g, 'p> Rules<'g, 'p> {
    /// Finds them; `None` if the search takes too long.
    pub(super) fn of(
        groups: [&'g Group<'p>; 2],
        path: &PathPattern,
        budget: &Budget,
    ) -> Option<Rules<'g, 'p>> {
        let rules = Rules {
            groups,
            around: groups.map(|group| group.around(path, budget)),
            guards: groups.map(|group| group.tightening(path, budget)),
        };
        (!budget.is_exhausted()).then_some(rules)
    }

    /// The sets of methods of these rules, and these others.
    pub(super) fn methods(&self, others: &[MethodSet]) -> Vec<MethodSet> {
        let mut sets = others.to_vec();
        for (group, around) in self.groups.iter().zip(&self.around) {
            let routes = around.iter().filter_map(|at| group.routes.get(*at));
            sets.extend(routes.map(|(_, route)| route.methods));
        }
        sets.extend(self.guards.iter().flatten().map(|(guard, _)| guard.methods));
        sets.sort_unstable();
        sets.dedup();
        sets
    }

    /// The guards that deny preflights, given the rulings for `OPTIONS` and for the requested
    /// method.
    pub(super) fn denied_preflights(
        &self,
        own: &[Option<Ruling<'p>>; 2],
        asked: &[Option<Ruling<'p>>; 2],
    ) -> [Vec<(&'p Guard, bool)>; 2] {
        [0, 1].map(|side: usize| {
            let of = |rulings: &'_ [Option<Ruling<'p>>; 2]| rulings.get(side)?.clone();
            let (Some(group), Some(guards), Some(asked)) =
                (self.groups.get(side), self.guards.get(side), of(asked))
            else {
                return Vec::new();
            };
            group.denied_preflights(guards, of(own).as_ref(), &asked)
        })
    }

    /// The rulings for one method.
    pub(super) fn rulings(&self, method: Method) -> [Option<Ruling<'p>>; 2] {
        let [old, new] = self.groups;
        let [old_around, new_around] = &self.around;
        let [old_guards, new_guards] = &self.guards;
        [
            old.ruling(old_around, old_guards, method),
            new.ruling(new_around, new_guards, method),
        ]
    }
}
