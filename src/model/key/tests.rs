//! Equal conditions have equal keys, and each difference changes the key.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::model::{Bound, Order};
use crate::pattern::{Method, MethodSet};
use crate::source::{FileId, Sources};
use crate::value::{AddressRange, AddressSet, Number, Numbers};

/// A file for spans.
fn file() -> FileId {
    Sources::new().add("policy.gate", "")
}

fn alone(atom: Atom) -> Condition {
    at(0, ConditionKind::Atom(atom))
}

fn at(start: u32, kind: ConditionKind) -> Condition {
    let span = Span {
        file: file(),
        start,
        end: 100,
    };
    Condition { span, kind }
}

/// Three parameters, each at another place.
fn parameters() -> Vec<PathParameter> {
    let parameter = |segment| PathParameter {
        name: format!("p{segment}"),
        segment,
        prefix: 0,
        suffix: 0,
    };
    (0..3).map(parameter).collect()
}

fn key(keys: &ConditionKeys, atom: &Atom) -> ConditionKey {
    keys.of(&alone(atom.clone()), &parameters(), &Own)
}

fn set(members: &[&str]) -> Arc<StringSet> {
    let members = members.iter().map(|member| (*member).to_owned());
    Arc::new(StringSet::new(None, members.collect()))
}

fn addresses(ranges: &[&str]) -> Arc<AddressSet> {
    let ranges = ranges.iter().map(|range| AddressRange::parse(range));
    let ranges: Result<_, _> = ranges.collect();
    Arc::new(AddressSet::new(ranges.expect("ranges")))
}

/// Every kind of text in a policy. There are few, so that equal ones come about by chance.
fn text() -> impl Strategy<Value = String> {
    select(vec!["a", "b", "A", ""]).prop_map(str::to_owned)
}

fn number() -> impl Strategy<Value = Number> {
    select(vec![0.0, -0.0, 1.0, 1.5]).prop_map(Number::new)
}

fn strings() -> impl Strategy<Value = Arc<StringSet>> {
    let members = prop::collection::vec(text(), 0..4);
    (any::<bool>(), members).prop_map(|(named, members)| {
        let name = named.then(|| "known".to_owned());
        Arc::new(StringSet::new(name, members))
    })
}

fn values() -> impl Strategy<Value = Values> {
    prop_oneof![
        strings().prop_map(Values::Strings),
        prop::collection::vec(number(), 0..3).prop_map(|numbers| Values::Numbers(Numbers::new(
            numbers.into_iter().map(Number::get)
        ))),
        prop::collection::vec(any::<bool>(), 0..3).prop_map(Values::Booleans),
    ]
}

fn operand() -> impl Strategy<Value = Operand> {
    prop_oneof![
        text().prop_map(Operand::String),
        number().prop_map(Operand::Number),
        any::<bool>().prop_map(Operand::Boolean),
        (0..3_usize).prop_map(Operand::Path),
        Just(Operand::Host),
        (0..3_u32).prop_map(|claim| Operand::Claim(ClaimId(claim))),
        Just(Operand::Now),
    ]
}

fn claim_test() -> impl Strategy<Value = ClaimTest> {
    let order = select(vec![
        Order::Less,
        Order::LessOrEqual,
        Order::Greater,
        Order::GreaterOrEqual,
    ]);
    let bound = prop_oneof![number().prop_map(Bound::Number), Just(Bound::Now)];
    prop_oneof![
        (operand(), any::<bool>())
            .prop_map(|(operand, negated)| ClaimTest::Equals { operand, negated }),
        (order, bound).prop_map(|(order, bound)| ClaimTest::Order { order, bound }),
        (values(), any::<bool>()).prop_map(|(any_of, negated)| ClaimTest::In { any_of, negated }),
        operand().prop_map(ClaimTest::Contains),
        values().prop_map(ClaimTest::ContainsAny),
        values().prop_map(ClaimTest::ContainsAll),
        operand().prop_map(ClaimTest::StartsWith),
        operand().prop_map(ClaimTest::EndsWith),
        text().prop_map(ClaimTest::InDomain),
        (0..3_u64).prop_map(ClaimTest::Within),
        Just(ClaimTest::Present),
        Just(ClaimTest::Absent),
    ]
}

