//! Quick fixes: the suggestions of diagnostics, ready to apply.

use gen_lsp_types::{CodeAction, CodeActionKind, CodeActionParams, CodeActionResponse, Range};

use super::edits;
use super::publish::shown;
use super::refusal::Refusal;
use super::workspace::Workspace;
use crate::diagnostic::{Diagnostic, render};

/// The fixes for the diagnostics in a range.
pub fn actions(
    workspace: &mut Workspace,
    params: CodeActionParams,
) -> Result<Vec<CodeActionResponse>, Refusal> {
    let wanted = params.context.only.is_none_or(|only| {
        only.iter()
            .any(|kind| matches!(kind, CodeActionKind::QuickFix | CodeActionKind::Empty))
    });
    if !wanted {
        return Ok(Vec::new());
    }
    let uri = params.text_document.uri;
    let (policy, file) = workspace.policy(&uri)?;
    let found = policy.diagnostics().to_vec();
    let mut fixes = Vec::new();
    for diagnostic in render::ordered(&found) {
        let Some((at, suggestion)) = diagnostic
            .primary
            .as_ref()
            .zip(diagnostic.suggestion.as_ref())
        else {
            continue;
        };
        let touched = at.span.file == file && touches(policy.range(at.span), params.range);
        if touched {
            let title = title(diagnostic, policy.parsed.sources.text(suggestion.span));
            fixes.push((title, suggestion.clone(), shown(policy, diagnostic)));
        }
    }
    fixes
        .into_iter()
        .map(|(title, suggestion, diagnostic)| {
            let edits = vec![(suggestion.span, suggestion.replacement)];
            Ok(CodeAction {
                title,
                kind: Some(CodeActionKind::QuickFix),
                diagnostics: Some(vec![diagnostic]),
                is_preferred: Some(true),
                edit: Some(edits::workspace_edit(workspace, &uri, edits)?),
                ..CodeAction::default()
            }
            .into())
        })
        .collect()
}

/// The text in the editor's menu.
fn title(diagnostic: &Diagnostic, now: &str) -> String {
    let replacement = diagnostic
        .suggestion
        .as_ref()
        .map_or("", |suggestion| suggestion.replacement.trim());
    match (now.trim(), replacement) {
        (now, "") => format!("remove `{now}`"),
        ("", new) => format!("insert `{new}`"),
        (_, new) => format!("change to `{new}`"),
    }
}

/// Whether two ranges have a position in common, including their ends.
fn touches(one: Range, other: Range) -> bool {
    one.start <= other.end && other.start <= one.end
}
