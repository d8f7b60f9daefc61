//! Denials that are only observed: their requests pass, without any header that only the policy may
//! set.

use serde_json::{Value, json};

use super::grpc::{Encoding, ask, channel, check};
use super::harness::{Answer, Http, POLICY, SERVERS, Testbed, exchange, served};
use super::process::{Process, folder};

const WOULD: &str = "x-portcullis-would";

/// Denials of every kind: the request, and the reason.
const DENIALS: &[(&str, Option<&str>, &str)] = &[
    ("/orders", None, "token.missing"),
    ("/orders", Some("garbage"), "token.opaque"),
    ("/secure", None, "request.condition"),
    ("/internal/x", None, "request.denied"),
    ("/nowhere", None, "request.no_route"),
    ("/a/../b", None, "request.ambiguous_path"),
];

#[tokio::test]
async fn in_the_mode_observe_every_denial_passes_through_every_adapter() {
    for server in SERVERS {
        every_denial_passes(&served(server, POLICY, "mode: observe\n").await).await;
    }
}

async fn every_denial_passes(bed: &Testbed) {
    let grpc = channel(bed).await;
    for (target, token, reason) in DENIALS {
        let would = format!("deny {reason}");
        let with = |request: Http| match token {
            None => request,
            Some(token) => request.bearer(token),
        };
        for request in [
            Http::nginx("GET", target),
            Http::forward("GET", target),
            Http::envoy("GET", target),
        ] {
            let answer = bed.send("http", &with(request)).await;
            assert_eq!(answer.status, 200, "{target} {answer:?}");
            assert_eq!(answer.header(WOULD), Some(would.as_str()), "{answer:?}");
            assert_eq!(answer.reason(), "allowed", "{answer:?}");
            assert_eq!(answer.body, "");
        }
        let headers: Vec<(&str, &[u8])> = Vec::new();
        let request = check(Encoding::Raw, "GET", target.as_bytes(), &headers);
        assert_eq!(ask(&grpc, request).await.status, 200, "{target}");
    }
    // One that the policy allows is as ever.
    let allowed = bed.send("http", &Http::nginx("GET", "/health")).await;
    assert_eq!((allowed.status, allowed.header(WOULD)), (200, None));
    let question = json!({"method": "GET", "url": "https://api.example.com/orders"});
    let request = Http::new("POST", "/v1/check").body(question.to_string());
    let answer = bed.send("pdp", &request).await.json();
    assert_eq!(answer["decision"], "allow");
    assert_eq!(answer["would"], "deny token.missing");
}

/// What the application reads about the user never comes from the client, whatever passes.
#[tokio::test]
async fn headers_that_only_the_policy_sets_are_still_removed_or_refused() {
    for server in SERVERS {
        nothing_forged_passes(&served(server, POLICY, "mode: observe\n").await).await;
    }
}

async fn nothing_forged_passes(bed: &Testbed) {
    let grpc = channel(bed).await;
    let forged = [("x-user-id", b"admin".as_slice())];
    let verdict = ask(&grpc, check(Encoding::Raw, "GET", b"/orders", &forged)).await;
    assert_eq!(verdict.status, 200);
    assert_eq!(verdict.header("x-user-id"), None);
    for name in ["x-user-id", "x-org-id"] {
        assert!(
            verdict.removed.iter().any(|removed| removed == name),
            "{name}"
        );
    }
    // These adapters can't have the proxy remove it.
    for request in [
        Http::nginx("GET", "/orders"),
        Http::forward("GET", "/orders"),
        Http::envoy("GET", "/orders"),
    ] {
        let answer = bed
            .send("http", &request.header("X-User-Id", "admin"))
            .await;
        assert_ne!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.reason(), "request.malformed");
        assert_eq!(answer.header(WOULD), None);
    }
}

