//! What the person who asks is told beside the decision.

/// Remarks about how a token was checked.
#[derive(Debug, Default)]
pub struct Told {
    /// Remarks for the person who asked.
    pub remarks: Vec<String>,
    /// How the signature was checked.
    pub signature: Option<&'static str>,
}
