//! The pages of the manual, and their fenced blocks.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Markdown files of the repository that people read, by path.
pub fn pages() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    let mut folders = vec![root().join("docs"), root().join("deploy")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                pages.push(path);
            }
        }
    }
    let at_the_root = fs::read_dir(root()).expect("the repository");
    pages.extend(
        at_the_root
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "md")),
    );
    pages.sort();
    pages
}

/// A fenced block of a page.
pub struct Fenced {
    /// `page:line`, for messages.
    pub place: String,
    /// The info string.
    pub info: String,
    /// The text between the fences.
    pub text: String,
}

/// The fenced blocks of a page.
pub fn fenced(page: &Path) -> Vec<Fenced> {
    let text = fs::read_to_string(page).expect("a page");
    let name = page.strip_prefix(root()).unwrap_or(page).display();
    let mut blocks = Vec::new();
    let mut open: Option<Fenced> = None;
    for (number, line) in (1..).zip(text.lines()) {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => {
                open = Some(Fenced {
                    place: format!("{name}:{number}"),
                    info: info.to_owned(),
                    text: String::new(),
                });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{name} has a fence without an end");
    blocks
}
