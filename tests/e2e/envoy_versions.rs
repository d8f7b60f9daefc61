//! The module in each version of Envoy whose interface it knows: what it takes from Envoy, and gives.

use std::fs;

use super::caller::Request;
use super::echo::{Echo, echoed};
use super::module::{Files, assert_unharmed, orders, token};
use super::process;
use super::provider::Provider;
use super::proxies::{Kind, Proxy};
use super::sender::{over_tls, with_tls};
use super::world::{policy, reason};
use crate::support::tls::Authority;

/// The programs, as `tests/run` calls them. The newest is that of all other tests.
const VERSIONS: [(&str, &str); 3] = [
    ("1.38", "envoy-1.38"),
    ("1.39", "envoy-1.39"),
    ("1.40", "envoy"),
];

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn requests_are_decided_in_each_version() {
    for (version, program) in VERSIONS {
        let (provider, upstream) = (Provider::start(), Echo::start());
        let token = token(&provider);
        // The first request waits for keys, with its body, and Envoy is called from another thread.
        provider.fault("slow");
        let policy = policy(&provider.issuer);
        let files = Files::new(&policy);
        let mut proxy =
            Proxy::start_envoy(program, |text| text, files.portcullis(), upstream.address);
        let says = Request::to_host("GET", "/server_info", "localhost").send(proxy.admin);
        let says = says.json()["version"].to_string();
        assert!(says.contains(&format!("/{version}.")), "{says}");

        let body = format!("\"{}\"", "a".repeat(300_000));
        let waits = Request::new("POST", "/orders")
            .bearer(&token)
            .header("X-User-Id", "forged")
            .header("Origin", "https://app.example.com")
            .body("application/json", &body);
        for _ in 0..2 {
            let answer = waits.send(proxy.address);
            assert_eq!(
                answer.status,
                200,
                "{version}: {answer:?} {}",
                answer.text()
            );
            assert_eq!(answer.json()["body_length"], body.len(), "{version}");
            assert_eq!(
                echoed(&answer.json(), "x-user-id"),
                ["machine"],
                "{version}"
            );
            let allowed = answer.header("access-control-allow-origin");
            assert_eq!(allowed, Some("https://app.example.com"), "{version}");
        }
        let denied = orders("made.up.token").send(proxy.address);
        assert_eq!(denied.status, 401, "{version}: {denied:?}");
        assert!(reason(&denied).is_some() && denied.header("www-authenticate").is_some());
        assert!(denied.json().is_object(), "{version}: {denied:?}");

        // The module has a thread of its own, which sees the new policy.
        files.write(&policy.replacen("/health             public", "/other public", 1));
        process::wait_until("the other policy is in force", || {
            Request::new("GET", "/health").send(proxy.address).status == 403
        });
        assert_unharmed(&mut proxy);
        proxy.process.signal("TERM");
        process::wait_until("Envoy has ended", || !proxy.process.runs());
        let log = proxy.process.output();
        assert!(!log.contains("Caught "), "{version}: {log}");
    }
}

/// Which attribute is which differs from version to version, if Envoy says so.
#[test]
#[ignore = "needs the proxies: run tests/run"]
fn the_clients_certificate_and_address_are_those_of_the_connection_in_each_version() {
    let (provider, upstream, authority) = (Provider::start(), Echo::start(), Authority::new());
    for name in ["api.example.com", "client", "thief"] {
        authority.sign(name);
    }
    let policy = policy(&provider.issuer)
        .replacen("claims {", "sender mtls\n    claims {", 1)
        .replacen(
            "/health             public",
            "/health public if address in [\"127.0.0.0/8\"]",
            1,
        );
    let files = Files::new(&policy);
    let own = fs::read_to_string(authority.path("client", "crt")).expect("a certificate");
    let request = Request::new("GET", "/orders").bearer(&provider.certified_token(&own));
    for (version, program) in VERSIONS {
        let tls = |text: String| with_tls(Kind::EnvoyModule, text, &authority);
        let proxy = Proxy::start_envoy(program, tls, files.portcullis(), upstream.address);
        let ask = |request: &Request, name: Option<&str>| {
            let config = authority.client_config(name.map(|name| (&authority, name)));
            over_tls(proxy.address, config, request)
        };
        let allowed = ask(&request, Some("client"));
        assert_eq!(
            allowed.status,
            200,
            "{version}: {allowed:?} {}",
            allowed.text()
        );
        for name in [Some("thief"), None] {
            let denied = ask(&request, name);
            let got = (denied.status, reason(&denied));
            assert_eq!(got, (401, Some("token.sender")), "{version} {name:?}");
        }
        let health = ask(&Request::new("GET", "/health"), None);
        assert_eq!(health.status, 200, "{version}: {health:?}");
    }
}
