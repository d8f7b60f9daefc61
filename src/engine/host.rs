//! The request's host, in the canonical form that policies compare.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::evidence::Fault;
use crate::reason::Reason;

/// The maximum length of a host name (RFC 1035, section 2.3.4).
const MAX_HOST_BYTES: usize = 253;
/// The maximum length of a label.
const MAX_LABEL_BYTES: usize = 63;

/// Parses `Host` or `:authority`: lower case, without port and one final dot.
///
/// Anything but a name or an IP address is malformed (RFC 9110, section 7.2).
pub(super) fn read(raw: &str) -> Result<Cow<'_, str>, Fault> {
    if is_plain(raw) {
        return Ok(Cow::Borrowed(raw));
    }
    let malformed = || {
        Fault::new(
            Reason::RequestMalformed,
            format!(
                "the host {} is neither a name nor an address",
                crate::text::quoted(raw)
            ),
        )
    };
    if let Some(rest) = raw.strip_prefix('[') {
        let (address, port) = rest.split_once(']').ok_or_else(malformed)?;
        let address: Ipv6Addr = address.parse().map_err(|_| malformed())?;
        return if port.is_empty() || port.strip_prefix(':').is_some_and(is_port) {
            Ok(Cow::Owned(format!("[{address}]")))
        } else {
            Err(malformed())
        };
    }
    let name = match raw.split_once(':') {
        Some((name, port)) if is_port(port) => name,
        Some(_) => return Err(malformed()),
        None => raw,
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() || name.len() > MAX_HOST_BYTES || !name.split('.').all(is_label) {
        return Err(malformed());
    }
    let last = name.rsplit('.').next().unwrap_or_default();
    if is_number(last) && name.parse::<Ipv4Addr>().is_err() {
        return Err(malformed());
    }
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Ok(Cow::Owned(name.to_ascii_lowercase()))
    } else {
        Ok(Cow::Borrowed(name))
    }
}

/// Whether it is a name in canonical form already, as nearly all are: in lower case, without port
/// and final dot, and with a last label that begins with a letter, which is never a number.
fn is_plain(raw: &str) -> bool {
    let mut label = 0;
    for (at, byte) in raw.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => {}
            b'.' if at > label && at - label <= MAX_LABEL_BYTES => label = at + 1,
            _ => return false,
        }
    }
    raw.len() <= MAX_HOST_BYTES
        && raw.len() - label <= MAX_LABEL_BYTES
        && raw
            .as_bytes()
            .get(label)
            .is_some_and(u8::is_ascii_lowercase)
}

/// Whether some program reads a name that ends in this label as an IPv4 address: `127.1`,
/// `127.0.0.0x1` (the URL standard's "ends in a number checker").
fn is_number(label: &str) -> bool {
    let digits = label
        .strip_prefix("0x")
        .or_else(|| label.strip_prefix("0X"));
    match digits {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => label.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= MAX_LABEL_BYTES
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_canonical_form_is_read_as_any_other() {
        let label = "a".repeat(MAX_LABEL_BYTES);
        let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        assert_eq!(longest.len(), MAX_HOST_BYTES);
        for name in ["a", "api.example.com", "a-1_b.x--y.c0m", &label, &longest] {
            assert!(is_plain(name), "{name}");
            // A port makes it one that isn't plain, and changes nothing.
            let ported = format!("{name}:443");
            assert_eq!(read(&ported).ok().as_deref(), Some(name));
        }
        for raw in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "A.b",
            "a:1",
            "a b",
            "[::1]",
            "127.0.0.1",
            "a.0x1",
            "a.1",
            "a.-",
            "\u{e9}.example",
            &format!("{label}a.b"),
            &format!("b.{label}a"),
            &format!("{longest}a"),
        ] {
            assert!(!is_plain(raw), "{raw}");
        }
    }
}
