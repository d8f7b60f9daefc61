//! The console of the listener `admin`. `tests/e2e/console.rs` drives it in a browser.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::harness::{Answer, Http, POLICY, Testbed};

const QUIET: &str = "reload: {watch: false}\n";

/// What a person with a browser at the console would ask.
async fn post(bed: &Testbed, path: &str, body: &str) -> Answer {
    let request = Http::new("POST", path)
        .header("Content-Type", "application/json")
        .header("Origin", "http://localhost")
        .header("Sec-Fetch-Site", "same-origin")
        .body(body);
    bed.send("admin", &request).await
}

async fn explain(bed: &Testbed, question: Value) -> Answer {
    post(bed, "/console/explain", &question.to_string()).await
}

async fn difference(bed: &Testbed, with: &str) -> Value {
    let body = json!({ "with": with }).to_string();
    let answer = post(bed, "/console/difference", &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn asked(path: &str, token: Option<&str>) -> Value {
    let headers = token.map_or_else(
        || json!({}),
        |token| json!({ "authorization": format!("Bearer {token}") }),
    );
    json!({ "method": "GET", "url": format!("https://api.example.com{path}"), "headers": headers })
}

/// The JavaScript files of the console, with their texts.
fn modules() -> Vec<(String, String)> {
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
    let mut found = Vec::new();
    for folder in ["components", "console"] {
        for entry in fs::read_dir(web.join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|ending| ending == "js") {
                let name = path.file_name().expect("a name").to_string_lossy();
                let text = fs::read_to_string(&path).expect("a module");
                found.push((format!("{folder}/{name}"), text));
            }
        }
    }
    assert!(found.len() > 10, "{found:?}");
    found
}

#[tokio::test]
async fn every_answer_of_the_listener_protects_the_console() {
    let bed = Testbed::start().await;
    for path in [
        "/",
        "/console/web/components/dom.js",
        "/console/overview",
        "/policy",
        "/healthz",
        "/nowhere",
        "refused",
    ] {
        let answer = match path {
            "refused" => {
                let foreign = Http::new("GET", "/").header("Origin", "https://evil.example");
                let refused = bed.send("admin", &foreign).await;
                assert_eq!(refused.status, 403);
                refused
            }
            path => bed.admin(path).await,
        };
        let policy = answer.header("content-security-policy").unwrap_or_default();
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(
            !policy.contains("unsafe") && !policy.contains('*'),
            "{policy}"
        );
        for (name, value) in [
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
    }
}

#[tokio::test]
async fn the_page_loads_its_own_files_and_nothing_else() {
    let bed = Testbed::start().await;
    let page = bed.admin("/").await;
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let mut named: Vec<String> = page
        .body
        .split(['"', '\''])
        .filter(|part| part.contains('/') && !part.contains(' '))
        .filter(|part| !part.contains('<') && *part != "image/svg+xml")
        .map(str::to_owned)
        .collect();
    for (file, text) in modules() {
        let folder = file.split('/').next().expect("a folder").to_owned();
        for line in text.lines().filter(|line| line.starts_with("import ")) {
            let from = line.split('"').nth(1).expect("a module");
            let path = match from.strip_prefix("../") {
                Some(other) => other.to_owned(),
                None => format!("{folder}/{}", from.trim_start_matches("./")),
            };
            named.push(format!("/console/web/{path}"));
        }
        let other = text.replace("http://www.w3.org/2000/svg", "");
        let other = other.replace("https://api.example.com", "");
        assert!(!other.contains("http://"), "{file}");
    }
    assert!(named.len() > 20, "{named:?}");
    for path in named {
        let answer = bed.admin(&path).await;
        assert_eq!(answer.status, 200, "{path}");
    }
}

/// All escaping is in one place: elements and texts are made by `dom.js`, and nobody makes markup.
#[test]
fn one_module_makes_elements_and_none_makes_markup() {
    for (file, text) in modules() {
        for word in [
            "innerHTML",
            "outerHTML",
            "insertAdjacent",
            "document.write",
            "DOMParser",
            "srcdoc =",
            "eval(",
            "new Function",
            "localStorage",
            "sessionStorage",
            "document.cookie",
            "indexedDB",
        ] {
            assert!(!text.contains(word), "{file}: {word}");
        }
        let makes = text.contains("createElement") || text.contains("createTextNode");
        assert_eq!(makes, file == "components/dom.js", "{file}");
    }
    let page = include_str!("../../../web/console/index.html");
    assert_eq!(page.matches("<script").count(), 1, "no script in the page");
    assert!(!page.contains("style=") && !page.contains(" on"), "{page}");
}

#[tokio::test]
async fn a_request_is_explained_with_the_rule_and_each_condition() {
    let bed = Testbed::start().await;
    let token = bed.token(json!({"scope": "write:orders", "org_id": "acme"}));
    let explained = explain(&bed, asked("/orders", Some(&token))).await.json();
    let explanation = &explained["explanation"];
    assert_eq!(explanation["decision"], "deny");
    assert_eq!(explanation["reason"], "scope.missing");
    assert_eq!(explanation["trace"][0]["value"], "false", "{explained}");
    let hint = explanation["hint"].as_str().expect("a hint");
    assert!(hint.contains("read:orders"), "{hint}");
    let source = &explained["source"][0];
    assert!(
        source["file"]
            .as_str()
            .is_some_and(|file| file.ends_with("orders.gate")),
        "{source}"
    );
    let line = source["lines"][0]["text"].as_str().expect("a line");
    let mark = &source["marks"][0];
    assert_eq!(mark["kind"], "false");
    let at = |name: &str| usize::try_from(mark[name].as_u64().expect("a column")).expect("short");
    let marked: String = line
        .chars()
        .skip(at("start") - 1)
        .take(at("end") - at("start"))
        .collect();
    assert_eq!(marked, r#"scope "read:orders""#);

    let allowed = bed.token(json!({"scope": "read:orders"}));
    let explained = explain(&bed, asked("/orders", Some(&allowed))).await.json();
    assert_eq!(explained["explanation"]["decision"], "allow", "{explained}");
    assert_eq!(explained["source"][0]["marks"][0]["kind"], "true");
    let none = explain(&bed, asked("/orders", None)).await.json();
    assert_eq!(none["explanation"]["reason"], "token.missing", "{none}");
}

#[tokio::test]
async fn an_explained_request_is_neither_counted_nor_logged_nor_kept() {
    let config = "log: {decisions: decisions.log, record: inputs}\n";
    let bed = Testbed::with(POLICY, config).await;
    bed.admin("/console/decisions?after=0").await;
    let token = bed.token(json!({"scope": "read:orders", "sub": "somebody-in-particular"}));
    let answer = explain(&bed, asked("/orders", Some(&token))).await;
    assert_eq!(answer.json()["explanation"]["decision"], "allow");
    let signature = token.rsplit('.').next().expect("a signature");
    assert!(!answer.body.contains(signature), "{answer:?}");
    let metrics = bed.admin("/metrics").await.body;
    assert!(
        !metrics.contains("portcullis_decisions_total{"),
        "{metrics}"
    );
    assert!(
        metrics.contains("portcullis_token_cache_entries 0"),
        "{metrics}"
    );
    let seen = bed.admin("/console/decisions?after=0").await.json();
    assert_eq!(seen["decisions"], json!([]), "{seen}");
    let file = bed.folder().join("decisions.log");
    bed.running.shutdown().await;
    assert_eq!(fs::read_to_string(&file).expect("the log"), "");
}

#[tokio::test]
async fn a_huge_token_is_refused_and_no_message_repeats_a_secret() {
    let bed = Testbed::start().await;
    let huge = "s3cret".repeat(1 << 18);
    let answer = explain(&bed, asked("/orders", Some(&huge))).await;
    assert_eq!(answer.status, 413);
    let detail = answer.json()["detail"]
        .as_str()
        .expect("a detail")
        .to_owned();
    assert!(detail.contains("a token has at most 65536"), "{detail}");
    assert!(!answer.body.contains("s3cret"));
    // One that is only too long for a token is the decision's business.
    let long = "a".repeat(100_000);
    let answer = explain(&bed, asked("/orders", Some(&long))).await.json();
    assert_eq!(
        answer["explanation"]["reason"], "token.malformed",
        "{answer}"
    );
    for body in [
        r#"{"method": "GET", "url": "/orders", "token": "s3cret"}"#,
        r#"{"method": "GET", "url": "/orders", "headers": "s3cret"}"#,
        r#"{"s3cret": 1}"#,
        "s3cret",
        "",
    ] {
        let answer = post(&bed, "/console/explain", body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(!answer.body.contains("s3cret"), "{answer:?}");
    }
    let form = Http::new("POST", "/console/explain")
        .header("Content-Type", "text/plain")
        .body(asked("/orders", None).to_string());
    assert_eq!(bed.send("admin", &form).await.status, 415);
}

#[tokio::test]
async fn decisions_are_shown_to_who_watches() {
    let bed = Testbed::start().await;
    // Before anybody watches.
    bed.send("http", &Http::nginx("GET", "/health")).await;
    let seen = bed.admin("/console/decisions?after=0").await.json();
    assert_eq!(seen["decisions"], json!([]));
    let token = bed.token(json!({"scope": "read:orders", "azp": "spa"}));
    bed.send(
        "http",
        &Http::nginx("GET", "/orders?key=s3cret").bearer(&token),
    )
    .await;
    bed.send("http", &Http::nginx("GET", "/<img src=x onerror=alert(1)>"))
        .await;
    let answer = bed.admin("/console/decisions?after=0").await;
    let seen = answer.json();
    let [allowed, denied] = seen["decisions"].as_array().expect("a list").as_slice() else {
        panic!("{seen}");
    };
    for (name, value) in [
        ("outcome", "allow"),
        ("method", "GET"),
        ("path", "/orders"),
        ("route", "GET /orders"),
        ("api", "orders"),
        ("client", "spa"),
        ("adapter", "nginx"),
    ] {
        assert_eq!(allowed[name], value, "{allowed}");
    }
    assert_eq!(denied["outcome"], "deny", "{denied}");
    assert!(denied["hint"].is_string(), "{denied}");
    let signature = token.rsplit('.').next().expect("a signature");
    assert!(!answer.body.contains(signature) && !answer.body.contains("s3cret"));
    let latest = seen["latest"].as_u64().expect("a number");
    let next = bed
        .admin(&format!("/console/decisions?after={latest}"))
        .await;
    assert_eq!(next.json()["decisions"], json!([]));
    for query in ["", "?after=", "?after=x", "?after=1&after=2", "?before=1"] {
        let answer = bed.admin(&format!("/console/decisions{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
    }
}

#[tokio::test]
async fn the_overview_has_routes_issuers_and_the_errors_of_the_files() {
    let bed = Testbed::with(POLICY, QUIET).await;
    let token = bed.token(json!({"scope": "read:orders"}));
    for _ in 0..3 {
        bed.send("http", &Http::nginx("GET", "/orders").bearer(&token))
            .await;
    }
    bed.send("http", &Http::nginx("GET", "/orders")).await;
    let overview = bed.admin("/console/overview").await.json();
    let route = &overview["routes"][0];
    assert_eq!(route["route"], "GET /orders", "{overview}");
    assert_eq!(route["outcomes"]["allow"][""], 3);
    assert_eq!(route["outcomes"]["deny"]["token.missing"], 1);
    assert!(
        route["p99_us"].as_f64().is_some_and(|took| took > 0.0),
        "{route}"
    );
    assert_eq!(
        overview["totals"],
        json!({"allow": {"": 3}, "deny": {"token.missing": 1}})
    );
    assert_eq!(overview["routes_declared"], 8);
    let issuer = &overview["issuers"][0];
    assert_eq!(
        (&issuer["name"], &issuer["keys_in_files"]),
        (&json!("acme"), &json!(1))
    );
    assert!(overview["policy"]["last_error"].is_null() && overview["candidate"].is_null());

    fs::write(
        bed.policy_file(),
        POLICY.replace("authenticated", "authentcated"),
    )
    .expect("written");
    let reload = bed.send("admin", &Http::new("POST", "/reload")).await;
    assert_eq!(reload.status, 422);
    let overview = bed.admin("/console/overview").await.json();
    let problem = &overview["policy"]["last_error"]["problems"][0];
    assert_eq!(problem["severity"], "error", "{overview}");
    let source = &problem["source"][0];
    let line = source["lines"][0]["text"].as_str().expect("a line");
    assert!(line.contains("authentcated"), "{source}");
    assert_eq!(source["marks"][0]["kind"], "primary", "{source}");
}

#[tokio::test]
async fn the_policy_in_the_files_and_the_candidate_are_compared_with_the_one_in_force() {
    let config = format!("candidate: candidate\n{QUIET}");
    let looser = POLICY.replace(r#"requires scope "read:orders""#, "authenticated");
    let bed = Testbed::prepared(POLICY, &config, |policies| {
        let folder = policies.parent().expect("a folder").join("candidate");
        fs::create_dir_all(&folder).expect("a folder");
        fs::copy(policies.join("keys.json"), folder.join("keys.json")).expect("the keys");
        fs::write(folder.join("orders.gate"), &looser).expect("the candidate");
    })
    .await;
    assert_eq!(difference(&bed, "files").await["difference"]["equal"], true);

    fs::write(bed.policy_file(), &looser).expect("written");
    let compared = difference(&bed, "files").await;
    let one = &compared["difference"]["changes"][0];
    assert_eq!(one["change"]["effect"], "loosened", "{compared}");
    assert_eq!(one["change"]["route"], "GET /orders");
    assert_eq!(one["may_loosen"], true);
    assert_eq!(one["old"]["verdict"], "denied by scope.missing");
    assert!(one["change"]["witness"]["claims"].is_object(), "{one}");
    let line = one["new"]["place"][1].as_str().expect("a line");
    assert!(line.contains("authenticated"), "{one}");
    // The comparison takes nothing into force.
    assert_eq!(
        bed.admin("/policy").await.json()["revision"],
        compared["old"]
    );

    let mut compared = difference(&bed, "candidate").await;
    let deadline = Instant::now() + Duration::from_secs(30);
    while compared["error"] == "there is no candidate policy" {
        assert!(Instant::now() < deadline, "the candidate isn't loaded");
        tokio::time::sleep(Duration::from_millis(20)).await;
        compared = difference(&bed, "candidate").await;
    }
    assert_eq!(
        compared["difference"]["summary"], "1 change, loosened",
        "{compared}"
    );

    fs::write(bed.policy_file(), "api {").expect("written");
    let refused = difference(&bed, "files").await;
    assert!(refused["difference"].is_null());
    assert_eq!(refused["problems"][0]["severity"], "error", "{refused}");
    for body in [r#"{"with": "everything"}"#, "{}", ""] {
        let answer = post(&bed, "/console/difference", body).await;
        assert_eq!(answer.status, 400, "{body}");
    }
}

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn with_a_token_only_probes_and_the_files_of_the_page_answer_without_it() {
    let listeners = "listeners:\n  http: \"127.0.0.1:0\"\n  grpc: \"127.0.0.1:0\"\n  pdp: \"127.0.0.1:0\"\n  admin: {address: \"127.0.0.1:0\", token_file: policies/admin.token}\n";
    let bed = Testbed::prepared(POLICY, listeners, |policies| {
        fs::write(policies.join("admin.token"), format!("{TOKEN}\n")).expect("the token");
    })
    .await;
    for path in ["/healthz", "/readyz", "/", "/console/web/console/main.js"] {
        assert_eq!(bed.admin(path).await.status, 200, "{path}");
    }
    for (method, path, status) in [
        ("GET", "/metrics", 200),
        ("GET", "/policy", 200),
        ("POST", "/reload", 200),
        ("GET", "/console/overview", 200),
        ("GET", "/console/decisions?after=0", 200),
        ("POST", "/console/explain", 415),
        ("POST", "/console/difference", 415),
    ] {
        let request = Http::new(method, path);
        let refused = bed.send("admin", &request).await;
        assert_eq!(refused.status, 401, "{path}");
        let challenge = refused.header("www-authenticate");
        assert!(
            challenge.is_some_and(|it| it.starts_with("Bearer ")),
            "{path}"
        );
        assert!(!refused.body.contains(TOKEN) && !refused.body.contains("revision"));
        let wrong = request.clone().bearer("f123456789abcdef0123456789abcdef");
        assert_eq!(bed.send("admin", &wrong).await.status, 401, "{path}");
        let right = bed.send("admin", &request.clone().bearer(TOKEN)).await;
        assert_eq!(right.status, status, "{path}: {right:?}");
        // A page that knows the token is still another page.
        let foreign = request
            .bearer(TOKEN)
            .header("Origin", "https://evil.example");
        assert_eq!(bed.send("admin", &foreign).await.status, 403, "{path}");
    }
}

#[test]
fn a_token_is_for_the_listener_admin() {
    use portcullis::runtime::config::Config;
    for listener in ["grpc", "http", "pdp"] {
        let text =
            format!("listeners: {{{listener}: {{address: \"127.0.0.1:1\", token_file: a}}}}");
        let fault = Config::parse(&text).expect_err(&text).to_string();
        assert!(
            fault.contains("`token_file` only applies to `admin`"),
            "{fault}"
        );
    }
}
