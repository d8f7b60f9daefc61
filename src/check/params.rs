//! Parameters: values that differ by environment.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{self, TypeName};
use crate::value::{AddressRange, ClaimType};

use super::names::Names;
use super::out::Out;
use super::values::{Value, bad_address, literal_value, parse_duration, parse_number, parse_time};

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ParamValue {
    /// One value.
    One(Value),
    /// Several values of one type.
    List(Vec<Value>),
}

/// The parameters' values by name; `None` for a missing value, which has been reported.
#[derive(Default)]
pub(super) struct Params(BTreeMap<String, (Option<ParamValue>, Span)>);

impl Params {
    /// Takes each parameter's value from the given ones, otherwise from its default.
    pub fn resolve(names: &Names, given: &BTreeMap<String, String>, out: &mut Out) -> Params {
        for name in given.keys() {
            if !names.params.contains_key(name.as_str()) {
                let mut diagnostic = Diagnostic::without_place(
                    Code::UnknownParam,
                    format!(
                        "a value is given for `{name}`, but no `param` of that name is declared"
                    ),
                );
                let near = crate::diagnostic::suggest::nearest(name, names.params.keys().copied());
                if let Some(near) = near {
                    diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
                }
                out.say(diagnostic);
            }
        }
        Params(
            names
                .params
                .iter()
                .map(|(name, param)| {
                    let value = match (given.get(*name), &param.default) {
                        (Some(text), _) => from_text(param, text, out),
                        (None, Some(default)) => from_default(param, default, out),
                        (None, None) => {
                            out.say(missing(param));
                            None
                        }
                    };
                    ((*name).to_owned(), (value, param.name.span))
                })
                .collect(),
        )
    }

    /// The value of a parameter that has only one.
    pub fn one(&self, name: &ast::Name, out: &mut Out) -> Option<Value> {
        match self.0.get(&name.node)? {
            (Some(ParamValue::One(value)), _) => Some(value.clone()),
            (Some(ParamValue::List(_)), declared) => {
                out.say(
                    Diagnostic::new(
                        Code::TypeMismatch,
                        name.span,
                        format!("`{}` is a list, but one value is expected here", name.node),
                    )
                    .also(*declared, "declared here"),
                );
                None
            }
            (None, _) => None,
        }
    }

    /// The values of a list parameter.
    pub fn list(&self, name: &ast::Name, out: &mut Out) -> Option<&[Value]> {
        match self.0.get(&name.node)? {
            (Some(ParamValue::List(values)), _) => Some(values),
            (Some(ParamValue::One(value)), declared) => {
                out.say(
                    Diagnostic::new(
                        Code::TypeMismatch,
                        name.span,
                        format!(
                            "`{}` is {}, but a list is expected here",
                            name.node,
                            value.noun()
                        ),
                    )
                    .also(*declared, "declared here")
                    .help(format!("write `[{}]`", name.node)),
                );
                None
            }
            (None, _) => None,
        }
    }
}

fn missing(param: &ast::Param) -> Diagnostic {
    let name = &param.name.node;
    Diagnostic::new(
        Code::ParamMissing,
        param.name.span,
        format!("`{name}` has no value"),
    )
    .label("no value is given, and there is no default")
    .help(format!(
        "give one with `--param {name}=…` or `PORTCULLIS_PARAM_{}`, or write a default",
        name.to_uppercase()
    ))
}

fn element(ty: TypeName) -> Option<TypeName> {
    match ty {
        TypeName::Claim(ClaimType::ListOfString | ClaimType::Words) => {
            Some(TypeName::Claim(ClaimType::String))
        }
        TypeName::Claim(ClaimType::ListOfNumber) => Some(TypeName::Claim(ClaimType::Number)),
        TypeName::ListOfAddress => Some(TypeName::Address),
        TypeName::Claim(
            ClaimType::String | ClaimType::Number | ClaimType::Boolean | ClaimType::Time,
        )
        | TypeName::Duration
        | TypeName::Address => None,
    }
}

fn noun(ty: TypeName) -> &'static str {
    match ty {
        TypeName::Claim(ClaimType::String) => "a string",
        TypeName::Claim(ClaimType::Number) => "a number",
        TypeName::Claim(ClaimType::Boolean) => "a boolean",
        TypeName::Claim(ClaimType::Time) => "a time",
        TypeName::Claim(ClaimType::ListOfString) => "a list of strings",
        TypeName::Claim(ClaimType::ListOfNumber) => "a list of numbers",
        TypeName::Claim(ClaimType::Words) => "words",
        TypeName::Duration => "a duration",
        TypeName::Address => "an address",
        TypeName::ListOfAddress => "a list of addresses",
    }
}

fn form(ty: TypeName) -> &'static str {
    match ty {
        TypeName::Claim(ClaimType::Number | ClaimType::ListOfNumber) => {
            "a number is digits with at most one `.`, such as `2.5`; whole ones are within ±(2^53-1)"
        }
        TypeName::Claim(ClaimType::Boolean) => "a boolean is `true` or `false`",
        TypeName::Claim(ClaimType::Time) => {
            "a time is written as in RFC 3339, such as `2026-01-31T12:00:00Z`"
        }
        TypeName::Duration => "a duration is digits and one of `s`, `m`, `h`, `d`, such as `15m`",
        TypeName::Address | TypeName::ListOfAddress => {
            "an address is written as `192.0.2.1`, `192.0.2.0/24` or `2001:db8::/32`"
        }
        TypeName::Claim(ClaimType::String | ClaimType::ListOfString | ClaimType::Words) => {
            "the values of a list are separated by commas, those of `words` by spaces"
        }
    }
}

