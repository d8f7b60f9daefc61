//! Differences between versions of OpenAPI: methods.

use portcullis::openapi::{FindingKind, Security, compare};

use super::{document, imported, policy};

/// A document of OpenAPI 3.2 with this path item.
fn of_3_2(item: &str) -> String {
    format!(
        "openapi: 3.2.0\ninfo: {{ title: Store }}\nservers: [{{ url: 'https://api.example.com' }}]\n\
         security: [{{ login: [use] }}]\npaths:\n  /a:\n{item}\
         components:\n  securitySchemes:\n    login: {{ type: http, scheme: bearer }}\n"
    )
}

#[test]
fn query_and_additional_operations_are_operations() {
    let document = document(&of_3_2(
        "    query: {}\n    additionalOperations:\n      COPY: { security: [] }\n      x-note: none\n",
    ));
    let methods: Vec<&str> = document
        .operations
        .iter()
        .map(|operation| operation.method.as_str())
        .collect();
    assert_eq!(methods, ["QUERY", "COPY"]);
    assert_ne!(document.operations[0].security, Security::Public);
    let imported = imported(&document);
    let text = imported
        .text
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    for line in [
        "QUERY /a requires claim roles contains \"use\"",
        "COPY /a public",
    ] {
        assert!(text.contains(line), "{}", imported.text);
    }
    let report = compare(&document, &policy(&imported.text), None).expect("a report");
    assert_eq!(report.findings, []);
}

/// A policy can name registered methods only. An operation with another one is never dropped
/// silently.
#[test]
fn a_method_that_no_rule_can_name_is_reported() {
    let document = document(&of_3_2(
        "    get: {}\n    additionalOperations:\n      PURGE: {}\n      copy: {}\n",
    ));
    let imported = imported(&document);
    for method in ["PURGE", "copy"] {
        let comment =
            format!("# Left out: `{method}` `/a`: no rule can name the method `{method}`.");
        assert!(imported.text.contains(&comment), "{}", imported.text);
    }
    assert!(
        imported.notes.contains(
            &"2 operations that no rule can express: left out, with a comment".to_owned()
        ),
        "{:?}",
        imported.notes
    );
    let report = compare(&document, &policy(&imported.text), None).expect("a report");
    let kinds: Vec<FindingKind> = report.findings.iter().map(|one| one.kind).collect();
    assert_eq!(
        kinds,
        [FindingKind::Inexpressible, FindingKind::Inexpressible]
    );
    assert_eq!((report.operations, report.agreeing), (3, 1));
}

#[test]
fn a_method_with_a_member_of_its_own_is_no_additional_one() {
    let text = of_3_2("    additionalOperations:\n      POST: {}\n");
    let error = portcullis::openapi::Document::parse(text.as_bytes()).expect_err("a POST");
    assert_eq!(
        error.message,
        "`POST` can't stand in `additionalOperations`"
    );
    assert_eq!(error.line, Some(8));
}

#[test]
fn a_member_that_the_version_does_not_have_is_noted() {
    let text = of_3_2("    query: {}\n    GET: {}\n    x-a: {}\n    get: {}\n");
    let notes = |version: &str| document(&text.replace("3.2.0", version)).notes;
    assert_eq!(
        notes("3.1.0"),
        [
            "left out of `/a`: OpenAPI 3.1.0 has no member `GET` of a path",
            "left out of `/a`: OpenAPI 3.1.0 has no member `query` of a path",
        ]
    );
    assert_eq!(
        notes("3.2.0"),
        ["left out of `/a`: OpenAPI 3.2.0 has no member `GET` of a path"]
    );
}
