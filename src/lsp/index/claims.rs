//! Finds which claims belong together.
//!
//! Each issuer declares its own claims. A rule of an API with several issuers reads the claim of
//! each, so there they are one. Two issuers that share no rule may use the same name for different
//! things.

use std::collections::{BTreeMap, BTreeSet};

use super::groups::Groups;
use super::{ClaimLine, Occurrence, Symbol};
use crate::source::Span;

/// A place that names a claim.
#[derive(Debug)]
pub struct Site {
    /// The place of the name.
    pub span: Span,
    /// The name.
    pub name: String,
    /// The issuers whose claim it may be.
    pub issuers: BTreeSet<String>,
    /// Whether it is a declaration.
    pub declares: bool,
}

/// The occurrences of these names.
pub fn occurrences(
    sites: Vec<Site>,
    claims_of: &BTreeMap<String, BTreeMap<String, ClaimLine>>,
) -> Vec<Occurrence> {
    let declaring = |site: &Site| -> Vec<(String, String)> {
        site.issuers
            .iter()
            .filter(|issuer| {
                claims_of
                    .get(*issuer)
                    .is_some_and(|claims| claims.contains_key(&site.name))
            })
            .map(|issuer| (site.name.clone(), issuer.clone()))
            .collect()
    };
    let mut groups = Groups::default();
    for site in &sites {
        let declaring = declaring(site);
        for pair in declaring.windows(2) {
            if let [one, other] = pair {
                groups.join(one, other);
            }
        }
    }
    sites
        .into_iter()
        .map(|site| Occurrence {
            span: site.span,
            symbol: Symbol::Claim {
                issuer: declaring(&site).first().map(|claim| groups.of(claim).1),
                name: site.name,
            },
            declares: site.declares,
        })
        .collect()
}
