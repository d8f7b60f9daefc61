//! The texts that are open in the editor. They replace the contents of their files.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use gen_lsp_types::{TextDocumentContentChangeEvent, Uri};

use super::positions::{Encoding, Lines};
use crate::load::{Overlay, real};

/// An open text.
#[derive(Debug, Clone)]
pub struct Document {
    /// The editor's URI for it.
    pub uri: Uri,
    /// The editor's version number.
    pub version: i32,
    /// The current text.
    pub text: Arc<str>,
    /// Its file; `None` for a text that was never saved.
    pub path: Option<PathBuf>,
}

/// All open texts, by URI.
#[derive(Debug, Default)]
pub struct Documents(BTreeMap<Uri, Document>);

impl Documents {
    /// Adds a text that was opened.
    pub fn open(&mut self, uri: Uri, version: i32, text: String) {
        let path = uri.to_file_path().ok();
        let document = Document {
            uri: uri.clone(),
            version,
            text: text.into(),
            path,
        };
        self.0.insert(uri, document);
    }

    /// Applies changes one after another; false if the text isn't open.
    pub fn change(
        &mut self,
        uri: &Uri,
        version: i32,
        changes: Vec<TextDocumentContentChangeEvent>,
        encoding: Encoding,
    ) -> bool {
        let Some(document) = self.0.get_mut(uri) else {
            return false;
        };
        for change in changes {
            document.text = changed(&document.text, change, encoding).into();
        }
        document.version = version;
        true
    }

    /// Removes a text that was closed.
    pub fn close(&mut self, uri: &Uri) -> Option<Document> {
        self.0.remove(uri)
    }

    /// The text with a URI.
    pub fn get(&self, uri: &Uri) -> Option<&Document> {
        self.0.get(uri)
    }

    /// All open texts.
    pub fn iter(&self) -> impl Iterator<Item = &Document> {
        self.0.values()
    }

    /// The open texts as an overlay over the files.
    pub fn overlay(&self) -> Overlay {
        let mut overlay = Overlay::default();
        for document in self.0.values() {
            if let Some(path) = &document.path {
                overlay.insert(path, Arc::clone(&document.text));
            }
        }
        overlay
    }

    /// The URIs by the real paths of their files.
    pub fn addresses(&self) -> BTreeMap<PathBuf, &Uri> {
        self.0
            .values()
            .filter_map(|document| Some((real(document.path.as_ref()?), &document.uri)))
            .collect()
    }
}

fn changed(text: &str, change: TextDocumentContentChangeEvent, encoding: Encoding) -> String {
    let change = match change {
        TextDocumentContentChangeEvent::TextDocumentContentChangeWholeDocument(whole) => {
            return whole.text;
        }
        TextDocumentContentChangeEvent::TextDocumentContentChangePartial(part) => part,
    };
    let lines = Lines::of(text, encoding);
    let one = lines.offset(text, change.range.start);
    let other = lines.offset(text, change.range.end);
    let (start, end) = (one.min(other), one.max(other));
    let before = text.get(..start).unwrap_or("");
    let after = text.get(end..).unwrap_or("");
    [before, &change.text, after].concat()
}
