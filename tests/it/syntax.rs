//! From text to syntax tree, and the errors in text that has none.

mod other_tools;
mod suggestions;

use std::fs;
use std::path::{Path, PathBuf};

use portcullis::diagnostic::{Code, Diagnostic, render};
use portcullis::source::Sources;
use portcullis::syntax::ast::{ApiSetting, ConditionKind, Item, RouteItem};
use portcullis::syntax::{MAX_ERRORS, MAX_FILE_BYTES, MAX_NESTING};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::support::policy::{parse, parse_valid, sources};
use crate::support::shape::shape;
use crate::support::text::assert_same;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cases/syntax")
        .join(name)
}

/// The cases of a folder: name and text, sorted by name.
fn cases(name: &str) -> Vec<(String, String)> {
    let mut cases: Vec<(String, String)> = fs::read_dir(folder(name))
        .expect("the cases are there")
        .map(|entry| entry.expect("the folder is readable").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "gate"))
        .map(|path| {
            let stem = path.file_stem().expect("a case has a name");
            let text = fs::read_to_string(&path).expect("a case is text");
            (stem.to_string_lossy().into_owned(), text)
        })
        .collect();
    cases.sort();
    assert!(!cases.is_empty());
    cases
}

fn snapshots(name: &str, check: impl Fn(&str) -> String) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder(name).join("snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for (case, text) in cases(name) {
            insta::assert_snapshot!(case, check(&text));
        }
    });
}

#[test]
fn what_is_right_becomes_this_tree() {
    snapshots("right", |text| shape(&parse_valid(text)));
}

#[test]
fn what_is_wrong_is_all_said_in_one_run() {
    snapshots("wrong", |text| {
        let (sources, file) = sources(text);
        let (_, diagnostics) = portcullis::syntax::parse(&sources, file);
        render::human(&sources, &diagnostics, false)
    });
}

#[test]
fn one_mistake_in_a_line_is_one_error() {
    for (case, text) in cases("wrong") {
        let (sources, file) = sources(&text);
        let (_, diagnostics) = portcullis::syntax::parse(&sources, file);
        let source = sources.get(file).expect("it was added");
        let mut lines: Vec<u32> = diagnostics
            .iter()
            .filter_map(|diagnostic| Some(source.line(diagnostic.primary.as_ref()?.span.start)))
            .collect();
        let all = lines.len();
        lines.dedup();
        // The text of one case begins with two faults on one line; another has two in a string.
        let doubled = if case == "text" { 2 } else { 0 };
        assert_eq!(all - lines.len(), doubled, "{case}: {lines:?}");
    }
}

#[test]
fn what_is_right_between_errors_reaches_the_tree() {
    let (document, diagnostics) = parse(
        "let a = scope\n\
         api b {\n host \"b\"\n hsot \"c\"\n GET /d public\n GET /e pubilc\n POST /f denied\n }\n\
         set g = [\"h\"]",
    );
    assert_eq!(diagnostics.len(), 3, "{diagnostics:#?}");
    let [Item::Api(api), Item::Set(_)] = document.items.as_slice() else {
        panic!("{document:#?}");
    };
    assert!(matches!(
        api.settings.as_slice(),
        [one] if matches!(one.node, ApiSetting::Host(_))
    ));
    let paths = api
        .routes
        .iter()
        .filter(|route| matches!(route, RouteItem::Route(_)))
        .count();
    assert_eq!(
        paths, 2,
        "a route with a broken access is left out: that it has none is no second mistake"
    );
}

fn codes(diagnostics: &[Diagnostic]) -> Vec<Code> {
    diagnostics
        .iter()
        .map(|diagnostic| diagnostic.code)
        .collect()
}

/// `inner` with `open` before it and `close` after it, this many times.
fn nested(times: usize, open: &str, inner: &str, close: &str) -> String {
    format!("{}{inner}{}", open.repeat(times), close.repeat(times))
}

