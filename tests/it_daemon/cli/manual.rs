//! The commands in the manual do what the manual says.

use std::fs;

use portcullis::reason::Reason;
use portcullis::runtime::config::Config;

use super::support::{portcullis, run};
use crate::support::manual::{fenced, pages};
use crate::support::repository::{Repository, isolated};
use crate::support::text::difference;

/// The policy file in the sessions of a page.
const POLICY: &str = "my-policy/shop.gate";

/// Reasons that no example policy can show: they need a provider's keys, a provider that doesn't
/// answer, or a fault of portcullis itself.
const NOT_SHOWN: [Reason; 5] = [
    Reason::TokenUnknownKey,
    Reason::TokenBadSignature,
    Reason::TokenRevoked,
    Reason::KeysUnavailable,
    Reason::Internal,
];

/// The indented commands of a page, with continued lines joined.
fn commands(page: &str) -> Vec<String> {
    page.replace("\\\n", "")
        .lines()
        .filter_map(|line| line.strip_prefix("    portcullis "))
        .map(str::to_owned)
        .collect()
}

/// The words of a command as a shell splits them: quotes group, and nothing else is special.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in command.chars() {
        match (c, quote) {
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (' ', None) => words.push(String::new()),
            (c, _) => words
                .last_mut()
                .expect("there is always a last word")
                .push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn the_page_of_each_reason_shows_it() {
    for reason in Reason::ALL {
        let mut shown = 0;
        for command in commands(reason.page()) {
            if !command.starts_with("why policies/") {
                continue;
            }
            let mut arguments = words(&command);
            arguments.extend(["--format".to_owned(), "json".to_owned()]);
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let ran = run(&arguments);
            assert_eq!(ran.code, Some(1), "{command}: {}", ran.everything());
            assert_eq!(ran.json()["reason"], reason.code(), "{command}");
            shown += 1;
        }
        assert_eq!(
            shown == 0,
            NOT_SHOWN.contains(reason),
            "{reason}: {shown} commands that show it"
        );
    }
}

/// The other pages' commands over an example policy succeed, whatever they print.
#[test]
fn commands_over_the_example_policies_work() {
    let mut tried = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page");
        for command in commands(&text) {
            let verb = command.split(' ').next().unwrap_or_default();
            let works_alone = ["check", "routes", "test", "why", "proxy-config"].contains(&verb);
            if !works_alone || !command.contains(" policies/") || command.contains(['>', '|', '$'])
            {
                continue;
            }
            let words = words(&command);
            let arguments: Vec<&str> = words.iter().map(String::as_str).collect();
            let ran = run(&arguments);
            assert!(
                matches!(ran.code, Some(0 | 1)),
                "{}: {command}: {}",
                page.display(),
                ran.everything()
            );
            tried += 1;
        }
    }
    assert!(tried > 20, "the manual's commands were not found");
}

/// A `console` block shows commands after `$` and their output. They run in a folder with the
/// page's first policy as `my-policy/shop.gate`. If the page has a change of it, the folder is a
/// repository: the first policy is on the branch `main`, and the change is in the working tree.
#[test]
fn sessions_of_the_manual_are_as_they_are_shown() {
    let mut sessions = 0;
    let mut wrong = Vec::new();
    for page in pages() {
        let blocks = fenced(&page);
        let repository = Repository::new();
        let mut policies = blocks.iter().filter(|block| block.info.starts_with("gate"));
        if let Some(policy) = policies.next() {
            repository.write(POLICY, &policy.text);
        }
        if let Some(change) = policies.find(|block| block.info.ends_with(" change")) {
            repository.commit();
            repository.write(POLICY, &change.text);
        }
        for block in blocks.iter().filter(|block| block.info == "console") {
            sessions += 1;
            let mut replayed = String::new();
            for line in block.text.lines() {
                let Some(command) = line.strip_prefix("$ portcullis ") else {
                    continue;
                };
                let output = isolated(&mut portcullis())
                    .current_dir(repository.path())
                    .args(words(command))
                    .output()
                    .expect("the binary runs");
                let text = [output.stdout, output.stderr].concat();
                replayed.push_str(line);
                replayed.push('\n');
                replayed.push_str(&String::from_utf8_lossy(&text));
            }
            if replayed != block.text {
                let difference = difference(&block.text, &replayed);
                wrong.push(format!("{}\n{difference}", block.place));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(sessions > 2, "the manual's sessions were not found");
}

/// A `yaml` block is a configuration of the daemon, or a part of one.
#[test]
fn configurations_in_the_manual_are_read() {
    let mut read = 0;
    for block in pages().iter().flat_map(|page| fenced(page)) {
        if block.info == "yaml" {
            let config = Config::parse(&block.text);
            assert!(config.is_ok(), "{}: {config:?}", block.place);
            read += 1;
        }
    }
    assert!(read > 3, "the manual's configurations were not found");
}
