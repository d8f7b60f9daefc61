//! Envoy's `ext_authz` over gRPC, and gRPC health.
//!
//! Envoy treats a gRPC error as an outage, which `failure_mode_allow` lets through. So this service
//! must never answer a Check with an error: whatever happens, the answer is a CheckResponse.

#[doc(hidden)]
pub mod fuzzed;
mod messages;
mod parse;
mod read;
mod respond;
mod seen;
mod streams;
mod thin;
mod write;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use tonic::metadata::{Ascii, MetadataKey, MetadataMap};
use tonic::server::{Grpc, UnaryService};
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, HealthService};
use tonic_prost::ProstCodec;

use messages::{CheckRequest, CheckResponse};
use seen::Seen;
use streams::Streams;

use super::row::{Path, Place, Reader, Row};
use super::waits;
use crate::daemon::listen::Service;
use crate::daemon::listen::thin::Serve;
use crate::runtime::Authorizer;
use crate::runtime::config::ListenerServer;
use crate::runtime::contradicting;
use crate::runtime::decided::Decided;
use crate::runtime::metrics::Adapter;

/// The path of the only method.
pub const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

/// This adapter's row.
pub const ROW: Row = Row {
    path: Path::At(CHECK),
    method: Place::CheckRequest,
    target: Place::CheckRequest,
    host: Place::CheckRequest,
    scheme: Place::Configured,
    address: Place::Configured,
    certificate: Place::Configured,
    reader: Reader::Itself,
};

/// The service name for health checks, in addition to the empty one.
const SERVICE: &str = "envoy.service.auth.v3.Authorization";

/// An empty message in gRPC's framing: uncompressed, zero bytes.
const EMPTY_MESSAGE: &[u8] = &[0; 5];

/// The service behind the listener `grpc`.
pub fn service(
    authorizer: Arc<Authorizer>,
    health: HealthReporter,
    server: ListenerServer,
) -> Service {
    let router = router(authorizer.clone(), health);
    let thin: Option<Box<dyn Serve>> = match server {
        ListenerServer::General => None,
        ListenerServer::Thin => Some(Box::new(thin::server(authorizer, router.clone()))),
    };
    Service { router, thin }
}

fn router(authorizer: Arc<Authorizer>, health: HealthReporter) -> Router {
    let streams = Streams::new(authorizer.settings().limits.streams);
    let health = HealthService::from_health_reporter(health);
    Routes::new(tonic_health::pb::health_server::HealthServer::new(health))
        .prepare()
        .into_axum_router()
        .layer(middleware::from_fn_with_state(
            Guard {
                authorizer,
                streams,
            },
            never_an_error,
        ))
}

/// Reports to health checks whether requests can be decided.
pub async fn set_health(health: &HealthReporter, serving: bool) {
    let status = if serving {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    };
    for service in ["", SERVICE] {
        health.set_service_status(service, status).await;
    }
}

/// The only method of the service.
struct Check(Arc<Authorizer>);

impl UnaryService<CheckRequest> for Check {
    type Response = CheckResponse;
    type Future = Pin<Box<dyn Future<Output = Checked> + Send>>;

    fn call(&mut self, request: tonic::Request<CheckRequest>) -> Self::Future {
        let authorizer = self.0.clone();
        Box::pin(async move { Ok(check(&authorizer, request).await) })
    }
}

/// The error is never used.
type Checked = Result<tonic::Response<CheckResponse>, tonic::Status>;

async fn check(
    authorizer: &Authorizer,
    request: tonic::Request<CheckRequest>,
) -> tonic::Response<CheckResponse> {
    if request.extensions().get::<Overloaded>().is_some() {
        // A denial removes no headers.
        return authorizer.overloaded(Adapter::grpc, |decided| respond(decided, &[]));
    }
    let timeout = request.metadata().get("grpc-timeout");
    waits::by_grpc(authorizer, timeout.map(|timeout| timeout.as_bytes()));
    let check = request.into_inner();
    decide(authorizer, &Seen::from(&check), respond).await
}

