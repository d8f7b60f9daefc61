//! Issuer, audience and times.

use portcullis::settings::ApiId;
use portcullis::token::Sender;
use serde_json::json;

use super::world::{NOW, ORDERS, World, claims, said};

/// The outcome for a token with these claims changed.
fn asked(world: &World, members: &serde_json::Value) -> String {
    said(&world.asked(&world.signer.token(&claims(members))))
}

#[test]
fn an_issuer_is_compared_exactly_and_near_misses_are_named() {
    let world = World::new(ORDERS);
    let near = |iss: &str, by: &str| {
        format!(
            "token.unknown_issuer: the token's `iss` is `{iss}`; it differs from \
             `https://acme.eu.auth0.com/` in {by}, and the two must match exactly"
        )
    };
    let far = |iss: &str| {
        format!(
            "token.unknown_issuer: the token was issued by `{iss}`; this API accepts tokens of \
             `https://acme.eu.auth0.com/`"
        )
    };
    for (iss, by) in [
        ("https://acme.eu.auth0.com", Some("the trailing slash")),
        (
            "http://acme.eu.auth0.com/",
            Some("the scheme, `http` or `https`"),
        ),
        ("acme.eu.auth0.com/", Some("the scheme, `http` or `https`")),
        ("https://ACME.eu.auth0.com/", Some("upper and lower case")),
        ("HTTPS://acme.eu.auth0.com/", Some("upper and lower case")),
        (
            "http://Acme.eu.auth0.com",
            Some("the trailing slash and the scheme, `http` or `https` and upper and lower case"),
        ),
        ("https://acme.eu.auth0.com//", None),
        ("https://acme.eu.auth0.com/ ", None),
        ("https://acme.us.auth0.com/", None),
        ("https://evil.example/https://acme.eu.auth0.com/", None),
        ("", None),
    ] {
        let expected = by.map_or_else(|| far(iss), |by| near(iss, by));
        assert_eq!(asked(&world, &json!({"iss": iss})), expected);
    }
    assert_eq!(
        asked(&world, &json!({"iss": null})),
        "token.unknown_issuer: the token does not say who issued it (no `iss`); this API accepts tokens of `https://acme.eu.auth0.com/`"
    );
}

const TENANTS: &str = r#"
issuer entra {
    url         "https://login.microsoftonline.com/{tid}/v2.0"
    keys url    "https://login.microsoftonline.com/common/discovery/v2.0/keys"
    algorithms  ES256
}
issuer acme {
    url "https://acme.eu.auth0.com/"
    algorithms  ES256
}
api orders {
    host      "orders.example.com"
    issuer    entra
    audience  "https://api.example.com"
    forward   tid as "x-tenant"
    GET /orders authenticated
}
api reports {
    host      "reports.example.com"
    issuer    acme
    audience  "https://api.example.com"
    GET /reports authenticated
}
"#;

#[test]
fn a_tenant_in_the_issuer_equals_its_claim() {
    let world = World::new(TENANTS);
    let tenant = |tenant: &str| format!("https://login.microsoftonline.com/{tenant}/v2.0");
    let pattern = "`https://login.microsoftonline.com/{tid}/v2.0`";
    for (iss, tid, expected) in [
        (tenant("t-1"), json!("t-1"), "allowed".to_owned()),
        (
            tenant("t-1"),
            json!("t-2"),
            format!(
                "token.unknown_issuer: the token's `iss` is `{}`; with {pattern}, the claim `tid` \
                 must be `t-1`, but it is `t-2`",
                tenant("t-1")
            ),
        ),
        (
            tenant("t-1"),
            json!(null),
            format!(
                "token.unknown_issuer: the token's `iss` is `{}`; with {pattern}, the claim \
                 `tid` must be present, as a string",
                tenant("t-1")
            ),
        ),
        (
            tenant("t-1") + "/",
            json!("t-1"),
            format!(
                "token.unknown_issuer: the token's `iss` is `{}/`; it differs from {pattern} in \
                 the trailing slash, and the two must match exactly",
                tenant("t-1")
            ),
        ),
    ] {
        assert_eq!(asked(&world, &json!({"iss": iss, "tid": tid})), expected);
    }
    // There is exactly one such segment.
    for bad in ["", "a/b", "a?b", "a#b", "t-1/v2.0/x"] {
        let outcome = asked(&world, &json!({"iss": tenant(bad), "tid": bad}));
        assert!(outcome.starts_with("token.unknown_issuer"), "{outcome}");
    }
}

