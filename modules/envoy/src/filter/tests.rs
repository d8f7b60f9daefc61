//! The filter with an Envoy and a policy made for the test.

use super::*;
use std::cell::Cell;

/// A stream that writes down what is done to it.
#[derive(Default)]
struct Written {
    method: &'static [u8],
    steps: RefCell<Vec<String>>,
}

impl Written {
    fn step(&self, step: String) {
        self.steps.borrow_mut().push(step);
    }
}

struct Nobody;

impl Waker for Nobody {
    fn wake(&self) {}
}

impl Stream for Written {
    type Waker = Nobody;

    fn request(&self) -> Request {
        Request {
            method: self.method.to_vec(),
            ..Request::default()
        }
    }
    fn set_request_header(&self, name: &str, value: &str) {
        self.step(format!("set {name}: {value}"));
    }
    fn remove_request_header(&self, name: &str) {
        self.step(format!("remove {name}"));
    }
    fn clear_route_cache(&self) {
        self.step("route".to_owned());
    }
    fn waker(&self) -> Nobody {
        Nobody
    }
    fn set_response_header(&self, name: &str, value: &str) {
        self.step(format!("response set {name}: {value}"));
    }
    fn add_response_header(&self, name: &str, value: &str) {
        self.step(format!("response add {name}: {value}"));
    }
    fn respond(&self, response: &Response) {
        self.step(format!("respond {}", response.status));
    }
    fn go_on(&self) {
        self.step("go on".to_owned());
    }
}

/// Decides what it is given, now or later.
struct Fixed {
    outcome: fn() -> Outcome,
    later: bool,
}

/// A decision that is there, or is none after all.
struct Later(Option<Outcome>);

impl Decides for Fixed {
    type Pending = Later;

    fn ask(&self, _: Request, _: impl FnOnce() + Send + 'static) -> Result<Outcome, Later> {
        if self.later {
            Err(Later(Some((self.outcome)())))
        } else {
            Ok((self.outcome)())
        }
    }

    fn take(pending: &mut Later) -> Option<Outcome> {
        pending.0.take()
    }
}

fn allow() -> Outcome {
    Outcome::Allow(Allow {
        decision_id: String::new(),
        set: vec![("x-user-id".to_owned(), "alice".to_owned())],
        remove: vec!["authorization".to_owned()],
        response_set: vec![(
            "access-control-allow-origin",
            "https://a.example".to_owned(),
        )],
        response_add: vec![("vary", "origin".to_owned())],
    })
}

fn plain_allow() -> Outcome {
    Outcome::Allow(Allow::default())
}

fn deny() -> Outcome {
    Outcome::Respond(Response {
        status: 401,
        headers: Vec::new(),
        body: None,
    })
}

/// Asks, wakes, sends a response through; what was done, and whether the body may pass in the end.
fn told(outcome: fn() -> Outcome, later: bool, clear_route_cache: bool) -> (Vec<String>, bool) {
    let (filter, stream) = (Filter::new(clear_route_cache), Written::default());
    let verdict = filter.on_request(&Fixed { outcome, later }, &stream);
    stream.step(format!("{verdict:?}"));
    assert_eq!(filter.passes(), verdict == Verdict::Pass);
    filter.on_wake(&stream);
    filter.on_response(&stream);
    let passes = filter.passes();
    filter.end();
    assert!(!filter.passes());
    (stream.steps.into_inner(), passes)
}

#[test]
fn an_allow_changes_the_request_and_the_response() {
    let request = ["remove authorization", "set x-user-id: alice"];
    let response = [
        "response set access-control-allow-origin: https://a.example",
        "response add vary: origin",
    ];
    let (now, passes) = told(allow, false, true);
    assert!(passes);
    assert_eq!(now, [&request[..], &["route", "Pass"], &response].concat());
    let (later, passes) = told(allow, true, true);
    assert!(passes);
    assert_eq!(
        later,
        [&["Wait"], &request[..], &["route", "go on"], &response].concat()
    );
    let (kept, _) = told(allow, false, false);
    assert_eq!(kept, [&request[..], &["Pass"], &response].concat());
}

