//! Who changes the level of the log when the configuration does.

use std::fmt;
use std::sync::Arc;

use super::config::Level;

/// What is called with the level of each configuration that is taken.
#[derive(Clone)]
pub struct LevelSwitch(Arc<dyn Fn(Level) + Send + Sync>);

impl LevelSwitch {
    /// A switch that does this.
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
