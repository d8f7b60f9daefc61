//! The places of a token, through every proxy: repeated headers, split cookies, escapes in a query.

mod requests;

use std::path::PathBuf;

use serde_json::json;

use super::caller::Request;
use super::daemon::Daemon;
use super::echo::{Echo, echoed};
use super::http2::{self, Outcome};
use super::provider::{ORDERS, Provider};
use super::proxies::{Kind, Proxy};
use super::world::reason;
use requests::End::{Allowed, Refused};
use requests::{MALFORMED, get, table};

const POLICY: &str = include_str!("places.gate");

/// A world whose policy takes tokens from several places.
pub struct World {
    pub upstream: Echo,
    pub daemon: Daemon,
    pub token: String,
    _provider: Provider,
}

impl World {
    pub fn start() -> Self {
        Self::with(POLICY)
    }

    fn with(policy: &str) -> Self {
        let provider = Provider::start();
        Self {
            upstream: Echo::start(),
            daemon: Daemon::start(&policy.replace("ISSUER", &provider.issuer)),
            token: provider.machine_token(Some(ORDERS), "read:orders", &json!({})),
            _provider: provider,
        }
    }

    fn policy(&self) -> PathBuf {
        self.daemon.policy_folder()
    }

    /// A proxy with the fragment of `proxy-config` for this policy.
    pub fn proxy(&self, kind: Kind) -> Proxy {
        Proxy::start_generated(
            kind,
            &self.policy(),
            self.daemon.ports,
            self.upstream.address,
        )
    }
}

/// The status of a denial, as the proxy passes it on.
pub fn status(kind: Kind, code: &str) -> u16 {
    match (code, kind) {
        ("request.malformed", Kind::Nginx | Kind::EnvoyHttp) => 403,
        ("request.malformed", _) => 400,
        ("request.condition", _) => 403,
        _ => 401,
    }
}

pub fn at(host: &str, method: &str, target: &str) -> Request {
    Request::to_host(method, target, &format!("{host}.example.com"))
}

/// Requests that a proxy refuses by itself.
const REFUSED_BY_THE_PROXY: [(Kind, &str); 4] = [
    (Kind::Nginx, "Authorization twice"),
    (Kind::Nginx, "Authorization of two schemes"),
    (Kind::NginxModule, "Authorization twice"),
    (Kind::NginxModule, "Authorization of two schemes"),
];

/// Requests that are refused if a proxy joins two headers with a comma, and allowed otherwise: some
/// servers begin a cookie after a comma, others don't.
const REFUSED_WHERE_JOINED: [&str; 2] =
    ["cookie in the second header", "cookie in the first header"];

