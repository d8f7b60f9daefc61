//! Hover: the meaning of a name or a route.

mod route;

use gen_lsp_types::{Contents, Hover, HoverParams, MarkupContent, MarkupKind};

use super::index::{Kind, Occurrence, Symbol};
use super::navigate::find;
use super::policy::Policy;
use super::refusal::Refusal;
use super::workspace::Workspace;
use crate::check::REGISTERED;
use crate::reason::Reason;
use crate::source::{FileId, Span, one_line};
use crate::syntax::ast::{Api, ApiSetting, Document, Issuer, IssuerSetting, Item};

/// The most lines of a declaration that are shown: a set may have thousands.
const MAX_LINES: usize = 20;

/// The text for a position; `None` if there is nothing to say.
pub fn hover(workspace: &mut Workspace, params: HoverParams) -> Result<Option<Hover>, Refusal> {
    let at = params.text_document_position_params;
    let found = find(workspace, &at)?;
    let said = match found.name {
        Some(name) => of_name(found.policy, name).map(|text| (text, name.span)),
        None => {
            let offset = found.policy.offset(found.file, at.position);
            route::at(found.policy, found.file, offset)
        }
    };
    Ok(said.map(|(value, span)| Hover {
        contents: Contents::MarkupContent(MarkupContent {
            kind: MarkupKind::Markdown,
            value,
        }),
        range: Some(found.policy.range(span)),
    }))
}

fn of_name(policy: &Policy, name: &Occurrence) -> Option<String> {
    match &name.symbol {
        Symbol::Named(text) => of_declaration(policy, text),
        Symbol::Claim { name, issuer } => Some(of_claim(policy, name, issuer.as_deref())),
        Symbol::Parameter(_) => {
            let at = name.span;
            // Through a `let`, it may belong to several paths.
            let declared = policy
                .index()
                .of_symbol(&name.symbol)
                .filter(|o| o.declares);
            let paths: Vec<String> = declared
                .filter_map(|declared| line_of(policy, declared.span))
                .collect();
            let text = policy.parsed.sources.text(at);
            Some(match paths.as_slice() {
                [] => format!("`{text}` is not in any path around here"),
                paths => format!("a segment of the path\n\n{}", code(&paths.join("\n"))),
            })
        }
        Symbol::HostLabel(_) => {
            let declared = policy
                .index()
                .of_symbol(&name.symbol)
                .find(|o| o.declares)?;
            let line = line_of(policy, declared.span)?;
            Some(format!("a label of the request's host\n\n{}", code(&line)))
        }
        Symbol::TestToken(..) => {
            let declared = policy
                .index()
                .of_symbol(&name.symbol)
                .find(|o| o.declares)?;
            let line = line_of(policy, declared.span)?;
            Some(format!("a token of this test\n\n{}", code(&line)))
        }
        Symbol::Scope(scope) => Some(of_scope(policy, scope)),
        Symbol::Reason(code) => {
            let reason = Reason::from_code(code)?;
            Some(format!(
                "**{}** ({})\n\n{}",
                reason.code(),
                reason.status(),
                without_title(reason.page())
            ))
        }
    }
}

fn of_declaration(policy: &Policy, name: &str) -> Option<String> {
    let declared = policy.index().declared(name)?;
    let text = policy.parsed.sources.text(declared.span);
    match declared.kind {
        Kind::Issuer => {
            let issuer = items(policy).find_map(|item| match item {
                Item::Issuer(issuer) if issuer.name.node == name => Some(issuer),
                _ => None,
            })?;
            Some(code(&of_issuer(policy, issuer)))
        }
        Kind::Api => {
            let blocks: Vec<&Api> = items(policy)
                .filter_map(|item| match item {
                    Item::Api(api) if api.name.node == name => Some(api),
                    _ => None,
                })
                .collect();
            Some(of_api(policy, name, &blocks))
        }
        Kind::Let | Kind::Set | Kind::Param => {
            let comment = comment_above(policy.text(declared.span.file), declared.span);
            Some(format!("{}{comment}", code(&shortened(text))))
        }
    }
}

fn of_issuer(policy: &Policy, issuer: &Issuer) -> String {
    let settings = issuer.settings.iter().map(|setting| match &setting.node {
        IssuerSetting::Claims(claims) => {
            let names: Vec<&str> = claims
                .iter()
                .map(|claim| claim.name.node.as_str())
                .collect();
            format!("    claims {{ {} }}\n", names.join(", "))
        }
        _ => format!(
            "    {}\n",
            one_line(policy.parsed.sources.text(setting.span))
        ),
    });
    format!(
        "issuer {} {{\n{}}}",
        issuer.name.node,
        settings.collect::<String>()
    )
}

