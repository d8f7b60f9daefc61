//! The metrics at `/metrics` (Prometheus, OpenMetrics text format).
//!
//! Label values are names from the policy or from this program, never from a request, so the policy
//! bounds the number of series. A reload removes the series of routes that it removed.

use std::collections::BTreeSet;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use rustc_hash::FxHashMap;

use crate::engine::{Decision, Policy};
use crate::reason::Reason;

/// The bounds of the latency histogram, in seconds: from a decision on a cached token to beyond the
/// longest sensible deadline.
const LATENCY: [f64; 14] = [
    0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.01,
    0.05, 0.15, 0.5, 1.0,
];

/// The most series of decisions. Routes that overlap are counted under their joined names, so there
/// can be more combinations than routes; beyond this limit, decisions are counted without a route.
const MAX_SERIES: usize = 20_000;

/// The media type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

listed! {
    /// An interface to a decision.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, EncodeLabelValue)]
    #[expect(non_camel_case_types, reason = "the names are the label's values")]
    Adapter {
        /// Envoy over gRPC.
        grpc = "grpc",
        /// nginx.
        nginx = "nginx",
        /// Traefik and Caddy.
        forward = "forward",
        /// Envoy over HTTP.
        envoy = "envoy",
        /// The JSON interface.
        pdp = "pdp",
        /// The module inside Envoy.
        envoy_module = "envoy_module",
        /// The module inside nginx.
        nginx_module = "nginx_module",
    }
}

/// The labels of a series of decisions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, EncodeLabelSet)]
pub struct DecisionLabels {
    api: String,
    route: String,
    decision: &'static str,
    reason: &'static str,
}

impl DecisionLabels {
    /// Those of the series whose routes a policy doesn't have.
    pub fn outdated(series: Vec<DecisionLabels>, policy: &Policy) -> Vec<DecisionLabels> {
        // There are none when a program starts.
        if series.is_empty() {
            return series;
        }
        // There may be far more routes than series.
        let mut exist: FxHashMap<(&str, &str), bool> = series
            .iter()
            .flat_map(|labels| labels.routes().map(|route| ((&*labels.api, route), false)))
            .collect();
        for api in policy.apis() {
            for route in &api.routes {
                if let Some(exists) = exist.get_mut(&(&*api.name, &*route.name)) {
                    *exists = true;
                }
            }
        }
        let is_outdated = |labels: &DecisionLabels| {
            let exists = |route| exist.get(&(&*labels.api, route)) == Some(&true);
            !labels.routes().all(exists)
        };
        let outdated = series.iter().filter(|labels| is_outdated(labels));
        outdated.cloned().collect()
    }

    /// The API, the route, the outcome and the reason; empty where there is none.
    pub fn names(&self) -> (&str, &str, &'static str, &'static str) {
        (&self.api, &self.route, self.decision, self.reason)
    }

    /// The routes; none if no route applied.
    fn routes(&self) -> impl Iterator<Item = &str> {
        let routes = (!self.route.is_empty()).then(|| self.route.split(" + "));
        routes.into_iter().flatten()
    }
}

/// The labels of a series of differences.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
pub struct DifferenceLabels {
    /// The API.
    pub api: String,
    /// The route.
    pub route: String,
    /// What the policy in force says.
    pub old: &'static str,
    /// What the candidate says.
    pub new: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AdapterLabel {
    adapter: Adapter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

/// The introspection counters of one issuer. They are looked up once, since every request counts.
#[derive(Debug)]
pub struct Introspections {
    /// The issuer answered that the token is active.
    pub active: Counter,
    /// The issuer answered that the token is not active.
    pub inactive: Counter,
    /// The issuer did not answer, or not properly.
    pub failure: Counter,
    /// The result was cached.
    pub kept: Counter,
    /// Too many requests were waiting for this issuer.
    pub refused: Counter,
    /// The request's deadline passed before the answer came.
    pub late: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KeyLabels {
    issuer: String,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RevisionLabel {
    revision: String,
}

/// The outcome of a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReloadResult {
    /// A new policy is in force.
    Changed,
    /// Nothing had changed.
    Unchanged,
    /// The policy in force stays, because the new one has errors.
    Failed,
    /// The policy in force stays for now: a file is open for writing, or has lost content.
    Held,
}

impl ReloadResult {
    /// Its name in metrics and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            ReloadResult::Changed => "changed",
            ReloadResult::Unchanged => "unchanged",
            ReloadResult::Failed => "failed",
            ReloadResult::Held => "held",
        }
    }
}

/// The result of comparing what the candidate says with the policy in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    /// Both decide alike, with the same reason.
    Same,
    /// They don't.
    Different,
    /// It wasn't compared: too many requests were waiting, or the candidate has no answer.
    Skipped,
}

