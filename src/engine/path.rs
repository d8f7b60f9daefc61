//! The request target, read in the one way that cannot be misunderstood.
//!
//! What stands between a client and an application (proxies, frameworks, file systems) does not
//! agree on what `..`, `//`, `%2F`, `;` or a stray byte mean. A path that two of them could read
//! differently is refused before any rule is looked at. The bytes are split here and not by a URL
//! library, which would repair what has to be refused.

use std::borrow::Cow;

use super::evidence::Fault;
use crate::reason::Reason;
use crate::settings::PathOptions;

/// The longest request target, in bytes. RFC 9110, section 4.1, asks for 8,000 at least; what is
/// longer than this is refused before it is read.
pub const MAX_TARGET_BYTES: usize = 32 * 1024;

/// The most segments of a path: each is a step through the index of routes.
pub const MAX_SEGMENTS: usize = 256;

/// The parts of a request target.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'r> {
    /// The path, raw.
    pub path: &'r [u8],
    /// The query, raw, without its `?`.
    pub query: Option<&'r [u8]>,
}

/// A path, decoded once.
#[derive(Debug, Clone, Default)]
pub(super) struct NormalPath<'r> {
    /// The segments as rules see them.
    pub segments: Vec<Cow<'r, str>>,
    /// The segments as they are matched, where that differs: in lower case.
    pub folded: Option<Vec<String>>,
}

impl NormalPath<'_> {
    /// The segment at that place as it is matched.
    pub fn matched(&self, at: usize) -> Option<&str> {
        match &self.folded {
            Some(folded) => folded.get(at).map(String::as_str),
            None => self.segments.get(at).map(Cow::as_ref),
        }
    }
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
    if target.first() != Some(&b'/') {
        return Err(ambiguous("the request target does not begin with `/`"));
    }
    if target.contains(&b'#') {
        return Err(ambiguous("the request target holds a raw `#`"));
    }
    if target.iter().any(|byte| *byte <= b' ' || *byte == 0x7f) {
        return Err(ambiguous(
            "the request target holds a raw blank or control character",
        ));
    }
    let mut parts = target.splitn(2, |byte| *byte == b'?');
    Ok(Target {
        path: parts.next().unwrap_or_default(),
        query: parts.next(),
    })
}

/// Reads a path.
///
/// `masked` says that a `!` may stand for any byte, as Envoy shows bytes that are not ASCII.
pub(super) fn read(
    path: &[u8],
    options: PathOptions,
    masked: bool,
) -> Result<NormalPath<'_>, Fault> {
    if masked && path.contains(&b'!') {
        return Err(ambiguous(
            "the path holds a `!`, which the proxy shows in place of any byte that is not ASCII",
        ));
    }
    let mut normal = NormalPath::default();
    let mut raw = path.split(|byte| *byte == b'/').skip(1).peekable();
    while let Some(segment) = raw.next() {
        if segment.is_empty() && raw.peek().is_none() {
            // A trailing slash is no segment of its own.
            break;
        }
        if normal.segments.len() == MAX_SEGMENTS {
            return Err(ambiguous(format!(
                "the path has more than {MAX_SEGMENTS} segments"
            )));
        }
        normal.segments.push(read_segment(segment, options)?);
    }
    if options.case_insensitive {
        normal.folded = Some(
            normal
                .segments
                .iter()
                .map(|segment| segment.to_lowercase())
                .collect(),
        );
    }
    Ok(normal)
}

fn read_segment(raw: &[u8], options: PathOptions) -> Result<Cow<'_, str>, Fault> {
    let raw = match raw.iter().position(|byte| *byte == b';') {
        Some(at) if options.allow_matrix_parameters => raw.get(..at).unwrap_or_default(),
        Some(_) => return Err(ambiguous("the path holds a `;`")),
        None => raw,
    };
    let decoded: Cow<'_, [u8]> = if raw.contains(&b'%') {
        Cow::Owned(decode(raw)?)
    } else {
        Cow::Borrowed(raw)
    };
    if raw.iter().any(|byte| !byte.is_ascii()) {
        return Err(ambiguous("the path holds a raw byte that is not ASCII"));
    }
    let text = match decoded {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).map(Cow::Borrowed).ok(),
        Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).ok(),
    }
    .ok_or_else(|| ambiguous("the path's escapes are not UTF-8"))?;
    for character in text.chars() {
        match character {
            '\\' => return Err(ambiguous("the path holds a `\\`")),
            '/' if !options.allow_encoded_slash => {
                return Err(ambiguous("the path holds an escaped `/`"));
            }
            ';' => return Err(ambiguous("the path holds an escaped `;`")),
            '#' => return Err(ambiguous("the path holds an escaped `#`")),
            '?' => return Err(ambiguous("the path holds an escaped `?`")),
            '%' => return Err(ambiguous("the path holds an escaped `%`")),
            control if control.is_control() => {
                return Err(ambiguous("the path holds a control character"));
            }
            _ => {}
        }
    }
    // An escaped slash that is allowed must not bring back what is refused between real ones.
    for part in text.split('/') {
        match part {
            "" => return Err(ambiguous("the path holds an empty segment")),
            "." | ".." => return Err(ambiguous("the path holds a `.` or `..` segment")),
            _ => {}
        }
    }
    Ok(text)
}

/// Decodes each escape exactly once.
fn decode(raw: &[u8]) -> Result<Vec<u8>, Fault> {
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
            _ => return Err(ambiguous("the path holds a bad percent-escape")),
        }
    }
    Ok(decoded)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// The decoded value of the one query parameter of that name.
///
/// Repeated parameters and bad escapes give nothing: what two readers could take for two values
/// is missing. `+` is a space.
pub(super) fn query_value(query: &[u8], name: &str) -> Option<String> {
    let mut found = None;
    for pair in query.split(|byte| *byte == b'&') {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let key = query_text(parts.next().unwrap_or_default());
        match key {
            // A name that can't be read might be this one.
            None => return None,
            Some(key) if key == name => {
                if found.is_some() {
                    return None;
                }
                found = Some(query_text(parts.next().unwrap_or_default())?);
            }
            Some(_) => {}
        }
    }
    found
}

fn query_text(raw: &[u8]) -> Option<String> {
    let spaced: Vec<u8> = raw
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    String::from_utf8(decode(&spaced).ok()?).ok()
}
