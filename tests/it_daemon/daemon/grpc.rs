//! Envoy's `ext_authz` over gRPC: what Envoy sends, and what it never should.

use std::collections::HashMap;
use std::net::SocketAddr;

use envoy_types::pb::envoy::config::core::v3::address::Address as Kind;
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{
    Address, HeaderMap, HeaderValue, HeaderValueOption, SocketAddress,
};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer, Request};
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest, CheckResponse};
use serde_json::json;
use tonic::transport::Channel;

use super::harness::{POLICY, SERVERS, Testbed, served};

/// How Envoy encodes the headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// `encode_raw_headers`
    Raw,
    /// One value per name, joined by commas.
    Joined,
}

/// Envoy's message for a request.
pub fn check(
    encoding: Encoding,
    method: &str,
    target: &[u8],
    headers: &[(&str, &[u8])],
) -> CheckRequest {
    let shown = |bytes: &[u8]| -> String {
        bytes
            .iter()
            .map(|byte| {
                if byte.is_ascii() {
                    char::from(*byte)
                } else {
                    '!'
                }
            })
            .collect()
    };
    let mut http = HttpRequest {
        method: method.to_owned(),
        path: shown(target),
        host: "api.example.com".to_owned(),
        scheme: "https".to_owned(),
        size: -1,
        ..HttpRequest::default()
    };
    let pseudo: [(&str, &[u8]); 4] = [
        (":method", method.as_bytes()),
        (":path", target),
        (":authority", b"api.example.com"),
        (":scheme", b"https"),
    ];
    let all = pseudo.iter().chain(headers);
    match encoding {
        Encoding::Raw => {
            http.header_map = Some(HeaderMap {
                headers: all
                    .map(|(name, value)| HeaderValue {
                        key: (*name).to_owned(),
                        value: String::new(),
                        raw_value: value.to_vec(),
                    })
                    .collect(),
            });
        }
        Encoding::Joined => {
            let mut joined: HashMap<String, String> = HashMap::new();
            for (name, value) in all {
                let value = shown(value);
                joined
                    .entry((*name).to_owned())
                    .and_modify(|before| *before = format!("{before},{value}"))
                    .or_insert(value);
            }
            http.headers = joined;
        }
    }
    CheckRequest {
        attributes: Some(AttributeContext {
            source: Some(Peer {
                address: Some(Address {
                    address: Some(Kind::SocketAddress(SocketAddress {
                        address: "192.0.2.7".to_owned(),
                        ..SocketAddress::default()
                    })),
                }),
                ..Peer::default()
            }),
            request: Some(Request {
                http: Some(http),
                ..Request::default()
            }),
            ..AttributeContext::default()
        }),
    }
}

/// A connection to the listener.
pub async fn channel(bed: &Testbed) -> Channel {
    connect(bed.address("grpc")).await
}

/// A connection to the listener of a daemon at this address.
pub async fn connect(address: SocketAddr) -> Channel {
    Channel::from_shared(format!("http://{address}"))
        .expect("a URI")
        .connect()
        .await
        .expect("a connection")
}

/// The meaning of a CheckResponse to Envoy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The status for the client; 200 for an allow.
    pub status: i32,
    /// The headers set: for the upstream on an allow, otherwise for the client.
    pub set: Vec<(String, String)>,
    /// The headers removed.
    pub removed: Vec<String>,
    /// The body for the client.
    pub body: String,
}

impl Verdict {
    /// Reads a response as Envoy does: a missing or zero status allows.
    pub fn of(response: &CheckResponse) -> Verdict {
        let code = response.status.as_ref().map_or(0, |status| status.code);
        let pairs = |headers: &[HeaderValueOption]| -> Vec<(String, String)> {
            headers
                .iter()
                .map(|option| {
                    let action = HeaderAppendAction::OverwriteIfExistsOrAdd as i32;
                    assert_eq!(option.append_action, action, "{option:?}");
                    let header = option.header.clone().expect("a header");
                    (header.key, header.value)
                })
                .collect()
        };
        match response.http_response.as_ref().expect("an HTTP response") {
            HttpResponse::OkResponse(allow) => {
                assert_eq!(code, 0, "an allow with a status that denies");
                Verdict {
                    status: 200,
                    set: pairs(&allow.headers),
                    removed: allow.headers_to_remove.clone(),
                    body: String::new(),
                }
            }
            HttpResponse::DeniedResponse(denied) => {
                assert_ne!(code, 0, "a denial that Envoy takes for an allow");
                Verdict {
                    status: denied.status.as_ref().expect("a status").code,
                    set: pairs(&denied.headers),
                    removed: Vec::new(),
                    body: denied.body.clone(),
                }
            }
            HttpResponse::ErrorResponse(_) => panic!("an error is an allow to some"),
        }
    }