impl Compared {
    fn as_str(self) -> &'static str {
        match self {
            Compared::Same => "same",
            Compared::Different => "different",
            Compared::Skipped => "skipped",
        }
    }
}

/// How a token's verification was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// It was cached.
    Hit,
    /// It was cached as invalid.
    Bad,
    /// It came from a concurrent request with the same token.
    Shared,
    /// The token was verified now.
    Miss,
}

/// A counter for each [`Lookup`]. They are looked up once, since every request counts.
#[derive(Debug, Default)]
struct Lookups {
    hit: Counter,
    bad: Counter,
    shared: Counter,
    miss: Counter,
}

/// The metrics of one daemon.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    decisions: Family<DecisionLabels, Counter>,
    latency: Family<AdapterLabel, Histogram, fn() -> Histogram>,
    /// The histograms of `latency` that exist, by adapter. Every decision needs one.
    latency_of: [OnceLock<Histogram>; Adapter::ALL.len()],
    reloads: Family<ResultLabel, Counter>,
    last_success: Gauge,
    last_failed: Gauge,
    policy: Family<RevisionLabel, Gauge>,
    key_refreshes: Family<KeyLabels, Counter>,
    introspections: Family<KeyLabels, Counter>,
    introspection_lookups: Family<KeyLabels, Counter>,
    dropped_log_lines: Counter,
    lookups: Lookups,
    tokens: Gauge,
    token_bytes: Gauge,
    series: Mutex<BTreeSet<DecisionLabels>>,
    compared: Family<ResultLabel, Counter>,
    differences: Family<DifferenceLabels, Counter>,
    different: Mutex<BTreeSet<DifferenceLabels>>,
}