#[test]
fn an_issuer_of_another_api_or_version_is_named() {
    let world = World::new(TENANTS);
    assert_eq!(
        asked(&world, &json!({})),
        "token.unknown_issuer: the token was issued by `https://acme.eu.auth0.com/`; this API accepts \
        tokens of `https://login.microsoftonline.com/{tid}/v2.0` (the policy knows it as acme, \
         for other APIs)"
    );
    assert_eq!(
        asked(
            &world,
            &json!({"iss": "https://sts.windows.net/t-1/", "tid": "t-1"})
        ),
        "token.unknown_issuer: the token was issued by `https://sts.windows.net/t-1/`; this API accepts \
        tokens of `https://login.microsoftonline.com/{tid}/v2.0`; this is an Entra token of \
         version 1: set `requestedAccessTokenVersion` to 2 in the API's app registration"
    );
}

/// A verified token is cached, and used for other APIs: each checks again who issued it.
#[test]
fn a_verified_token_is_admitted_by_each_api_anew() {
    let world = World::new(TENANTS);
    let [orders, reports] = [0, 1].map(|id| world.policy.api(ApiId(id)).expect("an API"));
    let token = world.signer.token(&claims(&json!({})));
    let verified = world.at(reports, &token, NOW).expect("acme's token");
    let fault = portcullis::token::admit(&verified, &world.policy, orders, &Sender::Assumed, NOW)
        .expect_err("not an issuer of this API");
    assert_eq!(fault.reason.code(), "token.unknown_issuer");
    assert_eq!(fault.subject.as_deref(), Some("alice"));
}

#[test]
fn a_token_is_for_one_of_the_api_s_audiences() {
    let world = World::new(ORDERS);
    let ask = "ask Auth0 for an access token with the parameter `audience` set to \
               `https://api.example.com`";
    let wants = "this API expects `https://api.example.com`";
    for (aud, expected) in [
        (json!(["https://api.example.com"]), "allowed".to_owned()),
        (
            json!("https://other.example.com"),
            format!("the token is for `https://other.example.com`; {wants}; {ask}"),
        ),
        (
            json!(null),
            format!("the token has no audience (`aud`); {wants}; {ask}"),
        ),
        (
            json!([]),
            format!("the token has no audience (`aud`); {wants}; {ask}"),
        ),
        (
            json!(["a", "b", "c", "d", "e", "f"]),
            format!("the token is for `a`, `b`, `c`, `d`, 2 more; {wants}; {ask}"),
        ),
        (
            json!("https://api.example.com/"),
            format!(
                "the token is for `https://api.example.com/`; {wants}: they differ only in the \
                trailing slash, and must match exactly"
            ),
        ),
        (
            json!("HTTPS://api.example.com"),
            format!("the token is for `HTTPS://api.example.com`; {wants}; {ask}"),
        ),
        (
            json!("https://acme.eu.auth0.com/userinfo"),
            format!(
                "the token is for `https://acme.eu.auth0.com/userinfo`, which is Auth0's own \
                userinfo endpoint; {wants}; {ask}"
            ),
        ),
        (
            json!(["https://x.example", "https://acme.eu.auth0.com/userinfo"]),
            format!(
                "the token is for `https://x.example`, `https://acme.eu.auth0.com/userinfo`; \
                 {wants}; {ask}"
            ),
        ),
    ] {
        let expected = if expected == "allowed" {
            expected
        } else {
            format!("token.wrong_audience: {expected}")
        };
        assert_eq!(asked(&world, &json!({"aud": aud})), expected);
    }
}

