//! Routes, guards and conditions.

use super::{changes, compare, shop};

/// In both directions: what loosens one way tightens the other.
fn equal(old: &str, new: &str) {
    assert_eq!(changes(&shop(old), &shop(new)), [""; 0], "{old}\n{new}");
    assert_eq!(changes(&shop(new), &shop(old)), [""; 0], "{new}\n{old}");
}

fn loosened(old: &str, new: &str) {
    let first = |old: &str, new: &str| changes(&shop(old), &shop(new));
    let there = first(old, new);
    assert!(
        !there.is_empty() && there.iter().all(|change| change.ends_with(" loosened")),
        "{there:?}\n{old}\n{new}"
    );
    let back = first(new, old);
    assert!(
        !back.is_empty() && back.iter().all(|change| change.ends_with(" tightened")),
        "{back:?}\n{new}\n{old}"
    );
}

/// Two conditions of one route.
fn equal_conditions(old: &str, new: &str) {
    equal(
        &format!("    GET /a/{{x}}/{{y}} requires {old}"),
        &format!("    GET /a/{{x}}/{{y}} requires {new}"),
    );
}

fn loosened_condition(old: &str, new: &str) {
    loosened(
        &format!("    GET /a/{{x}}/{{y}} requires {old}"),
        &format!("    GET /a/{{x}}/{{y}} requires {new}"),
    );
}

#[test]
fn rewritten_conditions_are_equal() {
    for (old, new) in [
        (
            "not (scope \"a\" and claim plan == \"x\")",
            "(not scope \"a\") or claim plan != \"x\"",
        ),
        (
            "scope \"a\" and (scope \"b\" or scope \"c\")",
            "(scope \"a\" and scope \"b\") or (scope \"a\" and scope \"c\")",
        ),
        (
            "claim plan == \"a\" or claim plan == \"b\"",
            "claim plan in [\"b\", \"a\"]",
        ),
        ("scope any [\"a\", \"b\"]", "scope \"a\" or scope \"b\""),
        ("scope all [\"a\", \"b\"]", "scope \"a\" and scope \"b\""),
        ("claim seats < 5 or claim seats >= 5", "claim seats present"),
        ("claim seats > 1 and claim seats > 3", "claim seats > 3"),
        (
            "claim plan starts with \"ab\" and claim plan starts with \"a\"",
            "claim plan starts with \"ab\"",
        ),
        (
            "claim plan == \"ab\" and claim plan starts with \"a\" and claim plan ends with \"b\"",
            "claim plan == \"ab\"",
        ),
        (
            "claim paid == true or claim paid == false",
            "claim paid present",
        ),
        ("not claim paid == true", "claim paid == false"),
        (
            "claim roles contains any [\"a\", \"b\"]",
            "claim roles contains \"a\" or claim roles contains \"b\"",
        ),
        (
            "claim sizes contains all [1, 2]",
            "claim sizes contains 1 and claim sizes contains 2",
        ),
        (
            "claim org == path.x and path.x == \"acme\"",
            "claim org == \"acme\" and path.x == \"acme\"",
        ),
        (
            "claim org == path.x and claim team == path.x",
            "claim org == claim team and claim org == path.x",
        ),
        (
            "address in [\"192.0.2.0/24\"]",
            "address in [\"192.0.2.0/25\", \"192.0.2.128/25\"]",
        ),
        ("login within 5m and login within 10m", "login within 5m"),
        (
            "claim joined < now or claim joined >= now",
            "claim joined present",
        ),
        (
            "claim seats == claim used and claim seats < 3",
            "claim seats == claim used and claim used < 3",
        ),
        (
            "method == GET and scope \"a\" or method == HEAD and scope \"a\"",
            "scope \"a\"",
        ),
        ("client \"a\" or client \"b\"", "client in [\"a\", \"b\"]"),
        (
            "claim tags contains \"a b\" or scope \"a\"",
            "scope \"a\" or claim tags contains \"c d\"",
        ),
    ] {
        // `and` beside `or` needs parentheses.
        if old.contains(" and ") && old.contains(" or ") && !old.contains('(') {
            let old = old
                .split(" or ")
                .map(|part| format!("({part})"))
                .collect::<Vec<_>>()
                .join(" or ");
            equal_conditions(&old, new);
        } else {
            equal_conditions(old, new);
        }
    }
}