fn text_test() -> impl Strategy<Value = TextTest> {
    prop_oneof![
        (operand(), any::<bool>())
            .prop_map(|(operand, negated)| TextTest::Equals { operand, negated }),
        (strings(), any::<bool>()).prop_map(|(any_of, negated)| TextTest::In { any_of, negated }),
        operand().prop_map(TextTest::StartsWith),
        Just(TextTest::Present),
    ]
}

fn atom() -> impl Strategy<Value = Atom> {
    let scopes = || prop::collection::vec(text(), 0..3);
    let ranges = select(vec!["192.0.2.0/24", "2001:db8::/32"]);
    let methods = select(vec![Method::GET, Method::OPTIONS]).prop_map(MethodSet::named);
    prop_oneof![
        scopes().prop_map(Atom::ScopeAny),
        scopes().prop_map(Atom::ScopeAll),
        (0..3_u32, claim_test()).prop_map(|(claim, test)| Atom::Claim(ClaimId(claim), test)),
        (0..3_u32).prop_map(|issuer| Atom::TokenFrom(IssuerId(issuer))),
        (strings(), any::<bool>()).prop_map(|(any_of, negated)| Atom::Client { any_of, negated }),
        (0..3_usize, text_test()).prop_map(|(parameter, test)| Atom::Path(parameter, test)),
        text_test().prop_map(Atom::Host),
        methods.prop_map(Atom::Method),
        (ranges, any::<bool>()).prop_map(|(range, negated)| Atom::Address {
            any_of: addresses(&[range]),
            negated,
        }),
        (text(), text_test()).prop_map(|(name, test)| Atom::Header(name, test)),
        (text(), text_test()).prop_map(|(name, test)| Atom::Query(name, test)),
    ]
}

fn other_text(text: &str) -> String {
    format!("{text}x")
}

fn other_number(number: Number) -> Number {
    Number::new(number.get() + 2.0)
}

fn other_strings(set: &StringSet) -> Arc<StringSet> {
    let more = [set.members(), &["x".to_owned()]].concat();
    Arc::new(StringSet::new(set.name.clone(), more))
}

/// The same operand with each of its inputs changed.
fn other_operands(operand: &Operand) -> Vec<Operand> {
    match operand {
        Operand::String(text) => vec![Operand::String(other_text(text)), Operand::Host],
        Operand::Number(number) => vec![Operand::Number(other_number(*number)), Operand::Now],
        Operand::Boolean(boolean) => vec![Operand::Boolean(!boolean), Operand::Now],
        Operand::Path(parameter) => vec![Operand::Path((parameter + 1) % 3), Operand::Host],
        Operand::Host => vec![Operand::Now],
        Operand::Claim(ClaimId(claim)) => {
            vec![Operand::Claim(ClaimId(claim + 1)), Operand::Path(0)]
        }
        Operand::Now => vec![Operand::Host],
    }
}

fn other_values(values: &Values) -> Vec<Values> {
    match values {
        Values::Strings(set) => vec![
            Values::Strings(other_strings(set)),
            Values::Numbers(Numbers::new([])),
        ],
        Values::Numbers(numbers) => vec![
            Values::Numbers(Numbers::new(numbers.iter().copied().chain([7.0]))),
            Values::Booleans(Vec::new()),
        ],
        Values::Booleans(booleans) => vec![
            Values::Booleans([booleans.as_slice(), &[true]].concat()),
            Values::Strings(set(&[])),
        ],
    }
}

