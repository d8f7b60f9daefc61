//! Whether a proof's `htu` is the URL of the request (RFC 9449, section 4.3, step 9).
//!
//! Both are normalised (RFC 3986, section 6.2.2 and 6.2.3): scheme and host in lower case, without
//! the scheme's default port, and without unnecessary escapes. Query and fragment aren't compared.
//! The proxy reports the request's side: the scheme from the configured source, the host as one of
//! the policy's, the port as one of the configured ports.

use std::fmt;

use crate::engine::Request;
use crate::text::quoted;

/// The parts of a URL that are compared.
#[derive(Debug, PartialEq, Eq)]
struct Url {
    scheme: String,
    host: String,
    port: u16,
    path: Vec<u8>,
}

/// Whether `htu` is the URL of the request, at a port that is listed.
pub(super) fn check(
    htu: &str,
    request: &Request<'_>,
    ports: Option<&[u16]>,
) -> Result<(), TargetError> {
    let scheme = request.scheme.ok_or(TargetError::NoScheme)?;
    let authority = request.host.ok_or(TargetError::NoHost)?;
    let asked =
        Url::of(scheme, authority, path_of(request.target)).ok_or(TargetError::InvalidHost)?;
    let listed = default_port(&asked.scheme) == Some(asked.port)
        || ports.is_none_or(|ports| ports.contains(&asked.port));
    if !listed {
        return Err(TargetError::UnlistedPort(asked.port));
    }
    let named = parse(htu).ok_or_else(|| TargetError::NotAUrl(htu.to_owned()))?;
    if named == asked {
        return Ok(());
    }
    Err(TargetError::Other {
        proof: named.to_string(),
        request: asked.to_string(),
    })
}

/// Why a proof is not for the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TargetError {
    /// Nothing says which scheme the client used.
    NoScheme,
    /// The request names no host.
    NoHost,
    /// The request's host is none.
    InvalidHost,
    /// The request is for a port at which no client is expected.
    UnlistedPort(u16),
    /// `htu`, which is not the URL of a request.
    NotAUrl(String),
    /// It is for another URL.
    Other {
        /// What `htu` names.
        proof: String,
        /// What the request is for.
        request: String,
    },
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TargetError::NoScheme => f.write_str(
                "the DPoP proof can't be checked: the request's scheme is not known, because the \
                adapter has no source for it (`scheme` in portcullis.yaml)",
            ),
            TargetError::NoHost => {
                f.write_str("the DPoP proof can't be checked: the request names no host")
            }
            TargetError::InvalidHost => {
                f.write_str("the DPoP proof can't be checked: the request's host is invalid")
            }
            TargetError::UnlistedPort(port) => write!(
                f,
                "the request names the port {port}, which the configuration does not list \
                (`dpop.ports`)"
            ),
            TargetError::NotAUrl(htu) => write!(
                f,
                "the DPoP proof's `htu` is not the URL of a request: {}",
                quoted(htu)
            ),
            TargetError::Other { proof, request } => write!(
                f,
                "the DPoP proof is for {} (`htu`), but the request is for {}",
                quoted(proof),
                quoted(request)
            ),
        }
    }
}

impl Url {
    fn of(scheme: &str, authority: &str, path: &[u8]) -> Option<Url> {
        let scheme = scheme.to_ascii_lowercase();
        let (host, port) = match authority.rsplit_once(':') {
            // Inside the brackets of an IPv6 address, a colon doesn't begin a port.
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (authority, ""),
        };
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = match port {
            "" => default_port(&scheme)?,
            port if digits => port.parse().ok()?,
            _ => return None,
        };
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        if host.is_empty() || host.contains('@') {
            return None;
        }
        Some(Url {
            scheme,
            host,
            port,
            path: normal(if path.is_empty() { b"/" } else { path }),
        })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        if default_port(&self.scheme) != Some(self.port) {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(&String::from_utf8_lossy(&self.path))
    }
}

fn parse(htu: &str) -> Option<Url> {
    let (scheme, rest) = htu.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at_checked(end)?;
    Url::of(scheme, authority, path_of(target.as_bytes()))
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "https" => Some(443),
        "http" => Some(80),
        _ => None,
    }
}

/// The part before query and fragment.
fn path_of(target: &[u8]) -> &[u8] {
    target
        .split(|byte| matches!(byte, b'?' | b'#'))
        .next()
        .unwrap_or(target)
}

/// The normalised path: escapes of unreserved characters are decoded, and the digits of the others
/// are in upper case (RFC 3986, section 6.2.2). Segments `.` and `..` stay, since no request has
/// one.
fn normal(path: &[u8]) -> Vec<u8> {
    let mut normal = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let escaped = match (*first, after) {
            (b'%', [high, low, ..]) => digit(*high).zip(digit(*low)),
            _ => None,
        };
        let Some((high, low)) = escaped else {
            normal.push(*first);
            continue;
        };
        rest = after.get(2..).unwrap_or_default();
        let octet = high * 16 + low;
        if octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~') {
            normal.push(octet);
        } else {
            let digits = b"0123456789ABCDEF";
            normal.push(b'%');
            normal.extend([high, low].map(|digit| digits.get(usize::from(digit)).unwrap_or(&b'0')));
        }
    }
    normal
}

/// The value of a hexadecimal digit.
fn digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}
