//! Hover, definition, references, rename, outline: at marked places, as snapshots.

use std::fmt::Write;

use serde_json::{Value, json};

use super::editor::{Editor, range};
use super::marked::Marked;

/// Compares with the snapshot of that name beside the cases.
macro_rules! assert_case {
    ($name:literal, $report:expr) => {
        insta::with_settings!({
            snapshot_path => "../../cases/lsp/snapshots",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, { insta::assert_snapshot!($name, $report) });
    };
}

/// `file line:character-line:character`
fn location(editor: &Editor, location: &Value) -> String {
    let uri = location["uri"].as_str().expect("an address");
    let file = uri
        .strip_prefix(&format!("{}/", editor.root()))
        .expect("a file of the folder");
    format!("{file} {}", range(&location["range"]))
}

fn locations(editor: &Editor, answer: &Value) -> String {
    let locations = answer.as_array().expect("a list");
    let shown: Vec<String> = locations
        .iter()
        .map(|place| location(editor, place))
        .collect();
    shown.join(", ")
}

#[test]
fn names_lead_to_their_declarations_and_uses() {
    let case = Marked::read("names.txt");
    let mut editor = case.editor();
    let mut report = String::new();
    for mark in case.marks.keys().copied() {
        let place = case.place(&editor, mark);
        let definition = editor
            .ask("textDocument/definition", place.clone())
            .unwrap();
        let mut with = place.clone();
        with["context"] = json!({ "includeDeclaration": false });
        let uses = editor.ask("textDocument/references", with.clone()).unwrap();
        with["context"] = json!({ "includeDeclaration": true });
        let all = editor.ask("textDocument/references", with).unwrap();
        let highlights = editor.ask("textDocument/documentHighlight", place).unwrap();
        let count = |answer: &Value| answer.as_array().expect("a list").len();
        assert_eq!(
            count(&all),
            count(&definition) + count(&uses),
            "mark {mark}"
        );
        writeln!(
            report,
            "{mark} {}\n    declared: {}\n    used: {}\n    in this file: {}\n",
            case.around(mark),
            locations(&editor, &definition),
            locations(&editor, &uses),
            count(&highlights),
        )
        .unwrap();
    }
    assert_case!("names", report);
}

#[test]
fn hovering_says_what_it_comes_to() {
    let case = Marked::read("hover.txt");
    let mut editor = case.editor();
    let mut report = String::new();
    for mark in case.marks.keys().copied() {
        let answer = editor
            .ask("textDocument/hover", case.place(&editor, mark))
            .unwrap();
        let said = match answer["contents"]["value"].as_str() {
            Some(said) => {
                assert_eq!(answer["contents"]["kind"], "markdown");
                format!("{}\n{said}", range(&answer["range"]))
            }
            None => "nothing".to_owned(),
        };
        writeln!(report, "=== {mark} {}\n{said}\n", case.around(mark)).unwrap();
    }
    assert_case!("hover", report);
}

#[test]
fn the_outline_has_every_declaration_and_route() {
    fn lines(symbols: &Value, depth: usize, report: &mut String) {
        for symbol in symbols.as_array().into_iter().flatten() {
            writeln!(
                report,
                "{:indent$}{} (kind {}): {} @ {} of {}",
                "",
                symbol["name"].as_str().unwrap(),
                symbol["kind"],
                symbol["detail"].as_str().unwrap_or("-"),
                range(&symbol["selectionRange"]),
                range(&symbol["range"]),
                indent = depth * 2,
            )
            .unwrap();
            lines(&symbol["children"], depth + 1, report);
        }
    }
    let case = Marked::read("symbols.txt");
    let mut editor = case.editor();
    let uri = editor.uri("a.gate");
    let answer = editor.ask(
        "textDocument/documentSymbol",
        json!({ "textDocument": { "uri": uri } }),
    );
    let mut report = String::new();
    lines(&answer.unwrap(), 0, &mut report);
    report.push_str("\nall that hold \"or\":\n");
    let answer = editor
        .ask("workspace/symbol", json!({ "query": "OR" }))
        .unwrap();
    for symbol in answer.as_array().unwrap() {
        writeln!(
            report,
            "{} in {} @ {}",
            symbol["name"].as_str().unwrap(),
            symbol["containerName"].as_str().unwrap_or("-"),
            location(&editor, &symbol["location"]),
        )
        .unwrap();
    }
    assert_case!("symbols", report);
}

#[test]
fn a_new_name_is_put_everywhere_or_refused() {
    let case = Marked::read("rename.txt");
    let mut editor = case.editor();
    let mut report = String::new();
    for order in &case.orders {
        let (mark, new) = order.split_once(' ').expect("a mark and a name");
        let mark = mark.parse().expect("a number");
        let place = case.place(&editor, mark);
        let prepared = match editor.ask("textDocument/prepareRename", place.clone()) {
            Ok(answer) => format!(
                "{} {}",
                range(&answer["range"]),
                answer["placeholder"].as_str().expect("a name")
            ),
            Err(error) => error["message"].as_str().expect("words").to_owned(),
        };
        let mut params = place;
        params["newName"] = json!(new);
        writeln!(
            report,
            "=== {} -> {new}\nprepared: {prepared}",
            case.around(mark)
        )
        .unwrap();
        match editor.ask("textDocument/rename", params) {
            Err(error) => {
                assert_eq!(error["code"], -32803);
                writeln!(report, "refused: {}", error["message"].as_str().unwrap()).unwrap();
            }
            Ok(answer) => {
                for (file, text) in &case.files {
                    let edits = &answer["changes"][editor.uri(file)];
                    report_edits(file, text, edits, &mut report);
                }
            }
        }
        report.push('\n');
    }
    assert_case!("rename", report);
}

/// The lines that edits change, after the edits.
fn report_edits(file: &str, text: &str, edits: &Value, report: &mut String) {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let before = lines.clone();
    let mut edits: Vec<&Value> = edits.as_array().into_iter().flatten().collect();
    edits.sort_by_key(|edit| std::cmp::Reverse(edit["range"]["start"]["character"].as_u64()));
    for edit in edits {
        let place = |end: &str, member: &str| {
            usize::try_from(edit["range"][end][member].as_u64().expect("a number")).expect("small")
        };
        assert_eq!(place("start", "line"), place("end", "line"));
        let line = &mut lines[place("start", "line")];
        let new = edit["newText"].as_str().expect("text");
        line.replace_range(place("start", "character")..place("end", "character"), new);
    }
    for ((number, after), before) in lines.iter().enumerate().zip(&before) {
        if after != before {
            writeln!(report, "{file}:{}: {}", number + 1, after.trim()).unwrap();
        }
    }
}

/// The most names of a group that a report shows: no test needs all of them.
const SHOWN: usize = 8;

#[test]
fn what_may_come_is_offered() {
    let case = Marked::read("completion.txt");
    let mut report = String::new();
    let mut editor = case.editor();
    for order in &case.orders {
        let (mark, typed) = order.split_once(' ').expect("a mark and a text");
        let mark = mark.parse().expect("a number");
        // `|` ends the text typed on one line and continues on the next.
        let typed = typed.replace('|', "\n");
        let (file, place) = &case.marks[&mark];
        let line = place["line"].as_u64().expect("a line");
        let character = place["character"].as_u64().expect("a column");
        editor.change(
            file,
            json!([{ "range": { "start": place, "end": place }, "text": typed }]),
        );
        let lines: Vec<&str> = typed.split('\n').collect();
        let last = lines.last().expect("a line");
        let width = u64::try_from(last.encode_utf16().count()).expect("small");
        let further = u64::try_from(lines.len() - 1).expect("small");
        let at = json!({
            "line": line + further,
            "character": if further == 0 { character + width } else { width },
        });
        let uri = editor.uri(file);
        let answer = editor.ask(
            "textDocument/completion",
            json!({ "textDocument": { "uri": uri }, "position": at }),
        );
        writeln!(report, "{mark} {}|", typed.replace('\n', "\\n")).unwrap();
        report_offers(&answer.unwrap(), &at, &mut report);
        let (_, text) = case.files.iter().find(|(name, _)| name == file).unwrap();
        editor.rewrite(file, text);
    }
    assert_case!("completion", report);
}

fn report_offers(answer: &Value, at: &Value, report: &mut String) {
    for group in ["1", "2", "3"] {
        let offers: Vec<&Value> = answer
            .as_array()
            .expect("a list")
            .iter()
            .filter(|item| {
                item["sortText"]
                    .as_str()
                    .expect("a text")
                    .starts_with(group)
            })
            .collect();
        let Some(first) = offers.first() else {
            continue;
        };
        let labels: Vec<&str> = offers
            .iter()
            .take(SHOWN)
            .map(|item| item["label"].as_str().expect("a label"))
            .collect();
        let more = match offers.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        let range = &first["textEdit"]["range"];
        assert_eq!(range["end"], *at, "nothing behind is replaced");
        let back =
            at["character"].as_u64().unwrap() - range["start"]["character"].as_u64().unwrap();
        writeln!(
            report,
            "    {} (kind {}, {}; replaces {back}){more}",
            labels.join(", "),
            first["kind"],
            first["detail"].as_str().unwrap_or("-"),
        )
        .unwrap();
    }
    report.push('\n');
}

#[test]
fn the_word_behind_the_cursor_is_replaced_too() {
    let mut editor = Editor::with(&[("a.gate", "language 1\nparam x strange\n")]);
    editor.open("a.gate");
    let uri = editor.uri("a.gate");
    let answer = editor.ask(
        "textDocument/completion",
        json!({ "textDocument": { "uri": uri }, "position": { "line": 1, "character": 11 } }),
    );
    let answer = answer.unwrap();
    let string = answer
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["label"] == "string")
        .expect("a type");
    assert_eq!(range(&string["textEdit"]["range"]), "1:8-1:15");
}

#[test]
fn a_file_is_laid_out_as_fmt_does() {
    let case = Marked::read("format.txt");
    let mut editor = case.editor();
    let uri = editor.uri("a.gate");
    let params = json!({
        "textDocument": { "uri": uri },
        "options": { "tabSize": 4, "insertSpaces": true },
    });
    let edits = editor
        .ask("textDocument/formatting", params.clone())
        .unwrap();
    editor.change(
        "a.gate",
        json!([{
            "range": edits[0]["range"], "text": edits[0]["newText"],
        }]),
    );
    assert_eq!(edits.as_array().unwrap().len(), 1);
    // The first lines are already formatted, and stay untouched.
    assert_ne!(edits[0]["range"]["start"]["line"], 0);
    assert_eq!(
        editor.ask("textDocument/formatting", params.clone()),
        Ok(json!([]))
    );

    editor.rewrite("a.gate", "api {");
    assert_eq!(
        editor.ask("textDocument/formatting", params),
        Ok(Value::Null)
    );
}
