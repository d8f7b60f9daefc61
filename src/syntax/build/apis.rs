//! The settings of an API.

use super::issuers::sender;
use super::literals::{name, names, term_in, terms, word};
use super::{Node, Notes, Rule};
use crate::source::Spanned;
use crate::syntax::ast::{ApiSetting, Forward, Name, PathOption, TokenPlace};

/// The name in `api NAME {`.
pub(in crate::syntax) fn api_name(node: &Node, notes: &mut Notes) -> Option<Name> {
    Some(name(&node.child(Rule::name)?, notes))
}

/// One setting.
pub(in crate::syntax) fn api_setting(node: &Node, notes: &mut Notes) -> Option<ApiSetting> {
    Some(match node.rule() {
        Rule::host => ApiSetting::Host(terms(node, notes)?),
        Rule::issuers => ApiSetting::Issuer(names(node, notes)),
        Rule::api_audience => match node.child(Rule::audience_any) {
            Some(any) => ApiSetting::AudienceAny(term_in(&any, notes)?),
            None => ApiSetting::Audience(terms(node, notes)?),
        },
        Rule::scopes => ApiSetting::Scopes(terms(node, notes)?),
        Rule::realm => ApiSetting::Realm(term_in(node, notes)?),
        Rule::token_in => ApiSetting::TokenIn {
            only: node.child(Rule::k_only).is_some(),
            places: node
                .children()
                .filter(|child| child.rule() == Rule::token_place)
                .map(|child| token_place(&child, notes))
                .collect::<Option<_>>()?,
        },
        Rule::cors => ApiSetting::Cors {
            origins: terms(node, notes)?,
            credentials: node.child(Rule::with_credentials).is_some(),
            passed_on: node.child(Rule::passed_on).is_some(),
        },
        Rule::preflight => ApiSetting::PreflightPublic,
        Rule::forward => ApiSetting::Forward(forward(&node.children().nth(1)?, notes)?),
        Rule::paths => ApiSetting::Paths(path_option(node)?),
        Rule::sender => ApiSetting::Sender(sender(node)?),
        _ => return None,
    })
}

fn token_place(node: &Node, notes: &mut Notes) -> Option<Spanned<TokenPlace>> {
    let term = term_in(node, notes)?;
    let place = match node.only()?.rule() {
        Rule::k_header => TokenPlace::Header(term),
        Rule::k_cookie => TokenPlace::Cookie(term),
        Rule::k_query => TokenPlace::Query(term),
        Rule::k_subprotocol => TokenPlace::Subprotocol(term),
        _ => return None,
    };
    Some(Spanned::new(place, node.span()))
}

fn forward(node: &Node, notes: &mut Notes) -> Option<Forward> {
    Some(match node.rule() {
        Rule::forward_no_token => Forward::NoToken,
        Rule::forward_payload => Forward::Payload {
            header: term_in(node, notes)?,
        },
        Rule::forward_claim => Forward::Claim {
            claim: word(&node.child(Rule::word)?),
            header: term_in(node, notes)?,
            json: node.child(Rule::as_json).is_some(),
        },
        _ => return None,
    })
}

fn path_option(node: &Node) -> Option<PathOption> {
    let part = node.children().nth(1)?;
    Some(match part.rule() {
        Rule::k_case_insensitive => PathOption::CaseInsensitive,
        Rule::paths_allow => match part.children().nth(1)?.rule() {
            Rule::k_encoded_slash => PathOption::AllowEncodedSlash,
            Rule::k_matrix_parameters => PathOption::AllowMatrixParameters,
            _ => return None,
        },
        _ => return None,
    })
}
