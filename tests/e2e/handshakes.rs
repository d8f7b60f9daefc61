//! WebSockets and other upgrades, through every proxy.

use super::caller::Request;
use super::echo::echoed;
use super::places::{World, at, status};
use super::proxies::{Kind, Proxy};
use super::websocket;
use super::world::reason;

/// A real handshake through each proxy, and a message in both directions.
#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_websocket_opens_with_its_token_through_every_proxy() {
    let world = World::start();
    let token = &world.token;
    let cookie = format!("session={token}");
    let protocols = format!("bearer, {token}");
    let open = || websocket::handshake("every.example.com", "/orders");
    let own = "https://every.example.com";
    for kind in Kind::ALL {
        let proxy = world.proxy(kind);
        let talk = |handshake: Request| {
            websocket::talk(proxy.address, &handshake)
                .unwrap_or_else(|error| panic!("{kind:?}: {error}"))
        };
        for (header, value) in [
            ("Sec-WebSocket-Protocol", protocols.as_str()),
            ("Sec-WebSocket-Protocol", &format!("chat, bearer,{token}")),
            ("Authorization", &format!("Bearer {token}")),
        ] {
            let echo = talk(open().header(header, value))
                .unwrap_or_else(|answer| panic!("{kind:?}: {answer:?}"));
            assert_eq!(echoed(&echo, header), [value], "{kind:?}");
        }
        let echo = talk(open().header("Cookie", &cookie).header("Origin", own))
            .unwrap_or_else(|answer| panic!("{kind:?}: {answer:?}"));
        assert_eq!(echoed(&echo, "origin"), [own], "{kind:?}");

        let before = world.upstream.received();
        let protocol = |value: &str| open().header("Sec-WebSocket-Protocol", value);
        for (handshake, code) in [
            (open(), "token.missing"),
            (protocol("chat"), "token.missing"),
            (protocol("bearer"), "token.missing"),
            (protocol("bearer, other"), "token.opaque"),
            (
                protocol(&format!("{protocols}, {protocols}")),
                "request.malformed",
            ),
            (
                protocol(&protocols).header("Cookie", &cookie),
                "request.malformed",
            ),
            // A page of another site makes a logged-in user's browser open it.
            (open().header("Cookie", &cookie), "request.condition"),
            (
                open()
                    .header("Cookie", &cookie)
                    .header("Origin", "https://evil.example"),
                "request.condition",
            ),
        ] {
            let Err(answer) = talk(handshake) else {
                panic!("{kind:?}: a WebSocket in spite of {code}");
            };
            let got = (answer.status, reason(&answer));
            assert_eq!(
                got,
                (status(kind, code), Some(code)),
                "{kind:?}: {answer:?}"
            );
        }
        assert_eq!(world.upstream.received(), before, "{kind:?}");
    }
}

/// If a connection became HTTP/2, a client could send the application requests that nobody has
/// judged.
#[test]
#[ignore = "needs the proxies: run tests/run"]
fn no_other_protocol_is_handed_on() {
    let world = World::start();
    let (ports, upstream) = (world.daemon.ports, world.upstream.address);
    let proxies = Kind::ALL.into_iter().flat_map(|kind| {
        [
            (kind, world.proxy(kind)),
            (kind, Proxy::start(kind, ports, upstream)),
        ]
    });
    for (kind, proxy) in proxies {
        let request = |upgrades: &[&str]| {
            let request = at("every", "GET", "/public")
                .header("Connection", "Upgrade, HTTP2-Settings")
                .header("HTTP2-Settings", "AAMAAABkAAQAAP__")
                // Of two protocols, one is passed on.
                .header("Sec-WebSocket-Key", websocket::KEY);
            let add = |request: Request, upgrade: &&str| request.header("Upgrade", upgrade);
            upgrades.iter().fold(request, add)
        };
        for request in [
            request(&["h2c"]),
            request(&["h2c", "websocket"]),
            request(&["h2c, websocket"]),
            request(&["websocket, h2c"]),
            websocket::handshake("every.example.com", "/public").header("Upgrade", "h2c"),
        ] {
            let echo = match websocket::talk(proxy.address, &request) {
                Ok(Ok(echo)) => echo,
                Ok(Err(answer)) if answer.status == 200 => answer.json(),
                Ok(Err(answer)) => {
                    assert!((400..500).contains(&answer.status), "{kind:?}: {answer:?}");
                    continue;
                }
                Err(error) => panic!("{kind:?}: {error}"),
            };
            let handed_on = echoed(&echo, "upgrade").join(",");
            assert!(!handed_on.contains("h2c"), "{kind:?}: {handed_on}");
        }
    }
}
