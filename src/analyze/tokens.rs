//! The tokens that two APIs accept, and their requirements on them.

use serde_json::{Map, Value, json};

use crate::json::number;
use crate::model::{Api, Model};
use crate::settings::{Audience, IssuerUrl, Senders, TokenKind};

use super::atoms::{Token, seconds_of};

/// The form of an issuer's `iss`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Iss {
    /// Exactly this URL.
    Is(String),
    /// A URL that contains the tenant from a claim.
    Tenant {
        /// The text before the tenant.
        prefix: String,
        /// The path of the claim.
        claim: Vec<String>,
        /// The text after the tenant.
        suffix: String,
        /// Tenants with their own issuer.
        but: Vec<String>,
    },
}

/// A kind of token: one issuer, as both policies see it.
#[derive(Debug, Clone)]
pub struct Case<'m> {
    /// What `iss` is.
    pub iss: Iss,
    /// Claims that must have these values for the old or the new policy to recognise the issuer.
    pub tenants: Vec<(Vec<String>, String)>,
    /// The issuer in the old API.
    pub old: Option<Token<'m>>,
    /// The issuer in the new API.
    pub new: Option<Token<'m>>,
}

/// The token of a request.
#[derive(Debug, Clone, Copy)]
pub enum Bearer<'c, 'm> {
    /// No token.
    Nobody,
    /// A token of this issuer, and which policies accept it.
    Valid(&'c Case<'m>, [bool; 2]),
    /// A token that no policy accepts. A policy that reads tokens denies the request; one that
    /// doesn't isn't affected.
    Invalid,
}

impl<'c, 'm> Bearer<'c, 'm> {
    /// The issuer of an accepted token.
    pub(super) fn case(self) -> Option<&'c Case<'m>> {
        match self {
            Bearer::Valid(case, _) => Some(case),
            Bearer::Nobody | Bearer::Invalid => None,
        }
    }
}

/// An API and its policy.
pub type Taker<'m> = (&'m Model, &'m Api);

/// The issuers whose tokens at least one of the APIs accepts.
pub fn cases<'m>(old: Option<Taker<'m>>, new: Option<Taker<'m>>) -> Vec<Case<'m>> {
    let known = |taker: Option<Taker<'m>>| -> Vec<Token<'m>> {
        taker
            .map(|(model, api)| {
                api.issuers
                    .iter()
                    .filter_map(|id| {
                        Some(Token {
                            id: *id,
                            issuer: model.issuers.get(id.0 as usize)?,
                        })
                    })
                    .collect()
            })
            .unwrap_or_default()
    };
    let (old, new) = (known(old), known(new));
    let mut isses: Vec<Iss> = Vec::new();
    let exact: Vec<&String> = old
        .iter()
        .chain(&new)
        .filter_map(|token| match &token.issuer.url {
            IssuerUrl::Exact(url) => Some(url),
            IssuerUrl::Tenant { .. } => None,
        })
        .collect();
    for token in old.iter().chain(&new) {
        let iss = match &token.issuer.url {
            IssuerUrl::Exact(url) => Iss::Is(url.clone()),
            IssuerUrl::Tenant {
                prefix,
                claim,
                suffix,
            } => Iss::Tenant {
                prefix: prefix.clone(),
                claim: claim.clone(),
                suffix: suffix.clone(),
                but: exact
                    .iter()
                    .filter_map(|url| tenant(url, prefix, suffix))
                    .map(str::to_owned)
                    .collect(),
            },
        };
        isses.push(iss);
    }
    isses.sort_unstable();
    isses.dedup();
    isses
        .into_iter()
        .map(|iss| {
            let mut tenants = Vec::new();
            let old = find(&old, &iss, &mut tenants);
            let new = find(&new, &iss, &mut tenants);
            Case {
                iss,
                tenants,
                old,
                new,
            }
        })
        .collect()
}

fn tenant<'u>(url: &'u str, prefix: &str, suffix: &str) -> Option<&'u str> {
    url.strip_prefix(prefix)?
        .strip_suffix(suffix)
        .filter(|tenant| !tenant.is_empty() && !tenant.contains(['/', '?', '#']))
}

