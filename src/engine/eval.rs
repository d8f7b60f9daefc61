//! Evaluates three-valued conditions.

use std::fmt::Write as _;

use super::facts::{Client, Fact, Facts, Scopes};
use super::policy::Policy;
use super::reading::Value;
use super::request::Request;
use super::routed::Undecided;
use crate::model::{
    Atom, Bound, ClaimTest, Condition, ConditionKind, Operand, Order, TextTest, Values,
};
use crate::pattern::fold;
use crate::settings::{ClaimId, PathParameter, is_address_in};
use crate::text::quoted;

/// True, false, or `None` for missing.
pub(super) type Ternary = Option<bool>;

/// The evaluation context: everything that a condition may read.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub policy: &'a Policy,
    pub request: &'a Request<'a>,
    pub undecided: &'a Undecided<'a, 'a>,
    pub facts: Option<&'a Facts>,
    /// The clock leeway of the token's issuer, in seconds.
    pub leeway: u64,
    /// The parameters of the rule that has the condition.
    pub parameters: &'a [PathParameter],
}

impl<'a> Context<'a> {
    /// The value of a condition. The parser bounds the nesting.
    pub fn condition(&self, condition: &Condition) -> Ternary {
        match &condition.kind {
            ConditionKind::And(all) => {
                let mut value = Some(true);
                for one in all {
                    match self.condition(one) {
                        Some(false) => return Some(false),
                        None => value = None,
                        Some(true) => {}
                    }
                }
                value
            }
            ConditionKind::Or(any) => {
                let mut value = Some(false);
                for one in any {
                    match self.condition(one) {
                        Some(true) => return Some(true),
                        None => value = None,
                        Some(false) => {}
                    }
                }
                value
            }
            ConditionKind::Not(inner) => self.condition(inner).map(|value| !value),
            ConditionKind::Atom(atom) => self.atom(atom),
        }
    }

