//! Issuers: who may sign tokens, how, and where their tokens have the claims that rules read.

mod key_urls;
mod keys;
mod settings;
mod shared_authority;
mod slash;
mod url;

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{ClaimId, Issuer, IssuerClaim, IssuerUrl, KeySource, TokenKind};
use crate::source::Span;
use crate::syntax::ast;
use crate::value::ClaimType;

use super::Input;
use super::limits::{MAX_CLAIM_PATH, MAX_LEEWAY};
use super::out::Out;
use super::registered::{LOGIN, claim_type, refuse_checked, registered};
use super::terms::Terms;
use key_urls::Owner;
use keys::{check_algorithms, check_introspect, check_keys, check_keys_fit};
use settings::Settings;
use url::check_url;

pub(super) use url::{check_urls_differ, urls_overlap};

/// The default leeway in seconds; most libraries use the same.
const DEFAULT_LEEWAY: u64 = 60;

/// A claim that an issuer declares.
#[derive(Debug, Clone)]
pub(super) struct DeclaredClaim {
    pub span: Span,
    pub ty: ClaimType,
    pub path: Vec<String>,
    pub keys_of: bool,
}

/// An issuer, as the other checks see it.
pub(super) struct IssuerInfo {
    pub name: String,
    pub url: IssuerUrl,
    pub url_span: Span,
    /// The place of `tokens id`, if there is one.
    pub wants_id_tokens: Option<Span>,
    /// The place of `keys introspect`, if there is one.
    pub introspects: Option<Span>,
    /// The place of `sender dpop`, if there is one.
    pub dpop_span: Option<Span>,
    pub claims: BTreeMap<String, DeclaredClaim>,
    /// The issuer without its claims, which are numbered once all issuers are known.
    model: Issuer,
}

impl IssuerInfo {
    /// The place and type of a claim in this issuer's tokens.
    pub fn claim(&self, name: &str) -> Option<DeclaredClaim> {
        self.claims.get(name).cloned().or_else(|| {
            registered(name).map(|ty| DeclaredClaim {
                span: self.url_span,
                ty,
                path: vec![name.to_owned()],
                keys_of: false,
            })
        })
    }

    /// The issuer for the model.
    pub fn into_model(self, ids: &BTreeMap<(String, ClaimType), ClaimId>) -> Issuer {
        let mut issuer = self.model;
        for ((name, ty), id) in ids {
            let (path, keys_of) = match self.claims.get(name) {
                Some(claim) if claim.ty == *ty => (claim.path.clone(), claim.keys_of),
                // The time of the login is a time, even if the policy declares it as a number.
                Some(claim) if (name.as_str(), *ty) == LOGIN && claim.ty == ClaimType::Number => {
                    (claim.path.clone(), claim.keys_of)
                }
                None if registered(name) == Some(*ty) => (vec![name.clone()], false),
                _ => continue,
            };
            issuer.claims.push(IssuerClaim {
                claim: *id,
                path,
                keys_of,
            });
        }
        issuer
    }
}

/// Checks one issuer and reports its errors. The result is usable even then, so that the rules that
/// use the issuer are checked too.
pub(super) fn check(
    input: &Input,
    terms: Terms,
    declared: &ast::Issuer,
    out: &mut Out,
) -> IssuerInfo {
    let settings = Settings::sort(declared, out);
    let claims = settings
        .claims
        .as_ref()
        .map(|claims| check_claims(claims.node, out))
        .unwrap_or_default();
    let url_span = settings
        .url
        .as_ref()
        .map_or(declared.name.span, |url| url.node.span());
    let url = check_url(terms, declared, &settings, &claims, out);
    let owner = Owner {
        name: &declared.name.node,
        url: &url,
        url_span,
        claims: &claims,
    };
    let (keys, key_files) = check_keys(input, terms, &owner, settings.keys.as_ref(), out);
    let algorithms = check_algorithms(settings.algorithms.as_ref(), key_files.is_some(), out);
    if let (Some(span), KeySource::Files(set)) = (key_files, &keys) {
        check_keys_fit(span, set, &algorithms, out);
    }
    let tokens = settings.tokens.as_ref();
    let wants_id_tokens = tokens
        .filter(|tokens| tokens.node == TokenKind::Id)
        .map(|tokens| tokens.span);
    if let Some(span) = wants_id_tokens {
        out.say(
            Diagnostic::new(
                Code::IdTokens,
                span,
                format!("`{}` is asked for ID tokens", declared.name.node),
            )
            .help(
                "an ID token tells a client who logged in; an API is better asked with access tokens",
            ),
        );
    }
    let introspect = settings
        .introspect
        .as_ref()
        .and_then(|setting| check_introspect(terms, setting, wants_id_tokens, out));
    let model = Issuer {
        span: declared.span,
        name: declared.name.node.clone(),
        url: url.clone(),
        keys,
        introspect,
        algorithms,
        built_in: false,
        leeway: settings
            .leeway
            .and_then(|leeway| check_leeway(terms, leeway.node, out))
            .unwrap_or(DEFAULT_LEEWAY),
        max_age: settings
            .max_age
            .and_then(|age| check_max_age(terms, age.node, out)),
        tokens: tokens.map_or(TokenKind::Jwt, |tokens| tokens.node),
        scopes_from: settings.scopes_from.map(|path| members(path.node, out)),
        client_from: settings.client_from.map(|path| members(path.node, out)),
        audience_from: settings.audience_from.map(|path| members(path.node, out)),
        audience: settings
            .audience
            .map(|audience| terms.texts(audience.node, "an audience", out))
            .unwrap_or_default()
            .into_iter()
            .map(|audience| audience.node)
            .collect(),
        senders: settings.sender.senders(),
        claims: Vec::new(),
    };
    IssuerInfo {
        name: declared.name.node.clone(),
        url,
        url_span,
        wants_id_tokens,
        introspects: settings.introspect.map(|setting| setting.span),
        dpop_span: settings.sender.dpop_span(),
        claims,
        model,
    }
}

