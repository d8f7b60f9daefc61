//! The targets for what the daemon reads from its peers, also used by the tests of the corpus.

use portcullis::daemon::adapter::grpc::fuzzed::readings;
use portcullis::daemon::listen::fuzzed::answers;
use portcullis::daemon::listen::thin::http2::fuzzed::{Exchange, STREAMS, exchange};

/// Bytes of an HTTP/1.1 peer: the daemon's own server and the library give the same answers.
pub fn http1(bytes: &[u8]) {
    let [own, general] = answers(bytes);
    assert!(
        own == general,
        "{}\n{}",
        own.escape_ascii(),
        general.escape_ascii()
    );
}

/// Bytes of an HTTP/2 peer, in two parts after the first byte, which says how long the first one
/// is: no panic, no more streams than allowed, and no answer without a call. How the bytes are cut
/// changes nothing.
pub fn http2(bytes: &[u8]) {
    let Some((cut, bytes)) = bytes.split_first() else {
        return;
    };
    let (first, second) = bytes.split_at(usize::from(*cut).min(bytes.len()));
    let whole = exchange(&[bytes]);
    let Exchange {
        answered,
        answers,
        streams,
        ..
    } = &whole;
    assert!(*streams <= STREAMS as usize);
    assert!(answers.iter().all(|stream| answered.contains(stream)));
    let in_parts = exchange(&[first, second]);
    assert_eq!(whole.sent, in_parts.sent);
    assert_eq!(whole.is_failed, in_parts.is_failed);
}

/// The bytes of a CheckRequest: the daemon's own reader and prost read the same, or both refuse.
pub fn check_request(bytes: &[u8]) {
    let [own, general] = readings(bytes);
    assert_eq!(own, general);
}
