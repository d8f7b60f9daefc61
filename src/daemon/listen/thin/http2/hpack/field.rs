//! A header field, and whether HTTP/2 allows it.

/// A header field of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// What the name is to this server.
    pub name: Name,
    /// The name as sent.
    pub text: &'a [u8],
    /// The value.
    pub value: &'a [u8],
    /// Whether name and value may occur in a message (RFC 9113, sections 8.2.1 and 8.2.2).
    pub is_sound: bool,
}

/// What a name is to this server. It is found once for an entry of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    Method,
    Scheme,
    Path,
    Authority,
    /// A pseudo-header that no request has.
    UnknownPseudo,
    /// `te`, which may only say `trailers`.
    Te,
    ContentLength,
    GrpcEncoding,
    GrpcTimeout,
    /// A field about the connection, which HTTP/2 forbids (RFC 9113, section 8.2.2).
    Connection,
    Other,
}

impl Name {
    /// What a name is.
    pub const fn of(name: &[u8]) -> Name {
        match name {
            b":method" => Name::Method,
            b":scheme" => Name::Scheme,
            b":path" => Name::Path,
            b":authority" => Name::Authority,
            [b':', ..] => Name::UnknownPseudo,
            b"te" => Name::Te,
            b"content-length" => Name::ContentLength,
            b"grpc-encoding" => Name::GrpcEncoding,
            b"grpc-timeout" => Name::GrpcTimeout,
            b"connection" | b"keep-alive" | b"proxy-connection" | b"transfer-encoding"
            | b"upgrade" => Name::Connection,
            _ => Name::Other,
        }
    }
}

/// Whether a name and its value may occur in a message.
pub fn is_sound(name: Name, text: &[u8], value: &[u8]) -> bool {
    let named = match name {
        Name::Method | Name::Scheme | Name::Path | Name::Authority => true,
        Name::UnknownPseudo | Name::Connection => false,
        Name::Te => value == b"trailers",
        Name::ContentLength | Name::GrpcEncoding | Name::GrpcTimeout | Name::Other => {
            !text.is_empty() && text.iter().all(|byte| is_name(*byte))
        }
    };
    let blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    named
        && !value.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n'))
        && !blank(value.first())
        && !blank(value.last())
}

/// A character of a token in lower case (RFC 9110, section 5.6.2).
fn is_name(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*'
        | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~')
}
