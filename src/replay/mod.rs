//! Decides the requests of a log again by a policy, and compares the decisions.
//!
//! A log doesn't hold everything that a policy may read. Where something that matters is missing,
//! the result says so and names it; it is never a guess. This module reads lines and no files.

mod access;
mod entry;
mod line;
mod tally;
mod usage;

use std::collections::BTreeSet;

pub use access::{AccessLog, FormatError, Given};
pub use entry::{Entry, Shown, Times, Was};
pub use line::{LineError, MAX_HOST, MAX_METHOD, MAX_PATH, own};
pub use tally::{Change, Example, Open, Row, Tally, Unrelated, Who};
pub use usage::{Asked, Unused, Usage};

use crate::engine::{Partly, Policy, Request};
use crate::judge::{self, Remembered};
use crate::reason::Reason;

/// The format of a log.
#[derive(Debug)]
pub enum Log {
    /// portcullis' own decision log.
    Decisions,
    /// The access log of a proxy.
    Access(AccessLog),
}

impl Log {
    /// Reads a line.
    pub fn read<'l>(&self, line: &'l [u8]) -> Result<Entry<'l>, LineError> {
        match self {
            Log::Decisions => own(line),
            Log::Access(log) => log.read(line),
        }
    }

    /// Whether a line that is cut off can't be taken for a whole one.
    pub fn has_end(&self) -> bool {
        match self {
            Log::Decisions => true,
            Log::Access(log) => log.has_end(),
        }
    }
}

/// What a policy decides about a logged request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The API of the request; empty if it belongs to none.
    pub api: String,
    /// The routes that match it, joined by ` + `.
    pub route: String,
    /// The decision.
    pub now: Now,
    /// Whether the request as the log has it shows the decision. It doesn't if the request had a
    /// fault that the log doesn't contain.
    pub shown: bool,
}

/// A decision, as far as there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Now {
    /// It is allowed.
    Allowed,
    /// It is denied; without a reason if that depends on what the log lacks.
    Denied(Option<Reason>),
    /// It depends on these inputs, which the log lacks.
    Open(BTreeSet<String>),
}

/// Decides a logged request again. `revision` is that of the policy.
pub fn decide(entry: &Entry<'_>, policy: &Policy, revision: &str) -> Verdict {
    let open = |what: &str| Verdict {
        api: String::new(),
        route: String::new(),
        now: Now::Open(BTreeSet::from([what.to_owned()])),
        shown: false,
    };
    if let Some(unknown) = entry.unknown {
        return open(unknown);
    }
    if !entry.has_host && policy.tells_hosts_apart() {
        return open("host");
    }
    let verdict = at(entry, policy, revision, entry.times.now);
    let Times {
        earliest, latest, ..
    } = entry.times;
    // Tokens are valid from one time to another, so what holds at both ends holds between them. But a
    // login is too recent or too old at both ends, and in between it isn't.
    let reads_clock = matches!(entry.token, entry::Token::Claims(_));
    let differs = |time: f64| reads_clock && at(entry, policy, revision, time).now != verdict.now;
    let within = |time: &f64| earliest < *time && *time < latest;
    let mut claimed = entry.claimed_times().into_iter().filter(within);
    if differs(earliest) || differs(latest) || claimed.any(differs) {
        return Verdict {
            now: Now::Open(BTreeSet::from(["time".to_owned()])),
            shown: false,
            ..verdict
        };
    }
    verdict
}

/// Decides a request as if it had been sent at this time.
fn at(entry: &Entry<'_>, policy: &Policy, revision: &str, now: f64) -> Verdict {
    let headers = entry.headers();
    let request = Request {
        method: &entry.method,
        target: &entry.target,
        scheme: entry.scheme.as_deref(),
        host: entry.host.as_deref(),
        headers: &headers,
        address: entry.address,
        now,
        masked: entry.masked,
    };
    let same_policy = entry.revision.as_deref() == Some(revision);
    let token = match entry.remembered() {
        Remembered::Refused(_) if !same_policy => Remembered::Unknown("token"),
        token => token,
    };
    let again = judge::again(policy, &request, token);
    let now = match again.decide(&|input| entry.knows(input)) {
        Partly::Decided(decision) => match decision.reason() {
            None => Now::Allowed,
            Some(reason) => Now::Denied(Some(reason)),
        },
        Partly::Denied => Now::Denied(None),
        Partly::Open(unknown) => Now::Open(unknown),
    };
    // The message or the request had a fault that isn't in the log, such as a repeated header.
    let (now, shown) = match entry.was.reason() {
        Some(Reason::RequestMalformed | Reason::RequestAmbiguousPath)
            if now != Now::Denied(entry.was.reason()) =>
        {
            let now = if same_policy {
                Now::Denied(entry.was.reason())
            } else {
                Now::Open(BTreeSet::from(["request".to_owned()]))
            };
            (now, false)
        }
        _ => (now, true),
    };
    Verdict {
        api: again.api().to_owned(),
        route: again.route(),
        now,
        shown,
    }
}

#[cfg(test)]
mod tests;
