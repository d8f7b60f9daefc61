//! Finds the token of a request in the places that the API names.

use std::borrow::Cow;

use super::evidence::Fault;
use super::origin;
use super::reading::{MAX_QUERY_PARAMETERS, Value};
use super::request::Request;
use super::routed::{Routed, State};
use super::spellings::{self, SUBPROTOCOLS};
use crate::reason::Reason;
use crate::settings::{Demand, TokenPlace};

/// What was found where a token may stand.
#[derive(Debug, Clone)]
pub enum Presented<'r> {
    /// None was sent, or none is looked at.
    Absent,
    /// One, and how it was sent.
    Token(Cow<'r, str>, Scheme),
    /// Something that is not a token, or more than one.
    Fault(Fault),
}

/// How a token was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// As one that whoever has it may use (RFC 6750), wherever it stood.
    Bearer,
    /// `Authorization: DPoP` (RFC 9449, section 7.1).
    Dpop,
}

impl<'r> Routed<'_, 'r> {
    /// Looks for the token; only where [`Routed::demand`] asks for one.
    ///
    /// Several tokens, or one header that could be taken for several, are refused: the
    /// application might read another than the one that was checked.
    pub fn token(&self) -> Presented<'r> {
        let (State::Open(open), Some(api)) = (&self.state, self.api()) else {
            return Presented::Absent;
        };
        if open.demand == Demand::None {
            return Presented::Absent;
        }
        if let Err(fault) = spellings::check_places(api, self.request, &open.reading) {
            return Presented::Fault(fault);
        }
        let mut found: Option<(Cow<'r, str>, Scheme, &TokenPlace)> = None;
        for place in &api.token_places {
            let bearer = |token: Found<'r>| Ok(token?.map(|token| (token, Scheme::Bearer)));
            let token = match place {
                TokenPlace::Authorization => {
                    authorization(self.request, self.policy.schemes(api).dpop)
                }
                TokenPlace::Header(name) => bearer(header(self.request, name)),
                TokenPlace::Cookie(name) => bearer(cookie(self.request, name)),
                TokenPlace::Query(name) => bearer(query(open.reading.parameter(name), name)),
                TokenPlace::Subprotocol(name) => bearer(subprotocol(self.request, name)),
            };
            match token {
                Ok(None) => {}
                Ok(Some(_)) if found.is_some() => {
                    return Presented::Fault(malformed(
                        "the request carries a token in two places",
                    ));
                }
                Ok(Some((token, scheme))) => found = Some((token, scheme, place)),
                Err(fault) => return Presented::Fault(fault),
            }
        }
        let Some((token, scheme, place)) = found else {
            return Presented::Absent;
        };
        if let TokenPlace::Cookie(name) = place
            && let Err(fault) = origin::check(api, self.request, open.method, name)
        {
            return Presented::Fault(fault);
        }
        Presented::Token(token, scheme)
    }
}

/// Whether `Authorization` has the scheme `DPoP`, whatever follows it.
pub(super) fn sent_by_dpop(request: &Request<'_>) -> bool {
    request.one_header("authorization").is_some_and(|value| {
        value
            .split(|byte| *byte == b' ')
            .next()
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"dpop"))
    })
}

type Found<'r> = Result<Option<Cow<'r, str>>, Fault>;

fn malformed(hint: impl Into<String>) -> Fault {
    Fault::new(Reason::RequestMalformed, hint)
}

fn missing(hint: impl Into<String>) -> Fault {
    Fault::new(Reason::TokenMissing, hint)
}

/// The one value of a header, without a comma: some proxies join repeated headers with one.
fn one<'r>(request: &Request<'r>, name: &str) -> Result<Option<&'r str>, Fault> {
    let mut values = request.header(name);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(malformed(format!("the header `{name}` is repeated")));
    }
    if value.contains(&b',') {
        return Err(malformed(format!(
            "the header `{name}` holds a comma, as if it had been joined from several"
        )));
    }
    std::str::from_utf8(value)
        .ok()
        .filter(|value| value.bytes().all(|byte| matches!(byte, b' '..=b'~')))
        .map(Some)
        .ok_or_else(|| malformed(format!("the header `{name}` is not printable ASCII")))
}

