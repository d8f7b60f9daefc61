//! Unmatched braces and brackets.

use super::super::parse::Rule;
use super::super::tokens::Token;
use super::{Site, expected, shown};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;

/// A closing brace with no block to close.
pub(in super::super) fn unopened(brace: Span) -> Diagnostic {
    Diagnostic::new(Code::Syntax, brace, "unmatched `}`: no block is open here")
        .help("remove it, or check whether a block above is closed too early")
}

/// A block without its closing brace. `declaration` is the text in its place, if it isn't the end
/// of the file.
pub(in super::super) fn unclosed(
    opening: Span,
    suspect: Option<(Span, Span)>,
    declaration: Option<Span>,
) -> Diagnostic {
    let mut error = Diagnostic::new(Code::Syntax, opening, "this block has no closing `}`")
        .label("opened here");
    error = match declaration {
        Some(declaration) => error
            .also(declaration, "this declaration can't be inside it")
            .help("put a `}` before the declaration"),
        None => error.help("the file ends before the block does: add a `}`"),
    };
    if let Some((opening, brace)) = suspect {
        error = error
            .also(brace, "this `}` is indented differently from")
            .also(opening, "the block it closes");
    }
    error
}

/// `GET /orders { … }`
pub(super) fn route_with_a_block(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found.filter(|found| found.is_sign("{"))?;
    let first = *site.before.first()?;
    if !site.expects(Rule::access) || site.line_ends() {
        return None;
    }
    Some(
        site.error_at(found, "a route takes no block")
            .also(site.place(first), "the route begins here")
            .help(
                "a route is one line, such as `GET /orders public`; routes below a path go in \
                 `under PATH { … }`",
            ),
    )
}

/// A list or a parenthesis that isn't closed.
pub(super) fn bracket_not_closed(site: &Site<'_>) -> Option<Diagnostic> {
    if !site.expects(Rule::rbracket) && !site.expects(Rule::rparen) {
        return None;
    }
    let mut open: Vec<Token<'_>> = Vec::new();
    for token in &site.before {
        if token.is_sign("(") || token.is_sign("[") {
            open.push(*token);
        } else if token.is_sign(")") || token.is_sign("]") {
            open.pop();
        }
    }
    let opener = open.pop()?;
    let previous = site.previous()?;
    let wanted = expected::phrase(site.context, site.expected);
    let message = match site.found {
        Some(found) if !site.line_ends() => {
            format!("expected {wanted}, found `{}`", shown(found))
        }
        _ => format!("expected {wanted} after `{}`", shown(previous)),
    };
    let place = match site.found {
        Some(found) if !site.line_ends() => found,
        _ => previous,
    };
    let error = Diagnostic::new(Code::Syntax, site.place(place), message).also(
        site.place(opener),
        format!("this `{}` is still open", opener.text),
    );
    let closer = if opener.text == "(" { ")" } else { "]" };
    Some(if site.line_ends() && open.is_empty() {
        let end = previous.end();
        error
            .help(format!("close it with `{closer}`"))
            .suggest(site.span(end, end), closer)
    } else {
        error.help(format!("close it with `{closer}`"))
    })
}

/// A closing bracket that nothing opened.
pub(super) fn bracket_not_opened(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found?;
    if !(found.is_sign(")") || found.is_sign("]")) || !site.behind_condition() {
        return None;
    }
    Some(
        site.replace(found, format!("unmatched `{}`", found.text), "")
            .help("remove it, or add the bracket that it closes"),
    )
}
