//! Denials of requests that no route matches.

use portcullis::engine::{Evidence, Request, decide};
use portcullis::reason::Reason;

use crate::support::policy::compiled;

const POLICY: &str = r#"
api shop {
    host  "api.example.com", "{tenant}.shop.example.com"

    GET     /orders              public
    POST    /orders              public
    GET     /orders/{id}         public
    DELETE  /customers/{id}/key  public
    GET     /files/**            public
}
"#;

/// The hint for a request, which must be denied because no route matches.
fn hint(policy: &str, method: &str, host: &str, target: &str) -> String {
    let policy = compiled(policy);
    let request = Request {
        method,
        target: target.as_bytes(),
        scheme: None,
        host: Some(host),
        headers: &[],
        address: None,
        now: 0.0,
        masked: false,
    };
    let routed = policy.route(&request);
    let decision = decide(&routed, Evidence::Nothing);
    assert_eq!(decision.reason(), Some(Reason::RequestNoRoute), "{target}");
    decision.hint().expect("a hint").to_owned()
}

#[test]
fn the_hint_names_what_is_near() {
    let host = "api.example.com";
    for (method, host, target, wanted) in [
        (
            "PUT",
            host,
            "/orders",
            "no route of the policy matches `PUT` for this path; there are routes for `GET`, \
            `HEAD`, `POST`",
        ),
        (
            "GET",
            host,
            "/order",
            "no route of the policy matches this path; the nearest one is `GET /orders`",
        ),
        (
            "GET",
            host,
            "/Orders",
            "no route of the policy matches this path; the nearest one is `GET /orders`",
        ),
        (
            "DELETE",
            host,
            "/customers/7/keys",
            "no route of the policy matches this path; the nearest one is `DELETE \
            /customers/{id}/key`",
        ),
        (
            "DELETE",
            host,
            "/customers/7",
            "no route of the policy matches this path; the nearest one is `DELETE \
            /customers/{id}/key`",
        ),
        (
            "GET",
            host,
            "/orders/7/items",
            "no route of the policy matches this path; the nearest one is `GET /orders/{id}`",
        ),
        (
            "GET",
            host,
            "/elsewhere/entirely",
            "no route of the policy matches this method, host and path",
        ),
        (
            "GET",
            "api.exmaple.com",
            "/orders",
            "no API of the policy has the host `api.exmaple.com`; did you mean `api.example.com`?",
        ),
        (
            "GET",
            "API.EXAMPLE.ORG.:443",
            "/orders",
            "no API of the policy has the host `api.example.org`; did you mean `api.example.com`?",
        ),
        (
            "GET",
            "localhost:8080",
            "/orders",
            "no API of the policy has the host `localhost`; its hosts are `api.example.com`, `{tenant}.shop.example.com`",
        ),
    ] {
        assert_eq!(
            hint(POLICY, method, host, target),
            wanted,
            "{method} {host}{target}"
        );
    }
}

/// However many hosts and routes there are, the hint names only a few, and always the same ones.
#[test]
fn the_hint_stays_short() {
    let hosts: Vec<String> = (0..2000)
        .map(|at| format!("\"h{at}.example.net\""))
        .collect();
    let hosts = format!("host {}\n", hosts.join(", "));
    let routes: String = (0..2000).map(|at| format!("GET /r{at} public\n")).collect();
    let policy = format!("api a {{ {hosts} {routes} }}");
    let said = hint(&policy, "GET", "localhost", "/x");
    assert_eq!(
        said,
        "no API of the policy has the host `localhost`; its hosts are `h0.example.net`, \
         `h1.example.net`, `h2.example.net` and more"
    );
    let long = format!("/{}", "x".repeat(5000));
    let said = hint(&policy, "GET", "h7.example.net", &long);
    assert_eq!(
        said,
        "no route of the policy matches this method, host and path"
    );
}
