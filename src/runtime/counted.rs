//! The counters of a policy's decisions and their latencies, at the places of its routes.
//!
//! In the metrics, a counter is found by texts: the names of the API, the route and the reason. That
//! takes a lock and copies of the names, so each snapshot remembers the counters that its decisions
//! have used. It counts nothing itself, and a reload begins with an empty table.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;

use super::latencies::{Latencies, Total};
use crate::engine::{self, Decision, Policy};

/// How many outcomes of routes have latencies, which take 704 bytes each. A policy may have a million
/// routes; beyond this, decisions are only counted.
const MAX_MEASURED: usize = 10_000;

/// The known counters of one policy's decisions.
#[derive(Debug)]
pub struct Counted {
    /// Those of requests to no API.
    no_api: Outcomes,
    /// By the numbers of the APIs.
    apis: Box<[OfApi]>,
    /// How many outcomes have asked for latencies.
    measured: AtomicUsize,
}

#[derive(Debug)]
struct OfApi {
    /// Those of requests to no route.
    no_route: Outcomes,
    /// By the numbers of the routes.
    routes: Box<[Outcomes]>,
}

/// The counters of one route by outcome, in the order in which these occurred first. There are few:
/// at most two for each reason.
type Outcomes = OnceLock<Box<Outcome>>;

#[derive(Debug)]
struct Outcome {
    what: engine::Outcome,
    counter: Counter,
    latencies: Option<Box<Latencies>>,
    next: Outcomes,
}

impl Counted {
    /// No counters yet.
    pub fn of(policy: &Policy) -> Counted {
        let apis = policy.apis().iter().map(|api| OfApi {
            no_route: Outcomes::new(),
            routes: api.routes.iter().map(|_| Outcomes::new()).collect(),
        });
        Counted {
            no_api: Outcomes::new(),
            apis: apis.collect(),
            measured: AtomicUsize::new(0),
        }
    }

    /// Latencies for one more outcome, unless there are too many.
    fn latencies(&self) -> Option<Box<Latencies>> {
        let before = self.measured.fetch_add(1, Ordering::Relaxed);
        (before < MAX_MEASURED).then(|| Box::new(Latencies::new()))
    }

    /// What 99 of 100 decisions took at most, by the names of API and route, for the routes that decided.
    /// Decisions of crossing routes aren't included.
    pub fn p99(&self, policy: &Policy) -> BTreeMap<(String, String), Duration> {
        let mut found = BTreeMap::new();
        for (api, of_api) in policy.apis().iter().zip(&self.apis) {
            let names = api.routes.iter().map(|route| route.name.as_str());
            let all = names.zip(&of_api.routes);
            for (name, outcomes) in all.chain([("", &of_api.no_route)]) {
                found.extend(p99(outcomes).map(|p99| ((api.name.clone(), name.to_owned()), p99)));
            }
        }
        found.extend(p99(&self.no_api).map(|p99| (<(String, String)>::default(), p99)));
        found
    }

    /// Counts a decision of the policy, and how long it took. `find` finds its counter by its names, which is needed for
    /// the first of its kind, and for those where routes cross: they have no number together.
    pub fn count(
        &self,
        policy: &Policy,
        decision: &Decision<'_>,
        took: Duration,
        find: impl Fn() -> Counter,
    ) {
        let Some(mut outcomes) = self.outcomes(policy, decision) else {
            find().inc();
            return;
        };
        let what = decision.outcome();
        loop {
            let outcome = outcomes.get_or_init(|| {
                Box::new(Outcome {
                    what,
                    counter: find(),
                    latencies: self.latencies(),
                    next: Outcomes::new(),
                })
            });
            if outcome.what == what {
                outcome.counter.inc();
                if let Some(latencies) = &outcome.latencies {
                    latencies.record(took);
                }
                return;
            }
            outcomes = &outcome.next;
        }
    }

    fn outcomes(&self, policy: &Policy, decision: &Decision<'_>) -> Option<&Outcomes> {
        let Some(api) = decision.api() else {
            return Some(&self.no_api);
        };
        let of_api = self.apis.get(number(api, policy.apis())?)?;
        let mut routes = decision.routes();
        match (routes.next(), routes.next()) {
            (None, _) => Some(&of_api.no_route),
            (Some(route), None) => of_api.routes.get(number(route, &api.routes)?),
            (Some(_), Some(_)) => None,
        }
    }
}

fn p99(outcomes: &Outcomes) -> Option<Duration> {
    let (mut total, mut next) = (Total::new(), outcomes);
    while let Some(outcome) = next.get() {
        // Without those of one outcome, it would be another value.
        total.add(outcome.latencies.as_deref()?);
        next = &outcome.next;
    }
    total.p99()
}

/// The number of an element of a list, by its address.
fn number<T>(element: &T, list: &[T]) -> Option<usize> {
    let address = |element: *const T| element.addr();
    let bytes = address(element).checked_sub(address(list.as_ptr()))?;
    let at = bytes.checked_div(size_of::<T>())?;
    let is_it = |found: &T| std::ptr::eq(found, element);
    list.get(at).is_some_and(is_it).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_is_found_by_its_address_and_only_in_its_own_list() {
        let list = ["a".to_owned(), "b".to_owned(), "b".to_owned()];
        for (at, element) in list.iter().enumerate() {
            assert_eq!(number(element, &list), Some(at));
        }
        let other = list.clone();
        for element in &other {
            assert_eq!(number(element, &list), None);
        }
        assert_eq!(number(&list[0], &list[1..]), None);
        assert_eq!(number(&list[2], &list[..2]), None);
        assert_eq!(number(&(), &[(), ()]), None, "all have one address");
    }

    #[test]
    fn latencies_are_bounded() {
        let counted = Counted {
            no_api: Outcomes::new(),
            apis: Box::default(),
            measured: AtomicUsize::new(MAX_MEASURED - 1),
        };
        assert!(counted.latencies().is_some());
        assert!(counted.latencies().is_none());
    }
}
