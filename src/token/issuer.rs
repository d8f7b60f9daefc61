//! Finds the issuer of a token: compares `iss` with the issuers that an API accepts.

use super::provider::{Provider, after_scheme};
use crate::engine::{Api, Fault, Issuer, Policy};
use crate::json::Json;
use crate::reason::Reason;
use crate::settings::{IssuerId, IssuerUrl, MAX_TENANT_BYTES, Tenant};
use crate::text::quoted;

/// How many accepted issuers a hint names.
const MAX_SHOWN: usize = 4;

/// The issuer of an API whose URL is exactly `iss` (RFC 7519, section 4.1.1; RFC 8725, section
/// 3.8). No two issuers have the same URL, and an exact one is preferred to one with a tenant.
pub(super) fn find<'p>(
    policy: &'p Policy,
    api: &Api,
    iss: Option<&str>,
    claims: &Json<'_>,
) -> Option<(IssuerId, &'p Issuer)> {
    let iss = iss?;
    let known = || {
        api.issuers
            .iter()
            .filter_map(|id| Some((*id, policy.issuer(*id)?)))
    };
    known()
        .find(|(_, issuer)| matches!(&issuer.url, IssuerUrl::Exact(url) if url == iss))
        .or_else(|| {
            known().find(|(_, issuer)| {
                matches!(issuer.url, IssuerUrl::Tenant { .. }) && fits(&issuer.url, iss, claims)
            })
        })
}

/// Whether tokens of an issuer can have this `iss`, with these claims.
pub(super) fn fits(url: &IssuerUrl, iss: &str, claims: &Json<'_>) -> bool {
    match url {
        IssuerUrl::Exact(url) => url == iss,
        IssuerUrl::Tenant {
            prefix,
            claim,
            suffix,
        } => tenant(iss, prefix, suffix)
            .is_some_and(|tenant| claims.at(claim).and_then(Json::as_str) == Some(tenant)),
    }
}

/// Whether [`find`] finds this issuer for an API in a token with this `iss`, after it has found it
/// in the same token for another API. The claim that names the tenant was right then.
pub(super) fn finds_again(policy: &Policy, api: &Api, iss: &str, id: IssuerId) -> bool {
    let mut first_tenant = None;
    for known in &api.issuers {
        match policy.issuer(*known).map(|issuer| &issuer.url) {
            Some(IssuerUrl::Exact(url)) if url == iss => return *known == id,
            Some(IssuerUrl::Tenant { prefix, suffix, .. })
                if tenant(iss, prefix, suffix).is_some() =>
            {
                first_tenant.get_or_insert(*known);
            }
            _ => {}
        }
    }
    first_tenant == Some(id)
}

/// The tenant whose keys must verify a token with this `iss`, if each tenant has its own. Any text
/// that isn't a valid tenant name is refused, so that nothing else gets into the URL of a key set.
pub(super) fn key_tenant(issuer: &Issuer, iss: &str) -> Result<Option<Tenant>, Fault> {
    let IssuerUrl::Tenant { prefix, suffix, .. } = &issuer.url else {
        return Ok(None);
    };
    if !issuer.has_keys_by_tenant() {
        return Ok(None);
    }
    let name = tenant(iss, prefix, suffix).unwrap_or_default();
    Tenant::parse(name).map(Some).ok_or_else(|| {
        Fault::new(
            Reason::TokenUnknownIssuer,
            format!(
                "{} has no tenant {}: a tenant's name is at most {MAX_TENANT_BYTES} letters, digits, \
                 `-`, `_`, `.` and `~`",
                issuer.name,
                quoted(name)
            ),
        )
    })
}

/// The tenant's segment of a URL.
pub(super) fn tenant<'i>(iss: &'i str, prefix: &str, suffix: &str) -> Option<&'i str> {
    iss.strip_prefix(prefix)?
        .strip_suffix(suffix)
        .filter(|tenant| !tenant.is_empty() && !tenant.contains(['/', '?', '#']))
}

/// An issuer's URL as it is written in policies.
pub(super) fn written(url: &IssuerUrl) -> String {
    match url {
        IssuerUrl::Exact(url) => url.clone(),
        IssuerUrl::Tenant {
            prefix,
            claim,
            suffix,
        } => format!("{prefix}{{{}}}{suffix}", claim.join(".")),
    }
}

/// The fault of a token whose issuer the API doesn't accept: both URLs, and how they differ.
pub(super) fn unknown(policy: &Policy, api: &Api, iss: Option<&str>, claims: &Json<'_>) -> Fault {
    let known: Vec<&Issuer> = api
        .issuers
        .iter()
        .filter_map(|id| policy.issuer(*id))
        .collect();
    let names: Vec<String> = known
        .iter()
        .take(MAX_SHOWN)
        .map(|issuer| quoted(&written(&issuer.url)))
        .collect();
    let names = names.join(", ");
    let hint = match iss {
        None => format!(
            "the token does not say who issued it (no `iss`); this API accepts tokens \
        of {names}"
        ),
        Some(iss) => known
            .iter()
            .find_map(|issuer| near(&issuer.url, iss, claims))
            .map_or_else(
                || {
                    format!(
                        "the token was issued by {}; this API accepts tokens of {names}{}",
                        quoted(iss),
                        aside(policy, iss, &known)
                    )
                },
                |difference| format!("the token's `iss` is {}; {difference}", quoted(iss)),
            ),
    };
    Fault::new(Reason::TokenUnknownIssuer, hint)
}

