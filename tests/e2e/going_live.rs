//! `docs/guides/going-live.md` exactly as written: its policy, its configuration, the proxy, and an
//! application that answers with the request.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::caller::Request;
use super::echo::echoed;
use super::process::{self, Process};
use super::provider::{ORDERS, Provider};
use super::proxies::{Kind, Portcullis, Proxy};
use super::world::reason;
use crate::support::manual::fenced;

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn the_guide_leads_from_a_provider_to_an_answer() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let blocks = fenced(&root.join("docs/guides/going-live.md"));
    let block = |info: &str| {
        let block = blocks.iter().find(|block| block.info == info);
        block.expect("a block of the guide").text.clone()
    };
    let provider = Provider::start();
    let folder = tempfile::tempdir().expect("a folder can be made");
    let ports = Portcullis {
        grpc: process::free_port(),
        http: process::free_port(),
        configuration: folder.path().join("portcullis.yaml").leak(),
    };
    let (admin, application) = (process::free_port(), process::free_port());

    let policy = folder.path().join("policies/orders.gate");
    fs::create_dir(folder.path().join("policies")).expect("written");
    let text = block("gate checked");
    assert!(text.contains("https://id.example.com/"));
    let text = text.replace("https://id.example.com/", &provider.issuer);
    fs::write(&policy, text).expect("written");
    // The ports are the test's, and the deadline is one that a busy machine keeps.
    let mut config = block("yaml");
    for (from, to) in [
        ("127.0.0.1:9190", process::local(ports.http).to_string()),
        ("127.0.0.1:9192", process::local(admin).to_string()),
        ("150ms", "5s".to_owned()),
    ] {
        assert!(config.contains(from), "{from} is not in\n{config}");
        config = config.replace(from, &to);
    }
    fs::write(folder.path().join("portcullis.yaml"), config).expect("written");

    let mut serve = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    serve.arg("serve").current_dir(folder.path());
    let mut daemon = Process::start("portcullis", &serve, folder.path());
    let admin = process::local(admin);
    daemon.wait_for(|_| {
        let ready = super::caller::exchange(
            admin,
            &Request::to_host("GET", "/readyz", "localhost").bytes(),
        );
        ready.is_ok_and(|answer| answer.status == 200).then_some(())
    });
    let mut echo = Command::new("python3");
    echo.arg(root.join("deploy/echo.py"))
        .arg(application.to_string());
    let mut upstream = Process::start("echo", &echo, folder.path());
    upstream.wait_for_port(application);
    let proxy = Proxy::start_generated(
        Kind::Nginx,
        policy.parent().expect("a folder"),
        ports,
        process::local(application),
    );

    let get = || Request::new("GET", "/orders");
    let denied = get().send(proxy.address);
    assert_eq!(
        (denied.status, reason(&denied)),
        (401, Some("token.missing"))
    );
    let less = provider.machine_token(Some(ORDERS), "write:orders", &json!({}));
    let denied = get().bearer(&less).send(proxy.address);
    assert_eq!(
        (denied.status, reason(&denied)),
        (403, Some("scope.missing"))
    );
    let token = provider.machine_token(Some(ORDERS), "read:orders", &json!({}));
    // A request with a forged identity header is refused; others get the token's identity.
    let forged = get().header("X-User-Id", "forged").bearer(&token);
    let refused = forged.send(proxy.address);
    assert_eq!(
        (refused.status, reason(&refused)),
        (403, Some("request.malformed"))
    );
    let allowed = get().bearer(&token).send(proxy.address);
    assert_eq!(allowed.status, 200, "{}", allowed.text());
    let seen = echoed(&allowed.json(), "x-user-id").join(",");
    assert!(!seen.is_empty() && seen != "forged", "{seen}");

    // Each answer's number is in the log, together with the hint.
    let id = denied
        .header("x-portcullis-decision")
        .expect("a number")
        .to_owned();
    let log = folder.path().join("decisions.log");
    let line = daemon.wait_for(|_| {
        let log = fs::read_to_string(&log).ok()?;
        log.lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find(|line| line["decision_id"] == id.as_str())
    });
    let hint = line["hint"].as_str().expect("a hint");
    assert!(hint.contains("read:orders"), "{hint}");
    let metrics = Request::to_host("GET", "/metrics", "localhost")
        .send(admin)
        .text();
    assert!(metrics.contains("portcullis_decisions_total"), "{metrics}");
}
