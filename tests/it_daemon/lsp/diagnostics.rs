//! Diagnostics while a policy is edited.

use serde_json::json;

use super::editor::Editor;

const ISSUER: &str = "\
language 1
issuer acme {
    url \"https://acme.example.com/\"
}
";

const API: &str = "\
language 1
api orders {
    issuer acme
    audience \"orders\"
    GET /orders requires support
}
";

const LETS: &str = "\
language 1
let support = scope \"support\"
";

#[test]
fn a_fault_shows_as_it_is_typed_and_is_gone_when_it_is_mended() {
    let mut editor = Editor::with(&[("a.gate", ISSUER), ("b.gate", API), ("c.gate", LETS)]);
    editor.open("b.gate");
    editor.settle("b.gate");
    assert!(
        editor.diagnostics("b.gate").is_empty(),
        "{:?}",
        editor.told("b.gate")
    );

    editor.rewrite("b.gate", &API.replace("support", "suport"));
    editor.settle("b.gate");
    assert_eq!(
        editor.diagnostics("b.gate"),
        ["4:25-4:31 P0202 unknown condition `suport`"]
    );
    // The other file's `let` is unused now, and reported although that file isn't open.
    assert_eq!(editor.diagnostics("c.gate").len(), 1);
    assert_eq!(editor.told("c.gate")["diagnostics"][0]["severity"], 2);
    assert_eq!(editor.told("c.gate")["diagnostics"][0]["tags"], json!([1]));
    assert!(editor.told("c.gate").get("version").is_none());

    let mended = json!([{
        "range": { "start": { "line": 4, "character": 27 }, "end": { "line": 4, "character": 27 } },
        "text": "p",
    }]);
    editor.change("b.gate", mended);
    editor.settle("b.gate");
    assert!(editor.diagnostics("b.gate").is_empty());
    assert!(editor.diagnostics("c.gate").is_empty());
    assert_eq!(editor.told("b.gate")["version"], 3);
}

#[test]
fn a_diagnostic_says_all_that_the_checker_says() {
    let mut editor = Editor::with(&[("a.gate", ISSUER), ("b.gate", ISSUER)]);
    editor.open("b.gate");
    editor.settle("b.gate");
    let told = editor.told("b.gate")["diagnostics"][0].clone();
    assert_eq!(told["source"], "portcullis");
    assert_eq!(told["severity"], 1);
    let message = told["message"].as_str().unwrap();
    assert_eq!(
        message,
        "the name `acme` is declared twice\ndeclared again here\nhelp: rename one of them, or remove it"
    );
    let related = &told["relatedInformation"][0];
    assert_eq!(related["message"], "first declared here");
    assert_eq!(related["location"]["uri"], editor.uri("a.gate"));
}

#[test]
fn what_is_not_saved_counts_and_what_was_closed_does_not() {
    let mut editor = Editor::with(&[("a.gate", ISSUER), ("b.gate", API), ("c.gate", LETS)]);
    editor.open("b.gate");
    // The name moves in a buffer; the file still has the old one.
    editor.open_as("c.gate", &LETS.replace("support =", "helpers ="));
    editor.settle("c.gate");
    assert_eq!(
        editor.diagnostics("b.gate"),
        ["4:25-4:32 P0202 unknown condition `support`"]
    );
    editor.close("c.gate");
    editor.rewrite("b.gate", API);
    editor.settle("b.gate");
    assert!(editor.diagnostics("b.gate").is_empty());

    // A file that was never saved is part of its folder's policy.
    editor.open_as("new.gate", "let support = scope \"x\"\n");
    editor.settle("new.gate");
    assert_eq!(
        editor.diagnostics("new.gate"),
        ["0:4-0:11 P0201 the name `support` is declared twice"]
    );
}

#[test]
fn files_that_others_change_are_read_again() {
    let mut editor = Editor::with(&[("a.gate", ISSUER), ("b.gate", API), ("c.gate", LETS)]);
    editor.open("b.gate");
    editor.settle("b.gate");
    std::fs::write(editor.path("c.gate"), "let other = scope \"x\"\n").unwrap();
    let uri = editor.uri("c.gate");
    editor.notify(
        "workspace/didChangeWatchedFiles",
        json!({ "changes": [{ "uri": uri, "type": 2 }] }),
    );
    // The version is the same: the test waits for the new message.
    editor.until(|editor| !editor.diagnostics("b.gate").is_empty());
    assert_eq!(
        editor.diagnostics("b.gate"),
        ["4:25-4:32 P0202 unknown condition `support`"]
    );
}

#[test]
fn positions_count_utf_16_unless_utf_8_is_agreed_on() {
    let text = "language 1\r\nlet odd = claim name == \"ä😀\" and nothing\r\n";
    for (encodings, agreed, range) in [
        (json!(["utf-16"]), "utf-16", "1:34-1:41"),
        (json!(["utf-8", "utf-16"]), "utf-8", "1:37-1:44"),
        (json!(null), "utf-16", "1:34-1:41"),
    ] {
        let mut editor = Editor::unacquainted(&[("a.gate", text)]);
        let capabilities = editor.hello(json!({ "general": { "positionEncodings": encodings } }));
        assert_eq!(capabilities["positionEncoding"], agreed);
        editor.open("a.gate");
        editor.settle("a.gate");
        let found = editor.diagnostics("a.gate");
        assert!(
            found.contains(&format!("{range} P0202 unknown condition `nothing`")),
            "{found:?}"
        );
        // A change after wide characters applies to the right place.
        let (_, character) = range.split_once('-').unwrap().1.split_once(':').unwrap();
        let end: u32 = character.parse().unwrap();
        editor.change(
            "a.gate",
            json!([{
                "range": {
                    "start": { "line": 1, "character": end - 2 },
                    "end": { "line": 1, "character": end },
                },
                "text": "",
            }]),
        );
        editor.settle("a.gate");
        let found = editor.diagnostics("a.gate");
        assert!(
            found
                .iter()
                .any(|line| line.ends_with("unknown condition `nothi`")),
            "{found:?}"
        );
    }
}

