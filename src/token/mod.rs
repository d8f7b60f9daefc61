//! From a token to facts: parsed strictly, recognised by kind, verified, and admitted to an API.
//!
//! A denial names the fault that its reader can act on first: what the token *is* comes before
//! its issuer, and that before its validity period. This is the order, in one place:
//!
//! | | fault | read in |
//! | --- | --- | --- |
//! | 1 | too long, not a JWT, a JWE, a malformed part or header | [`Jws::read`] |
//! | 2 | `alg: none`, a critical member | [`Jws::read`] |
//! | 3 | the payload isn't a claims set, a registered claim has the wrong type | [`verify`] |
//! | 4 | a refresh token, an ID token (unless the issuer says `tokens id`) | [`verify`] |
//! | 5 | `exp` missing | [`verify`] |
//! | 6 | an issuer that the API doesn't accept | [`verify`] |
//! | 7 | a `typ` other than the issuer's `tokens` requires; `iat` missing with `max age` |
//! [`verify`] |
//! | 8 | an algorithm other than the issuer's | [`verify`] |
//! | 9 | no keys, no key that fits, a wrong signature | [`verify`] |
//! | 10 | a cached token of an issuer that this API doesn't accept | [`admit`] |
//! | 11 | the wrong audience | [`admit`] |
//! | 12 | not bound to its sender as required, or without the proof | [`admit`] |
//! | 13 | expired, not yet valid, too old | [`admit`] |
//!
//! Up to 9, the token's contents appear in hints and are trusted for nothing: a claims set becomes
//! facts only after its signature was verified. [`verify`] reads no clock, and its result depends
//! on nothing of the API but its issuers, so it can be cached and shared ([`Verified::holds`]);
//! [`admit`] is called at each decision.
//!
//! An opaque token says nothing by itself. If an issuer of the API introspects tokens
//! ([`whom_to_ask`]), its answer replaces header, payload and signature ([`introspected`]); the
//! steps after 9 are the same.

mod advice;
mod audience;
mod claims;
mod duration;
mod faults;
mod header;
mod introspected;
mod issuer;
mod jws;
mod kind;
mod logged;
mod provider;
mod recorded;
mod reuse;
mod sender;
mod times;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::engine::{Api, Facts, Fault, Issuer, Policy, SeenKind};
use crate::json::{Json, JsonError};
use crate::keys::{Keys, Thumbprint};
use crate::reason::Reason;
use crate::settings::{IssuerId, KeyOwner, Tenant, TokenKind};
use crate::text::quoted;

pub use header::Header;
pub use introspected::{
    Introspection, MAX_ANSWER_BYTES, MAX_ASKED_BYTES, introspected, whom_to_ask,
};
pub use jws::{Jws, MAX_TOKEN_BYTES};
pub use logged::logged;
pub use recorded::{Again, Gaps, Recorded};
pub use sender::{
    Asked, Demands, MAX_PROOF_BYTES, Nonces, PROOF_AHEAD, PROOF_MAX_AGE, Proof, Sender, Shown,
};
pub use times::Times;

use claims::Registered;
use kind::Recognised;
use reuse::Named;
use sender::Confirmation;
use times::Tolerance;

/// The maximum length of `iss` and `sub` in logs and explanations, in characters.
const MAX_SEEN: usize = 256;

/// A claim of the tokens that Kubernetes stores in Secrets, and of no others.
const KUBERNETES_SECRET: &str = "kubernetes.io/serviceaccount/namespace";

/// The result of an admission, and what remains to be checked.
#[derive(Debug, Clone, Copy, PartialEq)]
#[must_use = "a proof that is not remembered can be used again"]
pub enum Admitted {
    /// Nothing remains.
    Wholly,
    /// The token came with a DPoP proof, which is valid for one request. Before that request is let
    /// through, the memory of proofs must confirm that the proof is new.
    Once(Proof),
}

/// A token with a valid signature, and the values that are checked at each decision.
#[derive(Debug)]
pub struct Verified {
    issuer: IssuerId,
    /// The tenant whose keys verified it, if each tenant of the issuer has its own.
    tenant: Option<Tenant>,
    key: Option<Thumbprint>,
    named: Option<Named>,
    kind: SeenKind,
    iss: String,
    subject: Option<String>,
    id: Option<String>,
    times: Times,
    audiences: Vec<String>,
    /// The key or certificate that it is bound to, if any (`cnf`, RFC 7800).
    confirmation: Option<Confirmation>,
    facts: Facts,
}