#[test]
fn an_allow_that_changes_nothing_leaves_the_route() {
    assert_eq!(told(plain_allow, false, true).0, ["Pass"]);
}

#[test]
fn a_denial_is_the_last_word() {
    assert_eq!(
        told(deny, false, true),
        (vec!["respond 401".to_owned(), "Stop".to_owned()], false)
    );
    assert_eq!(
        told(deny, true, true),
        (vec!["Wait".to_owned(), "respond 401".to_owned()], false)
    );
}

#[test]
fn a_decision_that_never_comes_is_a_denial() {
    struct Never;
    impl Decides for Never {
        type Pending = Later;
        fn ask(&self, _: Request, _: impl FnOnce() + Send + 'static) -> Result<Outcome, Later> {
            Err(Later(None))
        }
        fn take(pending: &mut Later) -> Option<Outcome> {
            pending.0.take()
        }
    }
    let (filter, stream) = (Filter::new(true), Written::default());
    assert_eq!(filter.on_request(&Never, &stream), Verdict::Wait);
    filter.on_wake(&stream);
    assert_eq!(stream.steps.into_inner(), ["respond 503"]);
    assert!(!filter.passes());
}

#[test]
fn a_stream_that_has_ended_is_left_alone() {
    let (filter, stream) = (Filter::new(true), Written::default());
    let later = Fixed {
        outcome: allow,
        later: true,
    };
    assert_eq!(filter.on_request(&later, &stream), Verdict::Wait);
    filter.end();
    filter.on_wake(&stream);
    filter.on_response(&stream);
    assert_eq!(stream.steps.into_inner(), Vec::<String>::new());
}

/// Envoy calls the response's hook, and ends the stream, while the filter sends its answer.
#[test]
fn hooks_may_be_called_within_each_other() {
    struct Nested<'a>(&'a Filter<Fixed, Nobody>, Written, Cell<bool>);
    impl Stream for Nested<'_> {
        type Waker = Nobody;
        fn request(&self) -> Request {
            self.1.request()
        }
        fn set_request_header(&self, _: &str, _: &str) {}
        fn remove_request_header(&self, _: &str) {}
        fn clear_route_cache(&self) {}
        fn waker(&self) -> Nobody {
            Nobody
        }
        fn set_response_header(&self, _: &str, _: &str) {
            self.2.set(true);
        }
        fn add_response_header(&self, _: &str, _: &str) {}
        fn respond(&self, _: &Response) {
            self.0.on_response(self);
            self.0.end();
        }
        fn go_on(&self) {
            self.0.on_response(self);
            self.0.end();
        }
    }
    for (outcome, has_headers) in [(allow as fn() -> Outcome, true), (deny, false)] {
        let filter = Filter::new(true);
        let stream = Nested(&filter, Written::default(), Cell::new(false));
        let later = true;
        filter.on_request(&Fixed { outcome, later }, &stream);
        filter.on_wake(&stream);
        assert_eq!(stream.2.get(), has_headers);
        assert!(!filter.passes());
    }
}

#[test]
#[allow(clippy::panic, reason = "the panic is what is tested")]
fn a_panic_ends_in_what_is_left_to_do() {
    assert_eq!(caught(|| "decided", |_| "denied"), "decided");
    let text = String::from("of a certain kind");
    let said = caught(|| panic!("a fault {text}"), str::to_owned);
    assert_eq!(said, "a fault of a certain kind");
    assert_eq!(caught(|| panic!("a fault"), str::to_owned), "a fault");
    let other = caught(|| panic::panic_any(1), str::to_owned);
    assert_eq!(other, "a panic without a message");
}

#[test]
fn metrics_are_for_who_reads() {
    for (method, step) in [
        (&b"GET"[..], "respond 200"),
        (b"HEAD", "respond 200"),
        (b"POST", "respond 405"),
    ] {
        let stream = Written {
            method,
            ..Written::default()
        };
        assert_eq!(
            show_metrics(|| "# EOF\n".to_owned(), &stream),
            Verdict::Stop
        );
        assert_eq!(*stream.steps.borrow(), [step]);
    }
}
