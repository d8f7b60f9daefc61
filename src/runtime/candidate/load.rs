//! Reads the candidate's files, again and again.
//!
//! The policy in force never depends on them: errors in a candidate are told, and the last good one
//! goes on.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Candidate;
use crate::load::{self, Fingerprint};
use crate::runtime::reload::{LastError, ReloadError};
use crate::runtime::{Authorizer, Snapshot};

/// How often the files are looked at. A change is taken when two looks agree.
const EVERY: Duration = Duration::from_secs(1);

/// Reads the candidate when its files change, until the task is aborted.
pub async fn run(authorizer: Arc<Authorizer>) {
    let mut reader = Reader::default();
    loop {
        let authorizer = authorizer.clone();
        let step = tokio::task::spawn_blocking(move || {
            reader.step(&authorizer);
            reader
        });
        reader = step.await.unwrap_or_else(|fault| {
            tracing::error!(%fault, "a fault while the candidate was read");
            Reader::default()
        });
        tokio::time::sleep(EVERY).await;
    }
}

#[derive(Debug, Default)]
struct Reader {
    /// The state of the files at the last read.
    read: Option<Fingerprint>,
    /// The files that the policy named then.
    named: Vec<PathBuf>,
    /// A state that has to be seen twice.
    seen: Option<Fingerprint>,
}

impl Reader {
    fn step(&mut self, authorizer: &Authorizer) {
        let Some(candidate) = &authorizer.candidate else {
            return;
        };
        if let Err(error) = self.read(authorizer, candidate) {
            candidate.refuse(&error);
        }
    }

    fn read(&mut self, authorizer: &Authorizer, candidate: &Candidate) -> Result<(), ReloadError> {
        let wanted = authorizer.source.read().map_err(|error| {
            // With the error gone, the files are read again, whether or not they have changed.
            self.read = None;
            ReloadError::Source(error)
        })?;
        let paths = &wanted.config.candidate.0;
        let seen = load::fingerprint(paths, &self.named);
        if self.read == Some(seen) {
            self.seen = None;
            return Ok(());
        }
        if self.read.is_some() && self.seen != Some(seen) {
            self.seen = Some(seen);
            return Ok(());
        }
        let loaded = load::load(paths, &wanted.load, false);
        self.read = Some(loaded.fingerprint);
        self.named.clone_from(&loaded.reach.named);
        if loaded.has_errors() {
            return Err(ReloadError::Policy(Box::new(loaded)));
        }
        let Authorizer {
            keys,
            introspect,
            module,
            ..
        } = authorizer;
        let snapshot = Snapshot::build(loaded, keys, introspect, &authorizer.settings(), *module);
        candidate.take(snapshot.map_err(ReloadError::Build)?);
        Ok(())
    }
}

impl Candidate {
    fn take(&self, snapshot: Snapshot) {
        let revision = snapshot.revision.clone();
        self.snapshot.store(Some(Arc::new(snapshot)));
        *self.error() = None;
        tracing::info!(%revision, "a candidate policy decides too, and answers nothing");
    }

    fn refuse(&self, error: &ReloadError) {
        let message = error.to_string();
        let mut last = self.error();
        if last.as_ref().is_none_or(|last| last.message != message) {
            tracing::error!("the candidate policy can't be used: {message}");
            *last = Some(LastError::now(message, error.problems()));
        }
    }
}
