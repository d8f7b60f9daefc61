//! The language's semantics, written a second time and as plainly as possible.
//!
//! It walks the checked model without an index, a program or a shortcut, so it can be compared with
//! the language reference; the compiled engine must agree with it on every request.

use std::net::IpAddr;

use portcullis::model::{
    Access, Atom, Bound, ClaimId, ClaimTest, Condition, ConditionKind, Demand, Guard, IssuerId,
    Model, Operand, Order, PathParameter, Route, StringSet, TextTest, Values,
};
use portcullis::pattern::{Method, MethodSet, PathPattern};
use portcullis::value::{ClaimType, MAX_SAFE_INTEGER};
use serde_json::Value;

/// True, false or missing.
pub type Three = Option<bool>;

/// A request for the one API of a generated policy.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: Method,
    /// Decoded segments.
    pub segments: Vec<String>,
    /// The decoded query, in order.
    pub query: Vec<(String, String)>,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub address: Option<IpAddr>,
    pub now: f64,
    /// The claims set of a token that is valid for the API.
    pub claims: Option<Value>,
}

/// Whether the policy allows the request.
pub fn allows(model: &Model, asked: &Asked) -> bool {
    let [api] = model.apis.as_slice() else {
        panic!("a generated policy has one API")
    };
    let matching: Vec<&Route> = api
        .routes
        .iter()
        .filter(|route| {
            route.methods.has(asked.method) && matches_path(&route.path, &asked.segments)
        })
        .collect();
    let guards: Vec<&Guard> = model
        .guards
        .iter()
        .filter(|guard| {
            guard.methods.has(asked.method) && matches_path(&guard.path, &asked.segments)
        })
        .collect();
    let answering: Vec<&&Route> = matching
        .iter()
        .filter(|route| {
            !matching
                .iter()
                .any(|other| contains(route, other) && !contains(other, route))
        })
        .collect();
    let demand = answering
        .iter()
        .map(|route| match &route.access {
            Access::Permitted { demand, .. } => *demand,
            Access::Denied => Demand::Required,
        })
        .max();
    let Some(demand) = demand else {
        return false;
    };
    let guards: Vec<&&Guard> = guards
        .iter()
        .filter(|guard| !(guard.except_public && demand == Demand::None))
        .collect();
    let denied = matching
        .iter()
        .any(|route| matches!(route.access, Access::Denied))
        || guards.iter().any(|guard| guard.condition.is_none());
    if denied {
        return false;
    }
    let claims = match demand {
        Demand::None => None,
        Demand::Optional => asked.claims.as_ref(),
        Demand::Required => match &asked.claims {
            Some(claims) => Some(claims),
            None => return false,
        },
    };
    let scene = Scene {
        model,
        asked,
        claims,
    };
    let routes_hold = answering.iter().all(|route| match &route.access {
        Access::Permitted {
            condition: Some(condition),
            ..
        } => scene.condition(condition, &route.parameters) == Some(true),
        Access::Permitted {
            condition: None, ..
        } => true,
        Access::Denied => false,
    });
    let guards_hold = guards.iter().all(|guard| scene.guard(guard));
    routes_hold && guards_hold
}

/// Whether no `denied` covers the request, and every guard that covers it holds, apart from those
/// with `except public`.
pub fn tightened(model: &Model, asked: &Asked) -> bool {
    let scene = Scene {
        model,
        asked,
        claims: asked.claims.as_ref(),
    };
    let covers = |methods: MethodSet, path: &PathPattern| {
        methods.has(asked.method) && matches_path(path, &asked.segments)
    };
    let denied =
        model.apis.iter().flat_map(|api| &api.routes).any(|route| {
            matches!(route.access, Access::Denied) && covers(route.methods, &route.path)
        });
    !denied
        && model
            .guards
            .iter()
            .filter(|guard| !guard.except_public && covers(guard.methods, &guard.path))
            .all(|guard| scene.guard(guard))
}

fn contains(outer: &Route, inner: &Route) -> bool {
    outer.methods.contains(inner.methods) && outer.path.contains(&inner.path)
}

fn matches_path(pattern: &PathPattern, segments: &[String]) -> bool {
    let fits = if pattern.rest {
        segments.len() >= pattern.segments.len()
    } else {
        segments.len() == pattern.segments.len()
    };
    fits && pattern
        .segments
        .iter()
        .zip(segments)
        .all(|(pattern, segment)| pattern.matches(segment))
}

