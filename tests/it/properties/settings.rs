//! Differences outside the routes: issuers, audiences, ages, hosts, origins. Policies are picked
//! setting by setting, and requests are decided as by `why --claims`.

use portcullis::analyze::{self, Effect, Witness};
use portcullis::engine::Policy;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use super::differences::many;
use super::generate::NOW;
use super::{loads, policy};
use crate::diff::confirm;

/// The possible lines of each setting. The first of each is that of a plain policy.
const SETTINGS: [(&str, &[&str]); 11] = [
    ("LEEWAY", &["", "leeway 5m"]),
    ("AGE", &["", "max age 1h", "max age 2h"]),
    ("OWN", &["", r#"audience "own""#]),
    ("SCOPES", &["", "scopes from permissions"]),
    (
        "PLAN",
        &[
            "plan string",
            "plan list of string",
            "plan words",
            "plan string from deep.plan",
        ],
    ),
    (
        "HOST",
        &[
            r#"host "api.example.com""#,
            r#"host "*.example.com""#,
            r#"host "api.example.com", "www.example.com""#,
            "",
        ],
    ),
    (
        "ISSUER",
        &["issuer main", "issuer main, more", "issuer more"],
    ),
    (
        "AUDIENCE",
        &[
            r#"audience "shop""#,
            r#"audience "shop", "store""#,
            r#"audience any "a test""#,
        ],
    ),
    (
        "CORS",
        &[
            "",
            r#"cors "https://app.example.com""#,
            r#"cors "https://*.example.com""#,
            r#"cors "*""#,
            r#"cors "https://app.example.com" passed on"#,
            "preflight public",
        ],
    ),
    (
        "PATHS",
        &["", "paths case-insensitive", "paths allow encoded-slash"],
    ),
    (
        "FORWARD",
        &[
            "",
            r#"forward sub as "x-user""#,
            r#"forward jti as "x-user""#,
        ],
    ),
];

/// The routes and guards. A policy has none or one of each line.
const ROUTES: [&[&str]; 8] = [
    &[
        "GET /a authenticated",
        "GET /a public",
        r#"GET /a requires scope "s1""#,
    ],
    &[
        "GET /{p} authenticated or anonymous",
        r#"GET /{p} public if path.p != "x""#,
        r#"GET, POST /{p} public if header "origin" present"#,
    ],
    &[
        "POST /a requires token from main",
        "POST /a requires token from more and CONTAINS",
    ],
    &[
        "OPTIONS /a authenticated",
        "OPTIONS /a denied",
        r#"OPTIONS /a public if header "origin" == "https://app.example.com""#,
        r#"OPTIONS /a public if header "access-control-request-method" in ["GET", "POST"]"#,
        r#"OPTIONS /a public if header "origin" starts with "https://x." and header "access-control-request-method" == "GET""#,
    ],
    &[
        r#"OPTIONS /{p} public if path.p != "x""#,
        r#"OPTIONS, GET /{p}/{q} public if path.q == "x""#,
        r#"* /{p} public if header "origin" present and header "access-control-request-method" in ["PUT", "POST"]"#,
    ],
    &["* /b requires CONTAINS"],
    &[
        "GET /b denied",
        "GET /x denied",
        "OPTIONS, PUT /{p} denied",
        "* /x/{p} denied",
    ],
    &[
        "guard GET /x of shop denied",
        "guard OPTIONS /x of shop denied",
        "guard * except GET /{p} of shop denied",
        "guard OPTIONS /** of shop except public denied",
        "guard OPTIONS /{p}/x of all denied",
    ],
];

#[derive(Debug, Clone)]
struct Choice {
    settings: Vec<usize>,
    routes: Vec<usize>,
    /// Whether there is another API, with its own host.
    other: bool,
}

impl Choice {
    fn text(&self) -> String {
        let mut text = r#"
issuer main { url "https://main.example/" LEEWAY AGE OWN SCOPES claims { PLAN } }
issuer more { url "https://more.example/" claims { PLAN } }
api shop {
    HOST
    ISSUER
    AUDIENCE
    CORS
    PATHS
    FORWARD
"#
        .to_owned();
        let rules = ROUTES.iter().zip(&self.routes);
        let (guards, routes): (Vec<&str>, Vec<&str>) = rules
            .filter_map(|(rules, at)| rules.get(*at).copied())
            .partition(|rule| rule.starts_with("guard"));
        for route in routes {
            text.push_str(&format!("    {route}\n"));
        }
        text.push_str("}\n");
        for guard in guards {
            text.push_str(&format!("{guard}\n"));
        }
        if self.other {
            text.push_str(
                "api other { host \"www.example.com\" issuer main audience \"store\" GET /c authenticated }\n",
            );
        }
        let mut list = false;
        for ((name, values), at) in SETTINGS.iter().zip(&self.settings) {
            let value = values[at % values.len()];
            list |= value.contains("list of") || value.contains("words");
            text = text.replace(name, value);
        }
        let contains = if list {
            r#"claim plan contains "pro""#
        } else {
            r#"claim plan == "pro""#
        };
        text.replace("CONTAINS", contains)
    }
}

fn choices() -> impl Strategy<Value = Choice> {
    (
        prop::collection::vec(
            prop_oneof![2 => Just(0_usize), 1 => 0..8_usize],
            SETTINGS.len(),
        ),
        // About half of them have no line of a group.
        prop::collection::vec(0..6_usize, ROUTES.len()),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(settings, routes, other)| Choice {
            settings,
            routes,
            other,
        })
        .prop_filter("it loads", |choice| loads(&choice.text()))
}

/// A policy, and one that differs from it in one or two lines.
fn pairs() -> impl Strategy<Value = (String, String)> {
    (
        choices(),
        prop::collection::vec((0..SETTINGS.len(), 0..8_usize), 0..3),
        prop::option::weighted(0.7, (0..ROUTES.len(), 0..6_usize)),
    )
        .prop_map(|(old, settings, route)| {
            let mut new = old.clone();
            for (setting, value) in settings {
                new.settings[setting] = value;
            }
            if let Some((route, value)) = route {
                new.routes[route] = value;
            }
            (old.text(), new.text())
        })
        .prop_filter("both load", |(_, new)| loads(new))
}

fn requests() -> impl Strategy<Value = Witness> {
    let text = |options: &'static [&'static str]| select(options).prop_map(str::to_owned);
    (
        text(&[
            "GET", "HEAD", "POST", "OPTIONS", "OPTIONS", "OPTIONS", "PUT",
        ]),
        text(&[
            "api.example.com",
            "www.example.com",
            "x.example.com",
            "elsewhere.example",
        ]),
        text(&[
            "/a", "/A", "/b", "/c", "/x", "/", "/a/x", "/x/x", "/b%2Fx", "/x/b%2Fx",
        ]),
        select(vec![
            None,
            Some("https://app.example.com"),
            Some("https://x.example.com"),
            Some("https://evil.example"),
        ]),
        select(vec![
            None,
            Some("GET"),
            Some("POST"),
            Some("DELETE"),
            Some("get"),
        ]),
        prop::option::weighted(0.8, claims()),
    )
        .prop_map(|(method, host, target, origin, asked, claims)| {
            let mut headers = Vec::new();
            if let Some(origin) = origin {
                headers.push(("origin".to_owned(), origin.to_owned()));
            }
            if let Some(asked) = asked {
                headers.push(("access-control-request-method".to_owned(), asked.to_owned()));
            }
            Witness {
                method,
                scheme: "https".to_owned(),
                host,
                target,
                headers,
                claims: claims.map(|claims| claims.to_string()),
                address: None,
                at: NOW,
            }
        })
}

fn claims() -> impl Strategy<Value = Value> {
    let members: Vec<(&'static str, Vec<Value>)> = vec![
        (
            "iss",
            vec![
                json!("https://main.example/"),
                json!("https://more.example/"),
            ],
        ),
        (
            "aud",
            vec![
                json!("shop"),
                json!(["shop", "own"]),
                json!(["store", "own"]),
                json!("other"),
            ],
        ),
        (
            "exp",
            vec![
                json!(NOW + 600.0),
                json!(NOW - 59.0),
                json!(NOW - 60.0),
                json!(NOW - 299.0),
                json!(NOW - 300.0),
            ],
        ),
        (
            "iat",
            vec![
                json!(NOW - 10.0),
                json!(NOW - 3_700.0),
                json!(NOW - 7_100.0),
                json!(NOW - 9_000.0),
            ],
        ),
        ("sub", vec![json!("alice"), json!("bob")]),
        ("jti", vec![json!("1"), json!("alice")]),
        ("scope", vec![json!("s1"), json!("s2")]),
        ("permissions", vec![json!(["s1"]), json!("s2")]),
        (
            "plan",
            vec![
                json!("pro"),
                json!("pro x"),
                json!(["pro"]),
                json!(["pro x"]),
                json!("x"),
            ],
        ),
        (
            "deep",
            vec![json!({"plan": "pro"}), json!({"plan": ["pro"]})],
        ),
        (
            "nbf",
            vec![json!(NOW + 61.0), json!(NOW + 300.0), json!(NOW)],
        ),
    ];
    // Claims that every token has occur more often.
    let members: Vec<_> = members
        .into_iter()
        .enumerate()
        .map(|(at, (name, values))| {
            let often = match at {
                0..=3 => 0.95,
                10 => 0.1,
                _ => 0.6,
            };
            prop::option::weighted(often, select(values)).prop_map(move |value| (name, value))
        })
        .collect();
    members.prop_map(|members| {
        let members = members
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Value::Object(members.collect::<Map<_, _>>())
    })
}

/// The faults of a difference, given requests.
fn wrong(old: &Policy, new: &Policy, requests: &[Witness]) -> Result<bool, String> {
    let difference = analyze::diff(old, new, NOW).map_err(|failure| failure.to_string())?;
    for change in &difference.changes {
        confirm(change, old, new)?;
    }
    for request in requests {
        let (before, after) = (request.decide(old), request.decide(new));
        let told = match (before.verdict.allows(), after.verdict.allows()) {
            (false, true) => difference
                .changes
                .iter()
                .any(|change| change.effect != Effect::Tightened),
            (true, false) => difference
                .changes
                .iter()
                .any(|change| change.effect != Effect::Loosened),
            (true, true) if before.headers != after.headers => !difference.changes.is_empty(),
            _ => true,
        };
        if !told {
            return Err(format!(
                "{before:?}, then {after:?}, and not reported in {:#?}: {request:#?}",
                difference.changes
            ));
        }
    }
    Ok(difference.changes.is_empty())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        // A failing case becomes a case of `tests/cases/diff`.
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn settings_are_equal_if_no_request_tells_them_apart(
        (old_text, new_text) in pairs(),
        requests in many(requests(), 200),
    ) {
        let (old, new) = (policy(&[&old_text]), policy(&[&new_text]));
        // If letters are read differently, it may say that it can't tell.
        if let Err(failure) = analyze::diff(&old, &new, NOW) {
            prop_assume!(!failure.to_string().contains("of which only some paths could be tried"));
        }
        let shown = || format!("--- old{old_text}--- new{new_text}");
        let there = wrong(&old, &new, &requests.0)
            .map_err(|error| TestCaseError::fail(format!("{error}\n{}", shown())))?;
        let back = wrong(&new, &old, &requests.0)
            .map_err(|error| TestCaseError::fail(format!("back: {error}\n{}", shown())))?;
        prop_assert_eq!(there, back, "equal in one direction only\n{}", shown());
        if old_text == new_text {
            prop_assert!(there, "a policy differs from itself\n{}", shown());
        }
    }
}
