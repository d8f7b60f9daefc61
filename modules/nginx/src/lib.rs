//! portcullis inside nginx: a dynamic module that decides in the access phase.
//!
//! The master reads policy and keys before it forks; each worker has a thread of its own that fetches keys and
//! reads the policy anew. A request is decided by its worker's thread, at once where nothing has to be waited for.
//! Whatever goes wrong, a panic too, is a denial: the module never lets a request through without a decision in
//! its hand. All unsafe code is in `ffi`.

// A test can't be linked with what only nginx has, so tests are built without it.
#[cfg(not(test))]
mod access;
#[cfg_attr(test, allow(dead_code, reason = "who uses it is not built"))]
mod board;
#[cfg_attr(test, allow(dead_code, reason = "who uses it is not built"))]
mod certificate;
#[cfg(not(test))]
mod ffi;
#[cfg_attr(test, allow(dead_code, reason = "who uses it is not built"))]
mod inbox;
#[cfg_attr(test, allow(dead_code, reason = "who uses it is not built"))]
mod target;
#[cfg(not(test))]
mod worker;
