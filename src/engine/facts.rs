//! The contents of a verified token, read once into the form that conditions use.

use serde_json::{Value, json};

use super::compiled::{Conditions, Kept};
use super::scopes::Held;
use crate::json::Json;
use crate::model::{Claim, Issuer};
use crate::settings::{ClaimId, IssuerId};
use crate::text::quoted;
use crate::value::ClaimType;

/// The claims of a token as the rules of one policy see them.
#[derive(Debug, Clone)]
pub struct Facts {
    pub(super) issuer: IssuerId,
    /// By [`ClaimId`].
    pub(super) claims: Vec<Fact>,
    pub(super) scopes: Scopes,
    pub(super) client: Client,
    /// Claims that contain scopes of the policy's rules, although scopes aren't read from them: for
    /// hints.
    pub(super) scopes_elsewhere: Vec<(String, Vec<String>)>,
    /// Claims whose path goes through a value without members, and that value: for hints.
    obstacles: Vec<(ClaimId, String)>,
    pub(super) subject: Option<String>,
    /// The issuer as the token names it. With several tenants, this says more than the policy's
    /// name.
    pub(super) iss: Option<String>,
    /// The claims set in base64url, if some API forwards it.
    pub(super) payload: Option<String>,
    /// The fingerprint of the policy that read them.
    pub(super) fingerprint: u64,
    /// What the conditions of the policy that read them ask of the token.
    pub(super) kept: Kept,
}

impl Facts {
    /// The issuer.
    pub fn issuer(&self) -> IssuerId {
        self.issuer
    }

    /// The token's subject.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// The OAuth client, if the token names one.
    pub fn client(&self) -> Option<&str> {
        match &self.client {
            Client::Is(client) => Some(client),
            Client::Absent(_) | Client::Disagree => None,
        }
    }

    /// A claim as JSON; `None` where it is missing.
    pub fn to_json(&self, claim: ClaimId) -> Option<Value> {
        match self.claim(claim) {
            Fact::Absent | Fact::WrongType(_) | Fact::Elsewhere(_) => None,
            Fact::Text(text) => Some(json!(text)),
            Fact::Number(number) => Some(json!(number)),
            Fact::Boolean(value) => Some(json!(value)),
            Fact::Texts(texts) => Some(json!(texts)),
            Fact::Numbers(numbers) => Some(json!(numbers)),
        }
    }

    /// The approximate memory on the heap, in bytes.
    pub fn heap_bytes(&self) -> usize {
        let list = |texts: &[String]| {
            let heap = |text: &String| size_of::<String>() + text.capacity();
            texts.iter().map(heap).sum::<usize>()
        };
        let claim = |fact: &Fact| {
            let heap = match fact {
                Fact::Absent
                | Fact::Elsewhere(_)
                | Fact::WrongType(_)
                | Fact::Number(_)
                | Fact::Boolean(_) => 0,
                Fact::Text(text) => text.capacity(),
                Fact::Texts(texts) => list(texts),
                Fact::Numbers(numbers) => size_of_val(numbers.as_slice()),
            };
            size_of::<Fact>() + heap
        };
        let scopes = match &self.scopes {
            Scopes::Missing(_) => 0,
            Scopes::Are(scopes) => scopes.heap_bytes(),
        };
        let client = match &self.client {
            Client::Absent(_) | Client::Disagree => 0,
            Client::Is(client) => client.capacity(),
        };
        let texts = [&self.subject, &self.iss, &self.payload];
        let elsewhere = |(name, scopes): &(String, Vec<String>)| name.capacity() + list(scopes);
        let hints = self.scopes_elsewhere.iter().map(elsewhere).sum::<usize>()
            + self
                .obstacles
                .iter()
                .map(|(_, why)| size_of::<(ClaimId, String)>() + why.capacity())
                .sum::<usize>();
        hints
            + self.kept.heap_bytes()
            + self.claims.iter().map(claim).sum::<usize>()
            + scopes
            + client
            + texts
                .into_iter()
                .flatten()
                .map(String::capacity)
                .sum::<usize>()
    }