    /// The value of a header that is set.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.set
            .iter()
            .find(|(header, _)| header == name)
            .map(|(_, value)| value.as_str())
    }

    /// Status and reason.
    pub fn outcome(&self) -> (i32, &str) {
        (
            self.status,
            self.header("x-portcullis-reason").unwrap_or(""),
        )
    }
}

/// Asks for one decision.
pub async fn ask(channel: &Channel, request: CheckRequest) -> Verdict {
    let response = AuthorizationClient::new(channel.clone())
        .check(request)
        .await
        .expect("an answer, not an error");
    for name in ["x-portcullis-reason", "x-portcullis-decision"] {
        assert!(response.metadata().contains_key(name), "{name}");
    }
    Verdict::of(response.get_ref())
}

const ENCODINGS: [Encoding; 2] = [Encoding::Raw, Encoding::Joined];

#[tokio::test]
async fn it_allows_and_denies() {
    for server in SERVERS {
        let bed = served(server, POLICY, "").await;
        let channel = channel(&bed).await;
        let token = bed.token(json!({"scope": "read:orders"}));
        let bearer = format!("Bearer {token}");
        for encoding in ENCODINGS {
            let headers: &[(&str, &[u8])] = &[
                ("authorization", bearer.as_bytes()),
                ("x-user-id", b"mallory"),
            ];
            let allowed = ask(&channel, check(encoding, "GET", b"/orders?a=b", headers)).await;
            assert_eq!(allowed.status, 200);
            assert_eq!(allowed.header("x-user-id"), Some("alice"));
            assert!(
                allowed.removed.contains(&"x-org-id".to_owned()),
                "{allowed:?}"
            );
            let both = allowed
                .set
                .iter()
                .find(|(name, _)| allowed.removed.contains(name));
            assert_eq!(both, None, "Envoy removes after it sets");

            let missing = ask(&channel, check(encoding, "GET", b"/orders", &[])).await;
            assert_eq!(missing.outcome(), (401, "token.missing"));
            assert!(
                missing
                    .header("www-authenticate")
                    .is_some_and(|value| value.starts_with("Bearer"))
            );
            assert_eq!(
                missing.header("content-type"),
                Some("application/problem+json")
            );
            let problem: serde_json::Value = serde_json::from_str(&missing.body).expect("JSON");
            assert_eq!(problem["reason"], "token.missing");

            let scope = ask(&channel, check(encoding, "POST", b"/orders", headers)).await;
            assert_eq!(scope.outcome(), (403, "scope.missing"));
            let nowhere = ask(&channel, check(encoding, "GET", b"/nowhere", &[])).await;
            assert_eq!(nowhere.outcome(), (403, "request.no_route"));
            let ambiguous = ask(&channel, check(encoding, "GET", b"/files/%2e%2e", &[])).await;
            assert_eq!(ambiguous.outcome(), (400, "request.ambiguous_path"));
        }
    }
}

