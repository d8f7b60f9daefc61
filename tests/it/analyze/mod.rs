//! The differences between two policies.

mod routes;
mod settings;

use portcullis::analyze::{self, Change, Difference, Failure};

use crate::support::policy::compiled;

/// The time of comparisons: 2026-06-01T12:00:00Z.
pub const NOW: f64 = 1_780_315_200.0;

/// The common lines of most policies here.
pub const HEAD: &str = r#"
issuer main {
    url "https://issuer.example"
    claims {
        plan   string
        org    string
        team   string
        seats  number
        used   number
        paid   boolean
        trial  boolean
        roles  list of string
        sizes  list of number
        joined time
        left   time
        tags   words
        nested string from deep."in".here
        deep   list of string from keys of deep
    }
}
"#;

/// A policy whose API has these lines.
pub fn shop(lines: &str) -> String {
    format!(
        "{HEAD}api shop {{\n    host \"api.example.com\"\n    issuer main\n    audience \
         \"https://api.example.com\"\n{lines}\n}}\n"
    )
}

/// Compares two policies, and has the engine decide each witness again.
pub fn compare(old: &str, new: &str) -> Result<Difference, Failure> {
    let (old, new) = (compiled(old), compiled(new));
    let difference = analyze::diff(&old, &new, NOW)?;
    for change in &difference.changes {
        let Some(witness) = &change.witness else {
            continue;
        };
        assert_eq!(witness.decide(&old).verdict, change.old, "{change:#?}");
        assert_eq!(witness.decide(&new).verdict, change.new, "{change:#?}");
    }
    Ok(difference)
}

/// A change in one line.
pub fn shown(change: &Change) -> String {
    let what = change
        .route
        .as_deref()
        .or(change.about.as_deref())
        .unwrap_or("");
    format!(
        "{what}: {} {}",
        change.kind.as_str(),
        change.effect.as_str()
    )
}

/// Compares two policies; returns the changes, one per line.
pub fn changes(old: &str, new: &str) -> Vec<String> {
    let difference = compare(old, new).unwrap_or_else(|failure| panic!("{failure}\n{old}\n{new}"));
    difference.changes.iter().map(shown).collect()
}
