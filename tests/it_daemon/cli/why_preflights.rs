//! `portcullis why` about CORS preflights.

use super::support::{GOOD, folder, run, text};

/// The explanation of a preflight from `https://app.example.com` to an API with this `cors` line.
fn why(cors: &str) -> String {
    let audience = "    audience";
    assert!(GOOD.contains(audience), "{GOOD}");
    let policy = GOOD.replacen(audience, &format!("    {cors}\n{audience}"), 1);
    let folder = folder(&[("a.gate", &policy)]);
    let ran = run(&[
        "why",
        &text(folder.path()),
        "OPTIONS https://api.example.com/orders",
        "--header",
        "Origin: https://app.example.com",
        "--header",
        "Access-Control-Request-Method: GET",
    ]);
    ran.stdout
}

#[test]
fn it_says_who_answers_and_what_cors_lacks() {
    let answered = why("cors \"https://app.example.com\"");
    for part in [
        "ALLOWED  204, a CORS preflight that the application never sees",
        "headers that the client gets",
        "access-control-allow-origin: https://app.example.com",
    ] {
        assert!(answered.contains(part), "{part}: {answered}");
    }
    let passed_on = why("cors \"https://app.example.com\" passed on");
    assert!(passed_on.contains("ALLOWED\n"), "{passed_on}");
    assert!(!passed_on.contains("access-control-"), "{passed_on}");
    let other = why("cors \"https://other.example.com\"");
    assert!(other.contains("doesn't list the page's origin"), "{other}");
    let without = why("");
    assert!(without.contains("has no `cors` line"), "{without}");
}
