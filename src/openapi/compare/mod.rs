//! Compares a document with a policy.
//!
//! An operation is a set of requests, and so is a route. The rules that cover all requests of an
//! operation answer it, chosen as the engine would choose them. Rules that cover only some of its
//! requests are a difference of their own, unless they are for another operation of the document.

mod access;
mod finding;
mod places;
mod rules;

use std::collections::{BTreeMap, BTreeSet};

pub use finding::{Finding, FindingKind, OperationRef, Report, RuleRef, Side};
pub use places::CompareError;

use super::cases::{self, Case, Cases, Misfit, counted};
use super::document::{Document, Operation, Security};
use crate::check::limits::MAX_OVERLAP_STEPS;
use crate::engine::Policy;
use crate::model::Route;
use crate::pattern::index::{Budget, Index};
use crate::pattern::meet::meet;
use crate::pattern::{Method, PathPattern};
use crate::settings::ApiId;
use places::{Group, Placed, Places};
use rules::{Governing, Rule, Rules};

/// Compares a document with a policy, or with one API of it.
pub fn compare(
    document: &Document,
    policy: &Policy,
    api: Option<&str>,
) -> Result<Report, CompareError> {
    let places = Places::of(document, policy, api)?;
    let mut nowhere: Vec<(&Operation, String)> = Vec::new();
    let mut others = 0;
    let mut operations = 0;
    let gathered = cases::gather(document, |operation| match places.of_operation(operation) {
        Placed::At(found) => {
            operations += 1;
            found
        }
        Placed::Nowhere(why) => {
            operations += 1;
            nowhere.push((operation, why));
            Vec::new()
        }
        Placed::Other => {
            others += 1;
            Vec::new()
        }
    });
    let mut comparison = Comparison {
        policy,
        says_security: document
            .operations
            .iter()
            .any(|operation| operation.security != Security::Unsaid),
        findings: Vec::new(),
        broad: BTreeMap::new(),
        tally: Tally::default(),
    };
    for (operation, why) in nowhere {
        comparison.findings.push(Finding {
            kind: FindingKind::NoRule,
            operations: vec![operation.into()],
            rule: None,
            document: None,
            policy: None,
            message: why,
        });
    }
    let exhausted = comparison.all(&gathered, api);
    let mut notes = document.notes.clone();
    notes.extend(places.notes);
    notes.extend(gathered.notes);
    notes.extend(comparison.notes(others));
    if exhausted {
        return Err(CompareError {
            message: "the routes of the policy overlap in too many ways to be compared".to_owned(),
            help: None,
        });
    }
    Ok(comparison.report(operations, notes))
}

/// Counts for notes that are written once.
#[derive(Default)]
struct Tally {
    /// Operations without any security in the document.
    unsaid: usize,
    /// Preflights that `cors` answers.
    preflights: usize,
    /// Operations that require roles.
    roles: usize,
    /// Operations that require something portcullis doesn't check, by scheme.
    elsewhere: BTreeMap<String, usize>,
}

struct Comparison<'p, 'd> {
    policy: &'p Policy,
    /// Whether the document mentions security at all.
    says_security: bool,
    findings: Vec<Finding>,
    /// Routes with `/**` and the operations that they match, by the indices of API and route.
    broad: BTreeMap<(ApiId, u32, u32), (&'p Route, Vec<&'d Operation>)>,
    tally: Tally,
}

/// The cases of one group, indexed by path.
struct Asked<'c, 'd> {
    cases: Vec<&'c Case<'d, Group>>,
    /// Their paths, folded for comparison.
    patterns: Vec<PathPattern>,
    index: Index,
}

impl<'c, 'd> Asked<'c, 'd> {
    fn of(cases: Vec<&'c Case<'d, Group>>, case_insensitive: bool) -> Asked<'c, 'd> {
        let patterns: Vec<PathPattern> = cases
            .iter()
            .map(|case| {
                if case_insensitive {
                    case.pattern.folded()
                } else {
                    case.pattern.clone()
                }
            })
            .collect();
        Asked {
            index: Index::of(patterns.iter()),
            cases,
            patterns,
        }
    }

    /// Whether a rule that matches some of this operation's requests is for other operations: they
    /// cover all requests that it matches, and they aren't broader than this operation.
    fn explain(&self, rule: Rule, method: Method, own: &PathPattern, budget: &Budget) -> bool {
        meet(rule.path(), own).iter().all(|part| {
            self.index
                .containing(part, budget)
                .into_iter()
                .any(|number| {
                    let other = self.patterns.get(number);
                    other.is_some_and(|other| !other.contains(own))
                        && self
                            .cases
                            .get(number)
                            .is_some_and(|case| case.methods.has(method))
                })
        })
    }
}

