//! The main story of portcullis, step by step, through every proxy: the wrong tokens that people
//! send before the right one, and the answer to each.

use serde_json::json;

use super::caller::{Answer, Request};
use super::echo::{SPEAKS_CORS, echoed};
use super::provider::{ENCRYPTED, INVOICES, ORDERS};
use super::proxies::{Kind, Proxy};
use super::world::{World, reason};

const PAGE: &str = "https://app.example.com";

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn through_envoy_by_grpc() {
    tell_with_deployed(Kind::EnvoyGrpc);
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn through_envoy_and_nginx_with_the_daemons_own_servers() {
    let world = World::thin();
    for kind in [Kind::EnvoyGrpc, Kind::Nginx] {
        tell(kind, &world, &world.proxy(kind));
    }
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn through_envoy_by_http() {
    tell_with_deployed(Kind::EnvoyHttp);
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn through_envoy_by_itself() {
    let world = World::start();
    let kind = Kind::EnvoyModule;
    tell(kind, &world, &world.proxy(kind));
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn through_nginx() {
    tell_with_deployed(Kind::Nginx);
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn through_nginx_by_itself() {
    let world = World::start();
    let kind = Kind::NginxModule;
    tell(kind, &world, &world.proxy(kind));
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn through_caddy() {
    tell_with_deployed(Kind::Caddy);
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn through_proxies_that_portcullis_configures() {
    let world = World::start();
    for kind in Kind::ALL {
        let (ports, upstream) = (world.daemon.ports, world.upstream.address);
        let policy = world.daemon.policy_folder();
        tell(
            kind,
            &world,
            &Proxy::start_generated(kind, &policy, ports, upstream),
        );
    }
}

fn tell_with_deployed(kind: Kind) {
    let world = World::start();
    tell(kind, &world, &world.proxy(kind));
    // The answers are counted for the operators.
    let metrics = world.daemon.metrics();
    assert!(
        metrics.contains("reason=\"token.is_id_token\""),
        "{metrics}"
    );
}

fn tell(kind: Kind, world: &World, proxy: &Proxy) {
    wrong_tokens_are_told_apart(world, proxy);
    the_right_token_passes_with_the_policys_headers(world, proxy);
    identity_headers_cannot_be_forged(kind, world, proxy);
    what_is_missing_is_said(world, proxy);
    browsers_may_ask_and_may_read_why_not(world, proxy);
    the_requests_own_faults_are_refused(kind, world, proxy);
}

/// Denied with this status and reason, and nothing reached the upstream.
#[track_caller]
fn assert_denied(
    world: &World,
    proxy: &Proxy,
    request: &Request,
    status: u16,
    code: &str,
) -> Answer {
    let before = world.upstream.received();
    let answer = request.send(proxy.address);
    assert_eq!(
        (answer.status, reason(&answer)),
        (status, Some(code)),
        "{answer:?} {}",
        answer.text()
    );
    assert!(
        answer.header("x-portcullis-decision").is_some(),
        "{answer:?}"
    );
    let problem = answer.json();
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
    assert_eq!(problem["status"], status);
    assert_eq!(problem["reason"], code);
    assert_eq!(problem["type"], format!("urn:portcullis:reason:{code}"));
    assert_eq!(problem["help"], format!("portcullis why --reason {code}"));
    assert_eq!(world.upstream.received(), before);
    answer
}

fn wrong_tokens_are_told_apart(world: &World, proxy: &Proxy) {
    let get = || Request::new("GET", "/orders");
    let login = world.login("offline_access read:orders");

    let answer = assert_denied(world, proxy, &get(), 401, "token.missing");
    // RFC 6750, section 3.1: a request without a token gets a challenge without an error.
    let challenge = answer
        .header("www-authenticate")
        .expect("a 401 has a challenge");
    assert!(challenge.starts_with("Bearer"), "{challenge}");
    assert!(!challenge.contains("error="), "{challenge}");

    let answer = assert_denied(
        world,
        proxy,
        &get().bearer(&login.id_token),
        401,
        "token.is_id_token",
    );
    let challenge = answer
        .header("www-authenticate")
        .expect("a 401 has a challenge");
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    assert!(
        challenge.contains(ORDERS),
        "no audience to ask for: {challenge}"
    );

    let opaque = world
        .provider
        .machine_token(None, "read:orders", &json!({}));
    let answer = assert_denied(world, proxy, &get().bearer(&opaque), 401, "token.opaque");
    let challenge = answer
        .header("www-authenticate")
        .expect("a 401 has a challenge");
    assert!(
        challenge.contains(ORDERS),
        "no audience to ask for: {challenge}"
    );

    let other = world
        .provider
        .machine_token(Some(INVOICES), "read:invoices", &json!({}));
    assert_denied(
        world,
        proxy,
        &get().bearer(&other),
        401,
        "token.wrong_audience",
    );

    let encrypted = world
        .provider
        .machine_token(Some(ENCRYPTED), "read:orders", &json!({}));
    assert_denied(
        world,
        proxy,
        &get().bearer(&encrypted),
        401,
        "token.encrypted",
    );

    let refresh = login.refresh_token.expect("offline_access was asked for");
    assert_denied(world, proxy, &get().bearer(&refresh), 401, "token.opaque");

    // One character of the claims changed.
    let mut forged = login.access_token;
    let at = forged.find('.').expect("a JWT has parts") + 10;
    let other = if forged.get(at..=at) == Some("A") {
        "B"
    } else {
        "A"
    };
    forged.replace_range(at..=at, other);
    let answer = get().bearer(&forged).send(proxy.address);
    assert_eq!(answer.status, 401);
}

fn the_right_token_passes_with_the_policys_headers(world: &World, proxy: &Proxy) {
    for alg in ["RS256", "ES256", "EdDSA"] {
        let e2e = json!({ "alg": alg, "claims": { "org_id": "acme-1" } });
        let token = world
            .provider
            .login("alice", "read:orders", Some(ORDERS), &e2e);
        let answer = Request::new("GET", "/orders?page=2")
            .bearer(&token.access_token)
            .send(proxy.address);
        assert_eq!(answer.status, 200, "{alg}: {answer:?}");
        let echo = answer.json();
        assert_eq!(echo["target"], "/orders?page=2");
        assert_eq!(echoed(&echo, "x-user-id"), ["alice"]);
        assert_eq!(echoed(&echo, "x-org-id"), ["acme-1"]);
    }

    // A body reaches the upstream, but not portcullis.
    let token = world.login("write:orders").access_token;
    let answer = Request::new("POST", "/orders")
        .bearer(&token)
        .body("application/json", "{\"item\":1}")
        .send(proxy.address);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["method"], "POST");
    assert_eq!(answer.json()["body_length"], 10);
}

/// A client that claims an identity in headers: on a route with a token, without one, and when the
/// token lacks the claim.
fn identity_headers_cannot_be_forged(kind: Kind, world: &World, proxy: &Proxy) {
    let machine = world
        .provider
        .machine_token(Some(ORDERS), "read:orders", &json!({}));
    let with_token = Request::new("GET", "/orders").bearer(&machine);
    let cases = [
        (Request::new("GET", "/health"), vec![]),
        (with_token, vec!["machine"]),
    ];
    for (request, user) in cases {
        let answer = request
            .clone()
            .header("x-user-id", "forged")
            .header("X-USER-ID", "forged")
            .header("X-Org-Id", "forged")
            .send(proxy.address);
        match kind {
            // portcullis can't tell these proxies what to remove, or can't be sure that they do it.
            Kind::Nginx | Kind::EnvoyHttp if answer.status != 200 => {
                assert_eq!(
                    (answer.status, reason(&answer)),
                    (403, Some("request.malformed"))
                );
            }
            Kind::Nginx
            | Kind::NginxModule
            | Kind::EnvoyHttp
            | Kind::EnvoyGrpc
            | Kind::EnvoyModule
            | Kind::Caddy => {
                assert_eq!(answer.status, 200, "{answer:?}");
                let echo = answer.json();
                assert_eq!(echoed(&echo, "x-user-id"), user);
                assert_eq!(echoed(&echo, "x-org-id"), Vec::<&str>::new(), "{echo}");
            }
        }

        // A header that `Connection` names would be dropped on its way to the upstream, even if the
        // policy set it.
        let answer = request
            .clone()
            .header("Connection", "close, x-user-id")
            .send(proxy.address);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(echoed(&answer.json(), "x-user-id"), user);

        for spelling in [
            "X_User_Id",
            "x_user_id",
            "X-User_Id",
            "x_user-id",
            "X_ORG_ID",
            "X.User.Id",
            "X+User~Id",
            "x-user.id",
            "X|Org|Id",
        ] {
            let answer = request
                .clone()
                .header(spelling, "forged")
                .send(proxy.address);
            // Some proxies refuse or drop such a name before they ask portcullis.
            match (answer.status, reason(&answer)) {
                (400, None) | (400 | 403, Some("request.malformed")) => {}
                (200, _) => assert!(
                    !answer.text().contains("forged"),
                    "{kind:?} {spelling}: {}",
                    answer.text()
                ),
                _ => panic!("{kind:?} {spelling}: {answer:?}"),
            }
        }
    }
}

fn what_is_missing_is_said(world: &World, proxy: &Proxy) {
    let token = world.login("read:orders").access_token;
    let post = Request::new("POST", "/orders").bearer(&token);
    let answer = assert_denied(world, proxy, &post, 403, "scope.missing");
    let challenge = answer
        .header("www-authenticate")
        .expect("the challenge names the scope");
    assert!(
        challenge.contains("error=\"insufficient_scope\""),
        "{challenge}"
    );
    assert!(challenge.contains("scope=\"write:orders\""), "{challenge}");

    let own = Request::new("GET", "/orgs/acme-1/orders").bearer(&token);
    assert_eq!(own.send(proxy.address).status, 200);
    let others = Request::new("GET", "/orgs/other/orders").bearer(&token);
    assert_denied(world, proxy, &others, 403, "claim.mismatch");
    let nowhere = Request::new("GET", "/nowhere").bearer(&token);
    assert_denied(world, proxy, &nowhere, 403, "request.no_route");
    let internal = Request::new("GET", "/internal/state").bearer(&token);
    assert_denied(world, proxy, &internal, 403, "request.denied");
    let elsewhere = Request::to_host("GET", "/health", "other.example.com");
    assert_denied(world, proxy, &elsewhere, 403, "request.no_route");
}

fn browsers_may_ask_and_may_read_why_not(world: &World, proxy: &Proxy) {
    let preflight = |origin, method| {
        Request::new("OPTIONS", "/orders")
            .header("Origin", origin)
            .header("Access-Control-Request-Method", method)
            .header("Access-Control-Request-Headers", "authorization")
    };
    // The application doesn't implement CORS and never sees the preflight.
    let before = world.upstream.received();
    let answer = preflight(PAGE, "POST").send(proxy.address);
    assert_eq!(answer.status, 204, "{answer:?}");
    for (name, value) in [
        ("access-control-allow-origin", PAGE),
        ("access-control-allow-methods", "POST"),
        ("access-control-allow-headers", "authorization"),
        ("access-control-max-age", "600"),
    ] {
        assert_eq!(
            answer.headers(name).collect::<Vec<_>>(),
            [value],
            "{answer:?}"
        );
    }
    assert_eq!(world.upstream.received(), before);
    // The page may also read the answer.
    let token = world.login("read:orders").access_token;
    let answer = Request::new("GET", "/orders")
        .bearer(&token)
        .header("Origin", PAGE)
        .send(proxy.address);
    assert_eq!(answer.status, 200, "{answer:?}");
    let origins: Vec<&str> = answer.headers("access-control-allow-origin").collect();
    assert_eq!(origins, [PAGE], "{answer:?}");
    let answer = Request::new("GET", "/orders")
        .bearer(&token)
        .header("Origin", "https://evil.example")
        .send(proxy.address);
    assert_eq!(answer.header("access-control-allow-origin"), None);
    // The application's own CORS headers don't appear beside portcullis'.
    let speaks = format!("/files{SPEAKS_CORS}");
    for (origin, origins, credentials) in
        [(PAGE, PAGE, "false"), ("https://evil.example", "*", "true")]
    {
        let request = Request::new("GET", &speaks).header("Origin", origin);
        let answer = request.send(proxy.address);
        assert_eq!(answer.status, 200, "{answer:?}");
        let all = |name| answer.headers(name).collect::<Vec<_>>();
        assert_eq!(all("access-control-allow-origin"), [origins], "{answer:?}");
        assert_eq!(
            all("access-control-allow-credentials"),
            [credentials],
            "{answer:?}"
        );
    }
    // No route for the method, or no listed origin: the preflight is denied.
    assert_eq!(preflight(PAGE, "DELETE").send(proxy.address).status, 403);
    assert_eq!(
        preflight("https://evil.example", "POST")
            .send(proxy.address)
            .status,
        403
    );

    let token = world.login("read:orders").access_token;
    let cases = [
        (Request::new("GET", "/orders"), 401, "token.missing"),
        (
            Request::new("POST", "/orders").bearer(&token),
            403,
            "scope.missing",
        ),
    ];
    for (request, status, code) in cases {
        let readable = request.clone().header("Origin", PAGE);
        let answer = assert_denied(world, proxy, &readable, status, code);
        assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE));
        let lists = |name, what: &str| {
            answer
                .headers(name)
                .flat_map(|value| value.split(','))
                .any(|value| value.trim().eq_ignore_ascii_case(what))
        };
        assert!(lists("vary", "origin"), "{answer:?}");
        assert!(
            lists("access-control-expose-headers", "www-authenticate"),
            "{answer:?}"
        );

        let foreign = request.header("Origin", "https://evil.example");
        let answer = assert_denied(world, proxy, &foreign, status, code);
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}

fn the_requests_own_faults_are_refused(kind: Kind, world: &World, proxy: &Proxy) {
    // nginx and Envoy over HTTP treat a 400 as a fault of portcullis.
    let malformed = match kind {
        Kind::EnvoyGrpc | Kind::EnvoyModule | Kind::NginxModule | Kind::Caddy => 400,
        Kind::EnvoyHttp | Kind::Nginx => 403,
    };
    let twice = Request::new("GET", "/files/a%2fb");
    assert_denied(world, proxy, &twice, malformed, "request.ambiguous_path");
}
