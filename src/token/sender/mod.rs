//! Sender-constrained tokens: the key or certificate that a token is bound to, and whether the
//! sender has it.
//!
//! Anybody who has a bearer token can use it. A token that is bound to a key (`cnf`, RFC 7800) also
//! needs proof of that key: a signature in each request (DPoP, RFC 9449), or the certificate of the
//! client's connection (RFC 8705). Accepting such a token without proof would defeat its purpose,
//! so it is refused if the policy doesn't require the proof.

mod confirmation;
mod proof;
mod target;

use crate::engine::{Fault, Request, Scheme};
use crate::keys::Thumbprint;
use crate::reason::Reason;
use crate::settings::{Binding, Senders};

pub(super) use confirmation::{Confirmation, Member};
pub use proof::{MAX_PROOF_BYTES, PROOF_AHEAD, PROOF_MAX_AGE, Proof};

/// The sender of a token, as far as it is known.
#[derive(Debug, Clone, Copy)]
pub enum Sender<'a> {
    /// The sender that the policy requires: for asking what it would decide, never for answering a
    /// request.
    Assumed,
    /// The sender that a request shows.
    Shown(Shown<'a>),
}

/// The evidence about a token's sender in a request.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// The original request, as the proxy reports it.
    pub request: &'a Request<'a>,
    /// The token, unchanged.
    pub token: &'a str,
    /// The scheme with which it was sent.
    pub scheme: Scheme,
    /// The certificate of the client's connection, from the one source that the daemon's
    /// configuration names.
    pub certificate: Option<Thumbprint>,
    /// Requirements on proofs beyond the RFC.
    pub demands: Demands<'a>,
}

/// Requirements on DPoP proofs beyond those of RFC 9449.
#[derive(Debug, Clone, Copy, Default)]
pub struct Demands<'a> {
    /// The ports at which clients reach the APIs, in addition to the scheme's default. The client
    /// writes the port in `Host`, and another server may listen there. `None` allows any.
    pub ports: Option<&'a [u16]>,
    /// The nonces that clients get (RFC 9449, section 9).
    pub nonces: Option<&'a dyn Nonces>,
}

/// The nonces that clients get.
pub trait Nonces: std::fmt::Debug + Send + Sync {
    /// Until when a nonce is good, as a NumericDate; `None` for one that is not.
    fn good_until(&self, nonce: &str) -> Option<f64>;

    /// Whether a nonce, given by these or by others of their kind, says itself that it is no longer
    /// accepted. One that isn't outdated need not be genuine.
    fn is_outdated(&self, nonce: &str) -> bool;

    /// The requirement on proofs.
    fn asked(&self) -> Asked;
}

/// The requirement on the nonce of a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A nonce, which alone says when the proof was made. The client's clock needn't be right.
    InsteadOfTheClock,
    /// A nonce, and the client's clock has to be right too.
    BesideTheClock,
    /// No nonce. One that is outdated is refused all the same: a proof that was used while nonces
    /// replaced the clock is remembered until its nonce ends, and may be dated later.
    Nothing,
}

/// Checks that the sender of a token has the key or certificate that it is bound to.
///
/// Returns the DPoP proof, if there is one. It is valid, but must not be used twice.
pub(super) fn check(
    confirmation: Option<&Confirmation>,
    senders: Senders,
    sender: &Sender<'_>,
    now: f64,
) -> Result<Option<Proof>, Fault> {
    let (key, certificate) = match confirmation {
        Some(confirmation) => declared(confirmation, senders)?,
        None => (None, None),
    };
    let Sender::Shown(shown) = sender else {
        return Ok(None);
    };
    let bound = |binding, thumbprint: Option<Thumbprint>| {
        thumbprint.is_some() || binding != Binding::Required
    };
    if !bound(senders.dpop, key) {
        return Err(refused(
            "the token is not bound to a key of its client (`cnf.jkt`), but the policy requires \
            it: to get a bound token, the client sends a DPoP proof to the token endpoint (RFC \
            9449, \
             section 5)",
        ));
    }
    if !bound(senders.mtls, certificate) {
        return Err(refused(
            "the token is not bound to a client certificate (`cnf.x5t#S256`), but the policy \
            requires it: to get a bound token, the client presents its certificate at the token \
            endpoint \
             (RFC 8705, section 3)",
        ));
    }
    if key.is_none() && shown.scheme == Scheme::Dpop {
        return Err(refused(
            "the token was sent as `Authorization: DPoP`, but is not bound to a key (`cnf.jkt`)",
        ));
    }
    if let Some(certificate) = certificate {
        check_certificate(certificate, shown.certificate)?;
    }
    key.map(|key| proof::check(shown, key, now)).transpose()
}

/// The key and certificate that a token is bound to, if the settings require proof of both.
fn declared(
    confirmation: &Confirmation,
    senders: Senders,
) -> Result<(Option<Thumbprint>, Option<Thumbprint>), Fault> {
    if senders == Senders::default() {
        return Err(refused(
            "the token is bound to a key of its holder (`cnf`), but the policy does not check \
            that (`sender`): as a bearer token it is refused",
        ));
    }
    let key = confirmation.key.thumbprint("jkt")?;
    let certificate = confirmation.certificate.thumbprint("x5t#S256")?;
    if key.is_none() && certificate.is_none() {
        return Err(refused(
            "the token is bound to its holder (`cnf`), but neither by `jkt` (DPoP) nor by \
            `x5t#S256` (a client certificate), and portcullis can check nothing else",
        ));
    }
    if key.is_some() && senders.dpop == Binding::Undeclared {
        return Err(refused(
            "the token is bound to a key of its client (`cnf.jkt`), but the policy does not \
            accept DPoP proofs (`sender dpop`)",
        ));
    }
    if certificate.is_some() && senders.mtls == Binding::Undeclared {
        return Err(refused(
            "the token is bound to a client certificate (`cnf.x5t#S256`), but the policy does not \
            ask for one (`sender mtls`)",
        ));
    }
    Ok((key, certificate))
}

/// The certificate of the connection must be the one that the token is bound to (RFC 8705, section
/// 3). The TLS handshake has shown that the client has its private key.
fn check_certificate(bound: Thumbprint, shown: Option<Thumbprint>) -> Result<(), Fault> {
    match shown {
        Some(shown) if shown == bound => Ok(()),
        Some(shown) => Err(refused(format!(
            "the token is bound to another client certificate (`x5t#S256` {bound}) than the \
            connection's ({shown})"
        ))),
        None => Err(refused(
            "the token is bound to a client certificate, but the request came with none: the \
            client sent none, the proxy does not pass it on, or the adapter has no source for it \
            (`certificate` in portcullis.yaml)",
        )),
    }
}

pub(super) fn refused(hint: impl Into<String>) -> Fault {
    Fault::new(Reason::TokenSender, hint)
}
