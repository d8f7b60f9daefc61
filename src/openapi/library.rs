//! The document and the files that its `$ref`s name, which are read on demand.
//!
//! Files are read through [`Files`], so this module does no I/O. Their number and total size are
//! limited. A `$ref` that can't be followed is an error, never an empty value.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::io;

use super::DocumentError;
use super::limits::{MAX_BYTES, MAX_FILES, MAX_NODES, MAX_REFERENCES};
use super::reference::{self, Reference, Unfit};
use super::tree::{At, Member, Tree, Value};

/// Files below a root folder, for `$ref`s to other files.
pub trait Files {
    /// The bytes of a file. `name` is a path below the root folder, with `/` and without `..`. At
    /// most `limit` + 1 bytes are needed.
    fn read(&self, name: &str, limit: usize) -> Result<Vec<u8>, FileError>;
}

/// Why a file below the root folder can't be read.
#[derive(Debug)]
pub enum FileError {
    /// An I/O error.
    Io(io::Error),
    /// It is a folder, a device or a pipe.
    NotAFile,
    /// A link leads out of the root folder.
    Outside,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileError::Io(error) => write!(f, "{error}"),
            FileError::NotAFile => f.write_str("it is not a file"),
            FileError::Outside => f.write_str("a link leads out of the folder of `--root`"),
        }
    }
}

impl std::error::Error for FileError {}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> FileError {
        FileError::Io(error)
    }
}

/// A place in a document, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place<'a> {
    /// The file, unless it is the document itself.
    pub file: Option<&'a str>,
    pub line: Option<u32>,
}

/// A parsed file.
#[derive(Debug)]
struct Book {
    name: String,
    tree: Tree,
}

/// The document, first, and every other file read for it.
pub(super) struct Library<'f> {
    files: Option<&'f dyn Files>,
    /// Filled from the front. The cells allow adding a file while others are borrowed.
    books: Vec<OnceCell<Book>>,
    /// The index in `books` of each file name.
    known: RefCell<BTreeMap<String, usize>>,
    bytes: Cell<usize>,
    nodes: Cell<usize>,
}

impl<'f> Library<'f> {
    /// Parses the document itself.
    pub fn open(
        bytes: &[u8],
        name: &str,
        files: Option<&'f dyn Files>,
    ) -> Result<Library<'f>, DocumentError> {
        let room = if files.is_some() { MAX_FILES } else { 1 };
        let library = Library {
            files,
            books: std::iter::repeat_with(OnceCell::new).take(room).collect(),
            known: RefCell::new(BTreeMap::new()),
            bytes: Cell::new(0),
            nodes: Cell::new(0),
        };
        library.add(name, bytes)?;
        Ok(library)
    }

    /// The root of the document.
    pub fn document(&self) -> Option<Here<'_>> {
        self.root_of(0)
    }

    fn book(&self, number: usize) -> Option<&Book> {
        self.books.get(number).and_then(OnceCell::get)
    }

    fn root_of(&self, number: usize) -> Option<Here<'_>> {
        Some(Here {
            library: self,
            file: number,
            at: self.book(number)?.tree.root(),
        })
    }

    /// Parses a file and adds it to `books`.
    fn add(&self, name: &str, bytes: &[u8]) -> Result<usize, DocumentError> {
        let number = self.known.borrow().len();
        let tree = Tree::parse(bytes, MAX_NODES.saturating_sub(self.nodes.get()))?;
        self.bytes.set(self.bytes.get().saturating_add(bytes.len()));
        self.nodes.set(self.nodes.get().saturating_add(tree.nodes));
        if let Some(cell) = self.books.get(number) {
            cell.get_or_init(|| Book {
                name: name.to_owned(),
                tree,
            });
            self.known.borrow_mut().insert(name.to_owned(), number);
        }
        Ok(number)
    }

    /// The index of the file with this name, which is read if it isn't there yet.
    fn file(&self, name: &str, reference: &str) -> Result<usize, DocumentError> {
        let shown = crate::text::quoted(reference);
        if let Some(number) = self.known.borrow().get(name) {
            return Ok(*number);
        }
        let Some(files) = self.files else {
            return Err(DocumentError::new(format!(
                "the `$ref` {shown} leads out of the document"
            ))
            .help("`--root FOLDER` follows it to files below that folder"));
        };
        if self.known.borrow().len() >= MAX_FILES {
            return Err(DocumentError::new(format!(
                "the `$ref` {shown} names one file too many: more than {MAX_FILES} in all"
            )));
        }
        let left = MAX_BYTES.saturating_sub(self.bytes.get());
        let bytes = files.read(name, left).map_err(|why| {
            DocumentError::new(format!(
                "the file of the `$ref` {shown} can't be read: {why}"
            ))
        })?;
        if bytes.len() > left {
            return Err(DocumentError::new(format!(
                "the document and its files are larger than {} MiB together",
                MAX_BYTES >> 20
            )));
        }
        self.add(name, &bytes).map_err(|error| error.in_file(name))
    }
}

/// A value and its file.
#[derive(Clone, Copy)]
pub(super) struct Here<'a> {
    library: &'a Library<'a>,
    file: usize,
    at: At,
}

/// A member of a mapping.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    pub name: &'a str,
    pub value: Here<'a>,
    pub place: Place<'a>,
}

