//! The report for programs, with the fields in this order.

use serde::Serialize;
use serde_json::value::RawValue;

use super::super::output::{self, Failure};
use super::super::time;
use crate::analyze::{Change, Difference, Witness};
use crate::answer::Headers;

#[derive(Serialize)]
struct Report<'d> {
    equal: bool,
    changes: Vec<ChangeReport<'d>>,
}

#[derive(Serialize)]
struct ChangeReport<'d> {
    api: &'d str,
    route: Option<&'d str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<&'d str>,
    kind: &'static str,
    effect: &'static str,
    witness: Option<WitnessReport>,
    old: String,
    new: String,
}

#[derive(Serialize)]
struct WitnessReport {
    request: String,
    headers: Headers,
    claims: Option<Box<RawValue>>,
    address: Option<String>,
    at: String,
}

/// The whole report.
pub fn report(difference: &Difference) -> Result<String, Failure> {
    let changes = difference
        .changes
        .iter()
        .map(change)
        .collect::<Result<Vec<_>, _>>()?;
    output::json(&Report {
        equal: changes.is_empty(),
        changes,
    })
}

fn change(change: &Change) -> Result<ChangeReport<'_>, Failure> {
    Ok(ChangeReport {
        api: &change.api,
        route: change.route.as_deref(),
        about: change.about.as_deref(),
        kind: change.kind.as_str(),
        effect: change.effect.as_str(),
        witness: change.witness.as_ref().map(witness).transpose()?,
        old: change.old.to_string(),
        new: change.new.to_string(),
    })
}

fn witness(witness: &Witness) -> Result<WitnessReport, Failure> {
    let claims = witness
        .claims
        .clone()
        .map(RawValue::from_string)
        .transpose()
        .map_err(|error| Failure::new(format!("the claims of a request aren't JSON: {error}")))?;
    Ok(WitnessReport {
        request: witness.request(),
        headers: witness
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect(),
        claims,
        address: witness.address.map(|address| address.to_string()),
        at: time::shown(witness.at),
    })
}