    /// The first atom, from left to right, that prevents a condition from being `wanted`, and the
    /// value that it would need.
    pub fn blame<'c>(&self, condition: &'c Condition, wanted: bool) -> (&'c Condition, bool) {
        let first = |all: &'c [Condition]| {
            all.iter()
                .find(|one| self.condition(one) != Some(wanted))
                .or_else(|| all.first())
                .map_or((condition, wanted), |one| self.blame(one, wanted))
        };
        match &condition.kind {
            ConditionKind::And(all) | ConditionKind::Or(all) => first(all),
            ConditionKind::Not(inner) => self.blame(inner, !wanted),
            ConditionKind::Atom(_) => (condition, wanted),
        }
    }

    /// The value of an atom.
    pub fn atom(&self, atom: &Atom) -> Ternary {
        match atom {
            Atom::ScopeAny(scopes) => self.has_scopes(|held| scopes.iter().any(held)),
            Atom::ScopeAll(scopes) => self.has_scopes(|held| scopes.iter().all(held)),
            Atom::Claim(claim, test) => self.fact(self.facts?.claim(*claim), test),
            Atom::TokenFrom(issuer) => Some(self.facts?.issuer == *issuer),
            Atom::Client { any_of, negated } => match &self.facts?.client {
                Client::Is(client) => Some(any_of.contains(client) != *negated),
                Client::Absent(_) | Client::Disagree => None,
            },
            Atom::Path(parameter, test) => {
                self.text(self.path(*parameter), test, self.undecided.path.folded)
            }
            Atom::Host(test) => self.text(self.undecided.label.as_deref(), test, false),
            Atom::Method(methods) => Some(methods.has(self.undecided.method)),
            Atom::Address { any_of, negated } => {
                Some(any_of.contains(self.request.address?) != *negated)
            }
            Atom::Header(name, test) => {
                self.text(self.undecided.reading.header(name).text(), test, false)
            }
            Atom::Query(name, test) => {
                self.text(self.undecided.reading.parameter(name).text(), test, false)
            }
        }
    }

    /// The time; missing if the caller's clock gave none, so that no comparison with it is true,
    /// not even under `not`.
    fn now(&self) -> Option<f64> {
        Some(self.request.now).filter(|now| now.is_finite())
    }

    /// The name of a claim.
    pub fn claim_name(&self, claim: ClaimId) -> Option<&'a str> {
        let declared = self.policy.model().claims.get(claim.0 as usize)?;
        Some(&declared.name)
    }

    fn has_scopes(&self, test: impl FnOnce(&dyn Fn(&String) -> bool) -> bool) -> Ternary {
        match &self.facts?.scopes {
            Scopes::Are(held) => Some(test(&|scope| held.has(scope))),
            Scopes::Missing(_) => None,
        }
    }

    fn path(&self, parameter: usize) -> Option<&'a str> {
        self.undecided.parameter(self.parameters.get(parameter)?)
    }

    /// `folded` says that the value is from a path that matches regardless of case.
    fn text(&self, value: Option<&str>, test: &TextTest, folded: bool) -> Ternary {
        let value = value?;
        let compare = |operand: &Operand, how: fn(&str, &str) -> bool| {
            let (other, other_folded) = self.text_operand(operand)?;
            Some(compare(value, other, folded || other_folded, how))
        };
        match test {
            TextTest::Equals { operand, negated } => Some(compare(operand, equal)? != *negated),
            TextTest::In { any_of, negated } => Some(any_of.contains(value) != *negated),
            TextTest::StartsWith(operand) => compare(operand, starts_with),
            TextTest::Present => Some(true),
        }
    }

    /// Compares a claim with a text.
    fn claim_text(&self, claim: &str, operand: &Operand, how: fn(&str, &str) -> bool) -> Ternary {
        let (other, folded) = self.text_operand(operand)?;
        Some(compare(claim, other, folded, how))
    }

    /// The text of an operand, and whether it is from a path that matches regardless of case.
    fn text_operand<'o>(&self, operand: &'o Operand) -> Option<(&'o str, bool)>
    where
        'a: 'o,
    {
        match operand {
            Operand::String(text) => Some((text, false)),
            Operand::Path(parameter) => Some((self.path(*parameter)?, self.undecided.path.folded)),
            Operand::Host => Some((self.undecided.label.as_deref()?, false)),
            Operand::Claim(claim) => Some((self.facts?.claim(*claim).text()?, false)),
            Operand::Number(_) | Operand::Boolean(_) | Operand::Now => None,
        }
    }

    fn number_operand(&self, operand: &Operand) -> Option<f64> {
        match operand {
            Operand::Number(number) => Some(number.get()),
            Operand::Now => self.now(),
            Operand::Claim(claim) => self.facts?.claim(*claim).number(),
            Operand::String(_) | Operand::Boolean(_) | Operand::Path(_) | Operand::Host => None,
        }
    }

    fn boolean_operand(&self, operand: &Operand) -> Option<bool> {
        match operand {
            Operand::Boolean(boolean) => Some(*boolean),
            Operand::Claim(claim) => self.facts?.claim(*claim).boolean(),
            Operand::String(_)
            | Operand::Number(_)
            | Operand::Path(_)
            | Operand::Host
            | Operand::Now => None,
        }
    }

    /// Whether a claim equals the operand.
    #[expect(
        clippy::float_cmp,
        reason = "claims are compared by their exact value; equal means equal"
    )]
    fn equals(&self, fact: &Fact, operand: &Operand) -> Ternary {
        match fact {
            Fact::Text(text) => self.claim_text(text, operand, equal),
            Fact::Number(number) => Some(*number == self.number_operand(operand)?),
            Fact::Boolean(boolean) => Some(*boolean == self.boolean_operand(operand)?),
            Fact::Absent
            | Fact::WrongType(_)
            | Fact::Elsewhere(_)
            | Fact::Texts(_)
            | Fact::Numbers(_) => None,
        }
    }

    /// The result of a claim test for a value.
    pub fn fact(&self, fact: &Fact, test: &ClaimTest) -> Ternary {
        match fact {
            Fact::Absent => return (*test == ClaimTest::Absent).then_some(true),
            Fact::WrongType(_) | Fact::Elsewhere(_) => return None,
            Fact::Text(_)
            | Fact::Number(_)
            | Fact::Boolean(_)
            | Fact::Texts(_)
            | Fact::Numbers(_) => {}
        }
        match test {
            ClaimTest::Absent => Some(false),
            ClaimTest::Present => Some(true),
            ClaimTest::Equals { operand, negated } => Some(self.equals(fact, operand)? != *negated),
            ClaimTest::Order { order, bound } => {
                let number = fact.number()?;
                let bound = match bound {
                    Bound::Number(bound) => bound.get(),
                    Bound::Now => self.now()?,
                };
                Some(match order {
                    Order::Less => number < bound,
                    Order::LessOrEqual => number <= bound,
                    Order::Greater => number > bound,
                    Order::GreaterOrEqual => number >= bound,
                })
            }
            ClaimTest::In { any_of, negated } => {
                let inside = match any_of {
                    Values::Strings(set) => set.contains(fact.text()?),
                    Values::Numbers(set) => set.contains(&fact.number()?),
                    Values::Booleans(set) => set.contains(&fact.boolean()?),
                };
                Some(inside != *negated)
            }
            ClaimTest::Contains(operand) => match fact.numbers() {
                Some(numbers) => Some(numbers.contains(&self.number_operand(operand)?)),
                None => {
                    let (wanted, folded) = self.text_operand(operand)?;
                    let is_wanted = |text: &String| compare(text, wanted, folded, equal);
                    Some(fact.texts()?.iter().any(is_wanted))
                }
            },
            ClaimTest::ContainsAny(values) => match values {
                Values::Strings(set) => Some(fact.texts()?.iter().any(|text| set.contains(text))),
                Values::Numbers(set) => {
                    let mut held = fact.numbers()?.iter();
                    Some(held.any(|number| set.contains(number)))
                }
                Values::Booleans(_) => None,
            },
            ClaimTest::ContainsAll(values) => match values {
                Values::Strings(set) => {
                    let held = fact.texts()?;
                    Some(set.members().iter().all(|text| held.contains(text)))
                }
                Values::Numbers(set) => {
                    let held = fact.numbers()?;
                    Some(set.iter().all(|number| held.contains(number)))
                }
                Values::Booleans(_) => None,
            },
            ClaimTest::StartsWith(operand) => self.claim_text(fact.text()?, operand, starts_with),
            ClaimTest::EndsWith(operand) => self.claim_text(fact.text()?, operand, ends_with),
            ClaimTest::InDomain(domain) => Some(is_address_in(fact.text()?, domain)),
            ClaimTest::Within(seconds) => {
                let age = self.now()? - fact.number()?;
                // A login in the future hasn't happened yet.
                (age >= -seconds_of(self.leeway)).then(|| age <= seconds_of(*seconds))
            }
        }
    }

    /// The values that led to the result of an atom, in words.
    pub fn because(&self, atom: &Atom) -> String {
        let of_token = |because: &dyn Fn(&Facts) -> String| match self.facts {
            Some(facts) => because(facts),
            None => "there is no token".to_owned(),
        };
        let shown = |what: &str, value: Option<&str>| match value {
            Some(value) => format!("{what} is {}", quoted(value)),
            None => format!("{what} is missing"),
        };
        match atom {
            Atom::ScopeAny(_) | Atom::ScopeAll(_) => of_token(&scopes_because),
            Atom::Claim(claim, test) => of_token(&|facts| self.claim_because(facts, *claim, test)),
            Atom::TokenFrom(_) => of_token(&|facts| match self.policy.issuer(facts.issuer) {
                Some(issuer) => format!("the token is from `{}`", issuer.name),
                None => "the token is from an issuer of another policy".to_owned(),
            }),
            Atom::Client { .. } => of_token(&client_because),
            Atom::Path(parameter, _) => shown("the path's segment", self.path(*parameter)),
            Atom::Host(_) => shown("the host's label", self.undecided.label.as_deref()),
            Atom::Method(_) => format!("the method is `{}`", self.undecided.method),
            Atom::Address { .. } => match self.request.address {
                Some(address) => format!("the peer's address is `{}`", address.to_canonical()),
                None => "the peer's address is not known".to_owned(),
            },
            Atom::Header(name, _) => match self.request.header(name).count() {
                0 => format!("the request has no header `{name}`"),
                1 => match self.undecided.reading.header(name) {
                    Value::One(_) if self.policy.may_hold_secret(name) => {
                        format!("the header `{name}` is there; its value is not shown")
                    }
                    Value::Unclear(why) => {
                        format!("{}, which counts as missing", why.of_header(name))
                    }
                    value => shown(&format!("the header `{name}`"), value.text()),
                },
                _ => format!("the header `{name}` is repeated, which counts as missing"),
            },
            Atom::Query(name, _) => {
                let what = format!("the query parameter `{name}`");
                match self.undecided.reading.parameter(name) {
                    Value::One(_) if self.policy.may_hold_secret(name) => {
                        format!("{what} is there; its value is not shown")
                    }
                    Value::Unclear(why) => {
                        format!("{}, which counts as missing", why.of_parameter(name))
                    }
                    value => shown(&what, value.text()),
                }
            }
        }
    }

    fn claim_because(&self, facts: &Facts, claim: ClaimId, test: &ClaimTest) -> String {
        if test.max_age().is_some() {
            return self.login_because(facts, claim);
        }
        let mut because = match facts.obstacle(claim) {
            Some(obstacle) => obstacle.to_owned(),
            None => in_words(facts.claim(claim)),
        };
        // Writing to a string can't fail.
        let _ = match test.operand() {
            Some(operand @ (Operand::Path(_) | Operand::Host)) => {
                let other = self
                    .text_operand(operand)
                    .map_or("missing".to_owned(), |(text, _)| quoted(text));
                write!(because, ", the request has {other}")
            }
            Some(Operand::Claim(other)) => {
                let other = in_words(facts.claim(*other));
                write!(because, ", the other one: {other}")
            }
            Some(Operand::String(_) | Operand::Number(_) | Operand::Boolean(_) | Operand::Now)
            | None => Ok(()),
        };
        because
    }

    /// The time of the login, in words.
    fn login_because(&self, facts: &Facts, claim: ClaimId) -> String {
        let name = self.claim_name(claim).unwrap_or_default();
        match facts.claim(claim) {
            Fact::Number(at) if *at > self.request.now => format!("`{name}` is in the future"),
            Fact::Number(at) => format!("the login was {:.0} s ago", self.request.now - at),
            Fact::WrongType(found) => {
                format!("the token's `{name}` is {found}, not a number of seconds")
            }
            // None of the other claims is read as a time.
            Fact::Absent
            | Fact::Elsewhere(_)
            | Fact::Text(_)
            | Fact::Boolean(_)
            | Fact::Texts(_)
            | Fact::Numbers(_) => match facts.obstacle(claim) {
                Some(why) => why.to_owned(),
                None => format!("the token has no `{name}`"),
            },
        }
    }
}

