//! The requirements of token verification on claims, independent of rules: issuer, times, audience,
//! kind. The analysis includes these if rules read the same claims, so that an example never
//! satisfies a rule but fails verification.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::model::StringSet;
use crate::settings::TokenKind;

use super::bdd::Function;
use super::cells::lists::ListQuestion;
use super::cells::numbers::NumberQuestion;
use super::cells::texts::TextQuestion;
use super::diagram::Diagrams;
use super::domains::Shape;
use super::tokens::{Case, Demands, Iss};
use super::vocabulary::{Fits, Held, Place, ValueId, View, Vocabulary};

/// The checks of a token that read the same claims as rules.
#[derive(Debug, Default)]
pub struct Validity {
    must: Vec<Must>,
    kinds: Vec<TokenKind>,
    signs: Option<Signs>,
}

#[derive(Debug)]
enum Must {
    Text(ValueId, usize),
    /// The value is absent, or its age gives this answer to the question.
    Age(ValueId, usize, bool, bool),
    Held(ValueId, Held),
    There(ValueId),
}

/// The claims that tell the kinds of tokens apart.
#[derive(Debug, Default)]
struct Signs {
    refresh: Vec<(ValueId, usize)>,
    id: Vec<(ValueId, usize)>,
    access: Vec<(ValueId, usize)>,
    hashes: Vec<ValueId>,
    nonce: Option<ValueId>,
    azp: Option<(ValueId, usize)>,
    scopes: Option<ValueId>,
    /// Other claims with scopes.
    other_scopes: Vec<ValueId>,
    /// Whether only ID tokens are accepted, and no rule prevents a claim from marking the token as
    /// one.
    free_id: bool,
}

impl Validity {
    /// Asks the necessary questions. All conditions have been read into the vocabulary before.
    pub fn ask(
        case: &Case<'_>,
        demands: &[Demands],
        base: &Map<String, Value>,
        vocabulary: &mut Vocabulary,
    ) -> Validity {
        let mut validity = Validity {
            kinds: demands.iter().map(|demands| demands.kind).collect(),
            ..Validity::default()
        };
        validity.ask_issuer(case, vocabulary);
        validity.ask_times(demands, vocabulary);
        validity.ask_audience(demands, vocabulary);
        validity.ask_signs(demands, base, vocabulary);
        validity
    }

    fn ask_issuer(&mut self, case: &Case<'_>, vocabulary: &mut Vocabulary) {
        if let (Iss::Is(url), Some(value)) = (&case.iss, vocabulary.find(&Place::member("iss"))) {
            let question = vocabulary.ask_text(value, TextQuestion::is(url));
            self.must.push(Must::Text(value, question));
        }
        for (claim, tenant) in &case.tenants {
            let value = vocabulary.value(&Place::Member(claim.clone()));
            vocabulary.view(value, View::Text);
            let question = vocabulary.ask_text(value, TextQuestion::is(tenant));
            self.must.push(Must::Text(value, question));
        }
        if let Iss::Tenant { claim, but, .. } = &case.iss {
            let value = vocabulary.value(&Place::Member(claim.clone()));
            vocabulary.view(value, View::Text);
            let but = but.clone();
            vocabulary.change(value, |value| value.fits = Fits::UrlSegment { but });
            // Any text is fine.
            let question = vocabulary.ask_text(
                value,
                TextQuestion::Around {
                    prefix: String::new(),
                    suffix: String::new(),
                    between: 0,
                },
            );
            self.must.push(Must::Text(value, question));
        }
    }

    fn ask_times(&mut self, demands: &[Demands], vocabulary: &mut Vocabulary) {
        for demand in demands {
            if let Some(value) = vocabulary.find(&Place::member("exp")) {
                let question = vocabulary.ask_age(value, NumberQuestion::Less(demand.leeway));
                self.must
                    .push(Must::Age(value, question, true, demand.introspects));
            }
            if let Some(value) = vocabulary.find(&Place::member("nbf")) {
                let question = vocabulary.ask_age(value, NumberQuestion::Less(-demand.leeway));
                self.must.push(Must::Age(value, question, false, true));
            }
            if let (Some(value), Some(max_age)) =
                (vocabulary.find(&Place::member("iat")), demand.max_age)
            {
                let future = vocabulary.ask_age(value, NumberQuestion::Less(-demand.leeway));
                let young =
                    vocabulary.ask_age(value, NumberQuestion::LessOrEqual(max_age + demand.leeway));
                self.must.push(Must::Age(value, future, false, false));
                self.must.push(Must::Age(value, young, true, false));
            }
        }
    }