#[test]
fn conditions_that_hold_more_often_are_looser() {
    for (old, new) in [
        ("scope \"a\" and scope \"b\"", "scope \"a\""),
        ("scope \"a\"", "scope any [\"a\", \"b\"]"),
        ("claim plan == \"a\"", "claim plan in [\"a\", \"b\"]"),
        ("claim plan == \"a\"", "claim plan starts with \"a\""),
        (
            "claim plan starts with \"ab\"",
            "claim plan starts with \"a\"",
        ),
        ("claim plan ends with \"ba\"", "claim plan ends with \"a\""),
        ("claim seats < 5", "claim seats <= 5"),
        ("claim seats == 5", "claim seats <= 5"),
        (
            "claim joined < \"2026-01-01T00:00:00Z\"",
            "claim joined < \"2026-01-02T00:00:00Z\"",
        ),
        (
            "claim joined < now and claim left > now",
            "claim left > now",
        ),
        ("login within 5m", "login within 10m"),
        (
            "address in [\"192.0.2.0/25\"]",
            "address in [\"192.0.2.0/24\"]",
        ),
        (
            "address not in [\"192.0.2.0/24\"]",
            "address not in [\"192.0.2.0/25\"]",
        ),
        (
            "claim roles contains all [\"a\", \"b\"]",
            "claim roles contains \"a\"",
        ),
        ("claim roles contains \"a\"", "claim roles present"),
        ("claim tags contains \"a\"", "claim tags present"),
        ("claim deep contains \"a\"", "claim deep present"),
        (
            "claim sizes contains 1 and claim sizes contains 2",
            "claim sizes contains 2",
        ),
        ("claim org == path.x", "claim org present"),
        (
            "claim org == path.x and claim team == path.y",
            "claim org == path.x",
        ),
        (
            "claim org == claim team",
            "claim org present and claim team present",
        ),
        (
            "claim org == claim team",
            "claim org == claim team or claim plan == \"a\"",
        ),
        ("claim roles contains path.x", "claim roles present"),
        (
            "claim roles contains claim org",
            "claim roles present and claim org present",
        ),
        (
            "claim seats == claim used",
            "claim seats present and claim used present",
        ),
        ("claim org starts with path.x", "claim org present"),
        ("path.x == \"a\"", "path.x in [\"a\", \"b\"]"),
        ("path.x == path.y", "authenticated_x"),
        ("header \"x-a\" == \"1\"", "header \"x-a\" present"),
        ("query \"q\" in [\"1\", \"2\"]", "query \"q\" present"),
        ("client \"a\"", "client in [\"a\", \"b\"]"),
        (
            "claim plan absent",
            "claim plan absent or claim plan == \"free\"",
        ),
        ("claim nested == \"a\"", "claim nested present"),
        ("claim paid == claim trial", "claim paid present"),
        ("method == HEAD", "method in [GET, HEAD]"),
        ("claim nonce present and scope \"a\"", "scope \"a\""),
        ("claim azp == \"a\"", "claim azp in [\"a\", \"b\"]"),
        ("client \"a\" and claim azp == \"a\"", "claim azp == \"a\""),
        ("claim iat > \"2026-01-01T00:00:00Z\"", "claim iat present"),
        ("claim sub == \"a\"", "claim sub present"),
        ("claim jti absent", "claim jti absent or claim jti == \"a\""),
    ] {
        if new == "authenticated_x" {
            loosened(
                &format!("    GET /a/{{x}}/{{y}} requires {old}"),
                "    GET /a/{x}/{y} authenticated",
            );
        } else {
            loosened_condition(old, new);
        }
    }
}

