//! Broken and malicious documents.

use std::fmt::Write;

use portcullis::openapi::{Document, Security, compare, limits};

use super::{document, imported, policy, round};

fn refused(text: &str) -> String {
    match Document::parse(text.as_bytes()) {
        Ok(document) => panic!("it was read: {document:#?}"),
        Err(error) => match error.line {
            Some(line) => format!("{line}: {}", error.message),
            None => error.message,
        },
    }
}

#[test]
fn what_is_no_document_is_refused() {
    for (text, message) in [
        ("", "the document is empty"),
        ("# nothing\n", "the document is empty"),
        ("just words", "the document is not a mapping"),
        ("[1, 2]", "the document is not a mapping"),
        (
            "a: b",
            "the document has no member `openapi`, so it is not an OpenAPI document",
        ),
        (
            "swagger: '2.0'\npaths: {}",
            "the document is Swagger 2.0, not OpenAPI 3",
        ),
        ("openapi: 3.3.0\npaths: {}", "can't read OpenAPI `3.3.0`"),
        ("openapi: 3.00\npaths: {}", "can't read OpenAPI `3.00`"),
        ("{\"openapi\": 3.0}", "the member `openapi` is not a string"),
        ("openapi: 3.0.0\npaths: []", "`paths` is not a mapping"),
        (
            "openapi: 3.0.0\n---\nopenapi: 3.0.0",
            "2: a second document begins in the file",
        ),
        (
            "openapi: 3.0.0\npaths: {}\npaths: {}",
            "3: the member `paths` appears twice",
        ),
        (
            "openapi: 3.0.0\n? [a]\n: b",
            "2: a name is a list or a mapping",
        ),
        (
            "openapi: 3.0.0\nx: &a\n  - *a",
            "3: an alias is inside the value that it names",
        ),
        (
            "openapi: 3.0.0\nx:\n  <<: 1",
            "3: `<<` names neither a mapping nor a list of mappings",
        ),
        (
            "openapi: 3.0.0\nservers: [{}]\npaths: {}",
            "a server has no `url`",
        ),
        (
            "openapi: 3.0.0\nsecurity: {}\npaths: {}",
            "2: a `security` is not a list",
        ),
        (
            "openapi: 3.0.0\nsecurity: [a]\npaths: {}",
            "2: a `security` lists something other than a mapping of schemes",
        ),
        (
            "openapi: 3.0.0\nsecurity:\n- a: [[b]]\npaths: {}",
            "3: what a `security` asks of `a` is not a list of strings",
        ),
        (
            "openapi: 3.0.0\nsecurity:\n- a: b\npaths: {}",
            "3: what a `security` asks of `a` is not a list of strings",
        ),
        (
            "openapi: 3.0.0\nsecurity:\n- a: []\npaths: {}",
            "3: the document has no security scheme `a`, but asks for it",
        ),
        (
            "openapi: 3.0.0\ncomponents:\n  securitySchemes:\n    a: { typ: oauth2 }",
            "4: a security scheme has no `type`",
        ),
        (
            "openapi: 3.0.0\ncomponents:\n  securitySchemes:\n    a: { type: oauth }",
            "4: `oauth` is not a type of security schemes",
        ),
        (
            "openapi: 3.0.0\npaths:\n  /a:\n    get:\n",
            "4: the operation GET `/a` is not a mapping",
        ),
        (
            "openapi: 3.0.0\npaths:\n  /a: [get]\n",
            "3: the path item of `/a` is not a mapping",
        ),
        (
            "openapi: 3.0.0\npaths:\n  /a: { get: { servers: a } }\n",
            "3: `servers` is not a list",
        ),
        (
            "openapi: 3.0.0\npaths:\n  /a: { $ref: 'https://example.com/a.yaml' }",
            "3: the `$ref` `https://example.com/a.yaml` leads out of the document",
        ),
        (
            "openapi: 3.0.0\npaths:\n  /a: { $ref: '#/nowhere' }",
            "3: the `$ref` `#/nowhere` leads nowhere",
        ),
        (
            "openapi: 3.0.0\npaths:\n  /a: { $ref: '#/paths/~1b' }\n  /b: { $ref: '#/paths/~1a' }",
            "3: more than 32 `$ref`s lead from one to the next",
        ),
    ] {
        assert_eq!(refused(text), message, "{text}");
    }
    for (bytes, message) in [
        (&b"\xff\xfe"[..], "the document is not UTF-8"),
        (
            &b"{\"openapi\": \"3.0.0\", \"openapi\": \"3.0.0\"}"[..],
            "the document is not JSON",
        ),
        (
            &b"{\"openapi\": \"3.0.0\"} x"[..],
            "the document is not JSON",
        ),
        (
            &b"openapi: 3.0.0\n\tpaths: {}"[..],
            "the document is not YAML",
        ),
        (&b"openapi: *nobody"[..], "the document is not YAML"),
    ] {
        let error = Document::parse(bytes).expect_err("it is none");
        assert!(error.message.starts_with(message), "{error}");
    }
}

