//! Turns a decision into an answer for the client: status, challenge, body.
//!
//! Adapters differ in what their proxies can pass on, so each takes the parts that it can use. This
//! module decides what a denial says, and how much.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::{Serialize, Serializer};

use crate::engine::{Decision, Denial, Outcome, ProofError, SeenKind, SeenToken, Step};
use crate::keys::Algorithm;
use crate::reason::Reason;
use crate::text::clean;

/// How much a denial says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Explain {
    /// The status, and what the protocols require.
    None,
    /// Also the reason.
    #[default]
    Reason,
    /// Also the hint, which may name what the policy requires and what the token contains.
    Full,
}

/// The media type of a denial's body (RFC 9457, section 3).
pub const PROBLEM_JSON: &str = "application/problem+json";
/// The header that names the reason; `allowed` on an allow.
pub const REASON_HEADER: &str = "x-portcullis-reason";
/// The header with the decision's identifier.
pub const DECISION_HEADER: &str = "x-portcullis-decision";

/// The header of an allow that is a denial which is only observed: `deny`, a space and the reason.
pub const WOULD_HEADER: &str = "x-portcullis-would";

/// The header that tells a proxy to answer a preflight itself instead of passing it to the
/// application. Only portcullis' own answers count.
pub const PREFLIGHT_HEADER: &str = "x-portcullis-preflight";
/// The only value of that header.
pub const ANSWERED: &str = "answered";

/// The HTTP answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers for the client, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body of a denial.
    pub body: Option<Vec<u8>>,
}

/// Turns a decision into an answer.
///
/// `carried` replaces the status for proxies that can't pass on every status. The body has the same
/// status as the answer (RFC 9457, section 3.1.2). `docs` is the URL of the folder with a page for
/// each reason. `resource_metadata` is the URL of the API's protected resource metadata, if it is
/// served (RFC 9728, section 5.1).
pub fn answer(
    decision: &Decision<'_>,
    explain: Explain,
    docs: Option<&str>,
    decision_id: &str,
    resource_metadata: Option<&str>,
    carried: fn(u16) -> u16,
) -> Answer {
    let mut headers = vec![
        (
            REASON_HEADER,
            decision.reason().map_or("allowed", Reason::code).to_owned(),
        ),
        (DECISION_HEADER, decision_id.to_owned()),
    ];
    let denial = match decision {
        Decision::Allow(permit) => {
            headers.extend(would(decision.outcome()).map(|would| (WOULD_HEADER, would)));
            headers.extend(permit.cors_headers().iter().cloned());
            if permit.is_answered() {
                headers.push((PREFLIGHT_HEADER, ANSWERED.to_owned()));
            }
            return Answer {
                status: carried(decision.status()),
                headers,
                body: None,
            };
        }
        Decision::Deny(denial) => denial,
    };
    headers.extend(denial_headers(denial, explain, resource_metadata));
    headers.push(("content-type", PROBLEM_JSON.to_owned()));
    headers.push(("cache-control", "no-store".to_owned()));
    let status = carried(denial.reason().status());
    Answer {
        status,
        headers,
        body: Some(problem(denial, explain, docs, decision_id, status)),
    }
}

/// The denial that is only observed, in one line.
pub fn would(outcome: Outcome) -> Option<String> {
    match outcome {
        Outcome::WouldDeny(reason) => Some(format!("deny {reason}")),
        Outcome::Allow | Outcome::Deny(_) => None,
    }
}

/// The challenge and the CORS headers of a denial.
fn denial_headers(
    denial: &Denial<'_>,
    explain: Explain,
    resource_metadata: Option<&str>,
) -> Vec<(&'static str, String)> {
    let challenge = challenge(denial, explain, resource_metadata);
    challenge
        .map(|challenge| ("www-authenticate", challenge))
        .into_iter()
        .chain(denial.cors_headers().iter().cloned())
        .collect()
}

