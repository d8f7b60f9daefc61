//! Header names as applications read them, and the headers that could make an application serve
//! another request.
//!
//! A policy has one name for a header, but CGI, PHP and others read several spellings as that name.
//! This module has the one rule for names that are the same, and the one table of headers that can
//! make an application believe in another host, path, method or client than the ones that
//! portcullis checked. It decides nothing: the engine, the adapters and `proxy-config` use it.

/// Whether some application treats two names as the same: they are equal in lower case with every
/// character other than letters and digits replaced by `_`.
///
/// CGI makes `HTTP_X_USER_ID` from `X-User-Id`, `X_User_Id`, `X.User.Id` and `X+User~Id` alike (RFC
/// 3875, section 4.1.18, mentions only `-`; lighttpd folds the rest, PHP folds `.` and `[`).
pub fn same(a: &str, b: &str) -> bool {
    if a.is_ascii() && b.is_ascii() {
        return a.len() == b.len() && a.bytes().map(folded_byte).eq(b.bytes().map(folded_byte));
    }
    folded(a).eq(folded(b))
}

/// The folded form of a name. Names that are the [`same`] have equal forms.
pub fn fold(name: &str) -> String {
    folded(name).collect()
}

fn folded(name: &str) -> impl Iterator<Item = char> + '_ {
    name.chars()
        .flat_map(char::to_lowercase)
        .map(|character| match character {
            letter if letter.is_alphanumeric() => letter,
            _ => '_',
        })
}

fn folded_byte(byte: u8) -> u8 {
    FOLDED[usize::from(byte)]
}

/// Each byte as it is compared. All names of a request's headers go through this table.
static FOLDED: [u8; 256] = {
    let mut folded = [b'_'; 256];
    let mut byte = 0_u8;
    while byte.is_ascii() {
        if byte.is_ascii_alphanumeric() {
            folded[byte as usize] = byte.to_ascii_lowercase();
        }
        byte += 1;
    }
    folded
};

/// Whether some application reads a cookie or a parameter under another name.
///
/// PHP drops blanks before a name, and reads it up to its first NUL or to a `[`, which begins an
/// index (`php_register_variable_ex`). A `[` that is never closed becomes `_`.
pub fn reads_as(sent: &str, name: &str) -> bool {
    let begun = sent.trim_start_matches(|character: char| character <= ' ');
    let end = begun.find(['[', '\0']).unwrap_or(begun.len());
    let variable = begun.get(..end).unwrap_or(begun);
    [sent, begun, variable].iter().any(|read| same(read, name))
}

/// Whether every proxy can set and remove a header of this name: letters, digits and `-`.
///
/// RFC 9110, section 5.6.2, allows more. But nginx makes variables from names, and `*`, `$` or `#`
/// have a special meaning in Caddy and YAML. A name that a proxy reads as a pattern removes other
/// headers, or none.
pub fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// The fact about a request that a header can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum About {
    /// The host.
    Host,
    /// Whether TLS was used.
    Scheme,
    /// The port.
    Port,
    /// The path.
    Path,
    /// The method.
    Method,
    /// The client's address.
    Client,
}

/// How such a header is handled behind Envoy, unless the configuration trusts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Handling {
    /// It is removed, and the application uses the request's own value.
    Remove,
    /// The request is refused, because without the header the application would do something other
    /// than what the client asks for.
    Refuse,
    /// Envoy itself sets it, replacing the client's value (`use_remote_address`), so it is passed
    /// on. Other spellings can only be the client's and are removed.
    Keep,
}

/// A header that may make an application serve a different request from the one that portcullis
/// checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contradicting {
    /// Its name, in lower case.
    pub name: &'static str,
    /// The fact that it can change.
    pub about: About,
    /// How it is handled behind Envoy.
    pub with_envoy: Handling,
}

/// The headers that frameworks read instead of the request line, the host and the connection.
///
/// These frameworks read them. `x-forwarded-*`, `forwarded`: Rack, Spring, Django, Express,
/// Symfony, ASP.NET. `x-original-url`, `x-rewrite-url`: IIS, Symfony, Zend.
/// `x-http-method-override` and similar: Rack, Express, Spring, ASP.NET, Symfony. `script-name`,
/// `path-info`: gunicorn, by the names with `_`. `front-end-https`, `x-url-scheme`,
/// `x-forwarded-protocol`: gunicorn's `secure_scheme_headers`, Microsoft's proxies. `client-ip`,
/// `x-real-ip`, `true-client-ip` and the rest: client addresses of various CDNs and load balancers,
/// which middleware trusts without asking who set them.
pub const CONTRADICTING: &[Contradicting] = {
    use About::{Client, Host, Method, Path, Port, Scheme};
    use Handling::{Keep, Refuse, Remove};
    &[
        // `Forwarded` (RFC 7239) has host, scheme and client.
        header("forwarded", Host, Remove),
        header("x-forwarded-host", Host, Remove),
        header("x-forwarded-server", Host, Remove),
        header("x-original-host", Host, Remove),
        header("x-http-host-override", Host, Remove),
        header("x-host", Host, Remove),
        header("x-forwarded-proto", Scheme, Keep),
        header("x-forwarded-protocol", Scheme, Remove),
        header("x-forwarded-scheme", Scheme, Remove),
        header("x-forwarded-ssl", Scheme, Remove),
        header("x-scheme", Scheme, Remove),
        header("x-url-scheme", Scheme, Remove),
        header("front-end-https", Scheme, Remove),
        header("x-forwarded-port", Port, Remove),
        header("x-forwarded-prefix", Path, Remove),
        header("x-forwarded-path", Path, Remove),
        header("x-forwarded-uri", Path, Remove),
        header("x-original-url", Path, Remove),
        header("x-original-uri", Path, Remove),
        header("x-rewrite-url", Path, Remove),
        header("x-script-name", Path, Remove),
        header("script-name", Path, Remove),
        header("path-info", Path, Remove),
        header("x-http-method-override", Method, Refuse),
        header("x-http-method", Method, Refuse),
        header("x-method-override", Method, Refuse),
        header("x-forwarded-method", Method, Remove),
        header("x-original-method", Method, Remove),
        // Envoy appends the peer's address. The part before it may come from a proxy in front.
        header("x-forwarded-for", Client, Keep),
        header("x-original-forwarded-for", Client, Remove),
        header("x-real-ip", Client, Remove),
        header("x-client-ip", Client, Remove),
        header("x-cluster-client-ip", Client, Remove),
        header("client-ip", Client, Remove),
        header("true-client-ip", Client, Remove),
        header("cf-connecting-ip", Client, Remove),
        header("fastly-client-ip", Client, Remove),
    ]
};

