//! A client that proves its key (RFC 9449).

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::json::Json;
use portcullis::keys::public_key;
use serde_json::{Value, json};

use super::mint::Signer;

/// A client with its own key.
pub struct Client {
    signer: Signer,
}

impl Client {
    /// One with a new key.
    pub fn new() -> Client {
        Client {
            signer: Signer::new("ES256"),
        }
    }

    /// `jkt`: the thumbprint of its key.
    pub fn thumbprint(&self) -> String {
        let jwk = self.signer.jwk().to_string();
        let jwk = Json::parse(jwk.as_bytes()).expect("a key");
        public_key(&jwk)
            .expect("a public key")
            .thumbprint()
            .to_string()
    }

    /// A proof for one request, made now, with members set or, for `null`, removed.
    pub fn proof(&self, method: &str, url: &str, token: Option<&str>, members: &Value) -> String {
        let mut random = [0; 12];
        aws_lc_rs::rand::fill(&mut random).expect("random bytes");
        let mut claims = json!({
            "jti": URL_SAFE_NO_PAD.encode(random),
            "htm": method,
            "htu": url,
            "iat": time::OffsetDateTime::now_utc().unix_timestamp(),
        });
        if let Some(token) = token {
            claims["ath"] = json!(URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes())));
        }
        let all = claims.as_object_mut().expect("an object");
        for (name, value) in members.as_object().expect("members") {
            match value {
                Value::Null => all.remove(name),
                value => all.insert(name.clone(), value.clone()),
            };
        }
        let header = json!({"typ": "dpop+jwt", "jwk": self.signer.jwk()});
        self.signer.token_with(&header, &claims)
    }
}