impl Verified {
    /// Its issuer.
    pub fn issuer(&self) -> IssuerId {
        self.issuer
    }

    /// The key that signed it; `None` for a token without a verified signature, such as an
    /// introspected one.
    pub fn key(&self) -> Option<Thumbprint> {
        self.key
    }

    /// Its kind.
    pub fn kind(&self) -> SeenKind {
        self.kind
    }

    /// `iss`
    pub fn iss(&self) -> &str {
        &self.iss
    }

    /// Its validity period.
    pub fn times(&self) -> Times {
        self.times
    }

    /// `sub`
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// `jti`
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Its facts.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Adds facts about the token to a fault in how it was used.
    pub fn tell(&self, mut fault: Fault) -> Fault {
        fault.kind = Some(self.kind);
        fault.issuer = Some(seen(&self.iss));
        fault.subject = self.subject.as_deref().map(seen);
        // Without a key, the issuer's own endpoint has confirmed it, or it is only for an
        // explanation.
        fault.verified = true;
        fault
    }
}

/// Verifies the token of a request to an API.
///
/// If [`Fault::wanted_keys`] is set, the caller can fetch these keys again and retry.
pub fn verify(token: &str, policy: &Policy, api: &Api, keys: &dyn Keys) -> Result<Verified, Fault> {
    let jws = Jws::read(token).map_err(|fault| with_advice(fault, policy, api))?;
    let claims = Json::parse(jws.payload()).map_err(|error| not_claims(jws.payload(), &error))?;
    let examined = Examined::new(Typ::Is(jws.header().typ()), &claims, policy, api)?;
    let Examined {
        issuer_id, issuer, ..
    } = examined;
    let tell = |fault| examined.tell(fault);

    // Check this before the keys: an outage must not hide a wrong algorithm.
    let algorithm = jws
        .algorithm(&issuer.algorithms)
        .map_err(|fault| tell(not_made_here(fault, issuer)))?;
    let tenant = examined.tenant.as_ref();
    let wanting = |fault| Fault {
        wanted_keys: Some(Box::new(KeyOwner {
            issuer: issuer_id,
            tenant: tenant.cloned(),
        })),
        ..fault
    };
    let unavailable = |which: &str| {
        let whose = match tenant {
            None => issuer.name.clone(),
            Some(tenant) => format!("{}'s tenant `{tenant}`", issuer.name),
        };
        let hint =
            format!("{which} keys of {whose} are not available at the moment; try again later");
        tell(wanting(Fault::new(Reason::KeysUnavailable, hint)))
    };
    let set = keys
        .of(issuer_id, tenant)
        .ok_or_else(|| unavailable("the"))?;
    let key = jws
        .verify(&issuer.algorithms, &set, &issuer.name)
        .map_err(|fault| {
            let newer_may_help = jws.newer_keys_may_help(&fault, &set);
            // One of the missing keys may have signed it.
            if newer_may_help && set.misses_some() {
                return unavailable("some");
            }
            let fault = if newer_may_help {
                wanting(fault)
            } else {
                fault
            };
            let fault = unverifiable(fault, &jws, &examined, &claims, api);
            tell(not_made_here(fault, issuer))
        })?;
    let named = Named {
        id: jws.header().key_id().map(str::to_owned),
        algorithm,
    };
    let (thumbprint, payload) = (key.thumbprint(), jws.encoded_payload());
    Ok(Verified {
        named: Some(named),
        ..examined.verified(Some(thumbprint), policy, &claims, payload)
    })
}

/// Treats a claims set as a token's, without a signature. For asking what a policy would decide,
/// never for answering a request.
///
/// The header's `typ` is assumed to be the one that the issuer's `tokens` setting requires.
/// Everything else is checked as usual, except that a token of an introspecting issuer
/// (`keys introspect`) needs no expiry.
pub fn from_claims(claims: &Json<'_>, policy: &Policy, api: &Api) -> Result<Verified, Fault> {
    assumed(Typ::AsAsked, claims, policy, api)
}

/// The same as [`from_claims`], for a token whose header has this `typ`.
pub fn from_claims_with_typ(
    claims: &Json<'_>,
    typ: &str,
    policy: &Policy,
    api: &Api,
) -> Result<Verified, Fault> {
    assumed(Typ::Is(Some(typ)), claims, policy, api)
}

