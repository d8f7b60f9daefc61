//! Conditions.

use super::literals::{list_in, name, term, term_in, word};
use super::{Node, Notes, Rule};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Spanned;
use crate::syntax::MAX_NESTING;
use crate::syntax::ast::{
    Comparison, Condition, ConditionKind, List, Name, Operand, ScopeTest, Term, Test,
};

/// The condition among the children of a node.
pub(super) fn condition_in(node: &Node, notes: &mut Notes) -> Option<Condition> {
    condition(&node.child(Rule::condition)?, notes, 0)
}

fn condition(node: &Node, notes: &mut Notes, depth: usize) -> Option<Condition> {
    let mut conditions = Vec::new();
    let mut connectives: Vec<Node> = Vec::new();
    for child in node.children() {
        match child.rule() {
            Rule::operand => conditions.push(operand(&child, notes, depth)?),
            Rule::connective => connectives.push(child),
            _ => return None,
        }
    }
    let Some(first) = connectives.first() else {
        return conditions.pop();
    };
    if let Some(other) = connectives
        .iter()
        .find(|connective| connective.text() != first.text())
    {
        notes.report(mixed(node, first, other));
    }
    conditions.shrink_to_fit();
    let kind = match first.text() {
        "and" => ConditionKind::And(conditions),
        _ => ConditionKind::Or(conditions),
    };
    Some(Condition {
        span: node.span(),
        kind,
    })
}

/// `not` and its operand. Nesting is counted over the whole condition, including `not` and
/// parentheses, so that later stages can walk the tree recursively.
fn operand(node: &Node, notes: &mut Notes, depth: usize) -> Option<Condition> {
    let nots: Vec<Node> = node
        .children()
        .filter(|child| child.rule() == Rule::k_not)
        .collect();
    let inner = node.children().last()?;
    let depth = depth + nots.len();
    if depth > MAX_NESTING {
        notes.report(
            Diagnostic::new(
                Code::TooDeep,
                inner.span(),
                format!("`not` and parentheses are nested more than {MAX_NESTING} deep"),
            )
            .help("name a part of the condition with `let`"),
        );
        return Some(Condition {
            span: inner.span(),
            kind: ConditionKind::And(Vec::new()),
        });
    }
    let denied = match inner.rule() {
        Rule::group => condition(&inner.child(Rule::condition)?, notes, depth + 1)?,
        Rule::atom => atom(&inner.only()?, notes)?,
        _ => return None,
    };
    Some(nots.iter().rev().fold(denied, |inner, not| Condition {
        span: not.span().to(node.span()),
        kind: ConditionKind::Not(Box::new(inner)),
    }))
}

/// An `and` next to an `or` without parentheses. Readers shouldn't have to remember which one binds
/// tighter.
fn mixed(node: &Node, first: &Node, other: &Node) -> Diagnostic {
    Diagnostic::new(
        Code::MixedAndOr,
        first.span(),
        "`and` and `or` are mixed without parentheses",
    )
    .label(format!("`{}` here", first.text()))
    .also(other.span(), format!("`{}` here", other.text()))
    .help(format!(
        "write `{}` or `{}`",
        grouped(node, "and"),
        grouped(node, "or")
    ))
}

/// The condition with parentheses around the operands of `closer`.
fn grouped(node: &Node, closer: &str) -> String {
    let mut groups: Vec<Vec<String>> = vec![Vec::new()];
    let mut looser = "";
    for child in node.children() {
        match child.rule() {
            Rule::connective if child.text() != closer => {
                looser = child.text();
                groups.push(Vec::new());
            }
            Rule::operand => {
                if let Some(group) = groups.last_mut() {
                    group.push(shortened(child.text()));
                }
            }
            _ => {}
        }
    }
    let groups: Vec<String> = groups
        .iter()
        .map(|group| match group.as_slice() {
            [one] => one.clone(),
            several => format!("({})", several.join(&format!(" {closer} "))),
        })
        .collect();
    groups.join(&format!(" {looser} "))
}

/// An operand on one line, shortened if it is long.
fn shortened(text: &str) -> String {
    const MOST: usize = 40;
    let line = text.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= MOST {
        return line;
    }
    let mut short: String = line.chars().take(MOST - 1).collect();
    short.push('…');
    short
}

