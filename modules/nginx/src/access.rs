//! Deciding a request in the access phase, and what follows from it.
//!
//! What is judged is the method and the target that the client sent, once for each request however often nginx
//! redirects it internally, and, unless the configuration is trusted with that, what the application gets instead.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use portcullis_embed::{Allow, Asked, Outcome, Pending, Request, Response};

use crate::certificate::thumbprint;
use crate::ffi::{Http, Sent, Suspended, Timer};
use crate::target::{Line, Rewrites, made_of, same_host, unjudged};
use crate::worker;

/// How long a request waits at most. A decision has a deadline of its own, far below; this one only ends what a
/// fault has left behind, and keeps a worker that is to end alive until then.
const MAX_WAIT: Duration = Duration::from_secs(60);

const REASON: &str = "x-portcullis-reason";
const DECISION: &str = "x-portcullis-decision";

/// What the access phase does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// On to the other modules, which may still deny.
    Pass,
    /// The answer comes later.
    Wait,
    /// The client has its answer.
    Answered,
    /// There is no decision, and none is a denial: 503.
    Unavailable,
}

/// The module's settings in a location.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// Whether requests are decided.
    pub on: bool,
    /// Which targets are judged.
    pub rewrites: Rewrites,
}

/// A request, from its first decision to its end.
pub struct State {
    /// As the client sent it.
    line: Line,
    /// The headers as the client sent them, which a later decision reads.
    headers: Sent,
    allowed: Vec<Line>,
    waiting: Option<Waiting>,
    /// The last allow.
    allow: Option<Allow>,
    reason: Option<String>,
    decision: Option<String>,
}

struct Waiting {
    line: Line,
    question: u64,
    pending: Pending,
    suspended: Suspended,
    until: Instant,
    _timer: Timer,
}

impl State {
    /// How to go on, if it waits for the answer to this question.
    pub fn waits_for(&self, question: u64) -> Option<Suspended> {
        let waiting = self.waiting.as_ref()?;
        (waiting.question == question).then_some(waiting.suspended)
    }
}

/// Decides a request, unless it has been.
pub fn access(mut http: Http<'_>) -> Step {
    let location = http.location();
    if !location.on || !http.is_main() {
        return Step::Pass;
    }
    let Some(state) = state_of(&http) else {
        return Step::Unavailable;
    };
    loop {
        let mut state = state.borrow_mut();
        let (line, outcome) = match &mut state.waiting {
            None => {
                let now = line_of(&http);
                let Some(line) = unjudged(&state.line, &now, location.rewrites, &state.allowed)
                else {
                    return Step::Pass;
                };
                let line = line.clone();
                let Some((question, asked)) = ask(&http, &state.headers, &line) else {
                    return Step::Unavailable;
                };
                match asked {
                    Asked::Now(outcome) => (line, outcome),
                    Asked::Later(pending) => {
                        state.waiting = Some(Waiting {
                            line,
                            question,
                            pending,
                            suspended: http.suspend(),
                            until: Instant::now() + MAX_WAIT,
                            _timer: Timer::new(http.key(), question, MAX_WAIT),
                        });
                        return Step::Wait;
                    }
                }
            }
            // nginx may come back for reasons of its own before the answer is there.
            Some(waiting) => match waiting.pending.take() {
                Some(outcome) => {
                    let line = waiting.line.clone();
                    state.waiting = None;
                    http.go_on();
                    (line, outcome)
                }
                None if waiting.until <= Instant::now() => return Step::Unavailable,
                None => return Step::Wait,
            },
        };
        match outcome {
            Outcome::Allow(allow) => {
                if !apply(&mut http, &state.headers, &allow) {
                    return Step::Unavailable;
                }
                state.decision = Some(allow.decision_id.clone());
                state.allow = Some(allow);
                state.allowed.push(line);
            }
            Outcome::Respond(response) => {
                state.allow = None;
                state.reason = header(&response, REASON).map(str::to_owned);
                state.decision = header(&response, DECISION).map(str::to_owned);
                if !state.allowed.is_empty() {
                    http.complain(&format!(
                        "the configuration has rewritten this request to \"{}\", which the policy does not \
                         allow; where it should be trusted with that: portcullis_rewrites trust",
                        String::from_utf8_lossy(&line.target).escape_debug()
                    ));
                }
                // The header filter looks at the state.
                drop(state);
                return http.respond(&response);
            }
        }
    }
}

