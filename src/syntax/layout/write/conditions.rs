//! Conditions as words.

use super::Words;
use crate::syntax::ast::{Comparison, Condition, ConditionKind, List, Operand, ScopeTest, Test};
use crate::syntax::layout::sheet::{Sort, Word};

impl<'a> Words<'a> {
    /// A condition. A compound one inside another is put in parentheses.
    pub(super) fn condition(&mut self, given: &'a Condition) -> &mut Self {
        match &given.kind {
            ConditionKind::And(all) => self.several(all, "and"),
            ConditionKind::Or(any) => self.several(any, "or"),
            ConditionKind::Not(one) => self.say("not").inner(one),
            ConditionKind::Scope(ScopeTest::One(scope)) => self.say("scope").term(scope),
            ConditionKind::Scope(ScopeTest::Any(scopes)) => self.say("scope any").values(scopes),
            ConditionKind::Scope(ScopeTest::All(scopes)) => self.say("scope all").values(scopes),
            ConditionKind::Claim(name, given) => self.say("claim").name(name).test(given),
            ConditionKind::TokenFrom(issuer) => self.say("token from").name(issuer),
            ConditionKind::Client(Test::Compare(Comparison::Equal, client)) => {
                self.say("client").operand(client)
            }
            ConditionKind::Client(given) => self.say("client").test(given),
            ConditionKind::LoginWithin(age) => self.say("login within").term(age),
            ConditionKind::Path(name, given) => {
                self.made(format!("path.{}", name.node)).test(given)
            }
            ConditionKind::Host(name, given) => {
                self.made(format!("host.{}", name.node)).test(given)
            }
            ConditionKind::Method(given) => self.say("method").test(given),
            ConditionKind::Address(given) => self.say("address").test(given),
            ConditionKind::Header(name, given) => self.say("header").term(name).test(given),
            ConditionKind::Query(name, given) => self.say("query").term(name).test(given),
            ConditionKind::Named(name) => {
                self.0.push(Word::new(&**name, Sort::Plain));
                self
            }
        }
    }

    fn several(&mut self, all: &'a [Condition], connective: &'static str) -> &mut Self {
        for (at, one) in all.iter().enumerate() {
            if at > 0 {
                self.sign(connective, Sort::Connective);
            }
            self.inner(one);
        }
        self
    }

    fn inner(&mut self, one: &'a Condition) -> &mut Self {
        match one.kind {
            ConditionKind::And(_) | ConditionKind::Or(_) => self
                .sign("(", Sort::Open)
                .condition(one)
                .sign(")", Sort::Close),
            _ => self.condition(one),
        }
    }

    fn test(&mut self, test: &'a Test) -> &mut Self {
        match test {
            Test::Compare(comparison, value) => self.say(comparison.as_str()).operand(value),
            Test::In(values) => self.say("in").values(values),
            Test::NotIn(values) => self.say("not in").values(values),
            Test::InDomain(domain) => self.say("in domain").term(domain),
            Test::Contains(value) => self.say("contains").operand(value),
            Test::ContainsAny(values) => self.say("contains any").values(values),
            Test::ContainsAll(values) => self.say("contains all").values(values),
            Test::StartsWith(value) => self.say("starts with").operand(value),
            Test::EndsWith(value) => self.say("ends with").operand(value),
            Test::Present => self.say("present"),
            Test::Absent => self.say("absent"),
        }
    }

    fn values(&mut self, list: &'a List) -> &mut Self {
        match list {
            List::Items(items) => self.bracketed(&items.node, |words, item| {
                words.term(item);
            }),
            List::Name(name) => self.name(name),
        }
    }

    fn operand(&mut self, operand: &'a Operand) -> &mut Self {
        match operand {
            Operand::Term(value) => self.term(value),
            Operand::Path(name) => self.made(format!("path.{}", name.node)),
            Operand::Host(name) => self.made(format!("host.{}", name.node)),
            Operand::Claim(name) => self.say("claim").name(name),
            Operand::Now(_) => self.say("now"),
        }
    }
}
