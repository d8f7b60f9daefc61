//! Faults that several parts of the token path report.

use crate::engine::{Fault, SeenKind};
use crate::reason::Reason;

/// The fault of a malformed JWT.
pub(super) fn malformed(hint: impl Into<String>) -> Fault {
    let mut fault = Fault::new(Reason::TokenMalformed, hint);
    fault.kind = Some(SeenKind::Unknown);
    fault
}

/// A JWE, by its header.
pub(super) fn encrypted() -> Fault {
    Fault::new(
        Reason::TokenEncrypted,
        "the token is encrypted (JWE), and only the holder of its key can read it",
    )
}
