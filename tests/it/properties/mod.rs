//! The invariants, on random policies and requests.

mod differences;
mod generate;
mod meaning;
mod naive;
mod replay;
mod round_trip;
mod settings;

use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis::check::{self, Checked, Files, Input};
use portcullis::compile::compile;
use portcullis::diagnostic::has_errors;
use portcullis::engine::{self, Evidence, Facts, Policy, Presented, Request, SeenKind};
use portcullis::json::Json;
use portcullis::model::{Demand, IssuerId};
use portcullis::source::Sources;
use portcullis::syntax;
use proptest::prelude::*;
use proptest::sample::Index;

use generate::{Line, Spec};
use naive::Asked;

/// Parses and checks files.
fn read(texts: &[&str]) -> (Sources, Checked) {
    let mut sources = Sources::new();
    let ids: Vec<_> = texts
        .iter()
        .enumerate()
        .map(|(at, text)| sources.add(format!("{at}.gate"), *text))
        .collect();
    let mut diagnostics = Vec::new();
    let mut documents = Vec::new();
    for id in ids {
        let (document, found) = syntax::parse(&sources, id);
        documents.push(document);
        diagnostics.extend(found);
    }
    let files = Files::default();
    let params = BTreeMap::new();
    let mut checked = check::check(Input {
        sources: &sources,
        documents,
        files: &files,
        params: &params,
    });
    checked.diagnostics.extend(diagnostics);
    assert!(checked.model.is_none() || !has_errors(&checked.diagnostics));
    (sources, checked)
}

fn loads(text: &str) -> bool {
    read(&[text]).1.model.is_some()
}

fn policy(texts: &[&str]) -> Policy {
    let (sources, checked) = read(texts);
    compile(checked.model.expect("it loads"), Arc::new(sources))
}

/// The compiled engine's decision about a request whose token, if it has one, is valid.
fn allows(policy: &Policy, asked: &Asked) -> bool {
    let facts = asked.claims.as_ref().map(|claims| facts(policy, claims));
    allows_with(policy, asked, facts.as_ref())
}

fn facts(policy: &Policy, claims: &serde_json::Value) -> Facts {
    let claims = claims.to_string();
    let claims = Json::parse(claims.as_bytes()).expect("JSON");
    policy.facts(IssuerId(0), &claims, None)
}

/// The decision about a request with a token of which these are the facts.
fn allows_with(policy: &Policy, asked: &Asked, facts: Option<&Facts>) -> bool {
    let encoded = |text: &str| text.replace(' ', "+");
    let query: Vec<String> = asked
        .query
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    let target = format!("/{}?{}", asked.segments.join("/"), query.join("&"));
    let mut headers: Vec<(&str, &[u8])> = asked
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    if facts.is_some() {
        headers.push(("authorization", b"Bearer token"));
    }
    let request = Request {
        method: asked.method.as_str(),
        target: target.as_bytes(),
        scheme: Some("https"),
        host: Some("api.example.com"),
        headers: &headers,
        address: asked.address,
        now: asked.now,
        masked: false,
    };
    let routed = policy.route(&request);
    let facts = match routed.token() {
        Presented::Absent => None,
        Presented::Token(token, _) => {
            assert_eq!(token, "token");
            Some(facts.expect("a token has facts"))
        }
        Presented::Fault(fault) => panic!("{fault:?}"),
    };
    assert!(routed.demand() != Demand::None || facts.is_none());
    let evidence = match facts {
        Some(facts) => Evidence::Token {
            facts,
            kind: SeenKind::Access,
        },
        None => Evidence::Nothing,
    };
    engine::decide(&routed, evidence).allowed()
}

fn settled() -> impl Strategy<Value = Spec> {
    generate::candidates().prop_map(|candidates| Spec::settle(&candidates, loads))
}

/// Policies in which no rule tests for absence.
fn settled_without_absent() -> impl Strategy<Value = Spec> {
    settled().prop_filter("no rule asks for absence", |spec| {
        !spec.text().contains("absent")
    })
}

