//! Mutants for people, as JSON, and as annotations.

use std::fmt::Write as _;

use serde::Serialize;

use super::super::output::{Paint, count, printable};
use crate::diagnostic::Severity;
use crate::diagnostic::render::Finding;
use crate::suite::{Fate, MAX_MUTANTS, Mutant, Mutants};

/// The report for people: the changes that no test notices, as diffs of the source, and the counts.
pub fn human(mutants: &Mutants, paint: Paint) -> String {
    let mut text = format!("\n{} ", paint.strong("mutants:"));
    let survivors = mutants.survivors().count();
    let noticed = mutants.count(|fate| *fate == Fate::Noticed);
    let explained = mutants.count(|fate| matches!(fate, Fate::Explained(_)));
    let no_policy = mutants.count(|fate| *fate == Fate::DoesNotLoad);
    let tried = mutants.tried.len() - no_policy;
    let _ = write!(text, "{noticed} of {} noticed", count(tried, "change"));
    if explained > 0 {
        let _ = write!(text, ", {explained} explained");
    }
    if survivors > 0 {
        let _ = write!(text, ", {}", paint.bad(format!("{survivors} not noticed")));
    }
    if no_policy > 0 {
        let _ = write!(text, " ({no_policy} more do not load)");
    }
    text.push('\n');
    if mutants.left_out > 0 {
        let _ = writeln!(
            text,
            "{} {} were not tried: at most {MAX_MUTANTS} are, from all over the policy",
            paint.note("note:"),
            count(mutants.left_out, "change"),
        );
    }
    for mutant in mutants.survivors() {
        text.push_str(&survivor(mutant, paint));
    }
    let explained: Vec<(&Mutant, &String)> = mutants
        .tried
        .iter()
        .filter_map(|mutant| match &mutant.fate {
            Fate::Explained(reason) => Some((mutant, reason)),
            _ => None,
        })
        .collect();
    if !explained.is_empty() {
        text.push_str("\n  explained\n");
    }
    for (mutant, reason) in explained {
        let _ = writeln!(
            text,
            "    {}  {}: {}",
            paint.faint(printable(&mutant.place.to_string())),
            printable(&mutant.what),
            printable(reason)
        );
    }
    for place in &mutants.idle {
        let _ = writeln!(
            text,
            "{} {}: `# mutant:` explains nothing: it gives no reason, or every change of its line \
             is noticed",
            paint.note("note:"),
            printable(&place.to_string())
        );
    }
    text
}

fn survivor(mutant: &Mutant, paint: Paint) -> String {
    let mut text = format!(
        "\n  {}  {}\n",
        paint.faint(printable(&mutant.place.to_string())),
        printable(&mutant.what)
    );
    for hunk in &mutant.hunks {
        for line in &hunk.before {
            let _ = writeln!(text, "    {}", paint.bad(format!("- {}", printable(line))));
        }
        for line in &hunk.after {
            let _ = writeln!(text, "    {}", paint.good(format!("+ {}", printable(line))));
        }
    }
    let _ = writeln!(text, "    {}", paint.faint(tested(mutant)));
    text
}

/// How many tests reach the changed part.
fn tested(mutant: &Mutant) -> String {
    match mutant.reached {
        0 => "no test reaches it".to_owned(),
        1 => "1 expectation reaches it, but does not notice".to_owned(),
        reached => format!("{reached} expectations reach it, but none notices"),
    }
}

/// The changes that no test notices, as annotations.
pub fn findings(mutants: &Mutants) -> Vec<Finding> {
    mutants
        .survivors()
        .map(|mutant| {
            let mut message = format!("no test notices when {}", mutant.what);
            for hunk in &mutant.hunks {
                for line in &hunk.after {
                    let _ = write!(message, "\n{}", line.trim_start());
                }
            }
            Finding {
                id: "mutant-survived",
                title: "not noticed by a test",
                severity: Severity::Error,
                span: mutant.span,
                message,
            }
        })
        .collect()
}

/// Mutants as JSON. `docs/testing.md` describes the fields.
#[derive(Serialize)]
pub struct Object<'m> {
    tried: usize,
    noticed: usize,
    do_not_load: usize,
    left_out: usize,
    survived: Vec<Change<'m>>,
    explained: Vec<Change<'m>>,
}

#[derive(Serialize)]
struct Change<'m> {
    what: &'m str,
    file: &'m str,
    line: u32,
    reached: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'m str>,
    hunks: Vec<Lines<'m>>,
}

#[derive(Serialize)]
struct Lines<'m> {
    line: u32,
    before: &'m [String],
    after: &'m [String],
}

impl<'m> Object<'m> {
    /// The results of the mutants.
    pub fn of(mutants: &'m Mutants) -> Object<'m> {
        let changes = |wanted: fn(&Fate) -> bool| {
            mutants
                .tried
                .iter()
                .filter(|mutant| wanted(&mutant.fate))
                .map(Change::of)
                .collect()
        };
        let do_not_load = mutants.count(|fate| *fate == Fate::DoesNotLoad);
        Object {
            tried: mutants.tried.len() - do_not_load,
            noticed: mutants.count(|fate| *fate == Fate::Noticed),
            do_not_load,
            left_out: mutants.left_out,
            survived: changes(|fate| *fate == Fate::Survived),
            explained: changes(|fate| matches!(fate, Fate::Explained(_))),
        }
    }
}

impl<'m> Change<'m> {
    fn of(mutant: &'m Mutant) -> Change<'m> {
        Change {
            what: &mutant.what,
            file: &mutant.place.file,
            line: mutant.place.line,
            reached: mutant.reached,
            reason: match &mutant.fate {
                Fate::Explained(reason) => Some(reason),
                _ => None,
            },
            hunks: mutant
                .hunks
                .iter()
                .map(|hunk| Lines {
                    line: hunk.line,
                    before: &hunk.before,
                    after: &hunk.after,
                })
                .collect(),
        }
    }
}
