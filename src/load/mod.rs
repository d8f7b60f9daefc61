//! Loads a policy from its files. No other module reads policy files.
//!
//! Unreadable files become diagnostics, so that commands and the daemon report all errors in the
//! same way.

mod contents;
mod disk;
mod git;
mod names;
mod overlay;
mod params;
mod tree;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest;

use crate::check::{self, Checked, FileError, Files};
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
pub use names::Name;
pub use overlay::{Overlay, real};
pub use params::{ENVIRONMENT_PREFIX, Params};
pub use tree::{MAX_ENTRIES, MAX_REFERENCED_BYTES, MAX_TOTAL_BYTES};

/// The number of hexadecimal digits in a revision: enough that two policies of a service never
/// share one by chance, and few enough to read aloud. Policies are compared by the whole digest,
/// since a collision of 64 bits can be made on purpose.
const REVISION_DIGITS: usize = 16;

/// What a load depends on besides the files.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The values of the policy's parameters.
    pub params: Params,
    /// The development issuer in place of every issuer of the policy, if any.
    pub development: Option<Development>,
}

/// The public keys and the algorithm of a development issuer.
#[derive(Debug, Clone)]
pub struct Development {
    /// The keys.
    pub keys: Arc<KeySet>,
    /// The algorithm.
    pub algorithm: Algorithm,
    /// Whether the policy's own issuers keep their keys in addition.
    pub beside: bool,
}

/// A file of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// The path as given by the user or written in the policy.
    pub path: String,
    /// Its size.
    pub bytes: usize,
    /// The number of lines that aren't blank.
    pub lines: usize,
    /// The SHA-256 digest of its content, in hexadecimal.
    pub digest: String,
    /// Its role in the policy.
    pub kind: FileKind,
}

/// The role of a file in a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// It contains declarations.
    Policy,
    /// A declaration names it: a set's members, an issuer's keys.
    Named,
}

/// The paths that a load looked at. A change there may change its result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// The folders searched for policy files.
    pub folders: Vec<PathBuf>,
    /// The policy files, including tests.
    pub files: Vec<PathBuf>,
    /// The set and key files that they name, readable or not.
    pub named: Vec<PathBuf>,
}

/// A digest over everything that a load read or failed to read. While it stays the same, another
/// load has the same result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; digest::SHA256_OUTPUT_LEN]);

/// A loaded policy.
#[derive(Debug)]
pub struct Loaded {
    /// The readable policy files.
    pub sources: Arc<Sources>,
    /// All files: the policy files, then the set and key files that they name.
    pub files: Vec<FileEntry>,
    /// The values of its parameters, by name.
    pub params: BTreeMap<String, String>,
    /// The checker's result. Its diagnostics include those of reading and parsing.
    pub checked: Checked,
    /// The keys of a development issuer in addition to each issuer of the policy.
    pub built_in: Option<Arc<KeySet>>,
    /// The SHA-256 digest over all names, contents and parameter values, in hexadecimal. Equal
    /// policies have equal digests, wherever their folders are.
    pub digest: String,
    /// The beginning of the digest, for people.
    pub revision: String,
    /// The digest over everything that was read, including tests.
    pub fingerprint: Fingerprint,
    /// The paths that were looked at.
    pub reach: Reach,
}

impl Loaded {
    /// The policy, ready to decide; `None` if it has an error.
    pub fn policy(&self) -> Option<Policy> {
        self.checked
            .model
            .clone()
            .map(|model| compile::compile(model, Arc::clone(&self.sources)))
    }

    /// Whether it has an error and can't be used.
    pub fn has_errors(&self) -> bool {
        diagnostic::has_errors(&self.checked.diagnostics)
    }
}

/// Policy files, parsed but not checked.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// The readable files.
    pub sources: Sources,
    /// The syntax tree of each file.
    pub documents: Vec<Document>,
    /// The path of each file.
    pub paths: Vec<PathBuf>,
    /// The errors in reading and parsing.
    pub diagnostics: Vec<Diagnostic>,
    /// The names of the files, relative to the given folder.
    relative: Vec<String>,
    /// For each file, whether it may contain only tests.
    tests: Vec<bool>,
    /// The paths that were looked at, including tests.
    reach: Reach,
    /// The digest over what was read.
    fingerprint: Fingerprint,
    /// Whether every file could be read.
    complete: bool,
}

impl Parsed {
    /// A policy from a single text that isn't in a file.
    pub fn of_text(name: &str, text: &str) -> Parsed {
        let file = tree::File {
            path: PathBuf::from(name),
            name: name.to_owned(),
            relative: name.to_owned(),
            text: text.to_owned(),
            is_test: false,
        };
        let tree = Tree {
            files: vec![file],
            ..Tree::default()
        };
        Parsed::of(tree, true)
    }

