//! portcullis is a declarative policy engine for APIs behind a proxy: it decides, route by route,
//! which access tokens may pass, and says why one may not.
//!
//! Most people run it as a daemon (`portcullis serve`). This crate is the same engine as a
//! library: make a policy of its text, verify a token, decide a request. The core is
//! synchronous, does no I/O, reads no clock and has no global state. The same policy and the same
//! request always give the same decision, to the byte. Whatever reads files, sockets and the time is
//! behind the features `runtime` and `daemon`, which are on by default; an embedder turns them off, or
//! takes `runtime` alone.
//!
//! # A first decision
//!
//! ```
//! use portcullis::check::Files;
//! use portcullis::engine::Request;
//! use portcullis::judge::{Client, KeyFiles, judge};
//! use portcullis::policy;
//!
//! # use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
//! # let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
//! # let public_key = pair.public_key_pem();
//! # let claims = serde_json::json!({
//! #     "iss": "https://login.example.com/",
//! #     "aud": "https://shop.example.com",
//! #     "scope": "read:cart",
//! #     "exp": 1_767_226_000,
//! # });
//! # let signer = EncodingKey::from_ec_der(&pair.serialize_der());
//! # let token = encode(&Header::new(Algorithm::ES256), &claims, &signer)?;
//! let text = r#"
//! issuer acme { url "https://login.example.com/"  keys file "acme.pem"  algorithms ES256 }
//! api shop {
//!     host "shop.example.com"  issuer acme  audience "https://shop.example.com"
//!     GET  /cart  requires scope "read:cart"
//! }"#;
//! let mut files = Files::new();
//! files.insert("acme.pem", Ok(public_key.into_bytes()));
//! let policy = policy::from_texts([("shop.gate", text)], &files)?;
//!
//! let authorization = format!("Bearer {token}");
//! let request = Request {
//!     method: "GET",
//!     target: b"/cart",
//!     scheme: Some("https"),
//!     host: Some("shop.example.com"),
//!     headers: &[("authorization", authorization.as_bytes())],
//!     address: None,
//!     now: 1_767_225_600.0,
//!     masked: false,
//! };
//! let judged = judge(&policy, &request, Client::default(), &KeyFiles(&policy));
//! assert!(judged.decide().allowed());
//!
//! let request = Request { headers: &[], ..request };
//! let judged = judge(&policy, &request, Client::default(), &KeyFiles(&policy));
//! let denied = judged.decide();
//! assert_eq!(denied.reason().map(|reason| reason.code()), Some("token.missing"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`judge`](judge::judge) takes the keys that are there. A program that waits for keys, introspects
//! opaque tokens or remembers DPoP proofs drives the same steps itself, from [`judge::begin`].
//!
//! # Where to find what
//!
//! | module | for |
//! | --- | --- |
//! | [`policy`] | from texts to a policy, or to everything that is wrong with it |
//! | [`judge`] | from a policy and a request to the decision, with what has to be waited for handed in |
//! | [`syntax`], [`check`], [`diagnostic`], [`compile`] | the steps from text to policy one by one |
//! | [`engine`], [`token`], [`keys`] | what a decision is made of: rules, tokens, keys |
//! | [`answer`], [`reason`] | a decision as status, challenge and problem JSON |
//! | [`analyze`] | what two policies differ in, with a request that shows each difference |
//! | [`changes`] | such a difference in words, and as data for programs and pages |
//! | [`replay`] | what a policy decides about the requests of a log |
//! | [`suite`] | the tests that a policy brings along |

pub mod analyze;
pub mod answer;
pub mod changes;
pub mod check;
#[cfg(feature = "daemon")]
pub mod cli;
pub mod compile;
#[cfg(feature = "daemon")]
pub mod daemon;
pub mod diagnostic;
pub mod engine;
mod hash;
pub mod headers;
pub mod json;
pub mod judge;
pub mod keys;
#[cfg(feature = "runtime")]
pub mod load;
#[cfg(feature = "lsp")]
pub mod lsp;
pub mod model;
#[cfg(feature = "openapi")]
pub mod openapi;
pub mod pattern;
pub mod policy;
pub mod reason;
pub mod replay;
#[cfg(feature = "runtime")]
pub mod runtime;
pub mod settings;
pub mod source;
pub mod suite;
pub mod syntax;
pub mod text;
pub mod token;
pub mod value;
