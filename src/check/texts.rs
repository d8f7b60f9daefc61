//! Tests of a request's texts: host labels, path parameters, headers and query parameters, compared
//! with literals, claims or each other.

use crate::diagnostic::{Code, Diagnostic};
use crate::model::TextTest;
use crate::source::Span;
use crate::syntax::ast::{self, Comparison};

use super::context::{At, Env};
use super::operands::{refuse_empty_affix, strings, text_operand, wrong_test};
use super::out::Out;

/// A test of a text. `said` is true for texts that the client chooses, whose tests can't be
/// negated.
pub(super) fn text_test(
    env: Env,
    at: At,
    what: &str,
    said: bool,
    test: &ast::Test,
    span: Span,
    out: &mut Out,
) -> Option<TextTest> {
    match test {
        ast::Test::Compare(Comparison::Equal, value) => Some(TextTest::Equals {
            operand: text_operand(env, at, what, value, out)?,
            negated: false,
        }),
        ast::Test::Compare(Comparison::NotEqual, _) | ast::Test::NotIn(_) if said => {
            out.say(
                at.traced(
                    Diagnostic::new(
                        Code::NegatedRequest,
                        span,
                        format!("{what} can't be negated"),
                    )
                    .help(
                        "a client can always leave it out; test for what must be present \
                    instead",
                    ),
                ),
            );
            None
        }
        ast::Test::Compare(Comparison::NotEqual, value) => Some(TextTest::Equals {
            operand: text_operand(env, at, what, value, out)?,
            negated: true,
        }),
        ast::Test::In(list) => Some(TextTest::In {
            any_of: strings(env, list, what, out)?,
            negated: false,
        }),
        ast::Test::NotIn(list) => Some(TextTest::In {
            any_of: strings(env, list, what, out)?,
            negated: true,
        }),
        ast::Test::StartsWith(value) => {
            let operand = text_operand(env, at, what, value, out)?;
            refuse_empty_affix(&operand, value.span(), "starts with", out)?;
            Some(TextTest::StartsWith(operand))
        }
        ast::Test::Present if said => Some(TextTest::Present),
        ast::Test::Compare(..)
        | ast::Test::Contains(_)
        | ast::Test::ContainsAny(_)
        | ast::Test::ContainsAll(_)
        | ast::Test::EndsWith(_)
        | ast::Test::InDomain(_)
        | ast::Test::Present
        | ast::Test::Absent => {
            let instead = if said {
                "`==`, `in`, `starts with` or `present`"
            } else {
                "`==`, `!=`, `in`, `not in` or `starts with`"
            };
            out.say(at.traced(wrong_test(span, what, test, instead)));
            None
        }
    }
}
