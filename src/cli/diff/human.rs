//! The report for people, as a reviewer would write it.

use super::super::output::{Paint, printable};
use super::{Compared, command};
use crate::analyze::{Change, Difference, Effect};
use crate::changes::{self, Side};

/// The whole report.
pub fn report(difference: &Difference, compared: &Compared<'_>, paint: Paint) -> String {
    let changes = changes::by_weight(difference);
    if changes.is_empty() {
        return format!(
            "{} every request is decided the same way\n",
            paint.good("equal in meaning:")
        );
    }
    let mut text = format!("{}\n", paint.strong(changes::count(&changes)));
    for change in changes {
        text.push('\n');
        text.push_str(&one(change, compared, paint));
    }
    text
}

fn one(change: &Change, compared: &Compared<'_>, paint: Paint) -> String {
    let effect = change.effect.as_str();
    let effect = match change.effect {
        Effect::Loosened => paint.bad(effect),
        Effect::Tightened => paint.good(effect),
        Effect::Changed => paint.note(effect),
    };
    let what = match &change.route {
        Some(route) => format!("{route}  of {}", change.api),
        None => change.api.clone(),
    };
    let mut text = format!("{effect}  {}\n", paint.strong(printable(&what)));
    text.push_str(&format!("  {}\n", printable(&changes::sentence(change))));
    for (name, side) in [("old", Side::Old), ("new", Side::New)] {
        let Some(said) = compared.said(change, side) else {
            continue;
        };
        text.push_str(&format!("  {name}  {}", said.verdict));
        if let Some((place, line)) = said.place {
            text.push_str(&format!("  {}", paint.faint(printable(&place))));
            text.push_str(&format!("\n       {}", printable(line)));
        }
        text.push('\n');
    }
    if let Some(witness) = &change.witness {
        text.push_str(&format!(
            "  see  {}\n",
            command::why(witness, compared.new, compared.params)
        ));
    }
    text
}
