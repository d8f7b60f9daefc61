//! Issuers of well-known providers with a missing or superfluous trailing slash.
//!
//! `iss` is compared exactly, so with a wrong slash every token is denied. If the host belongs to a
//! known provider, `check` can tell this before the first denial.

use crate::diagnostic::{Code, Diagnostic};
use crate::source::Spanned;

use super::super::out::Out;
use super::super::urls::parse_url;

/// Hosts (a leading dot means subdomains), and whether their issuers end in a slash.
const PROVIDERS: &[(&str, &str, bool)] = &[
    (".auth0.com", "Auth0", true),
    ("sts.windows.net", "Entra ID (v1 tokens)", true),
    ("login.microsoftonline.com", "Entra ID (v2 tokens)", false),
    ("accounts.google.com", "Google", false),
    (".okta.com", "Okta", false),
    (".amazonaws.com", "Cognito", false),
];

pub(super) fn check(url: &Spanned<String>, out: &mut Out) {
    let Ok(parsed) = parse_url(&url.node) else {
        return;
    };
    let host = parsed.host;
    let Some((_, provider, ends_in_slash)) = PROVIDERS.iter().find(|(name, ..)| {
        if name.starts_with('.') {
            host.ends_with(name)
        } else {
            host == *name
        }
    }) else {
        return;
    };
    let bare = url.node.trim_end_matches('/');
    let (right, what) = if *ends_in_slash {
        (format!("{bare}/"), "ends in a slash")
    } else {
        (bare.to_owned(), "does not end in a slash")
    };
    if right != url.node {
        out.say(
            Diagnostic::new(
                Code::IssuerSlash,
                url.span,
                format!("the `iss` of tokens from {provider} {what}"),
            )
            .help(format!("`iss` is compared exactly: write `\"{right}\"`"))
            .suggest(url.span, format!("\"{right}\"")),
        );
    }
}
