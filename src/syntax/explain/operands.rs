//! Operands and values in the syntax of other tools: `header["X"]`, `{id}`, `address "10.0.0.0/8"`,
//! `"admin" in roles`.

use super::super::build::is_name;
use super::super::parse::Rule;
use super::super::tokens::{Kind, Token, token_at};
use super::expected::ATOMS;
use super::others::strings;
use super::{Site, shown};
use crate::diagnostic::{Code, Diagnostic};
use crate::pattern::Method;

/// Words for "any valid token" in other tools.
const ANY_TOKEN: &[&str] = &[
    "token", "login", "jwt", "bearer", "auth", "user", "valid", "any", "a", "logged", "signed",
    "session", "identity", "oauth2", "oidc",
];

/// Whether a word alone means any valid token in other tools.
pub(in super::super) fn means_any_token(word: &str) -> bool {
    ANY_TOKEN.contains(&word)
}

/// Claims that are checked for every token.
const ALWAYS_CHECKED: &[(&str, &str)] = &[
    (
        "audience",
        "the audience of every token is checked: it is the setting `audience \"…\"` of the API",
    ),
    (
        "aud",
        "the audience of every token is checked: it is the setting `audience \"…\"` of the API",
    ),
    (
        "iss",
        "the issuer of every token is checked; to tell two of them apart, write `token from NAME`",
    ),
    (
        "url",
        "the issuer of every token is checked; to tell two of them apart, write `token from NAME`",
    ),
    (
        "exp",
        "an expired token is always refused; `login within 15m` asks for a recent login",
    ),
    (
        "now",
        "a condition can compare a claim of the type `time` with `now`: `claim NAME > now`",
    ),
    (
        "time",
        "a condition can compare a claim of the type `time` with `now`: `claim NAME > now`",
    ),
];

/// `requires token`, `requires a valid token`, `requires login`
pub(super) fn any_token(site: &Site<'_>) -> Option<Diagnostic> {
    let at = site
        .before
        .iter()
        .rposition(|token| token.text == "requires")?;
    let requires = *site.before.get(at)?;
    let first = match site.before.get(at + 1) {
        Some(first) => *first,
        None => site.found?,
    };
    let line = site.text.get(first.start..)?.lines().next()?;
    let line = line.trim_end();
    let mut words = line.split(' ').peekable();
    let are_words =
        words.peek().is_some() && words.all(|word| ANY_TOKEN.contains(&word) || word == "in");
    if !are_words || ["any", "a"].contains(&line) {
        return None;
    }
    let span = site.span(requires.start, first.start + line.len());
    let place = site.span(first.start, first.start + line.len());
    Some(
        Diagnostic::new(
            Code::Syntax,
            place,
            format!("expected a condition, found `{line}`"),
        )
        .help("to ask for a valid token and nothing else, write `authenticated`")
        .suggest(span, "authenticated"),
    )
}

/// `requires audience "x"`, `requires exp > now`
pub(super) fn always_checked(site: &Site<'_>) -> Option<Diagnostic> {
    let in_condition = site.expects_condition() || super::conditions::stands_as_condition(site);
    let token = match site.found {
        Some(found) if site.expects_condition() => found,
        _ => site.previous()?,
    };
    let word = token.word().filter(|_| in_condition)?;
    let (_, help) = ALWAYS_CHECKED.iter().find(|(claim, _)| *claim == word)?;
    Some(
        site.error_at(token, format!("expected a condition, found `{word}`"))
            .help(*help),
    )
}

/// `header["X"]`, `scope("read")`, `scope any("a", "b")`, `claim.sub`, `claims["sub"]`
pub(super) fn reader_call(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found.filter(|_| site.touches())?;
    let word = site.previous()?;
    let name = word.word()?;
    let kind = match name {
        "header" | "headers" | "query" | "scope" | "any" | "all" => name,
        "claim" | "claims" => "claim",
        _ => return None,
    };
    let rest = site.text.get(found.end()..)?.lines().next()?;
    let inner = match found.text {
        "(" => rest.get(..rest.find(')')?)?,
        "[" if kind != "any" && kind != "all" => rest.get(..rest.find(']')?)?,
        "." if kind == "claim" => {
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            rest.get(..end.unwrap_or(rest.len()))?
        }
        _ => return None,
    };
    let end = found.end() + inner.len() + usize::from(found.text != ".");
    let quoted: Vec<String> = inner
        .split(',')
        .map(|value| value.trim_matches(|c: char| c.is_whitespace() || "'\"`".contains(c)))
        .filter(|value| !value.is_empty())
        .map(|value| format!("\"{value}\""))
        .collect();
    let here = match (kind, quoted.as_slice()) {
        (_, []) => return None,
        ("any" | "all", values) => format!("{kind} [{}]", values.join(", ")),
        ("claim", [one]) => format!(
            "claim {}",
            Some(one.trim_matches('"')).filter(|name| is_name(name))?
        ),
        ("headers", [one]) => format!("header {one}"),
        (kind, [one]) => format!("{kind} {one}"),
        _ => return None,
    };
    let span = site.span(word.start, end);
    let written = site.text.get(word.start..end)?;
    Some(
        Diagnostic::new(
            Code::Syntax,
            span,
            format!("expected `{here}`, found `{written}`"),
        )
        .help(format!("write `{here}`"))
        .suggest(span, here),
    )
}

