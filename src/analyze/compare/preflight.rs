//! CORS preflights of a region: `OPTIONS` requests that are answered by the rules of the method
//! they ask about, unless a route that names `OPTIONS` answers instead, or something `denied`
//! covers `OPTIONS`.

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

/// Preflights that ask about methods which the rules of each policy take alike.
#[derive(Debug, Clone, Copy)]
pub struct Preflight<'r, 'p> {
    /// The methods.
    pub methods: MethodSet,
    /// What each policy says to requests with these methods.
    pub rulings: [Option<&'r Ruling<'p>>; 2],
    /// The guards of each policy that deny them as requests with `OPTIONS`, and whether they match
    /// all of the region.
    pub denied: [&'r [(&'p Guard, bool)]; 2],
    /// From which pages they are.
    pub origins: Origins,
}

/// Origins, by who lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origins {
    /// All.
    All,
    /// Those that one policy lists and the other one does not.
    Disputed,
}

/// How preflights are told from other requests, and where each policy lets them pass.
pub(super) struct Reading {
    origin: ValueId,
    asked: (ValueId, usize),
    /// `Authorization`, with which a request is no preflight.
    authorization: ValueId,
    /// Where each policy answers them, if it does.
    answers: [Option<Answer>; 2],
}

/// Where one policy lets preflights pass.
struct Answer {
    /// Questions about the origin, of which one is answered with yes; `None` for any origin.
    listed: Option<Vec<usize>>,
    /// The guards that deny all of their paths.
    denied: Vec<Vec<Matching>>,
}

impl<'r, 'p> Region<'r, 'p> {
    /// The API by whose `cors` a policy answers the preflights of this region, where the route for
    /// the method that they ask about is what counts, and neither is it denied nor `OPTIONS`.
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

    /// Whether requests of the region can carry a token: preflights only where it is not in
    /// `Authorization`.
    pub fn can_carry_tokens(&self) -> bool {
        self.preflight.is_none()
            || (0..2).filter_map(|side| self.api(side)).any(|api| {
                api.token_places
                    .iter()
                    .any(|place| *place != TokenPlace::Authorization)
            })
    }

    /// Asks what preflights are known by. All conditions have been read before.
    ///
    /// In a region of other requests that is asked only where conditions can tell.
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

    /// Where requests are of the kind that is looked at: such preflights, or anything else.
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
    ) -> Option<Answer> {
        let api = self.answering(side)?;
        let context = self.context(side, case)?;
        let preflight = self.preflight.as_ref()?;
        let ruling = preflight.rulings.get(side).copied().flatten()?;
        let of_options = preflight.denied.get(side).copied().unwrap_or_default();
        Some(Answer {
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

/// What is asked of an origin to find out whether an API lists it; `None` where it lists any.
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
    /// Where a request is such a preflight.
    pub(super) fn holds(&self, diagrams: &mut Diagrams<'_>) -> Function {
        let there = diagrams.shaped(self.origin, |_, shape| shape != Shape::Absent);
        let asks = diagrams.answered(self.asked.0, self.asked.1);
        let alone = diagrams.shaped(self.authorization, |_, shape| shape == Shape::Absent);
        diagrams.store.all([there, asks, alone])
    }

    /// Where a policy lets it pass, whatever the route for `OPTIONS` says.
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

    /// Where one policy lists the origin and the other one does not.
    fn disputed(&self, diagrams: &mut Diagrams<'_>) -> Function {
        let [old, new] = self.answers.each_ref().map(|answer| match answer {
            Some(answer) => self.lists(answer, diagrams),
            None => Function::FALSE,
        });
        let same = diagrams.store.same(old, new);
        diagrams.store.not(same)
    }

    fn lists(&self, answer: &Answer, diagrams: &mut Diagrams<'_>) -> Function {
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
