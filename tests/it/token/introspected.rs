//! Introspection results of opaque tokens.

use std::sync::LazyLock;

use portcullis::engine::{Fault, Request, Scheme, SeenKind};
use portcullis::keys::Thumbprint;
use portcullis::settings::IssuerId;
use portcullis::token::{
    Admitted, Demands, Introspection, MAX_ANSWER_BYTES, MAX_ASKED_BYTES, Sender, Shown, Verified,
    admit, introspected, whom_to_ask,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::world::{NOW, World, claims, said};

/// A policy whose first issuer is introspected, with these settings and this URL.
fn policy(settings: &str) -> String {
    format!(
        r#"
issuer acme {{
    url  "https://id.example.com/"
    keys url "https://id.example.com/keys"
    keys introspect "https://id.example.com/introspect"
    claims {{ username string  plan string }}
    {settings}
}}
issuer globex {{
    url  "https://globex.example.com/"
}}
api orders {{
    host      "api.example.com"
    issuer    acme, globex
    audience  "https://api.example.com"
    forward   payload as "x-claims"
    GET /orders requires scope "read:orders" and claim username == "alice" and claim plan == "pro"
}}
"#
    )
}

const ACME: IssuerId = IssuerId(0);

const REQUEST: Request<'static> = Request {
    method: "GET",
    target: b"/orders",
    scheme: Some("https"),
    host: Some("api.example.com"),
    headers: &[],
    address: None,
    now: NOW,
    masked: false,
};

/// A valid answer with members set; `null` removes one.
fn answer(members: &Value) -> Value {
    let mut all = json!({"active": true, "iss": "https://id.example.com/"});
    for (name, value) in members.as_object().expect("members") {
        all[name] = value.clone();
    }
    claims(&all)
}

fn asked(world: &World, answer: &Value) -> Result<Verified, Fault> {
    let read = Introspection::read(answer.to_string().as_bytes()).expect("an answer");
    let verified = introspected(&read, &world.policy, world.api(), ACME)?;
    let sender = Sender::Assumed;
    let admitted = admit(&verified, &world.policy, world.api(), &sender, NOW)?;
    assert_eq!(admitted, Admitted::Wholly);
    Ok(verified)
}

