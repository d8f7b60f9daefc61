//! The way from a request to a decision: what is needed when, and the outcome of each answer.

use portcullis::engine::{Decision, Fault, Request};
use portcullis::json::Json;
use portcullis::judge::{Client, Judged, Judging, assumed, begin, beside, judge};
use portcullis::reason::Reason;
use portcullis::settings::IssuerId;
use portcullis::token::{Introspection, Proof, from_claims, introspected};
use serde_json::{Value, json};

use super::world::{NOW, World, claims};
use crate::support::dpop;
use crate::support::mint::Signer;

const POLICY: &str = r#"
issuer acme { url "https://acme.eu.auth0.com/"  sender dpop optional }
api orders {
    host      "api.example.com"
    issuer    acme
    audience  "https://api.example.com"
    GET /health  public
    GET /orders  requires scope "read:orders"
    GET /news    authenticated or anonymous
}
"#;

fn introspecting() -> String {
    POLICY.replace(
        "sender dpop optional",
        r#"keys introspect "https://acme.eu.auth0.com/introspect""#,
    )
}

fn request<'r>(target: &'r str, headers: &'r [(&'r str, &'r [u8])]) -> Request<'r> {
    Request {
        method: "GET",
        target: target.as_bytes(),
        scheme: Some("https"),
        host: Some("api.example.com"),
        headers,
        address: None,
        now: NOW,
        masked: false,
    }
}

fn code(decision: &Decision<'_>) -> &'static str {
    decision.reason().map_or("allowed", Reason::code)
}

/// The reason for a request with this token, with the world's keys.
fn judged(world: &World, target: &str, token: &str) -> &'static str {
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_bytes())];
    let request = request(target, &headers);
    let judged = judge(&world.policy, &request, Client::default(), world.keys());
    code(&judged.decide())
}

fn ended<'a>(judging: Judging<'a>) -> Judged<'a> {
    match judging {
        Judging::Judged(judged) => judged,
        other => panic!("it needs more: {other:?}"),
    }
}

/// If a route needs no token, none is looked at: neither a forged one nor one given separately.
#[test]
fn no_token_is_looked_at_where_none_is_asked_for() {
    let world = World::new(POLICY);
    assert_eq!(judged(&world, "/health", "forged"), "allowed");
    assert_eq!(judged(&world, "/nothing", "forged"), "request.no_route");
    for target in ["/health", "/nothing"] {
        let request = request(target, &[]);
        let _ = ended(beside(&world.policy, &request, "forged", Client::default()));
        let _ = assumed(&world.policy, &request, |_| panic!("nobody looks at it"));
    }
}

/// However a token comes with the request, the same claims lead to the same decision.
#[test]
fn carried_given_and_described_tokens_are_decided_alike() {
    let world = World::new(POLICY);
    for (members, expected) in [
        (json!({}), "allowed"),
        (json!({"scope": "write:orders"}), "scope.missing"),
        (json!({"aud": "another"}), "token.wrong_audience"),
        (json!({"exp": NOW - 600.0}), "token.expired"),
        (json!({"nbf": NOW + 600.0}), "token.not_yet_valid"),
        (json!({"iss": "https://another/"}), "token.unknown_issuer"),
        (json!({"exp": null}), "token.malformed"),
        (json!({"cnf": {"jkt": 1}}), "token.sender"),
    ] {
        let claims = claims(&members);
        let token = world.signer.token(&claims);
        assert_eq!(judged(&world, "/orders", &token), expected, "{members}");

        let request = request("/orders", &[]);
        let given = beside(&world.policy, &request, &token, Client::default())
            .by(world.keys(), |_| panic!("there is no proof"));
        assert_eq!(code(&given.decide()), expected, "{members}");

        let text = claims.to_string();
        let described = assumed(&world.policy, &request, |api| {
            let claims = Json::parse(text.as_bytes()).expect("claims");
            from_claims(&claims, &world.policy, api)
        });
        assert_eq!(code(&described.decide()), expected, "{members}");
    }
}

/// If there are two tokens, the application might read the one that wasn't judged.
#[test]
fn a_token_beside_the_requests_own_is_refused() {
    let world = World::new(POLICY);
    let token = world.signer.token(&claims(&json!({})));
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_bytes())];
    let request = request("/orders", &headers);
    let given = ended(beside(&world.policy, &request, &token, Client::default()));
    assert_eq!(code(&given.decide()), "request.malformed");
    let described = assumed(&world.policy, &request, |_| panic!("nobody looks at it"));
    assert_eq!(code(&described.decide()), "request.malformed");
}

