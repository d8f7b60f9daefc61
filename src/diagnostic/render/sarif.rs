//! Output for code scanning: SARIF 2.1.0 (OASIS Standard).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Finding, Region, ordered, region, severity};
use crate::diagnostic::{Code, Diagnostic, Label};
use crate::source::{Sources, Span};

/// All diagnostics as one SARIF log with one run, with a line end.
pub fn sarif(sources: &Sources, diagnostics: &[Diagnostic]) -> String {
    let ordered = ordered(diagnostics);
    let codes: Vec<Code> = ordered
        .iter()
        .map(|diagnostic| diagnostic.code)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let rules: Vec<Value> = codes.iter().map(|code| rule(*code)).collect();
    let results: Vec<Value> = ordered
        .iter()
        .map(|diagnostic| result(sources, &codes, diagnostic))
        .collect();
    log(&rules, &results)
}

/// All findings as one SARIF log with one run, with a line end.
pub fn sarif_findings(sources: &Sources, findings: &[Finding]) -> String {
    let ids: BTreeMap<&str, &str> = findings
        .iter()
        .map(|finding| (finding.id, finding.title))
        .collect();
    let rules: Vec<Value> = ids
        .iter()
        .map(|(id, title)| json!({"id": id, "shortDescription": {"text": title}}))
        .collect();
    let results: Vec<Value> = findings
        .iter()
        .map(|finding| {
            json!({
                "ruleId": finding.id,
                "ruleIndex": ids.keys().position(|id| *id == finding.id),
                "level": severity(finding.severity),
                "message": {"text": finding.message},
                "locations": physical(sources, finding.span)
                    .map(|place| json!({"physicalLocation": place}))
                    .into_iter()
                    .collect::<Vec<_>>(),
            })
        })
        .collect();
    log(&rules, &results)
}

fn log(rules: &[Value], results: &[Value]) -> String {
    super::print_json(&json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "portcullis",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    }))
}

fn rule(code: Code) -> Value {
    json!({
        "id": code.as_str(),
        "shortDescription": {"text": code.summary()},
        "defaultConfiguration": {"level": severity(code.severity())},
    })
}

fn result(sources: &Sources, codes: &[Code], diagnostic: &Diagnostic) -> Value {
    let mut text = diagnostic.message.clone();
    if let Some(help) = &diagnostic.help {
        text.push_str("\nhelp: ");
        text.push_str(help);
    }
    let mut result = json!({
        "ruleId": diagnostic.code.as_str(),
        "ruleIndex": codes.iter().position(|code| *code == diagnostic.code),
        "level": severity(diagnostic.severity()),
        "message": {"text": text},
        "locations": diagnostic
            .primary
            .iter()
            .filter_map(|label| location(sources, label, None))
            .collect::<Vec<_>>(),
    });
    let related: Vec<Value> = diagnostic
        .secondary
        .iter()
        .zip(1..)
        .filter_map(|(label, id)| location(sources, label, Some(id)))
        .collect();
    if !related.is_empty() {
        result["relatedLocations"] = Value::Array(related);
    }
    if let Some(suggestion) = &diagnostic.suggestion
        && let Some(place) = region(sources, suggestion.span)
    {
        result["fixes"] = json!([{
            "description": {"text": format!("write `{}`", suggestion.replacement)},
            "artifactChanges": [{
                "artifactLocation": {"uri": uri(place.file)},
                "replacements": [{
                    "deletedRegion": lines(&place),
                    "insertedContent": {"text": suggestion.replacement},
                }],
            }],
        }]);
    }
    result
}

fn location(sources: &Sources, label: &Label, id: Option<u32>) -> Option<Value> {
    let mut location = json!({"physicalLocation": physical(sources, label.span)?});
    if let Some(id) = id {
        location["id"] = id.into();
    }
    if !label.message.is_empty() {
        location["message"] = json!({"text": label.message});
    }
    Some(location)
}

fn physical(sources: &Sources, span: Span) -> Option<Value> {
    let place = region(sources, span)?;
    Some(json!({
        "artifactLocation": {"uri": uri(place.file)},
        "region": lines(&place),
    }))
}

fn lines(place: &Region<'_>) -> Value {
    json!({
        "startLine": place.start.line,
        "startColumn": place.start.column,
        "endLine": place.end.line,
        "endColumn": place.end.column,
    })
}

/// A path as a URI reference (RFC 3986, section 4.1); an absolute one as a `file` URI.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    if path.starts_with('/') {
        uri.push_str("file://");
    }
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            _ => {
                // Writing to a string can't fail.
                let _written = write!(uri, "%{byte:02X}");
            }
        }
    }
    uri
}