impl<'a> Here<'a> {
    fn value(self) -> Option<&'a Value> {
        self.library.book(self.file)?.tree.value(self.at)
    }

    fn there(self, at: At) -> Here<'a> {
        Here { at, ..self }
    }

    fn entry(self, member: &'a Member) -> Entry<'a> {
        Entry {
            name: &member.name,
            value: self.there(member.value),
            place: Place {
                file: self.file_name(),
                line: member.line,
            },
        }
    }

    /// Its file, unless that is the document itself.
    pub fn file_name(self) -> Option<&'a str> {
        let book = self.library.book(self.file)?;
        (self.file > 0).then_some(book.name.as_str())
    }

    /// The identity of this value, so that shared values are read only once.
    pub fn identity(self) -> (usize, At) {
        (self.file, self.at)
    }

    /// The root of its file.
    pub fn root(self) -> Option<Here<'a>> {
        self.library.root_of(self.file)
    }

    /// The text, if this is a string.
    pub fn text(self) -> Option<&'a str> {
        match self.value()? {
            Value::Text(text) => Some(text),
            Value::List(_) | Value::Members(_) | Value::Other => None,
        }
    }

    /// Whether this is a mapping.
    pub fn is_object(self) -> bool {
        matches!(self.value(), Some(Value::Members(_)))
    }

    /// Whether this is a list.
    pub fn is_list(self) -> bool {
        matches!(self.value(), Some(Value::List(_)))
    }

    /// The member with this name.
    pub fn member(self, name: &str) -> Option<Entry<'a>> {
        match self.value()? {
            Value::Members(members) => members.get(name).map(|member| self.entry(member)),
            Value::Text(_) | Value::List(_) | Value::Other => None,
        }
    }

    /// The value of the member with this name.
    pub fn get(self, name: &str) -> Option<Here<'a>> {
        self.member(name).map(|entry| entry.value)
    }

    /// The members, in the order of the document.
    pub fn members(self) -> impl Iterator<Item = Entry<'a>> + use<'a> {
        let members = match self.value() {
            Some(Value::Members(members)) => members.as_slice(),
            _ => &[],
        };
        members.iter().map(move |member| self.entry(member))
    }

    /// The elements.
    pub fn elements(self) -> impl Iterator<Item = Here<'a>> + use<'a> {
        let elements = match self.value() {
            Some(Value::List(elements)) => elements.as_slice(),
            _ => &[],
        };
        elements.iter().map(move |at| self.there(*at))
    }

    /// This value, followed by the values that `$ref`s lead to, one after the other. The last one
    /// has no `$ref`. A circle is an error.
    pub fn layers(self) -> Result<Vec<Here<'a>>, DocumentError> {
        let mut here = self;
        let mut layers = vec![self];
        while let Some(reference) = here.member("$ref") {
            if layers.len() > MAX_REFERENCES {
                return Err(DocumentError::new(format!(
                    "more than {MAX_REFERENCES} `$ref`s lead from one to the next"
                ))
                .help("does one of them lead back to itself?")
                .at(reference.place));
            }
            let text = reference.value.text().ok_or_else(|| {
                DocumentError::new("a `$ref` is not a string").at(reference.place)
            })?;
            here = here
                .pointed_at(text)
                .map_err(|error| error.at(reference.place))?;
            layers.push(here);
        }
        Ok(layers)
    }

    /// This value, or the one that its `$ref` leads to. Members beside a `$ref` are rejected if
    /// `matters` says so, since some tools read them and others don't.
    pub fn resolved_but(self, matters: impl Fn(&str) -> bool) -> Result<Here<'a>, DocumentError> {
        let mut layers = self.layers()?;
        let last = layers.pop().unwrap_or(self);
        for entry in layers.into_iter().flat_map(Here::members) {
            if entry.name != "$ref" && matters(entry.name) {
                return Err(DocumentError::new(format!(
                    "{} is beside a `$ref`, where some tools read it and others don't",
                    crate::text::quoted(entry.name)
                ))
                .help("move it into what the `$ref` names, or write that out here")
                .at(entry.place));
            }
        }
        Ok(last)
    }

    /// This value, or the one that its `$ref` leads to. Only a description is allowed beside a
    /// `$ref`.
    pub fn resolved(self) -> Result<Here<'a>, DocumentError> {
        self.resolved_but(|name| !matches!(name, "summary" | "description") && !is_extension(name))
    }

    /// The value that a reference in this file names.
    pub fn pointed_at(self, text: &str) -> Result<Here<'a>, DocumentError> {
        let shown = crate::text::quoted(text);
        let nowhere = || DocumentError::new(format!("the `$ref` {shown} leads nowhere"));
        let name = self
            .library
            .book(self.file)
            .map_or("", |book| book.name.as_str());
        let read = Reference::read(text, name).map_err(|unfit| match unfit {
            Unfit::NoPointer => nowhere().help(
                "what follows the `#` is a JSON pointer, such as `#/components/pathItems/orders`",
            ),
            Unfit::Outside if self.library.files.is_some() => DocumentError::new(format!(
                "the `$ref` {shown} leads out of the folder of `--root`"
            ))
            .help("only files below that folder are read, and nothing is fetched"),
            Unfit::Outside => {
                DocumentError::new(format!("the `$ref` {shown} leads out of the document"))
                    .help("bundle the document into one file first; nothing is fetched")
            }
        })?;
        let file = match &read.file {
            None => self.file,
            Some(_) if self.root().is_some_and(|root| root.get("$self").is_some()) => {
                return Err(DocumentError::new(format!(
                    "the `$ref` {shown} is relative to the document's `$self`, which may be another place than its folder"
                ))
                .help("bundle the document into one file first"));
            }
            Some(name) => self.library.file(name, text)?,
        };
        let root = self.library.root_of(file).ok_or_else(nowhere)?;
        read.pointer.iter().try_fold(root, |here, name| {
            let element = || reference::element(name).and_then(|at| here.elements().nth(at));
            here.get(name).or_else(element).ok_or_else(nowhere)
        })
    }
}

/// Whether a member is an extension (`x-…`).
pub(super) fn is_extension(name: &str) -> bool {
    name.starts_with("x-")
}