    /// The value that blocks the path of a claim, because it has no members.
    pub(super) fn obstacle(&self, claim: ClaimId) -> Option<&str> {
        let found = self.obstacles.iter().find(|(about, _)| *about == claim);
        found.map(|(_, why)| why.as_str())
    }

    pub(super) fn claim(&self, claim: ClaimId) -> &Fact {
        self.claims.get(claim.0 as usize).unwrap_or(&Fact::Absent)
    }
}

/// The value of one claim.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fact {
    /// Absent, or null.
    Absent,
    /// Present, but not with the declared type; says which type it has.
    WrongType(&'static str),
    /// Absent, but the token refers to another place for it: neither absent nor present. Holds a
    /// description.
    Elsewhere(&'static str),
    Text(String),
    /// A number, or a time as a NumericDate.
    Number(f64),
    Boolean(bool),
    Texts(Vec<String>),
    Numbers(Vec<f64>),
}

impl Fact {
    pub fn text(&self) -> Option<&str> {
        if let Fact::Text(text) = self {
            Some(text)
        } else {
            None
        }
    }

    pub fn number(&self) -> Option<f64> {
        if let Fact::Number(number) = self {
            Some(*number)
        } else {
            None
        }
    }

    pub fn boolean(&self) -> Option<bool> {
        if let Fact::Boolean(boolean) = self {
            Some(*boolean)
        } else {
            None
        }
    }

    pub fn texts(&self) -> Option<&[String]> {
        if let Fact::Texts(texts) = self {
            Some(texts)
        } else {
            None
        }
    }

    pub fn numbers(&self) -> Option<&[f64]> {
        if let Fact::Numbers(numbers) = self {
            Some(numbers)
        } else {
            None
        }
    }
}

/// The scopes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scopes {
    /// The token has no scopes, has contradictory ones, or has them with the wrong type; says why.
    Missing(&'static str),
    Are(Held),
}

/// The OAuth client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Client {
    /// The claims that are read don't name a client. If another claim usually does and is present,
    /// this is its name.
    Absent(Option<&'static str>),
    Disagree,
    Is(String),
}

/// Reads a claims set of an issuer. `declared` has the policy's claims.
pub(super) fn read(
    (id, issuer): (IssuerId, Option<&Issuer>),
    (declared, conditions): (&[Claim], &Conditions),
    set: &Json<'_>,
    payload: Option<String>,
    fingerprint: u64,
) -> Facts {
    let mut facts = vec![Fact::Absent; declared.len()];
    let mut obstacles = Vec::new();
    for place in issuer.iter().flat_map(|issuer| &issuer.claims) {
        let at = place.claim.0 as usize;
        let (Some(slot), Some(claim)) = (facts.get_mut(at), declared.get(at)) else {
            continue;
        };
        *slot = match set.at(&place.path) {
            None | Some(Json::Null) => {
                elsewhere(&place.path, set).map_or(Fact::Absent, Fact::Elsewhere)
            }
            Some(value) if place.keys_of => member_names(value, claim.ty),
            Some(value) => typed(value, claim.ty),
        };
        if *slot == Fact::Absent
            && let Some(why) = obstacle(&place.path, set)
        {
            obstacles.push((place.claim, why));
        }
    }
    let scopes = scopes(issuer.and_then(|issuer| issuer.scopes_from.as_deref()), set);
    Facts {
        issuer: id,
        claims: facts,
        kept: conditions.keep(match &scopes {
            Scopes::Are(held) => Some(held.listed()),
            Scopes::Missing(_) => None,
        }),
        scopes,
        client: client(issuer.and_then(|issuer| issuer.client_from.as_deref()), set),
        scopes_elsewhere: match issuer.and_then(|issuer| issuer.scopes_from.as_ref()) {
            None => scopes_elsewhere(set, conditions),
            Some(_) => Vec::new(),
        },
        obstacles,
        subject: set.get("sub").and_then(Json::as_str).map(str::to_owned),
        iss: set.get("iss").and_then(Json::as_str).map(str::to_owned),
        payload,
        fingerprint,
    }
}

/// The value that blocks the path of a claim: it comes before the end of the path and has no
/// members.
fn obstacle(path: &[String], set: &Json<'_>) -> Option<String> {
    let shown = |names: &[String]| quoted(&names.join("."));
    (1..path.len()).find_map(|length| {
        let outer = path.get(..length)?;
        let value = set.at(outer)?;
        (value.as_object().is_none() && !value.is_null()).then(|| {
            format!(
                "the token's {} is {}, so it has no {}",
                shown(outer),
                kind(value),
                shown(path)
            )
        })
    })
}

/// The maximum number of claims with scopes that are recorded.
const MAX_SCOPES_ELSEWHERE: usize = 4;

/// Claims with text that the user may choose, or with another meaning. No hint suggests them as a
/// source of scopes.
const NO_SCOPES: [&str; 32] = [
    "scope",
    "scp",
    "iss",
    "sub",
    "aud",
    "jti",
    "azp",
    "client_id",
    "cid",
    "appid",
    "nonce",
    "sid",
    "acr",
    "amr",
    "typ",
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "username",
    "profile",
    "picture",
    "website",
    "email",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "phone_number",
    "address",
];

/// Claims that contain scopes of rules, although scopes aren't read from them, such as Spring's
/// `authorities`, Auth0's `permissions`, and the `scopes` of many servers.
fn scopes_elsewhere(set: &Json<'_>, conditions: &Conditions) -> Vec<(String, Vec<String>)> {
    let members = set.as_object().into_iter().flatten();
    members
        .filter(|(name, _)| !NO_SCOPES.contains(&name.as_ref()))
        .filter_map(|(name, value)| {
            let held: Vec<&str> = match value {
                Json::String(text) => text.split([' ', ',']).collect(),
                Json::Array(all) => all.iter().filter_map(Json::as_str).collect(),
                _ => return None,
            };
            let mut scopes: Vec<String> = held
                .into_iter()
                .filter(|scope| conditions.names(scope))
                .map(str::to_owned)
                .collect();
            scopes.sort();
            scopes.dedup();
            (!scopes.is_empty()).then(|| (name.clone().into_owned(), scopes))
        })
        .take(MAX_SCOPES_ELSEWHERE)
        .collect()
}

/// Entra's replacement for the groups of a user who has too many.
const GROUPS_ELSEWHERE: &str = "the token has a link instead of its groups (`_claim_names` or \
`hasgroups`), because the user is in too many: assign app roles in Entra, and test `roles` in the \
rule";

/// Whether an absent claim is a distributed claim (OpenID Connect Core, section 5.6.2), and how the
/// token refers to it.
///
/// Entra does this for the groups of a user who has many. In some flows, the token only has
/// `hasgroups`.
fn elsewhere(path: &[String], set: &Json<'_>) -> Option<&'static str> {
    let name = path.first()?;
    if set
        .get("_claim_names")
        .is_some_and(|names| names.get(name).is_some())
    {
        return Some(if name == "groups" {
            GROUPS_ELSEWHERE
        } else {
            "the token only refers to another place for it (`_claim_names`), which counts as \
            missing"
        });
    }
    let has_groups = match set.get("hasgroups")? {
        Json::Bool(has) => *has,
        Json::String(has) => has == "true",
        _ => false,
    };
    (name == "groups" && has_groups).then_some(GROUPS_ELSEWHERE)
}

fn member_names(value: &Json<'_>, ty: ClaimType) -> Fact {
    match (value.as_object(), ty) {
        (Some(members), ClaimType::ListOfString) => Fact::Texts(
            members
                .iter()
                .map(|(name, _)| name.clone().into_owned())
                .collect(),
        ),
        _ => Fact::WrongType(kind(value)),
    }
}

fn typed(value: &Json<'_>, ty: ClaimType) -> Fact {
    let fact = match ty {
        ClaimType::String => value.as_str().map(|text| Fact::Text(text.to_owned())),
        ClaimType::Number | ClaimType::Time => value.as_f64().map(Fact::Number),
        ClaimType::Boolean => value.as_bool().map(Fact::Boolean),
        ClaimType::ListOfString => match value {
            Json::String(one) => Some(Fact::Texts(vec![one.clone().into_owned()])),
            _ => texts(value).map(Fact::Texts),
        },
        ClaimType::ListOfNumber => value
            .as_array()
            .and_then(|all| all.iter().map(Json::as_f64).collect())
            .map(Fact::Numbers),
        ClaimType::Words => value.as_str().map(|text| Fact::Texts(words(text))),
    };
    fact.unwrap_or_else(|| Fact::WrongType(kind(value)))
}

fn texts(value: &Json<'_>) -> Option<Vec<String>> {
    value
        .as_array()?
        .iter()
        .map(|one| one.as_str().map(str::to_owned))
        .collect()
}

fn words(text: &str) -> Vec<String> {
    text.split(' ')
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The type of a JSON value, in words.
fn kind(value: &Json<'_>) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(number) if number.exact().is_none() => {
            "a number too large to be compared exactly"
        }
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "an array",
        Json::Object(_) => "an object",
    }
}

fn scopes(from: Option<&[String]>, set: &Json<'_>) -> Scopes {
    const WRONG: &str = "the token's scopes are neither a string nor an array of strings";
    if let Some(path) = from {
        return match set.at(path) {
            None | Some(Json::Null) => Scopes::Missing("the token has no scopes"),
            Some(value) => scope_value(value).map_or(Scopes::Missing(WRONG), Scopes::Are),
        };
    }
    let member = |name: &str| set.get(name).filter(|value| **value != Json::Null);
    match (member("scope"), member("scp")) {
        // Application permissions at Entra aren't scopes.
        (None, None) if member("tid").is_some() && member("roles").is_some() => Scopes::Missing(
            "the token has `roles`, but neither `scope` nor `scp`, like an application's own \
            token from Entra: a rule for it tests `claim roles contains`",
        ),
        (None, None) => Scopes::Missing("the token has neither `scope` nor `scp`"),
        (Some(value), None) | (None, Some(value)) => {
            scope_value(value).map_or(Scopes::Missing(WRONG), Scopes::Are)
        }
        (Some(scope), Some(scp)) => match (scope_value(scope), scope_value(scp)) {
            (Some(scope), Some(scp)) if scope.same(&scp) => Scopes::Are(scope),
            (Some(_), Some(_)) => {
                Scopes::Missing("the token's `scope` and `scp` name different scopes")
            }
            _ => Scopes::Missing(WRONG),
        },
    }
}

fn scope_value(value: &Json<'_>) -> Option<Held> {
    match value {
        Json::String(text) => Some(Held::new(words(text))),
        other => texts(other).map(Held::new),
    }
}

fn client(from: Option<&[String]>, set: &Json<'_>) -> Client {
    let found: Vec<&Json<'_>> = match from {
        Some(path) => set.at(path).into_iter().collect(),
        None => ["azp", "client_id"]
            .into_iter()
            .filter_map(|name| set.get(name))
            .collect(),
    };
    let other = ["cid", "appid"]
        .into_iter()
        .find(|name| from.is_none() && set.get(name).and_then(Json::as_str).is_some());
    let mut client = Client::Absent(other);
    for value in found.into_iter().filter(|value| *value != &Json::Null) {
        client = match (value.as_str(), client) {
            (Some(text), Client::Absent(_)) => Client::Is(text.to_owned()),
            (Some(text), Client::Is(other)) if text == other => Client::Is(other),
            _ => Client::Disagree,
        };
    }
    client
}
