//! What a policy asks of a request that no adapter is configured to receive.
//!
//! Such an atom is *missing*, and a rule that needs it never allows: better said when the policy
//! is loaded than found out by the first user who is denied.

use super::config::{ClientAddress, Config};
use crate::model::{Access, Atom, Condition, ConditionKind, Model};

/// A sentence for each adapter that can't give what the policy asks for.
pub fn unmet(model: &Model, config: &Config) -> Vec<String> {
    if !reads_address(model) {
        return Vec::new();
    }
    let adapters = &config.adapters;
    let (grpc, http) = (&config.listeners.grpc.0, &config.listeners.http.0);
    [
        ("grpc", grpc, &adapters.grpc.address),
        ("nginx", http, &adapters.nginx.address),
        ("forward", http, &adapters.forward.address),
        ("envoy", http, &adapters.envoy.address),
    ]
    .into_iter()
    .filter(|(_, listener, source)| listener.is_some() && **source == ClientAddress::Missing)
    .map(|(adapter, _, _)| {
        format!(
            "the policy has a rule on `address`, and `adapters.{adapter}.address` names no source of it: behind this adapter the rule never holds"
        )
    })
    .collect()
}

/// Whether some rule reads the client's address.
fn reads_address(model: &Model) -> bool {
    let routes = model
        .apis
        .iter()
        .flat_map(|api| &api.routes)
        .filter_map(|route| match &route.access {
            Access::Open { condition, .. } => condition.as_ref(),
            Access::Denied => None,
        });
    let guards = model
        .guards
        .iter()
        .filter_map(|guard| guard.condition.as_ref());
    routes.chain(guards).any(condition_reads_address)
}

fn condition_reads_address(condition: &Condition) -> bool {
    match &condition.kind {
        ConditionKind::And(all) | ConditionKind::Or(all) => all.iter().any(condition_reads_address),
        ConditionKind::Not(inner) => condition_reads_address(inner),
        ConditionKind::Atom(atom) => matches!(atom, Atom::Address { .. }),
    }
}
