//! Fetching keys from misbehaving providers. None of it may turn something else into a key, lose
//! good keys, or harm another issuer.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use portcullis::keys::Algorithm;
use portcullis::runtime::config::{Config, KeyFetching, Span};
use portcullis::runtime::keys::{Fetcher, IssuerKeys, Origin, Place, Store, fetch};
use portcullis::runtime::metrics::Metrics;
use serde_json::Value;

use super::provider::{Behaviour, Provider};
use crate::support::mint::{Signer, key_set};

pub fn config() -> KeyFetching {
    KeyFetching {
        timeout: Span::from_millis(400),
        max_bytes: 64 * 1024,
        ..Config::default().keys
    }
}

fn store(config: &KeyFetching) -> (Store, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::new());
    let store = Store::new(config, metrics.clone()).expect("a store");
    (store, metrics)
}

fn at_url(provider: &Provider) -> Origin {
    Origin {
        issuer: "acme".to_owned(),
        place: Place::Url(provider.jwks_uri()),
    }
}

fn discovered(provider: &Provider) -> Origin {
    Origin {
        issuer: "acme".to_owned(),
        place: Place::Discover(provider.issuer()),
    }
}

pub fn keys(kids: &[&str]) -> Value {
    let signers: Vec<Signer> = kids
        .iter()
        .map(|kid| Signer::new("EdDSA").kid(kid))
        .collect();
    key_set(&signers.iter().collect::<Vec<_>>())
}

/// How many keys a place has, or why there are none.
pub async fn found(place: Place, config: &KeyFetching) -> Result<usize, String> {
    let fetcher = Fetcher::new(config).expect("a fetcher");
    match fetch(&place, &fetcher).await {
        Ok((keys, _)) => Ok(keys.keys().len()),
        Err(trouble) => Err(trouble.to_string()),
    }
}