fn of_api(policy: &Policy, name: &str, blocks: &[&Api]) -> String {
    let settings: String = blocks
        .iter()
        .flat_map(|api| &api.settings)
        .filter(|setting| !matches!(setting.node, ApiSetting::Forward(_)))
        .map(|setting| {
            format!(
                "    {}\n",
                one_line(policy.parsed.sources.text(setting.span))
            )
        })
        .collect();
    let lines: usize = blocks.iter().map(|api| route::count(&api.routes)).sum();
    let routes = match lines {
        1 => "1 route".to_owned(),
        lines => format!("{lines} routes"),
    };
    format!(
        "{}\n\n{routes}",
        code(&format!("api {name} {{\n{settings}}}"))
    )
}

fn of_claim(policy: &Policy, name: &str, issuer: Option<&str>) -> String {
    let registered = REGISTERED.iter().find(|(known, _)| *known == name);
    let Some(_) = issuer else {
        return match registered {
            Some((_, ty)) => format!(
                "claim `{name}`: {}\n\na registered claim, which needs no declaration; it is read from `{name}`",
                ty.as_str()
            ),
            None => format!("claim `{name}`: no issuer of the API declares it"),
        };
    };
    let symbol = Symbol::Claim {
        name: name.to_owned(),
        issuer: issuer.map(str::to_owned),
    };
    let declared = policy.index().of_symbol(&symbol).filter(|o| o.declares);
    let lines: Vec<String> = declared
        .filter_map(|declared| {
            let (issuer, line) = policy
                .index()
                .claims_of
                .iter()
                .find_map(|(issuer, claims)| {
                    let line = claims.get(name)?;
                    let here = line.span.start == declared.span.start
                        && line.span.file == declared.span.file;
                    here.then_some((issuer, line))
                })?;
            let text = one_line(policy.parsed.sources.text(line.span));
            let place = if line.has_place {
                String::new()
            } else {
                format!("  # read from {name}")
            };
            Some(format!("issuer {issuer} {{ {text} }}{place}"))
        })
        .collect();
    format!("claim `{name}`\n\n{}", code(&lines.join("\n")))
}

fn of_scope(policy: &Policy, scope: &str) -> String {
    let index = policy.index();
    let uses = index
        .of_symbol(&Symbol::Scope(scope.to_owned()))
        .filter(|o| !o.declares)
        .count();
    let apis: Vec<String> = index
        .scopes_of
        .iter()
        .filter(|(_, scopes)| scopes.iter().any(|known| known == scope))
        .map(|(api, _)| format!("`{api}`"))
        .collect();
    let listed = match apis.as_slice() {
        [] => "in no API's `scopes`".to_owned(),
        apis => format!("in the `scopes` of {}", apis.join(", ")),
    };
    let uses = match uses {
        1 => "named once".to_owned(),
        uses => format!("named {uses} times"),
    };
    format!("scope `{scope}`: {listed}, {uses}")
}

fn items(policy: &Policy) -> impl Iterator<Item = &Item> {
    policy
        .parsed
        .documents
        .iter()
        .flat_map(|document: &Document| &document.items)
}

/// The line of a file where a span begins, without indentation.
fn line_of(policy: &Policy, span: Span) -> Option<String> {
    let text = policy.text(span.file);
    let start = text
        .get(..span.start as usize)?
        .rfind('\n')
        .map_or(0, |at| at + 1);
    let line = text.get(start..)?.lines().next()?;
    Some(line.trim().to_owned())
}

/// The comment directly above a declaration, as a paragraph.
fn comment_above(text: &str, span: Span) -> String {
    let before = text.get(..span.start as usize).unwrap_or("");
    let lines: Vec<&str> = before
        .lines()
        .rev()
        .map_while(|line| line.trim().strip_prefix('#'))
        .map(str::trim)
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    let lines: Vec<&str> = lines.into_iter().rev().collect();
    format!("\n\n{}", lines.join(" "))
}

fn shortened(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().take(MAX_LINES + 1).collect();
    if lines.len() > MAX_LINES {
        lines.pop();
        lines.push("…");
    }
    lines.join("\n")
}

/// A page of the manual without its title, which repeats the code.
fn without_title(page: &str) -> &str {
    match page.split_once('\n') {
        Some((title, rest)) if title.starts_with('#') => rest.trim(),
        _ => page.trim(),
    }
}

/// A piece of a policy in Markdown.
fn code(text: &str) -> String {
    format!("```portcullis\n{text}\n```")
}

/// The file and line of a span, as `portcullis routes` shows them.
fn place(policy: &Policy, span: Span) -> String {
    let file = policy.uri(span.file).map_or("", |uri| uri.path());
    let name = file.rsplit('/').next().unwrap_or(file);
    let line = policy
        .parsed
        .sources
        .get(span.file)
        .map_or(0, |source| source.line(span.start));
    format!("{name}:{line}")
}

/// The trees of one file.
fn document(policy: &Policy, file: FileId) -> Option<&Document> {
    policy.parsed.documents.get(file.0 as usize)
}