fn latency_histogram() -> Histogram {
    Histogram::new(LATENCY)
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics::new()
    }
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Metrics {
        let mut registry = Registry::with_prefix("portcullis");
        let metrics = Metrics {
            decisions: Family::default(),
            latency: Family::new_with_constructor(latency_histogram as fn() -> Histogram),
            latency_of: Default::default(),
            reloads: Family::default(),
            last_success: Gauge::default(),
            last_failed: Gauge::default(),
            policy: Family::default(),
            key_refreshes: Family::default(),
            introspections: Family::default(),
            introspection_lookups: Family::default(),
            dropped_log_lines: Counter::default(),
            lookups: Lookups::default(),
            tokens: Gauge::default(),
            token_bytes: Gauge::default(),
            series: Mutex::default(),
            compared: Family::default(),
            differences: Family::default(),
            different: Mutex::default(),
            registry: Registry::default(),
        };
        registry.register(
            "decisions",
            "Decisions by API, route, outcome (allow, deny, would_deny) and reason; the route is empty if none matched",
            metrics.decisions.clone(),
        );
        registry.register(
            "decision_duration_seconds",
            "How long decisions took, by adapter",
            metrics.latency.clone(),
        );
        registry.register(
            "reloads",
            "Loads of the policy by result: changed, unchanged, failed, held",
            metrics.reloads.clone(),
        );
        registry.register(
            "policy_loaded_timestamp_seconds",
            "When the policy in force was loaded, in Unix time",
            metrics.last_success.clone(),
        );
        registry.register(
            "policy_last_load_failed",
            "1 while an older policy is in force than the one in the files, else 0",
            metrics.last_failed.clone(),
        );
        registry.register(
            "policy_info",
            "The revision of the policy in force",
            metrics.policy.clone(),
        );
        registry.register(
            "key_refreshes",
            "Fetches of issuers' keys by issuer and result: success, failure",
            metrics.key_refreshes.clone(),
        );
        registry.register(
            "introspections",
            "Introspection calls by issuer and result: active, inactive, failure",
            metrics.introspections.clone(),
        );
        registry.register(
            "introspection_lookups",
            "Requests that did not get the result of an introspection call, by issuer and result: kept, refused, late",
            metrics.introspection_lookups.clone(),
        );
        registry.register(
            "decision_log_dropped_lines",
            "Lines of the decision log that did not fit into its buffer",
            metrics.dropped_log_lines.clone(),
        );
        registry.register(
            "token_cache_entries",
            "Verified tokens in the cache",
            metrics.tokens.clone(),
        );
        registry.register(
            "token_cache_bytes",
            "Memory that the verified tokens in the cache take, in bytes",
            metrics.token_bytes.clone(),
        );
        registry.register(
            "candidate_decisions",
            "Requests that the candidate decided too, by result: same, different, skipped",
            metrics.compared.clone(),
        );
        registry.register(
            "candidate_differences",
            "Requests that the candidate decided differently, by API, route, and what both say",
            metrics.differences.clone(),
        );
        let lookups = Family::<ResultLabel, Counter>::default();
        let of = |result| lookups.get_or_create(&ResultLabel { result }).clone();
        let counters = Lookups {
            hit: of("hit"),
            bad: of("bad"),
            shared: of("shared"),
            miss: of("miss"),
        };
        registry.register(
            "token_cache_lookups",
            "Lookups of tokens in the cache by result: hit, bad (known to be invalid), shared (with a concurrent request), miss",
            lookups,
        );
        Metrics {
            registry,
            lookups: counters,
            ..metrics
        }
    }

    /// The counter of decisions like this one.
    pub fn decisions_like(&self, decision: &Decision<'_>) -> Counter {
        let outcome = decision.outcome();
        let mut labels = DecisionLabels {
            api: decision.api().map_or("", |api| &api.name).to_owned(),
            route: decision.route().unwrap_or_default().into_owned(),
            decision: outcome.as_str(),
            reason: outcome.reason().map_or("", Reason::code),
        };
        if let Some(known) = self.decisions.get(&labels) {
            return known.clone();
        }
        let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        if series.len() >= MAX_SERIES {
            labels.route.clear();
        }
        series.insert(labels.clone());
        self.decisions.get_or_create_owned(&labels)
    }

    /// Counts a request that the candidate decided too.
    pub fn compared(&self, compared: Compared) {
        let result = compared.as_str();
        self.compared.get_or_create(&ResultLabel { result }).inc();
    }

    /// Counts a difference between the policy in force and the candidate.
    pub fn differs(&self, api: &str, route: &str, old: &'static str, new: &'static str) {
        let mut labels = DifferenceLabels {
            api: api.to_owned(),
            route: route.to_owned(),
            old,
            new,
        };
        let mut known = self
            .different
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_SERIES && !known.contains(&labels) {
            labels.route.clear();
        }
        known.insert(labels.clone());
        self.differences.get_or_create(&labels).inc();
    }

    /// Records how long a decision took.
    pub fn decision_took(&self, adapter: Adapter, took: Duration) {
        let histogram = || self.latency.get_or_create_owned(&AdapterLabel { adapter });
        if let Some(known) = self.latency_of.get(adapter as usize) {
            known.get_or_init(histogram).observe(took.as_secs_f64());
        }
    }

    /// Uses up the series of decisions.
    #[cfg(test)]
    pub fn use_up_series(&self) {
        let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        series.extend((0..MAX_SERIES).map(|number| DecisionLabels {
            api: String::new(),
            route: number.to_string(),
            decision: "allow",
            reason: "",
        }));
    }

    /// Counts a load of the policy.
    pub fn reload(&self, result: ReloadResult) {
        self.reloads
            .get_or_create(&ResultLabel {
                result: result.as_str(),
            })
            .inc();
        let failed = match result {
            ReloadResult::Changed | ReloadResult::Unchanged => 0,
            ReloadResult::Failed | ReloadResult::Held => 1,
        };
        self.last_failed.set(failed);
    }

    /// The series of decisions so far.
    pub fn series(&self) -> Vec<DecisionLabels> {
        let series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        series.iter().cloned().collect()
    }

    /// The counts of decisions.
    pub fn decided(&self) -> Vec<(DecisionLabels, u64)> {
        let count = |labels: DecisionLabels| {
            let count = self.decisions.get(&labels)?.get();
            Some((labels, count))
        };
        self.series().into_iter().filter_map(count).collect()
    }

    /// The counts of differences between the policy in force and the candidate.
    pub fn differing(&self) -> Vec<(DifferenceLabels, u64)> {
        let known = self.different.lock();
        let known = known.unwrap_or_else(PoisonError::into_inner).clone();
        let count = |labels: DifferenceLabels| {
            let count = self.differences.get(&labels)?.get();
            Some((labels, count))
        };
        known.into_iter().filter_map(count).collect()
    }

    /// How many requests the candidate decided too, with this result.
    pub fn compared_so_far(&self, compared: Compared) -> u64 {
        let result = compared.as_str();
        self.compared
            .get(&ResultLabel { result })
            .map_or(0, |counter| counter.get())
    }

    /// Records another policy in force, and removes the series that only older ones had.
    pub fn policy(&self, revision: &str, loaded: SystemTime, outdated: &[DecisionLabels]) {
        let seconds = loaded
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        self.last_success
            .set(i64::try_from(seconds).unwrap_or(i64::MAX));
        self.policy.clear();
        self.policy
            .get_or_create(&RevisionLabel {
                revision: revision.to_owned(),
            })
            .set(1);
        for labels in outdated {
            let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
            series.remove(labels);
            self.decisions.remove(labels);
        }
        // They were differences to another policy.
        self.differences.clear();
        self.different
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// Counts a fetch of an issuer's keys.
    pub fn key_refresh(&self, issuer: &str, success: bool) {
        self.key_refreshes
            .get_or_create(&KeyLabels {
                issuer: issuer.to_owned(),
                result: if success { "success" } else { "failure" },
            })
            .inc();
    }

    /// The introspection counters of an issuer.
    pub fn introspections(&self, issuer: &str) -> Introspections {
        let of = |family: &Family<KeyLabels, Counter>, result| {
            let issuer = issuer.to_owned();
            family.get_or_create_owned(&KeyLabels { issuer, result })
        };
        let (asked, other) = (&self.introspections, &self.introspection_lookups);
        Introspections {
            active: of(asked, "active"),
            inactive: of(asked, "inactive"),
            failure: of(asked, "failure"),
            kept: of(other, "kept"),
            refused: of(other, "refused"),
            late: of(other, "late"),
        }
    }

    /// Counts a dropped line of the decision log.
    pub fn dropped_log_line(&self) {
        self.dropped_log_lines.inc();
    }

    /// Counts the verification of a token.
    pub fn token_lookup(&self, lookup: Lookup) {
        let counter = match lookup {
            Lookup::Hit => &self.lookups.hit,
            Lookup::Bad => &self.lookups.bad,
            Lookup::Shared => &self.lookups.shared,
            Lookup::Miss => &self.lookups.miss,
        };
        counter.inc();
    }

    /// Adjusts the number and size of cached tokens by these differences.
    pub fn tokens_kept(&self, entries: i64, bytes: i64) {
        self.tokens.inc_by(entries);
        self.token_bytes.inc_by(bytes);
    }

    /// All metrics, in Prometheus's format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string can't fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
