//! A policy's own tests.

use crate::source::{Span, Spanned};

use super::Name;

/// `test "…" { … }`
#[derive(Debug, Clone, PartialEq)]
pub struct TestBlock {
    /// The whole declaration.
    pub span: Span,
    /// Its name.
    pub name: Spanned<String>,
    /// Its tokens and expectations, in order.
    pub steps: Vec<TestStep>,
}

/// One line of a test.
#[derive(Debug, Clone, PartialEq)]
pub enum TestStep {
    /// `token NAME = ISSUER { … }`
    Token(TestToken),
    /// `METHOD TARGET … is allowed`, or `is denied`
    Expectation(Expectation),
}

/// `token NAME = ISSUER { NAME VALUE … }`
#[derive(Debug, Clone, PartialEq)]
pub struct TestToken {
    /// The place of the token.
    pub span: Span,
    /// The name that expectations use.
    pub name: Name,
    /// Its issuer.
    pub issuer: Name,
    /// Its claims, in order.
    pub claims: Vec<TestClaim>,
}

/// `NAME VALUE` in a test's token.
#[derive(Debug, Clone, PartialEq)]
pub struct TestClaim {
    /// The claim.
    pub name: Spanned<TestClaimName>,
    /// Its value.
    pub value: Spanned<TestValue>,
}

/// The name of a claim in a test.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TestClaimName {
    /// A claim known to the issuer, or one of `iss aud exp nbf iat scope scp typ`.
    Known(String),
    /// `"…"`, a member of the claims set by its JSON name
    Json(String),
}

/// A value in a test's token.
#[derive(Debug, Clone, PartialEq)]
pub enum TestValue {
    /// `"…"`
    String(String),
    /// `1`
    Number(f64),
    /// `true`, `false`
    Boolean(bool),
    /// `null`
    Null,
    /// `[ … ]`
    List(Vec<Spanned<TestValue>>),
    /// `5m ago`, in seconds
    Ago(u64),
    /// `in 5m`, in seconds
    In(u64),
}

/// `METHOD TARGET [with NAME] [, header "a" "b"] [, from "…"] [, at "…"] is …`
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// The place of the line.
    pub span: Span,
    /// The method.
    pub method: Name,
    /// The target, raw: a path, or a URL with a host.
    pub target: Spanned<String>,
    /// The token.
    pub token: Option<Name>,
    /// Headers: name and value.
    pub headers: Vec<(Spanned<String>, Spanned<String>)>,
    /// The peer's address.
    pub address: Option<Spanned<String>>,
    /// The time.
    pub at: Option<Spanned<String>>,
    /// The expected decision.
    pub outcome: Outcome,
}

/// The expected decision.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// `is allowed [forwards "header" "value"]…`
    Allowed {
        /// Headers for the upstream: name and value.
        forwards: Vec<(Spanned<String>, Spanned<String>)>,
    },
    /// `is denied [by CODE]`
    Denied {
        /// The reason's code.
        by: Option<Spanned<String>>,
    },
}
