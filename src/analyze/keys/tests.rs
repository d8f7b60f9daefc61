//! The meaning of a name includes everything that its declaration says.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Shared, Writer};
use crate::model::{
    Atom, Claim, ClaimTest, Condition, ConditionKey, ConditionKind, Issuer, KeySource, Model,
    Operand, StringSet, TextTest,
};
use crate::settings::{ClaimId, IssuerClaim, IssuerId, IssuerUrl, Senders, TokenKind};
use crate::source::{Sources, Span};
use crate::value::ClaimType;

const PLAN: ClaimId = ClaimId(0);
const TIER: ClaimId = ClaimId(1);

/// A policy with one issuer whose tokens have two claims.
fn model() -> Model {
    let mut sources = Sources::new();
    let span = Span {
        file: sources.add("policy.gate", ""),
        start: 0,
        end: 0,
    };
    let place = |claim, name: &str| IssuerClaim {
        claim,
        path: vec![name.to_owned()],
        keys_of: false,
    };
    let issuer = Issuer {
        span,
        name: "acme".to_owned(),
        url: IssuerUrl::Exact("https://acme.example/".to_owned()),
        keys: KeySource::Discover,
        introspect: None,
        algorithms: Vec::new(),
        leeway: 60,
        max_age: None,
        tokens: TokenKind::Jwt,
        scopes_from: None,
        client_from: None,
        audience_from: None,
        audience: Vec::new(),
        senders: Senders::default(),
        claims: vec![place(PLAN, "plan"), place(TIER, "tier")],
        built_in: false,
    };
    let claim = |name: &str| Claim {
        name: name.to_owned(),
        ty: ClaimType::String,
    };
    Model {
        issuers: vec![issuer],
        claims: vec![claim("plan"), claim("tier")],
        ..Model::default()
    }
}

fn keys(shared: &Shared, model: &Model, atom: &Atom) -> BTreeSet<ConditionKey> {
    let condition = Condition {
        span: model.issuers[0].span,
        kind: ConditionKind::Atom(atom.clone()),
    };
    Writer::new(model, shared).conjuncts(&condition, &[])
}

/// A change of one declaration.
type Change = fn(&mut Model);

/// The changes, with their names in the table below.
const CHANGES: [(&str, Change); 7] = [
    ("url", |model| {
        model.issuers[0].url = IssuerUrl::Exact("https://other.example/".to_owned());
    }),
    ("path", |model| {
        model.issuers[0].claims[0].path.push("x".to_owned())
    }),
    ("keys of", |model| model.issuers[0].claims[0].keys_of = true),
    ("type", |model| model.claims[0].ty = ClaimType::Words),
    ("scopes", |model| {
        model.issuers[0].scopes_from = Some(vec!["x".to_owned()])
    }),
    ("client", |model| {
        model.issuers[0].client_from = Some(vec!["x".to_owned()])
    }),
    ("leeway", |model| model.issuers[0].leeway = 7),
];

#[test]
fn the_key_of_a_condition_depends_on_the_place_of_the_claim() {
    let client = Atom::Client {
        any_of: Arc::new(StringSet::new(None, vec!["a".to_owned()])),
        negated: false,
    };
    let header = |operand| {
        let negated = false;
        Atom::Header("x".to_owned(), TextTest::Equals { operand, negated })
    };
    let table: [(Atom, &[&str]); 9] = [
        (
            Atom::Claim(PLAN, ClaimTest::Present),
            &["url", "path", "keys of", "type"],
        ),
        (Atom::Claim(TIER, ClaimTest::Present), &["url"]),
        (
            Atom::Claim(TIER, ClaimTest::Contains(Operand::Claim(PLAN))),
            &["url", "path", "keys of", "type"],
        ),
        (
            header(Operand::Claim(PLAN)),
            &["url", "path", "keys of", "type"],
        ),
        (header(Operand::Host), &[]),
        (Atom::TokenFrom(IssuerId(0)), &["url"]),
        (Atom::ScopeAny(vec!["a".to_owned()]), &["url", "scopes"]),
        (client, &["url", "client"]),
        (
            Atom::Claim(TIER, ClaimTest::Within(300)),
            &["url", "leeway"],
        ),
    ];
    for (atom, read) in table {
        let shared = Shared::default();
        let own = keys(&shared, &model(), &atom);
        assert_eq!(own, keys(&shared, &model(), &atom), "{atom:?}");
        for (name, change) in CHANGES {
            let mut changed = model();
            change(&mut changed);
            let differs = own != keys(&shared, &changed, &atom);
            assert_eq!(differs, read.contains(&name), "{atom:?}: {name}");
        }
    }
}

#[test]
fn keys_ignore_the_numbers_and_names_of_claims_and_issuers() {
    let shared = Shared::default();
    let mut other = model();
    other.claims.swap(0, 1);
    for place in &mut other.issuers[0].claims {
        place.claim = ClaimId(1 - place.claim.0);
    }
    other.issuers[0].name.push('x');
    other.claims[1].name.push('x');
    let present = |claim| Atom::Claim(claim, ClaimTest::Present);
    assert_eq!(
        keys(&shared, &model(), &present(PLAN)),
        keys(&shared, &other, &present(TIER))
    );
    assert_ne!(
        keys(&shared, &model(), &present(PLAN)),
        keys(&shared, &other, &present(PLAN))
    );
}
