//! Turns the path templates of a document into patterns of a policy.
//!
//! OpenAPI hardly restricts templates. Those that a policy can't express (two parameters in a
//! segment, a character that no policy path may contain) are recognised here, with the closest
//! pattern, so that the policy's own rule for them can still be found.

use super::reference::percent_decoded;
use crate::check::limits::MAX_SEGMENTS;
use crate::pattern::segment::unclear;
use crate::pattern::{PathPattern, SegmentPattern};
use crate::syntax::is_path_literal;

/// A template that a policy can express.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    /// What it matches.
    pub pattern: PathPattern,
    /// The names of its parameters and the segments that hold them.
    pub names: Vec<(usize, String)>,
    /// The rest from a `#` or `?` on, which no request's path contains.
    pub cut: Option<String>,
}

/// A template that a policy can't express.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Odd {
    /// Why not.
    pub why: String,
    /// A pattern that includes all its paths, if there is one.
    pub near: Option<PathPattern>,
}

impl From<String> for Odd {
    fn from(why: String) -> Odd {
        Odd { why, near: None }
    }
}

/// Reads a path after a server's.
pub(super) fn read(base: &str, path: &str) -> Result<Template, Odd> {
    let (path, cut) = match path.find(['#', '?']) {
        Some(at) => {
            let (path, cut) = path.split_at(at);
            (path, Some(cut.to_owned()))
        }
        None => (path, None),
    };
    let Some(inner) = path.strip_prefix('/') else {
        return Err(Odd::from("it does not begin with `/`".to_owned()));
    };
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    let behind = inner.split('/').filter(|_| !inner.is_empty());
    let segments = base.split('/').filter(|segment| !segment.is_empty());
    let mut template = Template {
        pattern: PathPattern::default(),
        names: Vec::new(),
        cut,
    };
    let mut why: Option<String> = None;
    for segment in segments.chain(behind) {
        if template.pattern.segments.len() == MAX_SEGMENTS {
            return Err(format!("it has more than {MAX_SEGMENTS} segments").into());
        }
        let at = template.pattern.segments.len();
        match read_segment(segment)? {
            Segment::Plain(pattern, name) => {
                template.pattern.segments.push(pattern);
                template.names.extend(name.map(|name| (at, name)));
            }
            Segment::Near(pattern, words) => {
                template.pattern.segments.push(pattern);
                why = why.or(Some(words));
            }
        }
    }
    match why {
        None => Ok(template),
        Some(why) => Err(Odd {
            why,
            near: Some(template.pattern),
        }),
    }
}

enum Segment {
    Plain(SegmentPattern, Option<String>),
    /// The closest pattern, and why it isn't the segment itself.
    Near(SegmentPattern, String),
}

fn read_segment(segment: &str) -> Result<Segment, Odd> {
    if segment.is_empty() {
        return Err("it has an empty segment, and requests with one are refused"
            .to_owned()
            .into());
    }
    let shown = crate::text::quoted(segment);
    let unbalanced = || Odd::from(format!("the braces of {shown} are not balanced"));
    let Some((prefix, behind)) = segment.split_once('{') else {
        let literal = literal(segment)?;
        asked(&literal)?;
        return Ok(Segment::Plain(SegmentPattern::Literal(literal), None));
    };
    let (name, suffix) = behind.split_once('}').ok_or_else(unbalanced)?;
    let prefix = literal(prefix)?;
    if let Some((_, last)) = suffix.rsplit_once('}') {
        let pattern = around(prefix, literal(last)?);
        let why = format!("{shown} holds two parameters, and a segment of a policy one");
        return Ok(Segment::Near(pattern, why));
    }
    if suffix.contains('{') || name.contains('{') {
        return Err(unbalanced());
    }
    let suffix = literal(suffix)?;
    // Whatever the parameter is, the segment ends like this.
    asked(&format!("x{suffix}"))?;
    Ok(Segment::Plain(
        around(prefix, suffix),
        Some(name.to_owned()),
    ))
}

