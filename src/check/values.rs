//! Values known at load time: literals and parameters, by the expected type.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Span, Spanned};
use crate::syntax::ast;
use crate::value::{AddressRange, AddressRangeError, MAX_SAFE_NUMBER};

use super::limits::MAX_DURATION;
use super::out::Out;

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
    /// The name of the type with its article.
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
    // A double represents the seconds of all years exactly, and microseconds of current times.
    // Policies don't need more.
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
    text.parse()
        .ok()
        .filter(|number: &f64| number.abs() <= MAX_SAFE_NUMBER)
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

/// The network that contains a range with host bits.
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
