//! `portcullis why`.

use portcullis::keys::Thumbprint;
use serde_json::{Value, json};

use super::support::{GOOD, folder, run, text};
use super::why_tokens::{good_claims, policy_with};
use crate::support::dpop::Client;
use crate::support::mint::{Signer, key_set};

const ORDERS: &str = "GET https://api.example.com/orders";

/// The answers in the story, as a person reads them.
#[test]
fn an_expert_answers() {
    let cases = [
        (
            "allowed",
            &[
                "GET https://api.example.com/orders",
                "--scope",
                "read:orders",
            ][..],
        ),
        ("no_token", &["GET https://api.example.com/orders"]),
        (
            "a_scope_less",
            &["GET https://api.example.com/orders", "--scope", "openid"],
        ),
        (
            "another_organisation",
            &[
                "GET https://api.example.com/orgs/globex/orders",
                "--scope",
                "read:orders",
                "--claim",
                "org_id=acme",
            ],
        ),
        (
            "another_api",
            &["/orders", "--audience", "https://billing.example.com"],
        ),
        ("no_route", &["/nowhere"]),
        (
            "denied",
            &["POST /internal/reset", "--scope", "read:orders"],
        ),
        ("two_ways_to_read", &["/products/..%2f..%2finternal"]),
    ];
    for (name, arguments) in cases {
        let ran = run(&[&["why", "policies/spa"], arguments].concat());
        insta::assert_snapshot!(name, ran.everything());
    }
}

/// The fields and their types, as documented.
#[test]
fn programs_get_an_object() {
    let denied = run(&[
        "why",
        "policies/spa",
        ORDERS,
        "--format",
        "json",
        "--scope",
        "x",
    ]);
    assert_eq!(denied.code, Some(1), "{}", denied.everything());
    assert_eq!(denied.stderr, "");
    let denied = denied.json();
    assert_eq!(denied["decision"], "deny");
    assert_eq!(denied["status"], 403);
    assert_eq!(denied["reason"], "scope.missing");
    assert_eq!(denied["api"], "shop");
    assert_eq!(denied["route"], "GET /orders");
    assert_eq!(denied["policy"], "policies/spa/shop.gate:43");
    assert!(
        denied["hint"]
            .as_str()
            .expect("a hint")
            .contains("read:orders")
    );
    assert_eq!(denied["trace"][0]["condition"], "scope \"read:orders\"");
    assert_eq!(denied["trace"][0]["value"], "false");
    assert!(denied["trace"][0]["because"].is_string());
    assert_eq!(denied["token"]["kind"], "access");
    assert_eq!(denied["token"]["issuer"], "https://acme.eu.auth0.com/");
    assert_eq!(denied["token"]["subject"], "alice");
    let challenge = denied["headers"]["www-authenticate"]
        .as_str()
        .expect("a challenge");
    assert!(challenge.contains("scope=\"read:orders\""), "{challenge}");
    let members: Vec<&String> = denied.as_object().expect("an object").keys().collect();
    assert_eq!(members.len(), 10, "{members:?}");

    let allowed = run(&[
        "why",
        "policies/spa",
        ORDERS,
        "--format",
        "json",
        "--scope",
        "read:orders",
    ]);
    assert_eq!(allowed.code, Some(0));
    let allowed = allowed.json();
    assert_eq!(allowed["decision"], "allow");
    assert_eq!(allowed["status"], 200);
    assert!(allowed["reason"].is_null());
    assert!(allowed["hint"].is_null());
    assert_eq!(allowed["headers"]["x-user-id"], "alice");

    let unknown = run(&[
        "why",
        "policies/spa",
        "GET https://other.example.com/",
        "--format",
        "json",
    ]);
    let unknown = unknown.json();
    for member in ["api", "route", "policy"] {
        assert!(unknown[member].is_null(), "{member}: {unknown}");
    }
    assert!(unknown["token"]["kind"].is_null());
}

