//! Changes of a condition: a part left out, a test turned around, a bound moved, a list shortened.

use super::edit::Edit;
use super::text::Text;
use crate::source::Span;
use crate::syntax::ast::{
    Comparison, Condition, ConditionKind, List, Operand, ScopeTest, Term, Test,
};

/// The maximum number of members of a list that are left out one by one. A longer list is data, and
/// tests for each member would only repeat it.
pub const MAX_LIST: usize = 32;

/// A change: its description and the edits of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// The description, in lower case and without a full stop.
    pub what: String,
    /// The edits, in the order of their places; all in one file.
    pub edits: Vec<Edit>,
    /// Whether all routes are needed to tell if the changed policy loads. Guards and the blocks
    /// around a route are always included.
    pub asks_all: bool,
}

impl Change {
    /// A change of one place.
    pub(super) fn one(what: impl Into<String>, edit: Edit) -> Change {
        Change {
            what: what.into(),
            edits: vec![edit],
            asks_all: false,
        }
    }
}

/// All changes of a condition.
pub(super) fn changes(text: Text<'_>, condition: &Condition) -> Vec<Change> {
    let mut walk = Walk {
        text,
        changes: Vec::new(),
    };
    walk.condition(condition, false);
    walk.changes
}

/// A list without each of its members in turn; nothing for a list with one member, or with very
/// many.
pub(super) fn shortened(text: Text<'_>, members: &[Span]) -> Vec<Change> {
    if members.len() < 2 || members.len() > MAX_LIST {
        return Vec::new();
    }
    (0..members.len())
        .filter_map(|at| {
            let member = *members.get(at)?;
            Some(Change::one(
                format!("{} is left out of the list", text.quoted(member)),
                Edit::remove(without(members, at)?),
            ))
        })
        .collect()
}

/// The span to remove so that a list lacks the member at `at`: the member, and the comma on one
/// side.
pub(super) fn without(members: &[Span], at: usize) -> Option<Span> {
    let member = *members.get(at)?;
    let Some(before) = at.checked_sub(1) else {
        let next = members.get(1)?;
        return Some(Span {
            end: next.start,
            ..member
        });
    };
    Some(Span {
        start: members.get(before)?.end,
        ..member
    })
}

struct Walk<'t> {
    text: Text<'t>,
    changes: Vec<Change>,
}

