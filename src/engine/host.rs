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
