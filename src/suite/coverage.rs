//! Coverage: which rules the tests have seen allow and deny, and which values of each condition's
//! tests they have seen.
//!
//! Only possible outcomes count: a `public` route without a guard denies nobody, and `present` is
//! never false. A `let` and its tests count once, however often it is used.

use std::collections::{BTreeMap, BTreeSet};

use super::{Options, exchange, parallel};
use crate::engine::Policy;
use crate::judge::Judged;
use crate::model::{Access, Atom, Bearing, ClaimTest, Condition, Model, Route, TextTest};
use crate::pattern::MethodSet;
use crate::settings::{ApiId, Demand};
use crate::source::{Place, Span, one_line};

/// The coverage of a policy.
#[derive(Debug, Clone)]
pub struct Coverage {
    /// Routes, then guards and conditions of blocks, then tests of conditions, each sorted by
    /// place.
    pub items: Vec<Item>,
}

/// A part of a policy with outcomes.
#[derive(Debug, Clone)]
pub struct Item {
    /// Its kind.
    pub kind: Kind,
    /// Its name: that of the route or guard, or the text of the test.
    pub name: String,
    /// The API of a route or guard.
    pub api: Option<String>,
    /// Its span.
    pub span: Span,
    /// Its place.
    pub place: Place,
    /// Its possible outcomes.
    pub outcomes: Vec<Seen>,
}

/// The kind of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A route.
    Route,
    /// A guard, or the condition of an `under` block.
    Guard,
    /// One test of a condition.
    Condition,
}

/// An outcome, with the number of times it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The outcome.
    pub outcome: Outcome,
    /// The number of test requests with this outcome.
    pub times: usize,
}

/// An outcome of a rule or of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// A route allowed a request, or a guard's condition was true.
    Allowed,
    /// A request to a route was denied, or a guard's condition wasn't true.
    Denied,
    /// A test was true.
    True,
    /// A test was false.
    False,
    /// A test's value was missing.
    Missing,
}

impl Outcome {
    /// The word for it in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Allowed => "allowed",
            Outcome::Denied => "denied",
            Outcome::True => "true",
            Outcome::False => "false",
            Outcome::Missing => "missing",
        }
    }

    fn of(value: Option<bool>) -> Outcome {
        match value {
            Some(true) => Outcome::True,
            Some(false) => Outcome::False,
            None => Outcome::Missing,
        }
    }
}

impl Item {
    /// How often an outcome was seen; `None` if it is impossible.
    pub fn times(&self, outcome: Outcome) -> Option<usize> {
        self.outcomes
            .iter()
            .find(|seen| seen.outcome == outcome)
            .map(|seen| seen.times)
    }

    /// The number of requests that reached the item.
    pub fn reached(&self) -> usize {
        self.outcomes.iter().map(|seen| seen.times).sum()
    }

    /// The possible outcomes that were never seen.
    pub fn unseen(&self) -> impl Iterator<Item = Outcome> {
        self.outcomes
            .iter()
            .filter(|seen| seen.times == 0)
            .map(|seen| seen.outcome)
    }
}

impl Coverage {
    /// The number of outcomes that were seen, and the number of possible ones, of one kind or of
    /// all.
    pub fn count(&self, kind: Option<Kind>) -> (usize, usize) {
        let outcomes = || {
            self.items
                .iter()
                .filter(|item| kind.is_none_or(|kind| item.kind == kind))
                .flat_map(|item| &item.outcomes)
        };
        let seen = outcomes().filter(|seen| seen.times > 0).count();
        (seen, outcomes().count())
    }
}

/// The key of an item. Keys are in the order of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// A line with several methods is one route for each.
    Route(Span, MethodSet),
    /// A guard of several APIs is one item for each.
    Guard(Span, ApiId),
    Atom(Span),
}

/// Runs the tests and records what they have seen.
pub fn coverage(policy: &Policy, options: &Options<'_>) -> Coverage {
    let mut items = items(policy);
    let tests = options.tests(policy);
    let seen = parallel::map(&tests, options.workers, |test| {
        let mut seen: Vec<(Key, Outcome)> = Vec::new();
        for wanted in &test.expectations {
            let now = options.now;
            exchange::decide(policy, test, wanted, now, |judged, decision| {
                observe(judged, decision.allowed(), &mut seen);
            });
        }
        seen
    });
    for (key, outcome) in seen.into_iter().flatten() {
        let outcomes = items.get_mut(&key).map(|item| &mut item.outcomes);
        let mut outcomes = outcomes.into_iter().flatten();
        if let Some(seen) = outcomes.find(|seen| seen.outcome == outcome) {
            seen.times += 1;
        }
    }
    Coverage {
        items: items.into_values().collect(),
    }
}

