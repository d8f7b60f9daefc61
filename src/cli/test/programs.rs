//! The report for programs.

use serde::Serialize;

use super::{Whole, coverage, mutants};
use crate::answer::Explanation;
use crate::diagnostic::Severity;
use crate::diagnostic::render::Finding;
use crate::suite::{Expected, Report, Tested};

/// The report as JSON. `docs/testing.md` describes the fields.
#[derive(Serialize)]
pub struct Object<'r> {
    passed: usize,
    failed: usize,
    tests: Vec<Test<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<coverage::Object<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mutants: Option<mutants::Object<'r>>,
}

#[derive(Serialize)]
struct Test<'r> {
    name: &'r str,
    file: &'r str,
    line: u32,
    passed: bool,
    expectations: Vec<Expectation<'r>>,
}

#[derive(Serialize)]
struct Expectation<'r> {
    file: &'r str,
    line: u32,
    request: &'r str,
    token: Option<&'r str>,
    expected: &'r str,
    decision: &'static str,
    reason: Option<&'static str>,
    passed: bool,
    message: Option<&'r str>,
    explanation: Option<&'r Explanation>,
}

impl<'r> Object<'r> {
    /// The report of a run, with the other requested reports.
    pub(super) fn of(whole: &Whole<'r>) -> Object<'r> {
        let report = whole.report;
        let failed = report.failed_tests();
        Object {
            passed: report.tests.len() - failed,
            failed,
            tests: report.tests.iter().map(Test::of).collect(),
            coverage: whole.coverage.map(coverage::Object::of),
            mutants: whole.mutants.map(mutants::Object::of),
        }
    }
}

impl<'r> Test<'r> {
    fn of(test: &'r Tested) -> Test<'r> {
        Test {
            name: &test.name,
            file: &test.place.file,
            line: test.place.line,
            passed: !test.failed(),
            expectations: test.expectations.iter().map(Expectation::of).collect(),
        }
    }
}

impl<'r> Expectation<'r> {
    fn of(expected: &'r Expected) -> Expectation<'r> {
        let failure = expected.failure.as_ref();
        Expectation {
            file: &expected.place.file,
            line: expected.place.line,
            request: &expected.request,
            token: expected.token.as_deref(),
            expected: &expected.expected,
            decision: if expected.found.allowed {
                "allow"
            } else {
                "deny"
            },
            reason: expected.found.reason,
            passed: failure.is_none(),
            message: failure.map(|failure| failure.message.as_str()),
            explanation: failure.map(|failure| &failure.explanation),
        }
    }
}

/// The failures, as annotations.
pub fn findings(report: &Report) -> Vec<Finding> {
    report
        .failures()
        .map(|(test, expected, failure)| {
            let hint = failure.explanation.hint.as_ref();
            let hint = hint.map_or_else(String::new, |hint| format!("\n{hint}"));
            Finding {
                id: "test-failed",
                title: "test failed",
                severity: Severity::Error,
                span: expected.span,
                message: format!(
                    "{}: {}: {}{hint}",
                    test.name, expected.request, failure.message
                ),
            }
        })
        .collect()
}
