//! CORS preflights of a region.
//!
//! The rules of the method that an `OPTIONS` request asks about decide about the preflight, unless
//! a route names `OPTIONS`, or a `denied` rule covers `OPTIONS`.

use std::sync::Arc;

use crate::model::{Api, Guard, StringSet};
use crate::pattern::{Method, MethodSet};
use crate::settings::{Origin, TokenPlace};

use super::super::atoms::Matching;
use super::super::bdd::Function;
use super::super::cells::texts::TextQuestion;
use super::super::diagram::Diagrams;
use super::super::domains::Shape;
use super::super::group::Ruling;
use super::super::regions::PREFLIGHT_HEADERS;
use super::super::tokens::Case;
use super::super::vocabulary::{Fits, Place, ValueId, Vocabulary};
use super::Region;

/// Preflights that ask about methods to which each policy applies the same rules.
#[derive(Debug, Clone, Copy)]
pub struct Preflight<'r, 'p> {
    /// The methods.
    pub methods: MethodSet,
    /// The rules of each policy for requests with these methods.
    pub rulings: [Option<&'r Ruling<'p>>; 2],
    /// The guards of each policy that deny them because of `OPTIONS`, and whether they match all of
    /// the region.
    pub denied: [&'r [(&'p Guard, bool)]; 2],
    /// The origins that they come from.
    pub origins: Origins,
}

/// A set of origins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origins {
    /// All origins.
    All,
    /// Origins that only one of the policies lists.
    Disputed,
}

/// The questions that identify preflights, and the conditions under which each policy lets them
/// pass.
pub(super) struct Reading {
    origin: ValueId,
    asked: (ValueId, usize),
    /// `Authorization`: a request with this header isn't a preflight.
    authorization: ValueId,
    /// The condition under which each policy answers them, if it does.
    answers: [Option<PreflightAnswer>; 2],
}

/// The condition under which one policy lets preflights pass.
struct PreflightAnswer {
    /// Questions about the origin, one of which must be true; `None` for any origin.
    listed: Option<Vec<usize>>,
    /// The guards that deny some of the paths.
    denied: Vec<Vec<Matching>>,
}

impl<'r, 'p> Region<'r, 'p> {
    /// The API whose `cors` answers the preflights of this region in a policy. `None` if a route
    /// for `OPTIONS` decides, or the route for the requested method is missing or denied.
    pub fn answering(&self, side: usize) -> Option<&'p Api> {
        let preflight = self.preflight.as_ref()?;
        let otherwise = |ruling: &Ruling<'_>| ruling.names_options() || ruling.denied;
        let own = self.rulings.get(side).copied().flatten();
        let mut guards = preflight.denied.get(side).copied().into_iter().flatten();
        if own.is_some_and(otherwise) || guards.any(|(_, always)| *always) {
            return None;
        }
        let ruling = preflight.rulings.get(side).copied().flatten()?;
        let api = self.groups.get(side)?.api(ruling.api)?;
        (!ruling.denied).then_some(api)
    }

    /// Whether requests of the region can carry a token. In a preflight, it can't be in
    /// `Authorization`.
    pub fn can_carry_tokens(&self) -> bool {
        self.preflight.is_none()
            || (0..2).filter_map(|side| self.api(side)).any(|api| {
                api.token_places
                    .iter()
                    .any(|place| *place != TokenPlace::Authorization)
            })
    }

    /// Asks the questions that identify preflights. All conditions have been read before.
    ///
    /// For a region of other requests, this is only needed if conditions can tell preflights apart.
    pub(super) fn read_preflight(
        &self,
        case: Option<&Case<'_>>,
        vocabulary: &mut Vocabulary,
    ) -> Option<Reading> {
        let places = PREFLIGHT_HEADERS.map(|name| Place::Header(name.to_owned()));
        let methods = match &self.preflight {
            Some(preflight) => preflight.methods,
            None => {
                let can_be = self.method == Method::OPTIONS
                    && self.groups.iter().any(|group| group.answers_preflights)
                    && places.iter().all(|place| vocabulary.find(place).is_some());
                if !can_be {
                    return None;
                }
                MethodSet::ALL
            }
        };
        let authorization = Place::Header("authorization".to_owned());
        let [origin, asked] = places.map(|place| vocabulary.value_that(&place, Fits::Header, true));
        let names = methods.iter().map(|method| method.as_str().to_owned());
        let question = TextQuestion::one_of(Arc::new(StringSet::new(None, names.collect())));
        Some(Reading {
            origin,
            asked: (asked, vocabulary.ask_text(asked, question)),
            authorization: vocabulary.value_that(&authorization, Fits::Header, true),
            answers: [0, 1].map(|side| self.answer(side, case, origin, vocabulary)),
        })
    }

    /// True for requests of the examined kind: these preflights, or everything else.
    pub(super) fn of_kind(&self, reading: &Reading, diagrams: &mut Diagrams<'_>) -> Function {
        let holds = reading.holds(diagrams);
        match &self.preflight {
            None => diagrams.store.not(holds),
            Some(preflight) if preflight.origins == Origins::Disputed => {
                let disputed = reading.disputed(diagrams);
                diagrams.store.and(holds, disputed)
            }
            Some(_) => holds,
        }
    }

    fn answer(
        &self,
        side: usize,
        case: Option<&Case<'_>>,
        origin: ValueId,
        vocabulary: &mut Vocabulary,
    ) -> Option<PreflightAnswer> {
        let api = self.answering(side)?;
        let context = self.context(side, case)?;
        let preflight = self.preflight.as_ref()?;
        let ruling = preflight.rulings.get(side).copied().flatten()?;
        let of_options = preflight.denied.get(side).copied().unwrap_or_default();
        Some(PreflightAnswer {
            listed: listed(api).map(|questions| {
                questions
                    .into_iter()
                    .map(|question| vocabulary.ask_text(origin, question))
                    .collect()
            }),
            denied: ruling
                .guards
                .iter()
                .chain(of_options)
                .filter(|(guard, _)| guard.denies())
                .filter_map(|(guard, _)| context.matches(&guard.path, vocabulary))
                .collect(),
        })
    }
}

