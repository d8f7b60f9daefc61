//! Tracks who is writing the policy's files.
//!
//! The system reports when a file is written, closed and renamed. A file that is open for writing
//! is incomplete; one that was renamed into place is complete. If the system reports nothing (a
//! network file system, a write that began before the watch), nothing is known, and lost content
//! has to wait instead: see [`super::reload`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What the system reports about a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// The file was written or created, and its writer still has it open.
    Written,
    /// Its writer has closed it.
    Closed,
    /// A complete file was put there by a rename or as a link.
    Replaced,
    /// It no longer exists.
    Gone,
}

/// How certain it is that a file is complete, in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whole {
    /// Nothing was reported.
    Unknown,
    /// Its writer has closed it, and may open it again to continue.
    Closed,
    /// It was put in place as a whole.
    Replaced,
}

/// The reports since the last policy was taken, by real paths.
#[derive(Debug, Default)]
pub struct Writers(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    open: BTreeMap<PathBuf, Instant>,
    whole: BTreeMap<PathBuf, (Whole, Instant)>,
}

impl Writers {
    /// Records a report; `true` if the policy should be reloaded.
    pub fn note(&self, path: &Path, told: Told) -> bool {
        let now = Instant::now();
        let mut state = self.state();
        let was_open = match told {
            Told::Written => {
                state.whole.remove(path);
                // inotify reports every `write(2)`. Only the first one matters, or a busy writer
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
            // Opened for writing and closed without a write.
            Told::Closed | Told::Written => {}
        }
        true
    }

    /// Forgets everything, since a report was missed.
    pub fn forget(&self) {
        *self.state() = State::default();
    }

    /// Forgets the files in folders that are no longer watched: nobody would report their end.
    pub fn keep(&self, is_watched: impl Fn(&Path) -> bool) {
        let mut state = self.state();
        state.open.retain(|path, _| is_watched(path));
        state.whole.retain(|path, _| is_watched(path));
    }

    /// The file that was most recently opened for writing, and how long ago.
    pub fn open(&self) -> Option<(PathBuf, Duration)> {
        let state = self.state();
        let newest = state.open.iter().max_by_key(|(_, since)| **since);
        newest.map(|(path, since)| (path.clone(), since.elapsed()))
    }

    /// How certain it is that the file at the end of a chain of links is complete. The latest
    /// report about any of the links counts.
    pub fn whole(&self, names: &[PathBuf]) -> Whole {
        let state = self.state();
        let told = names.iter().filter_map(|path| state.whole.get(path));
        told.max_by_key(|(_, at)| *at)
            .map_or(Whole::Unknown, |(whole, _)| *whole)
    }

    /// The contents at that time are in force, so earlier reports are obsolete.
    pub fn taken(&self, read: Instant) {
        self.state().whole.retain(|_, (_, at)| *at > read);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
