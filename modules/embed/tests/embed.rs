//! Decisions inside a process, as a proxy's module requests them.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on should say so and stop"
)]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use portcullis_embed::{Adapter, Allow, Asked, Embedded, Outcome, Request, Response, prepare};
use serde_json::json;
use tempfile::TempDir;

/// Longer than anything here takes, so a longer wait is a failure.
const PATIENCE: Duration = Duration::from_secs(30);

const POLICY: &str = r#"
issuer acme { url "https://id.example.com/"  keys file "acme.pem"  algorithms ES256 }
api orders {
    host "api.example.com"  issuer acme  audience "https://api.example.com"
    cors "https://app.example.com"
    forward sub as "x-user-id"
    GET   /health   public
    GET   /office   public if address in ["192.0.2.0/24"]
    GET   /orders   requires scope "read:orders"
    POST  /orders   requires scope "write:orders"
}
"#;

/// A folder with a configuration, a policy and the key that signs its tokens.
struct Bed {
    folder: TempDir,
    signer: EncodingKey,
}

impl Bed {
    fn new(policy: &str, config: &str) -> Bed {
        let folder = tempfile::tempdir().expect("a folder");
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key");
        let bed = Bed {
            signer: EncodingKey::from_ec_der(&pair.serialize_der()),
            folder,
        };
        std::fs::create_dir(bed.policy().parent().expect("a folder")).expect("made");
        std::fs::write(
            bed.policy().with_file_name("acme.pem"),
            pair.public_key_pem(),
        )
        .expect("the key");
        std::fs::write(bed.policy(), policy).expect("the policy");
        std::fs::write(bed.config(), config).expect("the configuration");
        bed
    }

    fn policy(&self) -> PathBuf {
        self.folder.path().join("policies/orders.gate")
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("portcullis.yaml")
    }

    fn open(&self, adapter: Adapter) -> Embedded {
        Embedded::open(&self.config(), adapter).unwrap_or_else(|fault| panic!("{fault}"))
    }

    fn token(&self, scope: &str) -> String {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("after 1970")
            .as_secs();
        let claims = json!({
            "iss": "https://id.example.com/", "aud": "https://api.example.com",
            "sub": "alice", "scope": scope, "exp": now + 600,
        });
        encode(&Header::new(Algorithm::ES256), &claims, &self.signer).expect("a token")
    }
}

fn request(line: &str, headers: &[(&str, &str)]) -> Request {
    let (method, target) = line.split_once(' ').expect("a method and a target");
    Request {
        method: method.into(),
        target: target.into(),
        scheme: Some("https".into()),
        host: Some("api.example.com".into()),
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
            .collect(),
        ..Request::default()
    }
}

fn now(embedded: &Embedded, request: Request) -> Outcome {
    match embedded.ask(request, || panic!("nobody waits")) {
        Asked::Now(outcome) => outcome,
        Asked::Later(_) => panic!("all keys are there"),
    }
}

fn allowed(outcome: Outcome) -> Allow {
    match outcome {
        Outcome::Allow(allow) => allow,
        Outcome::Respond(response) => panic!("{}", told(&response)),
    }
}

fn answered(outcome: Outcome) -> Response {
    match outcome {
        Outcome::Respond(response) => response,
        Outcome::Allow(allow) => panic!("{allow:?}"),
    }
}

/// Status, reason and hint.
fn told(response: &Response) -> String {
    let body = response.body.as_deref().unwrap_or_default();
    format!("{} {}", response.status, String::from_utf8_lossy(body))
}

