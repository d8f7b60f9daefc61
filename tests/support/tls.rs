//! Certificates made for a test.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// An authority and the certificates it has signed, as PEM files in a folder.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Authority {
    /// A new one.
    pub fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ca.crt"), issuer.pem()).expect("written");
        Authority { issuer, folder }
    }

    /// Signs a certificate, and writes it and its key.
    pub fn sign(&self, name: &str) {
        self.sign_with(name, |_| ());
    }

    fn sign_with(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        // Some libraries consider a certificate with its issuer's name self-signed.
        params.distinguished_name.push(DnType::CommonName, name);
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        std::fs::write(self.path(name, "crt"), certificate.pem()).expect("written");
        std::fs::write(self.path(name, "key"), key.serialize_pem()).expect("written");
    }

    /// Signs an expired certificate.
    pub fn sign_expired(&self, name: &str) {
        self.sign_with(name, |params| {
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(2020, 12, 31);
        });
    }

    /// A server with a certificate that was signed before.
    pub fn acceptor(&self, name: &str) -> tokio_rustls::TlsAcceptor {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_file(self.path(name, "crt")).expect("read")],
                PrivateKeyDer::from_pem_file(self.path(name, "key")).expect("read"),
            )
            .expect("a server's certificate");
        tokio_rustls::TlsAcceptor::from(Arc::new(config))
    }

    /// The path of a certificate (`crt`) or its key (`key`).
    pub fn path(&self, name: &str, extension: &str) -> std::path::PathBuf {
        self.folder.path().join(format!("{name}.{extension}"))
    }

    /// A client that trusts this authority, with its own certificate if `name` is given.
    pub fn client(&self, name: Option<(&Authority, &str)>) -> tokio_rustls::TlsConnector {
        tokio_rustls::TlsConnector::from(self.client_config(name))
    }

    /// The configuration of that client.
    pub fn client_config(&self, name: Option<(&Authority, &str)>) -> Arc<rustls::ClientConfig> {
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(self.path("ca", "crt")).expect("the authority"))
            .expect("a root");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        let config = match name {
            None => builder.with_no_client_auth(),
            Some((authority, name)) => builder
                .with_client_auth_cert(
                    vec![CertificateDer::from_pem_file(authority.path(name, "crt")).expect("read")],
                    PrivateKeyDer::from_pem_file(authority.path(name, "key")).expect("read"),
                )
                .expect("a client's certificate"),
        };
        Arc::new(config)
    }
}
