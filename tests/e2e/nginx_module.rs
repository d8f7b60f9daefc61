//! nginx with portcullis as a module in its own workers.

use std::fs;
use std::net::SocketAddr;
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::json;

use super::applications::Application;
use super::caller::{Answer, Connection, Request};
use super::daemon::Daemon;
use super::echo::{Echo, echoed};
use super::http2;
use super::places::with_http2;
use super::process;
use super::provider::{ORDERS, Provider};
use super::proxies::{self, Kind, Proxy};
use super::reload;
use super::sender::{over_tls, with_tls};
use super::world::{World, policy, reason};
use crate::support::dpop::Client;
use crate::support::tls::Authority;

/// The location of the file in `deploy/`.
const LOCATION: &str = "        location / {";

/// nginx with more in its server.
pub fn nginx(daemon: &Daemon, upstream: SocketAddr, server: &str) -> Proxy {
    changed(daemon, upstream, |text| with(&text, server))
}

pub fn changed(
    daemon: &Daemon,
    upstream: SocketAddr,
    change: impl FnOnce(String) -> String,
) -> Proxy {
    Proxy::start_changed(Kind::NginxModule, change, daemon.ports, upstream)
}

/// What nginx says of a configuration.
pub fn tested(text: &str, daemon: &Daemon) -> Output {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let text = proxies::with_module(text, &daemon.configuration());
    let mut command = proxies::nginx(&text, folder.path());
    command.arg("-t").output().expect("nginx runs")
}

pub fn with(text: &str, server: &str) -> String {
    assert!(text.contains(LOCATION), "{text}");
    text.replacen(LOCATION, &format!("{server}\n{LOCATION}"), 1)
}

fn outcome(answer: &Answer) -> (u16, Option<&str>) {
    (answer.status, reason(answer))
}

/// Whatever nginx says of a process that ended as it should not, or of what is left of one.
#[track_caller]
pub fn assert_well(proxy: &Proxy) {
    let log = proxy.process.output();
    for word in [
        "[alert]",
        "[emerg]",
        "[crit]",
        "exited on signal",
        "panicked",
    ] {
        assert!(!log.contains(word), "{log}");
    }
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_fastcgi_application_gets_the_policys_headers_and_no_others() {
    let world = World::with(|issuer| {
        policy(issuer).replacen("forward   sub", "forward   no token\n    forward   sub", 1)
    });
    let php = Application::php();
    let location = format!(
        "location /orders {{ fastcgi_param REQUEST_URI $request_uri; fastcgi_param REQUEST_METHOD $request_method;
         fastcgi_param SCRIPT_FILENAME {}; fastcgi_param X_FROM_VARIABLE $portcullis_header_x_user_id;
         fastcgi_pass 127.0.0.1:{}; }}",
        php.folder.path().join("app.php").display(),
        php.address.port()
    );
    let proxy = nginx(&world.daemon, world.upstream.address, &location);
    let token = world.login("read:orders").access_token;
    let answer = Request::new("GET", "/orders?a=b")
        .bearer(&token)
        .header("X-User-Id", "forged")
        .header("X-Forwarded-Host", "forged")
        .header("Cookie", "kept=1")
        .send(proxy.address);
    assert_eq!(answer.status, 200, "{answer:?} {}", answer.text());
    let seen = answer.json();
    assert_eq!(seen["HTTP_X_USER_ID"], "alice", "{seen}");
    assert_eq!(seen["X_FROM_VARIABLE"], "alice", "{seen}");
    assert_eq!(seen["HTTP_X_ORG_ID"], "acme-1", "{seen}");
    assert_eq!(seen["HTTP_HOST"], "api.example.com", "{seen}");
    assert_eq!(seen["HTTP_COOKIE"], "kept=1", "{seen}");
    assert_eq!(seen["REQUEST_URI"], "/orders?a=b", "{seen}");
    assert!(seen["HTTP_AUTHORIZATION"].is_null(), "{seen}");
    assert!(!answer.text().contains("forged"), "{seen}");
}