fn assumed(typ: Typ<'_>, claims: &Json<'_>, policy: &Policy, api: &Api) -> Result<Verified, Fault> {
    let examined = Examined::new(typ, claims, policy, api)?;
    let payload = URL_SAFE_NO_PAD.encode(claims.to_string());
    Ok(examined.verified(None, policy, claims, &payload))
}

/// Reads a token without checking its signature. For asking what a policy would decide if the keys
/// aren't available, never for answering a request. Everything else is checked as usual.
pub fn unsigned(token: &str, policy: &Policy, api: &Api) -> Result<Verified, Fault> {
    let jws = Jws::read(token).map_err(|fault| with_advice(fault, policy, api))?;
    let claims = Json::parse(jws.payload()).map_err(|error| not_claims(jws.payload(), &error))?;
    let examined = Examined::new(Typ::Is(jws.header().typ()), &claims, policy, api)?;
    jws.algorithm(&examined.issuer.algorithms)
        .map_err(|fault| examined.tell(fault))?;
    Ok(examined.verified(None, policy, &claims, jws.encoded_payload()))
}

/// Admits a verified token to an API at this time, a NumericDate, from this sender.
pub fn admit(
    verified: &Verified,
    policy: &Policy,
    api: &Api,
    sender: &Sender<'_>,
    now: f64,
) -> Result<Admitted, Fault> {
    let issuer = policy
        .issuer(verified.issuer)
        .filter(|_| api.issuers.contains(&verified.issuer));
    let check = || {
        let issuer = issuer.ok_or_else(|| {
            Fault::new(
                Reason::TokenUnknownIssuer,
                "this API does not accept tokens of the token's issuer",
            )
        })?;
        audience::check(&verified.audiences, api, issuer)?;
        let senders = policy.senders(issuer, api);
        let proof = sender::check(verified.confirmation.as_ref(), senders, sender, now)?;
        let tolerance = Tolerance {
            leeway: issuer.leeway,
            max_age: issuer.max_age,
        };
        verified.times.check(tolerance, now)?;
        Ok(proof.map_or(Admitted::Wholly, Admitted::Once))
    };
    check().map_err(|fault| verified.tell(fault))
}

/// The header's `typ`.
#[derive(Debug, Clone, Copy)]
enum Typ<'t> {
    /// That of the header.
    Is(Option<&'t str>),
    /// The one that the issuer's `tokens` setting requires, since there is no header.
    AsAsked,
}

/// A claims set that has passed every check that needs neither a key nor a clock.
struct Examined<'c, 'p> {
    registered: Registered<'c>,
    iss: &'c str,
    kind: SeenKind,
    expires: f64,
    issuer_id: IssuerId,
    issuer: &'p Issuer,
    /// The tenant whose keys must verify it, if each tenant of the issuer has its own.
    tenant: Option<Tenant>,
}

