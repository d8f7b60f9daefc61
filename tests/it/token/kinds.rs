//! The kinds of tokens, recognised by the marks that providers leave.

use serde_json::{Value, json};

use super::world::{ORDERS, World, claims, said};

/// A policy whose issuer says `tokens ...`, and more.
fn policy(settings: &str) -> String {
    ORDERS.replace("ES256, RS256", &format!("ES256, RS256\n    {settings}"))
}

const IS_ID: &str = "it tells a client who signed in, and is not an access token; ask Auth0 for an \
                     access token with the parameter `audience` set to `https://api.example.com`";

#[test]
fn an_id_token_is_recognised() {
    let world = World::new(ORDERS);
    let own = "https://api.example.com";
    for (header, members, sign) in [
        (
            json!({}),
            json!({"at_hash": "x"}),
            Some("it has the claim `at_hash`"),
        ),
        (
            json!({}),
            json!({"c_hash": "x"}),
            Some("it has the claim `c_hash`"),
        ),
        (
            json!({}),
            json!({"token_use": "id"}),
            Some("its claim `token_use` is `id`"),
        ),
        (
            json!({}),
            json!({"typ": "ID"}),
            Some("its claim `typ` is `ID`"),
        ),
        (
            json!({"typ": "id+jwt"}),
            json!({}),
            Some("its `typ` says so"),
        ),
        // Explicit typing as an access token doesn't outweigh claims that only an ID token has.
        (
            json!({"typ": "at+jwt"}),
            json!({"at_hash": "x"}),
            Some("it has the claim `at_hash`"),
        ),
        (
            json!({}),
            json!({"nonce": "x", "scope": null}),
            Some("it has the claim `nonce` and no scopes"),
        ),
        (
            json!({}),
            json!({"nonce": "x", "scope": " "}),
            Some("it has the claim `nonce` and no scopes"),
        ),
        (
            json!({}),
            json!({"azp": own, "scope": null}),
            Some(
                "its audience is `https://api.example.com`, the client that asked for it \
                 (`azp`), and it has no scopes",
            ),
        ),
        (
            json!({}),
            json!({"azp": own, "aud": [own, "x"], "scope": null}),
            Some(
                "its audience is `https://api.example.com`, the client that asked for it \
                 (`azp`), and it has no scopes",
            ),
        ),
        // Keycloak before 25 puts `nonce` into access tokens, which have scopes.
        (json!({}), json!({"nonce": "x"}), None),
        (
            json!({}),
            json!({"nonce": "x", "scope": null, "scp": ["a"]}),
            None,
        ),
        (json!({}), json!({"azp": own}), None),
        (json!({}), json!({"azp": "app", "scope": null}), None),
        (json!({}), json!({"at_hash": Value::Null}), None),
        (
            json!({}),
            json!({"token_use": "access", "scope": null}),
            None,
        ),
        (json!({}), json!({"typ": "Bearer", "scope": null}), None),
    ] {
        let mut claims = claims(&members);
        for (name, value) in members.as_object().expect("members") {
            if value.is_null() && name != "scope" {
                claims[name] = Value::Null;
            }
        }
        let outcome = world.asked(&world.signer.token_with(&header, &claims));
        match sign {
            None => assert_eq!(said(&outcome), "allowed", "{members}"),
            Some(sign) => {
                assert_eq!(
                    said(&outcome),
                    format!("token.is_id_token: the token is an ID token ({sign}): {IS_ID}")
                );
                let fault = outcome.expect_err("an ID token");
                assert_eq!(fault.kind.map(|kind| kind.as_str()), Some("id"));
            }
        }
    }
}

/// A token's kind is checked before its issuer, and before anything else that is wrong with an ID
/// token.
#[test]
fn what_a_token_is_comes_first() {
    let world = World::new(ORDERS);
    for members in [
        json!({"iss": "https://elsewhere.example"}),
        json!({"iss": null}),
        json!({"aud": "client"}),
        json!({"exp": 1}),
        json!({"exp": null}),
    ] {
        let mut bad = claims(&members);
        bad["at_hash"] = json!("x");
        let said = said(&world.asked(&world.signer.token(&bad)));
        assert!(said.starts_with("token.is_id_token"), "{said}");
    }
    let mut late = claims(&json!({"exp": 1, "aud": "x"}));
    let audience = said(&world.asked(&world.signer.token(&late)));
    assert!(audience.starts_with("token.wrong_audience"), "{audience}");
    late["iss"] = json!("x");
    let issuer = said(&world.asked(&world.signer.token(&late)));
    assert!(issuer.starts_with("token.unknown_issuer"), "{issuer}");
}

