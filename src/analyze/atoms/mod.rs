//! Conditions in a form that can be compared: their atoms don't depend on the names in their
//! policy.

mod claims;
mod texts;

use std::sync::Arc;

use crate::model::{Atom, Condition, ConditionKind, Issuer, Model, StringSet};
use crate::pattern::{Method, PathPattern};
use crate::settings::{IssuerId, PathParameter};

use super::cells::lists::ListQuestion;
use super::cells::texts::TextQuestion;
use super::vocabulary::{Fits, Held, Place, Relation, ValueId, View, Vocabulary};

pub use claims::seconds_of;
pub use texts::Matching;

use texts::{part, whole};

/// A three-valued condition.
#[derive(Debug, Clone)]
pub enum Tree {
    /// All must be true.
    And(Vec<Tree>),
    /// At least one must be true.
    Or(Vec<Tree>),
    /// Negation.
    Not(Box<Tree>),
    /// A test.
    Leaf(Test),
}

/// A test of values of a vocabulary.
#[derive(Debug, Clone)]
pub enum Test {
    /// Always true, false, or missing.
    Known(Option<bool>),
    /// A question about a text, by number.
    Text(ValueId, usize),
    /// A question about a number, by number.
    Number(ValueId, usize),
    /// A question about the age of a time, by number.
    Age(ValueId, usize),
    /// Whether a time is recent enough; missing if it is in the future.
    Within {
        /// The time.
        value: ValueId,
        /// The question whether it is in the future.
        future: usize,
        /// The question whether it is recent.
        young: usize,
    },
    /// A Boolean, with the result for true and for false.
    Boolean(ValueId, bool, bool),
    /// A test of a list.
    List(ValueId, View, Held),
    /// Whether the value is present, read as this type.
    Present(ValueId, View),
    /// Whether the value is absent, read as this type.
    Absent(ValueId, View),
    /// A question about an address, by number.
    Address(ValueId, usize),
    /// A relation of two values, each read as this type.
    Related(usize, [(ValueId, View); 2]),
    /// Whether two Booleans are equal.
    SameBoolean(ValueId, ValueId),
    /// A test of the client, which may be in two claims: a question about each, and the relation
    /// that they are equal.
    Client {
        /// `azp`
        azp: (ValueId, usize),
        /// `client_id`
        client_id: (ValueId, usize),
        /// The relation that they are equal.
        same: usize,
    },
}

/// The first label of the host, as a condition sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Label {
    /// No rule can read it.
    None,
    /// Exactly this label.
    Is(String),
    /// Any label except these.
    Any {
        /// The labels of more specific host patterns.
        but: Vec<String>,
    },
}

/// A token of this issuer, as the rules of one policy see it.
#[derive(Debug, Clone, Copy)]
pub struct Token<'m> {
    /// The number of the issuer.
    pub id: IssuerId,
    /// The issuer.
    pub issuer: &'m Issuer,
}

/// The setting in which the conditions of one policy are read.
#[derive(Debug, Clone, Copy)]
pub struct Context<'m> {
    /// The policy.
    pub model: &'m Model,
    /// The token, if one is read.
    pub token: Option<Token<'m>>,
    /// The pattern that all paths match.
    pub region: &'m PathPattern,
    /// The first label of the host.
    pub label: &'m Label,
    /// The method.
    pub method: Method,
    /// Whether this policy ignores the case of paths.
    pub folded: bool,
    /// Whether some policy of the comparison does.
    pub any_folded: bool,
    /// Whether both policies let a segment hold a slash.
    pub slashes: bool,
    /// Whether rules read `azp` or `client_id` as a claim.
    pub whole_client: bool,
}

/// The rule that has the condition.
#[derive(Debug, Clone, Copy)]
pub struct Rule<'m> {
    /// Its path.
    pub path: &'m PathPattern,
    /// Its parameters.
    pub parameters: &'m [PathParameter],
}

/// A test that this analysis can't treat exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inexact(pub &'static str);

