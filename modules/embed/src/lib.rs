//! portcullis inside a proxy's process: the common part of the modules for Envoy and nginx.
//!
//! A module passes an owned [`Request`] to [`Embedded::ask`], on whatever thread the proxy uses.
//! Most decisions are made at once. One that has to wait for keys or an issuer's answer continues
//! in a background thread, which wakes the module when it is done. No part of a request is
//! evaluated twice.
//!
//! It must never allow by mistake: a panic, a runtime that ends and a lost decision are denials.

mod background;
mod decide;
mod faults;
mod log;
pub mod metrics;
mod open;
mod pending;

pub use decide::{Allow, Outcome, Request, Response};
pub use log::{Level, log_to};
pub use open::{Embedded, MetricsWatch, OpenError, Prepared, prepare};
pub use pending::{Asked, Pending};
pub use portcullis::runtime::metrics::Adapter;
