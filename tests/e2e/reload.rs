//! The policy changes while requests run: no request fails, and each is decided by one whole
//! policy.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::caller::{Answer, Connection, Request};
use super::daemon::Daemon;
use super::echo::{Echo, echoed};
use super::process;
use super::provider::{ORDERS, Provider};
use super::proxies::{Kind, Proxy};
use super::world::reason;

const SWITCHES: usize = 100;
const CLIENTS: usize = 4;

/// Two policies that differ in the routes, in who may call them, and in the headers that they set
/// and remove. The client sends both headers, so an answer that mixes the two is noticed.
pub fn policies(issuer: &str) -> [String; 2] {
    let policy = |header: &str, routes: &str| {
        format!(
            "issuer idp {{ url \"{issuer}\" }}\n\
             api orders {{\n\
                 host \"api.example.com\"\n\
                 issuer idp\n\
                 audience \"{ORDERS}\"\n\
                 forward sub as \"{header}\"\n\
                 {routes}\n\
             }}\n"
        )
    };
    [
        policy(
            "x-first",
            "GET /page requires scope \"read:orders\"\nGET /other public",
        ),
        policy("x-second", "GET /page authenticated\nGET /more public"),
    ]
}

/// The policy that an answer comes from.
pub fn policy_of(target: &str, answer: &Answer) -> Option<usize> {
    let seen = || {
        let echo = answer.json();
        let seen = |name| echoed(&echo, name).join("|");
        (seen("x-first"), seen("x-second"))
    };
    match (target, answer.status, reason(answer)) {
        ("/page", 200, _) => match (seen().0.as_str(), seen().1.as_str()) {
            ("machine", "forged") => Some(0),
            ("forged", "machine") => Some(1),
            _ => None,
        },
        ("/other", 200, _) => (seen() == (String::new(), "forged".to_owned())).then_some(0),
        ("/other", 403, Some("request.no_route")) => Some(1),
        ("/more", 403, Some("request.no_route")) => Some(0),
        ("/more", 200, _) => (seen() == ("forged".to_owned(), String::new())).then_some(1),
        _ => None,
    }
}

pub fn request(target: &str, token: &str) -> Vec<u8> {
    Request::new("GET", target)
        .bearer(token)
        .header("x-first", "forged")
        .header("x-second", "forged")
        .bytes()
}

/// Sends requests on one connection, and counts the answers of each policy.
pub fn ask_until(done: &AtomicBool, proxy: SocketAddr, token: &str) -> [u64; 2] {
    let mut connection = Connection::open(proxy).expect("the proxy listens");
    let mut counts = [0; 2];
    while !done.load(Ordering::SeqCst) {
        for target in ["/page", "/other", "/more"] {
            let answer = connection
                .exchange(&request(target, token))
                .unwrap_or_else(|error| panic!("a failed request to {target}: {error}"));
            let policy = policy_of(target, &answer).unwrap_or_else(|| {
                panic!(
                    "neither policy's answer to {target}: {answer:?} {}",
                    answer.text()
                )
            });
            counts[policy] += 1;
        }
    }
    counts
}

/// How often the policy changes where memory is looked at, and after how many changes first. For a
/// longer run, in whole thousands: `CHANGES=10000 tests/run --test e2e changes_of_the_policy -- --nocapture`.
const CHANGES: usize = 1000;
const WARM: usize = 200;

/// By how much memory may differ between the first look and the last: allocators keep some.
const KEPT_KIB: u64 = 24 * 1024;

