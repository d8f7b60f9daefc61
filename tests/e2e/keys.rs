//! Failures of the identity provider: new keys, and every kind of outage. None of them allows a
//! request, and only the provider's own tokens are refused because of them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::caller::{Answer, Request};
use super::daemon::Daemon;
use super::echo::Echo;
use super::process;
use super::provider::{ORDERS, Provider};
use super::proxies::{Kind, Proxy};
use super::world::{World, policy, reason};

fn orders(proxy: &Proxy, token: &str) -> Answer {
    Request::new("GET", "/orders")
        .bearer(token)
        .send(proxy.address)
}

fn token(provider: &Provider) -> String {
    provider.machine_token(Some(ORDERS), "read:orders", &json!({}))
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn new_keys_pass_without_a_restart() {
    let world = World::start();
    let proxy = world.proxy(Kind::EnvoyGrpc);
    let old = token(&world.provider);
    assert_eq!(orders(&proxy, &old).status, 200);

    world.provider.rotate(true);
    let new = token(&world.provider);
    process::wait_until("the new key is known", || {
        orders(&proxy, &new).status == 200
    });
    assert_eq!(orders(&proxy, &old).status, 200);
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_withdrawn_key_stops_to_count() {
    let world = World::start();
    let proxy = world.proxy(Kind::EnvoyGrpc);
    let old = token(&world.provider);
    assert_eq!(orders(&proxy, &old).status, 200);

    world.provider.rotate(false);
    let new = token(&world.provider);
    process::wait_until("the new key is known", || {
        orders(&proxy, &new).status == 200
    });
    let answer = orders(&proxy, &old);
    assert_eq!(
        (answer.status, reason(&answer)),
        (401, Some("token.unknown_key"))
    );
}

/// Tokens with made-up keys can't make portcullis flood the provider with requests.
#[test]
#[ignore = "needs the proxies: run tests/run"]
fn unknown_keys_are_asked_for_once() {
    let world = World::start();
    let proxy = world.proxy(Kind::EnvoyGrpc);
    let real = token(&world.provider);
    assert_eq!(orders(&proxy, &real).status, 200);
    let before = world.provider.key_requests();
    let (_, rest) = real.split_once('.').expect("a JWT has parts");
    for number in 0..40 {
        let header = json!({ "alg": "RS256", "typ": "at+jwt", "kid": format!("unknown-{number}") });
        let header = URL_SAFE_NO_PAD.encode(header.to_string());
        let answer = orders(&proxy, &format!("{header}.{rest}"));
        assert!(matches!(answer.status, 401 | 503), "{answer:?}");
    }
    let asked = world.provider.key_requests() - before;
    assert!(asked <= 1, "asked {asked} times");
    assert_eq!(orders(&proxy, &real).status, 200);
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_provider_that_goes_down_takes_no_known_token_along() {
    let world = World::start();
    let proxy = world.proxy(Kind::EnvoyGrpc);
    let known = token(&world.provider);
    let other = token(&world.provider);
    assert_eq!(orders(&proxy, &known).status, 200);
    world.provider.go_down();
    assert_eq!(orders(&proxy, &known).status, 200);
    assert_eq!(orders(&proxy, &other).status, 200);
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_provider_that_is_down_at_first_is_found_later() {
    let provider = Provider::start();
    let token = token(&provider);
    provider.go_down();
    comes_to_its_senses(&provider, &token, || provider.come_up());
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_slow_provider_is_waited_for() {
    let provider = Provider::start();
    provider.fault("slow");
    let token = token(&provider);
    let upstream = Echo::start();
    let daemon = Daemon::start_unready(&policy(&provider.issuer));
    let proxy = Proxy::start(Kind::EnvoyGrpc, daemon.ports, upstream.address);
    process::wait_until("the keys have come", || {
        let answer = orders(&proxy, &token);
        assert!(matches!(answer.status, 200 | 503), "{answer:?}");
        answer.status == 200
    });
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_provider_that_talks_nonsense_is_believed_nothing() {
    for fault in ["error", "html", "empty", "huge", "hang"] {
        let provider = Provider::start();
        let token = token(&provider);
        provider.fault(fault);
        comes_to_its_senses(&provider, &token, || provider.fault("none"));
    }
}

/// portcullis starts while the provider serves no keys. Requests without tokens are decided, those
/// with tokens are refused, and once the provider serves its keys everything works without a
/// restart.
fn comes_to_its_senses(provider: &Provider, token: &str, heal: impl FnOnce()) {
    let upstream = Echo::start();
    let daemon = Daemon::start_unready(&policy(&provider.issuer));
    let proxy = Proxy::start(Kind::EnvoyGrpc, daemon.ports, upstream.address);
    let answer = Request::new("GET", "/health").send(proxy.address);
    assert_eq!(answer.status, 200, "{answer:?}");
    let before = upstream.received();
    for _ in 0..3 {
        let answer = orders(&proxy, token);
        assert_eq!(
            (answer.status, reason(&answer)),
            (503, Some("keys.unavailable")),
            "{}",
            answer.text()
        );
    }
    assert_eq!(upstream.received(), before);
    heal();
    process::wait_until("the provider is believed again", || {
        orders(&proxy, token).status == 200
    });
}
