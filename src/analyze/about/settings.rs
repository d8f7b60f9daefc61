//! Describes settings and forwarded headers in words.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::model::{Api, Forwarded, Issuer, KeySource, Model};
use crate::settings::{Binding, IssuerUrl, Origin, Senders, TokenKind, TokenPlace};
use crate::value::ClaimType;

use super::super::tokens::{Case, Demands, Iss};

fn quoted<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    let all: Vec<String> = texts.into_iter().map(|text| format!("`{text}`")).collect();
    if all.is_empty() {
        "none".to_owned()
    } else {
        all.join(", ")
    }
}

/// The URL of the issuer.
pub fn url(case: &Case<'_>) -> String {
    match &case.iss {
        Iss::Is(url) => format!("`{url}`"),
        Iss::Tenant {
            prefix,
            claim,
            suffix,
            ..
        } => format!("`{prefix}{{{}}}{suffix}`", claim.join(".")),
    }
}

/// The audiences that a token must have.
pub fn audiences(demands: &Demands) -> String {
    let api = match &demands.api_audience {
        Some(audiences) => quoted(audiences.iter().map(String::as_str)),
        None => "any".to_owned(),
    };
    let beside = if demands.issuer_audience.is_empty() {
        String::new()
    } else {
        format!(
            " and {}",
            quoted(demands.issuer_audience.iter().map(String::as_str))
        )
    };
    let from = match &demands.audience_from {
        Some(path) => format!(" (without `aud` from `{}`)", path.join(".")),
        None => String::new(),
    };
    format!("{api}{beside}{from}")
}

/// A kind of tokens, in the words of a policy.
pub fn kind(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Jwt => "jwt",
        TokenKind::Access => "access",
        TokenKind::Id => "id",
    }
}

/// How tokens must be bound to their sender, in the words of a policy.
pub fn senders(senders: Senders) -> String {
    let said = [("dpop", senders.dpop), ("mtls", senders.mtls)];
    quoted(said.into_iter().filter_map(|said| match said {
        (_, Binding::Undeclared) => None,
        ("dpop", Binding::Optional) => Some("sender dpop optional"),
        ("dpop", Binding::Required) => Some("sender dpop required"),
        (_, Binding::Optional) => Some("sender mtls optional"),
        (_, Binding::Required) => Some("sender mtls required"),
    }))
}

/// The algorithms of an issuer.
pub fn algorithms(issuer: &Issuer) -> String {
    let names: Vec<String> = issuer
        .algorithms
        .iter()
        .map(|algorithm| algorithm.to_string())
        .collect();
    quoted(names.iter().map(String::as_str))
}

/// The sources of an issuer's keys, or the keys of its files.
pub fn keys(issuer: &Issuer) -> Vec<String> {
    match &issuer.keys {
        KeySource::Discover => match &issuer.url {
            IssuerUrl::Exact(url) => vec![format!("what `{url}` names")],
            IssuerUrl::Tenant { .. } => vec!["what the issuer names".to_owned()],
        },
        KeySource::Urls(urls) => {
            let mut all: Vec<String> = urls.iter().map(|url| format!("those at `{url}`")).collect();
            all.sort_unstable();
            all
        }
        KeySource::TenantUrl { prefix, suffix } => {
            vec![format!("those of each tenant at `{prefix}…{suffix}`")]
        }
        KeySource::Files(set) => {
            let mut keys: Vec<String> = set
                .keys()
                .iter()
                .map(|key| format!("the key {}", key.thumbprint()))
                .collect();
            keys.sort_unstable();
            keys
        }
    }
}

/// The places where an API looks for a token.
pub fn places(api: &Api) -> String {
    let names: Vec<String> = api
        .token_places
        .iter()
        .map(|place| match place {
            TokenPlace::Authorization => "`Authorization: Bearer`".to_owned(),
            TokenPlace::Header(name) => format!("the header `{name}`"),
            TokenPlace::Cookie(name) => format!("the cookie `{name}`"),
            TokenPlace::Query(name) => format!("the query parameter `{name}`"),
            TokenPlace::Subprotocol(name) => format!("the subprotocol `{name}`"),
        })
        .collect();
    names.join(", ")
}

