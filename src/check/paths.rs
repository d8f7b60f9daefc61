//! From methods and path templates to the patterns that match requests.

use crate::diagnostic::suggest::nearest;
use crate::diagnostic::{Code, Diagnostic};
use crate::pattern::{Method, MethodSet, PathPattern, SegmentPattern};
use crate::settings::PathParameter;
use crate::source::{Span, Spanned};
use crate::syntax::ast;

use super::limits::MAX_SEGMENTS;
use super::out::Out;

/// A path template: its pattern and its parameters.
#[derive(Debug, Clone, Default)]
pub(super) struct Template {
    pub pattern: PathPattern,
    pub parameters: Vec<PathParameter>,
    /// The place of each parameter.
    spans: Vec<Span>,
}

impl Template {
    /// This template, extended by another path.
    pub fn then(&self, path: &ast::Path, out: &mut Out) -> Option<Template> {
        let mut template = self.clone();
        let mut whole = true;
        for segment in &path.segments {
            let at = template.pattern.segments.len();
            match segment {
                ast::Segment::Literal(literal) => {
                    warn_of_parameter(literal, out);
                    template
                        .pattern
                        .segments
                        .push(SegmentPattern::Literal(literal.node.clone()));
                }
                ast::Segment::Parameter {
                    prefix,
                    name,
                    suffix,
                    ..
                } => {
                    let doubled = template
                        .parameters
                        .iter()
                        .position(|parameter| parameter.name == name.node)
                        .and_then(|index| template.spans.get(index));
                    if let Some(first) = doubled {
                        whole = false;
                        out.say(
                            Diagnostic::new(
                                Code::BadPath,
                                name.span,
                                format!("the path names `{}` twice", name.node),
                            )
                            .also(*first, "first named here")
                            .help(
                                "give each segment its own name, and compare them in the \
                            condition",
                            ),
                        );
                    }
                    template.spans.push(name.span);
                    template.parameters.push(PathParameter {
                        name: name.node.clone(),
                        segment: at,
                        prefix: prefix.len(),
                        suffix: suffix.len(),
                    });
                    template
                        .pattern
                        .segments
                        .push(if prefix.is_empty() && suffix.is_empty() {
                            SegmentPattern::Any
                        } else {
                            SegmentPattern::Mixed {
                                prefix: prefix.clone(),
                                suffix: suffix.clone(),
                            }
                        });
                }
            }
        }
        template.pattern.rest = path.rest;
        if template.pattern.segments.len() > MAX_SEGMENTS {
            out.say(Diagnostic::new(
                Code::TooLarge,
                path.span,
                format!("a path has at most {MAX_SEGMENTS} segments"),
            ));
            return None;
        }
        whole.then_some(template)
    }
}

/// Warns about a literal that looks like a parameter of another tool.
fn warn_of_parameter(literal: &Spanned<String>, out: &mut Out) {
    let Some(name) = literal.node.strip_prefix(':') else {
        return;
    };
    let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || character == '_');
    if is_name {
        out.say(
            Diagnostic::new(
                Code::LiteralParameter,
                literal.span,
                format!("`:{name}` is a literal here, including the colon"),
            )
            .help(format!("a parameter is `{{{name}}}`"))
            .suggest(literal.span, format!("{{{name}}}")),
        );
    }
}

/// The method of that name.
pub(super) fn method(name: &ast::Name, out: &mut Out) -> Option<Method> {
    let method = Method::parse(&name.node);
    if method.is_none() {
        let upper = name.node.to_ascii_uppercase();
        let mut diagnostic = Diagnostic::new(
            Code::UnknownMethod,
            name.span,
            format!("unknown method `{}`", name.node),
        );
        let names: Vec<&str> = Method::all().map(Method::as_str).collect();
        if Method::parse(&upper).is_some() {
            diagnostic = diagnostic
                .help(format!("methods are in upper case: `{upper}`"))
                .suggest(name.span, upper);
        } else if let Some(near) = nearest(&upper, names.iter().copied()) {
            diagnostic = diagnostic
                .help(format!("did you mean `{near}`?"))
                .suggest(name.span, near);
        } else {
            diagnostic = diagnostic.help(
                "a method is one of the IANA HTTP Method Registry, such as `GET` or `POST`; `*` is any",
            );
        }
        out.say(diagnostic);
    }
    method
}

/// The methods of a line in their order; `None` for `*`. An unknown method was reported when the
/// line was read.
pub(super) fn methods(methods: &ast::Methods, out: &mut Out) -> Option<Vec<Method>> {
    let names = methods.names.as_ref()?;
    let mut found: Vec<(Method, Span)> = Vec::with_capacity(names.len());
    for name in names {
        let Some(method) = Method::parse(&name.node) else {
            continue;
        };
        if let Some((_, first)) = found.iter().find(|(known, _)| *known == method) {
            out.say(
                Diagnostic::new(
                    Code::DoubledValue,
                    name.span,
                    format!("`{method}` is listed twice"),
                )
                .also(*first, "listed here already"),
            );
        } else {
            found.push((method, name.span));
        }
    }
    Some(found.into_iter().map(|(method, _)| method).collect())
}

/// The set of a guard's methods.
pub(super) fn method_set(methods: &ast::Methods, out: &mut Out) -> MethodSet {
    let all = |methods: Vec<Method>| {
        methods
            .into_iter()
            .map(MethodSet::named)
            .fold(MethodSet::EMPTY, MethodSet::union)
    };
    match self::methods(methods, out) {
        Some(named) => all(named),
        None => MethodSet::ALL.difference(all(methods
            .except
            .iter()
            .filter_map(|name| Method::parse(&name.node))
            .collect())),
    }
}

/// A pattern as it is written in policies.
pub(super) fn shown(pattern: &PathPattern, parameters: &[PathParameter]) -> String {
    let mut text = String::new();
    for (at, segment) in pattern.segments.iter().enumerate() {
        text.push('/');
        let name = parameters
            .iter()
            .find(|parameter| parameter.segment == at)
            .map_or("", |parameter| parameter.name.as_str());
        match segment {
            SegmentPattern::Literal(literal) => text.push_str(literal),
            SegmentPattern::Mixed { prefix, suffix } => {
                text.push_str(prefix);
                text.push('{');
                text.push_str(name);
                text.push('}');
                text.push_str(suffix);
            }
            SegmentPattern::Any => {
                text.push('{');
                text.push_str(name);
                text.push('}');
            }
        }
    }
    if pattern.rest {
        text.push_str("/**");
    }
    if text.is_empty() {
        text.push('/');
    }
    text
}
