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
    /// How many of them agree with the document and have their own rule.
    pub agreeing: usize,
    /// The differences: by kind, then in the order of the document or the policy.
    pub findings: Vec<Finding>,
    /// A note for the reader that isn't a difference.
    pub notes: Vec<String>,
}

/// The kind of a difference, in the order of the report: missing protection first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingKind {
    /// The document requires a token, the rule doesn't.
    Public,
    /// The rule allows tokens without scopes that the document requires.
    ScopeNotAsked,
    /// No rule for an operation.
    NoRule,
    /// The rule for an operation denies it.
    Denied,
    /// The rule requires a token, and the document lets everybody call.
    Secured,
    /// The rule requires scopes that the document doesn't.
    ScopeBeyond,
    /// The two divide paths differently.
    Template,
    /// A rule with `/**` matches operations without their own rule.
    Broad,
    /// A path that no rule can express.
    Inexpressible,
    /// A rule without an operation.
    NoOperation,
    /// A condition with too many ways to hold.
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
            FindingKind::Inexpressible => "operations that no rule can express",
            FindingKind::NoOperation => "rules without an operation",
            FindingKind::TooComplex => "conditions that are too complex to compare",
        }
    }
}

/// A difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The kind.
    pub kind: FindingKind,
    /// The operations; none for a rule without one.
    pub operations: Vec<OperationRef>,
    /// The rule, if there is one.
    pub rule: Option<RuleRef>,
    /// What the document requires, if that is the difference.
    pub document: Option<Side>,
    /// What the policy requires, if that is the difference.
    pub policy: Option<Side>,
    /// The difference in a sentence.
    pub message: String,
}

/// A reference to an operation in its document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationRef {
    /// The method.
    pub method: String,
    /// The path, as the document writes it.
    pub path: String,
    /// Its `operationId`.
    pub id: Option<String>,
    /// Its file, as a path below the root folder, unless it is the document itself.
    pub file: Option<String>,
    /// Its line, if it is known.
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

/// A reference to a route or guard in its policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleRef {
    /// The API.
    pub api: String,
    /// The rule's name, such as `GET /orders/{id}`.
    pub name: String,
    /// `file:line`
    pub place: String,
}

/// The requirements of one side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// `public`, `optional` or `token`; `unsaid` if the document doesn't say.
    pub access: &'static str,
    /// Sets of scopes, any one of which is enough.
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
