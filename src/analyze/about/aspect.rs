//! One setting in which two APIs may differ, with the requests that show it.

use std::collections::BTreeMap;

use super::super::change::Effect;
use super::{Shown, Trial};

/// A setting in which two APIs may differ.
#[derive(Debug, Clone)]
pub struct Aspect<'m> {
    /// The difference, as a sentence.
    pub about: String,
    /// Trials that haven't shown anything yet.
    pub trials: Vec<Trial<'m>>,
    /// The results of successful trials.
    pub shown: Vec<Shown>,
    /// Effects whose trials couldn't be made, with the reason: the difference may have these too.
    pub doubts: BTreeMap<Effect, String>,
    /// Whether the setting is the list of origins whose preflights are answered. Preflights show
    /// this difference, not trials.
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
