//! A policy typed from the first character to the last, with every request along the way.
//!
//! No half-written text may end the server, or keep it from answering.

use serde_json::{Value, json};

use super::editor::Editor;

/// A policy with something of everything.
const POLICY: &str = include_str!("../../../policies/many-issuers/documents.gate");

/// How many characters are typed at a time: not a multiple of a line's length, so all kinds of
/// places are met.
const STEP: usize = 37;

/// The requests about a place.
const REQUESTS: [&str; 6] = [
    "textDocument/completion",
    "textDocument/hover",
    "textDocument/definition",
    "textDocument/documentHighlight",
    "textDocument/prepareRename",
    "textDocument/references",
];

#[test]
fn every_question_is_answered_while_a_policy_is_typed() {
    let mut editor = Editor::with(&[("a.gate", "")]);
    editor.open("a.gate");
    let uri = editor.uri("a.gate");
    let document = json!({ "uri": uri });
    let characters: Vec<char> = POLICY.chars().collect();
    let mut typed = String::new();
    for part in characters.chunks(STEP) {
        let end = position(&typed);
        let part: String = part.iter().collect();
        editor.change(
            "a.gate",
            json!([{ "range": { "start": end, "end": end }, "text": part }]),
        );
        typed.push_str(&part);
        let here = position(&typed);
        for method in REQUESTS {
            let params = json!({
                "textDocument": document,
                "position": here,
                "context": { "includeDeclaration": true, "triggerKind": 1 },
            });
            match editor.ask(method, params) {
                Ok(_) => {}
                // Not every place has a name, and not every name may be changed.
                Err(error) => assert_eq!(
                    (method, &error["code"]),
                    ("textDocument/prepareRename", &json!(-32803)),
                    "{error}"
                ),
            }
        }
        for method in ["textDocument/documentSymbol", "textDocument/formatting"] {
            let params = json!({
                "textDocument": document,
                "options": { "tabSize": 4, "insertSpaces": true },
            });
            editor.ask(method, params).unwrap();
        }
        let range = json!({ "start": { "line": 0, "character": 0 }, "end": here });
        let params = json!({
            "textDocument": document, "range": range, "context": { "diagnostics": [] },
        });
        editor.ask("textDocument/codeAction", params).unwrap();
    }
    assert_eq!(typed, POLICY);
    editor.settle("a.gate");
    assert_eq!(editor.diagnostics("a.gate"), Vec::<String>::new());
    let symbols = editor
        .ask(
            "textDocument/documentSymbol",
            json!({ "textDocument": document }),
        )
        .unwrap();
    assert!(symbols.as_array().is_some_and(|symbols| symbols.len() > 8));
}

/// The position after a text.
fn position(text: &str) -> Value {
    let line = text.matches('\n').count();
    let last = text.rsplit('\n').next().unwrap_or("");
    json!({ "line": line, "character": last.encode_utf16().count() })
}
