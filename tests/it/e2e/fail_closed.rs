//! Without portcullis every proxy refuses: no answer is no permission.

use super::caller::Request;
use super::echo::Echo;
use super::process;
use super::proxies::{Kind, Portcullis, Proxy};

#[test]
fn no_answer_is_no_permission() {
    let upstream = Echo::start();
    let nobody = Portcullis {
        grpc: process::free_port(),
        http: process::free_port(),
    };
    for kind in Kind::ALL {
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