#[test]
fn claims_are_taken_as_given() {
    let why = |claims: &str| {
        let ran = run(&[
            "why",
            "policies/spa",
            ORDERS,
            "--format",
            "json",
            "--claims",
            claims,
            "--at",
            "2026-01-01T00:00:00Z",
        ]);
        ran.json()["reason"].clone()
    };
    let good = r#""iss":"https://acme.eu.auth0.com/","aud":"https://api.example.com","sub":"a","scope":"read:orders","exp":1767225660"#;
    assert!(why(&format!("{{{good}}}")).is_null());
    for (from, to, reason) in [
        ("1767225660", "1767225600", ""),
        ("1767225660", "1767225540", "token.expired"),
        ("\"exp\":1767225660", "\"other\":1", "token.malformed"),
        ("auth0.com/", "auth0.com", "token.unknown_issuer"),
        ("//api", "//other", "token.wrong_audience"),
        (
            "\"sub\":\"a\"",
            "\"sub\":\"a\",\"at_hash\":\"x\"",
            "token.is_id_token",
        ),
        (
            "\"sub\":\"a\"",
            "\"sub\":\"a\",\"sub\":\"b\"",
            "token.malformed",
        ),
        ("\"sub\":\"a\"", "\"sub\":null", "token.malformed"),
    ] {
        let claims = format!("{{{}}}", good.replace(from, to));
        let said = why(&claims);
        assert_eq!(said.as_str().unwrap_or(""), reason, "{claims}");
    }
    for no_object in ["[]", "{", "1", ""] {
        let ran = run(&["why", "policies/spa", ORDERS, "--claims", no_object]);
        assert_eq!(ran.code, Some(2), "{no_object}: {}", ran.everything());
    }
}

#[test]
fn what_the_request_carries_counts() {
    let policy = GOOD.replace(
        "GET /health public",
        "GET /health public if address in [\"192.0.2.0/24\"]\n    GET /q public if query \"k\" == \"v\"\n    GET /h public if header \"x-k\" == \"v\"",
    );
    let folder = folder(&[("a.gate", &policy)]);
    let path = text(&folder);
    let code = |arguments: &[&str]| run(&[&["why", &path], arguments].concat()).code;
    assert_eq!(code(&["/health", "--address", "192.0.2.7"]), Some(0));
    assert_eq!(code(&["/health", "--address", "198.51.100.7"]), Some(1));
    assert_eq!(code(&["/health"]), Some(1));
    assert_eq!(code(&["/q?k=v"]), Some(0));
    assert_eq!(code(&["/q?k=w"]), Some(1));
    assert_eq!(code(&["/h", "--header", "X-K: v"]), Some(0));
    assert_eq!(
        code(&["/h", "--header", "X-K: v", "--header", "x-k: v"]),
        Some(1)
    );
    assert_eq!(code(&["/health", "--address", "somewhere"]), Some(2));
    assert_eq!(code(&["/health", "--at", "yesterday"]), Some(2));
    assert_eq!(code(&["/health", "--header", "novalue"]), Some(2));
    assert_eq!(code(&["health"]), Some(2));
}

#[test]
fn what_a_token_says_cannot_paint_the_terminal() {
    let claims = r#"{"iss":"https://acme.eu.auth0.com/","aud":"https://api.example.com","exp":4102444800,"sub":"\u001b[2J\u202eevil","scope":"read:orders"}"#;
    let ran = run(&["why", "policies/spa", ORDERS, "--claims", claims]);
    assert_eq!(ran.code, Some(0), "{}", ran.everything());
    assert!(ran.stdout.contains("evil"), "{}", ran.stdout);
    assert!(!ran.stdout.contains('\u{1b}'), "{}", ran.stdout);
    assert!(!ran.stdout.contains('\u{202e}'), "{}", ran.stdout);
}

#[test]
fn tokens_are_described_by_the_names_of_the_policy() {
    let reason = |arguments: &[&str]| {
        let ran = run(&[
            &["why", "policies/many-issuers", "--format", "json"],
            arguments,
        ]
        .concat());
        ran.json()["reason"].as_str().unwrap_or("").to_owned()
    };
    let post = "POST /documents";
    for issuer in ["auth0", "keycloak", "entra"] {
        let good = [
            post,
            "--issuer",
            issuer,
            "--scope",
            "documents.write",
            "--claim",
            "roles=editor",
        ];
        assert_eq!(reason(&good), "", "{issuer}");
        let none = [post, "--issuer", issuer, "--scope", "documents.write"];
        assert_eq!(reason(&none), "claim.missing", "{issuer}");
    }
    let of = "/tenants/globex/documents";
    let organisations = [
        of,
        "--issuer",
        "keycloak",
        "--scope",
        "documents.read",
        "--claim",
        "organizations=acme,globex",
    ];
    assert_eq!(reason(&organisations), "");

    let which = run(&["why", "policies/many-issuers", post, "--scope", "x"]);
    assert_eq!(which.code, Some(2));
    assert!(
        which.stderr.contains("auth0, entra, keycloak"),
        "{}",
        which.stderr
    );
    let typo = run(&[
        "why",
        "policies/many-issuers",
        post,
        "--issuer",
        "keycloack",
    ]);
    assert_eq!(typo.code, Some(2));
    assert!(typo.stderr.contains("`keycloak`"), "{}", typo.stderr);
    let unknown = run(&["why", "policies/spa", ORDERS, "--claim", "ord_id=a"]);
    assert!(
        unknown.stderr.contains("did you mean `org_id`?"),
        "{}",
        unknown.stderr
    );
    let wrong = run(&[
        "why",
        "policies/spa",
        ORDERS,
        "--claim",
        "auth_time=yesterday",
    ]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("5m ago"), "{}", wrong.stderr);
}