fn other_claim_tests(test: &ClaimTest) -> Vec<ClaimTest> {
    let with_operand = |operand: &Operand, of: fn(Operand) -> ClaimTest| -> Vec<ClaimTest> {
        other_operands(operand).into_iter().map(of).collect()
    };
    let with_values = |values: &Values, of: fn(Values) -> ClaimTest| -> Vec<ClaimTest> {
        other_values(values).into_iter().map(of).collect()
    };
    let (mut others, of_another_kind) = match test {
        ClaimTest::Equals { operand, negated } => {
            let negated = *negated;
            let mut others: Vec<ClaimTest> = other_operands(operand)
                .into_iter()
                .map(|operand| ClaimTest::Equals { operand, negated })
                .collect();
            others.push(ClaimTest::Equals {
                operand: operand.clone(),
                negated: !negated,
            });
            (others, ClaimTest::Contains(operand.clone()))
        }
        ClaimTest::Order { order, bound } => {
            let other_order = match order {
                Order::Less => Order::LessOrEqual,
                Order::LessOrEqual => Order::Greater,
                Order::Greater => Order::GreaterOrEqual,
                Order::GreaterOrEqual => Order::Less,
            };
            let other_bounds = match bound {
                Bound::Number(number) => vec![Bound::Number(other_number(*number)), Bound::Now],
                Bound::Now => vec![Bound::Number(Number::new(0.0))],
            };
            let mut others: Vec<ClaimTest> = other_bounds
                .into_iter()
                .map(|bound| ClaimTest::Order {
                    order: *order,
                    bound,
                })
                .collect();
            others.push(ClaimTest::Order {
                order: other_order,
                bound: *bound,
            });
            (others, ClaimTest::Present)
        }
        ClaimTest::In { any_of, negated } => {
            let negated = *negated;
            let mut others: Vec<ClaimTest> = other_values(any_of)
                .into_iter()
                .map(|any_of| ClaimTest::In { any_of, negated })
                .collect();
            others.push(ClaimTest::In {
                any_of: any_of.clone(),
                negated: !negated,
            });
            (others, ClaimTest::ContainsAny(any_of.clone()))
        }
        ClaimTest::Contains(operand) => (
            with_operand(operand, ClaimTest::Contains),
            ClaimTest::StartsWith(operand.clone()),
        ),
        ClaimTest::ContainsAny(values) => (
            with_values(values, ClaimTest::ContainsAny),
            ClaimTest::ContainsAll(values.clone()),
        ),
        ClaimTest::ContainsAll(values) => (
            with_values(values, ClaimTest::ContainsAll),
            ClaimTest::ContainsAny(values.clone()),
        ),
        ClaimTest::StartsWith(operand) => (
            with_operand(operand, ClaimTest::StartsWith),
            ClaimTest::EndsWith(operand.clone()),
        ),
        ClaimTest::EndsWith(operand) => (
            with_operand(operand, ClaimTest::EndsWith),
            ClaimTest::StartsWith(operand.clone()),
        ),
        ClaimTest::InDomain(domain) => (
            vec![ClaimTest::InDomain(other_text(domain))],
            ClaimTest::EndsWith(Operand::String(domain.clone())),
        ),
        ClaimTest::Within(seconds) => (vec![ClaimTest::Within(seconds + 1)], ClaimTest::Present),
        ClaimTest::Present => (Vec::new(), ClaimTest::Absent),
        ClaimTest::Absent => (Vec::new(), ClaimTest::Present),
    };
    others.push(of_another_kind);
    others
}

fn other_text_tests(test: &TextTest) -> Vec<TextTest> {
    match test {
        TextTest::Equals { operand, negated } => {
            let negated = *negated;
            let mut others: Vec<TextTest> = other_operands(operand)
                .into_iter()
                .map(|operand| TextTest::Equals { operand, negated })
                .collect();
            others.push(TextTest::Equals {
                operand: operand.clone(),
                negated: !negated,
            });
            others.push(TextTest::StartsWith(operand.clone()));
            others
        }
        TextTest::In { any_of, negated } => vec![
            TextTest::In {
                any_of: other_strings(any_of),
                negated: *negated,
            },
            TextTest::In {
                any_of: Arc::clone(any_of),
                negated: !negated,
            },
            TextTest::Present,
        ],
        TextTest::StartsWith(operand) => other_operands(operand)
            .into_iter()
            .map(TextTest::StartsWith)
            .chain([TextTest::Present])
            .collect(),
        TextTest::Present => vec![TextTest::StartsWith(Operand::Host)],
    }
}

