//! The client's notifications.

use gen_lsp_types::{
    DidChangeTextDocumentParams, DidChangeWorkspaceFoldersParams, DidCloseTextDocumentParams,
    DidOpenTextDocumentParams,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::workspace::Workspace;

/// Handles a notification. Unknown ones are ignored, as the protocol requires; they can't be
/// refused.
pub fn notify(workspace: &mut Workspace, method: &str, params: Value) {
    match method {
        "textDocument/didOpen" => take(params, |params: DidOpenTextDocumentParams| {
            workspace.open(params.text_document);
        }),
        "textDocument/didChange" => take(params, |params: DidChangeTextDocumentParams| {
            let document = params.text_document;
            let uri = document.text_document_identifier.uri;
            workspace.change(&uri, document.version, params.content_changes);
        }),
        "textDocument/didClose" => take(params, |params: DidCloseTextDocumentParams| {
            workspace.close(&params.text_document.uri);
        }),
        // A policy may read any file as a set or a key.
        "textDocument/didSave" | "workspace/didChangeWatchedFiles" => workspace.files_changed(),
        "workspace/didChangeWorkspaceFolders" => {
            take(params, |params: DidChangeWorkspaceFoldersParams| {
                let paths = |folders: Vec<gen_lsp_types::WorkspaceFolder>| {
                    folders
                        .into_iter()
                        .filter_map(|folder| folder.uri.to_file_path().ok())
                        .collect()
                };
                workspace.folders_changed(paths(params.event.added), &paths(params.event.removed));
            });
        }
        _ => {}
    }
}

fn take<P: DeserializeOwned>(params: Value, with: impl FnOnce(P)) {
    if let Ok(params) = serde_json::from_value(params) {
        with(params);
    }
}
