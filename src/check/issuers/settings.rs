//! The settings of one issuer, collected from its block.

use crate::settings::TokenKind;
use crate::source::Spanned;
use crate::syntax::ast::{self, IssuerSetting};

use super::super::out::{Out, once};
use super::super::sender::SenderSettings;

/// The settings of one issuer, each with its place in the policy.
#[derive(Default)]
pub(super) struct Settings<'a> {
    pub url: Option<Spanned<&'a ast::Term>>,
    pub keys: Option<Spanned<&'a IssuerSetting>>,
    pub introspect: Option<Spanned<&'a ast::Term>>,
    pub algorithms: Option<Spanned<&'a [ast::Name]>>,
    pub leeway: Option<Spanned<&'a ast::Term>>,
    pub max_age: Option<Spanned<&'a ast::Term>>,
    pub tokens: Option<Spanned<TokenKind>>,
    pub scopes_from: Option<Spanned<&'a ast::ClaimPath>>,
    pub client_from: Option<Spanned<&'a ast::ClaimPath>>,
    pub audience_from: Option<Spanned<&'a ast::ClaimPath>>,
    pub audience: Option<Spanned<&'a [ast::Term]>>,
    pub claims: Option<Spanned<&'a [ast::ClaimDeclaration]>>,
    pub sender: SenderSettings,
}

impl<'a> Settings<'a> {
    /// Whether the keys are discovered from the issuer's URL.
    pub fn discovers(&self) -> bool {
        let keys = self.keys.as_ref().map(|keys| keys.node);
        !matches!(
            keys,
            Some(IssuerSetting::KeysUrl(_) | IssuerSetting::KeysFile(_))
        )
    }

    /// Collects the settings of a block.
    pub fn sort(issuer: &'a ast::Issuer, out: &mut Out) -> Settings<'a> {
        let mut settings = Settings::default();
        for setting in &issuer.settings {
            let span = setting.span;
            match &setting.node {
                IssuerSetting::Url(url) => once(&mut settings.url, url, span, "url", out),
                IssuerSetting::KeysDiscover
                | IssuerSetting::KeysUrl(_)
                | IssuerSetting::KeysFile(_) => {
                    once(&mut settings.keys, &setting.node, span, "keys", out);
                }
                IssuerSetting::KeysIntrospect(term) => {
                    once(&mut settings.introspect, term, span, "keys introspect", out);
                }
                IssuerSetting::Algorithms(names) => {
                    once(
                        &mut settings.algorithms,
                        names.as_slice(),
                        span,
                        "algorithms",
                        out,
                    );
                }
                IssuerSetting::Leeway(term) => {
                    once(&mut settings.leeway, term, span, "leeway", out);
                }
                IssuerSetting::MaxAge(term) => {
                    once(&mut settings.max_age, term, span, "max age", out);
                }
                IssuerSetting::Tokens(kind) => {
                    once(&mut settings.tokens, *kind, span, "tokens", out);
                }
                IssuerSetting::ScopesFrom(path) => {
                    once(&mut settings.scopes_from, path, span, "scopes from", out);
                }
                IssuerSetting::ClientFrom(path) => {
                    once(&mut settings.client_from, path, span, "client from", out);
                }
                IssuerSetting::AudienceFrom(path) => {
                    once(
                        &mut settings.audience_from,
                        path,
                        span,
                        "audience from",
                        out,
                    );
                }
                IssuerSetting::Audience(terms) => {
                    once(
                        &mut settings.audience,
                        terms.as_slice(),
                        span,
                        "audience",
                        out,
                    );
                }
                IssuerSetting::Claims(claims) => {
                    once(&mut settings.claims, claims.as_slice(), span, "claims", out);
                }
                IssuerSetting::Sender(given) => settings.sender.add(given, span, out),
            }
        }
        settings
    }
}
