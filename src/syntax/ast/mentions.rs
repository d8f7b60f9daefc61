//! The names in conditions: whoever looks for names walks conditions here, so that a new test says
//! once which names it has.

use super::{Condition, ConditionKind, List, Literal, Name, Operand, ScopeTest, Term, Test};
use crate::source::Spanned;

/// A name in a condition.
#[derive(Debug, Clone, Copy)]
pub enum Mention<'a> {
    /// `claim NAME`
    Claim(&'a Name),
    /// `path.NAME`
    Parameter(&'a Name),
    /// `host.NAME`
    HostLabel(&'a Name),
    /// A `let`, and the condition that stands for it.
    Let(&'a str, &'a Condition),
    /// `token from NAME`
    Issuer(&'a Name),
    /// A `param`.
    Param(&'a Name),
    /// A `set`, or a `param` that is a list.
    List(&'a Name),
    /// A method; a `set` or a `param` at a place for methods.
    Method(&'a Name),
    /// A scope.
    Scope(&'a Spanned<Literal>),
}

impl Condition {
    /// Calls `with` for each name in the condition, in the order of the text.
    pub fn mentions<'a>(&'a self, with: &mut impl FnMut(Mention<'a>)) {
        match &self.kind {
            ConditionKind::And(parts) | ConditionKind::Or(parts) => {
                for part in parts {
                    part.mentions(with);
                }
            }
            ConditionKind::Not(inner) => inner.mentions(with),
            ConditionKind::Scope(ScopeTest::One(term)) => scope(term, with),
            ConditionKind::Scope(ScopeTest::Any(list) | ScopeTest::All(list)) => match list {
                List::Items(items) => items.node.iter().for_each(|item| scope(item, with)),
                List::Name(name) => with(Mention::List(name)),
            },
            ConditionKind::Claim(name, asked) => {
                with(Mention::Claim(name));
                test(asked, Place::Value, with);
            }
            ConditionKind::TokenFrom(name) => with(Mention::Issuer(name)),
            ConditionKind::LoginWithin(age) => term(age, Place::Value, with),
            ConditionKind::Path(name, asked) => {
                with(Mention::Parameter(name));
                test(asked, Place::Value, with);
            }
            ConditionKind::Host(name, asked) => {
                with(Mention::HostLabel(name));
                test(asked, Place::Value, with);
            }
            ConditionKind::Method(asked) => test(asked, Place::Method, with),
            ConditionKind::Client(asked) | ConditionKind::Address(asked) => {
                test(asked, Place::Value, with);
            }
            ConditionKind::Header(name, asked) | ConditionKind::Query(name, asked) => {
                term(name, Place::Value, with);
                test(asked, Place::Value, with);
            }
            ConditionKind::Named(name) => with(Mention::Let(name, self)),
        }
    }

    /// The `let`s that the condition names, in the order of the text.
    pub fn lets(&self) -> Vec<(&str, &Condition)> {
        let mut lets = Vec::new();
        self.mentions(&mut |mention| match mention {
            Mention::Let(name, condition) => lets.push((name, condition)),
            Mention::Claim(_)
            | Mention::Parameter(_)
            | Mention::HostLabel(_)
            | Mention::Issuer(_)
            | Mention::Param(_)
            | Mention::List(_)
            | Mention::Method(_)
            | Mention::Scope(_) => {}
        });
        lets
    }
}

/// Where a name without more stands.
#[derive(Debug, Clone, Copy)]
enum Place {
    Value,
    Method,
}

impl Place {
    fn term(self, name: &Name) -> Mention<'_> {
        match self {
            Place::Value => Mention::Param(name),
            Place::Method => Mention::Method(name),
        }
    }

    fn list(self, name: &Name) -> Mention<'_> {
        match self {
            Place::Value => Mention::List(name),
            Place::Method => Mention::Method(name),
        }
    }
}

fn test<'a>(test: &'a Test, place: Place, with: &mut impl FnMut(Mention<'a>)) {
    match test {
        Test::Compare(_, operand)
        | Test::Contains(operand)
        | Test::StartsWith(operand)
        | Test::EndsWith(operand) => match operand {
            Operand::Term(value) => term(value, place, with),
            Operand::Path(name) => with(Mention::Parameter(name)),
            Operand::Host(name) => with(Mention::HostLabel(name)),
            Operand::Claim(name) => with(Mention::Claim(name)),
            Operand::Now(_) => {}
        },
        Test::In(list) | Test::NotIn(list) | Test::ContainsAny(list) | Test::ContainsAll(list) => {
            match list {
                List::Items(items) => {
                    for item in &items.node {
                        term(item, place, with);
                    }
                }
                List::Name(name) => with(place.list(name)),
            }
        }
        Test::InDomain(domain) => term(domain, place, with),
        Test::Present | Test::Absent => {}
    }
}

fn term<'a>(term: &'a Term, place: Place, with: &mut impl FnMut(Mention<'a>)) {
    match term {
        Term::Name(name) => with(place.term(name)),
        Term::Literal(_) => {}
    }
}

fn scope<'a>(term: &'a Term, with: &mut impl FnMut(Mention<'a>)) {
    match term {
        Term::Literal(literal) => with(Mention::Scope(literal)),
        Term::Name(name) => with(Mention::Param(name)),
    }
}
