//! Notices changes of the policy's files and of `portcullis.yaml`.
//!
//! Folders are watched, not files: an editor replaces the file, a mounted ConfigMap swaps the link
//! `..data`, a release swaps a link further up. So every folder along a path is watched. After each
//! load the watches are set again before the files are read, so a change in between is seen. Some
//! file systems report no changes, so everything is also read again at intervals.

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

/// How often everything is read again without a report: network file systems report nothing.
/// Reading without parsing takes some milliseconds per MiB.
const NET: Duration = Duration::from_secs(60);

/// Watches until the task is ended.
pub async fn run(authorizer: Arc<Authorizer>) {
    let changed = Arc::new(Notify::new());
    let mut watch = Watch::new(&authorizer, &changed);
    loop {
        watch.set(&authorizer);
        // Changes while less was watched.
        let outcome = reload::now(&authorizer, Cause::Watch).await;
        // A load that found other files is followed by another one, with those files watched.
        if watch.is_outdated(&authorizer) {
            continue;
        }
        let pause = outcome.retry_in.map_or(NET, |wait| wait.min(NET));
        let _ = tokio::time::timeout(pause, changed.notified()).await;
    }
}

/// The watches in place.
struct Watch {
    /// `None` if the system has no watches left; then only the regular reads find changes.
    watcher: Option<RecommendedWatcher>,
    places: Arc<Mutex<Places>>,
    folders: BTreeSet<PathBuf>,
    /// Folders whose failure to be watched was logged.
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
                    // Some event was missed, nobody knows which.
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

    /// Watches the files of the last loads.
    fn set(&mut self, authorizer: &Authorizer) {
        let places = wanted(authorizer);
        let folders = places.folders();
        if let Some(watcher) = &mut self.watcher {
            for gone in self.folders.difference(&folders) {
                // The system has dropped the watch of a removed folder in any case.
                let _ = watcher.unwatch(gone);
            }
            // Also the folders that are already watched: the name may now stand for another folder.
            for folder in &folders {
                let Err(fault) = watcher.watch(folder, RecursiveMode::NonRecursive) else {
                    continue;
                };
                if !folder.is_dir() || !self.told.insert(folder.clone()) {
                    continue;
                }
                let shown = folder.display();
                // The daemon may have no access to a folder further up.
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

/// Records an event, and returns whether to reload.
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

/// What an event says about a path's writer.
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
                // Another name for a file (a hard link) is made without opening it.
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