#[test]
fn pointers_are_read_with_their_escapes() {
    let document = document(
        "openapi: 3.1.0\npaths:\n  /a: { $ref: '#/components/pathItems/x~1y~0%7Bz%7D', put: {} }\n\
         components:\n  pathItems:\n    'x/y~{z}': { get: {}, post: { operationId: other } }\n",
    );
    let methods: Vec<&str> = document
        .operations
        .iter()
        .map(|operation| operation.method.as_str())
        .collect();
    assert_eq!(methods, ["PUT", "GET", "POST"]);
}

#[test]
fn merged_members_and_aliases_are_members() {
    let document = document(
        "openapi: 3.0.0\nx-base: &base\n  get: &get\n    operationId: one\n    security: []\n\
         paths:\n  /a:\n    <<: *base\n    post: *get\n  /b: *base\n",
    );
    assert_eq!(document.operations.len(), 3);
    assert!(
        document
            .operations
            .iter()
            .all(|operation| operation.security == Security::Public)
    );
}

/// A document of one kilobyte that would be gigabytes with its aliases expanded.
#[test]
fn an_alias_bomb_stays_small() {
    let mut text = String::from("openapi: 3.0.0\nx-0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..40 {
        let alias = format!("*a{}", level - 1);
        writeln!(
            text,
            "x-{level}: &a{level} [{}]",
            [alias.as_str(); 10].join(", ")
        )
        .expect("a string can be written");
    }
    text.push_str("paths:\n  /a: { get: { security: *a39 } }\n");
    assert_eq!(
        refused(&text),
        "43: a `security` lists something other than a mapping of schemes"
    );

    let mut text = String::from("openapi: 3.0.0\nx-0: &a0 { a: 1 }\n");
    for level in 1..4_000 {
        writeln!(
            text,
            "x-{level}: &a{level} {{ <<: *a{}, m{level}: 1 }}",
            level - 1
        )
        .expect("a string can be written");
    }
    let message = refused(&text);
    assert!(
        message.ends_with(&format!("more than {} values", limits::MAX_NODES)),
        "{message}"
    );
}

#[test]
fn what_is_too_large_or_too_deep_is_refused() {
    let large = "#".repeat(50 << 20);
    assert_eq!(refused(&large), "the document is larger than 32 MiB");
    for text in [
        format!("openapi: 3.0.0\nx: {}", "[".repeat(100_000)),
        format!("{{\"openapi\": \"3.0.0\", \"x\": {}", "[".repeat(100_000)),
        format!("openapi: 3.0.0\nx:\n  {}", "- ".repeat(10_000)),
    ] {
        let message = refused(&text);
        assert!(
            message.contains("deeper") || message.contains("recursion"),
            "{message}"
        );
    }
    let mut text = String::from("openapi: 3.0.0\npaths:\n");
    for number in 0..=limits::MAX_OPERATIONS {
        writeln!(text, "  /a{number}: {{ get: {{}} }}").expect("a string can be written");
    }
    assert_eq!(
        refused(&text),
        format!(
            "{}: the document has more than {} operations, once for each server",
            limits::MAX_OPERATIONS + 3,
            limits::MAX_OPERATIONS
        )
    );
}

/// Names, titles and scopes are written by others: none of them becomes a part of the policy that
/// it isn't meant to be.
#[test]
fn what_a_document_says_cannot_break_out_of_the_policy() {
    let document = document(
        r##"
openapi: 3.0.0
info: { title: "x\n}\napi evil { GET /** public }", version: "1" }
servers: [{ url: "https://api.example.com" }]
security: [{ login: ["a\" or true #"] }]
paths:
  "/a}\n* /** public": { get: {} }
  "/{x} public\n": { get: {} }
  "/{a\"b\n}": { get: { security: [] } }
  "/b": { get: {} }
  "/c": { get: { security: [{ "evil\nscheme": [] }] } }
components:
  securitySchemes:
    "evil\nscheme": { type: apiKey }
    login:
      type: oauth2
      flows:
        implicit: { authorizationUrl: "https://login.example.com/\" }", scopes: { "b\"\n}": "" } }
"##,
    );
    let imported = imported(&document);
    let lines: Vec<String> = imported
        .text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| line.starts_with(['G', '*']))
        .collect();
    assert_eq!(
        lines,
        ["GET /{a_b} public", "GET /b denied", "GET /c authenticated"]
    );
    let report = compare(&document, &policy(&imported.text), None).expect("a report");
    assert!(!report.findings.is_empty());
}

#[test]
fn an_empty_document_makes_an_empty_policy() {
    let (report, text) = round(&document("openapi: 3.1.0\ninfo: {}\n"));
    assert_eq!((report.operations, report.findings.len()), (0, 0), "{text}");
}
