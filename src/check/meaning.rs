//! Finds conditions that are never true, always true, or contain parts that make no difference.
//!
//! Most conditions are obviously none of these, and aren't examined further. The others are put
//! into a canonical form, and each is examined once, in an order that doesn't depend on its place.
//! A condition that is written once may belong to several rules: a line with several methods, a
//! guard of several APIs. A part is reported only if it makes no difference in any of them.
//! Conditions on a set that is currently empty are skipped, since members may follow.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::analyze::condition::{Findings, Rule, Subject, TooComplex, reads_empty_set, study};
use crate::analyze::limits::MAX_STUDY_STEPS;
use crate::analyze::plain::Reader;
use crate::diagnostic::{Code, Diagnostic};
use crate::model::{
    Access, Api, ApiId, ClaimTest, Condition, ConditionKey, ConditionKeys, ConditionKind, Demand,
    Model,
};
use crate::pattern::index::Budget;
use crate::pattern::{MethodSet, PathPattern};
use crate::settings::PathParameter;
use crate::source::{FileId, Sources, Span};

use super::context::ApiInfo;
use super::out::Out;
use super::strength::reads_path;

/// The names of `let`s, by the place of their conditions.
pub(super) type Lets = BTreeMap<(FileId, u32, u32), String>;

/// The maximum length of a quoted part.
const MAX_QUOTED: usize = 60;

/// A condition of a rule.
#[derive(Clone, Copy)]
struct Asked<'m> {
    api: &'m Api,
    methods: MethodSet,
    path: &'m PathPattern,
    parameters: &'m [PathParameter],
    demand: Demand,
    condition: &'m Condition,
    /// The place of the rule.
    span: Span,
    name: &'m str,
    is_guard: bool,
}

impl<'m> Asked<'m> {
    fn rule(&self) -> Rule<'m> {
        Rule {
            path: self.path,
            parameters: self.parameters,
        }
    }

    /// The key of the condition. Conditions with equal keys have the same findings.
    fn key(&self, keys: &ConditionKeys) -> AskedKey<'m> {
        AskedKey {
            api: &self.api.name,
            methods: self.methods,
            demand: self.demand,
            condition: keys.written(self.condition, self.parameters),
            is_named: self.condition.is_named(self.span),
            path: reads_path(self.condition).then_some(self.path),
        }
    }

    /// An order of conditions with different keys that doesn't depend on their places.
    fn rank<'s>(&self, sources: &'s Sources) -> impl Ord + use<'s, 'm> {
        let is_named = self.condition.is_named(self.span);
        let text = sources.text(self.condition.span);
        (
            &self.api.name,
            self.methods,
            self.demand,
            is_named,
            text,
            self.path,
        )
    }
}

/// The key of a rule's condition.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct AskedKey<'m> {
    api: &'m str,
    methods: MethodSet,
    demand: Demand,
    condition: ConditionKey,
    /// Whether the whole condition is the name of a `let`.
    is_named: bool,
    /// The rule's path, if the condition reads it.
    path: Option<&'m PathPattern>,
}

