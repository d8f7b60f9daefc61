//! Two requests to paste: one that the policy allows, and one that it denies.
//!
//! They are guessed from the policy's routes and then decided by the engine, so their outcomes are
//! true.

use std::net::SocketAddr;

use serde_json::Value;

use super::issuer::DEFAULT_ADDRESS;
use super::wish::{self, Wish, WishedToken};
use crate::cli::claims::Claims;
use crate::cli::output::Paint;
use crate::cli::time;
use crate::cli::wording::{self, Bearing};
use crate::engine::{Evidence, Fault, Policy, Request};
use crate::json::Json;
use crate::judge::{self, Client, KeyFiles};
use crate::load::Loaded;
use crate::model::{Api, Guard, Model, Route};
use crate::reason::Reason;
use crate::settings::{ApiId, TokenPlace};
use crate::token;

/// The lifetime of the tokens in guesses, in seconds. A guess is decided at once.
const LIFETIME: i64 = 60;

/// Prints examples as commands.
pub struct Printer<'a> {
    /// The command with which this program was called.
    pub command: &'a str,
    /// The address of the `http` listener.
    pub http: Option<&'a str>,
    /// The address at which `portcullis token` gets tokens.
    pub issuer_address: SocketAddr,
    /// Whether to use colours.
    pub paint: Paint,
}

/// A request, with the engine's decision.
struct Example<'m> {
    api: &'m Api,
    route: &'m Route,
    wish: Wish,
    reason: Option<Reason>,
}

impl Printer<'_> {
    /// The examples of a policy, if any are found.
    pub fn examples(&self, loaded: &Loaded) -> String {
        let (Some(model), Some(policy)) = (&loaded.checked.model, loaded.policy()) else {
            return String::new();
        };
        let Some(http) = self.http.filter(|address| !address.starts_with("unix:")) else {
            return String::new();
        };
        let Some((allowed, denied)) = pair(model, &policy) else {
            return "\nNo example was found; `portcullis routes` lists the routes.\n".to_owned();
        };
        let mut text = format!(
            "\n{}: {} of {}\n\n{}",
            self.paint.good("Allowed"),
            allowed.route.name,
            allowed.api.name,
            self.curl(http, model, &allowed)
        );
        if let Some(denied) = denied {
            text.push_str(&format!(
                "\n{}: {} ({})\n\n{}",
                self.paint.bad("Denied"),
                difference(&allowed, &denied),
                denied.reason.map_or("", Reason::code),
                self.curl(http, model, &denied)
            ));
        }
        text
    }

    /// The command for an example. It sends the request itself, as Envoy over HTTP does.
    fn curl(&self, http: &str, model: &Model, example: &Example<'_>) -> String {
        let wish = &example.wish;
        let query: Vec<String> = wish
            .query
            .iter()
            .map(|(name, value)| format!("{}={}", escaped(name), escaped(value)))
            .collect();
        let query = if query.is_empty() {
            String::new()
        } else {
            format!("?{}", query.join("&"))
        };
        let mut line = String::from("  curl -i");
        if wish.method.as_str() != "GET" {
            line.push_str(&format!(" -X {}", wish.method));
        }
        line.push_str(&format!(
            " {} -H {}",
            quoted(&format!("http://{http}/envoy{}{query}", wish.path)),
            quoted(&format!("Host: {}", wish.host))
        ));
        for (name, value) in &wish.headers {
            line.push_str(&format!(" -H {}", quoted(&format!("{name}: {value}"))));
        }
        if let Some(header) = wish
            .token
            .as_ref()
            .and_then(|token| self.token_header(model, example.api, token))
        {
            line.push_str(&format!(" \\\n       -H {header}"));
            // The `Origin` of the API's own pages, without which a cookie isn't enough.
            let in_cookie = matches!(
                example.api.token_places.first(),
                Some(TokenPlace::Cookie(_))
            );
            if in_cookie && !wish.method.is_safe() {
                let origin = format!("Origin: https://{}", wish.host);
                line.push_str(&format!(" -H {}", quoted(&origin)));
            }
        }
        line.push('\n');
        line
    }

    /// The header with the token, which contains a command that gets one.
    fn token_header(&self, model: &Model, api: &Api, token: &WishedToken) -> Option<String> {
        let name = match api.token_places.first()? {
            TokenPlace::Authorization => "Authorization: Bearer ".to_owned(),
            TokenPlace::Header(name) => format!("{name}: "),
            TokenPlace::Cookie(name) => format!("Cookie: {name}="),
            TokenPlace::Query(_) | TokenPlace::Subprotocol(_) => return None,
        };
        let command = self.token_command(model, token)?;
        Some(format!("\"{name}$({command})\""))
    }

    fn token_command(&self, model: &Model, token: &WishedToken) -> Option<String> {
        let issuer = model.issuers.get(token.issuer.0 as usize)?;
        let mut command = format!("{} token --issuer {}", quoted(self.command), issuer.name);
        if self.issuer_address.to_string() != DEFAULT_ADDRESS {
            command.push_str(&format!(" --dev {}", self.issuer_address));
        }
        if !token.scopes.is_empty() {
            let scopes: Vec<&str> = token.scopes.iter().map(String::as_str).collect();
            command.push_str(&format!(" --scope {}", quoted(&scopes.join(" "))));
        }
        let mut claim = |name: &str, value: &str| {
            command.push_str(&format!(" --claim {}", quoted(&format!("{name}={value}"))));
        };
        if let Some(client) = &token.client {
            match issuer.client_from.as_deref() {
                None => claim("client_id", client),
                Some([name]) => claim(name, client),
                Some(_) => return None,
            }
        }
        if let Some(seconds) = token.login {
            claim("auth_time", &format!("{seconds}s ago"));
        }
        for (id, value) in &token.claims {
            let name = &model.claims.get(id.0 as usize)?.name;
            claim(name, &plain(value)?);
        }
        Some(command)
    }
}

