//! Checks which tests a claim's type allows.

use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Bound, ClaimTest, Operand, Order, StringSet, Values};
use crate::source::Span;
use crate::syntax::ast::{self, Comparison, Test};
use crate::value::{ClaimType, Number, Numbers};

use super::claims::ApiClaim;
use super::context::{At, Env};
use super::domains::{domain, warn_of_suffix};
use super::operands::{
    claim, claim_mismatch, refuse_empty_affix, refuse_vacuous, set_name, test_word, text_operand,
    wrong_element,
};
use super::out::Out;
use super::params::bad_time;
use super::sets::{Elements, elements};
use super::values::{Value, parse_time};

/// The type of one value: that of a scalar claim, or of a list's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scalar {
    String,
    Number,
    Boolean,
    Time,
}

impl Scalar {
    fn noun(self) -> &'static str {
        match self {
            Scalar::String => "a string",
            Scalar::Number => "a number",
            Scalar::Boolean => "a boolean",
            Scalar::Time => "a time",
        }
    }

    fn claim_type(self) -> ClaimType {
        match self {
            Scalar::String => ClaimType::String,
            Scalar::Number => ClaimType::Number,
            Scalar::Boolean => ClaimType::Boolean,
            Scalar::Time => ClaimType::Time,
        }
    }
}

/// A claim's type in parts: whether it is a list, and the type of one value.
fn shape(ty: ClaimType) -> (bool, Scalar) {
    match ty {
        ClaimType::String => (false, Scalar::String),
        ClaimType::Number => (false, Scalar::Number),
        ClaimType::Boolean => (false, Scalar::Boolean),
        ClaimType::Time => (false, Scalar::Time),
        ClaimType::ListOfString | ClaimType::Words => (true, Scalar::String),
        ClaimType::ListOfNumber => (true, Scalar::Number),
    }
}

/// The claim that is tested.
#[derive(Clone, Copy)]
struct Subject<'s> {
    name: &'s ast::Name,
    claim: &'s ApiClaim,
    /// Whether the claim is a list of this type.
    is_list: bool,
    scalar: Scalar,
    /// The place of the whole atom.
    span: Span,
}

impl Subject<'_> {
    /// The subject of the comparison, as messages name it.
    fn compared(self) -> String {
        if self.is_list {
            format!("a member of `claim {}`", self.name.node)
        } else {
            format!("`claim {}`", self.name.node)
        }
    }
}

/// Checks the tests of one claim.
pub(super) fn resolve(
    env: Env,
    at: At,
    name: &ast::Name,
    claim: &ApiClaim,
    test: &Test,
    span: Span,
    out: &mut Out,
) -> Option<ClaimTest> {
    let (is_list, scalar) = shape(claim.ty);
    let subject = Subject {
        name,
        claim,
        is_list,
        scalar,
        span,
    };
    match test {
        Test::Present => return Some(ClaimTest::Present),
        Test::Absent => return Some(ClaimTest::Absent),
        Test::Contains(value) if is_list => {
            return operand(env, at, subject, value, out).map(ClaimTest::Contains);
        }
        Test::ContainsAny(list) if is_list => {
            return values(env, subject, list, out).map(ClaimTest::ContainsAny);
        }
        Test::ContainsAll(list) if is_list => {
            refuse_vacuous(env, list, "contains all", out)?;
            return values(env, subject, list, out).map(ClaimTest::ContainsAll);
        }
        _ if is_list => {}
        Test::Compare(Comparison::Equal, value) => {
            return Some(ClaimTest::Equals {
                operand: operand(env, at, subject, value, out)?,
                negated: false,
            });
        }
        Test::Compare(Comparison::NotEqual, value) => {
            return Some(ClaimTest::Equals {
                operand: operand(env, at, subject, value, out)?,
                negated: true,
            });
        }
        Test::Compare(comparison, value) if matches!(scalar, Scalar::Number | Scalar::Time) => {
            return order(env, at, subject, *comparison, value, out);
        }
        Test::In(list) => {
            return Some(ClaimTest::In {
                any_of: values(env, subject, list, out)?,
                negated: false,
            });
        }
        Test::NotIn(list) => {
            return Some(ClaimTest::In {
                any_of: values(env, subject, list, out)?,
                negated: true,
            });
        }
        Test::StartsWith(value) if scalar == Scalar::String => {
            let operand = operand(env, at, subject, value, out)?;
            refuse_empty_affix(&operand, value.span(), "starts with", out)?;
            return Some(ClaimTest::StartsWith(operand));
        }
        Test::EndsWith(value) if scalar == Scalar::String => {
            let operand = operand(env, at, subject, value, out)?;
            refuse_empty_affix(&operand, value.span(), "ends with", out)?;
            warn_of_suffix(name, value, &operand, span, out);
            return Some(ClaimTest::EndsWith(operand));
        }
        Test::InDomain(term) if scalar == Scalar::String => {
            return domain(env.terms, term, out).map(ClaimTest::InDomain);
        }
        Test::Compare(..)
        | Test::Contains(_)
        | Test::ContainsAny(_)
        | Test::ContainsAll(_)
        | Test::StartsWith(_)
        | Test::EndsWith(_)
        | Test::InDomain(_) => {}
    }
    out.say(at.traced(no_such_test(subject, test)));
    None
}

