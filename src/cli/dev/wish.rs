//! What a request and its token would have to be like for a route to allow it, as a guess.
//!
//! A policy's own conditions say what they want, so an example can be read off them: the atoms of
//! one way to make each condition true are granted one by one. That is a guess and no proof
//! (two atoms may want different things); whoever uses it asks the engine before showing it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::cli::claims;
use crate::model::{
    Api, Atom, Bound, ClaimTest, Condition, ConditionKind, Guard, Input, Model, Operand, Order,
    Route, TextTest, Values,
};
use crate::pattern::{HostPattern, Method, MethodSet, SegmentPattern};
use crate::settings::{ClaimId, Demand, IssuerId, PathParameter};
use crate::value::ClaimType;

/// How many ways to make the conditions of one route true are tried: a few alternatives in each
/// of a few conditions, which is what policies have.
const MAX_WAYS: usize = 32;

/// A request, and what its token carries.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The method.
    pub method: Method,
    /// The host.
    pub host: String,
    /// The path.
    pub path: String,
    /// Query parameters.
    pub query: BTreeMap<String, String>,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The token, if the route wants one.
    pub token: Option<WishedToken>,
}

/// What a token carries.
#[derive(Debug, Clone)]
pub struct WishedToken {
    /// Who signs it.
    pub issuer: IssuerId,
    /// Its scopes.
    pub scopes: BTreeSet<String>,
    /// Its client, if that matters.
    pub client: Option<String>,
    /// How many seconds ago its subject logged in, if that matters.
    pub login: Option<u64>,
    /// The claims that rules ask for.
    pub claims: BTreeMap<ClaimId, Value>,
}

/// Guesses for a route, the plainest first.
pub fn wishes(model: &Model, api: &Api, guards: &[&Guard], route: &Route, now: i64) -> Vec<Wish> {
    let crate::model::Access::Permitted { demand, condition } = &route.access else {
        return Vec::new();
    };
    let mut conditions: Vec<(&Condition, &[PathParameter])> = Vec::new();
    for guard in guards {
        match &guard.condition {
            Some(condition) => conditions.push((condition, &guard.parameters)),
            None => return Vec::new(),
        }
    }
    if let Some(condition) = condition {
        conditions.push((condition, &route.parameters));
    }
    let mut ways: Vec<Vec<Want>> = vec![Vec::new()];
    for (condition, parameters) in conditions {
        let further = alternatives(condition, parameters, true);
        ways = product(&ways, &further);
    }
    ways.iter()
        .filter_map(|way| Granting::new(model, api, route, *demand, now)?.all(way))
        .collect()
}

/// One atom that must be true (or false).
#[derive(Clone, Copy)]
struct Want<'m> {
    atom: &'m Atom,
    parameters: &'m [PathParameter],
    holds: bool,
}

/// The ways to make a condition true (or false), each a list of atoms.
fn alternatives<'m>(
    condition: &'m Condition,
    parameters: &'m [PathParameter],
    holds: bool,
) -> Vec<Vec<Want<'m>>> {
    let each = |parts: &'m [Condition]| {
        parts
            .iter()
            .map(|part| alternatives(part, parameters, holds))
            .collect::<Vec<_>>()
    };
    match (&condition.kind, holds) {
        (ConditionKind::Atom(atom), _) => vec![vec![Want {
            atom,
            parameters,
            holds,
        }]],
        (ConditionKind::Not(inner), _) => alternatives(inner, parameters, !holds),
        (ConditionKind::And(parts), true) | (ConditionKind::Or(parts), false) => each(parts)
            .iter()
            .fold(vec![Vec::new()], |ways, further| product(&ways, further)),
        (ConditionKind::Or(parts), true) | (ConditionKind::And(parts), false) => {
            let mut ways = each(parts).concat();
            ways.truncate(MAX_WAYS);
            ways
        }
    }
}

fn product<'m>(ways: &[Vec<Want<'m>>], further: &[Vec<Want<'m>>]) -> Vec<Vec<Want<'m>>> {
    ways.iter()
        .flat_map(|way| {
            further
                .iter()
                .map(move |more| [&way[..], &more[..]].concat())
        })
        .take(MAX_WAYS)
        .collect()
}

/// A wish that atoms are granted to.
struct Granting<'m> {
    model: &'m Model,
    segments: Vec<String>,
    label: Option<String>,
    wish: Wish,
    token: WishedToken,
    demand: Demand,
    now: i64,
}

