//! The evaluator: finds the rules for a request, and decides.
//!
//! It reads a checked model through indexes built at load. Everything here is pure and total. The
//! time, the peer's address and the token's facts come with the request, and every result of
//! [`decide`] that isn't an allow is a denial.

mod blame;
mod compiled;
mod cors;
mod decide;
mod decision;
mod eval;
mod evidence;
mod explain;
mod facts;
mod few;
mod forward;
mod holds;
mod host;
mod index;
mod inputs;
mod near;
mod no_token;
mod observe;
mod origin;
mod partly;
mod path;
mod policy;
mod presented;
mod reading;
mod request;
mod rest;
mod routed;
mod schemes;
mod scopes;
mod secrets;
mod spellings;
mod step_up;

pub use decide::{decide, refuse, tolerate};
pub use decision::{ANSWERED_PREFLIGHT, Challenge, Decision, Denial, Outcome, Permit, SeenToken};
pub use evidence::{Evidence, Fault, ProofError, SeenKind};
pub use explain::{Step, explain};
pub use facts::Facts;
pub use inputs::{ClaimInput, Claimed, FactInputs, RequestInputs, Text, written_places};
pub use observe::{Observed, matching, observe};
pub use partly::{KnownToken, Partly, decide_partly};
pub use path::{MAX_SEGMENTS, MAX_TARGET_BYTES};
pub use policy::{Policy, Schemes};
pub use presented::{Presented, Scheme};
pub use reading::MAX_QUERY_PARAMETERS;
pub use request::Request;
pub use routed::Routed;

pub use crate::model::{Api, Input, Issuer};
