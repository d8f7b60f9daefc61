//! Decides a request that an operator describes, and explains the decision.
//!
//! It takes the same steps as any request, under the policy in force, but it answers nobody: the
//! request is neither logged nor counted, and nothing of its token is kept.

use std::time::SystemTime;

use serde::Serialize;

use super::cache::Cache;
use super::caught::caught;
use super::clock::numeric_date;
use super::config::Config;
use super::metrics::Adapter;
use super::original::Original;
use super::{Authorizer, Snapshot};
use crate::answer::{self, Explanation};
use crate::engine::Step;
use crate::judge::Judged;
use crate::source::{Excerpt, Marked};

/// An explained decision.
#[derive(Debug, Serialize)]
pub struct Explained {
    /// The decision as `portcullis why` prints it.
    pub explanation: Explanation,
    /// The advice on a denial.
    pub advice: Option<&'static str>,
    /// Whether the denial is only observed, so that the request passes.
    pub observed: bool,
    /// The rules, with each condition marked by its value.
    pub source: Vec<Excerpt>,
    /// The revision of the policy.
    pub revision: String,
}

impl Authorizer {
    /// Explains what the policy in force decides about a request; `None` after an internal fault.
    pub async fn explain(&self, original: &Original<'_>) -> Option<Explained> {
        let snapshot = self.snapshot();
        let settings = self.settings();
        // Nothing of the token stays.
        let tokens = Cache::off();
        let source = (Adapter::pdp, self.ids.next());
        let exchange = self.aside(source, snapshot.clone(), &tokens);
        let now = numeric_date(SystemTime::now());
        let told = |judged: &Judged<'_>| explained(judged, &snapshot, &settings);
        caught(exchange.tried(original, now, told)).await
    }
}

fn explained(judged: &Judged<'_>, snapshot: &Snapshot, settings: &Config) -> Explained {
    let decision = judged.decide();
    let metadata = decision
        .api()
        .and_then(|api| snapshot.resource_metadata.url(&api.name));
    let steps = judged.explain();
    let routes = decision.routes().map(|route| Marked {
        span: route.span,
        kind: "",
        text: String::new(),
    });
    let conditions = steps.iter().map(|step: &Step| Marked {
        span: step.span,
        kind: step.value,
        text: step.because.clone(),
    });
    let parts: Vec<Marked> = routes.chain(conditions).collect();
    let denial = decision.denial();
    Explained {
        explanation: answer::operator_explanation(
            &decision,
            &steps,
            settings.explain.told(),
            metadata,
        ),
        advice: denial.map(|denial| denial.reason().advice()),
        observed: denial.is_some_and(|denial| settings.only_observes(denial)),
        source: snapshot.policy.sources().excerpts(&parts),
        revision: snapshot.revision.clone(),
    }
}
