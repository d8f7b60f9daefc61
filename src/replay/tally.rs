//! Adds up the decisions about the requests of a log.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};

use super::{Entry, LineError, Now, Shown, Verdict, Was};

/// How many clients are named. The log decides how many there are.
const MAX_CLIENTS: usize = 10_000;

/// How many bytes of a hash name a subject.
const SUBJECT_BYTES: usize = 8;

/// The decisions about the requests of a log, added up. Tallies of the parts of a log add up to the
/// tally of the log.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many lines were read.
    pub lines: u64,
    /// How many requests are decided as before, by the policy in force and in the answer.
    pub same: u64,
    /// The requests that are decided otherwise.
    pub changes: BTreeMap<Change, Row>,
    /// What is decided about the requests whose answer says nothing about authorization.
    pub unrelated: Unrelated,
    /// The requests that can't be decided, by API, route, and the inputs that the log lacks.
    pub open: BTreeMap<Open, Row>,
    /// How many requests of each client would be denied that were allowed.
    pub clients: BTreeMap<Who, u64>,
    /// How many such requests are of clients beyond those that are named.
    pub other_clients: u64,
    /// The lines that can't be read.
    pub unread: BTreeMap<LineError, Row>,
}

/// How many requests with an answer that says nothing about authorization are decided, and how.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Unrelated {
    /// How many are allowed.
    pub allowed: u64,
    /// How many are denied.
    pub denied: u64,
    /// How many can't be decided.
    pub open: u64,
}

/// An API, a route of it, and the inputs that the log lacks.
pub type Open = (String, String, BTreeSet<String>);

/// A change in decisions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// The API of the request under the policy.
    pub api: String,
    /// The route.
    pub route: String,
    /// The answer in the log: `allow`, `deny`, or `deny:CODE`.
    pub old: String,
    /// The denial that was only observed, `deny:CODE`: the policy in force denied, and the answer
    /// was to allow.
    pub observed: Option<String>,
    /// The decision by the policy.
    pub new: String,
}

impl Change {
    /// Whether requests are denied that were allowed.
    pub fn denies(&self) -> bool {
        self.old == ALLOW && self.new != ALLOW
    }

    /// Whether requests are denied that the policy in force denied too, but only observed.
    pub fn enforces(&self) -> bool {
        self.denies() && self.observed.is_some()
    }

    /// Whether requests are allowed as they were, though the policy in force denied them.
    pub fn clears(&self) -> bool {
        self.old == ALLOW && self.new == ALLOW
    }

    /// Whether requests are allowed that were denied.
    pub fn allows(&self) -> bool {
        self.old != ALLOW && self.new == ALLOW
    }
}

const ALLOW: &str = "allow";

/// How many lines there are, and the first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    /// How many.
    pub count: u64,
    /// The first one.
    pub first: Example,
}

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Example {
    /// The number of the file.
    pub file: usize,
    /// The number of the line.
    pub line: u64,
    /// The arguments of `portcullis why` after the policy.
    pub why: Option<Vec<String>>,
}

/// Who sent a request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// An OAuth client.
    Client(String),
    /// A subject of a token that names no client.
    Subject(String),
    /// Nobody that the log names.
    Unknown,
}