/// The header of the table that some application treats as this one.
///
/// Every header of a request is looked up, so it is compared only with names of the same length that
/// end alike: two ASCII names that are the [`same`] have both in common.
pub fn contradicting(sent: &str) -> Option<&'static Contradicting> {
    if !sent.is_ascii() {
        return CONTRADICTING.iter().find(|header| same(header.name, sent));
    }
    let last = folded_last(sent);
    let mut of_its_length = BY_LENGTH.get(sent.len())?.iter().map_while(|found| *found);
    of_its_length.find(|header| {
        folded_last(header.name) == last && (header.name == sent || same(header.name, sent))
    })
}

fn folded_last(name: &str) -> Option<u8> {
    name.bytes().next_back().map(folded_byte)
}

/// The headers of the table by the lengths of their names.
static BY_LENGTH: [[Option<&Contradicting>; MOST]; LONGEST + 1] = {
    let mut by_length = [[None; MOST]; LONGEST + 1];
    let mut at = 0;
    while at < CONTRADICTING.len() {
        let header = &CONTRADICTING[at];
        let of_its_length = &mut by_length[header.name.len()];
        let mut free = 0;
        while of_its_length[free].is_some() {
            free += 1;
        }
        of_its_length[free] = Some(header);
        at += 1;
    }
    by_length
};

/// The length of the table's longest name. A longer one doesn't compile.
const LONGEST: usize = 24;

/// The most names of one length. One more doesn't compile.
const MOST: usize = 5;

const fn header(name: &'static str, about: About, with_envoy: Handling) -> Contradicting {
    Contradicting {
        name,
        about,
        with_envoy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_names_that_applications_confuse() {
        for other in [
            "X-User-Id",
            "x_user_id",
            "X.User.Id",
            "X+User~Id",
            "x user[id",
            "x—user id",
        ] {
            assert!(same("x-user-id", other), "{other}");
            assert_eq!(fold(other), "x_user_id", "{other}");
        }
        for other in [
            "x-userid",
            "x-user-id2",
            "-x-user-id",
            "x-üser-id",
            "x--user-id",
        ] {
            assert!(!same("x-user-id", other), "{other}");
        }
        // Letters of other scripts are letters too, and are lower-cased.
        assert!(same("\u{212a}ey", "key"));
        assert!(!same("é", "_"));
    }

    #[test]
    fn parameter_names_that_applications_confuse() {
        for other in [
            "a.b",
            "A_B",
            "a[b",
            "a b",
            " a_b",
            "\u{b}a_b",
            "a_b[]",
            "a_b[x][y]",
            "a.b[0]",
            "a_b\0c",
        ] {
            assert!(reads_as(other, "a_b"), "{other:?}");
        }
        for other in ["a_b_", "a_bc", "_a_b", "[a_b]", "ab"] {
            assert!(!reads_as(other, "a_b"), "{other:?}");
        }
    }

    #[test]
    fn each_spelling_of_a_header_that_contradicts_is_found() {
        for header in CONTRADICTING {
            let spellings = [
                header.name.to_owned(),
                header.name.to_uppercase(),
                header.name.replace('-', "_"),
                header.name.replace('-', "."),
                header.name.replace('-', "—"),
                header.name.replace('k', "\u{212a}"),
            ];
            for spelling in spellings {
                assert_eq!(contradicting(&spelling), Some(header), "{spelling}");
            }
            let (shorter, longer) = (&header.name[1..], format!("{}x", header.name));
            for other in [shorter, &longer] {
                let found = contradicting(other);
                let exact = CONTRADICTING.iter().find(|header| header.name == other);
                assert_eq!(found, exact, "{other}");
            }
        }
        for other in ["", "accept", "authorization", "x-request-id", "é"] {
            assert_eq!(contradicting(other), None, "{other}");
        }
    }

    #[test]
    fn header_names_that_every_proxy_can_set_and_remove() {
        assert!(is_plain("X-User-Id2"));
        for name in [
            "", "x_user", "x.user", "x*", "x$user", "#user", "x user", "é",
        ] {
            assert!(!is_plain(name), "{name}");
        }
    }

    #[test]
    fn the_table_names_each_header_once_in_lower_case() {
        for (at, header) in CONTRADICTING.iter().enumerate() {
            assert!(is_plain(header.name), "{}", header.name);
            assert_eq!(header.name, header.name.to_ascii_lowercase());
            let again = CONTRADICTING[..at]
                .iter()
                .find(|one| same(one.name, header.name));
            assert_eq!(again, None, "{}", header.name);
        }
    }
}
