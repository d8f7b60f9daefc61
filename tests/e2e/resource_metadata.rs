//! `docs/guides/resource-metadata.md` as written: each proxy passes clients on to the metadata that the
//! challenges name.

use std::path::Path;

use super::caller::Request;
use super::daemon::Daemon;
use super::echo::Echo;
use super::provider::Provider;
use super::proxies::{Kind, Proxy};
use super::world::policy;
use crate::support::manual::fenced;

const PATH: &str = "/.well-known/oauth-protected-resource";

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_client_finds_the_metadata_that_the_challenge_names() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guides/resource-metadata.md");
    let blocks = fenced(&page);
    let block = |info: &str| {
        let block = blocks.iter().find(|block| block.info == info);
        block.expect("a block of the page").text.clone()
    };
    let (provider, upstream) = (Provider::start(), Echo::start());
    let daemon = Daemon::with(&policy(&provider.issuer), &block("yaml metadata"));
    let http = daemon.ports.http.to_string();
    for kind in [Kind::Nginx, Kind::EnvoyGrpc, Kind::EnvoyHttp, Kind::Caddy] {
        let change = |text: String| {
            let (place, lines) = match kind {
                Kind::Nginx => ("        location / {", block("nginx metadata")),
                Kind::EnvoyGrpc | Kind::EnvoyHttp => (
                    "              - match: { prefix: \"/\" }",
                    indented(&block("yaml metadata-route"), 14),
                ),
                Kind::Caddy => ("\t\trequest_header \"-*!*\"", block("caddy metadata")),
                Kind::EnvoyModule | Kind::NginxModule => unreachable!("they have no listener"),
            };
            assert_eq!(text.matches(place).count(), 1, "{place}");
            let text = text.replace(place, &format!("{lines}{place}"));
            if !kind.is_envoy() {
                return text;
            }
            let cluster = indented(&block("yaml metadata-cluster"), 2).replace("9190", &http);
            text.replace("  clusters:\n", &format!("  clusters:\n{cluster}"))
        };
        let proxy = Proxy::start_changed(kind, change, daemon.ports, upstream.address);

        let denied = Request::new("GET", "/orders").send(proxy.address);
        assert_eq!(denied.status, 401, "{kind:?} {denied:?}");
        let challenge = denied.header("www-authenticate").expect("a challenge");
        let url = format!("resource_metadata=\"https://api.example.com{PATH}\"");
        assert!(challenge.contains(&url), "{kind:?} {challenge}");

        let found = Request::new("GET", PATH).send(proxy.address);
        assert_eq!(found.status, 200, "{kind:?} {found:?}");
        let document = found.json();
        assert_eq!(document["resource"], "https://api.example.com", "{kind:?}");
        assert_eq!(
            document["authorization_servers"][0], provider.issuer,
            "{kind:?}"
        );
        let scopes = document["scopes_supported"].as_array().expect("scopes");
        assert!(
            scopes.iter().any(|scope| scope == "read:orders"),
            "{document}"
        );
        assert_eq!(
            found.header("access-control-allow-origin"),
            Some("*"),
            "{kind:?}"
        );

        // Only these paths are passed on without a decision.
        for other in [
            "/.well-known/oauth-protected-resource-x",
            "/.well-known/openid",
        ] {
            let answer = Request::new("GET", other).send(proxy.address);
            assert!(
                [403, 404].contains(&answer.status),
                "{kind:?} {other} {answer:?}"
            );
            assert!(!answer.text().contains("authorization_servers"));
        }
    }
}

fn indented(text: &str, by: usize) -> String {
    let indent = " ".repeat(by);
    text.lines()
        .map(|line| format!("{indent}{line}\n"))
        .collect()
}