#[test]
fn nesting_is_bounded_and_never_by_the_stack() {
    let forms: [&dyn Fn(usize) -> String; 5] = [
        &|depth| format!("let a = {}", nested(depth, "(", "b", ")")),
        &|depth| format!("let a = {}", nested(depth, "not ", "b", "")),
        &|depth| format!("let a = {}", nested(depth / 2, "not (", "b", ")")),
        &|depth| {
            let blocks = nested(depth - 1, "under /a { ", "GET /b public", " }");
            format!("api c {{ {blocks} }}")
        },
        &|depth| {
            let lists = nested(depth, "[", "1", "]");
            format!("test \"a\" {{ token b = c {{ d {lists} }} }}")
        },
    ];
    for form in forms {
        let (_, fits) = parse(&form(MAX_NESTING));
        assert_eq!(codes(&fits), [], "{}", form(MAX_NESTING));
        for depth in [MAX_NESTING + 2, 10_000] {
            let (_, too_deep) = parse(&form(depth));
            assert!(!too_deep.is_empty());
            assert!(
                codes(&too_deep).iter().all(|code| *code == Code::TooDeep),
                "{depth}: {too_deep:#?}"
            );
        }
    }
}

#[test]
fn brackets_left_open_by_the_thousand_are_refused() {
    for text in [
        "let a = (",
        "let a = scope any [",
        "api b { GET /c requires not (",
    ] {
        let (_, diagnostics) = parse(&text.replace(['(', '['], &"([".repeat(50_000)));
        assert!(codes(&diagnostics).contains(&Code::TooDeep), "{text}");
    }
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let comment = "# a policy, says the first line, and then nothing of the kind\n";
    let text = comment.repeat(10_000_000 / comment.len());
    assert!(text.len() > MAX_FILE_BYTES);
    let (document, diagnostics) = parse(&text);
    assert!(document.items.is_empty());
    assert_eq!(codes(&diagnostics), [Code::TooLarge]);
}

#[test]
fn errors_are_reported_up_to_a_number() {
    for text in [
        "x\n".repeat(10_000),
        "\u{7}".repeat(10_000),
        "api a { GET /b requires ".to_owned() + &"(\"\\x\" ".repeat(10_000),
        "set a = [".to_owned() + &"\"\\x\", ".repeat(10_000) + "]",
        "{".repeat(100_000),
    ] {
        let (_, diagnostics) = parse(&text);
        assert!(!diagnostics.is_empty());
        assert!(diagnostics.len() <= MAX_ERRORS + 1, "{}", diagnostics.len());
    }
}

#[test]
fn a_span_covers_what_it_names_and_no_blanks() {
    let text = "let a = claim b  == \"c\"   # d\n\n";
    let document = parse_valid(text);
    let [Item::Let(item)] = document.items.as_slice() else {
        panic!("{document:#?}");
    };
    let (sources, _) = sources(text);
    assert_eq!(sources.text(item.span), "let a = claim b  == \"c\"");
    assert_eq!(sources.text(item.condition.span), "claim b  == \"c\"");
    let ConditionKind::Claim(name, _) = &item.condition.kind else {
        panic!("{item:#?}");
    };
    assert_eq!(sources.text(name.span), "b");
}

/// The place that an error shows must be in the text.
fn places_are_in_the_text(sources: &Sources, diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        let labels = diagnostic.primary.iter().chain(&diagnostic.secondary);
        let spans = labels
            .map(|label| label.span)
            .chain(diagnostic.suggestion.iter().map(|edit| edit.span));
        for span in spans {
            let text = &sources.get(span.file).expect("a file").text;
            assert!(
                text.get(span.start as usize..span.end as usize).is_some(),
                "{span:?} is no part of {text:?}"
            );
        }
    }
}

fn is_total(text: &str) {
    let (sources, file) = sources(text);
    let (_, diagnostics) = portcullis::syntax::parse(&sources, file);
    places_are_in_the_text(&sources, &diagnostics);
    render::human(&sources, &diagnostics, true);
    render::json(&sources, &diagnostics);
    render::github(&sources, &diagnostics);
    render::sarif(&sources, &diagnostics);
}

