//! The rules that a change affects.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{FileId, Span};
use crate::syntax::ast::{AccessKind, Condition, Document, Item, Mention, RouteItem, Under};

/// A rule of the source, identified by its start. Its tree and the routes and guards of the model
/// have the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RuleKey(FileId, u32);

impl RuleKey {
    pub(super) fn of(span: Span) -> RuleKey {
        RuleKey(span.file, span.start)
    }

    /// In the model, the guard of a block's condition begins at the block's path.
    pub(super) fn of_block(under: &Under) -> RuleKey {
        RuleKey::of(under.path.span)
    }
}

/// The rules that a change affects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reach {
    /// This rule.
    Rule(RuleKey),
    /// The rules that use a `let` or a `set`.
    Named(String),
}

/// For each `let` and `set`, the rules that use it, directly or through other `let`s.
#[derive(Debug, Default)]
pub(super) struct Uses(BTreeMap<String, BTreeSet<RuleKey>>);

impl Uses {
    /// Reads the trees.
    pub(super) fn read(documents: &[Document]) -> Uses {
        let mut lets: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let mut rules: Vec<(RuleKey, BTreeSet<&str>)> = Vec::new();
        for item in documents.iter().flat_map(|document| &document.items) {
            match item {
                Item::Let(named) => {
                    let mut names = BTreeSet::new();
                    in_condition(&named.condition, &mut names);
                    lets.insert(&named.name.node, names);
                }
                Item::Guard(guard) => {
                    if let Some(condition) = &guard.requires {
                        let mut names = BTreeSet::new();
                        in_condition(condition, &mut names);
                        rules.push((RuleKey::of(guard.span), names));
                    }
                }
                Item::Api(api) => in_routes(&api.routes, &mut rules),
                Item::Issuer(_) | Item::Set(_) | Item::Param(_) | Item::Test(_) => {}
            }
        }
        let mut uses = Uses::default();
        for (key, names) in rules {
            let mut open: Vec<&str> = names.into_iter().collect();
            let mut seen = BTreeSet::new();
            while let Some(name) = open.pop() {
                if seen.insert(name) {
                    uses.0.entry(name.to_owned()).or_default().insert(key);
                    open.extend(lets.get(name).into_iter().flatten());
                }
            }
        }
        uses
    }

    /// The rules that a change affects.
    pub(super) fn rules(&self, reach: &Reach) -> BTreeSet<RuleKey> {
        match reach {
            Reach::Rule(key) => BTreeSet::from([*key]),
            Reach::Named(name) => self.0.get(name).cloned().unwrap_or_default(),
        }
    }
}

fn in_routes<'t>(items: &'t [RouteItem], rules: &mut Vec<(RuleKey, BTreeSet<&'t str>)>) {
    for item in items {
        let (key, condition) = match item {
            RouteItem::Route(route) => {
                let condition = route.access.as_ref().and_then(|access| match &access.kind {
                    AccessKind::PublicIf(condition) | AccessKind::Requires(condition) => {
                        Some(condition)
                    }
                    _ => None,
                });
                (RuleKey::of(route.span), condition)
            }
            RouteItem::Under(under) => {
                in_routes(&under.items, rules);
                (RuleKey::of_block(under), under.requires.as_ref())
            }
        };
        if let Some(condition) = condition {
            let mut names = BTreeSet::new();
            in_condition(condition, &mut names);
            rules.push((key, names));
        }
    }
}

/// The `let`s and `set`s that a condition names. Names of parameters are included, which does no
/// harm: nothing is declared twice.
fn in_condition<'t>(condition: &'t Condition, names: &mut BTreeSet<&'t str>) {
    condition.mentions(&mut |mention| match mention {
        Mention::Let(name, _) => {
            names.insert(name);
        }
        Mention::List(name) | Mention::Method(name) => {
            names.insert(&name.node);
        }
        // No change of a mutant is about one of these.
        Mention::Claim(_)
        | Mention::Parameter(_)
        | Mention::HostLabel(_)
        | Mention::Issuer(_)
        | Mention::Param(_)
        | Mention::Scope(_) => {}
    });
}
