//! Atoms that need another one next to them: `sub` its issuer, `email` its verification.

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Atom, ClaimId, ClaimTest, Condition, ConditionKind, Operand, TextTest};
use crate::source::Span;

use super::conditions::Place;
use super::out::Out;

/// What holds wherever a condition is looked at, because a condition that it is joined to by
/// `and` says so.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Around {
    /// Which issuer signed.
    issuer: bool,
    /// That the address is verified.
    verified: bool,
}

impl Around {
    /// This, and what a condition sees to.
    pub fn and(self, place: Place, condition: &Condition) -> Around {
        let verified = place.api.claims.get("email_verified").map(|claim| claim.id);
        condition
            .conjuncts()
            .fold(self, |around, conjunct| match &conjunct.kind {
                ConditionKind::Atom(Atom::TokenFrom(_)) => Around {
                    issuer: true,
                    ..around
                },
                ConditionKind::Atom(Atom::Claim(id, test)) if Some(*id) == verified => Around {
                    verified: around.verified || is_true(test),
                    ..around
                },
                _ => around,
            })
    }
}

/// Whether a test of a boolean asks for `true`.
fn is_true(test: &ClaimTest) -> bool {
    matches!(
        test,
        ClaimTest::Equals {
            operand: Operand::Boolean(true),
            negated: false,
        } | ClaimTest::Equals {
            operand: Operand::Boolean(false),
            negated: true,
        }
    )
}

/// What is looked for, and where the whole condition stands.
struct Search<'p> {
    place: Place<'p>,
    whole: Span,
    /// `sub`, where an API has several issuers.
    subject: Option<ClaimId>,
    email: Option<ClaimId>,
}

/// Checks that no atom stands alone that needs another beside it.
pub(super) fn check(place: Place, condition: &Condition, whole: Span, out: &mut Out) {
    let claim = |name: &str| place.api.claims.get(name).map(|claim| claim.id);
    let search = Search {
        place,
        whole,
        subject: claim("sub").filter(|_| place.api.issuers.len() > 1),
        email: claim("email"),
    };
    if search.subject.is_some() || search.email.is_some() {
        search.walk(condition, place.around, out);
    }
}

impl Search<'_> {
    fn walk(&self, condition: &Condition, around: Around, out: &mut Out) {
        match &condition.kind {
            ConditionKind::And(all) => {
                let around = around.and(self.place, condition);
                for condition in all {
                    self.walk(condition, around, out);
                }
            }
            ConditionKind::Or(any) => {
                for condition in any {
                    self.walk(condition, around, out);
                }
            }
            ConditionKind::Not(inner) => self.walk(inner, around, out),
            ConditionKind::Atom(atom) => {
                let compares = |id: Option<ClaimId>| id.is_some_and(|id| compares(atom, id));
                if !around.issuer && compares(self.subject) {
                    out.say(self.subject_alone(condition.span));
                }
                if !around.verified && compares(self.email) {
                    out.say(self.email_alone(condition.span));
                }
            }
        }
    }

    fn subject_alone(&self, span: Span) -> Diagnostic {
        let api = self.place.api;
        let diagnostic = Diagnostic::new(
            Code::SubjectWithoutIssuer,
            span,
            format!(
                "`{}` takes tokens of several issuers, and two can name the same `sub`",
                api.name
            ),
        )
        .help("join it with the issuer that is meant: `token from ISSUER and …`");
        let diagnostic = match api.issuer_span {
            Some(issuers) => diagnostic.also(issuers, "the issuers"),
            None => diagnostic,
        };
        self.traced(diagnostic, span)
    }

    fn email_alone(&self, span: Span) -> Diagnostic {
        let diagnostic = Diagnostic::new(
            Code::UnverifiedEmail,
            span,
            "an `email` that is not verified is whatever its user typed in",
        )
        .help("join it with `claim email_verified == true`, or compare `sub`");
        self.traced(diagnostic, span)
    }

    /// Adds the condition itself where the atom stands in a `let`.
    fn traced(&self, diagnostic: Diagnostic, span: Span) -> Diagnostic {
        let inside = span.file == self.whole.file
            && span.start >= self.whole.start
            && span.end <= self.whole.end;
        if inside {
            diagnostic
        } else {
            diagnostic.also(self.whole, "used here")
        }
    }
}

/// Whether an atom compares a claim with something; to be there or not is no comparison.
fn compares(atom: &Atom, id: ClaimId) -> bool {
    match atom {
        Atom::Claim(_, ClaimTest::Present | ClaimTest::Absent) => false,
        Atom::Claim(claim, test) => {
            *claim == id
                || match test {
                    ClaimTest::Equals { operand, .. }
                    | ClaimTest::Contains(operand)
                    | ClaimTest::StartsWith(operand)
                    | ClaimTest::EndsWith(operand) => *operand == Operand::Claim(id),
                    _ => false,
                }
        }
        Atom::Path(_, test) | Atom::Host(test) | Atom::Header(_, test) | Atom::Query(_, test) => {
            match test {
                TextTest::Equals { operand, .. } | TextTest::StartsWith(operand) => {
                    *operand == Operand::Claim(id)
                }
                TextTest::In { .. } | TextTest::Present => false,
            }
        }
        _ => false,
    }
}
