//! The single namespace of a policy set.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::{ast, means_any_token};

use super::out::{Out, listed};

/// The maximum number of names that an error lists.
const MAX_LISTED: usize = 5;

/// The kind of a declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Issuer,
    Api,
    Let,
    Set,
    Param,
}

impl Kind {
    /// The noun in messages.
    pub fn noun(self) -> &'static str {
        match self {
            Kind::Issuer => "issuer",
            Kind::Api => "API",
            Kind::Let => "let",
            Kind::Set => "set",
            Kind::Param => "param",
        }
    }

    /// The noun with its article.
    pub fn with_article(self) -> &'static str {
        match self {
            Kind::Issuer => "an issuer",
            Kind::Api => "an API",
            Kind::Let => "a `let`",
            Kind::Set => "a `set`",
            Kind::Param => "a `param`",
        }
    }
}

/// All declarations by name. A name that is declared twice refers to its first declaration.
#[derive(Default)]
pub(super) struct Names<'a> {
    kinds: BTreeMap<&'a str, (Kind, Span)>,
    pub issuers: BTreeMap<&'a str, &'a ast::Issuer>,
    /// An API's blocks, by file and line.
    pub apis: BTreeMap<&'a str, Vec<&'a ast::Api>>,
    pub lets: BTreeMap<&'a str, &'a ast::Let>,
    pub sets: BTreeMap<&'a str, &'a ast::Set>,
    pub params: BTreeMap<&'a str, &'a ast::Param>,
}

impl<'a> Names<'a> {
    /// Collects the declarations of all files.
    pub fn collect(documents: &'a [ast::Document], out: &mut Out) -> Names<'a> {
        let mut names = Names::default();
        for item in documents.iter().flat_map(|document| &document.items) {
            match item {
                ast::Item::Issuer(issuer) => {
                    if names.declare(Kind::Issuer, &issuer.name, out) {
                        names.issuers.insert(&issuer.name.node, issuer);
                    }
                }
                ast::Item::Api(api) => {
                    let again = names.apis.get_mut(api.name.node.as_str());
                    if let Some(blocks) = again {
                        blocks.push(api);
                    } else if names.declare(Kind::Api, &api.name, out) {
                        names.apis.insert(&api.name.node, vec![api]);
                    }
                }
                ast::Item::Let(item) => {
                    if names.declare(Kind::Let, &item.name, out) {
                        names.lets.insert(&item.name.node, item);
                    }
                }
                ast::Item::Set(set) => {
                    if names.declare(Kind::Set, &set.name, out) {
                        names.sets.insert(&set.name.node, set);
                    }
                }
                ast::Item::Param(param) => {
                    if names.declare(Kind::Param, &param.name, out) {
                        names.params.insert(&param.name.node, param);
                    }
                }
                ast::Item::Guard(_) | ast::Item::Test(_) => {}
            }
        }
        names
    }

    fn declare(&mut self, kind: Kind, name: &'a ast::Name, out: &mut Out) -> bool {
        if let Some((first_kind, first)) = self.kinds.get(name.node.as_str()) {
            let diagnostic = Diagnostic::new(
                Code::DoubledName,
                name.span,
                format!("the name `{}` is declared twice", name.node),
            )
            .label("declared again here")
            .also(*first, "first declared here")
            .help(if *first_kind == kind {
                "rename one of them, or remove it".to_owned()
            } else {
                format!(
                    "{} and {} share one namespace: rename one of them",
                    first_kind.with_article(),
                    kind.with_article()
                )
            });
            out.say(diagnostic);
            return false;
        }
        self.kinds.insert(&name.node, (kind, name.span));
        true
    }

    /// The kind of a name, and the place of its declaration.
    pub fn kind(&self, name: &str) -> Option<(Kind, Span)> {
        self.kinds.get(name).copied()
    }

    /// Every name of one of these kinds.
    pub fn of_kinds<'n>(&'n self, kinds: &'n [Kind]) -> impl Iterator<Item = &'a str> + 'n {
        self.kinds
            .iter()
            .filter(|(_, (kind, _))| kinds.contains(kind))
            .map(|(name, _)| *name)
    }

    /// Whether a name is a declaration of one of these kinds. Records its use, or reports the
    /// error.
    pub fn expect(&self, wanted: &[Kind], name: &ast::Name, out: &mut Out) -> Option<Kind> {
        match self.kind(&name.node) {
            Some((kind, _)) if wanted.contains(&kind) => {
                out.uses(&name.node);
                Some(kind)
            }
            Some((kind, declared)) => {
                let nouns: Vec<&str> = wanted.iter().map(|kind| kind.with_article()).collect();
                out.uses(&name.node);
                out.say(
                    Diagnostic::new(
                        Code::WrongKind,
                        name.span,
                        format!(
                            "`{}` is {}, not {}",
                            name.node,
                            kind.with_article(),
                            nouns.join(" or ")
                        ),
                    )
                    .also(declared, "declared here"),
                );
                None
            }
            None => {
                let nouns: Vec<&str> = wanted.iter().map(|kind| kind.noun()).collect();
                let noun = match wanted {
                    [Kind::Let] => "condition".to_owned(),
                    _ => nouns.join(" or "),
                };
                let mut diagnostic =
                    super::out::unknown(Code::UnknownName, &noun, name, self.of_kinds(wanted));
                if diagnostic.help.is_none() {
                    // There may be as many unknown names as declared ones, so only as many are
                    // searched as are shown.
                    let known: Vec<&str> = self.of_kinds(wanted).take(MAX_LISTED + 1).collect();
                    diagnostic.help = Some(match (wanted, known.as_slice()) {
                        ([Kind::Let], _) if means_any_token(&name.node) => {
                            "to ask for a valid token and nothing else, write `authenticated` \
                             instead of `requires`"
                                .to_owned()
                        }
                        ([Kind::Let], _) => "a condition is a test, such as `scope \"…\"` or \
                                             `claim …`, or the name of a `let`"
                            .to_owned(),
                        ([Kind::Param], _) => format!(
                            "a value is written in quotes, `\"{}\"`; a bare word is the name of a \
                            `param`",
                            name.node
                        ),
                        (_, []) => format!("the policy declares no {}", nouns.join(" and no ")),
                        (_, [only]) => format!("the only one is `{only}`"),
                        (_, few) if few.len() <= MAX_LISTED => {
                            format!("declared are {}", listed(few.iter().copied()))
                        }
                        _ => "declare it, or use one that is declared".to_owned(),
                    });
                }
                if wanted == [Kind::Param] && diagnostic.suggestion.is_none() {
                    diagnostic = diagnostic.suggest(name.span, format!("\"{}\"", name.node));
                }
                out.say(diagnostic);
                None
            }
        }
    }
}
