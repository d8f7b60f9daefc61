//! `portcullis coverage`: compares an API's document with a policy.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::Ended;
use super::openapi;
use super::output::{self, Exit, Failure, Format, Paint, printable};
use super::policy::{self, ParamArguments};
use super::replay::format::LogArguments;
use super::replay::usage;
use crate::openapi::{Finding, FindingKind, OperationRef, Report, Side, compare};

/// Compare a policy with an OpenAPI document, or with the requests of a log.
///
/// With a document, lists operations without a rule, rules without an operation, and rules that require different
/// scopes or divide paths differently. Guards and the conditions of enclosing blocks count as part of
/// each rule.
///
/// With a log, lists requests that no rule names, rules that no request used, and scopes that every
/// token had and no rule names. For the scopes, the log needs `log.record: inputs`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portcullis coverage policies/spa --openapi openapi.yaml
  portcullis coverage policies --openapi openapi.json --api orders
  portcullis coverage policies --log decisions.jsonl
  portcullis coverage policies --openapi openapi.yaml --format json \\
    | jq -r '.findings[] | select(.kind == \"no-rule\") | .operations[].path'

A policy with several APIs is compared with the one whose host the document's `servers` name.

Exit codes: 0 no difference; 1 a difference, or a policy with errors; 2 a file that cannot be read.")]
pub struct Arguments {
    /// The policy: folders or files
    #[arg(required = true)]
    policy: Vec<PathBuf>,
    /// The document: OpenAPI 3.0, 3.1 or 3.2, YAML or JSON; `-` is standard input
    #[arg(long, value_name = "FILE", required_unless_present = "logs")]
    openapi: Option<PathBuf>,
    /// A log in place of a document, or - for standard input; may be repeated
    #[arg(long = "log", value_name = "FILE", num_args = 1.., conflicts_with = "openapi")]
    logs: Vec<PathBuf>,
    /// Follow `$ref`s into files below this folder; by default, none may lead out of the document
    #[arg(long, value_name = "FOLDER", requires = "openapi")]
    root: Option<PathBuf>,
    /// The policy's API that the document describes
    #[arg(long, value_name = "NAME", requires = "openapi")]
    api: Option<String>,
    #[command(flatten)]
    params: ParamArguments,
    /// The format of the report
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    log: LogArguments,
}

impl Arguments {
    /// The document, which is named unless a log is.
    fn document(&self) -> &Path {
        self.openapi.as_deref().unwrap_or(Path::new(""))
    }
}

/// Prints the report.
pub fn run(arguments: &Arguments) -> Ended {
    let Some(document) = &arguments.openapi else {
        let options = arguments.params.options();
        return usage::run(
            &arguments.policy,
            &arguments.logs,
            &arguments.log,
            &options,
            arguments.format,
        );
    };
    let document = openapi::read(document, arguments.root.as_deref())?;
    let (_, policy) = policy::load_policy(&arguments.policy, &arguments.params.options())?;
    let report = compare(&document, &policy, arguments.api.as_deref()).map_err(|error| {
        let failure = Failure::new(error.message);
        match error.help {
            Some(help) => failure.help(help),
            None => failure,
        }
    })?;
    let text = match arguments.format {
        Format::Human => human(&report, arguments, Paint::of(&std::io::stdout())),
        Format::Json => output::json(&as_json(&report, arguments, &document.version))?,
    };
    output::print_all(&text)?;
    Ok(if report.findings.is_empty() {
        Exit::Good
    } else {
        Exit::Negative
    })
}

fn human(report: &Report, arguments: &Arguments, paint: Paint) -> String {
    let mut text = String::new();
    let mut kind: Option<FindingKind> = None;
    for finding in &report.findings {
        if kind != Some(finding.kind) {
            if kind.is_some() {
                text.push('\n');
            }
            text.push_str(&format!("{}\n", paint.strong(finding.kind.heading())));
            kind = Some(finding.kind);
        }
        text.push_str(&format!("  {}\n", printable(&line(finding, arguments))));
    }
    if kind.is_some() {
        text.push('\n');
    }
    for note in &report.notes {
        text.push_str(&format!("{} {}\n", paint.note("note:"), printable(note)));
    }
    let counted = match report.operations {
        1 => "1 operation".to_owned(),
        operations => format!("{operations} operations"),
    };
    text.push_str(&match report.findings.len() {
        0 => format!("{} {counted}, no difference\n", paint.good("ok:")),
        found => format!(
            "{counted}, {} as the policy has them; {found} difference{}\n",
            report.agreeing,
            if found == 1 { "" } else { "s" }
        ),
    });
    text
}

/// How many operations of a finding are named.
const MAX_NAMED: usize = 3;

/// A finding on one line: the operation and its place, the rule and its place, the difference.
fn line(finding: &Finding, arguments: &Arguments) -> String {
    let rule = finding
        .rule
        .as_ref()
        .map(|rule| format!("`{}` ({})", rule.name, rule.place));
    let operations = operations(&finding.operations, arguments);
    match (finding.kind, rule) {
        // These findings are mainly about a rule.
        (FindingKind::Broad, Some(rule)) => format!("{rule}: {}: {operations}", finding.message),
        (FindingKind::NoOperation, Some(rule)) => rule,
        (_, Some(rule)) => format!("{operations}: {rule}: {}", finding.message),
        (_, None) => format!("{operations}: {}", finding.message),
    }
}

fn operations(operations: &[OperationRef], arguments: &Arguments) -> String {
    let mut named: Vec<String> = operations
        .iter()
        .take(MAX_NAMED)
        .map(|operation| {
            let file = file(operation, arguments);
            let place = match operation.line {
                Some(line) => format!("{file}:{line}"),
                None => file,
            };
            let id = operation
                .id
                .as_ref()
                .map_or_else(String::new, |id| format!(" {id}"));
            format!("{} {}{id} ({place})", operation.method, operation.path)
        })
        .collect();
    if let Some(more) = operations
        .len()
        .checked_sub(MAX_NAMED)
        .filter(|more| *more > 0)
    {
        named.push(format!("and {more} more"));
    }
    named.join(", ")
}

fn as_json(report: &Report, arguments: &Arguments, version: &str) -> Value {
    let findings: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| {
            let operations: Vec<Value> = finding
                .operations
                .iter()
                .map(|operation| {
                    json!({
                        "method": operation.method,
                        "path": operation.path,
                        "operationId": operation.id,
                        "file": file(operation, arguments),
                        "line": operation.line,
                    })
                })
                .collect();
            json!({
                "kind": finding.kind.code(),
                "operations": operations,
                "rule": finding.rule.as_ref().map(|rule| json!({
                    "api": rule.api,
                    "name": rule.name,
                    "policy": rule.place,
                })),
                "document": finding.document.as_ref().map(side),
                "policy": finding.policy.as_ref().map(side),
                "message": finding.message,
            })
        })
        .collect();
    json!({
        "document": arguments.document().display().to_string(),
        "openapi": version,
        "operations": report.operations,
        "agreeing": report.agreeing,
        "findings": findings,
        "notes": report.notes,
    })
}

fn file(operation: &OperationRef, arguments: &Arguments) -> String {
    openapi::shown(
        &operation.file,
        arguments.document(),
        arguments.root.as_deref(),
    )
}

fn side(side: &Side) -> Value {
    json!({ "access": side.access, "scopes": side.scopes })
}
