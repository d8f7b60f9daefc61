//! Fetching keys from providers that misbehave. None of it may make a key of what is none, lose
//! good keys, or harm another issuer.

use std::sync::Arc;
use std::time::Duration;

use portcullis::daemon::config::{Config, Keys, Span};
use portcullis::daemon::keys::{IssuerKeys, Origin, Place, Store};
use portcullis::daemon::metrics::Metrics;
use portcullis::keys::Algorithm;
use serde_json::Value;

use super::provider::{Behaviour, Provider};
use crate::support::mint::{Signer, key_set};

fn config() -> Keys {
    Keys {
        timeout: Span::from_millis(400),
        max_bytes: 64 * 1024,
        ..Config::default().keys
    }
}

fn store(config: &Keys) -> (Store, Arc<Metrics>) {
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

fn keys(kids: &[&str]) -> Value {
    let signers: Vec<Signer> = kids
        .iter()
        .map(|kid| Signer::new("EdDSA").kid(kid))
        .collect();
    key_set(&signers.iter().collect::<Vec<_>>())
}

fn has(keys: &IssuerKeys, kid: &str) -> bool {
    keys.current()
        .is_some_and(|set| set.choose(Some(kid), Algorithm::EdDsa).is_ok())
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

/// Every way of being of no use: no keys come of it, the wait has an end, and when the provider
/// is well again, its keys are found without a restart.
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
    let provider = Provider::start(Behaviour::Cached(keys(&["a"]), "max-age=1")).await;
    let config = Keys {
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

#[tokio::test]
async fn what_is_inside_is_not_reached_from_outside() {
    let (store, _) = store(&config());
    for url in [
        "https://10.0.0.1/jwks",
        "https://169.254.169.254/latest",
        "https://[::ffff:192.168.0.1]/",
        "https://[fd00::1]/",
        "http://keys.example.com/jwks",
        "ftp://keys.example.com/jwks",
    ] {
        let issuer = store.issuer(&Origin {
            issuer: "acme".to_owned(),
            place: Place::Url(url.to_owned()),
        });
        issuer.tried().await;
        assert!(issuer.current().is_none(), "{url}");
    }
}

#[tokio::test]
async fn metadata_can_not_point_at_this_machine_unless_the_policy_does() {
    let provider = Provider::start(Behaviour::Keys(keys(&["a"]))).await;
    // `localhost` is this machine by name; an issuer elsewhere must not lead here.
    provider.describe(|metadata| {
        metadata.jwks_uri = Some("https://192.168.7.7/jwks".to_owned());
    });
    let (store, _) = store(&config());
    let issuer = store.issuer(&discovered(&provider));
    issuer.tried().await;
    assert!(issuer.current().is_none());
    assert_eq!(provider.requests("/jwks"), 0);
}

#[test]
fn what_can_not_be_fetched_with_is_said_at_once() {
    let metrics = Arc::new(Metrics::new());
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        Some(path)
    };
    let not_pem = file("key.json", "{}");
    let not_x509 = file(
        "rubbish.pem",
        "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
    );
    let cut = file("cut.pem", "-----BEGIN CERTIFICATE-----\nMAA=\n");
    let no_user = file("credentials", "secret\n");
    for ca_file in [Some("no-such-file.pem".into()), not_pem, not_x509, cut] {
        let name = ca_file.as_ref().expect("a path").display().to_string();
        let config = Keys {
            ca_file,
            ..config()
        };
        let fault = Store::new(&config, metrics.clone()).expect_err(&name);
        assert!(
            fault.contains("keys.ca_file") && fault.contains(&name),
            "{fault}"
        );
    }
    for (config, field) in [
        (
            Keys {
                proxy: Some("http://proxy.example.com".to_owned()),
                proxy_credentials_file: no_user,
                ..config()
            },
            "keys.proxy_credentials_file",
        ),
        (
            Keys {
                proxy: Some("no url".to_owned()),
                ..config()
            },
            "keys.proxy:",
        ),
        (
            Keys {
                proxy: Some("http://user:secret@proxy.example.com".to_owned()),
                ..config()
            },
            "keys.proxy_credentials_file",
        ),
    ] {
        let fault = Store::new(&config, metrics.clone()).expect_err(field);
        assert!(fault.contains(field), "{fault}");
        assert!(!fault.contains("secret"), "{fault}");
    }
}
