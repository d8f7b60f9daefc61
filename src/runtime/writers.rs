//! What is known of those who write the policy's files.
//!
//! The system tells when a file is written, closed and renamed. A file that is open for writing is
//! half of one; one that was renamed into its place is whole. Where the system says nothing (a
//! network's file system, a write that began before the watch) nothing is known, and what has
//! become less is waited for instead: see [`super::reload`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What the system tells of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Something was written to the file, or it was made; whoever did still has it open.
    Written,
    /// Whoever wrote to it has closed it.
    Closed,
    /// Something whole was put there: by a rename, or as a link.
    Replaced,
    /// It is not there any more.
    Gone,
}

/// How well it is known that a file is whole; the better, the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whole {
    /// Nothing was told of it.
    Unknown,
    /// Its writer has closed it, and may open it again to write on.
    Closed,
    /// It was put in its place as a whole.
    Replaced,
}

/// What was told since the last policy was taken, by real paths.
#[derive(Debug, Default)]
pub struct Writers(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    open: BTreeMap<PathBuf, Instant>,
    whole: BTreeMap<PathBuf, (Whole, Instant)>,
}

impl Writers {
    /// Notes what was told; `true` where somebody should look again.
    pub fn note(&self, path: &Path, told: Told) -> bool {
        let now = Instant::now();
        let mut state = self.state();
        let was_open = match told {
            Told::Written => {
                state.whole.remove(path);
                // inotify reports every `write(2)`. Only the first one is news, or a busy writer
                // would cause a reload attempt for each.
                let is_known = state.open.contains_key(path);
                state.open.entry(path.to_owned()).or_insert(now);
                return !is_known;
            }
            Told::Closed | Told::Replaced | Told::Gone => state.open.remove(path),
        };
        match told {
            Told::Closed if was_open.is_some() => {
                state.whole.insert(path.to_owned(), (Whole::Closed, now));
            }
            Told::Replaced => {
                state.whole.insert(path.to_owned(), (Whole::Replaced, now));
            }
            Told::Gone => {
                state.whole.remove(path);
            }
            // Opened for writing, and nothing was written.
            Told::Closed | Told::Written => {}
        }
        true
    }

    /// Something was missed: nothing is known any more.
    pub fn forget(&self) {
        *self.state() = State::default();
    }

    /// Forgets the files in folders that are not watched any more: nobody would tell of their end.
    pub fn keep(&self, is_watched: impl Fn(&Path) -> bool) {
        let mut state = self.state();
        state.open.retain(|path, _| is_watched(path));
        state.whole.retain(|path, _| is_watched(path));
    }

    /// The file that has been open for writing for the shortest time, and for how long.
    pub fn open(&self) -> Option<(PathBuf, Duration)> {
        let state = self.state();
        let newest = state.open.iter().max_by_key(|(_, since)| **since);
        newest.map(|(path, since)| (path.clone(), since.elapsed()))
    }

    /// How well it is known that the file at the end of a chain of links is complete. The latest
    /// event on any of the links counts.
    pub fn whole(&self, names: &[PathBuf]) -> Whole {
        let state = self.state();
        let told = names.iter().filter_map(|path| state.whole.get(path));
        told.max_by_key(|(_, at)| *at)
            .map_or(Whole::Unknown, |(whole, _)| *whole)
    }

    /// What was read at that time is in force: what was told before it has served.
    pub fn taken(&self, read: Instant) {
        self.state().whole.retain(|_, (_, at)| *at > read);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