/// Stops what comes to its content without a decision, whatever made nginx skip the access phase.
pub fn guard(http: &Http<'_>) -> Step {
    let location = http.location();
    if !location.on || !http.is_main() {
        return Step::Pass;
    }
    let decided = worker::known(http.key()).is_some_and(|state| {
        let state = state.borrow();
        unjudged(
            &state.line,
            &line_of(http),
            location.rewrites,
            &state.allowed,
        )
        .is_none()
    });
    if decided {
        return Step::Pass;
    }
    http.complain(
        "this request was not decided: another module ended the access phase (\"satisfy any\"?)",
    );
    Step::Unavailable
}

/// Adds to the application's response what the policy says.
pub fn decorate(http: &mut Http<'_>) -> bool {
    let Some(state) = worker::known(http.key()).filter(|_| http.is_main()) else {
        return true;
    };
    let state = state.borrow();
    let Some(allow) = &state.allow else {
        return true;
    };
    for (name, _) in &allow.response_set {
        http.drop_response(name);
    }
    let all = allow.response_set.iter().chain(&allow.response_add);
    all.into_iter()
        .all(|(name, value)| http.add_response(name, value))
}

/// `$portcullis_reason`
pub fn reason(http: &Http<'_>) -> Option<String> {
    worker::known(http.key())?.borrow().reason.clone()
}

/// `$portcullis_decision`
pub fn decision(http: &Http<'_>) -> Option<String> {
    worker::known(http.key())?.borrow().decision.clone()
}

/// `$portcullis_header_NAME`: a header that the policy forwards; nothing else ever.
pub fn forwarded(http: &Http<'_>, name: &str) -> Option<String> {
    let state = worker::known(http.key())?;
    let state = state.borrow();
    let (_, value) = state.allow.as_ref()?.set.iter().find(|(set, _)| {
        let set = set.bytes().map(|byte| match byte {
            b'-' => b'_',
            other => other.to_ascii_lowercase(),
        });
        set.eq(name.bytes())
    })?;
    Some(value.clone())
}

fn state_of(http: &Http<'_>) -> Option<worker::Shared> {
    let key = http.key();
    if let Some(state) = worker::known(key) {
        return Some(state);
    }
    if !http.forget_at_end() {
        return None;
    }
    let line = Line {
        method: http.method().to_vec(),
        target: http.target().to_vec(),
    };
    let state = State {
        line,
        headers: http.sent(),
        allowed: Vec::new(),
        waiting: None,
        allow: None,
        reason: None,
        decision: None,
    };
    Some(worker::keep(key, state))
}

/// What the application gets of the request line now.
fn line_of(http: &Http<'_>) -> Line {
    let target = if http.is_as_sent() {
        http.target().to_vec()
    } else {
        made_of(http.path(), http.arguments())
    };
    Line {
        method: http.method().to_vec(),
        target,
    }
}

fn ask(http: &Http<'_>, headers: &Sent, line: &Line) -> Option<(u64, Asked)> {
    match request(http, headers, line) {
        Ok(request) => worker::ask(http.key(), request),
        Err(hint) => Some((0, Asked::Now(worker::malformed(hint)?))),
    }
}

/// The request as the policy reads it, or what makes it one that can be read in two ways.
fn request(http: &Http<'_>, sent: &Sent, line: &Line) -> Result<Request, &'static str> {
    let mut host: Option<&[u8]> = None;
    let mut headers = Vec::new();
    for (name, value) in http.headers(sent) {
        let name = std::str::from_utf8(name).map_err(|_| "a header's name is not UTF-8")?;
        if !name.eq_ignore_ascii_case("host") {
            headers.push((name.to_ascii_lowercase(), value.to_vec()));
        } else if host.replace(value).is_some() {
            return Err("it has several `Host` headers");
        }
    }
    if let Some(authority) = http.authority()
        && !same_host(authority, host)
    {
        return Err("its target names another host than `Host`");
    }
    let scheme = if http.is_tls() { "https" } else { "http" };
    Ok(Request {
        method: line.method.clone(),
        target: line.target.clone(),
        scheme: Some(scheme.into()),
        host: host.map(<[u8]>::to_vec),
        headers,
        address: http.address().as_ref().map(IpAddr::to_canonical),
        certificate: http.certificate().as_deref().and_then(thumbprint),
    })
}

/// Gives the application the headers that the policy says, in place of the client's.
fn apply(http: &mut Http<'_>, sent: &Sent, allow: &Allow) -> bool {
    let goes = |name: &[u8]| {
        let same = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        allow.remove.iter().any(|removed| same(removed))
            || allow.set.iter().any(|(set, _)| same(set))
    };
    http.set_headers(sent, &goes, &allow.set)
}

fn header<'r>(response: &'r Response, name: &str) -> Option<&'r str> {
    let mut headers = response.headers.iter();
    headers
        .find(|(other, _)| other.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}
