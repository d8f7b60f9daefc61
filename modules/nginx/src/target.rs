//! What is judged of a request: the method and the target that the client sent, and those that the application
//! gets where the configuration has rewritten them.

/// What an application reads of a request line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The method.
    pub method: Vec<u8>,
    /// The target, with the query.
    pub target: Vec<u8>,
}

/// Whether rewritten targets are judged as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewrites {
    /// A request passes only if the policy allows what the client sent and what the application gets.
    Judge,
    /// What the client sent is judged; the configuration is trusted with what it makes of it.
    Trust,
}

/// The first that has to be judged and hasn't been.
pub fn unjudged<'l>(
    sent: &'l Line,
    now: &'l Line,
    rewrites: Rewrites,
    allowed: &[Line],
) -> Option<&'l Line> {
    let rewritten = match rewrites {
        Rewrites::Judge => Some(now),
        Rewrites::Trust => None,
    };
    std::iter::once(sent)
        .chain(rewritten)
        .find(|line| !allowed.contains(line))
}

/// A target made of nginx' decoded path and its arguments, as nginx itself makes one for `proxy_pass`.
pub fn made_of(path: &[u8], arguments: &[u8]) -> Vec<u8> {
    let mut target = Vec::with_capacity(path.len() + arguments.len() + 1);
    for byte in path {
        if is_escaped(*byte) {
            target.push(b'%');
            target.extend([byte >> 4, byte & 0xf].map(digit));
        } else {
            target.push(*byte);
        }
    }
    if !arguments.is_empty() {
        target.push(b'?');
        target.extend(arguments);
    }
    target
}

/// `NGX_ESCAPE_URI` of `ngx_escape_uri`.
fn is_escaped(byte: u8) -> bool {
    matches!(byte, 0..=b' ' | 0x7f..)
        || matches!(
            byte,
            b'"' | b'#' | b'%' | b'<' | b'>' | b'?' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}'
        )
}

fn digit(nibble: u8) -> u8 {
    match nibble {
        0..=9 => b'0' + nibble,
        _ => b'A' - 10 + nibble,
    }
}

/// The host that begins there in a request line and is so long, with the port behind it. `None` if it is elsewhere.
pub fn with_port(line: &[u8], start: usize, length: usize) -> Option<&[u8]> {
    let host = line.get(start..)?;
    let port = host
        .get(length..)?
        .iter()
        .take_while(|byte| matches!(byte, b':' | b'0'..=b'9'))
        .count();
    host.get(..length + port)
}

/// Whether the host of a target in absolute form is that of the `Host` header.
///
/// An application may go by either (RFC 9112, section 3.2.2, prefers the target's), and only one is judged.
pub fn same_host(authority: &[u8], header: Option<&[u8]>) -> bool {
    header.is_some_and(|header| header.eq_ignore_ascii_case(authority))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(method: &str, target: &str) -> Line {
        Line {
            method: method.into(),
            target: target.into(),
        }
    }

    #[test]
    fn what_the_client_sent_is_judged_before_what_was_made_of_it() {
        let (sent, now) = (line("POST", "/a"), line("GET", "/b"));
        let next = |rewrites, allowed: &[Line]| unjudged(&sent, &now, rewrites, allowed).cloned();
        assert_eq!(next(Rewrites::Judge, &[]), Some(sent.clone()));
        assert_eq!(next(Rewrites::Judge, &[sent.clone()]), Some(now.clone()));
        assert_eq!(next(Rewrites::Judge, &[sent.clone(), now.clone()]), None);
        assert_eq!(next(Rewrites::Trust, &[]), Some(sent.clone()));
        assert_eq!(next(Rewrites::Trust, &[sent.clone()]), None);
        // The method is part of it.
        let posted = line("POST", "/b");
        assert_eq!(
            next(Rewrites::Judge, &[sent.clone(), posted]),
            Some(now.clone())
        );
    }

    #[test]
    fn a_target_is_escaped_as_nginx_escapes_it() {
        for (path, arguments, target) in [
            ("/a", "", "/a"),
            ("/a b%/\u{e4}?#\u{7f}", "", "/a%20b%25/%C3%A4%3F%23%7F"),
            ("/index.php", "q=/a%20b", "/index.php?q=/a%20b"),
        ] {
            let made = made_of(path.as_bytes(), arguments.as_bytes());
            assert_eq!(String::from_utf8_lossy(&made), target);
        }
    }

    #[test]
    fn a_port_belongs_to_its_host() {
        let at = |line: &'static str, host: &str| {
            let start = line.find(host).unwrap_or(usize::MAX - 8);
            with_port(line.as_bytes(), start, host.len()).map(String::from_utf8_lossy)
        };
        for (line, host, read) in [
            (
                "GET http://a.example/b:1 HTTP/1.1",
                "a.example",
                "a.example",
            ),
            (
                "GET http://a.example:81/b HTTP/1.1",
                "a.example",
                "a.example:81",
            ),
            ("GET http://[::1]:81 HTTP/1.1", "[::1]", "[::1]:81"),
            ("GET http://a.example?b HTTP/1.1", "a.example", "a.example"),
        ] {
            assert_eq!(at(line, host).as_deref(), Some(read), "{line}");
        }
        assert_eq!(at("GET / HTTP/2.0", "a.example"), None);
    }

    #[test]
    fn a_target_with_a_host_of_its_own_needs_the_same_host_header() {
        assert!(same_host(
            b"API.example.com:80",
            Some(b"api.example.com:80")
        ));
        assert!(!same_host(b"api.example.com", Some(b"api.example.com:80")));
        assert!(!same_host(b"api.example.com", Some(b"evil.example")));
        assert!(!same_host(b"api.example.com", None));
    }
}