impl<'m> Granting<'m> {
    fn new(
        model: &'m Model,
        api: &'m Api,
        route: &'m Route,
        demand: Demand,
        now: i64,
    ) -> Option<Self> {
        let mut segments = route.path.example();
        for parameter in &route.parameters {
            let pattern = route.path.segments.get(parameter.segment)?;
            *segments.get_mut(parameter.segment)? =
                with_middle(pattern, &format!("{}-1", parameter.name));
        }
        let (host, label) = host(api)?;
        let token = WishedToken {
            issuer: api.issuers.first().copied().unwrap_or(IssuerId(0)),
            scopes: BTreeSet::new(),
            client: None,
            login: None,
            claims: BTreeMap::new(),
        };
        Some(Self {
            model,
            segments,
            label,
            wish: Wish {
                method: route.methods.example()?,
                host,
                path: String::new(),
                query: BTreeMap::new(),
                headers: BTreeMap::new(),
                token: None,
            },
            token,
            demand,
            now,
        })
    }

    fn all(mut self, wants: &[Want<'_>]) -> Option<Wish> {
        // What the path is comes first: claims are compared with it.
        let (of_path, others): (Vec<&Want<'_>>, Vec<&Want<'_>>) = wants
            .iter()
            .partition(|want| matches!(want.atom.subject(), Input::Path(_)));
        for want in of_path.into_iter().chain(others) {
            self.grant(want)?;
        }
        self.wish.path = format!("/{}", self.segments.join("/"));
        if self.demand == Demand::Required {
            self.wish.token = Some(self.token);
        }
        Some(self.wish)
    }

    /// Makes one atom hold, or gives the way up.
    fn grant(&mut self, want: &Want<'_>) -> Option<()> {
        let holds = want.holds;
        match want.atom {
            Atom::ScopeAny(scopes) if holds => {
                self.token.scopes.insert(scopes.first()?.clone());
            }
            Atom::ScopeAll(scopes) if holds => self.token.scopes.extend(scopes.iter().cloned()),
            Atom::Claim(claim, test) => match test.max_age() {
                Some(seconds) if holds => self.token.login = Some(seconds / 2),
                Some(_) => {}
                None => self.claim(*claim, test, want, holds)?,
            },
            Atom::TokenFrom(issuer) if holds => self.token.issuer = *issuer,
            Atom::Client { any_of, negated } if *negated != holds => {
                self.token.client = Some(any_of.members().first()?.clone());
            }
            Atom::Path(index, test) if holds => {
                let text = wanted_text(test)?;
                let parameter = want.parameters.get(*index)?;
                let segment = self.segments.get_mut(parameter.segment)?;
                let end = segment.len().checked_sub(parameter.suffix)?;
                let prefix = segment.get(..parameter.prefix)?;
                let suffix = segment.get(end..)?;
                *segment = format!("{prefix}{text}{suffix}");
            }
            Atom::Method(methods) => {
                let wanted = if holds {
                    *methods
                } else {
                    MethodSet::ALL.difference(*methods)
                };
                if !wanted.has(self.wish.method) {
                    self.wish.method = wanted.example()?;
                }
            }
            Atom::Header(name, test) if holds => {
                let text = wanted_text(test)?;
                self.wish.headers.insert(name.clone(), text);
            }
            Atom::Query(name, test) if holds => {
                let text = wanted_text(test)?;
                self.wish.query.insert(name.clone(), text);
            }
            // An address cannot be chosen by who types a command; the rest is as likely to hold
            // as not, and the engine has the last word.
            Atom::Address { .. } => return None,
            Atom::ScopeAny(_)
            | Atom::ScopeAll(_)
            | Atom::TokenFrom(_)
            | Atom::Client { .. }
            | Atom::Path(..)
            | Atom::Host(_)
            | Atom::Header(..)
            | Atom::Query(..) => {}
        }
        Some(())
    }

    fn claim(
        &mut self,
        claim: ClaimId,
        test: &ClaimTest,
        want: &Want<'_>,
        holds: bool,
    ) -> Option<()> {
        let ty = self.model.claims.get(claim.0 as usize)?.ty;
        let text = |negated: bool| negated != holds;
        let value = match test {
            ClaimTest::Equals { operand, negated } if text(*negated) => {
                if let Some(other) = operand.claim() {
                    let value = self
                        .token
                        .claims
                        .get(&other)
                        .or_else(|| self.token.claims.get(&claim))
                        .cloned()
                        .unwrap_or_else(|| some_value(ty, self.now));
                    self.token.claims.insert(other, value.clone());
                    value
                } else {
                    self.operand(operand, want)?
                }
            }
            ClaimTest::In { any_of, negated } if text(*negated) => members(any_of).first()?.clone(),
            ClaimTest::Equals { .. } | ClaimTest::In { .. } | ClaimTest::Present if holds => {
                match self.token.claims.get(&claim) {
                    Some(value) => value.clone(),
                    None => some_value(ty, self.now),
                }
            }
            ClaimTest::Order { order, bound } if holds => {
                let bound = match bound {
                    Bound::Number(number) => number.get(),
                    #[expect(
                        clippy::cast_precision_loss,
                        reason = "seconds since the epoch are far below 2^53"
                    )]
                    Bound::Now => self.now as f64,
                };
                json!(match order {
                    Order::Less => bound - 1.0,
                    Order::Greater => bound + 1.0,
                    Order::LessOrEqual | Order::GreaterOrEqual => bound,
                })
            }
            ClaimTest::Contains(operand) if holds => {
                let value = self.operand(operand, want)?;
                self.with(claim, &[value])
            }
            ClaimTest::ContainsAny(values) if holds => {
                let first = members(values).first()?.clone();
                self.with(claim, &[first])
            }
            ClaimTest::ContainsAll(values) if holds => self.with(claim, &members(values)),
            ClaimTest::StartsWith(operand) | ClaimTest::EndsWith(operand) if holds => {
                self.operand(operand, want)?
            }
            ClaimTest::InDomain(domain) if holds => json!(format!("someone@{domain}")),
            ClaimTest::Equals { .. }
            | ClaimTest::Order { .. }
            | ClaimTest::In { .. }
            | ClaimTest::Contains(_)
            | ClaimTest::ContainsAny(_)
            | ClaimTest::ContainsAll(_)
            | ClaimTest::StartsWith(_)
            | ClaimTest::EndsWith(_)
            | ClaimTest::InDomain(_)
            | ClaimTest::Within(_)
            | ClaimTest::Present
            | ClaimTest::Absent => return Some(()),
        };
        self.token.claims.insert(claim, value);
        Some(())
    }

    /// The list that a claim is so far, with these beside.
    fn with(&self, claim: ClaimId, more: &[Value]) -> Value {
        let mut list = match self.token.claims.get(&claim) {
            Some(Value::Array(list)) => list.clone(),
            _ => Vec::new(),
        };
        list.extend(more.iter().cloned());
        Value::Array(list)
    }

    fn operand(&self, operand: &Operand, want: &Want<'_>) -> Option<Value> {
        Some(match operand {
            Operand::String(text) => json!(text),
            Operand::Number(number) => json!(number.get()),
            Operand::Boolean(boolean) => json!(boolean),
            Operand::Now => json!(self.now),
            Operand::Host => json!(self.label.as_ref()?),
            Operand::Claim(other) => self.token.claims.get(other)?.clone(),
            Operand::Path(index) => {
                let parameter = want.parameters.get(*index)?;
                let segment = self.segments.get(parameter.segment)?;
                let end = segment.len().checked_sub(parameter.suffix)?;
                json!(segment.get(parameter.prefix..end)?)
            }
        })
    }
}

