//! What a document requires, as conditions of the policy language.

use std::collections::BTreeSet;

use super::super::document::{Alternative, Security};
use crate::check::is_scope;

/// The end of a comment that names what portcullis doesn't check.
pub(super) const NOT_CHECKED: &str = "which portcullis does not check.";

/// The claim with the roles, since OpenAPI doesn't name one.
pub(super) const ROLES: &str = "roles";

/// An access, with remarks about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub access: Access,
    pub comments: Vec<String>,
    /// Whether it comes from the document; otherwise it was chosen here.
    pub is_said: bool,
}

/// An access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Access {
    /// In the policy's syntax.
    pub text: String,
    /// Whether it needs a token.
    pub uses_token: bool,
    /// The scopes in it.
    pub scopes: BTreeSet<String>,
    /// Whether it reads the claim of roles.
    pub reads_roles: bool,
}

impl Access {
    fn plain(text: &str, uses_token: bool) -> Access {
        Access {
            text: text.to_owned(),
            uses_token,
            scopes: BTreeSet::new(),
            reads_roles: false,
        }
    }
}

/// Scopes and roles that must hold together.
type Needs<'s> = (BTreeSet<&'s str>, BTreeSet<&'s str>);

/// The access for a document's requirements.
pub(super) fn asked(security: &Security) -> Asked {
    let mut comments = Vec::new();
    let access = match security {
        Security::Unsaid => Access::plain("authenticated", true),
        Security::Public => Access::plain("public", false),
        Security::Alternatives { optional, any_of } => {
            comments.extend(elsewhere(any_of));
            if *optional {
                Access::plain("authenticated or anonymous", true)
            } else {
                requires(any_of, &mut comments)
            }
        }
    };
    Asked {
        access,
        comments,
        is_said: *security != Security::Unsaid,
    }
}

/// Names the schemes that portcullis doesn't check.
fn elsewhere(any_of: &[Alternative]) -> Option<String> {
    let names: BTreeSet<&str> = any_of
        .iter()
        .flat_map(|alternative| &alternative.elsewhere)
        .map(String::as_str)
        .collect();
    if names.is_empty() {
        return None;
    }
    let names: Vec<String> = names.into_iter().map(crate::text::quoted).collect();
    let together = Alternative::checked(any_of)
        .iter()
        .any(|alternative| !alternative.elsewhere.is_empty());
    let what = if together { "also asks for" } else { "takes" };
    Some(format!(
        "The document {what} {}, {NOT_CHECKED}",
        names.join(" or ")
    ))
}

fn requires(any_of: &[Alternative], comments: &mut Vec<String>) -> Access {
    let mut needs: Vec<Needs> = Alternative::checked(any_of)
        .into_iter()
        .map(|alternative| {
            (
                alternative.scopes.iter().map(String::as_str).collect(),
                alternative.roles.iter().map(String::as_str).collect(),
            )
        })
        .collect();
    needs.sort_by_key(|(scopes, roles)| scopes.len() + roles.len());
    // An alternative that requires all that another does, and more, is never needed.
    let mut least: Vec<Needs> = Vec::new();
    for (scopes, roles) in needs {
        if !least
            .iter()
            .any(|(fewer, other)| fewer.is_subset(&scopes) && other.is_subset(&roles))
        {
            least.push((scopes, roles));
        }
    }
    if least.is_empty() {
        return Access::plain("authenticated", true);
    }
    if !least
        .iter()
        .flat_map(|(scopes, _)| scopes)
        .all(|scope| is_scope(scope))
    {
        comments.push("One of its scopes is invalid (RFC 6749, section 3.3).".to_owned());
        return Access::plain("denied", false);
    }
    if least
        .iter()
        .any(|(scopes, roles)| scopes.is_empty() && roles.is_empty())
    {
        return Access::plain("authenticated", true);
    }
    let reads_roles = least.iter().any(|(_, roles)| !roles.is_empty());
    if reads_roles {
        comments.push(format!(
            "The document asks for roles and does not say where a token has them: `{ROLES}` is a guess."
        ));
    }
    Access {
        text: format!("requires {}", condition(&least)),
        uses_token: true,
        scopes: least
            .iter()
            .flat_map(|(scopes, _)| scopes)
            .map(|scope| (*scope).to_owned())
            .collect(),
        reads_roles,
    }
}

fn condition(least: &[Needs]) -> String {
    let single = |(scopes, roles): &Needs| scopes.len() == 1 && roles.is_empty();
    let [first, _, ..] = least else {
        return least.first().map(together).unwrap_or_default();
    };
    if least.iter().all(single) {
        let scopes: BTreeSet<&str> = least
            .iter()
            .flat_map(|(scopes, _)| scopes)
            .copied()
            .collect();
        return format!("scope any {}", list(&scopes));
    }
    let nested = |needs: &Needs| {
        let text = together(needs);
        if needs.0.is_empty() || needs.1.is_empty() {
            text
        } else {
            format!("({text})")
        }
    };
    least.iter().skip(1).fold(nested(first), |text, needs| {
        format!("{text} or {}", nested(needs))
    })
}

fn together((scopes, roles): &Needs) -> String {
    let mut parts = Vec::new();
    match (scopes.len(), scopes.iter().next()) {
        (1, Some(scope)) => parts.push(format!("scope {}", quoted(scope))),
        (0, _) | (_, None) => {}
        _ => parts.push(format!("scope all {}", list(scopes))),
    }
    match (roles.len(), roles.iter().next()) {
        (1, Some(role)) => parts.push(format!("claim {ROLES} contains {}", quoted(role))),
        (0, _) | (_, None) => {}
        _ => parts.push(format!("claim {ROLES} contains all {}", list(roles))),
    }
    parts.join(" and ")
}

fn list(texts: &BTreeSet<&str>) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", texts.join(", "))
}

/// A string of a policy.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
