//! Without portcullis, every proxy denies every request.

use std::path::Path;

use super::caller::Request;
use super::echo::Echo;
use super::process;
use super::proxies::{Kind, Portcullis, Proxy};
use super::world::{World, policy};

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn no_answer_is_no_permission() {
    let upstream = Echo::start();
    let nobody = Portcullis {
        grpc: process::free_port(),
        http: process::free_port(),
        configuration: Path::new("portcullis.yaml"),
    };
    for kind in Kind::ASKING {
        let proxy = Proxy::start(kind, nobody, upstream.address);
        for method in ["GET", "POST", "OPTIONS"] {
            let answer = Request::new(method, "/health").send(proxy.address);
            assert!(
                matches!(answer.status, 502 | 503),
                "{kind:?} answers {answer:?}"
            );
        }
    }
    assert_eq!(upstream.received(), 0);
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_killed_daemon_permits_nothing() {
    let mut world = World::start();
    let proxies = Kind::ASKING.map(|kind| world.proxy(kind));
    let health = || {
        proxies
            .each_ref()
            .map(|proxy| Request::new("GET", "/health").send(proxy.address).status)
    };
    assert_eq!(health(), [200; 4]);

    world.daemon.kill();
    let before = world.upstream.received();
    for _ in 0..3 {
        assert_eq!(health(), [503, 503, 503, 502]);
    }
    assert_eq!(world.upstream.received(), before);

    world.daemon.start_again(&policy(&world.provider.issuer));
    process::wait_until("all proxies ask again", || health() == [200; 4]);
}
