//! The development issuer: a key pair made at start, and a loopback endpoint that signs with it.
//!
//! It signs everything that it is asked to, including wrong tokens, so only the developer must be
//! able to use it. Only this process knows its key, it listens only on loopback, and it refuses
//! requests from web pages.

use std::fmt::Display;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{EncodingKey, Header};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::cli::output::Failure;
use crate::daemon::pages::{self, Names};
use crate::keys::{self, Algorithm, Provenance};
use crate::load::Development;

/// The default address of the endpoint, next to the daemon's own listeners.
pub const DEFAULT_ADDRESS: &str = "127.0.0.1:9194";

/// The `kid` of the only key.
pub const KEY_ID: &str = "portcullis-dev";

/// The algorithm of the key.
const ALGORITHM: jsonwebtoken::Algorithm = jsonwebtoken::Algorithm::ES256;

/// The development issuer.
#[derive(Debug)]
pub struct Issuer {
    key: EncodingKey,
}

impl Issuer {
    /// An issuer with a new key.
    pub fn new() -> Result<Issuer, Failure> {
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .and_then(|pair| pair.to_pkcs8v1())
            .map(|document| Issuer {
                key: EncodingKey::from_ec_der(document.as_ref()),
            })
            .map_err(|_| Failure::new("can't make a key: the system has no random numbers"))
    }

    /// The keys with which the daemon verifies its tokens: alone, or `beside` the keys of the
    /// policy's issuers.
    pub fn development(&self, beside: bool) -> Result<Development, Failure> {
        let fault =
            |error: &dyn Display| Failure::new(format!("the development key is unusable: {error}"));
        let mut jwk =
            Jwk::from_encoding_key(&self.key, ALGORITHM).map_err(|error| fault(&error))?;
        jwk.common.key_id = Some(KEY_ID.to_owned());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        let set = serde_json::to_vec(&JwkSet { keys: vec![jwk] }).map_err(|error| fault(&error))?;
        let keys = keys::parse(&set, Provenance::Published).map_err(|error| fault(&error))?;
        Ok(Development {
            keys: Arc::new(keys),
            algorithm: Algorithm::Es256,
            beside,
        })
    }

    /// A signed token (RFC 7515, section 3.1).
    pub fn sign(&self, typ: &str, claims: &Map<String, Value>) -> Result<String, Failure> {
        let mut header = Header::new(ALGORITHM);
        header.typ = Some(typ.to_owned());
        header.kid = Some(KEY_ID.to_owned());
        jsonwebtoken::encode(&header, claims, &self.key)
            .map_err(|_| Failure::new("the token cannot be signed"))
    }
}

/// The facts that `portcullis token` asks the endpoint for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct About {
    /// The policy that `dev` runs, as absolute paths.
    pub policy: Vec<String>,
    /// The parameter values that were given to `dev`.
    pub params: std::collections::BTreeMap<String, String>,
}

/// A token to sign.
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

/// Binds the endpoint, only on loopback.
pub fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    if !address.ip().to_canonical().is_loopback() {
        return Err(Failure::new(format!(
            "the development issuer does not listen on {address}: it signs whatever it is asked to"
        ))
        .help(format!("use a loopback address, such as {DEFAULT_ADDRESS}")));
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

/// Serves until the task is dropped.
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
        .layer(from_fn_with_state(
            Names::loopback(),
            pages::no_foreign_page,
        ))
        .with_state(issuer);
    // Both fail only if the listener is gone, and then nobody can be told.
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
