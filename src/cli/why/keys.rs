//! The keys of a policy's issuers, for one decision: those of files, and others that are fetched
//! when needed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::output::Failure;
use crate::keys::{KeySet, Keys};
use crate::load::Loaded;
use crate::model::KeySource;
use crate::runtime::config;
use crate::runtime::keys::{self, Fetcher, Places};
use crate::settings::{IssuerId, KeyOwner, Tenant};

/// The available keys.
pub struct Fetched<'l> {
    loaded: &'l Loaded,
    config: &'l config::Keys,
    fetched: BTreeMap<IssuerId, Arc<KeySet>>,
}

impl<'l> Fetched<'l> {
    /// Without fetched keys.
    pub fn new(loaded: &'l Loaded, config: &'l config::Keys) -> Self {
        Self {
            loaded,
            config,
            fetched: BTreeMap::new(),
        }
    }

    fn source(&self, issuer: IssuerId) -> Option<&'l crate::model::Issuer> {
        let model = self.loaded.checked.model.as_ref()?;
        model.issuers.get(issuer.0 as usize)
    }

    /// Fetches keys as the daemon would. Returns what went wrong, if anything.
    pub fn fetch(&mut self, owner: &KeyOwner) -> Result<Result<(), String>, Failure> {
        let Some(declared) = self.source(owner.issuer) else {
            return Ok(Ok(()));
        };
        let places = Places::of(declared).for_token(owner.tenant.as_ref());
        if places.is_empty() {
            return Ok(Ok(()));
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new(format!("can't start the runtime: {error}")))?;
        let fetcher = Fetcher::new(self.config).map_err(|error| Failure::new(error.to_string()))?;
        let (mut sets, mut troubles) = (Vec::new(), Vec::new());
        for place in &places {
            match runtime.block_on(keys::fetch(place, &fetcher)) {
                Ok((set, _)) => sets.push(set),
                Err(trouble) => troubles.push(trouble.to_string()),
            }
        }
        if !sets.is_empty() {
            let set = KeySet::union(sets);
            let set = if troubles.is_empty() {
                set
            } else {
                set.with_some_missing()
            };
            self.fetched.insert(owner.issuer, Arc::new(set));
        }
        if troubles.is_empty() {
            return Ok(Ok(()));
        }
        let whose = match &owner.tenant {
            None => declared.name.clone(),
            Some(tenant) => format!("{}'s tenant `{tenant}`", declared.name),
        };
        Ok(Err(format!(
            "the keys of {whose} can't be fetched: {}",
            troubles.join("; ")
        )))
    }
}

impl Keys for Fetched<'_> {
    fn of(&self, issuer: IssuerId, _: Option<&Tenant>) -> Option<Arc<KeySet>> {
        if let Some(KeySource::Files(set)) = self.source(issuer).map(|issuer| &issuer.keys) {
            return Some(Arc::clone(set));
        }
        self.fetched.get(&issuer).cloned()
    }
}
