//! The requests for which rules are analysed: requests of one method, with tokens of one issuer or
//! without a token.

use crate::model::{Api, Condition, Model};
use crate::pattern::index::Budget;
use crate::pattern::{HostPattern, Method, MethodSet, PathPattern};
use crate::settings::{ClaimId, Demand, IssuerUrl};

use super::atoms::{Context, Label, Rule, Token, Tree};
use super::bdd::{Function, Store};
use super::cells::texts::TooMany;
use super::diagram::Diagrams;
use super::domains::Domains;
use super::limits::{
    LEAST_STUDIED_NODES, MAX_CELLS, MAX_STUDIED_ATOMS, MAX_STUDIED_CASES, MAX_STUDIED_MEMBERS,
    MAX_STUDIED_NODES, MAX_STUDIED_WORLDS,
};
use super::regions::told_apart;
use super::solve::Solver;
use super::vocabulary::{Fits, Place, View, Vocabulary};

/// The minimum cost of a world, in steps of a [`Budget`].
const STEPS_OF_A_WORLD: usize = 100;

/// The API and methods that are analysed.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'m> {
    /// The policy with its issuers and claims.
    pub model: &'m Model,
    /// The API that is asked.
    pub api: &'m Api,
    /// The methods.
    pub methods: MethodSet,
}

/// Why a condition wasn't analysed: the limit that was exceeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooComplex(pub String);

/// The rules for some requests: a route with its guards.
#[derive(Debug, Clone)]
pub struct Side<'m> {
    /// The requirement for a token.
    pub demand: Demand,
    /// Whether everything is denied.
    pub denied: bool,
    /// The examined paths. Those of two sides differ only in literals.
    pub region: &'m PathPattern,
    /// The conditions that must all be true.
    pub rules: Vec<(Rule<'m>, &'m Condition)>,
}

/// A token for each issuer.
pub fn tokens<'m>(subject: Subject<'m>) -> Vec<Token<'m>> {
    subject
        .api
        .issuers
        .iter()
        .filter_map(|id| {
            Some(Token {
                id: *id,
                issuer: subject.model.issuers.get(id.0 as usize)?,
            })
        })
        .collect()
}