/// Questions about an origin that tell whether an API lists it; `None` if it lists every origin.
fn listed(api: &Api) -> Option<Vec<TextQuestion>> {
    if api.preflight_public {
        return None;
    }
    api.cors
        .iter()
        .flat_map(|cors| &cors.origins)
        .map(|origin| match origin {
            Origin::Any => None,
            Origin::Exact(exact) => Some(TextQuestion::is(exact)),
            Origin::Label { scheme, suffix } => Some(TextQuestion::Label {
                before: scheme.clone(),
                behind: format!(".{suffix}"),
            }),
        })
        .collect()
}

impl Reading {
    /// True if a request is such a preflight.
    pub(super) fn holds(&self, diagrams: &mut Diagrams<'_>) -> Function {
        let there = diagrams.shaped(self.origin, |_, shape| shape != Shape::Absent);
        let asks = diagrams.answered(self.asked.0, self.asked.1);
        let alone = diagrams.shaped(self.authorization, |_, shape| shape == Shape::Absent);
        diagrams.store.all([there, asks, alone])
    }

    /// True if a policy lets it pass, regardless of any route for `OPTIONS`.
    pub(super) fn passes(&self, side: usize, diagrams: &mut Diagrams<'_>) -> Function {
        let Some(answer) = self.answers.get(side).and_then(Option::as_ref) else {
            return Function::FALSE;
        };
        let mut passes = self.lists(answer, diagrams);
        for denied in &answer.denied {
            let denied = diagrams.matching(denied);
            passes = diagrams.store.without(passes, denied);
        }
        passes
    }

    /// True if only one policy lists the origin.
    fn disputed(&self, diagrams: &mut Diagrams<'_>) -> Function {
        let [old, new] = self.answers.each_ref().map(|answer| match answer {
            Some(answer) => self.lists(answer, diagrams),
            None => Function::FALSE,
        });
        let same = diagrams.store.same(old, new);
        diagrams.store.not(same)
    }

    fn lists(&self, answer: &PreflightAnswer, diagrams: &mut Diagrams<'_>) -> Function {
        let Some(questions) = &answer.listed else {
            return Function::TRUE;
        };
        let mut lists = Function::FALSE;
        for question in questions {
            let one = diagrams.answered(self.origin, *question);
            lists = diagrams.store.or(lists, one);
        }
        lists
    }
}
