//! Statements that begin with a word that the block doesn't know.

use super::super::context::Context;
use super::super::tokens::{Kind, Token, token_at};
use super::expected::{ATOMS, article};
use super::{Site, shown};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::suggest::nearest;
use crate::pattern::Method;

/// The first word of the statement is wrong, or the statement belongs in another block.
pub(super) fn unknown(site: &Site<'_>) -> Option<Diagnostic> {
    let first = token_at(site.text, site.start)?;
    if let Some(error) = continuation(site, first) {
        return Some(error);
    }
    let known = site.context.keywords().contains(&first.text);
    let at_first = site.found.is_some_and(|found| found.start <= first.start);
    if !at_first && (known || !misread_as_route(site, first)) {
        return None;
    }
    Some(unknown_first(site, first))
}

/// Any word could be a method, so the grammar stops after it.
fn misread_as_route(site: &Site<'_>, first: Token<'_>) -> bool {
    let Some(word) = first.word() else {
        return false;
    };
    match site.context {
        Context::Api | Context::Under => {
            let block = site.found.is_some_and(|found| found.is_sign("{"));
            let method = |token: &Token<'_>| Method::parse(token.text).is_some();
            let begins = site.before.len() == 1 || block || !site.before.iter().any(method);
            begins && Method::parse(word).is_none()
        }
        // A test may send a method in lower case, to see that it is refused.
        Context::Test => Method::parse(&word.to_ascii_uppercase()).is_none(),
        _ => false,
    }
}

/// A line that looks like another claim, but continues the previous one: `org_id string form "x"`
fn continuation(site: &Site<'_>, first: Token<'_>) -> Option<Diagnostic> {
    let word = first.word()?;
    if !site.goes_on || site.context != Context::Claims {
        return None;
    }
    let near = nearest(word, ["from"])?;
    Some(
        site.replace(
            first,
            format!("expected `from` or the next claim, found `{word}`"),
            near,
        )
        .help(format!("did you mean `{near}`?")),
    )
}

fn unknown_first(site: &Site<'_>, first: Token<'_>) -> Diagnostic {
    let noun = site.context.noun();
    let error = site.error_at(
        first,
        format!(
            "expected {} {noun}, found `{}`",
            article(noun),
            shown(first)
        ),
    );
    let in_api = matches!(site.context, Context::Api | Context::Under);
    let next = token_at(site.text, first.end());
    // A call, a member or a key, as in other languages: `app.get(…)`, `path: /a`.
    let touched = next
        .is_some_and(|next| next.start == first.end() && ["(", ".", ":", "<"].contains(&next.text));
    let is_setting = site.context.keywords().contains(&first.text);
    match first.kind {
        Kind::Word if in_api && touched && !is_setting => error.help(ROUTE),
        Kind::Word => word(site, first),
        Kind::String if in_api && Method::parse(first.text.trim_matches('"')).is_some() => error
            .suggest(site.place(first), first.text.trim_matches('"'))
            .help("a method is written without quotes"),
        Kind::Sign if in_api && first.text == "[" => {
            error.help("several methods are separated by commas: `GET, POST /orders authenticated`")
        }
        Kind::Sign if in_api && ["<", ".", "(", "-"].contains(&first.text) => error.help(ROUTE),
        Kind::Raw if first.text.starts_with("/*") => {
            error.help("comments begin with `#` and end with the line")
        }
        Kind::Raw if matches!(site.context, Context::Api | Context::Under | Context::Test) => {
            error.help("a route begins with its methods: `GET`, or `*` for all")
        }
        Kind::Sign if first.text == "-" => {
            error.help("comments begin with `#`; lists are written in `[` and `]`")
        }
        Kind::Sign if first.text == ";" || first.text == "," => error
            .suggest(site.place(first), "")
            .help("a statement ends where the next one begins"),
        Kind::Sign if first.text == "@" => {
            error.help("there are no annotations; a route is one line, `METHODS PATH ACCESS`")
        }
        _ => error.help(hint(site.context)),
    }
}

/// The form of a route.
const ROUTE: &str = "a route is one line, `METHODS PATH ACCESS`, such as `GET /orders requires scope \
                     \"read\"`; comments begin with `#`";