fn no_such_test(subject: Subject, test: &Test) -> Diagnostic {
    let word = test_word(test);
    let is_list = subject.is_list;
    let article = if is_list && subject.claim.ty != ClaimType::Words {
        "a list"
    } else if is_list {
        "a list of words"
    } else {
        subject.scalar.noun()
    };
    let mut diagnostic = Diagnostic::new(
        Code::WrongTest,
        subject.span,
        format!(
            "`{word}` does not apply to {article}, which `{}` is",
            subject.name.node
        ),
    );
    if let Some(declared) = subject.claim.declared {
        diagnostic = diagnostic.also(declared, "declared here");
    }
    let name = &subject.name.node;
    let help = match (is_list, subject.scalar, test) {
        (true, _, Test::Compare(Comparison::Equal, _)) => {
            format!("write `claim {name} contains …`")
        }
        (true, _, Test::Compare(Comparison::NotEqual, _)) => {
            format!("write `not claim {name} contains …`")
        }
        (true, _, Test::In(_)) => format!("write `claim {name} contains any […]`"),
        (true, _, Test::NotIn(_)) => format!("write `not claim {name} contains any […]`"),
        (true, _, Test::InDomain(_)) => {
            format!("a list is compared whole: write `claim {name} contains \"…\"` for one address")
        }
        (true, ..) => {
            "a list has `contains`, `contains any`, `contains all`, `present` and `absent`"
                .to_owned()
        }
        (
            false,
            Scalar::String,
            Test::Contains(_) | Test::ContainsAny(_) | Test::ContainsAll(_),
        ) => "a claim that is a list is declared `list of string`; one with blanks between its \
              values, `words`"
            .to_owned(),
        (false, Scalar::String, _) => {
            "a string has `==`, `!=`, `in`, `not in`, `starts with`, `ends with`, `in domain`, \
             `present` and `absent`"
                .to_owned()
        }
        (false, Scalar::Number | Scalar::Time, _) => {
            "it has `==`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `not in`, `present` and `absent`"
                .to_owned()
        }
        (false, Scalar::Boolean, _) => {
            "a boolean has `==`, `!=`, `in`, `not in`, `present` and `absent`".to_owned()
        }
    };
    diagnostic.help(help)
}

/// The value that the claim is compared with.
fn operand(
    env: Env,
    at: At,
    subject: Subject,
    operand: &ast::Operand,
    out: &mut Out,
) -> Option<Operand> {
    let scalar = subject.scalar;
    let what = subject.compared();
    match operand {
        ast::Operand::Now(_) if scalar == Scalar::Time => Some(Operand::Now),
        ast::Operand::Claim(name) => {
            let other = claim(env, at, name, out)?;
            if other.ty == scalar.claim_type() {
                return Some(Operand::Claim(other.id));
            }
            let mut diagnostic = claim_mismatch(
                name,
                &other,
                format!(
                    "{what} is compared with {}, and `{}` is a `{}`",
                    scalar.noun(),
                    name.node,
                    other.ty
                ),
            );
            if let Some(declared) = subject.claim.declared {
                diagnostic = diagnostic.also(
                    declared,
                    format!("`{}` is declared here", subject.name.node),
                );
            }
            out.say(at.traced(diagnostic));
            None
        }
        _ if scalar == Scalar::String => text_operand(env, at, &what, operand, out),
        ast::Operand::Term(term) => {
            let value = env.terms.value(term, out)?;
            match (scalar, value) {
                (Scalar::Number, Value::Number(number)) => {
                    Some(Operand::Number(Number::new(number)))
                }
                (Scalar::Boolean, Value::Boolean(boolean)) => Some(Operand::Boolean(boolean)),
                (Scalar::Time, Value::Time(time)) => Some(Operand::Number(Number::new(time))),
                (Scalar::Time, Value::String(text)) => time(&text, term.span(), out),
                (_, other) => {
                    let mut diagnostic = env.terms.mismatch(term, scalar.noun(), &other, &what);
                    if let Some(declared) = subject.claim.declared {
                        diagnostic = diagnostic.also(declared, "the claim is declared here");
                    }
                    if matches!(other, Value::Duration(_)) && scalar == Scalar::Time {
                        diagnostic = diagnostic.help(
                            "compare a time with `now` or an RFC 3339 time; `login within` and \
                             `max age` are for ages",
                        );
                    }
                    out.say(at.traced(diagnostic));
                    None
                }
            }
        }
        ast::Operand::Path(_) | ast::Operand::Host(_) | ast::Operand::Now(_) => {
            let found = match operand {
                ast::Operand::Path(name) => format!("`path.{}` is a string", name.node),
                ast::Operand::Host(name) => format!("`host.{}` is a string", name.node),
                ast::Operand::Now(_) | ast::Operand::Term(_) | ast::Operand::Claim(_) => {
                    "`now` is a time".to_owned()
                }
            };
            let mut diagnostic = Diagnostic::new(
                Code::TypeMismatch,
                operand.span(),
                format!("{what} is {}, and {found}", scalar.noun()),
            );
            if let Some(declared) = subject.claim.declared {
                diagnostic = diagnostic.also(declared, "the claim is declared here");
            }
            out.say(at.traced(diagnostic));
            None
        }
    }
}