/// What the denied request is missing.
fn difference(allowed: &Example<'_>, denied: &Example<'_>) -> &'static str {
    match (&allowed.wish.token, &denied.wish.token) {
        (Some(_), None) => "the same without a token",
        (Some(one), Some(other)) if one.scopes != other.scopes => "the same without its scopes",
        _ => "another one",
    }
}

/// An allowed request and a denied one: the pair that shows most.
fn pair<'m>(model: &'m Model, policy: &Policy) -> Option<(Example<'m>, Option<Example<'m>>)> {
    let mut best: Option<(u32, Example<'m>, Option<Example<'m>>)> = None;
    for (id, api) in (0_u32..).map(ApiId).zip(&model.apis) {
        for route in &api.routes {
            let Some(allowed) = allowed(model, policy, id, api, route) else {
                continue;
            };
            let denied = denied(model, policy, &allowed);
            let score = score(&allowed, denied.as_ref());
            if best.as_ref().is_none_or(|(before, ..)| score > *before) {
                best = Some((score, allowed, denied));
            }
        }
    }
    best.map(|(_, allowed, denied)| (allowed, denied))
}

/// How much a pair shows. A missing scope shows more than a missing token, and a shorter command is
/// easier to read.
fn score(allowed: &Example<'_>, denied: Option<&Example<'_>>) -> u32 {
    let mut score = match denied.and_then(|denied| denied.reason) {
        Some(Reason::ScopeMissing) => 100,
        Some(reason) if reason.status() == 403 => 80,
        Some(_) => 60,
        None => 0,
    };
    if allowed.wish.method.as_str() == "GET" {
        score += 10;
    }
    let extras = allowed.wish.headers.len()
        + allowed.wish.query.len()
        + allowed
            .wish
            .token
            .as_ref()
            .map_or(0, |token| token.claims.len() + token.scopes.len());
    score + 9_u32.saturating_sub(u32::try_from(extras).unwrap_or(u32::MAX))
}

fn allowed<'m>(
    model: &'m Model,
    policy: &Policy,
    id: ApiId,
    api: &'m Api,
    route: &'m Route,
) -> Option<Example<'m>> {
    let guards: Vec<&Guard> = model
        .guards
        .iter()
        .filter(|guard| guard.api == id && wording::bearing(guard, route) != Bearing::Never)
        .collect();
    let now = time::whole_seconds(time::now());
    wish::wishes(model, api, &guards, route, now)
        .into_iter()
        .find_map(|wish| match decide(model, policy, &wish)? {
            (None, name) if name == route.name => Some(Example {
                api,
                route,
                wish,
                reason: None,
            }),
            _ => None,
        })
}

