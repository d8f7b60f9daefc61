//! Finds routes with the same requirements.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Access, ConditionKey, ConditionKeys, Own, Route};
use crate::source::Span;

/// The requirements of routes as keys, each computed once.
#[derive(Default)]
pub(super) struct Accesses {
    keys: ConditionKeys,
    known: RefCell<BTreeMap<(Span, String), BTreeSet<ConditionKey>>>,
}

impl Accesses {
    /// Whether two routes obviously have the same requirements.
    pub fn same(&self, a: &Route, b: &Route) -> bool {
        match (&a.access, &b.access) {
            (Access::Denied, Access::Denied) => true,
            (
                Access::Permitted {
                    demand: a_demand,
                    condition: a_condition,
                },
                Access::Permitted {
                    demand: b_demand,
                    condition: b_condition,
                },
            ) => {
                a_demand == b_demand
                    && a_condition.is_some() == b_condition.is_some()
                    && self.of(a) == self.of(b)
            }
            (Access::Denied, Access::Permitted { .. })
            | (Access::Permitted { .. }, Access::Denied) => false,
        }
    }

    fn of(&self, route: &Route) -> BTreeSet<ConditionKey> {
        let mut known = self.known.borrow_mut();
        let conjuncts = known
            .entry((route.span, route.name.clone()))
            .or_insert_with(|| match route.condition() {
                Some(condition) => self.keys.conjuncts(condition, &route.parameters, &Own),
                None => BTreeSet::new(),
            });
        conjuncts.clone()
    }
}
