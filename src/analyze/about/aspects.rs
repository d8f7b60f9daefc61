//! Compares the settings of two APIs and finds a request that shows each difference.

use serde_json::{Map, Value, json};

use crate::json::number;
use crate::model::{Api, Issuer};
use crate::reason::Reason;
use crate::settings::{Binding, Origin, Senders, TokenKind, TokenPlace};

use super::super::change::{Effect, Verdict};
use super::super::compare::Region;
use super::super::tokens::{Case, Demands};
use super::aspect::Aspect;
use super::{Trial, settings};

/// The differences between the two APIs of a region.
pub fn aspects<'m>(region: &Region<'_, 'm>) -> Vec<Aspect<'m>> {
    let (Some(old), Some(new)) = (region.api(0), region.api(1)) else {
        return Vec::new();
    };
    let mut aspects = Vec::new();
    for case in region.cases() {
        let url = settings::url(&case);
        match (case.old, case.new) {
            (Some(_), None) => aspects.push(Aspect::new(
                format!("tokens of {url} are no longer accepted"),
                vec![token(&case, Map::new(), [true, false])],
            )),
            (None, Some(_)) => aspects.push(Aspect::new(
                format!("tokens of {url} are now accepted"),
                vec![token(&case, Map::new(), [false, true])],
            )),
            (Some(old_token), Some(new_token)) => {
                let demands = [Demands::of(old, old_token), Demands::of(new, new_token)];
                aspects.extend(audiences(&case, &url, &demands));
                aspects.extend(times(&case, &url, &demands, region.now));
                aspects.extend(kinds(&case, &url, &demands));
                aspects.extend(senders(&case, &url, &demands));
                aspects.extend(keys(&case, &url, old_token.issuer, new_token.issuer));
            }
            (None, None) => {}
        }
    }
    aspects.extend(places(region, old, new));
    aspects.extend(forwarded(region, old, new));
    aspects.extend(origins(old, new));
    aspects.extend(answering(old, new));
    aspects.extend(pages(region, old, new));
    aspects.extend(super::paths::aspect(old, new));
    aspects
}

fn token<'m>(case: &Case<'m>, claims: Map<String, Value>, taken: [bool; 2]) -> Trial<'m> {
    Trial::Token {
        case: case.clone(),
        claims,
        taken,
    }
}

fn unshown<'m>(case: &Case<'m>, effect: Effect, reason: Reason) -> Trial<'m> {
    let (allow, deny) = (Verdict::Allow, Verdict::Deny(reason));
    Trial::Unshown {
        case: case.clone(),
        effect,
        verdicts: match effect {
            Effect::Loosened => [deny, allow],
            Effect::Tightened | Effect::Changed => [allow, deny],
        },
    }
}

/// The effect if something is only in the first, only in the second, or both.
fn effect(lost: bool, gained: bool) -> Option<Effect> {
    match (lost, gained) {
        (false, false) => None,
        (false, true) => Some(Effect::Loosened),
        (true, false) => Some(Effect::Tightened),
        (true, true) => Some(Effect::Changed),
    }
}

/// Tokens for the smallest audience lists of either side, in `aud` and in other claims that are
/// read as the audience.
fn audiences<'m>(case: &Case<'m>, url: &str, demands: &[Demands; 2]) -> Option<Aspect<'m>> {
    let mut lists: Vec<Vec<String>> = demands.iter().flat_map(Demands::audiences).collect();
    lists.sort_unstable();
    lists.dedup();
    let mut trials = Vec::new();
    for list in &lists {
        let taken = demands.each_ref().map(|demands| demands.takes(list));
        if taken[0] != taken[1] {
            let value = match list.as_slice() {
                [] => Value::Null,
                [one] => json!(one),
                several => json!(several),
            };
            trials.push(token(
                case,
                Map::from_iter([("aud".to_owned(), value)]),
                taken,
            ));
        }
        let [audience] = list.as_slice() else {
            continue;
        };
        let elsewhere = demands
            .iter()
            .filter_map(|demands| demands.audience_from.as_ref());
        for path in elsewhere {
            let taken = demands.each_ref().map(|demands| {
                if demands.audience_from.as_ref() == Some(path) {
                    demands.takes(list)
                } else {
                    demands.takes(&[])
                }
            });
            if taken[0] != taken[1] {
                let mut pinned = case.clone();
                pinned.tenants.push((path.clone(), audience.clone()));
                let claims = Map::from_iter([("aud".to_owned(), Value::Null)]);
                trials.push(token(&pinned, claims, taken));
            }
        }
    }
    let [old, new] = demands.each_ref().map(settings::audiences);
    (!trials.is_empty()).then(|| {
        Aspect::new(
            format!("the audience of tokens of {url}: {old} became {new}"),
            trials,
        )
    })
}

