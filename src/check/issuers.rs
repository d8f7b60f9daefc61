//! Issuers: who may sign tokens, how, and where they put what rules ask for.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::diagnostic::suggest::nearest;
use crate::diagnostic::{Code, Diagnostic};
use crate::keys::{self, Algorithm, KeyType, Provenance};
use crate::model::{ClaimId, Issuer, IssuerClaim, IssuerUrl, KeySource, TokenKind};
use crate::source::{Span, Spanned};
use crate::syntax::ast::{self, IssuerSetting};
use crate::value::ClaimType;

use super::Input;
use super::claims::{REGISTERED, claim_type, refuse_checked, registered};
use super::files::literal_path;
use super::limits::{MAX_CLAIM_PATH, MAX_LEEWAY};
use super::out::Out;
use super::sender::SenderSettings;
use super::sets::read;
use super::urls::{parse_fetched, parse_url};
use super::values::Terms;

/// The leeway of an issuer that names none, in seconds: what most libraries allow.
const DEFAULT_LEEWAY: u64 = 60;

/// A claim that an issuer declares.
#[derive(Debug, Clone)]
pub(super) struct DeclaredClaim {
    pub span: Span,
    pub ty: ClaimType,
    pub path: Vec<String>,
    pub keys_of: bool,
}

/// An issuer as the rest of the checker sees it.
pub(super) struct IssuerInfo {
    pub name: String,
    pub url: IssuerUrl,
    pub url_span: Span,
    /// Where `tokens id` is said, if it is.
    pub wants_id_tokens: Option<Span>,
    /// Where `sender dpop` is said, if it is.
    pub dpop_span: Option<Span>,
    pub claims: BTreeMap<String, DeclaredClaim>,
    /// Without its claims, which get their numbers once all issuers are known.
    model: Issuer,
}

impl IssuerInfo {
    /// Where a claim is in this issuer's tokens, and of which type.
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

