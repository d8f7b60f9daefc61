//! The manual's page for each reason.

use std::collections::BTreeSet;
use std::path::Path;

use portcullis::reason::Reason;

#[test]
fn each_page_names_its_code_its_status_and_the_fix() {
    for reason in Reason::ALL {
        let page = reason.page();
        let mut lines = page.lines();
        assert_eq!(lines.next(), Some(format!("# `{reason}`").as_str()));
        let summary = lines.nth(1).expect("a summary");
        let status = format!("Status {}", reason.status());
        assert!(
            summary.starts_with(&format!("{status}."))
                || summary.starts_with(&format!("{status},")),
            "{reason}: {summary}"
        );
        let headings: Vec<&str> = page
            .lines()
            .filter(|line| line.starts_with("## "))
            .collect();
        assert_eq!(headings, ["## Cause", "## See it", "## Fix it"], "{reason}");
        for section in page.split("## ").skip(1) {
            assert!(section.lines().count() > 2, "{reason}: an empty section");
        }
        let tries = page.contains("    portcullis ");
        assert!(
            tries || page.contains("    curl "),
            "{reason}: a command to try"
        );
    }
}

/// The advice is sent in a quoted string of the challenge (RFC 6750, section 3), to developers who
/// don't know the policy.
#[test]
fn each_reason_says_what_the_clients_developer_does_next() {
    let mut seen = BTreeSet::new();
    for reason in Reason::ALL {
        let advice = reason.advice();
        let plain = advice.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        assert!(plain && !advice.contains(['"', '\\']), "{reason}: {advice}");
        assert!(
            advice.ends_with('.') && advice.len() > 20,
            "{reason}: {advice}"
        );
        for secret in ["polic", "route", "introspection"] {
            assert!(!advice.contains(secret), "{reason}: {advice}");
        }
        seen.insert(advice);
    }
    // Two reasons with the same fix use the same words: the token is for another API.
    assert!(seen.len() > Reason::ALL.len() - 3);
}

#[test]
fn every_page_belongs_to_a_reason() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reasons");
    let pages: BTreeSet<String> = std::fs::read_dir(folder)
        .expect("the pages")
        .map(|entry| {
            entry
                .expect("a page")
                .file_name()
                .into_string()
                .expect("a name")
        })
        .collect();
    let codes: BTreeSet<String> = Reason::ALL
        .iter()
        .map(|reason| format!("{reason}.md"))
        .collect();
    assert_eq!(pages, codes);
}

/// A code in backticks that looks like a reason is a reason, a file, or a field of the
/// configuration.
#[test]
fn pages_refer_to_reasons_that_exist() {
    let fields = include_str!("../../docs/configuration.md");
    let families: BTreeSet<&str> = Reason::ALL
        .iter()
        .filter_map(|reason| reason.code().split_once('.'))
        .map(|(family, _)| family)
        .collect();
    for reason in Reason::ALL {
        for quoted in reason.page().split('`').skip(1).step_by(2) {
            if let Some((family, rest)) = quoted.split_once('.')
                && families.contains(family)
                && rest.chars().all(|c| c.is_ascii_lowercase() || c == '_')
                && !["txt", "json"].contains(&rest)
                && !fields.contains(&format!("\n| `{quoted}` |"))
            {
                assert!(
                    Reason::from_code(quoted).is_some(),
                    "{reason} refers to `{quoted}`"
                );
            }
        }
    }
}