#[test]
fn what_is_soon_mistyped_is_answered() {
    let why = |arguments: &[&str]| run(&[&["why"], arguments].concat());
    // Without quotes around method and URL.
    let bare = why(&["policies/spa", "GET", "https://api.example.com/products"]);
    assert_eq!(bare.code, Some(0), "{}", bare.everything());
    let forgotten = why(&["GET", "https://api.example.com/products"]);
    assert_eq!(forgotten.code, Some(2), "{}", forgotten.everything());
    assert!(
        forgotten.stderr.contains("the policy comes first"),
        "{}",
        forgotten.stderr
    );
    let host = why(&["policies/spa", "GET https://api.exmple.com/products"]);
    assert!(
        host.stdout.contains("did you mean `api.example.com`?"),
        "{}",
        host.stdout
    );
    let method = why(&["policies/spa", "PATCH /orders/17"]);
    assert!(
        method
            .stdout
            .contains("there are routes for `DELETE`, `GET`"),
        "{}",
        method.stdout
    );
    let file = why(&["policies/spa", "/me", "--token", "tokn.txt"]);
    assert!(
        file.stderr.contains("no file of that name"),
        "{}",
        file.stderr
    );
    let scopes = why(&["policies/spa", "/me", "--scope", "a,b"]);
    assert!(
        scopes.stderr.contains("separated by spaces"),
        "{}",
        scopes.stderr
    );
}

/// RFC 9470: the parameters for the client's next authorization request.
#[test]
fn a_login_that_does_not_do_is_told_what_would() {
    let delete = ["why", "policies/spa", "DELETE /orders/17"];
    let old = ["--claim", "auth_time=2h ago"];
    let ran = run(&[&delete[..], &old, &["--scope", "write:orders"]].concat());
    assert_eq!(ran.code, Some(1));
    let advice = "let the user log in again, by an authorization request with `max_age=900`\n";
    assert!(ran.stdout.contains(advice), "{}", ran.stdout);
    let ran = run(&[
        &delete[..],
        &old,
        &["--scope", "openid", "--format", "json"],
    ]
    .concat());
    let denied: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let hint = denied["hint"].as_str().unwrap_or_default();
    assert!(
        hint.contains("`max_age=900` and `scope=write:orders`"),
        "{hint}"
    );
    let challenge = denied["headers"]["www-authenticate"].as_str();
    let named = "scope=\"write:orders\", max_age=\"900\"";
    assert!(
        challenge.is_some_and(|challenge| challenge.contains(named)),
        "{denied:#}"
    );
}

#[test]
fn a_reason_has_a_page() {
    let page = run(&["why", "--reason", "token.is_id_token"]);
    assert_eq!(page.code, Some(0));
    assert!(
        page.stdout.starts_with("# `token.is_id_token`"),
        "{}",
        page.stdout
    );
    let typo = run(&["why", "--reason", "token.is_idtoken"]);
    assert_eq!(typo.code, Some(2));
    assert!(
        typo.stderr.contains("`token.is_id_token`"),
        "{}",
        typo.stderr
    );
}