impl<'c, 'p> Examined<'c, 'p> {
    fn new(
        typ: Typ<'_>,
        claims: &'c Json<'_>,
        policy: &'p Policy,
        api: &Api,
    ) -> Result<Examined<'c, 'p>, Fault> {
        let registered = Registered::read(claims)?;
        let found = issuer::find(policy, api, registered.issuer, claims);
        let issuer = found.map(|(_, issuer)| issuer);
        let given = match typ {
            Typ::Is(typ) => Some(typ),
            Typ::AsAsked => None,
        };
        let typ = given.unwrap_or_else(|| {
            issuer
                .filter(|issuer| issuer.tokens == TokenKind::Access)
                .map(|_| "at+jwt")
        });
        let scopes_from = issuer.and_then(|issuer| issuer.scopes_from.as_deref());
        let recognised = kind::recognise(typ, claims, &registered, scopes_from);
        let tell = |fault| tell(fault, recognised.kind, &registered);

        let wants_id = match issuer {
            Some(issuer) => issuer.tokens == TokenKind::Id,
            None => issuers(policy, api).all(|issuer| issuer.tokens == TokenKind::Id),
        };
        refuse_other_kinds(&recognised, wants_id, policy, api, issuer).map_err(tell)?;
        // Claims without a header can be the answer of an introspecting issuer.
        let asked = given.is_none() && issuer.is_some_and(|issuer| issuer.introspect.is_some());
        let expires = registered
            .expires
            .or(asked.then_some(f64::INFINITY))
            .ok_or_else(|| {
                let from_secret = claims.get(KUBERNETES_SECRET).is_some();
                tell(faults::malformed(if from_secret {
                    "the token has no `exp`: it is one that Kubernetes keeps in a Secret; let the \
                    pod mount a projected service-account token"
                } else {
                    "the token has no `exp`; tokens that never expire are not accepted"
                }))
            })?;
        let (Some(iss), Some((issuer_id, issuer))) = (registered.issuer, found) else {
            let fault = audience::for_graph(policy, api, registered.issuer, &registered.audiences)
                .unwrap_or_else(|| issuer::unknown(policy, api, registered.issuer, claims));
            return Err(tell(fault));
        };
        let tenant = issuer::key_tenant(issuer, iss).map_err(tell)?;
        if given.is_some() && !kind::typ_fits(typ, issuer.tokens) {
            return Err(tell(wrong_type(typ, issuer)));
        }
        if issuer.max_age.is_some() && registered.issued_at.is_none() {
            return Err(tell(faults::malformed(
                "the token does not say when it was issued (`iat`), which `max age` needs",
            )));
        }
        let kind = if wants_id {
            SeenKind::Id
        } else {
            recognised.kind
        };
        Ok(Examined {
            registered,
            iss,
            kind,
            expires,
            issuer_id,
            issuer,
            tenant,
        })
    }

    /// The audiences of the token.
    fn audiences(&self, claims: &Json<'_>) -> Vec<String> {
        audience::of_token(
            &self.registered.audiences,
            claims,
            self.issuer.audience_from.as_deref(),
        )
    }

    /// Adds facts about the token to a fault.
    fn tell(&self, fault: Fault) -> Fault {
        tell(fault, self.kind, &self.registered)
    }

    /// INVARIANT: only called with a key that has verified the signature. Or without a key, for the
    /// answer of the issuer's own endpoint, or for a token that doesn't answer a request. Nothing
    /// else turns claims into facts.
    fn verified(
        &self,
        key: Option<Thumbprint>,
        policy: &Policy,
        claims: &Json<'_>,
        payload: &str,
    ) -> Verified {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Verified {
            issuer: self.issuer_id,
            tenant: self.tenant.clone(),
            key,
            named: None,
            kind: self.kind,
            iss: self.iss.to_owned(),
            subject: owned(self.registered.subject),
            id: owned(self.registered.id),
            times: Times {
                expires: self.expires,
                not_before: self.registered.not_before,
                issued_at: self.registered.issued_at,
            },
            audiences: self.audiences(claims),
            confirmation: Confirmation::of(claims),
            facts: policy.facts(self.issuer_id, claims, Some(payload)),
        }
    }
}

/// The issuers whose tokens an API accepts.
fn issuers<'p>(policy: &'p Policy, api: &'p Api) -> impl Iterator<Item = &'p Issuer> {
    api.issuers.iter().filter_map(|id| policy.issuer(*id))
}

/// The API's issuer, if it has only one.
fn only_issuer<'p>(policy: &'p Policy, api: &'p Api) -> Option<&'p Issuer> {
    let mut issuers = issuers(policy, api);
    issuers.next().filter(|_| issuers.next().is_none())
}

/// How to get a suitable token, from this issuer or the only one there is.
fn advice(policy: &Policy, api: &Api, issuer: Option<&Issuer>) -> String {
    let issuer = issuer.or_else(|| only_issuer(policy, api));
    advice::ask_for(issuer, audience::wanted(api, issuer))
}

/// Adds facts about the token to a fault.
fn tell(mut fault: Fault, kind: SeenKind, registered: &Registered<'_>) -> Fault {
    fault.kind = Some(kind);
    fault.issuer = registered.issuer.map(seen);
    fault.subject = registered.subject.map(seen);
    fault
}

/// The part of a claim that goes into logs and explanations.
fn seen(text: &str) -> String {
    text.chars().take(MAX_SEEN).collect()
}

