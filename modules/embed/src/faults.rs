//! Faults on purpose, in debug builds: with them, tests show how a fault in a module ends.
//!
//! In a release build there never is one. In a debug build there is one only if the environment allows
//! faults and a request asks for one; and a fault is a denial.

use crate::decide::Request;

/// Where the fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the hook that the proxy calls, on the proxy's thread.
    Hook,
    /// In the background thread, while the proxy waits.
    Later,
}

/// A fault in the hook, if one is wanted there.
pub fn in_hook(request: &Request) {
    if wanted(Place::Hook, request) {
        happen(Place::Hook);
    }
}

/// A fault later, if one is wanted then.
pub async fn later(request: &Request) {
    if wanted(Place::Later, request) {
        tokio::task::yield_now().await;
        happen(Place::Later);
    }
}

#[cfg(debug_assertions)]
fn wanted(place: Place, request: &Request) -> bool {
    let name = match place {
        Place::Hook => "hook",
        Place::Later => "later",
    };
    let asked = |(header, value): &(String, Vec<u8>)| {
        header == "x-portcullis-fault" && value == name.as_bytes()
    };
    request.headers.iter().any(asked) && std::env::var_os("PORTCULLIS_FAULTS").is_some()
}

#[cfg(not(debug_assertions))]
fn wanted(_: Place, _: &Request) -> bool {
    false
}

#[expect(clippy::panic, reason = "it is what this is for")]
fn happen(place: Place) {
    panic!("a fault on purpose: {place:?}");
}
