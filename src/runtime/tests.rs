//! Faults that can't be provoked from outside.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on should say so and stop"
)]

use std::sync::Arc;

use super::config::Config;
use super::difference::{CompareError, Other};
use super::metrics::Adapter;
use super::original::{Malformed, Original};
use super::{Authorizer, Options, Prepared};
use crate::reason::Reason;

const POLICY: &str =
    "api a { host \"a.example\" GET /page public if address in [\"192.0.2.0/24\"] }\n";

async fn authorizer(config: &str) -> Arc<Authorizer> {
    authorizer_of(config, POLICY).await
}

async fn authorizer_of(config: &str, policy: &str) -> Arc<Authorizer> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.gate");
    std::fs::write(&file, policy).expect("the policy");
    let prepared = Prepared::read(Options {
        base: Config::parse(config).expect("a configuration"),
        policy: Some(vec![file]),
        ..Options::default()
    });
    let opened = prepared.and_then(Prepared::open);
    Arc::new(opened.unwrap_or_else(|fault| panic!("{fault}")))
}

fn page() -> Result<Original<'static>, Malformed> {
    Ok(Original {
        method: "GET",
        target: b"/page",
        scheme: None,
        host: Some("a.example"),
        headers: Vec::new(),
        address: "192.0.2.1".parse().ok(),
        certificate: None,
        masked: false,
    })
}

async fn reason(authorizer: &Arc<Authorizer>) -> Option<Reason> {
    authorizer
        .decide(Adapter::pdp, page, |decided| decided.decision.reason())
        .await
}

#[tokio::test]
async fn a_panic_in_one_request_is_its_denial() {
    let authorizer = authorizer("").await;
    assert_eq!(reason(&authorizer).await, None);
    let reading = authorizer
        .decide(
            Adapter::pdp,
            || panic!("while it is read"),
            |decided| decided.decision.reason(),
        )
        .await;
    assert_eq!(reading, Some(Reason::Internal));
    let answering = authorizer
        .decide(Adapter::pdp, page, |decided| {
            assert!(!decided.decision.allowed(), "while it is answered");
            decided.decision.reason()
        })
        .await;
    assert_eq!(
        answering,
        Some(Reason::Internal),
        "an allow that can't be told is none"
    );
    assert_eq!(
        reason(&authorizer).await,
        None,
        "and the next is decided as ever"
    );
    assert!(authorizer.metrics().text().contains("reason=\"internal\""));
}

#[tokio::test]
async fn a_full_house_denies() {
    let authorizer = authorizer("limits: {decisions: 1}\n").await;
    let held = authorizer.room.try_acquire().expect("room for one");
    assert_eq!(reason(&authorizer).await, Some(Reason::Internal));
    drop(held);
    assert_eq!(reason(&authorizer).await, None);
}

#[tokio::test]
async fn a_deadline_that_has_passed_denies() {
    let authorizer = authorizer("deadline: 1ms\n").await;
    let slow = || {
        std::thread::sleep(std::time::Duration::from_millis(5));
        page()
    };
    let reason = authorizer
        .decide(Adapter::pdp, slow, |decided| decided.decision.reason())
        .await;
    assert_eq!(reason, Some(Reason::Internal));
}

/// The warnings about a policy and a configuration.
fn unmet(policy: &str, config: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.gate");
    std::fs::write(&file, policy).expect("the policy");
    let loaded = crate::load::load(&[file], &crate::load::Options::default(), false);
    let model = loaded.checked.model.expect("a model");
    let config = Config::parse(config).expect("a configuration");
    super::needs::unmet(&model, &config, None)
}

