//! How each side of a comparison reads a request, and when it allows it.

use serde_json::Map;

use crate::headers::{reads_as, same};
use crate::model::Access;
use crate::pattern::PathPattern;

use super::super::atoms::{Context, Inexact, Label, Matching, Rule, Tree};
use super::super::bdd::{Function, Store};
use super::super::cells::texts::TextQuestion;
use super::super::diagram::Diagrams;
use super::super::domains::{Domains, Shape};
use super::super::solve::Stuck;
use super::super::tokens::{Bearer, Case, Demands};
use super::super::validity::Validity;
use super::super::vocabulary::{Place, Vocabulary};
use super::{Paths, Region, Wanted, preflight};

/// Why a region could not be compared.
fn inexact(what: &Inexact) -> Stuck {
    Stuck(format!("{}, and cannot be told apart exactly", what.0))
}

/// A condition. For a guard it has the paths that the guard matches, and is `None` if the guard
/// denies.
type Conditioned = (Option<Vec<Matching>>, Option<Tree>);

/// The rules of both sides, converted for one kind of token.
pub(super) struct Reading {
    pub(super) vocabulary: Vocabulary,
    /// For each policy, its guards and conditions.
    pub(super) conditions: [Vec<Conditioned>; 2],
    pub(super) exceptions: Vec<Option<Vec<Matching>>>,
    pub(super) validity: Option<Validity>,
    pub(super) paths: Vec<Matching>,
    pub(super) preflight: Option<preflight::Reading>,
}

