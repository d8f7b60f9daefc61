//! Finds the token of a request in the places that the API names.

use std::borrow::Cow;

use super::evidence::Fault;
use super::origin;
use super::reading::{Reading, Value};
use super::request::Request;
use super::routed::{Routed, State};
use super::spellings::{self, SUBPROTOCOLS};
use super::{no_token, schemes};
use crate::engine::policy::Schemes;
use crate::model::Api;
use crate::reason::Reason;
use crate::settings::{Demand, TokenPlace};

/// What a request has in the places for a token.
#[derive(Debug, Clone)]
pub enum Presented<'r> {
    /// There is no token, or none is read.
    Absent,
    /// A token, and how it was sent.
    Token(Cow<'r, str>, Scheme),
    /// Something other than a token, or several tokens.
    Fault(Fault),
}

/// How a token was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// As a bearer token (RFC 6750), in any place.
    Bearer,
    /// `Authorization: DPoP` (RFC 9449, section 7.1).
    Dpop,
}

impl<'r> Routed<'_, 'r> {
    /// Finds the token, if [`Routed::demand`] requires one.
    ///
    /// Several tokens, or one header that could be read as several, are refused: the application
    /// might read a different token from the one that is checked.
    pub fn token(&self) -> Presented<'r> {
        let (State::Undecided(undecided), Some(api)) = (&self.state, self.api()) else {
            return Presented::Absent;
        };
        if undecided.demand == Demand::None {
            return Presented::Absent;
        }
        if let Err(fault) = spellings::check_places(api, self.request, &undecided.reading) {
            return Presented::Fault(fault);
        }
        let mut found: Option<(Cow<'r, str>, Scheme, &TokenPlace)> = None;
        for place in &api.token_places {
            match self.token_in(place, api, &undecided.reading) {
                Ok(None) => {}
                Ok(Some(_)) if found.is_some() => {
                    return Presented::Fault(malformed(
                        "the request carries a token in two places",
                    ));
                }
                Ok(Some((token, scheme))) => found = Some((token, scheme, place)),
                Err(fault) => {
                    return Presented::Fault(self.for_the_application(
                        fault,
                        place,
                        api,
                        &undecided.reading,
                    ));
                }
            }
        }
        let Some((token, scheme, place)) = found else {
            return Presented::Absent;
        };
        if let TokenPlace::Cookie(name) = place
            && let Err(fault) = origin::check(api, self.request, undecided.method, name)
        {
            return Presented::Fault(fault);
        }
        Presented::Token(token, scheme)
    }

    /// The token in one place.
    fn token_in(
        &self,
        place: &TokenPlace,
        api: &Api,
        reading: &Reading<'_, '_>,
    ) -> Result<Option<(Cow<'r, str>, Scheme)>, Fault> {
        let bearer = |token: Found<'r>| Ok(token?.map(|token| (token, Scheme::Bearer)));
        let found = match place {
            TokenPlace::Authorization => authorization(self.request, self.policy.schemes(api)),
            TokenPlace::Header(name) => bearer(header(self.request, name)),
            TokenPlace::Cookie(name) => bearer(cookie(self.request, name)),
            TokenPlace::Query(name) => bearer(query(reading.parameter(name), name)),
            TokenPlace::Subprotocol(name) => bearer(subprotocol(self.request, name)),
        }?;
        if let Some((token, _)) = &found {
            no_token::check(token, place)?;
        }
        Ok(found)
    }

    /// A fault in `Authorization`, although the token may be in another place. The header may then
    /// belong to the application, and the policy can ignore it.
    fn for_the_application(
        &self,
        fault: Fault,
        place: &TokenPlace,
        api: &Api,
        reading: &Reading<'_, '_>,
    ) -> Fault {
        if *place != TokenPlace::Authorization || fault.reason != Reason::TokenMissing {
            return fault;
        }
        let others: Vec<&TokenPlace> = api
            .token_places
            .iter()
            .filter(|place| **place != TokenPlace::Authorization)
            .collect();
        let holds = |place: &&&TokenPlace| {
            let token = self.token_in(place, api, reading);
            token.is_ok_and(|token| token.is_some())
        };
        let Some(holder) = others.iter().find(holds) else {
            return fault;
        };
        let written: Vec<String> = others.iter().map(|place| written(place)).collect();
        fault.with_remedy(format!(
            "{} has a token: `token only in {}` in the API `{}` reads it only there, and leaves \
            `Authorization` to the application",
            no_token::called(holder),
            written.join(", "),
            api.name
        ))
    }

    /// A place that is present but empty, if no token was found.
    pub(super) fn empty_place(&self) -> Option<String> {
        let (State::Undecided(undecided), Some(api)) = (&self.state, self.api()) else {
            return None;
        };
        let blank = |value: &[u8]| value.iter().all(|byte| *byte == b' ');
        let place = api.token_places.iter().find(|place| match place {
            TokenPlace::Authorization => false,
            TokenPlace::Header(name) => self.request.one_header(name).is_some_and(blank),
            TokenPlace::Cookie(name) => self.request.header("cookie").any(|value| {
                let pairs = value.split(|byte| *byte == b';');
                let empty = |pair: &[u8]| {
                    let text = std::str::from_utf8(pair).unwrap_or_default();
                    text.split_once('=')
                        .is_some_and(|(key, value)| key.trim() == name && value.trim().is_empty())
                };
                pairs.into_iter().any(empty)
            }),
            TokenPlace::Query(name) => undecided.reading.parameter(name).text() == Some(""),
            // A client offers a subprotocol by naming it with nothing after it.
            TokenPlace::Subprotocol(_) => false,
        });
        place.map(no_token::called)
    }
}

