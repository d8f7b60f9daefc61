//! The settings of APIs. Routes are checked in other files.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{self, ApiId, Audience, Host, IssuerId, IssuerUrl, PathOptions, TokenPlace};
use crate::pattern::HostPattern;
use crate::source::{Span, Spanned};
use crate::syntax::ast::{self, ApiSetting};

use super::claims::ClaimsOf;
use super::context::{ApiInfo, Env};
use super::issuers::urls_overlap;
use super::limits::MAX_ISSUERS_OF_API;
use super::names::Kind;
use super::operands::bad_scope;
use super::out::{Out, once};
use super::sender::{self, SenderSettings};
use super::token_places::{self, TokenIn};
use super::urls::is_scope;
use super::{forward, hosts, origins};

/// The settings of one API, each with its place in the policy.
#[derive(Default)]
struct Settings<'a> {
    host: Option<Spanned<&'a [ast::Term]>>,
    issuer: Option<Spanned<&'a [ast::Name]>>,
    audience: Option<Spanned<&'a ApiSetting>>,
    scopes: Option<Spanned<&'a [ast::Term]>>,
    realm: Option<Spanned<&'a ast::Term>>,
    token_in: Option<Spanned<TokenIn<'a>>>,
    cors: Option<Spanned<&'a ApiSetting>>,
    preflight_public: Option<Spanned<()>>,
    forward: Vec<Spanned<&'a ast::Forward>>,
    forward_no_token: Option<Spanned<()>>,
    paths: Vec<Spanned<ast::PathOption>>,
    sender: SenderSettings,
}