impl<'p, 'd> Comparison<'p, 'd> {
    /// Compares everything. Returns whether something was left out because of too many overlaps.
    fn all(&mut self, gathered: &Cases<'d, Group>, only: Option<&str>) -> bool {
        let groups: BTreeSet<&Group> = gathered
            .cases
            .iter()
            .map(|case| &case.place)
            .chain(gathered.misfits.iter().map(|misfit| &misfit.place))
            .collect();
        let mut exhausted = false;
        let mut asked_of: BTreeMap<ApiId, Vec<Asked>> = BTreeMap::new();
        let budget = Budget::new(MAX_OVERLAP_STEPS);
        for group in groups {
            let rules = Rules::of(self.policy, group);
            let cases = gathered.cases.iter().filter(|case| case.place == *group);
            let asked = Asked::of(cases.collect(), rules.case_insensitive);
            for (case, pattern) in asked.cases.iter().zip(&asked.patterns) {
                self.case(case, pattern, &rules, &asked, &budget);
            }
            for misfit in &gathered.misfits {
                if misfit.place == *group {
                    self.misfit(misfit, &rules);
                }
            }
            exhausted |= rules.is_exhausted() || budget.is_exhausted();
            for api in group {
                // An API may be in several groups, which have different cases.
                let cases = asked.cases.clone();
                asked_of
                    .entry(*api)
                    .or_default()
                    .push(Asked::of(cases, rules.case_insensitive));
            }
        }
        for (api, asked) in &asked_of {
            let is_meant = only.is_none_or(|name| {
                self.policy
                    .api(*api)
                    .is_some_and(|declared| declared.name == name)
            });
            if is_meant {
                self.without_operation(*api, asked, &gathered.misfits, &budget);
            }
        }
        exhausted || budget.is_exhausted()
    }

    fn case(
        &mut self,
        case: &Case<'d, Group>,
        pattern: &PathPattern,
        rules: &Rules<'p>,
        asked: &Asked<'_, 'd>,
        budget: &Budget,
    ) {
        let method = case.method;
        let mut partial: Vec<Rule> = rules
            .partial(method, pattern)
            .into_iter()
            .filter(|rule| !asked.explain(*rule, method, pattern, budget))
            .collect();
        let Some(governing) = rules.governing(method, pattern) else {
            partial.retain(|rule| matches!(rule, Rule::Route(..)));
            self.no_rule(case, pattern, rules, &partial);
            return;
        };
        for rule in partial {
            let named = self.rule(rule);
            let verb = match rule {
                Rule::Route(..) => "answers",
                Rule::Guard(_) => "tightens",
            };
            let message = format!("the rule {verb} a part of the operation's requests");
            self.find(FindingKind::Template, case, Some(named), message);
        }
        if let Some(denied) = governing.denied {
            let named = self.rule(denied);
            let message = "no request of the operation passes".to_owned();
            self.find(FindingKind::Denied, case, Some(named), message);
            return;
        }
        self.division(case, pattern, &governing);
        self.access(case, &governing);
    }

