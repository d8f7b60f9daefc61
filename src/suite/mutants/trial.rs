//! Tries one mutant: loads the changed policy and runs the tests that could notice it.
//!
//! A change of a rule can affect only requests whose method and path match it. So only those are
//! decided again, first with a policy that is reduced to the rules that match them and the guards:
//! thousands of mutants of a policy with thousands of routes take seconds, not hours. The whole
//! policy is used if the reduced one doesn't load, and if other routes determine whether a
//! surviving mutant loads at all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Fate;
use super::conditions::Change;
use super::edit::{Edit, apply};
use super::uses::{Reach, RuleKey, Uses};
use crate::check::{self, Files, Input};
use crate::compile::compile;
use crate::engine::{self, Policy};
use crate::model::{Expectation, Test};
use crate::source::{FileId, Sources, Span};
use crate::suite::{Options, exchange, run};
use crate::syntax;
use crate::syntax::ast::{Api, Document, Item, RouteItem, Under};

/// The data with which mutants are tried.
pub(super) struct Trial<'p> {
    policy: &'p Policy,
    documents: Vec<Document>,
    files: &'p Files,
    params: &'p BTreeMap<String, String>,
    now: f64,
    expectations: Vec<Asked<'p>>,
    /// For each rule, the expectations whose requests match it.
    by_rule: BTreeMap<RuleKey, Vec<usize>>,
    uses: Uses,
    /// The routes that can be left out, each with its rule.
    routes: Vec<(RuleKey, Span)>,
    /// The tests themselves, which no mutant needs.
    tests: Vec<Span>,
}

/// An expectation, and the rules that match its request.
struct Asked<'p> {
    test: &'p Test,
    wanted: &'p Expectation,
    rules: BTreeSet<RuleKey>,
}

