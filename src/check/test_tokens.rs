//! Tokens of `test` blocks: the place and value of each claim.

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{TestClaimPlace, TestToken, TestValue};
use crate::source::{Span, Spanned};
use crate::syntax::ast::{self, TestClaimName};
use crate::value::{ClaimType, MAX_SAFE_INTEGER};

use super::context::Env;
use super::issuers::IssuerInfo;
use super::limits::MAX_TEST_CLAIMS;
use super::names::Kind;
use super::out::{Out, unknown};
use super::registered::REGISTERED;
use super::values::parse_time;

/// The value that is expected for a claim that the language checks itself, or for the header's
/// `typ`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Claim(ClaimType),
    /// The member names of an object.
    KeysOf,
    /// A string or a list of strings.
    Strings,
}

/// Checks one token; `None` if an error was reported.
pub(super) fn check(env: Env, token: &ast::TestToken, out: &mut Out) -> Option<TestToken> {
    let known = env
        .terms
        .names
        .kind(&token.issuer.node)
        .is_some_and(|(kind, _)| kind == Kind::Issuer);
    if !known {
        // A test doesn't count as a use of an issuer, but the error for a wrong name is the same.
        env.terms.names.expect(&[Kind::Issuer], &token.issuer, out);
        return None;
    }
    let id = env.issuer(&token.issuer.node)?;
    let issuer = env.issuers.get(id.0 as usize)?;
    let mut claims: Vec<(TestClaimPlace, TestValue)> = Vec::with_capacity(token.claims.len());
    let mut spans: Vec<Span> = Vec::with_capacity(token.claims.len());
    let mut whole = true;
    if let Some(too_many) = token.claims.get(MAX_TEST_CLAIMS) {
        out.say(Diagnostic::new(
            Code::TooLarge,
            too_many.name.span,
            format!("a test's token has at most {MAX_TEST_CLAIMS} claims"),
        ));
        return None;
    }
    for claim in &token.claims {
        let Some((place, wanted)) = place(issuer, &claim.name, out) else {
            whole = false;
            continue;
        };
        let doubled = claims
            .iter()
            .zip(&spans)
            .find(|((other, _), _)| clash(other, &place));
        if let Some((_, first)) = doubled {
            whole = false;
            out.say(
                Diagnostic::new(
                    Code::DoubledClaim,
                    claim.name.span,
                    format!("the claim `{}` is given twice", shown(&claim.name.node)),
                )
                .also(*first, "given here already, at the same place in the token"),
            );
            continue;
        }
        match value(&claim.name, wanted, &claim.value, out) {
            Some(value) => {
                claims.push((place, value));
                spans.push(claim.name.span);
            }
            None => whole = false,
        }
    }
    whole.then(|| TestToken {
        name: token.name.node.clone(),
        issuer: id,
        claims,
    })
}

fn shown(name: &TestClaimName) -> &str {
    match name {
        TestClaimName::Known(name) | TestClaimName::Json(name) => name,
    }
}

/// Whether two claims can't both be set.
fn clash(a: &TestClaimPlace, b: &TestClaimPlace) -> bool {
    fn path(place: &TestClaimPlace) -> Option<&[String]> {
        match place {
            TestClaimPlace::Typ => None,
            TestClaimPlace::Path(path) | TestClaimPlace::KeysOf(path) => Some(path),
        }
    }
    match (path(a), path(b)) {
        (None, None) => true,
        (Some(a), Some(b)) => a.starts_with(b) || b.starts_with(a),
        _ => false,
    }
}

/// The place of a claim, and its expected value; `None` means any value.
fn place(
    issuer: &IssuerInfo,
    name: &Spanned<TestClaimName>,
    out: &mut Out,
) -> Option<(TestClaimPlace, Option<Wanted>)> {
    let word = match &name.node {
        TestClaimName::Json(member) => {
            return Some((TestClaimPlace::Path(vec![member.clone()]), None));
        }
        TestClaimName::Known(word) => word,
    };
    let wanted = match word.as_str() {
        "typ" => return Some((TestClaimPlace::Typ, Some(Wanted::Claim(ClaimType::String)))),
        "iss" => Some(Wanted::Claim(ClaimType::String)),
        "exp" | "nbf" | "iat" => Some(Wanted::Claim(ClaimType::Time)),
        "aud" | "scope" | "scp" => Some(Wanted::Strings),
        _ => None,
    };
    if let (Some(wanted), false) = (wanted, issuer.claims.contains_key(word)) {
        return Some((TestClaimPlace::Path(vec![word.clone()]), Some(wanted)));
    }
    if let Some(claim) = issuer.claim(word) {
        return Some(if claim.keys_of {
            (TestClaimPlace::KeysOf(claim.path), Some(Wanted::KeysOf))
        } else {
            (
                TestClaimPlace::Path(claim.path),
                Some(Wanted::Claim(claim.ty)),
            )
        });
    }
    let candidates = issuer
        .claims
        .keys()
        .map(String::as_str)
        .chain(REGISTERED.iter().map(|(registered, _)| *registered))
        .chain(["iss", "aud", "exp", "nbf", "scope", "scp", "typ"]);
    let spanned = Spanned::new(word.clone(), name.span);
    let mut diagnostic = unknown(Code::UnknownClaim, "claim", &spanned, candidates);
    if diagnostic.help.is_none() {
        diagnostic.help = Some(format!(
            "declare it in `issuer {}`, or quote the name of a member of the token: `\"{word}\"`",
            issuer.name
        ));
    }
    out.say(diagnostic);
    None
}

