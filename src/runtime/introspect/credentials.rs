//! The client credentials for an introspection endpoint (RFC 7662, section 2.1).
//!
//! Secrets come from files or the environment, and never appear in an error, a log or a `Debug`
//! output.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;

use super::assertion::{AssertionError, Signer, SignerError};
use crate::runtime::config::introspection::{Client, Method};
use crate::runtime::secret::{self, SecretError};

/// RFC 7523, section 2.2.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The client credentials for one issuer.
#[derive(PartialEq)]
pub struct Credentials {
    client_id: String,
    proof: Proof,
}

#[derive(PartialEq)]
enum Proof {
    /// A secret in `Authorization: Basic`.
    Basic(String),
    /// A secret in the form.
    Post(String),
    /// A signature.
    Signed(Signer),
}

/// Shows the client's name, never the secret.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// Reads the configured credentials. The audience of an assertion is `issuer` unless the
    /// configuration names another; without `issuer` it must.
    pub fn read(client: &Client, issuer: Option<&str>) -> Result<Credentials, CredentialsError> {
        let proof = match client.method {
            Method::ClientSecretBasic => Proof::Basic(client_secret(client)?),
            Method::ClientSecretPost => Proof::Post(client_secret(client)?),
            Method::PrivateKeyJwt => {
                Proof::Signed(Signer::read(client, issuer).map_err(CredentialsError::Signer)?)
            }
        };
        Ok(Credentials {
            client_id: client.client_id.clone(),
            proof,
        })
    }

    /// The secret, if there is one, which no log may repeat.
    pub fn secret(&self) -> Option<&str> {
        match &self.proof {
            Proof::Basic(secret) | Proof::Post(secret) => Some(secret),
            Proof::Signed(_) => None,
        }
    }

    /// Adds the client's credentials to a form, at a NumericDate in whole seconds. Returns the
    /// value of `Authorization`, if there is one.
    pub fn prove(&self, form: &mut Form, now: u64) -> Result<Option<HeaderValue>, ProveError> {
        match &self.proof {
            Proof::Basic(secret) => return basic(&self.client_id, secret).map(Some),
            Proof::Post(secret) => {
                form.add("client_id", &self.client_id);
                form.add("client_secret", secret);
            }
            Proof::Signed(signer) => {
                form.add("client_id", &self.client_id);
                form.add("client_assertion_type", JWT_BEARER);
                let assertion = signer
                    .assertion(&self.client_id, now)
                    .map_err(ProveError::Assertion)?;
                form.add("client_assertion", &assertion);
            }
        }
        Ok(None)
    }
}

/// The secret, from its configured place.
fn client_secret(client: &Client) -> Result<String, CredentialsError> {
    let (field, secret) = match (&client.secret_file, &client.secret_env) {
        (Some(file), _) => {
            let secret = secret::read(file).map_err(CredentialsError::File)?;
            ("secret_file", secret)
        }
        (None, Some(name)) => {
            let secret =
                std::env::var(name).map_err(|_| CredentialsError::Variable(name.clone()))?;
            ("secret_env", secret)
        }
        (None, None) => return Err(CredentialsError::NoSecret),
    };
    if secret.is_empty() {
        return Err(CredentialsError::Empty(field));
    }
    Ok(secret)
}

/// `Authorization: Basic`. Both halves are form-encoded before they are joined (RFC 6749, section
/// 2.3.1); otherwise a colon in the identifier would end it.
fn basic(client_id: &str, secret: &str) -> Result<HeaderValue, ProveError> {
    let pair = format!("{}:{}", encoded(client_id), encoded(secret));
    let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair)))
        .map_err(|_| ProveError::Secret)?;
    value.set_sensitive(true);
    Ok(value)
}

/// An error in the client credentials. It begins with the configuration's field and contains no
/// secret.
#[derive(Debug)]
pub enum CredentialsError {
    /// The configuration names no secret.
    NoSecret,
    /// The secret's file.
    File(SecretError),
    /// The environment variable of this name is missing, or isn't text.
    Variable(String),
    /// The secret that this field names is empty.
    Empty(&'static str),
    /// The signing key has an error.
    Signer(SignerError),
}

impl fmt::Display for CredentialsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CredentialsError::NoSecret => f.write_str("no secret is named"),
            CredentialsError::File(error) => write!(f, "secret_file: {error}"),
            CredentialsError::Variable(name) => write!(
                f,
                "secret_env: the environment has no variable `{name}` that is text"
            ),
            CredentialsError::Empty(field) => write!(f, "{field}: the secret is empty"),
            CredentialsError::Signer(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for CredentialsError {}

/// An error that keeps a request from being authenticated.
#[derive(Debug)]
pub enum ProveError {
    /// The assertion couldn't be made.
    Assertion(AssertionError),
    /// The secret can't be put in a header.
    Secret,
}

impl fmt::Display for ProveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProveError::Assertion(error) => write!(f, "{error}"),
            ProveError::Secret => f.write_str("the secret can't be sent"),
        }
    }
}

impl std::error::Error for ProveError {}

/// A form in the encoding `application/x-www-form-urlencoded`.
#[derive(Default)]
pub struct Form(String);

impl Form {
    /// Adds a pair.
    pub fn add(&mut self, name: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(&encoded(name));
        self.0.push('=');
        self.0.push_str(&encoded(value));
    }

    /// The form as a request body.
    pub fn into_body(self) -> Vec<u8> {
        self.0.into_bytes()
    }
}

/// Encodes a text like the URL standard's form serializer.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push('+'),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_are_encoded_like_a_form() {
        // RFC 6749, section 2.3.1, compared with naive joining.
        let value = basic("a:b c", "s%:ü+/=&").expect("a header");
        let pair = format!(
            "Basic {}",
            STANDARD.encode("a%3Ab+c:s%25%3A%C3%BC%2B%2F%3D%26")
        );
        assert_eq!(value.to_str().ok(), Some(pair.as_str()));
        assert!(value.is_sensitive());
    }

    #[test]
    fn a_value_ends_no_pair() {
        let mut form = Form::default();
        form.add("token", "a&client_id=other#?");
        form.add("token_type_hint", "access_token");
        assert_eq!(
            form.into_body(),
            b"token=a%26client_id%3Dother%23%3F&token_type_hint=access_token"
        );
    }

    #[test]
    fn nothing_shows_a_secret() {
        let credentials = Credentials {
            client_id: "orders".to_owned(),
            proof: Proof::Post("a secret".to_owned()),
        };
        assert!(!format!("{credentials:?}").contains("a secret"));
    }
}
