//! Finds the policy of a file.
//!
//! A repository may contain several policies, and each is checked as a whole. The policy is the one
//! in the nearest `portcullis.yaml` above the file whose `policy` includes the file. Without one,
//! it is everything below the topmost folder above the file that directly contains a `*.gate` file.
//! Nothing above the workspace's folder counts; for a file outside of all workspace folders,
//! nothing above its own folder. So every file belongs to one policy, whichever file is opened
//! first.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::load::real;
use crate::runtime::config::{Config, DEFAULT_FILE};

/// The policy of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// Its folders or files.
    pub paths: Vec<PathBuf>,
    /// The parameter values in its configuration.
    pub params: BTreeMap<String, String>,
}

/// The policy of a file, in a workspace with these folders.
pub fn home(file: &Path, folders: &[PathBuf]) -> Home {
    let own = file.parent().unwrap_or(file);
    let top = folders
        .iter()
        .filter(|folder| own.starts_with(folder))
        .min_by_key(|folder| folder.components().count())
        .map_or(own, PathBuf::as_path);
    let above = || own.ancestors().take_while(|folder| folder.starts_with(top));
    if let Some(configured) = above().find_map(|folder| configured(folder, file)) {
        return configured;
    }
    let topmost = above().filter(|folder| holds_policy(folder)).last();
    Home {
        paths: vec![topmost.unwrap_or(own).to_owned()],
        params: BTreeMap::new(),
    }
}

/// The policy in a folder's configuration, if the file is part of it. A configuration with errors
/// has none; `serve` reports its errors.
fn configured(folder: &Path, file: &Path) -> Option<Home> {
    let config = Config::read(&folder.join(DEFAULT_FILE)).ok()?;
    let paths: Vec<PathBuf> = config.policy.0.iter().map(|path| plain(path)).collect();
    let file = real(file);
    paths
        .iter()
        .any(|path| file.starts_with(real(path)))
        .then_some(Home {
            paths,
            params: config
                .params
                .into_iter()
                .map(|(name, value)| (name, value.0))
                .collect(),
        })
}

/// A path without `.` and `..`, since file names become URIs.
fn plain(path: &Path) -> PathBuf {
    if path.components().any(|part| part == Component::ParentDir) {
        real(path)
    } else {
        path.components().collect()
    }
}

fn holds_policy(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|entries| {
        entries.flatten().any(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.ends_with(".gate") && !name.starts_with('.')
        })
    })
}
