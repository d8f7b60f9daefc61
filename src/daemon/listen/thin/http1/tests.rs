//! Which requests are ordinary.

use super::head::{Begun, Limits, begun, may_be_whole};

const LIMITS: Limits = Limits {
    head_bytes: 200,
    headers: 4,
    body_bytes: 10,
};

/// What bytes begin with, in a word.
fn word(bytes: &[u8]) -> String {
    match begun(bytes, LIMITS, &mut String::new()) {
        Begun::Ordinary(request, length) => {
            let names: Vec<&str> = request.headers.iter().map(|(name, _)| *name).collect();
            let rest = bytes.len() - length;
            format!("{} {} {rest}", request.path(), names.join(","))
        }
        Begun::Part => "part".to_owned(),
        Begun::Other => "other".to_owned(),
    }
}

#[test]
fn requests_are_ordinary_or_parts_of_one_or_for_the_library() {
    let many = "X: a\r\n".repeat(5);
    for (begin, headers, expected) in [
        ("GET /a HTTP/1.1", "", "/a  0"),
        ("\r\nGET /a?b HTTP/1.1", "X-A: b\r\n", "/a x-a 0"),
        ("FROB /a#b HTTP/1.1", "X-A: b\nx-a: c\r\n", "/a x-a,x-a 0"),
        ("GET /{a} HTTP/1.1", "", "/{a}  0"),
        (
            "GET /a HTTP/1.1",
            "Connection: Keep-Alive\r\n",
            "/a connection 0",
        ),
        (
            "GET /a HTTP/1.1",
            "Content-Length: 0\r\n",
            "/a content-length 0",
        ),
        ("GET /a HTTP/1.0", "", "other"),
        ("PRI * HTTP/2.0", "", "other"),
        ("CONNECT /a HTTP/1.1", "", "other"),
        ("GET * HTTP/1.1", "", "other"),
        ("GET http://a/ HTTP/1.1", "", "other"),
        ("GET a:80 HTTP/1.1", "", "other"),
        ("GET /a HTTP/1.1", &many, "other"),
        ("GET /a HTTP/1.1", "X : a\r\n", "other"),
        ("GET /a HTTP/1.1", "X: a\r\n b\r\n", "other"),
        ("GET /a HTTP/1.1", "X: \u{7f}\r\n", "other"),
        ("GET /a HTTP/1.1", "Connection: close\r\n", "other"),
        ("GET /a HTTP/1.1", "Connection: keep-alive, x\r\n", "other"),
        ("GET /a HTTP/1.1", "Upgrade: h2c\r\n", "other"),
        ("GET /a HTTP/1.1", "Expect: 100-continue\r\n", "other"),
        ("GET /a HTTP/1.1", "Transfer-Encoding: chunked\r\n", "other"),
        (
            "GET /a HTTP/1.1",
            "Content-Length: 0\r\nContent-Length: 0\r\n",
            "other",
        ),
        ("GET /a HTTP/1.1", "Content-Length: 0, 0\r\n", "other"),
        ("GET /a HTTP/1.1", "Content-Length: +0\r\n", "other"),
        ("GET /a HTTP/1.1", "Content-Length:\r\n", "other"),
        (
            "GET /a HTTP/1.1",
            "Content-Length: 18446744073709551615\r\n",
            "other",
        ),
        ("GET /a HTTP/1.1", "Content-Length: 1\r\n", "other"),
    ] {
        let text = format!("{begin}\r\n{headers}\r\n");
        assert_eq!(word(text.as_bytes()), expected, "{text}");
    }
    // With a body, and what follows it.
    let body = |length: usize, rest: &str| {
        let text = format!("POST /a HTTP/1.1\r\nContent-Length: {length}\r\n\r\n{rest}");
        word(text.as_bytes())
    };
    assert_eq!(body(10, "0123456789"), "/a content-length 0");
    assert_eq!(body(10, "0123456789GET"), "/a content-length 3");
    assert_eq!(body(10, "012345678"), "other");
    assert_eq!(body(11, "01234567890"), "other");
}

#[test]
fn a_head_has_a_limit_and_is_looked_at_when_it_may_be_whole() {
    let whole = |length: usize| {
        let head = "GET /a HTTP/1.1\r\nX: ";
        format!("{head}{}\r\n\r\n", "a".repeat(length - head.len() - 4))
    };
    assert_eq!(word(whole(200).as_bytes()), "/a x 0");
    assert_eq!(word(whole(201).as_bytes()), "other");
    assert_eq!(word(&whole(201).as_bytes()[..199]), "part");
    assert_eq!(word(&whole(300).as_bytes()[..200]), "other");

    for (end, is_one) in [
        ("\r\n\r\n", true),
        ("\n\n", true),
        ("\r\n\n", true),
        ("\n\r\n", true),
        ("\r\n", false),
        ("\n \n", false),
    ] {
        let text = format!("GET / HTTP/1.1{end}");
        for seen in text.len() - end.len()..text.len() {
            assert_eq!(
                may_be_whole(text.as_bytes(), seen),
                is_one,
                "{end:?} {seen}"
            );
        }
    }
}
