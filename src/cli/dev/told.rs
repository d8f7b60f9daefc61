//! Each decision of `dev` as lines for the developer: the outcome, the hint, and the command that
//! explains it again.
//!
//! The command holds no token. Where the token is one of `dev`'s own, its claims stand in it, which
//! decide alike; where it is a provider's, the developer has it, and is told to put it into a file.

use std::io::Write as _;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};

use serde_json::Value;

use super::example::quoted;
use super::issuer::KEY_ID;
use crate::cli::output::{Paint, printable};
use crate::engine::{Policy, Presented};
use crate::model::Condition;
use crate::reason::Reason;
use crate::runtime::Seen;
use crate::runtime::original::Original;
use crate::settings::{Demand, TokenPlace};
use crate::token::Jws;

/// How many decisions may wait to be printed; further ones are not.
const WAITING: usize = 256;

/// The longest command that is worth pasting, in bytes.
const MAX_COMMAND: usize = 4096;

/// Prints decisions, from a thread of its own: a terminal that stands still keeps no request waiting.
#[derive(Debug)]
pub struct Printer {
    lines: SyncSender<String>,
    command: Command,
    paint: Paint,
}

/// What `portcullis why` has to be called with.
#[derive(Debug)]
pub struct Command {
    /// How this program is called, from any folder.
    pub program: String,
    /// The policy's one path, absolute; `why` takes no more than one.
    pub policy: Option<String>,
    /// The values of parameters that were given.
    pub params: Vec<(String, String)>,
}

impl Printer {
    /// A printer to standard output.
    pub fn start(command: Command, paint: Paint) -> Printer {
        let (lines, waiting) = sync_channel::<String>(WAITING);
        std::thread::spawn(move || {
            let mut out = std::io::stdout();
            for line in waiting {
                // A reader of standard output that went away does not end the daemon.
                let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
            }
        });
        Printer {
            lines,
            command,
            paint,
        }
    }

    /// Prints a decision.
    pub fn tell(&self, seen: &Seen<'_>) {
        // Where the terminal does not keep up, a line that is missing costs less than a request.
        let _ = self.lines.try_send(self.text(seen));
    }

    fn text(&self, seen: &Seen<'_>) -> String {
        let Seen {
            decision, original, ..
        } = seen;
        let request = printable(&request(seen));
        let Some(reason) = decision.reason() else {
            let route = decision.route().unwrap_or_default();
            return format!("{}  {request}  ({route})\n", self.paint.good("200 allowed"));
        };
        let mut text = format!(
            "{}  {request}\n",
            self.paint.bad(format!("{} {reason}", decision.status()))
        );
        if let Some(hint) = decision.hint() {
            text.push_str(&format!("    {}\n", printable(hint)));
        }
        let why = self
            .command
            .why(seen.policy, original, reason)
            .unwrap_or_else(|| format!("{} why --reason {reason}", quoted(&self.command.program)));
        text.push_str(&format!("    {}\n", self.paint.faint(why)));
        text
    }
}

/// Method and URL, without a query that may hold a token.
fn request(seen: &Seen<'_>) -> String {
    let original = seen.original;
    let mut target = String::from_utf8_lossy(original.target).into_owned();
    if query_may_hold_a_token(seen.policy)
        && let Some(at) = target.find('?')
    {
        target.truncate(at);
    }
    format!(
        "{} {}://{}{target}",
        original.method,
        original.scheme.unwrap_or("https"),
        original.host.unwrap_or_default(),
    )
}

fn query_may_hold_a_token(policy: &Policy) -> bool {
    let mut places = policy.apis().iter().flat_map(|api| &api.token_places);
    places.any(|place| matches!(place, TokenPlace::Query(_)))
}

