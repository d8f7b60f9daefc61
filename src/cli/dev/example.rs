//! A request that the policy allows, and one that it denies.
//!
//! The analysis finds what a policy allows that the same policy with routes denied does not. Its
//! token is then put as the arguments of `portcullis token`, without those that change nothing, and
//! the engine decides about the token that these make.

use std::cmp::Reverse;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::analyze::{self, Witness};
use crate::cli::{mint, time};
use crate::compile;
use crate::engine::{Evidence, Fault, Policy, Request};
use crate::json::{Json, value_at};
use crate::judge::{self, Client, KeyFiles};
use crate::load::Loaded;
use crate::model::{Access, Condition, Issuer, Model, Route};
use crate::pattern::Method;
use crate::reason::Reason;
use crate::settings::{Demand, TokenPlace};
use crate::token;
use crate::value::ClaimType;

/// The most routes that examples are looked for at: one pair is shown, and a policy with thousands
/// of routes must not take longer to start.
const MAX_ROUTES: usize = 32;

/// How long a token is used after it is made, in seconds: the lines make one and use it at once.
const USED_WITHIN: f64 = 5.0;

/// A request as it can be sent by hand.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The method.
    pub method: Method,
    /// The host.
    pub host: String,
    /// Path and query, percent-encoded.
    pub target: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// What `portcullis token` is given to make its token.
    pub token: Option<mint::Arguments>,
}

/// A request, and what the engine says about it.
#[derive(Debug, Clone)]
pub struct Example {
    /// The request.
    pub sent: Sent,
    /// The API's name.
    pub api: String,
    /// Where the token goes: the first place of the API that is a header.
    pub token_place: Option<TokenPlace>,
    /// The route that answers, as it is called.
    pub route: String,
    /// Why it is denied, if it is.
    pub reason: Option<Reason>,
}

/// An allowed request and one that is denied: of those that are found, the ones that show most.
pub fn pair(loaded: &Loaded) -> Option<(Example, Option<Example>)> {
    let model = loaded.checked.model.as_ref()?;
    let policy = loaded.policy()?;
    let closed = compile::compile(with_routes_denied(model), Arc::clone(&loaded.sources));
    let now = time::now();
    let difference = analyze::diff(&closed, &policy, now).ok()?;
    let search = Search {
        model,
        policy: &policy,
        now,
    };
    let mut best: Option<(u32, Example, Option<Example>)> = None;
    for change in &difference.changes {
        let Some(allowed) = change.witness.as_ref().and_then(|one| search.allowed(one)) else {
            continue;
        };
        let denied = search.denied(&allowed);
        let score = score(&allowed, denied.as_ref());
        if best.as_ref().is_none_or(|(before, ..)| score > *before) {
            best = Some((score, allowed, denied));
        }
    }
    best.map(|(_, allowed, denied)| (allowed, denied))
}

/// The policy without what its most telling routes allow.
fn with_routes_denied(model: &Model) -> Model {
    let mut closed = model.clone();
    let mut routes: Vec<&mut Route> = closed
        .apis
        .iter_mut()
        .flat_map(|api| &mut api.routes)
        .collect();
    routes.sort_by_key(|route| Reverse(shows(route)));
    for route in routes.into_iter().take(MAX_ROUTES) {
        route.access = Access::Denied;
    }
    closed
}

/// How much an example of a route can show.
fn shows(route: &Route) -> u8 {
    let Access::Permitted { demand, condition } = &route.access else {
        return 0;
    };
    let asks_for_scopes = condition
        .iter()
        .flat_map(Condition::atoms)
        .any(|(_, atom)| !atom.scopes().is_empty());
    let reads = route.methods.has(Method::GET);
    1 + u8::from(reads) + 2 * u8::from(*demand == Demand::Required) + 4 * u8::from(asks_for_scopes)
}

/// How much a pair shows. A missing scope shows more than a missing token, and a shorter command is
/// easier to read.
fn score(allowed: &Example, denied: Option<&Example>) -> u32 {
    let mut score = match denied.and_then(|denied| denied.reason) {
        Some(Reason::ScopeMissing) => 100,
        Some(reason) if reason.status() == 403 => 80,
        Some(_) => 60,
        None => 0,
    };
    let sent = &allowed.sent;
    if sent.method == Method::GET {
        score += 10;
    }
    let of_token = sent.token.as_ref().map_or(0, |token| {
        token.claim.len() + scopes(token).len() + usize::from(token.client.is_some())
    });
    let of_query = sent.target.matches(['?', '&']).count();
    let extras = sent.headers.len() + of_query + of_token;
    score + 9_u32.saturating_sub(u32::try_from(extras).unwrap_or(u32::MAX))
}