/// Tokens whose times are at the limit of what one side accepts.
fn times<'m>(case: &Case<'m>, url: &str, demands: &[Demands; 2], now: f64) -> Vec<Aspect<'m>> {
    let mut aspects = Vec::new();
    let [old, new] = demands;
    let set = |name: &str, at: f64| Map::from_iter([(name.to_owned(), number(at))]);
    let differs = |old: f64, new: f64| old.total_cmp(&new).is_ne();
    if differs(old.leeway, new.leeway) {
        let less = old.leeway.min(new.leeway);
        let more = old.leeway.max(new.leeway);
        let taken = [old.leeway > new.leeway, new.leeway > old.leeway];
        aspects.push(Aspect::new(
            format!(
                "the leeway for the times of tokens of {url}: {} s became {} s",
                old.leeway, new.leeway
            ),
            vec![
                token(case, set("exp", now - less), taken),
                token(case, set("nbf", now + more), taken),
            ],
        ));
    }
    // Accept tokens that were issued between these times, or at any time.
    let span = |demands: &Demands| {
        demands
            .max_age
            .map(|age| (now - age - demands.leeway, now + demands.leeway))
    };
    let takes = |demands: &Demands, issued: Option<f64>| match (span(demands), issued) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some((first, last)), Some(issued)) => first <= issued && issued <= last,
    };
    let mut trials = Vec::new();
    let edges = demands.iter().filter_map(span).flat_map(|(first, last)| {
        // An hour earlier or later is beyond the leeway.
        [first, last, first - 3_600.0, last + 3_600.0].map(Some)
    });
    for issued in std::iter::once(None).chain(edges) {
        let taken = demands.each_ref().map(|demands| takes(demands, issued));
        if taken[0] != taken[1] {
            let issued = issued.map_or(Value::Null, number);
            let claims = Map::from_iter([("iat".to_owned(), issued)]);
            trials.push(token(case, claims, taken));
        }
    }
    if !trials.is_empty() {
        let shown =
            |age: Option<f64>| age.map_or("none".to_owned(), |seconds| format!("{seconds} s"));
        aspects.push(Aspect::new(
            format!(
                "the max age of tokens of {url}: {} became {}",
                shown(old.max_age),
                shown(new.max_age)
            ),
            trials,
        ));
    }
    aspects
}

/// Tokens that are recognised as one kind or the other.
fn kinds<'m>(case: &Case<'m>, url: &str, demands: &[Demands; 2]) -> Option<Aspect<'m>> {
    let [old, new] = demands.each_ref().map(|demands| demands.kind);
    if old == new {
        return None;
    }
    let is_id = [old, new].map(|kind| kind == TokenKind::Id);
    let trials = if is_id[0] == is_id[1] {
        let effect = if new == TokenKind::Access {
            Effect::Tightened
        } else {
            Effect::Loosened
        };
        vec![unshown(case, effect, Reason::TokenWrongType)]
    } else {
        let claim = |name: &str, value: &str| Map::from_iter([(name.to_owned(), json!(value))]);
        vec![
            token(case, claim("at_hash", "x"), is_id),
            token(
                case,
                claim("token_use", "access"),
                is_id.map(|is_id| !is_id),
            ),
        ]
    };
    let [old, new] = [old, new].map(settings::kind);
    Some(Aspect::new(
        format!("the kind of tokens of {url}: `{old}` became `{new}`"),
        trials,
    ))
}

/// How tokens must be bound to their sender.
fn senders<'m>(case: &Case<'m>, url: &str, demands: &[Demands; 2]) -> Option<Aspect<'m>> {
    let [old, new] = demands.each_ref().map(|demands| demands.senders);
    // Whether a token that is bound by a method passes depends only on the setting for that method.
    let takes = |binding: Binding, bound: bool| match binding {
        Binding::Undeclared => !bound,
        Binding::Optional => true,
        Binding::Required => bound,
    };
    let gains = |from: Senders, to: Senders| {
        let kinds = [(false, false), (true, false), (false, true), (true, true)];
        kinds.into_iter().any(|(key, certificate)| {
            let taken = |by: Senders| takes(by.dpop, key) && takes(by.mtls, certificate);
            taken(to) && !taken(from)
        })
    };
    let effect = effect(gains(new, old), gains(old, new))?;
    let [old, new] = [old, new].map(settings::senders);
    Some(Aspect::new(
        format!("what tokens of {url} are bound to: {old} became {new}"),
        vec![unshown(case, effect, Reason::TokenSender)],
    ))
}

