//! Quick fixes from suggestions.

use serde_json::{Value, json};

use super::editor::{Editor, range};

const POLICY: &str = "\
language 1
issuer acme {
    url \"https://acme.example.com/\"
}
api orders {
    issuer acme
    audience \"orders\"
    GET /orders requires suport and claim ord_id == \"x\"
}
let support = scope \"support\"
";

/// The actions at a place, limited to these kinds if they are given.
fn actions(editor: &mut Editor, (line, character): (u32, u32), only: Option<&str>) -> Value {
    let place = json!({ "line": line, "character": character });
    let mut context = json!({ "diagnostics": [] });
    if let Some(kind) = only {
        context["only"] = json!([kind]);
    }
    let answer = editor.ask(
        "textDocument/codeAction",
        json!({
            "textDocument": { "uri": editor.uri("a.gate") },
            "range": { "start": place, "end": place },
            "context": context,
        }),
    );
    answer.unwrap()
}

/// The fixes at a place, as `title: range -> text`.
fn fixes(editor: &mut Editor, line: u32, character: u32) -> Vec<String> {
    let uri = editor.uri("a.gate");
    actions(editor, (line, character), Some("quickfix"))
        .as_array()
        .unwrap()
        .iter()
        .map(|action| {
            assert_eq!(action["kind"], "quickfix");
            assert_eq!(action["isPreferred"], true);
            assert_eq!(action["diagnostics"].as_array().unwrap().len(), 1);
            let edit = &action["edit"]["changes"][&uri][0];
            format!(
                "{}: {} -> {}",
                action["title"].as_str().unwrap(),
                range(&edit["range"]),
                edit["newText"]
            )
        })
        .collect()
}

#[test]
fn each_suggestion_is_a_fix_where_it_belongs() {
    let mut editor = Editor::with(&[("a.gate", POLICY)]);
    editor.open("a.gate");
    assert_eq!(
        fixes(&mut editor, 7, 27),
        ["change to `support`: 7:25-7:31 -> \"support\""]
    );
    assert!(fixes(&mut editor, 0, 0).is_empty());
    editor.rewrite("a.gate", &POLICY.replace("requires", "require"));
    assert_eq!(
        fixes(&mut editor, 7, 18),
        ["change to `requires`: 7:16-7:23 -> \"requires\""]
    );
}

#[test]
fn a_fix_says_for_which_version_it_is() {
    let mut editor = Editor::unacquainted(&[("a.gate", POLICY)]);
    editor.hello(json!({ "workspace": { "workspaceEdit": { "documentChanges": true } } }));
    editor.open("a.gate");
    editor.rewrite("a.gate", POLICY);
    let uri = editor.uri("a.gate");
    let actions = actions(&mut editor, (7, 27), None);
    let edit = &actions[0]["edit"]["documentChanges"][0];
    assert_eq!(edit["textDocument"], json!({ "uri": uri, "version": 2 }));
    assert_eq!(edit["edits"][0]["newText"], "support");
}

#[test]
fn other_kinds_of_action_are_not_had() {
    let mut editor = Editor::with(&[("a.gate", POLICY)]);
    editor.open("a.gate");
    assert_eq!(actions(&mut editor, (7, 27), Some("refactor")), json!([]));
}
