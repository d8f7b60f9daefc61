//! The names along a path to a file, through all its links.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// How many links are followed to one file, as on Linux: more are a cycle.
const MAX_LINKS: usize = 40;

/// Every name along a path, with links and their targets, each as a real folder and a name in it. A
/// change of any of them may lead the path elsewhere. For a path that leads nowhere, the names up
/// to the missing one, and those that would follow it.
pub fn on_the_way(path: &Path) -> Vec<PathBuf> {
    let Ok(absolute) = std::path::absolute(path) else {
        return vec![path.to_owned()];
    };
    let mut ahead = reversed(&absolute);
    let mut at = PathBuf::new();
    let mut names = Vec::new();
    let mut links = 0;
    while let Some(step) = ahead.pop() {
        match step.components().next() {
            Some(Component::RootDir) => at = PathBuf::from("/"),
            Some(Component::ParentDir) => {
                at.pop();
            }
            Some(Component::Normal(name)) => {
                let entry = at.join(name);
                names.push(entry.clone());
                match fs::read_link(&entry) {
                    Ok(target) if links < MAX_LINKS => {
                        links += 1;
                        ahead.extend(reversed(&target));
                    }
                    _ => at = entry,
                }
            }
            Some(Component::CurDir | Component::Prefix(_)) | None => {}
        }
    }
    names
}

/// The steps of a path, with the first one last.
fn reversed(path: &Path) -> Vec<PathBuf> {
    path.components()
        .rev()
        .map(|component| PathBuf::from(component.as_os_str()))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_in_the_middle_and_their_targets_are_on_the_way() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("its real path");
        fs::create_dir_all(root.join("releases/1/policies")).expect("made");
        fs::write(root.join("set.txt"), "").expect("written");
        symlink("releases/1", root.join("current")).expect("a link");
        symlink("../../../set.txt", root.join("releases/1/policies/set.txt")).expect("a link");
        let names = on_the_way(&root.join("current/policies/set.txt"));
        let below: Vec<&str> = names
            .iter()
            .filter_map(|name| name.strip_prefix(&root).ok()?.to_str())
            .filter(|name| !name.is_empty())
            .collect();
        assert_eq!(
            below,
            [
                "current",
                "releases",
                "releases/1",
                "releases/1/policies",
                "releases/1/policies/set.txt",
                "set.txt"
            ]
        );
    }

    #[test]
    fn a_circle_ends() {
        let folder = tempfile::tempdir().expect("a folder");
        symlink("b", folder.path().join("a")).expect("a link");
        symlink("a", folder.path().join("b")).expect("a link");
        assert!(on_the_way(&folder.path().join("a/file")).len() < 2 * MAX_LINKS);
    }
}
