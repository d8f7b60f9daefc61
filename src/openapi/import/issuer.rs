//! Finds the issuer of the tokens, as far as a document shows it.

use std::collections::BTreeSet;

use super::super::document::{Document, Scheme, SchemeKind, Security};
use super::ImportOptions;
use crate::check::parse_url;

/// The issuer of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Issuer {
    pub name: String,
    pub url: String,
    /// The comments above it.
    pub comments: Vec<String>,
    /// A note for the user, if it is a guess.
    pub note: Option<String>,
}

/// The placeholder for an unknown issuer: no such host can exist (RFC 2606, section 2).
const NOBODY: &str = "https://issuer.invalid/";

/// The suffix that OpenID Connect Discovery adds to an issuer (section 4).
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// How certain a URL is.
enum Known {
    /// It is the issuer's, except perhaps for a slash at its end.
    Surely(String),
    /// It is on the issuer's host.
    HostOnly(String),
}

impl Issuer {
    /// The issuer given by the user or the document.
    pub fn of(document: &Document, options: &ImportOptions, name: String) -> Issuer {
        if let Some(url) = &options.issuer {
            return Issuer {
                name,
                url: url.clone(),
                comments: Vec::new(),
                note: None,
            };
        }
        let schemes = used(document);
        let known: Vec<Known> = schemes
            .iter()
            .flat_map(|scheme| scheme.urls.iter().filter_map(|url| known(scheme.kind, url)))
            .collect();
        let surely = known.iter().find_map(|known| match known {
            Known::Surely(url) => Some(url),
            Known::HostOnly(_) => None,
        });
        let host_only = known.iter().find_map(|known| match known {
            Known::Surely(_) => None,
            Known::HostOnly(url) => Some(url),
        });
        let (url, comment, note) = match (surely, host_only) {
            (Some(url), _) => (
                url.clone(),
                "From the document. It must equal the `iss` of the tokens exactly, including a \
                trailing slash.",
                None,
            ),
            (None, Some(url)) => (
                url.clone(),
                "A guess: the document says where to get tokens, not who issues them. Write the \
                `iss` of the tokens here.",
                Some(format!(
                    "the issuer is a guess, `{url}`: write the `iss` of the tokens there"
                )),
            ),
            (None, None) => (
                NOBODY.to_owned(),
                "The document does not name the issuer. Write the `iss` of the tokens here.",
                Some(
                    "the document does not name the issuer: write the `iss` of the tokens there"
                        .to_owned(),
                ),
            ),
        };
        let mut comments = vec![comment.to_owned()];
        let urls: BTreeSet<&String> = known
            .iter()
            .filter_map(|known| match known {
                Known::Surely(other) => Some(other).filter(|other| **other != url),
                Known::HostOnly(_) => None,
            })
            .collect();
        comments.extend(
            urls.into_iter()
                .map(|other| format!("The document also names {}.", crate::text::quoted(other))),
        );
        Issuer {
            name,
            url,
            comments,
            note,
        }
    }
}

/// The schemes that operations require, with those that have a discovery document first.
fn used(document: &Document) -> Vec<&Scheme> {
    let says_token = document.operations.iter().any(|operation| {
        matches!(&operation.security, Security::Alternatives { any_of, .. }
            if any_of.iter().any(|alternative| alternative.token))
    });
    let mut schemes: Vec<&Scheme> = document
        .schemes
        .values()
        .filter(|scheme| says_token && scheme.kind != SchemeKind::Elsewhere)
        .collect();
    schemes.sort_by_key(|scheme| scheme.kind != SchemeKind::OpenIdConnect);
    schemes
}

/// What a URL of a scheme shows about the issuer.
fn known(kind: SchemeKind, url: &str) -> Option<Known> {
    let parsed = parse_url(url).ok().filter(|url| url.scheme == "https")?;
    if kind == SchemeKind::OpenIdConnect {
        let issuer = url.strip_suffix(DISCOVERY)?;
        return Some(Known::Surely(with_slash(parsed.host, issuer)));
    }
    let origin_end = url.len() - parsed.path.len();
    let origin = url.get(..origin_end)?;
    let segments: Vec<&str> = parsed
        .path
        .split(['?', '#'])
        .next()
        .unwrap_or_default()
        .split('/')
        .skip(1)
        .collect();
    // URLs of providers that contain the issuer.
    Some(match segments.as_slice() {
        ["realms", realm, "protocol", "openid-connect", ..] => {
            Known::Surely(format!("{origin}/realms/{realm}"))
        }
        ["auth", "realms", realm, "protocol", "openid-connect", ..] => {
            Known::Surely(format!("{origin}/auth/realms/{realm}"))
        }
        [tenant, "oauth2", "v2.0", ..]
            if parsed.host == "login.microsoftonline.com" && is_uuid(tenant) =>
        {
            Known::Surely(format!("{origin}/{tenant}/v2.0"))
        }
        ["oauth2", server, "v1", _] => Known::Surely(format!("{origin}/oauth2/{server}")),
        _ if is_auth0(parsed.host) => Known::Surely(format!("{origin}/")),
        _ => Known::HostOnly(format!("{origin}/")),
    })
}

fn is_auth0(host: &str) -> bool {
    host.ends_with(".auth0.com")
}

/// Auth0's issuers end in a slash, which their discovery URL doesn't show.
fn with_slash(host: &str, issuer: &str) -> String {
    if is_auth0(host) && !issuer.ends_with('/') {
        format!("{issuer}/")
    } else {
        issuer.to_owned()
    }
}

/// Whether a tenant is a real one, and not `common` or the like, which no token has.
fn is_uuid(text: &str) -> bool {
    text.len() == 36 && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}