#[test]
fn an_answer_is_read_strictly_or_not_at_all() {
    for (body, wrong) in [
        ("", "the answer is not JSON"),
        ("<html>", "the answer is not JSON"),
        ("[]", "the answer is an array, not an object"),
        ("{}", "the answer has no `active`"),
        (
            r#"{"active":"true"}"#,
            "`active` is a string, not a boolean",
        ),
        (r#"{"active":1}"#, "`active` is a number, not a boolean"),
        (r#"{"active":null}"#, "`active` is null, not a boolean"),
        (r#"{"active":true,"active":false}"#, "not JSON: "),
        (r#"{"active":false,"active":true}"#, "not JSON: "),
        (
            r#"{"active":true,"cnf":{"jkt":"a","jkt":"b"}}"#,
            "not JSON: ",
        ),
        (r#"{"active":true} {"active":true}"#, "not JSON: "),
        (
            r#"{"active":true,"exp":"soon"}"#,
            "the claim `exp` is a string, not a number",
        ),
        (
            r#"{"active":true,"exp":1e300}"#,
            "the claim `exp` is too large a number",
        ),
        (r#"{"active":true,"aud":7}"#, "the claim `aud` is a number"),
        (r#"{"active":true,"iss":null}"#, "the claim `iss` is null"),
        (r#"{"active":true,"sub":7}"#, "the claim `sub` is a number"),
        (
            r#"{"active":true,"token_type":7}"#,
            "`token_type` is a number, not a string",
        ),
    ] {
        let fault = Introspection::read(body.as_bytes())
            .expect_err(body)
            .to_string();
        assert!(fault.contains(wrong), "{body}: {fault}");
    }
    let long = format!(
        r#"{{"active":true,"x":"{}"}}"#,
        "x".repeat(MAX_ANSWER_BYTES)
    );
    assert!(Introspection::read(long.as_bytes()).is_err());
    let deep = format!(
        r#"{{"active":true,"x":{}{}}}"#,
        "[".repeat(100),
        "]".repeat(100)
    );
    assert!(Introspection::read(deep.as_bytes()).is_err());

    // For an inactive token nothing else matters.
    let gone = Introspection::read(br#"{"active":false,"exp":"soon"}"#).expect("an answer");
    assert!(!gone.is_active());
}

#[test]
fn an_active_token_is_one_like_any_other() {
    let world = World::new(&policy(""));
    let with = |members: Value| said(&asked(&world, &answer(&members)));
    for (members, wanted) in [
        (json!({}), "allowed"),
        (
            json!({"active": false}),
            "token.revoked: acme says that the token is not active",
        ),
        // The issuer may leave out its own name, but not give another.
        (json!({"iss": null}), "allowed"),
        (
            json!({"iss": "https://id.example.com"}),
            "token.unknown_issuer: acme's introspection result names another issuer",
        ),
        (
            json!({"iss": "https://globex.example.com/"}),
            "token.unknown_issuer: ",
        ),
        (
            json!({"aud": null}),
            "token.wrong_audience: the token has no audience",
        ),
        (
            json!({"aud": "https://other.example.com"}),
            "token.wrong_audience: ",
        ),
        (
            json!({"aud": ["https://other.example.com", "https://api.example.com"]}),
            "allowed",
        ),
        (json!({"exp": NOW - 61.0}), "token.expired: "),
        (json!({"exp": NOW - 59.0}), "allowed"),
        (json!({"exp": null}), "allowed"),
        (json!({"nbf": NOW + 61.0}), "token.not_yet_valid: "),
        (json!({"iat": null, "sub": null, "jti": null}), "allowed"),
        (json!({"token_type": "Bearer"}), "allowed"),
        (json!({"token_type": "bearer"}), "allowed"),
        (json!({"token_type": "access_token"}), "allowed"),
        (
            json!({"token_type": "mac"}),
            "token.wrong_type: the token's type is `mac`",
        ),
        (json!({"token_type": "N_A"}), "token.wrong_type: "),
        (
            json!({"token_type": "refresh_token"}),
            "token.is_refresh_token: ",
        ),
        (
            json!({"token_use": "refresh_token"}),
            "token.is_refresh_token: ",
        ),
        (json!({"typ": "Refresh"}), "token.is_refresh_token: "),
        (json!({"token_use": "id"}), "token.is_id_token: "),
        (
            json!({"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}),
            "token.sender: ",
        ),
        (
            json!({"token_type": "DPoP"}),
            "token.sender: the token's type is `DPoP`, but acme's introspection result does not",
        ),
    ] {
        let came = with(members.clone());
        assert!(came.starts_with(wanted), "{members}: {came}");
    }
}

#[test]
fn its_claims_are_what_rules_read() {
    let world = World::new(&policy(""));
    let members = json!({
        "username": "alice", "client_id": "spa", "iss": null, "jti": "t-1", "plan": "pro",
    });
    let verified = asked(&world, &answer(&members)).expect("it is good");
    assert_eq!(verified.kind(), SeenKind::Opaque);
    assert_eq!(verified.iss(), "https://id.example.com/");
    assert_eq!(
        (verified.subject(), verified.id()),
        (Some("alice"), Some("t-1"))
    );
    assert_eq!(verified.facts().client(), Some("spa"));
    // Not verified with a key: the cache of verified tokens must never return it.
    assert_eq!(verified.key(), None);
}

#[test]
fn what_the_issuer_asks_of_its_tokens_it_asks_of_these() {
    for (settings, members, wanted) in [
        (
            "tokens access",
            json!({}),
            "token.wrong_type: acme's introspection result has no `token_type`",
        ),
        ("tokens access", json!({"token_type": "Bearer"}), "allowed"),
        ("max age 1h", json!({}), "allowed"),
        (
            "max age 1h",
            json!({"iat": NOW - 7200.0}),
            "token.too_old: ",
        ),
        (
            "max age 1h",
            json!({"iat": null}),
            "token.malformed: acme's introspection result does not say when",
        ),
        ("leeway 0s", json!({"exp": NOW - 1.0}), "token.expired: "),
        (
            "audience \"https://acme.example/\"",
            json!({}),
            "token.wrong_audience: ",
        ),
        (
            "audience from client_id",
            json!({"aud": null, "client_id": "https://api.example.com"}),
            "allowed",
        ),
        (
            "audience from client_id",
            json!({"aud": "https://other.example", "client_id": "https://api.example.com"}),
            "token.wrong_audience: ",
        ),
    ] {
        let world = World::new(&policy(settings));
        let came = said(&asked(&world, &answer(&members)));
        assert!(came.starts_with(wanted), "{settings}, {members}: {came}");
    }
}

/// RFC 9449, section 6.2, and RFC 8705, section 3.2: by the same code as for JWTs.
#[test]
fn a_bound_token_is_bound_here_too() {
    let world = World::new(&policy("sender dpop"));
    let came = |members: Value, shown: Option<Scheme>| {
        let read = Introspection::read(answer(&members).to_string().as_bytes()).expect("read");
        let verified = match introspected(&read, &world.policy, world.api(), ACME) {
            Ok(verified) => verified,
            Err(fault) => return said(&Err(fault)),
        };
        let request = REQUEST;
        let sender = match shown {
            None => Sender::Assumed,
            Some(scheme) => Sender::Shown(Shown {
                request: &request,
                token: "2YotnFZFEjr1zCsicMWpAA",
                scheme,
                certificate: None,
                demands: Demands::default(),
            }),
        };
        match admit(&verified, &world.policy, world.api(), &sender, NOW) {
            Ok(_) => "allowed".to_owned(),
            Err(fault) => said(&Err(fault)),
        }
    };
    let jkt = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    let bound = json!({"token_type": "DPoP", "cnf": {"jkt": jkt}});
    assert_eq!(came(bound.clone(), None), "allowed");
    for (members, scheme, hint) in [
        // Downgraded, without a proof, and bound to nothing.
        (bound.clone(), Scheme::Bearer, "token.sender: "),
        (bound, Scheme::Dpop, "token.sender: "),
        (
            json!({"token_type": "Bearer", "cnf": {"jkt": jkt}}),
            Scheme::Bearer,
            "token.sender: ",
        ),
        (
            json!({"token_type": "Bearer"}),
            Scheme::Bearer,
            "token.sender: the token is not bound",
        ),
        (
            json!({"token_type": "DPoP", "cnf": {"jkt": "short"}}),
            Scheme::Dpop,
            "token.sender: the token's `cnf.jkt`",
        ),
    ] {
        let came = came(members.clone(), Some(scheme));
        assert!(came.starts_with(hint), "{members}: {came}");
    }
}

/// RFC 8705, section 3.2.
#[test]
fn one_that_is_bound_to_a_certificate_needs_it() {
    let world = World::new(&policy("sender mtls"));
    let of = |der: &[u8]| Thumbprint::of_certificate(der);
    let members = json!({"cnf": {"x5t#S256": of(b"its own").to_string()}});
    let read = Introspection::read(answer(&members).to_string().as_bytes()).expect("read");
    let verified = introspected(&read, &world.policy, world.api(), ACME).expect("it is good");
    let request = REQUEST;
    for (certificate, wanted) in [
        (Some(of(b"its own")), None),
        (Some(of(b"another")), Some("token.sender")),
        (None, Some("token.sender")),
    ] {
        let sender = Sender::Shown(Shown {
            request: &request,
            token: "2YotnFZFEjr1zCsicMWpAA",
            scheme: Scheme::Bearer,
            certificate,
            demands: Demands::default(),
        });
        let came = admit(&verified, &world.policy, world.api(), &sender, NOW);
        assert_eq!(came.err().map(|fault| fault.reason.code()), wanted);
    }
}

#[test]
fn of_many_tenants_the_answer_names_one() {
    let text = policy("").replace(
        "https://id.example.com/\"\n",
        "https://id.example.com/{tid}/v2.0\"\n",
    );
    let world = World::new(&text);
    for (members, wanted) in [
        (
            json!({"iss": "https://id.example.com/a/v2.0", "tid": "a"}),
            "allowed",
        ),
        (
            json!({"iss": "https://id.example.com/a/v2.0", "tid": "b"}),
            "token.unknown_issuer: ",
        ),
        (
            json!({"iss": null, "tid": "a"}),
            "token.unknown_issuer: acme's introspection result has no `iss`",
        ),
    ] {
        let came = said(&asked(&world, &answer(&members)));
        assert!(came.starts_with(wanted), "{members}: {came}");
    }
}

#[test]
fn only_what_is_no_jwt_is_asked_about_and_nobody_is_bothered_with_nonsense() {
    let world = World::new(&policy(""));
    let jwt = world.signer.token(&claims(&json!({})));
    let whom = |token: &str| {
        whom_to_ask(token, &world.policy, world.api()).map_err(|fault| fault.reason.code())
    };
    for (token, wanted) in [
        ("2YotnFZFEjr1zCsicMWpAA".to_owned(), Ok(Some(ACME))),
        ("a.b".to_owned(), Ok(Some(ACME))),
        ("ya29.a.b".to_owned(), Ok(Some(ACME))),
        // That of RFC 9449, section 7.1.
        (
            "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU".to_owned(),
            Ok(Some(ACME)),
        ),
        (jwt, Ok(None)),
        // Meant as JWTs, or encrypted: these get the faults of JWTs.
        ("eyJhbGciOiJSUzI1NiJ9.e30".to_owned(), Ok(None)),
        ("eyJlbmMiOiJBMTI4R0NNIn0.a.b.c.d".to_owned(), Ok(None)),
        (String::new(), Ok(None)),
        ("x".repeat(MAX_ASKED_BYTES), Ok(Some(ACME))),
        ("x".repeat(MAX_ASKED_BYTES + 1), Err("token.malformed")),
        ("two words".to_owned(), Err("token.malformed")),
        ("line\nend".to_owned(), Err("token.malformed")),
        ("caf\u{e9}".to_owned(), Err("token.malformed")),
    ] {
        assert_eq!(whom(&token), wanted, "{token:?}");
    }
    // Without `keys introspect`, no issuer is asked.
    let silent = policy("").replace(
        "    keys introspect \"https://id.example.com/introspect\"\n",
        "",
    );
    let world = World::new(&silent);
    assert_eq!(whom_to_ask("opaque", &world.policy, world.api()), Ok(None));
    let read = Introspection::read(answer(&json!({})).to_string().as_bytes()).expect("read");
    assert!(introspected(&read, &world.policy, world.api(), ACME).is_err());
}

/// Any JSON value.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|value| json!(value)),
        (-3.0e9..3.0e9).prop_map(|value: f64| json!(value)),
        "(Bearer|DPoP|read:orders|https://(id|api)\\.example\\.com/?|.{0,8})"
            .prop_map(|text| json!(text)),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(|list| json!(list)),
            proptest::collection::btree_map("(jkt|[a-z]{1,4})", inner, 0..3)
                .prop_map(|members| json!(members)),
        ]
    })
}

proptest! {
    /// Whatever an endpoint answers, there is no panic, and a token passes only if it is active,
    /// from the issuer, for the API and in time.
    #[test]
    fn no_answer_does_harm(
        active in value(),
        members in proptest::collection::btree_map(
            "(iss|aud|exp|nbf|iat|sub|jti|scope|client_id|token_type|token_use|typ|cnf|nonce)",
            value(),
            0..6,
        ),
        certain in any::<bool>(),
    ) {
        static WORLD: LazyLock<World> = LazyLock::new(|| World::new(&policy("")));
        let world = &*WORLD;
        let mut all = if certain { answer(&json!({})) } else { json!({}) };
        all["active"] = if certain { json!(true) } else { active };
        for (name, value) in members {
            all[name] = value;
        }
        let Ok(read) = Introspection::read(all.to_string().as_bytes()) else { return Ok(()) };
        let Ok(verified) = introspected(&read, &world.policy, world.api(), ACME) else {
            return Ok(());
        };
        let sender = Sender::Assumed;
        if admit(&verified, &world.policy, world.api(), &sender, NOW).is_ok() {
            prop_assert_eq!(&all["active"], &json!(true));
            prop_assert!(all.get("iss").is_none_or(|iss| iss == "https://id.example.com/"));
            let wanted = json!("https://api.example.com");
            let aud = &all["aud"];
            let list = aud.as_array();
            prop_assert!(*aud == wanted || list.is_some_and(|list| list.contains(&wanted)));
            let ends = all.get("exp").and_then(Value::as_f64);
            prop_assert!(all.get("exp").is_none() || ends.is_some_and(|end| end + 60.0 > NOW));
            prop_assert!(all.get("cnf").is_none_or(Value::is_null));
        }
    }
}
