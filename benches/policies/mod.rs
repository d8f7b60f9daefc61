//! Policies of any size, as a team would write them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use portcullis::check::{Files, Input, check};
use portcullis::compile::compile;
use portcullis::diagnostic::{has_errors, render};
use portcullis::engine::Policy;
use portcullis::source::Sources;
use portcullis::syntax;

/// Routes below one resource.
const ROUTES_PER_RESOURCE: usize = 5;

/// A policy of one API with that many routes.
pub fn text(routes: usize) -> String {
    let mut text = String::from(
        r#"issuer acme {
    url "https://acme.example/"
    claims {
        org    string
        plan   string
        roles  list of string
    }
}

api shop {
    host      "api.example.com"
    issuer    acme
    audience  "https://api.example.com"
    forward   sub as "x-user-id"

"#,
    );
    for resource in 0..routes.div_ceil(ROUTES_PER_RESOURCE) {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            r#"    GET     /v1/r{resource}                requires scope "r{resource}:read"
    POST    /v1/r{resource}                requires scope "r{resource}:write" and claim plan in ["pro", "team"]
    GET     /v1/r{resource}/{{id}}           requires scope "r{resource}:read" and (claim org == path.id or claim roles contains "support")
    DELETE  /v1/r{resource}/{{id}}           requires scope "r{resource}:write" and claim roles contains "admin"
    GET     /v1/r{resource}/{{id}}/{{name}}.csv  requires scope any ["r{resource}:read", "r{resource}:export"]
"#
        );
    }
    text.push_str(
        r#"}

guard POST, PUT, PATCH, DELETE /v1/** of shop
    requires claim sub not in suspended

set suspended = ["mallory", "trudy"]
"#,
    );
    text
}

/// Loads a policy text.
pub fn load(text: &str) -> Policy {
    let mut sources = Sources::new();
    let file = sources.add("bench.gate", text);
    let (document, found) = syntax::parse(&sources, file);
    assert!(
        found.is_empty(),
        "{}",
        render::human(&sources, &found, false)
    );
    let checked = check(&Input {
        sources: &sources,
        documents: &[document],
        files: &Files::new(),
        params: &BTreeMap::new(),
    });
    let shown = render::human(&sources, &checked.diagnostics, false);
    assert!(!has_errors(&checked.diagnostics), "{shown}");
    compile(checked.model.expect("a model"), Arc::new(sources))
}
