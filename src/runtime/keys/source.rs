//! Where an issuer's keys are fetched from: one place, several, or one for each tenant.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::tenants::Tenants;
use super::{IssuerKeys, Place, Room, Seat, waiting};
use crate::keys::KeySet;
use crate::model::{Issuer, KeySource};
use crate::settings::{IssuerUrl, Tenant};

/// How a declared issuer's keys are found.
#[derive(Debug, Clone)]
pub enum Places<'m> {
    /// Nowhere: they were read from files.
    Files(&'m Arc<KeySet>),
    /// At all of these together.
    Together(Vec<Place>),
    /// For each tenant at a URL that holds its name, between these.
    OfTenants {
        /// What stands before it.
        prefix: &'m str,
        /// What follows it.
        suffix: &'m str,
    },
}

impl Places<'_> {
    /// Where the keys of a declared issuer are.
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
            // The checker asks for `keys url` here; without it there is no such place.
            (KeySource::Discover, IssuerUrl::Tenant { prefix, suffix, .. }) => {
                Places::Together(vec![Place::Discover(format!("{prefix}{suffix}"))])
            }
        }
    }

    /// Where the keys for one token are.
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

/// An issuer's keys, fetched.
#[derive(Debug)]
pub enum Source {
    /// From one place or several, as one set.
    Together(Together),
    /// For each tenant.
    Tenants(Arc<Tenants>),
}

/// Keys from several places, each fetched on its own, as one set.
#[derive(Debug)]
pub struct Together {
    parts: Vec<Arc<IssuerKeys>>,
    /// The last that was put together: another set would make what is kept of tokens useless.
    latest: ArcSwapOption<Union>,
    seats: waiting::Taken,
}

#[derive(Debug)]
struct Union {
    of: Vec<Option<Arc<KeySet>>>,
    keys: Arc<KeySet>,
}

/// What a request can wait for.
#[derive(Debug)]
pub struct Awaited<'s> {
    parts: Vec<Arc<IssuerKeys>>,
    /// `None` for those of the only part.
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

    /// What to wait for where these keys are wanting; for a new tenant, its first fetch begins.
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

    /// Waits until the first fetch from each place has ended, well or not. Which tenants there are
    /// is not known before their tokens come.
    pub async fn tried(&self) {
        if let Source::Together(together) = self {
            for part in &together.parts {
                part.tried().await;
            }
        }
    }
}

impl Together {
    /// The keys that these fetch.
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
    /// A seat for a request that is to wait, if the room has one for it.
    pub fn seat<'r>(&'r self, room: &'r Room) -> Option<Seat<'r>> {
        match (self.seats, self.parts.as_slice()) {
            (Some(seats), _) => room.seat(seats),
            (None, [only]) => only.seat(room),
            (None, _) => None,
        }
    }

    /// Waits until each first fetch has ended, well or not.
    pub async fn tried(&self) {
        for part in &self.parts {
            part.tried().await;
        }
    }

    /// Asks for a refresh because a token may be signed by a new key, and waits for its end.
    pub async fn refresh_for_unknown_key(&self) {
        // All begin before one is waited for: a place that hangs keeps no other from being asked.
        let fetches: Vec<u64> = self.parts.iter().map(|part| part.force_refresh()).collect();
        for (part, fetch) in self.parts.iter().zip(fetches) {
            part.ended(fetch).await;
        }
    }
}
