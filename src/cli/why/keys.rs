//! The keys of a policy's issuers, for one decision: those of files, and others that are fetched
//! when needed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::super::output::Failure;
use crate::keys::{KeySet, Keys};
use crate::load::Loaded;
use crate::model::KeySource;
use crate::runtime::config;
use crate::runtime::keys::{self, FetchError, Fetcher, Places};
use crate::settings::{IssuerId, KeyOwner, Tenant};

/// The available keys.
pub struct Fetched<'l> {
    loaded: &'l Loaded,
    config: &'l config::KeyFetching,
    fetched: BTreeMap<IssuerId, Arc<KeySet>>,
}

impl<'l> Fetched<'l> {
    /// Without fetched keys.
    pub fn new(loaded: &'l Loaded, config: &'l config::KeyFetching) -> Self {
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

    /// Fetches keys as the daemon would. That some can't be had is no failure: the decision says
    /// what follows from it.
    pub fn fetch(&mut self, owner: &KeyOwner) -> Result<Result<(), Unfetched>, Failure> {
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
        let (mut sets, mut errors) = (Vec::new(), Vec::new());
        for place in &places {
            match runtime.block_on(keys::fetch(place, &fetcher)) {
                Ok((set, _)) => sets.push(set),
                Err(error) => errors.push(error),
            }
        }
        if !sets.is_empty() {
            let set = KeySet::union(sets);
            let set = if errors.is_empty() {
                set
            } else {
                set.with_some_missing()
            };
            self.fetched.insert(owner.issuer, Arc::new(set));
        }
        if errors.is_empty() {
            return Ok(Ok(()));
        }
        Ok(Err(Unfetched {
            issuer: declared.name.clone(),
            tenant: owner.tenant.clone(),
            errors,
        }))
    }
}

/// Why not all keys of an issuer are there.
#[derive(Debug)]
pub struct Unfetched {
    issuer: String,
    tenant: Option<Tenant>,
    errors: Vec<FetchError>,
}

impl fmt::Display for Unfetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the keys of {}", self.issuer)?;
        if let Some(tenant) = &self.tenant {
            write!(f, "'s tenant `{tenant}`")?;
        }
        f.write_str(" can't be fetched")?;
        for (at, error) in self.errors.iter().enumerate() {
            write!(f, "{}{error}", if at == 0 { ": " } else { "; " })?;
        }
        Ok(())
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