/// DPoP proofs need the scheme, which `forward` always has; bound certificates need the
/// certificate.
#[test]
fn what_bound_tokens_need_is_said() {
    let policy = |sender: &str| {
        format!(
            "issuer i {{ url \"https://i.example/\" sender {sender} }}\n\
             api a {{ host \"a.example\" issuer i audience \"x\" GET /page authenticated }}\n"
        )
    };
    for (sender, field, adapters) in [
        ("dpop optional", "scheme", &["grpc", "nginx", "envoy"][..]),
        (
            "mtls",
            "certificate",
            &["grpc", "nginx", "forward", "envoy"],
        ),
    ] {
        let said = unmet(&policy(sender), "");
        assert_eq!(said.len(), adapters.len(), "{said:?}");
        for (sentence, adapter) in said.iter().zip(adapters) {
            let named = format!("`adapters.{adapter}.{field}` names no source");
            assert!(sentence.contains(&named), "{sentence}");
        }
    }
    let config = "
adapters:
  grpc: { scheme: attribute, certificate: attribute }
  nginx: { scheme: https, certificate: \"header:x-client-cert\" }
  forward: { certificate: \"fingerprint:x-client-cert-sha256\" }
  envoy: { scheme: https, certificate: xfcc }
";
    for sender in ["dpop", "mtls"] {
        assert_eq!(unmet(&policy(sender), config), Vec::<String>::new());
    }
}

#[test]
fn what_no_adapter_is_told_is_said() {
    let unmet = |config: &str| unmet(POLICY, config);
    assert_eq!(unmet("").len(), 4);
    assert_eq!(unmet("listeners: {grpc: off}\n").len(), 3);
    let named =
        unmet("adapters: {nginx: {address: \"header:x-real-ip\"}}\nlisteners: {grpc: off}\n");
    assert_eq!(named.len(), 2);
    assert!(
        named.iter().all(|sentence| !sentence.contains("nginx")),
        "{named:?}"
    );
}

/// The series `decisions` with these labels, as text.
fn counted(authorizer: &Authorizer, labels: &str) -> Option<String> {
    let text = authorizer.metrics().text();
    let begin = format!("portcullis_decisions_total{{{labels}}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&begin));
    line.map(str::to_owned)
}

#[tokio::test]
async fn crossing_routes_are_counted_together_and_each_route_alone() {
    const CROSSING: &str = "api a {
    host \"a.example\"
    GET /page      public if address in [\"192.0.2.0/24\"]
    GET /x/{any}   public
    GET /{any}/y   public if address in [\"192.0.2.0/24\"]
}
";
    let authorizer = authorizer_of("", CROSSING).await;
    for target in ["/page", "/x/y", "/page", "/x/z", "/x/y", "/none", "/page"] {
        let original = || {
            Ok(Original {
                target: target.as_bytes(),
                ..page()?
            })
        };
        let decided =
            authorizer.decide(Adapter::pdp, original, |decided| decided.decision.allowed());
        assert_eq!(decided.await, target != "/none", "{target}");
    }
    for (labels, times) in [
        (
            r#"api="a",route="GET /page",decision="allow",reason="""#,
            "3",
        ),
        (
            r#"api="a",route="GET /x/{any} + GET /{any}/y",decision="allow",reason="""#,
            "2",
        ),
        (
            r#"api="a",route="GET /x/{any}",decision="allow",reason="""#,
            "1",
        ),
        (
            r#"api="a",route="",decision="deny",reason="request.no_route""#,
            "1",
        ),
    ] {
        assert_eq!(
            counted(&authorizer, labels).as_deref(),
            Some(times),
            "{labels}"
        );
    }
}

#[tokio::test]
async fn beyond_so_many_series_decisions_are_counted_without_a_route() {
    let authorizer = authorizer("").await;
    assert_eq!(reason(&authorizer).await, None);
    authorizer.metrics.use_up_series();
    assert_eq!(reason(&authorizer).await, None);
    let elsewhere = || {
        Ok(Original {
            address: None,
            ..page()?
        })
    };
    let mut code = "";
    for _ in 0..2 {
        let decided =
            authorizer.decide(Adapter::pdp, elsewhere, |decided| decided.decision.reason());
        code = decided.await.expect("a denial").code();
    }
    let of = |route: &str, outcome: &str| {
        counted(
            &authorizer,
            &format!(r#"api="a",route="{route}",{outcome}"#),
        )
    };
    let allowed = r#"decision="allow",reason="""#;
    assert_eq!(
        of("GET /page", allowed).as_deref(),
        Some("2"),
        "it has a series already"
    );
    let denied = format!(r#"decision="deny",reason="{code}""#);
    assert_eq!(of("", &denied).as_deref(), Some("2"));
    assert_eq!(of("GET /page", &denied), None);
}

#[tokio::test]
async fn one_comparison_runs_at_a_time_and_its_turn_ends_with_its_work() {
    let authorizer = authorizer("").await;
    let turn = authorizer.comparing.clone().try_lock_owned();
    let turn = turn.expect("nobody compares");
    for other in [Other::Files, Other::Candidate] {
        let refused = authorizer.difference(other).await;
        assert!(matches!(refused, Err(CompareError::Busy)), "{refused:?}");
    }
    drop(turn);
    let refused = authorizer.difference(Other::Candidate).await;
    assert!(
        matches!(refused, Err(CompareError::NoCandidate)),
        "{refused:?}"
    );
    // The policy's folder is gone.
    let refused = authorizer.difference(Other::Files).await;
    assert!(
        matches!(refused, Err(CompareError::Unusable(_))),
        "{refused:?}"
    );
    let turn = authorizer.comparing.try_lock();
    assert!(turn.is_ok_and(|thread| thread.is_some()), "it stays");
}