/// Differences that no claims set shows: keys and algorithms.
fn keys<'m>(case: &Case<'m>, url: &str, old: &Issuer, new: &Issuer) -> Vec<Aspect<'m>> {
    let mut aspects = Vec::new();
    let lacks = |one: &Issuer, other: &Issuer| {
        one.algorithms
            .iter()
            .any(|algorithm| !other.algorithms.contains(algorithm))
    };
    if let Some(effect) = effect(lacks(old, new), lacks(new, old)) {
        aspects.push(Aspect::new(
            format!(
                "the algorithms of {url}: {} became {}",
                settings::algorithms(old),
                settings::algorithms(new)
            ),
            vec![unshown(case, effect, Reason::TokenAlgorithm)],
        ));
    }
    let (old_keys, new_keys) = (settings::keys(old), settings::keys(new));
    let lacks = |one: &[String], other: &[String]| one.iter().any(|key| !other.contains(key));
    if let Some(effect) = effect(lacks(&old_keys, &new_keys), lacks(&new_keys, &old_keys)) {
        aspects.push(Aspect::new(
            format!(
                "the keys of {url}: {} became {}",
                old_keys.join(", "),
                new_keys.join(", ")
            ),
            vec![unshown(case, effect, Reason::TokenUnknownKey)],
        ));
    }
    aspects.extend(introspection(case, url, old, new));
    aspects
}

/// Introspection endpoints: a different endpoint may consider other tokens active.
fn introspection<'m>(case: &Case<'m>, url: &str, old: &Issuer, new: &Issuer) -> Option<Aspect<'m>> {
    let (effect, reason) = match (&old.introspect, &new.introspect) {
        (old, new) if old == new => return None,
        (None, _) => (Effect::Loosened, Reason::TokenOpaque),
        (_, None) => (Effect::Tightened, Reason::TokenOpaque),
        _ => (Effect::Changed, Reason::TokenRevoked),
    };
    let said = |issuer: &Issuer| {
        let endpoint = issuer.introspect.as_ref();
        endpoint.map_or_else(|| "nobody".to_owned(), |url| format!("`{url}`"))
    };
    Some(Aspect::new(
        format!(
            "who introspects opaque tokens of {url}: {} became {}",
            said(old),
            said(new)
        ),
        vec![unshown(case, effect, reason)],
    ))
}

fn places<'m>(region: &Region<'_, 'm>, old: &Api, new: &Api) -> Option<Aspect<'m>> {
    let lacks = |one: &Api, other: &Api| {
        one.token_places
            .iter()
            .any(|place| !other.token_places.contains(place))
    };
    if !lacks(old, new) && !lacks(new, old) {
        return None;
    }
    // If a place is added or removed, clients that send a token there get in or are locked out. For
    // clients that send another token beside it, the reverse is true, since two tokens are refused.
    let effect = Effect::Changed;
    Some(Aspect::new(
        format!(
            "where tokens are read from: {} became {}",
            settings::places(old),
            settings::places(new)
        ),
        region
            .cases()
            .iter()
            .map(|case| unshown(case, effect, Reason::TokenMissing))
            .collect(),
    ))
}

/// Forwarded values, by header.
fn forwarded<'m>(region: &Region<'_, 'm>, old: &'m Api, new: &'m Api) -> Option<Aspect<'m>> {
    let names = |api: &Api| {
        let mut names: Vec<String> = api
            .forward
            .iter()
            .map(|forward| forward.header.clone())
            .collect();
        names.sort_unstable();
        names
    };
    let mut trials = Vec::new();
    let [old_group, new_group] = region.groups;
    for case in region.cases() {
        let (Some(old_token), Some(new_token)) = (case.old, case.new) else {
            continue;
        };
        let old_sources = settings::forwarded(old_group.model(), old, old_token.issuer);
        let new_sources = settings::forwarded(new_group.model(), new, new_token.issuer);
        if old_sources == new_sources && old.forward_no_token == new.forward_no_token {
            continue;
        }
        let mut claims = Map::new();
        for (at, source) in (1..).zip(old_sources.values().chain(new_sources.values())) {
            settings::example(source, at, &mut claims);
        }
        trials.push(Trial::Forwarded {
            case: Some(case.clone()),
            claims,
        });
    }
    if names(old) != names(new) {
        // They are removed from every request.
        trials.push(Trial::Forwarded {
            case: None,
            claims: Map::new(),
        });
    }
    // One request that shows it is enough.
    (!trials.is_empty()).then(|| {
        Aspect::new(
            format!(
                "the headers that are forwarded: {} became {}",
                settings::forwards(old_group.model(), old),
                settings::forwards(new_group.model(), new)
            ),
            trials,
        )
    })
}

