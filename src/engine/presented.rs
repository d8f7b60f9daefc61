//! The token as the request presents it, found in the places that the API names.

use std::borrow::Cow;

use super::evidence::Fault;
use super::path::{QueryValue, query_value};
use super::request::Request;
use super::routed::{Routed, State};
use crate::reason::Reason;
use crate::settings::{Demand, TokenPlace};

/// What was found where a token may stand.
#[derive(Debug, Clone)]
pub enum Presented<'r> {
    /// None was sent, or none is looked at.
    Absent,
    /// One.
    Token(Cow<'r, str>),
    /// Something that is not a token, or more than one.
    Fault(Fault),
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
        let mut found: Option<Cow<'r, str>> = None;
        for place in &api.token_places {
            let token = match place {
                TokenPlace::Authorization => authorization(self.request),
                TokenPlace::Header(name) => header(self.request, name),
                TokenPlace::Cookie(name) => cookie(self.request, name),
                TokenPlace::Query(name) => query(open.query, name, self.request.masked),
                TokenPlace::Subprotocol(name) => subprotocol(self.request, name),
            };
            match token {
                Ok(None) => {}
                Ok(Some(_)) if found.is_some() => {
                    return Presented::Fault(malformed(
                        "the request carries a token in two places",
                    ));
                }
                Ok(Some(token)) => found = Some(token),
                Err(fault) => return Presented::Fault(fault),
            }
        }
        found.map_or(Presented::Absent, Presented::Token)
    }
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

/// `Authorization: Bearer` (RFC 6750, section 2.1).
fn authorization<'r>(request: &Request<'r>) -> Found<'r> {
    let Some(value) = one(request, "authorization")? else {
        return Ok(None);
    };
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(missing(format!(
            "`Authorization` has the scheme {}; send `Bearer` and an access token",
            crate::text::quoted(scheme)
        )));
    }
    let token = rest.trim_matches(' ');
    if token.is_empty() {
        return Err(missing("`Authorization: Bearer` is followed by no token"));
    }
    Ok(Some(Cow::Borrowed(token)))
}

fn header<'r>(request: &Request<'r>, name: &str) -> Found<'r> {
    Ok(one(request, name)?
        .map(|value| value.trim_matches(' '))
        .filter(|value| !value.is_empty())
        .map(Cow::Borrowed))
}

/// A cookie (RFC 6265, section 4.2.1). HTTP/2 may split `Cookie` into several headers.
fn cookie<'r>(request: &Request<'r>, name: &str) -> Found<'r> {
    let mut found: Option<&str> = None;
    for value in request.header("cookie") {
        let text = std::str::from_utf8(value)
            .map_err(|_| malformed("the header `cookie` is not printable ASCII"))?;
        for pair in text.split(';') {
            let Some((key, value)) = pair.trim_matches(' ').split_once('=') else {
                continue;
            };
            if key != name {
                continue;
            }
            if found.is_some() {
                return Err(malformed(format!("the cookie `{name}` is repeated")));
            }
            if value.contains(',') {
                return Err(malformed(format!(
                    "the cookie `{name}` holds a comma, as if it had been joined from several"
                )));
            }
            found = Some(value);
        }
    }
    Ok(found.filter(|value| !value.is_empty()).map(Cow::Borrowed))
}

/// A query parameter (RFC 6750, section 2.3).
fn query<'r>(query: Option<&[u8]>, name: &str, masked: bool) -> Found<'r> {
    match query_value(query, name, masked) {
        QueryValue::Absent => Ok(None),
        QueryValue::One(token) => Ok((!token.is_empty()).then_some(Cow::Owned(token))),
        QueryValue::Unclear => Err(malformed(format!(
            "the query can be read in two ways: `{name}` is repeated, an escape is bad, or a `;` parts it"
        ))),
    }
}

/// `Sec-WebSocket-Protocol: NAME, TOKEN` (RFC 6455, section 4.1).
fn subprotocol<'r>(request: &Request<'r>, name: &str) -> Found<'r> {
    let mut values = request.header("sec-websocket-protocol");
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
