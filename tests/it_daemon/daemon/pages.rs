//! Requests that a web page may have sent are refused by listeners that answer anybody.

use serde_json::json;

use super::harness::{Answer, Http, Testbed, configuration};

/// What each listener offers.
const OFFERS: [(&str, &str, &str); 12] = [
    ("admin", "GET", "/healthz"),
    ("admin", "GET", "/readyz"),
    ("admin", "GET", "/metrics"),
    ("admin", "GET", "/policy"),
    ("admin", "POST", "/reload"),
    ("admin", "GET", "/nothing"),
    ("admin", "GET", "/"),
    ("admin", "GET", "/console/overview"),
    ("admin", "GET", "/console/decisions?after=0"),
    ("admin", "POST", "/console/explain"),
    ("admin", "POST", "/console/difference"),
    ("pdp", "POST", "/v1/check"),
];

async fn ask(bed: &Testbed, offer: (&str, &str, &str), change: impl Fn(Http) -> Http) -> Answer {
    let (listener, method, path) = offer;
    let mut request = Http::new(method, path);
    if listener == "pdp" {
        let question = json!({"method": "GET", "url": "https://api.example.com/health"});
        request = request.body(question.to_string());
    }
    bed.send(listener, &change(request)).await
}

#[tokio::test]
async fn what_a_page_sends_is_refused() {
    let bed = Testbed::start().await;
    for offer in OFFERS {
        for (name, value) in [
            ("Origin", "https://evil.example"),
            ("Origin", "null"),
            ("Origin", "http://127.0.0.1:9192"),
            ("Referer", "https://evil.example/"),
            ("Sec-Fetch-Site", "cross-site"),
            ("Sec-Fetch-Site", "same-site"),
            ("Sec-Fetch-Site", "same-origin"),
        ] {
            if offer.0 == "admin" && value == "same-origin" {
                continue;
            }
            let answer = ask(&bed, offer, |request| request.header(name, value)).await;
            assert_eq!(answer.status, 403, "{offer:?} {name}: {value}");
            assert!(answer.body.contains(&name.to_lowercase()), "{answer:?}");
        }
    }
    let metrics = bed.admin("/metrics").await.body;
    assert!(
        metrics.contains(r#"portcullis_reloads_total{result="changed"} 1"#),
        "{metrics}"
    );
    assert!(
        !metrics.contains(r#"result="unchanged""#),
        "no page reloads: {metrics}"
    );
}

#[tokio::test]
async fn the_listener_admin_answers_its_own_page() {
    let bed = Testbed::start().await;
    for offer in OFFERS.iter().filter(|offer| offer.0 == "admin") {
        let own = ask(&bed, *offer, |request| {
            request
                .host("127.0.0.1:9192")
                .header("Origin", "http://127.0.0.1:9192")
                .header("Referer", "http://127.0.0.1:9192/")
                .header("Sec-Fetch-Site", "same-origin")
        })
        .await;
        assert_ne!(own.status, 403, "{offer:?}: {own:?}");
        // With the same name that another server has, at another port.
        let other = ask(&bed, *offer, |request| {
            request
                .host("127.0.0.1:9192")
                .header("Origin", "http://127.0.0.1:8000")
        })
        .await;
        assert_eq!(other.status, 403, "{offer:?}: {other:?}");
        let rebound = ask(&bed, *offer, |request| {
            request
                .host("evil.example:9192")
                .header("Origin", "http://evil.example:9192")
                .header("Sec-Fetch-Site", "same-origin")
        })
        .await;
        assert_eq!(rebound.status, 403, "{offer:?}: {rebound:?}");
    }
}

#[tokio::test]
async fn a_name_that_was_pointed_here_is_refused() {
    let bed = Testbed::start().await;
    for offer in OFFERS {
        for host in [
            "rebound.evil.example",
            "evil.example:9192",
            "localhost.evil.example",
            "127.1",
            "",
        ] {
            let answer = ask(&bed, offer, |request| {
                request.without("Host").header("Host", host)
            })
            .await;
            assert_eq!(answer.status, 403, "{offer:?} {host}");
            assert!(!answer.body.contains("revision"), "{answer:?}");
        }
        let twice = ask(&bed, offer, |request| {
            request.header("Host", "evil.example")
        })
        .await;
        assert!([400, 403].contains(&twice.status), "{offer:?}: {twice:?}");
        let none = ask(&bed, offer, |request| request.without("Host")).await;
        assert!([400, 403].contains(&none.status), "{offer:?}: {none:?}");
    }
    // In the target of a request it counts too.
    let target = Http::new("GET", "http://evil.example/policy");
    assert_eq!(bed.send("admin", &target).await.status, 403);
    let answer = bed
        .send(
            "admin",
            &Http::new("GET", "/policy")
                .without("Host")
                .header("Host", "evil.example"),
        )
        .await;
    assert!(
        answer.body.contains("`evil.example`") && answer.body.contains("listeners.admin.hosts"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn probes_scrapers_and_people_are_served() {
    let bed = Testbed::with(
        super::harness::POLICY,
        "listeners:\n  http: \"127.0.0.1:0\"\n  grpc: \"127.0.0.1:0\"\n  pdp: {address: \"127.0.0.1:0\", hosts: [pdp.shop.svc]}\n  admin: {address: \"127.0.0.1:0\", hosts: [portcullis.internal]}\n",
    )
    .await;
    let found = |answer: &Answer| answer.status != 403;
    for offer in OFFERS {
        let own = if offer.0 == "pdp" {
            "pdp.shop.svc:80"
        } else {
            "portcullis.internal"
        };
        // A kubelet and Prometheus use the pod's address; a forwarded port is another one.
        for host in [
            "10.244.1.17:9192",
            "127.0.0.1:31000",
            "[::1]:9192",
            "localhost",
            own,
        ] {
            let answer = ask(&bed, offer, |request| {
                request.without("Host").header("Host", host)
            })
            .await;
            assert!(found(&answer), "{offer:?} {host}: {answer:?}");
        }
        // A person who typed the address.
        let typed = ask(&bed, offer, |request| {
            request.header("Sec-Fetch-Site", "none")
        })
        .await;
        assert!(found(&typed), "{offer:?}: {typed:?}");
    }
}

/// A program may send any name to a Unix socket; a page may not, since a proxy may forward to it.
#[tokio::test]
async fn a_unix_socket_has_no_name() {
    use tokio::net::UnixStream;

    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("admin.sock");
    let bed = Testbed::with(
        super::harness::POLICY,
        &format!(
            "listeners: {{http: off, grpc: off, pdp: off, admin: \"unix:{}\"}}\n",
            socket.display()
        ),
    )
    .await;
    let ask = |request: Http| {
        let socket = socket.clone();
        async move {
            let stream = UnixStream::connect(&socket).await.expect("open");
            super::harness::converse(stream, &request.bytes())
                .await
                .status
        }
    };
    let named = Http::new("GET", "/policy")
        .without("Host")
        .header("Host", "portcullis");
    assert_eq!(ask(named).await, 200);
    let page = Http::new("GET", "/policy").header("Origin", "https://evil.example");
    assert_eq!(ask(page).await, 403, "a proxy may stand before it");
    for (host, status) in [("rebound.evil.example:9192", 403), ("localhost:9192", 200)] {
        let own = Http::new("POST", "/reload")
            .without("Host")
            .header("Host", host)
            .header("Origin", format!("http://{host}"));
        assert_eq!(ask(own).await, status, "{host}");
    }
    drop(bed);
}

#[test]
fn names_are_plain_and_for_two_listeners() {
    use portcullis::runtime::config::Config;
    for (text, said) in [
        (
            "listeners: {http: {address: \"127.0.0.1:1\", hosts: [a.example]}}",
            "`hosts` only applies to `admin` and `pdp`",
        ),
        (
            "listeners: {admin: {address: \"127.0.0.1:1\", hosts: [\"*.example\"]}}",
            "`*.example`",
        ),
        (
            "listeners: {admin: {address: \"127.0.0.1:1\", hosts: [\"a.example:80\"]}}",
            "`a.example:80`",
        ),
        (
            "listeners: {pdp: {address: \"127.0.0.1:1\", hosts: [A.example]}}",
            "`A.example`",
        ),
        (
            "listeners: {pdp: {address: \"127.0.0.1:1\", hosts: [\"\"]}}",
            "``",
        ),
    ] {
        let fault = Config::parse(text).expect_err(text).to_string();
        assert!(fault.contains(said), "{fault}");
    }
    assert!(Config::parse(&configuration("")).is_ok());
}