/// Atoms that each differ from the given one in a single input. The matches name every field, so
/// that a new field has to be changed here too.
fn others(atom: &Atom) -> Vec<Atom> {
    let texts = |test: &TextTest, of: &dyn Fn(TextTest) -> Atom| -> Vec<Atom> {
        other_text_tests(test).into_iter().map(of).collect()
    };
    let more = |scopes: &Vec<String>| [scopes.as_slice(), &["x".to_owned()]].concat();
    match atom {
        Atom::ScopeAny(scopes) => {
            vec![Atom::ScopeAny(more(scopes)), Atom::ScopeAll(scopes.clone())]
        }
        Atom::ScopeAll(scopes) => {
            vec![Atom::ScopeAll(more(scopes)), Atom::ScopeAny(scopes.clone())]
        }
        Atom::Claim(claim, test) => other_claim_tests(test)
            .into_iter()
            .map(|test| Atom::Claim(*claim, test))
            .chain([Atom::Claim(ClaimId(claim.0 + 1), test.clone())])
            .collect(),
        Atom::TokenFrom(issuer) => vec![Atom::TokenFrom(IssuerId(issuer.0 + 1))],
        Atom::Client { any_of, negated } => vec![
            Atom::Client {
                any_of: other_strings(any_of),
                negated: *negated,
            },
            Atom::Client {
                any_of: Arc::clone(any_of),
                negated: !negated,
            },
        ],
        Atom::Path(parameter, test) => {
            let mut others = texts(test, &|test| Atom::Path(*parameter, test));
            others.extend([
                Atom::Path((parameter + 1) % 3, test.clone()),
                Atom::Host(test.clone()),
            ]);
            others
        }
        Atom::Host(test) => texts(test, &Atom::Host),
        Atom::Method(methods) => vec![Atom::Method(MethodSet::ALL.difference(*methods))],
        Atom::Address { any_of, negated } => vec![
            Atom::Address {
                any_of: addresses(&["198.51.100.1"]),
                negated: *negated,
            },
            Atom::Address {
                any_of: Arc::clone(any_of),
                negated: !negated,
            },
        ],
        Atom::Header(name, test) => {
            let mut others = texts(test, &|test| Atom::Header(name.clone(), test));
            others.extend([
                Atom::Header(other_text(name), test.clone()),
                Atom::Query(name.clone(), test.clone()),
            ]);
            others
        }
        Atom::Query(name, test) => {
            let mut others = texts(test, &|test| Atom::Query(name.clone(), test));
            others.extend([
                Atom::Query(other_text(name), test.clone()),
                Atom::Header(name.clone(), test.clone()),
            ]);
            others
        }
    }
}

/// Names of another policy: the number of each is that of `Own`, plus an offset.
struct Other {
    claims: u32,
    issuers: u32,
    found: Option<usize>,
}

impl Names for Other {
    fn claim(&self, claim: ClaimId) -> ClaimId {
        ClaimId(claim.0 + self.claims)
    }

    fn issuer(&self, issuer: IssuerId) -> IssuerId {
        IssuerId(issuer.0 + self.issuers)
    }

    fn found(&self, _: Input<'_>) -> Option<usize> {
        self.found
    }
}

