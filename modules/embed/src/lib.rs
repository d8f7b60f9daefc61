//! portcullis in the process of a proxy: what the modules for Envoy and nginx have in common.
//!
//! A module hands an owned [`Request`] to [`Embedded::ask`], on whatever thread the proxy has it. Most
//! decisions are made at once; one that has to wait, for keys or an issuer's answer, goes on in a
//! background thread, which wakes the module when it is done. Nothing of a request is evaluated twice.
//!
//! It must never allow by mistake: a panic, a runtime that ends and a decision that gets lost are
//! denials.

mod background;
mod decide;
mod log;
mod open;
mod pending;

pub use decide::{Allow, Outcome, Request, Response};
pub use log::{Level, log_to};
pub use open::{Embedded, OpenError, Prepared, prepare};
pub use pending::{Asked, Pending};
pub use portcullis::runtime::metrics::Adapter;
