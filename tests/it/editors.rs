//! The files in `editors/` agree with the language and with each other.
//!
//! The colours of an editor are a second list of the language's words; these tests compare it with
//! the grammar.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use portcullis::keys::Algorithm;
use portcullis::pattern::Method;
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn json(path: &str) -> Value {
    serde_json::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The words of the grammar: every rule `k_NAME`.
fn keywords() -> BTreeSet<String> {
    let words: BTreeSet<String> = read("grammar/policy.pest")
        .lines()
        .filter(|line| line.starts_with("k_"))
        .filter_map(|line| line.split('"').nth(1))
        .map(str::to_owned)
        .collect();
    assert!(words.len() > 90, "the grammar's words were not found");
    words
}

/// Other words with their own colour.
fn constants() -> BTreeSet<String> {
    let methods = Method::all().map(|method| method.as_str().to_owned());
    let algorithms = Algorithm::ALL
        .into_iter()
        .flat_map(Algorithm::names)
        .map(str::to_owned);
    methods.chain(algorithms).collect()
}

/// The words of a text; hyphens are part of a word.
fn words(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'))
        .map(str::to_owned)
        .collect()
}

fn missing(wanted: &BTreeSet<String>, has: &BTreeSet<String>) -> Vec<String> {
    wanted.difference(has).cloned().collect()
}

/// Every `match`, `begin` and `end` of a TextMate grammar.
fn patterns(grammar: &Value, found: &mut Vec<String>) {
    match grammar {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(pattern)
                        if ["match", "begin", "end"].contains(&name.as_str()) =>
                    {
                        found.push(pattern.clone());
                    }
                    _ => patterns(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| patterns(item, found)),
        _ => {}
    }
}

#[test]
fn the_textmate_grammar_has_every_word() {
    let grammar = json("editors/vscode/syntaxes/portcullis.tmLanguage.json");
    let mut found = Vec::new();
    patterns(&grammar, &mut found);
    let has = words(&found.join(" "));
    let missing = missing(&keywords(), &has);
    assert!(missing.is_empty(), "it lacks {missing:?}");
    // The algorithms are one pattern: `(?:RS|PS|ES|HS)(?:256|384|512)|EdDSA|Ed25519`.
    let methods = Method::all()
        .map(|method| method.as_str().to_owned())
        .collect();
    let missing = self::missing(&methods, &has);
    assert!(missing.is_empty(), "it lacks {missing:?}");
}

#[test]
fn the_textmate_grammar_includes_what_it_has() {
    fn includes(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                if let Some(name) = members.get("include").and_then(Value::as_str) {
                    found.insert(name.trim_start_matches('#').to_owned());
                }
                members.values().for_each(|value| includes(value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| includes(item, found)),
            _ => {}
        }
    }
    let grammar = json("editors/vscode/syntaxes/portcullis.tmLanguage.json");
    let mut included = BTreeSet::new();
    includes(&grammar, &mut included);
    let repository = grammar["repository"].as_object().expect("a repository");
    let has: BTreeSet<String> = repository.keys().cloned().collect();
    assert_eq!(included, has);
}

#[test]
fn the_vim_syntax_has_every_word() {
    let has = words(&read("editors/vim/syntax/portcullis.vim"));
    let wanted = keywords().union(&constants()).cloned().collect();
    let missing = missing(&wanted, &has);
    assert!(missing.is_empty(), "it lacks {missing:?}");
}

#[test]
fn no_word_of_the_vim_syntax_is_an_argument_to_vim() {
    // The options of `:help :syn-keyword` beside words.
    let arguments: BTreeSet<String> = [
        "cchar",
        "conceal",
        "concealends",
        "contained",
        "containedin",
        "contains",
        "display",
        "excludenl",
        "extend",
        "fold",
        "keepend",
        "nextgroup",
        "oneline",
        "skipempty",
        "skipnl",
        "transparent",
    ]
    .map(str::to_owned)
    .into();
    for line in read("editors/vim/syntax/portcullis.vim").lines() {
        let Some(list) = line.strip_prefix("syntax keyword ") else {
            continue;
        };
        let bare: BTreeSet<String> = list
            .split_whitespace()
            .filter(|word| !word.contains('=') && *word != "contained")
            .map(str::to_owned)
            .collect();
        assert_eq!(bare.intersection(&arguments).count(), 0, "{line}");
    }
}

#[test]
fn the_extension_names_files_that_are_there() {
    let package = json("editors/vscode/package.json");
    let folder = root().join("editors/vscode");
    let contributes = &package["contributes"];
    let paths = [
        &package["main"],
        &contributes["languages"][0]["configuration"],
        &contributes["grammars"][0]["path"],
        &contributes["grammars"][1]["path"],
    ];
    for path in paths {
        let path = path.as_str().expect("a path");
        assert!(folder.join(path).is_file(), "{path}");
    }
    json("editors/vscode/language-configuration.json");
    // The scopes are those of the grammars.
    for grammar in contributes["grammars"].as_array().expect("grammars") {
        let path = grammar["path"].as_str().expect("a path");
        let file = json(&format!("editors/vscode/{}", path.trim_start_matches("./")));
        assert_eq!(file["scopeName"], grammar["scopeName"]);
    }
    assert_eq!(contributes["languages"][0]["extensions"][0], ".gate");
    assert_eq!(package["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(package["license"], env!("CARGO_PKG_LICENSE"));
}

/// `npm run package` must not stop with a question: there is no repository to link to, and no
/// licence file beside the extension. A link that leads out of its folder would stop it.
#[test]
fn the_extension_can_be_packaged() {
    let package = json("editors/vscode/package.json");
    let command = package["scripts"]["package"].as_str().expect("a script");
    for word in [
        "vsce package",
        "--allow-missing-repository",
        "--skip-license",
    ] {
        assert!(command.contains(word), "{command}");
    }
    assert!(package["devDependencies"]["@vscode/vsce"].is_string());
    let readme = read("editors/vscode/README.md");
    assert!(!readme.contains("](."), "a link of the file system");
    for page in [readme, read("docs/guides/editors.md")] {
        assert!(page.contains("npm install") && page.contains("npm run package"));
    }
}

#[test]
fn the_extension_reads_the_settings_that_it_declares() {
    let package = json("editors/vscode/package.json");
    let declared: BTreeSet<String> = package["contributes"]["configuration"]["properties"]
        .as_object()
        .expect("settings")
        .keys()
        .map(|name| name.trim_start_matches("portcullis.").to_owned())
        .collect();
    let script = read("editors/vscode/extension.js");
    let readme = read("editors/vscode/README.md");
    for name in &declared {
        assert!(
            readme.contains(&format!("`portcullis.{name}`")),
            "README.md: {name}"
        );
    }
    let read: BTreeSet<String> = script
        .split("settings.get(\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .map(str::to_owned)
        .collect();
    // The client library reads this one by itself, by its name.
    let by_the_library = BTreeSet::from(["trace.server".to_owned()]);
    assert_eq!(
        read.union(&by_the_library)
            .cloned()
            .collect::<BTreeSet<_>>(),
        declared
    );
}
