//! Changes of rules: a route left out, an access widened, a guard removed; and changes of `let`s
//! and `set`s.

use std::collections::BTreeSet;

use super::conditions::{Change, changes, shortened, without};
use super::edit::Edit;
use super::text::Text;
use super::uses::{Reach, RuleKey};
use crate::source::{Sources, Span};
use crate::syntax::ast::{
    AccessKind, Api, ApiSetting, Condition, Document, Guard, Item, Methods, Route, RouteItem, Set,
    SetValue, Term, Under,
};

/// All changes of a policy, in the order of the source, each with the rules that it affects.
pub(super) fn all(sources: &Sources, documents: &[Document]) -> Vec<(Change, Reach)> {
    // The APIs that accept tokens. The block with the settings may be a different one from the
    // block with the routes.
    let with_tokens: BTreeSet<&str> = documents
        .iter()
        .flat_map(|document| &document.items)
        .filter_map(|item| match item {
            Item::Api(api) => Some(api),
            _ => None,
        })
        .filter(|api| {
            api.settings
                .iter()
                .any(|setting| matches!(setting.node, ApiSetting::Issuer(_)))
        })
        .map(|api| api.name.node.as_str())
        .collect();
    let mut all = Vec::new();
    for document in documents {
        let Some(source) = sources.get(document.file) else {
            continue;
        };
        let mut rules = Rules {
            text: Text::of(document.file, source),
            all: &mut all,
        };
        for item in &document.items {
            match item {
                Item::Api(api) => rules.api(api, with_tokens.contains(api.name.node.as_str())),
                Item::Guard(guard) => rules.guard(guard),
                Item::Let(named) => {
                    rules.named(&named.name.node, changes(rules.text, &named.condition));
                }
                Item::Set(set) => rules.set(set),
                Item::Issuer(_) | Item::Param(_) | Item::Test(_) => {}
            }
        }
    }
    all
}

struct Rules<'t, 'a> {
    text: Text<'t>,
    all: &'a mut Vec<(Change, Reach)>,
}

/// The surroundings of a route.
#[derive(Clone, Copy)]
struct Around {
    /// Whether its API accepts tokens.
    tokens: bool,
    /// Whether a block around it has a condition.
    requiring: bool,
}

impl Rules<'_, '_> {
    fn rule(&mut self, key: RuleKey, changes: impl IntoIterator<Item = Change>) {
        let changes = changes.into_iter();
        self.all
            .extend(changes.map(|change| (change, Reach::Rule(key))));
    }

    fn named(&mut self, name: &str, changes: Vec<Change>) {
        let changes = changes.into_iter();
        self.all
            .extend(changes.map(|change| (change, Reach::Named(name.to_owned()))));
    }

    fn api(&mut self, api: &Api, tokens: bool) {
        let around = Around {
            tokens,
            requiring: false,
        };
        self.routes(&api.routes, around);
    }

    fn routes(&mut self, items: &[RouteItem], around: Around) {
        for item in items {
            match item {
                RouteItem::Route(route) => self.route(route, around),
                RouteItem::Under(under) => {
                    if let Some(condition) = &under.requires {
                        let key = RuleKey::of_block(under);
                        self.rule(key, open_block(self.text, under, condition, around));
                        self.rule(key, changes(self.text, condition));
                    }
                    let requiring = around.requiring || under.requires.is_some();
                    self.routes(
                        &under.items,
                        Around {
                            requiring,
                            ..around
                        },
                    );
                }
            }
        }
    }

    fn route(&mut self, route: &Route, around: Around) {
        let key = RuleKey::of(route.span);
        let fewer = self.fewer_methods(&route.methods, "the route");
        self.rule(
            key,
            if fewer.is_empty() {
                vec![Change::one(
                    "the route is left out",
                    Edit::remove(route.span),
                )]
            } else {
                fewer
            },
        );
        let Some(access) = &route.access else {
            return;
        };
        let (words, condition): (&[&str], Option<&Condition>) = match &access.kind {
            AccessKind::Public if around.tokens => (&["authenticated"], None),
            AccessKind::Public => (&[], None),
            AccessKind::PublicIf(condition) => (&["public"], Some(condition)),
            // In a block with a condition, this wouldn't load.
            AccessKind::Authenticated if around.requiring => (&[], None),
            AccessKind::Authenticated => (&["public"], None),
            AccessKind::AuthenticatedOrAnonymous => (&["authenticated", "public"], None),
            AccessKind::Requires(condition) => (&["authenticated"], Some(condition)),
            AccessKind::Denied if around.tokens => (&["authenticated"], None),
            AccessKind::Denied => (&["public"], None),
        };
        let denied = matches!(access.kind, AccessKind::Denied);
        self.rule(
            key,
            words.iter().map(|word| Change {
                // A broader `denied` route would then cover it.
                asks_all: denied,
                ..Change::one(
                    format!("the access becomes `{word}`"),
                    Edit::replace(access.span, *word),
                )
            }),
        );
        if let Some(condition) = condition {
            self.rule(key, changes(self.text, condition));
        }
    }

    /// A line or a guard without each of its methods in turn; nothing if it has one, or `*`.
    fn fewer_methods(&self, methods: &Methods, what: &str) -> Vec<Change> {
        let names = methods.names.as_deref().unwrap_or_default();
        if names.len() < 2 {
            return Vec::new();
        }
        let spans: Vec<Span> = names.iter().map(|name| name.span).collect();
        names
            .iter()
            .enumerate()
            .filter_map(|(at, name)| {
                Some(Change::one(
                    format!("{what} is left out for {}", name.node),
                    Edit::remove(without(&spans, at)?),
                ))
            })
            .collect()
    }

    fn guard(&mut self, guard: &Guard) {
        let key = RuleKey::of(guard.span);
        self.rule(
            key,
            [Change::one(
                "the guard is left out",
                Edit::remove(guard.span),
            )],
        );
        self.rule(key, self.fewer_methods(&guard.methods, "the guard"));
        let apis: Vec<Span> = guard.apis.iter().flatten().map(|name| name.span).collect();
        self.rule(key, shortened(self.text, &apis));
        if let Some(condition) = &guard.requires {
            self.rule(key, changes(self.text, condition));
        }
    }

    fn set(&mut self, set: &Set) {
        if let SetValue::Items(items) = &set.value {
            let members: Vec<Span> = items.node.iter().map(Term::span).collect();
            self.named(&set.name.node, shortened(self.text, &members));
        }
    }
}

/// A block without its condition. Its routes without an access become `authenticated`, as they are
/// now in addition to the condition.
fn open_block(
    text: Text<'_>,
    under: &Under,
    condition: &Condition,
    around: Around,
) -> Option<Change> {
    let brace = text.find("{", condition.span.end, under.span.end)?;
    let mut edits = vec![Edit::replace(
        text.span(under.path.span.end, brace.start),
        " ",
    )];
    if !around.requiring {
        say_authenticated(&under.items, &mut edits);
    }
    Some(Change {
        what: "the condition of the block is left out".to_owned(),
        edits,
        asks_all: false,
    })
}

fn say_authenticated(items: &[RouteItem], edits: &mut Vec<Edit>) {
    for item in items {
        match item {
            RouteItem::Route(route) if route.access.is_none() => {
                let at = route.path.span.end;
                edits.push(Edit::insert(route.span.file, at, " authenticated"));
            }
            RouteItem::Under(under) if under.requires.is_none() => {
                say_authenticated(&under.items, edits);
            }
            RouteItem::Route(_) | RouteItem::Under(_) => {}
        }
    }
}
