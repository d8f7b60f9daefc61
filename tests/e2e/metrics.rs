//! The metrics of the modules, as a monitoring system reads them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use serde_yaml::Value;

use super::caller::{Answer, Request};
use super::nginx_module;
use super::process;
use super::proxies::{self, Kind, Proxy};
use super::world::{World, reason};
use crate::support::manual::fenced;

/// A guide's fenced block with this info string and this text in it.
fn block(guide: &str, info: &str, with: &str) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(guide);
    let mut blocks = fenced(&page).into_iter();
    let block = blocks.find(|block| block.info == info && block.text.contains(with));
    block.expect("the guide has it").text
}

fn scrape(at: SocketAddr) -> Answer {
    Request::to_host("GET", "/metrics", "localhost").send(at)
}

/// The sum of all samples whose names begin like this.
fn total(text: &str, start: &str) -> u64 {
    let lines = text.lines().filter(|line| line.starts_with(start));
    let values = lines.map(|line| line.rsplit_once(' ').expect("a value").1);
    values
        .map(|value| value.parse::<u64>().expect("a whole number"))
        .sum()
}

const ALLOWED: &str =
    r#"portcullis_decisions_total{api="orders",route="GET /health",decision="allow""#;
const DENIED: &str = r#"portcullis_decisions_total{api="orders",route="GET /orders",decision="deny",reason="token.missing""#;

