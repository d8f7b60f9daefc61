//! Servers that allow whatever they are asked, on the stack that the daemon uses: what its protocol
//! costs at least. `benches/wire/run` compares portcullis with them.
//!
//!     always_ok grpc 127.0.0.1:9291
//!     always_ok h2   127.0.0.1:9291   the same answer from hyper alone, without tonic
//!     always_ok http 127.0.0.1:9290

#![allow(missing_docs, reason = "a benchmark is no interface")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark that cannot go on should say so and stop"
)]

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, Response as Answer, StatusCode};
use envoy_types::ext_authz::v3::CheckResponseExt as _;
use envoy_types::ext_authz::v3::pb::{
    Authorization, AuthorizationServer, CheckRequest, CheckResponse,
};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use mimalloc::MiMalloc;
use tokio::net::TcpListener;
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
    let listener = TcpListener::bind(address).await.expect("a free port");
    let router = match protocol.as_str() {
        "grpc" => Routes::new(AuthorizationServer::new(AlwaysOk))
            .prepare()
            .into_axum_router(),
        "h2" => return serve_h2(listener).await,
        "http" => Router::new().fallback(async || StatusCode::OK),
        other => panic!("`{other}` is none of `grpc`, `h2` and `http`"),
    };
    axum::serve(listener, router).await.expect("a server");
}

async fn serve_h2(listener: TcpListener) {
    loop {
        let (connection, _) = listener.accept().await.expect("a connection");
        connection.set_nodelay(true).expect("a socket");
        tokio::spawn(
            http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(connection), service_fn(answer)),
        );
    }
}

/// What tonic would answer. The request is read, but not decoded.
async fn answer(
    request: hyper::Request<Incoming>,
) -> Result<Answer<impl Body<Data = Bytes, Error = Infallible>>, hyper::Error> {
    request.into_body().collect().await?;
    // The length in five bytes, and a status with nothing in it.
    let message = Full::new(Bytes::from_static(&[0, 0, 0, 0, 2, 0x0a, 0]));
    let trailers = HeaderMap::from_iter([(
        "grpc-status".parse().expect("a name"),
        HeaderValue::from_static("0"),
    )]);
    let mut answer = Answer::new(message.with_trailers(async { Some(Ok(trailers)) }));
    answer
        .headers_mut()
        .insert("content-type", HeaderValue::from_static("application/grpc"));
    Ok(answer)
}