/// One worker, so that a request that blocked it would block the others too.
#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_request_that_waits_for_keys_holds_up_no_other() {
    let provider = Provider::start();
    let token = provider.machine_token(Some(ORDERS), "read:orders", &json!({}));
    provider.fault("slow");
    let daemon = Daemon::with_deadline(&policy(&provider.issuer), "30s");
    let upstream = Echo::start();
    let proxy = nginx(&daemon, upstream.address, "");
    let orders = Request::new("GET", "/orders").bearer(&token);
    // Late, and then at once.
    for _ in 0..2 {
        let mut waiting = Connection::open(proxy.address).expect("nginx listens");
        waiting.write(&orders.bytes()).expect("nginx reads");
        let health = Request::new("GET", "/health").send(proxy.address);
        assert_eq!(health.status, 200, "{health:?}");
        let answer = waiting.read_answer(false).expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?} {}", answer.text());
        assert_eq!(echoed(&answer.json(), "x-user-id"), ["machine"]);
    }
    assert_well(&proxy);
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_client_that_goes_away_while_its_request_waits_takes_nothing_along() {
    let provider = Provider::start();
    let token = provider.machine_token(Some(ORDERS), "read:orders", &json!({}));
    provider.fault("hang");
    let daemon = Daemon::with_deadline(&policy(&provider.issuer), "3s");
    let upstream = Echo::start();
    let proxy = nginx(&daemon, upstream.address, "");
    let orders = Request::new("GET", "/orders").bearer(&token);
    for _ in 0..50 {
        let mut gone = Connection::open(proxy.address).expect("nginx listens");
        gone.write(&orders.bytes()).expect("nginx reads");
    }
    // Who stays is answered after those who went would have been.
    let answer = orders.send(proxy.address);
    assert_eq!(outcome(&answer), (503, Some("keys.unavailable")));
    assert_eq!(
        Request::new("GET", "/health").send(proxy.address).status,
        200
    );
    assert_eq!(upstream.received(), 1);
    assert_well(&proxy);
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_wrong_policy_is_an_error_of_the_configuration_with_its_line() {
    let world = World::start();
    let proxy = nginx(&world.daemon, world.upstream.address, "");
    let tested = |text: &str| tested(text, &world.daemon);
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let good = proxies::deployed(Kind::NginxModule);
    let output = tested(&good);
    assert!(output.status.success(), "{}", said(&output));

    // One without a policy protects nothing, and says so.
    let without = good.replacen("portcullis_config ", "# ", 1);
    let output = tested(&with(&without, "portcullis on;"));
    assert!(!output.status.success());
    assert!(said(&output).contains("\"portcullis on\" needs a \"portcullis_config\""));

    world
        .daemon
        .write_policy("language 1\napi a {\n    GET /a publick\n}\n");
    let output = tested(&good);
    assert!(!output.status.success());
    assert!(said(&output).contains("orders.gate:3"), "{}", said(&output));
    // The nginx that runs goes on with what it had, reload or not.
    proxy.process.signal("HUP");
    process::wait_until("nginx has refused it", || {
        proxy.process.output().contains("orders.gate:3")
    });
    assert_eq!(
        Request::new("GET", "/health").send(proxy.address).status,
        200
    );
    assert_eq!(
        Request::new("GET", "/orders").send(proxy.address).status,
        401
    );
}

/// The workers read it themselves, as the daemon does.
#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_changed_policy_needs_no_reload_of_nginx() {
    let world = World::start();
    let proxy = nginx(&world.daemon, world.upstream.address, "");
    let health = || Request::new("GET", "/health").send(proxy.address);
    assert_eq!(health().status, 200);
    let other =
        policy(&world.provider.issuer).replacen("/health             public", "/other public", 1);
    world.daemon.change_policy(&other);
    process::wait_until("the other policy is in force", || health().status == 403);
    assert_well(&proxy);
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_thousand_changes_of_the_policy_under_load() {
    let (provider, upstream) = (Provider::start(), Echo::start());
    let policies = reload::policies(&provider.issuer);
    let daemon = Daemon::start(&policies[0]);
    let endless = "keepalive_requests 1000000000;";
    let mut proxy = changed(&daemon, upstream.address, |text| {
        format!("error_log stderr notice;\n{}", with(&text, endless))
    });
    // It listens before it has one.
    let worker = proxy.process.wait_for(|process| {
        let log = process.output();
        let mut started = log
            .lines()
            .filter_map(|line| line.split_once("start worker process "));
        started.find_map(|(_, id)| id.parse().ok())
    });
    reload::change_under_load(
        proxy.address,
        || provider.machine_token(Some(ORDERS), "read:orders", &json!({})),
        |number| daemon.write_policy(&policies[number]),
        || process::resident_kib(worker),
    );
    assert_well(&proxy);
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn reloads_of_nginx_under_load_fail_no_request() {
    let world = World::start();
    // At this level nginx says when a worker has started.
    let proxy = changed(&world.daemon, world.upstream.address, |text| {
        let two = text.replacen("worker_processes auto", "worker_processes 2", 1);
        format!("error_log stderr notice;\n{two}")
    });
    let workers = || {
        proxy
            .process
            .output()
            .matches("start worker process ")
            .count()
    };
    let token = world.login("read:orders").access_token;
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let clients = [(); 4].map(|()| {
            scope.spawn(|| {
                let mut asked = 0;
                while !done.load(Ordering::SeqCst) {
                    // A worker that ends closes its connections, but answers what it has taken.
                    let allowed = Request::new("GET", "/orders")
                        .bearer(&token)
                        .send(proxy.address);
                    assert_eq!(allowed.status, 200, "{allowed:?} {}", allowed.text());
                    let denied = Request::new("GET", "/orders").send(proxy.address);
                    assert_eq!(outcome(&denied), (401, Some("token.missing")));
                    asked += 1;
                }
                asked
            })
        });
        let end = End(&done);
        for reload in 1..=5 {
            proxy.process.signal("HUP");
            process::wait_until("nginx has new workers", || workers() >= 2 * (reload + 1));
        }
        drop(end);
        for client in clients {
            assert!(client.join().expect("a client") > 0);
        }
    });
    assert_well(&proxy);
}

