//! The kinds of block, and the words that begin statements in each.

use super::parse::Rule;
use super::tokens::{Kind, Token};
use crate::pattern::Method;

/// The block around a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// No block: the top level, with declarations.
    Top,
    /// `issuer NAME { … }`
    Issuer,
    /// `claims { … }`
    Claims,
    /// `api NAME { … }`
    Api,
    /// `under PATH { … }`
    Under,
    /// `test "…" { … }`
    Test,
    /// `token NAME = ISSUER { … }`
    Token,
    /// A block of an unknown statement, whose contents are skipped.
    Unknown,
}

/// The words that begin a declaration, except `language`.
pub(super) const DECLARATIONS: &[&str] = &["issuer", "api", "guard", "let", "set", "param", "test"];

impl Context {
    /// The grammar rule of its statements.
    pub(super) fn statement(self) -> Rule {
        match self {
            Context::Top | Context::Unknown => Rule::declaration_statement,
            Context::Issuer => Rule::issuer_statement,
            Context::Claims => Rule::claim_statement,
            Context::Api => Rule::api_statement,
            Context::Under => Rule::under_statement,
            Context::Test => Rule::test_statement,
            Context::Token => Rule::token_statement,
        }
    }

    /// The grammar rule of exactly one of its statements.
    pub(super) fn lone_statement(self) -> Rule {
        match self {
            Context::Top | Context::Unknown => Rule::lone_declaration_statement,
            Context::Issuer => Rule::lone_issuer_statement,
            Context::Claims => Rule::lone_claim_statement,
            Context::Api => Rule::lone_api_statement,
            Context::Under => Rule::lone_under_statement,
            Context::Test => Rule::lone_test_statement,
            Context::Token => Rule::lone_token_statement,
        }
    }

    /// The words that begin its statements, except methods; empty if any word may.
    pub(super) fn keywords(self) -> &'static [&'static str] {
        match self {
            Context::Top => &[
                "language", "issuer", "api", "guard", "let", "set", "param", "test",
            ],
            Context::Issuer => &[
                "url",
                "keys",
                "algorithms",
                "leeway",
                "max",
                "tokens",
                "scopes",
                "client",
                "audience",
                "claims",
                "sender",
            ],
            Context::Api => &[
                "host",
                "issuer",
                "audience",
                "scopes",
                "realm",
                "token",
                "cors",
                "preflight",
                "forward",
                "paths",
                "sender",
                "under",
            ],
            Context::Under => &["under"],
            Context::Test => &["token"],
            Context::Claims | Context::Token | Context::Unknown => &[],
        }
    }

    /// The noun for its statements in errors.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Context::Top => "declaration",
            Context::Issuer => "setting of an issuer",
            Context::Claims => "claim",
            Context::Api => "route or setting of an API",
            Context::Under => "route",
            Context::Test => "token or request",
            Context::Token => "claim with its value",
            Context::Unknown => "statement",
        }
    }

    /// Whether `token`, followed by `next`, begins a statement here.
    pub(super) fn begins(self, token: Token<'_>, next: Option<Token<'_>>) -> bool {
        if token.is_sign("}") {
            return true;
        }
        let before_path = next.is_some_and(|next| next.kind == Kind::Raw);
        let Some(word) = token.word() else {
            return match self {
                Context::Api | Context::Under => token.is_sign("*"),
                Context::Token => token.kind == Kind::String,
                _ => false,
            };
        };
        match self {
            Context::Top | Context::Issuer => self.keywords().contains(&word),
            Context::Claims => word != "from",
            Context::Token => true,
            Context::Api | Context::Under => {
                self.keywords().contains(&word) || before_path || Method::parse(word).is_some()
            }
            Context::Test => self.keywords().contains(&word) || before_path,
            Context::Unknown => false,
        }
    }
}

/// Whether a line that begins with this token continues the previous statement.
pub(super) fn continues(token: Token<'_>) -> bool {
    match token.word() {
        Some(word) => CONTINUATIONS.contains(&word),
        None => !token.is_sign("}") && !token.is_sign("*"),
    }
}

/// Words that occur only inside statements.
pub(super) const CONTINUATIONS: &[&str] = &[
    "absent",
    "address",
    "and",
    "any",
    "all",
    "as",
    "at",
    "authenticated",
    "claim",
    "contains",
    "denied",
    "ends",
    "except",
    "forwards",
    "from",
    "header",
    "if",
    "in",
    "instead",
    "is",
    "login",
    "may",
    "method",
    "not",
    "of",
    "or",
    "present",
    "public",
    "query",
    "requires",
    "scope",
    "starts",
    "with",
    "within",
];
