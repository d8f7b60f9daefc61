//! The contents of an issuer.

use super::literals::{claim_path_in, name, term_in, terms, type_in, word};
use super::{Node, Notes, Rule};
use crate::settings::TokenKind;
use crate::syntax::ast::{ClaimDeclaration, IssuerSetting, Name, Sender, SenderMethod};

/// The name in `issuer NAME {`.
pub(in crate::syntax) fn issuer_name(node: &Node, notes: &mut Notes) -> Option<Name> {
    Some(name(&node.child(Rule::name)?, notes))
}

/// One setting, except `claims`.
pub(in crate::syntax) fn issuer_setting(node: &Node, notes: &mut Notes) -> Option<IssuerSetting> {
    Some(match node.rule() {
        Rule::url => IssuerSetting::Url(term_in(node, notes)?),
        Rule::keys => keys(node, notes)?,
        Rule::algorithms => IssuerSetting::Algorithms(
            node.children()
                .filter(|child| child.rule() == Rule::word)
                .map(|child| word(&child))
                .collect(),
        ),
        Rule::leeway => IssuerSetting::Leeway(term_in(node, notes)?),
        Rule::max_age => IssuerSetting::MaxAge(term_in(node, notes)?),
        Rule::tokens => IssuerSetting::Tokens(match node.children().nth(1)?.rule() {
            Rule::k_jwt => TokenKind::Jwt,
            Rule::k_access => TokenKind::Access,
            Rule::k_id => TokenKind::Id,
            _ => return None,
        }),
        Rule::scopes_from => IssuerSetting::ScopesFrom(claim_path_in(node, notes)?),
        Rule::client_from => IssuerSetting::ClientFrom(claim_path_in(node, notes)?),
        Rule::issuer_audience => match node.child(Rule::k_from) {
            Some(_) => IssuerSetting::AudienceFrom(claim_path_in(node, notes)?),
            None => IssuerSetting::Audience(terms(node, notes)?),
        },
        Rule::sender => IssuerSetting::Sender(sender(node)?),
        _ => return None,
    })
}

fn keys(node: &Node, notes: &mut Notes) -> Option<IssuerSetting> {
    let part = node.children().nth(1)?;
    Some(match part.rule() {
        Rule::k_discover => IssuerSetting::KeysDiscover,
        Rule::keys_url => IssuerSetting::KeysUrl(terms(&part, notes)?),
        Rule::keys_file => IssuerSetting::KeysFile(terms(&part, notes)?),
        Rule::keys_introspect => IssuerSetting::KeysIntrospect(term_in(&part, notes)?),
        _ => return None,
    })
}

/// `sender dpop|mtls [optional|required]`; the default is required.
pub(super) fn sender(node: &Node) -> Option<Sender> {
    let method = match node.children().nth(1)?.rule() {
        Rule::k_dpop => SenderMethod::Dpop,
        Rule::k_mtls => SenderMethod::Mtls,
        _ => return None,
    };
    Some(Sender {
        method,
        required: node.child(Rule::k_optional).is_none(),
    })
}

/// `NAME TYPE [from [keys of] PATH]`
pub(in crate::syntax) fn claim_declaration(
    node: &Node,
    notes: &mut Notes,
) -> Option<ClaimDeclaration> {
    let from = node.child(Rule::claim_from);
    let keys_of = from
        .as_ref()
        .is_some_and(|from| from.child(Rule::keys_of).is_some());
    Some(ClaimDeclaration {
        span: node.span(),
        name: name(&node.child(Rule::word)?, notes),
        ty: type_in(node)?,
        from: match from {
            Some(from) => Some(claim_path_in(&from, notes)?),
            None => None,
        },
        keys_of,
    })
}