fn value(
    name: &Spanned<TestClaimName>,
    wanted: Option<Wanted>,
    value: &Spanned<ast::TestValue>,
    out: &mut Out,
) -> Option<TestValue> {
    if let Some(number) = huge(&value.node) {
        out.say(Diagnostic::new(
            Code::BadValue,
            value.span,
            format!("`{number}` is further from now than a time can be"),
        ));
        return None;
    }
    let plain = plain(&value.node);
    let Some(wanted) = wanted else {
        return Some(plain);
    };
    let found = match (wanted, plain) {
        // Null counts as absent, whatever the type.
        (_, TestValue::Null) => Some(TestValue::Null),
        (Wanted::Claim(ClaimType::String | ClaimType::Words), found @ TestValue::String(_))
        | (Wanted::Claim(ClaimType::Number), found @ TestValue::Number(_))
        | (Wanted::Claim(ClaimType::Boolean), found @ TestValue::Boolean(_))
        | (
            Wanted::Claim(ClaimType::Time),
            found @ (TestValue::FromNow(_) | TestValue::Number(_)),
        )
        | (
            Wanted::Claim(ClaimType::ListOfString) | Wanted::KeysOf | Wanted::Strings,
            found @ TestValue::String(_),
        ) => Some(found),
        (Wanted::Claim(ClaimType::Time), TestValue::String(text)) => {
            parse_time(&text).map(TestValue::Number)
        }
        (
            Wanted::Claim(ClaimType::ListOfString) | Wanted::KeysOf | Wanted::Strings,
            TestValue::List(list),
        ) => list
            .iter()
            .all(|value| matches!(value, TestValue::String(_)))
            .then_some(TestValue::List(list)),
        (Wanted::Claim(ClaimType::ListOfNumber), TestValue::List(list)) => list
            .iter()
            .all(|value| matches!(value, TestValue::Number(_)))
            .then_some(TestValue::List(list)),
        _ => None,
    };
    if found.is_none() {
        out.say(
            Diagnostic::new(
                Code::TypeMismatch,
                value.span,
                format!("`{}` is {}", shown(&name.node), noun(wanted)),
            )
            .label("this is something else")
            .help(format!(
                "to give a token a claim of a wrong type, quote its name: `\"{}\"`",
                shown(&name.node)
            )),
        );
    }
    found
}

fn noun(wanted: Wanted) -> &'static str {
    match wanted {
        Wanted::Claim(ClaimType::String) => "a string",
        Wanted::Claim(ClaimType::Number) => "a number",
        Wanted::Claim(ClaimType::Boolean) => "a boolean",
        Wanted::Claim(ClaimType::Time) => {
            "a time: `5m ago`, `in 5m`, an RFC 3339 time or a NumericDate"
        }
        Wanted::Claim(ClaimType::ListOfNumber) => "a list of numbers",
        Wanted::Claim(ClaimType::Words) => "words: one string with blanks between them",
        Wanted::Claim(ClaimType::ListOfString) | Wanted::KeysOf | Wanted::Strings => {
            "a list of strings, or one string"
        }
    }
}

/// An offset from now that is too large for an exact number.
fn huge(value: &ast::TestValue) -> Option<u64> {
    match value {
        ast::TestValue::Ago(seconds) | ast::TestValue::In(seconds) => {
            (*seconds > MAX_SAFE_INTEGER).then_some(*seconds)
        }
        ast::TestValue::List(list) => list.iter().find_map(|value| huge(&value.node)),
        _ => None,
    }
}

fn plain(value: &ast::TestValue) -> TestValue {
    let seconds = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
    match value {
        ast::TestValue::String(text) => TestValue::String(text.clone()),
        ast::TestValue::Number(number) => TestValue::Number(*number),
        ast::TestValue::Boolean(boolean) => TestValue::Boolean(*boolean),
        ast::TestValue::Null => TestValue::Null,
        ast::TestValue::List(list) => {
            TestValue::List(list.iter().map(|value| plain(&value.node)).collect())
        }
        ast::TestValue::Ago(ago) => TestValue::FromNow(-seconds(*ago)),
        ast::TestValue::In(ahead) => TestValue::FromNow(seconds(*ahead)),
    }
}
