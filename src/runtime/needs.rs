//! Mismatches between policy and configuration, above all facts that the policy needs and no
//! adapter is configured to receive.
//!
//! A test of such a fact is *missing*, and a rule that needs it never allows. A warning when the
//! policy is loaded is better than a surprised user.

use super::config::{
    AdapterSettings, ClientAddress, ClientCertificate, Config, Scheme, SentForwardHeaders, asked_at,
};
use super::module::Module;
use crate::model::{Condition, Input, Model};

/// A warning for everything that portcullis trusts only because the configuration says so.
pub fn believed(config: &Config) -> Vec<String> {
    let observing = config
        .observed()
        .map(|what| format!("denials are not enforced, only observed, for {what}"));
    let trusting = config
        .adapters
        .iter()
        .filter(|(_, said)| said.sent_forward_headers == Some(SentForwardHeaders::RemovedByProxy))
        .map(|(adapter, _)| {
            format!(
                "`adapters.{}.sent_forward_headers` is `removed_by_proxy`: requests in which a client sends a `forward` header are let through, and the proxy must remove it",
                adapter.as_str()
            )
        });
    let trusted = config.adapters.iter().flat_map(|(adapter, said)| {
        let names = said.trusted_headers.into_iter().flat_map(|names| &names.0);
        names.map(move |name| {
            format!(
                "`adapters.{}.trusted_headers` names `{name}`: the application gets it as it arrives, and a trusted proxy must always set it",
                adapter.as_str()
            )
        })
    });
    observing
        .into_iter()
        .chain(trusting)
        .chain(trusted)
        .collect()
}

/// A sentence for each adapter that lacks something the policy needs. If a module decides, there
/// are no listeners.
pub fn unmet(model: &Model, config: &Config, module: Option<Module>) -> Vec<String> {
    let mut unmet = Vec::new();
    let mut say = |missing: fn(&AdapterSettings<'_>) -> bool,
                   what: &str,
                   field: &str,
                   effect: &str| {
        let asked = config.adapters.iter().filter(|(adapter, _)| {
            let listener = asked_at(*adapter).filter(|_| module.is_none());
            listener.is_some_and(|listener| config.listeners.setting(listener).0.is_some())
        });
        for (adapter, _) in asked.filter(|(_, said)| missing(said)) {
            unmet.push(format!(
                "the policy {what}, but `adapters.{}.{field}` names no source for it: behind this adapter {effect}",
                adapter.as_str()
            ));
        }
    };
    if reads_address(model) {
        say(
            |said| said.address == Some(&ClientAddress::Missing),
            "has a rule on `address`",
            "address",
            "the rule never holds",
        );
    }
    if model.binds(|senders| senders.dpop) {
        say(
            |said| said.scheme == Some(&Scheme::Missing),
            "accepts DPoP proofs, which name the scheme of the request",
            "scheme",
            "no proof is valid",
        );
    }
    if model.binds(|senders| senders.mtls) {
        say(
            |said| said.certificate == Some(&ClientCertificate::Missing),
            "takes tokens that are bound to the client's certificate",
            "certificate",
            "no such token is accepted",
        );
    }
    for name in config.introspection.issuers.keys() {
        let mut issuers = model.issuers.iter().filter(|issuer| issuer.name == *name);
        if !issuers.any(|issuer| issuer.introspect.is_some()) {
            unmet.push(format!(
                "`introspection.issuers.{name}` has no effect: the policy has no issuer of that \
                name with `keys introspect`"
            ));
        }
    }
    for name in config.resource_metadata.keys() {
        if model.apis.iter().all(|api| api.name != *name) {
            unmet.push(format!(
                "`resource_metadata.{name}` has no effect: the policy has no API of that name"
            ));
        }
    }
    for observed in &config.observe {
        if !observed.is_in(model) {
            unmet.push(format!(
                "`observe` names {observed}, which the policy doesn't have, so it has no effect"
            ));
        }
    }
    unmet
}

/// Whether some rule reads the client's address.
fn reads_address(model: &Model) -> bool {
    let mut atoms = model.conditions().flat_map(Condition::atoms);
    atoms.any(|(_, atom)| atom.reads(Input::Address))
}
