//! Many gRPC calls at once, and calls that never end.

use envoy_types::pb::envoy::service::auth::v3::CheckRequest;
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use serde_json::json;
use tonic::transport::Channel;

use super::grpc::{Encoding, ask, channel, check};
use super::harness::POLICY;
use super::harness::{SERVERS, served};

#[tokio::test]
async fn many_at_once_on_one_connection() {
    for server in SERVERS {
        let bed = served(server, POLICY, "").await;
        let channel = channel(&bed).await;
        let bearer = format!("Bearer {}", bed.token(json!({"scope": "read:orders"})));
        let mut requests = tokio::task::JoinSet::new();
        for number in 0..400 {
            let (channel, bearer) = (channel.clone(), bearer.clone());
            requests.spawn(async move {
                let headers: &[(&str, &[u8])] = &[("authorization", bearer.as_bytes())];
                let (path, status) =
                    [("/orders", 200), ("/health", 200), ("/nowhere", 403)][number % 3];
                let request = check(Encoding::Raw, "GET", path.as_bytes(), headers);
                assert_eq!(ask(&channel, request).await.status, status, "{path}");
            });
        }
        requests.join_all().await;
    }
}

/// Each open stream uses memory, and there may be several connections.
#[tokio::test]
async fn streams_are_bounded_over_all_connections() {
    for server in SERVERS {
        let bed = served(server, POLICY, "limits: {streams: 1}\n").await;
        let request = || check(Encoding::Raw, "GET", b"/health", &[]);
        let first = AuthorizationClient::new(Endless(channel(&bed).await));
        let endless = || {
            let mut first = first.clone();
            tokio::spawn(async move { first.check(CheckRequest::default()).await })
        };
        let mut open = endless();
        // Once the endless call has taken the room, another connection's Check is denied.
        let other = channel(&bed).await;
        let denied = async {
            loop {
                let verdict = ask(&other, request()).await;
                if verdict.status != 200 {
                    return verdict;
                }
                // The other Check may have had the room when the endless one came.
                if open.is_finished() {
                    open = endless();
                }
            }
        };
        let denied = tokio::time::timeout(PATIENCE, denied).await;
        let denied = denied.expect("the room is taken");
        assert_eq!(denied.outcome(), (503, "internal"));
        open.abort();
        let allowed = async { while ask(&other, request()).await.status != 200 {} };
        tokio::time::timeout(PATIENCE, allowed)
            .await
            .expect("the room is free again");
    }
}

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

/// A channel whose messages begin and never end.
#[derive(Clone)]
struct Endless(Channel);

impl tower::Service<http::Request<tonic::body::Body>> for Endless {
    type Response = http::Response<tonic::body::Body>;
    type Error = tonic::transport::Error;
    type Future = <Channel as tower::Service<http::Request<tonic::body::Body>>>::Future;

    fn poll_ready(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        tower::Service::poll_ready(&mut self.0, context)
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let (parts, _) = request.into_parts();
        let body = tonic::body::Body::new(Never);
        tower::Service::call(&mut self.0, http::Request::from_parts(parts, body))
    }
}

struct Never;

impl hyper::body::Body for Never {
    type Data = axum::body::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        std::task::Poll::Pending
    }
}
