//! portcullis inside Envoy: what only the module can get wrong. The other tests run through it like
//! through any other proxy.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::json;
use serde_yaml::Value;
use tempfile::TempDir;

use super::caller::{self, Connection, Request};
use super::echo::Echo;
use super::http2::{self, Outcome};
use super::process::{self, Process};
use super::provider::{ORDERS, Provider};
use super::proxies::{self, Kind, Portcullis, Proxy, SEARCH_PATH};
use super::reload::{self, EndWhenDropped};
use super::world::{policy, reason};
use crate::support::manual::fenced;

/// The folder with the module, which is built when the first test asks for it.
pub fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let target = process::world().parent().expect("a folder").to_owned();
        let output = Command::new(env!("CARGO"))
            // All of `tests/run`, with this target: what it has built serves, since the features of
            // dependencies are the same.
            .args(["build", "--quiet", "--locked", "--lib", "--test", "e2e"])
            .args(
                ["portcullis", "portcullis-embed", "portcullis-envoy"]
                    .map(|name| format!("-p{name}")),
            )
            .arg("--target-dir")
            .arg(&target)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        target.join("debug")
    })
}

/// A `portcullis.yaml` and its policy, which no daemon reads.
pub struct Files(TempDir);

impl Files {
    pub fn new(policy: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        // The deadline is one that a busy machine does not reach.
        let written = "policy: policies\ndeadline: 20s\nexplain: full\nreload: { settle: 10ms }\n";
        fs::write(folder.path().join("portcullis.yaml"), written).expect("written");
        fs::create_dir(folder.path().join("policies")).expect("a folder");
        let files = Self(folder);
        files.write(policy);
        files
    }

    /// Puts another policy in place of the first, as an editor would.
    pub fn write(&self, policy: &str) {
        let folder = self.0.path().join("policies");
        let draft = folder.join(".orders.gate.draft");
        fs::write(&draft, policy).expect("written");
        fs::rename(&draft, folder.join("orders.gate")).expect("written");
    }

    pub fn configuration(&self) -> PathBuf {
        self.0.path().join("portcullis.yaml")
    }

    fn proxy(&self, upstream: SocketAddr) -> Proxy {
        self.changed(|text| text, upstream)
    }

    pub fn changed(&self, change: impl FnOnce(String) -> String, upstream: SocketAddr) -> Proxy {
        Proxy::start_changed(Kind::EnvoyModule, change, self.portcullis(), upstream)
    }

    /// No daemon, but for the configuration.
    pub fn portcullis(&self) -> Portcullis {
        Portcullis {
            grpc: 0,
            http: 0,
            configuration: self.configuration().leak(),
        }
    }

    /// What `envoy --mode validate` says, and whether it is content.
    fn validated(&self) -> (bool, String) {
        self.validated_with(&proxies::deployed(Kind::EnvoyModule))
    }

    fn validated_with(&self, text: &str) -> (bool, String) {
        let text = proxies::configured(text, &self.configuration());
        let mut command = proxies::envoy(&text, self.0.path(), 1);
        let output = command
            .args(["--mode", "validate"])
            .env(SEARCH_PATH, built())
            .output()
            .expect("Envoy runs");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        (output.status.success(), said)
    }
}

pub fn token(provider: &Provider) -> String {
    provider.machine_token(Some(ORDERS), "read:orders write:orders", &json!({}))
}

pub fn orders(token: &str) -> Request {
    Request::new("GET", "/orders").bearer(token)
}

pub fn assert_unharmed(proxy: &mut Proxy) {
    assert!(proxy.process.runs());
    let log = proxy.process.output();
    for fault in ["Caught ", "a fault in portcullis", "assert failure"] {
        assert!(!log.contains(fault), "{log}");
    }
}

/// The request waits, with its body and its trailers, and goes on by itself.
#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_request_waits_for_keys_that_arrive_late() {
    let (provider, upstream) = (Provider::start(), Echo::start());
    let token = token(&provider);
    provider.fault("slow");
    let files = Files::new(&policy(&provider.issuer));
    let mut proxy = files.proxy(upstream.address);
    let body = format!("\"{}\"", "a".repeat(300_000));
    let post = Request::new("POST", "/orders")
        .bearer(&token)
        .body("application/json", &body);
    let address = proxy.address;
    thread::scope(|scope| {
        let bearer = format!("Bearer {token}");
        let trailed = scope.spawn(move || {
            let headers = [("authorization", bearer.as_str())];
            http2::post_with_trailer(address, "/orders", &headers, b"body").expect("frames")
        });
        let waiting = [(); 8].map(|()| scope.spawn(|| post.send(address)));
        for waiting in waiting {
            let answer = waiting.join().expect("an answer");
            assert_eq!(answer.status, 200, "{answer:?} {}", answer.text());
            assert_eq!(answer.json()["body_length"], body.len());
        }
        let answer = trailed.join().expect("an answer");
        let Outcome::Answered { status: 200, body } = answer else {
            panic!("{answer:?}");
        };
        let echo: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(echo["body_length"], 4);
    });
    assert_unharmed(&mut proxy);
}

