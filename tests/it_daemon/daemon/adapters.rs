//! The adapters for HTTP, with bytes that proxies and attackers send.

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::harness::{Http, POLICY, Testbed, read_answer};

type Make = fn(&str, &[u8]) -> Http;

/// The three adapters, each with its own headers.
const ADAPTERS: [(&str, Make, &[&str]); 3] = [
    (
        "nginx",
        |method, target| Http::nginx(method, target),
        &["X-Original-Method", "X-Original-URI", "X-Original-Host"],
    ),
    (
        "forward",
        |method, target| Http::forward(method, target),
        &[
            "X-Forwarded-Method",
            "X-Forwarded-Proto",
            "X-Forwarded-Uri",
            "X-Forwarded-Host",
        ],
    ),
    (
        "envoy",
        |method, target| Http::envoy(method, target),
        &["Host"],
    ),
];

/// The status that an adapter answers in place of this one.
fn seen(adapter: &str, status: u16) -> u16 {
    match (adapter, status) {
        ("nginx" | "envoy", 400 | 503) => 403,
        _ => status,
    }
}

#[tokio::test]
async fn each_adapter_allows_and_denies() {
    let bed = Testbed::twins(POLICY, "").await;
    let token = bed.token(json!({"scope": "read:orders", "org_id": "acme-1"}));
    for (adapter, make, _) in ADAPTERS {
        let public = bed.send("http", &make("GET", b"/health")).await;
        assert_eq!(public.status, 200, "{adapter}: {public:?}");
        assert!(public.header("x-user-id").is_none());

        let missing = bed.send("http", &make("GET", b"/orders")).await;
        assert_eq!(missing.outcome(), (401, "token.missing"), "{adapter}");
        let challenge = missing.header("www-authenticate").expect("a challenge");
        assert!(challenge.starts_with("Bearer"), "{challenge}");

        let allowed = bed
            .send("http", &make("GET", b"/orders?page=2").bearer(&token))
            .await;
        assert_eq!(allowed.status, 200, "{adapter}: {allowed:?}");
        assert_eq!(allowed.header("x-user-id"), Some("alice"), "{adapter}");
        assert_eq!(allowed.header("x-org-id"), Some("acme-1"), "{adapter}");

        let scope = bed
            .send("http", &make("POST", b"/orders").bearer(&token))
            .await;
        assert_eq!(scope.outcome(), (403, "scope.missing"), "{adapter}");
        let challenge = scope.header("www-authenticate").expect("a challenge");
        assert!(challenge.contains("insufficient_scope"), "{challenge}");
        assert!(challenge.contains("write:orders"), "{challenge}");

        let nowhere = bed.send("http", &make("GET", b"/nowhere")).await;
        assert_eq!(nowhere.outcome(), (403, "request.no_route"), "{adapter}");
        let denied = bed.send("http", &make("GET", b"/internal/a")).await;
        assert_eq!(denied.outcome(), (403, "request.denied"), "{adapter}");
        for answer in [public, missing, allowed, scope, nowhere, denied] {
            assert!(
                answer.header("x-portcullis-decision").is_some(),
                "{adapter}"
            );
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
    }
    bed.running.shutdown().await;
}

#[tokio::test]
async fn envoy_is_told_which_headers_to_remove() {
    let bed = Testbed::twins(POLICY, "").await;
    let removed = |answer: &super::harness::Answer| -> Vec<String> {
        answer
            .header("x-envoy-auth-headers-to-remove")
            .unwrap_or("")
            .split(',')
            .map(str::to_owned)
            .collect()
    };
    let public = bed.send("http", &Http::envoy("GET", "/health")).await;
    for name in [
        "x-user-id",
        "x-org-id",
        "x-forwarded-host",
        "x-original-url",
    ] {
        assert!(removed(&public).contains(&name.to_owned()), "{public:?}");
    }
    let token = bed.token(json!({"scope": "read:orders"}));
    let allowed = bed
        .send("http", &Http::envoy("GET", "/orders").bearer(&token))
        .await;
    // Envoy removes last, so a header that is set must not be in the list.
    assert!(
        !removed(&allowed).contains(&"x-user-id".to_owned()),
        "{allowed:?}"
    );
    assert!(
        removed(&allowed).contains(&"x-org-id".to_owned()),
        "{allowed:?}"
    );
}

/// If portcullis can't have a header removed, it refuses requests whose client sends a header that
/// the policy forwards, unless the configuration says that the proxy removes it.
#[tokio::test]
async fn a_client_does_not_speak_in_the_policys_name() {
    let bed = Testbed::twins(POLICY, "").await;
    let trusting = Testbed::twins(
        POLICY,
        "adapters:\n  nginx: {sent_forward_headers: removed_by_proxy}\n  forward: {sent_forward_headers: removed_by_proxy}\n  envoy: {sent_forward_headers: removed_by_proxy}\n",
    )
    .await;
    for (adapter, make, _) in ADAPTERS {
        for name in ["X-User-Id", "x-org-id"] {
            let request = make("GET", b"/health").header(name, "root");
            let refused = bed.send("http", &request).await;
            let expected = (seen(adapter, 400), "request.malformed");
            assert_eq!(refused.outcome(), expected, "{adapter} {name}");
            let decided = trusting.send("http", &request).await;
            assert_eq!(decided.status, 200, "{adapter} {name}");
        }
        for name in [
            "X_User_Id",
            "x.user.id",
            "X-User.Id",
            "X+User~Id",
            "x|org|id",
        ] {
            let request = make("GET", b"/health").header(name, "root");
            for bed in [&bed, &trusting] {
                let refused = bed.send("http", &request).await;
                let expected = (seen(adapter, 400), "request.malformed");
                assert_eq!(refused.outcome(), expected, "{adapter} {name}");
            }
        }
    }
}

/// Each of an adapter's own headers: missing, empty, repeated, joined by a comma.
#[tokio::test]
async fn what_a_proxy_must_say_it_must_say_once() {
    let bed = Testbed::twins(POLICY, "").await;
    for (adapter, make, own) in ADAPTERS {
        for name in own {
            let whole = make("GET", b"/health");
            let value = match *name {
                "X-Original-Method" | "X-Forwarded-Method" => "GET",
                "X-Forwarded-Proto" => "https",
                "X-Original-URI" | "X-Forwarded-Uri" => "/health",
                _ => "api.example.com",
            };
            let twice = whole.clone().header(name, value);
            let joined = whole
                .clone()
                .without(name)
                .header(name, format!("{value}, {value}"));
            let tight = whole
                .clone()
                .without(name)
                .header(name, format!("{value},{value}"));
            let empty = whole.clone().without(name).header(name, "");
            let missing = whole.without(name);
            for request in [missing, empty, twice, joined, tight] {
                let answer = bed.send("http", &request).await;
                assert_eq!(
                    answer.outcome(),
                    (seen(adapter, 400), "request.malformed"),
                    "{adapter} {request:?}: {answer:?}"
                );
            }
        }
    }
}

/// Headers of another adapter, and names similar to an adapter's own, are ignored.
#[tokio::test]
async fn an_adapter_reads_no_other_adapters_headers() {
    let bed = Testbed::twins(POLICY, "").await;
    let forged = [
        ("X-Original-URI", "/health"),
        ("X-Original-Method", "GET"),
        ("X-Forwarded-Uri", "/health"),
        ("X-Forwarded-Prefix", "/health"),
        ("X-Rewrite-Url", "/health"),
        ("X_Original_URI", "/health"),
    ];
    for (adapter, make, own) in ADAPTERS {
        let mut request = make("GET", b"/orders");
        for (name, value) in forged {
            if !own.contains(&name) {
                request = request.header(name, value);
            }
        }
        let answer = bed.send("http", &request).await;
        assert_eq!(answer.outcome(), (401, "token.missing"), "{adapter}");
        // A header that asks for another method: Envoy passes it to portcullis, which refuses it;
        // the other proxies' configurations keep it from the application.
        let answer = bed
            .send("http", &request.header("X-HTTP-Method-Override", "DELETE"))
            .await;
        let expected = match adapter {
            "nginx" | "forward" => (401, "token.missing"),
            _ => (403, "request.malformed"),
        };
        assert_eq!(answer.outcome(), expected, "{adapter}");
    }
}

#[tokio::test]
async fn every_ambiguous_path_is_refused() {
    let bed = Testbed::twins(POLICY, "").await;
    let token = bed.token(json!({"scope": "read:orders"}));
    let paths: &[&[u8]] = &[
        b"/files/../health",
        b"/files/./a",
        b"/files//a",
        b"//health",
        b"/files/..",
        b"/files/%2e%2e/health",
        b"/files/%2E./a",
        b"/files/a%2fb",
        b"/files/a%5cb",
        b"/files/a\\b",
        b"/files/a;b=c",
        b"/files/a%3bb",
        b"/files/a%23b",
        b"/files/a#b",
        b"/health#",
        b"/files/a%25b",
        b"/files/a%3fb",
        b"/files/a%00b",
        b"/files/a%0ab",
        b"/files/a%7f",
        b"/files/a%",
        b"/files/a%4",
        b"/files/a%zz",
        b"/files/%c0%ae",
        b"/files/%ff",
        b"/files/a\xc3\xa9",
        b"/files/a.",
        b"/files/a%20",
        b"/files/...",
        b"/files/a%EF%BC%8Fb",
        b"/files/%EF%BC%8E%EF%BC%8E",
        b"/files/a\xff",
        b"*",
        b"https://api.example.com/health",
        b"health",
    ];
    for (adapter, make, _) in ADAPTERS {
        for path in paths {
            let envoy = adapter == "envoy";
            // After the prefix these are other paths; Envoy sends none of them.
            if envoy && !path.starts_with(b"/") {
                continue;
            }
            let answer = bed.send("http", &make("GET", path).bearer(&token)).await;
            let shown = String::from_utf8_lossy(path);
            // Requests that the HTTP library can't read are refused too.
            if envoy && answer.outcome() == (400, "") {
                continue;
            }
            assert_eq!(
                answer.outcome(),
                (seen(adapter, 400), "request.ambiguous_path"),
                "{adapter} {shown}: {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_mark_that_may_stand_for_another_byte_is_ambiguous_behind_envoy_alone() {
    let bed = Testbed::twins(POLICY, "").await;
    let token = bed.token(json!({}));
    for (adapter, make, _) in ADAPTERS {
        let answer = bed
            .send("http", &make("GET", b"/files/a!b").bearer(&token))
            .await;
        if adapter == "envoy" {
            assert_eq!(answer.outcome(), (403, "request.ambiguous_path"));
        } else {
            assert_eq!(answer.status, 200, "{adapter}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn methods_are_those_of_the_registry() {
    let bed = Testbed::twins(POLICY, "").await;
    for (adapter, make, _) in ADAPTERS {
        for method in ["get", "Get", "FROB", "G,ET", "CONNECTED"] {
            let answer = bed.send("http", &make(method, b"/health")).await;
            // A comma can't occur in a method: the HTTP library doesn't read it.
            if adapter == "envoy" && answer.outcome() == (400, "") {
                continue;
            }
            assert_eq!(
                answer.outcome(),
                (seen(adapter, 400), "request.malformed"),
                "{adapter} {method}: {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn old_http_is_answered_too() {
    let bed = Testbed::twins(POLICY, "").await;
    for (adapter, make, _) in ADAPTERS {
        let request = make("GET", b"/health").version("HTTP/1.0");
        let answer = bed.send("http", &request).await;
        assert_eq!(answer.status, 200, "{adapter}: {answer:?}");
    }
    let nothing = bed.raw("http", b"GET /nginx\r\n\r\n").await;
    assert!(matches!(nothing.status, 0 | 400), "{nothing:?}");
}

#[tokio::test]
async fn only_the_adapters_paths_are_served() {
    let bed = Testbed::twins(POLICY, "").await;
    for path in [
        "/",
        "/nginx/",
        "/nginx/x",
        "/forward/",
        "/Nginx",
        "/envoyx",
        "/%6eginx",
        "/v1/check",
        "/metrics",
        "/policy",
        "/reload",
    ] {
        let answer = bed.send("http", &Http::new("GET", path)).await;
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
    }
    // A query on the subrequest itself is ignored.
    let query = bed
        .send("http", &Http::nginx("GET", "/health").without("none"))
        .await;
    assert_eq!(query.status, 200);
}

#[tokio::test]
async fn tokens_in_two_headers_or_joined_are_malformed() {
    let bed = Testbed::twins(POLICY, "").await;
    let token = bed.token(json!({"scope": "read:orders"}));
    for (adapter, make, _) in ADAPTERS {
        let twice = make("GET", b"/orders").bearer(&token).bearer(&token);
        let joined = make("GET", b"/orders")
            .header("Authorization", format!("Bearer {token}, Bearer {token}"));
        for request in [twice, joined] {
            let answer = bed.send("http", &request).await;
            assert_eq!(
                answer.outcome(),
                (seen(adapter, 400), "request.malformed"),
                "{adapter}: {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn the_clients_address_has_the_one_source_that_is_named() {
    let config = "adapters:\n  nginx: {address: header:x-real-ip}\n  forward: {address: header:x-real-ip}\n  envoy: {address: header:x-real-ip}\n";
    let bed = Testbed::twins(POLICY, config).await;
    let unnamed = Testbed::twins(POLICY, "").await;
    for (adapter, make, _) in ADAPTERS {
        let malformed = (seen(adapter, 400), "request.malformed");
        for (value, outcome) in [
            (Some("192.0.2.7"), (200, "allowed")),
            (Some("::ffff:192.0.2.7"), (200, "allowed")),
            (Some("198.51.100.1"), (403, "request.condition")),
            (Some("192.0.2.7, 198.51.100.1"), malformed),
            (Some("192.0.2.7:80"), malformed),
            (Some("localhost"), malformed),
            (None, malformed),
        ] {
            let mut request = make("GET", b"/office").header("X-Forwarded-For", "192.0.2.7");
            if let Some(value) = value {
                request = request.header("X-Real-IP", value);
            }
            let answer = bed.send("http", &request).await;
            assert_eq!(answer.outcome(), outcome, "{adapter} {value:?}: {answer:?}");
        }
        let request = make("GET", b"/office").header("X-Real-IP", "192.0.2.7");
        let answer = unnamed.send("http", &request).await;
        assert_eq!(answer.outcome(), (403, "request.condition"), "{adapter}");
    }
}

#[tokio::test]
async fn requests_on_one_connection_do_not_mix() {
    let bed = Testbed::twins(POLICY, "").await;
    let mut stream = TcpStream::connect(bed.address("http"))
        .await
        .expect("a connection");
    for (target, status) in [("/health", 200), ("/nowhere", 403), ("/health", 200)] {
        // A body that nobody asked for.
        let request = Http::envoy("GET", target).body("GET /envoy/health HTTP/1.1\r\n\r\n");
        stream.write_all(&request.bytes()).await.expect("sent");
        let answer = read_answer(&mut stream).await;
        assert_eq!(answer.status, status, "{target}: {answer:?}");
    }
    // Two at once: the second one's first line isn't known for certain.
    let mut both = Http::envoy("GET", "/health").bytes();
    both.extend(Http::envoy("GET", "/health").bytes());
    stream.write_all(&both).await.expect("sent");
    assert_eq!(read_answer(&mut stream).await.status, 200);
    let second = read_answer(&mut stream).await;
    assert_eq!(second.outcome(), (403, "request.malformed"), "{second:?}");
}

#[tokio::test]
async fn explain_governs_what_a_denial_says() {
    for (explain, reason, hint) in [
        ("none", false, false),
        ("reason", true, false),
        ("full", true, true),
    ] {
        let bed = Testbed::twins(POLICY, &format!("explain: {explain}\n")).await;
        let token = bed.token(json!({"aud": "https://other.example.com"}));
        let answer = bed
            .send("http", &Http::forward("GET", "/orders").bearer(&token))
            .await;
        assert_eq!(answer.status, 401);
        let whole = format!("{} {answer:?}", answer.body);
        assert_eq!(
            whole.contains("https://other.example.com"),
            hint,
            "{explain}: {whole}"
        );
        assert_eq!(
            answer.body.contains("token.wrong_audience"),
            reason,
            "{explain}: {whole}"
        );
    }
}
