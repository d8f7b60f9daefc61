//! Policies with marked places, from `tests/cases/lsp`.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::editor::Editor;

/// A case: files, and marks in them.
pub struct Marked {
    /// Name and text, without the marks.
    pub files: Vec<(String, String)>,
    /// By number: the file, and the UTF-16 position in it.
    pub marks: BTreeMap<u32, (String, Value)>,
    /// The lines of the section that isn't a file.
    pub orders: Vec<String>,
}

impl Marked {
    /// The case of that name.
    pub fn read(name: &str) -> Marked {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/cases/lsp")
            .join(name);
        Marked::of(&std::fs::read_to_string(path).expect("the case is there"))
    }

    /// The case in a text: `--- file NAME` begins a file, `‹N›` is a mark.
    pub fn of(text: &str) -> Marked {
        let mut case = Marked {
            files: Vec::new(),
            marks: BTreeMap::new(),
            orders: Vec::new(),
        };
        let mut in_file = false;
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("--- file ") {
                case.files.push((name.to_owned(), String::new()));
                in_file = true;
            } else if line.starts_with("--- ") {
                in_file = false;
            } else if in_file {
                case.line(line);
            } else {
                case.orders.push(line.to_owned());
            }
        }
        case
    }

    fn line(&mut self, line: &str) {
        let (name, text) = self.files.last_mut().expect("a file began");
        let number = text.lines().count();
        let mut rest = line;
        let mut plain = String::new();
        while let Some((before, behind)) = rest.split_once('‹') {
            let (mark, behind) = behind.split_once('›').expect("a mark ends");
            plain.push_str(before);
            let character = plain.encode_utf16().count();
            let mark: u32 = mark.parse().expect("a mark is a number");
            let place = json!({ "line": number, "character": character });
            let again = self.marks.insert(mark, (name.clone(), place));
            assert!(again.is_none(), "two marks have the number {mark}");
            rest = behind;
        }
        plain.push_str(rest);
        text.push_str(&plain);
        text.push('\n');
    }

    /// An editor in which all files are open.
    pub fn editor(&self) -> Editor {
        let files: Vec<(&str, &str)> = self
            .files
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
            .collect();
        let mut editor = Editor::with(&files);
        for (name, _) in &files {
            editor.open(name);
        }
        editor
    }

    /// The parameters of a request about a mark.
    pub fn place(&self, editor: &Editor, mark: u32) -> Value {
        let (file, position) = &self.marks[&mark];
        json!({ "textDocument": { "uri": editor.uri(file) }, "position": position })
    }

    /// The text around a mark, for a report.
    pub fn around(&self, mark: u32) -> String {
        let (file, position) = &self.marks[&mark];
        let (_, text) = self
            .files
            .iter()
            .find(|(name, _)| name == file)
            .expect("the file");
        let line = usize::try_from(position["line"].as_u64().expect("a line")).expect("small");
        let character =
            usize::try_from(position["character"].as_u64().expect("a column")).expect("small");
        let line: Vec<u16> = text
            .lines()
            .nth(line)
            .unwrap_or("")
            .encode_utf16()
            .collect();
        format!(
            "{}|{}",
            String::from_utf16_lossy(&line[..character]).trim_start(),
            String::from_utf16_lossy(&line[character..]),
        )
    }
}
