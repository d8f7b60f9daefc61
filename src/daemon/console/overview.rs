//! The state of the daemon at a glance.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Body;
use axum::extract::State;
use http::Response;
use serde_json::{Value, json};

use super::bounded;
use crate::daemon::reply;
use crate::runtime::candidate::Candidate;
use crate::runtime::clock::rfc3339;
use crate::runtime::keys::Status;
use crate::runtime::metrics::Compared;
use crate::runtime::reload::LastError;
use crate::runtime::{Authorizer, KeyState, Snapshot};

/// The most routes, those with the most decisions, that a page gets.
const MAX_ROUTES: usize = 500;

/// The most differences of the candidate, those with the most requests, that a page gets.
const MAX_DIFFERENCES: usize = 200;

/// The most places of one issuer's keys that a page gets.
const MAX_PLACES: usize = 50;

/// The most files that a page gets.
const MAX_FILES: usize = 500;

/// The state of the daemon.
pub async fn overview(State(authorizer): State<Arc<Authorizer>>) -> Response<Body> {
    let snapshot = authorizer.snapshot();
    let (totals, routes) = routes(&authorizer, &snapshot);
    let count = snapshot.policy().apis().iter().map(|api| api.routes.len());
    reply::json(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "now": rfc3339(SystemTime::now()),
        "ready": authorizer.is_ready(),
        "observed": authorizer.settings().observed(),
        "policy": {
            "revision": snapshot.revision,
            "loaded_at": rfc3339(snapshot.loaded_at),
            "files": snapshot
                .files
                .iter()
                .take(MAX_FILES)
                .map(|file| json!({ "path": file.path, "bytes": file.bytes }))
                .collect::<Vec<_>>(),
            "files_count": snapshot.files.len(),
            "last_error": authorizer.last_error().map(error),
        },
        "candidate": authorizer.candidate().map(|candidate| of_candidate(&authorizer, candidate)),
        "issuers": issuers(&snapshot),
        "totals": totals,
        "routes_declared": count.sum::<usize>(),
        "routes_used": routes.len(),
        "routes": routes.into_iter().take(MAX_ROUTES).collect::<Vec<_>>(),
    }))
}

fn error(error: LastError) -> Value {
    json!({
        "at": rfc3339(error.at),
        "message": bounded(&error.message),
        "problems": *error.problems,
    })
}

/// Counts by outcome and reason.
type Outcomes = BTreeMap<&'static str, BTreeMap<&'static str, u64>>;

/// The counts since the start: of all routes together, and by API and route, the most frequent first.
/// The p99 is that of the policy in force.
fn routes(authorizer: &Authorizer, snapshot: &Snapshot) -> (Outcomes, Vec<Value>) {
    let p99 = snapshot.p99();
    let mut counts: BTreeMap<(String, String), Outcomes> = BTreeMap::new();
    let mut totals = Outcomes::new();
    for (labels, count) in authorizer.metrics().decided() {
        let (api, route, outcome, reason) = labels.names();
        let of_route = counts
            .entry((api.to_owned(), route.to_owned()))
            .or_default();
        let of_outcome = of_route.entry(outcome).or_default();
        *of_outcome.entry(reason).or_default() += count;
        let of_all = totals.entry(outcome).or_default();
        *of_all.entry(reason).or_default() += count;
    }
    let total = |outcomes: &Outcomes| -> u64 { outcomes.values().flat_map(BTreeMap::values).sum() };
    let mut all: Vec<_> = counts.into_iter().collect();
    all.sort_by_key(|(_, outcomes)| std::cmp::Reverse(total(outcomes)));
    let routes = all
        .into_iter()
        .map(|(name, outcomes)| {
            let took = p99.get(&name).map(|took| took.as_secs_f64() * 1e6);
            let (api, route) = name;
            json!({
                "api": api,
                "route": route,
                "total": total(&outcomes),
                "outcomes": outcomes,
                "p99_us": took,
            })
        })
        .collect();
    (totals, routes)
}

fn of_candidate(authorizer: &Authorizer, candidate: &Candidate) -> Value {
    let metrics = authorizer.metrics();
    let snapshot = candidate.snapshot();
    let mut differences = metrics.differing();
    differences.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    json!({
        "revision": snapshot.as_ref().map(|snapshot| &snapshot.revision),
        "loaded_at": snapshot.as_ref().map(|snapshot| rfc3339(snapshot.loaded_at)),
        "last_error": candidate.last_error().map(error),
        "same": metrics.compared_so_far(Compared::Same),
        "different": metrics.compared_so_far(Compared::Different),
        "skipped": metrics.compared_so_far(Compared::Skipped),
        "differences_count": differences.len(),
        "differences": differences
            .into_iter()
            .take(MAX_DIFFERENCES)
            .map(|(labels, count)| json!({
                "api": labels.api,
                "route": labels.route,
                "old": labels.old,
                "new": labels.new,
                "count": count,
            }))
            .collect::<Vec<_>>(),
    })
}

fn issuers(snapshot: &Snapshot) -> Vec<Value> {
    snapshot
        .key_states()
        .map(|(issuer, state)| {
            let (read, places) = match state {
                KeyState::Read(keys) => (Some(keys), Vec::new()),
                KeyState::Fetched(places) => (None, places),
            };
            json!({
                "name": issuer.name,
                "url": issuer.url.of_tenant("*"),
                "introspects": issuer.introspect.is_some(),
                "keys_in_files": read,
                "places_count": places.len(),
                "places": places.into_iter().take(MAX_PLACES).map(place).collect::<Vec<_>>(),
            })
        })
        .collect()
}

fn place(status: Status) -> Value {
    json!({
        "place": status.place,
        "keys": status.keys,
        "fetched_at": status.fetched_at.map(rfc3339),
        "usable": status.usable,
        "last_failure": status.last_failure.map(|failure| json!({
            "at": rfc3339(failure.at),
            "message": bounded(&failure.message),
        })),
    })
}
