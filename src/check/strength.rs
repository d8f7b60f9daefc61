//! Finds out, exactly, which of two routes requires less: the one that allows everything the other
//! would, and more.
//!
//! Guards count where they match. They apply whichever route is chosen, so routes needn't repeat
//! their conditions.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use crate::analyze::condition::{Rule, Side, Subject, allows_more};
use crate::analyze::limits::MAX_STUDY_STEPS;
use crate::analyze::plain::{Reader, Sight};
use crate::model::{
    Access, Api, Condition, ConditionKey, ConditionKeys, Demand, Model, Own, Route,
};
use crate::pattern::index::Budget;
use crate::pattern::{MethodSet, PathPattern};
use crate::settings::PathParameter;

use super::guard_index::Guards;

/// Compares routes of a policy.
pub(super) struct Strength<'m> {
    model: &'m Model,
    budget: Budget,
    keys: ConditionKeys,
    known: RefCell<HashMap<Question, bool>>,
}

/// Requests that some routes of one API match together.
pub(super) struct Answered<'m> {
    /// The routes; all apply.
    pub routes: Vec<&'m Route>,
    /// The requests' paths.
    pub path: PathPattern,
}

/// A question about strength. Equal questions have the same answer.
#[derive(PartialEq, Eq, Hash)]
struct Question {
    api: String,
    methods: MethodSet,
    sides: [AskedKey; 2],
}

/// The key of the requirements on some requests.
#[derive(PartialEq, Eq, Hash)]
struct AskedKey {
    demand: Demand,
    denied: bool,
    conjuncts: BTreeSet<ConditionKey>,
    /// The requests' paths, if a condition reads them.
    path: Option<PathPattern>,
}

/// The requirements on some requests.
struct Asked<'m> {
    demand: Demand,
    denied: bool,
    rules: Vec<(Rule<'m>, &'m Condition)>,
}

impl<'m> Strength<'m> {
    pub fn new(model: &'m Model) -> Strength<'m> {
        Strength {
            model,
            budget: Budget::new(MAX_STUDY_STEPS),
            keys: ConditionKeys::default(),
            known: RefCell::default(),
        }
    }

    /// Whether requests with these methods need less with these routes than with the other ones.
    /// False if that can't be determined.
    pub fn is_weaker(
        &self,
        api: &Api,
        guards: &Guards<'m>,
        methods: MethodSet,
        weaker: &Answered<'m>,
        stronger: &Answered<'m>,
        budget: &Budget,
    ) -> bool {
        let more = asked(guards, methods, weaker, budget);
        let less = asked(guards, methods, stronger, budget);
        if more.denied {
            return false;
        }
        if !less.denied {
            if more.demand > less.demand {
                return false;
            }
            if less.rules.is_empty() && (more.demand == less.demand || !more.rules.is_empty()) {
                return false;
            }
            if self.asks_for_something_else(api, &more, &less, &stronger.path) {
                return false;
            }
        }
        let sides = [(&more, weaker), (&less, stronger)];
        let question = Question {
            api: api.name.clone(),
            methods,
            sides: sides.map(|(asked, answered)| self.key(asked, answered)),
        };
        if let Some(known) = self.known.borrow().get(&question) {
            return *known;
        }
        let subject = Subject {
            model: self.model,
            api,
            methods,
        };
        let side = |asked: Asked<'m>, region| Side {
            demand: asked.demand,
            denied: asked.denied,
            region,
            rules: asked.rules,
        };
        let is_weaker = allows_more(
            subject,
            &side(more, &weaker.path),
            &side(less, &stronger.path),
            &self.budget,
        )
        .unwrap_or(false);
        self.known.borrow_mut().insert(question, is_weaker);
        is_weaker
    }

    fn key(&self, asked: &Asked<'m>, answered: &Answered<'m>) -> AskedKey {
        let rules = asked.rules.iter();
        let mut reads = rules.clone().map(|(_, condition)| *condition);
        AskedKey {
            demand: asked.demand,
            denied: asked.denied,
            path: reads.any(reads_path).then(|| answered.path.clone()),
            conjuncts: rules
                .flat_map(|(rule, condition)| self.keys.conjuncts(condition, rule.parameters, &Own))
                .collect(),
        }
    }

    /// Whether one of two routes obviously has a condition on something that the other never reads.
    /// The other is examined for paths that determine what it reads of them, and with that its
    /// condition.
    fn asks_for_something_else(
        &self,
        api: &Api,
        more: &Asked<'m>,
        less: &Asked<'m>,
        path: &PathPattern,
    ) -> bool {
        let reader = Reader::new(self.model, api);
        let mut others = Sight::default();
        let mut free = true;
        for (rule, condition) in &less.rules {
            free = free && (rule.path == path || !reads_path(condition));
            for part in condition.conjuncts() {
                let mut own = Sight::default();
                free = reader.sees(*rule, part, &mut own) && free;
                others.add(own);
            }
        }
        free && more.rules.iter().any(|(rule, condition)| {
            condition.conjuncts().any(|part| {
                let mut own = Sight::default();
                reader.sees(*rule, part, &mut own) && own.is_apart(&others)
            })
        })
    }
}

/// All conditions that must be true for requests to be allowed.
fn asked<'m>(
    guards: &Guards<'m>,
    methods: MethodSet,
    answered: &Answered<'m>,
    budget: &Budget,
) -> Asked<'m> {
    let mut asked = Asked {
        demand: Demand::None,
        denied: false,
        rules: Vec::new(),
    };
    let demands = answered.routes.iter().map(|route| route.demand());
    let demand = demands.max().unwrap_or(Demand::None);
    for route in &answered.routes {
        match &route.access {
            Access::Denied => asked.denied = true,
            Access::Permitted { demand, condition } => {
                asked.demand = asked.demand.max(*demand);
                if let Some(condition) = condition {
                    asked
                        .rules
                        .push((rule(&route.path, &route.parameters), condition));
                }
            }
        }
    }
    for guard in guards.around(methods, &answered.path, demand, budget) {
        match &guard.condition {
            Some(condition) => asked
                .rules
                .push((rule(&guard.path, &guard.parameters), condition)),
            None => asked.denied = true,
        }
    }
    asked
}

fn rule<'m>(path: &'m PathPattern, parameters: &'m [PathParameter]) -> Rule<'m> {
    Rule { path, parameters }
}

/// Whether a condition reads the path of a request.
pub(super) fn reads_path(condition: &Condition) -> bool {
    condition.atoms().any(|(_, atom)| atom.reads_path())
}
