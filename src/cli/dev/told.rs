//! Prints each decision of `dev` for the developer: the outcome, the hint, and the command that
//! explains it again.
//!
//! The command contains no token. For one of `dev`'s own tokens it has the claims, which lead to
//! the same decision. A provider's token has to be put into a file by the developer.

use std::io::Write as _;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};

use serde_json::Value;

use super::commands::quoted;
use super::issuer::KEY_ID;
use crate::cli::output::{Paint, printable};
use crate::engine::{Policy, Presented};
use crate::model::Condition;
use crate::reason::Reason;
use crate::runtime::Seen;
use crate::runtime::original::Original;
use crate::settings::{Demand, TokenPlace};
use crate::token::Jws;

/// How many decisions may wait to be printed. Further ones are dropped.
const WAITING: usize = 256;

/// The maximum length of a command that is worth pasting, in bytes.
const MAX_COMMAND: usize = 4096;

/// Prints decisions on a separate thread, so that a blocked terminal delays no request.
#[derive(Debug)]
pub struct Printer {
    lines: SyncSender<String>,
    command: Command,
    paint: Paint,
}

/// The arguments of `portcullis why`.
#[derive(Debug)]
pub struct Command {
    /// The command of this program, from any folder.
    pub program: String,
    /// The policy's only path, absolute. `why` accepts only one.
    pub policy: Option<String>,
    /// The parameter values that were given.
    pub params: Vec<(String, String)>,
}

impl Printer {
    /// A printer to standard output.
    pub fn start(command: Command, paint: Paint) -> Printer {
        let (lines, waiting) = sync_channel::<String>(WAITING);
        std::thread::spawn(move || {
            let mut out = std::io::stdout();
            for line in waiting {
                // The daemon continues if the reader of standard output has gone.
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
        // If the terminal can't keep up, a missing line costs less than a request.
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

/// Method and URL, without a query, which may contain a token.
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
    /// The command that repeats the decision; `None` if no command can.
    fn why(&self, policy: &Policy, original: &Original<'_>, reason: Reason) -> Option<String> {
        let decides_again = match reason {
            // The proxy's request is gone, or the fault was inside portcullis.
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

/// The argument with the token for `why`; empty if there is no token, or none is read. `None` if
/// claims would lead to another decision.
fn token_argument(policy: &Policy, original: &Original<'_>, reason: Reason) -> Option<String> {
    // If the decision doesn't depend on a token, it doesn't depend on the time either.
    let request = original.at(0.0);
    let routed = policy.route(&request);
    if routed.demand() == Demand::None {
        return Some(String::new());
    }
    let token = match routed.token() {
        Presented::Token(token, _) => token,
        Presented::Absent => return Some(String::new()),
        // The fault is in how the token was sent, in a header that may contain a token.
        Presented::Fault(_) => return None,
    };
    match own_claims(&token) {
        Some(claims) => (!is_of_the_header(reason))
            .then(|| format!(" --claims {}", quoted(&claims.to_string()))),
        None => Some(" --token token.txt    (with the token in token.txt)".to_owned()),
    }
}

/// The claims of a token that `dev` has issued, as the token has them.
fn own_claims(token: &str) -> Option<Value> {
    let jws = Jws::read(token).ok()?;
    if jws.header().key_id() != Some(KEY_ID) {
        return None;
    }
    serde_json::from_slice(jws.payload()).ok()
}

/// Whether the reason is in the token's header or signature, which claims alone don't show.
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

/// Whether a header may influence the decision, because a rule or CORS reads it. Headers with
/// secrets are excluded.
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

/// How a program can be called from any folder: unchanged, if its name is looked up on the PATH.
pub fn anywhere(program: &str) -> String {
    if program.contains('/') {
        super::absolute(Path::new(program))
    } else {
        program.to_owned()
    }
}
