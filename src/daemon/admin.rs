//! The listener `admin`: the console, health, readiness, metrics, the policy in force, and reloads.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

use super::bearer::{self, Token};
use super::console;
use crate::runtime::Authorizer;
use crate::runtime::clock::rfc3339;
use crate::runtime::metrics::{self, ReloadResult};
use crate::runtime::reload::{self, Cause, LastError};
use crate::text::escape_json;

/// The services behind the listener `admin`. With a token, everything that shows or changes something
/// needs it: all but the two probes, and the files of the console, which are the same everywhere.
pub fn router(authorizer: Arc<Authorizer>, token: Option<Token>) -> Router {
    let mut guarded = Router::new()
        .route("/metrics", get(metrics_text))
        .route("/policy", get(policy))
        .route("/reload", post(reload_now))
        .merge(console::data());
    if let Some(token) = token {
        guarded = guarded.route_layer(from_fn_with_state(token, bearer::required));
    }
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .merge(console::files())
        .merge(guarded)
        .with_state(authorizer)
}

/// The answer itself shows that the daemon is alive.
async fn healthz() -> &'static str {
    "ok\n"
}

async fn readyz(State(authorizer): State<Arc<Authorizer>>) -> Response<Body> {
    if !authorizer.is_ready() {
        return text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n");
    }
    match authorizer.settings().observed() {
        None => text(StatusCode::OK, "ready\n"),
        Some(what) => {
            let body = format!("ready; denials are not enforced, only observed, for {what}\n");
            text(StatusCode::OK, body)
        }
    }
}

async fn metrics_text(State(authorizer): State<Arc<Authorizer>>) -> Response<Body> {
    let mut response = Response::new(Body::from(authorizer.metrics().text()));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(metrics::CONTENT_TYPE),
    );
    response
}

async fn policy(State(authorizer): State<Arc<Authorizer>>) -> Response<Body> {
    json(StatusCode::OK, &state(&authorizer))
}

/// Reloads, and reports the outcome: 200 with `changed` or `unchanged`, 422 with the errors of a
/// policy that isn't taken, 409 while one of its files is open for writing.
async fn reload_now(State(authorizer): State<Arc<Authorizer>>) -> Response<Body> {
    let result = reload::now(&authorizer, Cause::Asked).await.result;
    let status = match result {
        ReloadResult::Changed | ReloadResult::Unchanged => StatusCode::OK,
        ReloadResult::Failed => StatusCode::UNPROCESSABLE_ENTITY,
        ReloadResult::Held => StatusCode::CONFLICT,
    };
    let mut body = json!({ "result": result.as_str() });
    if let (Value::Object(body), Value::Object(state)) = (&mut body, state(&authorizer)) {
        body.extend(state);
    }
    json(status, &body)
}

/// The policy in force, and the errors in the files, if there are any.
fn state(authorizer: &Authorizer) -> Value {
    let snapshot = authorizer.snapshot();
    json!({
        "revision": snapshot.revision,
        "loaded_at": rfc3339(snapshot.loaded_at),
        "files": snapshot
            .files
            .iter()
            .map(|file| json!({ "path": file.path, "bytes": file.bytes, "sha256": file.digest }))
            .collect::<Vec<_>>(),
        "last_error": authorizer.last_error().map(shown),
        "candidate": authorizer.candidate().map(|candidate| {
            let snapshot = candidate.snapshot();
            json!({
                "revision": snapshot.as_ref().map(|snapshot| &snapshot.revision),
                "loaded_at": snapshot.as_ref().map(|snapshot| rfc3339(snapshot.loaded_at)),
                "last_error": candidate.last_error().map(shown),
            })
        }),
        "observed": authorizer.settings().observed(),
    })
}

fn shown(error: LastError) -> Value {
    json!({ "at": rfc3339(error.at), "message": error.message })
}

fn text(status: StatusCode, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
}

fn json(status: StatusCode, value: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(format!(
        "{}\n",
        escape_json(&format!("{value:#}"))
    )));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}
