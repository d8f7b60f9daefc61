//! Texts of conditions, routes and guards in the words of the policy, on one line.

use crate::model::{Access, Condition, ConditionKind, Host, Route};
use crate::pattern::HostPattern;
use crate::settings::Demand;
use crate::source::{self, Sources, Span};

/// The text of a span on one line, without comments, and with single spaces.
pub fn one_line(sources: &Sources, span: Span) -> String {
    source::one_line(sources.text(span))
}

/// The text of a line, given as `file:line`.
pub fn source_line<'s>(sources: &'s Sources, place: &str) -> Option<&'s str> {
    let (file, line) = place.rsplit_once(':')?;
    sources.line_of(file, line.parse().ok()?)
}

/// A condition with all its `let`s expanded, so that it can be read without the policy.
pub fn condition(sources: &Sources, condition: &Condition) -> String {
    let joined = |parts: &[Condition], word: &str| {
        parts
            .iter()
            .map(|part| nested(sources, part))
            .collect::<Vec<_>>()
            .join(word)
    };
    match &condition.kind {
        ConditionKind::And(parts) => joined(parts, " and "),
        ConditionKind::Or(parts) => joined(parts, " or "),
        ConditionKind::Not(inner) => format!("not {}", nested(sources, inner)),
        ConditionKind::Atom(_) => one_line(sources, condition.span),
    }
}

/// A condition inside another: in parentheses unless it is a single test.
fn nested(sources: &Sources, inner: &Condition) -> String {
    match inner.kind {
        ConditionKind::And(_) | ConditionKind::Or(_) => {
            format!("({})", condition(sources, inner))
        }
        ConditionKind::Not(_) | ConditionKind::Atom(_) => condition(sources, inner),
    }
}

/// The word of a route's access, and its condition if it has one.
pub fn access(sources: &Sources, access: &Access) -> (&'static str, Option<String>) {
    let Access::Permitted {
        demand,
        condition: wanted,
    } = access
    else {
        return ("denied", None);
    };
    let word = match (demand, wanted.is_some()) {
        (Demand::None, false) => "public",
        (Demand::None, true) => "public if",
        (Demand::Optional, _) => "authenticated or anonymous",
        (Demand::Required, false) => "authenticated",
        (Demand::Required, true) => "requires",
    };
    (
        word,
        wanted.as_ref().map(|wanted| condition(sources, wanted)),
    )
}

/// The methods and the path in a route's name.
pub fn methods_and_path(route: &Route) -> (&str, &str) {
    route.name.split_once(' ').unwrap_or(("", &route.name))
}

/// A host as it is written in policies.
pub fn host(host: &Host) -> String {
    match (&host.pattern, &host.label) {
        (HostPattern::Exact(exact), _) => exact.clone(),
        (HostPattern::Label { suffix }, Some(label)) => format!("{{{label}}}.{suffix}"),
        (HostPattern::Label { suffix }, None) => format!("*.{suffix}"),
        (HostPattern::Any, _) => "any host".to_owned(),
    }
}