/// A place as it is written in policies.
fn written(place: &TokenPlace) -> String {
    match place {
        TokenPlace::Authorization => "authorization".to_owned(),
        TokenPlace::Header(name) => format!("header \"{name}\""),
        TokenPlace::Cookie(name) => format!("cookie \"{name}\""),
        TokenPlace::Query(name) => format!("query \"{name}\""),
        TokenPlace::Subprotocol(name) => format!("subprotocol \"{name}\""),
    }
}

/// Whether `Authorization` has the scheme `DPoP`, with any value.
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

/// The only value of a header, without a comma: some proxies join repeated headers with one.
fn one<'r>(request: &Request<'r>, name: &str) -> Result<Option<&'r str>, Fault> {
    let mut values = request.header(name);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(malformed(format!("the header `{name}` is repeated")));
    }
    // Without an early exit the loop is vectorised. A token has a thousand bytes or more.
    let (comma, odd) = value.iter().fold((0, 0), |(comma, odd), byte| {
        (
            comma | u8::from(*byte == b','),
            odd | u8::from(byte.wrapping_sub(b' ') > b'~' - b' '),
        )
    });
    if comma != 0 {
        return Err(malformed(format!(
            "the header `{name}` contains a comma, as if it had been joined from several"
        )));
    }
    match std::str::from_utf8(value) {
        Ok(value) if odd == 0 => Ok(Some(value)),
        Ok(_) | Err(_) => Err(malformed(format!(
            "the header `{name}` is not printable ASCII"
        ))),
    }
}

/// `Authorization: Bearer` (RFC 6750, section 2.1), and `Authorization: DPoP` if an API accepts
/// bound tokens (RFC 9449, section 7.1).
fn authorization<'r>(
    request: &Request<'r>,
    takes: Schemes,
) -> Result<Option<(Cow<'r, str>, Scheme)>, Fault> {
    let Some(value) = one(request, "authorization")? else {
        return Ok(None);
    };
    let (named, rest) = value.split_once(' ').unwrap_or((value, ""));
    let scheme = if named.eq_ignore_ascii_case("bearer") {
        Scheme::Bearer
    } else if takes.dpop && named.eq_ignore_ascii_case("dpop") {
        Scheme::Dpop
    } else {
        return Err(missing(no_scheme(value, takes)));
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

/// The hint about an `Authorization` without an accepted scheme. Its value may be a secret and is
/// never repeated.
fn no_scheme(value: &str, takes: Schemes) -> String {
    let wanted = if takes.dpop && !takes.bearer {
        "DPoP"
    } else {
        "Bearer"
    };
    let joined = |sign: char| {
        let head = value.split(sign).next().unwrap_or_default();
        head.len() < value.len() && head.eq_ignore_ascii_case(wanted)
    };
    if value.trim().is_empty() {
        format!("`Authorization` is empty; send `{wanted} ` and an access token")
    } else if let Some(scheme) = schemes::of(value) {
        format!("`Authorization` has the scheme `{scheme}`; send `{wanted}` and an access token")
    } else if let Some(sign) = [':', '=', '+', '%'].into_iter().find(|sign| joined(*sign)) {
        format!("`Authorization` has `{sign}` after `{wanted}`; put a space there, then the token")
    } else {
        format!("`Authorization` has no known scheme; put `{wanted} ` before the token")
    }
}

/// A header that holds only the token.
fn header<'r>(request: &Request<'r>, name: &str) -> Found<'r> {
    Ok(one(request, name)?
        .map(|value| value.trim_matches(' '))
        .filter(|value| !value.is_empty())
        .map(Cow::Borrowed))
}

/// A cookie (RFC 6265, section 4.2.1). HTTP/2 may split `Cookie` into several headers, and a proxy
/// may join several with a comma. The comma is then not part of a value, and a cookie may begin
/// after it.
fn cookie<'r>(request: &Request<'r>, name: &str) -> Found<'r> {
    const BLANKS: [char; 2] = [' ', '\t'];
    let mut found: Option<&str> = None;
    for value in request.header("cookie") {
        let text = std::str::from_utf8(value)
            .map_err(|_| malformed("the header `cookie` is not printable ASCII"))?;
        for pair in text.split(';') {
            let named = |pair: &'r str| {
                // To PHP, a name without `=` is an empty cookie.
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                (key.trim_matches(BLANKS) == name).then(|| value.trim_matches(BLANKS))
            };
            let behind_a_comma = pair.split(',').skip(1).any(|pair| named(pair).is_some());
            let value = named(pair);
            if behind_a_comma || value.is_some_and(|value| value.contains(',')) {
                return Err(malformed(format!(
                    "there is a comma before or in the cookie `{name}`, as if it had been joined \
                    from several"
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
        Value::Unclear(why) => Err(malformed(why.of_parameter(name))),
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