impl Tally {
    /// Adds a line that was decided.
    pub fn add(
        &mut self,
        entry: &Entry<'_>,
        verdict: Verdict,
        place: (usize, u64),
        shown: &Shown<'_>,
    ) {
        self.lines += 1;
        let (old, observed) = match entry.was {
            Was::Unrelated => {
                *match verdict.now {
                    Now::Allowed => &mut self.unrelated.allowed,
                    Now::Denied(_) => &mut self.unrelated.denied,
                    Now::Open(_) => &mut self.unrelated.open,
                } += 1;
                return;
            }
            Was::Allowed => (ALLOW.to_owned(), None),
            Was::Observed(reason) => (ALLOW.to_owned(), Some(denied(Some(reason)))),
            Was::Denied(reason) => (denied(reason), None),
        };
        let decided = matches!(verdict.now, Now::Allowed | Now::Denied(Some(_)));
        let new = match verdict.now {
            Now::Open(unknown) => {
                let key = (verdict.api, verdict.route, unknown);
                add(self.open.entry(key).or_default(), place, || None);
                return;
            }
            Now::Allowed => ALLOW.to_owned(),
            Now::Denied(reason) => denied(reason),
        };
        // A log that doesn't name the reason, and a reason that isn't known, differ from no other.
        let both_deny = old != ALLOW && new != ALLOW;
        if old == new && observed.is_none()
            || both_deny && (old == denied(None) || new == denied(None))
        {
            self.same += 1;
            return;
        }
        let change = Change {
            api: verdict.api,
            route: verdict.route,
            old,
            observed,
            new,
        };
        if change.denies() {
            self.denied_one(who(entry, shown.subjects), 1);
        }
        add(self.changes.entry(change).or_default(), place, || {
            verdict.shown.then(|| entry.why(decided, shown)).flatten()
        });
    }

    /// Adds a line that can't be read.
    pub fn unread(&mut self, error: LineError, place: (usize, u64)) {
        self.lines += 1;
        add(self.unread.entry(error).or_default(), place, || None);
    }

    /// Adds the tally of another part of the log.
    pub fn merge(&mut self, other: Tally) {
        self.lines += other.lines;
        self.same += other.same;
        self.unrelated.allowed += other.unrelated.allowed;
        self.unrelated.denied += other.unrelated.denied;
        self.unrelated.open += other.unrelated.open;
        merge(&mut self.changes, other.changes);
        merge(&mut self.open, other.open);
        merge(&mut self.unread, other.unread);
        self.other_clients += other.other_clients;
        for (who, count) in other.clients {
            self.denied_one(who, count);
        }
    }

    fn denied_one(&mut self, who: Who, count: u64) {
        if self.clients.len() < MAX_CLIENTS || self.clients.contains_key(&who) {
            *self.clients.entry(who).or_default() += count;
        } else {
            self.other_clients += count;
        }
    }

    /// How many requests have changes of a kind.
    pub fn count(&self, is: impl Fn(&Change) -> bool) -> u64 {
        let rows = self.changes.iter().filter(|(change, _)| is(change));
        rows.map(|(_, row)| row.count).sum()
    }

    /// How many requests can't be decided.
    pub fn open_count(&self) -> u64 {
        self.open.values().map(|row| row.count).sum()
    }

    /// How many lines can't be read.
    pub fn unread_count(&self) -> u64 {
        self.unread.values().map(|row| row.count).sum()
    }
}

fn denied(reason: Option<crate::reason::Reason>) -> String {
    reason.map_or_else(
        || "deny".to_owned(),
        |reason| format!("deny:{}", reason.code()),
    )
}

pub(super) fn add(
    row: &mut Row,
    (file, line): (usize, u64),
    why: impl FnOnce() -> Option<Vec<String>>,
) {
    if row.count == 0 {
        row.first = Example {
            file,
            line,
            why: why(),
        };
    }
    row.count += 1;
}

pub(super) fn merge<K: Ord>(rows: &mut BTreeMap<K, Row>, others: BTreeMap<K, Row>) {
    for (key, other) in others {
        let row = rows.entry(key).or_default();
        if row.count == 0 || other.first < row.first {
            row.first = other.first;
        }
        row.count += other.count;
    }
}

fn who(entry: &Entry<'_>, shows_subjects: bool) -> Who {
    match (&entry.client, &entry.sub) {
        (Some(client), _) => Who::Client(client.clone().into_owned()),
        (None, Some(sub)) if shows_subjects => Who::Subject(sub.clone().into_owned()),
        (None, Some(sub)) => {
            let hash = digest(&SHA256, sub.as_bytes());
            let mut text = String::from("sha256:");
            for byte in hash.as_ref().iter().take(SUBJECT_BYTES) {
                // Writing to a string can't fail.
                let _ = write!(text, "{byte:02x}");
            }
            Who::Subject(text)
        }
        (None, None) => Who::Unknown,
    }
}
