//! Parses the request target in the only way that can't be misunderstood.
//!
//! Proxies, frameworks and file systems disagree about what `..`, `//`, `%2F`, `;` or a stray byte
//! mean. A path that two of them could read differently is refused before any rule is evaluated.
//! The bytes are split here and not by a URL library, which would repair what must be refused.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::evidence::Fault;
use crate::pattern::fold;
use crate::pattern::segment::unclear;
use crate::reason::Reason;
use crate::settings::PathOptions;

/// The maximum length of a request target, in bytes. RFC 9110, section 4.1, requires at least
/// 8,000. A longer one is refused before it is parsed.
pub const MAX_TARGET_BYTES: usize = 32 * 1024;

/// The maximum number of segments of a path. Each is a step through the index of routes.
pub const MAX_SEGMENTS: usize = 256;

/// Up to this many segments need no allocation.
const USUAL_SEGMENTS: usize = 8;

/// The parts of a request target.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'r> {
    /// The path, raw.
    pub path: &'r [u8],
    /// The query, raw, without its `?`.
    pub query: Option<&'r [u8]>,
}

/// A path that was decoded once: its segments in the form that rules match and see.
#[derive(Debug, Clone, Default)]
pub(super) struct NormalPath<'r> {
    /// The segments one after another, whatever is between them.
    text: Cow<'r, str>,
    /// Where each segment begins and ends in `text`.
    places: SmallVec<[(u32, u32); USUAL_SEGMENTS]>,
    /// Whether the segments are in lower case, because they match regardless of case.
    pub folded: bool,
}

impl NormalPath<'_> {
    /// How many segments there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// The segments.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.places.iter().map(|place| self.at(*place))
    }

    /// The segment at that place.
    pub fn segment(&self, at: usize) -> Option<&str> {
        self.places.get(at).map(|place| self.at(*place))
    }

    fn at(&self, (start, end): (u32, u32)) -> &str {
        self.text
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }
}

/// A place in a request target, which has at most [`MAX_TARGET_BYTES`].
fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn ambiguous(hint: impl Into<String>) -> Fault {
    Fault::new(Reason::RequestAmbiguousPath, hint)
}

/// Splits a target into path and query.
pub(super) fn split(target: &[u8]) -> Result<Target<'_>, Fault> {
    if target.len() > MAX_TARGET_BYTES {
        return Err(ambiguous(format!(
            "the request target is longer than {MAX_TARGET_BYTES} bytes"
        )));
    }
    // The absolute form (RFC 9112, section 3.2.2) contains a host, which could differ from the one
    // that was checked.
    if target.first() != Some(&b'/') {
        return Err(ambiguous("the request target does not begin with `/`"));
    }
    // A request target has no fragment (RFC 9112, section 3.2). A server that cuts one off sees a
    // different path from one that doesn't. The loop has no early exit, so that it is vectorised,
    // since the client chooses the length of the target.
    let odd = |byte: u8| byte <= b' ' || byte == 0x7f || byte == b'#';
    if target.iter().fold(false, |found, byte| found | odd(*byte)) {
        return Err(ambiguous(if target.contains(&b'#') {
            "the request target contains a raw `#`"
        } else {
            "the request target contains a raw blank or control character"
        }));
    }
    let mut parts = target.splitn(2, |byte| *byte == b'?');
    Ok(Target {
        path: parts.next().unwrap_or_default(),
        query: parts.next(),
    })
}

/// Parses a path.
///
/// `masked` says that a `!` may stand for any byte, as Envoy shows bytes that aren't ASCII.
pub(super) fn read(
    path: &[u8],
    options: PathOptions,
    masked: bool,
) -> Result<NormalPath<'_>, Fault> {
    if masked && path.contains(&b'!') {
        return Err(ambiguous(
            "the path contains a `!`, which the proxy writes in place of a byte that is not ASCII",
        ));
    }
    if let Some(plain) = read_plain(path, options) {
        return Ok(plain);
    }
    let mut text = String::with_capacity(path.len());
    let mut places = SmallVec::new();
    let mut raw = path.split(|byte| *byte == b'/').skip(1).peekable();
    while let Some(segment) = raw.next() {
        if segment.is_empty() && raw.peek().is_none() {
            // A trailing slash adds no segment.
            break;
        }
        if places.len() == MAX_SEGMENTS {
            return Err(ambiguous(format!(
                "the path has more than {MAX_SEGMENTS} segments"
            )));
        }
        let segment = read_segment(segment, options)?;
        let start = text.len();
        if options.case_insensitive {
            text.push_str(&folded(&segment)?);
        } else {
            text.push_str(&segment);
        }
        places.push((place(start), place(text.len())));
    }
    Ok(NormalPath {
        text: Cow::Owned(text),
        places,
        folded: options.case_insensitive,
    })
}