#[test]
fn a_refresh_token_is_recognised() {
    let world = World::new(ORDERS);
    for (header, members, sign) in [
        (
            json!({}),
            json!({"typ": "Refresh"}),
            "its claim `typ` is `Refresh`",
        ),
        (
            json!({}),
            json!({"typ": "Offline"}),
            "its claim `typ` is `Offline`",
        ),
        (
            json!({}),
            json!({"token_use": "refresh"}),
            "its claim `token_use` is `refresh`",
        ),
        (
            json!({}),
            json!({"token_type": "refresh"}),
            "its claim `token_type` is `refresh`",
        ),
        (
            json!({}),
            json!({"type": "refresh"}),
            "its claim `type` is `refresh`",
        ),
        (json!({"typ": "rt+jwt"}), json!({}), "its `typ` says so"),
        // Keycloak's offline tokens never expire, and its refresh tokens are signed with HMAC.
        (
            json!({"alg": "HS512"}),
            json!({"typ": "Offline", "exp": null}),
            "its claim `typ` is `Offline`",
        ),
    ] {
        let token = world.signer.token_with(&header, &claims(&members));
        assert_eq!(
            said(&world.asked(&token)),
            format!(
                "token.is_refresh_token: the token is a refresh token ({sign}), which is only for \
                the provider: exchange it there for an access token, and send that"
            )
        );
    }
}

#[test]
fn the_type_must_be_what_the_issuer_s_tokens_ask_for() {
    let jwt = "`JWT`, `at+jwt` or none";
    let access = "`at+jwt` (RFC 9068)";
    let id = "`JWT` or none";
    for (tokens, typ, wanted) in [
        ("jwt", json!(null), None),
        ("jwt", json!("JWT"), None),
        ("jwt", json!("jwt"), None),
        ("jwt", json!("application/jwt"), None),
        ("jwt", json!("at+JWT"), None),
        ("jwt", json!(""), Some(jwt)),
        ("jwt", json!("application/"), Some(jwt)),
        ("jwt", json!("application/application/jwt"), Some(jwt)),
        ("jwt", json!("text/jwt"), Some(jwt)),
        ("jwt", json!("JWT "), Some(jwt)),
        ("jwt", json!("dpop+jwt"), Some(jwt)),
        ("jwt", json!("logout+jwt"), Some(jwt)),
        ("jwt", json!("secevent+jwt"), Some(jwt)),
        ("jwt", json!("JOSE"), Some(jwt)),
        ("access", json!("at+jwt"), None),
        ("access", json!("APPLICATION/AT+JWT"), None),
        ("access", json!(null), Some(access)),
        ("access", json!("JWT"), Some(access)),
        ("id", json!("JWT"), None),
        ("id", json!(null), None),
        ("id", json!("at+jwt"), Some(id)),
        ("id", json!("dpop+jwt"), Some(id)),
    ] {
        let world = World::tolerant(&policy(&format!("tokens {tokens}")));
        let members = match tokens {
            "id" => json!({"scope": null, "at_hash": "x"}),
            _ => json!({}),
        };
        let token = world
            .signer
            .token_with(&json!({"typ": typ}), &claims(&members));
        let outcome = said(&world.asked(&token));
        match wanted {
            None => assert_eq!(outcome, "allowed", "{tokens} {typ}"),
            Some(wanted) => {
                let is = match typ.as_str() {
                    None => "the token has no `typ`".to_owned(),
                    Some(typ) => format!("the token's `typ` is `{typ}`"),
                };
                assert_eq!(
                    outcome,
                    format!("token.wrong_type: {is}; for tokens of acme it must be {wanted}")
                );
            }
        }
        // Claims given directly have no type, so they count as the requested kind.
        assert_eq!(said(&world.asked_claims(&claims(&members))), "allowed");
    }
}

#[test]
fn where_id_tokens_are_wanted_access_tokens_are_not() {
    let world = World::tolerant(&policy("tokens id"));
    for (members, expected) in [
        (json!({"scope": null, "nonce": "x"}), "allowed"),
        (json!({"scope": null}), "allowed"),
        (json!({"scope": null, "client_id": "app"}), "allowed"),
        (
            json!({}),
            "token.wrong_type: the token is an access token (it has scopes), but ID tokens are \
            required",
        ),
        (
            json!({"scope": null, "token_use": "access"}),
            "token.wrong_type: the token is an access token (its claim `token_use` is `access`), \
            but ID tokens are required",
        ),
    ] {
        let token = world.signer.token(&claims(&members));
        assert_eq!(said(&world.asked(&token)), expected);
    }
    let verified = world
        .asked(&world.signer.token(&claims(&json!({"scope": null}))))
        .expect("allowed");
    assert_eq!(verified.kind().as_str(), "id");
}

/// Auth0 puts permissions beside scopes; if the policy reads them, they are scopes.
#[test]
fn scopes_are_looked_for_where_the_issuer_puts_them() {
    let members = json!({"nonce": "x", "scope": null, "permissions": ["read:orders"]});
    let plain = World::new(ORDERS);
    let outcome = said(&plain.asked(&plain.signer.token(&claims(&members))));
    assert!(outcome.starts_with("token.is_id_token"), "{outcome}");
    let world = World::new(&policy("scopes from permissions"));
    assert_eq!(
        said(&world.asked(&world.signer.token(&claims(&members)))),
        "allowed"
    );
}

#[test]
fn a_bound_token_is_no_bearer_token() {
    let world = World::new(ORDERS);
    for bound in [json!({"jkt": "x"}), json!({}), json!("x")] {
        let bad = claims(&json!({"cnf": bound}));
        let expected = "token.sender: the token is bound to a key of its holder (`cnf`), but the \
        policy does not check that (`sender`): as a bearer token it is refused";
        assert_eq!(said(&world.asked(&world.signer.token(&bad))), expected);
        assert_eq!(said(&world.asked_claims(&bad)), expected);
    }
}