/// `Authorization: Bearer` (RFC 6750, section 2.1); where an API takes bound tokens also
/// `Authorization: DPoP` (RFC 9449, section 7.1).
fn authorization<'r>(
    request: &Request<'r>,
    takes_dpop: bool,
) -> Result<Option<(Cow<'r, str>, Scheme)>, Fault> {
    let Some(value) = one(request, "authorization")? else {
        return Ok(None);
    };
    let (named, rest) = value.split_once(' ').unwrap_or((value, ""));
    let scheme = if named.eq_ignore_ascii_case("bearer") {
        Scheme::Bearer
    } else if takes_dpop && named.eq_ignore_ascii_case("dpop") {
        Scheme::Dpop
    } else {
        return Err(missing(format!(
            "`Authorization` has the scheme {}; send `{}` and an access token",
            crate::text::quoted(named),
            if takes_dpop { "DPoP" } else { "Bearer" }
        )));
    };
    let token = rest.trim_matches(' ');
    if token.is_empty() {
        return Err(missing(format!(
            "`Authorization: {}` is followed by no token",
            match scheme {
                Scheme::Bearer => "Bearer",
                Scheme::Dpop => "DPoP",
            }
        )));
    }
    Ok(Some((Cow::Borrowed(token), scheme)))
}

/// A header that holds the token alone.
fn header<'r>(request: &Request<'r>, name: &str) -> Found<'r> {
    Ok(one(request, name)?
        .map(|value| value.trim_matches(' '))
        .filter(|value| !value.is_empty())
        .map(Cow::Borrowed))
}

/// A cookie (RFC 6265, section 4.2.1). HTTP/2 may split `Cookie` into several headers, and a proxy
/// may join several by a comma, which is then no part of a value: behind it a cookie may begin.
fn cookie<'r>(request: &Request<'r>, name: &str) -> Found<'r> {
    const BLANKS: [char; 2] = [' ', '\t'];
    let mut found: Option<&str> = None;
    for value in request.header("cookie") {
        let text = std::str::from_utf8(value)
            .map_err(|_| malformed("the header `cookie` is not printable ASCII"))?;
        for pair in text.split(';') {
            let named = |pair: &'r str| {
                // PHP makes an empty cookie of a name alone.
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                (key.trim_matches(BLANKS) == name).then(|| value.trim_matches(BLANKS))
            };
            let behind_a_comma = pair.split(',').skip(1).any(|pair| named(pair).is_some());
            let value = named(pair);
            if behind_a_comma || value.is_some_and(|value| value.contains(',')) {
                return Err(malformed(format!(
                    "a comma stands before or in the cookie `{name}`, as if it had been joined from several"
                )));
            }
            if value.is_some() && found.is_some() {
                return Err(malformed(format!("the cookie `{name}` is repeated")));
            }
            found = found.or(value);
        }
    }
    Ok(found.filter(|value| !value.is_empty()).map(Cow::Borrowed))
}

/// A query parameter (RFC 6750, section 2.3).
fn query<'r>(value: &Value, name: &str) -> Found<'r> {
    match value {
        Value::Absent => Ok(None),
        Value::One(token) => Ok((!token.is_empty()).then(|| Cow::Owned(token.clone()))),
        Value::Unclear => Err(malformed(format!(
            "the query can be read in more than one way: `{name}` is repeated, an escape is \
             invalid, it contains `;`, or it has more than {MAX_QUERY_PARAMETERS} parameters"
        ))),
    }
}

/// `Sec-WebSocket-Protocol: NAME, TOKEN` (RFC 6455, section 4.1).
fn subprotocol<'r>(request: &Request<'r>, name: &str) -> Found<'r> {
    let mut values = request.header(SUBPROTOCOLS);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(malformed("the header `sec-websocket-protocol` is repeated"));
    }
    let text = std::str::from_utf8(value)
        .map_err(|_| malformed("the header `sec-websocket-protocol` is not printable ASCII"))?;
    let mut protocols = text.split(',').map(|protocol| protocol.trim_matches(' '));
    if !protocols.any(|protocol| protocol == name) {
        return Ok(None);
    }
    let token = protocols.next().filter(|token| !token.is_empty());
    if protocols.any(|protocol| protocol == name) {
        return Err(malformed(format!(
            "the subprotocol `{name}` is named twice"
        )));
    }
    Ok(token.map(Cow::Borrowed))
}
