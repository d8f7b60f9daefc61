//! Runs the tests and reports the expected and the actual decisions.

use std::borrow::Cow;
use std::num::NonZeroUsize;

use super::{exchange, parallel};
use crate::answer::{self, Explain, Explanation};
use crate::engine::{Decision, Policy};
use crate::model::{Expectation, Outcome, Test};
use crate::source::{Place, Span, one_line};

/// Options for a run.
#[derive(Debug, Clone, Copy)]
pub struct Options<'o> {
    /// The time of requests that name none, as a NumericDate.
    pub now: f64,
    /// A part of the names of the tests to run; `None` runs all.
    pub filter: Option<&'o str>,
    /// The number of threads.
    pub workers: NonZeroUsize,
}

impl Options<'_> {
    /// The tests to run, in the order of the source.
    pub(super) fn tests<'p>(&self, policy: &'p Policy) -> Vec<&'p Test> {
        policy
            .model()
            .tests
            .iter()
            .filter(|test| self.filter.is_none_or(|part| test.name.contains(part)))
            .collect()
    }
}

/// The results of all tests, in the order of the source.
#[derive(Debug, Clone)]
pub struct Report {
    /// The tests.
    pub tests: Vec<Tested>,
}

/// The result of one test.
#[derive(Debug, Clone)]
pub struct Tested {
    /// Its name.
    pub name: String,
    /// Its place.
    pub place: Place,
    /// Its expectations, in order.
    pub expectations: Vec<Expected>,
}

/// An expectation and its result.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The line.
    pub span: Span,
    /// Its place.
    pub place: Place,
    /// The text of the expectation, on one line.
    pub line: String,
    /// The request: method and URL.
    pub request: String,
    /// The name of the token, if there is one.
    pub token: Option<String>,
    /// The expected decision: `allowed`, `denied`, or `denied by CODE`.
    pub expected: String,
    /// The actual decision.
    pub found: Found,
    /// The failure; `None` if the expectation was met.
    pub failure: Option<Failure>,
}

/// The actual decision about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Whether it was allowed.
    pub allowed: bool,
    /// The reason of a denial.
    pub reason: Option<&'static str>,
}

/// An expectation that wasn't met.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The difference, in lower case and without a full stop.
    pub message: String,
    /// The explanation of the decision, as `why --format json` prints it.
    pub explanation: Explanation,
}

impl Report {
    /// The number of tests with an expectation that wasn't met.
    pub fn failed_tests(&self) -> usize {
        self.tests.iter().filter(|test| test.failed()).count()
    }

    /// The number of expectations.
    pub fn expectations(&self) -> usize {
        self.tests.iter().map(|test| test.expectations.len()).sum()
    }

    /// The expectations that weren't met, each with its test.
    pub fn failures(&self) -> impl Iterator<Item = (&Tested, &Expected, &Failure)> {
        self.tests.iter().flat_map(|test| {
            test.expectations
                .iter()
                .filter_map(move |expected| Some((test, expected, expected.failure.as_ref()?)))
        })
    }
}

impl Tested {
    /// Whether an expectation wasn't met.
    pub fn failed(&self) -> bool {
        self.expectations
            .iter()
            .any(|expected| expected.failure.is_some())
    }
}

/// Runs the tests of a policy.
pub fn run(policy: &Policy, options: &Options<'_>) -> Report {
    let tests = options.tests(policy);
    let tests = parallel::map(&tests, options.workers, |test| {
        let expectations = test
            .expectations
            .iter()
            .map(|wanted| expect(policy, test, wanted, options.now))
            .collect();
        Tested {
            name: test.name.clone(),
            place: policy.sources().place(test.span),
            expectations,
        }
    });
    Report { tests }
}

fn expect(policy: &Policy, test: &Test, wanted: &Expectation, now: f64) -> Expected {
    let (found, failure) = exchange::decide(policy, test, wanted, now, |judged, decision| {
        let failure = difference(&wanted.outcome, decision).map(|message| {
            let trace = judged.explain();
            // As in `why`: the headers for the client, and everything that an operator may know.
            let mut explanation = answer::explanation(decision, &trace, Explain::default(), None);
            explanation.hint = decision
                .denial()
                .and_then(|denial| denial.operator_hint())
                .map(Cow::into_owned);
            Failure {
                message,
                explanation,
            }
        });
        let found = Found {
            allowed: decision.allowed(),
            reason: decision.reason().map(|reason| reason.code()),
        };
        (found, failure)
    });
    Expected {
        span: wanted.span,
        place: policy.sources().place(wanted.span),
        line: one_line(policy.sources().text(wanted.span)),
        request: request(wanted),
        token: wanted
            .token
            .and_then(|at| test.tokens.get(at))
            .map(|token| token.name.clone()),
        expected: match &wanted.outcome {
            Outcome::Allowed { .. } => "allowed".to_owned(),
            Outcome::Denied { by: None } => "denied".to_owned(),
            Outcome::Denied { by: Some(reason) } => format!("denied by {reason}"),
        },
        found,
        failure,
    }
}

/// Method and URL.
fn request(wanted: &Expectation) -> String {
    let host = wanted
        .host
        .as_ref()
        .map_or_else(String::new, |host| format!("{}://{host}", wanted.scheme));
    format!("{} {host}{}", wanted.method, wanted.target)
}

/// The difference between the expected and the actual decision, in words.
pub(super) fn difference(wanted: &Outcome, decision: &Decision<'_>) -> Option<String> {
    match (wanted, decision) {
        (Outcome::Allowed { forwards }, Decision::Allow(permit)) => {
            let set = permit.headers_to_set();
            forwards.iter().find_map(|(name, value)| {
                match set.iter().find(|(set, _)| set == name) {
                    Some((_, found)) if found == value => None,
                    Some((_, found)) => Some(format!(
                        "the application gets `{name}: {found}`, not `{name}: {value}`"
                    )),
                    None => Some(format!("the application gets no header `{name}`")),
                }
            })
        }
        (Outcome::Allowed { .. }, Decision::Deny(denial)) => Some(format!(
            "expected it to be allowed, but it is denied by {}",
            denial.reason()
        )),
        (Outcome::Denied { .. }, Decision::Allow(_)) => {
            Some("expected it to be denied, but it is allowed".to_owned())
        }
        (Outcome::Denied { by }, Decision::Deny(denial)) => {
            let by = by.filter(|by| *by != denial.reason())?;
            Some(format!(
                "expected it to be denied by {by}, but it is denied by {}",
                denial.reason()
            ))
        }
    }
}
