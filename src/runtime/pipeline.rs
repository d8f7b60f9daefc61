//! Decides requests, in the same way for every adapter.
//!
//! Every failure here is a denial: a malformed message from the proxy, too much work at once, a
//! missed deadline, an internal fault. `judge` has the order of the steps; this module gives it
//! what it needs and waits for whatever has to be fetched.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arc_swap::Guard;
use serde_json::Value;

use super::cache::{Cache, Under};
use super::caught::caught;
use super::clock::{numeric_date, rfc3339};
use super::config::{Config, OnFull, Record, SentForwardHeaders};
use super::decided::Decided;
use super::decision_log::{Line, MAX_HOST, MAX_METHOD, MAX_PATH, Unverified, cut, written};
use super::ids::Id;
use super::metrics::Adapter;
use super::notices::Notice;
use super::original::{Malformed, Original};
use super::recent::Entry;
use super::watcher::Seen;
use super::{Authorizer, Snapshot, dpop};
use crate::answer;
use crate::engine::{self, Api, Decision, Denial, Fault, ProofError};
use crate::judge::{self, AwaitKeys, Client, Judged, Judging};
use crate::reason::Reason;
use crate::settings::ClaimId;
use crate::token::{Asked, Nonces as _, Verified};

/// The part of the deadline that a request may spend waiting for keys, or for the server that
/// remembers proofs.
const PATIENCE: f64 = 0.8;

const OVERLOADED: &str = "too many requests are in progress";

impl Authorizer {
    /// Decides a request and answers it.
    ///
    /// `respond` makes the answer to a decision; after an internal fault, it makes the answer to
    /// the denial that replaces it.
    pub async fn decide<'r, R>(
        &self,
        adapter: Adapter,
        read: impl FnOnce() -> Result<Original<'r>, Malformed>,
        respond: impl Fn(&Decided<'_>) -> R,
    ) -> R {
        let exchange = self.exchange(adapter);
        let outcome = caught(exchange.attempt(read, &respond)).await;
        match outcome {
            Some(response) => response,
            None => {
                let fault = Fault::new(Reason::Internal, "a fault inside portcullis");
                exchange.refuse(&fault, None, &respond)
            }
        }
    }

    /// Denies a request without reading it, because too many are being decided.
    pub fn overloaded<R>(&self, adapter: Adapter, respond: impl Fn(&Decided<'_>) -> R) -> R {
        let fault = Fault::new(Reason::Internal, OVERLOADED);
        self.refuse_unread(adapter, &fault, respond)
    }

    /// Denies a request that its proxy can't make sense of.
    pub fn refuse_unread<R>(
        &self,
        adapter: Adapter,
        fault: &Fault,
        respond: impl Fn(&Decided<'_>) -> R,
    ) -> R {
        self.exchange(adapter).refuse(fault, None, &respond)
    }

    fn exchange(&self, adapter: Adapter) -> Exchange<'_> {
        Exchange {
            authorizer: self,
            adapter,
            snapshot: self.snapshot.load(),
            settings: self.settings.load(),
            id: self.ids.next(),
            started: Instant::now(),
            tokens: &self.tokens,
            role: Role::InForce,
        }
    }

    /// The same steps for nobody's answer: by the candidate policy, or for the console.
    pub(super) fn aside<'d>(
        &'d self,
        (adapter, id): (Adapter, Id),
        snapshot: Arc<Snapshot>,
        tokens: &'d Cache,
    ) -> Exchange<'d> {
        Exchange {
            authorizer: self,
            adapter,
            snapshot: Guard::from_inner(snapshot),
            settings: self.settings.load(),
            id,
            started: Instant::now(),
            tokens,
            role: Role::Aside,
        }
    }
}

/// Whose policy decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// The one in force.
    InForce,
    /// Any, for nobody's answer, which must not use up a proof.
    Aside,
}

