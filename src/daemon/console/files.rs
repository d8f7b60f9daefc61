//! The files of the console, as they are in `web/`.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{HeaderValue, Response, header};

use crate::runtime::Authorizer;

const HTML: &str = "text/html; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// A file with its path and media type.
macro_rules! file {
    ($path:literal, $media_type:expr) => {
        (
            concat!("/console/web/", $path),
            $media_type,
            include_str!(concat!("../../../web/", $path)),
        )
    };
}

/// The page, at `/`.
const PAGE: &str = include_str!("../../../web/console/index.html");

/// What the page loads.
const FILES: [(&str, &str, &str); 16] = [
    file!("components/changes.js", JAVASCRIPT),
    file!("components/chart.js", JAVASCRIPT),
    file!("components/dom.js", JAVASCRIPT),
    file!("components/excerpt.js", JAVASCRIPT),
    file!("components/problems.js", JAVASCRIPT),
    file!("components/style.css", CSS),
    file!("components/table.js", JAVASCRIPT),
    file!("components/verdict.js", JAVASCRIPT),
    file!("console/daemon.js", JAVASCRIPT),
    file!("console/decisions.js", JAVASCRIPT),
    file!("console/difference.js", JAVASCRIPT),
    file!("console/explain.js", JAVASCRIPT),
    file!("console/icon.svg", SVG),
    file!("console/main.js", JAVASCRIPT),
    file!("console/overview.js", JAVASCRIPT),
    file!("console/time.js", JAVASCRIPT),
];

/// The page and everything that it loads.
pub fn files() -> Router<Arc<Authorizer>> {
    let page = Router::new().route("/", get(|| async { answer(HTML, PAGE) }));
    FILES
        .into_iter()
        .fold(page, |router, (path, media_type, text)| {
            router.route(path, get(move || async move { answer(media_type, text) }))
        })
}

fn answer(media_type: &'static str, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    let media_type = HeaderValue::from_static(media_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type);
    response
}
