//! The guide shows the real output of the commands.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::cli::support::portcullis;
use crate::support::manual::{Fenced, fenced};
use crate::support::text::assert_same;

fn run(folder: &Path, arguments: &[&str]) -> Output {
    portcullis()
        .current_dir(folder)
        .args(arguments)
        .output()
        .expect("the binary runs")
}

#[test]
fn the_guide_shows_what_is_printed() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guides/openapi.md");
    let blocks = fenced(&page);
    let of_kind =
        |info: &str| -> Vec<&Fenced> { blocks.iter().filter(|block| block.info == info).collect() };
    let document = of_kind("yaml openapi")[0];
    let policies = of_kind("gate checked");
    let report = of_kind("text")[0];

    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    fs::write(folder.join("openapi.yaml"), &document.text).expect("the document is written");
    fs::create_dir(folder.join("policies")).expect("a folder for the policy");
    let import = [
        "import",
        "openapi",
        "openapi.yaml",
        "-o",
        "policies/orders.gate",
    ];
    let ran = run(folder, &import);
    assert_eq!(ran.status.code(), Some(0));
    let policy = folder.join("policies/orders.gate");
    let made = fs::read_to_string(&policy).expect("the policy");
    assert_same(&made, &policies[0].text, "the policy of the guide");

    let coverage = ["coverage", "policies", "--openapi", "openapi.yaml"];
    assert_eq!(run(folder, &coverage).status.code(), Some(0));
    fs::write(&policy, &policies[1].text).expect("the policy is written");
    let ran = run(folder, &coverage);
    assert_eq!(ran.status.code(), Some(1));
    assert_same(
        &String::from_utf8_lossy(&ran.stdout),
        &report.text,
        "the report of the guide",
    );
}

#[test]
fn the_guide_has_every_kind_of_difference() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guides/openapi.md");
    let text = fs::read_to_string(page).expect("the guide");
    let source = include_str!("../../../src/openapi/compare/finding.rs");
    let codes: Vec<&str> = source
        .lines()
        .filter_map(|line| {
            line.trim()
                .strip_prefix("FindingKind::")?
                .split_once("=> \"")
        })
        .filter_map(|(_, code)| code.strip_suffix("\","))
        .filter(|code| !code.contains(' '))
        .collect();
    assert!(codes.len() >= 10, "the kinds were not found");
    for code in codes {
        assert!(text.contains(&format!("| `{code}` |")), "{code}");
    }
}
