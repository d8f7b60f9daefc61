//! The head of a request: the fields of its header block, as far as this server needs them.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};

use super::hpack::{Field, Fields, Name, OVERHEAD};

/// The longest `grpc-timeout`: eight digits and a unit (gRPC over HTTP/2, section "Requests").
const TIMEOUT_BYTES: usize = 9;

/// Collects the fields of a request's header block.
#[derive(Debug)]
pub struct Head<'h> {
    /// The path of the hot call.
    hot: &'h [u8],
    /// How large the fields may be together.
    limit: usize,
    size: usize,
    method: Option<Method>,
    has_scheme: bool,
    has_authority: bool,
    /// The path, unless it is the hot call's.
    target: Option<Target>,
    /// Whether a regular field has been read; pseudo-headers must come first.
    is_past_pseudo: bool,
    is_malformed: bool,
    length: Option<u64>,
    is_encoded: bool,
    timeout: Option<Timeout>,
}

#[derive(Debug)]
enum Target {
    Hot,
    Other(Uri, HeaderMap),
}

/// A `grpc-timeout` as sent.
#[derive(Debug, Clone, Copy)]
pub struct Timeout([u8; TIMEOUT_BYTES], u8);

impl Timeout {
    fn of(value: &[u8]) -> Option<Timeout> {
        let mut bytes = [0; TIMEOUT_BYTES];
        bytes.get_mut(..value.len())?.copy_from_slice(value);
        Some(Timeout(bytes, u8::try_from(value.len()).ok()?))
    }

    /// The value of the field.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.get(..usize::from(self.1)).unwrap_or_default()
    }
}

/// What a request asks for.
#[derive(Debug)]
pub enum Asked {
    /// The hot call.
    Hot(HotCall),
    /// Another one.
    Other(Box<Request<()>>),
}

/// The head of a hot call.
#[derive(Debug, Clone, Copy)]
pub struct HotCall {
    /// Whether its message can be read: it is a POST, its fields are not too large, and the message
    /// is not compressed.
    pub is_readable: bool,
    /// The caller's timeout.
    pub timeout: Option<Timeout>,
}

/// A request whose head breaks the rules of HTTP/2 (RFC 9113, section 8.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The head is malformed.
    Malformed,
    /// It is too large.
    TooLarge,
}

impl<'h> Head<'h> {
    pub fn new(hot: &'h [u8], limit: usize) -> Head<'h> {
        Head {
            hot,
            limit,
            size: 0,
            method: None,
            has_scheme: false,
            has_authority: false,
            target: None,
            is_past_pseudo: false,
            is_malformed: false,
            length: None,
            is_encoded: false,
            timeout: None,
        }
    }

    /// The request, and the length of its body if the head names it.
    pub fn asked(self) -> Result<(Asked, Option<u64>), Refused> {
        let (Some(method), Some(target), true, false) =
            (self.method, self.target, self.has_scheme, self.is_malformed)
        else {
            return Err(Refused::Malformed);
        };
        let is_small = self.size <= self.limit;
        let asked = match target {
            // An error would be an outage to Envoy, so even a head that is too large is answered.
            Target::Hot => Asked::Hot(HotCall {
                is_readable: is_small && method == Method::POST && !self.is_encoded,
                timeout: self.timeout,
            }),
            Target::Other(..) if !is_small => return Err(Refused::TooLarge),
            Target::Other(uri, headers) => {
                let mut request = Request::new(());
                *request.method_mut() = method;
                *request.uri_mut() = uri;
                *request.version_mut() = http::Version::HTTP_2;
                *request.headers_mut() = headers;
                Asked::Other(Box::new(request))
            }
        };
        Ok((asked, self.length))
    }

    fn pseudo(&mut self, field: &Field<'_>) -> Option<()> {
        let is_first = match field.name {
            Name::Method => {
                let method = Method::from_bytes(field.value).ok()?;
                self.method.replace(method).is_none()
            }
            Name::Scheme => !std::mem::replace(&mut self.has_scheme, true),
            Name::Authority => !std::mem::replace(&mut self.has_authority, true),
            Name::Path if field.value == self.hot => self.target.replace(Target::Hot).is_none(),
            Name::Path => {
                // Neither `*` nor a whole URI (RFC 9113, section 8.3.1).
                field.value.strip_prefix(b"/")?;
                let uri = Uri::try_from(field.value).ok()?;
                let target = Target::Other(uri, HeaderMap::new());
                self.target.replace(target).is_none()
            }
            Name::UnknownPseudo
            | Name::Te
            | Name::ContentLength
            | Name::GrpcEncoding
            | Name::GrpcTimeout
            | Name::Connection
            | Name::Other => false,
        };
        (is_first && !self.is_past_pseudo).then_some(())
    }

    fn regular(&mut self, field: &Field<'_>) -> Option<()> {
        self.is_past_pseudo = true;
        match field.name {
            Name::ContentLength => {
                let length = length(field.value)?;
                // Twice the same is allowed (RFC 9110, section 8.6).
                if *self.length.get_or_insert(length) != length {
                    return None;
                }
            }
            Name::GrpcEncoding => self.is_encoded |= field.value != b"identity",
            // The first one counts.
            Name::GrpcTimeout if self.timeout.is_none() => {
                self.timeout = Timeout::of(field.value);
            }
            Name::GrpcTimeout | Name::Te | Name::Other => {}
            Name::Method
            | Name::Scheme
            | Name::Path
            | Name::Authority
            | Name::UnknownPseudo
            | Name::Connection => return None,
        }
        if let Some(Target::Other(_, headers)) = &mut self.target
            && self.size <= self.limit
        {
            let name = HeaderName::from_bytes(field.text).ok()?;
            let value = HeaderValue::from_bytes(field.value).ok()?;
            headers.try_append(name, value).ok()?;
        }
        Some(())
    }
}

impl Fields for Head<'_> {
    fn field(&mut self, field: &Field<'_>) {
        self.size = self
            .size
            .saturating_add(field.text.len() + field.value.len() + OVERHEAD);
        let taken = match field.name {
            Name::Method | Name::Scheme | Name::Path | Name::Authority => self.pseudo(field),
            Name::UnknownPseudo
            | Name::Te
            | Name::ContentLength
            | Name::GrpcEncoding
            | Name::GrpcTimeout
            | Name::Connection
            | Name::Other => self.regular(field),
        };
        self.is_malformed |= taken.is_none() || !field.is_sound;
    }
}

/// A length: digits alone.
fn length(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// Reads the fields of a block that says nothing of interest: trailers, or the head of a stream
/// that was reset meanwhile.
#[derive(Debug, Default)]
pub struct Trailers {
    /// Whether one of them is not allowed in trailers (RFC 9113, section 8.1).
    pub is_malformed: bool,
}

impl Fields for Trailers {
    fn field(&mut self, field: &Field<'_>) {
        let is_pseudo = field.text.first() == Some(&b':');
        self.is_malformed |= is_pseudo || !field.is_sound;
    }
}
