//! The findings about conditions are correct: they are compared with random requests, and with the
//! exact difference of policies with and without the condition, each confirmed by the engine.

use portcullis::analyze::condition::{Rule, Subject, study};
use portcullis::analyze::limits::MAX_STUDY_STEPS;
use portcullis::analyze::plain::Reader;
use portcullis::analyze::{self, Effect};
use portcullis::diagnostic::{Code, Diagnostic};
use portcullis::model::{Access, Condition, ConditionKind, Demand};
use portcullis::pattern::index::Budget;
use proptest::prelude::*;

use super::generate::{self, Line, NOW, Spec};
use super::{allows, policy, read};

/// False for every generated request, with a claim that no generated condition reads.
const NOBODY: &str = r#"claim jti == "nobody""#;
const TRUE: &str = "(method == GET or method != GET)";
const FALSE: &str = "(method == GET and method != GET)";

fn text(lines: &[String]) -> String {
    let spec = Spec {
        lines: lines.iter().cloned().map(Line::Route).collect(),
        guards: Vec::new(),
    };
    spec.text()
}

/// A policy of one route with this condition.
fn route(condition: &str) -> String {
    text(&[format!("* /{{p}}/{{q}} requires {condition}")])
}

/// The same, but loads whatever the condition's value is.
fn guarded(condition: &str) -> String {
    route(&format!("({condition}) or {NOBODY}"))
}

fn said(text: &str) -> Vec<Diagnostic> {
    read(&[text]).1.diagnostics
}

fn has(diagnostics: &[Diagnostic], code: Code) -> bool {
    diagnostics.iter().any(|one| one.code == code)
}

/// Whether two policies mean the same.
fn is_same(old: &str, new: &str) -> bool {
    analyze::diff(&policy(&[old]), &policy(&[new]), NOW)
        .expect("it can be compared")
        .changes
        .is_empty()
}

/// The text with each part disabled that changes nothing.
fn without_idle(text: &str, diagnostics: &[Diagnostic]) -> String {
    let mut places: Vec<(usize, usize, &str)> = diagnostics
        .iter()
        .filter(|one| one.code == Code::ChangesNothing)
        .map(|one| {
            let span = one.primary.as_ref().expect("a place").span;
            let neutral = if one.message.starts_with("this `or ")
                || one.message.ends_with(" or` changes nothing")
            {
                FALSE
            } else {
                TRUE
            };
            (span.start as usize, span.end as usize, neutral)
        })
        .collect();
    places.sort_unstable();
    let mut changed = text.to_owned();
    for (start, end, neutral) in places.into_iter().rev() {
        changed.replace_range(start..end, neutral);
    }
    changed
}

/// Parts without a `let`, whose meaning is reported on its own.
fn part() -> impl Strategy<Value = String> {
    generate::condition(vec!["p", "q"], 2, true).prop_map(|part| {
        part.replace("staff\"", "STAFF\"")
            .replace("staff", r#"claim plan == "team""#)
            .replace("STAFF\"", "staff\"")
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// A condition that is reported as never true holds for no request; one that isn't, for some.
    #[test]
    fn never_and_always_are_exact(
        condition in part(),
        requests in prop::collection::vec(generate::asked(), 60),
    ) {
        let said = said(&route(&condition));
        let never = has(&said, Code::NeverHolds);
        prop_assert_eq!(never, is_same(&guarded(&condition), &route(NOBODY)), "{}", condition);
        let loaded = policy(&[&guarded(&condition)]);
        for asked in &requests {
            prop_assert!(!never || !allows(&loaded, asked), "{condition}\n{asked:?}");
        }
        if !never {
            let always = has(&said, Code::AlwaysHolds);
            let open = text(&["* /{p}/{q} authenticated".to_owned()]);
            prop_assert_eq!(always, is_same(&route(&condition), &open), "{}", condition);
        }
    }

    /// Without the parts that are reported to change nothing, the condition is the same; and if a
    /// part can be left out, something is reported.
    #[test]
    fn idle_parts_are_exact(
        parts in prop::collection::vec(part(), 2..4),
        join in prop::sample::select(vec![" and ", " or "]),
        requests in prop::collection::vec(generate::asked(), 30),
    ) {
        let condition = parts.join(join);
        let text = route(&condition);
        let said = said(&text);
        prop_assume!(!has(&said, Code::NeverHolds));
        let less = without_idle(&text, &said);
        prop_assert!(is_same(&text, &less), "{}\n{}", text, less);
        let (before, after) = (policy(&[&text]), policy(&[&less]));
        for asked in &requests {
            prop_assert_eq!(allows(&before, asked), allows(&after, asked), "{}\n{:?}", less, asked);
        }
        let settled = has(&said, Code::ChangesNothing) || has(&said, Code::AlwaysHolds);
        for (at, part) in parts.iter().enumerate() {
            let mut others = parts.clone();
            others.remove(at);
            if settled || part.ends_with("present") {
                continue;
            }
            let others = others.join(join);
            prop_assert!(
                !is_same(&guarded(&condition), &guarded(&others)),
                "nothing is said of {part} in {condition}"
            );
        }
    }

    /// Plain conditions have no findings.
    #[test]
    fn plain_conditions_have_no_findings(condition in generate::condition(vec!["p", "q"], 2, true)) {
        let policy = policy(&[&guarded(&condition)]);
        let model = policy.model();
        let api = &model.apis[0];
        let route = &api.routes[0];
        let Access::Permitted { condition: Some(whole), .. } = &route.access else {
            panic!("it has a condition");
        };
        let ConditionKind::Or(parts) = &whole.kind else {
            panic!("it is an `or`");
        };
        let own: &Condition = &parts[0];
        let rule = Rule { path: &route.path, parameters: &route.parameters };
        if Reader::new(model, api).is_plain(rule, own) {
            let subject = Subject { model, api, methods: route.methods };
            let found = study(subject, rule, Demand::Required, own, &Budget::new(MAX_STUDY_STEPS))
                .expect("it can be looked at");
            prop_assert!(found.is_empty(), "{condition}: {found:?}");
        }
    }

    /// A narrower route is reported to ask for less exactly if it loosens something and tightens
    /// nothing.
    #[test]
    fn weaker_routes_are_exact(
        broad in part(),
        narrow in part(),
        also in prop::bool::ANY,
    ) {
        // Half of the time, one asks for everything the other does, and more.
        let broad = if also { format!("({narrow}) and {broad}") } else { broad };
        let broader = format!("* /{{p}}/{{q}} requires {broad}");
        let narrower = format!("* /{{p}}/a requires {}", narrow.replace("path.q", "path.p"));
        let before = text(std::slice::from_ref(&broader));
        let after = text(&[broader, narrower]);
        prop_assume!(!has(&said(&after), Code::NeverHolds));
        let said = has(&said(&after), Code::WeakerRoute);
        let difference = analyze::diff(&policy(&[&before]), &policy(&[&after]), NOW)
            .expect("it can be compared");
        let loosened = !difference.changes.is_empty()
            && difference.changes.iter().all(|change| change.effect == Effect::Loosened);
        prop_assert_eq!(said, loosened, "{}", after);
    }
}