/// The blanks and comments of a text outside of strings: where other blanks could be.
fn gaps(text: &str) -> Vec<(usize, usize)> {
    let mut gaps = Vec::new();
    let (mut in_string, mut escaped, mut in_comment) = (false, false, false);
    let mut start = None;
    for (at, c) in text.char_indices() {
        in_comment &= c != '\n';
        in_comment |= !in_string && c == '#' && (at == 0 || start.is_some());
        if in_comment || (!in_string && c.is_ascii_whitespace()) {
            start.get_or_insert(at);
            continue;
        }
        if let Some(start) = start.take() {
            gaps.push((start, at));
        }
        in_string ^= c == '"' && !escaped;
        escaped = in_string && c == '\\' && !escaped;
    }
    gaps
}

fn any_blank() -> impl Strategy<Value = &'static str> {
    select(vec![
        " ",
        "\t",
        "\n",
        "\r\n",
        "   \n\n ",
        " # a comment, with \"quotes\" { and } braces\n",
        "\n#\n",
        "\t# GET /x public\r\n\t",
    ])
}

fn any_case() -> impl Strategy<Value = String> {
    let texts: Vec<String> = ["right", "wrong"]
        .iter()
        .flat_map(|name| cases(name))
        .map(|(_, text)| text)
        .collect();
    select(texts)
}

#[derive(Debug, Clone)]
enum Mutation {
    Remove(Index, usize),
    Insert(Index, String),
    Repeat(Index, usize, usize),
}

fn any_mutation() -> impl Strategy<Value = Mutation> {
    let pieces = vec![
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        "\"",
        "#",
        ",",
        "=",
        "==",
        "/",
        "/{",
        "*",
        "/**",
        "\n",
        " ",
        "\\",
        "\u{0}",
        "\u{feff}",
        "\u{202e}",
        "é",
        "😀",
        "and",
        "or",
        "not",
        "GET",
        "requires",
        "scope",
        "claim",
        "public",
        "api a {",
        "under /a {",
        "test \"t\" {",
        "token a = b {",
        "15m",
        "-1",
        "%",
        "//",
        "language 1",
    ];
    prop_oneof![
        (any::<Index>(), 1..20_usize).prop_map(|(at, length)| Mutation::Remove(at, length)),
        (any::<Index>(), select(pieces))
            .prop_map(|(at, piece)| Mutation::Insert(at, piece.to_owned())),
        (any::<Index>(), 1..40_usize, 1..5_usize)
            .prop_map(|(at, length, times)| Mutation::Repeat(at, length, times)),
    ]
}

fn mutated(text: &str, mutations: &[Mutation]) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for mutation in mutations {
        let length = characters.len() + 1;
        match mutation {
            Mutation::Remove(at, count) => {
                let at = at.index(length);
                let end = (at + count).min(characters.len());
                characters.drain(at..end);
            }
            Mutation::Insert(at, piece) => {
                let at = at.index(length);
                characters.splice(at..at, piece.chars());
            }
            Mutation::Repeat(at, count, times) => {
                let at = at.index(length);
                let end = (at + count).min(characters.len());
                let piece: Vec<char> = characters[at..end].to_vec();
                for _ in 0..*times {
                    characters.splice(at..at, piece.iter().copied());
                }
            }
        }
    }
    characters.into_iter().collect()
}

proptest! {
    // The fuzz target `policy` has more time than a test.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_is_read_to_its_end(text in any::<String>()) {
        is_total(&text);
    }

    #[test]
    fn any_broken_policy_is_read_to_its_end(
        text in any_case(),
        mutations in prop::collection::vec(any_mutation(), 1..6),
    ) {
        is_total(&mutated(&text, &mutations));
    }

    #[test]
    fn blanks_and_comments_between_words_mean_nothing(
        case in select(cases("right")),
        blanks in prop::collection::vec(any_blank(), 1..40),
    ) {
        let (name, text) = case;
        let before = shape(&parse_valid(&text));
        let mut other = String::new();
        let mut end = 0;
        for ((start, next), blank) in gaps(&text).into_iter().zip(blanks.iter().cycle()) {
            other.push_str(&text[end..start]);
            other.push_str(blank);
            end = next;
        }
        other.push_str(&text[end..]);
        assert_same(&shape(&parse_valid(&other)), &before, name);
    }
}