    fn ask_audience(&mut self, demands: &[Demands], vocabulary: &mut Vocabulary) {
        let Some(value) = vocabulary.find(&Place::member("aud")) else {
            return;
        };
        vocabulary.view(value, View::Texts);
        for demand in demands {
            let wanted = demand
                .api_audience
                .iter()
                .chain(Some(&demand.issuer_audience).filter(|own| !own.is_empty()));
            for audiences in wanted {
                let mut values = audiences.clone();
                values.sort_unstable();
                values.dedup();
                let question = ListQuestion { values, all: false };
                let held = vocabulary.ask_list(value, View::Texts, &question);
                self.must.push(Must::Held(value, held));
            }
            if demand.api_audience.is_some() || !demand.issuer_audience.is_empty() {
                self.must.push(Must::There(value));
            }
        }
    }

    /// Asks about the claims that identify an ID token, if rules can read them too.
    fn ask_signs(
        &mut self,
        demands: &[Demands],
        base: &Map<String, Value>,
        vocabulary: &mut Vocabulary,
    ) {
        const NAMES: [&str; 8] = [
            "at_hash",
            "azp",
            "c_hash",
            "nonce",
            "token_type",
            "token_use",
            "typ",
            "type",
        ];
        let wants_id = demands.iter().any(|demands| demands.kind == TokenKind::Id);
        let is_read = |vocabulary: &Vocabulary| {
            NAMES
                .iter()
                .any(|name| vocabulary.find(&Place::member(name)).is_some())
        };
        if !is_read(vocabulary) && !wants_id {
            return;
        }
        let mut signs = Signs {
            free_id: demands.iter().all(|demands| demands.kind == TokenKind::Id)
                && vocabulary.find(&Place::member("at_hash")).is_none(),
            ..Signs::default()
        };
        let says = |name: &str, words: &[&str], vocabulary: &mut Vocabulary| {
            let value = vocabulary.find(&Place::member(name))?;
            vocabulary.view(value, View::Text);
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            Some((
                value,
                vocabulary.ask_text(value, TextQuestion::OneOfFolded(words)),
            ))
        };
        signs
            .refresh
            .extend(says("typ", &["refresh", "offline"], vocabulary));
        for name in ["token_use", "token_type", "type"] {
            signs
                .refresh
                .extend(says(name, &["refresh", "refresh_token"], vocabulary));
        }
        signs.id.extend(says("token_use", &["id"], vocabulary));
        signs.id.extend(says("typ", &["id"], vocabulary));
        signs
            .access
            .extend(says("token_use", &["access"], vocabulary));
        signs.access.extend(says("typ", &["bearer"], vocabulary));
        for name in ["at_hash", "c_hash"] {
            signs.hashes.extend(vocabulary.find(&Place::member(name)));
        }
        signs.nonce = vocabulary.find(&Place::member("nonce"));
        if let Some(value) = vocabulary.find(&Place::member("azp")) {
            let audiences: Vec<String> = match base.get("aud") {
                Some(Value::String(one)) => vec![one.clone()],
                Some(Value::Array(all)) => all
                    .iter()
                    .filter_map(|one| one.as_str().map(str::to_owned))
                    .collect(),
                _ => Vec::new(),
            };
            vocabulary.view(value, View::Text);
            let set = Arc::new(StringSet::new(None, audiences));
            signs.azp = Some((value, vocabulary.ask_text(value, TextQuestion::one_of(set))));
        }
        // If scopes are read from another claim, `scope` can show that it isn't an ID token.
        if wants_id {
            let places = demands
                .iter()
                .filter_map(|demands| demands.scopes_from.clone())
                .filter_map(|path| vocabulary.find(&Place::Member(path)));
            signs.other_scopes.extend(places);
        }
        if demands.iter().all(|demands| demands.scopes_from.is_none()) {
            let value = vocabulary.value(&Place::Scopes);
            vocabulary.view(value, View::Scopes);
            signs.scopes = Some(value);
        }
        self.signs = Some(signs);
    }

