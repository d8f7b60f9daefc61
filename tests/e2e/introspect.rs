//! Opaque tokens of a real provider with introspection, through real proxies, with the guide's
//! policy and configuration.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::caller::{Answer, Request};
use super::daemon::Daemon;
use super::echo::Echo;
use super::process;
use super::provider::{ORDERS, Provider, REPORTS, REPORTS_SECRET};
use super::proxies::{Kind, Proxy};
use super::world::reason;
use crate::support::dpop::Client;
use crate::support::manual::{Fenced, fenced};

const HOST: &str = "reports.example.com";

/// The guide's fenced blocks with this info string.
fn guide(info: &str) -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guides/opaque-tokens.md");
    fenced(&page)
        .into_iter()
        .filter(|block: &Fenced| block.info == info)
        .map(|block| block.text)
        .collect()
}

/// The guide's policy, for this provider.
fn policy(provider: &Provider) -> String {
    guide("gate checked")[0].replace("https://idp.example.com", &provider.issuer)
}

/// The guide's configuration of introspection, with the paths of the test's files.
fn configuration(number: usize, folder: &Path, max_age: &str) -> String {
    let text = &guide("yaml")[number];
    let from = text.find("introspection:").expect("the section");
    let text = text[from..].replace(": idp.", &format!(": {}/idp.", folder.display()));
    if text.contains("max_age: 30s") {
        text.replace("max_age: 30s", &format!("max_age: {max_age}"))
    } else {
        text.replace(
            "introspection:",
            &format!("introspection:\n  max_age: {max_age}"),
        )
    }
}

fn reports(token: &str) -> Request {
    Request::to_host("GET", "/reports", HOST).bearer(token)
}

