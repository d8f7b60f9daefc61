//! The claims set of a development token: converts the policy's names to the places that the issuer
//! declares.

use serde_json::{Map, Number, Value, json};

use super::output::Failure;
use super::time;
use crate::check;
use crate::diagnostic::suggest;
use crate::json::value_at;
use crate::model::{Issuer, Model};
use crate::settings::{Audience, ClaimId, IssuerId, TokenKind};
use crate::suite::TENANT;
use crate::value::ClaimType;

/// The default subject of a development token.
const SUBJECT: &str = "alice";

/// The default client of a development token.
const CLIENT: &str = "portcullis-dev";

/// The claims that the language checks itself, which are at the top level of the claims set.
const CHECKED_BY_ITSELF: [&str; 6] = ["iss", "aud", "exp", "nbf", "scope", "scp"];

/// A claims set under construction.
#[derive(Debug, Clone)]
pub struct Claims<'m> {
    model: &'m Model,
    issuer: &'m Issuer,
    set: Map<String, Value>,
    /// Whether `client_id` is only the default.
    assumed_client: bool,
}

impl<'m> Claims<'m> {
    /// The claims of every token of the issuer: its URL, times, an audience of every API that
    /// accepts its tokens, a subject and a client.
    pub fn new(
        model: &'m Model,
        id: IssuerId,
        issuer: &'m Issuer,
        now: i64,
        lifetime: i64,
    ) -> Self {
        let mut claims = Self {
            model,
            issuer,
            set: Map::new(),
            assumed_client: true,
        };
        for (name, value) in [
            ("sub", json!(SUBJECT)),
            ("client_id", json!(CLIENT)),
            ("iat", json!(now)),
            ("exp", json!(now.saturating_add(lifetime))),
        ] {
            claims.set.insert(name.to_owned(), value);
        }
        let mut audiences: Vec<&str> = Vec::new();
        let wanted = model
            .apis
            .iter()
            .filter(|api| api.issuers.contains(&id))
            .filter_map(|api| match &api.audience {
                Audience::OneOf(names) => names.first(),
                Audience::Any(_) => None,
            })
            .chain(issuer.audience.first());
        for audience in wanted {
            if !audiences.contains(&audience.as_str()) {
                audiences.push(audience);
            }
        }
        claims.audience(&audiences);
        claims
    }

