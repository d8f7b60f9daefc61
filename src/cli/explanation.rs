//! The explanation of a decision in words, for `why` and `test`: the rule, the reason in a
//! sentence, the token, the result of each condition, the headers.

use super::output::{Paint, printable};
use super::wording;
use crate::answer::Explanation;
use crate::engine::ANSWERED_PREFLIGHT;
use crate::reason::Reason;
use crate::source::Sources;

/// A report that is built part by part.
pub struct Report {
    text: String,
    paint: Paint,
}

/// The width of the names of items.
const ITEM_WIDTH: usize = 7;

impl Report {
    /// An empty report.
    pub fn new(paint: Paint) -> Report {
        Report {
            text: String::new(),
            paint,
        }
    }

    /// The complete text.
    pub fn finish(self) -> String {
        self.text
    }

    /// Adds a line.
    pub fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Adds an item with its name.
    pub fn item(&mut self, name: &str, what: &str) {
        let name = self.paint.strong(format!("{name:ITEM_WIDTH$}"));
        self.line(&format!("\n  {name}{}", printable(what)));
    }

    fn below(&mut self, what: &str) {
        self.line(&format!("  {:ITEM_WIDTH$}{what}", ""));
    }

    /// Adds the outcome: allowed, or the reason of the denial.
    pub fn decision(&mut self, explanation: &Explanation) {
        let line = match explanation.reason {
            None if explanation.status == ANSWERED_PREFLIGHT => format!(
                "{}  {ANSWERED_PREFLIGHT}, a CORS preflight that the application never sees",
                self.paint.good("ALLOWED"),
            ),
            None => self.paint.good("ALLOWED"),
            Some(reason) => format!(
                "{}  {} {}",
                self.paint.bad("DENIED"),
                explanation.status,
                self.paint.strong(reason)
            ),
        };
        self.line(&line);
    }

    /// Adds the route that applied, and the line of the policy that decided.
    pub fn rule(&mut self, explanation: &Explanation, sources: &Sources) {
        let route = match (&explanation.route, &explanation.api) {
            (Some(route), Some(api)) => format!("{route}  of {api}"),
            (None, Some(api)) => format!("no route of {api}"),
            (_, None) => "no API of the policy".to_owned(),
        };
        self.item("rule", &route);
        let Some(place) = &explanation.policy else {
            return;
        };
        self.below(&self.paint.faint(printable(place)));
        if let Some(line) = wording::source_line(sources, place) {
            self.below(&format!("    {}", printable(line.trim())));
        }
    }

    /// Adds the reason in a sentence.
    pub fn why(&mut self, explanation: &Explanation) {
        if let Some(hint) = &explanation.hint {
            self.item("why", hint);
        }
    }

    /// Adds the facts about the token. `signature` says whether its signature was verified.
    pub fn token(&mut self, explanation: &Explanation, signature: Option<&str>) {
        let token = &explanation.token;
        let Some(kind) = token.kind else {
            let none = if explanation.reason == Some(Reason::TokenMissing.code()) {
                "none was sent"
            } else {
                "none was looked at"
            };
            self.item("token", none);
            return;
        };
        let kind = match kind {
            "access" => "an access token",
            "id" => "an ID token",
            "opaque" => "an opaque token",
            "refresh" => "a refresh token",
            _ => "a token of a kind that cannot be told",
        };
        let said = token.unverified.as_ref();
        let issuer = token.issuer.as_ref();
        let issuer = issuer.or(said.and_then(|said| said.issuer.as_ref()));
        let issuer = issuer.map(|issuer| format!(" of {issuer}"));
        let subject = token.subject.as_ref();
        let subject = subject.or(said.and_then(|said| said.subject.as_ref()));
        let subject = subject.map(|subject| format!(" for {subject}"));
        self.item(
            "token",
            &format!(
                "{kind}{}{}{}",
                issuer.unwrap_or_default(),
                subject.unwrap_or_default(),
                signature.map_or_else(String::new, |signature| format!("; {signature}"))
            ),
        );
    }

    /// Adds the result of each condition.
    pub fn trace(&mut self, explanation: &Explanation) {
        if explanation.trace.is_empty() {
            return;
        }
        self.item("asked", "in this order");
        for step in &explanation.trace {
            let mark = match step.value {
                "true" => self.paint.good("yes    "),
                "false" => self.paint.bad("no     "),
                _ => self.paint.note("missing"),
            };
            let condition = printable(&step.condition);
            self.below(&format!("{mark}  {condition}"));
            if !step.because.is_empty() {
                let because = self.paint.faint(printable(&step.because));
                self.below(&format!("{:9}{because}", ""));
            }
        }
    }

    /// Adds the headers for the upstream (on allow) or the client (on deny, or for an answered
    /// preflight).
    pub fn headers(&mut self, explanation: &Explanation) {
        let headers = &explanation.headers.0;
        if headers.is_empty() {
            return;
        }
        let passed_on = explanation.reason.is_none() && explanation.status != ANSWERED_PREFLIGHT;
        self.item(
            "headers",
            if passed_on {
                " that the application gets"
            } else {
                " that the client gets"
            },
        );
        for (name, value) in headers {
            self.below(&format!("{name}: {}", printable(value)));
        }
    }
}
