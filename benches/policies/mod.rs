//! Policies of any size, similar to those of a team.

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

/// Resources in one file: files have a size limit, and teams have their own files.
const RESOURCES_PER_FILE: usize = 5_000;

/// A policy of one API with this many routes, as files.
pub fn texts(routes: usize) -> Vec<String> {
    let resources: Vec<usize> = (0..routes.div_ceil(ROUTES_PER_RESOURCE)).collect();
    let mut texts = vec![SETTINGS.to_owned()];
    texts.extend(resources.chunks(RESOURCES_PER_FILE).map(|resources| {
        let mut text = String::from("api shop {\n");
        for resource in resources {
            routes_of(*resource, &mut text);
        }
        text.push_str("}\n");
        text
    }));
    texts
}

const SETTINGS: &str = r#"
issuer acme {
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
}

guard POST, PUT, PATCH, DELETE /v1/** of shop
    requires claim sub not in suspended

set suspended = ["mallory", "trudy"]
"#;

fn routes_of(resource: usize, text: &mut String) {
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

/// Loads a policy.
pub fn load(texts: &[String]) -> Policy {
    let mut sources = Sources::new();
    let mut documents = Vec::new();
    for (at, text) in texts.iter().enumerate() {
        let file = sources.add(format!("{at}.gate"), text.as_str());
        let (document, found) = syntax::parse(&sources, file);
        assert!(
            found.is_empty(),
            "{}",
            render::human(&sources, &found, false)
        );
        documents.push(document);
    }
    let checked = check(Input {
        sources: &sources,
        documents,
        files: &Files::new(),
        params: &BTreeMap::new(),
    });
    let shown = render::human(&sources, &checked.diagnostics, false);
    assert!(!has_errors(&checked.diagnostics), "{shown}");
    compile(checked.model.expect("a model"), Arc::new(sources))
}