/// A bound token is checked together with the client's proof, as it is sent.
#[test]
fn a_proof_and_a_certificate_are_checked_for_real() {
    let signer = Signer::new("ES256").kid("k1");
    let client = Client::new();
    let policy = policy_with("keys file \"keys.json\"  sender dpop optional  sender mtls optional");
    let folder = folder(&[
        ("a.gate", &policy),
        ("keys.json", &key_set(&[&signer]).to_string()),
        (
            "client.pem",
            "-----BEGIN CERTIFICATE-----\nMAABAg==\n-----END CERTIFICATE-----\n",
        ),
        ("none.pem", "-----BEGIN CERTIFICATE-----\n"),
    ]);
    let at = |name: &str| folder.path().join(name).display().to_string();
    let token = |cnf: Value| {
        let mut claims = good_claims();
        claims["cnf"] = cnf;
        signer.token(&claims)
    };
    let why = |token: &str, more: &[&str]| {
        let path = text(&folder);
        let arguments = ["why", &path, ORDERS, "--format", "json", "--token", token];
        let ran = run(&[&arguments[..], more].concat());
        serde_json::from_str::<Value>(&ran.stdout)
            .unwrap_or_else(|_| panic!("{}", ran.everything()))
    };
    let bound = token(json!({"jkt": client.thumbprint()}));
    let url = "https://api.example.com/orders";
    let header = |proof: String| format!("DPoP: {proof}");
    let proof = header(client.proof("GET", url, Some(&bound), &json!({})));
    assert_eq!(why(&bound, &["--header", &proof])["decision"], "allow");
    let other = header(client.proof("POST", url, Some(&bound), &json!({})));
    for (more, hint) in [
        (&["--header", &other][..], "`htm`"),
        (&[], "as a bearer token"),
    ] {
        let answer = why(&bound, more);
        assert_eq!(answer["reason"], "token.sender", "{answer}");
        assert!(
            answer["hint"].as_str().expect("a hint").contains(hint),
            "{answer}"
        );
    }
    let x5t = Thumbprint::of_certificate(&[0x30, 0, 1, 2]).to_string();
    let bound = token(json!({"x5t#S256": x5t}));
    let certificate = at("client.pem");
    assert_eq!(
        why(&bound, &["--certificate", &certificate])["decision"],
        "allow"
    );
    assert_eq!(why(&bound, &[])["reason"], "token.sender");
    let none = at("none.pem");
    let ran = run(&[
        "why",
        &text(&folder),
        ORDERS,
        "--token",
        &bound,
        "--certificate",
        &none,
    ]);
    assert_eq!(ran.code, Some(2), "{}", ran.everything());
}

/// The headers are those that the client gets; details about the policy are shown only here.
#[test]
fn the_operator_is_told_more_than_the_client() {
    let policy = policy_with("");
    let folder = folder(&[
        ("a.gate", &policy),
        ("reason.yaml", "explain: reason\n"),
        ("full.yaml", "explain: full\n"),
        ("none.yaml", "explain: none\n"),
    ]);
    let path = folder.path().join("a.gate").display().to_string();
    let claims = json!({
        "iss": "https://acme.example/", "aud": "https://api.example.com", "exp": 4_102_444_800_u64,
        "azp": "https://api.example.com",
    })
    .to_string();
    let why = |config: Option<&str>| {
        let config = config.map(|name| folder.path().join(name).display().to_string());
        let mut arguments = vec![
            "why", &path, ORDERS, "--claims", &claims, "--format", "json",
        ];
        if let Some(config) = &config {
            arguments.extend(["--config", config.as_str()]);
        }
        run(&arguments).json()
    };
    for (config, told, hinted) in [
        (None, true, false),
        (Some("none.yaml"), false, false),
        (Some("reason.yaml"), true, false),
        (Some("full.yaml"), true, true),
    ] {
        let answer = why(config);
        assert_eq!(answer["reason"], "token.is_id_token", "{answer}");
        let hint = answer["hint"].as_str().expect("a hint");
        assert!(hint.contains("`tokens id` in the issuer"), "{hint}");
        let challenge = answer["headers"]["www-authenticate"]
            .as_str()
            .expect("a challenge");
        assert_eq!(challenge.contains("token.is_id_token"), told, "{challenge}");
        assert_eq!(challenge.contains("is an ID token"), hinted, "{challenge}");
        assert!(!challenge.contains("tokens id"), "{challenge}");
    }
}

/// If no client was given, no client can contradict.
#[test]
fn a_client_is_the_one_that_was_given() {
    let policy = r#"
issuer acme { url "https://id.example.com/" }
api orders {
    host      "api.example.com"
    issuer    acme
    audience  "https://api.example.com"
    GET /orders requires client "c1"
}
"#;
    let folder = folder(&[("a.gate", policy)]);
    let path = text(&folder);
    for (arguments, code) in [
        (&["--client", "c1"][..], 0),
        (&["--client", "c2"], 1),
        (&["--claim", "azp=c1"], 0),
        (&["--claim", "client_id=c1"], 0),
        (&["--claim", "azp=c1", "--client", "c1"], 0),
        (&["--claim", "azp=c1", "--claim", "client_id=c2"], 1),
        (&["--claim", "client_id=c2", "--claim", "azp=c1"], 1),
        (&["--scope", "x"], 1),
    ] {
        let ran = run(&[&["why", path.as_str(), ORDERS], arguments].concat());
        assert_eq!(ran.code, Some(code), "{arguments:?}: {}", ran.everything());
    }
}