    /// The same policy with different texts in its files.
    #[must_use]
    pub fn with(&self, sources: Sources) -> Parsed {
        let (documents, found): (_, Vec<_>) = syntax::parse_all(&sources).into_iter().unzip();
        Parsed {
            sources,
            documents,
            paths: self.paths.clone(),
            diagnostics: found.into_iter().flatten().collect(),
            relative: self.relative.clone(),
            tests: self.tests.clone(),
            reach: self.reach.clone(),
            fingerprint: self.fingerprint,
            complete: self.complete,
        }
    }

    fn of(tree: Tree, include_tests: bool) -> Parsed {
        let mut parsed = Parsed {
            sources: Sources::new(),
            documents: Vec::with_capacity(tree.files.len()),
            paths: Vec::with_capacity(tree.files.len()),
            complete: !diagnostic::has_errors(&tree.diagnostics),
            fingerprint: fingerprint_of(&tree),
            reach: Reach {
                folders: tree.folders,
                files: tree.files.iter().map(|file| file.path.clone()).collect(),
                named: Vec::new(),
            },
            diagnostics: tree.diagnostics,
            relative: Vec::with_capacity(tree.files.len()),
            tests: Vec::with_capacity(tree.files.len()),
        };
        for file in tree.files {
            if file.is_test && !include_tests {
                parsed.diagnostics.extend(contents::stray_rules(&file));
                continue;
            }
            parsed.tests.push(file.is_test);
            parsed.sources.add(file.name, file.text);
            parsed.relative.push(file.relative);
            parsed.paths.push(file.path);
        }
        for (document, found) in syntax::parse_all(&parsed.sources) {
            parsed.documents.push(document);
            parsed.diagnostics.extend(found);
        }
        parsed
    }
}

/// Loads the policy below the paths. It always returns a result; errors are in the diagnostics.
///
/// With `include_tests`, `*.test.gate` files are part of it.
pub fn load(paths: &[PathBuf], options: &Options, include_tests: bool) -> Loaded {
    load_from(&Disk, paths, options, include_tests)
}

/// Like [`load`], but from a git revision, without a checkout. Set and key files come from there
/// too.
pub fn load_revision(revision: &GitRevision, options: &Options, include_tests: bool) -> Loaded {
    let paths = [revision.path().to_owned()];
    load_from(revision, &paths, options, include_tests)
}

/// The first half of [`load`], with unsaved texts in place of the files' contents.
pub fn parse(paths: &[PathBuf], include_tests: bool, overlay: &Overlay) -> Parsed {
    Parsed::of(tree::read(overlay, paths, include_tests), include_tests)
}

/// The second half of [`load`], with unsaved texts in place of the files' contents.
pub fn check(parsed: Parsed, paths: &[PathBuf], options: &Options, overlay: &Overlay) -> Loaded {
    check_from(overlay, parsed, paths, options)
}

/// Reads everything that [`load`] reads, without parsing it. `named` are the files that the policy
/// named at the last load. If this returns the same as that load, another load would have the same
/// result.
pub fn fingerprint(paths: &[PathBuf], named: &[PathBuf]) -> Fingerprint {
    let tree = tree::read(&Disk, paths, false);
    let mut fingerprint = fingerprint_of(&tree);
    for path in named {
        let content = tree::read_referenced(&Disk, path);
        fingerprint = fingerprint.and(path, content.as_deref());
    }
    fingerprint
}

/// Reads the set and key files of a policy once more, to check changed versions of it.
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
    let parsed = Parsed::of(tree::read(place, paths, include_tests), include_tests);
    check_from(place, parsed, paths, options)
}