/// Advice about the right audience uses the provider's own terms.
#[test]
fn each_provider_has_its_advice() {
    for (url, advice) in [
        (
            "https://login.microsoftonline.com/t-1/v2.0",
            "ask Entra for an access token with the scope `https://api.example.com/.default`, or with \
             another scope of this API",
        ),
        (
            "https://id.example.com/realms/main",
            "in Keycloak, add an audience mapper for `https://api.example.com` to a client scope, \
             and ask for an access token with that scope",
        ),
        (
            "https://dev-1.okta.com/oauth2/default",
            "ask an Okta custom authorization server whose audience is `https://api.example.com` \
             for an access token",
        ),
        (
            "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_x",
            "ask Cognito for an access token with the resource `https://api.example.com`; \
            otherwise its access tokens have no `aud` (`audience from client_id` checks the client \
             instead)",
        ),
        (
            "https://accounts.google.com",
            "for APIs other than its own, Google issues only ID tokens: ask for one with the \
            target \
             audience `https://api.example.com`, and write `tokens id` in the policy",
        ),
        (
            "https://notauth0.com/",
            "ask the provider for an access token with the parameter `resource` (RFC 8707), or \
             with some providers `audience`, set to `https://api.example.com`",
        ),
    ] {
        let world = World::new(&ORDERS.replace("https://acme.eu.auth0.com/", url));
        assert_eq!(
            asked(&world, &json!({"iss": url, "aud": "x"})),
            format!(
                "token.wrong_audience: the token is for `x`; this API expects \
                 `https://api.example.com`; {advice}"
            )
        );
    }
}

/// Microsoft signs tokens for its own APIs so that nobody else can verify them.
#[test]
fn a_token_for_microsoft_graph_is_for_graph() {
    let url = "https://login.microsoftonline.com/t-1/v2.0";
    let world = World::new(&ORDERS.replace("https://acme.eu.auth0.com/", url));
    let graph = "00000003-0000-0000-c000-000000000000";
    let token = world.signer.token_with(
        &json!({"nonce": "x"}),
        &claims(&json!({"iss": url, "aud": graph})),
    );
    let broken = format!("{}AAAA", &token[..token.len() - 4]);
    let expected = "token.wrong_audience: the token is for \
                    `00000003-0000-0000-c000-000000000000`, which is Microsoft Graph; only Graph \
                    can verify such a token; this API expects `https://api.example.com`; ask \
                    Entra for an access token with the scope `https://api.example.com/.default`, \
                    or with another scope of this API";
    assert_eq!(said(&world.asked(&token)), expected);
    assert_eq!(said(&world.asked(&broken)), expected);
    // For this API's own audience, a bad signature is reported as such.
    let own = world
        .signer
        .token_with(&json!({"nonce": "x"}), &claims(&json!({"iss": url})));
    let broken = format!("{}AAAA", &own[..own.len() - 4]);
    assert!(said(&world.asked(&broken)).starts_with("token.bad_signature"));
}

#[test]
fn an_issuer_s_own_audience_is_asked_for_beside() {
    let world = World::new(&ORDERS.replace(
        "ES256, RS256",
        "ES256, RS256\n    audience \"gateway\", \"edge\"",
    ));
    for (aud, expected) in [
        (json!(["https://api.example.com", "edge"]), "allowed"),
        (
            json!("https://api.example.com"),
            "token.wrong_audience: the token is for `https://api.example.com`; for tokens of \
             acme, the policy expects `gateway`, `edge`; ask Auth0 for an access token with the parameter \
             `audience` set to `gateway`",
        ),
        (
            json!("gateway"),
            "token.wrong_audience: the token is for `gateway`; this API expects `https://api.example.com`; ask Auth0 for an access token with the parameter `audience` set to `https://api.example.com`",
        ),
    ] {
        assert_eq!(asked(&world, &json!({"aud": aud})), expected);
    }
}

