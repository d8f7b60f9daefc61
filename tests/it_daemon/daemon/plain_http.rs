//! Keys over plain HTTP: only if the policy asks for it and the configuration allows it.

use portcullis::daemon::start;
use portcullis::runtime::Options;
use portcullis::runtime::config::{Config, KeyFetching, Span};
use portcullis::runtime::keys::{Fetcher, Place, fetch};
use serde_json::json;

use super::harness::{Http, Testbed, configuration, valid};
use super::provider::{Behaviour, Provider};
use crate::support::mint::{Signer, key_set};

const HOST: &str = "dex.auth.svc.cluster.local";

fn url(host: &str) -> String {
    format!("http://{host}:5556/dex/keys")
}

/// Stands in for the cluster: a proxy that answers by itself.
async fn cluster(signer: &Signer) -> Provider {
    let provider = Provider::start(Behaviour::Down).await;
    provider.at(&url(HOST), Behaviour::Keys(key_set(&[signer])));
    provider
}

fn config(cluster: &Provider, allow_http: &[&str]) -> KeyFetching {
    KeyFetching {
        proxy: Some(cluster.issuer()),
        allow_http: allow_http.iter().map(|host| (*host).to_owned()).collect(),
        timeout: Span::from_millis(2000),
        ..Config::default().keys
    }
}

async fn found(url: &str, config: &KeyFetching) -> Result<usize, String> {
    let fetcher = Fetcher::new(config).expect("a fetcher");
    match fetch(&Place::Url(url.to_owned()), &fetcher).await {
        Ok((keys, _)) => Ok(keys.keys().len()),
        Err(trouble) => Err(trouble.to_string()),
    }
}

#[tokio::test]
async fn only_hosts_that_are_named_are_asked() {
    let signer = Signer::new("EdDSA").kid("k");
    let cluster = cluster(&signer).await;
    for (allowed, fine) in [
        (vec![HOST], true),
        (vec!["svc.cluster.local"], true),
        (vec![".svc.cluster.local"], true),
        (vec!["DEX.auth.svc.cluster.local"], true),
        (vec![], false),
        (vec!["auth.svc"], false),
        (vec!["x.auth.svc.cluster.local"], false),
        (vec!["10.0.0.0/8"], false),
    ] {
        let outcome = found(&url(HOST), &config(&cluster, &allowed)).await;
        if fine {
            assert_eq!(outcome, Ok(1), "{allowed:?}");
        } else {
            let why = outcome.expect_err("refused");
            assert!(why.contains("keys.allow_http"), "{allowed:?}: {why}");
        }
    }
    assert_eq!(cluster.heads().len(), 4, "nobody else was asked");
    let outcome = found(&url("10.1.2.3"), &config(&cluster, &["10.0.0.0/8"])).await;
    let why = outcome.expect_err("there is nothing");
    assert!(why.contains("404"), "it was asked: {why}");
}

/// Unless the policy itself names a host over plain HTTP, no redirect and no metadata leads to one.
#[tokio::test]
async fn what_the_policy_names_otherwise_does_not_end_in_plain_http() {
    let signer = Signer::new("EdDSA").kid("k");
    let cluster = cluster(&signer).await;
    let provider = Provider::start(Behaviour::Keys(json!({}))).await;
    // For this machine, HTTP is as good as HTTPS, which says nothing about others.
    provider.at("/jwks", Behaviour::Redirect(url(HOST)));
    let outcome = found(&provider.jwks_uri(), &config(&cluster, &[HOST])).await;
    let why = outcome.expect_err("refused");
    assert!(why.contains("is not https"), "{why}");
    assert!(cluster.heads().is_empty(), "{:?}", cluster.heads());
}

fn policy() -> String {
    format!(
        "issuer dex {{\n url \"http://{HOST}:5556/dex\"\n keys url \"{}\"\n}}\n\
         api a {{\n host \"api.example.com\"\n issuer dex\n audience \"https://api.example.com\"\n \
         GET /page authenticated\n}}\n",
        url(HOST)
    )
}

#[tokio::test]
async fn the_daemon_refuses_the_policy_unless_it_is_configured() {
    let signer = Signer::new("EdDSA").kid("k");
    let cluster = cluster(&signer).await;
    let allowed = format!(
        "keys: {{proxy: \"{}\", allow_http: [\"{HOST}\"]}}\n",
        cluster.issuer()
    );
    let bed = Testbed::with(&policy(), &allowed).await;
    let claims = valid(json!({"iss": format!("http://{HOST}:5556/dex")}));
    let request = Http::forward("GET", "/page").bearer(&signer.token(&claims));
    let answer = bed.send("http", &request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    bed.running.shutdown().await;

    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    let policy = file("a.gate", &policy());
    let config = file("portcullis.yaml", &configuration(""));
    let refused = start(Options {
        config_file: Some(config),
        policy: Some(vec![policy]),
        ..Options::default()
    })
    .await;
    let Err(why) = refused else {
        panic!("it has started");
    };
    let why = why.to_string();
    for part in ["`dex`", HOST, "keys.allow_http", "keys file"] {
        assert!(why.contains(part), "{part}: {why}");
    }
}
