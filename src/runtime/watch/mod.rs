//! Notices that a file of the policy, or `portcullis.yaml`, has changed.
//!
//! Folders are watched, not files: an editor puts a new file in the old one's place, a mounted
//! ConfigMap swaps the link `..data`, a release swaps one further up. So every folder that a path
//! goes through is watched, and the watches are set again after each load, before the files are
//! read: a change in between is seen. A file system may keep its changes to itself, so everything is
//! read again once in a while.

mod places;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, CreateKind, Flag, ModifyKind, RenameMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use super::Authorizer;
use super::reload::{self, Cause};
use super::writers::Told;
use places::Places;

/// How often everything is read again though nothing was told: a network's file system tells
/// nothing. Reading without parsing takes some milliseconds for each MiB.
const NET: Duration = Duration::from_secs(60);

/// Watches until the task is ended.
pub async fn run(authorizer: Arc<Authorizer>) {
    let changed = Arc::new(Notify::new());
    let mut watch = Watch::new(&authorizer, &changed);
    loop {
        watch.set(&authorizer);
        // What changed while less was watched.
        let outcome = reload::now(&authorizer, Cause::Watch).await;
        // A load that found other files is followed by another, under their watches.
        if watch.is_outdated(&authorizer) {
            continue;
        }
        let pause = outcome.again.map_or(NET, |again| again.min(NET));
        let _ = tokio::time::timeout(pause, changed.notified()).await;
    }
}

/// The watches that are set.
struct Watch {
    /// `None` where the system has no watches left: then the net is what there is.
    watcher: Option<RecommendedWatcher>,
    places: Arc<Mutex<Places>>,
    folders: BTreeSet<PathBuf>,
    /// Folders of which it was said that they can't be watched.
    told: BTreeSet<PathBuf>,
}

impl Watch {
    fn new(authorizer: &Arc<Authorizer>, changed: &Arc<Notify>) -> Watch {
        let places = Arc::new(Mutex::new(Places::default()));
        let watcher = {
            let (authorizer, changed, places) =
                (authorizer.clone(), changed.clone(), places.clone());
            notify::recommended_watcher(move |event: notify::Result<Event>| {
                let seen = match event {
                    Ok(event) if event.flag() != Some(Flag::Rescan) => {
                        let places = places.lock().unwrap_or_else(PoisonError::into_inner);
                        heard(&authorizer, &places, &event)
                    }
                    // Something was missed, whatever it was.
                    Ok(_) | Err(_) => {
                        authorizer.writers.forget();
                        true
                    }
                };
                if seen {
                    changed.notify_one();
                }
            })
            .inspect_err(|fault| tracing::warn!(%fault, "the policy's folders can't be watched; they are read once a minute"))
            .ok()
        };
        Watch {
            watcher,
            places,
            folders: BTreeSet::new(),
            told: BTreeSet::new(),
        }
    }

    /// Watches what the last loads looked at.
    fn set(&mut self, authorizer: &Authorizer) {
        let places = wanted(authorizer);
        let folders = places.folders();
        if let Some(watcher) = &mut self.watcher {
            for gone in self.folders.difference(&folders) {
                // One that was removed is not watched any more in any case.
                let _ = watcher.unwatch(gone);
            }
            // Also those that are watched already: another folder may be there under the name.
            for folder in &folders {
                let Err(fault) = watcher.watch(folder, RecursiveMode::NonRecursive) else {
                    continue;
                };
                if !folder.is_dir() || !self.told.insert(folder.clone()) {
                    continue;
                }
                let shown = folder.display();
                // Further up, a folder may well be closed to the daemon.
                if places.is_tree(folder) {
                    tracing::warn!(folder = %shown, %fault, "a folder can't be watched; it is read once a minute");
                } else {
                    tracing::debug!(folder = %shown, %fault, "a folder can't be watched");
                }
            }
        }
        *self.places() = places;
        authorizer
            .writers
            .keep(|path| path.parent().is_some_and(|folder| folders.contains(folder)));
        self.folders = folders;
    }

    fn is_outdated(&self, authorizer: &Authorizer) -> bool {
        wanted(authorizer) != *self.places()
    }

    fn places(&self) -> std::sync::MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wanted(authorizer: &Authorizer) -> Places {
    let roots = authorizer.settings().policy.0.clone();
    let config = authorizer.config_file().map(Path::to_owned);
    let known = authorizer.known();
    Places::of(
        [&known.good.reach, &known.tried],
        roots.into_iter().chain(config),
    )
}

/// Notes what an event tells, and says whether somebody should look.
fn heard(authorizer: &Authorizer, places: &Places, event: &Event) -> bool {
    let mut seen = event.paths.is_empty();
    for path in event.paths.iter().filter(|path| places.count(path)) {
        seen |= match told(event.kind, path) {
            Some(told) => authorizer.writers.note(path, told),
            None => !matches!(event.kind, EventKind::Access(_)),
        };
    }
    seen
}

/// What an event tells of whoever writes to a path.
fn told(kind: EventKind, path: &Path) -> Option<Told> {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(Told::Closed),
        EventKind::Modify(ModifyKind::Data(_)) => Some(Told::Written),
        EventKind::Modify(ModifyKind::Name(RenameMode::To)) => Some(Told::Replaced),
        EventKind::Modify(ModifyKind::Name(RenameMode::From)) | EventKind::Remove(_) => {
            Some(Told::Gone)
        }
        EventKind::Create(kind) if kind != CreateKind::Folder => {
            let metadata = fs::symlink_metadata(path).ok()?;
            if metadata.is_symlink() {
                Some(Told::Replaced)
            } else if metadata.is_file() && metadata.nlink() == 1 {
                Some(Told::Written)
            } else {
                // Another name of a file is made without opening it.
                None
            }
        }
        EventKind::Any
        | EventKind::Access(_)
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Other => None,
    }
}