/// One method of each class that conditions can tell apart.
pub fn methods(methods: MethodSet, rules: &[(Rule<'_>, &Condition)]) -> Vec<Method> {
    let mut asked = Vec::new();
    for (_, condition) in rules {
        asked.extend(condition.atoms().filter_map(|(_, atom)| atom.methods()));
    }
    told_apart(methods, &asked)
}

/// The number of tests in a condition, and the number of members in its lists.
fn size(condition: &Condition) -> (usize, usize) {
    condition
        .atoms()
        .fold((0, 0), |(tests, members), (_, atom)| {
            (tests + 1, members + atom.list_size().unwrap_or(0))
        })
}

/// Whether a condition reads a set that is currently empty, so that its meaning is still unknown.
pub fn reads_empty_set(condition: &Condition) -> bool {
    condition
        .atoms()
        .any(|(_, atom)| atom.list_size() == Some(0))
}

/// Requests of one method with one kind of token, as diagrams.
#[derive(Debug)]
pub struct World {
    /// The values and relations.
    pub vocabulary: Vocabulary,
    /// The values and relations as Booleans.
    pub domains: Domains,
    /// The diagrams.
    pub store: Store,
    possible: Function,
    /// Whether the possible values of one place don't depend on those of others.
    independent: bool,
    /// For each claim that is read, when the token lacks it; empty without a token.
    pub lacks: Vec<(ClaimId, Function)>,
}

impl World {
    /// Reads the conditions of some sides, in one of this many worlds.
    pub fn new(
        subject: Subject<'_>,
        (method, token): (Method, Option<Token<'_>>),
        sides: &[&Side<'_>],
        worlds: usize,
        budget: &Budget,
    ) -> Result<(World, Vec<Vec<Tree>>), TooComplex> {
        let mut tests = 0;
        let mut members = 0;
        for (_, condition) in sides.iter().flat_map(|side| &side.rules) {
            let (own_tests, own_members) = size(condition);
            tests += own_tests;
            members += own_members;
        }
        if tests > MAX_STUDIED_ATOMS {
            return Err(TooComplex(format!("more than {MAX_STUDIED_ATOMS} tests")));
        }
        if members > MAX_STUDIED_MEMBERS {
            return Err(TooComplex(format!(
                "sets of more than {MAX_STUDIED_MEMBERS} members"
            )));
        }
        if !budget.take(STEPS_OF_A_WORLD + 10 * tests + members) {
            return Err(TooComplex("too many conditions".to_owned()));
        }
        if worlds > MAX_STUDIED_WORLDS {
            return Err(TooComplex(format!(
                "more than {MAX_STUDIED_WORLDS} combinations of methods and issuers"
            )));
        }
        let labelled =
            subject.api.hosts.iter().all(|host| {
                host.label.is_some() && matches!(host.pattern, HostPattern::Label { .. })
            });
        let label = if labelled {
            Label::Any { but: Vec::new() }
        } else {
            Label::None
        };
        let mut vocabulary = Vocabulary::default();
        let mut trees = Vec::with_capacity(sides.len());
        for side in sides {
            let context = Context {
                model: subject.model,
                token: token.filter(|_| side.demand != Demand::None),
                region: side.region,
                label: &label,
                method,
                folded: subject.api.paths.case_insensitive,
                any_folded: subject.api.paths.case_insensitive,
                slashes: subject.api.paths.allow_encoded_slash,
                whole_client: token.is_some_and(reads_client),
            };
            let own: Result<Vec<Tree>, _> = side
                .rules
                .iter()
                .map(|(rule, condition)| context.tree(condition, *rule, &mut vocabulary))
                .collect();
            trees.push(own.map_err(|inexact| TooComplex(inexact.0.to_owned()))?);
        }
        let tenant = token.and_then(|token| tenant(token, &mut vocabulary));
        vocabulary
            .settle()
            .map_err(|what| TooComplex(what.to_owned()))?;
        let domains = Domains::new(&vocabulary).map_err(|TooMany| {
            TooComplex(format!("a value is cut into more than {MAX_CELLS} cells"))
        })?;
        let mut store =
            Store::with_limit((MAX_STUDIED_NODES / worlds.max(1)).max(LEAST_STUDIED_NODES));
        let mut possible = domains.possible(&mut store, &vocabulary);
        if let Some(tenant) = tenant {
            let mut diagrams = Diagrams {
                store: &mut store,
                domains: &domains,
            };
            let there = diagrams.typed(tenant, View::Text);
            possible = store.and(possible, there);
        }
        let independent = vocabulary.relations().is_empty()
            && vocabulary.values().iter().all(|value| {
                value.ages.is_empty() && (value.words.is_empty() || value.texts.is_empty())
            });
        let world = World {
            vocabulary,
            domains,
            store,
            possible,
            independent,
            lacks: Vec::new(),
        };
        Ok((world, trees))
    }

    /// Whether a function is true for some request.
    pub fn is_possible(&mut self, function: Function, budget: &Budget) -> Result<bool, TooComplex> {
        let function = self.store.and(function, self.possible);
        if self.store.has_overflowed() {
            return Err(TooComplex(format!(
                "more than {} nodes of decision diagrams",
                self.store.limit()
            )));
        }
        if function.is_never() || self.independent {
            return Ok(!function.is_never());
        }
        let before = self.store.size();
        let solver = Solver {
            vocabulary: &self.vocabulary,
            domains: &self.domains,
            now: 0.0,
        };
        let found = solver
            .solve_within(&mut self.store, function, MAX_STUDIED_CASES)
            .map_err(|stuck| TooComplex(stuck.0))?;
        if !budget.take(STEPS_OF_A_WORLD + self.store.size() - before) {
            return Err(TooComplex("too many conditions".to_owned()));
        }
        Ok(found.is_some())
    }
}

/// Whether rules read `azp` or `client_id` as a claim.
fn reads_client(token: Token<'_>) -> bool {
    token.issuer.claims.iter().any(|claim| {
        claim
            .path
            .first()
            .is_some_and(|first| first == "azp" || first == "client_id")
    })
}

/// The claim that names the tenant in the issuer's URL, which every token has.
fn tenant(token: Token<'_>, vocabulary: &mut Vocabulary) -> Option<usize> {
    let IssuerUrl::Tenant { claim, .. } = &token.issuer.url else {
        return None;
    };
    let value = vocabulary.find(&Place::Member(claim.clone()))?;
    vocabulary.view(value, View::Text);
    vocabulary.change(value, |value| {
        value.fits = Fits::UrlSegment { but: Vec::new() };
    });
    Some(value)
}