fn outcome(answer: &Answer) -> (u16, Option<&str>) {
    (answer.status, reason(answer))
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_token_passes_while_its_provider_says_so_and_no_longer() {
    let (provider, upstream) = (Provider::start(), Echo::start());
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(
        folder.path().join("idp.secret"),
        format!("{REPORTS_SECRET}\n"),
    )
    .expect("written");
    let daemon = Daemon::with(&policy(&provider), &configuration(0, folder.path(), "2s"));
    let token = || provider.machine_token(Some(REPORTS), "read:reports", &json!({}));
    let first = token();
    assert!(!first.contains('.'), "{first}");
    let refresh = provider
        .login(
            "alice",
            "offline_access read:reports",
            Some(REPORTS),
            &json!({}),
        )
        .refresh_token
        .expect("a refresh token");
    let jwt = provider.machine_token(Some(ORDERS), "read:orders", &json!({}));
    for kind in Kind::ALL {
        let proxy = Proxy::start(kind, daemon.ports, upstream.address);
        let ask = |token: &str| reports(token).send(proxy.address);
        let allowed = ask(&first);
        assert_eq!(
            allowed.status,
            200,
            "{kind:?}: {allowed:?} {}",
            allowed.text()
        );
        for (token, code) in [
            ("made-up", "token.revoked"),
            // Active too, according to the endpoint, and without a type.
            (refresh.as_str(), "token.wrong_type"),
            // Verified with the keys: this provider's endpoint refuses JWTs.
            (jwt.as_str(), "token.wrong_audience"),
        ] {
            let denied = ask(token);
            assert_eq!(outcome(&denied), (401, Some(code)), "{kind:?}: {denied:?}");
        }
    }
    let proxy = Proxy::start(Kind::EnvoyGrpc, daemon.ports, upstream.address);
    let ask = |token: &str| reports(token).send(proxy.address);

    // Many requests cause one call.
    let asked = provider.introspections();
    let second = token();
    for _ in 0..20 {
        assert_eq!(ask(&second).status, 200);
    }
    assert!(provider.introspections() - asked <= 3);

    // RFC 7009: the token is refused once the cached answer has expired.
    provider.revoke(&second);
    process::wait_until("the token is revoked", || {
        let answer = ask(&second);
        assert!(matches!(answer.status, 200 | 401), "{answer:?}");
        outcome(&answer) == (401, Some("token.revoked"))
    });

    // The cached answer serves until it expires, and no longer.
    let third = token();
    assert_eq!(ask(&third).status, 200);
    provider.go_down();
    process::wait_until("nothing that was said is believed", || {
        let answer = ask(&third);
        assert!(matches!(answer.status, 200 | 503), "{answer:?}");
        outcome(&answer) == (503, Some("keys.unavailable"))
    });
    let health = Request::to_host("GET", "/health", HOST).send(proxy.address);
    assert_eq!(health.status, 200);
    provider.come_up();
    process::wait_until("the provider is asked again", || ask(&third).status == 200);

    let log = daemon.process.output();
    for secret in [&first, &second, &third, &refresh, REPORTS_SECRET] {
        assert!(!log.contains(secret), "{log}");
    }
    assert!(
        log.contains("the issuer can't be asked about tokens"),
        "{log}"
    );
}

/// RFC 7523 and RFC 9449, as this provider implements them.
#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_client_that_signs_may_ask_and_a_bound_token_needs_its_proof() {
    let (provider, upstream, client) = (Provider::start(), Echo::start(), Client::new());
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("idp.key"), provider.client_key()).expect("written");
    let policy = policy(&provider).replace(
        "tokens           access",
        "tokens           access\n    sender           dpop optional",
    );
    let schemes = "adapters: { nginx: { scheme: \"header:x-forwarded-proto\" } }\n";
    let config = configuration(1, folder.path(), "1m") + schemes;
    let daemon = Daemon::with(&policy, &config);
    let proxy = Proxy::start(Kind::Nginx, daemon.ports, upstream.address);
    let bearer = provider.machine_token(Some(REPORTS), "read:reports", &json!({}));
    let allowed = reports(&bearer).send(proxy.address);
    assert_eq!(allowed.status, 200, "{allowed:?} {}", allowed.text());

    let bound = provider.bound_token_for(&client, REPORTS, "read:reports");
    assert!(!bound.contains('.'), "{bound}");
    let stolen = reports(&bound).send(proxy.address);
    assert_eq!(outcome(&stolen), (401, Some("token.sender")), "{stolen:?}");
    let url = "http://reports.example.com/reports";
    // A daemon that has just started requires a nonce.
    let members = json!({"nonce": stolen.header("dpop-nonce").expect("a nonce")});
    let proof = client.proof("GET", url, Some(&bound), &members);
    let with_proof = Request::to_host("GET", "/reports", HOST)
        .header("Authorization", &format!("DPoP {bound}"))
        .header("DPoP", &proof);
    let allowed = with_proof.send(proxy.address);
    assert_eq!(allowed.status, 200, "{allowed:?} {}", allowed.text());
    let again = with_proof.send(proxy.address);
    assert_eq!(outcome(&again), (401, Some("token.sender")), "{again:?}");
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn the_commands_of_the_guide_work_as_they_are_written() {
    let provider = Provider::start();
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).expect("written");
    };
    fs::create_dir(folder.path().join("policies")).expect("a folder");
    write("policies/reports.gate", &policy(&provider));
    write("portcullis.yaml", &guide("yaml")[0]);
    write("idp.secret", REPORTS_SECRET);
    let token = provider.machine_token(Some(REPORTS), "read:reports", &json!({}));
    write("token.txt", &token);
    let mut ran = 0;
    for line in guide("sh").concat().lines() {
        // The last one runs until it is stopped; the other tests start it.
        if line.contains(" serve ") {
            continue;
        }
        let output = Command::new("sh")
            .args(["-c", line])
            .current_dir(folder.path())
            .env("PATH", path_with_binary())
            .output()
            .expect("a shell");
        let shown = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {shown}");
        assert!(!shown.contains(&token), "{line}: {shown}");
        ran += 1;
    }
    assert_eq!(ran, 3);
}

/// The search path with the binary under test in front.
fn path_with_binary() -> std::ffi::OsString {
    let binary = Path::new(env!("CARGO_BIN_EXE_portcullis"));
    let mut paths = vec![binary.parent().expect("a folder").to_owned()];
    paths.extend(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    ));
    std::env::join_paths(paths).expect("a search path")
}
