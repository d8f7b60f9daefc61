//! The metadata of APIs as protected resources (RFC 9728), made from the policy.
//!
//! A client that is refused finds here where to get a token and for which scopes. It publishes names
//! of scopes and issuers, so only the APIs that the configuration names have it. Everything is made
//! when the policy is loaded; nothing in it comes from a request.

use std::collections::BTreeSet;
use std::fmt;

use reqwest::Url;
use serde::Serialize;

use super::config::{Config, ProtectedResource, resource_identifier};
use crate::model::{Api, Condition, ConditionKind, Model};
use crate::pattern::HostPattern;
use crate::settings::{ApiId, Audience, Binding, IssuerUrl, Senders, TokenPlace};

/// The path of the metadata, before the path of the resource (RFC 9728, section 3).
pub const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The metadata of all published APIs.
#[derive(Debug, Default)]
pub struct ResourceMetadata(Vec<Document>);

/// The metadata of one API.
#[derive(Debug)]
pub struct Document {
    api: String,
    /// The host, and the port unless it is the scheme's.
    authority: String,
    /// The path below the authority.
    path: String,
    /// The URL, for challenges (RFC 9728, section 5.1).
    url: String,
    /// The JSON document.
    pub json: String,
}

impl ResourceMetadata {
    /// The metadata of the APIs that the configuration names. Names that the policy doesn't have are
    /// left out.
    pub fn of(model: &Model, config: &Config) -> Result<ResourceMetadata, ResourceError> {
        let mut documents: Vec<Document> = Vec::new();
        for (id, api) in (0..).map(ApiId).zip(&model.apis) {
            let Some(settings) = config.resource_metadata.get(&api.name) else {
                continue;
            };
            let document = Document::of(model, id, api, settings)?;
            if let Some(other) = documents.iter().find(|other| other.url == document.url) {
                return Err(ResourceError::Same {
                    apis: [other.api.clone(), document.api],
                    url: document.url,
                });
            }
            documents.push(document);
        }
        Ok(ResourceMetadata(documents))
    }

    /// The URL of an API's metadata.
    pub fn url(&self, api: &str) -> Option<&str> {
        let mut documents = self.0.iter();
        let document = documents.find(|document| document.api == api)?;
        Some(&document.url)
    }

    /// The document that is asked for with this host, perhaps with a port, and this path.
    pub fn at(&self, host: &str, path: &str) -> Option<&Document> {
        let host = host.to_ascii_lowercase();
        let bare = host.strip_suffix(":443").unwrap_or(&host);
        self.0.iter().find(|document| {
            (document.authority == host || document.authority == bare) && document.path == path
        })
    }
}

impl Document {
    fn of(
        model: &Model,
        id: ApiId,
        api: &Api,
        settings: &ProtectedResource,
    ) -> Result<Document, ResourceError> {
        let resource = match &settings.resource {
            Some(resource) => resource.clone(),
            None => resource(api).ok_or_else(|| ResourceError::Unknown(api.name.clone()))?,
        };
        let url = resource_identifier(&resource)
            .ok_or_else(|| ResourceError::Unknown(api.name.clone()))?;
        let authority = match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (host, _) => host.unwrap_or_default().to_owned(),
        };
        // Only a slash that directly follows the host is dropped (RFC 9728, section 3.1).
        let below = if url.path() == "/" { "" } else { url.path() };
        let path = format!("{WELL_KNOWN}{below}");
        let metadata = Metadata::of(model, id, api, settings, &resource);
        Ok(Document {
            api: api.name.clone(),
            url: format!("{}://{authority}{path}", url.scheme()),
            authority,
            path,
            json: serde_json::to_string(&metadata)
                .map_err(|_| ResourceError::Unknown(api.name.clone()))?,
        })
    }
}

/// The resource identifier that the policy implies: the audience that is a URL of one of the API's
/// hosts, or else the URL of its only host.
fn resource(api: &Api) -> Option<String> {
    let audiences = match &api.audience {
        Audience::OneOf(audiences) => audiences.as_slice(),
        Audience::Any(_) => &[],
    };
    let is_own = |url: &Url| {
        let mut hosts = api.hosts.iter();
        hosts.any(|host| match (&host.pattern, url.host_str()) {
            (HostPattern::Exact(exact), Some(own)) => exact == own,
            (HostPattern::Label { .. } | HostPattern::Any, _) | (_, None) => false,
        })
    };
    let mut own = audiences
        .iter()
        .filter(|audience| resource_identifier(audience).is_some_and(|url| is_own(&url)));
    match (own.next(), own.next(), api.hosts.as_slice()) {
        (Some(audience), None, _) => Some(audience.clone()),
        (None, _, [host]) => match &host.pattern {
            HostPattern::Exact(name) => Some(format!("https://{name}")),
            HostPattern::Label { .. } | HostPattern::Any => None,
        },
        _ => None,
    }
}

