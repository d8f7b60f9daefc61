//! Comparisons of odd policies end soon, with the name of the limit.

use std::fmt::Write as _;

use portcullis::analyze::{self, Failure};

use super::NOW;
use crate::check::bounded::shared_hosts;
use crate::support::policy::compiled;

fn too_complex(old: &str, new: &str) -> String {
    let (old, new) = (compiled(old), compiled(new));
    match analyze::diff(&old, &new, NOW) {
        Err(Failure::TooComplex { limit, .. }) => limit,
        other => panic!("{other:?}"),
    }
}

#[test]
fn hosts_that_share_an_api_of_many_routes_are_compared_up_to_a_limit() {
    let limit = too_complex(&shared_hosts(600, 200), &shared_hosts(600, 199));
    assert!(
        limit.contains("200000 routes are to be compared once more"),
        "{limit}"
    );
    let (old, new) = (
        compiled(&shared_hosts(5, 20)),
        compiled(&shared_hosts(5, 19)),
    );
    let difference = analyze::diff(&old, &new, NOW).expect("a comparison");
    assert_eq!(difference.changes.len(), 1);
}

#[test]
fn guards_that_cross_routes_are_told_apart_up_to_a_limit() {
    let policy = |guards: usize| {
        let mut policy = "\
issuer acme { url \"https://acme.example/\" }
api a {
    issuer    acme
    audience  \"https://a.example\"
    GET /r/{x} requires scope \"s\"
}
"
        .to_owned();
        for at in 0..guards {
            let _ = writeln!(
                policy,
                "guard GET /{{a}}/x{at} of a requires scope \"g{at}\""
            );
        }
        policy
    };
    let limit = too_complex(&policy(2001), &policy(2002));
    assert!(limit.contains("2000000 steps"), "{limit}");
}

#[test]
fn values_are_compared_with_beginnings_and_ends_up_to_a_limit() {
    let policy = |tests: usize| {
        let tests: Vec<String> = (0..tests)
            .map(|at| format!("claim plan starts with \"p{at}x\""))
            .collect();
        format!(
            r#"
issuer acme {{ url "https://acme.example/"  claims {{ plan string }} }}
api a {{
    issuer    acme
    audience  "https://a.example"
    GET /a requires {}
}}
"#,
            tests.join(" or ")
        )
    };
    let limit = too_complex(&policy(129), &policy(130));
    assert!(
        limit.contains("more than 128 beginnings and ends"),
        "{limit}"
    );
}
