//! Mismatches between policy and configuration, above all what a policy needs from a request and no
//! adapter is configured to receive.
//!
//! Such an atom is *missing*, and a rule that needs it never allows. It is better to say so when
//! the policy is loaded than to let the first denied user find out.

use super::config::{ClientAddress, ClientCertificate, Config, Scheme};
use crate::model::{Atom, Condition, Model};

/// A sentence for each thing that is believed because the configuration says so.
pub fn believed(config: &Config) -> Vec<String> {
    let adapters = &config.adapters;
    let mut believed: Vec<String> = adapters
        .trusting()
        .map(|adapter| {
            format!(
                "`adapters.{adapter}.sent_forward_headers` is `removed_by_proxy`: requests in which a client sends a `forward` header are let through, and the proxy must remove it"
            )
        })
        .collect();
    for (adapter, trusted) in [
        ("grpc", &adapters.grpc.trusted_headers),
        ("envoy", &adapters.envoy.trusted_headers),
    ] {
        for name in &trusted.0 {
            believed.push(format!(
                "`adapters.{adapter}.trusted_headers` names `{name}`: the application gets it as it arrives, and a trusted proxy must always set it"
            ));
        }
    }
    believed
}

/// A sentence for each adapter that can't give what the policy asks for.
pub fn unmet(model: &Model, config: &Config) -> Vec<String> {
    let adapters = &config.adapters;
    let (grpc, http) = (
        config.listeners.grpc.0.is_some(),
        config.listeners.http.0.is_some(),
    );
    let (envoy_grpc, nginx, forward, envoy) = (
        &adapters.grpc,
        &adapters.nginx,
        &adapters.forward,
        &adapters.envoy,
    );
    let address = |source: &ClientAddress| *source == ClientAddress::Missing;
    let scheme = |source: &Scheme| *source == Scheme::Missing;
    let certificate = |source: &ClientCertificate| *source == ClientCertificate::Missing;
    let mut unmet = Vec::new();
    let mut say = |adapters: &[(&str, bool)], what: &str, field: &str, effect: &str| {
        for (adapter, _) in adapters.iter().filter(|(_, missing)| *missing) {
            unmet.push(format!(
                "the policy {what}, and `adapters.{adapter}.{field}` names no source of it: behind this adapter {effect}"
            ));
        }
    };
    if reads_address(model) {
        say(
            &[
                ("grpc", grpc && address(&envoy_grpc.address)),
                ("nginx", http && address(&nginx.address)),
                ("forward", http && address(&forward.address)),
                ("envoy", http && address(&envoy.address)),
            ],
            "has a rule on `address`",
            "address",
            "the rule never holds",
        );
    }
    if model.binds(|senders| senders.dpop) {
        say(
            &[
                ("grpc", grpc && scheme(&envoy_grpc.scheme)),
                ("nginx", http && scheme(&nginx.scheme)),
                ("envoy", http && scheme(&envoy.scheme)),
            ],
            "takes DPoP proofs, which name the scheme of the request",
            "scheme",
            "no proof is good",
        );
    }
    if model.binds(|senders| senders.mtls) {
        say(
            &[
                ("grpc", grpc && certificate(&envoy_grpc.certificate)),
                ("nginx", http && certificate(&nginx.certificate)),
                ("forward", http && certificate(&forward.certificate)),
                ("envoy", http && certificate(&envoy.certificate)),
            ],
            "takes tokens that are bound to the client's certificate",
            "certificate",
            "no such token is good",
        );
    }
    for name in config.introspection.issuers.keys() {
        let mut issuers = model.issuers.iter().filter(|issuer| issuer.name == *name);
        if !issuers.any(|issuer| issuer.introspect.is_some()) {
            unmet.push(format!(
                "`introspection.issuers.{name}` is of no use: the policy has no issuer of that name with `keys introspect`"
            ));
        }
    }
    unmet
}

/// Whether some rule reads the client's address.
fn reads_address(model: &Model) -> bool {
    let mut atoms = model.conditions().flat_map(Condition::atoms);
    atoms.any(|(_, atom)| matches!(atom, Atom::Address { .. }))
}
