//! Invariant 7: all adapters decide a request in the same way.

use std::collections::BTreeSet;

use portcullis::runtime::metrics::Adapter;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use tonic::transport::Channel;

use portcullis::runtime::{Authorizer, Options, Prepared};

use super::grpc::{Encoding, ask, channel, check};
use super::harness::{Http, SERVERS, Testbed, by_server, read_answer, read_head};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// How the modules inside proxies read a request and take the decision.
#[path = "../../../modules/embed/src/decide.rs"]
#[allow(dead_code, reason = "a module of a proxy uses the rest")]
mod embedded;

/// A request that every proxy can send.
#[derive(Debug, Clone)]
struct Sample {
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, String)>,
}

/// Requests around the usual policy: near its routes, with and without what they need.
fn samples(tokens: Vec<String>) -> impl Strategy<Value = Sample> {
    let segment = prop_oneof![
        4 => prop::sample::select(vec![
            "health", "orders", "files", "mine", "acme-1", "internal", "secure", "a", "Orders",
        ])
        .prop_map(str::to_owned),
        2 => prop::sample::select(vec![
            "..", ".", "", "%2e%2e", "%2f", "%41", "%zz", "a;b", "a%00", "%C3%A9", "%25", "a.b",
            "~", "a+b", "a:b", "%5c",
        ])
        .prop_map(str::to_owned),
        1 => "[a-z0-9._~$&'()*+=:@-]{1,8}",
    ];
    let path =
        prop::collection::vec(segment, 0..4).prop_map(|parts| format!("/{}", parts.join("/")));
    let query = prop::option::of(prop::sample::select(vec![
        "", "a=b", "a=%zz", "x=1&x=2", "%2e",
    ]));
    let method = prop::sample::select(vec![
        "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "get", "FROB",
    ]);
    let authorization = prop_oneof![
        2 => Just(None),
        5 => prop::sample::select(tokens).prop_map(|token| Some(format!("Bearer {token}"))),
        1 => prop::sample::select(vec!["Basic YTpi", "Bearer", "Bearer a.b", "bearer x", "Bearer a,b"])
            .prop_map(|value| Some(value.to_owned())),
    ];
    let others = prop::sample::subsequence(
        vec![
            ("x-tier", "gold"),
            ("x-tier", "silver"),
            ("x.user.id", "mallory"),
            ("origin", "https://app.example.com"),
            ("access-control-request-method", "POST"),
            ("cookie", "a=b"),
        ],
        0..4,
    );
    (method, path, query, authorization, others).prop_map(
        |(method, path, query, authorization, others)| Sample {
            method,
            target: query.map_or(path.clone(), |query| format!("{path}?{query}")),
            headers: authorization
                .map(|value| ("authorization", value))
                .into_iter()
                .chain(
                    others
                        .into_iter()
                        .map(|(name, value)| (name, value.to_owned())),
                )
                .collect(),
        },
    )
}

/// An adapter's answer: the reason, and the user in the upstream's headers.
type Said = (String, Option<String>);

#[tokio::test]
async fn all_adapters_decide_alike() {
    let bed = Testbed::start().await;
    let peers = Peers::of(&bed).await;
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let tokens = vec![
        bed.token(json!({"scope": "read:orders"})),
        bed.token(json!({"scope": "read:orders write:orders", "org_id": "acme-1"})),
        bed.token(json!({"aud": "https://other.example.com"})),
        bed.token(json!({"exp": now - 1000})),
        bed.token(json!({"iss": "https://id.example.com"})),
        bed.token(json!({"sub": null})),
        "not-a-jwt".to_owned(),
    ];
    let mut runner = TestRunner::default();
    let strategy = samples(tokens);
    for _ in 0..300 {
        let sample = strategy.new_tree(&mut runner).expect("a sample").current();
        agree(&bed, &peers, &sample).await;
    }
}

/// A policy whose tokens may be in any place, for pages of the same origin, of another host and of
/// a stranger.
const PLACES: &str = r#"
issuer acme {
    url  "https://id.example.com/"
    keys file "keys.json"
}

api orders {
    host      "api.example.com"
    issuer    acme
    audience  "https://api.example.com"
    token in  header "x-access-token", cookie "session", query "access_token", subprotocol "bearer"
    cors      "https://app.example.com" with credentials
    forward   sub as "x-user-id"

    *  /orders  authenticated
}
"#;

