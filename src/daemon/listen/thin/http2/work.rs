//! The calls of a connection that are not answered at once, and the requests for the router.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use futures_util::future::{AbortHandle, Abortable};
use futures_util::stream::{FuturesUnordered, Stream as _};
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Frame;
use tower::ServiceExt;

use super::Hot;
use super::call::{Call, Calls, Reply};
use super::hpack;

/// What a connection waits for.
pub struct Work<H> {
    hot: Arc<H>,
    router: Router,
    running: FuturesUnordered<Abortable<Running>>,
    handles: BTreeMap<u32, AbortHandle>,
}

type Running = Pin<Box<dyn Future<Output = Done> + Send>>;

/// A step that is done, and its stream.
pub enum Done {
    /// The hot call is answered.
    Replied(u32, Reply),
    /// The router has begun an answer.
    Began(u32, Response<Body>),
    /// The body of an answer has gone on, or is at its end.
    WentOn(u32, Option<Result<Frame<Bytes>, axum::Error>>, Body),
}

impl<H: Hot> Work<H> {
    pub fn new(hot: Arc<H>, router: Router) -> Work<H> {
        Work {
            hot,
            router,
            running: FuturesUnordered::new(),
            handles: BTreeMap::new(),
        }
    }

    /// The next step that is done.
    pub fn done(&mut self, cx: &mut Context<'_>) -> Poll<Done> {
        while !self.running.is_empty() {
            match Pin::new(&mut self.running).poll_next(cx) {
                Poll::Ready(Some(Ok(done))) => {
                    let (Done::Replied(stream, _)
                    | Done::Began(stream, _)
                    | Done::WentOn(stream, ..)) = &done;
                    self.handles.remove(stream);
                    return Poll::Ready(done);
                }
                // It was given up.
                Poll::Ready(Some(Err(_))) => {}
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        Poll::Pending
    }

    /// Waits for the next part of an answer's body.
    pub fn go_on(&mut self, stream: u32, mut body: Body) {
        self.run(
            stream,
            Box::pin(async move {
                let frame = body.frame().await;
                Done::WentOn(stream, frame, body)
            }),
        );
    }

    fn run(&mut self, stream: u32, running: Running) {
        let (handle, registration) = AbortHandle::new_pair();
        self.running.push(Abortable::new(running, registration));
        self.handles.insert(stream, handle);
    }
}

/// Takes the calls while the connection is polled.
pub struct Taking<'w, 'c, H> {
    pub work: &'w mut Work<H>,
    pub cx: &'w mut Context<'c>,
}

impl<H: Hot> Calls for Taking<'_, '_, H> {
    type Room = H::Room;

    fn room(&mut self) -> Option<H::Room> {
        self.work.hot.room()
    }

    fn overloaded(&mut self) -> Reply {
        self.work.hot.overloaded()
    }

    fn call(&mut self, stream: u32, call: Call<'_>) -> Option<Reply> {
        let message = call.message.map(<[u8]>::to_vec);
        let mut answer = Box::pin(self.work.hot.clone().call(message, call.timeout));
        match answer.as_mut().poll(self.cx) {
            Poll::Ready(reply) => Some(reply),
            Poll::Pending => {
                let running = async move { Done::Replied(stream, answer.await) };
                self.work.run(stream, Box::pin(running));
                None
            }
        }
    }

    fn forward(&mut self, stream: u32, request: Request<Vec<u8>>) {
        let answer = self.work.router.clone().oneshot(request.map(Body::from));
        let running = async move {
            let answer: Result<_, Infallible> = answer.await;
            match answer {
                Ok(response) => Done::Began(stream, response),
            }
        };
        self.work.run(stream, Box::pin(running));
    }

    fn cancel(&mut self, stream: u32) {
        if let Some(handle) = self.work.handles.remove(&stream) {
            handle.abort();
        }
    }
}

/// The header block of a response, and whether there is no body.
pub fn block_of(response: &Response<Body>) -> (Vec<u8>, bool) {
    let mut block = Vec::new();
    let status = response.status();
    hpack::put(&mut block, b":status", status.as_str().as_bytes());
    put_all(&mut block, response.headers());
    (block, response.body().is_end_stream())
}

/// The block of trailers.
pub fn block_of_trailers(trailers: &HeaderMap) -> Vec<u8> {
    let mut block = Vec::new();
    put_all(&mut block, trailers);
    block
}

fn put_all(block: &mut Vec<u8>, headers: &HeaderMap) {
    for (name, value) in headers {
        hpack::put(block, name.as_str().as_bytes(), value.as_bytes());
    }
}