#[test]
fn missing_is_neither_true_nor_false() {
    loosened(
        "    GET /a requires claim plan == \"x\" or not claim plan == \"x\"",
        "    GET /a authenticated",
    );
    equal(
        "    GET /a requires claim plan == \"x\" or not claim plan == \"x\"",
        "    GET /a requires claim plan present",
    );
    // In a token where the claim has another type, neither the claim nor its absence holds.
    loosened(
        "    GET /a requires claim plan present or claim plan absent",
        "    GET /a authenticated",
    );
}

#[test]
fn rewritten_routes_are_equal() {
    for (old, new) in [
        (
            "    GET, POST /a requires scope \"a\"",
            "    GET /a requires scope \"a\"\n    POST /a requires scope \"a\"",
        ),
        (
            "    GET /orgs/{org} requires claim org == path.org",
            "    GET /orgs/{id} requires claim org == path.id",
        ),
        (
            "    under /a requires scope \"a\" {\n        GET /b requires scope \"b\"\n    }",
            "    GET /a/b requires scope \"a\" and scope \"b\"",
        ),
        (
            "    GET /a/{x} requires scope \"a\"",
            "    GET /a/{x} requires scope \"a\"\n    GET /a/b requires scope \"a\"",
        ),
        (
            "    GET /a/{x} requires path.x == \"b\"",
            "    GET /a/b authenticated\n    GET /a/{x} denied",
        ),
        (
            "    GET /a/{x} requires scope \"a\"\n    GET /{y}/b requires scope \"b\"",
            "    GET /a/{x} requires scope \"a\"\n    GET /{y}/b requires scope \"b\"\n    GET /a/b requires scope \"a\" and scope \"b\"",
        ),
        (
            "    GET /a/** requires scope \"a\"",
            "    GET /a requires scope \"a\"\n    GET /a/{x}/** requires scope \"a\"",
        ),
        (
            "    GET /f/{x}.csv requires scope \"a\"\n    GET /f/v{x} requires scope \"a\"",
            "    GET /f/{x}.csv requires scope \"a\"\n    GET /f/v{x}.csv requires scope \"a\"\n    GET /f/v{x} requires scope \"a\"",
        ),
    ] {
        if old.contains("denied") || new.contains("denied") {
            continue;
        }
        equal(old, new);
    }
}

#[test]
fn a_guard_is_its_condition_in_each_route() {
    let guarded = format!(
        "{}guard POST, DELETE /a/** of shop requires claim plan == \"pro\"\n",
        shop("    * /a/{x} requires scope \"a\"\n    GET /b requires scope \"b\"")
    );
    let inlined = shop(
        "    * /a/{x} requires scope \"a\"\n    POST, DELETE /a/{x} requires scope \"a\" and claim plan == \"pro\"\n    GET /b requires scope \"b\"",
    );
    assert_eq!(changes(&guarded, &inlined), [""; 0]);
    // A pattern that matches a part of a route is an atom of its path.
    let part = |guard: &str| {
        format!(
            "{}guard * {guard} of shop requires claim plan == \"pro\"\n",
            shop("    GET /** requires scope \"a\"")
        )
    };
    let carved = shop(
        "    GET /** requires scope \"a\"\n    GET /a/{x}/c requires scope \"a\" and claim plan == \"pro\"",
    );
    assert_eq!(changes(&part("/a/{x}/c"), &carved), [""; 0]);
    assert_eq!(
        changes(&part("/a/{x}/c/**"), &carved),
        ["GET /**: changed loosened"]
    );
}