/// Requests with a token in some places or in none, once in each.
fn placed(token: &str) -> impl Strategy<Value = Sample> {
    let places = prop::sample::subsequence(
        vec![
            ("authorization", format!("Bearer {token}")),
            ("x-access-token", token.to_owned()),
            ("x_access_token", token.to_owned()),
            ("cookie", format!("a=b; session={token}")),
            ("cookie", format!("session={token}; session={token}")),
            ("cookie", format!("a=b, session={token}")),
            ("sec-websocket-protocol", format!("bearer, {token}")),
        ],
        0..3,
    );
    let places = places.prop_filter("a header comes once", |places| {
        places.iter().filter(|(name, _)| *name == "cookie").count() < 2
    });
    // A cookie alone, which only some pages may use, would rarely come up by chance.
    let cookie = ("cookie", format!("a=b; session={token}"));
    let places = prop_oneof![3 => places, 1 => Just(vec![cookie])];
    let others = prop::sample::subsequence(
        vec![
            ("sec-websocket-version", "13".to_owned()),
            ("x_access_token", token.to_owned()),
        ],
        0..2,
    );
    let origin = prop::option::of(prop::sample::select(vec![
        "https://api.example.com",
        "https://app.example.com",
        "http://api.example.com",
        "https://evil.example",
        "null",
    ]));
    let method = prop::sample::select(vec!["GET", "HEAD", "POST", "DELETE", "OPTIONS"]);
    let queries = vec![
        "/orders".to_owned(),
        format!("/orders?access_token={token}"),
        format!("/orders?a=b&%61ccess_token={token}"),
        format!("/orders?access_token={token}&access_token={token}"),
        format!("/orders?a=b;access_token={token}"),
    ];
    let target = prop_oneof![
        3 => Just("/orders".to_owned()),
        1 => prop::sample::select(queries),
    ];
    (method, target, places, others, origin).prop_map(|(method, target, places, others, origin)| {
        let origin = origin.map(|origin| ("origin", origin.to_owned()));
        Sample {
            method,
            target,
            headers: places.into_iter().chain(others).chain(origin).collect(),
        }
    })
}

#[tokio::test]
async fn all_adapters_find_a_token_alike() {
    let bed = Testbed::with(PLACES, "").await;
    let peers = Peers::of(&bed).await;
    let token = bed.token(json!({}));
    let strategy = placed(&token);
    let mut runner = TestRunner::default();
    let mut seen = BTreeSet::new();
    for _ in 0..300 {
        let sample = strategy.new_tree(&mut runner).expect("a sample").current();
        seen.insert(agree(&bed, &peers, &sample).await);
    }
    // Each outcome occurred.
    for reason in [
        "allowed",
        "token.missing",
        "request.malformed",
        "request.condition",
    ] {
        assert!(seen.contains(reason), "{seen:?}");
    }
}

/// What asks beside `pdp`.
struct Peers {
    /// One for each server of the listeners for proxies.
    servers: [Testbed; 2],
    channels: [Channel; 2],
    /// The same policy without listeners, as a module has it.
    authorizer: Authorizer,
}

impl Peers {
    async fn of(bed: &Testbed) -> Peers {
        let prepared = Prepared::read(Options {
            config_file: Some(bed.folder().join("portcullis.yaml")),
            ..Options::default()
        });
        let opened = prepared.and_then(Prepared::open);
        let folder = bed.folder().join("policies");
        let [thin, general] = SERVERS.map(|server| by_server(server, ""));
        let policy = std::fs::read_to_string(bed.policy_file()).expect("the policy");
        let other = async |config: &str| {
            Testbed::prepared(&policy, config, |beside| {
                // The same issuer signs for both.
                std::fs::copy(folder.join("keys.json"), beside.join("keys.json"))
                    .expect("the keys");
            })
            .await
        };
        let others = [other(&thin).await, other(&general).await];
        Peers {
            channels: [channel(&others[0]).await, channel(&others[1]).await],
            servers: others,
            authorizer: opened.unwrap_or_else(|fault| panic!("{fault}")),
        }
    }
}

