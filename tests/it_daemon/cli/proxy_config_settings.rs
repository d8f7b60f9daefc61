//! How `portcullis.yaml` changes the output of `portcullis proxy-config`.

use std::fs;

use super::proxy_config::{EVERYTHING, fragment};
use super::support::{GOOD, folder, run, text};

/// The fragment sets the headers that `adapters` names; if it can't, that is an error.
#[test]
fn the_headers_that_the_configuration_names_are_set() {
    let folder = folder(&[("policies/a.gate", EVERYTHING)]);
    let file = folder.path().join("portcullis.yaml");
    let path = text(&file);
    let write = |adapters: &str| {
        fs::write(
            &file,
            format!("policy: policies\nadapters:\n  {adapters}\n"),
        )
        .expect("the folder can be written");
    };
    for (arguments, adapters, there, not_there) in [
        (
            &["nginx"][..],
            "nginx: { scheme: \"header:x-scheme\", address: \"header:x-peer\", certificate: \"header:x-cert\" }",
            &[
                "    proxy_set_header X-Scheme $scheme;",
                "    proxy_set_header X-Peer $remote_addr;",
                "    proxy_set_header X-Cert $ssl_client_escaped_cert;",
            ][..],
            "    proxy_set_header X-Forwarded-For $remote_addr;\n    proxy",
        ),
        (
            &["caddy"],
            "forward: { address: \"header:x-peer\", certificate: \"header:x-cert\" }",
            &[
                "request_header X-Peer {http.request.remote.host}",
                "request_header X-Cert {http.request.tls.client.certificate_der_base64}",
            ],
            "X-Client-Cert-Sha256",
        ),
        (
            &["envoy", "--over", "http"],
            "envoy: { scheme: \"header:x-scheme\", address: \"header:x-peer\", certificate: \"fingerprint:x-cert\" }",
            &[
                "key: x-scheme, value: \"%REQ(X-FORWARDED-PROTO)%\"",
                "key: x-peer, value: \"%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%\"",
                "key: x-cert, value: \"%DOWNSTREAM_PEER_FINGERPRINT_256%\"",
                "      - exact: x-peer\n",
            ],
            "SANITIZE_SET",
        ),
        (
            &["envoy"],
            "grpc: { address: \"header:x-peer\" }",
            &["key: x-peer, value: \"%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%\""],
            "- remove: x-forwarded-proto\n",
        ),
        (
            &["traefik"],
            "forward: { address: \"header:x-real-ip\", certificate: \"header:x-forwarded-tls-client-cert\" }",
            &["passTLSClientCert:", "          - portcullis-certificate\n"],
            "X-Real-Ip",
        ),
    ] {
        write(adapters);
        let fragment = fragment(&[arguments, &["--config", &path]].concat());
        for line in there {
            assert!(fragment.contains(line), "{line}: {fragment}");
        }
        assert!(!fragment.contains(not_there), "{not_there}: {fragment}");
    }
    for (arguments, adapters, message) in [
        (
            &["nginx"][..],
            "nginx: { certificate: xfcc }",
            "adapters.nginx.certificate",
        ),
        (
            &["nginx"],
            "nginx: { certificate: \"fingerprint:x-print\" }",
            "SHA-1",
        ),
        (
            &["nginx"],
            "nginx: { address: \"header:x-user-id\" }",
            "policy forwards",
        ),
        (
            &["nginx"],
            "nginx: { address: \"header:x-access-token\" }",
            "takes tokens from",
        ),
        (
            &["nginx"],
            "nginx: { address: \"header:x-a\", scheme: \"header:x-a\" }",
            "something else",
        ),
        (
            &["nginx"],
            "nginx: { address: \"header:x-original-uri\" }",
            "what the request is",
        ),
        (
            &["nginx"],
            "nginx: { address: \"header:x_peer\" }",
            "letters, digits",
        ),
        (
            &["caddy"],
            "forward: { certificate: xfcc }",
            "adapters.forward.certificate",
        ),
        (
            &["traefik"],
            "forward: { address: \"header:x-peer\" }",
            "header:x-forwarded-for",
        ),
        (
            &["traefik"],
            "forward: { certificate: \"header:x-cert\" }",
            "x-forwarded-tls-client-cert",
        ),
    ] {
        write(adapters);
        let ran = run(&[&["proxy-config"], arguments, &["--config", &path]].concat());
        assert_eq!(ran.code, Some(2), "{adapters}: {}", ran.everything());
        assert!(ran.stderr.contains(message), "{adapters}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{adapters}");
    }
}

/// The body of a denial behind nginx is one from its configuration.
#[test]
fn nginx_tells_a_reason_as_the_daemon_would() {
    let folder = folder(&[("policies/a.gate", GOOD)]);
    let policy = text(folder.path().join("policies"));
    let file = folder.path().join("portcullis.yaml");
    let path = text(&file);
    let arguments = ["proxy-config", "nginx", &policy, "--config", &path];
    let reason = "\"reason\":\"$portcullis_reason\"";
    for (settings, kind, told) in [
        ("", "urn:portcullis:reason:$portcullis_reason", true),
        (
            "docs: https://docs.example.com/reasons/",
            "https://docs.example.com/reasons/$portcullis_reason",
            true,
        ),
        ("explain: none", "about:blank", false),
    ] {
        fs::write(&file, settings).expect("the folder can be written");
        let ran = run(&arguments);
        assert_eq!(ran.code, Some(0), "{settings}: {}", ran.everything());
        for status in ["401", "403"] {
            let line = ran
                .stdout
                .lines()
                .find(|line| line.trim_start().starts_with(&format!("return {status} ")));
            let line = line.expect("a body");
            assert!(line.contains(&format!("\"type\":\"{kind}\"")), "{line}");
            assert_eq!(line.contains(reason), told, "{line}");
        }
    }
    for docs in [
        "https://docs.example.com/a'b",
        "https://docs.example.com/$a",
    ] {
        fs::write(&file, format!("docs: \"{docs}\"")).expect("the folder can be written");
        let ran = run(&arguments);
        assert_eq!(ran.code, Some(2), "{}", ran.everything());
        assert!(ran.stderr.contains("percent-encoded"), "{}", ran.stderr);
    }
}
