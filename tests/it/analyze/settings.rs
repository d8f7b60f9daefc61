//! Differences that don't belong to a route.

use super::{HEAD, changes, compare};

/// A policy whose issuer and API have these lines, with a route that needs a token, a public one
/// and a denied one.
fn with(issuer: &str, api: &str) -> String {
    format!(
        "issuer main {{\n    url \"https://issuer.example\"\n    claims {{ org string }}\n{issuer}\n}}\n\
         api shop {{\n    host \"api.example.com\"\n    issuer main\n    {api}\n    \
         GET /orders/{{id}} requires scope \"read\"\n    GET /health public\n}}\n"
    )
}

const AUDIENCE: &str = "audience \"https://api.example.com\"";

/// The lines of each issuer and each API, and the beginning and the end of the reported change.
#[test]
fn settings_are_compared_by_what_they_let_through() {
    let api = |lines: &str| format!("{AUDIENCE}\n{lines}");
    for (old, new, about, effect) in [
        (
            with("", "audience \"a\""),
            with("", "audience \"a\", \"b\""),
            "the audience of tokens of `https://issuer.example`: `a` became `a`, `b`",
            "loosened",
        ),
        (
            with("", "audience \"a\""),
            with("", "audience \"b\""),
            "the audience of tokens of `https://issuer.example`: `a` became `b`",
            "changed",
        ),
        (
            with("", AUDIENCE),
            with("", "audience any \"there is none\""),
            "the audience of tokens of `https://issuer.example`: `https://api.example.com` became any",
            "loosened",
        ),
        (
            with("", AUDIENCE),
            with("audience \"x\"", AUDIENCE),
            "the audience of tokens of `https://issuer.example`: `https://api.example.com` became `https://api.example.com` and `x`",
            "tightened",
        ),
        (
            with("", AUDIENCE),
            with("audience from resource", AUDIENCE),
            "the audience of tokens of `https://issuer.example`: `https://api.example.com` became `https://api.example.com` (without `aud` from `resource`)",
            "loosened",
        ),
        (
            with("", AUDIENCE),
            with("leeway 120s", AUDIENCE),
            "the leeway for the times of tokens of `https://issuer.example`: 60 s became 120 s",
            "loosened",
        ),
        (
            with("", AUDIENCE),
            with("max age 1h", AUDIENCE),
            "the max age of tokens of `https://issuer.example`: none became 3600 s",
            "tightened",
        ),
        (
            with("max age 1h", AUDIENCE),
            with("max age 2h", AUDIENCE),
            "the max age of tokens of `https://issuer.example`: 3600 s became 7200 s",
            "loosened",
        ),
        (
            with("tokens jwt", AUDIENCE),
            with("tokens access", AUDIENCE),
            "the kind of tokens of `https://issuer.example`: `jwt` became `access`",
            "tightened",
        ),
        (
            with("", AUDIENCE),
            with("sender dpop optional", AUDIENCE),
            "what tokens of `https://issuer.example` are bound to: none became `sender dpop optional`",
            "loosened",
        ),
        (
            with("sender dpop optional", AUDIENCE),
            with("", &api("sender dpop")),
            "what tokens of `https://issuer.example` are bound to: `sender dpop optional` became `sender dpop required`",
            "tightened",
        ),
        (
            with("sender dpop", AUDIENCE),
            with("sender mtls", AUDIENCE),
            "what tokens of `https://issuer.example` are bound to: `sender dpop required` became `sender mtls required`",
            "changed",
        ),
        (
            with("algorithms RS256", AUDIENCE),
            with("algorithms RS256, ES256", AUDIENCE),
            "the algorithms of `https://issuer.example`: `RS256` became `RS256`, `ES256`",
            "loosened",
        ),
        (
            with("", AUDIENCE),
            with("keys url \"https://issuer.example/keys\"", AUDIENCE),
            "the keys of `https://issuer.example`: what `https://issuer.example` names became those at `https://issuer.example/keys`",
            "changed",
        ),
        (
            with("", AUDIENCE),
            with("keys introspect \"https://issuer.example/ask\"", AUDIENCE),
            "who introspects opaque tokens of `https://issuer.example`: nobody became `https://issuer.example/ask`",
            "loosened",
        ),
        (
            with("keys introspect \"https://issuer.example/ask\"", AUDIENCE),
            with("", AUDIENCE),
            "who introspects opaque tokens of `https://issuer.example`: `https://issuer.example/ask` became nobody",
            "tightened",
        ),
        (
            with("keys introspect \"https://issuer.example/ask\"", AUDIENCE),
            with("keys introspect \"https://issuer.example/other\"", AUDIENCE),
            "who introspects opaque tokens of `https://issuer.example`: `https://issuer.example/ask` became `https://issuer.example/other`",
            "changed",
        ),
        (
            with("", AUDIENCE),
            with("", &api("token in cookie \"session\"")),
            "where tokens are read from: `Authorization: Bearer` became `Authorization: Bearer`, \
            the cookie `session`",
            "changed",
        ),
        (
            with("", AUDIENCE),
            with("", &api("forward sub as \"x-user\"")),
            "the headers that are forwarded: none became `sub` as `x-user`",
            "changed",
        ),
        (
            with("", AUDIENCE),
            with("", &api("cors \"https://app.example\"")),
            "the browsers that may ask (CORS): none became `https://app.example`",
            "loosened",
        ),
        (
            with("", AUDIENCE),
            with("", &api("paths case-insensitive")),
            // Capitals are read, and letters whose case is contested are refused.
            "how paths are read: strictly became `case-insensitive`",
            "changed",
        ),
        (
            with("", AUDIENCE),
            with("", &api("paths allow matrix-parameters")),
            "how paths are read: strictly became `allow matrix-parameters`",
            "loosened",
        ),
        (
            with("", AUDIENCE),
            with("", &api("host \"www.example.com\""))
                .replace(
                    "host \"api.example.com\"",
                    "host \"api.example.com\", \"www.example.com\"",
                )
                .replace("host \"www.example.com\"\n", "\n"),
            "requests to the host `www.example.com`",
            "loosened",
        ),
    ] {
        let found = changes(&old, &new);
        let one = format!("{about}: changed {effect}");
        assert!(found.contains(&one), "{found:#?}\n{one}\n{old}\n{new}");
        let routes = found.iter().filter(|change| change.starts_with("GET "));
        let by_path = about.starts_with("how paths");
        assert!(by_path || routes.count() == 0, "{found:#?}");
    }
}

