//! A login that is too old or too weak, through every proxy, with a real provider: the client
//! follows the challenge, and its next request is allowed (RFC 9470).

use serde_json::{Map, Value, json};

use super::caller::{Answer, Request};
use super::daemon::Daemon;
use super::echo::Echo;
use super::provider::Provider;
use super::proxies::{Kind, Proxy};
use super::world::reason;

const POLICY: &str = r#"
issuer idp { url "ISSUER" }
api orders {
    host      "api.example.com"
    issuer    idp
    audience  "https://api.example.com"
    GET  /orders requires scope "read:orders" and login within 15m
    POST /orders requires scope "write:orders"
                     and claim acr == "urn:example:strong" and login within 15m
}
"#;

/// Longer than any rule allows.
const TWO_HOURS: u64 = 2 * 60 * 60;

fn ask(proxy: &Proxy, method: &str, token: &str) -> Answer {
    Request::new(method, "/orders")
        .bearer(token)
        .header("Content-Length", "0")
        .send(proxy.address)
}

/// A parameter of the only challenge.
fn parameter<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let challenge = answer.header("www-authenticate").expect("a challenge");
    let (_, rest) = challenge.split_once(&format!(", {name}=\""))?;
    Some(rest.split('"').next().expect("the part before the quote"))
}

/// The parameters for the client's next authorization request, from a challenge.
fn asked_for(kind: Kind, answer: &Answer) -> Value {
    assert_eq!(answer.status, 403, "{kind:?}: {answer:?}");
    let error = parameter(answer, "error");
    assert_eq!(error, Some("insufficient_user_authentication"), "{kind:?}");
    let parameters: Map<String, Value> = ["max_age", "acr_values"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), parameter(answer, name)?.into())))
        .collect();
    parameters.into()
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_user_steps_up_through_every_proxy() {
    let (provider, upstream) = (Provider::start(), Echo::start());
    let daemon = Daemon::start(&POLICY.replace("ISSUER", &provider.issuer));
    for kind in Kind::ALL {
        let proxy = Proxy::start(kind, daemon.ports, upstream.address);
        let browser = format!("{kind:?}");
        let login = |scope: &str, parameters: &Value, ago| {
            provider
                .login_in(&browser, scope, parameters, ago)
                .access_token
        };

        // The login was long ago. Without these parameters the provider reuses that session, and a
        // new token doesn't help.
        for _ in 0..2 {
            let token = login("read:orders", &json!({}), TWO_HOURS);
            let answer = ask(&proxy, "GET", &token);
            let code = Some("authentication.too_old");
            assert_eq!(reason(&answer), code, "{kind:?}: {answer:?}");
            assert_eq!(asked_for(kind, &answer), json!({ "max_age": "900" }));
        }
        let token = login("read:orders", &json!({ "max_age": "900" }), 0);
        let answer = ask(&proxy, "GET", &token);
        assert_eq!(answer.status, 200, "{kind:?}: {answer:?}");

        // A scope is missing and the login is too weak: one challenge, one new login.
        let before = upstream.received();
        let answer = ask(&proxy, "POST", &token);
        assert_eq!(reason(&answer), Some("scope.missing"), "{kind:?}");
        let wanted = asked_for(kind, &answer);
        assert_eq!(wanted, json!({ "acr_values": "urn:example:strong" }));
        let scope = parameter(&answer, "scope").expect("a scope");
        assert_eq!(scope, "write:orders", "{kind:?}");
        assert_eq!(upstream.received(), before, "{kind:?}");
        let answer = ask(&proxy, "POST", &login(scope, &wanted, 0));
        assert_eq!(answer.status, 200, "{kind:?}: {answer:?}");
    }
}

/// A refreshed token has the time of the old login.
#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_refreshed_token_is_as_old_as_its_login() {
    let (provider, upstream) = (Provider::start(), Echo::start());
    let daemon = Daemon::start(&POLICY.replace("ISSUER", &provider.issuer));
    let proxy = Proxy::start(Kind::EnvoyGrpc, daemon.ports, upstream.address);
    let scope = "offline_access read:orders";
    for (ago, status) in [(TWO_HOURS, 403), (0, 200)] {
        let browser = format!("{ago} s ago");
        let login = provider.login_in(&browser, scope, &json!({}), ago);
        let refresh = login.refresh_token.expect("offline_access was asked for");
        let answer = ask(&proxy, "GET", &provider.refresh(&refresh));
        assert_eq!(answer.status, status, "{ago}: {answer:?}");
    }
}

/// All three at once, for a login that is old and weak.
#[test]
#[ignore = "needs the proxies: run tests/run"]
fn one_challenge_names_all_that_is_lacking() {
    let (provider, upstream) = (Provider::start(), Echo::start());
    let daemon = Daemon::start(&POLICY.replace("ISSUER", &provider.issuer));
    for kind in Kind::ALL {
        let proxy = Proxy::start(kind, daemon.ports, upstream.address);
        let browser = format!("{kind:?}");
        let old = provider.login_in(&browser, "read:orders", &json!({}), TWO_HOURS);
        let answer = ask(&proxy, "POST", &old.access_token);
        assert_eq!(reason(&answer), Some("scope.missing"), "{kind:?}");
        let wanted = asked_for(kind, &answer);
        let all = json!({ "max_age": "900", "acr_values": "urn:example:strong" });
        assert_eq!(wanted, all, "{kind:?}");
        let scope = parameter(&answer, "scope").expect("a scope");
        let new = provider.login_in(&browser, scope, &wanted, 0);
        let answer = ask(&proxy, "POST", &new.access_token);
        assert_eq!(answer.status, 200, "{kind:?}: {answer:?}");
    }
}
