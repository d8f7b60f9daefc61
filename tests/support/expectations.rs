//! Runs the `test` blocks of a policy: the manual's examples have to pass.

use std::num::NonZeroUsize;
use std::sync::Arc;

use portcullis::compile::compile;
use portcullis::model::Model;
use portcullis::source::Sources;
use portcullis::suite::{self, Options};

/// The time of the tests, unless they set another: 2026-01-01T00:00:00Z.
const NOW: f64 = 1_767_225_600.0;

/// Runs all tests of a policy: returns the number of expectations, and the failures.
pub fn run(model: &Model, sources: Sources) -> (usize, Vec<String>) {
    let policy = compile(model.clone(), Arc::new(sources));
    let report = suite::run(
        &policy,
        &Options {
            now: NOW,
            filter: None,
            workers: NonZeroUsize::MIN,
        },
    );
    let wrong = report
        .failures()
        .map(|(_, expected, failure)| {
            format!(
                "{}: {}: {} ({})",
                expected.place,
                expected.line,
                failure.message,
                failure.explanation.hint.as_deref().unwrap_or_default()
            )
        })
        .collect();
    (report.expectations(), wrong)
}