fn header<'r>(headers: &'r [(&'static str, String)], name: &str) -> Option<&'r str> {
    let mut of_name = headers.iter().filter(|(header, _)| *header == name);
    let (_, value) = of_name.next()?;
    assert!(of_name.next().is_none(), "{name} twice");
    Some(value)
}

/// The requests, and what each answer begins with and contains.
#[test]
fn a_request_is_decided_at_once() {
    let bed = Bed::new(POLICY, "explain: full\n");
    let (read, write) = (bed.token("read:orders"), bed.token("write:orders"));
    let (read, write) = (format!("Bearer {read}"), format!("Bearer {write}"));
    let latin = Request {
        host: Some(b"api.example.com\xe9".to_vec()),
        ..request("GET /health", &[])
    };
    let elsewhere = Request {
        scheme: Some(b"gopher".to_vec()),
        ..request("GET /health", &[])
    };
    let denied: &[(Request, &str, &str)] = &[
        (request("GET /orders", &[]), "401", "token.missing"),
        (
            request("POST /orders", &[("authorization", &read)]),
            "403",
            "scope.missing",
        ),
        (
            request("GET /orders", &[("authorization", &write)]),
            "403",
            "scope.missing",
        ),
        (request("GET /office", &[]), "403", "request.condition"),
        (request("GET /nowhere", &[]), "403", "request.no_route"),
        (
            request("GET /orders/../x", &[]),
            "400",
            "request.ambiguous_path",
        ),
        (
            request("GET /health", &[("x_user_id", "root")]),
            "400",
            "request.malformed",
        ),
        (
            request("GET /health", &[("x-http-method-override", "DELETE")]),
            "400",
            "request.malformed",
        ),
        (latin, "400", "not UTF-8"),
        (elsewhere, "400", "neither `http` nor `https`"),
    ];
    for adapter in [Adapter::envoy_module, Adapter::nginx_module] {
        let embedded = bed.open(adapter);
        for (request, status, said) in denied {
            let response = answered(now(&embedded, request.clone()));
            let told = told(&response);
            assert!(told.starts_with(status) && told.contains(said), "{told}");
            assert!(header(&response.headers, "x-portcullis-reason").is_some());
        }
        let refused = answered(embedded.refuse("two hosts"));
        assert!(told(&refused).contains("two hosts"), "{}", told(&refused));
        let address = Request {
            address: Some("192.0.2.7".parse().expect("an address")),
            ..request("GET /office", &[])
        };
        allowed(now(&embedded, address));
    }
}

#[test]
fn an_allow_says_what_the_application_and_the_client_get() {
    let bed = Bed::new(POLICY, "");
    let token = format!("Bearer {}", bed.token("read:orders"));
    let sent = request(
        "GET /orders",
        &[
            ("authorization", &token),
            ("origin", "https://app.example.com"),
            ("x-user-id", "root"),
            ("x-forwarded-host", "evil.example"),
            ("x_forwarded_for", "192.0.2.9"),
        ],
    );
    for adapter in [Adapter::envoy_module, Adapter::nginx_module] {
        let allow = allowed(now(&bed.open(adapter), sent.clone()));
        assert_eq!(allow.set, [("x-user-id".to_owned(), "alice".to_owned())]);
        let removes = |name: &str| allow.remove.iter().any(|removed| removed == name);
        assert!(removes("x-forwarded-host") && removes("x_forwarded_for"));
        // Envoy sets it itself; for nginx, the configuration decides.
        let kept_by_envoy = removes("x-forwarded-for");
        assert_eq!(kept_by_envoy, adapter == Adapter::nginx_module);
        assert!(!removes("x-user-id"), "it is set");
        let origin = header(&allow.response_set, "access-control-allow-origin");
        assert_eq!(origin, Some("https://app.example.com"));
        assert!(header(&allow.response_add, "vary").is_some());
        // Without a token it is removed.
        let public = request("GET /health", &[("x-user-id", "root")]);
        let allow = allowed(now(&bed.open(adapter), public));
        assert!(allow.set.is_empty());
        assert!(allow.remove.iter().any(|removed| removed == "x-user-id"));
    }
}

#[test]
fn a_preflight_is_answered() {
    let bed = Bed::new(POLICY, "");
    let preflight = request(
        "OPTIONS /orders",
        &[
            ("origin", "https://app.example.com"),
            ("access-control-request-method", "POST"),
        ],
    );
    let response = answered(now(&bed.open(Adapter::nginx_module), preflight));
    assert_eq!(response.status, 204);
    let origin = header(&response.headers, "access-control-allow-origin");
    assert_eq!(origin, Some("https://app.example.com"));
}

/// A provider that accepts connections and never answers.
fn silent_provider() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, format!("http://{address}/keys"))
}

/// A policy whose issuer's keys never come, and a request that waits for them.
fn waiting() -> (Bed, TcpListener, Request) {
    let (listener, url) = silent_provider();
    let policy = POLICY.replace("keys file \"acme.pem\"", &format!("keys url \"{url}\""));
    let bed = Bed::new(&policy, "deadline: 400ms\n");
    let token = format!("Bearer {}", bed.token("read:orders"));
    let asked = request("GET /orders", &[("authorization", &token)]);
    (bed, listener, asked)
}

