//! Model to engine: builds the indexes, and cannot fail.

use std::sync::Arc;

use crate::engine::Policy;
use crate::model::Model;
use crate::source::Sources;

/// Makes a checked model ready to decide. The sources are what explanations quote.
pub fn compile(model: Model, sources: Arc<Sources>) -> Policy {
    Policy::new(model, sources)
}
