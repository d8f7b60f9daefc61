//! Everything together: provider, upstream, portcullis, and the proxies in between.

use super::caller::Answer;
use super::daemon::Daemon;
use super::echo::Echo;
use super::provider::{Login, ORDERS, Provider};
use super::proxies::{Kind, Proxy};
use serde_json::json;

/// The story's policy: a single-page application and its API.
const POLICY: &str = include_str!("story.gate");

/// The story's policy, with the provider as its issuer.
pub fn policy(issuer: &str) -> String {
    assert!(POLICY.contains("ISSUER"));
    POLICY.replace("ISSUER", issuer)
}

/// A whole world, except for the proxy.
pub struct World {
    pub provider: Provider,
    pub upstream: Echo,
    pub daemon: Daemon,
}

impl World {
    /// Starts it with the policy of the story.
    pub fn start() -> Self {
        Self::with(policy)
    }

    /// The same with another policy, made for the provider's issuer.
    pub fn with(policy: impl FnOnce(&str) -> String) -> Self {
        Self::around(|issuer| Daemon::start(&policy(issuer)))
    }

    /// The same as [`World::start`], with the daemon's own servers.
    pub fn thin() -> Self {
        Self::around(|issuer| Daemon::thin(&policy(issuer)))
    }

    fn around(daemon: impl FnOnce(&str) -> Daemon) -> Self {
        let provider = Provider::start();
        let daemon = daemon(&provider.issuer);
        Self {
            provider,
            upstream: Echo::start(),
            daemon,
        }
    }

    /// Starts a proxy in it.
    pub fn proxy(&self, kind: Kind) -> Proxy {
        Proxy::start(kind, self.daemon.ports, self.upstream.address)
    }

    /// Logs a person in and gets a token for the API.
    pub fn login(&self, scope: &str) -> Login {
        let e2e = json!({ "claims": { "org_id": "acme-1" } });
        self.provider.login("alice", scope, Some(ORDERS), &e2e)
    }
}

/// The reason that an answer names.
pub fn reason(answer: &Answer) -> Option<&str> {
    answer.header("x-portcullis-reason")
}
