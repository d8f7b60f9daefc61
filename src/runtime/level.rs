//! Changes the log's level when the configuration changes.

use std::fmt;
use std::sync::Arc;

use super::config::Level;

/// Called with the level of each configuration that is taken.
#[derive(Clone)]
pub struct LevelSwitch(Arc<dyn Fn(Level) + Send + Sync>);

impl LevelSwitch {
    /// A switch that calls this function.
    pub fn new(set: impl Fn(Level) + Send + Sync + 'static) -> LevelSwitch {
        LevelSwitch(Arc::new(set))
    }

    pub(super) fn set(&self, level: Level) {
        (self.0)(level);
    }
}

impl fmt::Debug for LevelSwitch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LevelSwitch")
    }
}
