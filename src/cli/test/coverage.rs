//! Coverage for people, as JSON, as annotations, and as a tracefile.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::super::output::{Paint, printable};
use crate::diagnostic::Severity;
use crate::diagnostic::render::Finding;
use crate::suite::{Coverage, Item, Kind, Outcome};

/// The report for people: how much was seen, and what wasn't.
pub fn human(coverage: &Coverage, paint: Paint) -> String {
    let (seen, possible) = coverage.count(None);
    let mut text = format!(
        "\n{} {seen} of {possible} outcomes\n",
        paint.strong("coverage:")
    );
    for (kind, name) in [
        (Kind::Route, "routes"),
        (Kind::Guard, "guards"),
        (Kind::Condition, "conditions"),
    ] {
        let (seen, possible) = coverage.count(Some(kind));
        if possible > 0 {
            let _ = writeln!(text, "  {name:10}  {seen} of {possible}");
        }
    }
    let unseen: Vec<(String, String, String)> = coverage
        .items
        .iter()
        .filter_map(|item| {
            let unseen = unseen(item)?;
            Some((item.place.to_string(), shown(item), unseen))
        })
        .collect();
    if unseen.is_empty() {
        return text;
    }
    text.push_str("\n  no test has seen\n");
    let places = widest(unseen.iter().map(|(place, ..)| place));
    let names = widest(unseen.iter().map(|(_, name, _)| name));
    for (place, name, unseen) in &unseen {
        let _ = writeln!(
            text,
            "    {}  {:names$}  {}",
            paint.faint(format!("{:places$}", printable(place))),
            printable(name),
            paint.note(unseen),
        );
    }
    text
}

/// The maximum width of a name in the column.
const WIDEST: usize = 60;

fn widest<'t>(texts: impl Iterator<Item = &'t String>) -> usize {
    texts
        .map(|text| text.chars().count())
        .filter(|width| *width <= WIDEST)
        .max()
        .unwrap_or(0)
}

/// The name of an item. A guard also has its API, since it may be one of several.
fn shown(item: &Item) -> String {
    match (&item.api, item.kind) {
        (Some(api), Kind::Guard) => format!("{} of {api}", item.name),
        _ => item.name.clone(),
    }
}

/// The outcomes that no test has seen, if any.
fn unseen(item: &Item) -> Option<String> {
    let unseen: Vec<&str> = item.unseen().map(Outcome::as_str).collect();
    (!unseen.is_empty()).then(|| unseen.join(", "))
}

/// The unseen outcomes, as annotations.
pub fn findings(coverage: &Coverage) -> Vec<Finding> {
    coverage
        .items
        .iter()
        .filter_map(|item| {
            let unseen = unseen(item)?;
            Some(Finding {
                id: "not-covered",
                title: "not covered by a test",
                severity: Severity::Warning,
                span: item.span,
                message: format!("no test has seen `{}` {unseen}", shown(item)),
            })
        })
        .collect()
}

/// Coverage as JSON. `docs/testing.md` describes the fields.
#[derive(Serialize)]
pub struct Object<'c> {
    seen: usize,
    possible: usize,
    routes: Vec<Rule<'c>>,
    guards: Vec<Rule<'c>>,
    conditions: Vec<Condition<'c>>,
}

#[derive(Serialize)]
struct Rule<'c> {
    api: Option<&'c str>,
    name: &'c str,
    file: &'c str,
    line: u32,
    allowed: Option<usize>,
    denied: Option<usize>,
}

#[derive(Serialize)]
struct Condition<'c> {
    condition: &'c str,
    file: &'c str,
    line: u32,
    r#true: Option<usize>,
    r#false: Option<usize>,
    missing: Option<usize>,
}

impl<'c> Object<'c> {
    /// The coverage of a run.
    pub fn of(coverage: &'c Coverage) -> Object<'c> {
        let (seen, possible) = coverage.count(None);
        let of_kind = |kind| coverage.items.iter().filter(move |item| item.kind == kind);
        Object {
            seen,
            possible,
            routes: of_kind(Kind::Route).map(Rule::of).collect(),
            guards: of_kind(Kind::Guard).map(Rule::of).collect(),
            conditions: of_kind(Kind::Condition).map(Condition::of).collect(),
        }
    }
}

impl<'c> Rule<'c> {
    fn of(item: &'c Item) -> Rule<'c> {
        Rule {
            api: item.api.as_deref(),
            name: &item.name,
            file: &item.place.file,
            line: item.place.line,
            allowed: item.times(Outcome::Allowed),
            denied: item.times(Outcome::Denied),
        }
    }
}

impl<'c> Condition<'c> {
    fn of(item: &'c Item) -> Condition<'c> {
        Condition {
            condition: &item.name,
            file: &item.place.file,
            line: item.place.line,
            r#true: item.times(Outcome::True),
            r#false: item.times(Outcome::False),
            missing: item.times(Outcome::Missing),
        }
    }
}

/// Coverage as an lcov tracefile (`man geninfo`): each line with a rule or a test of a condition is
/// a line of code, and each outcome is a branch.
pub fn lcov(coverage: &Coverage) -> String {
    let mut files: BTreeMap<&str, BTreeMap<u32, Vec<&Item>>> = BTreeMap::new();
    for item in &coverage.items {
        let lines = files.entry(&item.place.file).or_default();
        lines.entry(item.place.line).or_default().push(item);
    }
    let mut text = String::new();
    for (file, lines) in files {
        let _ = writeln!(text, "TN:\nSF:{file}");
        let (mut found, mut hit, mut lines_hit) = (0, 0, 0);
        for (line, items) in &lines {
            for (block, item) in items.iter().enumerate() {
                for (branch, seen) in item.outcomes.iter().enumerate() {
                    // A dash means that the line was never reached.
                    let taken = match item.reached() {
                        0 => "-".to_owned(),
                        _ => seen.times.to_string(),
                    };
                    let _ = writeln!(text, "BRDA:{line},{block},{branch},{taken}");
                    found += 1;
                    hit += usize::from(seen.times > 0);
                }
            }
        }
        let _ = writeln!(text, "BRF:{found}\nBRH:{hit}");
        for (line, items) in &lines {
            let times = items.iter().map(|item| item.reached()).max().unwrap_or(0);
            let _ = writeln!(text, "DA:{line},{times}");
            lines_hit += usize::from(times > 0);
        }
        let _ = writeln!(text, "LF:{}\nLH:{lines_hit}\nend_of_record", lines.len());
    }
    text
}