/// The origins that may call an API.
pub fn cors(api: &Api) -> String {
    let mut said = match &api.cors {
        None => "none".to_owned(),
        Some(cors) if cors.credentials => {
            format!("{} with credentials", origins(&cors.origins))
        }
        Some(cors) => origins(&cors.origins),
    };
    if api.preflight_public {
        said.push_str(" and every preflight");
    }
    said
}

/// Whether portcullis or the application answers preflights.
pub fn answering(api: &Api) -> &'static str {
    if api.answers_preflights() {
        "portcullis"
    } else {
        "the application"
    }
}

/// How an API reads paths.
pub fn path_options(api: &Api) -> String {
    let options: Vec<&str> = [
        (api.paths.case_insensitive, "case-insensitive"),
        (api.paths.allow_encoded_slash, "allow encoded-slash"),
        (api.paths.allow_matrix_parameters, "allow matrix-parameters"),
    ]
    .into_iter()
    .filter(|(said, _)| *said)
    .map(|(_, name)| name)
    .collect();
    if options.is_empty() {
        "strictly".to_owned()
    } else {
        quoted(options)
    }
}

/// The source of a forwarded header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The claims set.
    Payload,
    /// A claim.
    Claim {
        /// The path of the claim.
        path: Vec<String>,
        /// Whether the value is the list of member names at the path.
        keys_of: bool,
        /// The type of the claim.
        ty: ClaimType,
        /// Whether it is written as JSON.
        json: bool,
    },
    /// The issuer's tokens don't have the claim.
    Nothing,
}

/// The sources of an API's forwarded headers, for tokens of the issuer.
pub fn forwarded<'a>(model: &Model, api: &'a Api, issuer: &Issuer) -> BTreeMap<&'a str, Source> {
    api.forward
        .iter()
        .map(|forward| {
            let source = match &forward.value {
                Forwarded::Payload => Source::Payload,
                Forwarded::Claim { claims, json } => claims
                    .iter()
                    .find_map(|claim| {
                        let place = issuer
                            .claims
                            .iter()
                            .rev()
                            .find(|place| place.claim == *claim)?;
                        Some(Source::Claim {
                            path: place.path.clone(),
                            keys_of: place.keys_of,
                            ty: model.claims.get(claim.0 as usize)?.ty,
                            json: *json,
                        })
                    })
                    .unwrap_or(Source::Nothing),
            };
            (forward.header.as_str(), source)
        })
        .collect()
}

/// Adds a value to a claims set that this source would forward. Different numbers give different
/// values, as far as the type has enough.
pub fn example(source: &Source, number: u32, claims: &mut Map<String, Value>) {
    let Source::Claim {
        path, keys_of, ty, ..
    } = source
    else {
        return;
    };
    let text = format!("x{number}");
    let value = match ty {
        _ if *keys_of => json!({text: {}}),
        ClaimType::String | ClaimType::Words => json!(text),
        ClaimType::Number | ClaimType::Time => json!(number),
        ClaimType::Boolean => json!(number % 2 == 1),
        ClaimType::ListOfString => json!([text]),
        ClaimType::ListOfNumber => json!([number]),
    };
    super::super::example::put(claims, path, Some(value));
}

/// The headers that an API forwards, in words.
pub fn forwards(model: &Model, api: &Api) -> String {
    let mut said: Vec<String> = api
        .forward
        .iter()
        .map(|forward| {
            let what = match &forward.value {
                Forwarded::Payload => "the payload".to_owned(),
                Forwarded::Claim { claims, json } => {
                    let name = claims
                        .first()
                        .and_then(|claim| model.claims.get(claim.0 as usize))
                        .map_or("", |claim| claim.name.as_str());
                    format!("`{name}`{}", if *json { " as JSON" } else { "" })
                }
            };
            format!("{what} as `{}`", forward.header)
        })
        .collect();
    said.sort_unstable();
    if api.forward_no_token {
        said.push("no token".to_owned());
    }
    if said.is_empty() {
        "none".to_owned()
    } else {
        said.join(", ")
    }
}

/// Origins, in the words of a policy.
pub fn origins(origins: &[Origin]) -> String {
    let written: Vec<String> = origins
        .iter()
        .map(|origin| match origin {
            Origin::Any => "*".to_owned(),
            Origin::Exact(origin) => origin.clone(),
            Origin::Label { scheme, suffix } => format!("{scheme}*.{suffix}"),
        })
        .collect();
    if written.is_empty() {
        return "none".to_owned();
    }
    quoted(written.iter().map(String::as_str))
}
