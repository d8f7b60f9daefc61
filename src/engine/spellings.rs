//! Headers, cookies and parameters that an application may take for one that the policy names.
//!
//! A policy has one spelling of a name and an application may read another (`crate::headers`). A
//! request with another spelling is refused, because the application might read a different value
//! from the one that was checked. A list of spellings to remove isn't possible, since there is no
//! end to them.

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::Fault;
use super::path;
use super::reading::{Reading, length_bit};
use super::request::Request;
use crate::headers::{reads_as, same};
use crate::model::{Api, Model};
use crate::reason::Reason;
use crate::settings::TokenPlace;

/// The header that holds subprotocols (RFC 6455, section 4.1).
pub(super) const SUBPROTOCOLS: &str = "sec-websocket-protocol";

/// The names that the APIs of a policy forward, in lower case.
#[derive(Debug, Default)]
pub(super) struct Forwarded {
    /// Sorted, without duplicates.
    names: Vec<String>,
    /// The lengths of the names: [`length_bit`]. They rule out most headers of a request.
    lengths: u64,
    /// The indexes of names by their length.
    by_length: BTreeMap<usize, Vec<usize>>,
}

impl Forwarded {
    /// The names of all APIs: a request to one API must not set a header of another.
    pub fn of(model: &Model) -> Forwarded {
        let names: BTreeSet<&str> = model
            .apis
            .iter()
            .flat_map(|api| &api.forward)
            .map(|forward| forward.header.as_str())
            .collect();
        let mut forwarded = Forwarded::default();
        for (at, name) in names.into_iter().enumerate() {
            forwarded.lengths |= length_bit(name);
            forwarded.by_length.entry(name.len()).or_default().push(at);
            forwarded.names.push(name.to_owned());
        }
        forwarded
    }

    /// The names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Refuses a request that has another spelling of one of them.
    pub fn check(&self, request: &Request<'_>) -> Result<(), Fault> {
        for (sent, _) in request.headers {
            if self.lengths & length_bit(sent) == 0 {
                continue;
            }
            let alike = self.by_length.get(&sent.len()).into_iter().flatten();
            for name in alike.filter_map(|at| self.names.get(*at)) {
                if name != sent && same(name, sent) {
                    return Err(header_fault(sent, name));
                }
            }
        }
        Ok(())
    }
}

/// Refuses a request that has another spelling of a place where the API looks for a token: the
/// application could read a different token from the one that is checked.
pub(super) fn check_places(
    api: &Api,
    request: &Request<'_>,
    reading: &Reading<'_, '_>,
) -> Result<(), Fault> {
    for place in &api.token_places {
        match place {
            // One word: in lower case, it has no other spelling.
            TokenPlace::Authorization => {}
            TokenPlace::Header(name) => check_header(request, name)?,
            TokenPlace::Subprotocol(_) => check_header(request, SUBPROTOCOLS)?,
            TokenPlace::Cookie(name) => check_cookies(request, name)?,
            TokenPlace::Query(name) => {
                if let Some(sent) =
                    reading.other_parameter(|sent| sent != name && reads_as(sent, name))
                {
                    return Err(fault("query parameter", &sent, name));
                }
            }
        }
    }
    Ok(())
}

fn check_header(request: &Request<'_>, name: &str) -> Result<(), Fault> {
    let other = |sent: &&str| *sent != name && same(sent, name);
    let mut sent = request.headers.iter().map(|(sent, _)| *sent);
    sent.find(other)
        .map_or(Ok(()), |sent| Err(header_fault(sent, name)))
}

fn check_cookies(request: &Request<'_>, name: &str) -> Result<(), Fault> {
    for value in request.header("cookie") {
        // A value that isn't UTF-8 is refused where the cookie is read.
        let Ok(text) = std::str::from_utf8(value) else {
            continue;
        };
        // A proxy may have joined several headers with a comma.
        for pair in text.split([';', ',']) {
            let (sent, _) = pair.split_once('=').unwrap_or((pair, ""));
            let trimmed = sent.trim_matches([' ', '\t']);
            // PHP before 7.4.11 decodes names.
            let decoded = path::unescaped(sent);
            let mut read = [Some(trimmed), decoded.as_deref()].into_iter().flatten();
            if trimmed != name && read.any(|sent| sent == name || reads_as(sent, name)) {
                return Err(fault("cookie", trimmed, name));
            }
        }
    }
    Ok(())
}

fn header_fault(sent: &str, name: &str) -> Fault {
    fault("header", sent, name)
}

fn fault(what: &str, sent: &str, name: &str) -> Fault {
    Fault::new(
        Reason::RequestMalformed,
        format!(
            "some applications read the {what} {} as `{name}`: remove it, or spell it `{name}`",
            crate::text::quoted(sent)
        ),
    )
}
