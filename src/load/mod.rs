//! From paths to a checked policy: the only place that reads policy files.
//!
//! Unreadable files become diagnostics, so whoever loads a policy (a command, the daemon at start
//! or at a reload) reports everything that is wrong in the same way.

mod disk;
mod git;
mod overlay;
mod params;
mod tree;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest;

use crate::check::{self, Checked, Files};
use crate::compile;
use crate::diagnostic::{self, Diagnostic};
use crate::engine::Policy;
use crate::keys::{Algorithm, KeySet};
use crate::model::KeySource;
use crate::source::Sources;
use crate::syntax::{self, ast::Document};

use disk::Disk;
use tree::{Place, Tree};

pub use git::{GIT_PREFIX, GitError, Revision as GitRevision};
pub use overlay::{Overlay, real};
pub use params::{ENVIRONMENT_PREFIX, Params};
pub use tree::{MAX_ENTRIES, MAX_REFERENCED_BYTES, MAX_TOTAL_BYTES};

/// How many hexadecimal digits of the digest a revision shows: enough that two policies of one
/// service never share it by chance, few enough to read aloud.
const REVISION_DIGITS: usize = 16;

/// What a load depends on beside the files.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The values of the policy's parameters.
    pub params: Params,
    /// The development issuer that stands in for every issuer of the policy, if any.
    pub development: Option<Development>,
}

/// A development issuer's public keys and what it signs with.
#[derive(Debug, Clone)]
pub struct Development {
    /// The keys.
    pub keys: Arc<KeySet>,
    /// The algorithm.
    pub algorithm: Algorithm,
}

/// A file that a policy consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// The path, as it was given or written.
    pub path: String,
    /// Its size.
    pub bytes: usize,
    /// The SHA-256 digest of its content, in hexadecimal.
    pub digest: String,
}

/// A policy as it stands in its files.
#[derive(Debug)]
pub struct Loaded {
    /// The policy files that could be read.
    pub sources: Arc<Sources>,
    /// All files: policy files, then the set and key files that they name.
    pub files: Vec<FileEntry>,
    /// The values that its parameters were given, by name.
    pub params: BTreeMap<String, String>,
    /// What the checker says; its diagnostics include those of reading and parsing.
    pub checked: Checked,
    /// A digest over all names and contents and over the parameters' values: equal for equal
    /// policies, wherever their folder is.
    pub revision: String,
}

impl Loaded {
    /// The policy, ready to decide; `None` if it has an error.
    pub fn policy(&self) -> Option<Policy> {
        self.checked
            .model
            .clone()
            .map(|model| compile::compile(model, Arc::clone(&self.sources)))
    }

    /// Whether an error keeps it from being used.
    pub fn has_errors(&self) -> bool {
        diagnostic::has_errors(&self.checked.diagnostics)
    }
}

/// The policy files below some paths, parsed but not checked.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// The files that could be read.
    pub sources: Sources,
    /// Their trees, one a file.
    pub documents: Vec<Document>,
    /// Where they are, one a file.
    pub paths: Vec<PathBuf>,
    /// What could not be read or parsed.
    pub diagnostics: Vec<Diagnostic>,
    /// The files' names below the folder that was given.
    relative: Vec<String>,
    /// Whether every file could be read.
    complete: bool,
}

impl Parsed {
    /// A policy of one text that is in no file.
    pub fn of_text(name: &str, text: &str) -> Parsed {
        let file = tree::File {
            path: PathBuf::from(name),
            name: name.to_owned(),
            relative: name.to_owned(),
            text: text.to_owned(),
        };
        Parsed::of(Tree {
            files: vec![file],
            diagnostics: Vec::new(),
        })
    }

    /// The same policy with other texts in its files.
    #[must_use]
    pub fn with(&self, sources: Sources) -> Parsed {
        let (documents, found): (_, Vec<_>) = sources
            .iter()
            .map(|(file, _)| syntax::parse(&sources, file))
            .unzip();
        Parsed {
            sources,
            documents,
            paths: self.paths.clone(),
            diagnostics: found.into_iter().flatten().collect(),
            relative: self.relative.clone(),
            complete: self.complete,
        }
    }

    fn of(tree: Tree) -> Parsed {
        let mut parsed = Parsed {
            sources: Sources::new(),
            documents: Vec::with_capacity(tree.files.len()),
            paths: Vec::with_capacity(tree.files.len()),
            complete: tree.diagnostics.is_empty(),
            diagnostics: tree.diagnostics,
            relative: Vec::with_capacity(tree.files.len()),
        };
        for file in tree.files {
            let id = parsed.sources.add(file.name, file.text);
            let (document, found) = syntax::parse(&parsed.sources, id);
            parsed.documents.push(document);
            parsed.diagnostics.extend(found);
            parsed.relative.push(file.relative);
            parsed.paths.push(file.path);
        }
        parsed
    }
}

/// Loads the policy below the paths. It always comes back with something: what is wrong stands
/// in the diagnostics.
///
/// `include_tests` says whether `*.test.gate` files are part of it.
pub fn load(paths: &[PathBuf], options: &Options, include_tests: bool) -> Loaded {
    load_from(&Disk, paths, options, include_tests)
}

