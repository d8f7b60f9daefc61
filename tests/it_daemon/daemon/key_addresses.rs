//! The addresses from which keys are fetched, and the requests for them.

use std::sync::Arc;

use portcullis::runtime::config::{KeyFetching, Span};
use portcullis::runtime::keys::{Fetcher, Named, Place, Store};
use portcullis::runtime::metrics::Metrics;

use super::keys::{config, found, keys};
use super::provider::{Behaviour, Provider};

#[tokio::test]
async fn what_is_inside_is_not_reached_from_outside() {
    for (url, said) in [
        (
            "https://10.0.0.1/jwks",
            "is at the private address 10.0.0.1;",
        ),
        (
            "https://169.254.169.254/latest",
            "is at the private address",
        ),
        ("https://[::ffff:192.168.0.1]/", "address 192.168.0.1;"),
        ("https://[fd00::1]/", "is at the private address fd00::1;"),
        ("https://[64:ff9b::a00:1]/", "is at the private address"),
        ("http://keys.example.com/jwks", "is plain HTTP"),
        ("ftp://keys.example.com/jwks", "is not https"),
        ("file:///etc/passwd", "names no host"),
    ] {
        let fault = found(Place::Url(url.to_owned()), &config()).await;
        let fault = fault.expect_err(url);
        assert!(fault.contains(said), "{url}: {fault}");
    }
}

/// A URL from a provider's metadata or redirect may not be this machine unless the policy names it:
/// the operator's own services listen there.
#[tokio::test]
async fn this_machine_is_asked_where_the_policy_names_it_alone() {
    let provider = Provider::start(Behaviour::Keys(keys(&["a"]))).await;
    let fetcher = Fetcher::new(&config()).expect("a fetcher");
    let url = provider.jwks_uri();
    for host in [
        "127.0.0.1",
        "127.0.0.2",
        "[::1]",
        "localhost",
        "a.localhost.",
    ] {
        let url = url.replacen("127.0.0.1", host, 1);
        let fault = fetcher
            .get(&url, &Named::of("https://id.example.com/"))
            .await
            .expect_err(host)
            .to_string();
        assert!(fault.contains("the policy does not name it"), "{fault}");
    }
    assert_eq!(provider.connections(), 0);
    assert!(fetcher.get(&url, &Named::of(&url)).await.is_ok());
}

#[tokio::test]
async fn a_private_address_is_asked_where_the_configuration_allows_it() {
    let config = KeyFetching {
        allow_addresses: vec!["10.0.0.0/8".to_owned()],
        timeout: Span::from_millis(1),
        ..config()
    };
    for (url, allowed) in [
        ("https://10.255.255.1/jwks", true),
        ("https://192.168.255.1/jwks", false),
    ] {
        let fault = found(Place::Url(url.to_owned()), &config).await;
        let fault = fault.expect_err("there is nobody");
        assert_eq!(!fault.contains("keys.allow_addresses"), allowed, "{fault}");
    }
}

#[tokio::test]
async fn metadata_can_not_point_at_a_private_address() {
    let provider = Provider::start(Behaviour::Keys(keys(&["a"]))).await;
    provider.describe(|metadata| {
        metadata.jwks_uri = Some("https://192.168.7.7/jwks".to_owned());
    });
    let fault = found(Place::Discover(provider.issuer()), &config()).await;
    let fault = fault.expect_err("a private address");
    assert!(fault.contains("private address 192.168.7.7"), "{fault}");
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
        let config = KeyFetching {
            ca_file,
            ..config()
        };
        let fault = Store::new(&config, metrics.clone())
            .expect_err(&name)
            .to_string();
        assert!(
            fault.contains("keys.ca_file") && fault.contains(&name),
            "{fault}"
        );
    }
    for (config, field) in [
        (
            KeyFetching {
                proxy: Some("http://proxy.example.com".to_owned()),
                proxy_credentials_file: no_user,
                ..config()
            },
            "keys.proxy_credentials_file",
        ),
        (
            KeyFetching {
                proxy: Some("no url".to_owned()),
                ..config()
            },
            "keys.proxy:",
        ),
        (
            KeyFetching {
                proxy: Some("http://user:secret@proxy.example.com".to_owned()),
                ..config()
            },
            "keys.proxy_credentials_file",
        ),
    ] {
        let fault = Store::new(&config, metrics.clone())
            .expect_err(field)
            .to_string();
        assert!(fault.contains(field), "{fault}");
        assert!(!fault.contains("secret"), "{fault}");
    }
}
