//! The head of a request (RFC 9112), if it is an ordinary one.
//!
//! hyper reads everything else, and decides what is wrong with it: it reads with the same parser.
//! Whatever could make the end of a request doubtful is not ordinary.

use std::mem::MaybeUninit;

use http::Uri;
use smallvec::SmallVec;

/// The most headers of an ordinary request; the configured limit may be lower.
const HEADERS: usize = 256;

/// The longest target that hyper accepts.
const TARGET_BYTES: usize = u16::MAX as usize - 1;

/// What a connection may send.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How large a head may be, in bytes.
    pub head_bytes: usize,
    /// How many headers it may have.
    pub headers: usize,
    /// How large a body may be, in bytes.
    pub body_bytes: usize,
}

/// What the bytes of a connection begin with.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once")]
pub enum Begun<'b> {
    /// A whole request, and how many bytes it has together with its body.
    Ordinary(Request<'b>, usize),
    /// The part of a head.
    Part,
    /// Something for hyper.
    Other,
}

/// A request.
#[derive(Debug)]
pub struct Request<'b> {
    /// The method.
    pub method: &'b str,
    /// A path, perhaps with a query and a fragment.
    pub target: &'b str,
    /// With names in lower case, as they were sent otherwise.
    pub headers: SmallVec<[(&'b str, &'b [u8]); 24]>,
}

impl Request<'_> {
    /// The path of the target.
    pub fn path(&self) -> &str {
        let target = self.target;
        target.split(['?', '#']).next().unwrap_or(target)
    }
}

/// Reads the request that bytes begin with. `names` gets the names of its headers.
pub fn begun<'b>(bytes: &'b [u8], limits: Limits, names: &'b mut String) -> Begun<'b> {
    let mut headers = [const { MaybeUninit::uninit() }; HEADERS];
    let most = limits.headers.min(HEADERS);
    let mut request = httparse::Request::new(&mut []);
    let parsed =
        request.parse_with_uninit_headers(bytes, headers.get_mut(..most).unwrap_or_default());
    let length = match parsed {
        Ok(httparse::Status::Complete(length)) if length <= limits.head_bytes => length,
        Ok(httparse::Status::Partial) if bytes.len() < limits.head_bytes => return Begun::Part,
        _ => return Begun::Other,
    };
    let (Some(method), Some(target), Some(1)) = (request.method, request.path, request.version)
    else {
        return Begun::Other;
    };
    // hyper ends a connection whose CONNECT was answered with a 2xx.
    if method == "CONNECT" || !is_target(target) {
        return Begun::Other;
    }
    names.clear();
    let mut body = None;
    for header in request.headers.iter() {
        let begin = names.len();
        names.push_str(header.name);
        names
            .get_mut(begin..)
            .unwrap_or_default()
            .make_ascii_lowercase();
        match names.get(begin..).unwrap_or_default() {
            "content-length" => match length_of(header.value) {
                Some(length) if body.is_none() => body = Some(length),
                _ => return Begun::Other,
            },
            "connection" if header.value.eq_ignore_ascii_case(b"keep-alive") => {}
            "connection" | "transfer-encoding" | "expect" | "upgrade" => return Begun::Other,
            _ => {}
        }
    }
    let body = body.unwrap_or_default();
    let Some(whole) = length.checked_add(body) else {
        return Begun::Other;
    };
    if body > limits.body_bytes || whole > bytes.len() {
        return Begun::Other;
    }
    let mut rest = names.as_str();
    let headers = request.headers.iter().map(|header| {
        let (name, more) = rest.split_at_checked(header.name.len()).unwrap_or_default();
        rest = more;
        (name, header.value)
    });
    let request = Request {
        method,
        target,
        headers: headers.collect(),
    };
    Begun::Ordinary(request, whole)
}

/// Whether a target is a path that hyper accepts.
fn is_target(target: &str) -> bool {
    // Most are, at a glance.
    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~?=&%".contains(&byte);
    target.starts_with('/')
        && target.len() <= TARGET_BYTES
        && (target.bytes().all(is_usual) || is_uri(target))
}

fn is_uri(target: &str) -> bool {
    let without_fragment = target.split('#').next().unwrap_or(target);
    let uri = Uri::try_from(target);
    let path = uri.as_ref().ok().and_then(Uri::path_and_query);
    path.is_some_and(|path| path.as_str() == without_fragment)
}

/// A length: digits alone (RFC 9110, section 8.6).
fn length_of(value: &[u8]) -> Option<usize> {
    let digits = std::str::from_utf8(value).ok()?;
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}

/// Whether the end of a head may be among bytes, of which the first `seen` contain none: parsing a
/// head anew for each byte of a slow sender would take the square of its length.
pub fn may_be_whole(bytes: &[u8], seen: usize) -> bool {
    let new = bytes.get(seen.saturating_sub(3)..).unwrap_or_default();
    memchr::memchr_iter(b'\n', new).any(|at| {
        let next = new.get(at + 1..).unwrap_or_default();
        next.starts_with(b"\n") || next.starts_with(b"\r\n")
    })
}
