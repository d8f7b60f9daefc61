//! Keeps web pages away from listeners for programs and operators.
//!
//! A page in a browser can send requests to addresses that only the browser's machine can reach. It
//! can use a form or a `fetch` to a loopback port; the browser then reveals it in `Origin`,
//! `Sec-Fetch-Site` or `Referer`. Or it can point its own name at that address (DNS rebinding);
//! then the request has the page's own origin, and its `Host` is the page's name. Rebinding needs a
//! name. If `Host` is an IP address, the browser connected to exactly that address, so probes and
//! scrapers that use addresses are served. Over TLS, the certificate covers the name. No page reaches a Unix
//! socket unless a proxy forwards to it, so there a program may use any name, but a page may not.
//!
//! The listener `admin` has pages of its own, the console. Their requests come from the origin that the
//! request itself names, and a browser lets no other page claim that.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, Version, header};

use crate::runtime::config::{Address, Listener};
use crate::text::quoted;

/// Headers that a browser adds to a page's requests, and that a program has no reason to send.
const OF_PAGES: [&str; 2] = ["origin", "referer"];

/// Which names a listener answers to, and whether it has pages.
#[derive(Debug, Clone)]
pub struct Names {
    /// The schemes of its own pages; none if it has no pages.
    own_pages: &'static [&'static str],
    /// Where names are configured, for the answer to a refused request.
    place: Option<&'static str>,
    /// Names in addition to `localhost` and IP addresses, in lower case.
    names: Arc<[String]>,
    /// The requests that must use one of them.
    bound: Bound,
}

/// The requests whose `Host` must be one of the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    /// All.
    All,
    /// Those that show that a page sent them.
    OfPages,
    /// None.
    None,
}

impl Names {
    /// The names of this machine only.
    pub fn loopback() -> Names {
        Names {
            own_pages: &[],
            place: None,
            names: Arc::default(),
            bound: Bound::All,
        }
    }

    /// The same for a listener with pages of its own.
    #[must_use]
    pub fn with_pages(self, listener: &Listener) -> Names {
        Names {
            own_pages: match listener.tls {
                Some(_) => &["https"],
                // Another program may add TLS.
                None => &["http", "https"],
            },
            ..self
        }
    }

    /// The names of a listener.
    pub fn of(place: &'static str, listener: &Listener) -> Names {
        let bound = match (&listener.tls, &listener.address) {
            (Some(_), _) => Bound::None,
            (None, Address::Tcp(_)) => Bound::All,
            (None, Address::Unix(_)) => Bound::OfPages,
        };
        Names {
            own_pages: &[],
            place: Some(place),
            names: listener.hosts.iter().cloned().collect(),
            bound,
        }
    }

    fn include(&self, host: &str) -> bool {
        let name = without_port(host).to_ascii_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name);
        let is_address = match name.strip_prefix('[') {
            Some(rest) => rest
                .strip_suffix(']')
                .is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()),
            None => name
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_ipv4()),
        };
        is_address || name == "localhost" || self.names.iter().any(|known| known == name)
    }
}

/// Refuses requests that a page sent, or may have sent, unless it is one of the listener's own.
pub async fn no_foreign_page(State(names): State<Names>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match refused(&parts, &names) {
        None => next.run(Request::from_parts(parts, body)).await,
        Some(why) => {
            let answers = if names.own_pages.is_empty() {
                "this listener answers programs, not web pages"
            } else {
                "this listener answers programs and its own pages, not other web pages"
            };
            tracing::debug!(why, "refused: {answers}");
            (StatusCode::FORBIDDEN, format!("{answers}: {why}\n")).into_response()
        }
    }
}

/// Why a request is refused; `None` if it isn't.
fn refused(parts: &Parts, names: &Names) -> Option<String> {
    let headers = &parts.headers;
    let host = match one_host(headers) {
        Err(()) => return Some("the request has more than one `host`".to_owned()),
        // An authority in the target replaces the header (RFC 9112, section 3.2.2).
        Ok(host) => parts
            .uri
            .authority()
            .map(http::uri::Authority::as_str)
            .or(host),
    };
    let is_own =
        |value: &HeaderValue| host.is_some_and(|host| is_origin(value, names.own_pages, host));
    for name in OF_PAGES {
        match headers.get_all(name).iter().find(|value| !is_own(value)) {
            Some(_) if names.own_pages.is_empty() => {
                return Some(format!("the request has the header `{name}`"));
            }
            Some(_) => return Some(format!("the header `{name}` names another page")),
            None => {}
        }
    }
    // If a person typed the address, it is `none`.
    let is_own = |site: &HeaderValue| {
        site == "none" || (site == "same-origin" && !names.own_pages.is_empty())
    };
    if !headers.get_all("sec-fetch-site").iter().all(is_own) {
        return Some("the header `sec-fetch-site` shows another page".to_owned());
    }
    let is_bound = match names.bound {
        Bound::All => true,
        Bound::OfPages => shows_page(headers),
        Bound::None => false,
    };
    match host {
        Some(host) if !is_bound || names.include(host) => None,
        Some(host) => {
            let host = quoted(host);
            let known = names.place.map_or_else(String::new, |place| {
                format!(", nor one of the names in `{place}`")
            });
            Some(format!(
                "{host} is neither an IP address nor `localhost`{known}"
            ))
        }
        // HTTP/1.0 health checks have none; a browser always sends one.
        None if parts.version < Version::HTTP_11 => None,
        None => Some("the request has no `host`".to_owned()),
    }
}

