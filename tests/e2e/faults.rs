//! A fault in a module, in the real proxies: a panic is a denial, of that one request.

use serde_json::json;

use super::caller::Request;
use super::echo::echoed;
use super::provider::ORDERS;
use super::proxies::{Kind, Proxy};
use super::world::World;

/// The modules here are debug builds, which have faults where a header asks for one (`faults.rs` of
/// `modules/embed`).
const HEADER: &str = "x-portcullis-fault";

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_panic_denies_one_request_and_no_other() {
    let world = World::start();
    let token = world
        .provider
        .machine_token(Some(ORDERS), "read:orders", &json!({}));
    for kind in [Kind::EnvoyModule, Kind::NginxModule] {
        let allowing = |text: String| match kind {
            // nginx gives its workers no variable that its configuration doesn't name.
            Kind::NginxModule => format!("env PORTCULLIS_FAULTS;\n{text}"),
            _ => text,
        };
        let mut proxy =
            Proxy::start_changed(kind, allowing, world.daemon.ports, world.upstream.address);
        let before = world.upstream.received();
        for place in ["hook", "later"] {
            for request in [
                Request::new("GET", "/health"),
                Request::new("GET", "/orders").bearer(&token),
                Request::new("POST", "/orders").body("application/json", "{}"),
            ] {
                let answer = request.header(HEADER, place).send(proxy.address);
                assert_eq!(answer.status, 503, "{kind:?} {place}: {answer:?}");
            }
        }
        assert_eq!(world.upstream.received(), before, "{kind:?}");
        // It is the process that had the faults, and it goes on.
        let allowed = Request::new("GET", "/orders")
            .bearer(&token)
            .send(proxy.address);
        assert_eq!(allowed.status, 200, "{kind:?}: {allowed:?}");
        assert_eq!(echoed(&allowed.json(), "x-user-id"), ["machine"]);
        assert!(proxy.process.runs());
        let log = proxy.process.output();
        assert!(log.contains("a fault on purpose: Hook"), "{log}");
        for end in ["exited on signal", "Caught "] {
            assert!(!log.contains(end), "{log}");
        }
    }
}

/// Unless the environment allows faults, the header is one like any other.
#[test]
#[ignore = "needs the proxies: run tests/run"]
fn nobody_can_ask_for_a_fault() {
    let world = World::start();
    let proxy = world.proxy(Kind::NginxModule);
    for place in ["hook", "later"] {
        let answer = Request::new("GET", "/health")
            .header(HEADER, place)
            .send(proxy.address);
        assert_eq!(answer.status, 200, "{place}: {answer:?}");
    }
}
