//! Paths in another case: a rule for `/admin` doesn't cover `/Admin`.
//!
//! If the application doesn't distinguish the two, a route that answers the other spelling and
//! requires less is a way around the first.

use crate::diagnostic::{Code, Diagnostic};
use crate::model::Route;
use crate::pattern::{PathPattern, SegmentPattern};

/// The path in another case, which the broader pattern still matches: only literals change that the
/// broader pattern doesn't fix. `None` if there is no such path.
pub(super) fn of(path: &PathPattern, broader: &PathPattern) -> Option<PathPattern> {
    let mut other = path.clone();
    let mut changed = false;
    for (at, segment) in other.segments.iter_mut().enumerate() {
        let fixed = broader.segments.get(at).and_then(SegmentPattern::literal);
        let recased = segment.literal().filter(|_| fixed.is_none());
        if let Some(recased) = recased.and_then(recase) {
            *segment = SegmentPattern::Literal(recased);
            changed = true;
        }
    }
    (changed && broader.contains(&other)).then_some(other)
}

/// A text with its first letter in another case.
fn recase(text: &str) -> Option<String> {
    let at = text.find(|character: char| character.is_ascii_alphabetic())?;
    let (before, rest) = text.split_at_checked(at)?;
    let (letter, behind) = rest.split_at_checked(1)?;
    let letter = if letter.bytes().all(|byte| byte.is_ascii_lowercase()) {
        letter.to_ascii_uppercase()
    } else {
        letter.to_ascii_lowercase()
    };
    Some(format!("{before}{letter}{behind}"))
}

/// A route whose path matches weaker routes in another case.
pub(super) struct Fallen<'f> {
    pub route: &'f Route,
    /// The path in another case.
    pub path: &'f PathPattern,
    /// The routes that it matches then.
    pub to: &'f [&'f Route],
}

/// The warning about it.
pub(super) fn fallen(fallen: &Fallen) -> Diagnostic {
    let route = fallen.route;
    let other = super::paths::shown(fallen.path, &route.parameters);
    let names: Vec<&str> = fallen.to.iter().map(|route| route.name.as_str()).collect();
    let (names, ask) = match names.as_slice() {
        [one] => (format!("`{one}`"), "asks"),
        several => (super::out::listed(several.iter().copied()), "ask"),
    };
    let mut diagnostic = Diagnostic::new(
        Code::OtherCase,
        route.span,
        format!(
            "`{other}` matches {names}, which {ask} for less than `{}`",
            route.name
        ),
    )
    .help(
        "paths are case-sensitive here; if the application ignores case, write `paths \
        case-insensitive` in the API; otherwise make the broader route require as much",
    );
    for route in fallen.to {
        diagnostic = diagnostic.also(route.span, "matches it in other case");
    }
    diagnostic
}
