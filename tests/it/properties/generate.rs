//! Random policies, as text, and random requests that nearly match them.
//!
//! Policies are text, so they go through the parser and the checker like any others. Names and
//! values come from small alphabets, so that routes cross, guards cover and claims match often
//! enough to matter. Candidates that the checker refuses are left out one by one.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::naive::Asked;
use portcullis::pattern::Method;

/// The time of generated requests, as a NumericDate.
pub const NOW: f64 = 1_780_315_200.0;
/// The issuer of generated policies.
pub const ISSUER: &str = "https://issuer.example";
/// Their audience.
pub const AUDIENCE: &str = "https://api.example.com";

/// The text around the generated routes and guards.
const HEAD: &str = r#"
issuer main {
    url "https://issuer.example"
    claims {
        plan   string
        org    string
        seats  number
        paid   boolean
        roles  list of string
        nested string from deep."in".here
        joined time
        tags   words
    }
}
set plans  = ["pro", "team", "x"]
set office = ["192.0.2.0/25", "2001:db8::/32"]
let staff  = claim roles contains "staff" or claim plan == "team"
api shop {
    host     "api.example.com"
    issuer   main
    audience "https://api.example.com"
}
"#;

/// A line of an API: a route, or a block of routes.
#[derive(Debug, Clone)]
pub enum Line {
    /// `METHODS PATH ACCESS`
    Route(String),
    /// `under PATH requires CONDITION { … }`
    Under {
        /// `under PATH requires CONDITION`
        head: String,
        /// The routes.
        routes: Vec<String>,
    },
}

/// A policy in pieces, which can be put in any order.
#[derive(Debug, Clone, Default)]
pub struct Spec {
    /// The lines of the API.
    pub lines: Vec<Line>,
    /// Guards.
    pub guards: Vec<String>,
}

impl Spec {
    /// The policy's text.
    pub fn text(&self) -> String {
        let (rest, routes) = self.in_two_files();
        format!("{rest}{routes}")
    }

    /// The policy in two files: the routes, and everything else.
    pub fn in_two_files(&self) -> (String, String) {
        let mut rest = HEAD.to_owned();
        for guard in &self.guards {
            rest.push_str(guard);
            rest.push('\n');
        }
        let mut routes = "api shop {\n".to_owned();
        for line in &self.lines {
            match line {
                Line::Route(route) => routes.push_str(&format!("    {route}\n")),
                Line::Under {
                    head,
                    routes: below,
                } => {
                    routes.push_str(&format!("    {head} {{\n"));
                    for route in below {
                        routes.push_str(&format!("        {route}\n"));
                    }
                    routes.push_str("    }\n");
                }
            }
        }
        routes.push_str("}\n");
        (rest, routes)
    }

    /// The candidates that load together, in order.
    pub fn settle(candidates: &Spec, loads: impl Fn(&str) -> bool) -> Spec {
        let mut spec = Spec::default();
        for line in &candidates.lines {
            spec.lines.push(line.clone());
            if !loads(&spec.text()) {
                spec.lines.pop();
            }
        }
        for guard in &candidates.guards {
            spec.guards.push(guard.clone());
            if !loads(&spec.text()) {
                spec.guards.pop();
            }
        }
        spec
    }
}

/// Candidates for a policy.
pub fn candidates() -> impl Strategy<Value = Spec> {
    (
        prop::collection::vec(line(), 1..9),
        prop::collection::vec(guard(), 0..4),
    )
        .prop_map(|(lines, guards)| Spec { lines, guards })
}

fn line() -> impl Strategy<Value = Line> {
    prop_oneof![
        5 => route().prop_map(Line::Route),
        1 => (path(false, 1..3), prop::collection::vec(inner_route(), 1..3))
            .prop_flat_map(|((path, names), routes)| {
                condition(names, 2, true).prop_map(move |condition| Line::Under {
                    head: format!("under {path} requires {condition}"),
                    routes: routes.clone(),
                })
            }),
    ]
}

/// A route whose parameters can't repeat those of the block around it.
fn inner_route() -> impl Strategy<Value = String> {
    (
        methods(),
        prop::sample::select(vec!["/", "/a", "/b", "/c.csv", "/{inner}", "/**", "/a/**"]),
        prop_oneof![
            Just(String::new()),
            condition(Vec::new(), 1, true).prop_map(|condition| format!(" requires {condition}")),
        ],
    )
        .prop_map(|(methods, path, access)| format!("{methods} {path}{access}"))
}

/// A route.
pub fn route() -> impl Strategy<Value = String> {
    (methods(), path(true, 0..4)).prop_flat_map(|(methods, (path, names))| {
        access(names).prop_map(move |access| format!("{methods} {path} {access}"))
    })
}

