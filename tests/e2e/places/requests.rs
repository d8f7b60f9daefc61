//! Requests with a token in one place or another, and how each ends.

use super::super::caller::Request;
use super::at;

/// How a request ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The application gets it.
    Allowed,
    /// portcullis refuses it, for this reason.
    Refused(&'static str),
}

use End::{Allowed, Refused};

pub const MALFORMED: End = Refused("request.malformed");
const MISSING: End = Refused("token.missing");
const OTHERS_PAGE: End = Refused("request.condition");

pub fn get(host: &str) -> Request {
    at(host, "GET", "/orders")
}

fn post(host: &str) -> Request {
    at(host, "POST", "/orders").header("Content-Length", "0")
}

/// Requests, and how each ends.
pub fn table(token: &str) -> Vec<(&'static str, Request, End)> {
    let bearer = format!("Bearer {token}");
    let cookie = format!("session={token}");
    let query = format!("/orders?page=2&access_token={token}");
    let (first, rest) = token.split_at(1);
    let escaped = format!("/orders?access_token=%{:02x}{rest}", first.as_bytes()[0]);
    vec![
        (
            "Authorization",
            get("plain").header("Authorization", &bearer),
            Allowed,
        ),
        (
            "Authorization twice",
            get("plain")
                .header("Authorization", &bearer)
                .header("Authorization", &bearer),
            MALFORMED,
        ),
        (
            "Authorization of two schemes",
            get("plain")
                .header("Authorization", "Basic YTpi")
                .header("Authorization", &bearer),
            MALFORMED,
        ),
        (
            "Authorization joined",
            get("plain").header("Authorization", &format!("{bearer}, {bearer}")),
            MALFORMED,
        ),
        (
            "a cookie that the policy doesn't name",
            get("plain").header("Cookie", &cookie),
            MISSING,
        ),
        (
            "a query parameter that the policy doesn't name",
            at("plain", "GET", &query),
            MISSING,
        ),
        //
        (
            "header",
            get("header").header("X-Access-Token", token),
            Allowed,
        ),
        (
            "header twice",
            get("header")
                .header("X-Access-Token", token)
                .header("x-access-token", token),
            MALFORMED,
        ),
        (
            "header joined",
            get("header").header("X-Access-Token", &format!("{token},{token}")),
            MALFORMED,
        ),
        (
            "header beside Authorization",
            get("header")
                .header("X-Access-Token", token)
                .header("Authorization", &bearer),
            MALFORMED,
        ),
        (
            "header beside another scheme",
            get("header")
                .header("X-Access-Token", token)
                .header("Authorization", "Basic YTpi"),
            MISSING,
        ),
        //
        ("cookie", get("cookie").header("Cookie", &cookie), Allowed),
        (
            "cookie among others",
            get("cookie").header("Cookie", &format!("a=1; {cookie}; b=2,3")),
            Allowed,
        ),
        (
            "cookie in the second header",
            get("cookie")
                .header("Cookie", "a=1")
                .header("Cookie", &cookie),
            Allowed,
        ),
        (
            "cookie in the first header",
            get("cookie")
                .header("Cookie", &cookie)
                .header("Cookie", "a=1"),
            Allowed,
        ),
        (
            "cookie twice",
            get("cookie").header("Cookie", &format!("{cookie}; {cookie}")),
            MALFORMED,
        ),
        (
            "cookie twice, one empty",
            get("cookie").header("Cookie", &format!("session=; {cookie}")),
            MALFORMED,
        ),
        (
            "cookie in two headers",
            get("cookie")
                .header("Cookie", &cookie)
                .header("Cookie", "session=other"),
            MALFORMED,
        ),
        (
            "cookie behind one of two headers",
            get("cookie")
                .header("Cookie", "a=1")
                .header("Cookie", &format!("session=other; {cookie}")),
            MALFORMED,
        ),
        (
            "cookie joined",
            get("cookie").header("Cookie", &format!("a=1, {cookie}")),
            MALFORMED,
        ),
        (
            "cookie beside Authorization",
            get("cookie")
                .header("Cookie", &cookie)
                .header("Authorization", &bearer),
            MALFORMED,
        ),
        (
            "another cookie",
            get("cookie").header("Cookie", "a=1"),
            MISSING,
        ),
        (
            "cookie, asked by another page",
            get("cookie")
                .header("Cookie", &cookie)
                .header("Origin", "https://evil.example"),
            Allowed,
        ),
        (
            "cookie, posted by nobody",
            post("cookie").header("Cookie", &cookie),
            OTHERS_PAGE,
        ),
        (
            "cookie, posted by another page",
            post("cookie")
                .header("Cookie", &cookie)
                .header("Origin", "https://evil.example"),
            OTHERS_PAGE,
        ),
        (
            "cookie, posted by a page without an origin",
            post("cookie")
                .header("Cookie", &cookie)
                .header("Origin", "null"),
            OTHERS_PAGE,
        ),
        (
            "cookie, posted by two pages",
            post("cookie")
                .header("Cookie", &cookie)
                .header("Origin", "https://cookie.example.com")
                .header("Origin", "https://evil.example"),
            OTHERS_PAGE,
        ),
        (
            "cookie, posted by its own page",
            post("cookie")
                .header("Cookie", &cookie)
                .header("Origin", "https://cookie.example.com"),
            Allowed,
        ),
        (
            "cookie, posted by a listed page",
            post("cookie")
                .header("Cookie", &cookie)
                .header("Origin", "https://app.example.com"),
            Allowed,
        ),
        //
        ("query", at("query", "GET", &query), Allowed),
        ("query, escaped", at("query", "GET", &escaped), Allowed),
        (
            "query, its name escaped",
            at("query", "GET", &query.replace("access", "%61ccess")),
            Allowed,
        ),
        (
            "query twice",
            at("query", "GET", &format!("{query}&access_token={token}")),
            MALFORMED,
        ),
        (
            "query twice, once escaped",
            at("query", "GET", &format!("{query}&%61ccess_token={token}")),
            MALFORMED,
        ),
        (
            "query behind a semicolon",
            at("query", "GET", &query.replace("2&", "2;")),
            MALFORMED,
        ),
        (
            "query with a bad escape",
            at("query", "GET", &format!("{query}%zz")),
            MALFORMED,
        ),
        (
            "query beside Authorization",
            at("query", "GET", &query).header("Authorization", &bearer),
            MALFORMED,
        ),
        //
        (
            "only in a cookie, there",
            get("only").header("Cookie", &cookie),
            Allowed,
        ),
        (
            "only in a cookie, elsewhere",
            get("only").header("Authorization", &bearer),
            MISSING,
        ),
        //
        (
            "header and cookie",
            get("every")
                .header("X-Access-Token", token)
                .header("Cookie", &cookie),
            MALFORMED,
        ),
        (
            "header and query",
            at("every", "GET", &query).header("X-Access-Token", token),
            MALFORMED,
        ),
        (
            "cookie and query",
            at("every", "GET", &query).header("Cookie", &cookie),
            MALFORMED,
        ),
        (
            "subprotocol and query",
            at("every", "GET", &query)
                .header("Sec-WebSocket-Protocol", &format!("bearer, {token}")),
            MALFORMED,
        ),
        (
            "subprotocol and cookie",
            get("every")
                .header("Sec-WebSocket-Protocol", &format!("bearer, {token}"))
                .header("Cookie", &cookie),
            MALFORMED,
        ),
        (
            "subprotocol and header",
            get("every")
                .header("Sec-WebSocket-Protocol", &format!("bearer, {token}"))
                .header("X-Access-Token", token),
            MALFORMED,
        ),
        (
            "subprotocol and Authorization",
            get("every")
                .header("Sec-WebSocket-Protocol", &format!("bearer, {token}"))
                .header("Authorization", &bearer),
            MALFORMED,
        ),
    ]
}
