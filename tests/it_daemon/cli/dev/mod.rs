//! `portcullis dev` and `portcullis token`: the printed lines work unchanged.

mod running;

use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::support::{GOOD, examples, folder, run, text, write};
use crate::support::mint::Signer;
use running::{Dev, curl, http};

#[test]
fn the_lines_work_for_every_example() {
    for policy in examples() {
        let dev = Dev::start(&text(&policy));
        let allowed = curl(&dev.command("Allowed"));
        assert_eq!(allowed.status, 200, "{}\n{}", dev.greeting, allowed.text);
        let denied = curl(&dev.command("Denied"));
        assert!(
            [401, 403].contains(&denied.status),
            "{}\n{}",
            dev.greeting,
            denied.text
        );
        assert!(denied.text.contains("\"hint\""), "{}", denied.text);
    }
}

/// A cookie isn't enough to change something: the line also names the page's origin.
#[test]
fn the_lines_work_where_the_token_is_a_cookie() {
    let policy = r#"
issuer acme { url "https://acme.example/" }
api orders {
    host      "api.example.com"
    issuer    acme
    audience  "https://api.example.com"
    token only in cookie "session"
    POST /orders requires scope "write:orders"
}
"#;
    let folder = folder(&[("a.gate", policy)]);
    let dev = Dev::start(&text(&folder));
    let line = dev.command("Allowed");
    assert!(line.contains("Origin: https://api.example.com"), "{line}");
    let allowed = curl(&line);
    assert_eq!(allowed.status, 200, "{}\n{}", dev.greeting, allowed.text);
}

