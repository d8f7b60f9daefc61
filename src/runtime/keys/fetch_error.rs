//! Why a document could not be fetched: one sentence that says what was requested, what happened,
//! and what to do if that is known.
//!
//! The HTTP client's errors are nested; only the innermost one says what failed.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::time::Duration;

use reqwest::Url;
use rustls::CertificateError;

use super::address::Unresolved;

/// Why a document couldn't be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchError {
    /// There was no connection, no answer in time, or no permitted address. Another path on the
    /// same host would fail too.
    Unreached(String),
    /// The answer is unusable.
    Useless(String),
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (FetchError::Unreached(sentence) | FetchError::Useless(sentence)) = self;
        f.write_str(sentence)
    }
}

impl Error for FetchError {}

/// The route of requests, for messages about failures.
#[derive(Debug, Clone)]
pub struct Way {
    /// The proxy in use.
    pub proxy: Option<String>,
    /// Whether the environment names a proxy, which isn't used.
    pub environment: bool,
    /// How long a request may take.
    pub timeout: Duration,
}

impl Way {
    /// The error for a request without an answer in time.
    pub fn late(&self, url: &Url) -> FetchError {
        self.unreached(
            url,
            &format!("no complete answer within {:?}", self.timeout),
        )
    }

    /// The error for a request that failed.
    pub fn failed(&self, url: &Url, error: &reqwest::Error) -> FetchError {
        if error.is_timeout() {
            return self.late(url);
        }
        let (cause, advice) = cause(error);
        match advice {
            Advice::Reach => self.unreached(url, &cause),
            Advice::None => FetchError::Unreached(format!("{}: {cause}", self.asked(url))),
            Advice::Do(advice) => {
                FetchError::Unreached(format!("{}: {cause}; {advice}", self.asked(url)))
            }
        }
    }

    fn unreached(&self, url: &Url, cause: &str) -> FetchError {
        let asked = self.asked(url);
        let advice = if self.proxy.is_none() && self.environment {
            "; `HTTPS_PROXY` in the environment is ignored: name the proxy in `keys.proxy`"
        } else {
            ""
        };
        FetchError::Unreached(format!("{asked}: {cause}{advice}"))
    }

    fn asked(&self, url: &Url) -> String {
        match &self.proxy {
            None => format!("`{url}`"),
            Some(proxy) => format!("`{url}` through the proxy `{proxy}`"),
        }
    }
}

/// Advice for the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Advice {
    None,
    /// It is about the route.
    Reach,
    Do(&'static str),
}

const TRUST: &str = "`keys.ca_file` names authorities beside the system's";

/// The innermost cause of an error.
fn cause(error: &(dyn Error + 'static)) -> (String, Advice) {
    let mut innermost = String::new();
    let mut next = Some(error);
    while let Some(layer) = next {
        if let Some(unresolved) = layer.downcast_ref::<Unresolved>() {
            let advice = match unresolved {
                Unresolved::Refused(_) => Advice::None,
                Unresolved::Unknown(_) => Advice::Reach,
            };
            return (unresolved.to_string(), advice);
        }
        if let Some(known) = layer.downcast_ref::<io::Error>().and_then(of_io) {
            return known;
        }
        if let Some(error) = layer.downcast_ref::<hyper::Error>()
            && error.is_incomplete_message()
        {
            return (CUT_OFF.to_owned(), Advice::Reach);
        }
        innermost = layer.to_string();
        next = layer.source();
    }
    of_proxy(&innermost).unwrap_or((innermost, Advice::None))
}

const CUT_OFF: &str = "the connection was closed before the answer was complete";

/// The cause of an I/O error. The errors inside one aren't among its sources.
fn of_io(error: &io::Error) -> Option<(String, Advice)> {
    let inner = error.get_ref().map(|inner| inner as &(dyn Error + 'static));
    inner
        .and_then(|inner| inner.downcast_ref::<rustls::Error>().map(of_tls))
        .or_else(|| of_io(inner?.downcast_ref()?))
        .or_else(|| of_socket(error.kind()))
}

fn of_socket(kind: ErrorKind) -> Option<(String, Advice)> {
    let cause = match kind {
        ErrorKind::ConnectionRefused => "the connection is refused",
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => "there is no route to it",
        ErrorKind::TimedOut => "no connection can be made",
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof => CUT_OFF,
        _ => return None,
    };
    Some((cause.to_owned(), Advice::Reach))
}

fn of_tls(error: &rustls::Error) -> (String, Advice) {
    let certificate = match error {
        rustls::Error::InvalidCertificate(certificate) => certificate,
        other => return (format!("TLS with it fails: {other}"), Advice::None),
    };
    let (cause, advice) = match certificate {
        // Or an authority with the same name as a trusted one.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => (
            "its certificate is not from an authority that is trusted here",
            Advice::Do(TRUST),
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            ("its certificate has expired", Advice::None)
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            ("its certificate is for another name", Advice::None)
        }
        other => {
            return (format!("its certificate is invalid: {other}"), Advice::None);
        }
    };
    (cause.to_owned(), advice)
}

/// A proxy's answer to CONNECT; these errors have no type to match on.
fn of_proxy(innermost: &str) -> Option<(String, Advice)> {
    let (cause, advice) = match innermost.strip_prefix("tunnel error: ")? {
        "unsuccessful" => (
            "the proxy does not connect to it",
            Advice::Do("its log may say why"),
        ),
        "proxy authorization required" => (
            "the proxy requires authentication",
            Advice::Do("name a file with the credentials in `keys.proxy_credentials_file`"),
        ),
        other => return Some((format!("the proxy fails: {other}"), Advice::None)),
    };
    Some((cause.to_owned(), advice))
}
