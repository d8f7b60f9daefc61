//! Checks atoms that need another one next to them: `sub` needs its issuer, `email` its
//! verification.

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Atom, ClaimId, Condition, ConditionKind, Input};
use crate::source::Span;

use super::context::{Around, Place};
use super::out::Out;

/// What to look for, and the place of the whole condition.
struct Search<'p> {
    place: Place<'p>,
    whole: Span,
    /// `sub`, if the API has several issuers.
    subject: Option<ClaimId>,
    email: Option<ClaimId>,
}

/// Checks that no atom lacks the one that it needs.
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
            "an unverified `email` is whatever its user typed in",
        )
        .help("join it with `claim email_verified == true`, or compare `sub`");
        self.traced(diagnostic, span)
    }

    /// Adds the place of the condition if the atom is in a `let`.
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

/// Whether an atom compares a claim. `present` and `absent` aren't comparisons.
fn compares(atom: &Atom, id: ClaimId) -> bool {
    let is_comparison = atom.claim().is_none_or(|(_, test)| test.compares());
    is_comparison && atom.reads(Input::Claim(id))
}
