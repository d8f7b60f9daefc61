//! The latest decisions, for the console.
//!
//! They are recorded only while a page asks for them; otherwise a decision loads one atomic number. A
//! decision never waits: if another one is being added, or there are too many, it is counted as missed.
//! The entries are bounded in number and in bytes, and are freed when no page asks any more.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};

/// How many decisions are kept: more than a person scrolls through.
const MAX_ENTRIES: usize = 1_000;

/// How many bytes the texts of all of them may have together.
const MAX_BYTES: usize = 512 * 1024;

/// How many allows and how many denials are kept per second. They are limited separately, so that a
/// flood of one doesn't hide the other.
const MAX_PER_SECOND: u32 = 250;

/// How long decisions are kept for a page that doesn't ask any more.
const WATCHED: Duration = Duration::from_secs(15);

/// The latest decisions.
#[derive(Debug)]
pub struct Recent {
    started: Instant,
    /// Until when decisions are recorded, in milliseconds since the start; 0 if they aren't.
    until: AtomicU64,
    ring: Mutex<Ring>,
    /// How many decisions were not taken.
    missed: AtomicU64,
}

#[derive(Debug, Default)]
struct Ring {
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
    /// The number of the latest decision that was taken.
    latest: u64,
    /// The current second, and how many allows and denials it has.
    second: u64,
    allows: u32,
    denials: u32,
}

/// A decision, with nothing of the token but the client that the issuer names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its number in this list.
    pub number: u64,
    /// When, in RFC 3339 format.
    pub time: String,
    /// Its number in answers and logs.
    pub id: String,
    /// The adapter.
    pub adapter: &'static str,
    /// The request's method.
    pub method: Option<String>,
    /// The request's host.
    pub host: Option<String>,
    /// The request's path, without the query.
    pub path: Option<String>,
    /// The API.
    pub api: String,
    /// The route.
    pub route: String,
    /// `allow`, `deny` or `would_deny`.
    pub outcome: &'static str,
    /// The reason of a denial.
    pub reason: Option<&'static str>,
    /// The reason in a sentence.
    pub hint: Option<String>,
    /// The client of the verified token.
    pub client: Option<String>,
    /// How long the decision took.
    pub latency_us: u64,
}

impl Entry {
    /// The bytes of its texts.
    fn bytes(&self) -> usize {
        let optional = [
            &self.method,
            &self.host,
            &self.path,
            &self.hint,
            &self.client,
        ];
        let texts = [&self.time, &self.id, &self.api, &self.route];
        let all = optional.into_iter().flatten().chain(texts);
        size_of::<Entry>() + all.map(String::len).sum::<usize>()
    }
}

/// The decisions after a certain one.
#[derive(Debug, Serialize)]
pub struct Seen {
    /// The decisions, oldest first.
    #[serde(serialize_with = "each")]
    pub decisions: Vec<Arc<Entry>>,
    /// The number to ask with the next time.
    pub latest: u64,
    /// How many were not taken since the start.
    pub missed: u64,
}