/// A path that stands for itself, as nearly all do: no byte of it is decoded, folded, ignored or
/// refused. `None` for any other, which is read segment by segment.
fn read_plain(path: &[u8], options: PathOptions) -> Option<NormalPath<'_>> {
    let mut places: SmallVec<[(u32, u32); USUAL_SEGMENTS]> = SmallVec::new();
    let mut start = 1;
    (path.first() == Some(&b'/')).then_some(())?;
    for (at, byte) in path.iter().enumerate().skip(1) {
        match CLASSES[usize::from(*byte)] {
            Class::Plain => {}
            Class::Upper if !options.case_insensitive => {}
            Class::Slash => {
                places.push(plain_segment(path, start, at)?);
                start = at + 1;
            }
            Class::Upper | Class::Other => return None,
        }
    }
    // A trailing slash adds no segment.
    if start < path.len() {
        places.push(plain_segment(path, start, path.len())?);
    }
    (places.len() <= MAX_SEGMENTS).then_some(())?;
    Some(NormalPath {
        text: Cow::Borrowed(std::str::from_utf8(path).ok()?),
        places,
        folded: options.case_insensitive,
    })
}

/// A segment that no program reads as something else: it isn't empty and doesn't end in a dot.
fn plain_segment(path: &[u8], start: usize, end: usize) -> Option<(u32, u32)> {
    let last = path.get(start..end)?.last()?;
    (*last != b'.').then_some((place(start), place(end)))
}

/// What a byte can be in a path that stands for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Part of a segment.
    Plain,
    /// Part of a segment, unless letters match regardless of case.
    Upper,
    /// Between segments.
    Slash,
    /// A byte with a meaning of its own, or none.
    Other,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Other; 256];
    let mut byte = b'!';
    while byte <= b'~' {
        classes[byte as usize] = match byte {
            b'/' => Class::Slash,
            b'%' | b';' | b'?' | b'#' | b'\\' => Class::Other,
            b'A'..=b'Z' => Class::Upper,
            _ => Class::Plain,
        };
        byte += 1;
    }
    classes
};

fn read_segment(raw: &[u8], options: PathOptions) -> Result<Cow<'_, str>, Fault> {
    let mut parts = raw.splitn(2, |byte| *byte == b';');
    let segment = parts.next().unwrap_or_default();
    if let Some(parameters) = parts.next() {
        if !options.allow_matrix_parameters {
            return Err(ambiguous("the path contains a `;`"));
        }
        // This part is ignored, but still parsed: an application that decodes before it looks for
        // `;` must find no slash in it.
        for parameter in parameters.split(|byte| *byte == b';') {
            let text = read_text(parameter, false)?;
            // It may be empty, or end the name that an application without matrix parameters reads.
            if let Some(what) = unclear(&text).filter(|_| !text.is_empty()) {
                return Err(ambiguous(format!("a matrix parameter contains {what}")));
            }
        }
    }
    let text = read_text(segment, options.allow_encoded_slash)?;
    // An allowed escaped slash must not bring back what is refused between real slashes.
    match text.split('/').find_map(unclear) {
        Some(what) => Err(ambiguous(format!("the path contains {what}"))),
        None => Ok(text),
    }
}

/// A segment that matches regardless of case.
///
/// One application compares in lower case, another in upper case, and a third only folds ASCII
/// letters. They agree about `É` and `é`, but not about `ſ` (whose upper case is `S`), `ß`, `ı`, or
/// the Kelvin sign (whose lower case is `k`).
fn folded(segment: &str) -> Result<Cow<'static, str>, Fault> {
    let is_clear = |character: char| {
        let lower = character.to_lowercase();
        let round: String = character
            .to_uppercase()
            .flat_map(char::to_lowercase)
            .collect();
        character.is_ascii()
            || lower.clone().eq(round.chars()) && lower.clone().all(|one| !one.is_ascii())
    };
    if !segment.is_ascii() && !segment.chars().all(is_clear) {
        return Err(ambiguous(
            "the path contains a letter whose upper and lower case do not match one to one, and case \
             is ignored here",
        ));
    }
    Ok(Cow::Owned(fold(segment)))
}

