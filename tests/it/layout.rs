//! The standard layout: cases before and after, and the repository's own policies.

use std::fs;
use std::path::{Path, PathBuf};

use portcullis::diagnostic::Code;
use portcullis::source::Sources;
use portcullis::syntax;

use crate::support::manual::{fenced, pages};
use crate::support::text::assert_same;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn layout(text: &str) -> String {
    let mut sources = Sources::new();
    let file = sources.add("policy.gate", text);
    syntax::layout(&sources, file).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"))
}

/// The `*.gate` files below a folder.
fn below(folder: PathBuf) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "gate") {
                files.push(path);
            }
        }
    }
    files.sort();
    assert!(!files.is_empty());
    files
}

/// `before/NAME.gate` becomes `after/NAME.gate`, which stays unchanged.
#[test]
fn what_is_written_anyhow_is_laid_out_like_this() {
    for path in below(root().join("tests/cases/fmt/before")) {
        let name = path.file_name().expect("a case has a name");
        let before = fs::read_to_string(&path).expect("a case is text");
        let after = root().join("tests/cases/fmt/after").join(name);
        let after = fs::read_to_string(after).expect("every case has what comes out");
        let shown = path.display();
        assert_same(&layout(&before), &after, &shown);
        assert_same(&layout(&after), &after, &shown);
        assert!(syntax::is_relaid(&before, &after), "{shown}");
    }
}

#[test]
fn the_example_policies_are_laid_out() {
    for path in below(root().join("policies")) {
        let text = fs::read_to_string(&path).expect("a policy");
        let what = format!("run `portcullis fmt {}`", path.display());
        assert_same(&layout(&text), &text, what);
    }
}

#[test]
fn the_policies_in_the_manual_are_laid_out() {
    let mut seen = 0;
    for block in pages().iter().flat_map(|page| fenced(page)) {
        if block.info.starts_with("gate") {
            assert_same(&layout(&block.text), &block.text, &block.place);
            seen += 1;
        }
    }
    assert!(seen >= 10, "only {seen} policies were found");
}

/// A change moves at most the lines of its own run, up to the next blank line.
#[test]
fn a_change_moves_no_line_beyond_its_run() {
    let policy = |route: &str| {
        layout(&format!(
            "api a {{
    GET  /a        public
    POST /a/b/c/d  authenticated

    {route}
    PUT  /e  denied

    GET  /f        public

    under /g requires x {{
        GET /h
        GET /i requires y
    }}
}}"
        ))
    };
    let short = policy("GET /d denied");
    let long = policy("PATCH, DELETE /d/{some}/long/path/of/many/segments denied instead");
    let changed: Vec<(&str, &str)> = short
        .lines()
        .zip(long.lines())
        .filter(|(one, other)| one != other)
        .collect();
    let [(_, _), (before, after)] = changed[..] else {
        panic!("{changed:#?}");
    };
    assert!(
        before.contains("/e") && after.contains("/e"),
        "{changed:#?}"
    );
}

#[test]
fn one_long_line_does_not_push_the_others_away() {
    let far = "/a-very-long-segment-of-a-path".repeat(3);
    let text = format!(
        "api a {{\n    GET     /b                    public\n    GET     {far}  public\n}}\n"
    );
    assert_same(&layout(&text), &text, "is as it should be");
}

#[test]
fn no_line_is_too_long_for_its_columns_alone() {
    // If the access doesn't fit after the column for the long path, it is placed nearer.
    let long = format!("GET     /{}/b", "c".repeat(36));
    let full = "GET     /organisations/{organisation}     requires scope \"read\" and claim tenant == path.organisation";
    let text = format!("api a {{\n    {long}  public\n    {full}\n}}\n");
    assert!(
        full.len() + 4 > 100,
        "it would not fit eight columns further"
    );
    assert_same(&layout(&text), &text, "is as it should be");
}

#[test]
fn what_has_errors_has_no_layout() {
    let mut sources = Sources::new();
    let file = sources.add("policy.gate", "api a {\n    GET /b pubic\n");
    let errors = syntax::layout(&sources, file).expect_err("it has errors");
    assert!(!errors.is_empty());
    assert!(
        errors.iter().all(|error| error.code == Code::Syntax),
        "{errors:#?}"
    );
}

#[test]
fn a_layout_is_compared_by_words_and_comments() {
    let text = "# a\napi b { GET /c public } # d\n";
    assert!(syntax::is_relaid(text, &layout(text)));
    for other in [
        "# a\napi b { GET /c denied } # d\n",
        "# a\napi b { GET /c public }\n",
        "# d\napi b { GET /c public } # a\n",
        "# a\napi b { GET /c public } # e\n",
        "# a\napi b { GET /c public # d\n",
    ] {
        assert!(!syntax::is_relaid(text, other), "{other}");
    }
}