/// The document (RFC 9728, section 2; RFC 9449, section 5.1, and RFC 8705, section 3.3, for the names of
/// what binds tokens).
#[derive(Serialize)]
struct Metadata<'a> {
    resource: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authorization_servers: Vec<&'a str>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    scopes_supported: BTreeSet<&'a str>,
    bearer_methods_supported: Vec<&'static str>,
    resource_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_documentation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_policy_uri: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_tos_uri: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    tls_client_certificate_bound_access_tokens: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dpop_bound_access_tokens_required: bool,
}

impl<'a> Metadata<'a> {
    fn of(
        model: &'a Model,
        id: ApiId,
        api: &'a Api,
        settings: &'a ProtectedResource,
        resource: &'a str,
    ) -> Metadata<'a> {
        let issuers: Vec<_> = api
            .issuers
            .iter()
            .filter_map(|issuer| model.issuers.get(usize::try_from(issuer.0).ok()?))
            .collect();
        let is_bound = |by: fn(&Senders) -> Binding| {
            let senders = issuers.iter().map(|issuer| api.senders.and(issuer.senders));
            !issuers.is_empty() && senders.into_iter().all(|one| by(&one) == Binding::Required)
        };
        Metadata {
            resource,
            // The tenant isn't known before there is a token.
            authorization_servers: issuers
                .iter()
                .filter_map(|issuer| match &issuer.url {
                    IssuerUrl::Exact(url) => Some(url.as_str()),
                    IssuerUrl::Tenant { .. } => None,
                })
                .collect(),
            scopes_supported: scopes(model, id, api),
            bearer_methods_supported: api.token_places.iter().filter_map(bearer_method).collect(),
            resource_name: settings.resource_name.as_deref().unwrap_or(&api.name),
            resource_documentation: settings.resource_documentation.as_deref(),
            resource_policy_uri: settings.resource_policy_uri.as_deref(),
            resource_tos_uri: settings.resource_tos_uri.as_deref(),
            tls_client_certificate_bound_access_tokens: is_bound(|senders| senders.mtls),
            dpop_bound_access_tokens_required: is_bound(|senders| senders.dpop),
        }
    }
}

/// The scopes with which some request is allowed that would be denied without them.
fn scopes<'a>(model: &'a Model, id: ApiId, api: &'a Api) -> BTreeSet<&'a str> {
    let guards = model.guards.iter().filter(|guard| guard.api == id);
    let conditions = guards.filter_map(|guard| guard.condition.as_ref());
    api.conditions()
        .chain(conditions)
        .flat_map(Condition::walk)
        .filter_map(|(condition, negated)| match &condition.kind {
            ConditionKind::Atom(atom) if !negated => Some(atom.scopes()),
            ConditionKind::Atom(_)
            | ConditionKind::And(_)
            | ConditionKind::Or(_)
            | ConditionKind::Not(_) => None,
        })
        .flatten()
        .map(String::as_str)
        .collect()
}

/// The name of a way to send a token (RFC 9728, section 2); the others have none.
fn bearer_method(place: &TokenPlace) -> Option<&'static str> {
    match place {
        TokenPlace::Authorization => Some("header"),
        TokenPlace::Query(name) if name == "access_token" => Some("query"),
        TokenPlace::Query(_)
        | TokenPlace::Header(_)
        | TokenPlace::Cookie(_)
        | TokenPlace::Subprotocol(_) => None,
    }
}

/// Why an API has no metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResourceError {
    /// The policy implies no resource identifier for this API.
    Unknown(String),
    /// Two APIs would have the same URL.
    Same {
        /// Their names.
        apis: [String; 2],
        /// The URL.
        url: String,
    },
}

impl fmt::Display for ResourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResourceError::Unknown(api) => write!(
                f,
                "the policy doesn't say which URL identifies the API `{api}`: set \
                 `resource_metadata.{api}.resource` in portcullis.yaml"
            ),
            ResourceError::Same { apis: [a, b], url } => write!(
                f,
                "the metadata of the APIs `{a}` and `{b}` would both be at {url}: set \
                 `resource_metadata.{b}.resource` in portcullis.yaml to another URL"
            ),
        }
    }
}

impl std::error::Error for ResourceError {}

#[cfg(test)]
mod tests;
