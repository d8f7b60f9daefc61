//! From a name to its declaration and to all its uses.

use gen_lsp_types::{
    DefinitionParams, DocumentHighlight, DocumentHighlightKind, DocumentHighlightParams, Location,
    ReferenceParams, TextDocumentPositionParams,
};

use super::index::Occurrence;
use super::policy::Policy;
use super::refusal::Refusal;
use super::workspace::Workspace;
use crate::source::FileId;

/// The policy, the file and the name at a position.
pub struct Found<'w> {
    /// The policy.
    pub policy: &'w Policy,
    /// The file.
    pub file: FileId,
    /// The name, if there is one.
    pub name: Option<&'w Occurrence>,
}

/// The policy, file and name at a position.
pub fn find<'w>(
    workspace: &'w mut Workspace,
    at: &TextDocumentPositionParams,
) -> Result<Found<'w>, Refusal> {
    let (policy, file) = workspace.policy(&at.text_document.uri)?;
    let policy: &Policy = policy;
    let offset = policy.offset(file, at.position);
    Ok(Found {
        policy,
        file,
        name: policy.index().at(file, offset),
    })
}

/// The declarations of the name at a position; an API may have several.
pub fn definition(
    workspace: &mut Workspace,
    params: DefinitionParams,
) -> Result<Vec<Location>, Refusal> {
    let found = find(workspace, &params.text_document_position_params)?;
    Ok(locations(&found, |occurrence| occurrence.declares))
}

/// The uses of the name at a position, in all files.
pub fn references(
    workspace: &mut Workspace,
    params: ReferenceParams,
) -> Result<Vec<Location>, Refusal> {
    let declarations = params.context.include_declaration;
    let found = find(workspace, &params.text_document_position_params)?;
    Ok(locations(&found, |occurrence| {
        declarations || !occurrence.declares
    }))
}

/// The occurrences of the name at a position in the same file.
pub fn highlights(
    workspace: &mut Workspace,
    params: DocumentHighlightParams,
) -> Result<Vec<DocumentHighlight>, Refusal> {
    let found = find(workspace, &params.text_document_position_params)?;
    let Some(name) = found.name else {
        return Ok(Vec::new());
    };
    Ok(found
        .policy
        .index()
        .of_symbol(&name.symbol)
        .filter(|occurrence| occurrence.span.file == found.file)
        .map(|occurrence| DocumentHighlight {
            range: found.policy.range(occurrence.span),
            kind: Some(if occurrence.declares {
                DocumentHighlightKind::Write
            } else {
                DocumentHighlightKind::Read
            }),
        })
        .collect())
}

fn locations(found: &Found, wanted: impl Fn(&Occurrence) -> bool) -> Vec<Location> {
    let Some(name) = found.name else {
        return Vec::new();
    };
    found
        .policy
        .index()
        .of_symbol(&name.symbol)
        .filter(|occurrence| wanted(occurrence))
        .filter_map(|occurrence| found.policy.location(occurrence.span))
        .collect()
}
