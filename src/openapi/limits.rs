//! Limits on an OpenAPI document, including the files that its `$ref`s name.
//!
//! A document comes from another team or from the network. Reading it takes bounded time and
//! memory, whatever it contains, and an exceeded limit is an error that names it.

/// The most bytes of a document with all its files: more than twice the largest that public APIs
/// publish.
pub const MAX_BYTES: usize = 32 * 1024 * 1024;

/// How deep a document may nest: nested schemas rarely exceed forty levels, and the JSON reader is
/// recursive.
pub const MAX_DEPTH: usize = 120;

/// The most values and members of a YAML document, including merged ones: a document of
/// [`MAX_BYTES`] has fewer, unless its `<<` multiply them.
pub const MAX_NODES: usize = 8_000_000;

/// The most operations, counted once for each of their servers: ten times the largest known.
pub const MAX_OPERATIONS: usize = 100_000;

/// How many `$ref`s may lead from one to the next.
pub const MAX_REFERENCES: usize = 32;

/// The most files of a document, including itself: one for each operation and schema of a large
/// API.
pub const MAX_FILES: usize = 2_000;

/// The longest URL of a server with its variables replaced, in bytes.
pub const MAX_SERVER_URL: usize = 4_096;

/// The most ways of meeting a condition, or the security of an operation, that are distinguished.
/// People write two or three.
pub const MAX_WAYS: usize = 256;
