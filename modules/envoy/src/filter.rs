//! What the filter does with one request.
//!
//! Envoy calls a stream's hooks on one thread, but it calls them from within each other: an answer
//! that is sent, or a request that goes on, can bring the response's hooks and the stream's end before
//! the call returns. So nothing is borrowed while Envoy is called, and what ends a hook is its last
//! call.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use portcullis_embed::{Allow, Asked, Embedded, Outcome, Pending, Request, Response, metrics};

use crate::wake::{Call, Waker};

/// What makes the decisions.
pub trait Decides {
    /// A decision that is not there yet; dropping it gives it up.
    type Pending;

    /// Asks once. `wake` is called from another thread when a pending decision is there.
    fn ask(
        &self,
        request: Request,
        wake: impl FnOnce() + Send + 'static,
    ) -> Result<Outcome, Self::Pending>;

    /// The decision, once it is there.
    fn take(pending: &mut Self::Pending) -> Option<Outcome>;
}

impl Decides for Embedded {
    type Pending = Pending;

    fn ask(
        &self,
        request: Request,
        wake: impl FnOnce() + Send + 'static,
    ) -> Result<Outcome, Pending> {
        match Embedded::ask(self, request, wake) {
            Asked::Now(outcome) => Ok(outcome),
            Asked::Later(pending) => Err(pending),
        }
    }

    fn take(pending: &mut Pending) -> Option<Outcome> {
        pending.take()
    }
}

/// The stream in Envoy, within one of its hooks.
pub trait Stream {
    /// Calls the stream's worker thread.
    type Waker: Waker;

    /// The request.
    fn request(&self) -> Request;
    /// Puts a header of the request in place of all of that name.
    fn set_request_header(&self, name: &str, value: &str);
    /// Removes all headers of the request of that name.
    fn remove_request_header(&self, name: &str);
    /// Has Envoy choose the route again.
    fn clear_route_cache(&self);
    /// What makes Envoy call the stream's hook for a decision that came later.
    fn waker(&self) -> Self::Waker;
    /// Puts a header of the response in place of all of that name.
    fn set_response_header(&self, name: &str, value: &str);
    /// Adds a header to the response.
    fn add_response_header(&self, name: &str, value: &str);
    /// Answers the client. Nothing may follow.
    fn respond(&self, response: &Response);
    /// Hands the request on, where it was held back. Nothing may follow.
    fn go_on(&self);
}

/// What is to become of a request once its hook has returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Pass,
    /// It has been answered.
    Stop,
    /// It waits, its body with it.
    Wait,
}

/// One request.
pub struct Filter<D: Decides, W> {
    state: RefCell<State<D::Pending>>,
    call: Arc<Call<W>>,
    clear_route_cache: bool,
}

enum State<P> {
    /// Not asked yet.
    New,
    /// Asked; the decision comes.
    Waiting(P),
    /// Allowed.
    Allowed(ResponseHeaders),
    /// Denied, answered, or gone.
    Over,
}

/// What goes with the application's response.
#[derive(Default)]
struct ResponseHeaders {
    set: Vec<(&'static str, String)>,
    add: Vec<(&'static str, String)>,
}

impl<D: Decides, W: Waker> Filter<D, W> {
    /// A request that Envoy has begun to read.
    pub fn new(clear_route_cache: bool) -> Self {
        Self {
            state: RefCell::new(State::New),
            call: Arc::new(Call::new()),
            clear_route_cache,
        }
    }

    /// The request's headers are there.
    pub fn on_request(&self, decides: &D, stream: &impl Stream<Waker = W>) -> Verdict {
        let call = self.call.clone();
        match decides.ask(stream.request(), move || call.call()) {
            Ok(outcome) => self.settle(outcome, stream),
            Err(pending) => {
                self.state.replace(State::Waiting(pending));
                self.call.arm(stream.waker());
                Verdict::Wait
            }
        }
    }

    /// A decision that was waited for is there.
    pub fn on_wake(&self, stream: &impl Stream<Waker = W>) {
        let mut pending = match self.state.replace(State::Over) {
            State::Waiting(pending) => pending,
            other @ (State::New | State::Allowed(_) | State::Over) => {
                self.state.replace(other);
                return;
            }
        };
        let outcome = D::take(&mut pending).unwrap_or_else(|| Outcome::Respond(Response::lost()));
        match self.settle(outcome, stream) {
            Verdict::Pass => stream.go_on(),
            Verdict::Stop | Verdict::Wait => {}
        }
    }

    /// Whether the body may go on to the application.
    pub fn passes(&self) -> bool {
        matches!(*self.state.borrow(), State::Allowed(_))
    }

    /// The response's headers are there: the application's, or Envoy's own.
    pub fn on_response(&self, stream: &impl Stream<Waker = W>) {
        let headers = match &mut *self.state.borrow_mut() {
            State::Allowed(headers) => std::mem::take(headers),
            State::New | State::Waiting(_) | State::Over => return,
        };
        for (name, value) in &headers.set {
            stream.set_response_header(name, value);
        }
        for (name, value) in &headers.add {
            stream.add_response_header(name, value);
        }
    }

    /// The stream is no more.
    pub fn end(&self) {
        self.call.end();
        self.state.replace(State::Over);
    }

    fn settle(&self, outcome: Outcome, stream: &impl Stream<Waker = W>) -> Verdict {
        match outcome {
            Outcome::Allow(allow) => {
                self.allow(allow, stream);
                Verdict::Pass
            }
            Outcome::Respond(response) => {
                self.state.replace(State::Over);
                stream.respond(&response);
                Verdict::Stop
            }
        }
    }

    fn allow(&self, allow: Allow, stream: &impl Stream<Waker = W>) {
        for name in &allow.remove {
            stream.remove_request_header(name);
        }
        for (name, value) in &allow.set {
            stream.set_request_header(name, value);
        }
        if self.clear_route_cache && !(allow.set.is_empty() && allow.remove.is_empty()) {
            stream.clear_route_cache();
        }
        self.state.replace(State::Allowed(ResponseHeaders {
            set: allow.response_set,
            add: allow.response_add,
        }));
    }
}

/// Answers a request with metrics.
pub fn show_metrics(text: impl FnOnce() -> String, stream: &impl Stream) -> Verdict {
    let method = stream.request().method;
    stream.respond(&metrics::response(&method, || Some(text())));
    Verdict::Stop
}

/// Runs a hook; a panic ends in `otherwise`, which says why there was one.
///
/// No panic may leave a hook: Envoy would end with it.
pub fn caught<T>(hook: impl FnOnce() -> T, otherwise: impl FnOnce(&str) -> T) -> T {
    panic::catch_unwind(AssertUnwindSafe(hook)).unwrap_or_else(|panic| otherwise(said(&*panic)))
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message")
}

#[cfg(test)]
mod tests;
