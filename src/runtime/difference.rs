//! Compares the policy in force with another one: the one in the files, or the candidate.
//!
//! Comparisons run one at a time, on a thread of their own with a low priority, which the first one
//! starts and which stays. A comparison is as bounded as
//! that of `portcullis diff`, and it never holds up a reload.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::Value;
use tokio::sync::OwnedMutexGuard;

use super::clock::numeric_date;
use super::low_priority::{LowPriority, Panicked};
use super::reload::ReloadError;
use super::{Authorizer, Snapshot};
use crate::analyze::{self, Difference, Failure};
use crate::changes::{self, NoClaims};
use crate::diagnostic::render::Problem;
use crate::engine::Policy;
use crate::load;

/// The policy to compare with the one in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Other {
    /// The one in the files.
    Files,
    /// The candidate.
    Candidate,
}

/// The difference between the policy in force and another one.
#[derive(Debug)]
pub struct Compared {
    /// The revision in force.
    pub old: String,
    /// The revision of the other one.
    pub new: String,
    /// The difference, as [`changes::show`] has it.
    pub difference: Value,
}

/// Why there is no comparison.
#[derive(Debug)]
pub enum CompareError {
    /// Another one is running.
    Busy,
    /// There is no candidate, or it has never been without errors.
    NoCandidate,
    /// The other policy can't be used.
    Unusable(ReloadError),
    /// The policies are too different or too complex.
    TooMuch(Failure),
    /// A bug of the comparison.
    Unshown(NoClaims),
    /// The difference can't be written as JSON.
    Json(serde_json::Error),
    /// The thread can't be started.
    Thread(io::Error),
    /// An internal fault.
    Fault(Panicked),
}

impl CompareError {
    /// The errors of the other policy one by one, if they are the reason.
    pub fn problems(&self) -> Vec<Problem> {
        match self {
            CompareError::Unusable(error) => error.problems(),
            CompareError::Busy
            | CompareError::NoCandidate
            | CompareError::TooMuch(_)
            | CompareError::Unshown(_)
            | CompareError::Json(_)
            | CompareError::Thread(_)
            | CompareError::Fault(_) => Vec::new(),
        }
    }
}

impl fmt::Display for CompareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CompareError::Busy => f.write_str("another comparison is running; try again soon"),
            CompareError::NoCandidate => f.write_str("there is no candidate policy"),
            CompareError::Unusable(error) => write!(f, "{error}"),
            CompareError::TooMuch(failure) => write!(f, "{failure}"),
            CompareError::Unshown(error) => write!(f, "{error}"),
            CompareError::Json(error) => write!(f, "{error}"),
            CompareError::Thread(error) => write!(f, "can't start a thread: {error}"),
            CompareError::Fault(Panicked) => {
                f.write_str("an internal fault while the policies were compared")
            }
        }
    }
}

impl std::error::Error for CompareError {}

impl Authorizer {
    /// Compares the policy in force with another one.
    pub async fn difference(self: &Arc<Self>, other: Other) -> Result<Compared, CompareError> {
        let turn = self.comparing.clone().try_lock_owned();
        let mut turn = turn.map_err(|_| CompareError::Busy)?;
        let thread = match &*turn {
            Some(thread) => thread.clone(),
            None => {
                let started = LowPriority::start("compare").map_err(CompareError::Thread)?;
                turn.insert(started).clone()
            }
        };
        let authorizer = self.clone();
        let compared = thread.run(move || authorizer.compared(other, turn));
        compared.await.map_err(CompareError::Fault)?
    }

    /// The turn ends with the work, also if nobody waits for it any more.
    fn compared(
        &self,
        other: Other,
        _turn: OwnedMutexGuard<Option<LowPriority>>,
    ) -> Result<Compared, CompareError> {
        let old = self.snapshot();
        match other {
            Other::Candidate => {
                let candidate = self.candidate().and_then(|candidate| candidate.snapshot());
                let new = candidate.ok_or(CompareError::NoCandidate)?;
                shown(
                    &old,
                    &new.policy,
                    new.revision.clone(),
                    new.digest == old.digest,
                )
            }
            Other::Files => {
                let wanted = self.source.read().map_err(ReloadError::Source);
                let wanted = wanted.map_err(CompareError::Unusable)?;
                let loaded = load::load(&wanted.config.policy.0, &wanted.load, false);
                let (revision, same) = (loaded.revision.clone(), loaded.digest == old.digest);
                match loaded.policy() {
                    Some(new) => shown(&old, &new, revision, same),
                    None => Err(CompareError::Unusable(ReloadError::Policy(Box::new(
                        loaded,
                    )))),
                }
            }
        }
    }
}

fn shown(
    old: &Snapshot,
    new: &Policy,
    revision: String,
    same: bool,
) -> Result<Compared, CompareError> {
    let difference = if same {
        Difference::default()
    } else {
        let now = numeric_date(SystemTime::now()).floor();
        analyze::diff(&old.policy, new, now).map_err(CompareError::TooMuch)?
    };
    let sources = [old.policy.sources(), new.sources()];
    let shown = changes::show(&difference, sources).map_err(CompareError::Unshown)?;
    Ok(Compared {
        old: old.revision.clone(),
        new: revision,
        difference: serde_json::to_value(&shown).map_err(CompareError::Json)?,
    })
}
