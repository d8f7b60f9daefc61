//! Pages in a real browser, and behind each proxy an API that doesn't implement CORS.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;

use serde_json::{Value, json};

use super::process;
use super::proxies::{Kind, Proxy};
use super::world::{World, policy};

/// Makes the calls listed in the URL's fragment, and writes into the document what a page can see
/// of each answer. A custom header makes the browser send a preflight first. The calls are
/// synchronous, so the browser prints the document after the last one.
const PAGE: &str = r#"<!DOCTYPE html>
<html><body><pre id="seen"></pre><script>
const calls = JSON.parse(decodeURIComponent(location.hash.slice(1)));
const seen = calls.map(({ method, url, token }) => {
    const request = new XMLHttpRequest();
    try {
        request.open(method, url, false);
        request.setRequestHeader("X-Requested-By", "a page");
        if (token) {
            request.setRequestHeader("Authorization", "Bearer " + token);
        }
        request.send();
    } catch (error) {
        return "blocked";
    }
    return {
        status: request.status,
        reason: request.getResponseHeader("x-portcullis-reason"),
        challenge: request.getResponseHeader("www-authenticate"),
        body: JSON.parse(request.responseText),
    };
});
const hex = Array.from(new TextEncoder().encode(JSON.stringify(seen)), (byte) => byte.toString(16).padStart(2, "0"));
document.getElementById("seen").textContent = hex.join("");
</script></body></html>
"#;

/// The server of the page, for every host.
pub struct Pages {
    port: u16,
}

impl Pages {
    /// Starts it.
    pub fn serve() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let port = listener.local_addr().expect("it has an address").port();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A connection that breaks off is the browser's business.
                thread::spawn(move || answer(&stream).ok());
            }
        });
        Self { port }
    }

    /// The origin of the page on a host.
    pub fn origin(&self, host: &str) -> String {
        format!("http://{host}:{}", self.port)
    }

    /// What a page on this host sees of its calls.
    fn seen_from(&self, host: &str, calls: &Value) -> Vec<Value> {
        let fragment = calls
            .to_string()
            .bytes()
            .fold(String::new(), |mut all, byte| {
                write!(all, "%{byte:02X}").expect("a string can be written to");
                all
            });
        let folder = tempfile::tempdir().expect("a folder can be made");
        let output = Command::new(process::program("chromium"))
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
            .args(["--disable-dev-shm-usage", "--disable-background-networking"])
            // The test's host names resolve to this machine, and no other name is looked up.
            .arg("--host-resolver-rules=MAP *.example.com 127.0.0.1, MAP * ~NOTFOUND")
            .arg(format!("--user-data-dir={}", folder.path().display()))
            .arg(format!("{}/#{fragment}", self.origin(host)))
            .env("HOME", folder.path())
            .output()
            .expect("the browser runs");
        let document = String::from_utf8_lossy(&output.stdout);
        let hex: Vec<u8> = document
            .split_once("id=\"seen\">")
            .and_then(|(_, rest)| rest.split_once('<'))
            .unwrap_or_else(|| panic!("no page: {output:?}"))
            .0
            .bytes()
            .collect();
        let bytes: Vec<u8> = hex
            .chunks(2)
            .filter_map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok())
            .collect();
        serde_json::from_slice(&bytes).unwrap_or_else(|fault| panic!("{fault}: {document}"))
    }
}

fn answer(mut stream: &TcpStream) -> io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    while lines
        .next()
        .transpose()?
        .is_some_and(|line| !line.is_empty())
    {}
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{PAGE}",
        PAGE.len()
    )
}

/// The listed origin of the story's policy, which is replaced by the page's own.
const LISTED: &str = "\"https://app.example.com\"";

/// A world whose policy lists the page's origin; `more` continues the `cors` line.
fn world(pages: &Pages, more: &str) -> World {
    World::with(|issuer| {
        let policy = policy(issuer);
        assert!(policy.contains(LISTED));
        let own = pages.origin("app.example.com");
        policy.replace(LISTED, &format!("\"{own}\"{more}"))
    })
}

/// The page's calls: an allowed request, denied ones, and one with a method that no route has.
fn calls(world: &World, proxy: &Proxy) -> Value {
    let token = world.login("read:orders").access_token;
    let url = |path: &str| format!("http://api.example.com:{}{path}", proxy.address.port());
    json!([
        { "method": "GET", "url": url("/orders"), "token": token },
        { "method": "GET", "url": url("/health") },
        { "method": "POST", "url": url("/orders"), "token": token },
        { "method": "GET", "url": url("/orders") },
        { "method": "DELETE", "url": url("/orders"), "token": token },
    ])
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_listed_page_reads_answers_and_denials_through_every_proxy_and_no_other_page_does() {
    let pages = Pages::serve();
    let world = world(&pages, "");
    for kind in Kind::ALL {
        let proxy = world.proxy(kind);
        let calls = calls(&world, &proxy);
        let seen = pages.seen_from("app.example.com", &calls);
        let [orders, health, scope, missing, delete] = seen.as_slice() else {
            panic!("{kind:?}: {seen:?}");
        };
        assert_eq!(orders["status"], 200, "{kind:?}: {orders}");
        assert_eq!(orders["body"]["method"], "GET", "{kind:?}: {orders}");
        assert_eq!(health["status"], 200, "{kind:?}: {health}");
        assert_eq!(scope["status"], 403, "{kind:?}: {scope}");
        assert_eq!(scope["reason"], "scope.missing", "{kind:?}: {scope}");
        assert_eq!(
            scope["body"]["reason"], "scope.missing",
            "{kind:?}: {scope}"
        );
        assert!(scope["challenge"].is_string(), "{kind:?}: {scope}");
        assert_eq!(missing["status"], 401, "{kind:?}: {missing}");
        assert_eq!(missing["reason"], "token.missing", "{kind:?}: {missing}");
        assert_eq!(delete, "blocked", "{kind:?}");

        let before = world.upstream.received();
        let seen = pages.seen_from("evil.example.com", &calls);
        assert_eq!(seen, vec![json!("blocked"); 5], "{kind:?}");
        assert_eq!(world.upstream.received(), before, "{kind:?}");
    }
}

/// The browser rejects an answer to its preflight that doesn't name the page's origin.
#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_page_is_blocked_where_preflights_are_passed_on_to_an_application_without_cors() {
    let pages = Pages::serve();
    let world = world(&pages, " passed on");
    let proxy = world.proxy(Kind::Nginx);
    let seen = pages.seen_from("app.example.com", &calls(&world, &proxy));
    assert_eq!(seen, vec![json!("blocked"); 5]);
}