#[tokio::test]
async fn raw_bytes_and_marks_in_their_place() {
    for server in SERVERS {
        let bed = served(server, POLICY, "").await;
        let channel = channel(&bed).await;
        let bearer = format!("Bearer {}", bed.token(json!({})));
        let headers: &[(&str, &[u8])] = &[("authorization", bearer.as_bytes())];
        for (encoding, path, outcome) in [
            (Encoding::Raw, &b"/files/a!b"[..], (200, "")),
            (
                Encoding::Joined,
                b"/files/a!b",
                (400, "request.ambiguous_path"),
            ),
            (
                Encoding::Raw,
                b"/files/a\xc3\xa9",
                (400, "request.ambiguous_path"),
            ),
            (
                Encoding::Joined,
                b"/files/a\xc3\xa9",
                (400, "request.ambiguous_path"),
            ),
            (
                Encoding::Raw,
                b"/files/a\xff",
                (400, "request.ambiguous_path"),
            ),
            (Encoding::Raw, b"/files/a%C3%A9", (200, "")),
        ] {
            let verdict = ask(&channel, check(encoding, "GET", path, headers)).await;
            assert_eq!(
                verdict.outcome(),
                outcome,
                "{encoding:?} {}",
                String::from_utf8_lossy(path)
            );
        }
    }
}

#[tokio::test]
async fn headers_that_came_twice_are_seen_as_that() {
    for server in SERVERS {
        let bed = served(server, POLICY, "").await;
        let channel = channel(&bed).await;
        let bearer = format!("Bearer {}", bed.token(json!({"scope": "read:orders"})));
        let twice: &[(&str, &[u8])] = &[
            ("authorization", bearer.as_bytes()),
            ("authorization", bearer.as_bytes()),
        ];
        let tiers: &[(&str, &[u8])] = &[("x-tier", b"gold"), ("x-tier", b"gold")];
        for encoding in ENCODINGS {
            let verdict = ask(&channel, check(encoding, "GET", b"/orders", twice)).await;
            assert_eq!(
                verdict.outcome(),
                (400, "request.malformed"),
                "{encoding:?}"
            );
            let verdict = ask(&channel, check(encoding, "GET", b"/secure", tiers)).await;
            assert_eq!(
                verdict.outcome(),
                (403, "request.condition"),
                "{encoding:?}"
            );
            let verdict = ask(&channel, check(encoding, "GET", b"/secure", &tiers[..1])).await;
            assert_eq!(verdict.status, 200, "{encoding:?}");
        }
        // A repeated pseudo-header is refused.
        for name in [":path", ":method", ":authority"] {
            let mut request = check(Encoding::Raw, "GET", b"/health", &[]);
            raw(&mut request).push(HeaderValue {
                key: name.to_owned(),
                raw_value: b"/health".to_vec(),
                ..HeaderValue::default()
            });
            let verdict = ask(&channel, request).await;
            assert_eq!(verdict.outcome(), (400, "request.malformed"), "{name}");
        }
    }
}

fn http(request: &mut CheckRequest) -> &mut HttpRequest {
    request
        .attributes
        .as_mut()
        .and_then(|attributes| attributes.request.as_mut())
        .and_then(|request| request.http.as_mut())
        .expect("an HTTP request")
}

fn raw(request: &mut CheckRequest) -> &mut Vec<HeaderValue> {
    &mut http(request)
        .header_map
        .as_mut()
        .expect("raw headers")
        .headers
}

#[tokio::test]
async fn what_is_missing_is_malformed() {
    for server in SERVERS {
        let bed = served(server, POLICY, "").await;
        let channel = channel(&bed).await;
        let mut requests = vec![
            CheckRequest::default(),
            CheckRequest {
                attributes: Some(AttributeContext::default()),
            },
            CheckRequest {
                attributes: Some(AttributeContext {
                    request: Some(Request::default()),
                    ..AttributeContext::default()
                }),
            },
        ];
        for field in 0..3 {
            let mut request = check(Encoding::Joined, "GET", b"/health", &[]);
            let http = http(&mut request);
            let cleared = [&mut http.method, &mut http.path, &mut http.host];
            *cleared.into_iter().nth(field).expect("a field") = String::new();
            requests.push(request);
        }
        for request in requests {
            let verdict = ask(&channel, request).await;
            assert_eq!(verdict.outcome(), (400, "request.malformed"));
        }
    }
}

