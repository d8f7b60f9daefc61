//! Mutants: small changes of a policy, one at a time, each of which some test should notice.
//!
//! A change is made in the text, which is then parsed, checked and compiled as usual, so a mutant
//! is a policy that somebody could have written by mistake. One that doesn't load doesn't count.
//! One that passes every test survives: the tests don't cover what was changed.
//!
//! Deliberately left out: `and` for `or` and the like (tests that notice each part left out notice
//! that too), other values of numbers and strings, and settings.

mod conditions;
mod edit;
mod explained;
mod rules;
#[cfg(test)]
mod tests;
mod text;
mod trial;
mod uses;

use std::collections::BTreeMap;

use super::{Options, parallel};
use crate::check::Files;
use crate::engine::Policy;
use crate::source::{Place, Span};
use crate::syntax;

pub use conditions::MAX_LIST;
pub use edit::{Edit, Hunk};

use explained::Explanations;
use trial::Trial;

/// The most mutants that are tried: a run that takes minutes is one that nobody waits for. A
/// policy of 2,000 routes with three tests in each condition has some 20,000.
pub const MAX_MUTANTS: usize = 20_000;

/// A change of a policy, and what became of it.
#[derive(Debug, Clone)]
pub struct Mutant {
    /// What is changed: lower case, no full stop.
    pub what: String,
    /// Where the change begins.
    pub span: Span,
    /// Where the change begins.
    pub place: Place,
    /// The edits, by place; all in one file.
    pub edits: Vec<Edit>,
    /// The changed lines.
    pub hunks: Vec<Hunk>,
    /// What became of it.
    pub fate: Fate,
    /// How many expectations' requests come by what is changed.
    pub reached: usize,
}

/// What became of a mutant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The changed policy does not load.
    DoesNotLoad,
    /// A test notices it: the part of it that the test comes by loads, and decides otherwise than
    /// the test expects.
    Noticed,
    /// No test notices it, and a comment says why none can.
    Explained(String),
    /// No test notices it.
    Survived,
}

/// What trying the mutants of a policy came to.
#[derive(Debug, Clone)]
pub struct Mutants {
    /// Those that were tried, in the order of the source.
    pub tried: Vec<Mutant>,
    /// How many there are beyond [`MAX_MUTANTS`], which were not tried.
    pub left_out: usize,
    /// The comments that explain nothing: they give no reason, or every change of their line is
    /// noticed.
    pub idle: Vec<Place>,
}

impl Mutants {
    /// How many had a fate.
    pub fn count(&self, fate: impl Fn(&Fate) -> bool) -> usize {
        self.tried
            .iter()
            .filter(|mutant| fate(&mutant.fate))
            .count()
    }

    /// Those that no test notices and no comment explains.
    pub fn survivors(&self) -> impl Iterator<Item = &Mutant> {
        self.tried
            .iter()
            .filter(|mutant| mutant.fate == Fate::Survived)
    }
}

/// Tries the mutants of a policy on its tests, all of which should be true of it.
///
/// `files` and `params` are what the policy was checked with.
pub fn mutants(
    policy: &Policy,
    files: &Files,
    params: &BTreeMap<String, String>,
    options: &Options<'_>,
) -> Mutants {
    let sources = policy.sources();
    let documents: Vec<_> = sources
        .iter()
        .map(|(file, _)| syntax::parse(sources, file).0)
        .collect();
    let changes = rules::all(sources, &documents);
    let explanations = Explanations::read(sources);
    let found = changes.len();
    let changes = spread(changes);
    let left_out = found - changes.len();
    let trial = Trial::new(policy, documents, files, params, options);
    let tried = parallel::map(&changes, options.workers, |(change, reach)| {
        let span = change
            .edits
            .first()
            .map_or_else(|| trial.nowhere(), |edit| edit.span);
        let (fate, reached) = trial.of(change, reach);
        let place = sources.place(span);
        let fate = match (fate, explanations.reason(span.file, place.line)) {
            (Fate::Survived, Some(reason)) => Fate::Explained(reason.to_owned()),
            (fate, _) => fate,
        };
        Mutant {
            what: change.what.clone(),
            span,
            place,
            edits: change.edits.clone(),
            hunks: edit::hunks(sources, &change.edits),
            fate,
            reached,
        }
    });
    let used: Vec<_> = tried
        .iter()
        .filter(|mutant| matches!(mutant.fate, Fate::Explained(_)))
        .map(|mutant| (mutant.span.file, mutant.place.line))
        .collect();
    let idle = explanations
        .idle(&used)
        .into_iter()
        .map(|(file, line)| Place {
            file: sources
                .get(file)
                .map_or_else(String::new, |source| source.name.clone()),
            line,
        })
        .collect();
    Mutants {
        tried,
        left_out,
        idle,
    }
}

/// At most [`MAX_MUTANTS`] of them, from all over the source.
fn spread<T>(changes: Vec<T>) -> Vec<T> {
    let found = changes.len();
    if found <= MAX_MUTANTS {
        return changes;
    }
    let mut next = 0;
    changes
        .into_iter()
        .enumerate()
        .filter(|(at, _)| {
            // The one at which the share of those taken reaches that of those seen.
            let take = at * MAX_MUTANTS >= next * found;
            next += usize::from(take);
            take
        })
        .map(|(_, change)| change)
        .take(MAX_MUTANTS)
        .collect()
}
