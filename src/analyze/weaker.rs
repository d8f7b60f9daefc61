//! Which of two rules requires less.

use crate::engine;
use crate::model::Condition;
use crate::pattern::PathPattern;
use crate::pattern::index::Budget;
use crate::settings::{Demand, PathParameter};

use super::atoms::Rule;
use super::bdd::Function;
use super::diagram::Diagrams;
use super::world::{Side, Subject, TooComplex, World, methods, tokens};

/// Whether what one side allows, the other allows as well, and some more.
pub fn allows_more(
    subject: Subject<'_>,
    more: &Side<'_>,
    less: &Side<'_>,
    budget: &Budget,
) -> Result<bool, TooComplex> {
    let folded = if subject.api.paths.case_insensitive {
        [more, less].map(Folded::new).to_vec()
    } else {
        Vec::new()
    };
    let sides: Vec<Side<'_>> = folded.iter().map(Folded::side).collect();
    let (more, less) = match sides.as_slice() {
        [more, less] => (more, less),
        _ => (more, less),
    };
    let rules: Vec<(Rule<'_>, &Condition)> =
        more.rules.iter().chain(&less.rules).copied().collect();
    let demand = more.demand.max(less.demand);
    let tokens = if demand != Demand::None && rules.iter().any(|(_, rule)| rule.reads_token()) {
        tokens(subject)
    } else {
        Vec::new()
    };
    let alike = tokens.is_empty();
    let tokens: Vec<_> = tokens.into_iter().map(Some).chain([None]).collect();
    let methods = methods(subject.methods, &rules);
    let worlds = methods.len() * tokens.len();
    let mut loosened = false;
    for method in methods {
        for token in tokens.iter().copied() {
            let (mut world, trees) =
                World::new(subject, (method, token), &[more, less], worlds, budget)?;
            let mut holds = [Function::FALSE; 2];
            for (holds, trees) in holds.iter_mut().zip(&trees) {
                let mut diagrams = Diagrams {
                    store: &mut world.store,
                    domains: &world.domains,
                };
                *holds = trees.iter().fold(Function::TRUE, |all, tree| {
                    let one = diagrams.condition(tree).yes;
                    diagrams.store.and(all, one)
                });
            }
            let nobody: fn(Demand) -> bool = |demand| demand != Demand::Required;
            let invalid: fn(Demand) -> bool = |demand| demand == Demand::None;
            let valid: fn(Demand) -> bool = |_| true;
            let passes = match token {
                Some(_) => vec![valid],
                None if alike => vec![nobody, invalid, valid],
                None => vec![nobody, invalid],
            };
            for passes in passes {
                let allows = |side: &Side<'_>, holds: Function| {
                    if side.denied || !passes(side.demand) {
                        Function::FALSE
                    } else {
                        holds
                    }
                };
                let [more_holds, less_holds] = holds;
                let (more, less) = (allows(more, more_holds), allows(less, less_holds));
                let only_less = world.store.without(less, more);
                if world.is_possible(only_less, budget)? {
                    return Ok(false);
                }
                if !loosened {
                    let only_more = world.store.without(more, less);
                    loosened = world.is_possible(only_more, budget)?;
                }
            }
        }
    }
    Ok(loosened)
}

/// A side whose paths match whatever their case, in lower case.
#[derive(Debug, Clone)]
struct Folded<'m> {
    demand: Demand,
    denied: bool,
    region: PathPattern,
    rules: Vec<(PathPattern, &'m [PathParameter], Condition)>,
}

impl<'m> Folded<'m> {
    fn new(side: &Side<'m>) -> Folded<'m> {
        let rules = side.rules.iter().map(|(rule, condition)| {
            (
                rule.path.folded(),
                rule.parameters,
                engine::folded(condition),
            )
        });
        Folded {
            demand: side.demand,
            denied: side.denied,
            region: side.region.folded(),
            rules: rules.collect(),
        }
    }

    fn side(&self) -> Side<'_> {
        let rules = self
            .rules
            .iter()
            .map(|(path, parameters, condition)| (Rule { path, parameters }, condition));
        Side {
            demand: self.demand,
            denied: self.denied,
            region: &self.region,
            rules: rules.collect(),
        }
    }
}