fn has(keys: &IssuerKeys, kid: &str) -> bool {
    keys.current()
        .is_some_and(|set| set.fitting(Some(kid), Algorithm::EdDsa).next().is_some())
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..1000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

#[tokio::test]
async fn keys_at_a_url_and_by_both_ways_of_discovery() {
    let provider = Provider::start(Behaviour::Keys(keys(&["a"]))).await;
    let (store, metrics) = store(&config());
    let direct = store.issuer(&at_url(&provider));
    direct.tried().await;
    assert!(has(&direct, "a"));
    assert_eq!(provider.requests("/.well-known/openid-configuration"), 0);

    let openid = store.issuer(&discovered(&provider));
    openid.tried().await;
    assert!(has(&openid, "a"));
    assert_eq!(provider.requests("/.well-known/openid-configuration"), 1);
    assert_eq!(
        provider.requests("/.well-known/oauth-authorization-server"),
        0
    );
    drop(openid);

    provider.describe(|metadata| metadata.openid = false);
    let oauth = store.issuer(&discovered(&provider));
    oauth.tried().await;
    assert!(has(&oauth, "a"));
    assert_eq!(
        provider.requests("/.well-known/oauth-authorization-server"),
        1
    );
    let text = metrics.text();
    assert!(
        text.contains(r#"portcullis_key_refreshes_total{issuer="acme",result="success"} 3"#),
        "{text}"
    );
}

#[tokio::test]
async fn an_operator_sees_the_age_of_keys_and_the_last_failure() {
    let provider = Provider::start(Behaviour::Keys(keys(&["a", "b"]))).await;
    let (store, _) = store(&config());
    let issuer = store.issuer(&at_url(&provider));
    let before = SystemTime::now();
    issuer.tried().await;
    let fresh = issuer.status();
    assert_eq!((fresh.keys, fresh.usable), (2, true));
    assert_eq!(fresh.place, provider.jwks_uri());
    assert!(fresh.fetched_at.is_some_and(|at| at >= before) && fresh.last_failure.is_none());

    provider.behave(Behaviour::Status(500));
    issuer.refresh_for_unknown_key().await;
    let failed = issuer.status();
    assert_eq!(
        (failed.keys, failed.usable),
        (2, true),
        "the last good ones"
    );
    assert_eq!(failed.fetched_at, fresh.fetched_at);
    let failure = failed.last_failure.expect("a failure");
    assert!(failure.message.contains("500"), "{failure:?}");
}

#[tokio::test]
async fn metadata_of_another_issuer_is_not_believed() {
    let provider = Provider::start(Behaviour::Keys(keys(&["a"]))).await;
    provider.describe(|metadata| metadata.issuer = Some("http://127.0.0.1:1".to_owned()));
    let (store, _) = store(&config());
    let issuer = store.issuer(&discovered(&provider));
    issuer.tried().await;
    assert!(issuer.current().is_none());
    assert_eq!(
        provider.requests("/jwks"),
        0,
        "its keys are not even asked for"
    );
}

/// Every failure of a provider: no keys result, the wait ends, and when the provider works again,
/// its keys are found without a restart.
#[tokio::test]
async fn a_provider_of_no_use_is_believed_nothing_and_found_later() {
    for behaviour in [
        Behaviour::Html,
        Behaviour::Empty,
        Behaviour::Raw("{}"),
        Behaviour::Raw(r#"{"keys":[]}"#),
        Behaviour::Raw(r#"{"keys":[],"keys":[]}"#),
        Behaviour::Raw("[1,2"),
        Behaviour::Huge,
        Behaviour::HugeChunked,
        Behaviour::Hang,
        Behaviour::Trickle,
        Behaviour::Status(204),
        Behaviour::Status(500),
        Behaviour::Status(304),
        Behaviour::Redirect("http://keys.example.com/jwks".to_owned()),
        Behaviour::Redirect("https://10.0.0.1/jwks".to_owned()),
        Behaviour::Redirect("file:///etc/passwd".to_owned()),
        Behaviour::Redirect("/jwks".to_owned()),
        Behaviour::Down,
    ] {
        let provider = Provider::start(behaviour.clone()).await;
        let (store, _) = store(&config());
        let issuer = store.issuer(&at_url(&provider));
        tokio::time::timeout(Duration::from_secs(10), issuer.tried())
            .await
            .unwrap_or_else(|_| panic!("no end to {behaviour:?}"));
        assert!(issuer.current().is_none(), "{behaviour:?}");
        provider.behave(Behaviour::Keys(keys(&["a"])));
        until("the keys are found", || has(&issuer, "a")).await;
    }
}

/// The messages in the log and of `why`: the request, the result, and no repetition.
#[tokio::test]
async fn what_a_provider_of_no_use_did_is_one_sentence() {
    for (behaviour, said) in [
        (
            Behaviour::Down,
            "`URL`: the connection was closed before the answer was complete",
        ),
        (Behaviour::Deaf, "no complete answer within 400ms"),
        (Behaviour::Hang, "no complete answer within 400ms"),
        (Behaviour::Trickle, "no complete answer within 400ms"),
        (
            Behaviour::Huge,
            "`URL` answers with more than 65536 bytes (`keys.max_bytes`)",
        ),
        (
            Behaviour::HugeChunked,
            "`URL` answers with more than 65536 bytes (`keys.max_bytes`)",
        ),
        (
            Behaviour::Status(500),
            "`URL` answers 500 Internal Server Error",
        ),
        (Behaviour::Status(204), "`URL` answers 204 No Content"),
        (
            Behaviour::Status(304),
            "`URL` redirects without saying where to",
        ),
        (
            Behaviour::Html,
            "`URL` answers with `text/html; charset=utf-8`, not with JSON",
        ),
        (
            Behaviour::Headed(keys(&["a"]), "Content-Encoding: gzip\r\n"),
            "`URL` answers in the encoding `gzip`, which was not asked for",
        ),
        (
            Behaviour::Redirect("http://keys.example.com/jwks".to_owned()),
            "`http://keys.example.com/jwks` is not https",
        ),
        (
            Behaviour::Redirect("https://10.0.0.1/jwks".to_owned()),
            "`10.0.0.1` is at the private address 10.0.0.1; `keys.allow_addresses` in the \
             configuration can allow it",
        ),
        (
            Behaviour::Redirect("file:///etc/passwd".to_owned()),
            "`file:///etc/passwd` names no host",
        ),
        (
            Behaviour::Redirect("/jwks".to_owned()),
            "more than 3 redirects, the last to `URL`",
        ),
        (
            Behaviour::Raw(r#"{"keys":[]}"#),
            "`URL`: no key that could verify a token",
        ),
    ] {
        let provider = Provider::start(behaviour.clone()).await;
        let place = Place::Url(provider.jwks_uri());
        let endless = said.starts_with("no complete answer");
        let config = KeyFetching {
            // Everything with an end is waited for, even on a slow machine.
            timeout: Span::from_millis(if endless { 400 } else { 60_000 }),
            ..config()
        };
        let fault = found(place, &config).await.expect_err("of no use");
        let fault = fault.replace(&provider.jwks_uri(), "URL");
        let said = said.replace("no complete", "`URL`: no complete");
        assert_eq!(fault, said, "{behaviour:?}");
    }
}

#[tokio::test]
async fn a_discovery_that_failed_is_one_sentence() {
    let provider = Provider::start(Behaviour::Keys(keys(&["a"]))).await;
    let said = async || {
        let fault = found(Place::Discover(provider.issuer()), &config()).await;
        fault
            .expect_err("of no use")
            .replace(&provider.issuer(), "ISSUER")
    };
    provider.describe(|metadata| {
        (metadata.openid, metadata.oauth) = (false, false);
    });
    assert_eq!(
        said().await,
        "`ISSUER` has no metadata: `ISSUER/.well-known/openid-configuration` answers 404 Not \
         Found, and `ISSUER/.well-known/oauth-authorization-server` answers 404 Not Found; \
         `keys url` in the policy can name the key set itself"
    );
    provider.describe(|metadata| {
        metadata.openid = true;
        metadata.issuer = Some("https://other.example.com".to_owned());
    });
    assert_eq!(
        said().await,
        "`ISSUER/.well-known/openid-configuration` is the metadata of \
         `https://other.example.com`, not of `ISSUER`; the issuer's `url` in the policy must be \
         the same to the letter"
    );
    // A provider's own text is cleaned and shortened.
    for (jwks_uri, expected) in [
        ("no\u{7}\nURL".to_owned(), "is not a URL"),
        (
            "x".repeat(3000),
            "a URL of 3000 bytes, and at most 2048 are asked",
        ),
        (
            "http://127.0.0.1:1/\n\u{1b}[31m".to_owned(),
            "/%1B[31m`: the connection is refused",
        ),
    ] {
        provider.describe(|metadata| {
            (metadata.issuer, metadata.jwks_uri) = (None, Some(jwks_uri));
        });
        let said = said().await;
        assert!(said.contains(expected), "{said}");
        assert!(!said.contains(char::is_control), "{said:?}");
    }
    // A provider that doesn't answer isn't asked for the other document.
    provider.behave(Behaviour::Deaf);
    let before = provider.connections();
    assert_eq!(
        said().await,
        "`ISSUER/.well-known/openid-configuration`: no complete answer within 400ms"
    );
    assert_eq!(provider.connections(), before + 1);
    let gone = "http://127.0.0.1:1";
    assert_eq!(
        found(Place::Discover(gone.to_owned()), &config()).await,
        Err(format!(
            "`{gone}/.well-known/openid-configuration`: the connection is refused"
        ))
    );
}

#[tokio::test]
async fn a_redirect_to_itself_ends() {
    let provider = Provider::start(Behaviour::Redirect("/jwks".to_owned())).await;
    let (store, _) = store(&config());
    let issuer = store.issuer(&at_url(&provider));
    issuer.tried().await;
    assert_eq!(
        provider.requests("/jwks"),
        4,
        "the first and three redirects"
    );
}

#[tokio::test]
async fn a_redirect_on_this_machine_is_followed_where_the_policy_names_it() {
    let second = Provider::start(Behaviour::Keys(keys(&["a"]))).await;
    let first = Provider::start(Behaviour::Redirect(second.jwks_uri())).await;
    let (store, _) = store(&config());
    let issuer = store.issuer(&at_url(&first));
    issuer.tried().await;
    assert!(has(&issuer, "a"));
}

#[tokio::test]
async fn good_keys_outlive_an_outage_but_not_for_ever() {
    let provider = Provider::start(Behaviour::Headed(
        keys(&["a"]),
        "Cache-Control: max-age=1\r\n",
    ))
    .await;
    let config = KeyFetching {
        refresh: Span::from_millis(100),
        max_stale: Span::from_secs(2),
        ..config()
    };
    let (store, metrics) = store(&config);
    let issuer = store.issuer(&at_url(&provider));
    issuer.tried().await;
    provider.behave(Behaviour::Status(500));
    until("a refresh has failed", || {
        metrics.text().contains(r#"result="failure"} "#)
    })
    .await;
    assert!(has(&issuer, "a"), "the last good keys serve");
    until("they are too old", || issuer.current().is_none()).await;
    provider.behave(Behaviour::Keys(keys(&["b"])));
    until("new ones are found", || has(&issuer, "b")).await;
}

#[tokio::test]
async fn an_empty_set_does_not_take_the_place_of_good_keys() {
    let provider = Provider::start(Behaviour::Keys(keys(&["a"]))).await;
    let (store, _) = store(&config());
    let issuer = store.issuer(&at_url(&provider));
    issuer.tried().await;
    provider.behave(Behaviour::Raw(r#"{"keys":[]}"#));
    issuer.refresh_for_unknown_key().await;
    assert_eq!(provider.requests("/jwks"), 2);
    assert!(has(&issuer, "a"));
}

#[tokio::test]
async fn a_key_that_is_of_no_use_spoils_no_other() {
    let mut set = keys(&["a", "b"]);
    let members = set["keys"].as_array_mut().expect("a list");
    members.insert(
        1,
        serde_json::json!({"kty": "EC", "crv": "P-256", "kid": "bad"}),
    );
    members.insert(0, serde_json::json!("no key at all"));
    let provider = Provider::start(Behaviour::Keys(set)).await;
    let (store, _) = store(&config());
    let issuer = store.issuer(&at_url(&provider));
    issuer.tried().await;
    assert!(has(&issuer, "a") && has(&issuer, "b"));
    assert!(!has(&issuer, "bad"));
}

#[tokio::test]
async fn what_a_provider_says_of_caching_is_taken_from_its_key_set() {
    for (headers, expected) in [
        ("", None),
        ("Cache-Control: max-age=600\r\nAge: 100\r\n", Some(500)),
        ("Cache-Control: no-store\r\n", Some(0)),
        (
            "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nExpires: Sun, 06 Nov 1994 08:59:37 GMT\r\n",
            Some(600),
        ),
    ] {
        let provider = Provider::start(Behaviour::Headed(keys(&["a"]), headers)).await;
        let fetcher = Fetcher::new(&config()).expect("a fetcher");
        let place = Place::Discover(provider.issuer());
        let (_, fresh) = fetch(&place, &fetcher).await.expect("keys");
        assert_eq!(fresh.map(|fresh| fresh.as_secs()), expected, "{headers}");
    }
}

/// No token asked for it: a new key that is published in advance costs no request anything.
#[tokio::test]
async fn a_new_key_is_there_before_a_token_names_it() {
    let provider = Provider::start(Behaviour::Keys(keys(&["a"]))).await;
    let config = KeyFetching {
        refresh: Span::from_millis(100),
        ..config()
    };
    let (store, _) = store(&config);
    let issuer = store.issuer(&at_url(&provider));
    issuer.tried().await;
    provider.behave(Behaviour::Keys(keys(&["a", "b"])));
    until("the new key is there", || {
        assert!(has(&issuer, "a"), "the old one serves all the while");
        has(&issuer, "b")
    })
    .await;
    provider.behave(Behaviour::Keys(keys(&["b"])));
    until("the old one is gone", || !has(&issuer, "a")).await;
}

#[tokio::test]
async fn a_new_key_is_found_when_a_token_names_it() {
    let provider = Provider::start(Behaviour::Keys(keys(&["a"]))).await;
    let (store, _) = store(&config());
    let issuer = store.issuer(&at_url(&provider));
    issuer.tried().await;
    provider.behave(Behaviour::Keys(keys(&["a", "b"])));
    assert!(!has(&issuer, "b"));
    issuer.refresh_for_unknown_key().await;
    assert!(has(&issuer, "b"));
}

#[tokio::test]
async fn a_storm_of_unknown_keys_is_one_refresh() {
    let provider = Provider::start(Behaviour::Keys(keys(&["a"]))).await;
    let (store, _) = store(&config());
    let issuer = store.issuer(&at_url(&provider));
    issuer.tried().await;
    let mut storm = tokio::task::JoinSet::new();
    for _ in 0..500 {
        let issuer = issuer.clone();
        storm.spawn(async move { issuer.refresh_for_unknown_key().await });
    }
    storm.join_all().await;
    issuer.refresh_for_unknown_key().await;
    assert_eq!(provider.requests("/jwks"), 2);
}

#[tokio::test]
async fn a_storm_at_one_issuer_leaves_anothers_refresh() {
    let provider = Provider::start(Behaviour::Keys(keys(&["a"]))).await;
    let other = Provider::start(Behaviour::Keys(keys(&["a"]))).await;
    let (store, _) = store(&config());
    let issuers = [at_url(&provider), at_url(&other)].map(|origin| store.issuer(&origin));
    for (issuer, of) in issuers.iter().zip([&provider, &other]) {
        issuer.tried().await;
        issuer.refresh_for_unknown_key().await;
        issuer.refresh_for_unknown_key().await;
        assert_eq!(of.requests("/jwks"), 2, "one for each of them");
    }
}

#[tokio::test]
async fn one_issuers_outage_is_not_anothers() {
    let (bad, good) = (
        Provider::start(Behaviour::Hang).await,
        Provider::start(Behaviour::Keys(keys(&["a"]))).await,
    );
    let (store, _) = store(&config());
    let hanging = store.issuer(&at_url(&bad));
    let fine = store.issuer(&Origin {
        issuer: "other".to_owned(),
        ..at_url(&good)
    });
    fine.tried().await;
    assert!(has(&fine, "a"));
    assert!(hanging.current().is_none());
}

#[tokio::test]
async fn a_reload_keeps_the_keys_of_issuers_that_stay() {
    let provider = Provider::start(Behaviour::Keys(keys(&["a"]))).await;
    let (store, _) = store(&config());
    let before = store.issuer(&at_url(&provider));
    before.tried().await;
    let after = store.issuer(&at_url(&provider));
    assert!(Arc::ptr_eq(&before, &after));
    assert_eq!(provider.requests("/jwks"), 1);
}