/// `WWW-Authenticate` (RFC 6750, section 3; RFC 9449, section 7.1; RFC 9470, section 3).
///
/// If a token can be sent with two schemes, a 401 names both, in one field, since a proxy may pass
/// on only one. The error is in the challenge of the scheme that was used.
fn challenge(
    denial: &Denial<'_>,
    explain: Explain,
    resource_metadata: Option<&str>,
) -> Option<String> {
    let reason = denial.reason();
    let error = match (reason, denial.proof_error()) {
        // Without a token there is no error to name (RFC 6750, section 3.1).
        (Reason::TokenMissing, _) => None,
        // This challenge may name a scope too (RFC 9470, section 3). A challenge for a scope alone
        // requires no login.
        (Reason::AuthenticationTooOld | Reason::AuthenticationTooWeak, _) => {
            Some("insufficient_user_authentication")
        }
        (Reason::ScopeMissing, _) if denial.challenge().asks_for_login() => {
            Some("insufficient_user_authentication")
        }
        (Reason::ScopeMissing, _) => Some("insufficient_scope"),
        (_, Some(ProofError::Invalid)) => Some("invalid_dpop_proof"),
        (_, Some(ProofError::NonceWanted)) => Some("use_dpop_nonce"),
        _ if reason.status() == 401 => Some("invalid_token"),
        _ => return None,
    };
    let api = denial.api();
    let realm = api.map_or("portcullis", |api| {
        api.realm.as_deref().unwrap_or(&api.name)
    });
    let schemes = denial.schemes();
    let named = if reason.status() == 401 { 2 } else { 1 };
    let mut header = String::new();
    for (at, scheme) in schemes.into_iter().take(named).enumerate() {
        if at > 0 {
            header.push_str(", ");
        }
        let _ = write!(header, "{scheme} realm=\"{}\"", clean(realm));
        let mut parameter = |name: &str, value: &str| {
            let _ = write!(header, ", {name}=\"{}\"", clean(value));
        };
        if scheme == "DPoP" {
            let names: Vec<&str> = Algorithm::asymmetric().flat_map(Algorithm::names).collect();
            parameter("algs", &names.join(" "));
        }
        if at == 0 {
            faults(denial, error, explain, &mut parameter);
        }
        if let Some(url) = resource_metadata {
            parameter("resource_metadata", url);
        }
    }
    Some(header)
}

/// The error and the requirements, as parameters of a challenge.
fn faults(
    denial: &Denial<'_>,
    error: Option<&str>,
    explain: Explain,
    parameter: &mut impl FnMut(&str, &str),
) {
    let reason = denial.reason();
    if let Some(error) = error {
        parameter("error", error);
        match explain {
            Explain::None => {}
            Explain::Reason => parameter(
                "error_description",
                &format!("{reason}: {} {}", reason.summary(), reason.advice()),
            ),
            Explain::Full => parameter(
                "error_description",
                &format!("{reason}: {}", denial.hint().unwrap_or(reason.summary())),
            ),
        }
    }
    let wanted = denial.challenge();
    if !wanted.scope.is_empty() {
        parameter("scope", &wanted.scope.join(" "));
    }
    if !wanted.acr_values.is_empty() {
        parameter("acr_values", &wanted.acr_values.join(" "));
    }
    if let Some(seconds) = wanted.max_age {
        parameter("max_age", &seconds.to_string());
    }
}

/// The body of a denial (RFC 9457). If the reason must not be revealed, the type `about:blank` says
/// that the problem is what its status means.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: Cow<'static, str>,
    title: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// What the client's developer should do next, whatever the policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    /// The command that explains the reason, for people who have this program.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    decision_id: &'a str,
}

/// The page of a reason, as the type of a problem: below `docs` or, without it, a URN, which is the
/// same everywhere and can't be mistaken for a web page (RFC 9457, section 3.1.1).
pub fn page(docs: Option<&str>, code: &str) -> String {
    match docs {
        Some(docs) => format!("{}/{code}", docs.trim_end_matches('/')),
        None => format!("urn:portcullis:reason:{code}"),
    }
}

fn problem(
    denial: &Denial<'_>,
    explain: Explain,
    docs: Option<&str>,
    decision_id: &str,
    status: u16,
) -> Vec<u8> {
    let reason = Some(denial.reason()).filter(|_| explain != Explain::None);
    let problem = Problem {
        r#type: reason.map_or("about:blank".into(), |reason| {
            page(docs, reason.code()).into()
        }),
        title: match status {
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            _ => "Service Unavailable",
        },
        status,
        reason: reason.map(Reason::code),
        detail: reason.map(Reason::advice),
        help: reason.map(|reason| format!("portcullis why --reason {reason}")),
        hint: denial.hint().filter(|_| explain == Explain::Full),
        decision_id,
    };
    serde_json::to_vec(&problem).unwrap_or_default()
}

/// A decision as `why --format json` and `POST /v1/check` print it, with the fields in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// `allow` or `deny`.
    pub decision: &'static str,
    /// The status for the proxy.
    pub status: u16,
    /// The denial that is only observed: `deny` and the reason's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would: Option<String>,
    /// The reason of a denial.
    pub reason: Option<&'static str>,
    /// The API that the request is for.
    pub api: Option<String>,
    /// The route that applied; crossing routes are joined by ` + `.
    pub route: Option<String>,
    /// `file:line` of the deciding condition or route.
    pub policy: Option<String>,
    /// The hint of a denial, if it may be revealed.
    pub hint: Option<String>,
    /// The result of each condition.
    pub trace: Vec<TraceStep>,
    /// The token that was read.
    pub token: ExplainedToken,
    /// The headers for the upstream on an allow, and those for the client on a denial or an
    /// answered preflight.
    pub headers: Headers,
    /// On an allow, the client's headers that the upstream must not get.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
}

