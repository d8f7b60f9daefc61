//! The result of a comparison: changes, each with a request that shows it.

use std::fmt;
use std::net::IpAddr;

use crate::reason::Reason;
use crate::source::Place;

/// The difference in meaning between two policies.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Difference {
    /// Empty if and only if the policies mean the same. Sorted by API: first the changes of the API
    /// as a whole, then those of its routes. The same policies give the same list, to the byte.
    pub changes: Vec<Change>,
}

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The API's name.
    pub api: String,
    /// The name of the route, with crossing routes joined by ` + `. `None` for a change of the API
    /// as a whole, which [`Change::about`] describes.
    pub route: Option<String>,
    /// A sentence that describes a change that isn't about a route.
    pub about: Option<String>,
    /// Whether both policies have the route.
    pub kind: Kind,
    /// The direction of the change.
    pub effect: Effect,
    /// A request that shows the change; `None` if no request can (keys, algorithms, the header of a
    /// token).
    pub witness: Option<Witness>,
    /// The old policy's verdict on the witness.
    pub old: Verdict,
    /// The new policy's verdict on the witness.
    pub new: Verdict,
    /// The place in the old policy that decides about the witness.
    pub old_place: Option<Place>,
    /// The place in the new policy that decides about the witness.
    pub new_place: Option<Place>,
}

impl Change {
    /// Whether the change may allow something that wasn't allowed before.
    ///
    /// A change in both directions that no request shows, such as different keys, may. If both
    /// policies have the same verdict on the witness, only the headers for the application or the
    /// browser changed, and the change can't.
    pub fn may_loosen(&self) -> bool {
        match self.effect {
            Effect::Loosened => true,
            Effect::Tightened => false,
            Effect::Changed => self.witness.is_none() || self.old.allows() != self.new.allows(),
        }
    }
}

/// Whether both policies have the route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Both have it.
    Changed,
    /// Only the new one has it.
    Added,
    /// Only the old one has it.
    Removed,
}

impl Kind {
    /// The word for it in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Changed => "changed",
            Kind::Added => "added",
            Kind::Removed => "removed",
        }
    }
}

/// The direction of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Some requests are allowed that weren't, and none is denied that wasn't.
    Loosened,
    /// Some requests are denied that weren't, and none is allowed that wasn't.
    Tightened,
    /// Both directions or neither: for example, an allowed request gets different forwarded
    /// headers.
    Changed,
}

impl Effect {
    /// The word for it in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Effect::Loosened => "loosened",
            Effect::Tightened => "tightened",
            Effect::Changed => "changed",
        }
    }

    /// The combination of two effects.
    #[must_use]
    pub fn and(self, other: Effect) -> Effect {
        if self == other { self } else { Effect::Changed }
    }
}

/// A policy's decision about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The request is allowed.
    Allow,
    /// The request is denied, with this reason.
    Deny(Reason),
}

impl Verdict {
    /// Whether the request is allowed.
    pub fn allows(self) -> bool {
        self == Verdict::Allow
    }
}

/// `allow`, or `deny:CODE`.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Allow => f.write_str("allow"),
            Verdict::Deny(reason) => write!(f, "deny:{reason}"),
        }
    }
}

/// A request that shows a change.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Witness {
    /// The method.
    pub method: String,
    /// The scheme.
    pub scheme: String,
    /// The host; empty if the request names none.
    pub host: String,
    /// Path and query, percent-encoded.
    pub target: String,
    /// Names in lower case, with their values.
    pub headers: Vec<(String, String)>,
    /// The claims set of the token, as JSON; `None` for a request without a token.
    pub claims: Option<String>,
    /// The peer's address.
    pub address: Option<IpAddr>,
    /// The time, as a NumericDate.
    pub at: f64,
}

impl Witness {
    /// The request in one line: `GET https://api.example.com/orders`.
    pub fn request(&self) -> String {
        format!(
            "{} {}://{}{}",
            self.method, self.scheme, self.host, self.target
        )
    }
}

/// Why two policies couldn't be compared.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// A limit of [`super::limits`] was exceeded.
    TooComplex {
        /// The limit, as a phrase with its number.
        limit: String,
        /// The name of the route where it was exceeded.
        route: Option<String>,
    },
    /// The engine and the analysis disagree about a witness. This is a bug in the analysis, and its
    /// results are worthless.
    Mismatch {
        /// The route.
        route: String,
        /// The request and the claims.
        witness: Box<Witness>,
        /// Whether the analysis expected each policy to allow it.
        expected: (bool, bool),
        /// The verdict of the engine for each policy.
        decided: (Verdict, Verdict),
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::TooComplex { limit, route } => {
                f.write_str("too complex to be compared exactly")?;
                if let Some(route) = route {
                    write!(f, " at `{route}`")?;
                }
                write!(f, ": {limit}")
            }
            Failure::Mismatch {
                route,
                witness,
                expected,
                decided,
            } => write!(
                f,
                "an internal error in the comparison at `{route}`: `{}` with the claims {} should be \
                 {:?}, and is {} and {}",
                witness.request(),
                witness.claims.as_deref().unwrap_or("of no token"),
                expected,
                decided.0,
                decided.1
            ),
        }
    }
}

impl std::error::Error for Failure {}
