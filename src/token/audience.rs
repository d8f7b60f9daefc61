//! Checks the audience of a token.

use super::advice;
use super::issuer::written;
use super::provider::Provider;
use crate::engine::{Api, Fault, Issuer, Policy};
use crate::json::Json;
use crate::reason::Reason;
use crate::settings::Audience;
use crate::text::quoted;

/// How many audiences of each side a hint names.
const MAX_SHOWN: usize = 4;

/// Microsoft Graph, as an audience.
const GRAPH: [&str; 4] = [
    "00000003-0000-0000-c000-000000000000",
    "https://graph.microsoft.com",
    "https://graph.microsoft.us",
    "https://microsoftgraph.chinacloudapi.cn",
];

/// The audiences of a token: `aud` or, if there is none, the claim that the issuer uses instead.
///
/// If a token has an `aud`, its other claims don't matter.
pub(super) fn of_token(
    registered: &[&str],
    claims: &Json<'_>,
    from: Option<&[String]>,
) -> Vec<String> {
    let owned = |audiences: &[&str]| audiences.iter().map(|text| (*text).to_owned()).collect();
    if !registered.is_empty() || claims.get("aud").is_some() {
        return owned(registered);
    }
    match from.and_then(|path| claims.at(path)) {
        Some(Json::String(audience)) => vec![audience.clone().into_owned()],
        // With an element that isn't a string, the list isn't a list of audiences.
        Some(Json::Array(audiences)) => audiences
            .iter()
            .map(|audience| audience.as_str().map(str::to_owned))
            .collect::<Option<_>>()
            .unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// The audience that a client should request: the API's first, otherwise the issuer's.
pub(super) fn wanted<'p>(api: &'p Api, issuer: Option<&'p Issuer>) -> Option<&'p str> {
    let own = match &api.audience {
        Audience::OneOf(audiences) => audiences.first(),
        Audience::Any(_) => None,
    };
    own.or_else(|| issuer?.audience.first()).map(String::as_str)
}

/// A token must have one of the API's audiences, and one of those that its issuer requires in
/// addition (RFC 7519, section 4.1.3; RFC 8725, section 3.9).
pub(super) fn check(audiences: &[String], api: &Api, issuer: &Issuer) -> Result<(), Fault> {
    let holds_one_of =
        |wanted: &[String]| audiences.iter().any(|audience| wanted.contains(audience));
    if let Audience::OneOf(wanted) = &api.audience
        && !holds_one_of(wanted)
    {
        return Err(wrong(audiences, wanted, issuer, "this API expects"));
    }
    if !issuer.audience.is_empty() && !holds_one_of(&issuer.audience) {
        let owner = format!("for tokens of {}, the policy expects", issuer.name);
        return Err(wrong(audiences, &issuer.audience, issuer, &owner));
    }
    Ok(())
}

fn wrong(audiences: &[String], wanted: &[String], issuer: &Issuer, owner: &str) -> Fault {
    let url = written(&issuer.url);
    let is = match (audiences, &issuer.audience_from) {
        ([], None) => "the token has no audience (`aud`)".to_owned(),
        ([], Some(path)) => format!(
            "the token has no audience (neither `aud` nor {})",
            quoted(&path.join("."))
        ),
        (audiences, _) => format!("the token is for {}", list(audiences)),
    };
    let must = match wanted {
        [] => "the policy names no audience".to_owned(),
        wanted => format!("{owner} {}", list(wanted)),
    };
    let ask = || advice::ask_for(Some(issuer), wanted.first().map(String::as_str));
    let hint = if let Some(service) = providers_own(audiences, &url) {
        format!("{is}, which is {service}; {must}; {}", ask())
    } else if differ_by_a_slash(audiences, wanted) {
        format!("{is}; {must}: they differ only in the trailing slash, and must match exactly")
    } else if Provider::of(&url) == Provider::Entra && differ_by_the_scheme(audiences, wanted) {
        format!(
            "{is}; {must}: Entra writes the bare client ID into tokens of version 2, and `api://` \
             into those of version 1"
        )
    } else {
        format!("{is}; {must}; {}", ask())
    };
    Fault::new(Reason::TokenWrongAudience, hint)
}

fn list(audiences: &[String]) -> String {
    let mut shown: Vec<String> = audiences
        .iter()
        .take(MAX_SHOWN)
        .map(|text| quoted(text))
        .collect();
    if audiences.len() > MAX_SHOWN {
        shown.push(format!("{} more", audiences.len() - MAX_SHOWN));
    }
    shown.join(", ")
}

/// The fault of a token for Microsoft Graph, at an API that accepts Entra's tokens. It always has
/// version 1, whatever the API's tokens have, and only Graph can verify it.
pub(super) fn for_graph(
    policy: &Policy,
    api: &Api,
    iss: Option<&str>,
    audiences: &[&str],
) -> Option<Fault> {
    let graph = |audience: &&str| GRAPH.contains(&audience.trim_end_matches('/'));
    if audiences.is_empty() || !audiences.iter().all(graph) || Provider::of(iss?) != Provider::Entra
    {
        return None;
    }
    let issuer = api
        .issuers
        .iter()
        .filter_map(|id| policy.issuer(*id))
        .find(|issuer| Provider::of(&written(&issuer.url)) == Provider::Entra)?;
    let audiences: Vec<String> = audiences.iter().map(|text| (*text).to_owned()).collect();
    check(&audiences, api, issuer).err()
}

/// The provider's own service that a token is for, if it is for nothing else.
fn providers_own(audiences: &[String], issuer_url: &str) -> Option<&'static str> {
    let provider = Provider::of(issuer_url);
    let service = |audience: &String| {
        if GRAPH.contains(&audience.trim_end_matches('/')) {
            return Some("Microsoft Graph; only Graph can verify such a token");
        }
        match provider {
            Provider::Auth0 if audience.ends_with("/userinfo") => {
                Some("Auth0's own userinfo endpoint")
            }
            Provider::Auth0 if audience.ends_with("/api/v2/") => Some("Auth0's own management API"),
            Provider::Keycloak if audience == "account" => Some("Keycloak's own account service"),
            Provider::Okta if audience.contains("://") && issuer_url.starts_with(audience) => {
                Some("Okta's own API; only Okta can verify such a token")
            }
            Provider::Kubernetes if Provider::of(audience) == Provider::Kubernetes => {
                Some("the cluster's own API server")
            }
            _ => None,
        }
    };
    let services: Option<Vec<&str>> = audiences.iter().map(service).collect();
    services?.first().copied()
}

/// Compares the Application ID URI of an API at Entra with its client ID.
fn differ_by_the_scheme(audiences: &[String], wanted: &[String]) -> bool {
    fn bare(audience: &str) -> &str {
        audience.strip_prefix("api://").unwrap_or(audience)
    }
    audiences
        .iter()
        .any(|audience| wanted.iter().any(|wanted| bare(wanted) == bare(audience)))
}

fn differ_by_a_slash(audiences: &[String], wanted: &[String]) -> bool {
    audiences.iter().any(|audience| {
        wanted
            .iter()
            .any(|wanted| wanted.trim_end_matches('/') == audience.trim_end_matches('/'))
    })
}
