//! Makes valid policy names from a document's names.

use std::collections::BTreeSet;

use super::super::cases::Case;
use super::super::template;
use crate::pattern::{PathPattern, SegmentPattern};
use crate::source::Sources;
use crate::syntax;

/// The longest name made from a title: it appears in every report.
const MAX_NAME: usize = 32;

/// The names of a policy.
pub(super) struct Names {
    api: String,
    used: BTreeSet<String>,
}

impl Names {
    /// Names for an API named by the user or the document.
    pub fn new(given: Option<&str>, title: &str) -> Names {
        let api = given.map_or_else(|| of_title(title), free);
        Names {
            api,
            used: BTreeSet::new(),
        }
    }

    /// A name for a host's API: the first gets the plain name.
    pub fn api(&mut self, host: Option<&str>) -> String {
        if self.used.is_empty() {
            self.used.insert(self.api.clone());
            return self.api.clone();
        }
        let label = host
            .and_then(|host| host.split('.').next())
            .unwrap_or("other");
        self.fresh(&format!("{}_{}", self.api, plain(label)))
    }

    /// A name for the issuer.
    pub fn issuer(&mut self) -> String {
        self.fresh("idp")
    }

    fn fresh(&mut self, wanted: &str) -> String {
        let name = unused(wanted, |name| self.used.contains(name));
        self.used.insert(name.clone());
        name
    }
}

/// The name, or, if it is taken, the first free one with a number after it.
fn unused(wanted: &str, taken: impl Fn(&str) -> bool) -> String {
    std::iter::once(wanted.to_owned())
        .chain((2_u32..).map(|number| format!("{wanted}_{number}")))
        .find(|name| !taken(name))
        .unwrap_or_default()
}

/// Letters, digits and `_`, a letter first.
fn plain(text: &str) -> String {
    let mut name = String::new();
    for character in text.chars() {
        if character.is_ascii_alphanumeric() {
            name.push(character);
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
    }
    let name = name.trim_end_matches('_');
    match name.chars().next() {
        None => "x".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("x{name}"),
        Some(_) => name.to_owned(),
    }
}

/// Words in a title that carry no information.
const NOISE: [&str; 5] = ["api", "openapi", "swagger", "the", "v1"];

/// The name of an API from its title: its first informative words.
fn of_title(title: &str) -> String {
    let lower = title.to_ascii_lowercase();
    let mut name = String::new();
    for word in lower
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty() && !NOISE.contains(word))
    {
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        let longer = if name.is_empty() {
            word.to_owned()
        } else {
            format!("{name}_{word}")
        };
        if longer.len() > MAX_NAME {
            break;
        }
        name = longer;
    }
    if name.is_empty() {
        "api_1".to_owned()
    } else {
        free(&name)
    }
}

/// A name that isn't a keyword of the language.
fn free(name: &str) -> String {
    let name = plain(name);
    let mut sources = Sources::new();
    let file = sources.add("", format!("set {name} = [\"\"]\n"));
    let (_, wrong) = syntax::parse(&sources, file);
    if wrong.is_empty() {
        name
    } else {
        format!("{name}_api")
    }
}

/// A path in the policy's syntax: each parameter has a unique name.
pub(super) fn path(pattern: &PathPattern, names: &[(usize, String)]) -> String {
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let names: Vec<(usize, String)> = names
        .iter()
        .map(|(segment, name)| {
            let name = unused(&plain(name), |name| taken.contains(name));
            taken.insert(name.clone());
            (*segment, name)
        })
        .collect();
    template::shown(pattern, &names)
}

/// The part of a path that its family shares: the part after the server's path.
pub(super) fn family<P>(case: &Case<P>) -> String {
    let own = case
        .operations
        .first()
        .map_or("", |operation| operation.path.as_str());
    let depth = own.split('/').filter(|segment| !segment.is_empty()).count();
    let base = case.pattern.segments.len().saturating_sub(depth);
    match case.pattern.segments.get(base) {
        Some(SegmentPattern::Literal(literal)) => literal.clone(),
        _ => String::new(),
    }
}
