//! A token that was verified once, in a form that can be kept and judged again.
//!
//! It holds what the policy in force read of the token: enough to judge it again under that policy,
//! and under another one as far as that reads the same claims. It can't be turned back into a token.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::sender::{Confirmation, Member};
use super::{Verified, from_claims, issuer};
use crate::engine::{Api, ClaimInput, Claimed, FactInputs, Fault, Input, Issuer, Policy};
use crate::json::Json;
use crate::reason::Reason;
use crate::settings::{Binding, ClaimId, IssuerUrl, TokenKind};

/// What a policy read of a verified token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    iss: String,
    sub: Option<String>,
    /// The issuer's `tokens` setting, which the token's `typ` satisfied.
    tokens: String,
    aud: Claimed<Vec<String>>,
    /// The tenant, if the issuer's URL names one, and the claim that named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant: Option<Claimed<String>>,
    /// Null if the issuer itself confirmed the token, and named no end.
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
    /// Whether the token is bound to a key of its client, and had its proof.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    dpop: bool,
    /// Whether the token is bound to a certificate of its client, which was shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    mtls: bool,
    facts: FactInputs,
}

/// A thumbprint in place of the real one, which nothing compares again.
const SOME_THUMBPRINT: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Which inputs of a token are known.
#[derive(Debug, Clone, Default)]
pub struct Gaps {
    scopes: bool,
    client: bool,
    claims: Vec<ClaimId>,
}

impl Gaps {
    /// Whether an input of the token is known.
    pub fn know(&self, input: Input<'_>) -> bool {
        match input {
            Input::Scopes => !self.scopes,
            Input::Client => !self.client,
            Input::Claim(claim) => !self.claims.contains(&claim),
            Input::Issuer
            | Input::Leeway
            | Input::Path(_)
            | Input::Host
            | Input::Method
            | Input::Address
            | Input::Header(_)
            | Input::Query(_) => true,
        }
    }
}

/// The result of judging a recorded token.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "almost every token is known, and it is looked at at once"
)]
pub enum Again {
    /// It is verified, or has a fault, under the other policy.
    Known(Result<Verified, Fault>, Gaps),
    /// The other policy asks something about it that isn't recorded; says what.
    Unknown(&'static str),
}

impl Recorded {
    /// Records a token.
    pub fn of(verified: &Verified, policy: &Policy) -> Option<Recorded> {
        let issuer = policy.issuer(verified.issuer)?;
        let bound = |member: fn(&Confirmation) -> Member| {
            let bound = verified.confirmation.as_ref().map(member);
            bound.is_some_and(|member| member != Member::Absent)
        };
        Some(Recorded {
            iss: verified.iss.clone(),
            sub: verified.subject.clone(),
            tokens: written(issuer.tokens).to_owned(),
            aud: Claimed {
                from: issuer.audience_from.clone(),
                value: Some(verified.audiences.clone()),
                unclear: false,
            },
            tenant: match &issuer.url {
                IssuerUrl::Exact(_) => None,
                IssuerUrl::Tenant {
                    prefix,
                    claim,
                    suffix,
                } => Some(Claimed {
                    from: Some(claim.clone()),
                    value: issuer::tenant(&verified.iss, prefix, suffix).map(str::to_owned),
                    unclear: false,
                }),
            },
            exp: Some(verified.times.expires).filter(|at| at.is_finite()),
            nbf: verified.times.not_before,
            iat: verified.times.issued_at,
            dpop: bound(|bound| bound.key),
            mtls: bound(|bound| bound.certificate),
            facts: verified.facts.inputs(policy, issuer),
        })
    }

    /// Judges the token under a policy, up to its admission to the API.
    pub fn again(&self, policy: &Policy, api: &Api) -> Again {
        let Some(issuer) = self.issuer(policy, api) else {
            // The fault doesn't depend on other claims.
            return Again::Known(
                self.verified(&self.registered(), policy, api),
                Gaps::default(),
            );
        };
        if written(issuer.tokens) != self.tokens {
            return Again::Unknown("the kind of the token");
        }
        let named_in = self
            .tenant
            .as_ref()
            .and_then(|tenant| tenant.from.as_deref());
        if issuer
            .url
            .tenant_claim()
            .is_some_and(|claim| named_in != Some(claim))
        {
            return Again::Unknown("the token's tenant");
        }
        if issuer.audience_from != self.aud.from {
            return Again::Unknown("the token's audience");
        }
        // That the right sender is assumed must not hide that the token is not bound at all.
        let senders = policy.senders(issuer, api);
        let unbound = |binding, bound: bool| binding == Binding::Required && !bound;
        if unbound(senders.dpop, self.dpop) || unbound(senders.mtls, self.mtls) {
            let fault = Fault::new(
                Reason::TokenSender,
                "the token is not bound to its sender as the policy requires",
            );
            return Again::Known(Err(fault), Gaps::default());
        }
        let mut set = self.registered();
        let mut gaps = Gaps::default();
        let mut places: Vec<_> = issuer.claims.iter().collect();
        // An outer claim first, so that it doesn't replace an inner one.
        places.sort_by_key(|place| place.path.len());
        for place in places {
            let declared = policy.model().claims.get(place.claim.0 as usize);
            let ty = declared.map_or("", |claim| claim.ty.as_str());
            let found = self.facts.claims.iter().find(|claim| {
                claim.path == place.path && claim.ty == ty && claim.keys == place.keys_of
            });
            match found {
                None => gaps.claims.push(place.claim),
                Some(claim) => put_claim(&mut set, claim),
            }
        }
        let scopes = &self.facts.scopes;
        gaps.scopes = scopes.from != issuer.scopes_from;
        let usual = ["scope".to_owned()];
        put(
            &mut set,
            scopes.from.as_deref().unwrap_or(&usual),
            claimed(scopes, |scopes| json!(scopes)),
        );
        let client = &self.facts.client;
        gaps.client = client.from != issuer.client_from;
        let usual = ["client_id".to_owned()];
        put(
            &mut set,
            client.from.as_deref().unwrap_or(&usual),
            claimed(client, |client| json!(client)),
        );
        Again::Known(self.verified(&set, policy, api), gaps)
    }

