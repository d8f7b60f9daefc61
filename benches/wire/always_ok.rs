//! Servers that allow whatever they are asked, on the stack that the daemon uses: what its protocol
//! costs at least. `benches/wire/run` compares the daemon with them.
//!
//!     always_ok grpc 127.0.0.1:9291
//!     always_ok http 127.0.0.1:9290

#![allow(missing_docs, reason = "a benchmark is no interface")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark that cannot go on should say so and stop"
)]

use std::net::SocketAddr;

use axum::Router;
use axum::http::StatusCode;
use envoy_types::ext_authz::v3::CheckResponseExt as _;
use envoy_types::ext_authz::v3::pb::{
    Authorization, AuthorizationServer, CheckRequest, CheckResponse,
};
use mimalloc::MiMalloc;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

/// The daemon's allocator.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

struct AlwaysOk;

#[tonic::async_trait]
impl Authorization for AlwaysOk {
    async fn check(&self, _: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        Ok(Response::new(CheckResponse::with_status(Status::ok(""))))
    }
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    // `cargo bench` runs every target, with `--bench`.
    let (Some(protocol), Some(address)) = (arguments.next(), arguments.next()) else {
        return;
    };
    let address: SocketAddr = address.parse().expect("an address and a port");
    let router = match protocol.as_str() {
        "grpc" => Routes::new(AuthorizationServer::new(AlwaysOk))
            .prepare()
            .into_axum_router(),
        "http" => Router::new().fallback(async || StatusCode::OK),
        other => panic!("`{other}` is neither `grpc` nor `http`"),
    };
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .expect("a free port");
    axum::serve(listener, router).await.expect("a server");
}