    /// The issuer of the model.
    pub fn into_model(self, ids: &BTreeMap<(String, ClaimType), ClaimId>) -> Issuer {
        let mut issuer = self.model;
        for ((name, ty), id) in ids {
            let (path, keys_of) = match self.claims.get(name) {
                Some(claim) if claim.ty == *ty => (claim.path.clone(), claim.keys_of),
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

/// The settings of one issuer, each with the place where it is said.
#[derive(Default)]
struct Settings<'a> {
    url: Option<Spanned<&'a ast::Term>>,
    keys: Option<Spanned<&'a IssuerSetting>>,
    algorithms: Option<Spanned<&'a [ast::Name]>>,
    leeway: Option<Spanned<&'a ast::Term>>,
    max_age: Option<Spanned<&'a ast::Term>>,
    tokens: Option<Spanned<ast::TokenKind>>,
    scopes_from: Option<Spanned<&'a ast::ClaimPath>>,
    client_from: Option<Spanned<&'a ast::ClaimPath>>,
    audience_from: Option<Spanned<&'a ast::ClaimPath>>,
    audience: Option<Spanned<&'a [ast::Term]>>,
    claims: Option<Spanned<&'a [ast::ClaimDeclaration]>>,
    sender: SenderSettings,
}

/// Sets what was not set yet, or says that it is said twice.
pub(super) fn once<T>(
    slot: &mut Option<Spanned<T>>,
    value: T,
    span: Span,
    what: &str,
    out: &mut Out,
) {
    if let Some(first) = slot {
        out.say(
            Diagnostic::new(
                Code::DoubledSetting,
                span,
                format!("`{what}` is said twice"),
            )
            .also(first.span, "said here already")
            .help("say it once; several values stand on one line, divided by commas"),
        );
    } else {
        *slot = Some(Spanned::new(value, span));
    }
}

impl<'a> Settings<'a> {
    fn sort(issuer: &'a ast::Issuer, out: &mut Out) -> Settings<'a> {
        let mut settings = Settings::default();
        for setting in &issuer.settings {
            let span = setting.span;
            match &setting.node {
                IssuerSetting::Url(url) => once(&mut settings.url, url, span, "url", out),
                IssuerSetting::KeysDiscover
                | IssuerSetting::KeysUrl(_)
                | IssuerSetting::KeysFile(_) => {
                    once(&mut settings.keys, &setting.node, span, "keys", out);
                }
                IssuerSetting::KeysIntrospect(_) => {
                    out.say(not_supported(span, "keys introspect"));
                }
                IssuerSetting::Algorithms(names) => {
                    once(
                        &mut settings.algorithms,
                        names.as_slice(),
                        span,
                        "algorithms",
                        out,
                    );
                }
                IssuerSetting::Leeway(term) => {
                    once(&mut settings.leeway, term, span, "leeway", out);
                }
                IssuerSetting::MaxAge(term) => {
                    once(&mut settings.max_age, term, span, "max age", out);
                }
                IssuerSetting::Tokens(kind) => {
                    once(&mut settings.tokens, *kind, span, "tokens", out);
                }
                IssuerSetting::ScopesFrom(path) => {
                    once(&mut settings.scopes_from, path, span, "scopes from", out);
                }
                IssuerSetting::ClientFrom(path) => {
                    once(&mut settings.client_from, path, span, "client from", out);
                }
                IssuerSetting::AudienceFrom(path) => {
                    once(
                        &mut settings.audience_from,
                        path,
                        span,
                        "audience from",
                        out,
                    );
                }
                IssuerSetting::Audience(terms) => {
                    once(
                        &mut settings.audience,
                        terms.as_slice(),
                        span,
                        "audience",
                        out,
                    );
                }
                IssuerSetting::Claims(claims) => {
                    once(&mut settings.claims, claims.as_slice(), span, "claims", out);
                }
                IssuerSetting::Sender(given) => settings.sender.add(given, span, out),
            }
        }
        settings
    }
}

/// What the language has and this version does not.
fn not_supported(span: Span, what: &str) -> Diagnostic {
    Diagnostic::new(
        Code::NotSupported,
        span,
        format!("`{what}` is not yet supported"),
    )
    .help("remove it; a policy that needs it can't be enforced by this version")
}

/// Checks one issuer. What is wrong with it is said; it is then as good as can be, so that the
/// rules that use it are checked all the same.
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
    let (keys, discovers, key_files) = check_keys(input, terms, settings.keys.as_ref(), out);
    let url_span = settings
        .url
        .as_ref()
        .map_or(declared.name.span, |url| url.node.span());
    let url = check_url(terms, declared, &settings, discovers, &claims, out);
    let algorithms = check_algorithms(settings.algorithms.as_ref(), key_files.is_some(), out);
    if let (Some(span), KeySource::Files(set)) = (key_files, &keys) {
        check_keys_fit(span, set, &algorithms, out);
    }
    let tokens = settings.tokens.as_ref();
    let wants_id_tokens = tokens
        .filter(|tokens| tokens.node == ast::TokenKind::Id)
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
    let model = Issuer {
        span: declared.span,
        name: declared.name.node.clone(),
        url: url.clone(),
        keys,
        algorithms,
        leeway: settings
            .leeway
            .and_then(|leeway| check_leeway(terms, leeway.node, out))
            .unwrap_or(DEFAULT_LEEWAY),
        max_age: settings
            .max_age
            .and_then(|age| check_max_age(terms, age.node, out)),
        tokens: match tokens.map(|tokens| tokens.node) {
            None | Some(ast::TokenKind::Jwt) => TokenKind::Jwt,
            Some(ast::TokenKind::Access) => TokenKind::Access,
            Some(ast::TokenKind::Id) => TokenKind::Id,
        },
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

/// Where the keys come from; whether that is discovery; the place of the key files, if any.
fn check_keys(
    input: &Input,
    terms: Terms,
    setting: Option<&Spanned<&IssuerSetting>>,
    out: &mut Out,
) -> (KeySource, bool, Option<Span>) {
    match setting.map(|setting| (setting.node, setting.span)) {
        Some((IssuerSetting::KeysUrl(term), _)) => {
            let url = terms.text(term, "the URL of a key set", out);
            if let Some(url) = &url
                && let Err(why) = parse_fetched(&url.node)
            {
                out.say(bad_url(url, "keys can't be fetched from", why));
            }
            let url = url.map(|url| url.node).unwrap_or_default();
            (KeySource::Url(url), false, None)
        }
        Some((IssuerSetting::KeysFile(files), span)) => {
            let set = key_files(input, files, out);
            (KeySource::Files(Arc::new(set)), false, Some(span))
        }
        _ => (KeySource::Discover, true, None),
    }
}

/// The keys of all files together.
fn key_files(input: &Input, files: &[ast::Term], out: &mut Out) -> keys::KeySet {
    let mut sets = Vec::new();
    for term in files {
        let Some(path) = literal_path(term) else {
            if let ast::Term::Name(name) = term {
                out.uses(&name.node);
            }
            out.say(
                Diagnostic::new(
                    Code::TypeMismatch,
                    term.span(),
                    "the path of a key file is a string, written out",
                )
                .help("which files a policy needs must be known before its parameters are"),
            );
            continue;
        };
        let path = Spanned::new(path.to_owned(), term.span());
        let Some(content) = read(input, path.span.file, &path, "a key file", out) else {
            continue;
        };
        match keys::parse(content, Provenance::File) {
            Ok(set) => {
                for problem in set.problems() {
                    out.say(
                        Diagnostic::new(
                            Code::KeyProblem,
                            path.span,
                            format!("`{}`: {problem}", path.node),
                        )
                        .help("the other keys of the file are used"),
                    );
                }
                sets.push(set);
            }
            Err(error) => {
                out.say(
                    Diagnostic::new(
                        Code::KeyFile,
                        path.span,
                        format!("the key file `{}` can't be used: {error}", path.node),
                    )
                    .help("a key file is a JWK set such as `{\"keys\": […]}`, a single JWK (RFC 7517), or PEM"),
                );
            }
        }
    }
    keys::KeySet::union(sets)
}

/// Says if no key of the files can verify any of the issuer's algorithms.
fn check_keys_fit(span: Span, set: &keys::KeySet, algorithms: &[Algorithm], out: &mut Out) {
    let keys = set.keys();
    if keys.is_empty() {
        return;
    }
    let fits = keys
        .iter()
        .any(|key| algorithms.iter().any(|algorithm| key.fits(*algorithm)));
    if !fits {
        out.say(
            Diagnostic::new(
                Code::KeyFile,
                span,
                "none of the keys fits any of the issuer's algorithms",
            )
            .help("name their algorithm with `algorithms`, or use another key"),
        );
    }
}

fn bad_url(url: &Spanned<String>, what: &str, why: &str) -> Diagnostic {
    Diagnostic::new(
        Code::BadUrl,
        url.span,
        format!("{what} `{}`: {why}", url.node),
    )
    .help("write an `https://` URL; `http://` is for this machine alone, such as `http://localhost:8080`")
}

fn check_url(
    terms: Terms,
    declared: &ast::Issuer,
    settings: &Settings,
    discovers: bool,
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
        return check_tenant_url(&text, settings, discovers, claims, out);
    }
    if discovers {
        let problem = match parse_fetched(&text.node) {
            Err(why) => Some(why),
            Ok(url) if url.path.contains('?') => Some("an issuer's URL has no query"),
            Ok(_) => None,
        };
        if let Some(why) = problem {
            out.say(bad_url(&text, "keys can't be discovered from", why));
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
    discovers: bool,
    claims: &BTreeMap<String, DeclaredClaim>,
    out: &mut Out,
) -> IssuerUrl {
    let bad = |message: String| {
        Diagnostic::new(Code::BadUrl, text.span, message).help(
            "one whole segment of the path may be `{claim}`, as in `https://login.example.com/{tid}/v2.0`",
        )
    };
    let parts = text
        .node
        .split_once('{')
        .and_then(|(prefix, rest)| {
            let (claim, suffix) = rest.split_once('}')?;
            Some((prefix, claim, suffix))
        })
        .filter(|(prefix, claim, suffix)| {
            !claim.is_empty()
                && prefix.ends_with('/')
                && (suffix.is_empty() || suffix.starts_with('/'))
                && !suffix.contains(['{', '}'])
        });
    let Some((prefix, claim, suffix)) = parts else {
        out.say(bad(format!("`{}` is no issuer's URL", text.node)));
        return IssuerUrl::Exact(text.node.clone());
    };
    match parse_url(&format!("{prefix}x{suffix}")) {
        // Where the URL ends before its path, the braces stand for the host.
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
        Err(why) => out.say(bad(format!("`{}` is no issuer's URL: {why}", text.node))),
    }
    if discovers {
        let place = settings.keys.as_ref().map_or(text.span, |keys| keys.span);
        out.say(
            Diagnostic::new(
                Code::TenantKeys,
                place,
                "keys can't be discovered where the issuer's URL differs by tenant",
            )
            .also(text.span, "the tenant's segment is here")
            .help("write `keys url \"…\"`: one key set for all tenants"),
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

fn check_algorithms(
    setting: Option<&Spanned<&[ast::Name]>>,
    has_key_files: bool,
    out: &mut Out,
) -> Vec<Algorithm> {
    let Some(setting) = setting else {
        return Algorithm::asymmetric().collect();
    };
    let mut algorithms: Vec<(Algorithm, Span)> = Vec::new();
    for name in setting.node {
        let Some(algorithm) = Algorithm::parse(&name.node) else {
            out.say(unknown_algorithm(name));
            continue;
        };
        if algorithm.key_type() == KeyType::Oct && !has_key_files {
            out.say(
                Diagnostic::new(
                    Code::HmacWithoutFile,
                    name.span,
                    format!("`{algorithm}` needs a key that is a file"),
                )
                .help(
                    "its key is a secret that both sides share: write `keys file \"…\"`, or use \
                     an algorithm with a public key, such as `RS256`",
                ),
            );
        }
        if let Some((_, first)) = algorithms.iter().find(|(known, _)| *known == algorithm) {
            out.say(
                Diagnostic::new(
                    Code::DoubledValue,
                    name.span,
                    format!("`{algorithm}` is listed twice"),
                )
                .also(*first, "listed here already"),
            );
        } else {
            algorithms.push((algorithm, name.span));
        }
    }
    algorithms
        .into_iter()
        .map(|(algorithm, _)| algorithm)
        .collect()
}

fn unknown_algorithm(name: &ast::Name) -> Diagnostic {
    if name.node.eq_ignore_ascii_case("none") {
        return Diagnostic::new(
            Code::UnknownAlgorithm,
            name.span,
            "`none` is no signature: whoever writes a token could write anything in it",
        )
        .help("name the algorithms that the issuer signs with, such as `RS256`");
    }
    let names = || Algorithm::ALL.into_iter().map(Algorithm::as_str);
    let mut diagnostic = super::out::unknown(Code::UnknownAlgorithm, "algorithm", name, names());
    if diagnostic.help.is_none() {
        diagnostic = match names().find(|known| known.eq_ignore_ascii_case(&name.node)) {
            Some(known) => diagnostic
                .help(format!("did you mean `{known}`?"))
                .suggest(name.span, known),
            None => diagnostic.help(format!("known are {}", super::out::listed(names()))),
        };
    }
    diagnostic
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
            .help("leeway is for clocks that differ, by seconds or a minute; it lengthens the life of every token"),
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

/// Says which issuers have one URL: a token would be either's.
pub(super) fn check_urls_differ(issuers: &[IssuerInfo], out: &mut Out) {
    let mut by_url: HashMap<(&str, &str), &IssuerInfo> = HashMap::new();
    for issuer in issuers {
        let key = match &issuer.url {
            IssuerUrl::Exact(url) if url.is_empty() => continue,
            IssuerUrl::Exact(url) => (url.as_str(), ""),
            IssuerUrl::Tenant { prefix, suffix, .. } => (prefix.as_str(), suffix.as_str()),
        };
        // An exact URL has no second half, and no tenant's first half is a whole URL of another.
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
                .help("an API names the issuer that it trusts by its name; declare it once"),
            );
        } else {
            by_url.insert(key, issuer);
        }
    }
}

/// Whether a token's `iss` can be that of both.
pub(super) fn urls_overlap(a: &IssuerUrl, b: &IssuerUrl) -> bool {
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
            // Each tenant is one whole segment: the templates overlap where every segment of the
            // one fits the other's.
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