#[tokio::test]
async fn an_api_or_a_route_alone_can_be_observed() {
    let policy = format!("{POLICY}\napi shop {{ host \"shop.example.com\" GET /cart denied }}\n");
    let asked = async |bed: &Testbed, host: &str, target: &str| {
        let request = Http::nginx("GET", target).without("x-original-host");
        let request = request.header("X-Original-Host", host);
        let answer: Answer = bed.send("http", &request).await;
        (
            answer.status == 200,
            answer.header(WOULD).map(str::to_owned),
        )
    };
    let denied = (false, None);
    let would = |reason: &str| (true, Some(format!("deny {reason}")));
    let (orders, shop) = ("api.example.com", "shop.example.com");

    let bed = Testbed::with(&policy, "observe: [{api: orders}]\n").await;
    assert_eq!(asked(&bed, orders, "/orders").await, would("token.missing"));
    assert_eq!(
        asked(&bed, orders, "/nowhere").await,
        would("request.no_route")
    );
    assert_eq!(asked(&bed, shop, "/cart").await, denied);
    // A request of no API is enforced.
    assert_eq!(asked(&bed, "other.example.com", "/").await, denied);

    let config = "observe: [{api: orders, route: GET /orders}]\n";
    let bed = Testbed::with(&policy, config).await;
    assert_eq!(asked(&bed, orders, "/orders").await, would("token.missing"));
    assert_eq!(asked(&bed, orders, "/files/a").await, denied);
    assert_eq!(asked(&bed, orders, "/nowhere").await, denied);
}

/// `GET /x/{a}` and `* /{b}/y` cross at `/x/y`, and neither is more specific.
#[tokio::test]
async fn where_routes_cross_both_must_be_observed() {
    let policy = r#"
api a {
    host "api.example.com"
    GET /x/{a} public if header "x-a" == "1"
    *   /{b}/y public if header "x-b" == "1"
}"#;
    for (config, status) in [
        ("observe: [{api: a, route: 'GET /x/{a}'}]\n", 403),
        ("observe: [{api: a, route: '* /{b}/y'}]\n", 403),
        (
            "observe: [{api: a, route: 'GET /x/{a}'}, {api: a, route: '* /{b}/y'}]\n",
            200,
        ),
    ] {
        let bed = Testbed::with(policy, config).await;
        let answer = bed.send("http", &Http::nginx("GET", "/x/y")).await;
        assert_eq!(answer.status, status, "{config} {answer:?}");
    }
}

#[tokio::test]
async fn observed_denials_are_counted_and_logged_and_the_operator_is_told() {
    let config = "mode: observe\nlog: {format: json, decisions: decisions.log}\n\
                  observe: [{api: order}]\n";
    let policy = "api orders { host \"api.example.com\" GET /orders denied }\n";
    let folder = folder(policy, config);
    let mut process = Process::start(folder.path(), &[]);
    let warnings = [(); 3].map(|()| process.next_line());
    let told = |part: &str| {
        let said = |line: &Value| {
            line["message"]
                .as_str()
                .is_some_and(|line| line.contains(part))
        };
        assert!(warnings.iter().any(said), "{part}: {warnings:?}");
    };
    told("denials are not enforced, only observed, for every API");
    told("`observe` names the API `order`, which the policy doesn't have");
    let http = process.address("http");
    let admin = process.address("admin");
    process.line("ready");
    let answer = exchange(http, &Http::nginx("GET", "/orders").bytes()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let get = async |path: &str| exchange(admin, &Http::new("GET", path).bytes()).await;
    let ready = get("/readyz").await;
    assert_eq!(ready.status, 200);
    assert_eq!(
        ready.body,
        "ready; denials are not enforced, only observed, for every API\n"
    );
    assert_eq!(get("/policy").await.json()["observed"], "every API");
    let metrics = get("/metrics").await.body;
    let line = r#"portcullis_decisions_total{api="orders",route="GET /orders",decision="would_deny",reason="request.denied"} 1"#;
    assert!(metrics.contains(line), "{metrics}");
    process.signal("TERM");
    assert!(process.child.wait().expect("an end").success());
    let log = std::fs::read_to_string(folder.path().join("decisions.log")).expect("a log");
    let line: Value = serde_json::from_str(log.lines().next().expect("a line")).expect("JSON");
    assert_eq!(line["decision"], "allow");
    assert_eq!(line["would"], "deny request.denied");
    assert_eq!(line["hint"], "a rule denies every request to this path");
}

/// Enforcement begins without a restart.
#[tokio::test]
async fn a_reload_changes_the_mode() {
    let bed = Testbed::with(POLICY, "mode: observe\n").await;
    let orders = async || {
        bed.send("http", &Http::nginx("GET", "/orders"))
            .await
            .status
    };
    assert_eq!(orders().await, 200);
    let file = bed.folder().join("portcullis.yaml");
    let text = std::fs::read_to_string(&file).expect("the configuration");
    let enforcing = text.replace("mode: observe", "mode: enforce");
    std::fs::write(&file, enforcing).expect("written");
    let reload = bed.send("admin", &Http::new("POST", "/reload")).await;
    assert_eq!(reload.status, 200, "{reload:?}");
    assert_eq!(orders().await, 401);
}