/// Sends the requests of the table, and returns those with another outcome.
fn differences(world: &World, kind: Kind, proxy: &Proxy, joins: bool) -> Vec<String> {
    let mut differences = Vec::new();
    for (what, request, end) in table(&world.token) {
        let end = if joins && REFUSED_WHERE_JOINED.contains(&what) {
            MALFORMED
        } else {
            end
        };
        let before = world.upstream.received();
        let answer = request.send(proxy.address);
        let got = (answer.status, reason(&answer));
        let passed = world.upstream.received() - before;
        let right = match end {
            Allowed => got.0 == 200 && passed == 1,
            Refused(_) if REFUSED_BY_THE_PROXY.contains(&(kind, what)) => {
                got == (400, None) && passed == 0
            }
            Refused(code) => got == (status(kind, code), Some(code)) && passed == 0,
        };
        if !right {
            differences.push(format!(
                "{kind:?}: {what}: {end:?}, got {got:?}, {passed} passed"
            ));
        }
    }
    differences
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_token_is_found_where_it_may_stand_through_every_proxy() {
    let world = World::start();
    for kind in Kind::ALL {
        let proxy = world.proxy(kind);
        let joins = kind == Kind::EnvoyHttp;
        let differences = differences(&world, kind, &proxy, joins);
        assert!(differences.is_empty(), "{}", differences.join("\n"));
    }
}

/// Envoy without `encode_raw_headers`, which its guide advises against.
#[test]
#[ignore = "needs the proxies: run tests/run"]
fn what_envoy_has_joined_is_refused() {
    let world = World::start();
    let raw = "encode_raw_headers: true";
    let proxy = Proxy::start_generated_changed(
        Kind::EnvoyGrpc,
        &world.policy(),
        |text| {
            assert!(text.contains(raw), "{text}");
            text.replacen(raw, "encode_raw_headers: false", 1)
        },
        world.daemon.ports,
        world.upstream.address,
    );
    let differences = differences(&world, Kind::EnvoyGrpc, &proxy, true);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// To many applications, `X_Access_Token` and `X.Access.Token` are the same as `X-Access-Token`.
/// Either the proxy refuses or drops such a name, or portcullis refuses it: the application never
/// gets an unchecked token.
#[test]
#[ignore = "needs the proxies: run tests/run"]
fn another_spelling_is_no_second_token() {
    let world = World::start();
    for kind in Kind::ALL {
        let proxy = world.proxy(kind);
        for spelling in [
            "X_Access_Token",
            "x-access_token",
            "X.Access.Token",
            "x+access-token",
        ] {
            let answer = get("header")
                .header("X-Access-Token", &world.token)
                .header(spelling, "other")
                .send(proxy.address);
            let got = (answer.status, reason(&answer));
            let fine = match kind {
                _ if kind.is_envoy() && spelling.contains('_') => got == (400, None),
                Kind::EnvoyGrpc | Kind::EnvoyModule => got == (400, Some("request.malformed")),
                Kind::EnvoyHttp => got == (403, Some("request.malformed")),
                Kind::Nginx | Kind::NginxModule => got.0 == 200 && !answer.text().contains("other"),
                // portcullis never sees what Caddy removes.
                Kind::Caddy => {
                    got == (400, Some("request.malformed"))
                        || got.0 == 200 && !answer.text().contains("other")
                }
            };
            assert!(fine, "{kind:?} {spelling}: {answer:?} {}", answer.text());
        }
    }
}

/// HTTP/2 may split a cookie header into its pairs (RFC 9113, section 8.2.3).
#[test]
#[ignore = "needs the proxies: run tests/run"]
fn what_came_in_pieces_and_what_came_twice_over_http2() {
    let world = World::start();
    let cookie = format!("session={}", world.token);
    let host = "cookie.example.com";
    for kind in Kind::ALL {
        let proxy = Proxy::start_generated_changed(
            kind,
            &world.policy(),
            |text| with_http2(kind, &text),
            world.daemon.ports,
            world.upstream.address,
        );
        let ask = |crumbs: &[&str]| {
            let headers: Vec<(&str, &str)> =
                crumbs.iter().map(|crumb| ("cookie", *crumb)).collect();
            http2::get_from(proxy.address, host, b"/orders", &headers).expect("frames")
        };
        for crumbs in [
            &["a=1", &cookie, "b=2"][..],
            &[&cookie, "a=1"],
            &["a=1", &cookie],
        ] {
            let outcome = ask(crumbs);
            let Outcome::Answered { status: 200, body } = outcome else {
                panic!("{kind:?}: {outcome:?}");
            };
            // The application gets what was judged.
            let echo = serde_json::from_slice(&body).expect("JSON");
            assert_eq!(echoed(&echo, "cookie"), [crumbs.join("; ")], "{kind:?}");
        }
        let bearer = format!("Bearer {}", world.token);
        for (host, name, value) in [
            ("plain.example.com", "authorization", bearer.as_str()),
            ("header.example.com", "x-access-token", &world.token),
        ] {
            let ask = |count: usize| {
                let headers = vec![(name, value); count];
                http2::get_from(proxy.address, host, b"/orders", &headers).expect("frames")
            };
            let once = ask(1);
            assert!(
                matches!(once, Outcome::Answered { status: 200, .. }),
                "{kind:?}: {once:?}"
            );
            let before = world.upstream.received();
            let twice = ask(2);
            let refused = match twice {
                Outcome::Answered { status, .. } => (400..404).contains(&status),
                Outcome::Refused => true,
            };
            assert!(refused, "{kind:?} {name}: {twice:?}");
            assert_eq!(world.upstream.received(), before, "{kind:?} {name}");
        }
        for crumbs in [
            &[cookie.as_str(), "session=other"][..],
            &["session=other", "a=1", &cookie],
            &["a=1, session=other", &cookie],
        ] {
            let outcome = ask(crumbs);
            let Outcome::Answered {
                status: found,
                body,
            } = outcome
            else {
                panic!("{kind:?}: {outcome:?}");
            };
            assert_eq!(found, status(kind, "request.malformed"), "{kind:?}");
            let body = String::from_utf8_lossy(&body);
            assert!(body.contains("\"request.malformed\""), "{kind:?}: {body}");
        }
    }
}

/// The same with HTTP/2 on its listener, without TLS. Envoy has it already.
pub fn with_http2(kind: Kind, text: &str) -> String {
    let (before, after) = match kind {
        Kind::EnvoyGrpc | Kind::EnvoyHttp | Kind::EnvoyModule => return text.to_owned(),
        Kind::Nginx | Kind::NginxModule => {
            ("listen 127.0.0.1:8000;", "listen 127.0.0.1:8000 http2;")
        }
        Kind::Caddy => (
            "\tadmin off\n",
            "\tadmin off\n\tservers {\n\t\tprotocols h1 h2c\n\t}\n",
        ),
    };
    assert!(text.contains(before), "{text}");
    text.replacen(before, after, 1)
}

/// `forward no token`, with each place of the token as a separate header.
#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_token_that_is_kept_reaches_no_application_through_any_proxy() {
    let world = World::with(
        r#"
issuer idp { url "ISSUER" }
api kept {
    host      "kept.example.com"
    issuer    idp
    audience  "https://api.example.com"
    token in  header "x-access-token"
    forward   sub as "x-user-id"
    forward   no token
    GET /orders requires scope "read:orders"
    GET /public public
}
"#,
    );
    let token = &world.token;
    for kind in Kind::ALL {
        let proxy = world.proxy(kind);
        for (header, value) in [
            ("Authorization", format!("Bearer {token}")),
            ("X-Access-Token", token.clone()),
        ] {
            for target in ["/orders", "/public"] {
                let answer = at("kept", "GET", target)
                    .header(header, &value)
                    .send(proxy.address);
                assert_eq!(answer.status, 200, "{kind:?} {header}: {answer:?}");
                assert!(!answer.text().contains(token), "{kind:?} {header} {target}");
            }
        }
    }
}
