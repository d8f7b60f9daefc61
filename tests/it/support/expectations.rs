//! The `test` blocks of a policy, run: the examples of the manual have to be true.

use std::sync::Arc;

use portcullis::compile::compile;
use portcullis::engine::{self, Api, Decision, Evidence, Policy, Request};
use portcullis::json::Json;
use portcullis::model::{Expectation, Model, Outcome, TestClaimPlace, TestToken, TestValue};
use portcullis::settings::{Audience, Demand, IssuerUrl};
use portcullis::source::Sources;
use portcullis::token;
use serde_json::{Map, Value, json};

/// When the tests take place, unless they say otherwise: 2026-01-01T00:00:00Z.
const NOW: f64 = 1_767_225_600.0;

/// Runs all tests of a policy: how many expectations there are, and what is wrong with them.
pub fn run(model: &Model, sources: Sources) -> (usize, Vec<String>) {
    let policy = compile(model.clone(), Arc::new(sources));
    let mut count = 0;
    let mut wrong = Vec::new();
    for test in &model.tests {
        for expectation in &test.expectations {
            count += 1;
            let token = expectation.token.and_then(|at| test.tokens.get(at));
            if let Err(found) = meets(&policy, expectation, token) {
                let place = policy.sources().place(expectation.span);
                wrong.push(format!(
                    "{place}: {} {}: {found}",
                    expectation.method, expectation.target
                ));
            }
        }
    }
    (count, wrong)
}

fn meets(policy: &Policy, wanted: &Expectation, token: Option<&TestToken>) -> Result<(), String> {
    let now = wanted.at.unwrap_or(NOW);
    let headers: Vec<(&str, &[u8])> = wanted
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    let request = Request {
        method: wanted.method.as_str(),
        target: wanted.target.as_bytes(),
        scheme: Some(&wanted.scheme),
        host: wanted.host.as_deref(),
        headers: &headers,
        address: wanted.address,
        now,
        masked: false,
    };
    let routed = policy.route(&request);
    let looked_at = token.filter(|_| routed.demand() != Demand::None);
    let verified = match (routed.api(), looked_at) {
        (Some(api), Some(token)) => {
            let text = claims(policy, api, token, now).to_string();
            let claims = Json::parse(text.as_bytes()).expect("the claims are JSON");
            Some(
                token::from_claims(&claims, policy, api).and_then(|verified| {
                    token::admit(&verified, policy, api, now)?;
                    Ok(verified)
                }),
            )
        }
        _ => None,
    };
    let decision = engine::decide(
        &routed,
        match &verified {
            None => Evidence::Nothing,
            Some(Err(fault)) => Evidence::Fault(fault),
            Some(Ok(verified)) => Evidence::Token {
                facts: verified.facts(),
                kind: verified.kind(),
            },
        },
    );
    let code = decision.reason().map(|reason| reason.code());
    let found = format!(
        "{} ({})",
        code.unwrap_or("allowed"),
        decision.hint().unwrap_or_default()
    );
    let as_wanted = match (&wanted.outcome, &decision) {
        (Outcome::Allowed { forwards }, Decision::Allow(permit)) => {
            forwards.iter().all(|(name, value)| {
                let set = permit.headers_to_set();
                set.iter().any(|(n, v)| n == name && v == value)
            })
        }
        (Outcome::Denied { by }, Decision::Deny(denial)) => {
            by.is_none_or(|reason| reason == denial.reason())
        }
        _ => false,
    };
    if as_wanted { Ok(()) } else { Err(found) }
}

/// A valid token's claims, with what the test says of them.
fn claims(policy: &Policy, api: &Api, token: &TestToken, now: f64) -> Value {
    let issuer = policy.issuer(token.issuer).expect("the token's issuer");
    let own = match &api.audience {
        Audience::OneOf(audiences) => audiences.first(),
        Audience::Any(_) => None,
    };
    let audiences: Vec<&String> = own.into_iter().chain(issuer.audience.first()).collect();
    let mut claims = Value::Object(Map::new());
    claims["aud"] = json!(audiences);
    claims["iat"] = json!(now);
    claims["exp"] = json!(now + 3600.0);
    for (place, value) in &token.claims {
        match place {
            TestClaimPlace::Typ => panic!("the header's `typ` is not part of the claims"),
            TestClaimPlace::Path(path) => *at(&mut claims, path) = plain(value, now),
            TestClaimPlace::KeysOf(path) => {
                let names = match plain(value, now) {
                    Value::Array(names) => names,
                    one => vec![one],
                };
                for name in names {
                    at(&mut claims, path)[name.as_str().expect("a name")] = json!({});
                }
            }
        }
    }
    if claims.get("iss").is_none() {
        claims["iss"] = match &issuer.url {
            IssuerUrl::Exact(url) => json!(url),
            IssuerUrl::Tenant {
                prefix,
                claim,
                suffix,
            } => {
                let tenant = at(&mut claims, claim).as_str().unwrap_or("none").to_owned();
                json!(format!("{prefix}{tenant}{suffix}"))
            }
        };
    }
    claims
}

fn at<'v>(claims: &'v mut Value, path: &[String]) -> &'v mut Value {
    path.iter().fold(claims, |value, name| &mut value[name])
}

fn plain(value: &TestValue, now: f64) -> Value {
    match value {
        TestValue::String(text) => json!(text),
        TestValue::Number(number) => json!(number),
        TestValue::Boolean(value) => json!(value),
        TestValue::Null => Value::Null,
        TestValue::List(list) => list.iter().map(|one| plain(one, now)).collect(),
        TestValue::FromNow(seconds) => {
            let seconds = i32::try_from(*seconds).expect("an age of a test is short");
            json!(now + f64::from(seconds))
        }
    }
}
