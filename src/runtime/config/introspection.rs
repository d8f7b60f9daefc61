//! How opaque tokens are introspected (RFC 7662), and with which client credentials.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{FieldError, Span};
use crate::keys::Algorithm;

/// How opaque tokens are introspected, where the policy says `keys introspect`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Introspection {
    /// How long an active result is cached, and so how long a revoked token can still pass.
    pub max_age: Span,
    /// How long an inactive result is cached.
    pub inactive_max_age: Span,
    /// How long one call may take. It can outlast the request that started it.
    pub timeout: Span,
    /// How many calls to one issuer are open at once.
    pub in_flight: usize,
    /// How many bytes the cached answers of one issuer may take.
    pub max_bytes: usize,
    /// The client credentials for each issuer, by the issuer's name in the policy.
    pub issuers: BTreeMap<String, Client>,
}

impl Default for Introspection {
    fn default() -> Self {
        Introspection {
            max_age: Span::from_secs(60),
            inactive_max_age: Span::from_secs(10),
            timeout: Span::from_secs(2),
            in_flight: 32,
            // About 2,000 bytes each.
            max_bytes: 16 * 1024 * 1024,
            issuers: BTreeMap::new(),
        }
    }
}

/// The client credentials for one issuer: only where the secret is, never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// The client identifier, at the issuer, of this daemon or the API it protects.
    pub client_id: String,
    /// How the client authenticates.
    #[serde(default)]
    pub method: Method,
    /// A file with the client's secret.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// The environment variable with the client's secret.
    #[serde(default)]
    pub secret_env: Option<String>,
    /// A PEM file with the client's private key.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
    /// The `kid` by which the issuer knows that key.
    #[serde(default)]
    pub key_id: Option<String>,
    /// The algorithm of the signature.
    #[serde(default)]
    pub algorithm: Option<String>,
    /// The audience of the assertion.
    #[serde(default)]
    pub audience: Option<String>,
}

/// How a client authenticates, by the registered names (RFC 8414, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// With a secret in `Authorization: Basic` (RFC 6749, section 2.3.1).
    #[default]
    ClientSecretBasic,
    /// With a secret in the form.
    ClientSecretPost,
    /// With a signature (RFC 7523).
    PrivateKeyJwt,
}

impl Introspection {
    pub(super) fn validate(&self) -> Result<(), FieldError> {
        for (name, client) in &self.issuers {
            client
                .validate()
                .map_err(|error| error.below(&format!("introspection.issuers.{name}")))?;
        }
        Ok(())
    }

    pub(super) fn resolve(&mut self, folder: &Path) {
        for client in self.issuers.values_mut() {
            for path in [&mut client.secret_file, &mut client.key_file]
                .into_iter()
                .flatten()
            {
                *path = folder.join(&*path);
            }
        }
    }
}

impl Client {
    /// The configured algorithm, and its name for the assertion's header; an error for an algorithm
    /// that clients can't sign with.
    pub fn algorithm(&self) -> Result<Option<(Algorithm, &'static str)>, FieldError> {
        let Some(name) = &self.algorithm else {
            return Ok(None);
        };
        Algorithm::asymmetric()
            .find_map(|algorithm| {
                let known = algorithm.names().find(|known| known == name)?;
                Some(Some((algorithm, known)))
            })
            .ok_or_else(|| {
                let names: Vec<&str> = Algorithm::asymmetric().flat_map(Algorithm::names).collect();
                FieldError::new(
                    "algorithm",
                    format!("`{name}` is not one of {}", names.join(", ")),
                )
            })
    }

    fn validate(&self) -> Result<(), FieldError> {
        if self.client_id.is_empty() {
            return Err(FieldError::new("client_id", "must not be empty"));
        }
        self.algorithm()?;
        let secrets =
            usize::from(self.secret_file.is_some()) + usize::from(self.secret_env.is_some());
        let of_key = [
            ("key_file", self.key_file.is_some()),
            ("key_id", self.key_id.is_some()),
            ("algorithm", self.algorithm.is_some()),
            ("audience", self.audience.is_some()),
        ];
        match self.method {
            Method::ClientSecretBasic | Method::ClientSecretPost => {
                if let Some((field, _)) = of_key.into_iter().find(|(_, said)| *said) {
                    return Err(FieldError::new(
                        field,
                        "only applies to the method `private_key_jwt`",
                    ));
                }
                if secrets != 1 {
                    return Err(FieldError::in_text(
                        None,
                        "the secret is in a file or in the environment: set either `secret_file` \
                        or `secret_env`",
                    ));
                }
            }
            Method::PrivateKeyJwt => {
                if secrets != 0 {
                    return Err(FieldError::in_text(
                        None,
                        "the method `private_key_jwt` uses no secret",
                    ));
                }
                if self.key_file.is_none() {
                    return Err(FieldError::new(
                        "key_file",
                        "the method `private_key_jwt` needs one",
                    ));
                }
            }
        }
        Ok(())
    }
}