#[test]
fn routes_come_and_go() {
    let both = "    GET /a requires scope \"a\"\n    GET /b public";
    assert_eq!(
        changes(&shop("    GET /a requires scope \"a\""), &shop(both)),
        ["GET /b: added loosened"]
    );
    assert_eq!(
        changes(&shop(both), &shop("    GET /a requires scope \"a\"")),
        ["GET /b: removed tightened"]
    );
    assert_eq!(
        changes(
            &shop("    GET /a/{x} public"),
            &shop("    GET /a/{x} public\n    GET /a/secret requires scope \"a\"")
        ),
        ["GET /a/secret: added tightened"]
    );
    assert_eq!(
        changes(
            &shop("    GET /a requires scope \"a\""),
            &shop("    GET /a requires scope \"b\"")
        ),
        ["GET /a: changed changed"]
    );
    assert_eq!(
        changes(
            &shop("    GET /a authenticated"),
            &shop("    GET /a authenticated or anonymous")
        ),
        ["GET /a: changed loosened"]
    );
    assert_eq!(
        changes(
            &shop("    GET /a authenticated or anonymous"),
            &shop("    GET /a public")
        ),
        ["GET /a: changed loosened"]
    );
}

#[test]
fn a_witness_is_a_request_that_shows_it() {
    let difference = compare(
        &shop("    GET /orgs/{org}/orders requires scope \"read\" and claim org == path.org"),
        &shop("    GET /orgs/{org}/orders requires scope \"read\""),
    )
    .expect("they can be compared");
    let [change] = difference.changes.as_slice() else {
        panic!("{difference:#?}");
    };
    let witness = change.witness.as_ref().expect("a witness");
    assert_eq!(
        (witness.method.as_str(), witness.host.as_str(), witness.at),
        ("GET", "api.example.com", super::NOW)
    );
    assert!(witness.target.starts_with("/orgs/"));
    assert_eq!(change.old.to_string(), "deny:claim.missing");
    assert_eq!(change.new.to_string(), "allow");
}

#[test]
fn what_is_too_much_is_said_to_be() {
    let many = |last: &str| {
        let scopes: Vec<String> = (0..2_100)
            .map(|number| format!("scope \"s{number}\""))
            .collect();
        format!("    GET /a requires {} and {last}", scopes.join(" and "))
    };
    let failure = compare(&shop(&many("scope \"x\"")), &shop(&many("scope \"y\"")))
        .expect_err("there are too many scopes");
    assert_eq!(
        failure.to_string(),
        "too complex to be compared exactly at `GET /a`: a value is cut into more than 65536 cells, or \
         there are more than 2000 things to be told apart"
    );
    // The same values in the same questions are equal.
    let any = |last: &str| {
        let scopes: Vec<String> = (0..4_000).map(|number| format!("\"s{number}\"")).collect();
        format!(
            "    GET /a requires scope any [{}, {last}]",
            scopes.join(", ")
        )
    };
    loosened(&any("\"s0\""), &any("\"x\""));
}

/// With one more word, an address would contain a space.
#[test]
fn a_claim_that_is_an_address_and_words_is_too_much() {
    let policy = |condition: &str| {
        format!(
            "issuer main {{\n    url \"https://issuer.example\"\n    claims {{ mail string  tags words \
             from mail }}\n}}\napi shop {{\n    host \"api.example.com\"\n    issuer main\n    audience \
             \"a\"\n    GET /a requires {condition}\n}}\n"
        )
    };
    let address = "claim mail in domain \"x.example\"";
    for split in ["claim tags contains \"a\"", "claim tags contains claim sub"] {
        let failure = compare(
            &policy(address),
            &policy(&format!("{address} and token from main and {split}")),
        )
        .expect_err("it is both");
        assert_eq!(
            failure.to_string(),
            "too complex to be compared exactly at `GET /a`: a claim is compared as an address, and word by word"
        );
    }
}