/// What examples are looked for in.
struct Search<'p> {
    model: &'p Model,
    policy: &'p Policy,
    now: f64,
}

/// How claims that are times are put.
#[derive(Debug, Clone, Copy)]
enum Times {
    /// As `now`, which stays right however late the line is used.
    Now,
    /// As the witness has them, before or after the time of the request.
    AsTheyAre,
}

impl Search<'_> {
    /// The request of a witness with a token that `portcullis token` makes, if that is allowed.
    fn allowed(&self, witness: &Witness) -> Option<Example> {
        let tokens = match &witness.claims {
            None => vec![None],
            Some(claims) => {
                let claims: Map<String, Value> = serde_json::from_str(claims).ok()?;
                let issuers = self.model.issuers.iter();
                issuers
                    .flat_map(|issuer| {
                        [Times::Now, Times::AsTheyAre]
                            .map(|times| self.arguments(issuer, &claims, witness.at, times))
                    })
                    .map(Some)
                    .collect()
            }
        };
        let method = Method::parse(&witness.method)?;
        let mut allowed = tokens.into_iter().find_map(|token| {
            let sent = Sent {
                method,
                host: witness.host.clone(),
                target: witness.target.clone(),
                headers: witness.headers.clone(),
                token,
            };
            self.if_allowed(sent)
        })?;
        while let Some(plainer) = plainer(&allowed.sent)
            .into_iter()
            .filter_map(|sent| self.if_allowed(sent))
            .find(|plainer| plainer.route == allowed.route)
        {
            allowed = plainer;
        }
        Some(allowed)
    }

    /// The arguments that make a token with these claims, as far as arguments can.
    fn arguments(
        &self,
        issuer: &Issuer,
        claims: &Map<String, Value>,
        at: f64,
        times: Times,
    ) -> mint::Arguments {
        let of_path = |path: &Option<Vec<String>>, usual: &str| match path {
            Some(path) => value_at(claims, path),
            None => claims.get(usual),
        };
        let mut arguments = mint::Arguments {
            issuer: Some(issuer.name.clone()),
            scope: of_path(&issuer.scopes_from, "scope").and_then(|scopes| words(scopes, " ")),
            client: of_path(&issuer.client_from, "client_id")
                .and_then(Value::as_str)
                .map(str::to_owned),
            ..mint::Arguments::default()
        };
        for place in &issuer.claims {
            let Some(claim) = self.model.claims.get(place.claim.0 as usize) else {
                continue;
            };
            let value = match value_at(claims, &place.path) {
                Some(Value::Object(members)) if place.keys_of => {
                    let names = members.keys().cloned().map(Value::String);
                    Some(Value::Array(names.collect()))
                }
                value => value.cloned(),
            };
            let text = value.and_then(|value| written(&value, claim.ty, at, times));
            arguments
                .claim
                .extend(text.map(|text| (claim.name.clone(), text)));
        }
        arguments
    }

    /// The allowed request with something missing: the scopes, or else the token.
    fn denied(&self, allowed: &Example) -> Option<Example> {
        let token = allowed.sent.token.as_ref()?;
        let without_scopes = token.scope.is_some().then(|| mint::Arguments {
            scope: None,
            ..token.clone()
        });
        let tokens = without_scopes.map(Some).into_iter().chain([None]);
        tokens
            .filter_map(|token| {
                let sent = Sent {
                    token,
                    ..allowed.sent.clone()
                };
                self.decide(sent, self.now)
            })
            .find(|example| example.reason.is_some())
    }

    /// The request if it is allowed, now and a little later.
    fn if_allowed(&self, sent: Sent) -> Option<Example> {
        [self.now, self.now + USED_WITHIN]
            .into_iter()
            .map(|at| {
                self.decide(sent.clone(), at)
                    .filter(|example| example.reason.is_none())
            })
            .collect::<Option<Vec<Example>>>()?
            .pop()
    }

    /// What the engine says about a request whose token is made now. A token that is refused for
    /// itself makes no example.
    fn decide(&self, sent: Sent, at: f64) -> Option<Example> {
        let headers: Vec<(&str, &[u8])> = sent
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        let request = Request {
            method: sent.method.as_str(),
            target: sent.target.as_bytes(),
            scheme: None,
            host: Some(&sent.host),
            headers: &headers,
            address: None,
            now: at,
            masked: false,
        };
        let judged = match &sent.token {
            Some(token) => {
                let minted = token.mint(self.model, time::whole_seconds(self.now)).ok()?;
                let claims = Value::Object(minted.claims).to_string();
                judge::assumed(self.policy, &request, |api| {
                    let claims = Json::parse(claims.as_bytes())
                        .map_err(|error| Fault::new(Reason::TokenMalformed, error.to_string()))?;
                    token::from_claims(&claims, self.policy, api)
                })
            }
            None => judge::judge(
                self.policy,
                &request,
                Client::default(),
                &KeyFiles(self.policy),
            ),
        };
        if matches!(judged.evidence(), Evidence::Fault(_)) {
            return None;
        }
        let decision = judged.decide();
        let api = decision.api()?;
        let token_place = api.token_places.iter().find(|place| is_header(place));
        if sent.token.is_some() && token_place.is_none() {
            return None;
        }
        let (name, token_place) = (api.name.clone(), token_place.cloned());
        let route = decision.route()?.into_owned();
        let reason = decision.reason();
        Some(Example {
            sent,
            api: name,
            token_place,
            route,
            reason,
        })
    }
}