#[track_caller]
fn assert_openmetrics(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?} {}", answer.text());
    let kind = answer.header("content-type").unwrap_or_default();
    assert!(
        kind.starts_with("application/openmetrics-text; version=1.0.0"),
        "{kind}"
    );
    assert!(answer.text().ends_with("\n# EOF\n"), "{}", answer.text());
    let lines = answer.text();
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for line in lines.lines().filter(|line| !line.starts_with('#')) {
        *names
            .entry(line.rsplit_once(' ').expect("a value").0)
            .or_default() += 1;
    }
    assert!(names.values().all(|count| *count == 1), "{lines}");
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn the_module_in_envoy_shows_what_all_its_threads_count() {
    let world = World::start();
    let port = process::free_port();
    let listener = block(
        "docs/guides/envoy-module.md",
        "yaml envoy",
        "portcullis_metrics",
    );
    let with_metrics = |listener: &str| {
        let listener: Value = serde_yaml::from_str(listener).expect("YAML");
        move |text: String| {
            let mut config: Value = serde_yaml::from_str(&text).expect("YAML");
            let listeners = config["static_resources"]["listeners"].as_sequence_mut();
            // Whichever of them Envoy reads first has the policy opened.
            let more = listener.as_sequence().expect("listeners").clone();
            listeners.expect("listeners").splice(..0, more);
            serde_yaml::to_string(&config).expect("YAML")
        }
    };
    let moved = proxies::moved(&listener, &[("9902", port)]);
    let mut proxy = Proxy::start_changed(
        Kind::EnvoyModule,
        with_metrics(&moved),
        world.daemon.ports,
        world.upstream.address,
    );
    let metrics = process::local(port);
    for _ in 0..20 {
        let health = Request::new("GET", "/health").send(proxy.address);
        assert_eq!(health.status, 200, "{health:?}");
        let denied = Request::new("GET", "/orders").send(proxy.address);
        assert_eq!(reason(&denied), Some("token.missing"));
    }
    let answer = scrape(metrics);
    assert_openmetrics(&answer);
    let text = answer.text();
    assert_eq!(total(&text, ALLOWED), 20, "{text}");
    assert_eq!(total(&text, DENIED), 20, "{text}");
    let took = r#"portcullis_decision_duration_seconds_count{adapter="envoy_module"}"#;
    // What the daemon of this world counts is its own.
    assert_eq!(total(&text, took), 40, "{text}");
    let written = Request::to_host("POST", "/metrics", "localhost").send(metrics);
    assert_eq!(
        (written.status, written.header("allow")),
        (405, Some("GET, HEAD"))
    );
    assert!(proxy.process.runs());

    // A name that stands for nothing is an error, not a filter that lets everything through.
    let folder = tempfile::tempdir().expect("a folder");
    let misspelt = with_metrics(&moved.replace(": portcullis_metrics", ": portcullis_metric"));
    let config = misspelt(proxies::deployed(Kind::EnvoyModule));
    let config = proxies::configured(&config, &world.daemon.configuration());
    let mut command = proxies::envoy(&config, folder.path(), 1);
    command.args(["--mode", "validate"]);
    let output = command
        .env(proxies::SEARCH_PATH, super::module::built())
        .output()
        .expect("Envoy runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("unknown `filter_name`"), "{said}");
}

/// The number of the worker process that answers.
const WORKER: &str = "add_header X-Worker $pid always;";

/// Requests until each of so many workers has answered one, at this proxy.
fn ask_workers(proxy: &Proxy, workers: usize, counted: &mut u64) -> Vec<String> {
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    process::wait_until("every worker has answered", || {
        let health = Request::new("GET", "/health").send(proxy.address);
        assert_eq!(health.status, 200, "{health:?}");
        *counted += 1;
        let worker = health.header("x-worker").expect("a number").to_owned();
        *seen.entry(worker).or_default() += 1;
        seen.len() >= workers
    });
    seen.into_keys().collect()
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn the_workers_of_nginx_count_together_over_reloads_and_crashes() {
    let world = World::start();
    let port = process::free_port();
    let server = block("docs/guides/nginx-module.md", "nginx", "portcullis_metrics");
    let server = proxies::moved(&server, &[("9145", port)]);
    let proxy = nginx_module::changed(&world.daemon, world.upstream.address, |text| {
        let text = text
            .replacen("worker_processes auto", "worker_processes 2", 1)
            // The kernel deals connections out.
            .replacen("127.0.0.1:8000;", "127.0.0.1:8000 reuseport;", 1)
            .replacen("    server {", &format!("{server}\n    server {{"), 1);
        format!(
            "error_log stderr notice;\n{}",
            nginx_module::with(&text, WORKER)
        )
    });
    let metrics = process::local(port);
    let mut counted = 0;
    let shows = |counted: u64| {
        process::wait_until("all workers' decisions are counted", || {
            let answer = scrape(metrics);
            assert_openmetrics(&answer);
            let text = answer.text();
            let so_far = total(&text, ALLOWED);
            assert!(so_far <= counted, "{text}");
            assert!(
                text.contains("\nportcullis_policy_last_load_failed 0\n"),
                "{text}"
            );
            assert_eq!(text.matches("portcullis_policy_info{").count(), 1, "{text}");
            so_far == counted
        });
    };
    ask_workers(&proxy, 2, &mut counted);
    shows(counted);

    // Counters outlive the workers that counted.
    proxy.process.signal("HUP");
    process::wait_until("the old workers are gone", || {
        let log = proxy.process.output();
        log.matches("exited with code 0").count() >= 2
    });
    shows(counted);
    let workers = ask_workers(&proxy, 2, &mut counted);
    shows(counted);

    // Also one that ends without a word.
    let killed = workers.first().expect("a worker");
    let status = std::process::Command::new("kill")
        .args(["-s", "KILL", "--", killed])
        .status();
    assert!(status.is_ok_and(|status| status.success()));
    process::wait_until("nginx has noticed", || {
        proxy.process.output().contains("exited on signal 9")
    });
    process::wait_until("there is another worker", || {
        let mut asked = 0;
        let now = ask_workers(&proxy, 2, &mut asked);
        counted += asked;
        !now.contains(killed)
    });
    shows(counted);

    let denied = Request::to_host("POST", "/metrics", "localhost").send(metrics);
    assert_eq!(
        (denied.status, denied.header("allow")),
        (405, Some("GET, HEAD"))
    );
    let other = Request::to_host("GET", "/", "localhost").send(metrics);
    assert_ne!(other.status, 200);
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_location_with_metrics_is_protected_like_any_other() {
    let world = World::start();
    let location = "location = /internal/metrics { portcullis_metrics; }
        location = /files/metrics { portcullis_metrics; }";
    let proxy = nginx_module::nginx(&world.daemon, world.upstream.address, location);
    let ask = |path: &str| Request::new("GET", path).send(proxy.address);
    assert_eq!(ask("/internal/metrics").status, 403);
    assert_openmetrics(&ask("/files/metrics"));

    // A zone that is too small to be of use is an error of the configuration.
    let small = proxies::deployed(Kind::NginxModule).replacen(
        "    portcullis_config",
        "    portcullis_zone 64k;\n    portcullis_config",
        1,
    );
    let output = nginx_module::tested(&small, &world.daemon);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(
        said.contains("portcullis_zone needs 128k at least"),
        "{said}"
    );
}