/// Reports the findings about all conditions.
pub(super) fn check(
    sources: &Sources,
    infos: &[ApiInfo],
    model: &Model,
    lets: &Lets,
    out: &mut Out,
) {
    let all = conditions(infos, model);
    let mut told = Told::default();
    let keys = ConditionKeys::default();
    let mut unknown: Vec<(&[Asked], Vec<AskedKey>)> = Vec::new();
    for written in all.chunk_by(|a, b| a.span == b.span) {
        let plain = |asked: &Asked| {
            // Without an issuer, no token is accepted, and a condition on one needs no report.
            asked.api.issuers.is_empty() && asked.demand != Demand::None
                || reads_empty_set(asked.condition)
                || Reader::new(model, asked.api).is_plain(asked.rule(), asked.condition)
        };
        if written.iter().all(plain) {
            for asked in written {
                told.makes_a_difference(asked.condition, asked.span);
            }
        } else {
            unknown.push((
                written,
                written.iter().map(|asked| asked.key(&keys)).collect(),
            ));
        }
    }
    // Each condition is analysed once. The order doesn't depend on their places, since the budget
    // may run out.
    let mut examples: Vec<(AskedKey, &Asked)> = unknown
        .iter()
        .flat_map(|(written, keys)| keys.iter().copied().zip(*written))
        .collect();
    examples.sort_by_cached_key(|(_, asked)| asked.rank(sources));
    let mut known: HashMap<AskedKey, Result<Findings, TooComplex>> = HashMap::new();
    let budget = Budget::new(MAX_STUDY_STEPS);
    for (key, asked) in examples {
        if !budget.is_exhausted() && !known.contains_key(&key) {
            let subject = Subject {
                model,
                api: asked.api,
                methods: asked.methods,
            };
            let findings = study(
                subject,
                asked.rule(),
                asked.demand,
                asked.condition,
                &budget,
            );
            if !budget.is_exhausted() {
                known.insert(key, findings);
            }
        }
    }
    for (written, keys) in &unknown {
        let found: Option<Vec<&Result<Findings, TooComplex>>> =
            keys.iter().map(|key| known.get(key)).collect();
        if let Some(found) = found {
            let say = Say {
                sources,
                model,
                lets,
            };
            say.all(written, &found, &mut told, out);
        }
    }
    told.say(out);
    if budget.is_exhausted() {
        out.say(
            Diagnostic::without_place(
                Code::TooComplex,
                format!(
                    "the conditions are too many and too complex to check all of them: more than \
                     {MAX_STUDY_STEPS} steps"
                ),
            )
            .help("whether each can hold, and whether all of it makes a difference, is not known"),
        );
    }
}

/// The conditions of all rules. Those that are written once are next to each other.
fn conditions<'m>(infos: &[ApiInfo], model: &'m Model) -> Vec<Asked<'m>> {
    let mut all = Vec::new();
    for api in &model.apis {
        for route in &api.routes {
            let Access::Permitted {
                demand,
                condition: Some(condition),
            } = &route.access
            else {
                continue;
            };
            all.push(Asked {
                api,
                methods: route.methods,
                path: &route.path,
                parameters: &route.parameters,
                demand: *demand,
                condition,
                span: route.span,
                name: &route.name,
                is_guard: false,
            });
        }
    }
    let of = |id: ApiId| {
        let at = infos.iter().position(|info| info.id == id)?;
        model.apis.get(at)
    };
    for guard in &model.guards {
        let (Some(condition), Some(api)) = (&guard.condition, of(guard.api)) else {
            continue;
        };
        all.push(Asked {
            api,
            methods: guard.methods,
            path: &guard.path,
            parameters: &guard.parameters,
            // The guard may apply to a route with an optional token.
            demand: Demand::Optional,
            condition,
            span: guard.span,
            name: &guard.name,
            is_guard: true,
        });
    }
    all
}

/// The findings about parts of `let`s, which are written once for all their uses.
#[derive(Default)]
struct Told {
    /// The reports on parts that make no difference in some use.
    idle: BTreeMap<(FileId, u32, u32), Diagnostic>,
    /// The parts that make a difference in another use.
    needed: BTreeSet<(FileId, u32, u32)>,
    /// The `let`s all of whose parts make a difference in some use.
    needed_whole: BTreeSet<(FileId, u32, u32)>,
}

fn place(span: Span) -> (FileId, u32, u32) {
    (span.file, span.start, span.end)
}

impl Told {
    /// Records that all parts of a condition make a difference.
    fn makes_a_difference(&mut self, condition: &Condition, around: Span) {
        let named = condition.is_named(around);
        if named {
            self.needed_whole.insert(place(condition.span));
        }
        for part in condition.parts() {
            self.makes_a_difference(part, condition.span);
        }
    }

