//! The modules in `docs/architecture.md` are those of the code.
//!
//! The table there says which module may use which. This test reads every `use crate::…` and
//! `crate::…` of the sources: a use that the table lacks fails, and so does a module in the table
//! that doesn't exist.

mod errors;
mod siblings;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The modules, each with those that it may use according to the table; `all` is every other one.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md");
    let text = fs::read_to_string(path).expect("docs/architecture.md");
    let mut rooms = BTreeMap::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, room, _, may_use, _] = cells[..] else {
            continue;
        };
        let Some(room) = room
            .strip_prefix('`')
            .and_then(|room| room.strip_suffix('`'))
        else {
            continue;
        };
        let used: BTreeSet<String> = may_use
            .split(',')
            .map(|name| name.trim().trim_matches('`').to_owned())
            .filter(|name| !name.is_empty())
            .collect();
        rooms.insert(room.to_owned(), used);
    }
    assert!(rooms.len() > 5, "the table of rooms was not found");
    let all: BTreeSet<String> = rooms.keys().cloned().collect();
    for used in rooms.values_mut() {
        if used.contains("all") {
            used.clone_from(&all);
        }
    }
    rooms
}

pub fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the sources") {
        let path = entry.expect("an entry of the sources").path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The modules that a text names: what follows `crate::`, one name or a braced list.
fn named(text: &str) -> BTreeSet<String> {
    let word = |text: &str| -> String {
        text.chars()
            .take_while(|character| character.is_alphanumeric() || *character == '_')
            .collect()
    };
    let mut rooms = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        // `$crate::` in a macro counts the same; `my_crate::` would be another crate.
        if text[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_') {
            continue;
        }
        let rest = &text[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => {
                rooms.insert(word(rest));
            }
            Some(list) => {
                let mut depth = 0_i32;
                let mut starts = true;
                for (position, character) in list.char_indices() {
                    match character {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => starts = true,
                        _ if depth == 0 && starts && !character.is_whitespace() => {
                            rooms.insert(word(&list[position..]));
                            starts = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    rooms.remove("");
    rooms
}

/// Comments don't count: documentation may name what the code must not use.
fn without_comments(text: &str) -> String {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn no_module_uses_what_the_table_does_not_let_it_use() {
    let table = table();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut rooms_seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for file in files {
        let below = file.strip_prefix(&root).expect("below src");
        let first = below.iter().next().expect("a name").to_string_lossy();
        let room = first.trim_end_matches(".rs").to_owned();
        if room == "lib" || room == "main" {
            continue;
        }
        rooms_seen.insert(room.clone());
        let Some(may_use) = table.get(&room) else {
            wrong.push(format!("`{room}` has no row in docs/architecture.md"));
            continue;
        };
        let text = fs::read_to_string(&file).expect("a source file");
        for used in named(&without_comments(&text)) {
            if used != room && table.contains_key(&used) && !may_use.contains(&used) {
                wrong.push(format!(
                    "{} uses `{used}`, which the row of `{room}` does not allow",
                    below.display()
                ));
            } else if used != room && !table.contains_key(&used) {
                wrong.push(format!(
                    "{} uses `{used}`, which has no row",
                    below.display()
                ));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for room in table.keys() {
        assert!(
            rooms_seen.contains(room),
            "the table's `{room}` is no module"
        );
    }
}

/// In a module inside a proxy, one file calls the proxy. The lints of the modules deny unsafe code that
/// no attribute allows.
#[test]
fn unsafe_code_is_in_one_file_of_each_module() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "modules"] {
        sources(&root.join(folder), &mut files);
    }
    let mut allowing: Vec<PathBuf> = files
        .into_iter()
        .filter(|file| {
            let text = fs::read_to_string(file).expect("a source file");
            text.contains("allow(unsafe_code") || text.contains("expect(unsafe_code")
        })
        .map(|file| file.strip_prefix(root).expect("below the root").to_owned())
        .collect();
    allowing.sort();
    assert_eq!(
        allowing,
        ["modules/envoy/src/abi.rs", "modules/nginx/src/ffi.rs"].map(PathBuf::from)
    );
}

/// The order of the steps from request to decision is written in one place.
#[test]
fn only_judge_admits_tokens_and_decides() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut copies = Vec::new();
    let mut found = 0;
    for file in files {
        let text = without_comments(&fs::read_to_string(&file).expect("a source file"));
        let steps = ["token::admit(", "whom_to_ask(", "engine::decide("];
        let steps = steps.iter().filter(|step| text.contains(*step)).count();
        let below = file.strip_prefix(&root).expect("below src");
        if below == Path::new("judge.rs") {
            found = steps;
        } else if steps > 0 && !below.starts_with("token") && !below.starts_with("judge") {
            copies.push(below.display().to_string());
        }
    }
    assert_eq!(found, 3, "`judge` takes each step");
    assert!(copies.is_empty(), "{copies:?} go their own way");
}

#[test]
fn lists_and_single_names_are_both_read() {
    let rooms = named(
        "use crate::{check::{self, Files}, model::Model};\nuse crate::engine;\nlet x = crate::load::load();",
    );
    let names: Vec<&str> = rooms.iter().map(String::as_str).collect();
    assert_eq!(names, ["check", "engine", "load", "model"]);
}
