//! From syntax trees to the checked model.
//!
//! One run reports every error: each step continues with the parts that are valid. A [`Model`] is
//! only made if there is no error and all documents parsed completely. The report doesn't depend on
//! the order of lines, blocks or files.

mod accesses;
mod apis;
mod atoms;
mod beside;
mod case;
mod claim_tests;
mod claims;
mod conditions;
mod context;
mod domains;
mod entries;
mod expectations;
mod files;
mod forward;
mod guard_index;
mod guarding;
mod guards;
mod hosts;
mod issuers;
mod lets;
pub mod limits;
mod meaning;
mod names;
mod near_scopes;
mod operands;
mod origins;
mod other_case;
mod out;
mod params;
mod paths;
mod region;
mod registered;
mod relations;
mod routes;
mod sender;
mod sets;
mod shared_names;
mod strength;
mod tenants;
mod terms;
mod test_tokens;
mod texts;
mod token_atoms;
mod token_places;
mod unused;
mod urls;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Code, Diagnostic, has_errors};
use crate::model::{ApiId, Model};
use crate::source::{Sources, Span};
use crate::syntax::ast;

pub use files::{FileError, Files, referenced_files};
pub use registered::REGISTERED;
#[cfg(any(feature = "lsp", feature = "openapi"))]
pub(crate) use urls::is_scope;
#[cfg(feature = "openapi")]
pub(crate) use urls::{is_loopback, normal_host, parse_url, split_port};

use claims::ClaimsOf;
use context::Env;
use names::Names;
use out::Out;
use params::Params;
use routes::Lines;
use sets::Sets;
use terms::Terms;

/// The input of a check.
#[derive(Debug, Clone)]
pub struct Input<'a> {
    /// The policy's files.
    pub sources: &'a Sources,
    /// Their syntax trees. They are dropped as they are read: most of a policy is routes, and its
    /// trees and its model both take memory.
    pub documents: Vec<ast::Document>,
    /// The contents of the files from [`referenced_files`].
    pub files: &'a Files,
    /// The values given for `param`s, by name.
    pub params: &'a BTreeMap<String, String>,
}

/// The result of a check.
#[derive(Debug)]
pub struct Checked {
    /// The policy. `None` if and only if there is an error among the diagnostics, or a document
    /// didn't parse completely. The parser has reported the errors of such a document.
    pub model: Option<Model>,
    /// Errors and warnings, by place.
    pub diagnostics: Vec<Diagnostic>,
}

/// Checks a policy set.
pub fn check(mut input: Input) -> Checked {
    let mut out = Out::default();
    let whole = input.documents.iter().all(ast::Document::is_whole);
    let named = claims::registered_in(&input.documents);
    let lost: Vec<ast::Lost> = input
        .documents
        .iter()
        .map(|document| document.lost.clone())
        .collect();
    let lines = routes::take(&mut input.documents);
    let (infos, model, lets) = read(&input, &named, lines, &mut out);
    let sources = input.sources;
    drop(input);
    shared_names::check(&infos, &model, &mut out);
    tenants::check(&infos, &model, &mut out);
    relations::check(&infos, &model, &mut out);
    meaning::check(sources, &infos, &model, &lets, &mut out);
    near_scopes::check(&model.apis, &model.guards, &mut out);
    let mut diagnostics = out.into_diagnostics();
    let good = whole && !has_errors(&diagnostics);
    diagnostics.retain(|diagnostic| !is_about_lost(diagnostic, &lost, sources));
    Checked {
        model: good.then_some(model),
        diagnostics,
    }
}

/// Whether a diagnostic is about a declaration that is missing only because it couldn't be parsed.
/// Its syntax error was reported already.
fn is_about_lost(diagnostic: &Diagnostic, lost: &[ast::Lost], sources: &Sources) -> bool {
    let lacks = matches!(
        diagnostic.code,
        Code::MissingUrl | Code::MissingIssuer | Code::MissingAudience | Code::ProofWithoutHost
    );
    let names = matches!(diagnostic.code, Code::UnknownName | Code::UnknownClaim);
    let Some(place) = diagnostic.primary.as_ref().map(|label| label.span) else {
        return false;
    };
    // Such a diagnostic points at the name, which may be in quotes.
    let written = sources.text(place).trim_matches('"');
    lost.iter().any(|lost| {
        let in_block = |block: &Span| {
            block.file == place.file && block.start <= place.start && place.end <= block.end
        };
        (lacks && lost.blocks.iter().any(in_block))
            || (names && lost.names.iter().any(|name| name == written))
    })
}

/// Reads the trees into a model. Also returns further facts about its APIs, and the names of
/// `let`s.
fn read(
    input: &Input,
    named: &BTreeSet<&'static str>,
    mut lines: Lines,
    out: &mut Out,
) -> (Vec<context::ApiInfo>, Model, meaning::Lets) {
    let names = Names::collect(&input.documents, out);
    let params = Params::resolve(&names, input.params, out);
    let terms = Terms {
        names: &names,
        params: &params,
    };
    let sets = Sets::resolve(input, &names, &params, out);
    let endless = lets::check(&names, out);
    let issuers: Vec<issuers::IssuerInfo> = names
        .issuers
        .values()
        .map(|issuer| issuers::check(input, terms, issuer, out))
        .collect();
    issuers::check_urls_differ(&issuers, out);
    let (claims, claim_ids) = claims::all(&issuers, named);
    let env = Env {
        terms,
        sets: &sets,
        issuers: &issuers,
        endless: &endless,
    };
    let mut claims_of = ClaimsOf::new(&claim_ids);
    let (infos, mut apis): (Vec<_>, Vec<_>) = names
        .apis
        .values()
        .zip(0..)
        .filter_map(|(blocks, id)| apis::check(env, ApiId(id), blocks, &mut claims_of, out))
        .unzip();
    apis::check_paths_agree(&infos, out);
    let mut guards = Vec::new();
    for (info, api) in infos.iter().zip(&mut apis) {
        let blocks = lines.remove(&info.name).unwrap_or_default();
        let routes = routes::check(env, info, blocks, out);
        routes::check_needs(info, &api.audience, routes.needs_token, out);
        api.routes = routes.routes;
        guards.extend(routes.unders);
    }
    for item in input.documents.iter().flat_map(|document| &document.items) {
        if let ast::Item::Guard(guard) = item {
            guards::check(env, &infos, guard, &mut guards, out);
        }
    }
    unused::check(&names, out);
    let tests = input
        .documents
        .iter()
        .flat_map(|document| &document.items)
        .filter_map(|item| match item {
            ast::Item::Test(block) => Some(expectations::check(env, &apis, block, out)),
            _ => None,
        })
        .collect();
    let mut model = Model {
        issuers: issuers
            .into_iter()
            .map(|issuer| issuer.into_model(&claim_ids))
            .collect(),
        claims,
        apis,
        guards,
        tests,
    };
    case::fold(&mut model);
    let lets = names
        .lets
        .iter()
        .map(|(name, item)| {
            let span = item.condition.span;
            ((span.file, span.start, span.end), (*name).to_owned())
        })
        .collect();
    (infos, model, lets)
}
