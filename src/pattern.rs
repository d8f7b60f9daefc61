//! Patterns of routes and guards: methods, paths and hosts as sets that can be compared.
//!
//! The checker asks which of two patterns is more specific and whether they overlap, and the engine
//! asks whether a request matches one. Both must agree, so both use this module.

use std::fmt;

pub mod index;
pub(crate) mod lists;
pub mod meet;
pub mod segment;

/// The methods of the IANA HTTP Method Registry that a request to an API can have.
///
/// `CONNECT` has no path. `PRI` and `*` are reserved in the registry, so that nothing uses them.
const METHODS: [&str; 38] = [
    "ACL",
    "BASELINE-CONTROL",
    "BIND",
    "CHECKIN",
    "CHECKOUT",
    "COPY",
    "DELETE",
    "GET",
    "HEAD",
    "LABEL",
    "LINK",
    "LOCK",
    "MERGE",
    "MKACTIVITY",
    "MKCALENDAR",
    "MKCOL",
    "MKREDIRECTREF",
    "MKWORKSPACE",
    "MOVE",
    "OPTIONS",
    "ORDERPATCH",
    "PATCH",
    "POST",
    "PROPFIND",
    "PROPPATCH",
    "PUT",
    "QUERY",
    "REBIND",
    "REPORT",
    "SEARCH",
    "TRACE",
    "UNBIND",
    "UNCHECKOUT",
    "UNLINK",
    "UNLOCK",
    "UPDATE",
    "UPDATEREDIRECTREF",
    "VERSION-CONTROL",
];

/// A registered HTTP method (RFC 9110, section 16.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Method(u8);

impl Method {
    /// `GET`.
    pub const GET: Method = Method(7);
    /// `HEAD`.
    pub const HEAD: Method = Method(8);
    /// `OPTIONS`.
    pub const OPTIONS: Method = Method(19);

    /// The method of that name; names are case-sensitive.
    pub fn parse(name: &str) -> Option<Method> {
        // Most requests have this one.
        if name == "GET" {
            return Some(Method::GET);
        }
        METHODS
            .binary_search(&name)
            .ok()
            .and_then(|at| u8::try_from(at).ok())
            .map(Method)
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        METHODS.get(usize::from(self.0)).copied().unwrap_or("")
    }

    /// Whether the method is safe (RFC 9110, section 9.2.1). Browsers never send the other
    /// registered safe methods on their own, so those aren't included.
    pub fn is_safe(self) -> bool {
        matches!(self.as_str(), "GET" | "HEAD" | "OPTIONS" | "TRACE")
    }

    /// Every method, by name.
    pub fn all() -> impl Iterator<Item = Method> {
        (0..METHODS.len()).filter_map(|at| u8::try_from(at).ok().map(Method))
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MethodSet(u64);

impl MethodSet {
    /// No method.
    pub const EMPTY: MethodSet = MethodSet(0);
    /// Every registered method: `*`.
    pub const ALL: MethodSet = MethodSet((1 << METHODS.len()) - 1);

    /// The methods that a policy means by a method's name: `GET` includes `HEAD`.
    pub fn named(method: Method) -> MethodSet {
        let one = MethodSet::only(method);
        if method == Method::GET {
            one.union(MethodSet::only(Method::HEAD))
        } else {
            one
        }
    }

    /// Only this method.
    pub fn only(method: Method) -> MethodSet {
        MethodSet(1 << method.0)
    }

    /// The union.
    #[must_use]
    pub fn union(self, other: MethodSet) -> MethodSet {
        MethodSet(self.0 | other.0)
    }

    /// The intersection.
    #[must_use]
    pub fn intersection(self, other: MethodSet) -> MethodSet {
        MethodSet(self.0 & other.0)
    }

    /// The methods that are only in `self`.
    #[must_use]
    pub fn difference(self, other: MethodSet) -> MethodSet {
        MethodSet(self.0 & !other.0)
    }

    /// Whether it contains the method.
    pub fn has(self, method: Method) -> bool {
        self.0 & (1 << method.0) != 0
    }

    /// Whether it contains all of `other`.
    pub fn contains(self, other: MethodSet) -> bool {
        other.0 & !self.0 == 0
    }

    /// Whether it has no methods.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its methods, sorted by name.
    pub fn iter(self) -> impl Iterator<Item = Method> {
        Method::all().filter(move |method| self.has(*method))
    }

    /// A method for an example: `GET` or `POST` if the set contains one.
    pub fn example(self) -> Option<Method> {
        ["GET", "POST"]
            .into_iter()
            .filter_map(Method::parse)
            .find(|method| self.has(*method))
            .or_else(|| self.iter().next())
    }
}

/// One segment of a path pattern, decoded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SegmentPattern {
    /// Exactly this.
    Literal(String),
    /// A prefix, at least one character, a suffix: `{name}.csv`.
    Mixed {
        /// What it begins with.
        prefix: String,
        /// What it ends with.
        suffix: String,
    },
    /// Any segment that is not empty.
    Any,
}

impl SegmentPattern {
    /// The one segment that matches, if there is only one.
    pub fn literal(&self) -> Option<&str> {
        match self {
            SegmentPattern::Literal(literal) => Some(literal),
            SegmentPattern::Mixed { .. } | SegmentPattern::Any => None,
        }
    }