impl Context<'_> {
    /// Converts a condition.
    pub fn tree(
        &self,
        condition: &Condition,
        rule: Rule,
        vocabulary: &mut Vocabulary,
    ) -> Result<Tree, Inexact> {
        let mut all = |conditions: &[Condition]| -> Result<Vec<Tree>, Inexact> {
            conditions
                .iter()
                .map(|one| self.tree(one, rule, vocabulary))
                .collect()
        };
        Ok(match &condition.kind {
            ConditionKind::And(conditions) => Tree::And(all(conditions)?),
            ConditionKind::Or(conditions) => Tree::Or(all(conditions)?),
            ConditionKind::Not(inner) => Tree::Not(Box::new(self.tree(inner, rule, vocabulary)?)),
            ConditionKind::Atom(atom) => self.atom(atom, rule, vocabulary)?,
        })
    }

    fn atom(&self, atom: &Atom, rule: Rule, vocabulary: &mut Vocabulary) -> Result<Tree, Inexact> {
        // Without a token, every test of one is missing.
        let Some(token) = self.token else {
            return self.request_atom(atom, rule, vocabulary);
        };
        match atom {
            Atom::ScopeAny(scopes) => Ok(self.scopes(token, scopes, false, vocabulary)),
            Atom::ScopeAll(scopes) => Ok(self.scopes(token, scopes, true, vocabulary)),
            Atom::Claim(claim, test) => self.claim(token, *claim, test, rule, vocabulary),
            Atom::TokenFrom(issuer) => Ok(Tree::Leaf(Test::Known(Some(token.id == *issuer)))),
            Atom::Client { any_of, negated } => {
                Ok(negate(self.client(token, any_of, vocabulary), *negated))
            }
            Atom::Path(..)
            | Atom::Host(_)
            | Atom::Method(_)
            | Atom::Address { .. }
            | Atom::Header(..)
            | Atom::Query(..) => self.request_atom(atom, rule, vocabulary),
        }
    }

    fn request_atom(
        &self,
        atom: &Atom,
        rule: Rule,
        vocabulary: &mut Vocabulary,
    ) -> Result<Tree, Inexact> {
        match atom {
            Atom::Path(parameter, test) => {
                let text = self.path(*parameter, rule, vocabulary);
                self.text(text, test, rule, vocabulary)
            }
            Atom::Host(test) => {
                let text = self.host(vocabulary);
                self.text(text, test, rule, vocabulary)
            }
            Atom::Method(methods) => Ok(Tree::Leaf(Test::Known(Some(methods.has(self.method))))),
            Atom::Address { any_of, negated } => {
                let value = vocabulary.value(&Place::Address);
                let question = vocabulary.ask_address(value, Arc::clone(any_of));
                Ok(negate(Tree::Leaf(Test::Address(value, question)), *negated))
            }
            Atom::Header(name, test) => {
                let value = vocabulary.value_that(&Place::Header(name.clone()), Fits::Header, true);
                self.text(whole(value, false), test, rule, vocabulary)
            }
            Atom::Query(name, test) => {
                let value = vocabulary.value(&Place::Query(name.clone()));
                self.text(whole(value, false), test, rule, vocabulary)
            }
            Atom::ScopeAny(_)
            | Atom::ScopeAll(_)
            | Atom::Claim(..)
            | Atom::TokenFrom(_)
            | Atom::Client { .. } => Ok(Tree::Leaf(Test::Known(None))),
        }
    }

    fn scopes(
        &self,
        token: Token,
        scopes: &[String],
        all: bool,
        vocabulary: &mut Vocabulary,
    ) -> Tree {
        let question = ListQuestion {
            values: sorted(scopes),
            all,
        };
        let place = match &token.issuer.scopes_from {
            Some(path) => Place::Member(path.clone()),
            None => Place::Scopes,
        };
        let value = vocabulary.value(&place);
        vocabulary.view(value, View::Scopes);
        let held = vocabulary.ask_list(value, View::Scopes, &question);
        Tree::Leaf(Test::List(value, View::Scopes, held))
    }

    fn client(&self, token: Token, any_of: &Arc<StringSet>, vocabulary: &mut Vocabulary) -> Tree {
        let question = || TextQuestion::one_of(Arc::clone(any_of));
        if let Some(path) = &token.issuer.client_from {
            let value = vocabulary.value(&Place::Member(path.clone()));
            vocabulary.view(value, View::Text);
            return Tree::Leaf(Test::Text(value, vocabulary.ask_text(value, question())));
        }
        if !self.whole_client {
            let value = vocabulary.value(&Place::Client);
            return Tree::Leaf(Test::Text(value, vocabulary.ask_text(value, question())));
        }
        let mut asked = |name: &str| {
            let value = vocabulary.value(&Place::member(name));
            vocabulary.view(value, View::Text);
            (value, vocabulary.ask_text(value, question()))
        };
        let (azp, client_id) = (asked("azp"), asked("client_id"));
        let same = vocabulary.relate(Relation::Equal {
            a: part(azp.0),
            b: part(client_id.0),
            folded: false,
        });
        Tree::Leaf(Test::Client {
            azp,
            client_id,
            same,
        })
    }
}

fn sorted(texts: &[String]) -> Vec<String> {
    let mut sorted = texts.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    sorted
}

fn negate(tree: Tree, negated: bool) -> Tree {
    if negated {
        Tree::Not(Box::new(tree))
    } else {
        tree
    }
}
