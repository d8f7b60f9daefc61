//! The contents of a `test` block.

use super::literals::{duration, name, numeric, string, word};
use super::{Node, Notes, Rule};
use crate::source::Spanned;
use crate::syntax::ast::{
    Expectation, Literal, Name, Outcome, TestClaim, TestClaimName, TestValue,
};

/// The name in `test "…" {`.
pub(in crate::syntax) fn test_name(node: &Node, notes: &mut Notes) -> Option<Spanned<String>> {
    Some(string(&node.child(Rule::string)?, notes))
}

/// The token and its issuer in `token NAME = ISSUER {`.
pub(in crate::syntax) fn test_token(node: &Node, notes: &mut Notes) -> Option<(Name, Name)> {
    Some((
        name(&node.child(Rule::word)?, notes),
        name(&node.child(Rule::name)?, notes),
    ))
}

/// `NAME VALUE` in a token.
pub(in crate::syntax) fn test_claim(node: &Node, notes: &mut Notes) -> Option<TestClaim> {
    let first = node.only()?;
    let claim = match first.rule() {
        Rule::string => TestClaimName::Json(string(&first, notes).node),
        Rule::word => TestClaimName::Known(first.text().to_owned()),
        _ => return None,
    };
    Some(TestClaim {
        name: Spanned::new(claim, first.span()),
        value: value(&node.child(Rule::test_value)?, notes)?,
    })
}

/// A value. The scan bounds the nesting of lists.
fn value(node: &Node, notes: &mut Notes) -> Option<Spanned<TestValue>> {
    let part = node.only()?;
    let value = match part.rule() {
        Rule::string => TestValue::String(string(&part, notes).node),
        Rule::numeric => match numeric(&part, notes).node {
            Literal::Number(number) => TestValue::Number(number),
            _ => {
                notes.wrong(
                    part.span(),
                    format!("a claim can't have the value `{}`", part.text()),
                    format!(
                        "a time is `in {0}` or `{0} ago`; a number has no unit",
                        part.text()
                    ),
                );
                TestValue::Null
            }
        },
        Rule::k_true => TestValue::Boolean(true),
        Rule::k_false => TestValue::Boolean(false),
        Rule::k_null => TestValue::Null,
        Rule::ago => TestValue::Ago(duration(&part.child(Rule::numeric)?, notes)),
        Rule::in_future => TestValue::In(duration(&part.child(Rule::numeric)?, notes)),
        Rule::test_list => TestValue::List(
            part.children()
                .filter(|child| child.rule() == Rule::test_value)
                .map(|child| value(&child, notes))
                .collect::<Option<_>>()?,
        ),
        _ => return None,
    };
    Some(Spanned::new(value, node.span()))
}

/// `METHOD TARGET … is allowed`, or `is denied`
pub(in crate::syntax) fn expectation(node: &Node, notes: &mut Notes) -> Option<Expectation> {
    let mut expectation = Expectation {
        span: node.span(),
        method: word(&node.child(Rule::method)?),
        target: word(&node.child(Rule::target)?),
        token: None,
        headers: Vec::new(),
        address: None,
        at: None,
        outcome: outcome(&node.child(Rule::outcome)?.only()?, notes)?,
    };
    for part in node.children() {
        match part.rule() {
            Rule::with_token => {
                expectation.token = Some(name(&part.child(Rule::word)?, notes));
            }
            Rule::request_part => request_part(&part.only()?, &mut expectation, notes)?,
            _ => {}
        }
    }
    Some(expectation)
}

fn request_part(node: &Node, expectation: &mut Expectation, notes: &mut Notes) -> Option<()> {
    if node.rule() == Rule::request_header {
        expectation.headers.push(pair(node, notes)?);
        return Some(());
    }
    let text = string(&node.child(Rule::string)?, notes);
    let (word, slot) = match node.rule() {
        Rule::request_from => ("from", &mut expectation.address),
        Rule::request_at => ("at", &mut expectation.at),
        _ => return None,
    };
    if slot.is_some() {
        notes.wrong(
            node.span(),
            format!("`{word}` appears twice"),
            "a request has one peer address and one time",
        );
    }
    *slot = Some(text);
    Some(())
}

fn outcome(node: &Node, notes: &mut Notes) -> Option<Outcome> {
    match node.rule() {
        Rule::allowed => Some(Outcome::Allowed {
            forwards: node
                .children()
                .filter(|child| child.rule() == Rule::forwards)
                .map(|child| pair(&child, notes))
                .collect::<Option<_>>()?,
        }),
        Rule::denied => Some(Outcome::Denied {
            by: node.child(Rule::reason).map(|reason| word(&reason)),
        }),
        _ => None,
    }
}

/// The two strings of `header "a" "b"` and `forwards "a" "b"`.
fn pair(node: &Node, notes: &mut Notes) -> Option<(Spanned<String>, Spanned<String>)> {
    let mut strings = node
        .children()
        .filter(|child| child.rule() == Rule::string)
        .map(|child| string(&child, notes));
    Some((strings.next()?, strings.next()?))
}
