//! What conditions name, whichever the place that they stand at.

use crate::source::Spanned;
use crate::syntax::ast::{
    Condition, ConditionKind, List, Literal, Name, Operand, ScopeTest, Term, Test,
};

/// A name in a condition.
#[derive(Debug, Clone, Copy)]
pub enum Mention<'a> {
    /// `claim NAME`
    Claim(&'a Name),
    /// `path.NAME`
    Parameter(&'a Name),
    /// `host.NAME`
    HostLabel(&'a Name),
    /// A `let`, by the condition that it is.
    Let(&'a str, &'a Condition),
    /// An issuer, a `set` or a `param`.
    Named(&'a Name),
    /// What may be a `set` or a `param`, or a method.
    NamedOrMethod(&'a Name),
    /// A scope.
    Scope(&'a Spanned<Literal>),
}

/// Calls `with` for each name in a condition, in the order of the text.
pub fn mentions<'a>(condition: &'a Condition, with: &mut impl FnMut(Mention<'a>)) {
    match &condition.kind {
        ConditionKind::And(parts) | ConditionKind::Or(parts) => {
            for part in parts {
                mentions(part, with);
            }
        }
        ConditionKind::Not(inner) => mentions(inner, with),
        ConditionKind::Scope(ScopeTest::One(term)) => scope(term, with),
        ConditionKind::Scope(ScopeTest::Any(list) | ScopeTest::All(list)) => match list {
            List::Items(items) => items.node.iter().for_each(|item| scope(item, with)),
            List::Name(name) => with(Mention::Named(name)),
        },
        ConditionKind::Claim(name, asked) => {
            with(Mention::Claim(name));
            test(asked, Mention::Named, with);
        }
        ConditionKind::TokenFrom(name) => with(Mention::Named(name)),
        ConditionKind::LoginWithin(term) => self::term(term, Mention::Named, with),
        ConditionKind::Path(name, asked) => {
            with(Mention::Parameter(name));
            test(asked, Mention::Named, with);
        }
        ConditionKind::Host(name, asked) => {
            with(Mention::HostLabel(name));
            test(asked, Mention::Named, with);
        }
        ConditionKind::Method(asked) => test(asked, Mention::NamedOrMethod, with),
        ConditionKind::Client(asked) | ConditionKind::Address(asked) => {
            test(asked, Mention::Named, with);
        }
        ConditionKind::Header(name, asked) | ConditionKind::Query(name, asked) => {
            term(name, Mention::Named, with);
            test(asked, Mention::Named, with);
        }
        ConditionKind::Named(name) => with(Mention::Let(name, condition)),
    }
}

/// How a bare name is taken.
type Bare<'a> = fn(&'a Name) -> Mention<'a>;

fn test<'a>(test: &'a Test, bare: Bare<'a>, with: &mut impl FnMut(Mention<'a>)) {
    match test {
        Test::Compare(_, operand)
        | Test::Contains(operand)
        | Test::StartsWith(operand)
        | Test::EndsWith(operand) => match operand {
            Operand::Term(term) => self::term(term, bare, with),
            Operand::Path(name) => with(Mention::Parameter(name)),
            Operand::Host(name) => with(Mention::HostLabel(name)),
            Operand::Claim(name) => with(Mention::Claim(name)),
            Operand::Now(_) => {}
        },
        Test::In(list) | Test::NotIn(list) | Test::ContainsAny(list) | Test::ContainsAll(list) => {
            match list {
                List::Items(items) => {
                    for item in &items.node {
                        term(item, bare, with);
                    }
                }
                List::Name(name) => with(bare(name)),
            }
        }
        Test::InDomain(domain) => term(domain, bare, with),
        Test::Present | Test::Absent => {}
    }
}

fn term<'a>(term: &'a Term, bare: Bare<'a>, with: &mut impl FnMut(Mention<'a>)) {
    if let Term::Name(name) = term {
        with(bare(name));
    }
}

fn scope<'a>(term: &'a Term, with: &mut impl FnMut(Mention<'a>)) {
    match term {
        Term::Literal(literal) => with(Mention::Scope(literal)),
        Term::Name(name) => with(Mention::Named(name)),
    }
}