#[test]
fn settings_that_let_the_same_through_are_equal() {
    for (old, new) in [
        (
            with("", "audience \"a\", \"b\""),
            with("", "audience \"b\", \"a\""),
        ),
        (with("leeway 60s", AUDIENCE), with("", AUDIENCE)),
        (with("", AUDIENCE), with("tokens jwt", AUDIENCE)),
        // A claim that no rule reads.
        (
            with("", AUDIENCE),
            with("", AUDIENCE).replace("org string", "org string  seats number"),
        ),
    ] {
        assert_eq!(changes(&old, &new), [""; 0], "{old}\n{new}");
    }
    // No route needs a token, so the requirements on tokens don't matter.
    let public = |issuer: &str, audience: &str| {
        format!(
            "issuer main {{\n    url \"https://issuer.example\"\n    {issuer}\n}}\napi shop {{\n    host \
             \"api.example.com\"\n    issuer main\n    audience \"{audience}\"\n    GET /a public\n}}\n"
        )
    };
    assert_eq!(
        changes(&public("", "a"), &public("leeway 120s", "b")),
        [""; 0]
    );
}

#[test]
fn an_issuer_more_is_one_change() {
    let policy = |issuers: &str| {
        format!(
            "{HEAD}issuer other {{\n    url \"https://other.example\"\n}}\napi shop {{\n    host \
             \"api.example.com\"\n    issuer {issuers}\n    audience \"a\"\n    GET /a requires scope \
             \"a\"\n    GET /b authenticated\n}}\n"
        )
    };
    assert_eq!(
        changes(&policy("main"), &policy("main, other")),
        ["tokens of `https://other.example` are now accepted: changed loosened"]
    );
    assert_eq!(
        changes(&policy("main, other"), &policy("other")),
        ["tokens of `https://issuer.example` are no longer accepted: changed tightened"]
    );
}

#[test]
fn tenants_of_one_issuer_are_one_case() {
    let policy = |url: &str, condition: &str| {
        format!(
            "issuer main {{\n    url \"{url}\"\n    keys url \"https://login.example/keys\"\n}}\napi shop \
             {{\n    host \"api.example.com\"\n    issuer main\n    audience \"a\"\n    GET /a/{{t}} \
             requires {condition}\n}}\n"
        )
    };
    let tenants = "https://login.example/{tid}/v2.0";
    assert_eq!(
        changes(
            &policy(tenants, "claim tid == path.t"),
            &policy(tenants, "claim tid present")
        ),
        ["GET /a/{t}: changed loosened"]
    );
    // Every token has the claim that its issuer's URL contains.
    assert_eq!(
        changes(
            &policy(tenants, "scope \"a\" and claim tid present"),
            &policy(tenants, "scope \"a\"")
        ),
        [""; 0]
    );
    let difference = compare(
        &policy(tenants, "authenticated").replace("requires authenticated", "authenticated"),
        &policy("https://login.example/one/v2.0", "x").replace("requires x", "authenticated"),
    )
    .expect("they can be compared");
    assert_eq!(
        difference
            .changes
            .iter()
            .map(super::shown)
            .collect::<Vec<_>>(),
        ["tokens of `https://login.example/{tid}/v2.0` are no longer accepted: changed tightened"]
    );
}
