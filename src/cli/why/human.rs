//! The answer as an expert would give it: the decision, the line of the policy that made it, the
//! reason in a sentence, what each condition came to, and what to do.

use serde_json::Value;

use super::super::output::{Paint, printable};
use super::request::Asked;
use crate::load::Loaded;
use crate::source::Sources;

/// The whole report.
pub fn report(
    explanation: &Value,
    asked: &Asked,
    signature: Option<&str>,
    loaded: &Loaded,
    paint: Paint,
) -> String {
    let mut report = Report {
        text: String::new(),
        paint,
    };
    report.decision(explanation);
    report.line(&format!("  {}", printable(&asked.shown())));
    report.rule(explanation, &loaded.sources);
    report.why(explanation);
    if text(explanation, "reason") == Some("request.no_route") {
        report.near(asked, loaded);
    }
    report.token(explanation, signature);
    report.trace(explanation);
    report.headers(explanation);
    if let Some(reason) = text(explanation, "reason") {
        report.item("more", &format!("portcullis why --reason {reason}"));
    }
    report.text
}

fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name).and_then(Value::as_str)
}

struct Report {
    text: String,
    paint: Paint,
}

/// How wide the names of the report's items are.
const ITEM_WIDTH: usize = 7;

impl Report {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn item(&mut self, name: &str, what: &str) {
        let name = self.paint.strong(format!("{name:ITEM_WIDTH$}"));
        self.line(&format!("\n  {name}{}", printable(what)));
    }

    fn below(&mut self, what: &str) {
        self.line(&format!("  {:ITEM_WIDTH$}{what}", ""));
    }

    fn decision(&mut self, explanation: &Value) {
        let line = if text(explanation, "decision") == Some("allow") {
            self.paint.good("ALLOWED")
        } else {
            let status = explanation
                .get("status")
                .and_then(Value::as_u64)
                .unwrap_or(0);
            let reason = text(explanation, "reason").unwrap_or("");
            format!(
                "{}  {status} {}",
                self.paint.bad("DENIED"),
                self.paint.strong(reason)
            )
        };
        self.line(&line);
    }

    /// The route that answered, and the line of the policy that decided.
    fn rule(&mut self, explanation: &Value, sources: &Sources) {
        let route = match (text(explanation, "route"), text(explanation, "api")) {
            (Some(route), Some(api)) => format!("{route}  of {api}"),
            (None, Some(api)) => format!("no route of {api}"),
            (_, None) => "no API of the policy".to_owned(),
        };
        self.item("rule", &route);
        let Some(place) = text(explanation, "policy") else {
            return;
        };
        self.below(&self.paint.faint(printable(place)));
        if let Some(line) = source_line(sources, place) {
            self.below(&format!("    {}", printable(line.trim())));
        }
    }

    fn why(&mut self, explanation: &Value) {
        if let Some(hint) = text(explanation, "hint") {
            self.item("why", hint);
        }
    }

    /// What there is instead, where no route is found: a host or a method is soon mistyped.
    fn near(&mut self, asked: &Asked, loaded: &Loaded) {
        let hosts = asked.other_hosts(loaded);
        if !hosts.is_empty() {
            self.item(
                "near",
                &format!("the policy's hosts are {}", hosts.join(", ")),
            );
            return;
        }
        let methods = asked.other_methods(loaded);
        if methods.is_empty() {
            self.item("near", "`portcullis routes` lists what there is");
        } else {
            self.item(
                "near",
                &format!("this path has routes for {}", methods.join(", ")),
            );
        }
    }

    fn token(&mut self, explanation: &Value, signature: Option<&str>) {
        let Some(token) = explanation.get("token") else {
            return;
        };
        let Some(kind) = text(token, "kind") else {
            let none = if text(explanation, "reason") == Some("token.missing") {
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
        let issuer = text(token, "issuer").map(|issuer| format!(" of {issuer}"));
        let subject = text(token, "subject").map(|subject| format!(" for {subject}"));
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

    /// What each condition came to.
    fn trace(&mut self, explanation: &Value) {
        let steps = explanation
            .get("trace")
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        if steps.is_empty() {
            return;
        }
        self.item("asked", "in this order");
        for step in steps {
            let value = text(step, "value").unwrap_or("");
            let mark = match value {
                "true" => self.paint.good("yes    "),
                "false" => self.paint.bad("no     "),
                _ => self.paint.note("missing"),
            };
            let condition = printable(text(step, "condition").unwrap_or(""));
            self.below(&format!("{mark}  {condition}"));
            if let Some(because) = text(step, "because").filter(|because| !because.is_empty()) {
                let because = self.paint.faint(printable(because));
                self.below(&format!("{:9}{because}", ""));
            }
        }
    }

    /// What the upstream (on allow) or the client (on deny) gets to see.
    fn headers(&mut self, explanation: &Value) {
        let Some(headers) = explanation.get("headers").and_then(Value::as_object) else {
            return;
        };
        if headers.is_empty() {
            return;
        }
        let allowed = text(explanation, "decision") == Some("allow");
        self.item(
            "headers",
            if allowed {
                " that the application gets"
            } else {
                " that the client gets"
            },
        );
        for (name, value) in headers {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            self.below(&format!("{name}: {}", printable(&value)));
        }
    }
}

/// The text of a line, by `file:line`.
fn source_line<'s>(sources: &'s Sources, place: &str) -> Option<&'s str> {
    let (file, line) = place.rsplit_once(':')?;
    let line: usize = line.parse().ok()?;
    sources
        .iter()
        .find(|(_, source)| source.name == file)
        .and_then(|(_, source)| source.text.lines().nth(line.checked_sub(1)?))
}
