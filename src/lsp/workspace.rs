//! Everything that is open: folders, texts, and their policies.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use gen_lsp_types::{
    PublishDiagnosticsParams, TextDocumentContentChangeEvent, TextDocumentItem, Uri,
};

use super::documents::Documents;
use super::home::{Home, home};
use super::policy::Policy;
use super::positions::Encoding;
use super::publish::Published;
use super::refusal::Refusal;
use crate::load::Options;
use crate::source::FileId;

/// Optional capabilities of a client.
#[derive(Debug, Clone, Copy, Default)]
pub struct Client {
    /// It reports changed files on request.
    pub watches_files: bool,
    /// It accepts edits with the version of the text that they are for.
    pub versioned_edits: bool,
}

/// Everything that is open.
#[derive(Debug, Default)]
pub struct Workspace {
    /// The client's capabilities.
    pub client: Client,
    /// The unit of positions.
    pub encoding: Encoding,
    /// The folders.
    pub folders: Vec<PathBuf>,
    /// How policies are loaded.
    pub options: Options,
    /// The texts.
    pub documents: Documents,
    /// The policy of each open text.
    homes: BTreeMap<Uri, Option<Home>>,
    /// The policies, until something in them changes.
    policies: BTreeMap<String, Policy>,
    /// The policies whose diagnostics have to be published again.
    stale: BTreeSet<String>,
    published: Published,
}

impl Workspace {
    /// Nothing open; policies will be loaded with these options.
    pub fn new(options: Options) -> Workspace {
        Workspace {
            options,
            ..Workspace::default()
        }
    }

    /// A text was opened.
    pub fn open(&mut self, item: TextDocumentItem) {
        let uri = item.uri;
        self.documents.open(uri.clone(), item.version, item.text);
        self.find_homes();
        self.touched(&uri);
    }

    /// A text was changed.
    pub fn change(
        &mut self,
        uri: &Uri,
        version: i32,
        changes: Vec<TextDocumentContentChangeEvent>,
    ) {
        let encoding = self.encoding;
        if self.documents.change(uri, version, changes, encoding) {
            self.touched(uri);
        }
    }

    /// A text was closed: its file counts again.
    pub fn close(&mut self, uri: &Uri) {
        self.touched(uri);
        self.documents.close(uri);
        self.find_homes();
    }

    /// Files were changed, by the editor or by other programs.
    pub fn files_changed(&mut self) {
        self.find_homes();
        self.everything_touched();
    }

    /// The workspace's folders were changed.
    pub fn folders_changed(&mut self, added: Vec<PathBuf>, removed: &[PathBuf]) {
        self.folders.retain(|folder| !removed.contains(folder));
        self.folders.extend(added);
        self.files_changed();
    }

    /// The policy of a text, and the text's file number in it.
    pub fn policy(&mut self, uri: &Uri) -> Result<(&mut Policy, FileId), Refusal> {
        let nothing = || Refusal::parameters(format!("`{uri}` is not open"));
        let key = self.key(uri).ok_or_else(nothing)?;
        self.parse(&key);
        let policy = self.policies.get_mut(&key).ok_or_else(nothing)?;
        let file = policy
            .file(uri)
            .ok_or_else(|| Refusal::failed(format!("`{uri}` is not a file of a policy")))?;
        Ok((policy, file))
    }

    /// All policies with an open text.
    pub fn all_policies(&mut self) -> impl Iterator<Item = &Policy> {
        for key in self.keys() {
            self.parse(&key);
        }
        self.policies.values()
    }

    /// The messages for one changed policy; `None` if none has changed.
    pub fn news(&mut self) -> Option<Vec<PublishDiagnosticsParams>> {
        let key = self.stale.pop_first()?;
        self.parse(&key);
        let open: Vec<Uri> = self
            .homes
            .keys()
            .filter(|uri| self.key(uri).as_ref() == Some(&key))
            .cloned()
            .collect();
        Some(match self.policies.get_mut(&key) {
            Some(policy) => self.published.policy(&key, policy, &open, &self.documents),
            None => self.published.gone(&key, &self.documents),
        })
    }

    /// Parses a policy unless that was done since its last change.
    fn parse(&mut self, key: &str) {
        if self.policies.contains_key(key) {
            return;
        }
        let Some((uri, place)) = self
            .homes
            .iter()
            .find(|(uri, _)| self.key(uri).as_deref() == Some(key))
        else {
            return;
        };
        let policy = match (place, self.documents.get(uri)) {
            (Some(place), _) => Policy::at(place, &self.options, &self.documents, self.encoding),
            (None, Some(text)) => Policy::of_text(uri, &text.text, &self.options, self.encoding),
            (None, None) => return,
        };
        self.policies.insert(key.to_owned(), policy);
    }

    /// The key of a text's policy: its paths, or the URI of a text without a file.
    fn key(&self, uri: &Uri) -> Option<String> {
        Some(match self.homes.get(uri)? {
            None => uri.to_string(),
            Some(home) => {
                let paths: Vec<_> = home
                    .paths
                    .iter()
                    .map(|path| path.to_string_lossy())
                    .collect();
                paths.join("\n")
            }
        })
    }

    /// Finds the policy of each open text again.
    fn find_homes(&mut self) {
        let before: BTreeSet<String> = self.keys();
        self.homes = self
            .documents
            .iter()
            .map(|document| {
                let place = document.path.as_ref().map(|path| home(path, &self.folders));
                (document.uri.clone(), place)
            })
            .collect();
        let gone: Vec<String> = before.difference(&self.keys()).cloned().collect();
        for key in gone {
            self.policies.remove(&key);
            self.stale.insert(key);
        }
    }

    fn keys(&self) -> BTreeSet<String> {
        self.homes.keys().filter_map(|uri| self.key(uri)).collect()
    }

    /// Records that a text has changed. Any file that isn't a policy file may be a set or a key of
    /// any policy.
    fn touched(&mut self, uri: &Uri) {
        match self.key(uri) {
            Some(key) if uri.path().ends_with(".gate") || uri.scheme() != "file" => {
                self.policies.remove(&key);
                self.stale.insert(key);
            }
            _ => self.everything_touched(),
        }
    }

    fn everything_touched(&mut self) {
        self.policies.clear();
        self.stale.extend(self.keys());
    }
}