/// Decodes the text between slashes and semicolons.
fn read_text(raw: &[u8], allow_slash: bool) -> Result<Cow<'_, str>, Fault> {
    if !raw.is_ascii() {
        return Err(ambiguous("the path contains a raw byte that is not ASCII"));
    }
    let text = if raw.contains(&b'%') {
        String::from_utf8(decode(raw)?).map(Cow::Owned).ok()
    } else {
        std::str::from_utf8(raw).map(Cow::Borrowed).ok()
    }
    .ok_or_else(|| ambiguous("the path's escapes are not UTF-8"))?;
    // After decoding: a program that decodes again, or after splitting, would read these as
    // structure.
    for character in text.chars() {
        match character {
            '\\' => return Err(ambiguous("the path contains a `\\`")),
            '/' if !allow_slash => return Err(ambiguous("the path contains an escaped `/`")),
            ';' => return Err(ambiguous("the path contains an escaped `;`")),
            '#' => return Err(ambiguous("the path contains an escaped `#`")),
            '?' => return Err(ambiguous("the path contains an escaped `?`")),
            '%' => return Err(ambiguous("the path contains an escaped `%`")),
            control if control.is_control() => {
                return Err(ambiguous("the path contains a control character"));
            }
            _ => {}
        }
    }
    Ok(text)
}

/// Decodes each escape exactly once.
pub(super) fn decode(raw: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter();
    while let Some(byte) = bytes.next() {
        if *byte != b'%' {
            decoded.push(*byte);
            continue;
        }
        let high = bytes.next().and_then(|digit| hex(*digit));
        let low = bytes.next().and_then(|digit| hex(*digit));
        match (high, low) {
            (Some(high), Some(low)) => decoded.push(high << 4 | low),
            _ => return Err(ambiguous("the path contains a bad percent-escape")),
        }
    }
    Ok(decoded)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// A text with its escapes decoded; `None` if one is invalid.
pub(super) fn unescaped(text: &str) -> Option<String> {
    String::from_utf8(decode(text.as_bytes()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(path: &NormalPath<'_>) -> Vec<String> {
        path.segments().map(str::to_owned).collect()
    }

    #[test]
    fn a_plain_path_is_read_as_segment_by_segment() {
        let insensitive = PathOptions {
            case_insensitive: true,
            ..PathOptions::default()
        };
        // `;` makes a path one that is read segment by segment, and changes nothing here.
        let matrix = PathOptions {
            allow_matrix_parameters: true,
            ..PathOptions::default()
        };
        for text in [
            "/",
            "/a",
            "/a/",
            "/a/b.c/..d",
            "/A-b_c~!$&'()*+,=:@/1",
            "/[a]{b}|^`\"<>",
        ] {
            let plain = read_plain(text.as_bytes(), PathOptions::default()).expect(text);
            let with_parameters = text
                .split('/')
                .map(|segment| {
                    if segment.is_empty() {
                        "".to_owned()
                    } else {
                        format!("{segment};x=1")
                    }
                })
                .collect::<Vec<_>>()
                .join("/");
            let slow = read(with_parameters.as_bytes(), matrix, false).expect(text);
            assert_eq!(segments(&plain), segments(&slow), "{text}");
            assert!(text == "/" || matches!(slow.text, Cow::Owned(_)), "{text}");
        }
        for (text, options) in [
            ("//", PathOptions::default()),
            ("/a//b", PathOptions::default()),
            ("/.", PathOptions::default()),
            ("/a/../b", PathOptions::default()),
            ("/a./b", PathOptions::default()),
            ("/a%20", PathOptions::default()),
            ("/a;b", matrix),
            ("/a\\b", PathOptions::default()),
            ("/a b", PathOptions::default()),
            ("/\u{e9}", PathOptions::default()),
            ("/Ab", insensitive),
        ] {
            assert!(read_plain(text.as_bytes(), options).is_none(), "{text}");
        }
    }
}