/// Records what one request has seen.
fn observe(judged: &Judged<'_>, allowed: bool, seen: &mut Vec<(Key, Outcome)>) {
    let observed = judged.observe();
    if observed.preflight {
        // It passes because of the API's `cors`, whatever the route requires.
        return;
    }
    let verdict = |allowed| {
        if allowed {
            Outcome::Allowed
        } else {
            Outcome::Denied
        }
    };
    for route in &observed.routes {
        seen.push((Key::Route(route.span, route.methods), verdict(allowed)));
    }
    for (guard, value) in &observed.guards {
        let key = Key::Guard(guard.span, guard.api);
        seen.push((key, verdict(*value == Some(true))));
    }
    if let (Some(span), Some(api)) = (observed.denied, observed.api) {
        // If it isn't a guard, no item has this key, and the route was counted already.
        seen.push((Key::Guard(span, api), Outcome::Denied));
    }
    for (span, value) in observed.atoms {
        seen.push((Key::Atom(span), Outcome::of(value)));
    }
}

/// All items, none of whose outcomes has been seen yet.
fn items(policy: &Policy) -> BTreeMap<Key, Item> {
    let model = policy.model();
    let mut items = BTreeMap::new();
    let mut atoms: BTreeMap<Span, BTreeSet<Outcome>> = BTreeMap::new();
    let sources = policy.sources();
    let item = |kind, span, name: String, api: Option<&String>, outcomes: &[Outcome]| Item {
        kind,
        name,
        api: api.cloned(),
        span,
        place: sources.place(span),
        outcomes: outcomes
            .iter()
            .map(|outcome| Seen {
                outcome: *outcome,
                times: 0,
            })
            .collect(),
    };
    for (api, id) in model.apis.iter().zip(0..) {
        for route in &api.routes {
            items.insert(
                Key::Route(route.span, route.methods),
                item(
                    Kind::Route,
                    route.span,
                    route.name.clone(),
                    Some(&api.name),
                    of_route(route, ApiId(id), model),
                ),
            );
            if let Access::Permitted {
                condition: Some(condition),
                ..
            } = &route.access
            {
                of_atoms(condition, &mut atoms);
            }
        }
    }
    for guard in &model.guards {
        let outcomes: &[Outcome] = match &guard.condition {
            Some(condition) => {
                of_atoms(condition, &mut atoms);
                &[Outcome::Allowed, Outcome::Denied]
            }
            None => &[Outcome::Denied],
        };
        let api = model.apis.get(guard.api.0 as usize);
        items.insert(
            Key::Guard(guard.span, guard.api),
            item(
                Kind::Guard,
                guard.span,
                guard.name.clone(),
                api.map(|api| &api.name),
                outcomes,
            ),
        );
    }
    for (span, outcomes) in atoms {
        let outcomes: Vec<Outcome> = outcomes.into_iter().collect();
        let name = one_line(sources.text(span));
        items.insert(
            Key::Atom(span),
            item(Kind::Condition, span, name, None, &outcomes),
        );
    }
    items
}

/// The possible outcomes of a route.
fn of_route(route: &Route, api: ApiId, model: &Model) -> &'static [Outcome] {
    let Access::Permitted { demand, condition } = &route.access else {
        return &[Outcome::Denied];
    };
    let public = *demand == Demand::None;
    let guarded = || {
        let mut guards = model.guards.iter().filter(|guard| guard.api == api);
        guards.any(|guard| guard.bearing(route) != Bearing::Never)
    };
    if public && condition.is_none() && !guarded() {
        &[Outcome::Allowed]
    } else {
        &[Outcome::Allowed, Outcome::Denied]
    }
}

fn of_atoms(condition: &Condition, atoms: &mut BTreeMap<Span, BTreeSet<Outcome>>) {
    for (span, atom) in condition.atoms() {
        let outcomes = atoms.entry(span).or_default();
        outcomes.insert(Outcome::True);
        if can_be_false(atom) {
            outcomes.insert(Outcome::False);
        }
        if can_be_missing(atom) {
            outcomes.insert(Outcome::Missing);
        }
    }
}

/// Whether a test can be false. `present` can't: it is true or missing.
fn can_be_false(atom: &Atom) -> bool {
    match atom {
        Atom::Claim(_, test) => *test != ClaimTest::Present,
        Atom::Header(_, test) | Atom::Query(_, test) => *test != TextTest::Present,
        Atom::ScopeAny(_)
        | Atom::ScopeAll(_)
        | Atom::TokenFrom(_)
        | Atom::Client { .. }
        | Atom::Path(..)
        | Atom::Host(_)
        | Atom::Method(_)
        | Atom::Address { .. } => true,
    }
}

/// Whether a test can be missing. Tests of the path, the host or the method can't, unless they
/// compare with a claim, since every request that gets here has these. `token from` can't either.
fn can_be_missing(atom: &Atom) -> bool {
    match atom {
        Atom::Method(_) | Atom::TokenFrom(_) => false,
        Atom::Path(..) | Atom::Host(_) => atom.claims().next().is_some(),
        Atom::ScopeAny(_)
        | Atom::ScopeAll(_)
        | Atom::Claim(..)
        | Atom::Client { .. }
        | Atom::Address { .. }
        | Atom::Header(..)
        | Atom::Query(..) => true,
    }
}