/// The issuer that an API recognises by this `iss`. An exact URL is preferred to one with a tenant.
fn find<'m>(
    known: &[Token<'m>],
    iss: &Iss,
    tenants: &mut Vec<(Vec<String>, String)>,
) -> Option<Token<'m>> {
    match iss {
        Iss::Is(url) => known
            .iter()
            .find(|token| matches!(&token.issuer.url, IssuerUrl::Exact(own) if own == url))
            .copied()
            .or_else(|| {
                known.iter().find_map(|token| match &token.issuer.url {
                    IssuerUrl::Tenant {
                        prefix,
                        claim,
                        suffix,
                    } => {
                        let tenant = tenant(url, prefix, suffix)?;
                        tenants.push((claim.clone(), tenant.to_owned()));
                        Some(*token)
                    }
                    IssuerUrl::Exact(_) => None,
                })
            }),
        Iss::Tenant {
            prefix,
            claim,
            suffix,
            ..
        } => known
            .iter()
            .find(|token| match &token.issuer.url {
                IssuerUrl::Tenant {
                    prefix: own_prefix,
                    claim: own_claim,
                    suffix: own_suffix,
                } => (own_prefix, own_claim, own_suffix) == (prefix, claim, suffix),
                IssuerUrl::Exact(_) => false,
            })
            .copied(),
    }
}

/// The requirements of one API on a token of an issuer.
#[derive(Debug, Clone)]
pub struct Demands {
    /// The API's audiences; `None` if they aren't checked.
    pub api_audience: Option<Vec<String>>,
    /// The audiences that the issuer requires in addition.
    pub issuer_audience: Vec<String>,
    /// The claim with the audience, if there is no `aud`.
    pub audience_from: Option<Vec<String>>,
    /// In seconds.
    pub leeway: f64,
    /// In seconds.
    pub max_age: Option<f64>,
    /// The accepted kind of token.
    pub kind: TokenKind,
    /// How tokens must be bound to their sender.
    pub senders: Senders,
    /// The claim with the scopes, if not `scope` or `scp`.
    pub scopes_from: Option<Vec<String>>,
    /// Whether tokens are introspected, and may lack an expiry.
    pub introspects: bool,
}

impl Demands {
    /// The requirements of an API on the tokens of an issuer.
    pub fn of(api: &Api, token: Token) -> Demands {
        let issuer = token.issuer;
        Demands {
            api_audience: match &api.audience {
                Audience::OneOf(audiences) => Some(audiences.clone()),
                Audience::Any(_) => None,
            },
            issuer_audience: issuer.audience.clone(),
            audience_from: issuer.audience_from.clone(),
            introspects: issuer.introspect.is_some(),
            leeway: seconds_of(issuer.leeway),
            max_age: issuer.max_age.map(seconds_of),
            kind: issuer.tokens,
            senders: issuer.senders.and(api.senders),
            scopes_from: issuer.scopes_from.clone(),
        }
    }

    /// The smallest accepted lists of audiences.
    pub fn audiences(&self) -> Vec<Vec<String>> {
        let one_of = |wanted: &[String]| -> Vec<Option<String>> {
            if wanted.is_empty() {
                vec![None]
            } else {
                wanted.iter().cloned().map(Some).collect()
            }
        };
        let api = match &self.api_audience {
            None => vec![None],
            // No list is accepted.
            Some(wanted) if wanted.is_empty() => return Vec::new(),
            Some(wanted) => one_of(wanted),
        };
        let issuer = one_of(&self.issuer_audience);
        let mut all: Vec<Vec<String>> = api
            .iter()
            .flat_map(|a| {
                issuer.iter().map(move |b| {
                    let mut both: Vec<String> = a.iter().chain(b).cloned().collect();
                    both.sort_unstable();
                    both.dedup();
                    both
                })
            })
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Whether a token with these audiences is accepted.
    pub fn takes(&self, audiences: &[String]) -> bool {
        let holds = |wanted: &[String]| audiences.iter().any(|audience| wanted.contains(audience));
        self.api_audience.as_deref().is_none_or(holds)
            && (self.issuer_audience.is_empty() || holds(&self.issuer_audience))
    }
}

/// The claims of every token of this kind, which satisfy all of these requirements.
pub fn base(case: &Case<'_>, demands: &[Demands], now: f64) -> Map<String, Value> {
    let mut claims = Map::new();
    if let Iss::Is(url) = &case.iss {
        claims.insert("iss".to_owned(), json!(url));
    }
    let mut audiences: Vec<String> = demands
        .iter()
        .filter_map(|demands| demands.audiences().first().cloned())
        .flatten()
        .collect();
    audiences.sort_unstable();
    audiences.dedup();
    match audiences.as_slice() {
        [] => {}
        [one] => {
            claims.insert("aud".to_owned(), json!(one));
        }
        several => {
            claims.insert("aud".to_owned(), json!(several));
        }
    }
    claims.insert("exp".to_owned(), number(now + LIFETIME));
    if demands.iter().any(|demands| demands.max_age.is_some()) {
        claims.insert("iat".to_owned(), number(now));
    }
    claims
}

/// The claims of a token that no policy accepts.
pub fn refused() -> Map<String, Value> {
    Map::from_iter([
        ("exp".to_owned(), json!(0)),
        ("iss".to_owned(), json!("https://nobody.invalid")),
    ])
}

/// The lifetime of witness tokens, in seconds.
pub const LIFETIME: f64 = 300.0;
