//! Where an issuer's keys are fetched: from one place, from several, or from one for each tenant.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::status::Status;
use super::tenants::Tenants;
use super::{IssuerKeys, Place, Room, Seat, waiting};
use crate::keys::KeySet;
use crate::model::{Issuer, KeySource};
use crate::settings::{IssuerUrl, Tenant};

/// How a declared issuer's keys are found.
#[derive(Debug, Clone)]
pub enum Places<'m> {
    /// Not fetched: they were read from files.
    Files(&'m Arc<KeySet>),
    /// From all of these together.
    Together(Vec<Place>),
    /// For each tenant, from a URL with its name between these parts.
    OfTenants {
        /// The part before the name.
        prefix: &'m str,
        /// The part after it.
        suffix: &'m str,
    },
}

impl Places<'_> {
    /// The places of a declared issuer's keys.
    pub fn of(issuer: &Issuer) -> Places<'_> {
        match (&issuer.keys, &issuer.url) {
            (KeySource::Files(keys), _) => Places::Files(keys),
            (KeySource::Urls(urls), _) => {
                Places::Together(urls.iter().cloned().map(Place::Url).collect())
            }
            (KeySource::TenantUrl { prefix, suffix }, _) => Places::OfTenants { prefix, suffix },
            (KeySource::Discover, IssuerUrl::Exact(url)) => {
                Places::Together(vec![Place::Discover(url.clone())])
            }
            // The checker requires `keys url` here; without it there is no place.
            (KeySource::Discover, IssuerUrl::Tenant { prefix, suffix, .. }) => {
                Places::Together(vec![Place::Discover(format!("{prefix}{suffix}"))])
            }
        }
    }

    /// The places of the keys for one token.
    pub fn for_token(&self, tenant: Option<&Tenant>) -> Vec<Place> {
        match (self, tenant) {
            (Places::Files(_), _) | (Places::OfTenants { .. }, None) => Vec::new(),
            (Places::Together(places), _) => places.clone(),
            (Places::OfTenants { prefix, suffix }, Some(tenant)) => vec![Place::Tenant {
                url: format!("{prefix}{tenant}{suffix}"),
                tenant: tenant.clone(),
            }],
        }
    }
}

/// An issuer's fetched keys.
#[derive(Debug)]
pub enum Source {
    /// From one place or several, as one set.
    Together(Together),
    /// For each tenant.
    Tenants(Arc<Tenants>),
}

/// Keys from several places, each fetched separately, as one set.
#[derive(Debug)]
pub struct Together {
    parts: Vec<Arc<IssuerKeys>>,
    /// The last combined set, reused while its parts are unchanged: a new one would invalidate the
    /// cached tokens.
    latest: ArcSwapOption<Union>,
    seats: waiting::Taken,
}

#[derive(Debug)]
struct Union {
    of: Vec<Option<Arc<KeySet>>>,
    keys: Arc<KeySet>,
}

/// Keys that a request can wait for.
#[derive(Debug)]
pub struct Awaited<'s> {
    parts: Vec<Arc<IssuerKeys>>,
    /// `None` for the seats of the only part.
    seats: Option<&'s waiting::Taken>,
}

impl Source {
    /// The keys, unless there are none or they are too old.
    pub fn current(&self, tenant: Option<&Tenant>) -> Option<Arc<KeySet>> {
        match self {
            Source::Together(together) => together.current(),
            Source::Tenants(tenants) => tenants.current(tenant?),
        }
    }

    /// What to wait for if these keys are missing; for a new tenant, its first fetch begins.
    pub fn awaited(&self, tenant: Option<&Tenant>) -> Option<Awaited<'_>> {
        match self {
            Source::Together(together) => Some(Awaited {
                parts: together.parts.clone(),
                seats: (together.parts.len() > 1).then_some(&together.seats),
            }),
            Source::Tenants(tenants) => {
                let keys = tenants.admit(tenant?)?;
                Some(Awaited {
                    seats: (!keys.were_fetched()).then_some(tenants.newcomers()),
                    parts: vec![keys],
                })
            }
        }
    }

    /// The state of the keys, by place.
    pub fn status(&self) -> Vec<Status> {
        match self {
            Source::Together(together) => together.parts.iter().map(|keys| keys.status()).collect(),
            Source::Tenants(tenants) => tenants.status(),
        }
    }

    /// Waits until the first fetch from each place has ended, successfully or not. Tenants are
    /// unknown until their tokens come.
    pub async fn tried(&self) {
        if let Source::Together(together) = self {
            for part in &together.parts {
                part.tried().await;
            }
        }
    }
}

impl Together {
    /// The combined keys of these parts.
    pub(super) fn new(parts: Vec<Arc<IssuerKeys>>) -> Together {
        Together {
            parts,
            latest: ArcSwapOption::empty(),
            seats: waiting::Taken::default(),
        }
    }

    fn current(&self) -> Option<Arc<KeySet>> {
        if let [part] = self.parts.as_slice() {
            return part.current();
        }
        let of: Vec<Option<Arc<KeySet>>> = self.parts.iter().map(|part| part.current()).collect();
        if of.iter().all(Option::is_none) {
            return None;
        }
        if let Some(latest) = &*self.latest.load()
            && latest.is_of(&of)
        {
            return Some(latest.keys.clone());
        }
        let there = of.iter().flatten().map(|keys| (**keys).clone());
        let union = KeySet::union(there);
        let keys = Arc::new(if of.iter().all(Option::is_some) {
            union
        } else {
            union.with_some_missing()
        });
        self.latest.store(Some(Arc::new(Union {
            of,
            keys: keys.clone(),
        })));
        Some(keys)
    }
}

impl Union {
    fn is_of(&self, sets: &[Option<Arc<KeySet>>]) -> bool {
        self.of.len() == sets.len()
            && self.of.iter().zip(sets).all(|(a, b)| match (a, b) {
                (Some(a), Some(b)) => Arc::ptr_eq(a, b),
                (None, None) => true,
                _ => false,
            })
    }
}

impl Awaited<'_> {
    /// A seat for a request that wants to wait, if there is one.
    pub fn seat<'r>(&'r self, room: &'r Room) -> Option<Seat<'r>> {
        match (self.seats, self.parts.as_slice()) {
            (Some(seats), _) => room.seat(seats),
            (None, [only]) => only.seat(room),
            (None, _) => None,
        }
    }

    /// Waits until each first fetch has ended, successfully or not.
    pub async fn tried(&self) {
        for part in &self.parts {
            part.tried().await;
        }
    }

    /// Asks for a refresh because a token may be signed with a new key, and waits for its end.
    pub async fn refresh_for_unknown_key(&self) {
        // All begin before the first is awaited: a place that hangs doesn't delay the others.
        let fetches: Vec<u64> = self.parts.iter().map(|part| part.force_refresh()).collect();
        for (part, fetch) in self.parts.iter().zip(fetches) {
            part.ended(fetch).await;
        }
    }
}