/// Refuses a token of another kind than the accepted one.
fn refuse_other_kinds(
    recognised: &Recognised,
    wants_id: bool,
    policy: &Policy,
    api: &Api,
    issuer: Option<&Issuer>,
) -> Result<(), Fault> {
    let sign = &recognised.sign;
    match (recognised.kind, wants_id) {
        (SeenKind::Refresh, _) => Err(Fault::new(
            Reason::TokenIsRefreshToken,
            format!(
                "the token is a refresh token ({sign}), which is only for the provider: exchange \
                it there for an access token, and send that"
            ),
        )),
        (SeenKind::Id, false) => Err(Fault::new(
            Reason::TokenIsIdToken,
            format!(
                "the token is an ID token ({sign}): it tells a client who signed in, and is not \
                an access token; {}",
                advice(policy, api, issuer)
            ),
        )
        .with_remedy(takes_id_tokens(issuer.or_else(|| only_issuer(policy, api))))),
        (SeenKind::Access, true) if recognised.certain => Err(Fault::new(
            Reason::TokenWrongType,
            format!("the token is an access token ({sign}), but ID tokens are required"),
        )),
        _ => Ok(()),
    }
}

/// Advice for the operator if a provider's access tokens can't be told from ID tokens.
fn takes_id_tokens(issuer: Option<&Issuer>) -> String {
    let issuer = issuer.map_or_else(
        || "the issuer".to_owned(),
        |issuer| format!("the issuer `{}`", issuer.name),
    );
    format!(
        "some providers issue only ID tokens for an API (Google's Identity-Aware Proxy), or \
        access tokens that look like ID tokens (authentik): `tokens id` in {issuer} accepts them, \
        and also the ID token of every user who signs in to a client with this audience"
    )
}

fn wrong_type(typ: Option<&str>, issuer: &Issuer) -> Fault {
    let is = typ.map_or_else(
        || "the token has no `typ`".to_owned(),
        |typ| format!("the token's `typ` is {}", quoted(typ)),
    );
    let wanted = match issuer.tokens {
        TokenKind::Jwt => "`JWT`, `at+jwt` or none",
        TokenKind::Access => "`at+jwt` (RFC 9068)",
        TokenKind::Id => "`JWT` or none",
    };
    Fault::new(
        Reason::TokenWrongType,
        format!("{is}; for tokens of {} it must be {wanted}", issuer.name),
    )
}

/// Adds advice for the sender of an opaque or encrypted token on what to request instead.
fn with_advice(mut fault: Fault, policy: &Policy, api: &Api) -> Fault {
    let mut issuers = issuers(policy, api);
    if fault.reason == Reason::TokenOpaque
        && let Some(built_in) = issuers.find(|issuer| issuer.built_in)
    {
        return not_made_here(fault, built_in);
    }
    let what = match fault.reason {
        Reason::TokenOpaque => ", and there is no introspection for this API",
        Reason::TokenEncrypted => "",
        _ => return fault,
    };
    fault.hint = format!("{}{what}; {}", fault.hint, advice(policy, api, None));
    fault
}

/// Tells the sender of a provider's token that the development issuer takes the provider's place.
/// Other faults of the token don't matter then.
fn not_made_here(mut fault: Fault, issuer: &Issuer) -> Fault {
    if issuer.built_in {
        fault.hint = format!(
            "`portcullis dev` accepts only tokens that it issued in this run: get one with \
            `portcullis token --issuer {}`, or start `portcullis dev --real-issuers`, which \
            accepts the provider's too",
            issuer.name
        );
    }
    fault
}

/// The fault of a payload that isn't JSON.
fn not_claims(payload: &[u8], error: &JsonError) -> Fault {
    faults::malformed(if payload.is_empty() {
        "the token has no payload: detached content (RFC 7515, appendix F) is not a JWT".to_owned()
    } else if payload.starts_with(b"eyJ") {
        "the payload is a token itself: nested JWTs are not accepted".to_owned()
    } else {
        format!("the payload is not JSON: {error}")
    })
}

/// A signature that only the provider's own service can verify isn't a forgery, so the audience
/// explains more. It is a denial in either case.
fn unverifiable(
    fault: Fault,
    jws: &Jws<'_>,
    examined: &Examined<'_, '_>,
    claims: &Json<'_>,
    api: &Api,
) -> Fault {
    if fault.reason != Reason::TokenBadSignature || !jws.header().has_nonce() {
        return fault;
    }
    match audience::check(&examined.audiences(claims), api, examined.issuer) {
        Err(wrong_audience) => wrong_audience,
        Ok(()) => fault,
    }
}