fn word(site: &Site<'_>, first: Token<'_>) -> Diagnostic {
    let word = first.text;
    let noun = site.context.noun();
    let message = format!("expected {} {noun}, found `{word}`", article(noun));
    let route = Method::parse(word).is_some()
        || token_at(site.text, first.end()).is_some_and(|next| next.kind == Kind::Raw);
    if site.context == Context::Top && route {
        return site
            .error_at(first, "this route is outside any API")
            .help("routes belong inside the braces of `api NAME { … }`");
    }
    if let Some((owner, place)) = elsewhere(site.context, word) {
        return site
            .error_at(first, format!("`{word}` does not belong here"))
            .help(format!("it is {} {owner}: {place}", article(owner)));
    }
    if matches!(site.context, Context::Api | Context::Under) && ATOMS.contains(&word) {
        return site
            .error_at(first, message)
            .help("a line that goes on with the condition before it begins with `and` or `or`");
    }
    let continuations: &[&str] = &["and", "or", "requires", "instead", "public", "denied"];
    let methods = matches!(site.context, Context::Api | Context::Under | Context::Test);
    let upper = word.to_ascii_uppercase();
    if methods && Method::parse(&upper).is_some() {
        return site
            .replace(first, format!("`{word}` is not a method"), upper)
            .help("methods are upper case");
    }
    let near = nearest(word, site.context.keywords().iter().copied())
        .or_else(|| {
            methods
                .then(|| nearest(word, Method::all().map(Method::as_str)))
                .flatten()
        })
        .or_else(|| nearest(word, continuations.iter().copied()));
    match near {
        Some(near) => site
            .replace(first, message, near)
            .help(format!("did you mean `{near}`?")),
        None => {
            let help = foreign(site.context, word).unwrap_or_else(|| hint(site.context));
            site.error_at(first, message).help(help)
        }
    }
}

/// The other block in which a word begins a statement.
fn elsewhere(here: Context, word: &str) -> Option<(&'static str, &'static str)> {
    let places = [
        (Context::Issuer, "in `issuer NAME { … }`"),
        (Context::Api, "in `api NAME { … }`"),
        (Context::Top, "outside any block"),
        (Context::Test, "in `test \"…\" { … }`"),
    ];
    places
        .into_iter()
        .find(|(context, _)| {
            *context != here
                && !(here == Context::Under && word == "under")
                && context.keywords().contains(&word)
        })
        .map(|(context, place)| {
            let owner = match context {
                Context::Api => "part of an API",
                Context::Test => "part of a test",
                context => context.noun(),
            };
            (owner, place)
        })
}

/// Words of other languages.
fn foreign(context: Context, word: &str) -> Option<&'static str> {
    Some(match word {
        "include" | "import" | "use" => {
            "there are no includes: all `*.gate` files in a folder are one policy"
        }
        "version" => "`language 1` names the version of the language",
        "allow" | "deny" | "permit" | "forbid" | "route" | "rule" | "path" | "location"
        | "routes" | "endpoint" | "methods" | "limit_except" | "auth_request" | "proxy_pass"
        | "satisfy" | "Require" | "p" | "g" | "match" => {
            "a route is `METHODS PATH ACCESS`, such as `GET /orders requires scope \"read\"`, in \
             an `api`"
        }
        "policy" | "service" | "server" => "what a policy protects is an `api NAME { … }`",
        "provider" | "idp" | "auth" | "jwt" | "oidc" => {
            "the provider that signs tokens is an `issuer NAME { … }`"
        }
        "var" | "const" | "def" | "define" => "`let NAME = …` names a condition",
        "list" if context == Context::Top => "`set NAME = […]` names a list",
        "jwks" | "jwks_uri" | "jwks_url" => "`keys url \"…\"` says where the keys are",
        "max_age" | "maxAge" | "max-age" => "`max age 1h` sets the maximum age",
        "aud" => "`audience \"…\"` names the audience",
        "iss" => "`url \"…\"` is the issuer's URL",
        "expect" | "assert" | "request" => {
            "an expectation begins with the request: `GET /orders with alice is allowed`"
        }
        _ => return None,
    })
}

/// The contents of a block.
fn hint(context: Context) -> &'static str {
    match context {
        Context::Top | Context::Unknown => {
            "a declaration begins with `issuer`, `api`, `guard`, `let`, `set`, `param` or `test`"
        }
        Context::Issuer => {
            "an issuer has `url`, `keys`, `algorithms`, `leeway`, `max age`, `tokens`, `scopes \
             from`, `client from`, `audience`, `sender` and `claims { … }`"
        }
        Context::Claims => "a claim is `NAME TYPE`, or `NAME TYPE from PATH`",
        Context::Api => {
            "an API has routes, `METHODS PATH ACCESS`, `under PATH { … }`, and the settings \
             `host`, `issuer`, `audience`, `scopes`, `realm`, `token in`, `cors`, `preflight`, \
             `forward`, `paths` and `sender`"
        }
        Context::Under => "a route is `METHODS PATH ACCESS`; settings belong outside `under`",
        Context::Test => {
            "a test has tokens, `token NAME = ISSUER { … }`, and requests, `GET /path with NAME \
             is allowed`"
        }
        Context::Token => "a claim is its name and its value: `sub \"alice\"`",
    }
}