impl<'p> Trial<'p> {
    pub(super) fn new(
        policy: &'p Policy,
        documents: Vec<Document>,
        files: &'p Files,
        params: &'p BTreeMap<String, String>,
        options: &Options<'_>,
    ) -> Trial<'p> {
        let mut expectations = Vec::new();
        let mut by_rule: BTreeMap<RuleKey, Vec<usize>> = BTreeMap::new();
        for test in options.tests(policy) {
            for wanted in &test.expectations {
                let headers = exchange::headers(wanted);
                let now = exchange::time_of(wanted, options.now);
                let request = exchange::request(wanted, &headers, now);
                let rules: BTreeSet<RuleKey> = engine::matching(policy, &request)
                    .into_iter()
                    .map(RuleKey::of)
                    .collect();
                for rule in &rules {
                    by_rule.entry(*rule).or_default().push(expectations.len());
                }
                expectations.push(Asked {
                    test,
                    wanted,
                    rules,
                });
            }
        }
        let uses = Uses::read(&documents);
        let (mut routes, mut tests) = (Vec::new(), Vec::new());
        for item in documents.iter().flat_map(|document| &document.items) {
            match item {
                Item::Api(api) => all_routes(&api.routes, &mut routes),
                Item::Test(test) => tests.push(test.span),
                _ => {}
            }
        }
        Trial {
            policy,
            documents,
            files,
            params,
            now: options.now,
            expectations,
            by_rule,
            uses,
            routes,
            tests,
        }
    }

    /// A place for a change without one.
    pub(super) fn nowhere(&self) -> Span {
        Span {
            file: FileId(0),
            start: 0,
            end: 0,
        }
    }

    /// The fate of a mutant, and the number of expectations whose requests reach the changed part.
    pub(super) fn of(&self, change: &Change, reach: &Reach) -> (Fate, usize) {
        let rules = self.uses.rules(reach);
        let asked: BTreeSet<usize> = rules
            .iter()
            .filter_map(|rule| self.by_rule.get(rule))
            .flatten()
            .copied()
            .collect();
        let asked: Vec<&Asked<'_>> = asked
            .into_iter()
            .filter_map(|at| self.expectations.get(at))
            .collect();
        let mut keep = rules;
        keep.extend(asked.iter().flat_map(|asked| &asked.rules).copied());
        (self.fate(change, &asked, &keep), asked.len())
    }

    fn fate(&self, change: &Change, asked: &[&Asked<'_>], keep: &BTreeSet<RuleKey>) -> Fate {
        match self.load(&change.edits, Some(keep)) {
            Some(cut) if self.notices(&cut, asked) => return Fate::Noticed,
            Some(_) if !change.asks_all => return Fate::Survived,
            // If it doesn't load, it may lack a rule that was left out.
            Some(_) | None => {}
        }
        match self.load(&change.edits, None) {
            None => Fate::DoesNotLoad,
            Some(policy) if self.notices(&policy, asked) => Fate::Noticed,
            Some(_) => Fate::Survived,
        }
    }

    /// The fate of a mutant, tested with the whole policy and all expectations.
    #[cfg(test)]
    pub(super) fn of_whole(&self, change: &Change) -> Fate {
        let asked: Vec<&Asked<'_>> = self.expectations.iter().collect();
        match self.load(&change.edits, None) {
            None => Fate::DoesNotLoad,
            Some(policy) if self.notices(&policy, &asked) => Fate::Noticed,
            Some(_) => Fate::Survived,
        }
    }

    /// Whether the policy decides about a test's request differently from what the test expects.
    fn notices(&self, policy: &Policy, asked: &[&Asked<'_>]) -> bool {
        asked.iter().any(|asked| {
            exchange::decide(policy, asked.test, asked.wanted, self.now, |_, decision| {
                run::difference(&asked.wanted.outcome, decision).is_some()
            })
        })
    }

    /// The changed policy without its tests and, with `keep`, without the routes that aren't in it.
    fn load(&self, edits: &[Edit], keep: Option<&BTreeSet<RuleKey>>) -> Option<Policy> {
        let changed = edits.first()?.span.file;
        let text = self.changed(changed, edits, keep)?;
        // Trees use the texts of their files only in messages, which nobody will read.
        let mut sources = Sources::new();
        for (file, source) in self.policy.sources().iter() {
            let text = if file == changed { &text } else { "" };
            sources.add(source.name.as_str(), text);
        }
        let (document, _) = syntax::parse(&sources, changed);
        if !document.is_whole() {
            return None;
        }
        let mut document = Some(document);
        let documents = self
            .documents
            .iter()
            .filter_map(|other| {
                if other.file == changed {
                    document.take()
                } else {
                    Some(cut_down(other, keep))
                }
            })
            .collect();
        let checked = check::check(Input {
            sources: &sources,
            documents,
            files: self.files,
            params: self.params,
        });
        let model = checked.model?;
        Some(compile(model, Arc::new(sources)))
    }
}

impl Trial<'_> {
    /// The text of the changed file, without the parts that are left out.
    fn changed(
        &self,
        file: FileId,
        edits: &[Edit],
        keep: Option<&BTreeSet<RuleKey>>,
    ) -> Option<String> {
        let source = self.policy.sources().get(file)?;
        let routes = self
            .routes
            .iter()
            .filter(|(rule, _)| keep.is_some_and(|keep| !keep.contains(rule)))
            .map(|(_, span)| *span);
        let mut cut: Vec<Span> = routes
            .chain(self.tests.iter().copied())
            .filter(|span| span.file == file)
            .collect();
        cut.sort_unstable();
        let is_cut = |edit: &Edit| {
            let after = cut.partition_point(|span| span.start <= edit.span.start);
            let before = after.checked_sub(1).and_then(|at| cut.get(at));
            before.is_some_and(|span| edit.span.end <= span.end)
        };
        let edits = edits.iter().filter(|edit| !is_cut(edit)).cloned();
        let mut all: Vec<Edit> = edits
            .chain(cut.iter().map(|span| Edit::remove(*span)))
            .collect();
        all.sort_by_key(|edit| edit.span);
        Some(apply(&source.text, &all))
    }
}

fn all_routes(items: &[RouteItem], routes: &mut Vec<(RuleKey, Span)>) {
    for item in items {
        match item {
            RouteItem::Route(route) => routes.push((RuleKey::of(route.span), route.span)),
            RouteItem::Under(under) => all_routes(&under.items, routes),
        }
    }
}

/// A file's tree without its tests, and without the routes that aren't kept.
fn cut_down(document: &Document, keep: Option<&BTreeSet<RuleKey>>) -> Document {
    let items = document
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Test(_) => None,
            Item::Api(api) => {
                let routes = kept(&api.routes, keep);
                Some(Item::Api(Api {
                    span: api.span,
                    name: api.name.clone(),
                    settings: api.settings.clone(),
                    routes,
                }))
            }
            other => Some(other.clone()),
        })
        .collect();
    document.with(items)
}

fn kept(items: &[RouteItem], keep: Option<&BTreeSet<RuleKey>>) -> Vec<RouteItem> {
    items
        .iter()
        .filter_map(|item| match item {
            RouteItem::Route(route) => keep
                .is_none_or(|keep| keep.contains(&RuleKey::of(route.span)))
                .then(|| item.clone()),
            RouteItem::Under(under) => Some(RouteItem::Under(Under {
                span: under.span,
                path: under.path.clone(),
                requires: under.requires.clone(),
                items: kept(&under.items, keep),
            })),
        })
        .collect()
}
