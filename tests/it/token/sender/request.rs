//! The scope of a proof: one request, as the proxy reports it, with one token.

use portcullis::token::{PROOF_AHEAD, PROOF_MAX_AGE};
use serde_json::json;

use super::super::world::NOW;
use super::{Attempt, all_refused, hash, policy, said};
use crate::support::mint::Signer;

#[test]
fn a_proof_is_for_one_request_one_token_and_one_key() {
    let world = policy("sender dpop", "");
    let client = Signer::new("ES256");
    let thief = Signer::new("ES256");
    let new = || Attempt::new(&client);
    // Signed with another key than the one in its header.
    let forged = new().proof(&thief);
    // The thief's own proof, with somebody else's token.
    let own = Attempt::new(&thief).proof(&thief);
    let sent = |proof: String| Attempt {
        proofs: Some(vec![proof]),
        ..new()
    };
    all_refused(
        &world,
        &client,
        vec![
            (
                "invalid_dpop_proof",
                "for the method `POST`",
                new().payload("htm", json!("POST")),
            ),
            (
                "invalid_dpop_proof",
                "for the method `get`",
                new().payload("htm", json!("get")),
            ),
            (
                "invalid_dpop_proof",
                "another token",
                new().payload("ath", json!(hash("x"))),
            ),
            ("invalid_dpop_proof", "signature", sent(forged)),
            ("invalid_token", "signed with another key", sent(own)),
            (
                "invalid_dpop_proof",
                "61 s ago",
                new().payload("iat", json!(NOW - PROOF_MAX_AGE - 1.0)),
            ),
            (
                "invalid_dpop_proof",
                "31 s in the future",
                new().payload("iat", json!(NOW + PROOF_AHEAD + 1.0)),
            ),
        ],
    );
    for iat in [NOW - PROOF_MAX_AGE, NOW + PROOF_AHEAD] {
        let attempt = new().payload("iat", json!(iat));
        assert_eq!(said(&attempt.admitted(&world, &client)), "admitted");
    }
}

/// RFC 9449, section 4.3, step 9: the URL, by syntax and by scheme, without query and fragment.
#[test]
fn a_proof_is_for_the_url_of_the_request() {
    let world = policy("sender dpop", "");
    let client = Signer::new("ES256");
    let at = |scheme, host, target, htu: &str| {
        let mut attempt = Attempt::new(&client).payload("htu", json!(htu));
        (attempt.scheme, attempt.host, attempt.target) = (Some(scheme), Some(host), target);
        attempt.ports = Some(&[8443]);
        said(&attempt.admitted(&world, &client))
    };
    let host = "api.example.com";
    for (scheme, host, target, htu) in [
        (
            "https",
            host,
            "/orders/1",
            "https://api.example.com/orders/1",
        ),
        (
            "https",
            host,
            "/orders/1?a=b",
            "https://api.example.com/orders/1",
        ),
        (
            "https",
            host,
            "/orders/1?a=b",
            "https://api.example.com/orders/1?c=d#e",
        ),
        (
            "https",
            host,
            "/orders/1",
            "HTTPS://API.Example.COM:443/orders/1",
        ),
        (
            "https",
            "API.example.com:443",
            "/orders/1",
            "https://api.example.com/orders/1",
        ),
        (
            "https",
            "api.example.com.",
            "/orders/1",
            "https://api.example.com/orders/1",
        ),
        (
            "https",
            "api.example.com:8443",
            "/orders/1",
            "https://api.example.com:8443/orders/1",
        ),
        (
            "http",
            host,
            "/orders/1",
            "http://api.example.com:80/orders/1",
        ),
        (
            "https",
            host,
            "/orders/%7Ea%2fb",
            "https://api.example.com/orders/~a%2Fb",
        ),
        ("https", "[::1]", "/orders/1", "https://[::1]:443/orders/1"),
        // An empty path is `/` (RFC 3986, section 6.2.3).
        ("https", host, "/", "https://api.example.com"),
        ("https", host, "/?a=b", "https://api.example.com?c=d"),
    ] {
        assert_eq!(at(scheme, host, target, htu), "admitted", "{htu}");
    }
    for (htu, hint) in [
        (
            "http://api.example.com/orders/1",
            "is for `http://api.example.com/orders/1`",
        ),
        (
            "https://evil.example/orders/1",
            "is for `https://evil.example/orders/1`",
        ),
        (
            "https://api.example.com:8443/orders/1",
            "`https://api.example.com:8443/orders/1`",
        ),
        (
            "https://api.example.com/orders/2",
            "`https://api.example.com/orders/2`",
        ),
        (
            "https://api.example.com/orders/1/",
            "`https://api.example.com/orders/1/`",
        ),
        (
            "https://api.example.com/Orders/1",
            "`https://api.example.com/Orders/1`",
        ),
        ("https://api.example.com/a/../orders/1", "/a/../orders/1`"),
        ("https://api.example.com/orders%2F1", "/orders%2F1`"),
        ("https://user@api.example.com/orders/1", "not the URL"),
        ("https://api.example.com:x/orders/1", "not the URL"),
        ("//api.example.com/orders/1", "not the URL"),
        ("/orders/1", "not the URL"),
        ("urn:orders:1", "not the URL"),
        ("ftp://api.example.com/orders/1", "not the URL"),
    ] {
        let said = at("https", host, "/orders/1", htu);
        assert!(said.starts_with("invalid_dpop_proof"), "{htu}: {said}");
        assert!(said.contains(hint), "`{hint}` is not in `{said}`");
    }
}

/// The client sends the port: another server may listen there, and pass on a proof that was made
/// for it.
#[test]
fn a_port_that_is_not_configured_is_refused() {
    let world = policy("sender dpop", "");
    let client = Signer::new("ES256");
    let mut attempt =
        Attempt::new(&client).payload("htu", json!("https://api.example.com:9000/orders/1"));
    attempt.host = Some("api.example.com:9000");
    let refused = said(&attempt.admitted(&world, &client));
    assert!(refused.contains("`dpop.ports`"), "{refused}");
    for ports in [Some([9000].as_slice()), None] {
        attempt.ports = ports;
        assert_eq!(said(&attempt.admitted(&world, &client)), "admitted");
    }
}

#[test]
fn what_the_proxy_does_not_say_is_not_guessed() {
    let world = policy("sender dpop", "");
    let client = Signer::new("ES256");
    let mut attempt = Attempt::new(&client);
    attempt.scheme = None;
    let refused = said(&attempt.admitted(&world, &client));
    assert!(
        refused.contains("the request's scheme is not known"),
        "{refused}"
    );
    let mut attempt = Attempt::new(&client);
    attempt.host = None;
    let refused = said(&attempt.admitted(&world, &client));
    assert!(refused.contains("the request names no host"), "{refused}");
}
