//! The tokens that two APIs accept, and what each requires of them.

use serde_json::{Map, Value, json};

use crate::model::{Api, Model};
use crate::settings::{Audience, IssuerUrl, Senders, TokenKind};

use super::atoms::{Token, seconds_of};

/// What `iss` is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Iss {
    /// This.
    Is(String),
    /// A URL with the tenant that a claim names.
    Tenant {
        /// What stands before it.
        prefix: String,
        /// Where the claim is.
        claim: Vec<String>,
        /// What follows it.
        suffix: String,
        /// Tenants that have an issuer of their own.
        but: Vec<String>,
    },
}

/// A token as it comes: without one, or of this issuer.
#[derive(Debug, Clone)]
pub struct Case<'m> {
    /// What `iss` is.
    pub iss: Iss,
    /// Claims that must be such texts for the old or the new policy to know the issuer.
    pub tenants: Vec<(Vec<String>, String)>,
    /// The issuer that the old API knows it as.
    pub old: Option<Token<'m>>,
    /// The issuer that the new API knows it as.
    pub new: Option<Token<'m>>,
}

/// What a request says of who sends it.
#[derive(Debug, Clone, Copy)]
pub enum Bearer<'c, 'm> {
    /// Nothing.
    Nobody,
    /// A token of this issuer, and which policies take it.
    Valid(&'c Case<'m>, [bool; 2]),
    /// A token that nobody takes: a policy that looks at tokens denies it, one that does not cannot
    /// know.
    Invalid,
}

impl<'c, 'm> Bearer<'c, 'm> {
    /// The case of a token that is taken.
    pub(super) fn case(self) -> Option<&'c Case<'m>> {
        match self {
            Bearer::Valid(case, _) => Some(case),
            Bearer::Nobody | Bearer::Invalid => None,
        }
    }
}

/// An API of a policy.
pub type Taker<'m> = (&'m Model, &'m Api);

/// The issuers whose tokens one of two APIs takes.
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

/// The issuer that `iss` is to an API: an exact one goes before one for many tenants.
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

/// What is checked of a token beside its issuer, for one API.
#[derive(Debug, Clone)]
pub struct Demands {
    /// Audiences of the API; `None` where it is unchecked.
    pub api_audience: Option<Vec<String>>,
    /// Audiences that the issuer's tokens must have beside.
    pub issuer_audience: Vec<String>,
    /// Where the audience is, without `aud`.
    pub audience_from: Option<Vec<String>>,
    /// Seconds.
    pub leeway: f64,
    /// Seconds.
    pub max_age: Option<f64>,
    /// The kind.
    pub kind: TokenKind,
    /// How they are bound to who sends them.
    pub senders: Senders,
    /// Where scopes are, if not in `scope` and `scp`.
    pub scopes_from: Option<Vec<String>>,
    /// Whether the issuer is asked about tokens, and need not say when they end.
    pub introspects: bool,
}

impl Demands {
    /// Of an API on the tokens of an issuer.
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

    /// The least lists of audiences that do.
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
            // Nobody is its audience.
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

    /// Whether a token for these audiences is taken.
    pub fn takes(&self, audiences: &[String]) -> bool {
        let holds = |wanted: &[String]| audiences.iter().any(|audience| wanted.contains(audience));
        self.api_audience.as_deref().is_none_or(holds)
            && (self.issuer_audience.is_empty() || holds(&self.issuer_audience))
    }
}

/// The claims that every token of a case has, valid for all of these demands.
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

/// The claims of a token that nobody takes.
pub fn refused() -> Map<String, Value> {
    Map::from_iter([
        ("exp".to_owned(), json!(0)),
        ("iss".to_owned(), json!("https://nobody.invalid")),
    ])
}

/// How long the tokens of witnesses are valid, in seconds.
pub const LIFETIME: f64 = 300.0;

/// A number as JSON, without a fraction where it has none.
#[expect(
    clippy::cast_possible_truncation,
    reason = "what is whole and below 2^53 is in the range of an i64"
)]
pub fn number(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() <= super::cells::numbers::LARGEST {
        json!(number as i64)
    } else {
        json!(number)
    }
}