/// Has the policy changed again and again while a client asks the proxy, which decides by itself. No
/// request fails, and memory stays. Every thousand changes need a new token, since one expires.
pub fn change_under_load(
    proxy: SocketAddr,
    new_token: impl Fn() -> String,
    write: impl Fn(usize),
    resident_kib: impl Fn() -> u64,
) {
    let asked = std::env::var("CHANGES").ok();
    let changes = asked.map_or(CHANGES, |asked| asked.parse().expect("a number"));
    assert_eq!(changes % CHANGES, 0, "whole thousands");
    let mut warm = 0;
    for first in (0..changes).step_by(CHANGES) {
        let token = new_token();
        let done = AtomicBool::new(false);
        let counts = thread::scope(|scope| {
            let client = scope.spawn(|| ask_until(&done, proxy, &token));
            let end = EndWhenDropped(&done);
            let mut connection = Connection::open(proxy).expect("the proxy listens");
            for change in first + 1..=first + CHANGES {
                let number = change % 2;
                write(number);
                process::wait_until("the policy is in force", || {
                    let answer = connection.exchange(&request("/other", &token));
                    policy_of("/other", &answer.expect("an answer")) == Some(number)
                });
                if change == WARM {
                    warm = resident_kib();
                }
            }
            drop(end);
            client.join().expect("the client does not fail")
        });
        assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
        println!("{} changes: {} KiB", first + CHANGES, resident_kib());
    }
    let end = resident_kib();
    assert!(end < warm + KEPT_KIB, "{warm} KiB became {end} KiB");
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_hundred_changes_under_load_through_envoy() {
    let provider = Provider::start();
    let upstream = Echo::start();
    let policies = policies(&provider.issuer);
    let daemon = Daemon::start(&policies[0]);
    let proxy = Proxy::start(Kind::EnvoyGrpc, daemon.ports, upstream.address);
    let token = provider.machine_token(Some(ORDERS), "read:orders", &serde_json::json!({}));
    let done = AtomicBool::new(false);

    let counts = thread::scope(|scope| {
        let clients =
            [(); CLIENTS].map(|()| scope.spawn(|| ask_until(&done, proxy.address, &token)));
        // The clients end even if a check below fails.
        let end = EndWhenDropped(&done);
        for switch in 1..=SWITCHES {
            let [first, second] = &policies;
            let policy = switch % 2;
            daemon.change_policy(if policy == 0 { first } else { second });
            // Requests that begin after the change are decided by the new policy.
            for target in ["/page", "/other", "/more"] {
                let answer = super::caller::exchange(proxy.address, &request(target, &token))
                    .expect("an answer");
                assert_eq!(
                    policy_of(target, &answer),
                    Some(policy),
                    "{switch}: {answer:?}"
                );
            }
        }
        drop(end);
        clients.map(|client| client.join().expect("no client fails"))
    });

    for policy in [0, 1] {
        assert!(
            counts.iter().map(|counts| counts[policy]).sum::<u64>() > 0,
            "{counts:?}"
        );
    }
}

/// Has the clients end.
pub struct EndWhenDropped<'a>(pub &'a AtomicBool);

impl Drop for EndWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_broken_policy_changes_nothing() {
    let provider = Provider::start();
    let upstream = Echo::start();
    let [first, second] = policies(&provider.issuer);
    let daemon = Daemon::start(&first);
    let proxy = Proxy::start(Kind::EnvoyGrpc, daemon.ports, upstream.address);
    let other = || Request::new("GET", "/other").send(proxy.address).status;
    assert_eq!(other(), 200);
    let revision = daemon.policy()["revision"].clone();

    daemon.write_policy("api orders { GET /other publik }\n");
    super::process::wait_until("the error shows", || {
        !daemon.policy()["last_error"].is_null()
    });
    assert_eq!(daemon.policy()["revision"], revision);
    assert_eq!(other(), 200);

    daemon.change_policy(&second);
    assert_eq!(other(), 403);
    assert!(daemon.policy()["last_error"].is_null());
    assert_ne!(daemon.policy()["revision"], revision);
}

/// The policy with this content of its set.
fn with_revoked(issuer: &str, revoked: &str) -> String {
    format!(
        r#"
issuer provider {{ url "{issuer}" }}
api orders {{
    host      "api.example.com"
    issuer    provider
    audience  "https://api.example.com"
    GET /orders requires scope "read:orders"
}}
set revoked = ["{revoked}"]
guard * /** of orders requires claim sub not in revoked and claim jti not in revoked
"#
    )
}

/// A token that was verified and cached.
#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_revoked_token_is_denied_by_the_next_request_through_every_proxy() {
    let provider = Provider::start();
    let upstream = Echo::start();
    let daemon = Daemon::start(&with_revoked(&provider.issuer, "nobody"));
    let proxies =
        Kind::ASKING.map(|kind| (kind, Proxy::start(kind, daemon.ports, upstream.address)));
    let token = provider.machine_token(Some(ORDERS), "read:orders", &serde_json::json!({}));
    let claims = token.split('.').nth(1).expect("a JWT has claims");
    let claims = URL_SAFE_NO_PAD.decode(claims).expect("base64url");
    let claims: serde_json::Value = serde_json::from_slice(&claims).expect("JSON");
    let assert_all = |status: u16| {
        for (kind, proxy) in &proxies {
            let answer = Request::new("GET", "/orders")
                .bearer(&token)
                .send(proxy.address);
            assert_eq!(answer.status, status, "{kind:?}: {answer:?}");
            if status == 403 {
                let code = answer.header("x-portcullis-reason");
                assert_eq!(code, Some("claim.mismatch"), "{kind:?}");
            }
        }
    };
    assert_all(200);
    assert_all(200);
    for claim in ["jti", "sub"] {
        let revoked = claims[claim].as_str().expect("a claim");
        daemon.change_policy(&with_revoked(&provider.issuer, revoked));
        assert_all(403);
        daemon.change_policy(&with_revoked(&provider.issuer, "nobody"));
        assert_all(200);
    }
}
