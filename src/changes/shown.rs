//! A difference with its sentences and the lines that decide, as data: for pages that draw it.

use serde::Serialize;

use super::json::{self, ChangeReport, NoClaims};
use super::words;
use crate::analyze::{Change, Difference};
use crate::source::{Place, Sources};

/// The most changes that a page gets. The least important ones are left out.
const MAX_CHANGES: usize = 200;

/// A difference.
#[derive(Serialize)]
pub struct Shown<'d> {
    equal: bool,
    /// The number of changes by effect, in words.
    summary: String,
    /// The changes, those that may loosen first.
    changes: Vec<One<'d>>,
    /// How many are left out.
    left_out: usize,
}

#[derive(Serialize)]
struct One<'d> {
    change: ChangeReport<'d>,
    sentence: String,
    /// Whether it may allow something that wasn't allowed before.
    may_loosen: bool,
    old: Option<Verdict<'d>>,
    new: Option<Verdict<'d>>,
}

/// A policy's verdict on the request that shows a change.
#[derive(Debug, Serialize)]
pub struct Verdict<'s> {
    /// The verdict, in words.
    pub verdict: String,
    /// The place that decides, as `file:line`, and its line.
    pub place: Option<(String, &'s str)>,
}

/// One of the two policies.
#[derive(Debug, Clone, Copy)]
pub enum Side {
    /// The old one.
    Old,
    /// The new one.
    New,
}

impl Side {
    /// Its verdict on a change; `None` if both have the same one, since then something else changed.
    /// `sources` are those of the policy. A change that isn't about a route is shown with one request of
    /// many, whose place would mislead.
    pub fn verdict<'s>(self, change: &Change, sources: &'s Sources) -> Option<Verdict<'s>> {
        if change.old == change.new {
            return None;
        }
        let (verdict, place) = match self {
            Side::Old => (change.old, &change.old_place),
            Side::New => (change.new, &change.new_place),
        };
        let place = place.as_ref().filter(|_| change.route.is_some());
        let line = |place: &Place| {
            let line = sources.line_of(&place.file, place.line)?;
            Some((place.to_string(), line.trim()))
        };
        Some(Verdict {
            verdict: words::verdict(verdict),
            place: place.and_then(line),
        })
    }
}

/// The difference, with the sources of the old policy and the new one.
pub fn show<'d>(
    difference: &'d Difference,
    [old, new]: [&'d Sources; 2],
) -> Result<Shown<'d>, NoClaims> {
    let changes = words::by_weight(difference);
    let one = |change: &&'d Change| {
        Ok(One {
            change: json::change(change)?,
            sentence: words::sentence(change),
            may_loosen: change.may_loosen(),
            old: Side::Old.verdict(change, old),
            new: Side::New.verdict(change, new),
        })
    };
    Ok(Shown {
        equal: changes.is_empty(),
        summary: words::count(&changes),
        left_out: changes.len().saturating_sub(MAX_CHANGES),
        changes: changes
            .iter()
            .take(MAX_CHANGES)
            .map(one)
            .collect::<Result<_, _>>()?,
    })
}