/// Loads the policy as it stands in a revision of git, its set and key files too, without a
/// checkout; otherwise as [`load`].
pub fn load_revision(revision: &GitRevision, options: &Options, include_tests: bool) -> Loaded {
    let paths = [revision.path().to_owned()];
    load_from(revision, &paths, options, include_tests)
}

/// The first half of [`load`], with unsaved texts in place of what the files hold.
pub fn parse(paths: &[PathBuf], include_tests: bool, overlay: &Overlay) -> Parsed {
    Parsed::of(tree::read(overlay, paths, include_tests))
}

/// The second half of [`load`], with unsaved texts in place of what the files hold.
pub fn check(parsed: Parsed, paths: &[PathBuf], options: &Options, overlay: &Overlay) -> Loaded {
    check_from(overlay, parsed, paths, options)
}

/// The set and key files that a policy was checked with, read once more: for who checks changes
/// of it.
pub fn referenced(sources: &Sources) -> Files {
    let documents: Vec<Document> = sources
        .iter()
        .map(|(file, _)| syntax::parse(sources, file).0)
        .collect();
    read_referenced(&Disk, check::referenced_files(sources, &documents))
}

fn load_from(
    place: &dyn Place,
    paths: &[PathBuf],
    options: &Options,
    include_tests: bool,
) -> Loaded {
    let parsed = Parsed::of(tree::read(place, paths, include_tests));
    check_from(place, parsed, paths, options)
}

fn check_from(place: &dyn Place, parsed: Parsed, paths: &[PathBuf], options: &Options) -> Loaded {
    let Parsed {
        sources,
        documents,
        mut diagnostics,
        relative,
        complete,
        ..
    } = parsed;
    let mut revision = Revision::default();
    let mut files = Vec::with_capacity(relative.len());
    for ((_, source), relative) in sources.iter().zip(&relative) {
        revision.add("policy", relative, source.text.as_bytes());
        files.push(entry(&source.name, source.text.as_bytes()));
    }

    let referenced = read_referenced(place, check::referenced_files(&sources, &documents));
    for (path, content) in referenced.iter() {
        match content {
            Ok(bytes) => {
                revision.add("file", &below(path, paths), bytes);
                files.push(entry(path, bytes));
            }
            Err(words) => revision.add("unreadable", &below(path, paths), words.as_bytes()),
        }
    }

    let params = options.params.resolve(&documents);
    for (name, value) in &params {
        revision.add("param", name, value.as_bytes());
    }

    // Without a file that is part of the policy every name declared there would be reported as
    // unknown, which hides the one line that matters.
    let mut checked = if complete {
        check::check(check::Input {
            sources: &sources,
            documents,
            files: &referenced,
            params: &params,
        })
    } else {
        Checked {
            model: None,
            diagnostics: Vec::new(),
        }
    };
    diagnostics.append(&mut checked.diagnostics);
    checked.diagnostics = diagnostics;
    if diagnostic::has_errors(&checked.diagnostics) {
        checked.model = None;
    }
    if let (Some(model), Some(development)) = (&mut checked.model, &options.development) {
        for issuer in &mut model.issuers {
            issuer.keys = KeySource::Files(Arc::clone(&development.keys));
            issuer.algorithms = vec![development.algorithm];
            // Its tokens are JWTs, and no provider is asked about others.
            issuer.introspect = None;
        }
    }
    Loaded {
        sources: Arc::new(sources),
        files,
        params,
        checked,
        revision: revision.finish(),
    }
}

fn read_referenced(place: &dyn Place, paths: Vec<String>) -> Files {
    paths
        .into_iter()
        .map(|path| {
            let content = tree::read_referenced(place, Path::new(&path));
            (path, content)
        })
        .collect()
}

/// A path as it stands below the policy's folder, where it does.
fn below(path: &str, roots: &[PathBuf]) -> String {
    roots
        .iter()
        .find_map(|root| Path::new(path).strip_prefix(root).ok())
        .map_or_else(
            || path.to_owned(),
            |below| below.to_string_lossy().replace('\\', "/"),
        )
}

fn entry(path: &str, content: &[u8]) -> FileEntry {
    FileEntry {
        path: path.to_owned(),
        bytes: content.len(),
        digest: hexadecimal(digest::digest(&digest::SHA256, content).as_ref()),
    }
}

/// The digest over everything that a policy is made of.
struct Revision(digest::Context);

impl Default for Revision {
    fn default() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }
}

impl Revision {
    /// Adds one thing. Lengths go first, so that no two lists of things read the same.
    fn add(&mut self, kind: &str, name: &str, content: &[u8]) {
        for part in [kind.as_bytes(), name.as_bytes(), content] {
            self.0.update(&(part.len() as u64).to_be_bytes());
            self.0.update(part);
        }
    }

    fn finish(self) -> String {
        let mut digits = hexadecimal(self.0.finish().as_ref());
        digits.truncate(REVISION_DIGITS);
        digits
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut digits, byte| {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}
