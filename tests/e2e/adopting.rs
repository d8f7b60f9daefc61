//! `docs/adopting.md` as written, in front of an application behind nginx and Envoy.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::caller::{Answer, Request};
use super::daemon::Daemon;
use super::echo::{Echo, echoed};
use super::process;
use super::provider::Provider;
use super::proxies::{Kind, Proxy};
use super::world::{policy, reason};
use crate::support::manual::fenced;

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn the_page_leads_from_observing_to_enforcing() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/adopting.md");
    let blocks = fenced(&page);
    let block = |info: &str| {
        let block = blocks.iter().find(|block| block.info == info);
        block.expect("a block of the page").text.clone()
    };
    let (provider, upstream) = (Provider::start(), Echo::start());
    let text = policy(&provider.issuer);
    let observing = block("yaml observe");
    let daemon = Daemon::with(&text, &observing);
    let folder = daemon
        .configuration()
        .parent()
        .expect("a folder")
        .to_owned();
    // The policy in force stays the only one until it is replaced.
    fs::create_dir(folder.join("policies.new")).expect("made");
    let next = folder.join("policies.new/orders.gate");
    let stricter = "GET   /health             requires scope \"read:orders\"";
    let changed = text.replace("GET   /health             public", stricter);
    assert_ne!(changed, text);
    fs::write(&next, &changed).expect("written");
    let proxies = [Kind::Nginx, Kind::EnvoyGrpc]
        .map(|kind| Proxy::start(kind, daemon.ports, upstream.address));
    let ask = |proxy: &Proxy, method: &str, target: &str| -> Answer {
        Request::new(method, target).send(proxy.address)
    };

    // 1. Observe.
    for proxy in &proxies {
        for (method, target) in [("GET", "/orders"), ("POST", "/orders"), ("GET", "/health")] {
            let answer = ask(proxy, method, target);
            assert_eq!(answer.status, 200, "{answer:?} {}", answer.text());
        }
    }
    // No client can forge what the policy forwards: nginx' adapter refuses it, Envoy removes it.
    let forge = |proxy: &Proxy| {
        Request::new("GET", "/files/a")
            .header("x-org-id", "forged")
            .send(proxy.address)
    };
    assert_eq!(forge(&proxies[0]).status, 403);
    let passed = forge(&proxies[1]);
    assert_eq!(passed.status, 200, "{passed:?}");
    assert!(!echoed(&passed.json(), "x-org-id").contains(&"forged"));
    // 2. Compare.
    let metrics = daemon.metrics();
    let counted = metrics
        .lines()
        .filter(|line| line.contains(r#""would_deny""#));
    let counted: Vec<&str> = counted.collect();
    assert_eq!(counted.len(), 2, "{counted:?}");
    let orders = r#"route="GET /orders",decision="would_deny",reason="token.missing"} 2"#;
    assert!(
        counted.iter().any(|line| line.contains(orders)),
        "{counted:?}"
    );
    let log = folder.join("decisions.log");
    process::wait_until("the log is written", || {
        fs::read_to_string(&log).is_ok_and(|log| log.lines().count() == 8)
    });
    let first = fs::read_to_string(&log).expect("a log");
    let first: Value = serde_json::from_str(first.lines().next().expect("a line")).expect("JSON");
    assert_eq!(first["would"], "deny token.missing");
    assert!(first["hint"].is_string());
    let replay = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(["replay", "policies.new", "--log", "decisions.log"])
        .args(["--format", "json"])
        .current_dir(&folder)
        .output()
        .expect("it runs");
    let report: Value = serde_json::from_slice(&replay.stdout).expect("JSON");
    assert_eq!(report["lines"], 8, "{report}");
    assert_eq!(report["denied"], 4, "{report}");
    // The policy in force denies them too.
    assert_eq!(report["denied_observed"], 4, "{report}");
    // No rule of the first policy read the tokens of `/health`, and one request was malformed.
    assert_eq!(report["undecidable"], 3, "{report}");
    // 3. Enforce.
    let file = daemon.configuration();
    let reconfigure = |from: &str, to: &str| {
        let text = fs::read_to_string(&file).expect("a configuration");
        assert!(text.contains(from), "{text}");
        fs::write(&file, text.replace(from, to)).expect("written");
        daemon.reload();
    };
    let enforcing = block("yaml enforce");
    reconfigure("mode: observe\n", &enforcing);
    for proxy in &proxies {
        assert_eq!(ask(proxy, "GET", "/orders").status, 200);
        let denied = ask(proxy, "POST", "/orders");
        assert_eq!(
            (denied.status, reason(&denied)),
            (401, Some("token.missing"))
        );
    }
    reconfigure(&enforcing, "mode: enforce\n");
    for proxy in &proxies {
        assert_eq!(ask(proxy, "GET", "/orders").status, 401);
    }
    drop(proxies);

    // 4. A candidate, which needs a restart.
    let mut daemon = daemon;
    daemon.kill();
    let with = fs::read_to_string(&file).expect("a configuration") + &block("yaml candidate");
    fs::write(&file, with).expect("written");
    daemon.start_again(&text);
    process::wait_until("the candidate is read", || {
        !daemon.policy()["candidate"]["revision"].is_null()
    });
    let proxy = Proxy::start(Kind::Nginx, daemon.ports, upstream.address);
    assert_eq!(ask(&proxy, "GET", "/health").status, 200);
    let difference = r#"portcullis_candidate_differences_total{api="orders",route="GET /health",old="allow",new="token.missing"} 1"#;
    process::wait_until("the difference is counted", || {
        daemon.metrics().contains(difference)
    });
}
