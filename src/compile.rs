//! Model to engine: builds the indexes, and cannot fail.

use std::sync::Arc;

use crate::engine::Policy;
use crate::model::Model;
use crate::source::Sources;

/// Compiles a checked model. Explanations quote the sources.
pub fn compile(model: Model, sources: Arc<Sources>) -> Policy {
    Policy::new(model, sources)
}