/// Decides a Check. `respond` makes the answer; an allow also removes the headers that it is given.
async fn decide<R>(
    authorizer: &Authorizer,
    check: &Seen<'_>,
    respond: impl Fn(&Decided<'_>, &[&str]) -> R,
) -> R {
    let settings = authorizer.settings();
    let read = || read::read(check, &settings.adapters.grpc);
    authorizer
        .decide(Adapter::grpc, read, |decided| {
            let trusted = settings.adapters.grpc.trusted();
            respond(
                decided,
                &contradicting::removed(read::names(check), Adapter::grpc, &trusted),
            )
        })
        .await
}

/// How long a message may take to arrive and be answered.
fn patience(authorizer: &Authorizer) -> Duration {
    let settings = authorizer.settings();
    settings.limits.header_timeout.get() + settings.deadline.get()
}

/// The headers of an allow that belong in the gRPC response itself. Envoy would otherwise send them
/// only to the upstream.
fn own_headers<'a>(
    headers: &'a [(&'static str, String)],
) -> impl Iterator<Item = (&'static str, &'a str)> {
    headers
        .iter()
        .filter(|(name, _)| name.starts_with("x-portcullis-"))
        .map(|(name, value)| (*name, value.as_str()))
}

/// Marks a Check that has to be denied without being read.
#[derive(Debug, Clone, Copy)]
struct Overloaded;

fn respond(decided: &Decided<'_>, contradicting: &[&str]) -> tonic::Response<CheckResponse> {
    let answer = decided.answer(|status| status);
    let mut message = Vec::new();
    respond::check_response(decided.decision, &answer, contradicting, &mut message);
    let mut response = tonic::Response::new(CheckResponse(message));
    copy_own_headers(&answer.headers, response.metadata_mut());
    response
}

fn copy_own_headers(headers: &[(&'static str, String)], metadata: &mut MetadataMap) {
    for (name, value) in own_headers(headers) {
        if let (Ok(name), Ok(value)) = (name.parse::<MetadataKey<Ascii>>(), value.parse()) {
            metadata.insert(name, value);
        }
    }
}

/// Makes sure that every Check is answered.
#[derive(Clone)]
struct Guard {
    authorizer: Arc<Authorizer>,
    streams: Streams,
}

impl Guard {
    /// Answers a Check; with a gRPC error if it can't be read.
    async fn answer(&self, check: Request) -> Response {
        let limit = self.authorizer.settings().limits.body_bytes;
        Grpc::new(ProstCodec::default())
            .max_decoding_message_size(limit)
            .unary(Check(self.authorizer.clone()), check)
            .await
            .map(Body::new)
    }
}

/// Answers a Check that couldn't be read (too large, too slow, not protobuf, not UTF-8) like an
/// empty one, which is denied, and denies a Check if there is no room.
async fn never_an_error(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    if request.uri().path() != CHECK {
        return match guard.streams.other() {
            Some(room) => streams::hold(next.run(request).await, room),
            None => no_room(),
        };
    }
    let mut empty = empty_check(&request);
    let Some(room) = guard.streams.check() else {
        empty.extensions_mut().insert(Overloaded);
        return guard.answer(empty).await;
    };
    let response = tokio::time::timeout(patience(&guard.authorizer), guard.answer(request)).await;
    let fault = match response {
        Ok(response) => match error_of(&response) {
            None => return streams::hold(response, room),
            Some(fault) => fault,
        },
        Err(_) => "it did not arrive in time".to_owned(),
    };
    unreadable(&fault);
    streams::hold(guard.answer(empty).await, room)
}

fn unreadable(fault: &str) {
    tracing::warn!(fault, "a CheckRequest could not be read, and is denied");
}

/// The same call with an empty message.
fn empty_check(request: &Request) -> Request {
    let mut empty = Request::new(Body::from(EMPTY_MESSAGE));
    *empty.method_mut() = http::Method::POST;
    *empty.uri_mut() = request.uri().clone();
    *empty.version_mut() = request.version();
    *empty.headers_mut() = request.headers().clone();
    // The sender's statements about the body and its timeout don't apply to this one.
    for name in ["content-length", "grpc-encoding", "grpc-timeout"] {
        empty.headers_mut().remove(name);
    }
    empty
}

/// The answer if there is no room for a call other than a Check.
fn no_room() -> Response {
    tonic::Status::resource_exhausted("too many calls are open").into_http()
}

/// The error message of a gRPC error: its status is in the headers.
fn error_of(response: &Response) -> Option<String> {
    let text = |name: &str| {
        let value = response.headers().get(name)?;
        Some(value.to_str().unwrap_or("?"))
    };
    let status = text("grpc-status")?;
    Some(format!(
        "status {status}: {}",
        text("grpc-message").unwrap_or("")
    ))
}
