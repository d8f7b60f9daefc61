//! Finds what a new policy has lost compared with the one in force, file by file.
//!
//! A file that is being written is incomplete, and so is a folder that is being replaced. Lost
//! content isn't an error, but it isn't taken at once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::super::names;
use super::super::writers::{Whole, Writers};
use crate::load::{FileEntry, FileKind};

/// A file that lost content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Less {
    /// The loss, as a sentence that begins with the file's name.
    pub sentence: String,
    /// How certain it is that the loss is intended.
    pub meant: Whole,
}

/// The files that lost content, sorted by name.
pub fn than<'a>(
    before: impl IntoIterator<Item = &'a FileEntry>,
    after: impl IntoIterator<Item = &'a FileEntry>,
    writers: &Writers,
) -> Vec<Less> {
    let after: BTreeMap<&str, &FileEntry> = after
        .into_iter()
        .map(|file| (file.path.as_str(), file))
        .collect();
    let contents: BTreeSet<&str> = after.values().map(|file| file.digest.as_str()).collect();
    let mut all = Vec::new();
    for old in before {
        let Some(new) = after.get(old.path.as_str()) else {
            // A renamed file isn't lost. One that no declaration names any more was left out on
            // purpose.
            if old.kind == FileKind::Policy && !contents.contains(old.digest.as_str()) {
                // Its former place decides: the folder that contained it may have been swapped.
                let folder = Path::new(&old.path).parent().unwrap_or(Path::new("."));
                let meant = match writers.whole(&names::on_the_way(folder)) {
                    Whole::Replaced => Whole::Replaced,
                    Whole::Closed | Whole::Unknown => Whole::Unknown,
                };
                all.push(Less {
                    sentence: format!("`{}` is gone", old.path),
                    meant,
                });
            }
            continue;
        };
        let is_emptied = new.lines == 0 && old.lines > 0;
        let sentence = if is_emptied {
            format!("`{}` is empty", old.path)
        } else if new.lines < old.lines {
            let lost = old.lines - new.lines;
            format!("`{}` has lost {lost} of its {} lines", old.path, old.lines)
        } else if new.bytes < old.bytes {
            let lost = old.bytes - new.bytes;
            format!("`{}` has lost {lost} of its {} bytes", old.path, old.bytes)
        } else {
            continue;
        };
        let meant = match writers.whole(&names::on_the_way(Path::new(&old.path))) {
            // A writer that failed has closed its file, too.
            Whole::Closed if is_emptied => Whole::Unknown,
            meant => meant,
        };
        all.push(Less { sentence, meant });
    }
    all
}