/// Whether requests with this segment are decided at all.
fn asked(segment: &str) -> Result<(), Odd> {
    match unclear(segment) {
        Some(what) => Err(format!("requests whose path holds {what} are refused").into()),
        None => Ok(()),
    }
}

fn around(prefix: String, suffix: String) -> SegmentPattern {
    if prefix.is_empty() && suffix.is_empty() {
        SegmentPattern::Any
    } else {
        SegmentPattern::Mixed { prefix, suffix }
    }
}

/// Literal text, decoded, if a policy can contain it.
fn literal(text: &str) -> Result<String, Odd> {
    let decoded = percent_decoded(text).ok_or_else(|| {
        let shown = crate::text::quoted(text);
        Odd::from(format!("{shown} holds a bad percent-escape"))
    })?;
    match decoded.chars().find(|c| !is_path_literal(*c)) {
        Some(odd) => Err(Odd::from(format!(
            "no path of a policy takes {}",
            crate::text::quoted(&odd.to_string())
        ))),
        None => Ok(decoded.into_owned()),
    }
}

/// A pattern for people, with these names, or `{…}` for a missing one.
pub(super) fn shown(pattern: &PathPattern, names: &[(usize, String)]) -> String {
    let mut text = String::new();
    for (at, segment) in pattern.segments.iter().enumerate() {
        let name = names
            .iter()
            .find(|(segment, _)| *segment == at)
            .map_or("…", |(_, name)| name.as_str());
        text.push('/');
        match segment {
            SegmentPattern::Literal(literal) => text.push_str(literal),
            SegmentPattern::Mixed { prefix, suffix } => {
                text.push_str(&format!("{prefix}{{{name}}}{suffix}"));
            }
            SegmentPattern::Any => text.push_str(&format!("{{{name}}}")),
        }
    }
    if pattern.rest {
        text.push_str("/**");
    }
    if text.is_empty() {
        text.push('/');
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop")]

    use super::*;

    fn read_shown(base: &str, path: &str) -> String {
        match read(base, path) {
            Ok(template) => shown(&template.pattern, &template.names),
            Err(odd) => odd.why,
        }
    }

    #[test]
    fn templates_become_patterns() {
        for (base, path, pattern) in [
            ("", "/", "/"),
            ("/v1", "/", "/v1"),
            ("/v1", "/orders/{orderId}/", "/v1/orders/{orderId}"),
            (
                "",
                "/f/{name}.{ext}",
                "`{name}.{ext}` holds two parameters, and a segment of a policy one",
            ),
            ("", "/t.{extension}", "/t.{extension}"),
            ("", "/a%20b", "no path of a policy takes ` `"),
            ("", "/caf%C3%A9", "/café"),
            ("", "/x#get", "/x"),
            ("", "/x?y=1", "/x"),
            (
                "",
                "/a//b",
                "it has an empty segment, and requests with one are refused",
            ),
            (
                "",
                "/../b",
                "requests whose path holds a `.` or `..` segment are refused",
            ),
            ("", "x", "it does not begin with `/`"),
            ("", "/{a", "the braces of `{a` are not balanced"),
            (
                "",
                "/{a}{b}",
                "`{a}{b}` holds two parameters, and a segment of a policy one",
            ),
            ("", "/a,b", "no path of a policy takes `,`"),
        ] {
            assert_eq!(read_shown(base, path), pattern, "{base}{path}");
        }
        assert_eq!(read("", "/x#get").unwrap().cut.unwrap(), "#get");
    }

    #[test]
    fn a_template_that_no_pattern_expresses_gets_a_wider_one() {
        let near = read("", "/c/{a}...{b}.x").unwrap_err().near.unwrap();
        assert_eq!(shown(&near, &[]), "/c/{…}.x");
    }
}
