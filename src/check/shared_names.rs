//! Names that applications read as one, but that have two meanings in a policy.
//!
//! A request with another spelling of a forwarded header or a token's place is refused
//! (`engine::spellings`), so a condition on such a spelling would never be evaluated. And a
//! forwarded header can't be where the client puts its token.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::headers::{fold, reads_as, same};
use crate::model::{Atom, Model};
use crate::settings::{ApiId, TokenPlace};
use crate::source::{Span, Spanned};

use super::context::ApiInfo;
use super::out::Out;

/// The headers that any API forwards, by their folded form.
type Forwarded<'a> = BTreeMap<String, &'a Spanned<String>>;

/// Compares the names of all APIs.
pub(super) fn check(infos: &[ApiInfo], model: &Model, out: &mut Out) {
    let forwarded: Forwarded = infos
        .iter()
        .flat_map(|info| &info.forwarded)
        .map(|header| (fold(&header.node), header))
        .collect();
    let by_id: BTreeMap<ApiId, &ApiInfo> = infos.iter().map(|info| (info.id, info)).collect();
    for info in infos {
        check_places(info, &forwarded, out);
    }
    let conditions = model
        .apis
        .iter()
        .zip(infos)
        .flat_map(|(api, info)| api.conditions().map(move |condition| (info, condition)));
    let guards = model
        .guards
        .iter()
        .filter_map(|guard| Some((*by_id.get(&guard.api)?, guard.condition.as_ref()?)));
    for (info, condition) in conditions.chain(guards) {
        for (span, atom) in condition.atoms() {
            check_atom(info, &forwarded, span, atom, out);
        }
    }
}

/// Compares the token places of an API with each other, and with the headers that any API forwards.
fn check_places(info: &ApiInfo, forwarded: &Forwarded, out: &mut Out) {
    for (at, place) in info.token_places.iter().enumerate() {
        if let TokenPlace::Header(name) = &place.node
            && let Some(forward) = forwarded.get(&fold(name))
        {
            out.say(
                Diagnostic::new(
                    Code::SharedName,
                    place.span,
                    format!("the header `{name}` holds the client's token and is forwarded"),
                )
                .also(
                    forward.span,
                    "forwarded here, so what a client sends in it is removed",
                )
                .help("give one of them another name"),
            );
        }
        let doubled = info.token_places.iter().take(at).find(|other| {
            match (&other.node, &place.node) {
                (TokenPlace::Cookie(a), TokenPlace::Cookie(b))
                | (TokenPlace::Query(a), TokenPlace::Query(b)) => reads_as(a, b) || reads_as(b, a),
                // These places have no other spelling, and duplicates were reported already.
                _ => false,
            }
        });
        if let Some(other) = doubled {
            out.say(
                Diagnostic::new(
                    Code::SharedName,
                    place.span,
                    "some applications can't tell this place from another one",
                )
                .also(other.span, "the other place")
                .help("keep the one that clients use: a request that has both is refused"),
            );
        }
    }
}

fn check_atom(info: &ApiInfo, forwarded: &Forwarded, span: Span, atom: &Atom, out: &mut Out) {
    let mut say = |what: &str, read: &str, name: &str, meant: Span, why: &str| {
        out.say(
            Diagnostic::new(
                Code::OtherSpelling,
                span,
                format!("some applications read the {what} `{read}` as `{name}`"),
            )
            .also(meant, why)
            .help(format!(
                "a request that has it is refused before any rule applies; rename it, or read \
                `{name}`"
            )),
        );
    };
    match atom {
        Atom::Header(read, _) => {
            let other = |name: &str| name != read && same(name, read);
            let forward = forwarded.get(&fold(read));
            if let Some(forward) = forward.filter(|forward| other(&forward.node)) {
                say(
                    "header",
                    read,
                    &forward.node,
                    forward.span,
                    "which is forwarded",
                );
            }
            for place in &info.token_places {
                if let TokenPlace::Header(name) = &place.node
                    && other(name)
                {
                    say("header", read, name, place.span, "which holds the token");
                }
            }
        }
        Atom::Query(read, _) => {
            for place in &info.token_places {
                if let TokenPlace::Query(name) = &place.node
                    && name != read
                    && reads_as(read, name)
                {
                    say("parameter", read, name, place.span, "which holds the token");
                }
            }
        }
        Atom::ScopeAny(_)
        | Atom::ScopeAll(_)
        | Atom::Claim(..)
        | Atom::TokenFrom(_)
        | Atom::Client { .. }
        | Atom::Path(..)
        | Atom::Host(_)
        | Atom::Method(_)
        | Atom::Address { .. } => {}
    }
}
