//! Remarks for the user, in addition to the decision.

/// Remarks about how a token was checked.
#[derive(Debug, Default)]
pub struct Told {
    /// Remarks for the user.
    pub remarks: Vec<String>,
    /// How the signature was verified.
    pub signature: Option<&'static str>,
}