fn check_from(place: &dyn Place, parsed: Parsed, paths: &[PathBuf], options: &Options) -> Loaded {
    let Parsed {
        sources,
        documents,
        mut diagnostics,
        relative,
        tests,
        mut reach,
        mut fingerprint,
        complete,
        ..
    } = parsed;
    contents::check(&sources, &documents, &tests, &mut diagnostics);
    let mut revision = Revision::default();
    let mut files = Vec::with_capacity(relative.len());
    for ((_, source), relative) in sources.iter().zip(&relative) {
        let bytes = source.text.as_bytes();
        revision.add("policy", relative, bytes);
        files.push(FileEntry::of(&source.name, bytes, FileKind::Policy));
    }

    let referenced = read_referenced(place, check::referenced_files(&sources, &documents));
    for (path, content) in referenced.iter() {
        reach.named.push(PathBuf::from(path));
        fingerprint = fingerprint.and(Path::new(path), content);
        match content {
            Ok(bytes) => {
                revision.add("file", &below(path, paths), bytes);
                files.push(FileEntry::of(path, bytes, FileKind::Named));
            }
            Err(error) => {
                let words = error.to_string();
                revision.add("unreadable", &below(path, paths), words.as_bytes());
            }
        }
    }

    let params = options.params.resolve(&documents);
    for (name, value) in &params {
        revision.add("param", name, value.as_bytes());
    }

    // If a file of the policy is missing, every name declared there would be reported as unknown,
    // which would hide the error that matters.
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
    let found = std::mem::take(&mut checked.diagnostics);
    let found = diagnostic::without_echoes(&diagnostics, found);
    diagnostics.extend(found);
    checked.diagnostics = diagnostics;
    // A test file that isn't part of this load may also have an error: it may contain rules,
    // although only tests are allowed there.
    if diagnostic::has_errors(&checked.diagnostics) {
        checked.model = None;
    }
    if let (Some(model), Some(development)) = (&mut checked.model, &options.development) {
        for issuer in &mut model.issuers {
            if development.beside {
                if !issuer.algorithms.contains(&development.algorithm) {
                    issuer.algorithms.push(development.algorithm);
                }
                continue;
            }
            issuer.built_in = true;
            issuer.keys = KeySource::Files(Arc::clone(&development.keys));
            issuer.algorithms = vec![development.algorithm];
            // Its tokens are JWTs, and no provider is asked about opaque ones.
            issuer.introspect = None;
        }
    }
    let digest = hexadecimal(&revision.finish());
    Loaded {
        sources: Arc::new(sources),
        files,
        params,
        checked,
        built_in: options
            .development
            .as_ref()
            .filter(|development| development.beside)
            .map(|development| Arc::clone(&development.keys)),
        revision: digest.chars().take(REVISION_DIGITS).collect(),
        digest,
        fingerprint,
        reach,
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

/// A path relative to the policy's folder, if it is below it.
fn below(path: &str, roots: &[PathBuf]) -> String {
    roots
        .iter()
        .find_map(|root| Path::new(path).strip_prefix(root).ok())
        .map_or_else(
            || path.to_owned(),
            |below| below.to_string_lossy().replace('\\', "/"),
        )
}

impl FileEntry {
    /// A file with this content.
    pub fn of(path: &str, content: &[u8], kind: FileKind) -> FileEntry {
        FileEntry {
            path: path.to_owned(),
            bytes: content.len(),
            lines: content
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.trim_ascii().is_empty())
                .count(),
            digest: hexadecimal(digest::digest(&digest::SHA256, content).as_ref()),
            kind,
        }
    }
}

/// The digest over the contents of the policy's folders.
fn fingerprint_of(tree: &Tree) -> Fingerprint {
    let mut all = Revision::default();
    for folder in &tree.folders {
        all.add("folder", &folder.to_string_lossy(), b"");
    }
    for file in &tree.files {
        all.add("file", &file.name, file.text.as_bytes());
    }
    for diagnostic in &tree.diagnostics {
        all.add(diagnostic.code.as_str(), &diagnostic.message, b"");
    }
    Fingerprint(all.finish())
}

impl Fingerprint {
    /// Extends the digest by a file that the policy names.
    #[must_use]
    fn and(self, path: &Path, content: Result<&[u8], &FileError>) -> Fingerprint {
        let mut all = Revision::default();
        all.add("before", "", &self.0);
        let name = path.to_string_lossy();
        match content {
            Ok(bytes) => all.add("named", &name, bytes),
            Err(error) => all.add("unreadable", &name, error.to_string().as_bytes()),
        }
        Fingerprint(all.finish())
    }
}

/// A digest over named items.
struct Revision(digest::Context);

impl Default for Revision {
    fn default() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }
}

impl Revision {
    /// Adds an item. Lengths come first, so that different lists of items have different encodings.
    fn add(&mut self, kind: &str, name: &str, content: &[u8]) {
        for part in [kind.as_bytes(), name.as_bytes(), content] {
            self.0.update(&(part.len() as u64).to_be_bytes());
            self.0.update(part);
        }
    }

    fn finish(self) -> [u8; digest::SHA256_OUTPUT_LEN] {
        let mut bytes = [0; digest::SHA256_OUTPUT_LEN];
        bytes.copy_from_slice(self.0.finish().as_ref());
        bytes
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut digits, byte| {
        // Writing to a string can't fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}
