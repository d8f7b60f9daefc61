//! The findings of a comparison.

use std::collections::BTreeSet;

use super::super::document::{Operation, Security};
use super::super::ways::Ways;
use crate::settings::Demand;

/// Where a document and a policy differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How many operations were compared.
    pub operations: usize,
    /// How many of them are as the document says, and have a rule of their own.
    pub agreeing: usize,
    /// The differences: by kind, then in the order of the document or the policy.
    pub findings: Vec<Finding>,
    /// A note for the reader that isn't a difference.
    pub notes: Vec<String>,
}

/// What differs. The order is that of the report: what is open first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingKind {
    /// The document asks for a token, the rule for none.
    Public,
    /// The rule lets pass what lacks scopes that the document asks for.
    ScopeNotAsked,
    /// No rule for an operation.
    NoRule,
    /// What answers an operation denies it.
    Denied,
    /// The rule asks for a token, and the document lets everybody call.
    Secured,
    /// The rule asks for scopes that are not among those of the document.
    ScopeBeyond,
    /// The two divide paths differently.
    Template,
    /// A rule with `/**` answers operations that have none of their own.
    Broad,
    /// A path that no rule can have.
    Inexpressible,
    /// A rule for no operation.
    NoOperation,
    /// A condition with more ways to hold than are told apart.
    TooComplex,
}

impl FindingKind {
    /// Its name for programs.
    pub fn code(self) -> &'static str {
        match self {
            FindingKind::Public => "public",
            FindingKind::ScopeNotAsked => "scope-not-asked",
            FindingKind::NoRule => "no-rule",
            FindingKind::Denied => "denied",
            FindingKind::Secured => "secured",
            FindingKind::ScopeBeyond => "scope-beyond",
            FindingKind::Template => "template",
            FindingKind::Broad => "broad",
            FindingKind::Inexpressible => "inexpressible",
            FindingKind::NoOperation => "no-operation",
            FindingKind::TooComplex => "too-complex",
        }
    }

    /// Its heading for people.
    pub fn heading(self) -> &'static str {
        match self {
            FindingKind::Public => "open in the policy, secured in the document",
            FindingKind::ScopeNotAsked => "scopes of the document that the rule does not ask for",
            FindingKind::NoRule => "operations without a rule",
            FindingKind::Denied => "operations that are denied",
            FindingKind::Secured => "secured in the policy, open in the document",
            FindingKind::ScopeBeyond => "scopes of the rule that the document does not name",
            FindingKind::Template => "paths that the two divide differently",
            FindingKind::Broad => "rules that answer operations without a rule of their own",
            FindingKind::Inexpressible => "operations that no rule can have",
            FindingKind::NoOperation => "rules without an operation",
            FindingKind::TooComplex => "conditions that are too complex to compare",
        }
    }
}

/// A difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What differs.
    pub kind: FindingKind,
    /// The operations; none for a rule without one.
    pub operations: Vec<OperationRef>,
    /// The rule, if there is one.
    pub rule: Option<RuleRef>,
    /// What the document asks for, where that is what differs.
    pub document: Option<Side>,
    /// What the policy asks for, where that is what differs.
    pub policy: Option<Side>,
    /// The difference in a sentence.
    pub message: String,
}

/// An operation, to be found in its document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationRef {
    /// The method.
    pub method: String,
    /// The path, as the document writes it.
    pub path: String,
    /// Its `operationId`.
    pub id: Option<String>,
    /// The file it stands in, as a path below the root folder, if it is not the document itself.
    pub file: Option<String>,
    /// Its line, where it is known.
    pub line: Option<u32>,
}

impl From<&Operation> for OperationRef {
    fn from(operation: &Operation) -> OperationRef {
        OperationRef {
            method: operation.method.as_str().to_owned(),
            path: operation.path.clone(),
            id: operation.id.clone(),
            file: operation.file.clone(),
            line: operation.line,
        }
    }
}

/// A route or guard, to be found in its policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleRef {
    /// The API.
    pub api: String,
    /// The rule as it is called, such as `GET /orders/{id}`.
    pub name: String,
    /// `file:line`
    pub place: String,
}

/// What one of the two asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// `public`, `optional` or `token`; `unsaid` where the document does not say.
    pub access: &'static str,
    /// Sets of scopes of which one is enough.
    pub scopes: Vec<BTreeSet<String>>,
}

impl Side {
    pub(super) fn of_security(security: &Security, ways: Option<&Ways>) -> Side {
        let access = match security {
            Security::Unsaid => "unsaid",
            Security::Public => "public",
            Security::Alternatives { optional: true, .. } => "optional",
            Security::Alternatives { .. } => "token",
        };
        Side {
            access,
            scopes: sets(ways),
        }
    }

    pub(super) fn of_demand(demand: Demand, ways: Option<&Ways>) -> Side {
        let access = match demand {
            Demand::None => "public",
            Demand::Optional => "optional",
            Demand::Required => "token",
        };
        Side {
            access,
            scopes: sets(ways),
        }
    }
}

fn sets(ways: Option<&Ways>) -> Vec<BTreeSet<String>> {
    ways.into_iter().flat_map(Ways::sets).cloned().collect()
}
