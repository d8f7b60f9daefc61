//! The certificate authorities that are trusted when keys are fetched.

use std::process::Command;

use portcullis::runtime::config::{Config, KeyFetching};
use portcullis::runtime::keys::{Fetcher, Place, fetch};
use serde_json::json;

use super::harness::{Http, exchange, valid};
use super::process::{Process, folder};
use super::provider::{Behaviour, Provider};
use crate::support::mint::{Signer, key_set};
use crate::support::tls::Authority;

/// A provider over TLS, and its signer.
async fn provider(authority: &Authority, certificate: &str) -> (Provider, Signer) {
    let signer = Signer::new("EdDSA").kid("k");
    let keys = Behaviour::Keys(key_set(&[&signer]));
    let provider = Provider::start_tls(keys, authority, certificate).await;
    (provider, signer)
}

/// How many keys are found when these authorities are trusted in addition to the system's.
async fn found(provider: &Provider, authorities: &[&Authority]) -> Result<usize, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let ca_file = (!authorities.is_empty()).then(|| {
        let read = |authority: &&Authority| {
            std::fs::read_to_string(authority.path("ca", "crt")).expect("the authority")
        };
        let bundle: String = authorities.iter().map(read).collect();
        let file = folder.path().join("bundle.pem");
        std::fs::write(&file, bundle).expect("written");
        file
    });
    let fetcher = Fetcher::new(&KeyFetching {
        ca_file,
        ..Config::default().keys
    })
    .expect("a fetcher");
    match fetch(&Place::Discover(provider.issuer()), &fetcher).await {
        Ok((keys, _)) => Ok(keys.keys().len()),
        Err(trouble) => Err(trouble.to_string()),
    }
}

#[tokio::test]
async fn an_authority_of_ones_own_is_believed_where_the_configuration_names_it() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    ours.sign("127.0.0.1");
    let (provider, _) = provider(&ours, "127.0.0.1").await;
    assert_eq!(found(&provider, &[&ours]).await, Ok(1));
    assert_eq!(found(&provider, &[&theirs, &ours]).await, Ok(1), "a bundle");
    let asked = provider.requests("/jwks");
    for others in [&[][..], &[&theirs]] {
        let expected = format!(
            "`{}/.well-known/openid-configuration`: its certificate is not from an authority that \
            is trusted here; `keys.ca_file` names authorities beside the system's",
            provider.issuer()
        );
        assert_eq!(found(&provider, others).await, Err(expected));
    }
    assert_eq!(provider.requests("/jwks"), asked, "it is not even asked");
}

#[tokio::test]
async fn a_certificate_out_of_date_or_for_another_name_is_not_believed() {
    let authority = Authority::new();
    authority.sign("id.example.com");
    let (other_name, _) = provider(&authority, "id.example.com").await;
    let fault = found(&other_name, &[&authority]).await.expect_err("a name");
    assert!(
        fault.ends_with(": its certificate is for another name"),
        "{fault}"
    );

    authority.sign_expired("127.0.0.1");
    let (expired, _) = provider(&authority, "127.0.0.1").await;
    let fault = found(&expired, &[&authority]).await.expect_err("a date");
    assert!(fault.ends_with(": its certificate has expired"), "{fault}");
}

fn policy(providers: &[&Provider]) -> String {
    let mut text =
        String::from("issuer files { url \"https://id.example.com/\" keys file \"keys.json\" }\n");
    let mut names = vec!["files".to_owned()];
    for (number, provider) in providers.iter().enumerate() {
        let name = format!("idp{number}");
        text.push_str(&format!(
            "issuer {name} {{ url \"{}\" }}\n",
            provider.issuer()
        ));
        names.push(name);
    }
    text + &format!(
        "api a {{\n host \"api.example.com\"\n issuer {}\n \
         audience \"https://api.example.com\"\n GET /page authenticated\n}}\n",
        names.join(", ")
    )
}

/// A daemon process with these authorities as the system's, and its answers to a token of the
/// issuer whose keys are in a file, and to one of each provider.
async fn answers(
    system: &str,
    config: &str,
    parties: &[&(Provider, Signer)],
) -> Vec<(u16, String)> {
    let providers: Vec<&Provider> = parties.iter().map(|(provider, _)| provider).collect();
    let folder = folder(&policy(&providers), config);
    let signer = Signer::new("EdDSA").kid("file");
    let keys = key_set(&[&signer]).to_string();
    std::fs::write(folder.path().join("policies/keys.json"), keys).expect("written");
    let system = [("SSL_CERT_FILE", system), ("SSL_CERT_DIR", "")];
    let process = Process::start(folder.path(), &system);
    let http = process.address("http");
    process.line("ready");
    let of_providers = parties
        .iter()
        .map(|(provider, signer)| signer.token(&valid(json!({"iss": provider.issuer()}))));
    let mut answers = Vec::new();
    for token in [signer.token(&valid(json!({})))]
        .into_iter()
        .chain(of_providers)
    {
        let request = Http::forward("GET", "/page").bearer(&token);
        let answer = exchange(http, &request.bytes()).await;
        answers.push((answer.status, answer.reason().to_owned()));
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_authorities_of_the_configuration_are_beside_the_systems() {
    let authorities = [Authority::new(), Authority::new(), Authority::new()];
    let mut parties = Vec::new();
    for authority in &authorities {
        authority.sign("127.0.0.1");
        parties.push(provider(authority, "127.0.0.1").await);
    }
    let [system, own, _] = &authorities;
    let config = format!(
        "log: {{format: json}}\nkeys: {{ca_file: {}}}\n",
        own.path("ca", "crt").display()
    );
    let system = system.path("ca", "crt").display().to_string();
    let parties: Vec<_> = parties.iter().collect();
    let allowed = (200, "allowed".to_owned());
    let denied = (503, "keys.unavailable".to_owned());
    assert_eq!(
        answers(&system, &config, &parties).await,
        [allowed.clone(), allowed.clone(), allowed, denied]
    );
}

/// `why` fetches like the daemon if it has the configuration.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_fetches_by_the_daemons_configuration() {
    let authority = Authority::new();
    authority.sign("127.0.0.1");
    let (provider, signer) = provider(&authority, "127.0.0.1").await;
    let config = format!(
        "keys: {{ca_file: {}}}\n",
        authority.path("ca", "crt").display()
    );
    let folder = folder(&policy(&[&provider]), &config);
    let keys = key_set(&[&signer]).to_string();
    std::fs::write(folder.path().join("policies/keys.json"), keys).expect("written");
    let token = signer.token(&valid(json!({"iss": provider.issuer()})));
    let why = |more: &[&str]| {
        let question = ["why", "policies", "/page", "--token", &token];
        let output = Command::new(env!("CARGO_BIN_EXE_portcullis"))
            .args(question.iter().chain(more))
            .current_dir(folder.path())
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    };
    let (code, said) = why(&["--config", "portcullis.yaml"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = why(&[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("`keys.ca_file` names"), "{said}");
}

/// A container without certificates: keys from files need no authority.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_without_authorities_believes_nobody_and_starts() {
    let authority = Authority::new();
    authority.sign("127.0.0.1");
    let party = provider(&authority, "127.0.0.1").await;
    assert_eq!(
        answers("/dev/null", "log: {format: json}\n", &[&party]).await,
        [
            (200, "allowed".to_owned()),
            (503, "keys.unavailable".to_owned())
        ]
    );
}
