//! Decides a request by the candidate, and tells where the two policies differ.

use super::{Asked, Said};
use crate::reason::Reason;
use crate::runtime::Authorizer;
use crate::runtime::caught::caught;
use crate::runtime::metrics::Compared;
use crate::runtime::original::Original;

/// Decides a request by the candidate, counts the result, and logs a difference.
pub async fn compare(authorizer: &Authorizer, asked: &Asked) {
    let compared = match caught(decide(authorizer, asked)).await.flatten() {
        None => Compared::Skipped,
        Some((said, _)) if said.reason == asked.in_force.reason => Compared::Same,
        Some((said, hint)) => {
            tell(authorizer, asked, &said, hint.as_deref());
            Compared::Different
        }
    };
    authorizer.metrics.compared(compared);
}

/// What the candidate says; `None` if it isn't known.
async fn decide(authorizer: &Authorizer, asked: &Asked) -> Option<(Said, Option<String>)> {
    // The candidate doesn't check proofs a second time. What it would say about one that was
    // refused isn't known, nor about a request that portcullis itself had no answer to.
    if let Some(Reason::TokenSender | Reason::Internal) = asked.in_force.reason {
        return None;
    }
    let candidate = authorizer.candidate.as_ref()?;
    let snapshot = candidate.snapshot()?;
    let headers = asked.headers.iter();
    let original = Original {
        method: &asked.method,
        target: &asked.target,
        scheme: asked.scheme.as_deref(),
        host: asked.host.as_deref(),
        headers: headers
            .map(|(name, value)| (name.as_str(), value.as_slice()))
            .collect(),
        address: asked.address,
        certificate: asked.certificate,
        masked: asked.masked,
    };
    let source = (asked.adapter, asked.id);
    let judge = authorizer.aside(source, snapshot, &candidate.tokens);
    Some(
        judge
            .tried(&original, asked.now, |judged| {
                let decision = judged.decide();
                let hint = decision.denial().and_then(|denial| denial.operator_hint());
                (Said::of(&decision), hint.map(|hint| hint.into_owned()))
            })
            .await,
    )
}

fn tell(authorizer: &Authorizer, asked: &Asked, said: &Said, hint: Option<&str>) {
    let in_force = &asked.in_force;
    // A request that only one policy has a route for is counted there.
    let at = if in_force.route.is_empty() {
        said
    } else {
        in_force
    };
    let (old, new) = (in_force.as_str(), said.as_str());
    authorizer.metrics.differs(&at.api, &at.route, old, new);
    let (id, api, route) = (&asked.id, &at.api, &at.route);
    let hint = hint.unwrap_or_default();
    tracing::info!(%id, api, route, old, new, hint, "the candidate decides differently");
}