#[tokio::test]
async fn address_and_scheme_have_the_source_that_is_named() {
    for server in SERVERS {
        let named = served(server, POLICY, "adapters: {grpc: {address: attribute}}\n").await;
        let header = served(
            server,
            POLICY,
            "adapters: {grpc: {address: \"header:x-real-ip\"}}\n",
        )
        .await;
        let unnamed = served(server, POLICY, "").await;
        for encoding in ENCODINGS {
            let office = || check(encoding, "GET", b"/office", &[]);
            assert_eq!(ask(&channel(&named).await, office()).await.status, 200);
            let verdict = ask(&channel(&unnamed).await, office()).await;
            assert_eq!(verdict.outcome(), (403, "request.condition"));
            let mut without = office();
            without.attributes.as_mut().expect("attributes").source = None;
            let verdict = ask(&channel(&named).await, without).await;
            assert_eq!(verdict.outcome(), (400, "request.malformed"));

            let channel = channel(&header).await;
            let real: &[(&str, &[u8])] = &[("x-real-ip", b"192.0.2.9")];
            assert_eq!(
                ask(&channel, check(encoding, "GET", b"/office", real))
                    .await
                    .status,
                200
            );
            let two: &[(&str, &[u8])] = &[("x-real-ip", b"192.0.2.9"), ("x-real-ip", b"192.0.2.9")];
            for headers in [&[][..], two] {
                let verdict = ask(&channel, check(encoding, "GET", b"/office", headers)).await;
                assert_eq!(verdict.outcome(), (400, "request.malformed"));
            }
        }
    }
}

/// To Envoy a gRPC error is an outage, which `failure_mode_allow` lets through.
#[tokio::test]
async fn a_message_that_can_not_be_read_is_denied_and_no_error() {
    for server in SERVERS {
        let bed = served(server, POLICY, "limits: {body_bytes: 10000}\n").await;
        let channel = channel(&bed).await;
        let huge = vec![0x0a; 20_000];
        for message in [
            // No field begins like this.
            &[0xff, 0xff, 0xff][..],
            // A field that is longer than the message.
            &[0x0a, 0x7f, 0x00],
            // A path that is not UTF-8, where it must be.
            &[0x0a, 0x07, 0x22, 0x05, 0x12, 0x03, 0x22, 0x01, 0xff],
            &huge,
        ] {
            let replacing = Replacing {
                channel: channel.clone(),
                message: message.to_vec(),
            };
            let response = AuthorizationClient::new(replacing)
                .check(CheckRequest::default())
                .await
                .expect("an answer, not an error");
            let verdict = Verdict::of(response.get_ref());
            assert_eq!(verdict.outcome(), (400, "request.malformed"), "{message:?}");
        }
        // And the connection still works.
        let health = check(Encoding::Raw, "GET", b"/health", &[]);
        assert_eq!(ask(&channel, health).await.status, 200);
    }
}

#[tokio::test]
async fn health_is_told_to_who_asks() {
    for server in SERVERS {
        use tonic_health::pb::HealthCheckRequest;
        use tonic_health::pb::health_check_response::ServingStatus;
        use tonic_health::pb::health_client::HealthClient;
        let bed = served(server, POLICY, "").await;
        let mut health = HealthClient::new(channel(&bed).await);
        for service in ["", "envoy.service.auth.v3.Authorization"] {
            let request = HealthCheckRequest {
                service: service.to_owned(),
            };
            let answer = health.check(request).await.expect("an answer");
            assert_eq!(answer.get_ref().status(), ServingStatus::Serving);
        }
        let mut watch = health
            .watch(HealthCheckRequest::default())
            .await
            .expect("a watch")
            .into_inner();
        let first = watch.message().await.expect("a message").expect("a status");
        assert_eq!(first.status(), ServingStatus::Serving);
        let end = tokio::spawn(bed.running.shutdown());
        let second = watch.message().await.expect("a message").expect("a status");
        assert_eq!(second.status(), ServingStatus::NotServing);
        drop((watch, health));
        end.await.expect("an orderly end");
    }
}

/// A channel that replaces every message with these bytes.
#[derive(Clone)]
struct Replacing {
    channel: Channel,
    message: Vec<u8>,
}

impl tower::Service<http::Request<tonic::body::Body>> for Replacing {
    type Response = http::Response<tonic::body::Body>;
    type Error = tonic::transport::Error;
    type Future = <Channel as tower::Service<http::Request<tonic::body::Body>>>::Future;

