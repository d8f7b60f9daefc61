//! Keys by tenant: a token's claim may choose among the key sets of one host, and nothing else.

use std::time::Instant;

use serde_json::{Value, json};

use super::harness::{Answer, Http, Testbed, valid};
use super::provider::{Behaviour, Provider};
use crate::support::mint::{Signer, key_set};

fn policy(provider: &Provider) -> String {
    let at = provider.issuer();
    format!(
        "issuer kc {{\n url \"{at}/realms/{{realm}}\"\n \
         keys url \"{at}/realms/{{realm}}/protocol/openid-connect/certs\"\n \
         claims {{ realm string }}\n}}\n\
         api a {{\n host \"api.example.com\"\n issuer kc\n audience \"https://api.example.com\"\n \
         GET /page authenticated\n}}\n"
    )
}

fn certs(realm: &str) -> String {
    format!("/realms/{realm}/protocol/openid-connect/certs")
}

fn keys(signers: &[&Signer]) -> Behaviour {
    Behaviour::Keys(key_set(signers))
}

/// The claims of a realm's token.
fn of(provider: &Provider, realm: &str) -> Value {
    valid(json!({
        "iss": format!("{}/realms/{realm}", provider.issuer()),
        "realm": realm,
    }))
}

async fn asked(bed: &Testbed, token: &str) -> Answer {
    bed.send("http", &Http::forward("GET", "/page").bearer(token))
        .await
}

/// A provider with the realms `acme` and `globex`, and a signer for each.
async fn two_realms() -> (Provider, Signer, Signer) {
    let provider = Provider::start(Behaviour::Down).await;
    let (acme, globex) = (Signer::new("EdDSA").kid("a"), Signer::new("EdDSA").kid("g"));
    provider.at(&certs("acme"), keys(&[&acme]));
    provider.at(&certs("globex"), keys(&[&globex]));
    (provider, acme, globex)
}

#[tokio::test]
async fn each_tenant_has_keys_of_its_own() {
    let (provider, acme, globex) = two_realms().await;
    let bed = Testbed::with(&policy(&provider), "").await;
    assert!(provider.heads().is_empty(), "nobody is known yet");
    for (signer, realm) in [(&acme, "acme"), (&globex, "globex")] {
        for _ in 0..2 {
            let answer = asked(&bed, &signer.token(&of(&provider, realm))).await;
            assert_eq!(answer.status, 200, "{realm}: {answer:?}");
        }
        assert_eq!(provider.requests(&certs(realm)), 1);
    }
    // One tenant's key isn't valid for another, and `iss` and the claim name the same tenant.
    let foreign = asked(&bed, &acme.token(&of(&provider, "globex"))).await;
    assert_eq!(foreign.outcome(), (401, "token.unknown_key"), "{foreign:?}");
    let mut torn = of(&provider, "acme");
    torn["realm"] = json!("globex");
    for signer in [&acme, &globex] {
        let answer = asked(&bed, &signer.token(&torn)).await;
        assert_eq!(
            answer.outcome(),
            (401, "token.unknown_issuer"),
            "{answer:?}"
        );
    }
    assert_eq!(provider.requests(&certs("acme")), 1, "refreshed apart");
    // A reload keeps them.
    std::fs::write(bed.policy_file(), policy(&provider) + "# more\n").expect("written");
    bed.running.reload().await;
    assert_eq!(
        asked(&bed, &acme.token(&of(&provider, "acme")))
            .await
            .status,
        200
    );
    assert_eq!(provider.requests(&certs("acme")), 1);
}

