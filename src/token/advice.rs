//! How to get the right token, by provider.
//!
//! The same mistake, a token for something else, is corrected with a different parameter at each
//! provider.

use super::issuer::written;
use super::provider::Provider;
use crate::engine::Issuer;
use crate::settings::TokenKind;
use crate::text::quoted;

/// How to request an access token for this audience from the provider.
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
