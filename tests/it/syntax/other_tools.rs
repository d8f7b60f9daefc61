//! The syntax of other tools, and other mistakes of newcomers: each is one error, and its help
//! leads to the fix.

mod written;

use portcullis::diagnostic::Severity;

use super::suggestions::applied;
use super::*;
use crate::support::policy::check_text;
use written::WRITTEN;

const HEAD: &str = "language 1\n\nissuer idp {\n    url  \"https://id.example.com/\"\n}\n\n\
                    api a {\n    host      \"api.example.com\"\n    issuer    idp\n    audience  \"x\"\n\n";

/// A policy with this line in its API.
fn with_line(line: &str) -> String {
    format!("{HEAD}    {line}\n}}\n")
}

/// The only error of a text, or all its errors.
fn only_error(text: &str) -> Result<Diagnostic, String> {
    let set = check_text(text);
    let errors: Vec<Diagnostic> = set
        .checked
        .diagnostics
        .into_iter()
        .filter(|diagnostic| diagnostic.severity() == Severity::Error)
        .collect();
    match errors.as_slice() {
        [error] => Ok(error.clone()),
        errors => Err(errors
            .iter()
            .map(|error| format!("\n  {} ({:?})", error.message, error.help))
            .collect()),
    }
}

#[test]
fn what_other_tools_write_is_one_error_that_leads_to_the_fix() {
    let mut wrong = Vec::new();
    for (line, help, fixed) in WRITTEN {
        let text = with_line(line);
        let error = match only_error(&text) {
            Ok(error) => error,
            Err(errors) => {
                wrong.push(format!("{line}: not one error:{errors}"));
                continue;
            }
        };
        let said = error.help.clone().unwrap_or_default();
        let made = error
            .suggestion
            .as_ref()
            .map(|suggestion| applied(&text, suggestion));
        let wanted = fixed.map(with_line);
        if !said.contains(help) || said.is_empty() || made != wanted {
            wrong.push(format!(
                "{line}\n  {}\n  help: {said}\n  made: {:?}",
                error.message,
                made.and_then(|text| text.lines().nth(11).map(str::to_owned))
            ));
        }
        if fixed.is_some() {
            let (_, left) = parse(&text_after(&text, &error));
            if !left.is_empty() {
                wrong.push(format!("{line}: {left:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn text_after(text: &str, error: &Diagnostic) -> String {
    error
        .suggestion
        .as_ref()
        .map_or_else(|| text.to_owned(), |suggestion| applied(text, suggestion))
}

/// A host, a URL and a file of another format, outside of routes.
#[test]
fn other_mistakes_are_one_error_too() {
    for (from, to, help) in [
        (
            "\"api.example.com\"",
            "\"api.example.com:*\"",
            "leave it out",
        ),
        ("\"api.example.com\"", "\"2001:db8::5\"", "[2001:db8::5]"),
        ("\"api.example.com\"", "api.example.com", "in quotes"),
        (
            "\"https://id.example.com/\"",
            "https://id.example.com/",
            "in quotes",
        ),
        (
            "\"https://id.example.com/\"",
            "\"https://id.example.com/",
            "end it with",
        ),
        ("\"api.example.com\"", "“api.example.com”", "between"),
        (
            "\"https://id.example.com/\"",
            "“https://id.example.com/”",
            "between",
        ),
        ("audience  \"x\"", "audience: \"x\"", "spaces"),
        ("audience  \"x\"", "audience = \"x\"", "space"),
        ("audience  \"x\"", "AUDIENCE \"x\"", ""),
    ] {
        let text = with_line("GET /a public").replace(from, to);
        let error = only_error(&text).unwrap_or_else(|errors| panic!("{to}: {errors}"));
        let said = error.help.clone().unwrap_or_default();
        assert!(said.contains(help), "{to}: {said}");
        if let Some(suggestion) = &error.suggestion {
            let (_, left) = parse(&applied(&text, suggestion));
            assert!(left.is_empty(), "{to}: {left:#?}");
        }
    }
}

/// A file in another language is reported once, not line by line.
#[test]
fn a_file_of_another_format_is_one_error() {
    for (text, format) in [
        (
            "routes:\n  - path: /a\n    methods: [GET]\n    access: public\n",
            "YAML",
        ),
        ("---\napiVersion: v1\nkind: Policy\n", "YAML"),
        ("- path: /a\n  access: public\n", "YAML"),
        ("{\n  \"routes\": [{ \"path\": \"/a\" }]\n}\n", "JSON"),
        ("[\n  { \"path\": \"/a\" }\n]\n", "JSON"),
        (
            "package authz\n\ndefault allow := false\n\nallow if { input.method == \"GET\" }\n",
            "Rego",
        ),
        (
            "permit (\n  principal,\n  action == Action::\"view\",\n  resource\n);\n",
            "Cedar",
        ),
        ("<policy>\n  <rule/>\n</policy>\n", "XML"),
        ("p, alice, /a, GET\np, bob, /b, POST\n", "Casbin"),
        ("server {\n  location / { deny all; }\n}\n", "nginx"),
    ] {
        let (_, errors) = parse(text);
        let [error] = errors.as_slice() else {
            panic!("{errors:#?}\n{text}");
        };
        assert!(error.message.contains(format), "{}", error.message);
        let help = error.help.as_deref().unwrap_or_default();
        assert!(help.contains("GET /orders"), "{help}");
    }
}
