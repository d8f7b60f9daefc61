//! Warnings for the operator, each at most once a minute, however often its cause occurs.
//!
//! If a proxy is set up wrongly, every request fails, and clients send the requests. So a warning
//! isn't repeated for each of them, and nothing that a client sends creates an entry here: entries
//! are named by the program, the policy or the configuration.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::config::{OnFull, Span};
use super::metrics::Adapter;
use crate::text;

/// How often the same warning is logged.
const EVERY: Duration = Duration::from_secs(60);

/// How many warnings are remembered. There are some dozens: one for each header that an adapter
/// reads, and for each issuer that is asked. A reload can bring others, which replace the oldest.
const MAX_REMEMBERED: usize = 256;

/// A problem that the operator has to fix.
#[derive(Clone, Copy)]
pub enum Notice<'a> {
    /// A proxy doesn't set a header as its adapter expects it.
    Header {
        /// The adapter.
        adapter: Adapter,
        /// The header's name.
        header: &'a str,
        /// What is wrong with it.
        fault: &'a str,
    },
    /// A request for a path that belongs to no adapter.
    UnknownPath {
        /// The listener.
        listener: &'static str,
        /// The request's path.
        path: &'a str,
    },
    /// A gRPC request from Envoy at a listener for HTTP/1.
    GrpcAtHttp,
    /// A listener received the other version of HTTP.
    OtherProtocol {
        /// The listener.
        listener: &'static str,
    },
    /// A TLS handshake failed.
    Tls {
        /// The listener.
        listener: &'static str,
        /// Why.
        fault: &'a str,
    },
    /// A proxy gives up before a decision must be made.
    Deadline {
        /// The adapter.
        adapter: Adapter,
        /// How long the proxy waits.
        waits: Duration,
        /// How long a decision may take.
        deadline: Span,
    },
    /// An issuer's answer about a token came too late, or hasn't come yet.
    LateIntrospection {
        /// The issuer's name in the policy.
        issuer: &'a str,
    },
    /// A line doesn't fit into the buffer of the decision log.
    FullDecisionLog {
        /// What follows.
        on_full: OnFull,
    },
    /// An issuer can't be asked about tokens.
    NoIntrospection {
        /// The issuer's name in the policy.
        issuer: &'a str,
        /// Why.
        fault: &'a dyn fmt::Display,
    },
}

/// What tells warnings apart: their kind, place and name.
type Key = (&'static str, &'static str, Box<str>);

/// When a warning was last logged, and how often its cause occurred since.
#[derive(Debug)]
struct Said {
    at: Instant,
    since: u64,
}

/// When each warning was last logged.
#[derive(Debug, Default)]
pub struct Notices(Mutex<HashMap<Key, Said>>);

impl Notices {
    /// Logs a warning unless it was logged a short while ago; returns whether it was logged now.
    pub fn say(&self, notice: Notice<'_>) -> bool {
        match self.due(notice.key(), Instant::now()) {
            Some(repeated) => {
                notice.write(repeated);
                true
            }
            None => false,
        }
    }

    /// How often it occurred without being logged, if it is due now.
    fn due(&self, key: Key, now: Instant) -> Option<u64> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(said) = all.get_mut(&key) {
            if now.saturating_duration_since(said.at) < EVERY {
                said.since += 1;
                return None;
            }
            said.at = now;
            return Some(std::mem::take(&mut said.since));
        }
        if all.len() >= MAX_REMEMBERED {
            let oldest = all.iter().min_by_key(|(_, said)| said.at);
            let oldest = oldest.map(|(key, _)| key.clone());
            oldest.and_then(|key| all.remove(&key));
        }
        all.insert(key, Said { at: now, since: 0 });
        Some(0)
    }
}

