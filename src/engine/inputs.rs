//! What the rules of a policy read of a request, in a form that can be kept and decided again.
//!
//! It holds no token, and no header or query parameter that may hold a secret, even if a rule reads
//! it: a request for which such a rule matters can't be decided again.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::facts::{Client, Fact, Facts, Scopes};
use super::path;
use super::policy::Policy;
use super::reading::{Reading, Value};
use super::routed::Routed;
use crate::json;
use crate::model::Issuer;
use crate::settings::TokenPlace;

/// What determines whether a request is a CORS preflight. The value of `authorization` is never
/// kept, only whether it is there.
const PREFLIGHT: [&str; 3] = ["origin", "access-control-request-method", "authorization"];

/// What the rules read of a request, besides method, host and path, and without the token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestInputs {
    /// The time, as a NumericDate.
    pub at: f64,
    /// The scheme.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
    /// The peer's address.
    pub address: Option<IpAddr>,
    /// Whether a `!` may stand for another byte.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub masked: bool,
    /// The headers that rules read, by name in lower case.
    pub headers: BTreeMap<String, Text>,
    /// The query parameters that rules read.
    pub query: BTreeMap<String, Text>,
}

/// A text in a request as rules see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Text {
    /// A value.
    Is(String),
    /// `true`: it is there, but programs could read different values, so it counts as missing.
    Unclear(bool),
    /// `null`: it is not there.
    Absent,
}

/// What the rules read of a verified token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FactInputs {
    /// The scopes.
    pub scopes: Claimed<Vec<String>>,
    /// The OAuth client.
    pub client: Claimed<String>,
    /// The claims of the policy.
    pub claims: Vec<ClaimInput>,
}

/// A value, and the path in the claims set that it was read from; no path stands for the usual
/// claims.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claimed<T> {
    /// The path.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<Vec<String>>,
    /// The value; `None` if it is absent or counts as missing.
    pub value: Option<T>,
    /// Whether there is something that counts as missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unclear: bool,
}

/// A claim, as an issuer of the policy declares it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClaimInput {
    /// Its path in the claims set.
    pub path: Vec<String>,
    /// The declared type.
    #[serde(rename = "type")]
    pub ty: String,
    /// Whether the value is the list of member names of the object there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keys: bool,
    /// The value; `null` if it is absent or counts as missing.
    pub value: serde_json::Value,
    /// Whether there is something that counts as missing, such as a value of another type.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unclear: bool,
}

impl Routed<'_, '_> {
    /// What the policy's rules read of the request.
    pub fn inputs(&self) -> RequestInputs {
        let request = self.request();
        let policy = self.policy();
        let query = path::split(request.target)
            .ok()
            .and_then(|target| target.query);
        let reading = Reading::new(policy.names(), request, query);
        let open = |name: &&str| !policy.may_hold_secret(name);
        let mut headers: BTreeMap<String, Text> = policy
            .names()
            .headers()
            .filter(open)
            .map(|name| (name.to_owned(), Text::of(reading.header(name))))
            .collect();
        if request.method == "OPTIONS" {
            for name in PREFLIGHT {
                let text = match request.one_header(name).map(std::str::from_utf8) {
                    Some(Ok(text)) if name != "authorization" => Text::Is(text.to_owned()),
                    Some(_) => Text::Unclear(true),
                    None if request.header(name).next().is_some() => Text::Unclear(true),
                    None => Text::Absent,
                };
                headers.entry(name.to_owned()).or_insert(text);
            }
        }
        RequestInputs {
            at: request.now,
            scheme: request.scheme.map(str::to_owned),
            address: request.address,
            masked: request.masked,
            headers,
            query: policy
                .names()
                .parameters()
                .filter(open)
                .map(|name| (name.to_owned(), Text::of(reading.parameter(name))))
                .collect(),
        }
    }
}

impl Text {
    fn of(value: &Value) -> Text {
        match value {
            Value::Absent => Text::Absent,
            Value::One(text) => Text::Is(text.clone()),
            Value::Unclear(_) => Text::Unclear(true),
        }
    }
}

impl Facts {
    /// What the policy's rules read of the token.
    pub fn inputs(&self, policy: &Policy, issuer: &Issuer) -> FactInputs {
        let claims = issuer.claims.iter().filter_map(|place| {
            let declared = policy.model().claims.get(place.claim.0 as usize)?;
            let (value, unclear) = match self.claim(place.claim) {
                Fact::Absent => (serde_json::Value::Null, false),
                Fact::WrongType(_) | Fact::Elsewhere(_) => (serde_json::Value::Null, true),
                Fact::Text(text) => (text.clone().into(), false),
                Fact::Number(number) => (json::number(*number), false),
                Fact::Boolean(value) => ((*value).into(), false),
                Fact::Texts(texts) => (texts.clone().into(), false),
                Fact::Numbers(numbers) => {
                    let numbers: Vec<_> = numbers.iter().map(|one| json::number(*one)).collect();
                    (numbers.into(), false)
                }
            };
            Some(ClaimInput {
                path: place.path.clone(),
                ty: declared.ty.as_str().to_owned(),
                keys: place.keys_of,
                value,
                unclear,
            })
        });
        let (scopes, scopes_unclear) = match &self.scopes {
            Scopes::Are(held) => (Some(held.listed().to_vec()), false),
            Scopes::Missing(_) => (None, true),
        };
        let (client, client_unclear) = match &self.client {
            Client::Is(client) => (Some(client.clone()), false),
            Client::Absent(_) => (None, false),
            Client::Disagree => (None, true),
        };
        FactInputs {
            scopes: Claimed {
                from: issuer.scopes_from.clone(),
                value: scopes,
                unclear: scopes_unclear,
            },
            client: Claimed {
                from: issuer.client_from.clone(),
                value: client,
                unclear: client_unclear,
            },
            claims: claims.collect(),
        }
    }
}

/// The places in which an API looks for a token, as texts.
pub fn written_places(places: &[TokenPlace]) -> Vec<String> {
    let mut written: Vec<String> = places
        .iter()
        .map(|place| match place {
            TokenPlace::Authorization => "authorization".to_owned(),
            TokenPlace::Header(name) => format!("header {name}"),
            TokenPlace::Cookie(name) => format!("cookie {name}"),
            TokenPlace::Query(name) => format!("query {name}"),
            TokenPlace::Subprotocol(name) => format!("subprotocol {name}"),
        })
        .collect();
    written.sort();
    written
}