    /// What stands before and behind the parameter.
    pub fn affixes(&self) -> (&str, &str) {
        match self {
            SegmentPattern::Mixed { prefix, suffix } => (prefix, suffix),
            SegmentPattern::Literal(_) | SegmentPattern::Any => ("", ""),
        }
    }

    /// Whether it matches a decoded segment.
    pub fn matches(&self, segment: &str) -> bool {
        match self {
            SegmentPattern::Literal(literal) => literal == segment,
            SegmentPattern::Mixed { prefix, suffix } => segment
                .strip_prefix(prefix.as_str())
                .and_then(|rest| rest.strip_suffix(suffix.as_str()))
                .is_some_and(|middle| !middle.is_empty()),
            SegmentPattern::Any => !segment.is_empty(),
        }
    }

    /// Whether it matches every segment that `other` matches.
    pub fn contains(&self, other: &SegmentPattern) -> bool {
        match (self, other) {
            (SegmentPattern::Any, _) => true,
            (_, SegmentPattern::Literal(literal)) => self.matches(literal),
            (
                SegmentPattern::Mixed { prefix, suffix },
                SegmentPattern::Mixed {
                    prefix: inner_prefix,
                    suffix: inner_suffix,
                },
            ) => {
                inner_prefix.starts_with(prefix.as_str()) && inner_suffix.ends_with(suffix.as_str())
            }
            _ => false,
        }
    }

    /// A segment that both match, if there is one.
    pub fn common(&self, other: &SegmentPattern) -> Option<String> {
        match (self, other) {
            (SegmentPattern::Literal(literal), pattern)
            | (pattern, SegmentPattern::Literal(literal)) => {
                pattern.matches(literal).then(|| literal.clone())
            }
            (SegmentPattern::Any, pattern) | (pattern, SegmentPattern::Any) => {
                Some(pattern.example())
            }
            (
                SegmentPattern::Mixed { prefix, suffix },
                SegmentPattern::Mixed {
                    prefix: other_prefix,
                    suffix: other_suffix,
                },
            ) => {
                let prefix = longer(prefix, other_prefix, |long, short| long.starts_with(short))?;
                let suffix = longer(suffix, other_suffix, |long, short| long.ends_with(short))?;
                Some(format!("{prefix}x{suffix}"))
            }
        }
    }

    /// Whether some segment matches both.
    pub fn overlaps(&self, other: &SegmentPattern) -> bool {
        match (self, other) {
            (SegmentPattern::Any, _) | (_, SegmentPattern::Any) => true,
            (SegmentPattern::Literal(literal), pattern)
            | (pattern, SegmentPattern::Literal(literal)) => pattern.matches(literal),
            (
                SegmentPattern::Mixed { prefix, suffix },
                SegmentPattern::Mixed {
                    prefix: other_prefix,
                    suffix: other_suffix,
                },
            ) => {
                longer(prefix, other_prefix, |long, short| long.starts_with(short)).is_some()
                    && longer(suffix, other_suffix, |long, short| long.ends_with(short)).is_some()
            }
        }
    }

