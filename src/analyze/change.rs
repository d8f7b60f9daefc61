//! The result of a comparison: changes, each with a request that shows it.

use std::fmt;
use std::net::IpAddr;

use crate::reason::Reason;
use crate::source::Place;

/// The difference in meaning of two policies.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Difference {
    /// Empty iff the two mean the same. By API, then what concerns the API as a whole, then by
    /// route; the same for the same policies, to the byte.
    pub changes: Vec<Change>,
}

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The API's name.
    pub api: String,
    /// The route, as the policy that has it calls it, crossing ones joined by ` + `; `None` for
    /// what concerns the API as a whole, which [`Change::about`] says.
    pub route: Option<String>,
    /// What changed, as a sentence, where it is no route.
    pub about: Option<String>,
    /// Whether both policies have the route.
    pub kind: Kind,
    /// In which direction.
    pub effect: Effect,
    /// A request that shows it; `None` where none can (keys, algorithms, the header of a token).
    pub witness: Option<Witness>,
    /// What the old policy says to the witness.
    pub old: Verdict,
    /// What the new policy says to the witness.
    pub new: Verdict,
    /// Where the old policy decides the witness.
    pub old_place: Option<Place>,
    /// Where the new policy decides the witness.
    pub new_place: Option<Place>,
}

impl Change {
    /// Whether something may be allowed that was not. Where a change goes both ways and no request
    /// shows which, as with keys, it may; where both policies say the same to the request that shows
    /// it, what changed is what the application or the browser is told.
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
    /// Both.
    Changed,
    /// Only the new one.
    Added,
    /// Only the old one.
    Removed,
}

impl Kind {
    /// As it stands in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Changed => "changed",
            Kind::Added => "added",
            Kind::Removed => "removed",
        }
    }
}

/// In which direction something changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Something is allowed that was not, and nothing is denied that was not.
    Loosened,
    /// Something is denied that was not, and nothing is allowed that was not.
    Tightened,
    /// Both, or neither: as where an allowed request is forwarded with other headers.
    Changed,
}

impl Effect {
    /// As it stands in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Effect::Loosened => "loosened",
            Effect::Tightened => "tightened",
            Effect::Changed => "changed",
        }
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Effect) -> Effect {
        if self == other { self } else { Effect::Changed }
    }
}

/// What a policy says to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It may pass.
    Allow,
    /// It must not, for this reason.
    Deny(Reason),
}

impl Verdict {
    /// Whether the request may pass.
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
    /// The host; empty where the request names none.
    pub host: String,
    /// Path and query, percent-encoded.
    pub target: String,
    /// Names in lower case, and values.
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

/// Why two policies could not be compared.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// A bound of [`super::limits`] was exceeded.
    TooComplex {
        /// What there is too much of, with the bound.
        limit: String,
        /// Where: a route, as it is called.
        route: Option<String>,
    },
    /// The engine decides a witness otherwise than the analysis says: a fault of the analysis, whose
    /// results are then worth nothing.
    Mismatch {
        /// The route.
        route: String,
        /// The request and the claims.
        witness: Box<Witness>,
        /// Whether the analysis expected each policy to allow it.
        expected: (bool, bool),
        /// What the engine says.
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
