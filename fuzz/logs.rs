//! The fuzzer's target for lines of logs.

use std::sync::LazyLock;

use portcullis::engine::Policy;
use portcullis::replay::{self, AccessLog, Given, Log};

/// A log of each kind. The texts that a client chooses are between other fields.
static LOGS: LazyLock<Vec<Log>> = LazyLock::new(|| {
    let given = |claims: Option<&str>| Given {
        host: Some("api.example.com".to_owned()),
        claims: claims.map(str::to_owned),
    };
    let access = [
        AccessLog::nginx_combined(given(None)),
        AccessLog::nginx(NGINX_JSON, given(Some("$claims"))),
        AccessLog::nginx(
            "escape=none $msec|$status|$request|$claims",
            given(Some("$claims")),
        ),
        AccessLog::envoy_text(given(None)),
        AccessLog::envoy_json(given(Some("%RESPONSE_CODE%"))),
        AccessLog::envoy_json(given(None)),
    ];
    let access = access.into_iter().filter_map(Result::ok).map(Log::Access);
    [Log::Decisions].into_iter().chain(access).collect()
});

const NGINX_JSON: &str = r#"escape=json {"t":"$time_iso8601","r":"$request","s":$status,"u":"$http_user_agent","c":"$claims"}"#;

/// Any bytes are a line or have an error, in every format. And whatever a client sends, no line that
/// a proxy writes about it is read as another request.
pub fn log_line(policy: &Policy, bytes: &[u8]) {
    for log in LOGS.iter() {
        if let Ok(entry) = log.read(bytes) {
            let _ = replay::decide(&entry, policy, "fuzz");
        }
    }
    let mut parts = bytes.splitn(3, |byte| *byte == 0);
    let mut part = || parts.next().unwrap_or_default();
    let (path, agent, user) = (part(), part(), part());
    let target = [b"/", path].concat();
    if target.contains(&b' ') {
        return;
    }
    let hexadecimal = |value: &[u8]| escaped(value, hexadecimal);
    let combined = [
        b"192.0.2.1 - ".as_slice(),
        &hexadecimal(user),
        b" [02/Mar/2026:09:12:44 +0000] \"GET ",
        &hexadecimal(&target),
        b" HTTP/1.1\" 403 5 \"",
        &hexadecimal(user),
        b"\" \"",
        &hexadecimal(agent),
        b"\"",
    ];
    let json = |value: &[u8]| escaped(value, json);
    let object = [
        b"{\"t\":\"2026-03-02T09:12:44+00:00\",\"r\":\"GET ".as_slice(),
        &json(&target),
        b" HTTP/1.1\",\"s\":403,\"u\":\"",
        &json(agent),
        b"\",\"c\":\"",
        &json(user),
        b"\"}",
    ];
    // Envoy escapes nothing, but a header has no line breaks.
    let envoy = [
        b"[2026-03-02T09:12:44.310Z] \"GET ".as_slice(),
        &target,
        b" HTTP/2\" 403 - 0 0 1 - \"",
        user,
        b"\" \"",
        agent,
        b"\" \"id\" \"api.example.com\" \"-\"",
    ];
    for (number, line) in [(1, &combined[..]), (2, &object), (4, &envoy)] {
        if let Some(log) = LOGS.get(number)
            && let Ok(entry) = log.read(&line.concat())
        {
            assert!(
                entry.unknown.is_some() || entry.method == "GET" && entry.target == target,
                "{:?} was read as {:?}",
                String::from_utf8_lossy(&target),
                String::from_utf8_lossy(&entry.target)
            );
            assert_eq!(entry.was, replay::Was::Denied(None));
        }
    }
}

fn escaped(value: &[u8], one: fn(u8) -> Vec<u8>) -> Vec<u8> {
    value.iter().flat_map(|byte| one(*byte)).collect()
}

/// As nginx writes it: `ngx_http_log_escape`.
fn hexadecimal(byte: u8) -> Vec<u8> {
    match byte {
        0..32 | b'"' | b'\\' | 127.. => format!("\\x{byte:02X}").into_bytes(),
        _ => vec![byte],
    }
}

/// As nginx writes it: `ngx_escape_json`.
fn json(byte: u8) -> Vec<u8> {
    match byte {
        b'"' | b'\\' => vec![b'\\', byte],
        0..32 => format!("\\u{byte:04X}").into_bytes(),
        _ => vec![byte],
    }
}