    fn poll_ready(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        tower::Service::poll_ready(&mut self.channel, context)
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let length = u32::try_from(self.message.len()).expect("a length");
        let mut framed = vec![0];
        framed.extend(length.to_be_bytes());
        framed.extend(&self.message);
        let body = tonic::body::Body::new(http_body_util::Full::from(framed));
        tower::Service::call(&mut self.channel, request.map(|_| body))
    }
}

/// Headers that could lead an application to another host, scheme or path.
#[tokio::test]
async fn headers_that_contradict_what_was_judged_are_removed_or_refused() {
    for server in SERVERS {
        let bed = served(server, POLICY, "").await;
        let channel = channel(&bed).await;
        for encoding in ENCODINGS {
            for name in [
                "forwarded",
                "x-forwarded-host",
                "x-forwarded-port",
                "x-forwarded-scheme",
                "x-forwarded-ssl",
                "x-forwarded-prefix",
                "x-original-url",
                "x-rewrite-url",
                "x-real-ip",
                // Spellings that PHP and others treat as one of them.
                "x_forwarded_host",
                "x.original.url",
                "x.forwarded-for",
                "x_forwarded_proto",
            ] {
                let headers: &[(&str, &[u8])] = &[(name, b"globex.example.com")];
                let allowed = ask(&channel, check(encoding, "GET", b"/health", headers)).await;
                assert_eq!(allowed.status, 200, "{name}");
                assert!(
                    allowed.removed.contains(&name.to_owned()),
                    "{name}: {allowed:?}"
                );
            }
            for name in [
                "x-http-method-override",
                "x-http-method",
                "X.Method.Override",
            ] {
                let headers: &[(&str, &[u8])] = &[(name, b"DELETE")];
                let denied = ask(&channel, check(encoding, "GET", b"/health", headers)).await;
                assert_eq!(denied.outcome(), (400, "request.malformed"), "{name}");
            }
            // Headers that Envoy itself sets, replacing the client's.
            let headers: &[(&str, &[u8])] = &[
                ("x-forwarded-proto", b"https"),
                ("x-forwarded-for", b"192.0.2.1"),
                ("x-envoy-external-address", b"192.0.2.1"),
                ("x-request-id", b"1"),
            ];
            let allowed = ask(&channel, check(encoding, "GET", b"/health", headers)).await;
            for (name, _) in headers {
                assert!(
                    !allowed.removed.contains(&(*name).to_owned()),
                    "{name}: {allowed:?}"
                );
            }
        }
        // If Envoy doesn't send them (`allowed_headers`), they are removed too.
        let allowed = ask(&channel, check(Encoding::Raw, "GET", b"/health", &[])).await;
        for name in ["x-forwarded-host", "x-http-method-override"] {
            assert!(allowed.removed.contains(&name.to_owned()), "{allowed:?}");
        }
    }
}

#[tokio::test]
async fn a_header_that_a_trusted_proxy_sets_is_handed_on() {
    for server in SERVERS {
        let config = "adapters:\n  grpc:\n    address: header:x-real-ip\n    trusted_headers: [x-forwarded-host, x-http-method]\n";
        let bed = served(server, POLICY, config).await;
        let channel = channel(&bed).await;
        let headers: &[(&str, &[u8])] = &[
            ("x-real-ip", b"192.0.2.1"),
            ("x-forwarded-host", b"api.example.com"),
            ("x-http-method", b"GET"),
            ("x_forwarded_host", b"globex.example.com"),
        ];
        let allowed = ask(&channel, check(Encoding::Raw, "GET", b"/health", headers)).await;
        assert_eq!(allowed.status, 200, "{allowed:?}");
        for name in ["x-real-ip", "x-forwarded-host", "x-http-method"] {
            assert!(!allowed.removed.contains(&name.to_owned()), "{name}");
        }
        for name in ["x_forwarded_host", "x-forwarded-port"] {
            assert!(allowed.removed.contains(&name.to_owned()), "{name}");
        }
    }
}
