//! Names, literals, terms, lists, claim paths and types.

use super::{Node, Notes, Rule};
use crate::source::{Span, Spanned};
use crate::syntax::ast::{ClaimPath, List, Literal, Name, Term, TypeName};
use crate::value::{ClaimType, MAX_SAFE_INTEGER, MAX_SAFE_NUMBER};

/// A word, unchanged.
pub(super) fn word(node: &Node) -> Name {
    Spanned::new(node.text().to_owned(), node.span())
}

/// A word that is a name of the policy: a letter, then letters, digits, `_`.
pub(super) fn name(node: &Node, notes: &mut Notes) -> Name {
    let text = node.text();
    if let Some(odd) = text.chars().find(|c| !is_name_part(*c)) {
        let message = format!("`{text}` is not a name: it contains `{odd}`");
        let help = "a name starts with a letter and has letters, digits and `_`";
        if odd == '-' {
            notes.wrong_with(node.span(), message, help, text.replace('-', "_"));
        } else {
            notes.wrong(node.span(), message, help);
        }
    }
    word(node)
}

/// Whether a text could be a name.
pub(in crate::syntax) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(is_name_part)
}

/// Whether a character may be part of a name.
pub(super) fn is_name_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// All names among the children of a node.
pub(super) fn names(node: &Node, notes: &mut Notes) -> Vec<Name> {
    node.children()
        .filter(|child| child.rule() == Rule::name)
        .map(|child| name(&child, notes))
        .collect()
}

/// `"…"` with its escapes resolved.
pub(super) fn string(node: &Node, notes: &mut Notes) -> Spanned<String> {
    let span = node.span();
    let text = node.text();
    let inner = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text);
    if !inner.contains('\\') {
        return Spanned::new(inner.to_owned(), span);
    }
    let mut value = String::with_capacity(inner.len());
    let mut characters = inner.char_indices();
    while let Some((at, c)) = characters.next() {
        if c != '\\' {
            value.push(c);
            continue;
        }
        match characters.next() {
            Some((_, escaped @ ('"' | '\\'))) => value.push(escaped),
            Some((_, other)) => {
                let start = span.start + 1 + u32::try_from(at).unwrap_or(0);
                let length = 1 + u32::try_from(other.len_utf8()).unwrap_or(1);
                notes.wrong(
                    Span {
                        start,
                        end: start + length,
                        ..span
                    },
                    format!("`\\{other}` is not an escape sequence"),
                    "the only escapes are `\\\"` and `\\\\`",
                );
            }
            None => value.push('\\'),
        }
    }
    Spanned::new(value, span)
}

/// A number or a duration.
pub(super) fn numeric(node: &Node, notes: &mut Notes) -> Spanned<Literal> {
    let span = node.span();
    let text = node.text();
    let literal = match read_numeric(text) {
        Ok(literal) => literal,
        Err(Numeric::TooLarge) => {
            notes.wrong(
                span,
                format!("`{text}` is too large"),
                "numbers go up to 9007199254740991 (2^53 - 1), as far as JSON is exact",
            );
            Literal::Number(0.0)
        }
        Err(Numeric::Exponent) => {
            notes.wrong(
                span,
                format!("`{text}` is not a number"),
                "write the number without an exponent",
            );
            Literal::Number(0.0)
        }
        Err(Numeric::Unit) => {
            notes.wrong(
                span,
                format!("`{text}` is neither a number nor a duration"),
                "a duration is digits followed by `s`, `m`, `h`, `d`, such as `15m`",
            );
            Literal::Duration(0)
        }
        Err(Numeric::Malformed) => {
            notes.wrong(
                span,
                format!("`{text}` is not a number"),
                "a number is digits with at most one `.` between them; put any other value in quotes",
            );
            Literal::Number(0.0)
        }
    };
    Spanned::new(literal, span)
}

/// The seconds of a duration. Reports a text that isn't one.
pub(super) fn duration(node: &Node, notes: &mut Notes) -> u64 {
    let reported = notes.diagnostics.len();
    match numeric(node, notes).node {
        Literal::Duration(seconds) => seconds,
        _ => {
            if notes.diagnostics.len() == reported {
                notes.wrong(
                    node.span(),
                    format!("`{}` is a number; expected a duration", node.text()),
                    "a duration is digits followed by `s`, `m`, `h`, `d`, such as `15m`",
                );
            }
            0
        }
    }
}

enum Numeric {
    TooLarge,
    Exponent,
    Unit,
    Malformed,
}