/// A guard.
pub fn guard() -> impl Strategy<Value = String> {
    (
        methods(),
        path(true, 0..3),
        prop::sample::select(vec!["", " except public"]),
    )
        .prop_flat_map(|(methods, (path, names), except)| {
            prop_oneof![
                6 => condition(names, 2, true)
                    .prop_map(|condition| format!("requires {condition}")),
                1 => Just("denied".to_owned()),
            ]
            .prop_map(move |what| format!("guard {methods} {path} of shop{except} {what}"))
        })
}

fn methods() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["GET", "HEAD", "POST", "PUT, DELETE", "*", "GET, POST"])
}

/// A path and the names in it.
fn path(
    rest: bool,
    length: std::ops::Range<usize>,
) -> impl Strategy<Value = (String, Vec<&'static str>)> {
    (
        prop::collection::vec(
            prop::sample::select(vec!["a", "b", "c.csv", "{}", "{}.csv", "c{}"]),
            length,
        ),
        prop::bool::weighted(if rest { 0.3 } else { 0.0 }),
    )
        .prop_map(|(segments, rest)| {
            let names = ["p", "q", "r", "s"];
            let mut used = Vec::new();
            let mut path = String::new();
            for segment in segments {
                path.push('/');
                if segment.contains("{}") {
                    let name = names[used.len()];
                    used.push(name);
                    path.push_str(&segment.replace("{}", &format!("{{{name}}}")));
                } else {
                    path.push_str(segment);
                }
            }
            if rest {
                path.push_str("/**");
            } else if path.is_empty() {
                path.push('/');
            }
            (path, used)
        })
}

fn access(names: Vec<&'static str>) -> impl Strategy<Value = String> {
    prop_oneof![
        1 => Just("public".to_owned()),
        1 => request_atom(false).prop_map(|atom| format!("public if {atom}")),
        1 => Just("authenticated".to_owned()),
        1 => Just("authenticated or anonymous".to_owned()),
        6 => condition(names, 3, true).prop_map(|condition| format!("requires {condition}")),
        1 => Just("denied".to_owned()),
    ]
}

/// A condition, with `absent` only if that is allowed.
pub fn condition(names: Vec<&'static str>, depth: u32, absent: bool) -> BoxedStrategy<String> {
    nested(names, depth, absent, false)
}

fn nested(
    names: Vec<&'static str>,
    depth: u32,
    absent: bool,
    under_not: bool,
) -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        4 => token_atom(absent),
        2 => request_atom(under_not),
        if names.is_empty() { 0 } else { 2 } => path_atom(names.clone()),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let deeper = |under_not| nested(names.clone(), depth - 1, absent, under_not);
    prop_oneof![
        2 => leaf,
        2 => prop::collection::vec(deeper(under_not), 2..4)
            .prop_map(|all| format!("({})", all.join(" and "))),
        2 => prop::collection::vec(deeper(under_not), 2..4)
            .prop_map(|any| format!("({})", any.join(" or "))),
        1 => deeper(true).prop_map(|inner| format!("not ({inner})")),
    ]
    .boxed()
}

fn token_atom(absent: bool) -> BoxedStrategy<String> {
    let atoms = vec![
        r#"scope "s1""#,
        r#"scope "s2""#,
        r#"scope any ["s1", "s2"]"#,
        r#"scope all ["s1", "s2"]"#,
        r#"claim plan == "pro""#,
        r#"claim plan != "pro""#,
        "claim plan in plans",
        r#"claim plan not in ["x", "free"]"#,
        r#"claim plan starts with "p""#,
        r#"claim plan ends with "m""#,
        r#"claim plan in domain "x.example""#,
        "claim plan == claim org",
        "claim org present",
        "claim seats >= 5",
        "claim seats < 7",
        "claim seats in [4, 5]",
        "claim seats == 5",
        "claim paid == true",
        "claim paid != false",
        r#"claim roles contains "staff""#,
        r#"claim roles contains any ["staff", "boss"]"#,
        r#"claim roles contains all ["staff", "boss"]"#,
        r#"claim nested == "x""#,
        "claim joined < now",
        r#"claim joined >= "2026-01-01T00:00:00Z""#,
        r#"claim tags contains "t1""#,
        r#"claim sub == "alice""#,
        r#"client "spa""#,
        r#"client not in ["spa", "cli"]"#,
        "login within 5m",
        "staff",
    ];
    if absent {
        let mut atoms = atoms;
        atoms.push("claim plan absent");
        prop::sample::select(atoms).prop_map(str::to_owned).boxed()
    } else {
        prop::sample::select(atoms).prop_map(str::to_owned).boxed()
    }
}

fn request_atom(under_not: bool) -> impl Strategy<Value = String> {
    let mut atoms = vec![
        "address in office",
        r#"address not in ["192.0.2.64/26"]"#,
        "method == GET",
        "method in [PUT, POST]",
        "method != DELETE",
    ];
    if !under_not {
        atoms.extend([
            r#"header "x-org" == "x""#,
            r#"header "x-org" in ["x", "y"]"#,
            r#"header "x-org" starts with "x""#,
            r#"query "q" == "x y""#,
            r#"query "q" present"#,
        ]);
    }
    prop::sample::select(atoms).prop_map(str::to_owned)
}