/// `claim sub == {id}`, `== :id`, `== $id`, `== path["id"]`, `== params.id`
pub(super) fn path_parameter(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found.filter(|_| site.expects(Rule::value))?;
    let rest = site.text.get(found.start..)?;
    let end = rest.find([' ', '\t', '\r', '\n']).unwrap_or(rest.len());
    let word = rest.get(..end)?;
    let name = ["{", "${", "$", ":", "path(", "path[", "params.", "params["]
        .iter()
        .filter_map(|before| word.strip_prefix(before))
        .map(|name| name.trim_matches(|c: char| "\"'`()[]{}".contains(c)))
        .find(|name| is_name(name))?;
    let span = site.span(found.start, found.start + end);
    Some(
        Diagnostic::new(
            Code::Syntax,
            span,
            format!("expected a value, found `{word}`"),
        )
        .help(format!("the parameter of the path is `path.{name}`"))
        .suggest(span, format!("path.{name}")),
    )
}

/// `address "10.0.0.0/8"`, `method GET`, `claim sub "x"`, `header "X" "y"`
pub(super) fn test_missing(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found.filter(|_| {
        (site.expects(Rule::test) || site.expects(Rule::method_test)) && !site.line_ends()
    })?;
    let previous = site.previous()?;
    let error = || site.error(format!("expected a test, found `{}`", shown(found)));
    if previous.text == "method" {
        let method = found.word()?.to_ascii_uppercase();
        Method::parse(&method)?;
        return Some(
            error()
                .help(format!("write `method == {method}`"))
                .suggest(site.place(found), format!("== {method}")),
        );
    }
    if !matches!(found.kind, Kind::String | Kind::Number) {
        return None;
    }
    if previous.text == "address" {
        return Some(address(site, found, error()));
    }
    if site.before_previous()?.text == "claim" {
        let claim = previous.text;
        return Some(error().help(format!(
            "write `claim {claim} == {0}`, or `claim {claim} contains {0}` if it is a list",
            shown(found)
        )));
    }
    Some(
        error()
            .help("to compare them, write `==`")
            .suggest(site.span(found.start, found.start), "== "),
    )
}

/// `address in 10.0.0.0/8`, `address == 10.0.0.1`
pub(super) fn address_without_quotes(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found.filter(|found| found.kind == Kind::Number)?;
    let of_address = site
        .before
        .iter()
        .rev()
        .take(2)
        .any(|token| ["address", "ip"].contains(&token.text));
    if !of_address || !(site.expects(Rule::list) || site.expects(Rule::test)) {
        return None;
    }
    let error = site.error(format!(
        "expected a list of addresses, found `{}`",
        found.text
    ));
    Some(address(site, found, error))
}

/// A list with the address or range that was probably meant.
fn address(site: &Site<'_>, found: Token<'_>, error: Diagnostic) -> Diagnostic {
    let (values, end) = match found.kind {
        Kind::String => strings(site.text, found),
        _ => {
            let rest = site.text.get(found.start..).unwrap_or_default();
            let end = rest
                .find([' ', '\t', '\r', '\n', ',', ')', ']'])
                .unwrap_or(rest.len());
            (Vec::from_iter(rest.get(..end)), found.start + end)
        }
    };
    let quoted: Vec<String> = values
        .iter()
        .map(|value| format!("\"{}\"", value.trim_matches('"')))
        .collect();
    let follows_in = site.previous().is_some_and(|token| token.text == "in");
    let before = if follows_in { "" } else { "in " };
    let list = format!("{before}[{}]", quoted.join(", "));
    error
        .help(format!("write `address in [{}]`", quoted.join(", ")))
        .suggest(site.span(found.start, end), list)
}