    fn say(self, out: &mut Out) {
        for ((file, start, end), diagnostic) in self.idle {
            let needed = self
                .needed_whole
                .iter()
                .any(|around| around.0 == file && around.1 <= start && around.2 >= end);
            if !needed && !self.needed.contains(&(file, start, end)) {
                out.say(diagnostic);
            }
        }
    }
}

/// A part of a condition, and its place.
struct Part<'m> {
    condition: &'m Condition,
    /// The part that contains it, and whether it is the first operand.
    within: Option<(&'m Condition, bool)>,
    /// The conditions of the `let`s around it, including itself, the outermost first.
    lets: Vec<Span>,
}

/// All parts of a condition, in the order of their numbers.
fn numbered<'m>(condition: &'m Condition, around: Span) -> Vec<Part<'m>> {
    fn walk<'m>(
        condition: &'m Condition,
        within: Option<(&'m Condition, bool)>,
        around: Span,
        lets: &[Span],
        all: &mut Vec<Part<'m>>,
    ) {
        let mut lets = lets.to_vec();
        if condition.is_named(around) {
            lets.push(condition.span);
        }
        all.push(Part {
            condition,
            within,
            lets: lets.clone(),
        });
        for (at, part) in condition.parts().iter().enumerate() {
            walk(part, Some((condition, at == 0)), condition.span, &lets, all);
        }
    }
    let mut all = Vec::with_capacity(condition.walk().count());
    walk(condition, None, around, &[], &mut all);
    all
}

/// Turns findings into messages.
#[derive(Clone, Copy)]
struct Say<'s> {
    sources: &'s Sources,
    model: &'s Model,
    lets: &'s Lets,
}

