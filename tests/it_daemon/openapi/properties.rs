//! Whatever a document contains, the policy imported from it has no errors and doesn't differ from
//! it, and the engine decides as the document says.

use portcullis::engine::{self, Decision, Evidence, Policy, Request};
use portcullis::json::Json;
use portcullis::openapi::{Alternative, Document, Operation, Security, Server};
use portcullis::token;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::{Map, Value, json};

use super::{policy, round};

/// The time of the requests.
const NOW: f64 = 1_767_225_600.0;

fn security() -> impl Strategy<Value = Option<Value>> {
    let scopes = proptest::collection::btree_set("[abc]", 0..3);
    let requirement = prop_oneof![
        6 => scopes.clone().prop_map(|scopes| json!({ "login": scopes })),
        2 => scopes.clone().prop_map(|scopes| json!({ "oidc": scopes })),
        2 => scopes.prop_map(|roles| json!({ "bearer": roles })),
        1 => Just(json!({ "key": [] })),
        1 => Just(json!({ "key": [], "login": ["a"] })),
        1 => Just(json!({ "login": ["a"], "oidc": ["b"] })),
        1 => Just(json!({})),
    ];
    let list = proptest::collection::vec(requirement, 0..4).prop_map(|list| json!(list));
    proptest::option::weighted(0.8, list)
}

fn path() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        4 => prop_oneof![Just("a"), Just("b"), Just("A"), Just("caf%C3%A9")].prop_map(str::to_owned),
        3 => prop_oneof![Just("{x}"), Just("{y}"), Just("{order-id}")].prop_map(str::to_owned),
        1 => prop_oneof![Just("{x}.a"), Just("a{x}"), Just("a{z}.a")].prop_map(str::to_owned),
    ];
    (
        proptest::collection::vec(segment, 0..4),
        prop_oneof![8 => Just(""), 1 => Just("/"), 1 => Just("#again")],
    )
        .prop_map(|(segments, end)| format!("/{}{end}", segments.join("/")))
        .prop_map(|path| path.replace("//", "/"))
}

fn servers() -> impl Strategy<Value = Option<Value>> {
    let server = prop_oneof![
        Just("https://api.example.com"),
        Just("https://api.example.com/a/"),
        Just("https://{x}.example.com:8443"),
        Just("http://localhost:3000/b"),
        Just("/v1"),
    ];
    proptest::option::weighted(
        0.3,
        proptest::collection::vec(server, 1..3).prop_map(|servers| {
            let servers: Vec<Value> = servers
                .into_iter()
                .map(|url| json!({ "url": url, "variables": { "x": { "default": "other" } } }))
                .collect();
            json!(servers)
        }),
    )
}

prop_compose! {
    fn operation()(security in security(), servers in servers()) -> Value {
        let mut operation = Map::new();
        if let Some(security) = security {
            operation.insert("security".to_owned(), security);
        }
        if let Some(servers) = servers {
            operation.insert("servers".to_owned(), servers);
        }
        Value::Object(operation)
    }
}

prop_compose! {
    fn any_document()(
        security in security(),
        servers in servers(),
        paths in proptest::collection::btree_map(
            path(),
            proptest::collection::btree_map(
                prop_oneof![
                    Just("get"), Just("post"), Just("head"), Just("delete"), Just("options"),
                ],
                operation(),
                0..3,
            ),
            0..8,
        ),
    ) -> Value {
        let mut document = json!({
            "openapi": "3.0.3",
            "info": { "title": "Any API", "version": "1" },
            "paths": paths,
            "components": { "securitySchemes": {
                "login": { "type": "oauth2", "flows": { "implicit": {
                    "authorizationUrl": "https://login.example.com/authorize",
                    "scopes": { "a": "", "b": "" },
                } } },
                "oidc": {
                    "type": "openIdConnect",
                    "openIdConnectUrl": "https://login.example.com/.well-known/openid-configuration",
                },
                "bearer": { "type": "http", "scheme": "bearer" },
                "key": { "type": "apiKey", "in": "query", "name": "key" },
            } },
        });
        if let Some(security) = security {
            document["security"] = security;
        }
        if let Some(servers) = servers {
            document["servers"] = servers;
        }
        document
    }
}

