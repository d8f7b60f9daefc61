//! Reads the access logs of proxies.
//!
//! Such a log has the request and the status of its answer, and perhaps the claims of the token.
//! What it lacks stays unknown, and so does what the proxy may have changed or cut.

mod envoy;
mod error;
mod field;
mod nginx;
mod pattern;
mod value;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use serde_json::Value;

use super::entry::{Entry, Known, Times, Token, Was};
use super::line::LineError;
use field::{Clock, Escape, Field, Role};
use pattern::{Part, Pattern};

pub use error::FormatError;

/// The format of an access log.
#[derive(Debug)]
pub struct AccessLog {
    layout: Layout,
    escape: Escape,
    host: Option<String>,
}

#[derive(Debug)]
enum Layout {
    Text(Pattern<Field>),
    /// Members of an object, by their paths.
    Json(Vec<(Vec<String>, Pattern<Field>)>),
}

/// What is known about every request of a log, besides its lines.
#[derive(Debug, Default)]
pub struct Given {
    /// The host, if the log doesn't have it.
    pub host: Option<String>,
    /// The field that has the claims of the token, as the format names it.
    pub claims: Option<String>,
}

impl AccessLog {
    /// Envoy's default format.
    pub fn envoy_text(given: Given) -> Result<AccessLog, FormatError> {
        AccessLog::envoy(envoy::TEXT, given)
    }

    /// Envoy's JSON with the usual members.
    pub fn envoy_json(given: Given) -> Result<AccessLog, FormatError> {
        AccessLog::envoy(envoy::JSON, given)
    }

    /// Envoy's log with a format string, or with a format dictionary in JSON.
    pub fn envoy(format: &str, given: Given) -> Result<AccessLog, FormatError> {
        if format.trim_start().starts_with('{') {
            AccessLog::new(envoy::members(format)?, None, Escape::Dash, given)
        } else {
            let parts = envoy::parts(format)?;
            AccessLog::new(Vec::new(), Some(parts), Escape::Dash, given)
        }
    }

    /// nginx's format `combined`.
    pub fn nginx_combined(given: Given) -> Result<AccessLog, FormatError> {
        AccessLog::nginx(nginx::COMBINED, given)
    }

    /// nginx's log with a `log_format`.
    pub fn nginx(format: &str, given: Given) -> Result<AccessLog, FormatError> {
        let (escape, parts) = nginx::parse(format)?;
        AccessLog::new(Vec::new(), Some(parts), escape, given)
    }

    fn new(
        mut members: Vec<envoy::Member>,
        mut text: Option<Vec<Part<Field>>>,
        escape: Escape,
        given: Given,
    ) -> Result<AccessLog, FormatError> {
        let all = members.iter_mut().map(|(_, parts)| parts);
        let mut fields: Vec<&mut Field> = all
            .chain(&mut text)
            .flatten()
            .filter_map(|part| match part {
                Part::Field(field) => Some(field),
                Part::Text(_) => None,
            })
            .collect();
        if let Some(name) = &given.claims {
            let wanted = name.trim_matches('%').trim_start_matches('$');
            let mut named = fields.iter_mut().filter(|field| field.name == wanted);
            let field = named
                .next()
                .ok_or_else(|| FormatError::NoField(name.clone()))?;
            field.role = Role::Claims;
        }
        let roles: BTreeSet<Role> = fields.iter().map(|field| field.role).collect();
        let has = |role: Role| roles.contains(&role);
        if !has(Role::Status) {
            return Err(FormatError::NoStatus);
        }
        if !has(Role::Request) && !has(Role::Target) {
            return Err(if has(Role::Rewritten) {
                FormatError::Rewritten
            } else {
                FormatError::NoRequest
            });
        }
        if !has(Role::Request) && !has(Role::Method) {
            return Err(FormatError::NoMethod);
        }
        let pattern = |parts| Pattern::new(parts).ok_or(FormatError::Adjacent);
        let layout = match text {
            Some(parts) => Layout::Text(pattern(parts)?),
            None => {
                let members = members.into_iter();
                let members = members.map(|(path, parts)| Ok((path, pattern(parts)?)));
                Layout::Json(members.collect::<Result<_, FormatError>>()?)
            }
        };
        Ok(AccessLog {
            layout,
            escape,
            host: given.host,
        })
    }

    /// Whether a line that is cut off can't be taken for a whole one.
    pub fn has_end(&self) -> bool {
        match &self.layout {
            Layout::Text(pattern) => pattern.has_end(),
            Layout::Json(_) => true,
        }
    }

    /// Reads a line.
    pub fn read<'l>(&self, line: &'l [u8]) -> Result<Entry<'l>, LineError> {
        let mut values = Values::default();
        match &self.layout {
            Layout::Text(pattern) => {
                for (field, value) in pattern.split(line)? {
                    values.add(field, value.len(), self.escape.value(value)?);
                }
            }
            Layout::Json(members) => {
                let object = value::object(line)?;
                for (path, pattern) in members {
                    let mut found = Some(&object);
                    for name in path {
                        found = found.and_then(|value| value.get(name));
                    }
                    let text = match found {
                        None | Some(Value::Null) => continue,
                        Some(Value::String(text)) => text.clone(),
                        Some(other) => other.to_string(),
                    };
                    for (field, value) in pattern.split(text.as_bytes())? {
                        let length = value.len();
                        let value = self.escape.value(value)?;
                        let value = value.map(|value| Cow::Owned(value.into_owned()));
                        values.add(field, length, value);
                    }
                }
                values.is_json = true;
            }
        }
        values.entry(self.host.as_deref())
    }
}

