//! The source of an issuer's keys, and its algorithms.

use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic};
use crate::keys::{self, Algorithm, KeyType, Provenance};
use crate::model::KeySource;
use crate::source::{Span, Spanned};
use crate::syntax::ast::{self, IssuerSetting};

use super::super::Input;
use super::super::files::literal_path;
use super::super::out::{self, Out};
use super::super::sets::read;
use super::super::terms::Terms;
use super::super::urls::parse_fetched;
use super::key_urls::{Owner, check_key_urls};
use super::url::bad_url;

/// The source of the keys, and the place of the key files, if there are any.
pub(super) fn check_keys(
    input: &Input,
    terms: Terms,
    owner: &Owner<'_>,
    setting: Option<&Spanned<&IssuerSetting>>,
    out: &mut Out,
) -> (KeySource, Option<Span>) {
    match setting.map(|setting| (setting.node, setting.span)) {
        Some((IssuerSetting::KeysUrl(urls), _)) => (check_key_urls(terms, owner, urls, out), None),
        Some((IssuerSetting::KeysFile(files), span)) => {
            let set = key_files(input, files, out);
            (KeySource::Files(Arc::new(set)), Some(span))
        }
        _ => (KeySource::Discover, None),
    }
}

/// The introspection endpoint for opaque tokens.
pub(super) fn check_introspect(
    terms: Terms,
    setting: &Spanned<&ast::Term>,
    id_tokens: Option<Span>,
    out: &mut Out,
) -> Option<String> {
    if let Some(wants) = id_tokens {
        out.say(
            Diagnostic::new(
                Code::IntrospectedIdTokens,
                setting.span,
                "an ID token is a JWT, and no JWT is introspected",
            )
            .also(wants, "ID tokens are asked for here")
            .help("remove one of the two"),
        );
    }
    let url = terms.text(setting.node, "the URL of an introspection endpoint", out)?;
    if let Err(why) = parse_fetched(&url.node) {
        out.say(bad_url(&url, "tokens can't be introspected at", why).help(
            "write an `https://` URL, or `http://` for this machine alone: tokens and the client's \
             secret are sent there",
        ));
    }
    Some(url.node)
}

/// The keys of all files.
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
                for oddity in set.oddities() {
                    out.say(
                        Diagnostic::new(
                            Code::OddKey,
                            path.span,
                            format!("`{}`: {oddity}", path.node),
                        )
                        .help("it is whoever writes the key file that should correct it"),
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

/// Reports key files without a key for any of the issuer's algorithms.
pub(super) fn check_keys_fit(
    span: Span,
    set: &keys::KeySet,
    algorithms: &[Algorithm],
    out: &mut Out,
) {
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

pub(super) fn check_algorithms(
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
                    if name.node == algorithm.as_str() {
                        format!("`{algorithm}` is listed twice")
                    } else {
                        format!("`{}` is another name for `{algorithm}`", name.node)
                    },
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
            "`none` means no signature: anybody could write a token with any claims",
        )
        .help("name the algorithms that the issuer signs with, such as `RS256`");
    }
    let names = || Algorithm::ALL.into_iter().flat_map(Algorithm::names);
    let mut diagnostic = out::unknown(Code::UnknownAlgorithm, "algorithm", name, names());
    if diagnostic.help.is_none() {
        diagnostic = match names().find(|known| known.eq_ignore_ascii_case(&name.node)) {
            Some(known) => diagnostic
                .help(format!("did you mean `{known}`?"))
                .suggest(name.span, known),
            None => diagnostic.help(format!("known are {}", out::listed(names()))),
        };
    }
    diagnostic
}
