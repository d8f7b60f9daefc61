//! Tokens of the shape that providers give them, and what is said of the wrong ones.
//!
//! `tests/cases/providers/NAME.json` holds the tokens of a provider; a test key signs them. The
//! policies that decide are those of its page, `docs/providers/NAME.md`, which shows some of the
//! tokens, and for every denial what portcullis says. A case is
//!
//! - `name`; `request`, a method and a URL; `policy`, which of the page's policies (the first, if
//!   it is not said);
//! - the token: `header` and `claims`; or `token`, the name of the case that has them; or `text`,
//!   what can't be signed. `verifiable: false` is one with a signature that nobody can check;
//! - `said`: `allowed`, or the reason and the hint.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::engine::{self, Evidence, Presented, Request};
use serde::Deserialize;
use serde_json::Value;

use super::world::{NOW, World};
use crate::support::manual::{Fenced, fenced};
use crate::support::mint::{Signer, key_set};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    request: String,
    #[serde(default)]
    policy: usize,
    header: Option<Value>,
    claims: Option<Value>,
    token: Option<String>,
    text: Option<String>,
    #[serde(default = "yes")]
    verifiable: bool,
    said: String,
}

fn yes() -> bool {
    true
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The names of the files of a folder that end so, without the ending.
fn names(folder: &str, ending: &str) -> BTreeSet<String> {
    fs::read_dir(root().join(folder))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == ending))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect()
}

fn page(provider: &str) -> PathBuf {
    root().join(format!("docs/providers/{provider}.md"))
}

fn cases(provider: &str) -> Vec<Case> {
    let path = root().join(format!("tests/cases/providers/{provider}.json"));
    let text = fs::read_to_string(&path).expect("a file of cases");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{provider}.json: {error}"))
}

/// The case that a case takes its token from, or itself.
fn origin<'c>(all: &'c [Case], case: &'c Case) -> &'c Case {
    let Some(name) = &case.token else {
        return case;
    };
    all.iter()
        .find(|other| other.name == *name)
        .unwrap_or_else(|| panic!("no case `{name}`"))
}

/// The blocks of a page that begin with a word, each with what follows it.
fn blocks<'b>(
    page: &'b [Fenced],
    word: &'static str,
) -> impl Iterator<Item = (&'b str, &'b Fenced)> {
    page.iter()
        .filter_map(move |block| Some((block.info.strip_prefix(word)?.trim(), block)))
}

/// What a policy says of a request with a token.
fn decided(policy: &str, all: &[Case], case: &Case) -> String {
    let source = origin(all, case);
    let kid = source
        .header
        .as_ref()
        .and_then(|header| header["kid"].as_str())
        .unwrap_or("k1");
    let signer = Signer::new("RS256").kid(kid);
    let world = World::with_files(policy, signer.clone(), &key_set(&[&signer]));
    let token = match (&source.text, &source.header, &source.claims) {
        (Some(text), None, None) => text.clone(),
        (None, Some(header), Some(claims)) => {
            let signed = signer.raw(header.to_string().as_bytes(), claims.to_string().as_bytes());
            let (message, _) = signed.rsplit_once('.').expect("three parts");
            let another = URL_SAFE_NO_PAD.encode(signer.sign(b"another header"));
            if case.verifiable {
                signed
            } else {
                format!("{message}.{another}")
            }
        }
        _ => panic!("{}: either `text`, or `header` and `claims`", case.name),
    };

    let (method, url) = case.request.split_once(' ').expect("a method and a URL");
    let rest = url.strip_prefix("https://").expect("an https URL");
    let (host, target) = rest.split_at(rest.find('/').expect("a path"));
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_bytes())];
    let request = Request {
        method,
        target: target.as_bytes(),
        scheme: Some("https"),
        host: Some(host),
        headers: &headers,
        address: None,
        now: NOW,
        masked: false,
    };
    let routed = world.policy.route(&request);
    let Presented::Token(presented, _) = routed.token() else {
        panic!("{}: no route that looks at the token", case.name);
    };
    let outcome = world.at(routed.api().expect("an API"), &presented, NOW);
    let evidence = match &outcome {
        Ok(verified) => Evidence::Token {
            facts: verified.facts(),
            kind: verified.kind(),
        },
        Err(fault) => Evidence::Fault(fault),
    };
    let decision = engine::decide(&routed, evidence);
    match decision.reason() {
        None => "allowed".to_owned(),
        Some(reason) => format!("{reason}: {}", decision.hint().unwrap_or_default()),
    }
}

#[test]
fn tokens_of_providers_are_decided_as_the_cases_say() {
    let mut wrong = Vec::new();
    for provider in names("tests/cases/providers", "json") {
        let page = fenced(&page(&provider));
        let policies: Vec<&Fenced> = blocks(&page, "gate").map(|(_, block)| block).collect();
        let cases = cases(&provider);
        for case in &cases {
            let policy = policies
                .get(case.policy)
                .unwrap_or_else(|| panic!("{provider}: no policy {}", case.policy));
            let said = decided(&policy.text, &cases, case);
            if said != case.said {
                wrong.push(format!("{provider}: {}\n    got {said}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A provider has a page and cases; the page shows tokens of the cases, and all that is said of
/// those that are denied.
#[test]
fn pages_of_providers_show_what_is_so() {
    let providers = names("tests/cases/providers", "json");
    assert_eq!(providers, names("docs/providers", "md"));
    let manual = fs::read_to_string(root().join("docs/README.md")).expect("the manual");
    let mut wrong = Vec::new();
    for provider in providers {
        let link = format!("](providers/{provider}.md)");
        assert!(manual.contains(&link), "the manual lacks `{link}`");
        let blocks_of_page = fenced(&page(&provider));
        let cases = cases(&provider);
        let named = |name: &str, place: &str| {
            cases
                .iter()
                .find(|case| case.name == name)
                .unwrap_or_else(|| panic!("{place}: no case `{name}`"))
        };
        let mut tokens = 0;
        for (name, block) in blocks(&blocks_of_page, "json") {
            let case = named(name, &block.place);
            let shown: Vec<Value> = serde_json::Deserializer::from_str(&block.text)
                .into_iter()
                .collect::<Result<_, _>>()
                .unwrap_or_else(|error| panic!("{}: {error}", block.place));
            let expected: Vec<Value> = [&case.header, &case.claims]
                .into_iter()
                .flatten()
                .cloned()
                .collect();
            if shown != expected {
                wrong.push(format!("{}: not the token of `{name}`", block.place));
            }
            tokens += 1;
        }
        assert!(tokens > 0, "{provider}.md shows no token");
        let mut shown = BTreeSet::new();
        for (name, block) in blocks(&blocks_of_page, "text") {
            let case = named(name, &block.place);
            let expected = format!("{}\n{}\n", case.request, case.said);
            if block.text != expected {
                wrong.push(format!("{}: expected\n{expected}", block.place));
            }
            shown.insert(name);
        }
        let silent = cases
            .iter()
            .filter(|case| case.said != "allowed" && !shown.contains(case.name.as_str()));
        wrong.extend(silent.map(|case| format!("{provider}.md does not show `{}`", case.name)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
