//! The claims set of a test's token: a valid one, changed as the test says.

use serde_json::{Map, Value, json};

use crate::engine::{Api, Issuer, Policy};
use crate::json::{number, value_at};
use crate::model::{TestClaimPlace, TestToken, TestValue};
use crate::settings::Audience;

/// The lifetime of a test's token, unless the test gives one: longer than any leeway, and short
/// enough for plausible ages.
const LIFETIME: f64 = 3600.0;

/// The tenant of a token, if its issuer has one in its URL and the test names none.
pub const TENANT: &str = "tenant-1";

/// A token of a test.
pub(super) struct Token {
    /// The claims set.
    pub claims: Value,
    /// The header's `typ`, if the test gives one.
    pub typ: Option<String>,
}

/// Makes the token of a test for a request to `api` at `now`; `None` if the policy has no such
/// issuer, which the checker prevents.
pub(super) fn token(policy: &Policy, api: &Api, token: &TestToken, now: f64) -> Option<Token> {
    let issuer = policy.issuer(token.issuer)?;
    // NumericDates may have fractions (RFC 7519, section 2), but nobody expects them.
    let now = now.floor();
    let mut set = Map::new();
    let mut typ = None;
    for (place, value) in &token.claims {
        match place {
            TestClaimPlace::Typ => {
                if let TestValue::String(text) = value {
                    typ = Some(text.clone());
                }
            }
            TestClaimPlace::Path(path) => put(&mut set, path, plain(value, now)),
            TestClaimPlace::KeysOf(path) => put(&mut set, path, members(value)),
        }
    }
    fill(&mut set, api, issuer, now);
    Some(Token {
        claims: Value::Object(set),
        typ,
    })
}

/// Adds the claims of a valid token that the test doesn't give.
fn fill(set: &mut Map<String, Value>, api: &Api, issuer: &Issuer, now: f64) {
    for (name, at) in [("iat", now), ("exp", now + LIFETIME)] {
        if !set.contains_key(name) {
            set.insert(name.to_owned(), number(at));
        }
    }
    let own = match &api.audience {
        Audience::OneOf(audiences) => audiences.first(),
        Audience::Any(_) => None,
    };
    let mut audiences: Vec<&String> = own.into_iter().chain(issuer.audience.first()).collect();
    audiences.dedup();
    let aud = vec!["aud".to_owned()];
    let place = issuer.audience_from.as_ref().unwrap_or(&aud);
    // A token with `aud` has no other audience, wherever its issuer usually has it.
    if !set.contains_key("aud") && value_at(set, place).is_none() {
        match audiences.as_slice() {
            [] => {}
            [one] => put(set, place, json!(one)),
            several => put(set, place, json!(several)),
        }
    }
    if !set.contains_key("iss") {
        let claim = issuer.url.tenant_claim();
        if let Some(claim) = claim
            && value_at(set, claim).is_none()
        {
            put(set, claim, json!(TENANT));
        }
        let tenant = claim
            .and_then(|claim| value_at(set, claim)?.as_str())
            .unwrap_or(TENANT);
        let iss = issuer.url.of_tenant(tenant);
        set.insert("iss".to_owned(), json!(iss));
    }
}

/// Sets the value at a path. The checker makes sure that no two claims of a test conflict.
fn put(set: &mut Map<String, Value>, path: &[String], value: Value) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    if rest.is_empty() {
        set.insert(first.clone(), value);
        return;
    }
    let inner = set
        .entry(first.clone())
        .or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(inner) = inner {
        put(inner, rest, value);
    }
}

/// An object with these member names, for `from keys of`.
fn members(value: &TestValue) -> Value {
    let one = |value: &TestValue| match value {
        TestValue::String(name) => Some((name.clone(), json!({}))),
        _ => None,
    };
    match value {
        TestValue::Null => Value::Null,
        TestValue::List(list) => Value::Object(list.iter().filter_map(one).collect()),
        value => Value::Object(one(value).into_iter().collect()),
    }
}

fn plain(value: &TestValue, now: f64) -> Value {
    match value {
        TestValue::String(text) => json!(text),
        TestValue::Number(value) => number(*value),
        TestValue::Boolean(value) => json!(value),
        TestValue::Null => Value::Null,
        TestValue::List(list) => list.iter().map(|value| plain(value, now)).collect(),
        #[expect(
            clippy::cast_precision_loss,
            reason = "the checker lets no distance be beyond what a double holds exactly"
        )]
        TestValue::FromNow(seconds) => number(now + *seconds as f64),
    }
}
