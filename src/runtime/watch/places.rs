//! The folders to watch, and the entries in them that matter.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::super::names;
use crate::load::{Name, Reach};

/// The watched places, as real paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// The policy's folders: policy files and folders in them matter.
    trees: BTreeSet<PathBuf>,
    /// Names that matter anywhere: files, and the folders and links along their paths.
    entries: BTreeSet<PathBuf>,
}

impl Places {
    /// The places to watch, for a load that looked at these paths and names.
    pub fn of<'a>(
        reaches: impl IntoIterator<Item = &'a Reach>,
        given: impl IntoIterator<Item = PathBuf>,
    ) -> Places {
        let mut places = Places::default();
        let mut paths: BTreeSet<PathBuf> = given.into_iter().collect();
        for reach in reaches {
            let all = reach.files.iter().chain(&reach.folders).chain(&reach.named);
            paths.extend(all.cloned());
            let real = reach
                .folders
                .iter()
                .filter_map(|path| fs::canonicalize(path).ok());
            places.trees.extend(real);
        }
        for path in &paths {
            places.entries.extend(names::on_the_way(path));
        }
        places
    }

    /// The folders to watch that exist.
    pub fn folders(&self) -> BTreeSet<PathBuf> {
        let parents = self.entries.iter().filter_map(|entry| entry.parent());
        parents
            .chain(self.trees.iter().map(PathBuf::as_path))
            .filter(|folder| folder.is_dir())
            .map(Path::to_owned)
            .collect()
    }

    /// Whether a folder contains policy files, and isn't just on the way to one.
    pub fn is_tree(&self, folder: &Path) -> bool {
        self.trees.contains(folder)
    }

    /// Whether a change of this name can be a change of the policy.
    pub fn count(&self, path: &Path) -> bool {
        if self.entries.contains(path) {
            return true;
        }
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return false;
        };
        if !self.trees.contains(folder) {
            return false;
        }
        match Name::of(&name.to_string_lossy()) {
            Name::Hidden => false,
            Name::Policy | Name::Test | Name::Misspelled | Name::Near => true,
            // A folder may contain policy files; a link that leads nowhere is an error.
            Name::Other => match fs::metadata(path) {
                Ok(metadata) => metadata.is_dir(),
                Err(_) => fs::symlink_metadata(path).is_ok(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn policy_files_folders_and_named_files_count_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("its real path");
        let policies = root.join("policies");
        fs::create_dir_all(policies.join("sub")).expect("made");
        for name in [
            "policies/decisions.jsonl",
            "policies/keys.json",
            "policies/list.txt",
        ] {
            fs::write(root.join(name), "").expect("written");
        }
        symlink("nowhere", policies.join("link")).expect("a link");
        let reach = Reach {
            folders: vec![policies.clone()],
            files: vec![policies.join("a.gate")],
            named: vec![policies.join("keys.json"), root.join("lists/set.txt")],
        };
        let places = Places::of([&reach], [policies.clone(), root.join("portcullis.yaml")]);
        for (name, counts) in [
            ("policies/a.gate", true),
            ("policies/new.gate", true),
            ("policies/new.test.gate", true),
            ("policies/new.GATE", true),
            ("policies/new.gate.bak", true),
            ("policies/sub", true),
            ("policies/link", true),
            ("policies/keys.json", true),
            ("policies", true),
            ("lists", true),
            ("lists/set.txt", true),
            ("portcullis.yaml", true),
            ("policies/decisions.jsonl", false),
            ("policies/list.txt", false),
            ("policies/gone.txt", false),
            ("policies/.a.gate.swp", false),
            ("policies/sub/a.gate", false),
            ("decisions.jsonl", false),
            ("other.gate", false),
        ] {
            assert_eq!(places.count(&root.join(name)), counts, "{name}");
        }
        assert!(places.count(&root), "a folder further up may be replaced");
        assert!(places.folders().contains(Path::new("/")));
    }
}