/// The value from a text that was given.
fn from_text(param: &ast::Param, text: &str, out: &mut Out) -> Option<ParamValue> {
    let ty = param.ty.node;
    let parsed = match (element(ty), ty) {
        (None, ty) => one_from_text(ty, text).map(ParamValue::One),
        (Some(_), TypeName::Claim(ClaimType::Words)) => Some(ParamValue::List(
            text.split(' ')
                .filter(|word| !word.is_empty())
                .map(|word| Value::String(word.to_owned()))
                .collect(),
        )),
        (Some(element), _) => text
            .split(',')
            .map(|part| {
                let part = part.trim_matches([' ', '\t']);
                (!part.is_empty())
                    .then(|| one_from_text(element, part))
                    .flatten()
            })
            .collect::<Option<Vec<Value>>>()
            .map(ParamValue::List),
    };
    let parsed = parsed.filter(|value| !matches!(value, ParamValue::List(list) if list.is_empty()));
    if parsed.is_none() {
        out.say(
            Diagnostic::new(
                Code::ParamValue,
                param.ty.span,
                format!(
                    "the value given for `{}` is not {}: `{}`",
                    param.name.node,
                    noun(ty),
                    shown(text)
                ),
            )
            .help(form(ty)),
        );
    }
    parsed
}

/// The text of a given value for messages: short and on one line.
fn shown(text: &str) -> String {
    const MOST: usize = 60;
    let mut shown: String = text
        .chars()
        .take(MOST)
        .map(|character| {
            if character.is_control() {
                '?'
            } else {
                character
            }
        })
        .collect();
    if text.chars().nth(MOST).is_some() {
        shown.push('…');
    }
    shown
}

fn one_from_text(ty: TypeName, text: &str) -> Option<Value> {
    match ty {
        TypeName::Claim(ClaimType::String) => Some(Value::String(text.to_owned())),
        TypeName::Claim(ClaimType::Number) => parse_number(text).map(Value::Number),
        TypeName::Claim(ClaimType::Boolean) => match text {
            "true" => Some(Value::Boolean(true)),
            "false" => Some(Value::Boolean(false)),
            _ => None,
        },
        TypeName::Claim(ClaimType::Time) => parse_time(text).map(Value::Time),
        TypeName::Duration => parse_duration(text).map(Value::Duration),
        TypeName::Address => AddressRange::parse(text).ok().map(Value::Address),
        TypeName::Claim(ClaimType::ListOfString | ClaimType::ListOfNumber | ClaimType::Words)
        | TypeName::ListOfAddress => None,
    }
}

/// The value of a default.
fn from_default(
    param: &ast::Param,
    default: &ast::ParamDefault,
    out: &mut Out,
) -> Option<ParamValue> {
    let ty = param.ty.node;
    match (element(ty), default) {
        (None, ast::ParamDefault::One(literal)) => {
            one_from_literal(param, ty, literal, out).map(ParamValue::One)
        }
        (Some(_), ast::ParamDefault::One(literal)) if ty == TypeName::Claim(ClaimType::Words) => {
            match &literal.node {
                ast::Literal::String(text) => from_text(param, text, out),
                _ => {
                    out.say(default_mismatch(param, literal.span));
                    None
                }
            }
        }
        (Some(element), ast::ParamDefault::List(list)) => {
            if list.node.is_empty() {
                out.say(
                    Diagnostic::new(Code::EmptyList, list.span, "the default is an empty list")
                        .help("leave the default out, so that a value must be given"),
                );
                return None;
            }
            list.node
                .iter()
                .map(|literal| one_from_literal(param, element, literal, out))
                .collect::<Option<Vec<Value>>>()
                .map(ParamValue::List)
        }
        (Some(_), ast::ParamDefault::One(literal)) => {
            out.say(default_mismatch(param, literal.span).help(
                "a list is written in brackets: \
            `[…]`",
            ));
            None
        }
        (None, ast::ParamDefault::List(list)) => {
            out.say(default_mismatch(param, list.span));
            None
        }
    }
}

fn default_mismatch(param: &ast::Param, span: Span) -> Diagnostic {
    Diagnostic::new(
        Code::TypeMismatch,
        span,
        format!(
            "the default of `{}` is not {}",
            param.name.node,
            noun(param.ty.node)
        ),
    )
    .also(param.ty.span, "its type")
}

fn one_from_literal(
    param: &ast::Param,
    ty: TypeName,
    literal: &crate::source::Spanned<ast::Literal>,
    out: &mut Out,
) -> Option<Value> {
    let value = literal_value(literal, out)?;
    match (ty, value) {
        (TypeName::Claim(ClaimType::String), value @ Value::String(_))
        | (TypeName::Claim(ClaimType::Number), value @ Value::Number(_))
        | (TypeName::Claim(ClaimType::Boolean), value @ Value::Boolean(_))
        | (TypeName::Duration, value @ Value::Duration(_)) => Some(value),
        (TypeName::Claim(ClaimType::Time), Value::String(text)) => match parse_time(&text) {
            Some(time) => Some(Value::Time(time)),
            None => {
                out.say(bad_time(literal.span, &text));
                None
            }
        },
        (TypeName::Address, Value::String(text)) => match AddressRange::parse(&text) {
            Ok(range) => Some(Value::Address(range)),
            Err(error) => {
                out.say(bad_address(literal.span, &text, error));
                None
            }
        },
        _ => {
            out.say(default_mismatch(param, literal.span));
            None
        }
    }
}

/// Reports a text that isn't a time.
pub(super) fn bad_time(span: Span, text: &str) -> Diagnostic {
    Diagnostic::new(
        Code::BadValue,
        span,
        format!(
            "`{text}` is not a \
    time"
        ),
    )
    .help(form(TypeName::Claim(ClaimType::Time)))
}