fn atom(node: &Node, notes: &mut Notes) -> Option<Condition> {
    let kind = match node.rule() {
        Rule::scope_atom => ConditionKind::Scope(scope(node, notes)?),
        Rule::claim_atom => {
            ConditionKind::Claim(word(&node.child(Rule::word)?), test_in(node, notes)?)
        }
        Rule::token_atom => ConditionKind::TokenFrom(name(&node.child(Rule::name)?, notes)),
        Rule::client_atom => ConditionKind::Client(match node.child(Rule::term) {
            Some(client) => Test::Compare(Comparison::Equal, Operand::Term(term(&client, notes)?)),
            None => test_in(node, notes)?,
        }),
        Rule::login_atom => ConditionKind::LoginWithin(term_in(node, notes)?),
        Rule::path_atom => ConditionKind::Path(
            dotted(&node.child(Rule::path_name)?)?,
            test_in(node, notes)?,
        ),
        Rule::host_atom => ConditionKind::Host(
            dotted(&node.child(Rule::host_name)?)?,
            test_in(node, notes)?,
        ),
        Rule::method_atom => {
            ConditionKind::Method(method_test(&node.child(Rule::method_test)?.only()?, notes)?)
        }
        Rule::address_atom => ConditionKind::Address(test_in(node, notes)?),
        Rule::header_atom => ConditionKind::Header(term_in(node, notes)?, test_in(node, notes)?),
        Rule::query_atom => ConditionKind::Query(term_in(node, notes)?, test_in(node, notes)?),
        Rule::named_atom => ConditionKind::Named(name(&node.only()?, notes).node),
        _ => return None,
    };
    Some(Condition {
        span: node.span(),
        kind,
    })
}

fn scope(node: &Node, notes: &mut Notes) -> Option<ScopeTest> {
    let part = node.children().nth(1)?;
    Some(match part.rule() {
        Rule::term => ScopeTest::One(term(&part, notes)?),
        Rule::scope_any => ScopeTest::Any(list_in(&part, notes)?),
        Rule::scope_all => ScopeTest::All(list_in(&part, notes)?),
        _ => return None,
    })
}

/// The name in `path.NAME` or `host.NAME`.
fn dotted(node: &Node) -> Option<Name> {
    Some(word(&node.only()?))
}

fn test_in(node: &Node, notes: &mut Notes) -> Option<Test> {
    let part = node.child(Rule::test)?.only()?;
    Some(match part.rule() {
        Rule::compare => Test::Compare(comparison_in(&part)?, value_in(&part, notes)?),
        Rule::test_in => Test::In(list_in(&part, notes)?),
        Rule::test_in_domain => Test::InDomain(term(&part.child(Rule::term)?, notes)?),
        Rule::test_not_in => Test::NotIn(list_in(&part, notes)?),
        Rule::contains_any => Test::ContainsAny(list_in(&part, notes)?),
        Rule::contains_all => Test::ContainsAll(list_in(&part, notes)?),
        Rule::test_contains => Test::Contains(value_in(&part, notes)?),
        Rule::starts_with => Test::StartsWith(value_in(&part, notes)?),
        Rule::ends_with => Test::EndsWith(value_in(&part, notes)?),
        Rule::k_present => Test::Present,
        Rule::k_absent => Test::Absent,
        _ => return None,
    })
}

fn comparison_in(node: &Node) -> Option<Comparison> {
    Some(match node.child(Rule::comparison)?.text() {
        "==" => Comparison::Equal,
        "!=" => Comparison::NotEqual,
        "<" => Comparison::Less,
        "<=" => Comparison::LessOrEqual,
        ">" => Comparison::Greater,
        ">=" => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

fn value_in(node: &Node, notes: &mut Notes) -> Option<Operand> {
    let part = node.child(Rule::value)?.only()?;
    Some(match part.rule() {
        Rule::claim_value => Operand::Claim(word(&part.child(Rule::word)?)),
        Rule::path_name => Operand::Path(dotted(&part)?),
        Rule::host_name => Operand::Host(dotted(&part)?),
        Rule::k_now => Operand::Now(part.span()),
        Rule::term => Operand::Term(term(&part, notes)?),
        _ => return None,
    })
}

fn method_test(node: &Node, notes: &mut Notes) -> Option<Test> {
    Some(match node.rule() {
        Rule::method_compare => Test::Compare(
            comparison_in(node)?,
            Operand::Term(Term::Name(word(&node.child(Rule::word)?))),
        ),
        Rule::method_in => Test::In(method_list(node, notes)?),
        Rule::method_not_in => Test::NotIn(method_list(node, notes)?),
        _ => return None,
    })
}

fn method_list(node: &Node, notes: &mut Notes) -> Option<List> {
    let part = node.child(Rule::method_list)?.only()?;
    match part.rule() {
        Rule::name => Some(List::Name(name(&part, notes))),
        Rule::method_items => {
            let words = part
                .children()
                .filter(|child| child.rule() == Rule::word)
                .map(|child| Term::Name(word(&child)))
                .collect();
            Some(List::Items(Spanned::new(words, part.span())))
        }
        _ => None,
    }
}