    fn no_rule(
        &mut self,
        case: &Case<'d, Group>,
        pattern: &PathPattern,
        rules: &Rules<'p>,
        partial: &[Rule<'p>],
    ) {
        let answers_preflights = case.place.iter().filter_map(|api| self.policy.api(*api));
        if case.method == Method::OPTIONS
            && answers_preflights
                .into_iter()
                .any(|api| api.cors.is_some() || api.preflight_public)
        {
            self.tally.preflights += 1;
            return;
        }
        let near = rules.near(case.method, pattern);
        let (rule, message) = match (partial.first(), near) {
            (Some(rule), _) => (
                Some(self.rule(*rule)),
                "the rule answers a part of its requests, none answers the others".to_owned(),
            ),
            (None, Some((api, route))) => (
                Some(self.rule(Rule::Route(api, route))),
                "the rule's path differs in the case of its letters".to_owned(),
            ),
            (None, None) => (None, "no rule matches its requests".to_owned()),
        };
        self.find(FindingKind::NoRule, case, rule, message);
    }

    /// Reports an operation that is answered by a rule for another path.
    fn division(
        &mut self,
        case: &Case<'d, Group>,
        pattern: &PathPattern,
        governing: &Governing<'p>,
    ) {
        if governing
            .routes
            .iter()
            .any(|(_, route)| route.path == *pattern)
        {
            return;
        }
        let Some((api, route)) = governing.routes.first() else {
            return;
        };
        if route.path.rest {
            let key = (*api, route.span.file.0, route.span.start);
            let (_, operations) = self.broad.entry(key).or_insert((route, Vec::new()));
            operations.extend(&case.operations);
        } else {
            let rule = self.rule(Rule::Route(*api, route));
            let message = "the rule answers other paths as well".to_owned();
            self.find(FindingKind::Template, case, Some(rule), message);
        }
    }

    fn misfit(&mut self, misfit: &Misfit<'d, Group>, rules: &Rules<'p>) {
        // The policy can't do better than a rule with the nearest pattern.
        let near = misfit.near.as_ref().map(|near| {
            if rules.case_insensitive {
                near.folded()
            } else {
                near.clone()
            }
        });
        let answered = near.zip(misfit.operation.method.known());
        let answered = answered.is_some_and(|(near, method)| {
            rules.governing(method, &near).is_some_and(|governing| {
                governing.routes.iter().any(|(_, route)| route.path == near)
            })
        });
        if !answered {
            self.findings.push(Finding {
                kind: FindingKind::Inexpressible,
                operations: vec![misfit.operation.into()],
                rule: None,
                document: None,
                policy: None,
                message: misfit.why.clone(),
            });
        }
    }

    /// Reports the routes of an API without an operation. Denied routes don't need one.
    fn without_operation(
        &mut self,
        id: ApiId,
        asked: &[Asked],
        misfits: &[Misfit<Group>],
        budget: &Budget,
    ) {
        let Some(api) = self.policy.api(id) else {
            return;
        };
        for route in &api.routes {
            let is_for = |asked: &Asked| {
                asked
                    .index
                    .overlapping(&route.path, budget)
                    .into_iter()
                    .filter_map(|number| asked.cases.get(number))
                    .any(|case| !case.methods.intersection(route.methods).is_empty())
            };
            let is_for_misfit = |misfit: &Misfit<Group>| {
                misfit.place.contains(&id)
                    && misfit
                        .operation
                        .method
                        .known()
                        .is_some_and(|method| route.methods.has(method))
                    && misfit
                        .near
                        .as_ref()
                        .is_some_and(|near| near.common(&route.path).is_some())
            };
            if route.denies() || asked.iter().any(is_for) || misfits.iter().any(is_for_misfit) {
                continue;
            }
            let rule = self.rule(Rule::Route(id, route));
            self.findings.push(Finding {
                kind: FindingKind::NoOperation,
                operations: Vec::new(),
                rule: Some(rule),
                document: None,
                policy: None,
                message: "the document has no operation for its requests".to_owned(),
            });
        }
    }

    fn rule(&self, rule: Rule) -> RuleRef {
        let (api, name, span) = match rule {
            Rule::Route(api, route) => (api, &route.name, route.span),
            Rule::Guard(guard) => (guard.api, &guard.name, guard.span),
        };
        RuleRef {
            api: self
                .policy
                .api(api)
                .map_or_else(String::new, |api| api.name.clone()),
            name: name.clone(),
            place: self.policy.sources().place(span).to_string(),
        }
    }

    fn find(
        &mut self,
        kind: FindingKind,
        case: &Case<'d, Group>,
        rule: Option<RuleRef>,
        message: String,
    ) {
        self.findings.push(Finding {
            kind,
            operations: case.operations.iter().map(|one| (*one).into()).collect(),
            rule,
            document: None,
            policy: None,
            message,
        });
    }

    fn notes(&self, others: usize) -> Vec<String> {
        let Tally {
            unsaid,
            preflights,
            roles,
            elsewhere,
        } = &self.tally;
        let mut notes = Vec::new();
        if !self.says_security {
            notes.push(
                "the document does not mention security, so who may call is not \
                compared"
                    .to_owned(),
            );
        } else if *unsaid > 0 {
            notes.push(format!(
                "of {} the document does not say who may call",
                counted(*unsaid, "operation")
            ));
        }
        if *preflights > 0 {
            notes.push(format!(
                "no rule is needed for {} with OPTIONS: `cors` or `preflight public` answers preflights",
                counted(*preflights, "operation")
            ));
        }
        if *roles > 0 {
            notes.push(format!(
                "{} for roles of a bearer token, which aren't scopes and aren't compared",
                asks(*roles)
            ));
        }
        notes.extend(elsewhere.iter().map(|(scheme, count)| {
            format!(
                "{} for {}, which portcullis does not check",
                asks(*count),
                crate::text::quoted(scheme)
            )
        }));
        if others > 0 {
            notes.push(format!(
                "{} left out: their hosts are those of other APIs",
                if others == 1 {
                    "1 operation is".to_owned()
                } else {
                    format!("{others} operations are")
                }
            ));
        }
        notes
    }

    fn report(mut self, operations: usize, notes: Vec<String>) -> Report {
        for ((api, ..), (route, answered)) in std::mem::take(&mut self.broad) {
            let rule = self.rule(Rule::Route(api, route));
            self.findings.push(Finding {
                kind: FindingKind::Broad,
                message: format!("it answers {}", counted(answered.len(), "operation")),
                operations: answered.into_iter().map(OperationRef::from).collect(),
                rule: Some(rule),
                document: None,
                policy: None,
            });
        }
        self.findings.sort_by_key(|finding| finding.kind);
        self.findings.dedup();
        let differing: BTreeSet<(&str, &str)> = self
            .findings
            .iter()
            .flat_map(|finding| &finding.operations)
            .map(|operation| (operation.method.as_str(), operation.path.as_str()))
            .collect();
        Report {
            operations,
            agreeing: operations.saturating_sub(differing.len()),
            findings: self.findings,
            notes,
        }
    }
}

fn asks(count: usize) -> String {
    match count {
        1 => "1 operation asks".to_owned(),
        _ => format!("{count} operations ask"),
    }
}