/// Whether a page sent a request, the listener's own included.
fn shows_page(headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all("sec-fetch-site").iter();
    OF_PAGES.iter().any(|name| headers.contains_key(*name)) || sites.any(|site| site != "none")
}

/// Whether a value of `Origin` or `Referer` is a page of this host and port, with one of these schemes.
fn is_origin(value: &HeaderValue, schemes: &[&str], host: &str) -> bool {
    let Ok(value) = value.to_str() else {
        return false;
    };
    let Some((scheme, rest)) = value.split_once("://") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    schemes.contains(&scheme) && authority.eq_ignore_ascii_case(host)
}

/// The header `Host`. A value that isn't text counts as an unknown name.
fn one_host(headers: &HeaderMap) -> Result<Option<&str>, ()> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next().map(|host| host.to_str().unwrap_or("?"));
    match hosts.next() {
        None => Ok(host),
        Some(_) => Err(()),
    }
}

/// A host without its port. The port isn't compared, since a forwarded port is another one.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|byte| byte.is_ascii_digit())
                && (!name.contains(':') || name.ends_with(']')) =>
        {
            name
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::config::Tls;

    fn listener(address: &str) -> Listener {
        let address = Address::try_from(address.to_owned()).expect("an address");
        Listener {
            hosts: vec!["portcullis.internal".to_owned()],
            ..Listener::plain(address)
        }
    }

    #[test]
    fn names_of_others_are_refused_and_addresses_are_not() {
        let names = Names::of("listeners.admin.hosts", &listener("127.0.0.1:9192"));
        for host in [
            "127.0.0.1",
            "127.0.0.1:9192",
            "10.1.2.3:9192",
            "203.0.113.9",
            "[::1]:9192",
            "[::1]",
            "[fd00::1]:80",
            "localhost",
            "LOCALHOST:9192",
            "localhost.:1",
            "portcullis.internal",
            "Portcullis.Internal:9192",
        ] {
            assert!(names.include(host), "{host}");
        }
        for host in [
            "",
            ":9192",
            "rebound.example",
            "localhost.rebound.example",
            "127.0.0.1.nip.io",
            "127.1",
            "0x7f000001",
            "2130706433",
            "[::1",
            "::1",
            "[::1].example",
            "[127.0.0.1]",
            "127.0.0.1:80:80",
            "127.0.0.1:x",
            "127.0.0.1@rebound.example",
            "a.portcullis.internal",
            "portcullis",
            "app.localhost",
            "localhost..",
        ] {
            assert!(!names.include(host), "{host}");
        }
    }

    #[test]
    fn only_the_own_origin_is_own() {
        let own = |value: &'static str, schemes: &[&str], host: &str| {
            is_origin(&HeaderValue::from_static(value), schemes, host)
        };
        let both = ["http", "https"];
        for value in [
            "http://127.0.0.1:9192",
            "https://127.0.0.1:9192",
            "http://127.0.0.1:9192/",
            "http://127.0.0.1:9192/#decisions",
        ] {
            assert!(own(value, &both, "127.0.0.1:9192"), "{value}");
        }
        assert!(own("http://LOCALHOST:1", &both, "localhost:1"));
        for value in [
            "null",
            "",
            "127.0.0.1:9192",
            "http://127.0.0.1",
            "http://127.0.0.1:9193",
            "http://localhost:9192",
            "http://evil.example",
            "http://127.0.0.1:9192.evil.example",
            "http://127.0.0.1:9192@evil.example",
            "http://evil.example/127.0.0.1:9192",
            "http://evil.example?://127.0.0.1:9192",
            "ftp://127.0.0.1:9192",
            "file://",
        ] {
            assert!(!own(value, &both, "127.0.0.1:9192"), "{value}");
        }
        assert!(!own("http://a:1", &["https"], "a:1"), "not over TLS");
        assert!(!own("http://a:1", &[], "a:1"), "no pages of its own");
    }

    #[test]
    fn over_tls_any_name_will_do_and_over_a_unix_socket_for_programs_alone() {
        let unix = listener("unix:/run/portcullis/admin.sock");
        let tls = Listener {
            tls: Some(Tls {
                certificate: "a".into(),
                key: "b".into(),
                client_ca: None,
            }),
            ..listener("127.0.0.1:9192")
        };
        let is_refused = |listener: &Listener, host: &str, by_page: bool| {
            let names = Names::of("listeners.admin.hosts", listener).with_pages(listener);
            let request = http::Request::post("/reload").header("host", host);
            let request = if by_page {
                request.header("origin", format!("https://{host}"))
            } else {
                request
            };
            let (parts, ()) = request.body(()).expect("a request").into_parts();
            refused(&parts, &names).is_some()
        };
        for by_page in [true, false] {
            assert!(!is_refused(&tls, "anything.example", by_page));
        }
        assert!(!is_refused(&unix, "anything.example", false));
        assert!(is_refused(&unix, "rebound.example:9192", true));
        for host in [
            "127.0.0.1:9192",
            "[::1]",
            "localhost",
            "portcullis.internal",
        ] {
            assert!(!is_refused(&unix, host, true), "{host}");
        }
    }
}