impl<'a> Settings<'a> {
    fn sort(api: &'a ast::Api, out: &mut Out) -> Settings<'a> {
        let mut settings = Settings::default();
        for setting in &api.settings {
            let span = setting.span;
            match &setting.node {
                ApiSetting::Host(terms) => {
                    once(&mut settings.host, terms.as_slice(), span, "host", out);
                }
                ApiSetting::Issuer(names) => {
                    once(&mut settings.issuer, names.as_slice(), span, "issuer", out);
                }
                ApiSetting::Audience(_) | ApiSetting::AudienceAny(_) => {
                    once(&mut settings.audience, &setting.node, span, "audience", out);
                }
                ApiSetting::Scopes(terms) => {
                    once(&mut settings.scopes, terms.as_slice(), span, "scopes", out);
                }
                ApiSetting::Realm(term) => once(&mut settings.realm, term, span, "realm", out),
                ApiSetting::TokenIn { only, places } => {
                    let value = (*only, places.as_slice());
                    once(&mut settings.token_in, value, span, "token in", out);
                }
                ApiSetting::Cors { .. } => {
                    once(&mut settings.cors, &setting.node, span, "cors", out);
                }
                ApiSetting::PreflightPublic => {
                    once(
                        &mut settings.preflight_public,
                        (),
                        span,
                        "preflight public",
                        out,
                    );
                }
                ApiSetting::Forward(ast::Forward::NoToken) => {
                    once(
                        &mut settings.forward_no_token,
                        (),
                        span,
                        "forward no token",
                        out,
                    );
                }
                ApiSetting::Forward(forward) => settings.forward.push(Spanned::new(forward, span)),
                ApiSetting::Paths(option) => settings.paths.push(Spanned::new(*option, span)),
                ApiSetting::Sender(given) => settings.sender.add(given, span, out),
            }
        }
        settings
    }
}

/// Checks the settings of one API, which are in one of its blocks.
pub(super) fn check(
    env: Env,
    id: ApiId,
    blocks: &[&ast::Api],
    claims_of: &mut ClaimsOf,
    out: &mut Out,
) -> Option<(ApiInfo, model::Api)> {
    let first = *blocks.first()?;
    let mut with_settings = blocks.iter().filter(|block| !block.settings.is_empty());
    let main = with_settings.next().copied().unwrap_or(first);
    for other in with_settings {
        let span = other
            .settings
            .first()
            .map_or(other.name.span, |setting| setting.span);
        out.say(
            Diagnostic::new(
                Code::ApiSettingsTwice,
                span,
                format!("the settings of `{}` stand in two blocks", main.name.node),
            )
            .also(main.name.span, "the block with its settings")
            .help("one block holds an API's settings, the others hold routes alone"),
        );
    }
    let settings = Settings::sort(main, out);
    let terms = env.terms;
    let named_hosts = settings
        .host
        .as_ref()
        .map(|setting| hosts::check(terms, setting.node, out))
        .unwrap_or_default();
    let hosts = if settings.host.is_some() {
        named_hosts
    } else {
        let any = Host {
            pattern: HostPattern::Any,
            label: None,
        };
        vec![(any, main.name.span)]
    };
    let (issuers, issuers_known) = check_issuers(env, main, settings.issuer.as_ref(), out);
    let audience = settings
        .audience
        .as_ref()
        .map(|setting| check_audience(env, setting.node, out))
        .unwrap_or_else(|| Audience::OneOf(Vec::new()));
    check_id_tokens(
        env,
        main,
        &issuers,
        settings.audience.as_ref(),
        &audience,
        out,
    );
    let (paths, paths_span) = check_paths(&settings.paths, out);
    let placed = token_places::check(env, settings.token_in.as_ref(), out);
    let token_places: Vec<TokenPlace> = placed.iter().map(|(place, _)| place.clone()).collect();
    if let Some(said) = &settings.forward_no_token {
        token_places::check_kept(said.span, settings.token_in.as_ref(), out);
    }
    let of_issuers = || {
        let mut issuers = issuers.iter();
        issuers.find_map(|id| env.issuers.get(id.0 as usize)?.dpop_span)
    };
    if let Some(said) = settings.sender.dpop_span().or_else(of_issuers) {
        let names_hosts = settings.host.is_some();
        sender::check_dpop(said, &main.name, names_hosts, &token_places, out);
    }
    let mut info = ApiInfo {
        id,
        name: main.name.node.clone(),
        name_span: main.name.span,
        hosts,
        issuer_span: settings.issuer.as_ref().map(|setting| setting.span),
        issuers_known,
        audience_span: settings.audience.as_ref().map(|setting| setting.span),
        scopes: settings.scopes.as_ref().map(|setting| {
            let scopes = check_scopes(env, setting.node, out);
            (scopes, setting.span)
        }),
        claims: claims_of.get(&issuers, env.issuers),
        issuers,
        paths,
        paths_span,
        forwarded: Vec::new(),
        token_places: placed
            .into_iter()
            .filter_map(|(place, span)| Some(Spanned::new(place, span?)))
            .collect(),
    };
    let forward = forward::check(terms, &info, env.issuers, &settings.forward, out);
    info.forwarded = forward
        .iter()
        .map(|forward| Spanned::new(forward.node.header.clone(), forward.span))
        .collect();
    let model = model::Api {
        span: main.span,
        name: info.name.clone(),
        hosts: info.hosts.iter().map(|(host, _)| host.clone()).collect(),
        issuers: info.issuers.clone(),
        audience,
        scopes: info
            .scopes
            .as_ref()
            .map(|(scopes, _)| scopes.keys().cloned().collect()),
        realm: settings
            .realm
            .as_ref()
            .and_then(|setting| check_realm(env, setting.node, out)),
        token_places,
        senders: settings.sender.senders(),
        cors: settings
            .cors
            .as_ref()
            .and_then(|setting| origins::check(terms, setting.node, setting.span, out)),
        preflight_public: settings.preflight_public.is_some(),
        forward: forward.into_iter().map(|forward| forward.node).collect(),
        forward_no_token: settings.forward_no_token.is_some(),
        paths,
        routes: Vec::new(),
    };
    Some((info, model))
}

fn check_issuers(
    env: Env,
    api: &ast::Api,
    setting: Option<&Spanned<&[ast::Name]>>,
    out: &mut Out,
) -> (Vec<IssuerId>, bool) {
    let mut issuers: Vec<(IssuerId, Span)> = Vec::new();
    let mut seen: BTreeMap<IssuerId, Span> = BTreeMap::new();
    // Two different exact URLs never match the same `iss`, so only those with a tenant are compared
    // with all.
    let mut of_tenants: Vec<(IssuerId, Span)> = Vec::new();
    let mut known = true;
    let names = setting.map(|setting| setting.node).unwrap_or_default();
    if let Some(too_many) = names.get(MAX_ISSUERS_OF_API) {
        out.say(Diagnostic::new(
            Code::TooLarge,
            too_many.span,
            format!("an API takes tokens of at most {MAX_ISSUERS_OF_API} issuers"),
        ));
    }
    for name in names.iter().take(MAX_ISSUERS_OF_API) {
        let id = env
            .terms
            .names
            .expect(&[Kind::Issuer], name, out)
            .and_then(|_| env.issuer(&name.node));
        let Some(id) = id else {
            known = false;
            continue;
        };
        if let Some(first) = seen.insert(id, name.span) {
            out.say(
                Diagnostic::new(
                    Code::DoubledValue,
                    name.span,
                    format!("`{}` is listed twice", name.node),
                )
                .also(first, "listed here already"),
            );
            seen.insert(id, first);
            continue;
        }
        let url = |id: IssuerId| env.issuers.get(id.0 as usize).map(|issuer| &issuer.url);
        let has_tenants = matches!(url(id), Some(IssuerUrl::Tenant { .. }));
        let others = if has_tenants { &issuers } else { &of_tenants };
        let overlap = others.iter().find(|(other, _)| {
            matches!((url(*other), url(id)), (Some(a), Some(b)) if a != b && urls_overlap(a, b))
        });
        if let Some((other, other_span)) = overlap {
            let other = env
                .issuers
                .get(other.0 as usize)
                .map_or("", |issuer| issuer.name.as_str());
            out.say(
                Diagnostic::new(
                    Code::DoubledUrl,
                    name.span,
                    format!(
                        "a token can come from both `{other}` and `{}`: the URL of one matches the other's",
                        name.node
                    ),
                )
                .also(*other_span, format!("`{other}`, for the same API"))
                .help(format!(
                    "let `{}` take one of them, and tell the tenants apart by their claim",
                    api.name.node
                )),
            );
        }
        issuers.push((id, name.span));
        if has_tenants {
            of_tenants.push((id, name.span));
        }
    }
    check_one_introspects(env, api, &issuers, out);
    (issuers.into_iter().map(|(id, _)| id).collect(), known)
}

/// An opaque token doesn't name its issuer, and must not be sent to another one on a guess.
fn check_one_introspects(env: Env, api: &ast::Api, issuers: &[(IssuerId, Span)], out: &mut Out) {
    let mut introspecting = issuers.iter().filter_map(|(id, named)| {
        let issuer = env.issuers.get(id.0 as usize)?;
        Some((issuer, issuer.introspects?, *named))
    });
    let Some((first, first_said, _)) = introspecting.next() else {
        return;
    };
    for (other, said, named) in introspecting {
        out.say(
            Diagnostic::new(
                Code::TwoIntrospect,
                named,
                format!(
                    "two issuers of `{}` introspect opaque tokens, `{}` and `{}`",
                    api.name.node, first.name, other.name
                ),
            )
            .also(first_said, format!("`{}` is asked here", first.name))
            .also(said, format!("`{}` is asked here", other.name))
            .help(
                "such a token doesn't name its issuer: let one of them issue JWTs, or split the API in two",
            ),
        );
    }
}

fn check_audience(env: Env, setting: &ApiSetting, out: &mut Out) -> Audience {
    match setting {
        ApiSetting::AudienceAny(reason) => Audience::Any(
            env.terms
                .text(reason, "the reason", out)
                .map(|reason| reason.node)
                .unwrap_or_default(),
        ),
        ApiSetting::Audience(audiences) => Audience::OneOf(
            env.terms
                .texts(audiences, "an audience", out)
                .into_iter()
                .map(|audience| audience.node)
                .collect(),
        ),
        _ => Audience::OneOf(Vec::new()),
    }
}

/// The audience of an ID token is the client. If it isn't checked, a login to any client is
/// accepted.
fn check_id_tokens(
    env: Env,
    api: &ast::Api,
    issuers: &[IssuerId],
    setting: Option<&Spanned<&ApiSetting>>,
    audience: &Audience,
    out: &mut Out,
) {
    let (Audience::Any(_), Some(setting)) = (audience, setting) else {
        return;
    };
    for id in issuers {
        let Some(issuer) = env.issuers.get(id.0 as usize) else {
            continue;
        };
        if let Some(wants) = issuer.wants_id_tokens {
            out.say(
                Diagnostic::new(
                    Code::IdTokenAudience,
                    setting.span,
                    format!(
                        "`{}` takes ID tokens of `{}`, which need a named audience",
                        api.name.node, issuer.name
                    ),
                )
                .also(wants, "ID tokens are asked for here")
                .help("write `audience \"…\"`: the client or service that the tokens are for"),
            );
        }
    }
}

fn check_scopes(env: Env, terms: &[ast::Term], out: &mut Out) -> BTreeMap<String, Span> {
    let mut scopes = BTreeMap::new();
    for scope in env.terms.texts(terms, "a scope", out) {
        if is_scope(&scope.node) {
            scopes.insert(scope.node, scope.span);
        } else {
            out.say(bad_scope(&scope));
        }
    }
    scopes
}

fn check_realm(env: Env, term: &ast::Term, out: &mut Out) -> Option<String> {
    let realm = env.terms.text(term, "a realm", out)?;
    let plain = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\';
    if !realm.node.bytes().all(plain) {
        out.say(
            Diagnostic::new(
                Code::BadValue,
                realm.span,
                format!("the realm `{}` can't stand in a header", realm.node),
            )
            .help("use printable ASCII, without `\"` and `\\`"),
        );
        return None;
    }
    Some(realm.node)
}

fn check_paths(
    settings: &[Spanned<ast::PathOption>],
    out: &mut Out,
) -> (PathOptions, Option<Span>) {
    let mut options = PathOptions::default();
    let mut seen: Vec<&Spanned<ast::PathOption>> = Vec::new();
    for setting in settings {
        if let Some(first) = seen.iter().find(|known| known.node == setting.node) {
            out.say(
                Diagnostic::new(
                    Code::DoubledSetting,
                    setting.span,
                    "this setting is given twice",
                )
                .also(first.span, "already given here"),
            );
        }
        seen.push(setting);
        match setting.node {
            ast::PathOption::CaseInsensitive => options.case_insensitive = true,
            ast::PathOption::AllowEncodedSlash => options.allow_encoded_slash = true,
            ast::PathOption::AllowMatrixParameters => options.allow_matrix_parameters = true,
        }
    }
    (options, settings.first().map(|setting| setting.span))
}

/// Reports APIs that share a host but read its paths differently. On one host, a path has one
/// meaning.
pub(super) fn check_paths_agree(apis: &[ApiInfo], out: &mut Out) {
    let mut by_host: BTreeMap<&HostPattern, &ApiInfo> = BTreeMap::new();
    for api in apis {
        for (host, span) in &api.hosts {
            let Some(first) = by_host.get(&host.pattern) else {
                by_host.insert(&host.pattern, api);
                continue;
            };
            if first.paths != api.paths {
                out.say(
                    Diagnostic::new(
                        Code::PathOptionsDiffer,
                        api.paths_span.unwrap_or(*span),
                        format!(
                            "`{}` and `{}` share a host, and read its paths differently",
                            first.name, api.name
                        ),
                    )
                    .also(
                        first.paths_span.unwrap_or(first.name_span),
                        format!("how `{}` reads them", first.name),
                    )
                    .help("give both the same `paths` settings"),
                );
            }
        }
    }
}
