//! Mutants: small changes of a policy, one at a time, each of which some test should notice.
//!
//! A change is made in the text, which is then parsed, checked and compiled as usual. So a mutant
//! is a policy that somebody could have written by mistake. One that doesn't load doesn't count.
//! One that passes every test survives: the tests don't cover the changed part.
//!
//! Some changes are deliberately left out: `and` for `or` and the like (tests that notice each part
//! left out notice that too), other values of numbers and strings, and settings.

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

/// The maximum number of mutants that are tried. Nobody waits minutes for a run. A policy of 2,000
/// routes with three tests in each condition has about 20,000.
pub const MAX_MUTANTS: usize = 20_000;

/// A change of a policy, and its fate.
#[derive(Debug, Clone)]
pub struct Mutant {
    /// The description, in lower case and without a full stop.
    pub what: String,
    /// Where the change begins.
    pub span: Span,
    /// Where the change begins.
    pub place: Place,
    /// The edits, sorted by place; all in one file.
    pub edits: Vec<Edit>,
    /// The changed lines.
    pub hunks: Vec<Hunk>,
    /// The fate of the mutant.
    pub fate: Fate,
    /// How many expectations have requests that reach the changed part.
    pub reached: usize,
}

/// The fate of a mutant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The changed policy doesn't load.
    DoesNotLoad,
    /// A test notices it: the part of the policy that the test reaches loads, and decides
    /// differently from what the test expects.
    Noticed,
    /// No test notices it, and a comment explains why none can.
    Explained(String),
    /// No test notices it.
    Survived,
}

/// The result of trying the mutants of a policy.
#[derive(Debug, Clone)]
pub struct Mutants {
    /// The mutants that were tried, in the order of the source.
    pub tried: Vec<Mutant>,
    /// The number of mutants beyond [`MAX_MUTANTS`], which were not tried.
    pub left_out: usize,
    /// The comments that explain nothing: they give no reason, or every change of their line is
    /// noticed.
    pub idle: Vec<Place>,
}

impl Mutants {
    /// The number of mutants with a fate.
    pub fn count(&self, fate: impl Fn(&Fate) -> bool) -> usize {
        self.tried
            .iter()
            .filter(|mutant| fate(&mutant.fate))
            .count()
    }

    /// The mutants that no test notices and no comment explains.
    pub fn survivors(&self) -> impl Iterator<Item = &Mutant> {
        self.tried
            .iter()
            .filter(|mutant| mutant.fate == Fate::Survived)
    }
}

/// Tries the mutants of a policy on its tests, all of which should pass without a change.
///
/// `files` and `params` are those with which the policy was checked.
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

/// At most [`MAX_MUTANTS`] of them, spread over the whole source.
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
            // Take this one if the share of those taken would otherwise fall behind the share of
            // those seen.
            let take = at * MAX_MUTANTS >= next * found;
            next += usize::from(take);
            take
        })
        .map(|(_, change)| change)
        .take(MAX_MUTANTS)
        .collect()
}
