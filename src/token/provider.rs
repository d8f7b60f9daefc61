//! Recognises the provider of an issuer by its URL.

/// The issuer of the tokens that Kubernetes stores in Secrets, which have neither an audience nor
/// an expiry.
const KUBERNETES_LEGACY: &str = "kubernetes/serviceaccount";

/// A provider, as its issuer URL shows.
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