#[test]
fn two_policies_of_a_folder_are_kept_apart() {
    let whole = format!(
        "{ISSUER}{}",
        API.replace("language 1\n", "").replace("support", "x")
    );
    let files = [
        ("one/a.gate", whole.as_str()),
        ("two/a.gate", whole.as_str()),
    ];
    let mut editor = Editor::with(&files);
    editor.open("one/a.gate");
    editor.settle("one/a.gate");
    assert_eq!(
        editor.diagnostics("one/a.gate").len(),
        1,
        "`acme` is no double"
    );
    assert_eq!(editor.told_of(), [editor.uri("one/a.gate")]);

    // With a policy file above them, both are one policy.
    std::fs::write(editor.path("all.gate"), "language 1\n").unwrap();
    editor.notify("workspace/didChangeWatchedFiles", json!({ "changes": [] }));
    editor.until(|editor| editor.told_of().len() == 2);
    let doubled = editor.diagnostics("two/a.gate");
    assert!(
        doubled
            .iter()
            .any(|line| line.contains("the name `acme` is declared twice")),
        "{doubled:?}"
    );
}

#[test]
fn a_configuration_says_which_folders_are_one_policy_and_has_values() {
    let files = [
        (
            "deploy/portcullis.yaml",
            "policy: [../base, ../eu]\nparams: { region: \"eu\" }\n",
        ),
        (
            "portcullis.yaml",
            "policy: [base, eu]\nparams: { region: \"eu\" }\n",
        ),
        ("base/a.gate", ISSUER),
        ("eu/b.gate", API),
        (
            "eu/c.gate",
            "param region string\nlet support = claim sub == region\n",
        ),
        ("us/b.gate", API),
    ];
    let mut editor = Editor::with(&files);
    editor.open("eu/b.gate");
    editor.settle("eu/b.gate");
    assert!(
        editor.diagnostics("eu/b.gate").is_empty(),
        "{:?}",
        editor.told("eu/b.gate")
    );
    assert!(editor.diagnostics("eu/c.gate").is_empty());

    editor.open("us/b.gate");
    editor.settle("us/b.gate");
    let alone = editor.diagnostics("us/b.gate");
    assert!(
        alone
            .iter()
            .any(|line| line.contains("unknown issuer `acme`")),
        "{alone:?}"
    );
}

#[test]
fn values_of_parameters_come_from_the_editors_settings_too() {
    let text = "param region string\nlet support = claim sub == region\n";
    let mut editor = Editor::unacquainted(&[("a.gate", ISSUER), ("b.gate", API), ("c.gate", text)]);
    let root = editor.root();
    editor.hello_with(json!({
        "capabilities": {},
        "rootUri": root,
        "initializationOptions": { "params": { "region": "eu", "unheard_of": 1 } },
    }));
    editor.open("c.gate");
    editor.settle("c.gate");
    assert!(
        editor.diagnostics("c.gate").is_empty(),
        "{:?}",
        editor.told("c.gate")
    );
}

#[test]
fn values_of_parameters_come_from_the_arguments() {
    let text = "param region string\nlet support = claim sub == region\n";
    let files = [("a.gate", ISSUER), ("b.gate", API), ("c.gate", text)];
    for (arguments, errors) in [
        (vec![], 1),
        // VS Code passes this option itself.
        (
            vec!["--param", "region=eu", "--param", "unheard_of=1", "--stdio"],
            0,
        ),
    ] {
        let mut editor = Editor::started(&files, &arguments);
        editor.hello(json!({}));
        editor.open("c.gate");
        editor.settle("c.gate");
        let found = editor.diagnostics("c.gate");
        assert_eq!(found.len(), errors, "{arguments:?}: {found:?}");
    }
}

#[test]
fn a_text_in_no_file_is_a_policy_of_its_own() {
    let mut editor = Editor::with(&[("a.gate", ISSUER)]);
    editor.open_as("untitled:Untitled-1", ISSUER);
    editor.settle("untitled:Untitled-1");
    let found = editor.diagnostics("untitled:Untitled-1");
    assert!(
        found.iter().all(|line| !line.contains("twice")),
        "{found:?}"
    );
    editor.rewrite("untitled:Untitled-1", "isuer x {\n}\n");
    editor.settle("untitled:Untitled-1");
    assert!(!editor.diagnostics("untitled:Untitled-1").is_empty());
    editor.close("untitled:Untitled-1");
    editor.until(|editor| editor.diagnostics("untitled:Untitled-1").is_empty());
}

#[test]
fn a_set_in_a_file_is_read_with_the_policy() {
    let sets = "set people = file \"people.txt\"\nlet support = claim sub in people\n";
    let files = [
        ("a.gate", ISSUER),
        ("b.gate", API),
        ("c.gate", sets),
        ("people.txt", "ada\n"),
    ];
    let mut editor = Editor::with(&files);
    editor.open("c.gate");
    editor.settle("c.gate");
    assert!(editor.diagnostics("c.gate").is_empty());
    // The editor has it open and empties it.
    editor.open_as("people.txt", "");
    editor.until(|editor| !editor.diagnostics("c.gate").is_empty());
    assert!(
        editor.diagnostics("c.gate")[0].contains("people"),
        "{:?}",
        editor.told("c.gate")
    );
}
