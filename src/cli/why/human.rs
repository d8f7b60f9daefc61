//! The answer for people: the decision, the line of the policy that made it, the reason in a
//! sentence, the result of each condition, and what to do.

use super::super::explanation::Report;
use super::super::output::{Paint, printable};
use super::request::Asked;
use crate::answer::Explanation;
use crate::load::Loaded;

/// The whole report.
pub fn report(
    explanation: &Explanation,
    asked: &Asked,
    signature: Option<&str>,
    loaded: &Loaded,
    paint: Paint,
) -> String {
    let mut report = Report::new(paint);
    report.decision(explanation);
    report.line(&format!("  {}", printable(&asked.shown())));
    report.rule(explanation, &loaded.sources);
    report.why(explanation);
    report.token(explanation, signature);
    report.trace(explanation);
    report.headers(explanation);
    if let Some(reason) = explanation.reason {
        report.item("more", &format!("portcullis why --reason {reason}"));
    }
    report.finish()
}
