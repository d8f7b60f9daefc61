//! A syntax tree as text without spans, one declaration per paragraph: two texts with the same
//! meaning have the same shape.

use portcullis::syntax::ast::{Api, Document, Issuer, Item, RouteItem};

/// The tree without its spans.
pub fn shape(document: &Document) -> String {
    document.items.iter().map(item).collect()
}

fn item(item: &Item) -> String {
    match item {
        Item::Issuer(Issuer { name, settings, .. }) => {
            let settings: String = settings.iter().map(|setting| line(1, setting)).collect();
            format!("issuer {}\n{settings}", name.node)
        }
        Item::Api(Api {
            name,
            settings,
            routes: items,
            ..
        }) => {
            let settings: String = settings.iter().map(|setting| line(1, setting)).collect();
            format!("api {}\n{settings}{}", name.node, routes(1, items))
        }
        Item::Test(test) => {
            let steps: String = test.steps.iter().map(|step| line(1, step)).collect();
            format!("test {:?}\n{steps}", test.name.node)
        }
        other => line(0, other),
    }
}

fn routes(depth: usize, items: &[RouteItem]) -> String {
    items
        .iter()
        .map(|item| match item {
            RouteItem::Route(route) => line(depth, route),
            RouteItem::Under(under) => {
                let head = (&under.path, &under.requires);
                line(depth, &head) + &routes(depth + 1, &under.items)
            }
        })
        .collect()
}

fn line(depth: usize, part: &dyn std::fmt::Debug) -> String {
    format!(
        "{}{}\n",
        "    ".repeat(depth),
        without_spans(&format!("{part:?}"))
    )
}

/// Removes the spans from a `Debug` text, and the wrappers that only held a value and its span.
fn without_spans(debug: &str) -> String {
    let mut out = String::new();
    let mut rest = debug;
    while let Some(at) = rest.find("Span { file: ") {
        let (before, behind) = rest.split_at(at);
        out.push_str(before);
        rest = behind.split_once('}').map_or("", |(_, rest)| rest);
        out.push('@');
    }
    out.push_str(rest);
    for field in [", span: @", "span: @, ", ", span: Some(@)", "span: @"] {
        out = out.replace(field, "");
    }
    unwrap_spanned(&out)
}

/// `Spanned { node: X }` becomes `X`.
fn unwrap_spanned(text: &str) -> String {
    const OPEN: &str = "Spanned { node: ";
    let mut out = String::new();
    let mut closers: Vec<bool> = Vec::new();
    let mut in_string = false;
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if !in_string && rest.starts_with(OPEN) {
            closers.push(true);
            rest = &rest[OPEN.len()..];
            continue;
        }
        if in_string && next == '\\' {
            let length = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
            out.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        }
        match next {
            '"' => in_string = !in_string,
            '{' if !in_string => closers.push(false),
            '}' if !in_string && closers.pop() == Some(true) => {
                out.truncate(out.trim_end().len());
                rest = &rest[1..];
                continue;
            }
            _ => {}
        }
        out.push(next);
        rest = &rest[next.len_utf8()..];
    }
    out
}