proptest! {
    #[test]
    fn a_test_with_any_input_changed_has_another_key(atom in atom()) {
        let keys = ConditionKeys::default();
        let own = key(&keys, &atom);
        for other in others(&atom) {
            prop_assert_ne!(own, key(&keys, &other), "{:?}", other);
        }
    }

    #[test]
    fn tests_have_one_key_exactly_if_they_are_equal(a in atom(), b in atom()) {
        // The output of `Debug` names every field.
        let nameless = |atom: &Atom| format!("{atom:?}").replace("Some(\"known\")", "None");
        let keys = ConditionKeys::default();
        prop_assert_eq!(
            key(&keys, &a) == key(&keys, &b),
            nameless(&a) == nameless(&b)
        );
    }

    #[test]
    fn the_place_of_a_parameter_is_part_of_the_key(atom in atom()) {
        let keys = ConditionKeys::default();
        let own = key(&keys, &atom);
        let mut renamed = parameters();
        for parameter in &mut renamed {
            parameter.name.push('x');
        }
        prop_assert_eq!(own, keys.of(&alone(atom.clone()), &renamed, &Own));
        let moves: [fn(&mut PathParameter); 3] = [
            |parameter| parameter.segment += 3,
            |parameter| parameter.prefix += 1,
            |parameter| parameter.suffix += 1,
        ];
        for move_it in moves {
            let mut moved = parameters();
            moved.iter_mut().for_each(move_it);
            let other = keys.of(&alone(atom.clone()), &moved, &Own);
            prop_assert_eq!(own != other, atom.reads_path(), "{:?}", moved);
        }
    }

    #[test]
    fn names_are_replaced_by_their_meaning(atom in atom()) {
        let keys = ConditionKeys::default();
        let other = |claims, issuers, found| {
            let names = Other { claims, issuers, found };
            keys.of(&alone(atom.clone()), &parameters(), &names)
        };
        let own = key(&keys, &atom);
        prop_assert_eq!(own, other(0, 0, None));
        prop_assert_eq!(own != other(3, 0, None), atom.claims().next().is_some());
        let is_from = matches!(atom, Atom::TokenFrom(_));
        prop_assert_eq!(own != other(0, 3, None), is_from);
        prop_assert_ne!(own, other(0, 0, Some(0)));
        prop_assert_ne!(other(0, 0, Some(1)), other(0, 0, Some(0)));
    }

    #[test]
    fn order_and_repetition_change_only_the_written_key(a in atom(), b in atom()) {
        let keys = ConditionKeys::default();
        let and = |parts: &[&Atom]| {
            let parts = parts.iter().map(|atom| alone((*atom).clone()));
            at(0, ConditionKind::And(parts.collect()))
        };
        let of = |condition: &Condition| keys.of(condition, &parameters(), &Own);
        let written = |condition: &Condition| keys.written(condition, &parameters());
        let (one, swapped) = (and(&[&a, &b]), and(&[&b, &a]));
        prop_assert_eq!(of(&one), of(&swapped));
        prop_assert_eq!(of(&one), of(&and(&[&a, &b, &a])));
        prop_assert_eq!(written(&one) == written(&swapped), key(&keys, &a) == key(&keys, &b));
        prop_assert_ne!(written(&one), written(&and(&[&a, &b, &a])));
    }

    #[test]
    fn and_or_and_not_differ(atom in atom()) {
        let keys = ConditionKeys::default();
        let part = || vec![alone(atom.clone())];
        let conditions = [
            alone(atom.clone()),
            at(0, ConditionKind::Not(Box::new(alone(atom.clone())))),
            at(0, ConditionKind::And(part())),
            at(0, ConditionKind::Or(part())),
        ];
        let all: BTreeSet<ConditionKey> = conditions
            .iter()
            .map(|condition| keys.of(condition, &parameters(), &Own))
            .collect();
        prop_assert_eq!(all.len(), conditions.len());
        let all: BTreeSet<ConditionKey> = conditions
            .iter()
            .map(|condition| keys.written(condition, &parameters()))
            .collect();
        prop_assert_eq!(all.len(), conditions.len());
    }
}

#[test]
fn an_expanded_let_has_another_written_key() {
    let keys = ConditionKeys::default();
    let inner = |start| {
        at(
            start,
            ConditionKind::Or(vec![alone(Atom::Host(TextTest::Present))]),
        )
    };
    let outer = |start| at(10, ConditionKind::And(vec![inner(start)]));
    let written = |start| keys.written(&outer(start), &parameters());
    assert_eq!(written(10), written(11));
    assert_ne!(written(10), written(9), "it begins before the whole");
    let of = |start| keys.of(&outer(start), &parameters(), &Own);
    assert_eq!(of(10), of(9));
}

#[test]
fn large_sets_differ_in_a_single_member() {
    let members = |last: &str| -> Vec<String> {
        let many = (0..10_000).map(|number| format!("{number:05}"));
        many.chain([last.to_owned()]).collect()
    };
    let client = |members| Atom::Client {
        any_of: Arc::new(StringSet::new(None, members)),
        negated: false,
    };
    let keys = ConditionKeys::default();
    let own = key(&keys, &client(members("a")));
    assert_eq!(own, key(&keys, &client(members("a"))));
    assert_ne!(own, key(&keys, &client(members("b"))));
}