impl<'r> Region<'r, '_> {
    pub(super) fn context(&self, side: usize, case: Option<&Case<'r>>) -> Option<Context<'r>> {
        let group = *self.groups.get(side)?;
        let ruling = self.rulings.get(side).copied().flatten();
        let token = if side == 0 {
            case.and_then(|case| case.old)
        } else {
            case.and_then(|case| case.new)
        };
        Some(Context {
            model: group.model(),
            // A policy that doesn't read the token sees none.
            token: token.filter(|_| self.needs_token(side)),
            region: self.path,
            label: match ruling {
                Some(ruling) => group.asked.label(ruling.api),
                None => &Label::None,
            },
            method: self.method,
            folded: group.options.case_insensitive,
            any_folded: self
                .groups
                .iter()
                .any(|group| group.options.case_insensitive),
            slashes: match self.paths {
                Some(Paths::Slashed(_)) => true,
                _ => self
                    .groups
                    .iter()
                    .all(|group| group.options.allow_encoded_slash),
            },
            whole_client: reads(case, &["azp", "client_id"]),
        })
    }

    pub(super) fn read(
        &self,
        case: Option<&Case<'_>>,
        base: &Map<String, serde_json::Value>,
        demands: &[Demands],
        exceptions: &[(usize, &PathPattern)],
    ) -> Result<Reading, Stuck> {
        let mut vocabulary = Vocabulary::default();
        let mut conditions = [Vec::new(), Vec::new()];
        for (side, conditions) in conditions.iter_mut().enumerate() {
            let (Some(context), Some(ruling)) = (
                self.context(side, case),
                self.rulings.get(side).copied().flatten(),
            ) else {
                continue;
            };
            if ruling.denied {
                continue;
            }
            for (guard, always) in &ruling.guards {
                let matches = if *always {
                    Some(Vec::new())
                } else {
                    context.matches(&guard.path, &mut vocabulary)
                };
                let Some(matches) = matches else {
                    continue;
                };
                let rule = Rule {
                    path: &guard.path,
                    parameters: &guard.parameters,
                };
                let tree = guard
                    .condition
                    .as_ref()
                    .map(|condition| context.tree(condition, rule, &mut vocabulary))
                    .transpose()
                    .map_err(|what| inexact(&what))?;
                conditions.push((Some(matches), tree));
            }
            for route in &ruling.routes {
                let Access::Permitted {
                    condition: Some(condition),
                    ..
                } = &route.access
                else {
                    continue;
                };
                let rule = Rule {
                    path: &route.path,
                    parameters: &route.parameters,
                };
                let tree = context
                    .tree(condition, rule, &mut vocabulary)
                    .map_err(|what| inexact(&what))?;
                conditions.push((None, Some(tree)));
            }
        }
        let exceptions = exceptions
            .iter()
            .map(|(side, pattern)| {
                self.context(*side, case)
                    .and_then(|context| context.matches(pattern, &mut vocabulary))
            })
            .collect();
        let validity = case.map(|case| Validity::ask(case, demands, base, &mut vocabulary));
        let preflight = self.read_preflight(case, &mut vocabulary);
        let paths = self
            .context(0, case)
            .map(|context| self.read_paths(&context, &mut vocabulary))
            .unwrap_or_default();
        vocabulary.settle().map_err(|what| Stuck(what.to_owned()))?;
        Ok(Reading {
            vocabulary,
            conditions,
            exceptions,
            validity,
            paths,
            preflight,
        })
    }

    /// Reads the additional restrictions on the examined paths.
    fn read_paths(&self, context: &Context<'_>, vocabulary: &mut Vocabulary) -> Vec<Matching> {
        match self.paths {
            None => Vec::new(),
            Some(Paths::With(at)) => vec![Matching::There(context.segment(at, vocabulary))],
            Some(Paths::Slashed(at)) => {
                let value = context.segment(at, vocabulary);
                let question = vocabulary.ask_text(value, TextQuestion::Slash);
                vec![Matching::Text(value, question)]
            }
        }
    }

    /// True for a request of the wanted kind.
    pub(super) fn function(
        &self,
        bearer: Bearer<'_, '_>,
        reading: &Reading,
        domains: &Domains,
        store: &mut Store,
        wanted: Wanted,
    ) -> Function {
        let mut diagrams = Diagrams { store, domains };
        let kind = match &reading.preflight {
            Some(preflight) => self.of_kind(preflight, &mut diagrams),
            None => Function::TRUE,
        };
        let holds = self.holds(bearer, reading, &mut diagrams, wanted);
        store.and(kind, holds)
    }

    /// The same for a request with its token in `Authorization`. It isn't a preflight even if it
    /// looks like one, but a witness has its claims outside the request.
    pub(super) fn unshown(
        &self,
        bearer: Bearer<'_, '_>,
        reading: &Reading,
        domains: &Domains,
        store: &mut Store,
        wanted: Wanted,
    ) -> Function {
        let (None, Some(preflight), Wanted::Allowed(_), Bearer::Valid(..) | Bearer::Invalid) =
            (&self.preflight, &reading.preflight, wanted, bearer)
        else {
            return Function::FALSE;
        };
        let mut diagrams = Diagrams { store, domains };
        let kind = preflight.holds(&mut diagrams);
        let holds = self.holds(bearer, reading, &mut diagrams, wanted);
        store.and(kind, holds)
    }

    /// True if the policies decide as wanted, whatever kind the request is.
    fn holds(
        &self,
        bearer: Bearer<'_, '_>,
        reading: &Reading,
        diagrams: &mut Diagrams<'_>,
        wanted: Wanted,
    ) -> Function {
        let mut function = diagrams
            .domains
            .possible(diagrams.store, &reading.vocabulary);
        for exception in reading.exceptions.iter().flatten() {
            let taken = diagrams.matching(exception);
            function = diagrams.store.without(function, taken);
        }
        let paths = diagrams.matching(&reading.paths);
        function = diagrams.store.and(function, paths);
        if let Some(validity) = &reading.validity {
            let valid = validity.function(diagrams);
            function = diagrams.store.and(function, valid);
        }
        let [old, new] = [0, 1].map(|side| self.allows(side, bearer, reading, diagrams));
        // A request that carries a token in a place of the API can't have claims given separately.
        let places = self.token_places(&reading.vocabulary, diagrams);
        function = diagrams.store.and(function, places);
        match wanted {
            Wanted::Any => function,
            Wanted::Both => diagrams.store.all([function, old, new]),
            Wanted::One(0) => diagrams.store.and(function, old),
            Wanted::One(_) => diagrams.store.and(function, new),
            Wanted::Allowed(0) => {
                let only = diagrams.store.without(old, new);
                diagrams.store.and(function, only)
            }
            Wanted::Allowed(_) => {
                let only = diagrams.store.without(new, old);
                diagrams.store.and(function, only)
            }
        }
    }

    fn token_places(&self, vocabulary: &Vocabulary, diagrams: &mut Diagrams<'_>) -> Function {
        use crate::settings::TokenPlace;
        let mut free = Function::TRUE;
        // The request has no header that one of the policies refuses. Forwarded names are compared
        // separately.
        for (id, value) in vocabulary.values().iter().enumerate() {
            if (0..2).any(|side| self.refuses_spelling(side, &value.place)) {
                let absent = diagrams.shaped(id, |_, shape| shape == Shape::Absent);
                free = diagrams.store.and(free, absent);
            }
        }
        for side in 0..2 {
            let Some(api) = self
                .rulings
                .get(side)
                .copied()
                .flatten()
                .filter(|ruling| ruling.needs_token())
                .and_then(|ruling| self.groups.get(side)?.api(ruling.api))
            else {
                continue;
            };
            for place in &api.token_places {
                let place = match place {
                    TokenPlace::Authorization => Place::Header("authorization".to_owned()),
                    TokenPlace::Header(name) => Place::Header(name.clone()),
                    TokenPlace::Cookie(_) => Place::Header("cookie".to_owned()),
                    TokenPlace::Query(name) => Place::Query(name.clone()),
                    TokenPlace::Subprotocol(_) => {
                        Place::Header("sec-websocket-protocol".to_owned())
                    }
                };
                if let Some(value) = vocabulary.find(&place) {
                    let absent = diagrams.shaped(value, |_, shape| shape == Shape::Absent);
                    free = diagrams.store.and(free, absent);
                }
            }
        }
        free
    }

    /// Whether a policy refuses a request because of the spelling of a header or a parameter.
    fn refuses_spelling(&self, side: usize, place: &Place) -> bool {
        use crate::settings::TokenPlace;
        let Some(group) = self.groups.get(side) else {
            return false;
        };
        let ruling = self.rulings.get(side).copied().flatten();
        let mut places = ruling
            .filter(|ruling| ruling.needs_token())
            .and_then(|ruling| group.api(ruling.api))
            .into_iter()
            .flat_map(|api| &api.token_places);
        match place {
            Place::Header(read) => {
                let other = |name: &String| name != read && same(name, read);
                group.policy.identity_headers().iter().any(other)
                    || places
                        .any(|place| matches!(place, TokenPlace::Header(name) if other(name)))
            }
            Place::Query(read) => places.any(|place| {
                matches!(place, TokenPlace::Query(name) if name != read && reads_as(read, name))
            }),
            _ => false,
        }
    }

    fn allows(
        &self,
        side: usize,
        bearer: Bearer<'_, '_>,
        reading: &Reading,
        diagrams: &mut Diagrams<'_>,
    ) -> Function {
        let passes = match &reading.preflight {
            Some(preflight) => preflight.passes(side, diagrams),
            None => Function::FALSE,
        };
        if self.refuses(side, bearer) {
            return passes;
        }
        let mut allows = Function::TRUE;
        for (matches, tree) in reading.conditions.get(side).into_iter().flatten() {
            let holds = match tree {
                Some(tree) => diagrams.condition(tree).yes,
                None => Function::FALSE,
            };
            let holds = match matches {
                Some(matches) => {
                    let matches = diagrams.matching(matches);
                    diagrams.store.implies(matches, holds)
                }
                None => holds,
            };
            allows = diagrams.store.and(allows, holds);
        }
        diagrams.store.or(passes, allows)
    }
}

/// Whether the rules of a policy read one of these members as a claim.
fn reads(case: Option<&Case<'_>>, names: &[&str]) -> bool {
    case.is_some_and(|case| {
        [case.old, case.new].into_iter().flatten().any(|token| {
            token.issuer.claims.iter().any(|claim| {
                claim
                    .path
                    .first()
                    .is_some_and(|first| names.contains(&first.as_str()))
            })
        })
    })
}
