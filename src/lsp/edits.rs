//! Edits of a policy's files in the protocol's form.

use std::collections::{BTreeMap, HashMap};

use gen_lsp_types::{
    DocumentChange, Edit, OptionalVersionedTextDocumentIdentifier, TextDocumentEdit,
    TextDocumentIdentifier, TextEdit, Uri, WorkspaceEdit,
};

use super::refusal::Refusal;
use super::workspace::Workspace;
use crate::source::Span;

/// Replacements in the policy of a text. If the client supports it, each names the version of the
/// text that it is for, so that a late one does no harm.
pub fn workspace_edit(
    workspace: &mut Workspace,
    uri: &Uri,
    replacements: Vec<(Span, String)>,
) -> Result<WorkspaceEdit, Refusal> {
    let (policy, _) = workspace.policy(uri)?;
    let mut by_address: BTreeMap<Uri, Vec<TextEdit>> = BTreeMap::new();
    for (span, replacement) in replacements {
        if let Some(uri) = policy.uri(span.file) {
            let edit = TextEdit::new(policy.range(span), replacement);
            by_address.entry(uri.clone()).or_default().push(edit);
        }
    }
    if !workspace.client.versioned_edits {
        return Ok(WorkspaceEdit {
            changes: Some(by_address.into_iter().collect::<HashMap<_, _>>()),
            ..WorkspaceEdit::default()
        });
    }
    let changes = by_address.into_iter().map(|(uri, edits)| {
        DocumentChange::TextDocumentEdit(TextDocumentEdit {
            text_document: OptionalVersionedTextDocumentIdentifier {
                version: workspace.documents.get(&uri).map(|text| text.version),
                text_document_identifier: TextDocumentIdentifier { uri },
            },
            edits: edits.into_iter().map(Edit::TextEdit).collect(),
        })
    });
    Ok(WorkspaceEdit {
        document_changes: Some(changes.collect()),
        ..WorkspaceEdit::default()
    })
}