struct Scene<'a> {
    model: &'a Model,
    asked: &'a Asked,
    claims: Option<&'a Value>,
}

/// A claim as a rule sees it.
enum Seen {
    Absent,
    WrongType,
    Text(String),
    Number(f64),
    Boolean(bool),
    Texts(Vec<String>),
    Numbers(Vec<f64>),
}

impl Scene<'_> {
    fn guard(&self, guard: &Guard) -> bool {
        guard
            .condition
            .as_ref()
            .is_some_and(|condition| self.condition(condition, &guard.parameters) == Some(true))
    }

    fn condition(&self, condition: &Condition, parameters: &[PathParameter]) -> Three {
        match &condition.kind {
            ConditionKind::And(all) => {
                let values: Vec<Three> = all
                    .iter()
                    .map(|one| self.condition(one, parameters))
                    .collect();
                if values.contains(&Some(false)) {
                    Some(false)
                } else if values.contains(&None) {
                    None
                } else {
                    Some(true)
                }
            }
            ConditionKind::Or(any) => {
                let values: Vec<Three> = any
                    .iter()
                    .map(|one| self.condition(one, parameters))
                    .collect();
                if values.contains(&Some(true)) {
                    Some(true)
                } else if values.contains(&None) {
                    None
                } else {
                    Some(false)
                }
            }
            ConditionKind::Not(inner) => self.condition(inner, parameters).map(|value| !value),
            ConditionKind::Atom(atom) => self.atom(atom, parameters),
        }
    }

    fn atom(&self, atom: &Atom, parameters: &[PathParameter]) -> Three {
        match atom {
            Atom::ScopeAny(scopes) => {
                let held = self.scopes()?;
                Some(scopes.iter().any(|scope| held.contains(scope)))
            }
            Atom::ScopeAll(scopes) => {
                let held = self.scopes()?;
                Some(scopes.iter().all(|scope| held.contains(scope)))
            }
            // `login within`: whatever claim the model makes from it.
            Atom::Claim(_, ClaimTest::Within(seconds)) => {
                let at = self.claims?.get("auth_time")?.as_f64()?;
                let leeway = self.model.issuers.first()?.leeway as f64;
                if at > self.asked.now + leeway {
                    None
                } else {
                    Some(self.asked.now - at <= *seconds as f64)
                }
            }
            Atom::Claim(claim, test) => self.claim(*claim, test, parameters),
            Atom::TokenFrom(issuer) => self.claims.map(|_| *issuer == IssuerId(0)),
            Atom::Client { any_of, negated } => {
                let client = self.client()?;
                Some(any_of.contains(&client) != *negated)
            }
            Atom::Path(parameter, test) => {
                let value = self.path(parameters, *parameter);
                self.text(Some(value), test, parameters)
            }
            Atom::Host(_) => panic!("generated policies have no host label"),
            Atom::Method(methods) => Some(methods.has(self.asked.method)),
            Atom::Address { any_of, negated } => {
                let address = self.asked.address?;
                Some(any_of.contains(address) != *negated)
            }
            Atom::Header(name, test) => {
                let values: Vec<&String> = self
                    .asked
                    .headers
                    .iter()
                    .filter(|(header, _)| header == name)
                    .map(|(_, value)| value)
                    .collect();
                let value = match values.as_slice() {
                    [one] if !one.contains(',') => Some((*one).clone()),
                    _ => None,
                };
                self.text(value, test, parameters)
            }
            Atom::Query(name, test) => {
                let values: Vec<&String> = self
                    .asked
                    .query
                    .iter()
                    .filter(|(query, _)| query == name)
                    .map(|(_, value)| value)
                    .collect();
                let value = match values.as_slice() {
                    [one] => Some((*one).clone()),
                    _ => None,
                };
                self.text(value, test, parameters)
            }
        }
    }

    fn text(&self, value: Option<String>, test: &TextTest, parameters: &[PathParameter]) -> Three {
        let value = value?;
        match test {
            TextTest::Equals { operand, negated } => {
                Some((value == self.operand_text(operand, parameters)?) != *negated)
            }
            TextTest::In { any_of, negated } => Some(any_of.contains(&value) != *negated),
            TextTest::StartsWith(operand) => {
                Some(value.starts_with(&self.operand_text(operand, parameters)?))
            }
            TextTest::Present => Some(true),
        }
    }

    fn claim(&self, claim: ClaimId, test: &ClaimTest, parameters: &[PathParameter]) -> Three {
        let seen = self.seen(claim);
        match (test, &seen) {
            (ClaimTest::Absent, Seen::Absent) => self.claims.map(|_| true),
            (ClaimTest::Absent, Seen::WrongType) => None,
            (ClaimTest::Absent, _) => Some(false),
            (_, Seen::Absent | Seen::WrongType) => None,
            (ClaimTest::Present, _) => Some(true),
            (ClaimTest::Equals { operand, negated }, value) => {
                Some(self.equals(value, operand, parameters)? != *negated)
            }
            (ClaimTest::Order { order, bound }, Seen::Number(number)) => {
                let bound = match bound {
                    Bound::Number(bound) => bound.get(),
                    Bound::Now => self.asked.now,
                };
                Some(match order {
                    Order::Less => *number < bound,
                    Order::LessOrEqual => *number <= bound,
                    Order::Greater => *number > bound,
                    Order::GreaterOrEqual => *number >= bound,
                })
            }
            (ClaimTest::In { any_of, negated }, value) => Some(is_in(value, any_of) != *negated),
            (ClaimTest::Contains(operand), Seen::Texts(texts)) => {
                Some(texts.contains(&self.operand_text(operand, parameters)?))
            }
            (ClaimTest::Contains(Operand::Number(number)), Seen::Numbers(numbers)) => {
                Some(numbers.contains(&number.get()))
            }
            (ClaimTest::ContainsAny(Values::Strings(set)), Seen::Texts(texts)) => {
                Some(set.members().iter().any(|one| texts.contains(one)))
            }
            (ClaimTest::ContainsAll(Values::Strings(set)), Seen::Texts(texts)) => {
                Some(holds_all(set, texts))
            }
            (ClaimTest::ContainsAny(Values::Numbers(set)), Seen::Numbers(numbers)) => {
                Some(set.iter().any(|one| numbers.contains(one)))
            }
            (ClaimTest::ContainsAll(Values::Numbers(set)), Seen::Numbers(numbers)) => {
                Some(set.iter().all(|one| numbers.contains(one)))
            }
            (ClaimTest::InDomain(domain), Seen::Text(text)) => {
                let parts: Vec<&str> = text.split('@').collect();
                let odd = |c: char| c.is_whitespace() || c.is_control();
                Some(matches!(
                    parts.as_slice(),
                    [local, behind] if !local.is_empty() && !local.contains(odd) && behind == domain
                ))
            }
            (ClaimTest::StartsWith(operand), Seen::Text(text)) => {
                Some(text.starts_with(&self.operand_text(operand, parameters)?))
            }
            (ClaimTest::EndsWith(operand), Seen::Text(text)) => {
                Some(text.ends_with(&self.operand_text(operand, parameters)?))
            }
            _ => panic!("the checker lets no such test through: {test:?}"),
        }
    }

    fn equals(&self, value: &Seen, operand: &Operand, parameters: &[PathParameter]) -> Three {
        match (value, operand) {
            (Seen::Number(number), Operand::Number(other)) => Some(*number == other.get()),
            (Seen::Number(number), Operand::Now) => Some(*number == self.asked.now),
            (Seen::Boolean(boolean), Operand::Boolean(other)) => Some(boolean == other),
            (Seen::Number(number), Operand::Claim(other)) => match self.seen(*other) {
                Seen::Number(other) => Some(*number == other),
                _ => None,
            },
            (Seen::Boolean(boolean), Operand::Claim(other)) => match self.seen(*other) {
                Seen::Boolean(other) => Some(*boolean == other),
                _ => None,
            },
            (Seen::Text(text), operand) => Some(*text == self.operand_text(operand, parameters)?),
            _ => panic!("the checker lets no such comparison through: {operand:?}"),
        }
    }

    fn operand_text(&self, operand: &Operand, parameters: &[PathParameter]) -> Option<String> {
        match operand {
            Operand::String(text) => Some(text.clone()),
            Operand::Path(parameter) => Some(self.path(parameters, *parameter)),
            Operand::Claim(claim) => match self.seen(*claim) {
                Seen::Text(text) => Some(text),
                _ => None,
            },
            _ => panic!("not a text: {operand:?}"),
        }
    }

    fn path(&self, parameters: &[PathParameter], index: usize) -> String {
        let parameter = &parameters[index];
        let segment = &self.asked.segments[parameter.segment];
        segment[parameter.prefix..segment.len() - parameter.suffix].to_owned()
    }

    fn seen(&self, claim: ClaimId) -> Seen {
        let declared = &self.model.claims[claim.0 as usize];
        let issuer = &self.model.issuers[0];
        let Some(place) = issuer.claims.iter().find(|place| place.claim == claim) else {
            return Seen::Absent;
        };
        let mut value = self.claims;
        for member in &place.path {
            value = value.and_then(|value| value.get(member));
        }
        let Some(value) = value else {
            return Seen::Absent;
        };
        let texts = |value: &Value| -> Option<Vec<String>> {
            value
                .as_array()?
                .iter()
                .map(|one| one.as_str().map(str::to_owned))
                .collect()
        };
        if value.is_null() {
            return Seen::Absent;
        }
        let found = match declared.ty {
            ClaimType::String => value.as_str().map(|text| Seen::Text(text.to_owned())),
            ClaimType::Number | ClaimType::Time => exact(value).map(Seen::Number),
            ClaimType::Boolean => value.as_bool().map(Seen::Boolean),
            ClaimType::ListOfString => match value.as_str() {
                Some(one) => Some(Seen::Texts(vec![one.to_owned()])),
                None => texts(value).map(Seen::Texts),
            },
            ClaimType::ListOfNumber => value
                .as_array()
                .and_then(|all| all.iter().map(exact).collect())
                .map(Seen::Numbers),
            ClaimType::Words => value.as_str().map(|text| {
                Seen::Texts(
                    text.split(' ')
                        .filter(|word| !word.is_empty())
                        .map(str::to_owned)
                        .collect(),
                )
            }),
        };
        found.unwrap_or(Seen::WrongType)
    }

    fn scopes(&self) -> Option<Vec<String>> {
        let claims = self.claims?;
        let read = |name: &str| -> Option<Option<Vec<String>>> {
            let value = claims.get(name)?;
            Some(match value {
                Value::String(text) => Some(
                    text.split(' ')
                        .filter(|scope| !scope.is_empty())
                        .map(str::to_owned)
                        .collect(),
                ),
                Value::Array(all) => all
                    .iter()
                    .map(|one| one.as_str().map(str::to_owned))
                    .collect(),
                _ => None,
            })
        };
        match (read("scope"), read("scp")) {
            (None, None) => None,
            (Some(one), None) | (None, Some(one)) => one,
            (Some(scope), Some(scp)) => {
                let (mut scope, mut scp) = (scope?, scp?);
                scope.sort();
                scope.dedup();
                scp.sort();
                scp.dedup();
                (scope == scp).then_some(scope)
            }
        }
    }

    fn client(&self) -> Option<String> {
        let claims = self.claims?;
        let read = |name: &str| claims.get(name).filter(|value| !value.is_null());
        match (read("azp"), read("client_id")) {
            (None, None) => None,
            (Some(one), None) | (None, Some(one)) => one.as_str().map(str::to_owned),
            (Some(azp), Some(client_id)) => {
                (azp == client_id).then(|| azp.as_str().map(str::to_owned))?
            }
        }
    }
}

/// A number, unless it is an integer that a double can't represent exactly.
fn exact(value: &Value) -> Option<f64> {
    let exact = match (value.as_u64(), value.as_i64()) {
        (Some(integer), _) => integer <= MAX_SAFE_INTEGER,
        (None, Some(integer)) => integer.unsigned_abs() <= MAX_SAFE_INTEGER,
        (None, None) => true,
    };
    value.as_f64().filter(|_| exact)
}

fn is_in(value: &Seen, any_of: &Values) -> bool {
    match (value, any_of) {
        (Seen::Text(text), Values::Strings(set)) => set.contains(text),
        (Seen::Number(number), Values::Numbers(set)) => set.contains(number),
        (Seen::Boolean(boolean), Values::Booleans(set)) => set.contains(boolean),
        _ => panic!("the checker lets no such membership through"),
    }
}

fn holds_all(set: &StringSet, texts: &[String]) -> bool {
    set.members().iter().all(|one| texts.contains(one))
}
