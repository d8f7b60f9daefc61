//! Parses the request target in the only way that can't be misunderstood.
//!
//! Proxies, frameworks and file systems disagree about what `..`, `//`, `%2F`, `;` or a stray byte
//! mean. A path that two of them could read differently is refused before any rule is evaluated.
//! The bytes are split here and not by a URL library, which would repair what must be refused.

use std::borrow::Cow;

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

/// Up to this many segments need only one allocation.
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
    pub segments: Vec<Cow<'r, str>>,
    /// Whether the segments are in lower case, because they match regardless of case.
    pub folded: bool,
}

impl NormalPath<'_> {
    /// The segment at that place.
    pub fn segment(&self, at: usize) -> Option<&str> {
        self.segments.get(at).map(Cow::as_ref)
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
    let mut normal = NormalPath {
        segments: Vec::with_capacity(USUAL_SEGMENTS),
        folded: options.case_insensitive,
    };
    let mut raw = path.split(|byte| *byte == b'/').skip(1).peekable();
    while let Some(segment) = raw.next() {
        if segment.is_empty() && raw.peek().is_none() {
            // A trailing slash adds no segment.
            break;
        }
        if normal.segments.len() == MAX_SEGMENTS {
            return Err(ambiguous(format!(
                "the path has more than {MAX_SEGMENTS} segments"
            )));
        }
        let segment = read_segment(segment, options)?;
        normal.segments.push(if options.case_insensitive {
            folded(&segment)?
        } else {
            segment
        });
    }
    Ok(normal)
}

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
