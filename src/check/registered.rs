//! Registered claims: those that need no declaration, and those that the language checks itself.

use crate::diagnostic::{Code, Diagnostic};
use crate::syntax::ast;
use crate::value::ClaimType;

use super::out::Out;

/// The claims that need no declaration: those of RFC 7519, RFC 8693, RFC 9068, RFC 9470 and OpenID
/// Connect with one simple type, and two that Microsoft's tokens always have. A declaration takes
/// precedence.
pub const REGISTERED: [(&str, ClaimType); 36] = [
    ("acr", ClaimType::String),
    ("amr", ClaimType::ListOfString),
    ("auth_time", ClaimType::Time),
    ("azp", ClaimType::String),
    ("birthdate", ClaimType::String),
    ("client_id", ClaimType::String),
    ("email", ClaimType::String),
    ("email_verified", ClaimType::Boolean),
    ("entitlements", ClaimType::ListOfString),
    ("family_name", ClaimType::String),
    ("gender", ClaimType::String),
    ("given_name", ClaimType::String),
    ("groups", ClaimType::ListOfString),
    ("iat", ClaimType::Time),
    ("jti", ClaimType::String),
    ("locale", ClaimType::String),
    ("middle_name", ClaimType::String),
    ("name", ClaimType::String),
    ("nickname", ClaimType::String),
    ("nonce", ClaimType::String),
    ("oid", ClaimType::String),
    ("phone_number", ClaimType::String),
    ("phone_number_verified", ClaimType::Boolean),
    ("picture", ClaimType::String),
    ("preferred_username", ClaimType::String),
    ("profile", ClaimType::String),
    ("roles", ClaimType::ListOfString),
    ("sid", ClaimType::String),
    ("sub", ClaimType::String),
    ("tid", ClaimType::String),
    ("txn", ClaimType::String),
    ("updated_at", ClaimType::Time),
    ("username", ClaimType::String),
    ("vot", ClaimType::String),
    ("website", ClaimType::String),
    ("zoneinfo", ClaimType::String),
];

/// The claim that `login within` tests.
pub(super) const LOGIN: (&str, ClaimType) = ("auth_time", ClaimType::Time);

/// The claims that the language checks itself, and what to write instead.
const CHECKED: [(&str, &str); 6] = [
    ("iss", "write `token from ISSUER`"),
    (
        "aud",
        "the API's and the issuer's `audience` say what it must contain",
    ),
    ("exp", "a token that has expired is always refused"),
    ("nbf", "a token that is not valid yet is always refused"),
    ("scope", "write `scope \"…\"`"),
    ("scp", "write `scope \"…\"`"),
];

/// The type of a claim that needs no declaration.
pub(super) fn registered(name: &str) -> Option<ClaimType> {
    REGISTERED
        .iter()
        .find(|(registered, _)| *registered == name)
        .map(|(_, ty)| *ty)
}

/// What to write instead of a claim that the language checks itself.
pub(super) fn checked(name: &str) -> Option<&'static str> {
    CHECKED
        .iter()
        .find(|(checked, _)| *checked == name)
        .map(|(_, instead)| *instead)
}

/// Reports a claim that the language checks itself; true if it is one.
pub(super) fn refuse_checked(name: &ast::Name, out: &mut Out) -> bool {
    let Some(instead) = checked(&name.node) else {
        return false;
    };
    out.say(is_checked(name, instead));
    true
}

/// The error about a claim that the language checks itself.
pub(super) fn is_checked(name: &ast::Name, instead: &str) -> Diagnostic {
    Diagnostic::new(
        Code::CheckedClaim,
        name.span,
        format!("`{}` is checked by the language itself", name.node),
    )
    .help(instead)
}

/// The claim type for the name of a type.
pub(super) fn claim_type(ty: ast::TypeName) -> Option<ClaimType> {
    match ty {
        ast::TypeName::Claim(ty) => Some(ty),
        ast::TypeName::Duration | ast::TypeName::Address | ast::TypeName::ListOfAddress => None,
    }
}
