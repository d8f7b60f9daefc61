//! A client that follows a challenge is allowed at once, whatever the rules are.

use std::sync::Arc;

use portcullis::compile::compile;
use portcullis::engine::{self, Decision, Evidence, Policy, Request, SeenKind};
use portcullis::json::Json;
use portcullis::reason::Reason;
use portcullis::settings::IssuerId;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::policy::check_text;

const NOW: u32 = 1_700_000_000;

fn conditions() -> impl Strategy<Value = String> {
    let atom = prop::sample::select(vec![
        "login within 5m",
        "login within 1h",
        "claim acr == \"a\"",
        "claim acr in [\"a\", \"b\"]",
        "claim acr in [\"b\", \"c\"]",
        "scope \"x\"",
        "scope any [\"x\", \"y\"]",
        "scope all [\"x\", \"y\"]",
        "claim plan == \"pro\"",
    ]);
    atom.prop_map(str::to_owned)
        .prop_recursive(3, 12, 3, |inner| {
            let parts = prop::collection::vec(inner, 2..4);
            (parts, any::<bool>()).prop_map(|(parts, all)| {
                let word = if all { " and " } else { " or " };
                format!("({})", parts.join(word))
            })
        })
}

/// A policy with a guard and a route, if they form one.
fn policy(guard: &str, route: &str) -> Option<Policy> {
    let set = check_text(&format!(
        r#"
issuer acme {{ url "https://acme.example/" claims {{ plan string }} }}
api orders {{
    issuer    acme
    audience  "https://api.example.com"
    GET /orders requires {route}
}}
guard GET /orders of orders requires {guard}
"#
    ));
    Some(compile(set.checked.model?, Arc::new(set.sources)))
}

/// The contents of a token, as far as the rules read them.
#[derive(Debug, Clone)]
struct Token {
    acr: Option<&'static str>,
    auth_time: Option<u32>,
    scopes: Vec<String>,
    plan: Option<&'static str>,
}

impl Token {
    fn claims(&self) -> Vec<u8> {
        let mut claims = json!({ "scope": self.scopes.join(" ") });
        for (name, value) in [
            ("acr", self.acr.map(Value::from)),
            ("auth_time", self.auth_time.map(Value::from)),
            ("plan", self.plan.map(Value::from)),
        ] {
            if let Some(value) = value {
                claims[name] = value;
            }
        }
        claims.to_string().into_bytes()
    }
}

fn tokens() -> impl Strategy<Value = Token> {
    let classes = prop::option::of(prop::sample::select(vec!["a", "b", "c"]));
    let times = prop::option::of(prop::sample::select(vec![
        NOW - 10,
        NOW - 1000,
        NOW - 10_000,
    ]));
    let scopes = prop::sample::subsequence(vec!["x".to_owned(), "y".to_owned()], 0..3);
    let plans = prop::option::of(Just("pro"));
    (classes, times, scopes, plans).prop_map(|(acr, auth_time, scopes, plan)| Token {
        acr,
        auth_time,
        scopes,
        plan,
    })
}

/// Allowed, or the reason and the challenge.
fn decide(policy: &Policy, token: &Token) -> Result<(), (Reason, engine::Challenge)> {
    let request = Request {
        method: "GET",
        target: b"/orders",
        scheme: Some("https"),
        host: Some("api.example.com"),
        headers: &[],
        address: None,
        now: f64::from(NOW),
        masked: false,
    };
    let claims = token.claims();
    let claims = Json::parse(&claims).expect("JSON");
    let facts = policy.facts(IssuerId(0), &claims, None);
    let routed = policy.route(&request);
    let evidence = Evidence::Token {
        facts: &facts,
        kind: SeenKind::Access,
    };
    match engine::decide(&routed, evidence) {
        Decision::Allow(_) => Ok(()),
        Decision::Deny(denial) => Err((denial.reason(), denial.challenge().clone())),
    }
}

/// Whether some login and some scopes would let the bearer in.
fn can_get_in(policy: &Policy, token: &Token) -> bool {
    let classes = [token.acr, Some("a"), Some("b"), Some("c")];
    let scopes = [&[][..], &["x"], &["y"], &["x", "y"]];
    classes.into_iter().any(|acr| {
        [token.auth_time, Some(NOW)].into_iter().any(|auth_time| {
            scopes.into_iter().any(|scopes| {
                let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
                let other = Token {
                    acr,
                    auth_time,
                    scopes,
                    plan: token.plan,
                };
                decide(policy, &other).is_ok()
            })
        })
    })
}

/// The tokens of a client that asks for what the challenge says, and for nothing more.
fn followed(token: &Token, challenge: &engine::Challenge) -> Vec<Token> {
    let mut next = token.clone();
    if !challenge.scope.is_empty() {
        next.scopes.clone_from(&challenge.scope);
    }
    if !challenge.asks_for_login() {
        return vec![next];
    }
    next.auth_time = Some(NOW);
    next.acr = None;
    if challenge.acr_values.is_empty() {
        return vec![next];
    }
    let classes = ["a", "b", "c"].into_iter();
    classes
        .filter(|class| challenge.acr_values.iter().any(|value| value == class))
        .map(|class| Token {
            acr: Some(class),
            ..next.clone()
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn who_does_what_the_challenge_says_is_let_in(
        guard in conditions(),
        route in conditions(),
        token in tokens(),
    ) {
        let Some(policy) = policy(&guard, &route) else {
            return Ok(());
        };
        let Err((reason, challenge)) = decide(&policy, &token) else {
            return Ok(());
        };
        let asks = matches!(
            reason,
            Reason::ScopeMissing | Reason::AuthenticationTooOld | Reason::AuthenticationTooWeak
        );
        if asks && can_get_in(&policy, &token) {
            for next in followed(&token, &challenge) {
                let got = decide(&policy, &next);
                prop_assert!(got.is_ok(), "{reason}, {challenge:?}: {next:?} is denied: {got:?}");
            }
        }
    }
}
