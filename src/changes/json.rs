//! The report for programs, with the fields in this order.

use std::fmt;

use serde::Serialize;
use serde_json::value::RawValue;

use super::moment;
use crate::analyze::{Change, Difference, Witness};
use crate::answer::Headers;

/// The whole difference.
#[derive(Serialize)]
pub struct Report<'d> {
    equal: bool,
    changes: Vec<ChangeReport<'d>>,
}

/// One change.
#[derive(Serialize)]
pub struct ChangeReport<'d> {
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
pub fn report(difference: &Difference) -> Result<Report<'_>, NoClaims> {
    let changes = difference
        .changes
        .iter()
        .map(change)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Report {
        equal: changes.is_empty(),
        changes,
    })
}

/// One change of it.
pub fn change(change: &Change) -> Result<ChangeReport<'_>, NoClaims> {
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

fn witness(witness: &Witness) -> Result<WitnessReport, NoClaims> {
    let claims = witness
        .claims
        .clone()
        .map(RawValue::from_string)
        .transpose()
        .map_err(NoClaims)?;
    Ok(WitnessReport {
        request: witness.request(),
        headers: witness
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect(),
        claims,
        address: witness.address.map(|address| address.to_string()),
        at: moment::shown(witness.at),
    })
}

/// The claims of a request that shows a change aren't JSON: a bug of the comparison.
#[derive(Debug)]
pub struct NoClaims(serde_json::Error);

impl fmt::Display for NoClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the claims of a request aren't JSON: {}", self.0)
    }
}

impl std::error::Error for NoClaims {}