/// The allowed request without its scopes or, if it has none, without its token.
fn denied<'m>(model: &Model, policy: &Policy, allowed: &Example<'m>) -> Option<Example<'m>> {
    let token = allowed.wish.token.as_ref()?;
    let without_scopes = WishedToken {
        scopes: Default::default(),
        ..token.clone()
    };
    let mut tokens = vec![None];
    if !token.scopes.is_empty() {
        tokens.insert(0, Some(without_scopes));
    }
    tokens.into_iter().find_map(|token| {
        let wish = Wish {
            token,
            ..allowed.wish.clone()
        };
        let (reason, _) = decide(model, policy, &wish)?;
        reason.map(|reason| Example {
            api: allowed.api,
            route: allowed.route,
            wish,
            reason: Some(reason),
        })
    })
}

/// The engine's decision: the reason of a denial, and the route that applied.
fn decide(model: &Model, policy: &Policy, wish: &Wish) -> Option<(Option<Reason>, String)> {
    let headers: Vec<(&str, &[u8])> = wish
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    let query: Vec<String> = wish
        .query
        .iter()
        .map(|(name, value)| format!("{}={}", escaped(name), escaped(value)))
        .collect();
    let target = if query.is_empty() {
        wish.path.clone()
    } else {
        format!("{}?{}", wish.path, query.join("&"))
    };
    let now = time::now();
    let request = Request {
        method: wish.method.as_str(),
        target: target.as_bytes(),
        scheme: None,
        host: Some(&wish.host),
        headers: &headers,
        address: None,
        now,
        masked: false,
    };
    let judged = match &wish.token {
        Some(token) => judge::assumed(policy, &request, |api| {
            let malformed = |why: String| Fault::new(Reason::TokenMalformed, why);
            let claims = claims(model, token, now)
                .ok_or_else(|| malformed("there are no such claims".to_owned()))?;
            let claims =
                Json::parse(claims.as_bytes()).map_err(|error| malformed(error.to_string()))?;
            token::from_claims(&claims, policy, api)
        }),
        None => judge::judge(policy, &request, Client::default(), &KeyFiles(policy)),
    };
    if matches!(judged.evidence(), Evidence::Fault(_)) {
        return None;
    }
    let decision = judged.decide();
    let route = decision.route()?.into_owned();
    Some((decision.reason(), route))
}

/// The claims set of the token that `portcullis token` would make.
fn claims(model: &Model, token: &WishedToken, now: f64) -> Option<String> {
    let issuer = model.issuers.get(token.issuer.0 as usize)?;
    let seconds = time::whole_seconds(now);
    let mut claims = Claims::new(model, token.issuer, issuer, seconds, LIFETIME);
    if !token.scopes.is_empty() {
        let scopes: Vec<&str> = token.scopes.iter().map(String::as_str).collect();
        claims.scope(&scopes.join(" "));
    }
    if let Some(client) = &token.client {
        claims.client(client);
    }
    if let Some(ago) = token.login {
        claims
            .given("auth_time", &format!("{ago}s ago"), seconds)
            .ok()?;
    }
    for (id, value) in &token.claims {
        if !claims.claim(*id, value.clone()) {
            return None;
        }
    }
    Some(Value::Object(claims.finish()).to_string())
}

/// A claim's value in the form of `--claim`.
fn plain(value: &Value) -> Option<String> {
    Some(match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => {
            let parts: Option<Vec<String>> = values.iter().map(plain).collect();
            parts?.join(",")
        }
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        Value::Null | Value::Object(_) => return None,
    })
}

/// A text as one word of a shell's command line.
pub fn quoted(text: &str) -> String {
    let plain = !text.is_empty()
        && text.bytes().all(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(
                    byte,
                    b'-' | b'_' | b'.' | b'/' | b':' | b'=' | b',' | b'@' | b'+'
                )
        });
    if plain {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// A text as part of a query (RFC 3986, section 2.1).
fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
