//! Values known at load time: literals and parameters, by the expected type.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Span, Spanned};
use crate::syntax::ast;
use crate::value::{AddressRange, AddressRangeError, MAX_SAFE_INTEGER};

use super::limits::MAX_DURATION;
use super::names::{Kind, Names};
use super::out::Out;
use super::params::Params;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    String(String),
    Number(f64),
    Boolean(bool),
    /// A NumericDate.
    Time(f64),
    /// Seconds.
    Duration(u64),
    Address(AddressRange),
}

impl Value {
    /// What it is, with its article.
    pub fn noun(&self) -> &'static str {
        match self {
            Value::String(_) => "a string",
            Value::Number(_) => "a number",
            Value::Boolean(_) => "a boolean",
            Value::Time(_) => "a time",
            Value::Duration(_) => "a duration",
            Value::Address(_) => "an address",
        }
    }
}

/// What a term is resolved with.
#[derive(Clone, Copy)]
pub(super) struct Terms<'e, 'a> {
    pub names: &'e Names<'a>,
    pub params: &'e Params,
}

impl Terms<'_, '_> {
    /// The value of a term; `None` where it has none, which has been said then.
    pub fn value(self, term: &ast::Term, out: &mut Out) -> Option<Value> {
        match term {
            ast::Term::Literal(literal) => literal_value(literal, out),
            ast::Term::Name(name) => {
                self.names.expect(&[Kind::Param], name, out)?;
                self.params.one(name, out)
            }
        }
    }

    /// A string; `what` says what for, such as "an audience".
    pub fn string(self, term: &ast::Term, what: &str, out: &mut Out) -> Option<Spanned<String>> {
        match self.value(term, out)? {
            Value::String(text) => Some(Spanned::new(text, term.span())),
            other => {
                out.say(self.mismatch(term, "a string", &other, what));
                None
            }
        }
    }

    /// A string that is not empty.
    pub fn text(self, term: &ast::Term, what: &str, out: &mut Out) -> Option<Spanned<String>> {
        let text = self.string(term, what, out)?;
        if text.node.is_empty() {
            out.say(Diagnostic::new(
                Code::BadValue,
                text.span,
                format!("{what} can't be empty"),
            ));
            return None;
        }
        Some(text)
    }

    /// Several strings that are not empty, each once.
    pub fn texts(self, terms: &[ast::Term], what: &str, out: &mut Out) -> Vec<Spanned<String>> {
        let mut texts: Vec<Spanned<String>> = Vec::with_capacity(terms.len());
        let mut seen = std::collections::BTreeMap::new();
        for term in terms {
            let Some(text) = self.text(term, what, out) else {
                continue;
            };
            if let Some(first) = seen.insert(text.node.clone(), text.span) {
                out.say(
                    Diagnostic::new(
                        Code::DoubledValue,
                        text.span,
                        format!("`{}` is listed twice", text.node),
                    )
                    .also(first, "listed here already"),
                );
            } else {
                texts.push(text);
            }
        }
        texts
    }

    /// Seconds.
    pub fn duration(self, term: &ast::Term, what: &str, out: &mut Out) -> Option<u64> {
        match self.value(term, out)? {
            Value::Duration(seconds) => Some(seconds),
            other => {
                out.say(
                    self.mismatch(term, "a duration", &other, what)
                        .help("a duration is digits and one of `s`, `m`, `h`, `d`, such as `15m`"),
                );
                None
            }
        }
    }

    /// A term of another type than the one that is wanted.
    pub fn mismatch(self, term: &ast::Term, wanted: &str, found: &Value, what: &str) -> Diagnostic {
        let diagnostic = Diagnostic::new(
            Code::TypeMismatch,
            term.span(),
            format!("{what} is {wanted}, not {}", found.noun()),
        )
        .label(format!("this is {}", found.noun()));
        match term {
            ast::Term::Name(name) => match self.names.kind(&name.node) {
                Some((_, declared)) => diagnostic.also(declared, "declared here"),
                None => diagnostic,
            },
            ast::Term::Literal(_) => diagnostic,
        }
    }
}