impl Say<'_> {
    /// The report on a condition that is written once, given the findings for each of its rules.
    fn all(
        self,
        written: &[Asked],
        found: &[&Result<Findings, TooComplex>],
        told: &mut Told,
        out: &mut Out,
    ) {
        let Some(first) = written.first() else {
            return;
        };
        let mut all = Vec::with_capacity(written.len());
        for found in found {
            match found {
                Err(TooComplex(what)) => {
                    out.say(too_complex(first, what));
                    return;
                }
                Ok(findings) => all.push(findings),
            }
        }
        if all.iter().all(|findings| findings.never) {
            out.say(self.never(first));
            return;
        }
        if all.iter().any(|findings| findings.never) {
            // The part that distinguishes these rules makes a difference.
            told.makes_a_difference(first.condition, first.span);
            return;
        }
        if all.iter().all(|findings| findings.always) {
            out.say(self.always(first));
            return;
        }
        let common = |number: usize| all.iter().all(|findings| findings.idle.contains(&number));
        for (number, part) in numbered(first.condition, first.span).iter().enumerate() {
            let idle = common(number);
            let in_let = match part.lets.as_slice() {
                [] => false,
                // The `let` itself is a part of the rule.
                [one] => *one != part.condition.span || part.within.is_none(),
                _ => true,
            };
            if in_let && !idle {
                told.needed.insert(place(part.condition.span));
            }
            if !idle {
                continue;
            }
            let diagnostic = self.idle(first, part, in_let);
            if in_let {
                told.idle
                    .entry(place(part.condition.span))
                    .or_insert(diagnostic);
            } else {
                out.say(diagnostic);
            }
        }
        let Some(one) = all.first() else {
            return;
        };
        for (number, claim) in &one.blind {
            if all
                .iter()
                .all(|findings| findings.blind.contains(&(*number, *claim)))
                && let Some(part) = numbered(first.condition, first.span).get(*number)
            {
                let name = self
                    .model
                    .claims
                    .get(claim.0 as usize)
                    .map_or("", |claim| claim.name.as_str());
                out.say(blind(first, part, name));
            }
        }
    }

    /// The place of a rule's condition, or of the rule if the condition isn't part of it.
    fn place(asked: &Asked) -> Span {
        if asked.condition.is_named(asked.span) {
            asked.span
        } else {
            asked.condition.span
        }
    }

    fn never(self, asked: &Asked) -> Diagnostic {
        let nobody = if asked.is_guard {
            "it denies every request that it matches; write `denied` if that is meant"
        } else {
            "nobody can be allowed; write `denied` if that is meant"
        };
        let help = match self.denied_presence(asked.condition) {
            Some(claim) => {
                format!("`present` is true or missing, never false: write `claim {claim} absent`")
            }
            None => format!("no request makes it true, so {nobody}"),
        };
        Diagnostic::new(
            Code::NeverHolds,
            Self::place(asked),
            format!("the condition of `{}` can never hold", asked.name),
        )
        .help(help)
    }

    /// The claim of `not claim … present`.
    fn denied_presence(&self, condition: &Condition) -> Option<&str> {
        let ConditionKind::Not(inner) = &condition.kind else {
            return None;
        };
        let (claim, test) = inner.atom()?.claim()?;
        let claim = self.model.claims.get(claim.0 as usize)?;
        (*test == ClaimTest::Present).then_some(claim.name.as_str())
    }

    fn always(self, asked: &Asked) -> Diagnostic {
        let help = match (asked.is_guard, asked.demand) {
            (true, _) => {
                "every request that it matches makes it true, so it tightens nothing: correct it, or remove it"
            }
            (false, Demand::None) => "every request makes it true: correct it, or write `public`",
            (false, _) => "every valid token makes it true: correct it, or write `authenticated`",
        };
        Diagnostic::new(
            Code::AlwaysHolds,
            Self::place(asked),
            format!("the condition of `{}` always holds", asked.name),
        )
        .help(help)
    }

    fn idle(self, asked: &Asked, part: &Part, in_let: bool) -> Diagnostic {
        let word = match part.within.map(|(whole, _)| &whole.kind) {
            Some(ConditionKind::Or(_)) => "or",
            _ => "and",
        };
        let is_first = part.within.is_some_and(|(_, first)| first);
        let named = (!in_let)
            .then(|| part.lets.last())
            .flatten()
            .and_then(|span| self.lets.get(&place(*span)));
        let quoted = match named {
            Some(name) => name.clone(),
            None => self.quoted(part.condition),
        };
        let quoted = if is_first {
            format!("{quoted} {word}")
        } else {
            format!("{word} {quoted}")
        };
        let diagnostic = Diagnostic::new(
            Code::ChangesNothing,
            if named.is_some() {
                asked.span
            } else {
                part.condition.span
            },
            format!("this `{quoted}` changes nothing"),
        )
        .help(
            "the condition holds for the same requests with and without it: correct it, or remove \
             it",
        );
        if named.is_some() {
            diagnostic.also(part.condition.span, "what it stands for")
        } else {
            diagnostic
        }
    }

    /// The text of a part, if it is short and on one line.
    fn quoted(self, condition: &Condition) -> String {
        let text = self.sources.text(condition.span);
        let text: Vec<&str> = text.split_whitespace().collect();
        let text = text.join(" ");
        if text.chars().count() > MAX_QUOTED {
            return "…".to_owned();
        }
        match condition.kind {
            ConditionKind::And(_) | ConditionKind::Or(_) if !text.starts_with('(') => {
                format!("({text})")
            }
            _ => text,
        }
    }
}

fn blind(asked: &Asked, part: &Part, claim: &str) -> Diagnostic {
    let diagnostic = Diagnostic::new(
        Code::NotWithoutClaim,
        part.condition.span,
        format!("this `not` is never true without `{claim}`"),
    )
    .help(format!(
        "write `claim {claim} absent or …` if tokens without it are to pass, and `claim {claim} \
         present and …` if they are not"
    ));
    if part.lets.is_empty() {
        diagnostic
    } else {
        diagnostic.also(asked.span, "used here")
    }
}

fn too_complex(asked: &Asked, what: &str) -> Diagnostic {
    Diagnostic::new(
        Code::TooComplex,
        Say::place(asked),
        format!(
            "the condition of `{}` is too complex to check: {what}",
            asked.name
        ),
    )
    .help("whether it can hold, and whether all of it makes a difference, is not known")
}
