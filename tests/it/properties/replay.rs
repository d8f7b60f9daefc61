//! What a policy reads of a request, logged and decided again.

use portcullis::engine::{Policy, Request};
use portcullis::json::Json;
use portcullis::judge::{Client, Judged, KeyFiles, assumed, judge};
use portcullis::replay::{self, Now};
use portcullis::token;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::naive::Asked;
use super::{loads, policy, requests, settled};

/// Calls `f` with the judgement about a request.
fn judged<R>(policy: &Policy, asked: &Asked, f: impl FnOnce(&Judged<'_>) -> R) -> R {
    let encoded = |text: &str| text.replace(' ', "+");
    let query: Vec<String> = asked
        .query
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    let target = format!("/{}?{}", asked.segments.join("/"), query.join("&"));
    let headers: Vec<(&str, &[u8])> = asked
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    let request = Request {
        method: asked.method.as_str(),
        target: target.as_bytes(),
        scheme: Some("https"),
        host: Some("api.example.com"),
        headers: &headers,
        address: asked.address,
        now: asked.now,
        masked: false,
    };
    match &asked.claims {
        Some(claims) => {
            let text = claims.to_string();
            f(&assumed(policy, &request, |api| {
                let claims = Json::parse(text.as_bytes()).expect("JSON");
                token::from_claims(&claims, policy, api)
            }))
        }
        None => f(&judge(
            policy,
            &request,
            Client::default(),
            &KeyFiles(policy),
        )),
    }
}

fn now(judged: &Judged<'_>) -> Now {
    match judged.decide().reason() {
        None => Now::Allowed,
        Some(reason) => Now::Denied(Some(reason)),
    }
}

/// The line of the decision log, under the revision `a`. `observes` says whether a denial is only
/// observed.
fn line(policy: &Policy, asked: &Asked, observes: bool) -> Value {
    judged(policy, asked, |judged| {
        let code = judged.decide().reason().map(|reason| reason.code());
        let reason = code.filter(|_| !observes);
        let mut line = json!({
            "time": "2026-06-01T12:00:00Z",
            "policy": "a",
            "adapter": "nginx",
            "method": asked.method.as_str(),
            "host": "api.example.com",
            "path": format!("/{}", asked.segments.join("/")),
            "decision": if reason.is_none() { "allow" } else { "deny" },
            "reason": reason,
            "inputs": judged.inputs(),
        });
        if let Some(code) = code.filter(|_| observes) {
            line["would"] = json!(format!("deny {code}"));
        }
        line
    })
}

fn again(line: &Value, policy: &Policy, revision: &str) -> Now {
    let text = line.to_string();
    let entry = replay::own(text.as_bytes()).expect("a line");
    replay::decide(&entry, policy, revision).now
}

/// Whether a result is the decision, or leaves it open.
fn fits(found: &Now, decision: &Now) -> bool {
    match (found, decision) {
        (Now::Open(_), _) | (Now::Denied(None), Now::Denied(_)) => true,
        (Now::Allowed | Now::Denied(_), _) => found == decision,
    }
}

/// Takes members of the inputs away, as if they hadn't been recorded.
fn thinned(mut line: Value, taken: u64) -> Value {
    let mut bits = (0..64).map(|bit| taken >> bit & 1 == 1).cycle();
    let mut takes = move || bits.next().unwrap_or_default();
    if taken.is_multiple_of(7) {
        line.as_object_mut().expect("an object").remove("inputs");
        return line;
    }
    for kind in ["headers", "query"] {
        let members = line["inputs"]["request"][kind].as_object_mut();
        members.expect("an object").retain(|_, _| !takes());
    }
    if let Some(facts) = line.pointer_mut("/inputs/token/accepted/facts") {
        facts["claims"]
            .as_array_mut()
            .expect("a list")
            .retain(|_| !takes());
        for name in ["scopes", "client"] {
            if takes() {
                facts[name]["from"] = json!(["elsewhere"]);
            }
        }
    }
    if takes() && takes() {
        line["inputs"]["token"] = json!("unread");
    }
    line
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// With its inputs, a request is decided again as it was, and always.
    #[test]
    fn a_logged_request_is_decided_again(
        spec in settled(),
        requests in requests(),
        observes in any::<bool>(),
    ) {
        let text = spec.text();
        let policy = policy(&[&text]);
        for asked in requests.iter().take(20) {
            let line = line(&policy, asked, observes);
            let found = again(&line, &policy, "a");
            prop_assert_eq!(found, judged(&policy, asked, now), "{}\n{}", line, text);
        }
    }

    /// Whatever a log lacks, and whichever policy decides, nothing is guessed.
    #[test]
    fn what_a_log_lacks_is_never_guessed(
        spec in settled(),
        other in settled(),
        retyped in any::<bool>(),
        requests in requests(),
        taken in any::<u64>(),
    ) {
        let policy_a = policy(&[&spec.text()]);
        let mut text = other.text();
        let changed = text
            .replace("tags   words", "tags   string from plan")
            .replace("nested string from deep.\"in\".here", "nested list of string from keys of deep");
        if retyped && loads(&changed) {
            text = changed;
        }
        let policy_b = policy(&[&text]);
        for (number, asked) in (0..12).zip(&requests) {
            let taken = taken.rotate_left(number);
            let line = thinned(line(&policy_a, asked, taken.is_multiple_of(2)), taken);
            for (policy, revision) in [(&policy_a, "a"), (&policy_b, "b")] {
                let (found, decision) = (again(&line, policy, revision), judged(policy, asked, now));
                prop_assert!(
                    fits(&found, &decision),
                    "{:?} for {:?}: {}\n{}\n{}", found, decision, line, spec.text(), text
                );
            }
        }
    }
}

#[test]
fn a_rule_that_needs_nothing_of_what_is_missing_is_decided() {
    let text = r#"
    issuer main { url "https://issuer.example"  claims { org string } }
    api shop {
        host "api.example.com"  issuer main  audience "https://api.example.com"
        GET /open      public
        GET /shut      denied
        GET /office    public if address in ["192.0.2.0/24"]
        GET /own/{org} requires claim org == path.org
    }"#;
    let policy = policy(&[text]);
    let line = |path: &str| {
        json!({
            "time": "2026-06-01T12:00:00Z", "policy": "a", "adapter": "nginx", "method": "GET",
            "host": "api.example.com", "path": path, "decision": "allow", "reason": null,
        })
    };
    let found = |path: &str| again(&line(path), &policy, "b");
    let open = |names: &[&str]| Now::Open(names.iter().map(|name| (*name).to_owned()).collect());
    assert_eq!(found("/open"), Now::Allowed);
    assert!(
        matches!(found("/shut"), Now::Denied(Some(reason)) if reason.code() == "request.denied")
    );
    assert!(
        matches!(found("/gone"), Now::Denied(Some(reason)) if reason.code() == "request.no_route")
    );
    assert_eq!(found("/office"), open(&["address"]));
    assert_eq!(found("/own/acme"), open(&["claim org", "token"]));
}

/// The log doesn't contain what was wrong with the request, whether or not the denial was enforced.
#[test]
fn a_malformed_request_is_decided_by_the_same_policy_alone() {
    let policy = policy(&[r#"
    api shop {
        host "api.example.com"
        GET /open public
    }"#]);
    for reason in ["request.malformed", "request.ambiguous_path"] {
        let enforced = json!({"decision": "deny", "reason": reason});
        let observed =
            json!({"decision": "allow", "reason": null, "would": format!("deny {reason}")});
        for outcome in [enforced, observed] {
            let mut line = json!({
                "time": "2026-06-01T12:00:00Z", "policy": "a", "adapter": "nginx", "method": "GET",
                "host": "api.example.com", "path": "/open",
            });
            let members = line.as_object_mut().expect("an object");
            members.extend(outcome.as_object().expect("an object").clone());
            let same = again(&line, &policy, "a");
            assert!(
                matches!(same, Now::Denied(Some(found)) if found.code() == reason),
                "{line}"
            );
            assert_eq!(
                again(&line, &policy, "b"),
                Now::Open(["request".to_owned()].into()),
                "{line}"
            );
        }
    }
}

/// The claim that names the tenant is no claim of the policy, and is needed all the same.
#[test]
fn a_tenants_token_is_decided_again() {
    let text = |claim: &str| {
        format!(
            r#"
    issuer main {{ url "https://issuer.example/{{{claim}}}/v2"  keys url "https://issuer.example/keys" }}
    api shop {{
        host "api.example.com"  issuer main  audience "https://api.example.com"
        GET /a requires scope "s1"
    }}"#
        )
    };
    let asked = Asked {
        method: portcullis::pattern::Method::GET,
        segments: vec!["a".to_owned()],
        query: Vec::new(),
        headers: Vec::new(),
        address: None,
        now: 1_780_315_200.0,
        claims: Some(json!({
            "iss": "https://issuer.example/one/v2", "aud": "https://api.example.com", "tid": "one",
            "exp": 1_780_315_300, "scope": "s1", "client_id": "spa",
        })),
    };
    let policy_a = policy(&[&text("tid")]);
    let line = line(&policy_a, &asked, false);
    assert_eq!(judged(&policy_a, &asked, now), Now::Allowed);
    assert_eq!(again(&line, &policy_a, "a"), Now::Allowed);
    let missing = ["scope", "the token's tenant"].map(str::to_owned);
    let open = Now::Open(missing.into());
    assert_eq!(again(&line, &policy(&[&text("sid")]), "b"), open);
}
