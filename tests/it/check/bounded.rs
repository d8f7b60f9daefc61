//! Small policies of odd shapes: loading ends soon, or names the limit that it would exceed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use portcullis::diagnostic::{Code, Diagnostic, render};
use portcullis::model::{Access, Atom, ClaimTest, Condition, ConditionKind, Values};

use crate::support::policy::{CheckedSet, check_files, check_text};

fn messages(set: &CheckedSet, code: Code) -> Vec<&str> {
    let diagnostics = set.checked.diagnostics.iter();
    diagnostics
        .filter(|diagnostic| diagnostic.code == code)
        .map(|diagnostic: &Diagnostic| diagnostic.message.as_str())
        .collect()
}

/// An API with many routes, and hosts that it shares with one small API each.
pub fn shared_hosts(hosts: usize, routes: usize) -> String {
    let mut policy = "api big {\n    host ".to_owned();
    let names: Vec<String> = (0..hosts).map(|at| format!("\"h{at}.example\"")).collect();
    policy += &names.join(", ");
    for at in 0..routes {
        let _ = write!(policy, "\n    GET /r{at} public");
    }
    policy += "\n}\n";
    for at in 0..hosts {
        let _ = writeln!(
            policy,
            "api s{at} {{ host \"h{at}.example\"  GET /s{at} public }}"
        );
    }
    policy
}

#[test]
fn an_api_of_many_routes_that_shares_many_hosts_is_too_large() {
    let set = check_text(&shared_hosts(20, 50));
    assert!(messages(&set, Code::TooLarge).is_empty());
    let set = check_text(&shared_hosts(1000, 401));
    let said = messages(&set, Code::TooLarge);
    assert_eq!(
        said,
        ["the routes overlap in too many ways to be compared: more than 10000000 steps"]
    );
}

#[test]
fn cycles_of_lets_are_shown_up_to_a_limit() {
    // Each names the next one and the first; the last one names the first twice.
    let mut policy = String::new();
    for at in 0..200 {
        let _ = writeln!(policy, "let l{at:03} = l{:03} or l000", (at + 1) % 200);
    }
    let set = check_text(&policy);
    let said = messages(&set, Code::LetCycle);
    assert_eq!(said.len(), 21, "{said:#?}");
    assert!(said.contains(&"181 further cycles of `let`s refer to each other"));
    // For a long cycle, some of its members are shown.
    let mut ring = String::new();
    for at in 0..200 {
        let _ = writeln!(ring, "let l{at:03} = l{:03}", (at + 1) % 200);
    }
    let set = check_text(&ring);
    let said = messages(&set, Code::LetCycle);
    let [one] = said.as_slice() else {
        panic!("{said:#?}");
    };
    assert!(one.contains("`l019` → 180 further ones → `l000`"), "{one}");
}

#[test]
fn diagnostics_for_people_are_shown_up_to_a_limit() {
    let set = check_text(&"let a = a\n".repeat(600));
    let shown = render::human(&set.sources, &set.checked.diagnostics, false);
    assert!(
        shown.contains("\n100 further ones are not shown"),
        "{shown}"
    );
    assert!(shown.ends_with("600 errors\n"), "{shown}");
    // Places far from each other are shown without the lines in between.
    assert!(!shown.contains("\n 300 |"), "{shown}");
}

#[test]
fn conditions_with_more_beginnings_and_ends_than_the_limit_are_not_looked_at() {
    let condition = |tests: usize| {
        let tests: Vec<String> = (0..tests)
            .map(|at| format!("claim plan starts with \"p{at}x\""))
            .collect();
        check_text(&format!(
            r#"
issuer acme {{ url "https://acme.example/"  claims {{ plan string }} }}
api a {{
    issuer    acme
    audience  "https://a.example"
    GET /a requires {}
}}
"#,
            tests.join(" or ")
        ))
    };
    assert!(messages(&condition(20), Code::TooComplex).is_empty());
    let set = condition(129);
    let said = messages(&set, Code::TooComplex);
    let [one] = said.as_slice() else {
        panic!("{said:#?}");
    };
    assert!(
        one.ends_with("a value is compared with more than 128 beginnings and ends"),
        "{one}"
    );
}

#[test]
fn all_sets_together_have_a_limit_and_a_file_counts_once() {
    let lines = |from: usize| -> Vec<u8> {
        let lines: Vec<String> = (from..from + 1_000_000).map(|at| at.to_string()).collect();
        lines.join("\n").into_bytes()
    };
    let policy = |more: &str| {
        format!(
            r#"
set a = file "one.txt"
set b = file "one.txt"
set c = file "two.txt"
{more}
"#
        )
    };
    let mut files = BTreeMap::from([
        ("one.txt".to_owned(), lines(0)),
        ("two.txt".to_owned(), lines(5_000_000)),
    ]);
    for (more, said) in [
        ("", &[][..]),
        (
            "set d = [\"x\"]",
            &["all sets together hold at most 2000000 members"][..],
        ),
    ] {
        files.insert("p.gate".to_owned(), policy(more).into_bytes());
        let set = check_files(&files, &BTreeMap::new());
        assert_eq!(messages(&set, Code::TooLarge), said);
    }
}

/// Each set of strings that a condition reads.
fn places(condition: &Condition, found: &mut Vec<*const Vec<String>>) {
    match &condition.kind {
        ConditionKind::And(all) | ConditionKind::Or(all) => {
            for one in all {
                places(one, found);
            }
        }
        ConditionKind::Not(inner) => places(inner, found),
        ConditionKind::Atom(Atom::Claim(
            _,
            ClaimTest::In {
                any_of: Values::Strings(set),
                ..
            },
        )) => found.push(set.shared().place()),
        ConditionKind::Atom(_) => {}
    }
}

#[test]
fn sets_of_one_file_share_one_copy() {
    let mut files = BTreeMap::new();
    let policy = r#"
issuer acme { url "https://acme.example/" }
set one = file "users.txt"
set two = file "./users.txt"
set three = ["bob"]
api a {
    issuer    acme
    audience  "https://a.example"
    GET /a requires claim sub not in one and claim sub not in two and claim sub not in three
}
"#;
    files.insert("policy.gate".to_owned(), policy.into());
    files.insert("users.txt".to_owned(), b"bob\nalice\n".to_vec());
    let set = check_files(&files, &BTreeMap::new());
    let model = set.checked.model.expect("a policy without errors");
    let mut found = Vec::new();
    for route in model.apis.iter().flat_map(|api| &api.routes) {
        if let Access::Permitted {
            condition: Some(condition),
            ..
        } = &route.access
        {
            places(condition, &mut found);
        }
    }
    assert_eq!(found.len(), 3);
    assert_eq!(found[0], found[1]);
    assert_ne!(found[0], found[2]);
}