fn read_numeric(text: &str) -> Result<Literal, Numeric> {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    for (unit, seconds) in [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)] {
        if let Some(digits) = text.strip_suffix(unit).filter(|digits| is_digits(digits)) {
            return digits
                .parse::<u64>()
                .ok()
                .and_then(|count| count.checked_mul(seconds))
                .filter(|seconds| *seconds <= MAX_SAFE_INTEGER)
                .map(Literal::Duration)
                .ok_or(Numeric::TooLarge);
        }
    }
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let well_formed = match unsigned.split_once('.') {
        Some((whole, fraction)) => is_digits(whole) && is_digits(fraction),
        None => is_digits(unsigned),
    };
    if well_formed {
        let number: f64 = text.parse().map_err(|_| Numeric::Malformed)?;
        return if number.abs() <= MAX_SAFE_NUMBER {
            Ok(Literal::Number(number))
        } else {
            Err(Numeric::TooLarge)
        };
    }
    let letters = unsigned.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    if letters.is_empty() {
        Err(Numeric::Malformed)
    } else if letters.starts_with(['e', 'E']) && letters.bytes().skip(1).all(|b| b.is_ascii_digit())
    {
        Err(Numeric::Exponent)
    } else {
        Err(Numeric::Unit)
    }
}

/// A literal.
pub(super) fn literal(node: &Node, notes: &mut Notes) -> Option<Spanned<Literal>> {
    let part = node.only()?;
    Some(match part.rule() {
        Rule::string => {
            let string = string(&part, notes);
            Spanned::new(Literal::String(string.node), string.span)
        }
        Rule::numeric => numeric(&part, notes),
        Rule::boolean => Spanned::new(Literal::Boolean(part.text() == "true"), part.span()),
        _ => return None,
    })
}

/// A literal, or the name of a parameter.
pub(super) fn term(node: &Node, notes: &mut Notes) -> Option<Term> {
    let part = node.only()?;
    match part.rule() {
        Rule::literal => literal(&part, notes).map(Term::Literal),
        Rule::name
            if part.text().chars().all(|c| is_name_part(c) || c == '-')
                && part.text().contains('-') =>
        {
            notes.wrong_with(
                part.span(),
                format!("`{}` must be in quotes", part.text()),
                "data, such as a scope or a host, is written in quotes",
                format!("\"{}\"", part.text()),
            );
            Some(Term::Name(word(&part)))
        }
        Rule::name => Some(Term::Name(name(&part, notes))),
        _ => None,
    }
}

/// The first term among the children of a node.
pub(super) fn term_in(node: &Node, notes: &mut Notes) -> Option<Term> {
    term(&node.child(Rule::term)?, notes)
}

/// All terms among the children of a node.
pub(super) fn terms(node: &Node, notes: &mut Notes) -> Option<Vec<Term>> {
    let mut terms: Vec<Term> = node
        .children()
        .filter(|child| child.rule() == Rule::term)
        .map(|child| term(&child, notes))
        .collect::<Option<_>>()?;
    terms.shrink_to_fit();
    Some(terms)
}

/// `[…]`
pub(super) fn items(node: &Node, notes: &mut Notes) -> Option<Spanned<Vec<Term>>> {
    Some(Spanned::new(terms(node, notes)?, node.span()))
}

/// The list among the children of a node: `[…]`, or the name of a set.
pub(super) fn list_in(node: &Node, notes: &mut Notes) -> Option<List> {
    let part = node.child(Rule::list)?.only()?;
    match part.rule() {
        Rule::items => items(&part, notes).map(List::Items),
        Rule::name => Some(List::Name(name(&part, notes))),
        _ => None,
    }
}

/// The claim path among the children of a node.
pub(super) fn claim_path_in(node: &Node, notes: &mut Notes) -> Option<ClaimPath> {
    let path = node.child(Rule::claim_path)?;
    let members = path
        .children()
        .map(|member| match member.rule() {
            Rule::string => string(&member, notes),
            _ => {
                let text = member.text();
                if !text.chars().all(is_name_part) {
                    notes.wrong_with(
                        member.span(),
                        format!("`{text}` must be in quotes here"),
                        "only letters, digits and `_` need no quotes in the path of a claim",
                        format!("\"{text}\""),
                    );
                }
                word(&member)
            }
        })
        .collect();
    Some(ClaimPath {
        span: path.span(),
        members,
    })
}

/// The type among the children of a node.
pub(super) fn type_in(node: &Node) -> Option<Spanned<TypeName>> {
    let node = node.child(Rule::type_name)?;
    let part = node.only()?;
    let ty = match part.rule() {
        Rule::k_string => TypeName::Claim(ClaimType::String),
        Rule::k_number => TypeName::Claim(ClaimType::Number),
        Rule::k_boolean => TypeName::Claim(ClaimType::Boolean),
        Rule::k_time => TypeName::Claim(ClaimType::Time),
        Rule::k_words => TypeName::Claim(ClaimType::Words),
        Rule::k_duration => TypeName::Duration,
        Rule::k_address => TypeName::Address,
        Rule::list_type => match part.children().last()?.rule() {
            Rule::k_string => TypeName::Claim(ClaimType::ListOfString),
            Rule::k_number => TypeName::Claim(ClaimType::ListOfNumber),
            Rule::k_address => TypeName::ListOfAddress,
            _ => return None,
        },
        _ => return None,
    };
    Some(Spanned::new(ty, node.span()))
}