/// An example of each kind of origin that an API lists.
fn origins_of(api: &Api) -> Vec<String> {
    let mut origins: Vec<String> = api
        .cors
        .iter()
        .flat_map(|cors| &cors.origins)
        .map(|origin| match origin {
            Origin::Any => "https://any.invalid".to_owned(),
            Origin::Exact(origin) => origin.clone(),
            Origin::Label { scheme, suffix } => format!("{scheme}any-label.{suffix}"),
        })
        .collect();
    if api.preflight_public {
        origins.push("https://any.invalid".to_owned());
    }
    origins
}

/// Requests from pages of each listed origin, and of an unlisted one.
fn origins<'m>(old: &Api, new: &Api) -> Option<Aspect<'m>> {
    let listed = |api: &Api| {
        let cors = api.cors.clone();
        cors.map(|cors| (cors.origins, cors.credentials))
    };
    if listed(old) == listed(new) && old.preflight_public == new.preflight_public {
        return None;
    }
    let mut origins: Vec<String> = origins_of(old);
    origins.extend(origins_of(new));
    // An origin that neither lists.
    origins.push("https://any.invalid".to_owned());
    origins.sort_unstable();
    origins.dedup();
    let about = format!(
        "the browsers that may ask (CORS): {} became {}",
        settings::cors(old),
        settings::cors(new)
    );
    let trials = origins.into_iter().map(Trial::Origin).collect();
    Some(Aspect {
        of_origins: true,
        ..Aspect::new(about, trials)
    })
}

/// Who answers the preflights of listed origins and tells their pages that they may read responses.
/// No decision shows this difference: both policies let the preflight pass.
fn answering<'m>(old: &Api, new: &Api) -> Option<Aspect<'m>> {
    let both = old.cors.is_some() && new.cors.is_some();
    (both && old.answers_preflights() != new.answers_preflights()).then(|| {
        Aspect::new(
            format!(
                "CORS preflights that pass: answered by {} became answered by {}",
                settings::answering(old),
                settings::answering(new)
            ),
            vec![Trial::Answering],
        )
    })
}

/// The origins whose requests count with a token in a cookie. No request shows this difference,
/// since a claims set doesn't say that the token was in a cookie.
fn pages<'m>(region: &Region<'_, 'm>, old: &Api, new: &Api) -> Option<Aspect<'m>> {
    let in_cookies = |api: &Api| {
        let mut places = api.token_places.iter();
        places.any(|place| matches!(place, TokenPlace::Cookie(_)))
    };
    if !in_cookies(old) || !in_cookies(new) {
        // Places for tokens are compared separately.
        return None;
    }
    let listed = |api: &Api| -> Vec<Origin> {
        let cors = api.cors.iter().filter(|cors| cors.credentials);
        cors.flat_map(|cors| cors.origins.clone()).collect()
    };
    let [old, new] = [listed(old), listed(new)];
    let lacks = |one: &[Origin], other: &[Origin]| {
        one.iter().any(|origin| match origin {
            Origin::Exact(exact) => !other.iter().any(|listed| listed.matches(exact)),
            Origin::Any | Origin::Label { .. } => {
                !other.contains(origin) && !other.contains(&Origin::Any)
            }
        })
    };
    let effect = effect(lacks(&old, &new), lacks(&new, &old))?;
    let [old, new] = [old, new].map(|origins| settings::origins(&origins));
    let cases = region.cases();
    let trials = cases
        .iter()
        .map(|case| unshown(case, effect, Reason::RequestCondition));
    Some(Aspect::new(
        format!("the pages whose cookies count: {old} became {new}"),
        trials.collect(),
    ))
}
