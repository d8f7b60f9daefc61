//! Notices that a file of the policy, or `portcullis.yaml`, has changed.
//!
//! Folders are watched, not files: an editor puts a new file in the old one's place, a mounted
//! ConfigMap swaps the symlink `..data`, a checkout removes and makes folders anew. So the watches
//! are set again after every change, before the files are read, and a change in between is seen.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use super::Daemon;
use super::reload::{self, Cause};

/// Watches until the task is ended.
pub async fn run(daemon: Arc<Daemon>) {
    let changed = Arc::new(Notify::new());
    loop {
        let watcher = watch(&daemon, &changed);
        // What changed while nothing was watched.
        reload::now(&daemon, Cause::Watch).await;
        changed.notified().await;
        drop(watcher);
    }
}

/// Sets the watches; without one, SIGHUP and `POST /reload` are what is left, and the log says so.
fn watch(daemon: &Daemon, changed: &Arc<Notify>) -> Option<RecommendedWatcher> {
    let places = Places::of(daemon);
    let mut watcher = {
        let (places, changed) = (places.clone(), changed.clone());
        notify::recommended_watcher(move |event: notify::Result<Event>| match event {
            Ok(event) if places.concern(&event) => changed.notify_one(),
            Ok(_) => {}
            // Something was missed, whatever it was.
            Err(_) => changed.notify_one(),
        })
        .inspect_err(|fault| tracing::warn!(%fault, "the policy's folders can't be watched"))
        .ok()?
    };
    let recursive = places
        .trees
        .iter()
        .map(|path| (path, RecursiveMode::Recursive));
    let flat = places
        .folders
        .iter()
        .map(|path| (path, RecursiveMode::NonRecursive));
    // A tree last: where a folder is both, it must be watched with what is below it.
    for (path, mode) in flat.chain(recursive) {
        if let Err(fault) = watcher.watch(path, mode)
            && path.exists()
        {
            tracing::warn!(folder = %path.display(), %fault, "a folder can't be watched");
        }
    }
    Some(watcher)
}

/// What is watched.
#[derive(Debug, Clone)]
struct Places {
    /// Folders of the policy: everything below them counts.
    trees: BTreeSet<PathBuf>,
    /// Other folders: only some of their entries count.
    folders: BTreeSet<PathBuf>,
    /// Those entries.
    entries: BTreeSet<PathBuf>,
}

impl Places {
    fn of(daemon: &Daemon) -> Places {
        let settings = daemon.settings();
        let snapshot = daemon.snapshot();
        let roots = settings.policy.0.iter().cloned();
        let trees = roots.clone().filter(|path| path.is_dir()).collect();
        let entries: BTreeSet<PathBuf> = roots
            .chain(snapshot.files.iter().map(|file| PathBuf::from(&file.path)))
            .chain(daemon.config_file().map(Path::to_owned))
            .collect();
        let folders = entries.iter().map(|entry| folder_of(entry)).collect();
        Places {
            trees,
            folders,
            entries,
        }
    }

    fn concern(&self, event: &Event) -> bool {
        let writes = match event.kind {
            // Reading is what the daemon itself does.
            EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
            _ => true,
        };
        writes && (event.paths.is_empty() || event.paths.iter().any(|path| self.counts(path)))
    }

    fn counts(&self, path: &Path) -> bool {
        // The names by which a ConfigMap's volume swaps its content.
        let swapped = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b".."));
        swapped
            || self.trees.iter().any(|tree| path.starts_with(tree))
            || self
                .entries
                .iter()
                .any(|entry| path == entry || (entry.is_relative() && path.ends_with(entry)))
    }
}

/// The folder that a path is an entry of.
fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) => parent.to_owned(),
        None => path.to_owned(),
    }
}
