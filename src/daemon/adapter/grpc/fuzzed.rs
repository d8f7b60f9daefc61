//! What the fuzzer compares: a CheckRequest as the two servers read it.

use prost::Message;

use super::messages::CheckRequest;
use super::parse;
use super::seen::Seen;

/// What is read in bytes by the daemon's own server, and by prost; `None` if they are refused.
pub fn readings(bytes: &[u8]) -> [Option<String>; 2] {
    let own = parse::check_request(bytes);
    let general = CheckRequest::decode(bytes);
    [
        own.ok().map(|seen| format!("{seen:?}")),
        general
            .ok()
            .map(|check| format!("{:?}", Seen::from(&check))),
    ]
}
