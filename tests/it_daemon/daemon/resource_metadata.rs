//! Protected resource metadata (RFC 9728) at the listener `http`.

use serde_json::json;

use super::harness::{Http, POLICY, SERVERS, served};

const PATH: &str = "/.well-known/oauth-protected-resource";
const CONFIG: &str = "resource_metadata: {orders: {resource: 'https://api.example.com/v1'}}\n";

#[tokio::test]
async fn the_challenge_names_what_the_listener_serves() {
    for server in SERVERS {
        let bed = served(server, POLICY, CONFIG).await;
        for request in [
            Http::nginx("GET", "/orders"),
            Http::forward("GET", "/orders"),
            Http::envoy("GET", "/orders"),
        ] {
            let denied = bed.send("http", &request).await;
            let challenge = denied.header("www-authenticate").expect("a challenge");
            let url = "resource_metadata=\"https://api.example.com/.well-known/oauth-protected-resource/v1\"";
            assert!(challenge.contains(url), "{challenge}");
        }
        let question = json!({"method": "GET", "url": "https://api.example.com/orders"});
        let request = Http::new("POST", "/v1/check").body(question.to_string());
        let answer = bed.send("pdp", &request).await.json();
        let challenge = answer["headers"]["www-authenticate"]
            .as_str()
            .expect("a challenge");
        assert!(challenge.contains("resource_metadata="), "{answer}");

        let at = |method: &str, host: &str, path: &str| Http::new(method, path).host(host);
        let good = bed
            .send("http", &at("GET", "api.example.com", &format!("{PATH}/v1")))
            .await;
        assert_eq!(good.status, 200, "{good:?}");
        assert_eq!(good.header("content-type"), Some("application/json"));
        assert_eq!(good.header("access-control-allow-origin"), Some("*"));
        assert_eq!(good.json()["resource"], "https://api.example.com/v1");
        for (host, path) in [
            ("api.example.com", PATH.to_owned()),
            ("api.example.com", format!("{PATH}/v1/")),
            ("api.example.com", format!("{PATH}/%761")),
            ("elsewhere.example.com", format!("{PATH}/v1")),
            ("api.example.com, api.example.com", format!("{PATH}/v1")),
        ] {
            let answer = bed.send("http", &at("GET", host, &path)).await;
            assert_eq!(answer.status, 404, "{host} {path} {answer:?}");
        }
        let preflight = bed
            .send(
                "http",
                &at("OPTIONS", "api.example.com", &format!("{PATH}/v1")),
            )
            .await;
        assert_eq!(preflight.status, 204);
        assert_eq!(preflight.header("access-control-allow-headers"), Some("*"));
        let post = bed
            .send(
                "http",
                &at("POST", "api.example.com", &format!("{PATH}/v1")),
            )
            .await;
        assert_eq!(post.status, 405);
    }
}

#[tokio::test]
async fn nothing_is_published_unless_the_configuration_says_so() {
    for server in SERVERS {
        let bed = served(server, POLICY, "").await;
        let denied = bed.send("http", &Http::nginx("GET", "/orders")).await;
        let challenge = denied.header("www-authenticate").expect("a challenge");
        assert!(!challenge.contains("resource_metadata"), "{challenge}");
        let answer = bed.send("http", &Http::new("GET", PATH)).await;
        assert_eq!(answer.status, 404);
    }
}
