//! `keys url "…"`: one key set, several, or one for each tenant.

use std::collections::BTreeMap;

use crate::check::limits::MAX_KEY_URLS;
use crate::check::out::Out;
use crate::check::registered::registered;
use crate::check::terms::Terms;
use crate::check::urls::{Url, parse_key_url};
use crate::diagnostic::{Code, Diagnostic};
use crate::model::{IssuerUrl, KeySource};
use crate::source::{Span, Spanned};
use crate::syntax::ast;

use super::DeclaredClaim;
use super::url::{Template, bad_url};

/// The issuer that has the key sets.
pub(super) struct Owner<'a> {
    pub name: &'a str,
    pub url: &'a IssuerUrl,
    pub url_span: Span,
    pub claims: &'a BTreeMap<String, DeclaredClaim>,
}

/// Checks the URLs of an issuer's key sets.
pub(super) fn check_key_urls(
    terms: Terms,
    owner: &Owner<'_>,
    urls: &[ast::Term],
    out: &mut Out,
) -> KeySource {
    if let Some(too_many) = urls.get(MAX_KEY_URLS) {
        out.say(Diagnostic::new(
            Code::TooLarge,
            too_many.span(),
            format!("an issuer's keys are fetched from at most {MAX_KEY_URLS} URLs"),
        ));
    }
    let urls = terms.texts(urls, "the URL of a key set", out);
    let mut source = None;
    for url in &urls {
        if url.node.contains(['{', '}']) {
            source = source.or(tenant_url(owner, url, urls.len() > 1, out));
        } else {
            check_one(owner, url, &url.node, out);
        }
    }
    source.unwrap_or_else(|| KeySource::Urls(urls.into_iter().map(|url| url.node).collect()))
}

/// Checks one URL. `url` is the whole of it, or an example.
fn check_one(owner: &Owner<'_>, written: &Spanned<String>, url: &str, out: &mut Out) {
    match parse_key_url(url) {
        Err(why) => out.say(
            bad_url(written, "keys can't be fetched from", why)
                .help("write an `https://` URL, or `http://` for this machine alone"),
        ),
        Ok(parsed) if parsed.is_plain() => out.say(over_plain_http(owner, written, &parsed)),
        Ok(_) => {}
    }
}

fn over_plain_http(owner: &Owner<'_>, url: &Spanned<String>, parsed: &Url<'_>) -> Diagnostic {
    Diagnostic::new(
        Code::PlainHttpKeys,
        url.span,
        format!(
            "the keys of `{}` are fetched over plain HTTP: anyone on the network path can replace \
            the provider's keys with their own",
            owner.name
        ),
    )
    .help(format!(
        "the daemon refuses this policy unless `keys.allow_http` in portcullis.yaml names \
         `{}`; safer are a key file that a job renews (`keys file \"…\"`), and a TLS proxy beside \
         portcullis, at `http://localhost:…`",
        parsed.host
    ))
}

/// `https://sso.example.com/realms/{realm}/protocol/openid-connect/certs`
fn tenant_url(
    owner: &Owner<'_>,
    url: &Spanned<String>,
    one_of_several: bool,
    out: &mut Out,
) -> Option<KeySource> {
    let mut say = |message: String, help: String| {
        out.say(
            Diagnostic::new(Code::TenantKeyUrl, url.span, message)
                .also(owner.url_span, "the issuer's URL is here")
                .help(help),
        );
    };
    let Some(Template {
        prefix,
        claim,
        suffix,
    }) = Template::read(&url.node)
    else {
        say(
            format!("`{}` is not the URL of key sets by tenant", url.node),
            "one whole segment of the path may be the tenant, as in \
             `https://sso.example.com/realms/{realm}/protocol/openid-connect/certs`"
                .to_owned(),
        );
        return None;
    };
    if !prefix
        .split_once("://")
        .is_some_and(|(_, rest)| rest.contains('/'))
    {
        say(
            "a token can't choose the host that keys are fetched from".to_owned(),
            "name the host in full; the tenant is a segment of the path".to_owned(),
        );
        return None;
    }
    if prefix.contains('?') {
        say(
            "the tenant is in the query of the URL".to_owned(),
            "the tenant is a segment of the path".to_owned(),
        );
        return None;
    }
    let path = match owner.claims.get(claim) {
        Some(declared) => declared.path.clone(),
        None => vec![claim.to_owned()],
    };
    match owner.url {
        IssuerUrl::Tenant { claim: of_url, .. } if *of_url == path => {}
        IssuerUrl::Tenant { claim: of_url, .. } => {
            let of_url = owner
                .claims
                .iter()
                .find(|(_, declared)| declared.path == *of_url)
                .map_or_else(|| of_url.join("."), |(name, _)| name.clone());
            say(
                format!("the issuer's URL tells tenants apart by `{of_url}`, not by `{claim}`"),
                format!("write `{{{of_url}}}` here too: a token's `iss` tells whose keys it needs"),
            );
            return None;
        }
        // The error was reported already.
        IssuerUrl::Exact(exact) if exact.is_empty() || exact.contains('{') => return None,
        IssuerUrl::Exact(_) => {
            let declare = if owner.claims.contains_key(claim) || registered(claim).is_some() {
                String::new()
            } else {
                format!(", and declare the claim: `claims {{ {claim} string }}`")
            };
            say(
                format!(
                    "no token says which `{{{claim}}}` it belongs to: the issuer's URL doesn't \
                    contain it"
                ),
                format!(
                    "write `{{{claim}}}` in the issuer's `url` where tokens have the tenant in \
                     `iss`{declare}; for one tenant, write its name here"
                ),
            );
            return None;
        }
    }
    if one_of_several {
        say(
            "key sets by tenant can't be combined with others".to_owned(),
            "name one URL, or declare an issuer for each".to_owned(),
        );
        return None;
    }
    check_one(owner, url, &format!("{prefix}x{suffix}"), out);
    Some(KeySource::TenantUrl {
        prefix: prefix.to_owned(),
        suffix: suffix.to_owned(),
    })
}
