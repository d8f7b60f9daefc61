//! portcullis is a declarative policy engine for APIs behind a proxy: it decides, route by route,
//! which access tokens may pass, and says why one may not.
//!
//! Most people run it as a daemon (`portcullis serve`). This crate is the same engine as a
//! library: parse and check a policy, compile it, verify a token, decide a request. The core is
//! synchronous, does no I/O, reads no clock and has no global state. The same policy and the same
//! request always give the same decision, to the byte. Whatever reads files, sockets and the time is
//! behind the feature `daemon`, which is on by default; an embedder turns it off.
//!
//! # A first decision
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::sync::Arc;
//!
//! use portcullis::check::{self, Files, Input};
//! use portcullis::compile::compile;
//! use portcullis::diagnostic::render;
//! use portcullis::engine::{Evidence, Request, decide};
//! use portcullis::source::Sources;
//! use portcullis::syntax;
//!
//! let mut sources = Sources::new();
//! let file = sources.add(
//!     "shop.gate",
//!     r#"
//! issuer acme { url "https://login.example.com/" }
//!
//! api shop {
//!     host      "shop.example.com"
//!     issuer    acme
//!     audience  "https://shop.example.com"
//!
//!     GET     /health   public
//!     GET     /cart     authenticated
//! }
//! "#,
//! );
//!
//! // Text to tree to model. Both steps say what is wrong; there is a model only if neither found an
//! // error.
//! let (document, mut diagnostics) = syntax::parse(&sources, file);
//! let checked = check::check(Input {
//!     sources: &sources,
//!     documents: vec![document],
//!     files: &Files::new(),
//!     params: &BTreeMap::new(),
//! });
//! diagnostics.extend(checked.diagnostics);
//! let Some(model) = checked.model else {
//!     panic!("{}", render::human(&sources, &diagnostics, false));
//! };
//! let policy = compile(model, Arc::new(sources));
//!
//! let request = |target: &'static str| Request {
//!     method: "GET",
//!     target: target.as_bytes(),
//!     scheme: Some("https"),
//!     host: Some("shop.example.com"),
//!     headers: &[],
//!     address: None,
//!     now: 1_767_225_600.0,
//!     masked: false,
//! };
//!
//! let health = request("/health");
//! assert!(decide(&policy.route(&health), Evidence::Nothing).allowed());
//!
//! let cart = request("/cart");
//! let routed = policy.route(&cart);
//! let denied = decide(&routed, Evidence::Nothing);
//! assert_eq!(denied.reason().map(|reason| reason.code()), Some("token.missing"));
//! ```
//!
//! A route that needs a token also needs evidence of one: `examples/verify.rs` verifies a signed
//! token and decides with its claims.
//!
//! # Where to find what
//!
//! | module | for |
//! | --- | --- |
//! | [`syntax`], [`check`], [`diagnostic`] | from text to a checked model, or to everything that is wrong with it |
//! | [`compile`], [`engine`] | from a model to decisions |
//! | [`token`], [`keys`] | from a token to facts that the engine can use |
//! | [`answer`], [`reason`] | a decision as status, challenge and problem JSON |
//! | [`analyze`] | what two policies differ in, with a request that shows each difference |
//! | [`suite`] | the tests that a policy brings along |

pub mod analyze;
pub mod answer;
pub mod check;
#[cfg(feature = "daemon")]
pub mod cli;
pub mod compile;
#[cfg(feature = "daemon")]
pub mod daemon;
pub mod diagnostic;
pub mod engine;
pub mod headers;
pub mod json;
pub mod keys;
#[cfg(feature = "daemon")]
pub mod load;
#[cfg(feature = "daemon")]
pub mod lsp;
pub mod model;
#[cfg(feature = "daemon")]
pub mod openapi;
pub mod pattern;
pub mod reason;
pub mod settings;
pub mod source;
pub mod suite;
pub mod syntax;
pub mod text;
pub mod token;
pub mod value;
