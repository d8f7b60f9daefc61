//! The report for people: one line per test, and the explanation of each failure.

use super::super::explanation;
use super::super::output::{Paint, count, printable};
use crate::source::Sources;
use crate::suite::{Expected, Failure, Report, Tested};

/// The whole report.
pub fn report(report: &Report, sources: &Sources, paint: Paint) -> String {
    let mut text = String::new();
    for test in &report.tests {
        text.push_str(&line(test, paint));
    }
    for (test, expected, failure) in report.failures() {
        text.push('\n');
        text.push_str(&failed(test, expected, failure, sources, paint));
    }
    if !report.tests.is_empty() {
        text.push('\n');
    }
    text.push_str(&summary(report, paint));
    text
}

/// The result of a test.
fn line(test: &Tested, paint: Paint) -> String {
    let mark = if test.failed() {
        paint.bad("FAILED")
    } else {
        paint.good("ok    ")
    };
    format!("{mark}  {}\n", printable(&test.name))
}

/// A failed expectation, and why the decision was different.
fn failed(
    test: &Tested,
    expected: &Expected,
    failure: &Failure,
    sources: &Sources,
    paint: Paint,
) -> String {
    let mut text = format!(
        "{}  {}\n{}\n    {}\n{}\n\n",
        paint.bad("FAILED"),
        paint.strong(printable(&test.name)),
        paint.faint(printable(&expected.place.to_string())),
        printable(&expected.line),
        printable(&failure.message),
    );
    let mut why = explanation::Report::new(paint);
    let decided = &failure.explanation;
    why.decision(decided);
    why.line(&format!("  {}", printable(&expected.request)));
    why.rule(decided, sources);
    why.why(decided);
    why.token(decided, None);
    why.trace(decided);
    why.headers(decided);
    for line in why.finish().lines() {
        let indent = if line.is_empty() { "" } else { "    " };
        text.push_str(&format!("{indent}{line}\n"));
    }
    text
}

/// The number of tests, and of failures.
fn summary(report: &Report, paint: Paint) -> String {
    let (tests, expectations) = (report.tests.len(), report.expectations());
    let failed = report.failures().count();
    if failed == 0 {
        return format!(
            "{} {}, {}\n",
            paint.good("ok:"),
            count(tests, "test"),
            count(expectations, "expectation"),
        );
    }
    format!(
        "{} {} of {}; {} of {} not met\n",
        paint.bad("failed:"),
        report.failed_tests(),
        count(tests, "test"),
        failed,
        count(expectations, "expectation"),
    )
}