impl Walk<'_> {
    fn push(&mut self, what: impl Into<String>, edit: Edit) {
        self.changes.push(Change::one(what, edit));
    }

    /// `denied` says that a `not` comes before the condition. To turn it around is to remove that
    /// `not`.
    fn condition(&mut self, condition: &Condition, denied: bool) {
        match &condition.kind {
            ConditionKind::And(parts) | ConditionKind::Or(parts) => {
                let spans: Vec<Span> = parts
                    .iter()
                    .map(|part| self.text.with_parentheses(part.span, condition.span))
                    .collect();
                for (at, part) in spans.iter().enumerate() {
                    if let Some(span) = without(&spans, at) {
                        let what = format!("{} is left out", self.text.quoted(*part));
                        self.push(what, Edit::remove(span));
                    }
                }
                for part in parts {
                    self.condition(part, false);
                }
            }
            ConditionKind::Not(inner) => {
                let inner_span = self.text.with_parentheses(inner.span, condition.span);
                let not = Span {
                    end: inner_span.start,
                    ..condition.span
                };
                let what = format!("`not` before {} is left out", self.text.quoted(inner_span));
                self.push(what, Edit::remove(not));
                self.condition(inner, true);
            }
            _ => self.atom(condition, denied),
        }
    }

    fn atom(&mut self, atom: &Condition, denied: bool) {
        let span = atom.span;
        match &atom.kind {
            ConditionKind::Scope(test) => {
                let head = span.start + length("scope");
                match test {
                    ScopeTest::One(_) => {}
                    ScopeTest::Any(list) => self.quantifier(head, list, "any", "all", ""),
                    ScopeTest::All(list) => self.quantifier(head, list, "all", "any", ""),
                }
                if let ScopeTest::Any(list) | ScopeTest::All(list) = test {
                    self.list(list);
                }
                self.negate(span, denied);
            }
            ConditionKind::Claim(name, test) => self.test(span, name.span.end, test, denied, true),
            ConditionKind::Path(name, test) | ConditionKind::Host(name, test) => {
                self.test(span, name.span.end, test, denied, true);
            }
            ConditionKind::Client(test) => {
                let head = span.start + length("client");
                match test {
                    // `client "id"` has no operator that could be turned around.
                    Test::Compare(..) => self.negate(span, denied),
                    test => self.test(span, head, test, denied, true),
                }
            }
            ConditionKind::Method(test) => {
                self.test(span, span.start + length("method"), test, denied, true);
            }
            ConditionKind::Address(test) => {
                self.test(span, span.start + length("address"), test, denied, true);
            }
            // Tests of values that a client can leave out must not be turned around: the policy
            // wouldn't load.
            ConditionKind::Header(name, test) | ConditionKind::Query(name, test) => {
                self.test(span, name.span().end, test, denied, false);
            }
            ConditionKind::TokenFrom(_)
            | ConditionKind::LoginWithin(_)
            | ConditionKind::Named(_) => self.negate(span, denied),
            ConditionKind::And(_) | ConditionKind::Or(_) | ConditionKind::Not(_) => {}
        }
    }

    /// The part after the left-hand side, which ends at `head`.
    fn test(&mut self, span: Span, head: u32, test: &Test, denied: bool, may_turn: bool) {
        let turn = may_turn && !denied;
        match test {
            Test::Compare(sign, operand) => {
                let opposite = match sign {
                    Comparison::Equal => Comparison::NotEqual,
                    Comparison::NotEqual => Comparison::Equal,
                    Comparison::Less => Comparison::GreaterOrEqual,
                    Comparison::LessOrEqual => Comparison::Greater,
                    Comparison::Greater => Comparison::LessOrEqual,
                    Comparison::GreaterOrEqual => Comparison::Less,
                };
                if turn {
                    self.sign(head, operand, *sign, opposite);
                }
                let bound = match sign {
                    Comparison::Less => Comparison::LessOrEqual,
                    Comparison::LessOrEqual => Comparison::Less,
                    Comparison::Greater => Comparison::GreaterOrEqual,
                    Comparison::GreaterOrEqual => Comparison::Greater,
                    Comparison::Equal | Comparison::NotEqual => return,
                };
                self.sign(head, operand, *sign, bound);
            }
            Test::In(list) => {
                if turn {
                    self.between(head, list.span().start, "in", "not in");
                }
                self.list(list);
            }
            Test::NotIn(list) => {
                if turn {
                    self.between(head, list.span().start, "not in", "in");
                }
                self.list(list);
            }
            Test::ContainsAny(list) => {
                self.quantifier(head, list, "any", "all", "contains ");
                self.list(list);
                self.negate(span, denied || !may_turn);
            }
            Test::ContainsAll(list) => {
                self.quantifier(head, list, "all", "any", "contains ");
                self.list(list);
                self.negate(span, denied || !may_turn);
            }
            Test::Present if turn => self.between(head, span.end, "present", "absent"),
            Test::Absent if turn => self.between(head, span.end, "absent", "present"),
            Test::Present | Test::Absent => {}
            Test::InDomain(_) | Test::Contains(_) | Test::StartsWith(_) | Test::EndsWith(_) => {
                self.negate(span, denied || !may_turn);
            }
        }
    }

    /// Adds `not` before a test.
    fn negate(&mut self, span: Span, denied: bool) {
        if !denied {
            let what = format!("{} is turned around", self.text.quoted(span));
            self.push(what, Edit::insert(span.file, span.start, "not "));
        }
    }

    /// Replaces one comparison operator with another.
    fn sign(&mut self, head: u32, operand: &Operand, from: Comparison, to: Comparison) {
        let found = self.text.find(from.as_str(), head, operand.span().start);
        if let Some(span) = found {
            let what = format!("`{}` becomes `{}`", from.as_str(), to.as_str());
            self.push(what, Edit::replace(span, to.as_str()));
        }
    }

    /// Replaces the words between the left-hand side and the operand.
    fn between(&mut self, from: u32, to: u32, before: &str, after: &str) {
        let span = self.text.span(from, to);
        let end = if self.text.at(span).ends_with(char::is_whitespace) {
            " "
        } else {
            ""
        };
        self.push(
            format!("`{before}` becomes `{after}`"),
            Edit::replace(span, format!(" {after}{end}")),
        );
    }

    /// Replaces `any` with `all`, or the reverse. With one member they mean the same.
    fn quantifier(&mut self, head: u32, list: &List, from: &str, to: &str, word: &str) {
        if matches!(list, List::Items(items) if items.node.len() < 2) {
            return;
        }
        self.push(
            format!("`{from}` becomes `{to}`"),
            Edit::replace(
                self.text.span(head, list.span().start),
                format!(" {word}{to} "),
            ),
        );
    }

    fn list(&mut self, list: &List) {
        if let List::Items(items) = list {
            let members: Vec<Span> = items.node.iter().map(Term::span).collect();
            self.changes.extend(shortened(self.text, &members));
        }
    }
}

/// The length of a keyword.
fn length(keyword: &str) -> u32 {
    u32::try_from(keyword.len()).unwrap_or(u32::MAX)
}
