//! Runs of tests in the library.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::check::{self, Files, Input};
use crate::compile::compile;
use crate::source::Sources;
use crate::suite::{self, Options};
use crate::syntax;

/// `15m ago` is within `15m`, whatever fraction of a second the clock shows.
#[test]
fn times_that_are_just_in_range_stay_in_range() {
    let mut sources = Sources::new();
    let file = sources.add(
        "a.gate",
        r#"
issuer acme { url "https://acme.example/" }
api a { host "a.example.com"  issuer acme  audience "https://a"  GET /a requires login within 15m }
test "a login just in time" {
    token late = acme { auth_time 15m ago }
    GET https://a.example.com/a  with late  is allowed
}
"#,
    );
    let (document, _) = syntax::parse(&sources, file);
    let checked = check::check(Input {
        sources: &sources,
        documents: vec![document],
        files: &Files::new(),
        params: &BTreeMap::new(),
    });
    let model = checked.model.expect("no errors");
    let policy = compile(model, Arc::new(sources));
    for step in 0_u32..200 {
        let options = Options {
            now: 1_767_225_600.0 + f64::from(step) / 200.0,
            filter: None,
            workers: NonZeroUsize::MIN,
        };
        let report = suite::run(&policy, &options);
        assert_eq!(report.failed_tests(), 0, "{step}: {report:#?}");
    }
}
