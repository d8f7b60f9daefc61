//! The development issuer: a key pair made at start, and a loopback endpoint that signs with it.
//!
//! It signs whatever it is asked to, wrong tokens included, so it must be of no use to anybody
//! but the developer: its key is known to this one process, it listens on loopback alone, and it
//! answers no web page.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::cli::output::Failure;
use crate::daemon::pages::{self, Names};
use crate::keys::{self, Algorithm, Provenance};
use crate::load::Development;

/// Where the endpoint listens unless told otherwise: next to the daemon's own listeners.
pub const DEFAULT_ADDRESS: &str = "127.0.0.1:9194";

/// The `kid` of the one key.
pub const KEY_ID: &str = "portcullis-dev";

/// The development issuer.
#[derive(Debug)]
pub struct Issuer {
    pair: EcdsaKeyPair,
}

impl Issuer {
    /// An issuer with a key of its own.
    pub fn new() -> Result<Issuer, Failure> {
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map(|pair| Issuer { pair })
            .map_err(|_| Failure::new("no key can be made: the system has no random numbers"))
    }

    /// What the daemon verifies its tokens with: alone, or `beside` the keys of the policy's issuers.
    pub fn development(&self, beside: bool) -> Result<Development, Failure> {
        // Uncompressed: 4, then x and y (SEC 1, section 2.3.3).
        let point = self.pair.public_key().as_ref();
        let coordinate = |from: usize, to: usize| {
            URL_SAFE_NO_PAD.encode(point.get(from..to).unwrap_or_default())
        };
        let set = json!({ "keys": [{
            "kty": "EC",
            "crv": "P-256",
            "kid": KEY_ID,
            "alg": "ES256",
            "use": "sig",
            "x": coordinate(1, 33),
            "y": coordinate(33, 65),
        }] });
        let keys = keys::parse(set.to_string().as_bytes(), Provenance::Published)
            .map_err(|error| Failure::new(format!("the development key is of no use: {error}")))?;
        Ok(Development {
            keys: Arc::new(keys),
            algorithm: Algorithm::Es256,
            beside,
        })
    }

    /// A signed token (RFC 7515, section 3.1).
    pub fn sign(&self, typ: &str, claims: &Map<String, Value>) -> Result<String, Failure> {
        let header = json!({ "alg": "ES256", "typ": typ, "kid": KEY_ID });
        let part = |value: String| URL_SAFE_NO_PAD.encode(value);
        let signed = format!(
            "{}.{}",
            part(header.to_string()),
            part(Value::Object(claims.clone()).to_string())
        );
        let signature = self
            .pair
            .sign(&SystemRandom::new(), signed.as_bytes())
            .map_err(|_| Failure::new("the token cannot be signed"))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// What `portcullis token` asks the endpoint about.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct About {
    /// The policy that `dev` runs, as absolute paths.
    pub policy: Vec<String>,
    /// The values of its parameters that were given to `dev`.
    pub params: std::collections::BTreeMap<String, String>,
}

/// What is to be signed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Order {
    /// The header's `typ`.
    pub typ: String,
    /// The claims set.
    pub claims: Map<String, Value>,
}

/// A signed token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Signed {
    /// The token.
    pub token: String,
}

/// Binds the endpoint, on loopback alone.
pub fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    if !address.ip().to_canonical().is_loopback() {
        return Err(Failure::new(format!(
            "the development issuer does not listen on {address}: it signs whatever it is asked to"
        ))
        .help("give an address of this machine alone, such as 127.0.0.1:9194"));
    }
    TcpListener::bind(address)
        .and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok(listener)
        })
        .map_err(|error| {
            Failure::new(format!(
                "the development issuer cannot listen on {address}: {error}"
            ))
            .help("does another `portcullis dev` run? `--free-ports --issuer-address 127.0.0.1:0` runs beside it")
        })
}

/// Answers until the task is dropped.
pub async fn serve(listener: TcpListener, issuer: Arc<Issuer>, about: About) {
    let about = Arc::new(about);
    let router = Router::new()
        .route(
            "/",
            get(move || {
                let about = Arc::clone(&about);
                async move { Json((*about).clone()) }
            }),
        )
        .route("/sign", post(sign))
        .layer(from_fn_with_state(Names::loopback(), pages::programs_alone))
        .with_state(issuer);
    // Both end with an error only where the listener is gone, and then there is nobody to tell.
    if let Ok(listener) = tokio::net::TcpListener::from_std(listener) {
        let _ = axum::serve(listener, router).await;
    }
}

async fn sign(State(issuer): State<Arc<Issuer>>, Json(order): Json<Order>) -> Response {
    match issuer.sign(&order.typ, &order.claims) {
        Ok(token) => Json(Signed { token }).into_response(),
        Err(failure) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            failure.message().to_owned(),
        )
            .into_response(),
    }
}
