//! The expected `iss`: one URL, or one for each tenant.

use std::collections::{BTreeMap, HashMap};

use crate::diagnostic::suggest::nearest;
use crate::diagnostic::{Code, Diagnostic};
use crate::model::IssuerUrl;
use crate::source::Spanned;
use crate::syntax::ast;
use crate::value::ClaimType;

use super::super::out::Out;
use super::super::registered::{REGISTERED, registered};
use super::super::terms::Terms;
use super::super::urls::{parse_fetched, parse_url};
use super::settings::Settings;
use super::shared_authority::shared_authority;
use super::{DeclaredClaim, IssuerInfo};

/// The advice if keys can't be discovered from the tokens' `iss`.
const NAME_THE_KEYS: &str = "leave `url` as tokens have it in `iss`, and name the keys: `keys url \"https://…\"`. \
     If the provider speaks plain HTTP alone, inside a cluster: a key file that a job renews (`keys file \"…\"`), a TLS \
     proxy beside portcullis at `http://localhost:…`, or `keys url \"http://…\"` and its host in \
     `keys.allow_http` of portcullis.yaml";

pub(super) fn bad_url(url: &Spanned<String>, what: &str, why: &str) -> Diagnostic {
    Diagnostic::new(
        Code::BadUrl,
        url.span,
        format!("{what} `{}`: {why}", url.node),
    )
}

/// A URL in which one whole segment is a tenant.
pub(super) struct Template<'t> {
    pub prefix: &'t str,
    pub claim: &'t str,
    pub suffix: &'t str,
}