/// One request in progress.
pub(super) struct Exchange<'d> {
    authorizer: &'d Authorizer,
    adapter: Adapter,
    snapshot: Guard<Arc<Snapshot>>,
    settings: Guard<Arc<Config>>,
    id: Id,
    started: Instant,
    tokens: &'d Cache,
    role: Role,
}

impl Exchange<'_> {
    async fn attempt<'r, R>(
        &self,
        read: impl FnOnce() -> Result<Original<'r>, Malformed>,
        respond: &impl Fn(&Decided<'_>) -> R,
    ) -> R {
        let original = match read() {
            Ok(original) => original,
            Err(Malformed { hint, header }) => {
                if let Some(header) = header {
                    self.authorizer.notices.say(Notice::Header {
                        adapter: self.adapter,
                        header: &header,
                        fault: &hint,
                    });
                }
                let fault = Fault::new(Reason::RequestMalformed, hint);
                return self.refuse(&fault, None, respond);
            }
        };
        if let Some(fault) = self.spoken_for(&original) {
            // This one is enforced while others are only observed: the application would believe the
            // header.
            let decision = engine::refuse(&self.snapshot.policy, &fault);
            return self.refused(&decision, Some(&original), respond);
        }
        let Ok(_room) = self.authorizer.room.try_acquire() else {
            let fault = Fault::new(Reason::Internal, OVERLOADED);
            return self.refuse(&fault, Some(&original), respond);
        };
        let request = original.at(numeric_date(SystemTime::now()));
        let nonces = self.nonces(request.now);
        let client = self.client(&original, &nonces);
        let judging = judge::begin(&self.snapshot.policy, &request, client);
        let judged = self.judged(judging, request.now).await;
        let took = self.started.elapsed();
        if took > self.settings.deadline.get() {
            let hint = format!("no decision within {}", self.settings.deadline);
            let fault = Fault::new(Reason::Internal, hint);
            return self.refuse(&fault, Some(&original), respond);
        }
        let decision = self.enforced(judged.decide());
        let trace = || judged.explain();
        let response = respond(&self.decided(&decision, &trace));
        if !self.log(&decision, took, Some(&original), Some(&judged)) {
            return self.unlogged(respond);
        }
        self.count(&decision, took, Some(&original), Some(&judged));
        if let Some(candidate) = &self.authorizer.candidate {
            let (metrics, source) = (&self.authorizer.metrics, (self.adapter, self.id));
            candidate.compare(metrics, source, &original, request.now, &decision);
        }
        response
    }

    /// Decides a request at a NumericDate, and answers nobody.
    pub(super) async fn tried<R>(
        &self,
        original: &Original<'_>,
        now: f64,
        told: impl FnOnce(&Judged<'_>) -> R,
    ) -> R {
        let request = original.at(now);
        let nonces = self.nonces(now);
        let client = self.client(original, &nonces);
        let judging = judge::begin(&self.snapshot.policy, &request, client);
        told(&self.judged(judging, now).await)
    }

    /// What is known about the client besides its request.
    fn client<'n>(&'n self, original: &Original<'_>, nonces: &'n dpop::At<'_>) -> Client<'n> {
        Client {
            certificate: original.certificate,
            demands: dpop::demands(&self.settings, nonces),
        }
    }

    /// The fault of a request whose client sends a header that only portcullis may set, if the
    /// proxy can't be told to remove it.
    fn spoken_for(&self, original: &Original<'_>) -> Option<Fault> {
        match self.settings.adapters.of(self.adapter).sent_forward_headers {
            // Over gRPC, Envoy removes the headers that the answer names. A program is told the
            // same.
            None | Some(SentForwardHeaders::RemovedByProxy) => return None,
            Some(SentForwardHeaders::Refuse) => {}
        }
        let forwarded = self.snapshot.policy.identity_headers();
        let (name, _) = original
            .headers
            .iter()
            .find(|(name, _)| forwarded.iter().any(|forwarded| forwarded == name))?;
        Some(Fault::new(
            Reason::RequestMalformed,
            format!("only the policy sets the header `{name}`; remove it from the request"),
        ))
    }

    /// The decision, or an allow in place of a denial that is only observed.
    fn enforced<'a>(&self, decision: Decision<'a>) -> Decision<'a> {
        match decision {
            Decision::Deny(denial) if self.settings.only_observes(&denial) => {
                engine::tolerate(denial)
            }
            Decision::Allow(_) | Decision::Deny(_) => decision,
        }
    }

    /// Denies without asking the policy.
    fn refuse<R>(
        &self,
        fault: &Fault,
        original: Option<&Original<'_>>,
        respond: &impl Fn(&Decided<'_>) -> R,
    ) -> R {
        let decision = self.enforced(engine::refuse(&self.snapshot.policy, fault));
        self.refused(&decision, original, respond)
    }

    fn refused<R>(
        &self,
        decision: &Decision<'_>,
        original: Option<&Original<'_>>,
        respond: &impl Fn(&Decided<'_>) -> R,
    ) -> R {
        let took = self.started.elapsed();
        let response = respond(&self.decided(decision, &Vec::new));
        if !self.log(decision, took, original, None) {
            return self.unlogged(respond);
        }
        self.count(decision, took, original, None);
        response
    }

    /// Denies in place of a decision that can't be logged, if the configuration wants that.
    fn unlogged<R>(&self, respond: &impl Fn(&Decided<'_>) -> R) -> R {
        let fault = Fault::new(Reason::Internal, "the decision log is full");
        let decision = self.enforced(engine::refuse(&self.snapshot.policy, &fault));
        let response = respond(&self.decided(&decision, &Vec::new));
        self.count(&decision, self.started.elapsed(), None, None);
        response
    }

    fn decided<'d>(
        &'d self,
        decision: &'d Decision<'d>,
        trace: &'d dyn Fn() -> Vec<engine::Step>,
    ) -> Decided<'d> {
        Decided {
            decision,
            id: self.id.as_str(),
            nonce: self.next_nonce(decision),
            settings: &self.settings,
            resource_metadata: &self.snapshot.resource_metadata,
            trace,
        }
    }

    /// Gives the judgement what it asks for until there is a decision.
    async fn judged<'a>(&self, judging: Judging<'a>, now: f64) -> Judged<'a> {
        let mut judging = judging;
        loop {
            judging = match judging {
                Judging::Judged(judged) => return judged,
                Judging::Verify(verify) => {
                    let under = self.under(verify.api());
                    let verified = self.tokens.verify(verify.token(), &under).await;
                    verify.resume(verified)
                }
                Judging::AwaitKeys(wanted) => {
                    if self.awaited(&wanted).await {
                        wanted.retry()
                    } else {
                        wanted.give_up()
                    }
                }
                Judging::Introspect(question) => {
                    let (token, issuer) = (question.token(), question.issuer());
                    let endpoints = &self.snapshot.endpoints;
                    match endpoints.ask(token, issuer, self.patience()).await {
                        Some(known) => {
                            let Under {
                                generation, policy, ..
                            } = self.under(question.api());
                            let verified = known.under(generation, policy, question.api(), issuer);
                            question.resume(verified)
                        }
                        None => question.unanswered(),
                    }
                }
                Judging::UseProof(once) => {
                    let dpop = &self.authorizer.dpop;
                    let used = match self.role {
                        Role::InForce => dpop.take(once.proof(), now, self.patience()).await,
                        // For a candidate, the policy in force has seen to that.
                        Role::Aside => Ok(()),
                    };
                    Judging::Judged(once.resume(used))
                }
            };
        }
    }

    /// What a token for an API is verified under.
    fn under<'s>(&'s self, api: &'s Api) -> Under<'s> {
        Under {
            generation: self.snapshot.generation,
            policy: &self.snapshot.policy,
            api,
            keys: &**self.snapshot,
        }
    }

    /// Waits for keys, if they are fetched and there is room; otherwise returns false.
    async fn awaited(&self, wanted: &AwaitKeys<'_>) -> bool {
        let Some(awaited) = self.snapshot.awaited(wanted.owner()) else {
            return false;
        };
        // Requests that wait for one issuer's keys leave room for the others.
        let Some(_seat) = awaited.seat(&self.authorizer.waiting) else {
            return false;
        };
        let wait = async {
            if wanted.are_missing() {
                awaited.tried().await;
            } else {
                awaited.refresh_for_unknown_key().await;
            }
        };
        // One of several places may have answered in time, so it is worth another look.
        let _ = tokio::time::timeout_at(self.patience().into(), wait).await;
        true
    }

    /// Until when a request may wait: the rest of the deadline is for an answer that says more than
    /// that time ran out.
    fn patience(&self) -> Instant {
        self.started + self.settings.deadline.get().mul_f64(PATIENCE)
    }

    /// The nonce for the client's next DPoP proof (RFC 9449, sections 8.2 and 9).
    fn next_nonce(&self, decision: &Decision<'_>) -> Option<String> {
        let policy = &self.snapshot.policy;
        let wanted = decision.token().is_some() || decision.status() == 401;
        let takes_dpop = decision.api().is_some_and(|api| policy.schemes(api).dpop);
        if !(wanted && takes_dpop) {
            return None;
        }
        let nonces = self.nonces(numeric_date(SystemTime::now()));
        let lacks_one = matches!(
            decision,
            Decision::Deny(denial) if denial.proof_error() == Some(ProofError::NonceWanted)
        );
        let asked = nonces.asked() != Asked::Nothing || lacks_one;
        asked.then(|| nonces.next())
    }

    /// The nonces at a NumericDate.
    fn nonces(&self, now: f64) -> dpop::At<'_> {
        let dpop = &self.authorizer.dpop;
        dpop.nonces(&self.settings, now, self.started)
    }

    /// Counts the decision, and shows it to whoever watches.
    fn count(
        &self,
        decision: &Decision<'_>,
        took: Duration,
        original: Option<&Original<'_>>,
        judged: Option<&Judged<'_>>,
    ) {
        let api = decision.api().map_or("", |api| api.name.as_str());
        let route = decision.route().unwrap_or_default();
        let (snapshot, metrics) = (&self.snapshot, &self.authorizer.metrics);
        let find = || metrics.decisions_like(decision);
        snapshot
            .counted
            .count(&snapshot.policy, decision, took, find);
        metrics.decision_took(self.adapter, took);
        let outcome = decision.outcome();
        let entry = |number| Entry {
            number,
            time: rfc3339(SystemTime::now()),
            id: self.id.as_str().to_owned(),
            adapter: self.adapter.as_str(),
            method: original.map(|original| cut(original.method, MAX_METHOD).to_owned()),
            host: original
                .and_then(|original| original.host)
                .map(|host| cut(host, MAX_HOST).to_owned()),
            path: original.map(|original| shown_path(original.target)),
            api: api.to_owned(),
            route: route.to_string(),
            outcome: outcome.as_str(),
            reason: outcome.reason().map(Reason::code),
            hint: decision
                .denial()
                .and_then(Denial::operator_hint)
                .map(Cow::into_owned),
            client: judged
                .and_then(Judged::verified)
                .and_then(|verified| verified.facts().client())
                .map(str::to_owned),
            latency_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        };
        let allowed = outcome.reason().is_none();
        self.authorizer
            .recent
            .put(self.started + took, allowed, entry);
        if let Some(reason) = outcome.reason() {
            let (adapter, id) = (self.adapter.as_str(), &self.id);
            let hint = decision.denial().and_then(Denial::operator_hint);
            let hint = hint.as_deref().unwrap_or_default();
            let outcome = outcome.as_str();
            if reason == Reason::Internal {
                tracing::error!(adapter, %id, api, %route, outcome, hint, "denied because of an internal \
                fault");
            } else {
                tracing::debug!(adapter, %id, api, %route, outcome, %reason, hint, "denied");
            }
        }
        if let (Some(watcher), Some(original)) = (&self.authorizer.watcher, original) {
            watcher.tell(&Seen {
                policy: &self.snapshot.policy,
                decision,
                original,
            });
        }
    }

    /// Puts the decision into the decision log. Returns whether it may be answered: false if the
    /// log is full, and the configuration wants no decision without its line.
    fn log(
        &self,
        decision: &Decision<'_>,
        took: Duration,
        original: Option<&Original<'_>>,
        judged: Option<&Judged<'_>>,
    ) -> bool {
        let Some(log) = &self.authorizer.decision_log else {
            return true;
        };
        let reason = decision.reason();
        let route = decision.route().unwrap_or_default();
        let verified = judged.and_then(Judged::verified);
        let inputs = match self.settings.log.record {
            Record::Decision => None,
            Record::Inputs => judged.and_then(|judged| written(&judged.inputs())),
        };
        let seen = decision.token();
        let token = seen.filter(|token| token.verified);
        let said = seen.filter(|token| !token.verified);
        let written = log.put(&Line {
            time: rfc3339(SystemTime::now()),
            decision_id: self.id.as_str(),
            policy: &self.snapshot.revision,
            adapter: self.adapter.as_str(),
            method: original.map(|original| cut(original.method, MAX_METHOD)),
            host: original
                .and_then(|original| original.host)
                .map(|host| cut(host, MAX_HOST)),
            path: original.map(|original| shown_path(original.target)),
            api: decision.api().map(|api| api.name.as_str()),
            route: Some(&*route).filter(|route| !route.is_empty()),
            decision: if reason.is_none() { "allow" } else { "deny" },
            reason: reason.map(Reason::code),
            would: answer::would(decision.outcome()),
            hint: decision.denial().and_then(Denial::hint),
            issuer: verified
                .map(|verified| verified.iss())
                .or_else(|| token.and_then(|token| token.issuer.as_deref())),
            sub: token.and_then(|token| token.subject.as_deref()),
            client: verified.and_then(|verified| verified.facts().client()),
            jti: verified.and_then(|verified| verified.id()),
            claims: verified.map_or_else(BTreeMap::new, |verified| self.logged(verified)),
            unverified: said
                .filter(|said| said.issuer.is_some() || said.subject.is_some())
                .map(|said| Unverified {
                    issuer: said.issuer.as_deref(),
                    sub: said.subject.as_deref(),
                }),
            inputs,
            latency_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        });
        if written {
            return true;
        }
        let on_full = log.on_full();
        self.authorizer.metrics.dropped_log_line();
        self.authorizer
            .notices
            .say(Notice::FullDecisionLog { on_full });
        match on_full {
            OnFull::Drop => true,
            OnFull::Deny => false,
        }
    }
}

impl Exchange<'_> {
    /// The claims that the configuration allows in the log.
    fn logged(&self, verified: &Verified) -> BTreeMap<&str, Value> {
        let declared = &self.snapshot.policy.model().claims;
        let named = |name: &String| {
            (0..).zip(declared).find_map(|(at, claim)| {
                let value = verified.facts().to_json(ClaimId(at));
                value.filter(|_| claim.name == *name)
            })
        };
        self.settings
            .log
            .claims
            .iter()
            .filter_map(|name| Some((name.as_str(), named(name)?)))
            .collect()
    }
}

/// The path of a target for a log line, never the query, which may contain a token.
fn shown_path(target: &[u8]) -> String {
    let path = target.split(|byte| *byte == b'?').next().unwrap_or(target);
    let path = path.get(..MAX_PATH).unwrap_or(path);
    String::from_utf8_lossy(path).into_owned()
}