/// Compares two texts, in lower case if one is from a path that matches regardless of case.
fn compare(a: &str, b: &str, folded: bool, how: fn(&str, &str) -> bool) -> bool {
    if folded {
        how(&fold(a), &fold(b))
    } else {
        how(a, b)
    }
}

fn equal(a: &str, b: &str) -> bool {
    a == b
}

fn starts_with(a: &str, b: &str) -> bool {
    a.starts_with(b)
}

fn ends_with(a: &str, b: &str) -> bool {
    a.ends_with(b)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "durations of a policy are far below 2^53 seconds"
)]
fn seconds_of(seconds: u64) -> f64 {
    seconds as f64
}

fn scopes_because(facts: &Facts) -> String {
    match &facts.scopes {
        Scopes::Missing(why) => (*why).to_owned(),
        Scopes::Are(held) if held.listed().is_empty() => "the token's scopes are empty".to_owned(),
        Scopes::Are(held) => format!(
            "the token's scopes are {}",
            quoted(&held.listed().join(" "))
        ),
    }
}

fn client_because(facts: &Facts) -> String {
    match &facts.client {
        Client::Absent(None) => "the token names no client".to_owned(),
        Client::Absent(Some(name)) => format!(
            "the token names no client in `azp` or `client_id`; with `client from {name}` \
            in the issuer, `{name}` is read"
        ),
        Client::Disagree => "the token's claims disagree about the client".to_owned(),
        Client::Is(client) => format!("the client is {}", quoted(client)),
    }
}

fn in_words(fact: &Fact) -> String {
    let list = |all: &[String]| format!("the token has {}", quoted(&all.join(", ")));
    match fact {
        Fact::Absent => "the token does not have it".to_owned(),
        Fact::WrongType(found) => format!("the token has {found} there, which counts as missing"),
        Fact::Elsewhere(said) => (*said).to_owned(),
        Fact::Text(text) => format!("the token has {}", quoted(text)),
        Fact::Number(number) => format!("the token has `{number}`"),
        Fact::Boolean(value) => format!("the token has `{value}`"),
        Fact::Texts(all) if all.is_empty() => "the token has an empty list".to_owned(),
        Fact::Texts(all) => list(all),
        Fact::Numbers(all) => list(&all.iter().map(ToString::to_string).collect::<Vec<_>>()),
    }
}