    /// A segment that it matches.
    pub fn example(&self) -> String {
        match self {
            SegmentPattern::Literal(literal) => literal.clone(),
            SegmentPattern::Mixed { prefix, suffix } => format!("{prefix}x{suffix}"),
            SegmentPattern::Any => "x".to_owned(),
        }
    }
}

fn longer<'a>(a: &'a str, b: &'a str, extends: fn(&str, &str) -> bool) -> Option<&'a str> {
    if extends(a, b) {
        Some(a)
    } else if extends(b, a) {
        Some(b)
    } else {
        None
    }
}

/// A text in lower case, character by character.
///
/// `str::to_lowercase` looks at neighbouring characters (a final sigma). With it, the prefix of a
/// pattern might not be a prefix of the texts that it matches.
pub fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// A path pattern: segments, and whether any number of further ones may follow.
///
/// `/` has no segment, and a trailing slash adds none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PathPattern {
    /// The segments.
    pub segments: Vec<SegmentPattern>,
    /// Whether it ends in `/**`: any number of further segments, including none.
    pub rest: bool,
}

impl PathPattern {
    /// Whether it matches every path that `other` matches.
    pub fn contains(&self, other: &PathPattern) -> bool {
        let lengths_fit = if self.rest {
            other.segments.len() >= self.segments.len()
        } else {
            !other.rest && other.segments.len() == self.segments.len()
        };
        lengths_fit
            && self
                .segments
                .iter()
                .zip(&other.segments)
                .all(|(outer, inner)| outer.contains(inner))
    }

    /// The segments of a path that both match, if there is one.
    pub fn common(&self, other: &PathPattern) -> Option<Vec<String>> {
        let length = self.segments.len().max(other.segments.len());
        let reaches = |pattern: &PathPattern| pattern.rest || pattern.segments.len() == length;
        if !reaches(self) || !reaches(other) {
            return None;
        }
        (0..length)
            .map(|at| match (self.segments.get(at), other.segments.get(at)) {
                (Some(a), Some(b)) => a.common(b),
                (Some(one), None) | (None, Some(one)) => Some(one.example()),
                (None, None) => None,
            })
            .collect()
    }

    /// The segments of a path that it matches.
    pub fn example(&self) -> Vec<String> {
        self.segments.iter().map(SegmentPattern::example).collect()
    }

    /// The pattern with its literals in lower case, for hosts whose paths ignore case.
    #[must_use]
    pub fn folded(&self) -> PathPattern {
        PathPattern {
            segments: self
                .segments
                .iter()
                .map(|segment| match segment {
                    SegmentPattern::Literal(literal) => SegmentPattern::Literal(fold(literal)),
                    SegmentPattern::Mixed { prefix, suffix } => SegmentPattern::Mixed {
                        prefix: fold(prefix),
                        suffix: fold(suffix),
                    },
                    SegmentPattern::Any => SegmentPattern::Any,
                })
                .collect(),
            rest: self.rest,
        }
    }
}

/// A host pattern in lower case, without port and final dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostPattern {
    /// This host.
    Exact(String),
    /// One label, then a dot and this: `*.example.com` or `{tenant}.example.com`.
    Label {
        /// The text after the label's dot.
        suffix: String,
    },
    /// Any host.
    Any,
}

impl HostPattern {
    /// Whether it matches a host in lower case, without port and final dot.
    pub fn matches(&self, host: &str) -> bool {
        match self {
            HostPattern::Exact(exact) => exact == host,
            HostPattern::Label { suffix } => host
                .split_once('.')
                .is_some_and(|(label, rest)| !label.is_empty() && rest == suffix),
            HostPattern::Any => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_name_their_methods_and_the_table_is_sorted() {
        assert!(METHODS.is_sorted());
        assert_eq!(Method::parse("GET"), Some(Method::GET));
        assert_eq!(Method::parse("HEAD"), Some(Method::HEAD));
        assert_eq!(Method::parse("OPTIONS"), Some(Method::OPTIONS));
        assert_eq!(Method::parse("get"), None);
        assert_eq!(MethodSet::ALL.iter().count(), METHODS.len());
    }

    #[test]
    fn a_mixed_segment_needs_at_least_one_character() {
        let csv = SegmentPattern::Mixed {
            prefix: "a".into(),
            suffix: "a.csv".into(),
        };
        assert!(csv.matches("axa.csv"));
        assert!(!csv.matches("aa.csv"));
        assert!(!csv.matches("a.csv"));
    }

    #[test]
    fn rest_includes_the_path_itself() {
        let below = PathPattern {
            segments: vec![SegmentPattern::Literal("a".into())],
            rest: true,
        };
        let itself = PathPattern {
            rest: false,
            ..below.clone()
        };
        assert!(below.contains(&itself));
        assert!(!itself.contains(&below));
        assert_eq!(below.common(&itself), Some(vec!["a".to_owned()]));
    }
}