impl Notice<'_> {
    fn key(&self) -> Key {
        match *self {
            Notice::Header {
                adapter, header, ..
            } => ("header", adapter.as_str(), header.into()),
            Notice::UnknownPath { listener, .. } => ("path", listener, "".into()),
            Notice::GrpcAtHttp => ("grpc", "http", "".into()),
            Notice::OtherProtocol { listener } => ("protocol", listener, "".into()),
            Notice::Tls { listener, .. } => ("tls", listener, "".into()),
            Notice::Deadline { adapter, .. } => ("deadline", adapter.as_str(), "".into()),
            Notice::FullDecisionLog { .. } => ("decision log", "", "".into()),
            Notice::LateIntrospection { issuer } => ("late", "", issuer.into()),
            Notice::NoIntrospection { issuer, .. } => ("introspection", "", issuer.into()),
        }
    }

    fn write(&self, repeated: u64) {
        match *self {
            Notice::Header {
                adapter,
                header,
                fault,
            } => tracing::warn!(
                adapter = adapter.as_str(),
                header,
                repeated,
                "the proxy does not send what the adapter reads, and its requests are denied \
                 (request.malformed): {fault}; {}",
                remedy(adapter)
            ),
            Notice::UnknownPath { listener, path } => tracing::warn!(
                listener,
                repeated,
                "there is no adapter at {}, and the proxy treats the 404 as an error: {}",
                text::quoted(path),
                if listener == "pdp" {
                    "programs ask here, at `/v1/check`; proxies ask at the listener `http`"
                } else {
                    "ask at `/nginx`, `/forward` or `/envoy/...`; docs/guides/ has a page for \
                     each proxy"
                }
            ),
            Notice::GrpcAtHttp => tracing::warn!(listener = "http", repeated, "{GRPC_AT_HTTP}"),
            Notice::OtherProtocol { listener: "grpc" } => tracing::warn!(
                listener = "grpc",
                repeated,
                "a connection does not begin with HTTP/2, which gRPC needs: `grpc` is for Envoy's \
                 ext_authz over gRPC; nginx, Caddy and Traefik ask at the listener `http`"
            ),
            Notice::OtherProtocol { listener: "http" } => {
                tracing::warn!(listener = "http", repeated, "{GRPC_AT_HTTP}")
            }
            Notice::OtherProtocol { listener } => tracing::warn!(
                listener,
                repeated,
                "a connection begins with HTTP/2, and this listener speaks HTTP/1.1"
            ),
            Notice::Tls { listener, fault } => tracing::warn!(
                listener,
                repeated,
                "a TLS handshake failed: {fault}; the listener has `tls` in portcullis.yaml, and \
                 whoever asks there must speak it, with a client certificate if it has `client_ca`"
            ),
            Notice::Deadline {
                adapter,
                waits,
                deadline,
            } => tracing::warn!(
                adapter = adapter.as_str(),
                repeated,
                "the proxy waits {waits:?} for an answer, and `deadline` lets a decision take \
                 {deadline}: a slow one is an error to the proxy, without a reason; lower \
                 `deadline` in portcullis.yaml, or raise the proxy's timeout"
            ),
            Notice::LateIntrospection { issuer } => tracing::warn!(
                %issuer,
                repeated,
                "the issuer's answer about a token came later than the request could wait, which \
                 was denied (keys.unavailable): raise `deadline` in portcullis.yaml, and the \
                 proxy's timeout above it; docs/guides/opaque-tokens.md"
            ),
            Notice::FullDecisionLog { on_full } => tracing::warn!(
                repeated,
                "lines of the decision log arrive faster than they can be written, and its buffer \
                 (`log.buffer_bytes`) is full: {}",
                match on_full {
                    OnFull::Drop => "lines are dropped",
                    OnFull::Deny => "requests are denied (internal), as `log.on_full` says",
                }
            ),
            Notice::NoIntrospection { issuer, fault } => {
                tracing::warn!(%issuer, %fault, repeated, "the issuer can't be asked about tokens");
            }
        }
    }
}

/// Envoy is configured for gRPC, but asks at the port of the HTTP adapters.
const GRPC_AT_HTTP: &str = "gRPC came to the listener `http`, which speaks HTTP/1.1: point Envoy's \
                            `grpc_service` at the listener `grpc` instead; \
                            docs/guides/envoy.md";

/// Where the setup of an adapter's proxy is documented.
fn remedy(adapter: Adapter) -> &'static str {
    match adapter {
        Adapter::nginx => {
            "`portcullis proxy-config nginx` prints the lines to use, docs/guides/nginx.md explains \
             them (ingress-nginx too)"
        }
        Adapter::forward => {
            "`portcullis proxy-config caddy` or `traefik` prints the lines to use, \
             docs/guides/caddy.md explains them"
        }
        Adapter::grpc | Adapter::envoy => {
            "`portcullis proxy-config envoy` prints the lines to use, docs/guides/envoy.md explains \
             them"
        }
        Adapter::pdp => "docs/check-api.md has the fields of a call",
        Adapter::envoy_module => "docs/guides/envoy-module.md has the filter's configuration",
        Adapter::nginx_module => "docs/guides/nginx-module.md has the module's directives",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        ("header", "nginx", name.into())
    }

    #[test]
    fn a_thing_is_said_once_a_minute_and_says_how_often_it_was_not() {
        let notices = Notices::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(notices.due(key("a"), at(0)), Some(0));
        assert_eq!(notices.due(key("b"), at(0)), Some(0), "another thing");
        assert_eq!(notices.due(key("a"), at(1)), None);
        assert_eq!(notices.due(key("a"), at(59)), None);
        assert_eq!(notices.due(key("a"), at(60)), Some(2));
        assert_eq!(notices.due(key("a"), at(61)), None);
    }

    #[test]
    fn the_memory_is_bounded() {
        let notices = Notices::default();
        let start = Instant::now();
        for at in 0..2 * MAX_REMEMBERED as u64 {
            let now = start + Duration::from_millis(at);
            assert_eq!(notices.due(key(&at.to_string()), now), Some(0));
        }
        let kept = notices.0.lock().expect("no panic").len();
        assert_eq!(kept, MAX_REMEMBERED);
    }
}
