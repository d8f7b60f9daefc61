//! Writes the text of a policy.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::ImportOptions;
use super::conditions::{Access, ROLES, quoted};
use super::issuer::Issuer;
use crate::check::is_scope;
use crate::openapi::cases::Misfit;
use crate::openapi::document::Document;
use crate::pattern::Method;
use crate::source::Sources;
use crate::syntax;

/// The width of comments.
const COMMENT_WIDTH: usize = 96;

/// An API to write.
pub(super) struct Api {
    pub name: String,
    /// Empty for any host.
    pub hosts: Vec<String>,
    pub routes: Vec<Route>,
    /// Operations that no route can express.
    pub misfits: Vec<Comment>,
}

/// A route to write.
pub(super) struct Route {
    pub method: Method,
    pub path: String,
    pub access: Access,
    pub comments: Vec<String>,
    /// Whether the access comes from the document.
    pub is_said: bool,
    /// Routes of one family are written together.
    pub family: String,
}

/// A comment in place of a route.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Comment(String);

impl Comment {
    /// A comment for an operation whose path no route can have.
    pub fn of_misfit<P>(misfit: &Misfit<P>) -> Comment {
        Comment(format!(
            "Left out: {} {}: {}.",
            misfit.operation.method,
            crate::text::quoted(&misfit.path),
            misfit.why
        ))
    }
}

impl Api {
    /// Whether a route needs tokens.
    pub fn uses_tokens(&self) -> bool {
        self.routes.iter().any(|route| route.access.uses_token)
    }
}

/// Writes a policy, in the standard layout.
pub(super) fn write(
    document: &Document,
    options: &ImportOptions,
    issuer: &Issuer,
    apis: &[Api],
) -> String {
    let text = words(document, options, issuer, apis);
    let mut sources = Sources::new();
    let file = sources.add("", text.as_str());
    // A policy that can't be formatted, because it is too large, is returned as it is.
    syntax::layout(&sources, file).unwrap_or(text)
}

/// The words of a policy and its comments, not yet aligned.
fn words(document: &Document, options: &ImportOptions, issuer: &Issuer, apis: &[Api]) -> String {
    let mut text = String::new();
    let title = if document.title.is_empty() {
        String::new()
    } else {
        format!("{}, ", one_line(&document.title))
    };
    comment(
        &mut text,
        0,
        &format!(
            "A first policy, made from {} ({title}OpenAPI {}) by `portcullis import openapi`.",
            one_line(&options.file),
            one_line(&document.version)
        ),
    );
    text.push_str("language 1\n");
    if apis.iter().any(Api::uses_tokens) {
        text.push('\n');
        for line in &issuer.comments {
            comment(&mut text, 0, line);
        }
        line(&mut text, 0, &format!("issuer {} {{", issuer.name));
        line(&mut text, 1, &format!("url {}", quoted(&issuer.url)));
        if reads_roles(apis) {
            line(&mut text, 1, "claims {");
            line(&mut text, 2, &format!("{ROLES} list of string"));
            line(&mut text, 1, "}");
        }
        line(&mut text, 0, "}");
    }
    for api in apis {
        text.push('\n');
        write_api(&mut text, document, options, issuer, api);
    }
    text
}

fn reads_roles(apis: &[Api]) -> bool {
    apis.iter()
        .flat_map(|api| &api.routes)
        .any(|route| route.access.reads_roles)
}

fn write_api(
    text: &mut String,
    document: &Document,
    options: &ImportOptions,
    issuer: &Issuer,
    api: &Api,
) {
    line(text, 0, &format!("api {} {{", api.name));
    if !api.hosts.is_empty() {
        let hosts: Vec<String> = api.hosts.iter().map(|host| quoted(host)).collect();
        line(text, 1, &format!("host {}", hosts.join(", ")));
    }
    if api.uses_tokens() {
        line(text, 1, &format!("issuer {}", issuer.name));
        match &options.audience {
            Some(audience) => line(text, 1, &format!("audience {}", quoted(audience))),
            None => {
                comment(
                    text,
                    1,
                    "The document does not name the audience. Write the `aud` of this API's \
                    tokens here.",
                );
                line(text, 1, &format!("audience {}", quoted(&audience(api))));
            }
        }
        let scopes = scopes(document, api);
        if !scopes.is_empty() {
            let scopes: Vec<String> = scopes.into_iter().map(quoted).collect();
            line(text, 1, &format!("scopes {}", scopes.join(", ")));
        }
    }
    let says_nothing = api.routes.iter().all(|route| !route.is_said);
    if says_nothing && !api.routes.is_empty() {
        text.push('\n');
        comment(
            text,
            1,
            "The document does not say who may call these: each asks for a token.",
        );
    }
    let mut family: Option<&str> = None;
    for route in &api.routes {
        if family != Some(&route.family) {
            if family.is_some() || !says_nothing {
                text.push('\n');
            }
            family = Some(&route.family);
        }
        for said in &route.comments {
            comment(text, 1, said);
        }
        let unsaid = if route.is_said || says_nothing {
            ""
        } else {
            "  # the document does not say"
        };
        line(
            text,
            1,
            &format!(
                "{} {} {}{unsaid}",
                route.method, route.path, route.access.text
            ),
        );
    }
    if !api.misfits.is_empty() {
        text.push('\n');
        for Comment(said) in &api.misfits {
            comment(text, 1, said);
        }
    }
    line(text, 0, "}");
}

/// A guess at the audience: most APIs use their own URL.
fn audience(api: &Api) -> String {
    match api.hosts.first() {
        Some(host) => format!("https://{host}"),
        None => "https://audience.invalid".to_owned(),
    }
}

/// The API's scopes: those that its routes require, and the others that the document declares.
fn scopes<'a>(document: &'a Document, api: &'a Api) -> BTreeSet<&'a str> {
    let asked: BTreeSet<&str> = api
        .routes
        .iter()
        .flat_map(|route| &route.access.scopes)
        .map(String::as_str)
        .collect();
    if asked.is_empty() {
        return asked;
    }
    let declared = document
        .schemes
        .values()
        .flat_map(|scheme| &scheme.scopes)
        .map(String::as_str)
        .filter(|scope| is_scope(scope));
    asked.iter().copied().chain(declared).collect()
}

fn line(text: &mut String, depth: usize, words: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{:depth$}{words}", "", depth = depth * 4);
}

/// A comment, broken into lines.
fn comment(text: &mut String, depth: usize, words: &str) {
    let mut current = String::new();
    for word in one_line(words).split(' ') {
        if !current.is_empty() && current.chars().count() + word.chars().count() >= COMMENT_WIDTH {
            line(text, depth, &format!("# {current}"));
            current.clear();
        }
        if !current.is_empty() {
            current.push(' ');
        }
        current.push_str(word);
    }
    line(text, depth, &format!("# {current}"));
}

/// A foreign text on one line, without control characters.
fn one_line(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}