/// The values of a line by what they say; missing ones are left out.
#[derive(Default)]
struct Values<'l> {
    found: Vec<(Role, Cow<'l, [u8]>)>,
    /// The fields that were cut.
    cut: Vec<Role>,
    /// Whether the proxy may have replaced what JSON can't contain.
    is_json: bool,
}

impl<'l> Values<'l> {
    /// Adds a value that takes so many bytes in the line.
    fn add(&mut self, field: &Field, length: usize, value: Option<Cow<'l, [u8]>>) {
        if let Some(value) = value
            && field.role != Role::Other
        {
            self.found.push((field.role, value));
            if field.most.is_some_and(|most| length >= most) {
                self.cut.push(field.role);
            }
        }
    }

    fn get(&self, role: Role) -> Option<&[u8]> {
        let mut found = self.found.iter().filter(|(known, _)| *known == role);
        found.next().map(|(_, value)| value.as_ref())
    }

    fn text(&self, role: Role) -> Option<&str> {
        std::str::from_utf8(self.get(role)?).ok()
    }

    fn entry(self, given_host: Option<&str>) -> Result<Entry<'l>, LineError> {
        let status = self.text(Role::Status).and_then(value::status);
        let was = match status.ok_or(LineError::NotInFormat)? {
            200..=399 => match self.text(Role::GrpcStatus).map(value::grpc_denied) {
                None | Some(Some(false)) => Was::Allowed,
                Some(Some(true)) => Was::Denied(None),
                Some(None) => Was::Unrelated,
            },
            401 | 403 => Was::Denied(None),
            _ => Was::Unrelated,
        };
        let line = self.text(Role::Request).and_then(value::request_line);
        let line_method = line.map(|(method, _)| method);
        let method = line_method.or(self.text(Role::Method));
        // An internal redirect changes nginx's `$request_method`.
        let differs = line_method.is_some()
            && self
                .get(Role::Method)
                .is_some_and(|method| Some(method) != line_method.map(str::as_bytes));
        let target = self
            .get(Role::Target)
            .or(line.map(|(_, target)| target.as_bytes()))
            .or_else(|| value::raw_target(self.get(Role::Request)?));
        let is_cut = |roles: &[Role]| self.cut.iter().any(|role| roles.contains(role));
        let unknown = match (method, target) {
            (Some(_), Some(_)) if differs || is_cut(&[Role::Request, Role::Method]) => {
                Some("request")
            }
            // Of an absolute URL or `*`, the log may have another part than the proxy passes on.
            (Some(_), Some(target)) if !target.starts_with(b"/") => Some("request"),
            (Some(_), Some(target))
                if is_cut(&[Role::Target])
                    || target.contains(&b' ')
                    || self.is_json && value::may_be_replaced(target) =>
            {
                Some("path")
            }
            (Some(_), Some(_)) => None,
            (None, _) | (_, None) => Some("request"),
        };
        let logged_host = self.get(Role::Host).or(self.get(Role::HostHeader));
        let host = match logged_host.filter(|host| *host != b"-") {
            None => given_host,
            Some(_) if is_cut(&[Role::Host, Role::HostHeader]) => None,
            Some(host) if self.is_json && value::may_be_replaced(host) => None,
            Some(host) => std::str::from_utf8(host).ok(),
        };
        let address = self.text(Role::Address).and_then(|text| {
            let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
            text.parse::<IpAddr>().ok().or_else(with_port)
        });
        let times = self.times();
        let claims = self.get(Role::Claims).and_then(value::claims);
        let (claims, client, sub) = match claims {
            Some((text, claims)) => {
                let name = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
                (Some(text), name("client_id").or(name("azp")), name("sub"))
            }
            None => (None, None, None),
        };
        Ok(Entry {
            scheme: self.text(Role::Scheme).map(str::to_owned),
            target: target.unwrap_or_default().to_vec(),
            times: times.unwrap_or(Times::at(0.0)),
            address,
            masked: false,
            headers: Vec::new(),
            query: Known::All,
            has_address: address.is_some(),
            has_host: host.is_some(),
            token: match (claims, times) {
                (Some(claims), Some(_)) => Token::Claims(claims),
                (Some(_), None) => Token::Unknown("time"),
                (None, _) => Token::Unknown("token"),
            },
            was,
            client: client.map(Cow::Owned),
            sub: sub.map(Cow::Owned),
            revision: None,
            unknown,
            method: Cow::Owned(method.unwrap_or_default().to_owned()),
            host: host.map(|host| Cow::Owned(host.to_owned())),
        })
    }

    /// When the request was decided: not exactly, since the log has when its line was written or
    /// when the request began, and perhaps in whole seconds.
    fn times(&self) -> Option<Times> {
        let (clock, text) = self.found.iter().find_map(|(role, value)| {
            let Role::Time(clock) = role else { return None };
            Some((*clock, std::str::from_utf8(value).ok()?))
        })?;
        let (at, precision) = value::time(clock, text)?;
        let seconds = |role: Role| self.text(role).and_then(value::seconds);
        let took =
            seconds(Role::Duration).or_else(|| Some((seconds(Role::Milliseconds)? + 1.0) / 1000.0));
        // Without a duration, it can have been at any time on the other side.
        let (earliest, latest) = match clock {
            Clock::IsoBegin | Clock::UnixBegin => {
                (at, took.map_or(NEVER, |took| at + precision + took))
            }
            Clock::Common | Clock::Iso | Clock::Unix => {
                (took.map_or(0.0, |took| at - took), at + precision)
            }
        };
        Some(Times {
            now: at,
            earliest,
            latest,
        })
    }
}

/// A time later than any.
const NEVER: f64 = 1e15;

#[cfg(test)]
mod tests;