impl<'t> Template<'t> {
    /// Parses a text as a template.
    pub fn read(text: &'t str) -> Option<Template<'t>> {
        let (prefix, rest) = text.split_once('{')?;
        let (claim, suffix) = rest.split_once('}')?;
        let whole = prefix.ends_with('/') && (suffix.is_empty() || suffix.starts_with('/'));
        (whole && !claim.is_empty() && ![prefix, claim, suffix].concat().contains(['{', '}']))
            .then_some(Template {
                prefix,
                claim,
                suffix,
            })
    }
}

pub(super) fn check_url(
    terms: Terms,
    declared: &ast::Issuer,
    settings: &Settings,
    claims: &BTreeMap<String, DeclaredClaim>,
    out: &mut Out,
) -> IssuerUrl {
    let Some(url) = &settings.url else {
        out.say(
            Diagnostic::new(
                Code::MissingUrl,
                declared.name.span,
                format!("the issuer `{}` has no `url`", declared.name.node),
            )
            .help("write `url \"…\"`: what the `iss` claim of its tokens is"),
        );
        return IssuerUrl::Exact(String::new());
    };
    let Some(text) = terms.text(url.node, "an issuer's URL", out) else {
        return IssuerUrl::Exact(String::new());
    };
    if text.node.contains(['{', '}']) {
        return check_tenant_url(&text, settings, claims, out);
    }
    let discovers = settings.discovers();
    let shared = shared_authority(&text, !discovers);
    if shared.is_none() {
        super::slash::check(&text, out);
    }
    if let Some(shared) = shared {
        out.say(shared);
    } else if discovers {
        let problem = match parse_fetched(&text.node) {
            Err(why) => Some(why),
            Ok(url) if url.path.contains('?') => Some("an issuer's URL has no query"),
            Ok(_) => None,
        };
        if let Some(why) = problem {
            out.say(bad_url(&text, "keys can't be discovered from", why).help(NAME_THE_KEYS));
        }
    } else if text
        .node
        .chars()
        .any(|c| c.is_whitespace() || c.is_control())
    {
        out.say(Diagnostic::new(
            Code::BadUrl,
            text.span,
            "an issuer's URL holds no blanks",
        ));
    }
    IssuerUrl::Exact(text.node)
}

/// `https://login.microsoftonline.com/{tid}/v2.0`
fn check_tenant_url(
    text: &Spanned<String>,
    settings: &Settings,
    claims: &BTreeMap<String, DeclaredClaim>,
    out: &mut Out,
) -> IssuerUrl {
    let bad = |message: String| {
        Diagnostic::new(Code::BadUrl, text.span, message).help(
            "one whole segment of the path may be `{claim}`, as in `https://login.example.com/{tid}/v2.0`",
        )
    };
    let parts = Template::read(&text.node);
    let Some(Template {
        prefix,
        claim,
        suffix,
    }) = parts
    else {
        out.say(bad(format!("`{}` isn't an issuer's URL", text.node)));
        return IssuerUrl::Exact(text.node.clone());
    };
    match parse_url(&format!("{prefix}x{suffix}")) {
        // If the URL ends before its path, the braces are in the host.
        Ok(_)
            if !prefix
                .split_once("://")
                .is_some_and(|(_, rest)| rest.contains('/')) =>
        {
            out.say(bad(
                "a tenant is a segment of the path, not the host".to_owned()
            ));
        }
        Ok(_) => {}
        Err(why) => out.say(bad(format!("`{}` isn't an issuer's URL: {why}", text.node))),
    }
    if settings.discovers() {
        let place = settings.keys.as_ref().map_or(text.span, |keys| keys.span);
        out.say(
            Diagnostic::new(
                Code::TenantKeys,
                place,
                "keys can't be discovered where the issuer's URL differs by tenant",
            )
            .also(text.span, "the tenant's segment is here")
            .help(format!(
                "write `keys url \"…\"`: one key set for all tenants, or one for each, with `{{{claim}}}` \
                 in its path"
            )),
        );
    }
    let path = match (claims.get(claim), registered(claim)) {
        (Some(declared), _) if declared.ty == ClaimType::String && !declared.keys_of => {
            declared.path.clone()
        }
        (Some(declared), _) => {
            out.say(
                Diagnostic::new(
                    Code::TypeMismatch,
                    text.span,
                    format!("a tenant is a string, and `{claim}` is a `{}`", declared.ty),
                )
                .also(declared.span, "declared here"),
            );
            declared.path.clone()
        }
        (None, Some(ClaimType::String)) => vec![claim.to_owned()],
        (None, _) => {
            let candidates = claims
                .keys()
                .map(String::as_str)
                .chain(REGISTERED.iter().map(|(name, _)| *name));
            let mut diagnostic = Diagnostic::new(
                Code::UnknownClaim,
                text.span,
                format!("unknown claim `{claim}` in the issuer's URL"),
            );
            diagnostic = match nearest(claim, candidates) {
                Some(near) => {
                    let (wrong, right) = (format!("{{{claim}}}"), format!("{{{near}}}"));
                    let url = text.node.replace(&wrong, &right);
                    diagnostic
                        .help(format!("did you mean `{near}`?"))
                        .suggest(text.span, format!("\"{url}\""))
                }
                None => diagnostic.help(format!("declare it: `claims {{ {claim} string }}`")),
            };
            out.say(diagnostic);
            vec![claim.to_owned()]
        }
    };
    IssuerUrl::Tenant {
        prefix: prefix.to_owned(),
        claim: path,
        suffix: suffix.to_owned(),
    }
}

/// Reports issuers with the same URL, since a token could belong to either.
pub(in crate::check) fn check_urls_differ(issuers: &[IssuerInfo], out: &mut Out) {
    let mut by_url: HashMap<(&str, &str), &IssuerInfo> = HashMap::new();
    for issuer in issuers {
        let key = match &issuer.url {
            IssuerUrl::Exact(url) if url.is_empty() => continue,
            IssuerUrl::Exact(url) => (url.as_str(), ""),
            IssuerUrl::Tenant { prefix, suffix, .. } => (prefix.as_str(), suffix.as_str()),
        };
        // An exact URL has no suffix. It could equal the prefix of a template, so the kinds are
        // compared too.
        if let Some(first) = by_url.get(&key)
            && std::mem::discriminant(&first.url) == std::mem::discriminant(&issuer.url)
        {
            let (earlier, later) = if (first.url_span.file, first.url_span.start)
                < (issuer.url_span.file, issuer.url_span.start)
            {
                (*first, issuer)
            } else {
                (issuer, *first)
            };
            out.say(
                Diagnostic::new(
                    Code::DoubledUrl,
                    later.url_span,
                    format!("`{}` and `{}` have one URL", first.name, issuer.name),
                )
                .label(format!("the URL of `{}`", later.name))
                .also(earlier.url_span, format!("the URL of `{}`", earlier.name))
                .help(
                    "declare it once: an API names the issuer that it trusts by its name. Where two \
                     providers have the same `iss`, as clusters of Kubernetes do, name the keys of both: \
                     `keys url \"…\", \"…\"`",
                ),
            );
        } else {
            by_url.insert(key, issuer);
        }
    }
}

/// Whether a token's `iss` can match both.
pub(in crate::check) fn urls_overlap(a: &IssuerUrl, b: &IssuerUrl) -> bool {
    let matches = |url: &str, prefix: &str, suffix: &str| {
        url.strip_prefix(prefix)
            .and_then(|rest| rest.strip_suffix(suffix))
            .is_some_and(|tenant| !tenant.is_empty() && !tenant.contains('/'))
    };
    match (a, b) {
        (IssuerUrl::Exact(a), IssuerUrl::Exact(b)) => a == b,
        (IssuerUrl::Exact(url), IssuerUrl::Tenant { prefix, suffix, .. })
        | (IssuerUrl::Tenant { prefix, suffix, .. }, IssuerUrl::Exact(url)) => {
            matches(url, prefix, suffix)
        }
        (
            IssuerUrl::Tenant { prefix, suffix, .. },
            IssuerUrl::Tenant {
                prefix: other_prefix,
                suffix: other_suffix,
                ..
            },
        ) => {
            // Each tenant is one whole segment. The templates overlap if each segment of one
            // matches the other's.
            let segments = |prefix: &str, suffix: &str| -> Vec<Option<String>> {
                format!("{prefix}\u{0}{suffix}")
                    .split('/')
                    .map(|segment| (segment != "\u{0}").then(|| segment.to_owned()))
                    .collect()
            };
            let (a, b) = (
                segments(prefix, suffix),
                segments(other_prefix, other_suffix),
            );
            a.len() == b.len()
                && a.iter()
                    .zip(&b)
                    .all(|(a, b)| a.is_none() || b.is_none() || a == b)
        }
    }
}
