//! CORS through each adapter.

use envoy_types::pb::envoy::config::core::v3::HeaderValueOption;
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use serde_json::json;

use super::grpc::{Encoding, ask, channel, check};
use super::harness::{Http, POLICY, Testbed};

const PAGE: &str = "https://app.example.com";

/// A request through each adapter for HTTP.
fn requests(method: &str, target: &str, headers: &[(&str, &str)]) -> [(&'static str, Http); 3] {
    [
        ("nginx", Http::nginx(method, target)),
        ("forward", Http::forward(method, target)),
        ("envoy", Http::envoy(method, target)),
    ]
    .map(|(adapter, request)| {
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        (adapter, request)
    })
}

const PREFLIGHT: [(&str, &str); 3] = [
    ("origin", PAGE),
    ("access-control-request-method", "GET"),
    ("access-control-request-headers", "authorization"),
];

fn as_bytes<'a>(headers: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a [u8])> {
    let headers = headers.iter();
    headers
        .map(|(name, value)| (*name, value.as_bytes()))
        .collect()
}

/// A proxy that continues after a 2xx can't tell a preflight from another allow, so each is told in
/// its own way: nginx treats a 403 as the answer, and Traefik and Caddy read a header.
#[tokio::test]
async fn each_proxy_is_told_to_answer_a_preflight() {
    let bed = Testbed::twins(POLICY, "").await;
    for (adapter, request) in requests("OPTIONS", "/orders", &PREFLIGHT) {
        let answer = bed.send("http", &request).await;
        let status = match adapter {
            "nginx" => 403,
            "forward" => 200,
            _ => 204,
        };
        assert_eq!(answer.outcome(), (status, "allowed"), "{adapter}");
        for (name, value) in [
            ("x-portcullis-preflight", "answered"),
            ("access-control-allow-origin", PAGE),
            ("access-control-allow-methods", "GET"),
            ("access-control-allow-headers", "authorization"),
            ("access-control-max-age", "600"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{adapter}: {answer:?}");
        }
        assert_eq!(answer.header("x-envoy-auth-headers-to-remove"), None);
    }
    let channel = channel(&bed).await;
    let request = check(Encoding::Raw, "OPTIONS", b"/orders", &as_bytes(&PREFLIGHT));
    // `Verdict` checks that Envoy doesn't take it for an allow.
    let verdict = ask(&channel, request).await;
    assert_eq!(verdict.outcome(), (204, "allowed"));
    assert_eq!(verdict.header("access-control-allow-origin"), Some(PAGE));
    assert_eq!(verdict.body, "");
    let question = json!({
        "method": "OPTIONS",
        "url": "https://api.example.com/orders",
        "headers": PREFLIGHT.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
    });
    let request = Http::new("POST", "/v1/check").body(question.to_string());
    let answer = bed.send("pdp", &request).await.json();
    assert_eq!(answer["decision"], "allow");
    assert_eq!(answer["status"], 204);
    assert_eq!(answer["headers"]["access-control-allow-origin"], PAGE);
    assert_eq!(answer["headers"]["access-control-max-age"], "600");
}

/// The headers for the client on an allow over gRPC: name, value, and whether it replaces the
/// application's.
async fn for_the_client(bed: &Testbed, target: &[u8]) -> Vec<(String, String, bool)> {
    let response = AuthorizationClient::new(channel(bed).await)
        .check(check(
            Encoding::Raw,
            "GET",
            target,
            &[("origin", PAGE.as_bytes())],
        ))
        .await
        .expect("an answer");
    let Some(HttpResponse::OkResponse(allow)) = response.into_inner().http_response else {
        panic!("it is allowed");
    };
    let told = |option: HeaderValueOption| {
        let replaces = option.append_action == HeaderAppendAction::OverwriteIfExistsOrAdd as i32;
        let header = option.header.expect("a header");
        (header.key, header.value, replaces)
    };
    allow
        .response_headers_to_add
        .into_iter()
        .map(told)
        .collect()
}

#[tokio::test]
async fn each_proxy_is_told_who_may_read_what_is_allowed() {
    let bed = Testbed::twins(POLICY, "").await;
    for (adapter, request) in requests("GET", "/health", &[("origin", PAGE)]) {
        let answer = bed.send("http", &request).await;
        assert_eq!(answer.status, 200);
        // Envoy would add these to the application's.
        let (origin, credentials) = match adapter {
            "envoy" => (
                "x-portcullis-allow-origin",
                "x-portcullis-allow-credentials",
            ),
            _ => (
                "access-control-allow-origin",
                "access-control-allow-credentials",
            ),
        };
        assert_eq!(answer.header(origin), Some(PAGE), "{adapter}: {answer:?}");
        assert_eq!(answer.header(credentials), Some("false"), "{adapter}");
        assert_eq!(answer.header("vary"), Some("Origin"), "{adapter}");
        assert_eq!(answer.header("x-portcullis-preflight"), None, "{adapter}");
    }
    let told = for_the_client(&bed, b"/health").await;
    let expected = [
        ("vary", "Origin", false),
        ("access-control-allow-origin", PAGE, true),
        ("access-control-allow-credentials", "false", true),
    ];
    assert_eq!(
        told,
        expected.map(|(name, value, replaces)| (name.to_owned(), value.to_owned(), replaces))
    );
}

#[tokio::test]
async fn what_is_passed_on_is_the_applications_to_answer() {
    let cors = "cors      \"https://app.example.com\"";
    assert!(POLICY.contains(cors));
    let bed = Testbed::twins(&POLICY.replace(cors, &format!("{cors} passed on")), "").await;
    let preflights = requests("OPTIONS", "/orders", &PREFLIGHT);
    let pages = requests("GET", "/health", &[("origin", PAGE)]);
    for (adapter, request) in preflights.into_iter().chain(pages) {
        let answer = bed.send("http", &request).await;
        assert_eq!(answer.outcome(), (200, "allowed"), "{adapter}");
        for name in [
            "x-portcullis-preflight",
            "access-control-allow-origin",
            "x-portcullis-allow-origin",
            "vary",
        ] {
            assert_eq!(answer.header(name), None, "{adapter}");
        }
    }
    let channel = channel(&bed).await;
    let request = check(Encoding::Raw, "OPTIONS", b"/orders", &as_bytes(&PREFLIGHT));
    assert_eq!(ask(&channel, request).await.status, 200);
    assert_eq!(for_the_client(&bed, b"/health").await, []);
}
