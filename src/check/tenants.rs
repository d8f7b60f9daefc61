//! APIs that accept the tokens of every tenant and never test which one.
//!
//! An issuer with a tenant in its URL signs for anyone who becomes a tenant, and with most
//! providers anybody can. The audience doesn't tell tenants apart, so a rule or the application has
//! to.

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Api, Condition, Demand, Forwarded, Issuer, Model};
use crate::settings::{ApiId, ClaimId, IssuerUrl};

use super::context::ApiInfo;
use super::out::Out;

/// Warns about each such API.
pub(super) fn check(infos: &[ApiInfo], model: &Model, out: &mut Out) {
    for (api, info) in model.apis.iter().zip(infos) {
        let Some(span) = info.issuer_span else {
            continue;
        };
        for issuer in &api.issuers {
            let Some(issuer) = model.issuers.get(issuer.0 as usize) else {
                continue;
            };
            let IssuerUrl::Tenant { claim, .. } = &issuer.url else {
                continue;
            };
            if !wants_tokens(api) || is_read(&names(issuer, claim), info.id, api, model) {
                continue;
            }
            let claim = claim.join(".");
            // Tokens of the API's other issuers needn't have the claim.
            let others = if api.issuers.len() > 1 {
                format!("not token from {} or ", issuer.name)
            } else {
                String::new()
            };
            out.say(
                Diagnostic::new(
                    Code::AnyTenant,
                    span,
                    format!(
                        "`{}` accepts tokens from every tenant of `{}`: no rule reads `{claim}`",
                        api.name, issuer.name
                    ),
                )
                .help(format!(
                    "list the tenants in a guard, such as `guard * /** of {} requires {others}claim {claim} in customers`; if the application tells them apart, forward the claim to it",
                    api.name
                )),
            );
        }
    }
}

fn wants_tokens(api: &Api) -> bool {
    let mut open = api.routes.iter().filter(|route| !route.denies());
    open.any(|route| route.demand() != Demand::None)
}

/// The claims that identify the tenant: the tenant's claim, under any name, and `iss`, which
/// contains it.
fn names(issuer: &Issuer, tenant: &[String]) -> Vec<ClaimId> {
    issuer
        .claims
        .iter()
        .filter(|claim| !claim.keys_of && (claim.path == tenant || claim.path == ["iss"]))
        .map(|claim| claim.claim)
        .collect()
}

/// Whether a rule of the API reads one of these claims, or the API forwards one.
fn is_read(claims: &[ClaimId], id: ApiId, api: &Api, model: &Model) -> bool {
    let guards = model
        .guards
        .iter()
        .filter(|guard| guard.api == id)
        .filter_map(|guard| guard.condition.as_ref());
    let read = api
        .conditions()
        .chain(guards)
        .flat_map(Condition::atoms)
        .any(|(_, atom)| atom.claims().any(|claim| claims.contains(&claim)));
    let forwarded = api.forward.iter().any(|forward| match &forward.value {
        Forwarded::Claim { claims: of, .. } => of.iter().any(|claim| claims.contains(claim)),
        Forwarded::Payload => true,
    });
    read || forwarded
}
