//! How much an OpenAPI document may contain, with the files that its `$ref`s name.
//!
//! A document comes from another team or from the network. Reading it takes bounded time and memory
//! whatever it says, and exceeding a limit is an error that names it.

/// The most bytes of a document with all its files: more than twice the largest that public APIs
/// publish.
pub const MAX_BYTES: usize = 32 * 1024 * 1024;

/// How deep a document may nest: schemas within schemas rarely pass forty, and the reader of JSON
/// recurses.
pub const MAX_DEPTH: usize = 120;

/// The most values and members of a document in YAML, merged ones included: a document of
/// [`MAX_BYTES`] has fewer, unless its `<<` multiply them.
pub const MAX_NODES: usize = 8_000_000;

/// The most operations, counted once for each of their servers: ten times the largest known.
pub const MAX_OPERATIONS: usize = 100_000;

/// How many `$ref`s may lead from one to the next.
pub const MAX_REFERENCES: usize = 32;

/// The most files that a document may be split into, itself included: one for each operation and
/// schema of a large API.
pub const MAX_FILES: usize = 2_000;

/// The longest URL of a server, variables written out, in bytes.
pub const MAX_SERVER_URL: usize = 4_096;

/// The most ways in which a condition, or the security of an operation, can be met that are told
/// apart. People write two or three.
pub const MAX_WAYS: usize = 256;
