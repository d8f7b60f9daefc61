//! Operators and punctuation of other languages.

use super::super::parse::{Rule, parse};
use super::super::tokens::{Kind, Token, is_foreign_quote, token_at};
use super::Site;
use crate::diagnostic::{Code, Diagnostic};

/// `'x'`, `“x”`
pub(super) fn foreign_quote(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found?;
    let quote = found.text.chars().next().filter(|c| is_foreign_quote(*c))?;
    let rest = site.text.get(found.start + quote.len_utf8()..)?;
    let line = rest.lines().next().unwrap_or_default();
    let closing = line.char_indices().find(|(_, c)| is_foreign_quote(*c));
    let message = format!("`{quote}` is not a quotation mark here");
    let inner = closing.and_then(|(end, closing)| {
        let inner = line.get(..end)?;
        let span = site.span(found.start, found.end() + end + closing.len_utf8());
        (!inner.contains('"')).then_some((inner, span))
    });
    let error = match inner {
        Some((inner, span)) => {
            Diagnostic::new(Code::Syntax, span, message).suggest(span, format!("\"{inner}\""))
        }
        None => site.error(message),
    };
    Some(error.help("put text between `\"` and `\"`"))
}

/// `&&`, `||`, `!`, `=>`, `<>`
pub(super) fn operator_of_another_language(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found?;
    let here = match found.text {
        "&&" | "&" | "+" if site.behind_condition() => "and",
        "||" | "|" if site.behind_condition() => "or",
        "unless" if site.behind_condition() => "and not",
        "!" if site.expects_condition() => "not",
        "|" | "&" | "+" | "and" | "or" if site.expects(Rule::path) && site.expects(Rule::comma) => {
            ","
        }
        _ => return None,
    };
    let ends_apart = site
        .text
        .get(found.end()..)
        .is_none_or(|rest| rest.starts_with(|c: char| c.is_ascii_whitespace()));
    let before = if site.touches() && !["not", ","].contains(&here) {
        " "
    } else {
        ""
    };
    let after = if ends_apart || here == "," { "" } else { " " };
    let replacement = format!("{before}{here}{after}");
    Some(
        site.replace(
            found,
            format!("expected `{here}`, found `{}`", found.text),
            replacement,
        )
        .help(format!("write `{here}`")),
    )
}

/// `=` for `==`, and `=` between a setting and its value
pub(super) fn assignment(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found.filter(|found| {
        found.is_sign("=") || found.is_sign("==") || found.is_sign("=>") || found.is_sign(":=")
    })?;
    if site.expects(Rule::test) || site.expects(Rule::method_test) {
        return Some(
            site.replace(
                found,
                format!("expected `==`, found `{}`", found.text),
                "==",
            )
            .help("values are compared with `==`"),
        );
    }
    // `===`, `!==`
    if let Some(comparison) = site.previous()
        && ["==", "!="].contains(&comparison.text)
        && site.touches()
    {
        let span = site.place(comparison).to(site.place(found));
        let written = format!("{}{}", comparison.text, found.text);
        return Some(
            Diagnostic::new(
                Code::Syntax,
                span,
                format!("expected `{}`, found `{written}`", comparison.text),
            )
            .help("there is one kind of equality")
            .suggest(span, comparison.text),
        );
    }
    if site.expects(Rule::equals) {
        return Some(
            site.replace(found, format!("expected `=`, found `{}`", found.text), "=")
                .help("a declaration takes a single `=`"),
        );
    }
    if site.before.len() == 1 {
        let previous = site.previous()?;
        return Some(
            site.error(format!(
                "`{}` takes no `{}` before its value; remove it",
                previous.text, found.text
            ))
            .help("a setting is a word and its value, separated by a space")
            .suggest(site.span(previous.end(), found.end()), ""),
        );
    }
    None
}

/// `url: "…"`, and `;` at the end
pub(super) fn colon_or_semicolon(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found.filter(|found| found.kind == Kind::Sign)?;
    if found.text == ";" {
        return Some(
            site.replace(found, "statements have no terminator; remove the `;`", "")
                .help("a statement ends where the next one begins"),
        );
    }
    let previous = site.previous()?;
    if found.text == ":" && site.expects(Rule::equals) {
        let end = match token_at(site.text, found.end()) {
            Some(next) if next.is_sign("=") => next.end(),
            _ => found.end(),
        };
        return Some(
            site.error(format!("expected `=`, found `{}`", found.text))
                .help("a declaration takes a single `=`")
                .suggest(site.span(previous.end(), end), " ="),
        );
    }
    let keyword = site.before.len() == 1
        || site.expects(Rule::type_name)
        || (site.touches()
            && is_keyword(site, previous)
            && !site
                .text
                .get(found.end()..)?
                .starts_with(|c: char| !c.is_whitespace()));
    if found.text == ":" && keyword {
        return Some(
            site.replace(
                found,
                format!("`{}` takes no `:`; remove it", previous.text),
                "",
            )
            .help("words are separated by spaces only"),
        );
    }
    None
}

/// Whether a token is a keyword, and so not a name.
fn is_keyword(site: &Site<'_>, token: Token<'_>) -> bool {
    token
        .word()
        .is_some_and(|word| parse(Rule::name, site.file, word, 0).is_err())
}
