//! Compares the security of an operation in the document with the requirements of its rule.

use super::super::cases::Case;
use super::super::document::Security;
use super::super::ways::{TooMany, Ways};
use super::places::Group;
use super::rules::{Governing, Rule};
use super::{Comparison, Finding, FindingKind, Side};
use crate::model::Condition;
use crate::pattern::Method;
use crate::settings::Demand;

impl<'p, 'd> Comparison<'p, 'd> {
    /// Compares who may call.
    pub(super) fn access(&mut self, case: &Case<'d, Group>, governing: &Governing<'p>) {
        let named = governing
            .routes
            .first()
            .map(|(api, route)| self.rule(Rule::Route(*api, route)));
        let ways = match ways(governing, case.method) {
            Ok(ways) => ways,
            Err(TooMany) => {
                let message = "its condition has too many ways to hold".to_owned();
                self.find(FindingKind::TooComplex, case, named, message);
                return;
            }
        };
        if ways.is_never() {
            let message = format!("its condition never holds for {}", case.method);
            self.find(FindingKind::Denied, case, named, message);
            return;
        }
        let mut differ = |kind: FindingKind, wanted: Option<&Ways>, message: String| {
            self.findings.push(Finding {
                kind,
                operations: case.operations.iter().map(|one| (*one).into()).collect(),
                rule: named.clone(),
                document: Some(Side::of_security(&case.security, wanted)),
                policy: Some(Side::of_demand(governing.demand, Some(&ways))),
                message,
            });
        };
        match &case.security {
            Security::Unsaid => {
                if self.says_security
                    && governing.demand == Demand::Required
                    && asks_for_scopes(&ways)
                {
                    let message =
                        format!("the rule asks for {ways}, which the document does not mention");
                    differ(FindingKind::ScopeBeyond, None, message);
                }
                self.tally.unsaid += 1;
            }
            Security::Public => {
                if governing.demand == Demand::Required {
                    let message =
                        "the rule asks for a token, the document lets everybody call".to_owned();
                    differ(FindingKind::Secured, None, message);
                }
            }
            Security::Alternatives { optional, any_of } => {
                let uses_tokens = any_of.iter().any(|alternative| alternative.token);
                if !optional && governing.demand != Demand::Required {
                    let message = match (governing.demand, uses_tokens) {
                        (Demand::Optional, _) => "the rule lets calls without a token pass",
                        (_, true) => "the rule asks for no token",
                        (_, false) => "the rule asks for nothing",
                    };
                    differ(FindingKind::Public, None, message.to_owned());
                } else if *optional && governing.demand == Demand::Required {
                    let message = "the rule asks for a token, the document lets calls without \
                                   one pass";
                    differ(FindingKind::Secured, None, message.to_owned());
                } else if governing.demand == Demand::Required && uses_tokens {
                    match Ways::of_alternatives(any_of) {
                        Ok(wanted) => {
                            let message =
                                format!("the document asks for {wanted}, the rule for {ways}");
                            if !ways.within(&wanted) {
                                let kind = FindingKind::ScopeNotAsked;
                                differ(kind, Some(&wanted), message.clone());
                            }
                            if !wanted.within(&ways) {
                                differ(FindingKind::ScopeBeyond, Some(&wanted), message);
                            }
                        }
                        Err(TooMany) => {
                            let message = "its `security` has too many alternatives".to_owned();
                            differ(FindingKind::TooComplex, None, message);
                        }
                    }
                }
                self.tally_alternatives(case);
            }
        }
    }

    fn tally_alternatives(&mut self, case: &Case<'d, Group>) {
        let Security::Alternatives { any_of, .. } = &case.security else {
            return;
        };
        if any_of
            .iter()
            .any(|alternative| !alternative.roles.is_empty())
        {
            self.tally.roles += 1;
        }
        let mut schemes: Vec<&String> = any_of
            .iter()
            .flat_map(|alternative| &alternative.elsewhere)
            .collect();
        schemes.sort_unstable();
        schemes.dedup();
        for scheme in schemes {
            *self.tally.elsewhere.entry(scheme.clone()).or_default() += 1;
        }
    }
}

/// The requirements of all conditions together.
fn ways(governing: &Governing, method: Method) -> Result<Ways, TooMany> {
    let own = governing
        .routes
        .iter()
        .filter_map(|(_, route)| route.condition());
    let guards = governing
        .guards
        .iter()
        .filter_map(|guard| guard.condition.as_ref());
    guards
        .chain(own)
        .try_fold(Ways::free(), |ways, condition: &Condition| {
            ways.and(&Ways::of_condition(condition, method)?)
        })
}

fn asks_for_scopes(ways: &Ways) -> bool {
    ways.sets().all(|set| !set.is_empty())
}
