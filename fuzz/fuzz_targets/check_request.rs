#![no_main]

#[path = "../daemon.rs"]
#[allow(dead_code, reason = "each target uses its own")]
mod daemon;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| daemon::check_request(bytes));