/// Nothing of a stream is touched once its client is gone, nor once Envoy itself ends.
#[test]
#[ignore = "needs the proxies: run tests/run"]
fn clients_may_go_while_their_decision_is_awaited() {
    let (provider, upstream) = (Provider::start(), Echo::start());
    let token = token(&provider);
    provider.fault("hang");
    let files = Files::new(&policy(&provider.issuer));
    let mut proxy = files.proxy(upstream.address);
    let wait = || {
        let mut connection = Connection::open(proxy.address).expect("Envoy listens");
        connection.write(&orders(&token).bytes()).expect("taken");
        connection
    };
    let health = || Request::new("GET", "/health").send(proxy.address);
    for _ in 0..5 {
        let waiting: Vec<Connection> = (0..20).map(|_| wait()).collect();
        process::wait_until("all of them wait", || active(&proxy) == waiting.len());
        drop(waiting);
        process::wait_until("all of them are gone", || active(&proxy) == 0);
    }
    assert_eq!(health().status, 200);
    let before = upstream.received();
    provider.fault("none");
    process::wait_until("the keys are there", || {
        orders(&token).send(proxy.address).status == 200
    });
    // None of those who left got through.
    assert_eq!(upstream.received(), before + 1);

    provider.fault("hang");
    provider.rotate(false);
    let unknown = self::token(&provider);
    let mut waiting = Connection::open(proxy.address).expect("Envoy listens");
    waiting.write(&orders(&unknown).bytes()).expect("taken");
    process::wait_until("it waits", || active(&proxy) == 1);
    assert_unharmed(&mut proxy);
    proxy.process.signal("TERM");
    process::wait_until("Envoy has ended", || !proxy.process.runs());
    let log = proxy.process.output();
    assert!(!log.contains("Caught "), "{log}");
}