/// Whether `curl` sends a token there with `-H`.
fn is_header(place: &TokenPlace) -> bool {
    match place {
        TokenPlace::Authorization | TokenPlace::Header(_) | TokenPlace::Cookie(_) => true,
        TokenPlace::Query(_) | TokenPlace::Subprotocol(_) => false,
    }
}

/// The scopes that a token is asked for.
pub fn scopes(token: &mint::Arguments) -> Vec<&str> {
    token.scope.iter().flat_map(|all| all.split(' ')).collect()
}

/// The request without one thing, for each thing that it may do without.
fn plainer(sent: &Sent) -> Vec<Sent> {
    let mut plainer: Vec<Sent> = Vec::new();
    for at in 0..sent.headers.len() {
        let mut one = sent.clone();
        one.headers.remove(at);
        plainer.push(one);
    }
    let Some(token) = &sent.token else {
        return plainer;
    };
    let mut tokens = vec![None];
    let scopes = scopes(token);
    for at in 0..scopes.len() {
        let mut left = scopes.clone();
        left.remove(at);
        tokens.push(Some(mint::Arguments {
            scope: (!left.is_empty()).then(|| left.join(" ")),
            ..token.clone()
        }));
    }
    for at in 0..token.claim.len() {
        let mut one = token.clone();
        one.claim.remove(at);
        tokens.push(Some(one));
    }
    if token.client.is_some() {
        tokens.push(Some(mint::Arguments {
            client: None,
            ..token.clone()
        }));
    }
    plainer.extend(tokens.into_iter().map(|token| Sent {
        token,
        ..sent.clone()
    }));
    plainer
}

/// A claim's value as `--claim` takes it, where it can be written so.
fn written(value: &Value, ty: ClaimType, at: f64, times: Times) -> Option<String> {
    match ty {
        ClaimType::String | ClaimType::Words => value.as_str().map(str::to_owned),
        ClaimType::Number | ClaimType::Boolean => {
            (value.is_number() || value.is_boolean()).then(|| value.to_string())
        }
        ClaimType::Time => Some(match times {
            Times::Now => "now".to_owned(),
            Times::AsTheyAre => match time::whole_seconds(value.as_f64()? - at) {
                0 => "now".to_owned(),
                ahead @ 1.. => format!("in {ahead}s"),
                behind => format!("{}s ago", behind.unsigned_abs()),
            },
        }),
        ClaimType::ListOfString | ClaimType::ListOfNumber => {
            let is_plain = |text: &str| !text.is_empty() && !text.contains([',', '[', ' ']);
            words(value, ",")
                .filter(|_| {
                    let mut parts = value.as_array().into_iter().flatten();
                    parts.all(|part| part.as_str().is_none_or(is_plain))
                })
                .or_else(|| value.is_array().then(|| value.to_string()))
        }
    }
}

/// Texts and numbers in a row, or the text that they are already.
fn words(value: &Value, separator: &str) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(values) => {
            let parts: Option<Vec<String>> =
                values.iter().map(|value| words(value, separator)).collect();
            Some(parts?.join(separator))
        }
        Value::Null | Value::Bool(_) | Value::Object(_) => None,
    }
}
