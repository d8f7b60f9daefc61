//! URLs, hosts, origins and header names as policies write them.

use std::net::{IpAddr, Ipv6Addr};

use super::limits::MAX_HOST;

/// The parts of a URL that the checker reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Url<'t> {
    pub scheme: &'t str,
    pub host: &'t str,
    pub port: Option<&'t str>,
    /// The rest from the first `/` after the authority; may be empty.
    pub path: &'t str,
}

/// Parses an absolute URL without user, fragment, blanks, and characters that need escaping.
pub(crate) fn parse_url(text: &str) -> Result<Url<'_>, &'static str> {
    if let Some(odd) = text
        .chars()
        .find(|c| !c.is_ascii_graphic() || matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '|'))
    {
        return Err(if odd.is_whitespace() {
            "it holds a blank"
        } else {
            "it holds a character that a URL writes escaped"
        });
    }
    let (scheme, rest) = text
        .split_once("://")
        .ok_or("it has no scheme, such as `https://`")?;
    if rest.contains(['{', '}']) {
        return Err("it holds braces, which stand for a tenant in `url` and `keys url` alone");
    }
    if rest.contains('#') {
        return Err("it has a fragment");
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.contains('@') {
        return Err("it holds a user name");
    }
    let (host, port) = split_port(authority).ok_or("its port is not a number")?;
    if host.is_empty() {
        return Err("it has no host");
    }
    Ok(Url {
        scheme,
        host,
        port,
        path,
    })
}

/// A host and its port; `None` if the part after the colon isn't a port.
pub(crate) fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    let after_brackets = authority.rfind(']').map_or(0, |at| at + 1);
    match authority.get(after_brackets..)?.find(':') {
        None => Some((authority, None)),
        Some(at) => {
            let (host, port) = authority.split_at(after_brackets + at);
            let port = port.strip_prefix(':')?;
            port.parse::<u16>().ok()?;
            port.bytes()
                .all(|byte| byte.is_ascii_digit())
                .then_some((host, Some(port)))
        }
    }
}

/// Whether a host is this machine, for which plain HTTP is as safe as HTTPS.
pub(crate) fn is_loopback(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    if host == "localhost" || host.ends_with(".localhost") {
        return true;
    }
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(&host);
    bare.parse::<IpAddr>()
        .is_ok_and(|address| address.to_canonical().is_loopback())
}

/// Parses a URL that is fetched: https, or http for loopback.
pub(super) fn parse_fetched(text: &str) -> Result<Url<'_>, &'static str> {
    let url = parse_url(text)?;
    match url.scheme {
        "https" => Ok(url),
        "http" if is_loopback(url.host) => Ok(url),
        "http" => Err("it is plain HTTP: whoever is on the way could answer in its place"),
        _ => Err("its scheme is not `https`"),
    }
}

impl Url<'_> {
    /// Whether it is plain HTTP to another machine.
    pub fn is_plain(&self) -> bool {
        self.scheme == "http" && !is_loopback(self.host)
    }
}

/// Parses the URL of a key set: https, http for loopback, or plain HTTP, which the daemon's
/// configuration must allow.
pub(super) fn parse_key_url(text: &str) -> Result<Url<'_>, &'static str> {
    let url = parse_url(text)?;
    match url.scheme {
        "https" | "http" => Ok(url),
        _ => Err("its scheme is not `https`"),
    }
}

/// Why a text isn't a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoHost(pub &'static str);

/// A host in canonical form: lower case, no final dot, an IPv6 address in brackets and in its
/// canonical form.
pub(crate) fn normal_host(text: &str) -> Result<String, NoHost> {
    if let Some(inner) = text.strip_prefix('[') {
        let address = inner
            .strip_suffix(']')
            .and_then(|inner| inner.parse::<Ipv6Addr>().ok())
            .ok_or(NoHost("what stands in brackets is no IPv6 address"))?;
        return Ok(format!("[{address}]"));
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(NoHost("an IPv6 address must be in brackets"));
    }
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    if name.is_empty() {
        return Err(NoHost("it is empty"));
    }
    if name.len() > MAX_HOST {
        return Err(NoHost("it is longer than a host name can be"));
    }
    if !name.is_ascii() {
        return Err(NoHost(
            "names of other alphabets are written as browsers send them, `xn--…`",
        ));
    }
    for label in name.split('.') {
        if label.is_empty() {
            return Err(NoHost("one of its labels is empty"));
        }
        if label.len() > 63 {
            return Err(NoHost("one of its labels is longer than 63 characters"));
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if !label.bytes().all(plain) {
            return Err(NoHost(
                "a label holds letters, digits, `-` and `_`, nothing else",
            ));
        }
    }
    // Some programs read a name whose last label is a number, even a hexadecimal one, as an IPv4
    // address (the URL standard's "ends in a number checker"). A request with one is malformed.
    let numeric = |label: &str| match label.strip_prefix("0x") {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => label.bytes().all(|byte| byte.is_ascii_digit()),
    };
    if name.rsplit('.').next().is_some_and(numeric) && name.parse::<std::net::Ipv4Addr>().is_err() {
        return Err(NoHost("it ends in a number, but is no IPv4 address"));
    }
    Ok(name)
}

/// Whether a text is a field name or another token (RFC 9110, section 5.6.2).
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Whether a text is a scope (RFC 6749, section 3.3).
pub(crate) fn is_scope(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_this_machine_are_loopback() {
        for (host, loopback) in [
            ("localhost", true),
            ("LOCALHOST", true),
            ("idp.localhost", true),
            ("127.0.0.1", true),
            ("127.8.8.8", true),
            ("[::1]", true),
            ("localhost.example.com", false),
            ("127.0.0.1.example.com", false),
            ("10.0.0.1", false),
        ] {
            assert_eq!(is_loopback(host), loopback, "{host}");
        }
    }

    #[test]
    fn a_url_is_parsed_or_rejected() {
        let url = parse_url("https://[::1]:8080/realms/x").unwrap();
        assert_eq!(
            (url.host, url.port, url.path),
            ("[::1]", Some("8080"), "/realms/x")
        );
        assert_eq!(parse_url("https://example.com").unwrap().path, "");
        for wrong in [
            "",
            "example.com",
            "https://",
            "https:///x",
            "https://a@example.com/",
            "https://example.com/#x",
            "https://example.com:http/",
            "https://example.com:99999/",
            "https://example.com/a b",
        ] {
            assert!(parse_url(wrong).is_err(), "{wrong}");
        }
        assert!(parse_fetched("http://example.com/").is_err());
        assert!(parse_fetched("ftp://localhost/").is_err());
        assert!(parse_fetched("http://localhost:3000").is_ok());
    }

    #[test]
    fn hosts_have_one_form() {
        assert_eq!(
            normal_host("API.Example.com."),
            Ok("api.example.com".into())
        );
        assert_eq!(normal_host("[2001:DB8:0::1]"), Ok("[2001:db8::1]".into()));
        assert_eq!(normal_host("10.0.0.1"), Ok("10.0.0.1".into()));
        for wrong in [
            "",
            ".",
            "a..b",
            "a b",
            "ä.example",
            "1.2.3",
            "::1",
            "[::1",
            "x.1",
            "x.0x1",
        ] {
            assert!(normal_host(wrong).is_err(), "{wrong}");
        }
    }
}