/// How many requests are under way.
fn active(proxy: &Proxy) -> usize {
    let target = "/stats?filter=^http.api.downstream_rq_active$";
    let stats = Request::to_host("GET", target, "localhost").send(proxy.admin);
    let stats = stats.text();
    let number = stats.trim().rsplit(' ').next().expect("a number");
    number.parse().unwrap_or_else(|_| panic!("{stats}"))
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_validation_shows_what_is_wrong_and_asks_nobody() {
    let provider = Provider::start();
    let files = Files::new(&policy(&provider.issuer));
    let (content, said) = files.validated();
    assert!(content, "{said}");
    assert_eq!(provider.key_requests(), 0);

    // The object that the guide shows in place of the path.
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guides/envoy-module.md");
    let blocks = fenced(&page).into_iter();
    let object = blocks.filter(|block| block.info == "yaml envoy").nth(1);
    let object: Value = serde_yaml::from_str(&object.expect("a block").text).expect("YAML");
    let mut config: Value =
        serde_yaml::from_str(&proxies::deployed(Kind::EnvoyModule)).expect("YAML");
    let filter = filters(&mut config)
        .iter_mut()
        .find(|filter| filter["name"] == "portcullis");
    filter.expect("the filter")["typed_config"]["filter_config"] = object["filter_config"].clone();
    let (content, said) = files.validated_with(&serde_yaml::to_string(&config).expect("YAML"));
    assert!(content, "{said}");

    files.write("api orders {\n    host \"api.example.com\"\n    GET /orders publik\n}\n");
    let (content, said) = files.validated();
    assert!(!content, "{said}");
    assert!(said.contains("orders.gate:3:"), "{said}");
    assert!(said.contains("publik"), "{said}");

    fs::write(files.configuration(), "policy: policies\nlissteners: {}\n").expect("written");
    let (content, said) = files.validated();
    assert!(!content, "{said}");
    assert!(said.contains("lissteners"), "{said}");
}

/// Two filters with the same `portcullis.yaml`, one behind the other.
#[test]
#[ignore = "needs the proxies: run tests/run"]
fn filters_with_the_same_configuration_share_one_policy() {
    let (provider, upstream) = (Provider::start(), Echo::start());
    let files = Files::new(&policy(&provider.issuer));
    let twice = |text: String| {
        let mut config: Value = serde_yaml::from_str(&text).expect("YAML");
        let filters = filters(&mut config);
        let at = filters
            .iter()
            .position(|filter| filter["name"] == "portcullis")
            .expect("the filter");
        let mut second = filters[at].clone();
        second["name"] = "again".into();
        filters.insert(at, second);
        serde_yaml::to_string(&config).expect("YAML")
    };
    let mut proxy = files.changed(twice, upstream.address);
    let answer = orders(&token(&provider)).send(proxy.address);
    assert_eq!(answer.status, 200, "{answer:?} {}", answer.text());
    assert_eq!(provider.key_requests(), 1);
    assert_unharmed(&mut proxy);
}

/// Routes may depend on what the policy forwards: Envoy chooses again, unless it is told not to.
#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_route_may_depend_on_a_forwarded_header_unless_that_is_off() {
    let (provider, upstream) = (Provider::start(), Echo::start());
    let files = Files::new(&policy(&provider.issuer));
    let token = token(&provider);
    for clears in [true, false] {
        let by_user = |text: String| {
            let mut config: Value = serde_yaml::from_str(&text).expect("YAML");
            let mut settings = serde_yaml::to_value(json!({
                "@type": "type.googleapis.com/google.protobuf.Struct",
                "value": { "config": "/etc/portcullis/portcullis.yaml", "clear_route_cache": clears },
            }))
            .expect("YAML");
            let filter = filters(&mut config)
                .iter_mut()
                .find(|filter| filter["name"] == "portcullis")
                .expect("the filter");
            std::mem::swap(&mut filter["typed_config"]["filter_config"], &mut settings);
            let route = serde_yaml::to_value(json!({
                "match": {
                    "prefix": "/",
                    "headers": [{ "name": "x-user-id", "string_match": { "exact": "machine" } }],
                },
                "direct_response": { "status": 203, "body": { "inline_string": "of the machine" } },
            }));
            let manager = &mut config["static_resources"]["listeners"][0];
            let manager = &mut manager["filter_chains"][0]["filters"][0]["typed_config"];
            let routes = &mut manager["route_config"]["virtual_hosts"][0]["routes"];
            let routes = routes.as_sequence_mut().expect("routes");
            routes.insert(0, route.expect("YAML"));
            serde_yaml::to_string(&config).expect("YAML")
        };
        let mut proxy = files.changed(by_user, upstream.address);
        let answer = orders(&token).send(proxy.address);
        let chosen = if clears { 203 } else { 200 };
        assert_eq!(answer.status, chosen, "{answer:?} {}", answer.text());
        // What a client claims chooses nothing in the end.
        let claimed = Request::new("GET", "/health")
            .header("X-User-Id", "machine")
            .send(proxy.address);
        let chosen = if clears { 200 } else { 203 };
        assert_eq!(claimed.status, chosen, "{claimed:?}");
        assert_unharmed(&mut proxy);
    }
}

fn filters(config: &mut Value) -> &mut Vec<Value> {
    let listener = &mut config["static_resources"]["listeners"][0];
    let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
    manager["http_filters"].as_sequence_mut().expect("filters")
}

/// Without a daemon, the log is what tells an operator what was decided.
#[test]
#[ignore = "needs the proxies: run tests/run"]
fn decisions_and_faults_are_logged() {
    let (provider, upstream) = (Provider::start(), Echo::start());
    let files = Files::new(&policy(&provider.issuer));
    let log = files.0.path().join("decisions.log");
    let mut config = fs::read_to_string(files.configuration()).expect("written before");
    config.push_str(&format!("log: {{ decisions: {} }}\n", log.display()));
    fs::write(files.configuration(), config).expect("written");
    let mut proxy = files.proxy(upstream.address);
    let denied = Request::new("GET", "/orders").send(proxy.address);
    let id = denied.header("x-portcullis-decision").expect("a number");
    let line: serde_json::Value = proxy.process.wait_for(|_| {
        let log = fs::read_to_string(&log).ok()?;
        let mut lines = log
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        lines.find(|line: &serde_json::Value| line["decision_id"] == id)
    });
    assert_eq!(line["adapter"], "envoy_module");
    assert_eq!(line["reason"], "token.missing");

    // What is wrong with a new policy is in Envoy's log, and the old one stays.
    files.write("api orders { GET /orders publik }\n");
    proxy.process.wait_for(|process| {
        let log = process.output();
        let lines = log.lines().filter(|line| line.contains("dynamic_modules"));
        lines
            .into_iter()
            .any(|line| line.contains("publik"))
            .then_some(())
    });
    let health = Request::new("GET", "/health").send(proxy.address);
    assert_eq!(health.status, 200);
    assert_unharmed(&mut proxy);
}