/// Cognito's access tokens have no `aud`. If a token has one, only that counts.
#[test]
fn an_audience_from_elsewhere_is_for_tokens_without_one() {
    let world =
        World::new(&ORDERS.replace("ES256, RS256", "ES256, RS256\n    audience from client_id"));
    let own = "https://api.example.com";
    for (members, allowed) in [
        (json!({"aud": null, "client_id": own}), true),
        (json!({"aud": null, "client_id": ["x", own]}), true),
        (json!({"aud": null, "client_id": "x"}), false),
        (json!({"aud": null, "client_id": [own, 7]}), false),
        (json!({"aud": null, "client_id": {"a": own}}), false),
        (json!({"aud": null}), false),
        (json!({"client_id": "x"}), true),
        (json!({"aud": "x", "client_id": own}), false),
        (json!({"aud": [], "client_id": own}), false),
    ] {
        let outcome = asked(&world, &members);
        assert_eq!(outcome == "allowed", allowed, "{members}: {outcome}");
        if !allowed {
            assert!(outcome.starts_with("token.wrong_audience"), "{outcome}");
        }
    }
    assert!(asked(&world, &json!({"aud": null})).contains("neither `aud` nor `client_id`"));
}

#[test]
fn an_audience_may_be_left_open_aloud() {
    let world = World::new(&ORDERS.replace(
        "audience  \"https://api.example.com\"",
        "audience any \"a test\"",
    ));
    assert_eq!(asked(&world, &json!({"aud": null})), "allowed");
    assert_eq!(asked(&world, &json!({"aud": "x"})), "allowed");
}

/// Accepted iff `nbf - leeway <= now < exp + leeway`.
#[test]
fn times_are_exact_to_the_leeway() {
    let world = World::new(&ORDERS.replace("ES256, RS256", "ES256, RS256\n    leeway 30s"));
    for (members, expected) in [
        (json!({"exp": NOW - 29.0}), "allowed"),
        (json!({"exp": NOW - 29.999}), "allowed"),
        (
            json!({"exp": NOW - 30.0}),
            "token.expired: the token expired 30s ago (leeway 30s); get a new one",
        ),
        (
            json!({"exp": NOW - 3_725.0}),
            "token.expired: the token expired 1h 2m ago (leeway 30s); get a new one",
        ),
        (
            json!({"exp": 0}),
            "token.expired: the token expired 20454d ago (leeway 30s); get a new one",
        ),
        (
            json!({"exp": -9_007_199_254_740_991_i64}),
            "token.expired: the token expired ages ago (leeway 30s); get a new one",
        ),
        (json!({"nbf": NOW + 30.0}), "allowed"),
        (
            json!({"nbf": NOW + 30.001}),
            "token.not_yet_valid: the token is valid only in 30s (`nbf`, leeway 30s)",
        ),
        (
            json!({"nbf": NOW + 90_000.0, "exp": NOW + 100_000.0}),
            "token.not_yet_valid: the token is valid only in 1d 1h (`nbf`, leeway 30s)",
        ),
        (json!({"nbf": 0}), "allowed"),
        // Without a `max age`, when it was issued does not matter.
        (json!({"iat": NOW + 1e6}), "allowed"),
        (json!({"iat": null}), "allowed"),
    ] {
        assert_eq!(asked(&world, &members), expected, "{members}");
    }
    let token = world.signer.token(&claims(&json!({})));
    for now in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let outcome = world.at(world.api(), &token, now);
        // Without `nbf`, a token has always been valid.
        assert_eq!(outcome.is_ok(), now == f64::NEG_INFINITY, "{now}");
    }
}

#[test]
fn a_token_may_be_too_old() {
    let world = World::new(&ORDERS.replace(
        "ES256, RS256",
        "ES256, RS256\n    leeway 30s\n    max age 1h",
    ));
    for (members, expected) in [
        (json!({"iat": NOW - 3_630.0}), "allowed"),
        (
            json!({"iat": NOW - 3_631.0}),
            "token.too_old: the token was issued 1h ago, longer than 1h (leeway 30s); get a new \
             one",
        ),
        (json!({"iat": NOW + 30.0}), "allowed"),
        (
            json!({"iat": NOW + 31.0}),
            "token.not_yet_valid: the token is issued in the future, in 31s (`iat`, leeway 30s)",
        ),
        (
            json!({"iat": null}),
            "token.malformed: the token does not say when it was issued (`iat`), which `max age` \
            needs",
        ),
        // Expired comes before too old, since clients know about expiry.
        (
            json!({"iat": 0, "exp": NOW - 60.0}),
            "token.expired: the token expired 1m ago (leeway 30s); get a new one",
        ),
    ] {
        assert_eq!(asked(&world, &members), expected, "{members}");
    }
}
