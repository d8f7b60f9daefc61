//! TLS on a listener.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::Protocol;
use crate::runtime::config::Tls;

/// Reads certificate, key and client authorities.
pub fn acceptor(tls: &Tls, protocol: Protocol) -> Result<TlsAcceptor, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = certificates(&tls.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&tls.key)
        .map_err(|fault| TlsError::of("tls.key", &tls.key, fault))?;
    let builder = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Versions)?;
    let builder = match &tls.client_ca {
        None => builder.with_no_client_auth(),
        Some(file) => builder.with_client_cert_verifier(clients(file, provider)?),
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|fault| TlsError::of("tls.certificate", &tls.certificate, fault))?;
    config.alpn_protocols = vec![protocol.alpn().to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// An error that keeps a listener from using TLS.
#[derive(Debug)]
pub enum TlsError {
    /// A file can't be used.
    File {
        /// The field that names the file.
        field: &'static str,
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        fault: FileFault,
    },
    /// The library supports none of the TLS versions.
    Versions(rustls::Error),
}

/// What is wrong with a TLS file.
#[derive(Debug)]
pub enum FileFault {
    /// It can't be read as PEM.
    Pem(pem::Error),
    /// It contains no certificate.
    NoCertificate,
    /// Its contents can't be used.
    Content(rustls::Error),
    /// Client certificates can't be verified with it.
    Clients(VerifierBuilderError),
}

impl From<pem::Error> for FileFault {
    fn from(fault: pem::Error) -> FileFault {
        FileFault::Pem(fault)
    }
}

impl From<rustls::Error> for FileFault {
    fn from(fault: rustls::Error) -> FileFault {
        FileFault::Content(fault)
    }
}

impl From<VerifierBuilderError> for FileFault {
    fn from(fault: VerifierBuilderError) -> FileFault {
        FileFault::Clients(fault)
    }
}

impl TlsError {
    fn of(field: &'static str, file: &Path, fault: impl Into<FileFault>) -> TlsError {
        TlsError::File {
            field,
            file: file.to_owned(),
            fault: fault.into(),
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (field, file, fault) = match self {
            TlsError::Versions(fault) => return write!(f, "{fault}"),
            TlsError::File { field, file, fault } => (field, file.display(), fault),
        };
        write!(f, "{field}: `{file}`: ")?;
        match fault {
            FileFault::Pem(fault) => write!(f, "{fault}"),
            FileFault::NoCertificate => f.write_str("there is no certificate in it"),
            FileFault::Content(fault) => write!(f, "{fault}"),
            FileFault::Clients(fault) => write!(f, "{fault}"),
        }
    }
}

impl std::error::Error for TlsError {}

fn clients(
    file: &Path,
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    const FIELD: &str = "tls.client_ca";
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots
            .add(certificate)
            .map_err(|fault| TlsError::of(FIELD, file, fault))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|fault| TlsError::of(FIELD, file, fault))
}

/// The certificates of a PEM file, at least one.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|fault| TlsError::of("tls", file, fault))?;
    if chain.is_empty() {
        return Err(TlsError::of("tls", file, FileFault::NoCertificate));
    }
    Ok(chain)
}
