//! The answer as an expert would give it: the decision, the line of the policy that made it, the
//! reason in a sentence, what each condition came to, and what to do.

use super::super::explanation::Report;
use super::super::output::{Paint, printable};
use super::request::Asked;
use crate::answer::Explanation;
use crate::load::Loaded;
use crate::reason::Reason;

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
    if explanation.reason == Some(Reason::RequestNoRoute.code()) {
        near(&mut report, asked, loaded);
    }
    report.token(explanation, signature);
    report.trace(explanation);
    report.headers(explanation);
    if let Some(reason) = explanation.reason {
        report.item("more", &format!("portcullis why --reason {reason}"));
    }
    report.finish()
}

/// What there is instead, where no route is found: a host or a method is soon mistyped.
fn near(report: &mut Report, asked: &Asked, loaded: &Loaded) {
    let hosts = asked.other_hosts(loaded);
    if !hosts.is_empty() {
        report.item(
            "near",
            &format!("the policy's hosts are {}", hosts.join(", ")),
        );
        return;
    }
    let methods = asked.other_methods(loaded);
    if methods.is_empty() {
        report.item("near", "`portcullis routes` lists what there is");
    } else {
        report.item(
            "near",
            &format!("this path has routes for {}", methods.join(", ")),
        );
    }
}
