//! Which tests have the same value for every request with a token.

use super::condition::{Atom, Bound, ClaimTest, Operand};
use super::input::Input;

impl Atom {
    /// Whether all that it reads is of the token, so that it has the same value for every request.
    pub fn reads_only_token(&self) -> bool {
        self.inputs().all(Input::is_of_token) && !self.reads_time()
    }

    /// Whether it reads the time of the request.
    fn reads_time(&self) -> bool {
        match self {
            Atom::Claim(_, test) => test.reads_time(),
            Atom::Path(_, test)
            | Atom::Host(test)
            | Atom::Header(_, test)
            | Atom::Query(_, test) => test.operand().is_some_and(Operand::is_time),
            Atom::ScopeAny(_)
            | Atom::ScopeAll(_)
            | Atom::TokenFrom(_)
            | Atom::Client { .. }
            | Atom::Method(_)
            | Atom::Address { .. } => false,
        }
    }
}

impl ClaimTest {
    /// Whether it reads the time of the request.
    fn reads_time(&self) -> bool {
        match self {
            ClaimTest::Within(_) => true,
            ClaimTest::Order { bound, .. } => match bound {
                Bound::Now => true,
                Bound::Number(_) => false,
            },
            ClaimTest::Equals { operand, .. }
            | ClaimTest::Contains(operand)
            | ClaimTest::StartsWith(operand)
            | ClaimTest::EndsWith(operand) => operand.is_time(),
            ClaimTest::In { .. }
            | ClaimTest::ContainsAny(_)
            | ClaimTest::ContainsAll(_)
            | ClaimTest::InDomain(_)
            | ClaimTest::Present
            | ClaimTest::Absent => false,
        }
    }
}

impl Operand {
    /// Whether it is the time of the request.
    fn is_time(&self) -> bool {
        match self {
            Operand::Now => true,
            Operand::String(_)
            | Operand::Number(_)
            | Operand::Boolean(_)
            | Operand::Path(_)
            | Operand::Host
            | Operand::Claim(_) => false,
        }
    }
}