fn requests() -> impl Strategy<Value = Vec<Asked>> {
    prop::collection::vec(generate::asked(), 40)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 128,
        // A failing case becomes a named test.
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Invariant 4: the compiled engine implements the language's meaning.
    #[test]
    fn compiled_equals_naive(spec in settled(), requests in requests()) {
        let text = spec.text();
        let policy = policy(&[&text]);
        for asked in &requests {
            prop_assert_eq!(
                allows(&policy, asked),
                naive::allows(policy.model(), asked),
                "{:?}\n{}", asked, text
            );
        }
    }

    /// What is kept of a token under a policy changes no decision: whatever other requests with the
    /// token have added, and compared with facts of which nothing is kept for this policy, so that
    /// the model's conditions are evaluated.
    #[test]
    fn what_is_kept_of_a_token_changes_nothing(spec in settled(), requests in requests()) {
        let text = spec.text();
        let (policy, same) = (policy(&[&text]), policy(&[&text]));
        for claims in requests.iter().filter_map(|asked| asked.claims.as_ref()).take(4) {
            let kept = facts(&policy, claims);
            let foreign = facts(&same, claims);
            for asked in &requests {
                for now in [asked.now, asked.now + 600.0, f64::NAN] {
                    let asked = Asked { now, claims: Some(claims.clone()), ..asked.clone() };
                    prop_assert_eq!(
                        allows_with(&policy, &asked, Some(&kept)),
                        allows_with(&policy, &asked, Some(&foreign)),
                        "{:?}\n{}", asked, text
                    );
                }
            }
        }
    }

    /// Invariant 1: order and files don't matter.
    #[test]
    fn order_never_matters(
        spec in settled(),
        shuffled in any::<u64>(),
        requests in requests(),
    ) {
        let mut other = spec.clone();
        rotate(&mut other.lines, shuffled);
        rotate(&mut other.guards, shuffled);
        let (rest, routes) = other.in_two_files();
        let before = policy(&[&spec.text()]);
        let after = policy(&[&routes, &rest]);
        for asked in &requests {
            prop_assert_eq!(
                allows(&before, asked),
                allows(&after, asked),
                "{:?}\n{}", asked, spec.text()
            );
        }
    }

    /// Invariant 1, for diagnostics: the same ones, on other lines.
    #[test]
    fn order_never_matters_to_diagnostics(spec in generate::candidates(), shuffled in any::<u64>()) {
        let mut other = spec.clone();
        rotate(&mut other.lines, shuffled);
        rotate(&mut other.guards, shuffled);
        prop_assert_eq!(said(&spec.text()), said(&other.text()), "{}", spec.text());
    }

    /// Invariant 2: a missing value never allows, unless a rule tests for absence.
    #[test]
    fn missing_never_allows(spec in settled_without_absent(), requests in requests()) {
        let text = spec.text();
        let policy = policy(&[&text]);
        for asked in &requests {
            let Some(claims) = asked.claims.as_ref().and_then(|claims| claims.as_object()) else {
                continue;
            };
            if allows(&policy, asked) {
                continue;
            }
            // The scopes count as one claim, and so does the client.
            let single = claims
                .keys()
                .map(|name| vec![name.as_str()])
                .filter(|name| !["iss", "aud", "exp", "scope", "scp", "azp", "client_id"].contains(&name[0]));
            let joint = [vec!["scope", "scp"], vec!["azp", "client_id"]];
            for names in single.chain(joint) {
                let mut less = asked.clone();
                let claims = less.claims.as_mut().and_then(|claims| claims.as_object_mut());
                let claims = claims.expect("a claims set");
                for name in &names {
                    claims.remove(*name);
                }
                prop_assert!(
                    !allows(&policy, &less),
                    "without {names:?} it is allowed: {asked:?}\n{text}"
                );
            }
        }
    }

    /// Invariant 3: tightening a policy never allows anything new.
    #[test]
    fn tightening_never_allows(
        spec in settled(),
        guard in generate::guard(),
        condition in generate::condition(Vec::new(), 2, true),
        at in any::<Index>(),
        requests in requests(),
    ) {
        let mut guarded = spec.clone();
        guarded.guards.push(guard);
        let mut narrowed = spec.clone();
        if let Some(line) = (!narrowed.lines.is_empty())
            .then(|| at.get_mut(&mut narrowed.lines))
            && let Line::Under { head, .. } = line
        {
            *head = format!("{head} and {condition}");
        }
        let mut denied = spec.clone();
        if let Some(Line::Route(route)) = denied.lines.first().cloned() {
            let path: Vec<&str> = route.split(" /").collect();
            let (path, _) = path[1].split_once(' ').unwrap_or((path[1], ""));
            denied.lines.push(Line::Route(format!("DELETE, PUT /{path}/z/** denied")));
        }
        let before = policy(&[&spec.text()]);
        for tighter in [guarded, narrowed, denied] {
            let text = tighter.text();
            if !loads(&text) {
                continue;
            }
            let after = policy(&[&text]);
            for asked in &requests {
                prop_assert!(
                    !allows(&after, asked) || allows(&before, asked),
                    "{asked:?}\n{}\n{text}", spec.text()
                );
            }
        }
    }

    /// Invariant 3: a new route loosens nothing that a guard, an `under` or a `denied` covers.
    #[test]
    fn a_route_never_loosens_what_is_covered(
        spec in settled(),
        route in generate::route(),
        requests in requests(),
    ) {
        let mut wider = spec.clone();
        wider.lines.push(Line::Route(route));
        let text = wider.text();
        prop_assume!(loads(&text));
        let (before, after) = (policy(&[&spec.text()]), policy(&[&text]));
        for asked in &requests {
            if allows(&after, asked) {
                prop_assert!(naive::tightened(before.model(), asked), "{asked:?}\n{text}");
            }
        }
    }
}

/// Another order, chosen by a number.
fn rotate<T>(items: &mut [T], by: u64) {
    if items.is_empty() {
        return;
    }
    let length = items.len() as u64;
    items.rotate_left(usize::try_from(by % length).expect("small"));
    if by & 1 == 1 {
        items.reverse();
    }
}

/// The diagnostics of a policy, without their places.
fn said(text: &str) -> Vec<&'static str> {
    let mut said: Vec<_> = read(&[text])
        .1
        .diagnostics
        .iter()
        .map(|diagnostic| diagnostic.code.as_str())
        .collect();
    said.sort_unstable();
    said
}