/// Asks each adapter, and returns the common answer.
async fn agree(bed: &Testbed, peers: &Peers, sample: &Sample) -> String {
    let mut said: Vec<(&str, Said)> = Vec::new();
    let (method, target) = (sample.method, &sample.target);
    for adapter in Adapter::ALL {
        let name = adapter.as_str();
        match adapter {
            Adapter::nginx | Adapter::forward | Adapter::envoy => {
                for bed in &peers.servers {
                    let request = match adapter {
                        Adapter::nginx => Http::nginx(method, target),
                        Adapter::forward => Http::forward(method, target),
                        _ => Http::envoy(method, target),
                    };
                    said.push((name, http(bed, sample, request).await));
                }
            }
            Adapter::grpc => {
                for channel in &peers.channels {
                    for encoding in [Encoding::Raw, Encoding::Joined] {
                        said.push((name, grpc(channel, sample, encoding).await));
                    }
                }
            }
            Adapter::pdp => said.push((name, pdp(bed, sample).await)),
            Adapter::envoy_module | Adapter::nginx_module => {
                said.push((name, in_process(&peers.authorizer, *adapter, sample).await));
            }
        }
    }
    let (_, first) = &said[0];
    assert!(
        said.iter().all(|(_, other)| other == first),
        "{sample:?}: {said:#?}"
    );
    first.0.clone()
}

async fn http(bed: &Testbed, sample: &Sample, request: Http) -> Said {
    let request = sample
        .headers
        .iter()
        .fold(request, |request, (name, value)| {
            request.header(name, value)
        });
    let mut http = TcpStream::connect(bed.address("http")).await.expect("open");
    let bytes = request.bytes();
    http.write_all(&bytes).await.expect("sent");
    // The answer to HEAD has the same length as to GET, and no body.
    let answer = if bytes.starts_with(b"HEAD ") {
        read_head(&mut http).await
    } else {
        read_answer(&mut http).await
    };
    let user = answer.header("x-user-id").map(str::to_owned);
    (answer.reason().to_owned(), user)
}

async fn grpc(channel: &Channel, sample: &Sample, encoding: Encoding) -> Said {
    let headers: Vec<(&str, &[u8])> = sample
        .headers
        .iter()
        .map(|(name, value)| (*name, value.as_bytes()))
        .collect();
    let request = check(encoding, sample.method, sample.target.as_bytes(), &headers);
    let verdict = ask(channel, request).await;
    let reason = match verdict.status {
        200 => "allowed",
        _ => verdict.outcome().1,
    };
    let user = verdict.header("x-user-id").map(str::to_owned);
    (reason.to_owned(), user)
}

async fn pdp(bed: &Testbed, sample: &Sample) -> Said {
    let mut headers = serde_json::Map::new();
    for (name, value) in &sample.headers {
        let list = headers.entry(*name).or_insert_with(|| json!([]));
        list.as_array_mut().expect("a list").push(json!(value));
    }
    let question = json!({
        "method": sample.method,
        "url": format!("https://api.example.com{}", sample.target),
        "headers": headers,
    });
    let request = Http::new("POST", "/v1/check").body(question.to_string());
    let answer: Value = bed.send("pdp", &request).await.json();
    let reason = answer["reason"].as_str().unwrap_or("allowed").to_owned();
    let user = answer["headers"]["x-user-id"].as_str().map(str::to_owned);
    (reason, user)
}

async fn in_process(authorizer: &Authorizer, adapter: Adapter, sample: &Sample) -> Said {
    let request = embedded::Request {
        method: sample.method.into(),
        target: sample.target.clone().into(),
        scheme: Some("https".into()),
        host: Some("api.example.com".into()),
        headers: sample
            .headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone().into()))
            .collect(),
        ..embedded::Request::default()
    };
    match embedded::decide(authorizer, adapter, request).await {
        embedded::Outcome::Allow(allow) => {
            let mut set = allow.set.into_iter();
            let user = set.find(|(name, _)| name == "x-user-id");
            ("allowed".to_owned(), user.map(|(_, value)| value))
        }
        embedded::Outcome::Respond(response) => {
            let mut headers = response.headers.into_iter();
            let reason = headers.find(|(name, _)| *name == "x-portcullis-reason");
            let reason = reason.map_or("allowed".to_owned(), |(_, reason)| reason);
            (reason, None)
        }
    }
}
