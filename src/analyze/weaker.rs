//! Which of two rules requires less.

use crate::model::Condition;
use crate::pattern::index::Budget;
use crate::settings::Demand;

use super::atoms::Rule;
use super::bdd::Function;
use super::diagram::Diagrams;
use super::world::{Side, Subject, TooComplex, World, methods, tokens};

/// Whether one side allows everything that the other allows, and more.
pub fn allows_more(
    subject: Subject<'_>,
    more: &Side<'_>,
    less: &Side<'_>,
    budget: &Budget,
) -> Result<bool, TooComplex> {
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
