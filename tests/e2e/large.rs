//! Tokens and forwarded claims that exceed a proxy's default buffers.

use serde_json::json;

use super::caller::Request;
use super::echo::echoed;
use super::provider::ORDERS;
use super::proxies::{Kind, Proxy};
use super::world::{World, policy};

/// The story's policy, forwarding the whole claims set.
fn with_payload(issuer: &str) -> String {
    let policy = policy(issuer);
    policy.replacen(
        "forward   sub",
        "forward   payload as \"x-claims\"\n    forward   sub",
        1,
    )
}

/// A forwarded payload of 21 KB, with the buffer lines that `proxy-config` writes, and without each
/// of the two kinds.
#[test]
#[ignore = "needs the proxies: run tests/run"]
fn nginx_carries_a_large_payload_with_the_buffers_that_the_guide_names() {
    let world = World::with(with_payload);
    let padding = "x".repeat(15_700);
    let claims = json!({ "claims": { "org_id": "acme-1", "padding": padding } });
    let token = world
        .provider
        .machine_token(Some(ORDERS), "read:orders", &claims);
    let (ports, folder) = (world.daemon.ports, world.daemon.policy_folder());
    let through = |change: &dyn Fn(String) -> String| {
        let proxy = Proxy::start_generated_changed(
            Kind::Nginx,
            &folder,
            change,
            ports,
            world.upstream.address,
        );
        let request = Request::new("GET", "/orders").bearer(&token);
        request.send(proxy.address)
    };
    let without = |lines: &'static [&'static str]| {
        move |text: String| {
            lines.iter().fold(text, |text, line| {
                assert!(text.contains(line), "no {line} in {text}");
                text.replace(line, "")
            })
        }
    };

    let answer = through(&|text| text);
    assert_eq!(answer.status, 200, "{answer:?}");
    let seen = answer.json();
    let payload = token.split('.').nth(1).expect("a JWT has a payload");
    assert!(payload.len() > 21_000, "{}", payload.len());
    assert_eq!(echoed(&seen, "x-claims"), [payload]);

    // nginx can't read the request.
    let answer = through(&without(&["large_client_header_buffers 4 72k;"]));
    assert_eq!(answer.status, 400, "{answer:?}");
    // It can't read portcullis' answer, and denies.
    let answer = through(&without(&[
        "proxy_buffer_size       72k;",
        "proxy_buffers           4 72k;",
        "proxy_busy_buffers_size 144k;",
    ]));
    assert_eq!(answer.status, 503, "{answer:?}");
}
