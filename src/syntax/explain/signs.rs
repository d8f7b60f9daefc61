//! Operators and punctuation of other languages.

use super::super::parse::Rule;
use super::super::tokens::{Kind, token_at};
use super::Site;
use crate::diagnostic::{Code, Diagnostic};

/// `'x'`, `“x”`
pub(super) fn foreign_quote(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found?;
    let quote = found
        .text
        .chars()
        .next()
        .filter(|c| "'`“”„‘’«»".contains(*c))?;
    let rest = site.text.get(found.start + quote.len_utf8()..)?;
    let inner = rest
        .lines()
        .next()
        .and_then(|line| line.split_once(['\'', '`', '”', '“', '’', '»']))
        .map(|(inner, _)| inner);
    let message = format!("`{quote}` is not a quote of the language");
    let error = match inner.filter(|inner| found.kind == Kind::Sign && !inner.contains('"')) {
        Some(inner) => {
            let span = site.span(found.start, found.end() + inner.len() + quote.len_utf8());
            Diagnostic::new(Code::Syntax, span, message).suggest(span, format!("\"{inner}\""))
        }
        None => site.error(message),
    };
    Some(error.help("text stands between `\"` and `\"`"))
}

/// `&&`, `||`, `!`, `=>`, `<>`
pub(super) fn operator_of_another_language(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found?;
    let here = match found.text {
        "&&" | "&" | "+" if site.behind_condition() => "and",
        "||" | "|" if site.behind_condition() => "or",
        "!" if site.expects_condition() => "not",
        "|" | "&" if site.expects(Rule::path) => ",",
        _ => return None,
    };
    let replacement = match (here, site.touches()) {
        ("not", _) => "not ".to_owned(),
        (here, true) if here != "," => format!(" {here}"),
        (here, _) => here.to_owned(),
    };
    Some(
        site.replace(
            found,
            format!("`{}` is not of the language", found.text),
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
            site.replace(found, format!("`{}` compares nothing", found.text), "==")
                .help("values are compared by `==`"),
        );
    }
    if site.expects(Rule::equals) {
        return Some(
            site.replace(found, format!("expected `=`, found `{}`", found.text), "=")
                .help("a declaration is written with a single `=`"),
        );
    }
    if site.before.len() == 1 {
        let previous = site.previous()?;
        return Some(
            site.error(format!(
                "no `{}` stands between `{}` and its value",
                found.text, previous.text
            ))
            .help("a setting is a word and its value, with a blank between them")
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
            site.replace(found, "`;` ends nothing", "")
                .help("a statement ends where the next begins"),
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
                .help("a declaration is written with a single `=`")
                .suggest(site.span(previous.end(), end), " ="),
        );
    }
    let keyword = site.before.len() == 1 || site.expects(Rule::type_name);
    if found.text == ":" && keyword {
        return Some(
            site.replace(
                found,
                format!("no `:` stands behind `{}`", previous.text),
                "",
            )
            .help("words are separated by blanks alone"),
        );
    }
    None
}