/// What no single condition says: the parts contradict what the others would be given first.
#[test]
fn the_lines_work_where_conditions_depend_on_each_other() {
    let policy = r#"
issuer acme {
    url     "https://acme.example/{org_id}"
    keys    url "https://acme.example/keys"
    algorithms ES256
    claims {
        org_id  string
        level   number
        plan    string
        roles   list of string  from realm_access.roles
        checked time
    }
}
api orders {
    host      "{tenant}.example.com"
    issuer    acme
    audience  "https://api.example.com"
    PUT /orgs/{org}/orders/{id}.json requires scope any ["read:orders", "write:orders"]
        and not scope "read:orders" and claim org_id == path.org and claim org_id == host.tenant
        and claim level > 3 and claim level < 5 and claim plan in ["free", "gold"]
        and (claim plan != "free" or claim roles contains "free")
        and claim roles contains all ["a", "b"] and claim sub != "alice"
        and query "kind" in ["x", "y"] and header "x-kind" starts with "b"
        and claim checked > "2020-01-01T00:00:00Z" and login within 5m
}
guard PUT /** of orders requires client not in ["portcullis-dev"] and not claim org_id starts with "a"
"#;
    let folder = folder(&[("a.gate", policy)]);
    let dev = Dev::start(&text(&folder));
    let allowed = curl(&dev.command("Allowed"));
    assert_eq!(allowed.status, 200, "{}\n{}", dev.greeting, allowed.text);
    let denied = curl(&dev.command("Denied"));
    assert_eq!(denied.status, 403, "{}\n{}", dev.greeting, denied.text);
    assert!(dev.greeting.contains("(scope.missing)"), "{}", dev.greeting);
}

/// What an allowed request would need can't be sent by hand, or nothing is allowed at all.
#[test]
fn it_says_that_there_is_no_example() {
    let by_address = GOOD.replace("GET /health public", "").replace(
        "requires scope",
        "requires address in [\"10.0.0.0/8\"] and scope",
    );
    let folder = folder(&[("a.gate", &by_address)]);
    let dev = Dev::start(&text(&folder));
    assert!(
        dev.greeting.contains("No example was found"),
        "{}",
        dev.greeting
    );
}

#[test]
fn tokens_are_what_they_are_asked_to_be() {
    let dev = Dev::start("policies/spa");
    let asked = |path: &str, arguments: &[&str]| dev.ask(path, Some(&dev.token(arguments)));
    assert_eq!(asked("/orders", &["--scope", "read:orders"]).status, 200);
    assert_eq!(
        asked("/orders", &["--issuer", "acme", "--scope", "x"]).status,
        403
    );
    let orders = "/orgs/globex/orders";
    let globex = [
        "--scope",
        "read:orders",
        "--claim",
        "org_id=globex",
        "--claim",
        "sub=bob",
    ];
    let allowed = asked(orders, &globex);
    assert_eq!(allowed.status, 200, "{}", allowed.text);
    assert!(allowed.text.contains("x-user-id: bob"), "{}", allowed.text);
    for (reason, arguments) in [
        (
            "token.wrong_audience",
            &["--audience", "https://other.example.com"][..],
        ),
        ("token.expired", &["--claim", "exp=5m ago"]),
        (
            "token.unknown_issuer",
            &["--claim", "iss=https://other.example.com/"],
        ),
        ("token.is_id_token", &["--claim", "at_hash=x"]),
        ("token.wrong_type", &["--typ", "logout+jwt"]),
    ] {
        let answer = asked("/me", arguments);
        assert_eq!(answer.status, 401, "{reason}: {}", answer.text);
        assert!(answer.text.contains(reason), "{reason}: {}", answer.text);
    }

    let typo = run(&["token", "--dev", dev.address("tokens"), "--issuer", "acmee"]);
    assert_eq!(typo.code, Some(2));
    assert!(
        typo.stderr.contains("did you mean `acme`?"),
        "{}",
        typo.stderr
    );
    let nobody = run(&["token", "--dev", "127.0.0.1:1"]);
    assert_eq!(nobody.code, Some(2));
    assert!(
        nobody.stderr.contains("portcullis dev POLICY"),
        "{}",
        nobody.stderr
    );
    let other = run(&["token", "--dev", dev.address("admin")]);
    assert_eq!(other.code, Some(2), "{}", other.everything());
}

#[test]
fn what_is_saved_is_in_force() {
    let folder = folder(&[("a.gate", GOOD)]);
    let file = folder.path().join("a.gate");
    let dev = Dev::start(&text(&folder));
    assert_eq!(dev.ask("/new", None).status, 403);
    let reload = |policy: &str| {
        write(&file, policy.as_bytes());
        http(
            dev.address("admin"),
            "POST",
            "/reload",
            &["Host: localhost".to_owned(), "Content-Length: 0".to_owned()],
        )
    };
    let new = GOOD.replace(
        "GET /health public",
        "GET /health public\n    GET /new public",
    );
    reload(&new);
    assert_eq!(dev.ask("/new", None).status, 200);
    reload("api {");
    assert_eq!(
        dev.ask("/new", None).status,
        200,
        "the last good policy goes on"
    );
    // The issuer of a reloaded policy is still the built-in one.
    reload(&new.replace("/orders", "/bills"));
    let token = dev.token(&["--scope", "read:orders"]);
    assert_eq!(dev.ask("/bills", Some(&token)).status, 200);
}

#[test]
fn no_page_and_no_other_machine_gets_a_token() {
    let dev = Dev::start("policies/spa");
    let tokens = dev.address("tokens");
    let order = |headers: &[&str]| {
        let headers: Vec<String> = headers.iter().map(|&header| header.to_owned()).collect();
        http(tokens, "GET", "/", &headers).status
    };
    assert_eq!(order(&["Host: localhost"]), 200);
    assert_eq!(
        order(&["Host: localhost", "Origin: https://evil.example"]),
        403
    );
    assert_eq!(order(&["Host: evil.example"]), 403);

    let outside = run(&[
        "dev",
        "policies/spa",
        "--free-ports",
        "--issuer-address",
        "0.0.0.0:0",
    ]);
    assert_eq!(outside.code, Some(2), "{}", outside.everything());
    let folder = folder(&[(
        "portcullis.yaml",
        "listeners:\n  http: { address: \"0.0.0.0:0\", insecure: true }\n",
    )]);
    let config = text(folder.path().join("portcullis.yaml"));
    let outside = run(&[
        "dev",
        "policies/spa",
        "--config",
        &config,
        "--issuer-address",
        "127.0.0.1:0",
    ]);
    assert_eq!(outside.code, Some(2), "{}", outside.everything());
    assert!(
        outside.stderr.contains("only for this machine"),
        "{}",
        outside.stderr
    );
}

#[test]
fn a_policy_with_errors_does_not_start() {
    let folder = folder(&[("a.gate", &GOOD.replace("requires scope", "requires scoep"))]);
    for verb in ["dev", "serve"] {
        let ran = run(&[verb, &text(&folder)]);
        assert_eq!(ran.code, Some(1), "{verb}: {}", ran.everything());
        assert!(ran.stderr.contains("scoep"), "{verb}: {}", ran.stderr);
        let nowhere = run(&[verb, &text(folder.path().join("nowhere"))]);
        assert_eq!(nowhere.code, Some(2), "{verb}: {}", nowhere.everything());
    }
    let config = run(&[
        "serve",
        "policies/spa",
        "--config",
        "/nowhere/portcullis.yaml",
    ]);
    assert_eq!(config.code, Some(2), "{}", config.everything());
}

#[test]
fn it_ends_in_good_order() {
    let mut dev = Dev::start("policies/spa");
    let id = dev.child.id().to_string();
    let sent = Command::new("kill").args(["-TERM", &id]).status();
    assert!(sent.expect("kill runs").success());
    let ended = dev.child.wait().expect("it ends");
    assert_eq!(ended.code(), Some(0));
    assert!(!Path::new("portcullis.yaml").exists());
}

/// The built-in issuer's tokens are JWTs, and no other issuer is asked, so no configuration is
/// needed.
#[test]
fn an_issuer_that_would_be_asked_about_tokens_is_not() {
    let introspects = "keys introspect \"http://127.0.0.1:1/introspect\"";
    let policy = GOOD.replacen("url ", &format!("{introspects}  url "), 1);
    assert!(policy.contains(introspects));
    let folder = folder(&[("a.gate", &policy)]);
    let dev = Dev::start(&text(&folder));
    let token = dev.token(&["--scope", "read:orders"]);
    assert_eq!(dev.ask("/orders", Some(&token)).status, 200);
    let opaque = dev.ask("/orders", Some("2YotnFZFEjr1zCsicMWpAA"));
    assert_eq!(opaque.status, 401);
}

/// Runs a printed `portcullis why …` line in another folder, as JSON.
fn why(line: &str) -> serde_json::Value {
    let output = Command::new("sh")
        .current_dir(std::env::temp_dir())
        .arg("-c")
        .arg(format!("{} --format json", line.trim()))
        .output()
        .expect("a shell");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {line}\n{output:?}"))
}

const READS_HEADERS: &str = r#"
issuer acme { url "https://acme.example/" }
api shop {
    host      "api.example.com"
    issuer    acme
    audience  "https://api.example.com"
    GET /health         public
    GET /office         public if header "x-floor" == "3"
    GET /orders         requires scope "read:orders"
    GET /orgs/{org}     requires claim org_id == path.org and header "x-floor" == "3"
}
"#;

#[test]
fn each_decision_is_told_with_the_command_that_explains_it() {
    let policy = READS_HEADERS.replacen("url ", "claims { org_id string } url ", 1);
    let folder = folder(&[("it's/a.gate", &policy)]);
    let dev = Dev::start(&text(folder.path().join("it's")));
    let ask = |target: &str, token: Option<&str>, more: &[&str]| {
        let mut headers = vec!["Host: api.example.com".to_owned()];
        headers.extend(token.map(|token| format!("Authorization: Bearer {token}")));
        headers.extend(more.iter().map(|&header| header.to_owned()));
        http(
            dev.address("http"),
            "GET",
            &format!("/envoy{target}"),
            &headers,
        );
    };
    ask("/health", None, &[]);
    let line = dev.next_line();
    assert!(
        line.contains("200") && line.contains("GET https://api.example.com/health"),
        "{line}"
    );
    let less = dev.token(&["--scope", "openid"]);
    let expired = dev.token(&["--claim", "exp=5m ago"]);
    let org = dev.token(&["--claim", "org_id=o'neill"]);
    for (target, token, headers, reason) in [
        ("/orders", None, &[][..], "token.missing"),
        ("/orders?page=2", Some(&less), &[], "scope.missing"),
        ("/orders", Some(&expired), &[], "token.expired"),
        ("/orgs/acme", Some(&org), &["X-Floor: 3"], "claim.mismatch"),
        (
            "/orgs/o'neill",
            Some(&org),
            &["X-Floor: 4"],
            "request.condition",
        ),
        ("/office", None, &["X-Floor: 4"], "request.condition"),
        ("/order", None, &[], "request.no_route"),
        ("/a/../b", None, &[], "request.ambiguous_path"),
    ] {
        ask(target, token.map(String::as_str), headers);
        let [outcome, hint, command] = dev.denial();
        assert!(
            outcome.contains(reason) && outcome.contains(target),
            "{outcome}"
        );
        assert!(!hint.trim().is_empty(), "{outcome}");
        let explained = why(&command);
        assert_eq!(explained["reason"], reason, "{command}");
        assert_eq!(explained["hint"], hint.trim(), "{command}");
        let signature = token.and_then(|token| token.rsplit('.').next());
        assert!(signature.is_none_or(|signature| !command.contains(signature)));
    }
}

/// A token that `dev` hasn't issued belongs to the developer, and is in no line.
#[test]
fn no_token_of_a_provider_is_printed() {
    let dev = Dev::start("policies/spa");
    let token = Signer::new("RS256").kid("k1").token(&json!({
        "iss": "https://acme.eu.auth0.com/", "aud": "https://api.example.com",
        "sub": "alice", "exp": 4_102_444_800_u64, "email": "alice@example.com",
    }));
    for (token, reason) in [
        (token.as_str(), "token.algorithm"),
        ("2YotnFZFEjr1zCsicMWpAA", "token.opaque"),
    ] {
        let answer = dev.ask("/orders", Some(token));
        assert!(answer.text.contains("--real-issuers"), "{}", answer.text);
        let [outcome, hint, command] = dev.denial();
        assert!(outcome.contains(reason), "{outcome}");
        assert!(hint.contains("portcullis token --issuer acme"), "{hint}");
        assert!(command.contains("--token token.txt"), "{command}");
        let said = [outcome, hint, command].concat();
        assert!(
            !said.contains(token) && !said.contains("alice@example.com"),
            "{said}"
        );
    }
    // The way a token is sent can be wrong too, and then the header may contain one.
    let headers = [
        "Host: api.example.com",
        "Authorization: 2YotnFZFEjr1zCsicMWpAA",
    ];
    http(
        dev.address("http"),
        "GET",
        "/envoy/orders",
        &headers.map(str::to_owned),
    );
    let [_, _, command] = dev.denial();
    assert!(!command.contains("2YotnFZFEjr1zCsicMWpAA"), "{command}");
}

/// Answers each request with this JSON, as long as the test runs.
fn serve_json(body: String) -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            // One read gets the whole of a small request.
            let _ = stream.read(&mut [0; 8192]);
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    address
}

#[test]
fn with_real_issuers_the_providers_tokens_pass_beside_those_of_dev() {
    let signer = Signer::new("RS256").kid("k1");
    let provider = serve_json(json!({ "keys": [signer.jwk()] }).to_string());
    let keys = format!("keys url \"http://{provider}/jwks\" url ");
    let policy = GOOD.replacen("url ", &keys, 1);
    let folder = folder(&[("a.gate", &policy)]);
    let claims = json!({
        "iss": "https://acme.example/", "aud": "https://api.example.com", "sub": "alice",
        "scope": "read:orders", "exp": 4_102_444_800_u64,
    });
    let token = signer.token(&claims);
    let forged = Signer::new("ES256").kid("k1").token(&claims);

    let dev = Dev::with(&[&text(&folder), "--real-issuers"]);
    assert!(
        dev.greeting.contains("beside the policy's"),
        "{}",
        dev.greeting
    );
    assert_eq!(dev.ask("/orders", Some(&token)).status, 200);
    let own = dev.token(&["--scope", "read:orders"]);
    assert_eq!(dev.ask("/orders", Some(&own)).status, 200);
    assert_eq!(dev.ask("/orders", Some(&forged)).status, 401);

    let dev = Dev::start(&text(&folder));
    let answer = dev.ask("/orders", Some(&token));
    assert_eq!(answer.status, 401);
    assert!(answer.text.contains("--real-issuers"), "{}", answer.text);
}

/// If a provider can't be reached, its tokens aren't called bad.
#[test]
fn with_real_issuers_an_unreachable_provider_is_said_to_be_one() {
    // A port that was free a moment ago, and on which nothing listens.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port is free");
    let keys = format!("keys url \"http://{nobody}/jwks\" url ");
    let policy = GOOD.replacen("url ", &keys, 1);
    let folder = folder(&[("a.gate", &policy)]);
    let token = Signer::new("RS256").kid("k1").token(&json!({
        "iss": "https://acme.example/", "aud": "https://api.example.com", "sub": "alice",
        "scope": "read:orders", "exp": 4_102_444_800_u64,
    }));

    let dev = Dev::with(&[&text(&folder), "--real-issuers"]);
    let answer = dev.ask("/orders", Some(&token));
    assert!(answer.text.contains("keys.unavailable"), "{}", answer.text);
    let own = dev.token(&["--scope", "read:orders"]);
    assert_eq!(dev.ask("/orders", Some(&own)).status, 200);
}
