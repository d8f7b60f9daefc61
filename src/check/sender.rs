//! `sender dpop|mtls optional|required`: sender-constrained tokens.

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Binding, Senders, TokenPlace};
use crate::source::{Span, Spanned};
use crate::syntax::ast::{self, SenderMethod};

use super::out::{Out, once};

/// The settings of one issuer or one API, each with its place.
#[derive(Default)]
pub(super) struct SenderSettings {
    dpop: Option<Spanned<Binding>>,
    mtls: Option<Spanned<Binding>>,
}

impl SenderSettings {
    /// Adds one line.
    pub fn add(&mut self, given: &ast::Sender, span: Span, out: &mut Out) {
        let (slot, what) = match given.method {
            SenderMethod::Dpop => (&mut self.dpop, "sender dpop"),
            SenderMethod::Mtls => (&mut self.mtls, "sender mtls"),
        };
        let binding = if given.required {
            Binding::Required
        } else {
            Binding::Optional
        };
        once(slot, binding, span, what, out);
    }

    /// The settings.
    pub fn senders(&self) -> Senders {
        let said = |slot: &Option<Spanned<Binding>>| {
            slot.as_ref()
                .map_or(Binding::Undeclared, |setting| setting.node)
        };
        Senders {
            dpop: said(&self.dpop),
            mtls: said(&self.mtls),
        }
    }

    /// The place of the setting for DPoP.
    pub fn dpop_span(&self) -> Option<Span> {
        self.dpop.as_ref().map(|setting| setting.span)
    }
}

/// Reports what an API with DPoP proofs lacks.
///
/// A proof names the URL that it is for. Without `host`, the API accepts any host that the client
/// names. Then a proof that was made for a hostile server, which passes it on, would be accepted
/// here too.
pub(super) fn check_dpop(
    said: Span,
    name: &Spanned<String>,
    names_hosts: bool,
    places: &[TokenPlace],
    out: &mut Out,
) {
    if !names_hosts {
        out.say(
            Diagnostic::new(
                Code::ProofWithoutHost,
                name.span,
                format!(
                    "`{}` accepts DPoP proofs, which are made for one host, but names no `host`",
                    name.node
                ),
            )
            .also(said, "DPoP-bound tokens are accepted here")
            .help("write `host \"…\"`: the name under which clients reach the API"),
        );
    }
    if !places.contains(&TokenPlace::Authorization) {
        out.say(
            Diagnostic::new(
                Code::ProofWithoutAuthorization,
                name.span,
                format!(
                    "`{}` accepts DPoP-bound tokens, but `token only in` leaves no place for them",
                    name.node
                ),
            )
            .also(said, "DPoP-bound tokens are accepted here")
            .help(
                "a DPoP-bound token is sent as `Authorization: DPoP` (RFC 9449, section 7.1): \
                 write `token in`, without `only`",
            ),
        );
    }
}
