//! How to get the right token, by provider.
//!
//! The same mistake, a token for the wrong thing, is corrected with a different parameter at each
//! provider. The issuer's URL tells which provider it is.

use super::issuer::written;
use crate::engine::Issuer;
use crate::settings::TokenKind;
use crate::text::quoted;

/// The issuer of the tokens that Kubernetes keeps in Secrets, which have neither audience nor end.
const KUBERNETES_LEGACY: &str = "kubernetes/serviceaccount";

/// A provider, as far as its issuer URL tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Provider {
    Auth0,
    Entra,
    Keycloak,
    Okta,
    Cognito,
    Google,
    GitHub,
    Kubernetes,
    Other,
}

impl Provider {
    /// The provider behind an issuer URL.
    pub(super) fn of(url: &str) -> Provider {
        let rest = after_scheme(url);
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let host = host.split(':').next().unwrap_or_default();
        if url == KUBERNETES_LEGACY {
            return Provider::Kubernetes;
        }
        let below = |domain: &str| {
            host.strip_suffix(domain)
                .is_some_and(|front| front.is_empty() || front.ends_with('.'))
        };
        if below("auth0.com") {
            Provider::Auth0
        } else if [
            "login.microsoftonline.com",
            "login.microsoftonline.us",
            "login.partner.microsoftonline.cn",
            "sts.windows.net",
            "ciamlogin.com",
            "b2clogin.com",
        ]
        .into_iter()
        .any(below)
        {
            Provider::Entra
        } else if below("okta.com") || below("oktapreview.com") || below("okta-emea.com") {
            Provider::Okta
        } else if below("amazonaws.com") && host.starts_with("cognito-idp.") {
            Provider::Cognito
        } else if below("accounts.google.com") || url.ends_with(".iam.gserviceaccount.com") {
            Provider::Google
        } else if below("token.actions.githubusercontent.com") {
            Provider::GitHub
        } else if host.starts_with("kubernetes.default")
            || below("amazonaws.com") && host.starts_with("oidc.eks.")
            || below("container.googleapis.com")
        {
            Provider::Kubernetes
        } else if path.starts_with("realms/") || path.contains("/realms/") {
            Provider::Keycloak
        } else {
            Provider::Other
        }
    }
}

/// A URL without its scheme.
pub(super) fn after_scheme(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest)
}

/// What to ask the provider for, to get an access token for this audience.
pub(super) fn ask_for(issuer: Option<&Issuer>, audience: Option<&str>) -> String {
    let provider = issuer.map_or(Provider::Other, |issuer| {
        Provider::of(&written(&issuer.url))
    });
    let Some(audience) = audience else {
        return "ask the provider for an access token for this API".to_owned();
    };
    let name = quoted(audience);
    if let Some(path) = issuer.and_then(|issuer| issuer.audience_from.as_ref()) {
        let claim = quoted(&path.join("."));
        return format!("send an access token that has {name} as its {claim}, and no `aud`");
    }
    match provider {
        Provider::Auth0 => {
            format!("ask Auth0 for an access token with the parameter `audience` set to {name}")
        }
        Provider::Entra => {
            let scope = if audience.contains("://") {
                quoted(&format!("{}/.default", audience.trim_end_matches('/')))
            } else {
                quoted(&format!("api://{audience}/.default"))
            };
            format!(
                "ask Entra for an access token with the scope {scope}, or with another scope \
            of this API"
            )
        }
        Provider::Keycloak => format!(
            "in Keycloak, add an audience mapper for {name} to a client scope, and ask for an \
             access token with that scope"
        ),
        Provider::Okta => format!(
            "ask an Okta custom authorization server whose audience is {name} for an access token"
        ),
        Provider::Cognito => format!(
            "ask Cognito for an access token with the resource {name}; otherwise its access \
            tokens have no `aud` (`audience from client_id` checks the client instead)"
        ),
        Provider::Google if issuer.is_some_and(|issuer| issuer.tokens == TokenKind::Id) => {
            format!("ask Google for an ID token with the target audience {name}")
        }
        Provider::Google => format!(
            "for APIs other than its own, Google issues only ID tokens: ask for one with the \
            target \
             audience {name}, and write `tokens id` in the policy"
        ),
        Provider::GitHub => {
            format!("let the workflow ask GitHub for a token with the audience {name}")
        }
        Provider::Kubernetes => {
            format!("let the pod mount a projected service-account token with the audience {name}")
        }
        Provider::Other => format!(
            "ask the provider for an access token with the parameter `resource` (RFC 8707), or \
             with some providers `audience`, set to {name}"
        ),
    }
}