/// The value of a literal.
pub(super) fn literal_value(literal: &Spanned<ast::Literal>, out: &mut Out) -> Option<Value> {
    Some(match &literal.node {
        ast::Literal::String(text) => Value::String(text.clone()),
        ast::Literal::Number(number) => Value::Number(*number),
        ast::Literal::Boolean(boolean) => Value::Boolean(*boolean),
        ast::Literal::Duration(seconds) => {
            if *seconds > MAX_DURATION {
                out.say(Diagnostic::new(
                    Code::BadBound,
                    literal.span,
                    format!("a duration is at most {} days", MAX_DURATION / 86_400),
                ));
                return None;
            }
            Value::Duration(*seconds)
        }
    })
}

/// The NumericDate of an RFC 3339 time.
pub(super) fn parse_time(text: &str) -> Option<f64> {
    let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    // A double holds the seconds of all years exactly and microseconds of ours; a policy has no
    // use for more.
    #[expect(
        clippy::cast_precision_loss,
        reason = "seconds of the years 0 to 9999 are far below 2^53"
    )]
    let seconds = moment.unix_timestamp() as f64;
    Some(seconds + f64::from(moment.microsecond()) / 1e6)
}

/// A number as the language writes it: `-`, digits, one `.`, no exponent.
pub(super) fn parse_number(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole) || !fraction.is_none_or(plain) {
        return None;
    }
    if fraction.is_none() && whole.parse::<u64>().ok()? > MAX_SAFE_INTEGER {
        return None;
    }
    text.parse().ok()
}

/// A duration as the language writes it: digits and one of `s m h d`.
pub(super) fn parse_duration(text: &str) -> Option<u64> {
    let unit = match text.bytes().last()? {
        b's' => 1,
        b'm' => 60,
        b'h' => 3_600,
        b'd' => 86_400,
        _ => return None,
    };
    let digits = text.get(..text.len() - 1)?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits
        .parse::<u64>()
        .ok()?
        .checked_mul(unit)
        .filter(|seconds| *seconds <= MAX_DURATION)
}

/// Reports a text that isn't an address range.
pub(super) fn bad_address(span: Span, text: &str, error: AddressRangeError) -> Diagnostic {
    match error {
        AddressRangeError::NotARange => Diagnostic::new(
            Code::BadValue,
            span,
            format!("`{text}` is neither an address nor an address range"),
        )
        .help("write an address, `192.0.2.1`, or a range, `192.0.2.0/24` or `2001:db8::/32`"),
        AddressRangeError::HostBits => {
            let diagnostic = Diagnostic::new(
                Code::HostBits,
                span,
                format!("the range `{text}` has bits set after its prefix"),
            );
            match network(text) {
                Some(network) => diagnostic
                    .help(format!(
                        "the network is `{network}`; for the single address, leave the prefix out"
                    ))
                    .suggest(span, format!("\"{network}\"")),
                None => diagnostic,
            }
        }
    }
}

/// The network that a range with host bits lies in.
fn network(text: &str) -> Option<String> {
    let (address, length) = text.split_once('/')?;
    let length: u32 = length.parse().ok()?;
    match address.parse().ok()? {
        std::net::IpAddr::V4(v4) => {
            let mask = u32::MAX
                .checked_shl(32_u32.checked_sub(length)?)
                .unwrap_or(0);
            let network = std::net::Ipv4Addr::from(u32::from(v4) & mask);
            Some(format!("{network}/{length}"))
        }
        std::net::IpAddr::V6(v6) => {
            let mask = u128::MAX
                .checked_shl(128_u32.checked_sub(length)?)
                .unwrap_or(0);
            let network = std::net::Ipv6Addr::from(u128::from(v6) & mask);
            Some(format!("{network}/{length}"))
        }
    }
}
