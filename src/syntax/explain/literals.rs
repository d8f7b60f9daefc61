//! Names, strings, numbers, paths and lists in unsupported spellings.

use super::super::build::is_name;
use super::super::context::CONTINUATIONS;
use super::super::parse::Rule;
use super::super::tokens::{Kind, Token, token_at};
use super::expected::ACCESS;
use super::others::{declaration_of, strings};
use super::synonyms::{self, meant};
use super::{Site, shown};
use crate::diagnostic::{Code, Diagnostic};
use crate::pattern::Method;

/// `15 minutes`
pub(super) fn unit_apart(site: &Site<'_>) -> Option<Diagnostic> {
    let number = site.previous().filter(|token| token.kind == Kind::Number)?;
    let word = site.word()?;
    let unit = match word.to_ascii_lowercase().as_str() {
        "s" | "sec" | "secs" | "second" | "seconds" => "s",
        "m" | "min" | "mins" | "minute" | "minutes" => "m",
        "h" | "hr" | "hrs" | "hour" | "hours" => "h",
        "d" | "day" | "days" => "d",
        _ => return None,
    };
    let span = site.place(number).to(site.place(site.found?));
    let duration = format!("{}{unit}", number.text);
    Some(
        Diagnostic::new(
            Code::Syntax,
            span,
            format!("`{} {word}` is not a duration", number.text),
        )
        .help(format!("write a duration as one word: `{duration}`"))
        .suggest(span, duration),
    )
}

/// `scope read:orders`, `host api.example.com`, `url https://…`, `claim a.b`
pub(super) fn data_without_quotes(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found.filter(|_| !site.line_ends())?;
    let first = match wants_data(site, found) {
        true => found,
        false if site.touches() && joins(found) => site
            .previous()
            .filter(|previous| matches!(previous.kind, Kind::Word | Kind::Number))?,
        false => return None,
    };
    let rest = site.text.get(first.start..)?;
    let length = rest
        .find([' ', '\t', '\r', '\n', ',', ']', ')'])
        .unwrap_or(rest.len());
    let whole = Token {
        text: rest.get(..length)?,
        ..first
    };
    let leader = site
        .before
        .iter()
        .rev()
        .find(|token| token.end() <= first.start);
    if leader.is_some_and(|leader| leader.text == "claim" || leader.text == "forward") {
        return Some(
            Diagnostic::new(
                Code::Syntax,
                site.place(whole),
                format!("expected the name of a claim, found `{}`", shown(whole)),
            )
            .help(claim_needs_a_name(site, whole.text, whole.end())),
        );
    }
    if leader.is_some_and(|leader| begins_condition(*leader)) {
        return None;
    }
    Some(
        site.replace(
            whole,
            format!("`{}` must be in quotes", shown(whole)),
            format!("\"{}\"", whole.text),
        )
        .help("data, such as a scope or a host, is written in quotes"),
    )
}

/// Whether a value must be here, and the found token isn't one.
fn wants_data(site: &Site<'_>, found: Token<'_>) -> bool {
    let text = site.expects(Rule::string) || site.expects(Rule::test_value);
    let value = text || site.expects(Rule::term) || site.expects(Rule::value);
    match found.kind {
        // A URL is always data.
        Kind::Raw => value || found.text.contains("://"),
        Kind::Number => text && !site.expects(Rule::test_value),
        // If a name is possible here too, the word is a keyword, or the beginning of a longer word.
        Kind::Word if text => !CONTINUATIONS.contains(&found.text),
        Kind::Word => {
            value
                && token_at(site.text, found.end())
                    .is_some_and(|next| next.start == found.end() && joins(next))
        }
        _ => false,
    }
}

/// Whether a token that touches a word shows that the word isn't a name.
fn joins(token: Token<'_>) -> bool {
    token.kind == Kind::Raw || [":", ".", "@", "+", "%", "-"].contains(&token.text)
}

fn begins_condition(token: Token<'_>) -> bool {
    ["requires", "if", "and", "or", "not", "(", "="].contains(&token.text)
}

/// `api "orders" {`, `under "/admin"`
pub(super) fn quotes_around_a_name(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found.filter(|found| found.kind == Kind::String)?;
    let inner = found.text.trim_matches('"');
    if site.previous().is_some_and(|token| token.text == "claim") && !is_name(inner) {
        return Some(
            site.error(format!(
                "expected the name of a claim, found `{}`",
                shown(found)
            ))
            .help(claim_needs_a_name(site, inner, found.end())),
        );
    }
    if site.expects(Rule::path) || site.expects(Rule::target) {
        return inner.starts_with('/').then(|| {
            site.replace(
                found,
                format!("a path is written without quotes, found `{}`", shown(found)),
                inner,
            )
            .help("quotes are for data")
        });
    }
    let name = site.expects(Rule::name)
        || site.expects(Rule::word)
        || site.expects(Rule::names)
        || site.expects(Rule::k_all);
    if !name || site.expects(Rule::term) || site.expects_condition() {
        return None;
    }
    let error = if is_name(inner) {
        site.replace(
            found,
            format!("a name is written without quotes, found `{}`", shown(found)),
            inner,
        )
    } else {
        site.error(format!(
            "a name is written without quotes, found `{}`",
            shown(found)
        ))
    };
    Some(error.help("a bare word is a name, quotes are for data"))
}