/// `scope "a" in token`
pub(super) fn in_token(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found.filter(|found| {
        site.behind_condition() && ["in", "from", "of", "on"].contains(&found.text)
    })?;
    let next = token_at(site.text, found.end()).filter(|next| {
        ["token", "jwt", "scope", "scopes", "claims", "path"].contains(&next.text)
    })?;
    let previous = site.previous()?;
    Some(
        site.error(format!(
            "expected `and` or `or`, found `{} {}`",
            found.text, next.text
        ))
        .help("a scope or a claim is always that of the token")
        .suggest(site.span(previous.end(), next.end()), ""),
    )
}

/// `"admin" in claim roles`, `"admin" in roles`
pub(super) fn value_first(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site
        .found
        .filter(|found| found.kind == Kind::String && site.expects_condition())?;
    let operator = token_at(site.text, found.end())?;
    let test = match operator.text {
        "in" => "contains",
        "==" | "!=" => operator.text,
        _ => return None,
    };
    let mut last = token_at(site.text, operator.end())?;
    if last.text == "claim" {
        last = token_at(site.text, last.end())?;
    }
    let name = last.word().filter(|name| is_name(name))?;
    let span = site.span(found.start, last.end());
    let condition = match name {
        "scope" | "scopes" if test == "contains" => format!("scope {}", found.text),
        name if ATOMS.contains(&name) => return None,
        name => format!("claim {name} {test} {}", found.text),
    };
    Some(
        Diagnostic::new(
            Code::Syntax,
            site.place(found),
            format!("expected a condition, found `{}`", shown(found)),
        )
        .help(format!("a test has its value last: `{condition}`"))
        .suggest(span, condition),
    )
}

/// `claim roles contains "a" or "b"`
pub(super) fn value_for_condition(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site
        .found
        .filter(|found| found.kind == Kind::String && site.expects_condition())?;
    site.previous()
        .filter(|token| ["and", "or"].contains(&token.text))?;
    let mut before = site.before.iter().rev().skip(1);
    let value = before.next().filter(|token| token.kind == Kind::String)?;
    let begins = before
        .take_while(|token| !["requires", "if", "and", "or", "not", "(", "="].contains(&token.text))
        .last()?;
    let subject = site.text.get(begins.start..value.start)?;
    let whole = format!("{subject}{}", found.text);
    Some(
        site.replace(
            found,
            format!("expected a condition, found `{}`", shown(found)),
            whole.as_str(),
        )
        .help(format!("each condition is written in full: `{whole}`")),
    )
}

/// `claim roles == ["a"]`, `claim roles contains ["a"]`
pub(super) fn list_for_value(site: &Site<'_>) -> Option<Diagnostic> {
    site.found
        .filter(|found| found.is_sign("[") && site.expects(Rule::value))?;
    let test = site.previous()?;
    let error = site.error("expected a value, found `[`");
    Some(match test.text {
        "==" => error.help(
            "write `in […]` to compare with several values, or `contains any […]` if the claim is a \
             list",
        ),
        "contains" => error
            .help("write `contains any […]` if one of them is enough, `contains all […]` if not"),
        _ => return None,
    })
}

/// `cors "https://a.example" passed on with credentials`
pub(super) fn credentials_last(site: &Site<'_>) -> Option<Diagnostic> {
    let with = site.found.filter(|found| found.text == "with")?;
    let passed = site
        .before_previous()
        .filter(|token| token.text == "passed")?;
    let _on = site.previous().filter(|token| token.text == "on")?;
    let credentials = token_at(site.text, with.end()).filter(|next| next.text == "credentials")?;
    Some(
        site.error("`with credentials` comes before `passed on`")
            .help("write `cors ORIGINS with credentials passed on`")
            .suggest(
                site.place(passed).to(site.place(credentials)),
                "with credentials passed on",
            ),
    )
}

/// `host ["a", "b"]`, `cors *`
pub(super) fn setting_value(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site
        .found
        .filter(|_| site.expects(Rule::term) && site.before.len() == 1)?;
    let setting = site.previous()?.text;
    if found.is_sign("*") && setting != "audience" {
        return Some(
            site.replace(
                found,
                format!("`{setting}` takes a value in quotes"),
                "\"*\"",
            )
            .help("data is written in quotes"),
        );
    }
    if !found.is_sign("[") {
        return None;
    }
    let rest = site.text.get(found.end()..)?;
    let inner = rest.get(..rest.find(']')?)?;
    let span = site.span(found.start, found.end() + inner.len() + 1);
    Some(
        site.error(format!("`{setting}` takes no brackets"))
            .help("separate several values with commas")
            .suggest(span, inner.trim().trim_end_matches(',')),
    )
}