/// Keys are awaited once, if they are missing or a newer one may have signed.
#[test]
fn keys_are_waited_for_once() {
    let world = World::new(POLICY);
    let empty = World::without_keys(POLICY);
    let stranger = Signer::new("ES256").kid("new");
    let late = world.signer.token(&claims(&json!({})));
    let unknown = stranger.token(&claims(&json!({})));
    for (token, world, missing, reason) in [
        (&late, &empty, true, "keys.unavailable"),
        (&unknown, &world, false, "token.unknown_key"),
    ] {
        let request = request("/orders", &[]);
        let wanted = || {
            let judging = beside(&world.policy, &request, token, Client::default());
            let Judging::Verify(verify) = judging else {
                panic!("it is a JWT");
            };
            let Judging::AwaitKeys(wanted) = verify.by(world.keys()) else {
                panic!("other keys may help");
            };
            assert_eq!(wanted.owner().issuer, IssuerId(0));
            assert_eq!(wanted.are_missing(), missing);
            wanted
        };
        assert_eq!(code(&ended(wanted().give_up()).decide()), reason);
        let Judging::Verify(verify) = wanted().retry() else {
            panic!("it is verified again");
        };
        // They did not come.
        assert_eq!(code(&ended(verify.by(world.keys())).decide()), reason);
    }
    // They came.
    let request = request("/orders", &[]);
    let judging = beside(&empty.policy, &request, &late, Client::default());
    let Judging::Verify(verify) = judging else {
        panic!("it is a JWT");
    };
    let Judging::AwaitKeys(wanted) = verify.by(empty.keys()) else {
        panic!("there are none");
    };
    let judged = wanted.retry().by(world.keys(), |_| panic!("no proof"));
    assert_eq!(code(&judged.decide()), "allowed");
}

/// A signature that doesn't fit a known key needs no new keys.
#[test]
fn no_keys_are_waited_for_where_none_can_help() {
    let world = World::new(POLICY);
    let forger = Signer::new("ES256").kid("k1");
    let token = forger.token(&claims(&json!({})));
    let request = request("/orders", &[]);
    let judging = beside(&world.policy, &request, &token, Client::default());
    let Judging::Verify(verify) = judging else {
        panic!("it is a JWT");
    };
    let judged = ended(verify.by(world.keys()));
    assert_eq!(code(&judged.decide()), "token.bad_signature");
}

/// An opaque token passes only with its issuer's answer, which is admitted like any other token.
#[test]
fn only_its_issuer_speaks_for_an_opaque_token() {
    let world = World::new(&introspecting());
    let request = request("/orders", &[]);
    let question = || {
        let judging = beside(&world.policy, &request, "opaque", Client::default());
        let Judging::Introspect(question) = judging else {
            panic!("its issuer is asked");
        };
        assert_eq!(
            (question.token(), question.issuer()),
            ("opaque", IssuerId(0))
        );
        question
    };
    let answered = |answer: Value| {
        let question = question();
        let answer = Introspection::read(answer.to_string().as_bytes()).expect("an answer");
        let verified = introspected(&answer, &world.policy, question.api(), question.issuer());
        code(&ended(question.resume(verified.map(Into::into))).decide())
    };
    let active = |members| claims(&members);
    assert_eq!(answered(active(json!({"active": true}))), "allowed");
    assert_eq!(answered(json!({"active": false})), "token.revoked");
    let another = json!({"active": true, "aud": "another"});
    assert_eq!(answered(active(another)), "token.wrong_audience");
    assert_eq!(
        code(&ended(question().unanswered()).decide()),
        "keys.unavailable"
    );
    // Without introspection, nobody is asked.
    assert_eq!(judged(&world, "/orders", "opaque"), "keys.unavailable");
    // A JWT is still verified.
    let token = world.signer.token(&claims(&json!({})));
    assert_eq!(judged(&world, "/orders", &token), "allowed");
}

/// A request with a DPoP proof is allowed only if the proof is new.
#[test]
fn a_proof_is_good_if_it_is_new() {
    let world = World::new(POLICY);
    let client = dpop::Client::new();
    let bound = json!({"cnf": {"jkt": client.thumbprint()}});
    let token = world.signer.token(&claims(&bound));
    let url = "https://api.example.com/orders";
    let proof = client.proof("GET", url, Some(&token), &json!({"iat": NOW}));
    let authorization = format!("DPoP {token}");
    let headers = [
        ("authorization", authorization.as_bytes()),
        ("dpop", proof.as_bytes()),
    ];
    let request = request("/orders", &headers);
    let with = |used: Result<(), Fault>| {
        let judging = begin(&world.policy, &request, Client::default());
        code(&judging.by(world.keys(), |_| used).decide())
    };
    assert_eq!(with(Ok(())), "allowed");
    assert_eq!(with(Err(Proof::used_again())), "token.sender");
    assert_eq!(
        with(Err(Fault::new(Reason::Internal, "no room"))),
        "internal"
    );
    // Without a memory of proofs, none is accepted.
    let judged = judge(&world.policy, &request, Client::default(), world.keys());
    assert_eq!(code(&judged.decide()), "internal");
    assert!(judged.verified().is_none());
}

/// A token that isn't required must still be valid.
#[test]
fn an_optional_token_that_is_bad_denies() {
    let world = World::new(POLICY);
    assert_eq!(judged(&world, "/news", "forged"), "token.opaque");
    let request = request("/news", &[]);
    let judged = judge(&world.policy, &request, Client::default(), world.keys());
    assert_eq!(code(&judged.decide()), "allowed");
}