/// Ends the clients, also where the test fails.
struct End<'d>(&'d AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// What the client asked for is judged once, and what is made of it as well, unless the configuration is trusted.
#[test]
#[ignore = "needs the proxies: run tests/run"]
fn what_the_application_gets_was_judged_however_nginx_comes_to_it() {
    let world = World::start();
    let nowhere = process::free_port();
    let server = |trust: &str| {
        format!(
            "{trust}
            root /nonexistent;
            location /files/rewritten {{ rewrite ^ /orders last; }}
            location /files/in-place {{ rewrite ^ /orders break; proxy_pass http://application; }}
            location /files/if {{ if ($arg_go) {{ rewrite ^ /orders last; }} proxy_pass http://application; }}
            location /files/arguments {{ set $args a=b; proxy_pass http://application; }}
            location /files/tried {{ try_files $uri /orders; }}
            location /files/named {{ try_files $uri @named; }}
            location @named {{ proxy_pass http://application; }}
            location /files/failed {{ error_page 502 =200 /orders; proxy_pass http://127.0.0.1:{nowhere}; }}
            location /files/open {{ error_page 502 =200 /page; proxy_pass http://127.0.0.1:{nowhere}; }}
            location = /page {{ portcullis off; return 200 page; }}
            location /files/any {{ satisfy any; allow all; proxy_pass http://application; }}
            location /internal/any {{ satisfy any; allow all; proxy_pass http://application; }}"
        )
    };
    let strict = nginx(&world.daemon, world.upstream.address, &server(""));
    let trusting = nginx(
        &world.daemon,
        world.upstream.address,
        &server("portcullis_rewrites trust;"),
    );
    let token = world.login("read:orders").access_token;
    for (path, target) in [
        ("/files/rewritten", "/orders"),
        ("/files/in-place", "/orders"),
        ("/files/if?go=1", "/orders?go=1"),
        ("/files/tried", "/orders"),
        ("/files/failed", "/orders"),
    ] {
        // Anybody may ask for files; orders need a token.
        let before = world.upstream.received();
        let denied = Request::new("GET", path).send(strict.address);
        assert_eq!(
            outcome(&denied),
            (401, Some("token.missing")),
            "{path}: {denied:?}"
        );
        assert_eq!(world.upstream.received(), before, "{path}");
        let allowed = Request::new("GET", path)
            .bearer(&token)
            .send(strict.address);
        assert_eq!(allowed.status, 200, "{path}: {allowed:?}");
        assert_eq!(allowed.json()["target"], target, "{path}");
        assert_eq!(echoed(&allowed.json(), "x-user-id"), ["alice"], "{path}");

        let trusted = Request::new("GET", path)
            .header("x-user-id", "forged")
            .send(trusting.address);
        assert_eq!(trusted.status, 200, "{path}: {trusted:?}");
        assert_eq!(trusted.json()["target"], target, "{path}");
        assert_eq!(
            echoed(&trusted.json(), "x-user-id"),
            Vec::<&str>::new(),
            "{path}"
        );
    }
    for (path, target) in [
        ("/files/if", "/files/if"),
        ("/files/arguments", "/files/arguments?a=b"),
        ("/files/named", "/files/named"),
        ("/files/any", "/files/any"),
    ] {
        let answer = Request::new("GET", path).send(strict.address);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert_eq!(answer.json()["target"], target, "{path}");
    }
    // What nginx answers itself where it is told not to ask.
    let page = Request::new("GET", "/files/open").send(strict.address);
    assert_eq!((page.status, page.text().as_str()), (200, "page"));
    // Another module's word does not stand for the policy's.
    let denied = Request::new("GET", "/internal/any")
        .bearer(&token)
        .send(strict.address);
    assert_eq!(outcome(&denied), (403, Some("request.denied")));
    assert!(
        strict
            .process
            .output()
            .contains("the configuration has rewritten this request to")
    );
    assert_well(&strict);
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_target_with_another_host_than_the_header_is_refused() {
    let world = World::start();
    let proxy = nginx(&world.daemon, world.upstream.address, "");
    let target =
        |host: &str| Request::new("GET", &format!("http://{host}/health")).send(proxy.address);
    assert_eq!(target("api.example.com").status, 200);
    for other in ["evil.example", "api.example.com:81"] {
        let refused = target(other);
        assert_eq!(
            outcome(&refused),
            (400, Some("request.malformed")),
            "{other}"
        );
    }
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn requests_over_http2_are_decided_alike() {
    let provider = Provider::start();
    let token = provider.machine_token(Some(ORDERS), "read:orders", &json!({}));
    provider.fault("slow");
    let daemon = Daemon::with_deadline(&policy(&provider.issuer), "30s");
    let upstream = Echo::start();
    let proxy = changed(&daemon, upstream.address, |text| {
        with_http2(Kind::NginxModule, &text)
    });
    let bearer = format!("Bearer {token}");
    for (headers, status) in [
        (vec![], 401),
        (vec![("authorization", bearer.as_str())], 200),
        (
            vec![("authorization", bearer.as_str()), ("x-user-id", "forged")],
            200,
        ),
    ] {
        let answer = http2::get(proxy.address, b"/orders", &headers).expect("an answer");
        match answer {
            http2::Outcome::Answered {
                status: answered,
                body,
            } => {
                assert_eq!(answered, status, "{}", String::from_utf8_lossy(&body));
                assert!(!String::from_utf8_lossy(&body).contains("forged"));
            }
            http2::Outcome::Refused => panic!("refused with {headers:?}"),
        }
    }
    assert_well(&proxy);
}

fn sender(issuer: &str, sender: &str) -> String {
    policy(issuer).replacen("claims {", &format!("sender {sender}\n    claims {{"), 1)
}

/// Each worker remembers proofs for itself, so several need a place that they share.
#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_proof_counts_once_or_nginx_does_not_start() {
    let provider = Provider::start();
    let daemon = Daemon::start(&sender(&provider.issuer, "dpop"));
    let several = proxies::deployed(Kind::NginxModule).replacen(
        "worker_processes auto",
        "worker_processes 2",
        1,
    );
    let output = tested(&several, &daemon);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("dpop.redis"), "{said}");

    let upstream = Echo::start();
    let proxy = changed(&daemon, upstream.address, |text| {
        with(
            &text,
            "root /nonexistent; location /orders { try_files $uri @application; }
             location @application { proxy_pass http://application; }",
        )
    });
    let client = Client::new();
    let token = provider.bound_token(&client);
    let first = Request::new("GET", "/orders").send(proxy.address);
    let nonce = json!({ "nonce": first.header("dpop-nonce").expect("a nonce") });
    let proof = client.proof("GET", "http://api.example.com/orders", Some(&token), &nonce);
    let request = Request::new("GET", "/orders")
        .header("Authorization", &format!("DPoP {token}"))
        .header("DPoP", &proof);
    // Once, although nginx comes to it by an internal redirect.
    let allowed = request.send(proxy.address);
    assert_eq!(allowed.status, 200, "{allowed:?} {}", allowed.text());
    assert_eq!(
        outcome(&request.send(proxy.address)),
        (401, Some("token.sender"))
    );
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_certificate_is_that_of_the_connection() {
    let (provider, upstream, authority) = (Provider::start(), Echo::start(), Authority::new());
    for name in ["api.example.com", "client", "thief"] {
        authority.sign(name);
    }
    let daemon = Daemon::start(&sender(&provider.issuer, "mtls"));
    let proxy = changed(&daemon, upstream.address, |text| {
        with_tls(Kind::NginxModule, text, &authority)
    });
    let own = fs::read_to_string(authority.path("client", "crt")).expect("a certificate");
    let request = Request::new("GET", "/orders").bearer(&provider.certified_token(&own));
    let ask = |name: Option<&str>| {
        let config = authority.client_config(name.map(|name| (&authority, name)));
        over_tls(proxy.address, config, &request)
    };
    let allowed = ask(Some("client"));
    assert_eq!(allowed.status, 200, "{allowed:?} {}", allowed.text());
    for name in [Some("thief"), None] {
        assert_eq!(outcome(&ask(name)), (401, Some("token.sender")), "{name:?}");
    }
}
