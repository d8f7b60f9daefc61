//! The manual: its policies are policies, its links lead somewhere.
//!
//! A fenced block says behind `gate` what it is: nothing, and it parses; `checked`, and it is a
//! whole policy without an error or a warning, and true to its tests (`checked change`, if it takes the
//! place of the page's first one); `warned`, and it has warnings; `rejected`, and it
//! has an error.

use std::fs;
use std::path::Path;

use portcullis::diagnostic::{has_errors, render};

use crate::support::expectations;
use crate::support::manual::{fenced, pages};
use crate::support::policy::{check_text, parse};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn policies_in_the_manual_are_what_they_are_said_to_be() {
    let mut checked = 0;
    for block in pages().iter().flat_map(|page| fenced(page)) {
        let Some(kind) = block.info.strip_prefix("gate") else {
            continue;
        };
        checked += 1;
        let place = &block.place;
        if kind.is_empty() {
            let (_, diagnostics) = parse(&block.text);
            assert!(diagnostics.is_empty(), "{place}: {diagnostics:#?}");
            continue;
        }
        let set = check_text(&block.text);
        let found = &set.checked.diagnostics;
        let shown = render::human(&set.sources, found, false);
        if let Some(model) = &set.checked.model {
            let (_, wrong) = expectations::run(model, set.sources.clone());
            assert!(wrong.is_empty(), "{place}:\n{}", wrong.join("\n"));
        }
        match kind {
            " checked" | " checked change" => assert!(found.is_empty(), "{place}:\n{shown}"),
            " warned" => assert!(
                !found.is_empty() && !has_errors(found),
                "{place} has no warning, or an error:\n{shown}"
            ),
            " rejected" => assert!(has_errors(found), "{place} has no error:\n{shown}"),
            other => panic!("{place}: `gate{other}` is no kind of example"),
        }
    }
    assert!(checked >= 10, "the manual's policies were not found");
}

/// The target of each link within the repository, without its fragment.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|target| !target.contains("://"))
        .map(|target| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty())
}

#[test]
fn links_lead_somewhere() {
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page");
        let folder = page.parent().expect("a folder");
        for target in links(&text) {
            assert!(
                folder.join(target).exists(),
                "{}: `{target}` is not there",
                page.display()
            );
        }
    }
}

/// `cargo dev` is an alias of this repository; `.ci/run` builds with its features.
#[test]
fn the_first_command_of_the_readme_is_one() {
    let read = |path: &str| fs::read_to_string(root().join(path)).expect(path);
    assert!(read("README.md").contains("\n    cargo dev policies/spa\n"));
    let config = read(".cargo/config.toml");
    let alias = config
        .lines()
        .find_map(|line| {
            line.strip_prefix("dev = \"run --profile quick ")?
                .strip_suffix(" -- dev\"")
        })
        .expect("the alias");
    assert!(read(".ci/run").contains(&format!("cargo clippy --locked {alias} --")));
    assert!(read("Cargo.toml").contains("\n[profile.quick]\n"));
}

/// The anchor of a heading.
fn anchor(heading: &str) -> String {
    heading
        .trim_start_matches('#')
        .trim()
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[test]
fn links_within_a_page_lead_to_its_headings() {
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page");
        let anchors: Vec<String> = text
            .lines()
            .filter(|line| line.starts_with('#'))
            .map(anchor)
            .collect();
        for target in text
            .split("](#")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            assert!(
                anchors.iter().any(|anchor| anchor == target),
                "{}: no heading `#{target}`",
                page.display()
            );
        }
    }
}

fn reference() -> String {
    fs::read_to_string(root().join("docs/language.md")).expect("the reference")
}

/// The rows of the tables in a section: the other cells, by the first one.
fn rows<'t>(text: &'t str, heading: &str) -> Vec<(&'t str, &'t str)> {
    let section = text
        .split_once(&format!("\n{heading}\n"))
        .map(|(_, section)| section.split("\n#").next().unwrap_or_default())
        .expect("the section");
    section
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .filter_map(|row| row.split_once(" | "))
        .collect()
}

#[test]
fn the_reference_has_the_registered_claims() {
    let text = reference();
    let mut written: Vec<(String, String)> = rows(&text, "### Registered claims")
        .into_iter()
        .filter(|(ty, _)| ty.starts_with('`'))
        .flat_map(|(ty, claims)| {
            claims
                .split(", ")
                .map(move |claim| (claim.replace('`', ""), ty.replace('`', "")))
        })
        .collect();
    written.sort();
    let known: Vec<(String, String)> = portcullis::check::REGISTERED
        .iter()
        .map(|(name, ty)| ((*name).to_owned(), ty.to_string()))
        .collect();
    assert_eq!(written, known);
}

/// A number with commas between thousands.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[test]
fn the_reference_has_the_limits() {
    use portcullis::check::limits;
    use portcullis::{engine, syntax, token};
    let text = reference();
    let rows = rows(&text, "## Limits");
    let mib = |bytes: usize| format!("{} MiB", bytes >> 20);
    for (row, limit) in [
        ("a policy file", mib(syntax::MAX_FILE_BYTES)),
        (
            "nesting of blocks, brackets and `not`",
            syntax::MAX_NESTING.to_string(),
        ),
        (
            "errors reported of one file",
            syntax::MAX_ERRORS.to_string(),
        ),
        ("routes", grouped(limits::MAX_ROUTES)),
        (
            "guards, including `under` conditions, counted once for each API",
            grouped(limits::MAX_GUARDS),
        ),
        (
            "tests in one condition, with its `let`s expanded",
            format!(
                "{}, nested {} deep",
                grouped(limits::MAX_ATOMS),
                limits::MAX_CONDITION_DEPTH
            ),
        ),
        ("tests in a policy", grouped(limits::MAX_POLICY_ATOMS)),
        ("members of a set", grouped(limits::MAX_SET_MEMBERS)),
        (
            "segments of a route's path",
            limits::MAX_SEGMENTS.to_string(),
        ),
        (
            "members in the PATH of a claim",
            limits::MAX_CLAIM_PATH.to_string(),
        ),
        (
            "a duration",
            format!("{} days", limits::MAX_DURATION / 86_400),
        ),
        ("a leeway", format!("{} hour", limits::MAX_LEEWAY / 3_600)),
        ("a token", format!("{} KiB", token::MAX_TOKEN_BYTES >> 10)),
        (
            "a request target",
            format!(
                "{} KiB, {} segments",
                engine::MAX_TARGET_BYTES >> 10,
                engine::MAX_SEGMENTS
            ),
        ),
    ] {
        assert!(
            rows.contains(&(row, limit.as_str())),
            "the reference has not `| {row} | {limit} |`"
        );
    }
}
