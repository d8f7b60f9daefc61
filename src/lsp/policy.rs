//! A policy in the editor, with its unsaved changes.

use std::cell::OnceCell;
use std::path::PathBuf;

use gen_lsp_types::{Location, Position, Range, Uri};

use super::documents::Documents;
use super::home::Home;
use super::index::Index;
use super::positions::{Encoding, Lines};
use crate::check::Checked;
use crate::diagnostic::Diagnostic;
use crate::load::{self, Options, Overlay, Parsed, real};
use crate::model::Model;
use crate::source::{FileId, Sources, Span};

/// A policy and the results of checking it. It is parsed at once, and checked when that is first
/// needed.
#[derive(Debug)]
pub struct Policy {
    paths: Vec<PathBuf>,
    options: Options,
    overlay: Overlay,
    /// Its files and trees.
    pub parsed: Parsed,
    files: Vec<File>,
    index: OnceCell<Index>,
    checked: OnceCell<Checked>,
}

/// A file of a policy in the editor.
#[derive(Debug)]
struct File {
    uri: Uri,
    lines: Lines,
}

impl Policy {
    /// Reads and parses the policy at a home.
    pub fn at(home: &Home, options: &Options, documents: &Documents, encoding: Encoding) -> Policy {
        let mut options = options.clone();
        options.params.configuration.clone_from(&home.params);
        let overlay = documents.overlay();
        let parsed = load::parse(&home.paths, true, &overlay);
        let addresses = documents.addresses();
        let address = |name: &str| {
            addresses
                .get(&real(name.as_ref()))
                .map(|uri| (*uri).clone())
                .or_else(|| Uri::from_file_path(name).ok())
        };
        Policy::of(
            parsed,
            home.paths.clone(),
            options,
            overlay,
            encoding,
            address,
        )
    }

    /// A policy from a single text that isn't in a file.
    pub fn of_text(uri: &Uri, text: &str, options: &Options, encoding: Encoding) -> Policy {
        Policy::of(
            Parsed::of_text(uri.as_str(), text),
            Vec::new(),
            options.clone(),
            Overlay::default(),
            encoding,
            |name| Uri::parse(name).ok(),
        )
    }

    fn of(
        parsed: Parsed,
        paths: Vec<PathBuf>,
        options: Options,
        overlay: Overlay,
        encoding: Encoding,
        address: impl Fn(&str) -> Option<Uri>,
    ) -> Policy {
        let files = parsed
            .sources
            .iter()
            .filter_map(|(_, source)| {
                Some(File {
                    uri: address(&source.name)?,
                    lines: Lines::of(&source.text, encoding),
                })
            })
            .collect();
        Policy {
            paths,
            options,
            overlay,
            parsed,
            files,
            index: OnceCell::new(),
            checked: OnceCell::new(),
        }
    }

    /// Its diagnostics.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.checked().diagnostics
    }

    /// Its model, if it has no error.
    pub fn model(&self) -> Option<&Model> {
        self.checked().model.as_ref()
    }

    /// Checks it when this is first called.
    fn checked(&self) -> &Checked {
        self.checked.get_or_init(|| {
            load::check(
                self.parsed.clone(),
                &self.paths,
                &self.options,
                &self.overlay,
            )
            .checked
        })
    }

    /// The diagnostics that it would have after these replacements.
    pub fn diagnostics_with(&self, replacements: &[(Span, String)]) -> Vec<Diagnostic> {
        let mut changed = Sources::new();
        for (file, source) in self.parsed.sources.iter() {
            let mut own: Vec<&(Span, String)> = replacements
                .iter()
                .filter(|(span, _)| span.file == file)
                .collect();
            // From the end, so that a replacement doesn't move later ones.
            own.sort_by_key(|(span, _)| std::cmp::Reverse((span.start, span.end)));
            let mut text = source.text.to_string();
            for (span, replacement) in own {
                text.replace_range(span.start as usize..span.end as usize, replacement);
            }
            changed.add(source.name.clone(), text);
        }
        let parsed = self.parsed.with(changed);
        load::check(parsed, &self.paths, &self.options, &self.overlay)
            .checked
            .diagnostics
    }

    /// Every name in it.
    pub fn index(&self) -> &Index {
        self.index
            .get_or_init(|| Index::of(&self.parsed.sources, &self.parsed.documents))
    }

    /// The index of the file with this URI.
    pub fn file(&self, uri: &Uri) -> Option<FileId> {
        let at = self.files.iter().position(|file| file.uri == *uri)?;
        u32::try_from(at).ok().map(FileId)
    }

    /// The text of a file.
    pub fn text(&self, file: FileId) -> &str {
        self.parsed
            .sources
            .get(file)
            .map_or("", |source| &source.text)
    }

    /// The lines of a file.
    pub fn lines(&self, file: FileId) -> Option<&Lines> {
        Some(&self.files.get(file.0 as usize)?.lines)
    }

    /// The URI of a file.
    pub fn uri(&self, file: FileId) -> Option<&Uri> {
        Some(&self.files.get(file.0 as usize)?.uri)
    }

    /// The URIs of all files.
    pub fn uris(&self) -> impl Iterator<Item = &Uri> {
        self.files.iter().map(|file| &file.uri)
    }

    /// The range of a span in its file.
    pub fn range(&self, span: Span) -> Range {
        self.lines(span.file).map_or_else(Range::default, |lines| {
            lines.range(self.text(span.file), span)
        })
    }

    /// The offset of a position in a file.
    pub fn offset(&self, file: FileId, position: Position) -> usize {
        self.lines(file)
            .map_or(0, |lines| lines.offset(self.text(file), position))
    }

    /// The location of a span.
    pub fn location(&self, span: Span) -> Option<Location> {
        Some(Location::new(
            self.uri(span.file)?.clone(),
            self.range(span),
        ))
    }
}