/// One condition and its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TraceStep {
    /// The test, as it is written in the policy.
    pub condition: String,
    /// `true`, `false` or `missing`.
    pub value: &'static str,
    /// The values that led to the result.
    pub because: String,
}

/// Facts about the token; all `None` if no token was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ExplainedToken {
    /// What kind of token it is.
    pub kind: Option<&'static str>,
    /// Its issuer's URL, if that was verified.
    pub issuer: Option<String>,
    /// Its subject, if that was verified.
    pub subject: Option<String>,
    /// The same for a token that was not verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unverified: Option<UnverifiedToken>,
}

/// The issuer and subject of a token that was not verified. Anybody can have written them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct UnverifiedToken {
    /// `iss`
    pub issuer: Option<String>,
    /// `sub`
    pub subject: Option<String>,
}

impl ExplainedToken {
    fn of(token: &SeenToken<'_>) -> ExplainedToken {
        let kind = token.kind.map(SeenKind::as_str);
        let issuer = token.issuer.as_deref().map(str::to_owned);
        let subject = token.subject.as_deref().map(str::to_owned);
        if token.verified {
            return ExplainedToken {
                kind,
                issuer,
                subject,
                unverified: None,
            };
        }
        let said = issuer.is_some() || subject.is_some();
        ExplainedToken {
            kind,
            unverified: said.then_some(UnverifiedToken { issuer, subject }),
            ..ExplainedToken::default()
        }
    }
}

/// Headers by name, without duplicates, in the order in which they are sent. JSON has them as an
/// object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(pub Vec<(String, String)>);

impl Serialize for Headers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(headers: I) -> Self {
        let mut all: Vec<(String, String)> = Vec::new();
        for (name, value) in headers {
            let (name, value) = (name.into(), value.into());
            match all.iter_mut().find(|(known, _)| *known == name) {
                Some(known) => known.1 = value,
                None => all.push((name, value)),
            }
        }
        Headers(all)
    }
}

/// The same as [`explanation`], for an operator: whatever a client is told, the hint says everything,
/// including a way to make the policy allow the request.
pub fn operator_explanation(
    decision: &Decision<'_>,
    trace: &[Step],
    explain: Explain,
    resource_metadata: Option<&str>,
) -> Explanation {
    let hint = decision.denial().and_then(Denial::operator_hint);
    Explanation {
        hint: hint.map(Cow::into_owned),
        ..explanation(decision, trace, explain, resource_metadata)
    }
}

/// Explains a decision, given the results of its conditions.
pub fn explanation(
    decision: &Decision<'_>,
    trace: &[Step],
    explain: Explain,
    resource_metadata: Option<&str>,
) -> Explanation {
    let (headers, hint): (Headers, _) = match decision {
        // The preflight is answered, so there is no upstream.
        Decision::Allow(permit) if permit.is_answered() => {
            (permit.cors_headers().iter().cloned().collect(), None)
        }
        Decision::Allow(permit) => (
            permit
                .headers_to_set()
                .iter()
                .map(|(name, value)| (*name, value.as_ref()))
                .collect(),
            None,
        ),
        Decision::Deny(denial) => (
            denial_headers(denial, explain, resource_metadata)
                .into_iter()
                .collect(),
            denial.hint().filter(|_| explain == Explain::Full),
        ),
    };
    let remove = match decision {
        Decision::Allow(permit) => permit.headers_to_remove().map(str::to_owned).collect(),
        Decision::Deny(_) => Vec::new(),
    };
    Explanation {
        decision: if decision.allowed() { "allow" } else { "deny" },
        status: decision.status(),
        would: would(decision.outcome()),
        reason: decision.reason().map(Reason::code),
        api: decision.api().map(|api| api.name.clone()),
        route: decision.route().map(Cow::into_owned),
        policy: decision.place().map(|place| place.to_string()),
        hint: hint.map(str::to_owned),
        trace: trace
            .iter()
            .map(|step| TraceStep {
                condition: step.condition.clone(),
                value: step.value,
                because: step.because.clone(),
            })
            .collect(),
        token: decision.token().map(ExplainedToken::of).unwrap_or_default(),
        headers,
        remove,
    }
}