/// How to declare a claim so that conditions can name it.
fn claim_needs_a_name(site: &Site<'_>, path: &str, end: usize) -> String {
    let is_list = token_at(site.text, end).is_none_or(|next| next.text == "contains");
    format!(
        "give it a name in the issuer's `claims`: `{}`",
        declaration_of(path, is_list)
    )
}

/// `let scope = …`
pub(super) fn keyword_as_a_name(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found?;
    let word = found.word()?;
    if !matches!(site.expected, [Rule::name | Rule::names]) || site.line_ends() {
        return None;
    }
    Some(
        site.error(format!("`{word}` is a keyword and can't be a name"))
            .help("choose another name"),
    )
}

/// `["a" "b"]`, `GET POST /x`
pub(super) fn comma_missing(site: &Site<'_>) -> Option<Diagnostic> {
    let (found, previous) = (site.found?, site.previous()?);
    let like = found.kind == previous.kind
        && matches!(found.kind, Kind::String | Kind::Number | Kind::Word);
    if !site.expects(Rule::comma) || !like || site.line_ends() {
        return None;
    }
    // A word counts as another element only if nothing else is possible: a method before its path,
    // a name in a list.
    if found.kind == Kind::Word
        && !(Method::parse(found.text).is_some()
            || site.expects(Rule::rbracket)
            || site
                .before
                .first()
                .is_some_and(|first| first.text == "algorithms"))
    {
        return None;
    }
    let end = previous.end();
    Some(
        site.error(format!("a `,` is missing before `{}`", shown(found)))
            .help("separate them with commas")
            .suggest(site.span(end, end), ","),
    )
}

/// `scope any "a", "b"`, `set x = "a"`
pub(super) fn brackets_missing(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found?;
    let set = site.expects(Rule::k_file) && !site.expects(Rule::k_discover);
    let list = site.expects(Rule::list) || site.expects(Rule::items) || set;
    if !list || !matches!(found.kind, Kind::String | Kind::Number) {
        return None;
    }
    let (values, end) = strings(site.text, found);
    Some(
        site.error(format!(
            "expected a list in `[` and `]`, found `{}`",
            shown(found)
        ))
        .help("write `[…]` around the values, or name a `set`")
        .suggest(
            site.span(found.start, end),
            format!("[{}]", values.join(", ")),
        ),
    )
}

/// `keys "https://…"`
pub(super) fn key_source_missing(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found.filter(|found| {
        site.expects(Rule::k_discover) && matches!(found.kind, Kind::String | Kind::Raw)
    })?;
    let word = if found.text.contains("://") {
        "url"
    } else {
        "file"
    };
    Some(
        site.insert(
            format!("`{word}` is missing before `{}`", shown(found)),
            &format!("{word} "),
        )
        .help("keys come from `keys discover`, `keys url \"…\"` or `keys file \"…\"`"),
    )
}

/// `guard /admin/** of orders …`
pub(super) fn guard_without_methods(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found?;
    if !site.expects(Rule::methods) || found.kind != Kind::Raw {
        return None;
    }
    Some(
        site.insert(format!("expected methods, found `{}`", shown(found)), "* ")
            .help("a guard names the methods it covers; `*` stands for all"),
    )
}

/// `GET orders`
pub(super) fn path_without_slash(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found.filter(|_| site.expects(Rule::path))?;
    let word = found.word()?;
    if site.line_ends() {
        return None;
    }
    if ACCESS.contains(&word) {
        return Some(
            site.error(format!("a path is missing before `{word}`"))
                .help("a route is `METHODS PATH ACCESS`, such as `GET /orders authenticated`"),
        );
    }
    if word == "of" {
        return Some(
            site.insert("a path is missing before `of`", "/** ")
                .help("a guard has one path; `/**` covers all"),
        );
    }
    let path = format!("/{word}");
    Some(
        site.replace(found, format!("expected a path, found `{word}`"), path)
            .help("a path begins with `/`"),
    )
}

/// `bool`, `int`
pub(super) fn foreign_type(site: &Site<'_>) -> Option<Diagnostic> {
    if !site.expects(Rule::type_name) {
        return None;
    }
    let found = site.found?;
    let help = "a type is `string`, `number`, `boolean`, `time`, `words`, `list of string` or \
                `list of number`";
    match found.word().and_then(|word| meant(word, synonyms::TYPES)) {
        Some(ty) => Some(
            site.replace(found, format!("`{}` is not a type", found.text), ty)
                .help(help),
        ),
        None => {
            let plain = site.misspelt_or_plain();
            Some(if plain.help.is_none() {
                plain.help(help)
            } else {
                plain
            })
        }
    }
}
