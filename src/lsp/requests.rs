//! The client's requests, and the server's capabilities.

use std::collections::BTreeMap;
use std::path::PathBuf;

use gen_lsp_types::{
    CodeActionKind, CodeActionOptions, CompletionOptions, InitializeResult, PositionEncodingKind,
    RenameOptions, Save, ServerCapabilities, ServerInfo, TextDocumentSync, TextDocumentSyncKind,
    TextDocumentSyncOptions, Uri,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::message::value;
use super::positions::Encoding;
use super::refusal::Refusal;
use super::workspace::{Client, Workspace};
use super::{actions, complete, format, hover, navigate, rename, symbols};

/// Answers a request.
pub fn answer(workspace: &mut Workspace, method: &str, params: Value) -> Result<Value, Refusal> {
    match method {
        "textDocument/codeAction" => with(workspace, params, actions::actions),
        "textDocument/definition" => with(workspace, params, navigate::definition),
        "textDocument/references" => with(workspace, params, navigate::references),
        "textDocument/documentHighlight" => with(workspace, params, navigate::highlights),
        "textDocument/prepareRename" => with(workspace, params, rename::prepare),
        "textDocument/rename" => with(workspace, params, rename::rename),
        "textDocument/documentSymbol" => with(workspace, params, symbols::of_document),
        "workspace/symbol" => with(workspace, params, symbols::of_workspace),
        "textDocument/completion" => with(workspace, params, complete::complete),
        "textDocument/formatting" => with(workspace, params, format::format),
        "textDocument/hover" => with(workspace, params, hover::hover),
        _ => Err(Refusal::unknown(method)),
    }
}

fn with<P: DeserializeOwned, R: Serialize>(
    workspace: &mut Workspace,
    params: Value,
    answer: impl FnOnce(&mut Workspace, P) -> Result<R, Refusal>,
) -> Result<Value, Refusal> {
    let params =
        serde_json::from_value(params).map_err(|error| Refusal::parameters(error.to_string()))?;
    answer(workspace, params).map(value)
}

/// Records the client's capabilities, and returns the server's.
///
/// Only the relevant members are read, and malformed ones count as missing, so that new kinds of
/// clients work too.
pub fn initialize(workspace: &mut Workspace, params: &Value) -> Value {
    let capability = |pointer: &str| params.pointer(&format!("/capabilities/{pointer}"));
    let is = |pointer: &str| capability(pointer).and_then(Value::as_bool) == Some(true);
    workspace.client = Client {
        watches_files: is("workspace/didChangeWatchedFiles/dynamicRegistration"),
        versioned_edits: is("workspace/workspaceEdit/documentChanges"),
    };
    let utf8 = capability("general/positionEncodings")
        .and_then(Value::as_array)
        .is_some_and(|encodings| encodings.iter().any(|encoding| encoding == "utf-8"));
    workspace.encoding = if utf8 {
        Encoding::Utf8
    } else {
        Encoding::Utf16
    };
    workspace.folders = folders(params);
    let given = params.pointer("/initializationOptions/params");
    workspace
        .options
        .params
        .environment
        .extend(given.map(values).unwrap_or_default());
    value(InitializeResult {
        capabilities: capabilities(workspace.encoding),
        server_info: Some(ServerInfo {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        }),
    })
}

/// The workspace's folders; older clients send only one.
fn folders(params: &Value) -> Vec<PathBuf> {
    let path = |uri: &Value| Uri::parse(uri.as_str()?).ok()?.to_file_path().ok();
    match params.get("workspaceFolders").and_then(Value::as_array) {
        Some(folders) => folders
            .iter()
            .filter_map(|folder| path(folder.get("uri")?))
            .collect(),
        None => params.get("rootUri").and_then(path).into_iter().collect(),
    }
}

/// Parameter values in the editor's settings.
fn values(params: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    params
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), text(value)))
        .collect()
}

fn capabilities(encoding: Encoding) -> ServerCapabilities {
    ServerCapabilities {
        position_encoding: Some(match encoding {
            Encoding::Utf8 => PositionEncodingKind::UTF8,
            Encoding::Utf16 => PositionEncodingKind::UTF16,
        }),
        text_document_sync: Some(TextDocumentSync::Options(TextDocumentSyncOptions {
            open_close: Some(true),
            change: Some(TextDocumentSyncKind::Incremental),
            save: Some(Save::Bool(true)),
            ..TextDocumentSyncOptions::default()
        })),
        hover_provider: Some(true.into()),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some(vec![".".to_owned(), "\"".to_owned()]),
            ..CompletionOptions::default()
        }),
        document_formatting_provider: Some(true.into()),
        definition_provider: Some(true.into()),
        references_provider: Some(true.into()),
        document_highlight_provider: Some(true.into()),
        document_symbol_provider: Some(true.into()),
        workspace_symbol_provider: Some(true.into()),
        rename_provider: Some(
            RenameOptions {
                prepare_provider: Some(true),
                ..RenameOptions::default()
            }
            .into(),
        ),
        code_action_provider: Some(
            CodeActionOptions {
                code_action_kinds: Some(vec![CodeActionKind::QuickFix]),
                ..CodeActionOptions::default()
            }
            .into(),
        ),
        workspace: serde_json::from_value(json!({
            "workspaceFolders": { "supported": true, "changeNotifications": true },
        }))
        .ok(),
        ..ServerCapabilities::default()
    }
}