    /// True if the checks pass.
    pub fn function(&self, diagrams: &mut Diagrams<'_>) -> Function {
        let mut valid = Function::TRUE;
        for must in &self.must {
            let one = match must {
                Must::Text(value, question) => diagrams.answered(*value, *question),
                Must::Age(value, question, wanted, optional) => {
                    let aged = diagrams.aged(*value, *question);
                    let aged = if *wanted {
                        aged
                    } else {
                        diagrams.store.not(aged)
                    };
                    let there = diagrams.shaped(*value, |_, shape| shape != Shape::Absent);
                    if *optional {
                        diagrams.store.implies(there, aged)
                    } else {
                        diagrams.store.and(there, aged)
                    }
                }
                Must::Held(value, held) => diagrams.list(*value, View::Texts, *held).yes,
                Must::There(value) => diagrams.shaped(*value, |_, shape| shape != Shape::Absent),
            };
            valid = diagrams.store.and(valid, one);
        }
        if let Some(signs) = &self.signs {
            for kind in &self.kinds {
                let right = signs.function(*kind, diagrams);
                valid = diagrams.store.and(valid, right);
            }
        }
        valid
    }

    /// A claim that tells the kind of the token and that no rule reads.
    pub fn sign(&self) -> Option<(&'static str, &'static str)> {
        let signs = self.signs.as_ref()?;
        if signs.free_id {
            return Some(("at_hash", "any"));
        }
        (signs.scopes.is_none() && !self.kinds.contains(&TokenKind::Id)).then_some(("scope", "any"))
    }
}

impl Signs {
    fn function(&self, kind: TokenKind, diagrams: &mut Diagrams<'_>) -> Function {
        let any = |all: &[(ValueId, usize)], diagrams: &mut Diagrams<'_>| {
            let mut any = Function::FALSE;
            for (value, question) in all {
                let one = diagrams.answered(*value, *question);
                any = diagrams.store.or(any, one);
            }
            any
        };
        let there = |value: ValueId, diagrams: &mut Diagrams<'_>| {
            diagrams.shaped(value, |_, shape| {
                !matches!(shape, Shape::Absent | Shape::Null)
            })
        };
        let refresh = any(&self.refresh, diagrams);
        let mut id = any(&self.id, diagrams);
        for hash in &self.hashes {
            let hash = there(*hash, diagrams);
            id = diagrams.store.or(id, hash);
        }
        let access = any(&self.access, diagrams);
        let mut scopes = match self.scopes {
            Some(scopes) => diagrams.shaped(scopes, |_, shape| shape == Shape::Scopes),
            // It may be present or absent.
            None => Function::constant(kind != TokenKind::Id),
        };
        for value in &self.other_scopes {
            let some = diagrams.holds_some(*value);
            scopes = diagrams.store.or(scopes, some);
        }
        let mut weak = match self.nonce {
            Some(nonce) => there(nonce, diagrams),
            None => Function::FALSE,
        };
        if let Some((azp, question)) = self.azp {
            let own = diagrams.answered(azp, question);
            weak = diagrams.store.or(weak, own);
        }
        let weak = diagrams.store.without(weak, scopes);
        let is_id = diagrams.store.or(id, weak);
        let right = match kind {
            TokenKind::Jwt | TokenKind::Access => diagrams.store.not(is_id),
            TokenKind::Id if self.free_id => Function::TRUE,
            TokenKind::Id => {
                let certain = diagrams.store.or(access, scopes);
                let not_certain = diagrams.store.not(certain);
                diagrams.store.or(is_id, not_certain)
            }
        };
        diagrams.store.without(right, refresh)
    }
}