/// A segment of the pattern with this where its parameter is.
fn with_middle(pattern: &SegmentPattern, middle: &str) -> String {
    match pattern {
        SegmentPattern::Literal(literal) => literal.clone(),
        SegmentPattern::Mixed { prefix, suffix } => format!("{prefix}{middle}{suffix}"),
        SegmentPattern::Any => middle.to_owned(),
    }
}

/// A host of the API, and its label where it has one.
fn host(api: &Api) -> Option<(String, Option<String>)> {
    let host = api.hosts.first()?;
    Some(match &host.pattern {
        HostPattern::Exact(exact) => (exact.clone(), None),
        HostPattern::Any => ("localhost".to_owned(), None),
        HostPattern::Label { suffix } => {
            let label = host.label.as_deref().unwrap_or("host");
            let label = format!("{}-1", label.replace('_', "-")).to_lowercase();
            (format!("{label}.{suffix}"), Some(label))
        }
    })
}

fn wanted_text(test: &TextTest) -> Option<String> {
    match test {
        TextTest::Equals { operand, negated } => operand.string().filter(|_| !negated).cloned(),
        TextTest::StartsWith(operand) => operand.string().cloned(),
        TextTest::In { any_of, negated } => any_of.members().first().filter(|_| !negated).cloned(),
        TextTest::Present => Some("x".to_owned()),
    }
}

fn members(values: &Values) -> Vec<Value> {
    match values {
        Values::Strings(set) => set.members().iter().map(|text| json!(text)).collect(),
        Values::Numbers(numbers) => numbers.iter().map(|number| json!(number)).collect(),
        Values::Booleans(booleans) => booleans.iter().map(|boolean| json!(boolean)).collect(),
    }
}

/// A value of that type which is nothing special.
fn some_value(ty: ClaimType, now: i64) -> Value {
    match ty {
        ClaimType::String | ClaimType::Words => json!(claims::SUBJECT),
        ClaimType::Number => json!(1),
        ClaimType::Boolean => json!(true),
        ClaimType::Time => json!(now),
        ClaimType::ListOfString => json!(["x"]),
        ClaimType::ListOfNumber => json!([1]),
    }
}
