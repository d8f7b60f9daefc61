//! A fast path for simple conditions, which are most of them.
//!
//! If each test can be true and false, and no two tests read the same value, every combination is
//! possible. Then every part makes a difference, and the condition is neither always nor never
//! true. Finding this out takes no diagram and a fraction of the time.

use crate::model::{
    Api, Atom, Bound, ClaimTest, Condition, ConditionKind, Issuer, Model, Operand, StringSet,
    TextTest, Values,
};
use crate::pattern::SegmentPattern;
use crate::settings::{ClaimId, IssuerId};
use crate::value::{AddressSet, ClaimType};

use super::atoms::Rule;
use super::cells::numbers::LARGEST;
use super::vocabulary::{Fits, is_segment};

/// Longer lists get the full analysis.
const MAX_MEMBERS: usize = 16;

/// A value that a test reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen<'m> {
    /// Everything in a member of the claims set.
    Member(&'m str),
    /// Whether the list at this path contains a text.
    Held(&'m [String], &'m str),
    /// Whether the scopes contain this one.
    Scope(&'m str),
    Segment(usize),
    Host,
    Address,
    Header(&'m str),
    Query(&'m str),
}

impl Seen<'_> {
    /// Whether the two values may depend on each other.
    fn meets(self, other: Self) -> bool {
        let of_scopes = |member: &str| member == "scope" || member == "scp";
        let first = |path: &'_ [String], name: &str| path.first().is_some_and(|own| own == name);
        match (self, other) {
            (Seen::Held(path, text), Seen::Held(other_path, other_text)) => {
                path.first() == other_path.first() && (path != other_path || text == other_text)
            }
            (Seen::Held(path, _), Seen::Member(name))
            | (Seen::Member(name), Seen::Held(path, _)) => first(path, name),
            (Seen::Scope(_), Seen::Member(name)) | (Seen::Member(name), Seen::Scope(_)) => {
                of_scopes(name)
            }
            (Seen::Scope(_), Seen::Held(path, _)) | (Seen::Held(path, _), Seen::Scope(_)) => {
                first(path, "scope") || first(path, "scp")
            }
            (one, other) => one == other,
        }
    }
}

/// Reads conditions of the rules of one API, for the tokens of one issuer.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'m> {
    model: &'m Model,
    api: &'m Api,
    issuer: Option<(IssuerId, &'m Issuer)>,
}

/// The values that some conditions read.
#[derive(Debug, Clone, Default)]
pub struct Sight<'m>(Vec<Seen<'m>>);

impl<'m> Sight<'m> {
    /// Adds the values that other conditions read.
    pub fn add(&mut self, other: Sight<'m>) {
        self.0.extend(other.0);
    }

    /// Whether the two have no value in common.
    pub fn is_apart(&self, other: &Sight<'_>) -> bool {
        !self
            .0
            .iter()
            .any(|one| other.0.iter().any(|other| one.meets(*other)))
    }
}

impl<'m> Reader<'m> {
    /// A reader for tokens of the first issuer.
    pub fn new(model: &'m Model, api: &'m Api) -> Reader<'m> {
        let issuer = api.issuers.first();
        Reader {
            model,
            api,
            issuer: issuer.and_then(|id| Some((*id, model.issuers.get(id.0 as usize)?))),
        }
    }

    /// Whether a condition is obviously free of findings.
    pub fn is_plain(mut self, rule: Rule<'m>, condition: &'m Condition) -> bool {
        // `token from` beside other tests: the rest is read for that issuer's tokens.
        if let ConditionKind::And(all) = &condition.kind {
            let issuer = |part: &Condition| part.atom().and_then(Atom::issuer);
            let mut named = all.iter().filter_map(issuer);
            if let Some(issuer) = named.next() {
                if named.next().is_some() || !self.api.issuers.contains(&issuer) {
                    return false;
                }
                self.issuer = self
                    .model
                    .issuers
                    .get(issuer.0 as usize)
                    .map(|known| (issuer, known));
                let mut sight = Sight::default();
                return all.iter().all(|part| {
                    part.atom().and_then(Atom::issuer).is_some()
                        || self.sees(rule, part, &mut sight)
                });
            }
        }
        self.sees(rule, condition, &mut Sight::default())
    }

    /// Adds the values that a condition reads. Returns whether its tests can be true and false in
    /// any combination, also together with the tests seen before.
    pub fn sees(&self, rule: Rule<'m>, condition: &'m Condition, sight: &mut Sight<'m>) -> bool {
        match &condition.kind {
            ConditionKind::And(parts) | ConditionKind::Or(parts) => {
                // Visit each of them, so that all values are added.
                let mut free = true;
                for part in parts {
                    free &= self.sees(rule, part, sight);
                }
                free
            }
            ConditionKind::Not(inner) => {
                self.sees(rule, inner, sight);
                false
            }
            ConditionKind::Atom(atom) => {
                let before = sight.0.len();
                let free = self.atom(rule, atom, &mut sight.0);
                let (seen, own) = sight.0.split_at(before);
                free && !own.is_empty()
                    && !own
                        .iter()
                        .any(|one| seen.iter().any(|other| one.meets(*other)))
            }
        }
    }

    fn atom(&self, rule: Rule<'m>, atom: &'m Atom, seen: &mut Vec<Seen<'m>>) -> bool {
        match atom {
            Atom::ScopeAny(scopes) | Atom::ScopeAll(scopes) => self.scopes(scopes, seen),
            Atom::Claim(claim, test) => self.claim(rule, *claim, test, seen),
            Atom::TokenFrom(_) | Atom::Method(_) => false,
            Atom::Client { any_of, .. } => {
                let Some((_, issuer)) = self.issuer else {
                    return false;
                };
                match &issuer.client_from {
                    Some(path) => seen.extend(path.first().map(|first| Seen::Member(first))),
                    None => seen.extend([Seen::Member("azp"), Seen::Member("client_id")]),
                }
                !any_of.members().is_empty()
            }
            Atom::Path(parameter, test) => {
                let literal = |text: &str| self.is_part(rule, *parameter, text);
                self.segment(rule, *parameter, seen)
                    && self.text(rule, test, seen, &literal)
                    && !is_settled(test)
            }
            Atom::Host(test) => {
                seen.push(Seen::Host);
                let fits = Fits::Label { but: Vec::new() };
                self.text(rule, test, seen, &|text| fits.allows(text)) && !is_settled(test)
            }
            Atom::Address { any_of, .. } => {
                seen.push(Seen::Address);
                !any_of.ranges().is_empty() && !holds_all(any_of)
            }
            Atom::Header(name, test) => {
                seen.push(Seen::Header(name));
                self.text(rule, test, seen, &|text| Fits::Header.allows(text))
            }
            Atom::Query(name, test) => {
                seen.push(Seen::Query(name));
                self.text(rule, test, seen, &|_| true)
            }
        }
    }

    fn scopes(&self, scopes: &'m [String], seen: &mut Vec<Seen<'m>>) -> bool {
        let Some((_, issuer)) = self.issuer else {
            return false;
        };
        let from = issuer.scopes_from.as_deref();
        if scopes.len() > MAX_MEMBERS {
            match from {
                Some(path) => seen.extend(path.first().map(|first| Seen::Member(first))),
                None => seen.extend([Seen::Member("scope"), Seen::Member("scp")]),
            }
        } else {
            seen.extend(scopes.iter().map(|scope| match from {
                Some(path) => Seen::Held(path, scope),
                None => Seen::Scope(scope),
            }));
        }
        scopes.iter().all(|scope| is_word(scope)) && from.is_none_or(|path| is_free(path, issuer))
    }

    /// The place of a claim in the issuer's tokens, and whether it can have any value of its type.
    fn place(&self, claim: ClaimId) -> Option<(&'m [String], ClaimType, bool, bool)> {
        let (_, issuer) = self.issuer?;
        let ty = self.model.claims.get(claim.0 as usize)?.ty;
        let place = issuer
            .claims
            .iter()
            .rev()
            .find(|place| place.claim == claim)?;
        let path = place.path.as_slice();
        let free = is_free(path, issuer)
            || match path {
                [one] if one == "sub" || one == "jti" => ty == ClaimType::String && !place.keys_of,
                _ => false,
            };
        Some((path, ty, place.keys_of, free))
    }

    fn claim(
        &self,
        rule: Rule<'m>,
        claim: ClaimId,
        test: &'m ClaimTest,
        seen: &mut Vec<Seen<'m>>,
    ) -> bool {
        let Some((path, ty, keys_of, free)) = self.place(claim) else {
            return false;
        };
        let whole = |seen: &mut Vec<Seen<'m>>| {
            seen.extend(path.first().map(|first| Seen::Member(first)));
        };
        let fits = |text: &str| keys_of || ty != ClaimType::Words || is_word(text);
        let held = |texts: &'m [String], seen: &mut Vec<Seen<'m>>| {
            if texts.len() > MAX_MEMBERS {
                whole(seen);
            } else {
                seen.extend(texts.iter().map(|text| Seen::Held(path, text)));
            }
            !texts.is_empty() && texts.iter().all(|text| fits(text))
        };
        let list = |values: &'m Values, seen: &mut Vec<Seen<'m>>| match values {
            Values::Strings(set) => held(set.members(), seen),
            Values::Numbers(numbers) => {
                whole(seen);
                !numbers.is_empty()
            }
            Values::Booleans(_) => {
                whole(seen);
                false
            }
        };
        free && match test {
            ClaimTest::Present | ClaimTest::Absent => {
                whole(seen);
                true
            }
            ClaimTest::Equals { operand, .. } => {
                whole(seen);
                self.operand(rule, operand, seen)
            }
            ClaimTest::StartsWith(operand) | ClaimTest::EndsWith(operand) => {
                whole(seen);
                self.operand(rule, operand, seen)
                    && operand.string().is_none_or(|text| !text.is_empty())
            }
            ClaimTest::InDomain(_) | ClaimTest::Within(_) => {
                whole(seen);
                true
            }
            ClaimTest::Order { bound, .. } => {
                whole(seen);
                match bound {
                    Bound::Number(number) => number.get().abs() < LARGEST,
                    Bound::Now => true,
                }
            }
            ClaimTest::In { any_of, .. } => {
                whole(seen);
                match any_of {
                    Values::Strings(set) => !set.members().is_empty(),
                    Values::Numbers(numbers) => !numbers.is_empty(),
                    Values::Booleans(booleans) => {
                        booleans.contains(&true) != booleans.contains(&false)
                    }
                }
            }
            ClaimTest::Contains(operand) => match operand {
                Operand::String(text) => held(std::slice::from_ref(text), seen),
                Operand::Number(_)
                | Operand::Boolean(_)
                | Operand::Path(_)
                | Operand::Host
                | Operand::Claim(_)
                | Operand::Now => {
                    whole(seen);
                    self.operand(rule, operand, seen) && ty != ClaimType::Words
                }
            },
            ClaimTest::ContainsAny(values) | ClaimTest::ContainsAll(values) => list(values, seen),
        }
    }

    /// Adds the other side of a comparison. Returns whether it is a constant or can have any value.
    fn operand(&self, rule: Rule<'m>, operand: &'m Operand, seen: &mut Vec<Seen<'m>>) -> bool {
        match operand {
            Operand::String(_) | Operand::Boolean(_) | Operand::Now => true,
            Operand::Number(number) => number.get().abs() < LARGEST,
            Operand::Path(parameter) => self.segment(rule, *parameter, seen),
            Operand::Host => {
                seen.push(Seen::Host);
                true
            }
            Operand::Claim(claim) => match self.place(*claim) {
                Some((path, _, _, free)) => {
                    let Some(first) = path.first() else {
                        return false;
                    };
                    let one = Seen::Member(first);
                    let fresh = !seen.contains(&one);
                    seen.push(one);
                    free && fresh
                }
                None => false,
            },
        }
    }

    fn segment(&self, rule: Rule<'m>, parameter: usize, seen: &mut Vec<Seen<'m>>) -> bool {
        let Some(parameter) = rule.parameters.get(parameter) else {
            return false;
        };
        seen.push(Seen::Segment(parameter.segment));
        !self.api.paths.case_insensitive
    }

    /// Whether a parameter can hold this text.
    fn is_part(&self, rule: Rule<'m>, parameter: usize, text: &str) -> bool {
        let segment = rule
            .parameters
            .get(parameter)
            .and_then(|parameter| rule.path.segments.get(parameter.segment));
        let (before, behind) = segment.map_or(("", ""), SegmentPattern::affixes);
        let whole = format!("{before}{text}{behind}");
        !text.is_empty() && is_segment(&whole, false, self.api.paths.allow_encoded_slash)
    }

    /// A test of a text of the request. `literal` says whether the text can be a given constant.
    fn text(
        &self,
        rule: Rule<'m>,
        test: &'m TextTest,
        seen: &mut Vec<Seen<'m>>,
        literal: &dyn Fn(&str) -> bool,
    ) -> bool {
        match test {
            TextTest::Present => true,
            TextTest::In { any_of, .. } => some(any_of, literal),
            TextTest::Equals { operand, .. } => {
                self.operand(rule, operand, seen)
                    && operand.string().is_none_or(|text| literal(text))
            }
            TextTest::StartsWith(operand) => {
                self.operand(rule, operand, seen)
                    && operand
                        .string()
                        .is_none_or(|text| !text.is_empty() && literal(&format!("{text}x")))
            }
        }
    }
}