#[tokio::test]
async fn a_tenants_rotated_key_passes() {
    let (provider, acme, globex) = two_realms().await;
    let bed = Testbed::with(&policy(&provider), "").await;
    for (signer, realm) in [(&acme, "acme"), (&globex, "globex")] {
        let answer = asked(&bed, &signer.token(&of(&provider, realm))).await;
        assert_eq!(answer.status, 200);
    }
    let new = Signer::new("EdDSA").kid("new");
    provider.at(&certs("acme"), keys(&[&acme, &new]));
    let answer = asked(&bed, &new.token(&of(&provider, "acme"))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(provider.requests(&certs("acme")), 2);
    assert_eq!(provider.requests(&certs("globex")), 1);
}

/// An unverified token puts its tenant into a URL: only ever one plain segment.
#[tokio::test]
async fn a_name_that_is_no_plain_segment_is_asked_about_nowhere() {
    let (provider, acme, _) = two_realms().await;
    let bed = Testbed::with(&policy(&provider), "").await;
    let long = "x".repeat(65);
    for name in [
        ".", "..", "...", "a/b", "a%2fb", "%2e%2e", "a b", "a?b", "a#b", "a;b", "a\\b", "a:b",
        "a@b", "\u{e9}", "a\u{0}b", "a\r\nb", "", &long,
    ] {
        let answer = asked(&bed, &acme.token(&of(&provider, name))).await;
        assert_eq!(
            answer.outcome(),
            (401, "token.unknown_issuer"),
            "{name:?}: {answer:?}"
        );
    }
    assert!(provider.heads().is_empty(), "{:?}", provider.heads());
}

/// Invented names cause a bounded number of requests to the provider, and displace no tenant.
#[tokio::test]
async fn invented_tenants_are_asked_about_in_bounded_number() {
    let (provider, acme, globex) = two_realms().await;
    let bed = Testbed::with(&policy(&provider), "").await;
    assert_eq!(
        asked(&bed, &acme.token(&of(&provider, "acme")))
            .await
            .status,
        200
    );
    let stranger = Signer::new("EdDSA").kid("a");
    let start = Instant::now();
    for number in 0..300 {
        let token = stranger.token(&of(&provider, &format!("invented-{number}")));
        let answer = asked(&bed, &token).await;
        assert_eq!(answer.outcome(), (503, "keys.unavailable"), "{answer:?}");
    }
    // The burst, the known one, and ten for each second that it took.
    let most = 129 + usize::try_from(start.elapsed().as_secs() + 1).expect("a while") * 10;
    let heads = provider.heads().len();
    assert!(heads <= most, "{heads} requests, at most {most}");
    assert!(heads >= 100, "{heads}: they were asked about");
    assert_eq!(
        asked(&bed, &acme.token(&of(&provider, "acme")))
            .await
            .status,
        200
    );
    assert_eq!(provider.requests(&certs("acme")), 1, "it is still known");
    // And a new one gets its turn.
    super::harness::until("another tenant is heard", || async {
        asked(&bed, &globex.token(&of(&provider, "globex")))
            .await
            .status
            == 200
    })
    .await;
}

#[tokio::test]
async fn one_tenants_outage_touches_no_other() {
    let (provider, acme, globex) = two_realms().await;
    provider.at(&certs("globex"), Behaviour::Hang);
    let bed = Testbed::with(&policy(&provider), "deadline: 1s\n").await;
    assert_eq!(
        asked(&bed, &acme.token(&of(&provider, "acme")))
            .await
            .status,
        200
    );
    let mut hanging = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let request = Http::forward("GET", "/page")
            .bearer(&globex.token(&of(&provider, "globex")))
            .bytes();
        let address = bed.address("http");
        hanging.spawn(async move { super::harness::exchange(address, &request).await });
    }
    let new = Signer::new("EdDSA").kid("new");
    provider.at(&certs("acme"), keys(&[&acme, &new]));
    for signer in [&acme, &new] {
        let answer = asked(&bed, &signer.token(&of(&provider, "acme"))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    for answer in hanging.join_all().await {
        assert_eq!(answer.outcome(), (503, "keys.unavailable"), "{answer:?}");
    }
}

/// The policy contains the host, and no redirect leads away from it.
#[tokio::test]
async fn no_tenant_leads_to_another_host() {
    let (provider, acme, _) = two_realms().await;
    let other = Provider::start(keys(&[&acme])).await;
    let port = other.address.port();
    provider.at(
        &certs("acme"),
        Behaviour::Redirect(format!("http://localhost:{port}/jwks")),
    );
    let bed = Testbed::with(&policy(&provider), "").await;
    let answer = asked(&bed, &acme.token(&of(&provider, "acme"))).await;
    assert_eq!(answer.outcome(), (503, "keys.unavailable"), "{answer:?}");
    assert!(other.heads().is_empty(), "{:?}", other.heads());
}

/// One realm for each customer, each declared separately.
#[tokio::test]
async fn issuers_by_the_hundred() {
    let provider = Provider::start(Behaviour::Down).await;
    let names: Vec<String> = (0..300).map(|number| format!("c{number}")).collect();
    let signer = Signer::new("EdDSA").kid("k");
    let mut policy = String::new();
    for name in &names {
        provider.at(&certs(name), keys(&[&signer]));
        let (at, path) = (provider.issuer(), certs(name));
        policy +=
            &format!("issuer {name} {{ url \"{at}/realms/{name}\" keys url \"{at}{path}\" }}\n");
    }
    policy += &format!(
        "api a {{\n host \"api.example.com\"\n issuer {}\n audience \"https://api.example.com\"\n \
         GET /page authenticated\n}}\n",
        names.join(", ")
    );
    let bed = Testbed::with(&policy, "").await;
    for realm in ["c0", "c150", "c299"] {
        let answer = asked(&bed, &signer.token(&of(&provider, realm))).await;
        assert_eq!(answer.status, 200, "{realm}: {answer:?}");
    }
    let answer = asked(&bed, &signer.token(&of(&provider, "c300"))).await;
    assert_eq!(answer.outcome(), (401, "token.unknown_issuer"));
}