#[test]
fn claims_that_tell_id_tokens_are_read_by_rules_too() {
    let id = |condition: &str| {
        format!(
            "issuer main {{\n    url \"https://issuer.example\"\n    tokens id\n    scopes from \
             permissions\n    claims {{ permissions list of string }}\n}}\napi shop {{\n    host \
             \"api.example.com\"\n    issuer main\n    audience \"a\"\n    GET /a requires \
             {condition}\n}}\n"
        )
    };
    assert_eq!(
        changes(
            &id("claim nonce == \"x\" and claim permissions present"),
            &id("claim nonce present and claim permissions present")
        ),
        ["GET /a: changed loosened"]
    );
    // A token with scopes is an access token, unless something else marks it as an ID token.
    assert_eq!(
        changes(
            &id("scope \"a\" and claim nonce absent"),
            &id("scope \"a\"")
        ),
        ["GET /a: changed loosened"]
    );
}

#[test]
fn one_value_that_is_read_in_two_ways_is_one_value() {
    let read = |ty: &str, condition: &str| {
        format!(
            "issuer main {{\n    url \"https://issuer.example\"\n    claims {{ a {ty} from x  b {ty} from \
             x.y }}\n}}\napi shop {{\n    host \"api.example.com\"\n    issuer main\n    audience \
             \"a\"\n    GET /a requires {condition}\n}}\n"
        )
    };
    // A single string is a list with one member; its words are another list.
    assert_eq!(
        changes(
            &read("string", "claim a == \"p q\""),
            &read("list of string", "claim a contains \"p q\"")
        ),
        ["GET /a: changed loosened"]
    );
    assert_eq!(
        changes(
            &read("string", "claim a == \"p\""),
            &read("words", "claim a contains \"p\"")
        ),
        ["GET /a: changed loosened"]
    );
    assert_eq!(
        changes(
            &read("list of number", "claim a present"),
            &read("list of string", "claim a present")
        ),
        ["GET /a: changed changed"]
    );
    // The contents of a string don't count.
    assert_eq!(
        changes(
            &read("string", "claim a present and claim b absent"),
            &read("string", "claim a present")
        ),
        [""; 0]
    );
}

#[test]
fn methods_hosts_and_case_are_told_apart() {
    let hosts = |lines: &str| {
        format!(
            "{}api shop {{\n    host \"{{tenant}}.example.com\"\n    issuer main\n    audience \
             \"a\"\n{lines}\n}}\napi site {{\n    host \"www.example.com\"\n    GET /a public\n}}\n",
            super::HEAD
        )
    };
    assert_eq!(
        changes(
            &hosts("    GET /a requires claim org == host.tenant"),
            &hosts("    GET /a requires claim org present")
        ),
        ["GET /a: changed loosened"]
    );
    assert_eq!(
        changes(
            &hosts("    GET /a requires claim org == host.tenant and host.tenant == \"x\""),
            &hosts("    GET /a requires claim org == \"x\" and host.tenant == \"x\"")
        ),
        [""; 0]
    );
    // No host that matches this pattern is the host with its own pattern.
    assert_eq!(
        changes(
            &hosts("    GET /a public"),
            &hosts("    GET /a public if host.tenant != \"www\"")
        ),
        [""; 0]
    );
    assert_eq!(
        changes(
            &hosts("    GET /a public"),
            &hosts("    GET /a public if host.tenant != \"api\"")
        ),
        ["GET /a: changed tightened"]
    );
    let folded = |lines: &str| shop(&format!("    paths case-insensitive\n{lines}"));
    assert_eq!(
        changes(
            &folded("    GET /Orgs/{org} requires claim org == path.org"),
            &folded("    GET /orgs/{org} requires claim org present")
        ),
        ["GET /orgs/{org}: changed loosened"]
    );
    assert_eq!(
        changes(
            &folded("    GET /orgs/{org} requires claim org == path.org and path.org == \"ACME\""),
            &folded("    GET /orgs/{org} requires claim org == path.org and path.org == \"acme\"")
        ),
        [""; 0]
    );
}