/// Whether a request passes: with an ordinary token with these scopes and roles, or without a
/// token.
fn passes(policy: &Policy, method: &str, host: &str, target: &str, claims: Option<Value>) -> bool {
    let request = Request {
        method,
        target: target.as_bytes(),
        scheme: Some("https"),
        host: Some(host),
        headers: &[],
        address: None,
        now: NOW,
        masked: false,
    };
    let routed = policy.route(&request);
    let (Some(api), Some(mut claims)) = (routed.api(), claims) else {
        return matches!(
            engine::decide(&routed, Evidence::Nothing),
            Decision::Allow(_)
        );
    };
    let portcullis::settings::Audience::OneOf(audiences) = &api.audience else {
        panic!("an imported policy names audiences");
    };
    claims["aud"] = json!(audiences);
    claims["iss"] = json!("https://login.example.com");
    claims["exp"] = json!(NOW + 60.0);
    let text = claims.to_string();
    let claims = Json::parse(text.as_bytes()).expect("claims");
    let verified = token::from_claims(&claims, policy, api);
    let decision = match &verified {
        Ok(verified) => engine::decide(
            &routed,
            Evidence::Token {
                facts: verified.facts(),
                kind: verified.kind(),
            },
        ),
        Err(fault) => engine::decide(&routed, Evidence::Fault(fault)),
    };
    matches!(decision, Decision::Allow(_))
}

/// A request for an operation and not for a more literal one, with its host: a named host, or this
/// machine if an operation is served only there.
fn request(document: &Document, operation: &Operation) -> (String, String) {
    let is_local = |server: &&Server| server.host.as_deref() == Some("localhost");
    let local = document
        .operations
        .iter()
        .any(|other| other.servers.iter().all(|server| is_local(&server)));
    let servers = || operation.servers.iter();
    let server = servers()
        .find(|server| server.host.is_some() && !is_local(server))
        .or(servers().find(|server| local && is_local(server)))
        .or(servers().find(|server| !is_local(server)))
        .expect("a server");
    let path = operation.path.split('#').next().expect("a path");
    let target = format!("{}{path}", server.base)
        .replace("{x}", "zz")
        .replace("{y}", "zz")
        .replace("{z}", "zz")
        .replace("{order-id}", "zz");
    // The document's own host is one that no other server names.
    let host = server.host.clone().unwrap_or("own.example.net".to_owned());
    (host, target)
}

fn differs(document: &Value) -> Result<(), TestCaseError> {
    let read = Document::parse(document.to_string().as_bytes()).expect("a document");
    let (report, text) = round(&read);
    prop_assert_eq!(&report.findings, &Vec::new(), "{}", text);
    let policy = policy(&text);
    for operation in &read.operations {
        let (host, target) = request(&read, operation);
        // Requests that match several operations have to satisfy all of them.
        let same: Vec<&Operation> = read
            .operations
            .iter()
            .filter(|other| other.method == operation.method && *other != operation)
            .collect();
        let method = operation.method.as_str();
        let nobody = passes(&policy, method, &host, &target, None);
        match &operation.security {
            Security::Unsaid
            | Security::Alternatives {
                optional: false, ..
            } => {
                prop_assert!(!nobody, "{method} {target} is open\n{text}");
            }
            Security::Public if same.is_empty() => {
                prop_assert!(nobody, "{method} {target} is closed\n{text}");
            }
            _ => {}
        }
        let Security::Alternatives { any_of, .. } = &operation.security else {
            continue;
        };
        if same.is_empty() {
            for alternative in Alternative::checked(any_of) {
                let scopes: Vec<&str> = alternative.scopes.iter().map(String::as_str).collect();
                let claims = json!({ "scope": scopes.join(" "), "roles": alternative.roles });
                prop_assert!(
                    passes(&policy, method, &host, &target, Some(claims)),
                    "{method} {target} denies {alternative:?}\n{text}"
                );
            }
        }
        let needs_more = Alternative::checked(any_of)
            .iter()
            .all(|alternative| !alternative.scopes.is_empty() || !alternative.roles.is_empty());
        // If one operation accepts requests without a token and another with one, both together are
        // enough.
        let uses_tokens = if same.is_empty() {
            any_of.iter().any(|alternative| alternative.token)
        } else {
            any_of.iter().all(|alternative| alternative.token)
        };
        if let Security::Alternatives {
            optional: false, ..
        } = &operation.security
            && needs_more
            && uses_tokens
        {
            let claims = json!({ "scope": "other" });
            prop_assert!(
                !passes(&policy, method, &host, &target, Some(claims)),
                "{method} {target} lets any token pass\n{text}"
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_policy_made_of_a_document_does_what_it_says(document in any_document()) {
        differs(&document)?;
    }

    /// No bytes make the reader panic.
    #[test]
    fn any_bytes_are_a_document_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Document::parse(&bytes);
    }

    /// Nor does any text that looks like YAML.
    #[test]
    fn any_text_is_a_document_or_none(
        text in "(openapi: 3.0.0\n)?([a-z/{}&*<:\\-\\[\\]\"'#|> \n]{0,120})"
    ) {
        let _ = Document::parse(text.as_bytes());
    }
}
