//! The difference as a reviewer would write it under a change.

use super::super::output::{Paint, printable};
use super::super::wording;
use super::{Compared, Side, by_weight, command, words};
use crate::analyze::{Change, Difference, Effect, Verdict};
use crate::source::Place;

/// The whole report.
pub fn report(difference: &Difference, compared: &Compared<'_>, paint: Paint) -> String {
    let changes = by_weight(difference);
    if changes.is_empty() {
        return format!(
            "{} every request is decided alike\n",
            paint.good("equal in meaning:")
        );
    }
    let mut text = format!("{}\n", paint.strong(words::count(&changes)));
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
    text.push_str(&format!("  {}\n", printable(&words::sentence(change))));
    text.push_str(&side(
        "old",
        change.old,
        change.old_place.as_ref(),
        &compared.old,
        paint,
    ));
    text.push_str(&side(
        "new",
        change.new,
        change.new_place.as_ref(),
        &compared.new,
        paint,
    ));
    if let Some(witness) = &change.witness {
        text.push_str(&format!(
            "  see  {}\n",
            command::why(witness, compared.new.path, compared.params)
        ));
    }
    text
}

/// What one of the policies says, where, and in which words.
fn side(
    name: &str,
    verdict: Verdict,
    place: Option<&Place>,
    side: &Side<'_>,
    paint: Paint,
) -> String {
    let verdict = words::verdict(verdict);
    let Some(place) = place.map(Place::to_string) else {
        return format!("  {name}  {verdict}\n");
    };
    let mut text = format!("  {name}  {verdict}  {}\n", paint.faint(printable(&place)));
    if let Some(line) = wording::source_line(side.sources, &place) {
        text.push_str(&format!("       {}\n", printable(line.trim())));
    }
    text
}
