//! Renames a name everywhere, or says why that isn't possible.
//!
//! A rename keeps the meaning of a policy. So it is refused if the new name is taken. A claim whose
//! place in the token follows from its name gets an explicit place.

use gen_lsp_types::{PrepareRenameParams, PrepareRenamePlaceholder, RenameParams, WorkspaceEdit};

use super::edits;
use super::index::{Index, Kind, Occurrence, Symbol};
use super::navigate::find;
use super::policy::Policy;
use super::refusal::Refusal;
use super::workspace::Workspace;
use crate::diagnostic::Severity;
use crate::source::Span;
use crate::syntax::{is_name, is_word};

/// The name that would be renamed at a position.
pub fn prepare(
    workspace: &mut Workspace,
    params: PrepareRenameParams,
) -> Result<PrepareRenamePlaceholder, Refusal> {
    let found = find(workspace, &params.text_document_position_params)?;
    let name = found.name.ok_or_else(nothing)?;
    renameable(found.policy.index(), name)?;
    Ok(PrepareRenamePlaceholder {
        range: found.policy.range(name.span),
        placeholder: found.policy.parsed.sources.text(name.span).to_owned(),
    })
}

/// The edits of all files.
pub fn rename(workspace: &mut Workspace, params: RenameParams) -> Result<WorkspaceEdit, Refusal> {
    let uri = params
        .text_document_position_params
        .text_document
        .uri
        .clone();
    let found = find(workspace, &params.text_document_position_params)?;
    let name = found.name.ok_or_else(nothing)?;
    let new = params.new_name.as_str();
    let index = found.policy.index();
    renameable(index, name)?;
    if found.policy.parsed.sources.text(name.span) == new {
        return edits::workspace_edit(workspace, &uri, Vec::new());
    }
    fits(found.policy, name, new)?;
    let mut replacements: Vec<(Span, String)> = index
        .of_symbol(&name.symbol)
        .map(|occurrence| (occurrence.span, new.to_owned()))
        .collect();
    replacements.extend(places(index, name));
    let (policy, _) = workspace.policy(&uri)?;
    stays_right(policy, &replacements)?;
    edits::workspace_edit(workspace, &uri, replacements)
}

fn nothing() -> Refusal {
    Refusal::failed("there is no name here")
}

/// Whether the policy chooses this name.
fn renameable(index: &Index, name: &Occurrence) -> Result<(), Refusal> {
    match &name.symbol {
        Symbol::Scope(scope) => {
            return Err(Refusal::failed(format!(
                "`{scope}` is what the identity provider calls this scope"
            )));
        }
        Symbol::Reason(code) => {
            return Err(Refusal::failed(format!(
                "`{code}` is the code of a reason, which never changes"
            )));
        }
        Symbol::Claim { name, issuer: None } => {
            return Err(Refusal::failed(format!(
                "no issuer declares the claim `{name}`, so its name is the token's"
            )));
        }
        _ => {}
    }
    if index.of_symbol(&name.symbol).any(|found| found.declares) {
        Ok(())
    } else {
        Err(Refusal::failed("it is not declared anywhere"))
    }
}

/// Whether the new name is valid in place of the old one, and free.
fn fits(policy: &Policy, name: &Occurrence, new: &str) -> Result<(), Refusal> {
    let index = policy.index();
    let well_formed = match name.symbol {
        Symbol::Named(_) => is_name(new),
        _ => is_word(new),
    };
    if !well_formed {
        return Err(Refusal::failed(if is_word(new) {
            format!("`{new}` is a word of the language")
        } else {
            format!("`{new}` is not a name: a name is a letter, then letters, digits and `_`")
        }));
    }
    let taken = match &name.symbol {
        Symbol::Named(_) => match index.declared(new) {
            Some(declared) => {
                return Err(Refusal::failed(format!(
                    "`{new}` is {} already",
                    match declared.kind {
                        Kind::Issuer => "an issuer",
                        Kind::Api => "an API",
                        Kind::Let => "a `let`",
                        Kind::Set => "a `set`",
                        Kind::Param => "a `param`",
                    }
                )));
            }
            // It would now refer to this.
            None => index
                .of_symbol(&Symbol::Named(new.to_owned()))
                .next()
                .is_some(),
        },
        Symbol::Claim { .. } => index
            .iter()
            .any(|other| matches!(&other.symbol, Symbol::Claim { name, .. } if name == new)),
        Symbol::HostLabel(_) => index
            .of_symbol(&Symbol::HostLabel(new.to_owned()))
            .next()
            .is_some(),
        Symbol::TestToken(test, _) => index
            .of_symbol(&Symbol::TestToken(*test, new.to_owned()))
            .next()
            .is_some(),
        Symbol::Parameter(_) | Symbol::Scope(_) | Symbol::Reason(_) => false,
    };
    if taken {
        return Err(Refusal::failed(format!("`{new}` is named already")));
    }
    Ok(())
}

/// The insertions that keep a claim at its place in the token.
fn places<'i>(index: &'i Index, name: &'i Occurrence) -> Vec<(Span, String)> {
    let Symbol::Claim { name: old, .. } = &name.symbol else {
        return Vec::new();
    };
    index
        .of_symbol(&name.symbol)
        .filter(|occurrence| occurrence.declares)
        .filter_map(|occurrence| {
            index
                .claims_of
                .values()
                .filter_map(|claims| claims.get(old))
                .find(|line| {
                    line.span.file == occurrence.span.file
                        && line.span.start == occurrence.span.start
                })
        })
        .filter(|line| !line.has_place)
        .map(|line| {
            let behind = Span {
                start: line.ty.end,
                ..line.ty
            };
            (behind, format!(" from {old}"))
        })
        .collect()
}

/// Whether the rename causes no new error in the policy: the checker knows all other restrictions
/// on names.
fn stays_right(policy: &mut Policy, replacements: &[(Span, String)]) -> Result<(), Refusal> {
    let errors = |found: &[crate::diagnostic::Diagnostic]| {
        found
            .iter()
            .filter(|diagnostic| diagnostic.severity() == Severity::Error)
            .map(|diagnostic| diagnostic.message.clone())
            .collect::<Vec<_>>()
    };
    let before = errors(policy.diagnostics());
    let after = errors(&policy.diagnostics_with(replacements));
    match after.iter().find(|message| !before.contains(message)) {
        Some(message) if after.len() > before.len() => Err(Refusal::failed(format!(
            "the policy would be wrong: {message}"
        ))),
        _ => Ok(()),
    }
}