    /// The `typ` of the issuer's tokens.
    pub fn typ(&self) -> &'static str {
        match self.issuer.tokens {
            TokenKind::Jwt | TokenKind::Access => "at+jwt",
            TokenKind::Id => "JWT",
        }
    }

    /// Sets the audience, in the issuer's claim for it.
    pub fn audience(&mut self, names: &[&str]) {
        let value = match names {
            [] => return,
            [one] => json!(one),
            several => json!(several),
        };
        let path = self.issuer.audience_from.clone();
        self.put(&path.unwrap_or_else(|| vec!["aud".to_owned()]), value);
    }

    /// Sets the scopes, separated by spaces, in the issuer's claim for them.
    pub fn scope(&mut self, scopes: &str) {
        let path = self.issuer.scopes_from.clone();
        self.put(
            &path.unwrap_or_else(|| vec!["scope".to_owned()]),
            json!(scopes),
        );
    }

    /// Sets the client, in the issuer's claim for it.
    pub fn client(&mut self, client: &str) {
        self.assumed_client = false;
        match self.issuer.client_from.clone() {
            Some(path) => self.put(&path, json!(client)),
            None => self.put(&["client_id".to_owned()], json!(client)),
        }
    }

    /// Sets a claim of the policy, at the issuer's place for it. Returns whether the issuer has the
    /// claim.
    pub fn claim(&mut self, claim: ClaimId, value: Value) -> bool {
        let Some(place) = self
            .issuer
            .claims
            .iter()
            .find(|place| place.claim == claim)
            .cloned()
        else {
            return false;
        };
        let value = if place.keys_of {
            let names = match value {
                Value::Array(names) => names,
                one => vec![one],
            };
            let members: Map<String, Value> = names
                .iter()
                .filter_map(Value::as_str)
                .map(|name| (name.to_owned(), json!({})))
                .collect();
            Value::Object(members)
        } else {
            value
        };
        self.put(&place.path, value);
        true
    }

    /// Sets a claim from the command line: the name of a claim of the policy, one that the language
    /// checks itself, or any member of the claims set.
    ///
    /// Returns a remark if the policy doesn't know the name.
    pub fn given(&mut self, name: &str, text: &str, now: i64) -> Result<Option<String>, Failure> {
        match name {
            // A default client must not contradict the given one.
            "azp" if self.assumed_client => {
                self.set.remove("client_id");
            }
            "client_id" => self.assumed_client = false,
            _ => {}
        }
        let known = self.issuer.claims.iter().find_map(|place| {
            let claim = self.model.claims.get(place.claim.0 as usize)?;
            (claim.name == name).then_some((place.claim, claim.ty))
        });
        if let Some((claim, ty)) = known {
            let value = typed(name, ty, text, now)?;
            self.claim(claim, value);
            return Ok(None);
        }
        let registered = check::REGISTERED
            .iter()
            .find(|(registered, _)| *registered == name)
            .map(|(_, ty)| *ty);
        let value = match (registered, name) {
            (Some(ty), _) => typed(name, ty, text, now)?,
            (None, "exp" | "nbf") => typed(name, ClaimType::Time, text, now)?,
            (None, "iss" | "scope") => json!(text),
            (None, _) => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        };
        self.put(&[name.to_owned()], value);
        if registered.is_some() || CHECKED_BY_ITSELF.contains(&name) {
            return Ok(None);
        }
        let names = self
            .issuer
            .claims
            .iter()
            .filter_map(|place| self.model.claims.get(place.claim.0 as usize))
            .map(|claim| claim.name.as_str());
        let near = suggest::nearest(name, names)
            .map(|near| format!("; did you mean `{near}`?"))
            .unwrap_or_default();
        Ok(Some(format!(
            "no rule reads a claim `{name}` of `{}`; it is set as a member of that name{near}",
            self.issuer.name
        )))
    }

    /// The claims set. The issuer's URL is set last, since it may contain a claim.
    pub fn finish(mut self) -> Map<String, Value> {
        if self.set.contains_key("iss") {
            return self.set;
        }
        let url = &self.issuer.url;
        let mut tenant = TENANT.to_owned();
        if let Some(claim) = url.tenant_claim() {
            match value_at(&self.set, claim).and_then(Value::as_str) {
                Some(given) => given.clone_into(&mut tenant),
                None => self.put(claim, json!(TENANT)),
            }
        }
        let issuer = url.of_tenant(&tenant);
        self.set.insert("iss".to_owned(), json!(issuer));
        self.set
    }

    /// Sets the value at a path, replacing anything that blocks it.
    fn put(&mut self, path: &[String], value: Value) {
        let Some((last, outer)) = path.split_last() else {
            return;
        };
        let mut members = &mut self.set;
        for name in outer {
            let inner = members.entry(name.clone()).or_insert(Value::Null);
            if !inner.is_object() {
                *inner = Value::Object(Map::new());
            }
            match inner {
                Value::Object(object) => members = object,
                _ => return,
            }
        }
        members.insert(last.clone(), value);
    }
}

/// Parses a text as a value of the claim's type.
fn typed(name: &str, ty: ClaimType, text: &str, now: i64) -> Result<Value, Failure> {
    let wrong = || {
        Failure::new(format!(
            "`{text}` is not a value for the claim `{name}`, a {ty}"
        ))
        .help(match ty {
            ClaimType::Time => "give a NumericDate, an RFC 3339 time, `now`, `5m ago` or `in 5m`",
            ClaimType::ListOfString | ClaimType::ListOfNumber => {
                "give the values separated by commas, or a JSON array"
            }
            _ => "write it as it would appear in the token",
        })
    };
    match ty {
        ClaimType::String | ClaimType::Words => Ok(json!(text)),
        ClaimType::Boolean => text.parse::<bool>().map(Value::Bool).map_err(|_| wrong()),
        ClaimType::Number => number(text).ok_or_else(wrong),
        ClaimType::Time => time::point(text, now).map(|at| json!(at)).ok_or_else(wrong),
        ClaimType::ListOfString | ClaimType::ListOfNumber => {
            if text.starts_with('[') {
                return serde_json::from_str(text)
                    .ok()
                    .filter(Value::is_array)
                    .ok_or_else(wrong);
            }
            text.split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(|part| match ty {
                    ClaimType::ListOfNumber => number(part).ok_or_else(wrong),
                    _ => Ok(json!(part)),
                })
                .collect::<Result<Vec<_>, _>>()
                .map(Value::Array)
        }
    }
}

fn number(text: &str) -> Option<Value> {
    text.parse::<Number>().ok().map(Value::Number)
}