/// How often the listener is replaced, and how many clients ask meanwhile.
const REPLACEMENTS: usize = 25;
const CLIENTS: usize = 2;

/// A listener that Envoy reads from a file, as a control plane would send it.
struct Replaced {
    folder: TempDir,
    listener: Value,
}

impl Replaced {
    /// Writes the listener for the n-th time, so that it differs from the last one.
    fn write(&mut self, number: usize) {
        let manager = &mut self.listener["filter_chains"][0]["filters"][0]["typed_config"];
        manager["stat_prefix"] = format!("api-{number}").into();
        let response = json!({ "resources": [self.listener] });
        let draft = self.folder.path().join("draft.json");
        fs::write(&draft, response.to_string()).expect("written");
        fs::rename(&draft, self.folder.path().join("listeners.json")).expect("written");
    }
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn listeners_are_replaced_under_load() {
    let (provider, upstream) = (Provider::start(), Echo::start());
    let files = Files::new(&policy(&provider.issuer));
    let (port, admin) = (process::free_port(), process::free_port());
    let text = proxies::deployed(Kind::EnvoyModule);
    let text = proxies::configured(&text, &files.configuration());
    let ports = [
        ("8000", port),
        ("8080", upstream.address.port()),
        ("9901", admin),
    ];
    let text = proxies::moved(&text, &ports);

    let mut config: Value = serde_yaml::from_str(&text).expect("YAML");
    let mut listener = config["static_resources"]["listeners"][0].clone();
    listener["@type"] = "type.googleapis.com/envoy.config.listener.v3.Listener".into();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("listeners.json");
    let mut replaced = Replaced { folder, listener };
    replaced.write(0);
    config["static_resources"]["listeners"] = Value::Sequence(Vec::new());
    let dynamic = json!({ "lds_config": { "path_config_source": { "path": path } } });
    config["dynamic_resources"] = serde_yaml::to_value(dynamic).expect("YAML");
    config["node"] = serde_yaml::from_str("{ id: test, cluster: test }").expect("YAML");
    let config = serde_yaml::to_string(&config).expect("YAML");
    let mut command = proxies::envoy(&config, files.0.path(), 3);
    command
        .env(SEARCH_PATH, built())
        .args(["--drain-time-s", "1"]);
    let mut envoy = Process::start("envoy", &command, files.0.path());
    envoy.wait_for_port(port);

    let address = process::local(port);
    let token = token(&provider);
    let good = orders(&token).header("Connection", "close").bytes();
    let bad = orders("made.up.token")
        .header("Connection", "close")
        .bytes();
    assert_eq!(
        caller::exchange(address, &good).expect("an answer").status,
        200
    );
    let done = AtomicBool::new(false);
    let ask = || {
        let mut asked = 0;
        while !done.load(Ordering::SeqCst) {
            let allowed = caller::exchange(address, &good).expect("an answer");
            assert_eq!(allowed.status, 200, "{allowed:?} {}", allowed.text());
            let denied = caller::exchange(address, &bad).expect("an answer");
            assert_eq!(denied.status, 401, "{denied:?}");
            assert!(reason(&denied).is_some(), "{denied:?}");
            asked += 1;
        }
        asked
    };
    let active = || {
        let stats = Request::to_host(
            "GET",
            "/config_dump?resource=dynamic_listeners",
            "localhost",
        );
        stats.send(process::local(admin)).text()
    };
    let asked: usize = thread::scope(|scope| {
        let clients = [(); CLIENTS].map(|()| scope.spawn(ask));
        let end = EndWhenDropped(&done);
        for number in 1..=REPLACEMENTS {
            replaced.write(number);
            let name = format!("\"api-{number}\"");
            process::wait_until("the listener is replaced", || active().contains(&name));
        }
        drop(end);
        clients
            .map(|client| client.join().expect("no client fails"))
            .iter()
            .sum()
    });
    assert!(asked > 0);
    assert!(envoy.runs());
    let log = envoy.output();
    assert!(!log.contains("Caught "), "{log}");
    // The policy stayed: its keys were fetched once.
    assert_eq!(provider.key_requests(), 1);
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_thousand_changes_of_the_policy_under_load() {
    let (provider, upstream) = (Provider::start(), Echo::start());
    let policies = reload::policies(&provider.issuer);
    let files = Files::new(&policies[0]);
    let mut proxy = files.proxy(upstream.address);
    reload::change_under_load(
        proxy.address,
        || provider.machine_token(Some(ORDERS), "read:orders", &json!({})),
        |number| files.write(&policies[number]),
        || process::resident_kib(proxy.process.id()),
    );
    assert_unharmed(&mut proxy);
}