    /// Its scopes, if it has any.
    pub fn scopes(&self) -> Option<&[String]> {
        self.facts.scopes.value.as_deref()
    }

    /// A claims set that a policy reads as it read the token, for `why --claims`.
    pub fn claims(&self) -> Map<String, Value> {
        let mut set = self.registered();
        for claim in &self.facts.claims {
            put_claim(&mut set, claim);
        }
        let usual = ["scope".to_owned()];
        let scopes = &self.facts.scopes;
        let path = scopes.from.as_deref().unwrap_or(&usual);
        put(&mut set, path, claimed(scopes, |scopes| json!(scopes)));
        let usual = ["client_id".to_owned()];
        let client = &self.facts.client;
        let path = client.from.as_deref().unwrap_or(&usual);
        put(&mut set, path, claimed(client, |client| json!(client)));
        set
    }

    fn verified(
        &self,
        set: &Map<String, Value>,
        policy: &Policy,
        api: &Api,
    ) -> Result<Verified, Fault> {
        let unreadable = |error: &dyn std::fmt::Display| {
            Fault::new(
                Reason::Internal,
                format!("the recorded token is not strict JSON: {error}"),
            )
        };
        let text = serde_json::to_string(set).map_err(|error| unreadable(&error))?;
        let claims = Json::parse(text.as_bytes()).map_err(|error| unreadable(&error))?;
        from_claims(&claims, policy, api)
    }

    /// The issuer under a policy. The claim that names a tenant was compared when the token was
    /// verified.
    fn issuer<'p>(&self, policy: &'p Policy, api: &Api) -> Option<&'p Issuer> {
        let mut ids = api.issuers.iter();
        let id = ids.find(|id| issuer::finds_again(policy, api, &self.iss, **id))?;
        policy.issuer(*id)
    }

    /// The registered claims.
    fn registered(&self) -> Map<String, Value> {
        let mut set = Map::new();
        set.insert("iss".to_owned(), json!(self.iss));
        if let Some(sub) = &self.sub {
            set.insert("sub".to_owned(), json!(sub));
        }
        for (name, at) in [("exp", self.exp), ("nbf", self.nbf), ("iat", self.iat)] {
            if let Some(at) = at {
                set.insert(name.to_owned(), crate::json::number(at));
            }
        }
        let bound = [("jkt", self.dpop), ("x5t#S256", self.mtls)];
        let members: Map<String, Value> = bound
            .iter()
            .filter(|(_, bound)| *bound)
            .map(|(name, _)| ((*name).to_owned(), json!(SOME_THUMBPRINT)))
            .collect();
        if !members.is_empty() {
            set.insert("cnf".to_owned(), Value::Object(members));
        }
        if self.tokens == written(TokenKind::Id) {
            // It was recognised as an ID token, whatever the sign was.
            set.insert("token_use".to_owned(), json!("id"));
        }
        if let Some(tenant) = &self.tenant {
            let path = tenant.from.as_deref().unwrap_or_default();
            put(&mut set, path, claimed(tenant, |name| json!(name)));
        }
        let usual = ["aud".to_owned()];
        let audience = self.aud.value.as_deref().unwrap_or_default();
        put(
            &mut set,
            self.aud.from.as_deref().unwrap_or(&usual),
            json!(audience),
        );
        set
    }
}

fn written(tokens: TokenKind) -> &'static str {
    match tokens {
        TokenKind::Jwt => "jwt",
        TokenKind::Access => "access",
        TokenKind::Id => "id",
    }
}

/// The JSON value of a claim that has, or lacks, a value of its type.
fn claimed<T>(claimed: &Claimed<T>, value: impl Fn(&T) -> Value) -> Value {
    match &claimed.value {
        Some(known) => value(known),
        None if claimed.unclear => unclear(),
        None => Value::Null,
    }
}

/// A value that has none of the types that a policy can declare.
fn unclear() -> Value {
    json!([null])
}

fn put_claim(set: &mut Map<String, Value>, claim: &ClaimInput) {
    let value = if claim.unclear {
        unclear()
    } else if claim.keys {
        let names = claim.value.as_array().into_iter().flatten();
        let names = names.filter_map(Value::as_str);
        match &claim.value {
            Value::Null => Value::Null,
            _ => Value::Object(names.map(|name| (name.to_owned(), json!({}))).collect()),
        }
    } else if claim.ty == "words" {
        let words = claim.value.as_array().into_iter().flatten();
        let words: Vec<&str> = words.filter_map(Value::as_str).collect();
        match &claim.value {
            Value::Null => Value::Null,
            _ => json!(words.join(" ")),
        }
    } else {
        claim.value.clone()
    };
    put(set, &claim.path, value);
}

/// Sets the value at a path. What is absent replaces nothing, and nothing is put below a value that
/// has no members.
fn put(set: &mut Map<String, Value>, path: &[String], value: Value) {
    let Some((last, outer)) = path.split_last() else {
        return;
    };
    if value.is_null() {
        return;
    }
    let mut members = set;
    for name in outer {
        let inner = members
            .entry(name.clone())
            .or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(object) = inner else { return };
        members = object;
    }
    let is_registered = members.contains_key(last) && outer.is_empty();
    if !(is_registered && value == unclear()) {
        members.insert(last.clone(), value);
    }
}
