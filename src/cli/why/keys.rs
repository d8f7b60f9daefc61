//! The keys of the issuers of a policy, for one question: files as they are, others when they are
//! asked for.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::output::Failure;
use crate::daemon::config;
use crate::daemon::keys::{self, Fetcher, Place};
use crate::keys::{KeySet, Keys};
use crate::load::Loaded;
use crate::model::KeySource;
use crate::settings::IssuerId;

/// The keys that are there, and whose were asked for and are not.
pub struct Fetched<'l> {
    loaded: &'l Loaded,
    config: &'l config::Keys,
    fetched: BTreeMap<IssuerId, Arc<KeySet>>,
    wanted: Cell<Option<IssuerId>>,
}

impl<'l> Fetched<'l> {
    /// Nothing is fetched yet.
    pub fn new(loaded: &'l Loaded, config: &'l config::Keys) -> Self {
        Self {
            loaded,
            config,
            fetched: BTreeMap::new(),
            wanted: Cell::new(None),
        }
    }

    /// Whose keys were asked for and have to be fetched.
    pub fn wanted(&self) -> Option<IssuerId> {
        self.wanted.get()
    }

    fn source(&self, issuer: IssuerId) -> Option<&'l crate::model::Issuer> {
        let model = self.loaded.checked.model.as_ref()?;
        model.issuers.get(issuer.0 as usize)
    }

    /// Fetches the keys of an issuer, as the daemon would; comes back with what went wrong there.
    pub fn fetch(&mut self, issuer: IssuerId) -> Result<Result<(), String>, Failure> {
        let Some(declared) = self.source(issuer) else {
            return Ok(Ok(()));
        };
        let Ok(place) = Place::of(declared) else {
            return Ok(Ok(()));
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new(format!("no runtime can be started: {error}")))?;
        let fetcher = Fetcher::new(self.config).map_err(Failure::new)?;
        let result = runtime.block_on(keys::fetch(&place, &fetcher));
        Ok(match result {
            Ok((set, _)) => {
                self.fetched.insert(issuer, Arc::new(set));
                Ok(())
            }
            Err(error) => Err(format!(
                "the keys of {} can't be had: {error}",
                declared.name
            )),
        })
    }
}

impl Keys for Fetched<'_> {
    fn of(&self, issuer: IssuerId) -> Option<Arc<KeySet>> {
        if let Some(KeySource::Files(set)) = self.source(issuer).map(|issuer| &issuer.keys) {
            return Some(Arc::clone(set));
        }
        let set = self.fetched.get(&issuer).cloned();
        if set.is_none() {
            self.wanted.set(Some(issuer));
        }
        set
    }
}
