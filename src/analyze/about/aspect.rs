//! One setting in which two APIs may differ, and what shows it.

use std::collections::BTreeMap;

use super::super::change::Effect;
use super::{Shown, Trial};

/// Something in which two APIs may differ.
#[derive(Debug, Clone)]
pub struct Aspect<'m> {
    /// What, as a sentence.
    pub about: String,
    /// What would show it; what has shown something is no longer there.
    pub trials: Vec<Trial<'m>>,
    /// What was shown.
    pub shown: Vec<Shown>,
    /// Why it may come to more than was shown: trials of these effects could not be made.
    pub doubts: BTreeMap<Effect, String>,
    /// Whether it is about the origins from which preflights are answered: what shows that is no
    /// trial, but looked for among preflights.
    pub of_origins: bool,
}

impl<'m> Aspect<'m> {
    pub(super) fn new(about: String, trials: Vec<Trial<'m>>) -> Aspect<'m> {
        Aspect {
            about,
            trials,
            shown: Vec::new(),
            doubts: BTreeMap::new(),
            of_origins: false,
        }
    }
}