fn each<S: Serializer>(entries: &[Arc<Entry>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(entries.iter().map(Arc::as_ref))
}

/// Records nothing.
impl Default for Recent {
    fn default() -> Recent {
        Recent {
            started: Instant::now(),
            until: AtomicU64::new(0),
            ring: Mutex::default(),
            missed: AtomicU64::new(0),
        }
    }
}

impl Recent {
    /// Records a decision if a page asks for them. `entry` makes it, with this number.
    pub fn put(&self, now: Instant, allowed: bool, entry: impl FnOnce(u64) -> Entry) {
        let until = self.until.load(Ordering::Relaxed);
        if until == 0 {
            return;
        }
        let mut ring = match self.ring.try_lock() {
            Ok(ring) => ring,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                self.missed.fetch_add(1, Ordering::Relaxed);
                return;
            }
        };
        let at = self.milliseconds(now);
        if at > until {
            // A page may have asked meanwhile; then it asks again soon.
            self.until.store(0, Ordering::Relaxed);
            ring.entries = VecDeque::new();
            ring.bytes = 0;
        } else if ring.has_room(at / 1_000, allowed) {
            ring.push(entry);
        } else {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The decisions after the one with this number. From now on, decisions are recorded for a while.
    pub fn after(&self, number: u64) -> Seen {
        let until = self.milliseconds(Instant::now() + WATCHED);
        self.until.store(until, Ordering::Relaxed);
        let ring = self.ring();
        let new = ring.entries.iter().filter(|entry| entry.number > number);
        Seen {
            decisions: new.cloned().collect(),
            latest: ring.latest,
            missed: self.missed.load(Ordering::Relaxed),
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn milliseconds(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.started);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Ring {
    fn has_room(&mut self, second: u64, allowed: bool) -> bool {
        if self.second != second {
            (self.second, self.allows, self.denials) = (second, 0, 0);
        }
        let count = if allowed {
            &mut self.allows
        } else {
            &mut self.denials
        };
        *count = count.saturating_add(1);
        *count <= MAX_PER_SECOND
    }

    fn push(&mut self, entry: impl FnOnce(u64) -> Entry) {
        self.latest += 1;
        let entry = entry(self.latest);
        self.bytes += entry.bytes();
        self.entries.push_back(Arc::new(entry));
        while self.entries.len() > MAX_ENTRIES || self.bytes > MAX_BYTES {
            let Some(oldest) = self.entries.pop_front() else {
                return;
            };
            self.bytes = self.bytes.saturating_sub(oldest.bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u64, path: &str) -> Entry {
        Entry {
            number,
            time: String::new(),
            id: String::new(),
            adapter: "nginx",
            method: None,
            host: None,
            path: Some(path.to_owned()),
            api: String::new(),
            route: String::new(),
            outcome: "deny",
            reason: None,
            hint: None,
            client: None,
            latency_us: 0,
        }
    }

    #[test]
    fn nothing_is_made_while_nobody_watches() {
        let recent = Recent::default();
        recent.put(Instant::now(), true, |_| panic!("somebody watches"));
        assert!(recent.after(0).decisions.is_empty());
        recent.put(Instant::now(), true, |number| entry(number, "/a"));
        let seen = recent.after(0);
        assert_eq!(seen.decisions.len(), 1);
        assert!(recent.after(seen.latest).decisions.is_empty());
        // The page was closed.
        let later = Instant::now() + WATCHED + Duration::from_secs(1);
        recent.put(later, true, |_| panic!("somebody watches"));
        assert!(recent.ring().entries.is_empty());
        recent.put(later, true, |_| panic!("somebody watches"));
    }

    #[test]
    fn entries_and_bytes_are_bounded() {
        let recent = Recent::default();
        recent.after(0);
        let mut ring = recent.ring();
        for _ in 0..2 * MAX_ENTRIES {
            ring.push(|number| entry(number, "/a"));
        }
        assert_eq!(ring.entries.len(), MAX_ENTRIES);
        let long = "x".repeat(MAX_BYTES / 4);
        for _ in 0..10 {
            ring.push(|number| entry(number, &long));
        }
        assert!(ring.bytes <= MAX_BYTES);
        assert_eq!(ring.entries.len(), 3);
        ring.push(|number| entry(number, &"x".repeat(2 * MAX_BYTES)));
        assert!(ring.entries.is_empty() && ring.bytes == 0);
    }

    #[test]
    fn a_flood_of_allows_hides_no_denial_and_nobody_waits() {
        let recent = Recent::default();
        recent.after(0);
        let now = Instant::now();
        for _ in 0..MAX_PER_SECOND + 10 {
            recent.put(now, true, |number| entry(number, "/a"));
        }
        recent.put(now, false, |number| entry(number, "/b"));
        let seen = recent.after(0);
        assert_eq!(seen.decisions.len(), MAX_PER_SECOND as usize + 1);
        assert_eq!(seen.missed, 10);
        let held = recent.ring();
        recent.put(now, false, |_| panic!("it had to wait"));
        drop(held);
        assert_eq!(recent.after(0).missed, 11);
    }
}