fn told_by() -> (impl FnOnce() + Send + 'static, Receiver<()>) {
    let (sender, receiver) = mpsc::channel();
    (move || sender.send(()).expect("somebody waits"), receiver)
}

#[test]
fn a_decision_that_has_to_wait_comes_later() {
    let (bed, _provider, asked) = waiting();
    let embedded = bed.open(Adapter::envoy_module);
    let (wake, woken) = told_by();
    let Asked::Later(mut pending) = embedded.ask(asked, wake) else {
        panic!("no keys have come");
    };
    woken.recv_timeout(PATIENCE).expect("it is woken");
    let response = answered(pending.take().expect("a decision"));
    assert_eq!(response.status, 503, "{}", told(&response));
    assert_eq!(
        header(&response.headers, "x-portcullis-reason"),
        Some("keys.unavailable")
    );
    assert!(pending.take().is_none(), "there is one decision");
    assert!(woken.recv().is_err(), "it is woken once");
}

#[test]
fn a_request_whose_client_is_gone_wakes_nobody() {
    let (bed, _provider, asked) = waiting();
    let embedded = bed.open(Adapter::envoy_module);
    let (wake, woken) = told_by();
    let Asked::Later(pending) = embedded.ask(asked, wake) else {
        panic!("no keys have come");
    };
    drop(pending);
    // Its `wake` is dropped unused.
    assert!(matches!(
        woken.recv_timeout(PATIENCE),
        Err(mpsc::RecvTimeoutError::Disconnected)
    ));
}

/// The last owner is dropped while a request waits: the request is denied, not forgotten.
#[test]
fn a_decision_outlives_who_opened_the_policy() {
    let (bed, _provider, asked) = waiting();
    let embedded = bed.open(Adapter::nginx_module);
    let (wake, woken) = told_by();
    let Asked::Later(mut pending) = embedded.ask(asked, wake) else {
        panic!("no keys have come");
    };
    drop(embedded);
    woken.recv_timeout(PATIENCE).expect("it is woken");
    assert_eq!(answered(pending.take().expect("a decision")).status, 503);
}

#[test]
fn a_policy_with_errors_is_not_opened() {
    let bed = Bed::new("api a { host \"a.example\" GET / pubic }\n", "");
    let fault = Embedded::open(&bed.config(), Adapter::envoy_module).expect_err("a typo");
    let fault = fault.to_string();
    assert!(fault.contains("orders.gate:1"), "{fault}");
    let fault = prepare(Path::new("/nonexistent.yaml"), Adapter::nginx_module, 1)
        .expect_err("no file")
        .to_string();
    assert!(fault.contains("/nonexistent.yaml"), "{fault}");
}

/// Each process remembers only the proofs that it has seen itself.
#[test]
fn several_processes_take_no_proofs_without_a_common_memory() {
    let policy = POLICY.replace("algorithms ES256", "algorithms ES256  sender dpop");
    let bed = Bed::new(&policy, "");
    let prepared = |processes| prepare(&bed.config(), Adapter::nginx_module, processes);
    assert!(prepared(1).is_ok());
    let fault = prepared(2).expect_err("two memories").to_string();
    assert!(fault.contains("dpop.redis"), "{fault}");
    std::fs::write(bed.config(), "dpop: { redis: \"redis://127.0.0.1:1\" }\n").expect("written");
    assert!(prepared(2).is_ok());
}

#[test]
fn who_opens_the_same_configuration_shares_one_and_a_reload_is_for_all() {
    let bed = Bed::new(POLICY, "reload: { watch: false }\n");
    let (one, other) = (
        bed.open(Adapter::envoy_module),
        bed.open(Adapter::envoy_module),
    );
    let health = || request("GET /health", &[]);
    allowed(now(&one, health()));
    let stricter = POLICY.replace("GET   /health   public", "GET   /health   authenticated");
    std::fs::write(bed.policy(), stricter).expect("written");
    one.reload();
    let begun = Instant::now();
    while matches!(now(&other, health()), Outcome::Allow(_)) {
        assert!(begun.elapsed() < PATIENCE, "it is never reloaded");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(other.metrics().contains("adapter=\"envoy_module\""));
}
