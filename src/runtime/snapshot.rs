//! Everything that decides requests, at one moment.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use super::config::Config;
use super::counted::Counted;
use super::introspect::{self, EndpointErrors, Endpoints};
use super::keys::{Awaited, Places, PlainHttp, Source as KeySource, Status, Store};
use super::module::Module;
use super::resource_metadata::{ResourceError, ResourceMetadata};
use crate::compile;
use crate::engine::Policy;
use crate::keys::{KeySet, Keys};
use crate::load::{FileEntry, Loaded};
use crate::model::{Issuer, Model};
use crate::settings::{IssuerId, KeyOwner, Tenant};

/// The number of the next snapshot, so that what is cached for one is never used for another.
static GENERATIONS: AtomicU64 = AtomicU64::new(0);

/// Everything that decides requests, at one moment. It is replaced as a whole: one request is
/// decided by one policy.
#[derive(Debug)]
pub struct Snapshot {
    /// Different for each snapshot of this process.
    pub(super) generation: u64,
    pub(super) policy: Policy,
    /// The counters of its decisions.
    pub(super) counted: Counted,
    /// By the issuers' numbers.
    keys: Vec<IssuersKeys>,
    /// The keys of a development issuer, which verify tokens of every issuer.
    built_in: Option<Arc<KeySet>>,
    pub(super) endpoints: Endpoints,
    /// What is published about its APIs.
    pub(crate) resource_metadata: ResourceMetadata,
    /// The digest that shows whether another policy is the same.
    pub(super) digest: String,
    /// The beginning of the digest, for people.
    pub(crate) revision: String,
    pub(crate) loaded_at: SystemTime,
    pub(crate) files: Vec<FileEntry>,
}

/// The source of an issuer's keys.
#[derive(Debug)]
enum IssuersKeys {
    /// Read with the policy.
    Read(Arc<KeySet>),
    /// Fetched.
    Fetched(KeySource),
}

/// The state of an issuer's keys.
#[derive(Debug, Clone)]
pub enum KeyState {
    /// So many were read with the policy.
    Read(usize),
    /// They are fetched from these places.
    Fetched(Vec<Status>),
}

impl Snapshot {
    /// Compiles a policy, and prepares its issuers' keys and endpoints.
    pub(super) fn build(
        loaded: Loaded,
        store: &Store,
        asked: &introspect::Store,
        config: &Config,
        module: Option<Module>,
    ) -> Result<Snapshot, BuildError> {
        let model = loaded.checked.model.ok_or(BuildError::NoModel)?;
        remembered_together(&model, config, module)?;
        let endpoints = asked
            .endpoints(&model, config)
            .map_err(BuildError::Endpoints)?;
        let resource_metadata =
            ResourceMetadata::of(&model, config).map_err(BuildError::ResourceMetadata)?;
        let keys = model
            .issuers
            .iter()
            .map(|issuer| {
                Ok(match Places::of(issuer) {
                    Places::Files(keys) => IssuersKeys::Read(Arc::clone(keys)),
                    Places::Together(places) => {
                        store.permits(issuer)?;
                        IssuersKeys::Fetched(store.together(&issuer.name, places))
                    }
                    Places::OfTenants { prefix, suffix } => {
                        store.permits(issuer)?;
                        IssuersKeys::Fetched(store.tenants(&issuer.name, (prefix, suffix)))
                    }
                })
            })
            .collect::<Result<_, PlainHttp>>()
            .map_err(BuildError::PlainHttp)?;
        let policy = compile::compile(model, loaded.sources);
        Ok(Snapshot {
            endpoints,
            resource_metadata,
            generation: GENERATIONS.fetch_add(1, Ordering::Relaxed),
            counted: Counted::of(&policy),
            policy,
            keys,
            digest: loaded.digest,
            built_in: loaded.built_in,
            revision: loaded.revision,
            loaded_at: SystemTime::now(),
            files: loaded.files,
        })
    }

    fn issuer(&self, issuer: IssuerId) -> Option<&IssuersKeys> {
        self.keys.get(usize::try_from(issuer.0).ok()?)
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What 99 of 100 decisions took at most, by the names of API and route.
    pub fn p99(&self) -> BTreeMap<(String, String), Duration> {
        self.counted.p99(&self.policy)
    }

    /// The issuers, each with the state of its keys.
    pub fn key_states(&self) -> impl Iterator<Item = (&Issuer, KeyState)> {
        let issuers = self.policy.model().issuers.iter();
        issuers.zip(&self.keys).map(|(issuer, keys)| {
            let state = match keys {
                IssuersKeys::Read(keys) => KeyState::Read(keys.keys().len()),
                IssuersKeys::Fetched(keys) => KeyState::Fetched(keys.status()),
            };
            (issuer, state)
        })
    }

    /// What to wait for if keys are missing and are fetched.
    pub(super) fn awaited(&self, owner: &KeyOwner) -> Option<Awaited<'_>> {
        match self.issuer(owner.issuer)? {
            IssuersKeys::Read(_) => None,
            IssuersKeys::Fetched(keys) => keys.awaited(owner.tenant.as_ref()),
        }
    }

    /// Waits until the first fetch of every issuer's keys has ended, successfully or not.
    pub(super) async fn keys_tried(&self) {
        for keys in &self.keys {
            if let IssuersKeys::Fetched(keys) = keys {
                keys.tried().await;
            }
        }
    }
}

/// Refuses a policy with DPoP proofs if several processes would each remember them alone.
pub fn remembered_together(
    model: &Model,
    config: &Config,
    module: Option<Module>,
) -> Result<(), BuildError> {
    let processes = module.map_or(1, |module| module.processes);
    let alone = processes <= 1 || config.dpop.redis.is_some();
    if alone || !model.binds(|senders| senders.dpop) {
        return Ok(());
    }
    Err(BuildError::ProofsOfSeveral(processes))
}

/// An error that keeps a checked policy from taking effect.
#[derive(Debug)]
pub enum BuildError {
    /// It has errors.
    NoModel,
    /// Some of its issuers can't be asked about tokens.
    Endpoints(EndpointErrors),
    /// The keys of an issuer would come over plain HTTP.
    PlainHttp(PlainHttp),
    /// An API can't be published as a protected resource.
    ResourceMetadata(ResourceError),
    /// Processes without a common memory would each accept a proof once.
    ProofsOfSeveral(usize),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::NoModel => f.write_str("the policy could not be compiled"),
            BuildError::Endpoints(errors) => write!(f, "{errors}"),
            BuildError::PlainHttp(error) => write!(f, "{error}"),
            BuildError::ResourceMetadata(error) => write!(f, "{error}"),
            BuildError::ProofsOfSeveral(processes) => write!(
                f,
                "the policy takes DPoP proofs, and {processes} processes decide, each of which \
                 would accept a used proof once: set `dpop.redis` in portcullis.yaml, or use one \
                 process"
            ),
        }
    }
}

impl std::error::Error for BuildError {}

impl Keys for Snapshot {
    fn of(&self, issuer: IssuerId, tenant: Option<&Tenant>) -> Option<Arc<KeySet>> {
        let keys = match self.issuer(issuer)? {
            IssuersKeys::Read(keys) => Some(keys.clone()),
            IssuersKeys::Fetched(keys) => keys.current(tenant),
        };
        let Some(built_in) = &self.built_in else {
            return keys;
        };
        let built_in = KeySet::clone(built_in);
        Some(Arc::new(match keys {
            Some(keys) => KeySet::union([KeySet::clone(&keys), built_in]),
            // A token that none of these keys has signed may be the provider's.
            None => built_in.with_some_missing(),
        }))
    }
}
