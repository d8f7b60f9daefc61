//! The documents that policies have.

use super::{ResourceError, ResourceMetadata};
use crate::load::{self, Options, Overlay, Parsed};
use crate::model::Model;
use crate::runtime::config::Config;

const POLICY: &str = r#"
issuer main { url "https://login.example.com/"  claims { org string } }
issuer tenants { url "https://id.example.com/{org}"  keys url "https://id.example.com/keys"  claims { org string } }
api orders {
    host "api.example.com"
    issuer main, tenants
    audience "https://api.example.com/", "orders"
    GET  /orders        requires scope "read:orders"
    POST /orders        requires scope any ["write:orders", "admin"] and not scope "suspended"
    GET  /health        public
    under /admin requires scope "admin" { GET /users }
}
api mcp {
    host "tools.example.com"
    issuer main
    audience "tools"
    token only in cookie "session"
    GET /mcp requires claim org == "acme"
}
api rest { issuer main  audience "rest"  GET /rest requires scope "rest" }
guard * /** of orders except public requires scope "api" and (not token from tenants or claim org == "acme")
"#;

fn model() -> Model {
    let parsed = Parsed::of_text("a.gate", POLICY);
    let loaded = load::check(parsed, &[], &Options::default(), &Overlay::default());
    assert!(!loaded.has_errors(), "{:#?}", loaded.checked.diagnostics);
    loaded.checked.model.expect("a model")
}

fn of(config: &str) -> Result<ResourceMetadata, ResourceError> {
    let config = Config::parse(config).expect("a configuration");
    ResourceMetadata::of(&model(), &config)
}

#[test]
fn a_document_says_where_to_get_which_token() {
    let all = of("resource_metadata: {orders: {resource_documentation: 'https://docs.example.com'}, mcp: {}}")
        .expect("documents");
    let path = "/.well-known/oauth-protected-resource";
    for host in ["api.example.com", "API.example.com:443"] {
        let orders = all.at(host, path).expect("a document");
        assert_eq!(
            orders.json,
            r#"{"resource":"https://api.example.com/","authorization_servers":["https://login.example.com/"],"scopes_supported":["admin","api","read:orders","write:orders"],"bearer_methods_supported":["header"],"resource_name":"orders","resource_documentation":"https://docs.example.com"}"#
        );
    }
    let mcp = all.at("tools.example.com", path).expect("a document");
    assert_eq!(
        mcp.json,
        r#"{"resource":"https://tools.example.com","authorization_servers":["https://login.example.com/"],"bearer_methods_supported":[],"resource_name":"mcp"}"#
    );
    assert_eq!(
        all.url("orders"),
        Some("https://api.example.com/.well-known/oauth-protected-resource")
    );
    assert_eq!(all.url("rest"), None);
    for (host, path) in [
        ("api.example.com", "/.well-known/oauth-protected-resource/"),
        ("api.example.com:8443", path),
        ("api.example.com.", path),
        ("example.com", path),
        ("", path),
    ] {
        assert!(all.at(host, path).is_none(), "{host} {path}");
    }
}

#[test]
fn the_path_of_the_resource_follows_the_well_known_one() {
    for (resource, url) in [
        (
            "https://a.example/v1",
            "https://a.example/.well-known/oauth-protected-resource/v1",
        ),
        (
            "https://a.example:8443/v1/",
            "https://a.example:8443/.well-known/oauth-protected-resource/v1/",
        ),
        (
            "http://127.0.0.1:8080/mcp",
            "http://127.0.0.1:8080/.well-known/oauth-protected-resource/mcp",
        ),
    ] {
        let all = of(&format!(
            "resource_metadata: {{rest: {{resource: '{resource}'}}}}"
        ));
        assert_eq!(all.expect("a document").url("rest"), Some(url));
    }
}

#[test]
fn what_is_not_known_is_asked_for() {
    let unknown = of("resource_metadata: {rest: {}}").map(|_| ());
    assert_eq!(
        unknown.map_err(|error| error.to_string()),
        Err("the policy doesn't say which URL identifies the API `rest`: set `resource_metadata.rest.resource` in portcullis.yaml".to_owned())
    );
    let same = of("resource_metadata: {orders: {}, mcp: {resource: 'https://api.example.com'}}");
    assert!(matches!(same, Err(ResourceError::Same { .. })), "{same:?}");
}