fn time(text: &str, span: Span, out: &mut Out) -> Option<Operand> {
    let time = parse_time(text);
    if time.is_none() {
        out.say(bad_time(span, text));
    }
    time.map(|time| Operand::Number(Number::new(time)))
}

fn order(
    env: Env,
    at: At,
    subject: Subject,
    comparison: Comparison,
    value: &ast::Operand,
    out: &mut Out,
) -> Option<ClaimTest> {
    let order = match comparison {
        Comparison::Less => Order::Less,
        Comparison::LessOrEqual => Order::LessOrEqual,
        Comparison::Greater => Order::Greater,
        Comparison::GreaterOrEqual => Order::GreaterOrEqual,
        Comparison::Equal | Comparison::NotEqual => return None,
    };
    if let ast::Operand::Claim(name) = value {
        out.say(
            at.traced(
                Diagnostic::new(
                    Code::WrongTest,
                    subject.span,
                    format!("`{}` is not for two claims", comparison.as_str()),
                )
                .also(name.span, "the other claim")
                .help("compare each with a value"),
            ),
        );
        return None;
    }
    let bound = match operand(env, at, subject, value, out)? {
        Operand::Number(number) => Bound::Number(number),
        Operand::Now => Bound::Now,
        // Numbers and times aren't compared with texts, and two claims were refused.
        Operand::String(_)
        | Operand::Boolean(_)
        | Operand::Path(_)
        | Operand::Host
        | Operand::Claim(_) => return None,
    };
    Some(ClaimTest::Order { order, bound })
}

/// The values that the claim is compared with.
fn values(env: Env, subject: Subject, list: &ast::List, out: &mut Out) -> Option<Values> {
    let what = subject.compared();
    let scalar = subject.scalar;
    let members = match elements(env.terms, env.sets, list, out)? {
        Elements::Set(set) if scalar == Scalar::String => {
            return set.strings(set_name(list), out).map(Values::Strings);
        }
        Elements::Set(set) => {
            out.say(
                Diagnostic::new(
                    Code::TypeMismatch,
                    list.span(),
                    format!("{what} is {}, and a set holds strings", scalar.noun()),
                )
                .also(set.declared(), "the set"),
            );
            return None;
        }
        Elements::Values(values) => values,
    };
    let mut whole = true;
    let mut strings = Vec::new();
    let mut numbers = Vec::new();
    let mut booleans = Vec::new();
    for (value, span) in members {
        match (scalar, value) {
            (Scalar::String, Value::String(text)) => strings.push(text),
            (Scalar::Number, Value::Number(number)) | (Scalar::Time, Value::Time(number)) => {
                numbers.push(number);
            }
            (Scalar::Boolean, Value::Boolean(boolean)) => booleans.push(boolean),
            (Scalar::Time, Value::String(text)) => match parse_time(&text) {
                Some(time) => numbers.push(time),
                None => {
                    whole = false;
                    out.say(bad_time(span, &text));
                }
            },
            (_, other) => {
                whole = false;
                let mut diagnostic = wrong_element(span, &what, scalar.noun(), &other);
                if let Some(declared) = subject.claim.declared {
                    diagnostic = diagnostic.also(declared, "the claim is declared here");
                }
                out.say(diagnostic);
            }
        }
    }
    booleans.sort_unstable();
    booleans.dedup();
    whole.then(|| match scalar {
        Scalar::String => Values::Strings(Arc::new(StringSet::new(None, strings))),
        Scalar::Number | Scalar::Time => Values::Numbers(Numbers::new(numbers)),
        Scalar::Boolean => Values::Booleans(booleans),
    })
}