/// The member names of a path.
fn members(path: &ast::ClaimPath, out: &mut Out) -> Vec<String> {
    if path.members.len() > MAX_CLAIM_PATH {
        out.say(Diagnostic::new(
            Code::TooLarge,
            path.span,
            format!("a claim is at most {MAX_CLAIM_PATH} members deep"),
        ));
    }
    path.members
        .iter()
        .map(|member| member.node.clone())
        .collect()
}

fn check_claims(
    declarations: &[ast::ClaimDeclaration],
    out: &mut Out,
) -> BTreeMap<String, DeclaredClaim> {
    let mut claims: BTreeMap<String, DeclaredClaim> = BTreeMap::new();
    for declaration in declarations {
        let name = &declaration.name;
        if refuse_checked(name, out) {
            continue;
        }
        let Some(ty) = claim_type(declaration.ty.node) else {
            out.say(
                Diagnostic::new(
                    Code::ClaimDeclaration,
                    declaration.ty.span,
                    "a claim can't be of this type",
                )
                .help(
                    "a claim is `string`, `number`, `boolean`, `time`, `list of string`, \
                     `list of number` or `words`",
                ),
            );
            continue;
        };
        if declaration.keys_of && ty != ClaimType::ListOfString {
            out.say(
                Diagnostic::new(
                    Code::ClaimDeclaration,
                    declaration.ty.span,
                    "the member names of an object are a `list of string`",
                )
                .also(declaration.span, "`keys of` takes an object's member names"),
            );
        }
        let path = match &declaration.from {
            Some(path) => members(path, out),
            None => vec![name.node.clone()],
        };
        let claim = DeclaredClaim {
            span: declaration.span,
            ty,
            path,
            keys_of: declaration.keys_of,
        };
        if let Some(first) = claims.get(&name.node) {
            out.say(
                Diagnostic::new(
                    Code::DoubledClaim,
                    declaration.span,
                    format!("the claim `{}` is declared twice", name.node),
                )
                .also(first.span, "first declared here"),
            );
        } else {
            claims.insert(name.node.clone(), claim);
        }
    }
    claims
}

fn check_leeway(terms: Terms, term: &ast::Term, out: &mut Out) -> Option<u64> {
    let seconds = terms.duration(term, "a leeway", out)?;
    if seconds > MAX_LEEWAY {
        out.say(
            Diagnostic::new(
                Code::BadBound,
                term.span(),
                format!("a leeway is at most {MAX_LEEWAY} seconds"),
            )
            .help(
                "leeway is for clocks that differ by seconds or a minute; it extends the \
            lifetime of every token",
            ),
        );
        return None;
    }
    Some(seconds)
}

fn check_max_age(terms: Terms, term: &ast::Term, out: &mut Out) -> Option<u64> {
    let seconds = terms.duration(term, "an age", out)?;
    if seconds == 0 {
        out.say(Diagnostic::new(
            Code::BadBound,
            term.span(),
            "no token is younger than `0s`",
        ));
        return None;
    }
    Some(seconds)
}