fn path_atom(names: Vec<&'static str>) -> impl Strategy<Value = String> {
    // Without names, `prop_oneof!` gives this strategy no weight.
    let names = if names.is_empty() { vec!["p"] } else { names };
    (
        prop::sample::select(names),
        prop::sample::select(vec![
            r#"path.NAME == "a""#,
            r#"path.NAME != "b""#,
            r#"path.NAME in ["a", "x"]"#,
            r#"path.NAME starts with "x""#,
            // Requests whose path contains only `a.` are refused.
            r#"path.NAME == "a.""#,
            r#"path.NAME in ["x", "b "]"#,
            r#"path.NAME starts with "a.""#,
            "claim org == path.NAME",
            "claim roles contains path.NAME",
        ]),
    )
        .prop_map(|(name, atom)| atom.replace("NAME", name))
}

/// A request, and perhaps the claims of a valid token.
pub fn asked() -> impl Strategy<Value = Asked> {
    let text =
        |options: &[&'static str]| prop::sample::select(options.to_vec()).prop_map(str::to_owned);
    (
        prop::sample::select(vec!["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"]),
        prop::collection::vec(text(&["a", "b", "c.csv", "x", "x.csv", "cx", "a.x"]), 0..4),
        prop::collection::vec((text(&["q", "z"]), text(&["x y", "x", ""])), 0..3),
        prop::collection::vec(
            (text(&["x-org", "x-other"]), text(&["x", "y", "xy", "x,y"])),
            0..3,
        ),
        prop::option::of(prop::sample::select(vec![
            "192.0.2.1",
            "192.0.2.65",
            "198.51.100.1",
            "2001:db8::1",
            "::ffff:192.0.2.1",
        ])),
        prop::option::weighted(0.85, claims()),
    )
        .prop_map(
            |(method, segments, query, headers, address, claims)| Asked {
                method: Method::parse(method).expect("registered"),
                segments,
                query,
                headers,
                address: address.map(|address| address.parse().expect("an address")),
                now: NOW,
                claims,
            },
        )
}

/// A claims set that is valid apart from the rules.
pub fn claims() -> impl Strategy<Value = Value> {
    let members: Vec<(&'static str, Vec<Value>)> = vec![
        ("sub", vec![json!("alice"), json!("bob")]),
        (
            "plan",
            vec![
                json!("pro"),
                json!("team"),
                json!("x"),
                json!("m@x.example"),
                json!("a@m@x.example"),
                json!("p m@x.example"),
                json!("@x.example"),
                json!(null),
                json!(1),
            ],
        ),
        (
            "org",
            vec![json!("pro"), json!("a"), json!("a."), json!("x"), json!({})],
        ),
        (
            "seats",
            vec![
                json!(4),
                json!(5),
                json!(6.5),
                json!("5"),
                json!(9_007_199_254_740_993_u64),
            ],
        ),
        ("paid", vec![json!(true), json!(false), json!("true")]),
        (
            "roles",
            vec![
                json!(["staff"]),
                json!(["staff", "boss", "a"]),
                json!("staff"),
                json!([1]),
                json!([]),
            ],
        ),
        (
            "deep",
            vec![
                json!({"in": {"here": "x"}}),
                json!({"in": "x"}),
                json!({"in": {"here": null}}),
            ],
        ),
        (
            "joined",
            vec![
                json!(NOW - 1.0),
                json!(NOW),
                json!(0),
                json!("2026-01-01T00:00:00Z"),
            ],
        ),
        (
            "tags",
            vec![json!("t1 t2"), json!(" t1"), json!(["t1"]), json!("")],
        ),
        (
            "scope",
            vec![
                json!("s1"),
                json!("s1 s2"),
                json!(["s2"]),
                json!(""),
                json!(7),
            ],
        ),
        ("scp", vec![json!("s1"), json!(["s2", "s1"])]),
        ("azp", vec![json!("spa"), json!("cli"), json!("other")]),
        ("client_id", vec![json!("spa"), json!("cli")]),
        (
            "auth_time",
            vec![
                json!(NOW - 10.0),
                json!(NOW - 300.0),
                json!(NOW - 301.0),
                json!(NOW + 60.0),
                json!(NOW + 61.0),
                json!("x"),
            ],
        ),
    ];
    let members: Vec<_> = members
        .into_iter()
        .map(|(name, values)| {
            prop::option::weighted(0.7, prop::sample::select(values))
                .prop_map(move |value| (name, value))
        })
        .collect();
    members.prop_map(|members| {
        let mut claims = Map::new();
        claims.insert("iss".into(), json!(ISSUER));
        claims.insert("aud".into(), json!(AUDIENCE));
        claims.insert("exp".into(), json!(NOW + 600.0));
        claims.insert("iat".into(), json!(NOW - 10.0));
        for (name, value) in members {
            if let Some(value) = value {
                claims.insert(name.into(), value);
            }
        }
        Value::Object(claims)
    })
}