/// Whether the rest of the URL may determine the result of a test of one part. The URL always has
/// the part, and may also have the other side.
fn is_settled(test: &TextTest) -> bool {
    match test {
        TextTest::Present => true,
        TextTest::In { .. } => false,
        TextTest::Equals { operand, .. } | TextTest::StartsWith(operand) => match operand {
            Operand::Path(_) | Operand::Host => true,
            Operand::String(_)
            | Operand::Number(_)
            | Operand::Boolean(_)
            | Operand::Claim(_)
            | Operand::Now => false,
        },
    }
}

fn some(set: &StringSet, holds: &dyn Fn(&str) -> bool) -> bool {
    set.members().iter().any(|member| holds(member))
}

/// Whether this text can be an element of a list that is a string split at spaces.
fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(' ')
}

/// Whether a member can have any type, because only rules read it.
fn is_free(path: &[String], issuer: &Issuer) -> bool {
    const LOOKED_AT: [&str; 8] = ["aud", "cnf", "exp", "iat", "iss", "jti", "nbf", "sub"];
    let tenant = match &issuer.url {
        crate::settings::IssuerUrl::Tenant { claim, .. } => claim.first(),
        crate::settings::IssuerUrl::Exact(_) => None,
    };
    path.first()
        .is_some_and(|first| !LOOKED_AT.contains(&first.as_str()) && tenant != Some(first))
}

/// Whether a set may contain all addresses of a family.
fn holds_all(set: &AddressSet) -> bool {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
    set.contains(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
        || set.contains(IpAddr::V6(Ipv6Addr::UNSPECIFIED))
}