impl Command {
    /// The command that decides the request again; `None` where no command would.
    fn why(&self, policy: &Policy, original: &Original<'_>, reason: Reason) -> Option<String> {
        let decides_again = match reason {
            // Of what the proxy sent nothing is left, or of a fault that was here alone.
            Reason::RequestMalformed | Reason::Internal => false,
            Reason::RequestAmbiguousPath
            | Reason::RequestNoRoute
            | Reason::RequestDenied
            | Reason::TokenMissing
            | Reason::TokenEncrypted
            | Reason::TokenOpaque
            | Reason::TokenMalformed
            | Reason::TokenIsIdToken
            | Reason::TokenIsRefreshToken
            | Reason::TokenAlgorithm
            | Reason::TokenUnknownKey
            | Reason::TokenBadSignature
            | Reason::TokenUnknownIssuer
            | Reason::TokenWrongType
            | Reason::TokenWrongAudience
            | Reason::TokenSender
            | Reason::TokenExpired
            | Reason::TokenNotYetValid
            | Reason::TokenTooOld
            | Reason::TokenCritical
            | Reason::TokenRevoked
            | Reason::ScopeMissing
            | Reason::ClaimMissing
            | Reason::ClaimMismatch
            | Reason::RequestCondition
            | Reason::AuthenticationTooOld
            | Reason::AuthenticationTooWeak
            | Reason::KeysUnavailable => true,
        };
        let target = std::str::from_utf8(original.target).ok()?;
        if !decides_again || (query_may_hold_a_token(policy) && target.contains('?')) {
            return None;
        }
        let url = format!(
            "{} {}://{}{target}",
            original.method,
            original.scheme.unwrap_or("https"),
            original.host?
        );
        let mut line = format!(
            "{} why {} {}",
            quoted(&self.program),
            quoted(self.policy.as_deref()?),
            quoted(&url)
        );
        for (name, value) in &self.params {
            line.push_str(&format!(" --param {}", quoted(&format!("{name}={value}"))));
        }
        for (name, value) in &original.headers {
            if is_read(policy, name) {
                let value = std::str::from_utf8(value).ok()?;
                line.push_str(&format!(
                    " --header {}",
                    quoted(&format!("{name}: {value}"))
                ));
            }
        }
        if let Some(address) = original.address {
            line.push_str(&format!(" --address {address}"));
        }
        line.push_str(&token_argument(policy, original, reason)?);
        let fits = line.len() <= MAX_COMMAND && !line.chars().any(char::is_control);
        fits.then_some(line)
    }
}

/// How `why` gets the token: not at all if there is none, or if none is read. `None`
/// where claims would not decide alike.
fn token_argument(policy: &Policy, original: &Original<'_>, reason: Reason) -> Option<String> {
    // What is decided before a token is looked at is decided so whatever the time.
    let request = original.at(0.0);
    let routed = policy.route(&request);
    if routed.demand() == Demand::None {
        return Some(String::new());
    }
    let token = match routed.token() {
        Presented::Token(token, _) => token,
        Presented::Absent => return Some(String::new()),
        // How it was sent is at fault, and that is in a header that may hold a token.
        Presented::Fault(_) => return None,
    };
    match own_claims(&token) {
        Some(claims) => (!is_of_the_header(reason))
            .then(|| format!(" --claims {}", quoted(&claims.to_string()))),
        None => Some(" --token token.txt    (with the token in token.txt)".to_owned()),
    }
}

/// The claims of a token that `dev` has made, as the token says.
fn own_claims(token: &str) -> Option<Value> {
    let jws = Jws::read(token).ok()?;
    if jws.header().key_id() != Some(KEY_ID) {
        return None;
    }
    serde_json::from_slice(jws.payload()).ok()
}

/// Whether the reason is in the token's header or signature, which claims alone do not have.
fn is_of_the_header(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::TokenWrongType
            | Reason::TokenAlgorithm
            | Reason::TokenUnknownKey
            | Reason::TokenBadSignature
            | Reason::TokenSender
            | Reason::TokenMalformed
            | Reason::KeysUnavailable
    )
}

/// Whether a header may decide: one that a rule reads, or CORS does. None that holds a secret is.
fn is_read(policy: &Policy, name: &str) -> bool {
    if name == "origin" || name.starts_with("access-control-request-") {
        return true;
    }
    let model = policy.model();
    let holds_a_token = model.apis.iter().flat_map(|api| &api.token_places).any(
        |place| matches!(place, TokenPlace::Header(header) if header.eq_ignore_ascii_case(name)),
    );
    let secret = ["authorization", "cookie", "dpop", "proxy-authorization"];
    if holds_a_token || secret.contains(&name) {
        return false;
    }
    let mut atoms = model.conditions().flat_map(Condition::atoms);
    atoms.any(|(_, atom)| atom.header() == Some(name))
}

/// How a program is called from any folder: as it was, if that is a name to be looked up.
pub fn anywhere(program: &str) -> String {
    if program.contains('/') {
        super::absolute(Path::new(program))
    } else {
        program.to_owned()
    }
}