/// Additional advice about an issuer that isn't similar to any of the API's.
fn aside(policy: &Policy, iss: &str, known: &[&Issuer]) -> String {
    let elsewhere = policy
        .issuers()
        .iter()
        .find(|issuer| matches!(&issuer.url, IssuerUrl::Exact(url) if url == iss));
    if let Some(issuer) = elsewhere {
        return format!(" (the policy knows it as {}, for other APIs)", issuer.name);
    }
    known
        .iter()
        .find_map(|issuer| of_provider(&written(&issuer.url), iss))
        .unwrap_or_default()
        .to_owned()
}

/// Why a provider's token may have another issuer.
fn of_provider(known: &str, iss: &str) -> Option<&'static str> {
    let provider = Provider::of(known);
    if provider != Provider::of(iss) {
        return None;
    }
    Some(match provider {
        Provider::Entra => match (entra_version(known)?, entra_version(iss)?) {
            (2, 1) => {
                "; this is an Entra token of version 1: set `requestedAccessTokenVersion` to 2 in \
                 the API's app registration"
            }
            (1, 2) => {
                "; this is an Entra token of version 2, whose issuer is \
                 `https://login.microsoftonline.com/TENANT-ID/v2.0`"
            }
            _ => "; it was issued for another Entra tenant (directory)",
        },
        Provider::Keycloak if realm(known) == realm(iss) => {
            "; the realm is the same, but the client reached Keycloak under another host name: \
            set Keycloak's `hostname` (frontend URL), so that all its tokens have one `iss`"
        }
        Provider::Okta if !iss.contains("/oauth2/") => {
            "; this token comes from the organisation's own authorization server, whose tokens \
            are only for Okta's API: use a custom one (`/oauth2/default`)"
        }
        Provider::Google if iss.contains('@') => {
            "; the service account signed it itself: ask Google for an ID token instead"
        }
        Provider::Kubernetes => {
            "; it comes from another cluster, or the cluster's `--service-account-issuer` differs"
        }
        _ => return None,
    })
}

/// The version of an Entra issuer's tokens, if its URL shows it.
fn entra_version(url: &str) -> Option<u8> {
    if url.ends_with("/v2.0") {
        Some(2)
    } else {
        after_scheme(url)
            .starts_with("sts.windows.net/")
            .then_some(1)
    }
}

/// The realm of a Keycloak issuer.
fn realm(url: &str) -> Option<&str> {
    after_scheme(url)
        .split_once("/realms/")
        .map(|(_, realm)| realm)
}

/// How an accepted URL differs from a similar `iss`: a sentence that names it.
fn near(url: &IssuerUrl, iss: &str, claims: &Json<'_>) -> Option<String> {
    let shown = quoted(&written(url));
    match url {
        IssuerUrl::Exact(known) => {
            let differences = differences(known, iss)?;
            Some(differs(&shown, &differences))
        }
        IssuerUrl::Tenant {
            prefix,
            claim,
            suffix,
        } => {
            let name = quoted(&claim.join("."));
            if let Some(tenant) = tenant(iss, prefix, suffix) {
                return Some(match claims.at(claim).and_then(Json::as_str) {
                    Some(value) => format!(
                        "with {shown}, the claim {name} must be {}, but it is {}",
                        quoted(tenant),
                        quoted(value)
                    ),
                    None => format!("with {shown}, the claim {name} must be present, as a string"),
                });
            }
            let value = claims.at(claim)?.as_str()?;
            let differences = differences(&format!("{prefix}{value}{suffix}"), iss)?;
            Some(differs(&shown, &differences))
        }
    }
}

fn differs(shown: &str, differences: &str) -> String {
    format!("it differs from {shown} in {differences}, and the two must match exactly")
}

/// The difference between two URLs that look the same at first sight; `None` if they differ in
/// more.
fn differences(known: &str, iss: &str) -> Option<String> {
    let scheme = |url: &str| {
        url.split_once("://")
            .map_or("", |(scheme, _)| scheme)
            .to_lowercase()
    };
    let rest = |url: &str| {
        let rest = after_scheme(url);
        rest.strip_suffix('/').unwrap_or(rest).to_owned()
    };
    let (known_rest, iss_rest) = (rest(known), rest(iss));
    if known == iss || known_rest.to_lowercase() != iss_rest.to_lowercase() {
        return None;
    }
    let mut differences = Vec::new();
    if known.ends_with('/') != iss.ends_with('/') {
        differences.push("the trailing slash");
    }
    if scheme(known) != scheme(iss) {
        differences.push("the scheme, `http` or `https`");
    }
    if known_rest != iss_rest || differences.is_empty() {
        differences.push("upper and lower case");
    }
    Some(differences.join(" and "))
}
