//! A new test of the language must be handled wherever tests are distinguished: no match may
//! swallow it.
//!
//! The compiler lists the places that a new variant breaks, but only if no `_` takes it. So this
//! test reads the patterns of the sources: if one arm names a variant of a test, no other arm may
//! take anything in its place, and an `if let` or `matches!` may not name one either. Questions
//! about a single test are methods in `model/condition.rs`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::architecture::sources;

/// The enums whose variants are the words of conditions and paths, and what the analysis makes of them.
const ENUMS: [&str; 7] = [
    "Atom",
    "ClaimTest",
    "TextTest",
    "Operand",
    "Values",
    "SegmentPattern",
    "View",
];

/// A pattern: the name in it, and its parts by their position or field.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    /// `_`, `..` or a name, which match anything.
    Anything,
    /// `Head(…)`, `Head { … }`, `(…)` or `Head`.
    Named {
        head: String,
        parts: Vec<(String, Vec<Pattern>)>,
        /// Whether the parts that aren't listed may be anything.
        rest: bool,
    },
}

/// The code of a text: comments, strings and characters become blanks.
fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(raw) = raw_string(rest) {
            raw
        } else if first == '"' {
            quoted(rest, '"')
        } else if first == '\'' && is_character(rest) {
            quoted(rest, '\'')
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        code.push(' ');
        rest = &rest[skipped..];
    }
    code
}

/// The length of the raw string that a text begins with.
fn raw_string(text: &str) -> Option<usize> {
    let hashes = text.strip_prefix('r')?;
    let count = hashes.len() - hashes.trim_start_matches('#').len();
    hashes[count..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(count));
    let inside = count + 2;
    let length = text[inside..].find(&end)?;
    Some(inside + length + end.len())
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Whether a quote begins a character and not a lifetime.
fn is_character(text: &str) -> bool {
    let mut characters = text.chars().skip(1);
    matches!(
        (characters.next(), characters.next()),
        (Some('\\'), _) | (Some(_), Some('\''))
    )
}

/// The pieces of a text between separators outside of brackets.
fn split<'t>(text: &'t str, separator: &str) -> Vec<&'t str> {
    let mut pieces = Vec::new();
    let (mut depth, mut start, mut at) = (0_usize, 0, 0);
    while let Some(character) = text[at..].chars().next() {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ if depth == 0 && text[at..].starts_with(separator) => {
                pieces.push(&text[start..at]);
                at += separator.len();
                start = at;
                continue;
            }
            _ => {}
        }
        at += character.len_utf8();
    }
    pieces.push(&text[start..]);
    pieces
}

/// The contents of the bracket that a text begins with, and what follows it.
fn bracketed(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    for (at, character) in text.char_indices() {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => {
                depth -= 1;
                if depth == 0 {
                    return Some((&text[1..at], &text[at + 1..]));
                }
            }
            _ => {}
        }
    }
    None
}

/// The alternatives of a pattern.
fn patterns(text: &str) -> Vec<Pattern> {
    let text = text.trim().trim_start_matches('|');
    split(text, "|").into_iter().map(pattern).collect()
}

fn pattern(text: &str) -> Pattern {
    let mut text = text.trim();
    for word in ["&", "ref ", "mut "] {
        text = text.strip_prefix(word).unwrap_or(text).trim();
    }
    // `name @ pattern`
    if let [_, bound] = split(text, "@").as_slice() {
        return pattern(bound);
    }
    let end = text.find(['(', '{', '[']).unwrap_or(text.len());
    let (head, brackets) = (text[..end].trim(), &text[end..]);
    let is_name = head.starts_with(|first: char| first.is_lowercase() || first == '_')
        && !head.contains("::")
        && !["true", "false"].contains(&head);
    if brackets.is_empty() && (is_name || head == "..") {
        return Pattern::Anything;
    }
    // The last two names of a path: `model::Atom::Host` is `Atom::Host`, and `ast::Operand` keeps
    // its own.
    let names: Vec<&str> = head.split("::").collect();
    let head = match names.as_slice() {
        [.., "ast", kind, name] => format!("ast::{kind}::{name}"),
        [.., kind, name] => format!("{kind}::{name}"),
        _ => head.to_owned(),
    };
    let inside = bracketed(brackets).map_or("", |(inside, _)| inside);
    let mut parts = Vec::new();
    let mut rest = false;
    for (at, part) in split(inside, ",").into_iter().enumerate() {
        let part = part.trim();
        if part == ".." {
            rest = true;
        } else if let (true, Some((field, value))) =
            (brackets.starts_with('{'), part.split_once(": "))
        {
            parts.push((field.trim().to_owned(), patterns(value)));
        } else if brackets.starts_with('{') {
            parts.push((part.to_owned(), vec![Pattern::Anything]));
        } else if !part.is_empty() {
            parts.push((at.to_string(), patterns(part)));
        }
    }
    Pattern::Named { head, parts, rest }
}

/// The patterns of each `match`, with whether the arm has a guard.
fn matches(code: &str) -> Vec<Vec<(String, bool)>> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("match ") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|before| before.is_alphanumeric() || before == '_') {
            continue;
        }
        // The scrutinee has no brace outside of a bracket.
        let behind = &code[at..];
        let Some(open) = brace(behind) else { continue };
        let Some((mut body, _)) = bracketed(&behind[open..]) else {
            continue;
        };
        let mut arms = Vec::new();
        while let [arm, _, ..] = split(body, "=>").as_slice() {
            let mut pattern = split(arm, " if ").into_iter();
            let own = pattern.next().unwrap_or_default();
            arms.push((
                own.trim_start_matches([',', ' ', '\n']).to_owned(),
                pattern.next().is_some(),
            ));
            let behind = body[arm.len() + 2..].trim_start();
            body = match (behind.starts_with('{'), bracketed(behind)) {
                (true, Some((_, behind))) => behind,
                _ => &behind[split(behind, ",")[0].len()..],
            };
        }
        found.push(arms);
    }
    found
}

/// The position of the first brace outside of other brackets.
fn brace(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, character) in text.char_indices() {
        match character {
            '{' if depth == 0 => return Some(at),
            ';' if depth == 0 => return None,
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
    }
    None
}

fn is_of_conditions(head: &str) -> Option<&str> {
    let (kind, _) = head.split_once("::")?;
    ENUMS.contains(&kind).then_some(kind)
}

/// Adds the places where a pattern names variants of these enums.
fn named(pattern: &Pattern, place: &str, places: &mut BTreeMap<String, String>) {
    if let Pattern::Named { head, parts, .. } = pattern {
        if let Some(kind) = is_of_conditions(head) {
            places.insert(place.to_owned(), kind.to_owned());
        }
        for (at, parts) in parts {
            for part in parts {
                named(part, &format!("{place}/{head}.{at}"), places);
            }
        }
    }
}

/// Whether a pattern matches anything at a place.
fn takes_all(pattern: &Pattern, place: &str, wanted: &str) -> bool {
    match pattern {
        Pattern::Anything => true,
        Pattern::Named { head, parts, rest } => {
            let Some(below) = wanted.strip_prefix(&format!("{place}/{head}.")) else {
                return false;
            };
            let at = below.split('/').next().unwrap_or_default();
            match parts.iter().find(|(own, _)| own == at) {
                Some((_, parts)) => {
                    let here = format!("{place}/{head}.{at}");
                    parts.iter().any(|part| takes_all(part, &here, wanted))
                }
                None => *rest,
            }
        }
    }
}

/// The patterns in code that would swallow a new variant.
fn swallowing(code: &str) -> Vec<String> {
    let code = code.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut found = Vec::new();
    for arms in matches(&code) {
        let mut places = BTreeMap::new();
        for (arm, _) in &arms {
            for pattern in patterns(arm) {
                named(&pattern, "", &mut places);
            }
        }
        for (arm, _) in arms.iter().filter(|(_, guarded)| !guarded) {
            for (place, kind) in &places {
                if patterns(arm)
                    .iter()
                    .any(|pattern| takes_all(pattern, "", place))
                {
                    found.push(format!("an arm `{arm}` takes each new `{kind}`"));
                }
            }
        }
    }
    let conditions = code.match_indices("let ").filter_map(|(at, _)| {
        let (asked, _) = code[at + 4..].split(';').next()?.split_once('=')?;
        Some(asked)
    });
    let macros = code.match_indices("matches!").filter_map(|(at, _)| {
        let (inside, _) = bracketed(&code[at + "matches!".len()..])?;
        split(inside, ",").get(1).copied()
    });
    for asked in conditions.chain(macros) {
        let mut places = BTreeMap::new();
        for pattern in patterns(split(asked, " if ")[0]) {
            named(&pattern, "", &mut places);
        }
        for kind in places.values() {
            let asked = asked.trim();
            found.push(format!("`{asked}` asks for one `{kind}`: make it a method"));
        }
    }
    found
}

#[test]
fn no_new_test_is_swallowed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut wrong = Vec::new();
    let mut read = 0;
    for file in files {
        let below = file.strip_prefix(&root).expect("below src");
        let text = fs::read_to_string(&file).expect("a source file");
        let is_test = below.ends_with("tests.rs");
        let reads = ["model", "analyze"]
            .iter()
            .any(|own| below.starts_with(own))
            || text.contains("crate::model");
        if is_test || !reads {
            continue;
        }
        read += 1;
        let own = text.split("#[cfg(test)]").next().unwrap_or_default();
        for swallowed in swallowing(&code(own)) {
            wrong.push(format!("{}: {swallowed}", below.display()));
        }
    }
    assert!(read > 50, "only {read} files read the model");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_swallows_a_variant_is_found() {
    let arms = |arms: &str| swallowing(&format!("fn f() {{ match atom {{ {arms} }} }}"));
    for swallows in [
        "Atom::Host(_) => 1, _ => 2",
        "Atom::Host(_) => { 1 } other => 2",
        "Atom::Host(_) | Atom::Method(_) => 1,\n _ => {}",
        "(Atom::Host(_), true) => 1, (_, false) => 2",
        "ConditionKind::Atom(Atom::Host(_)) => 1, ConditionKind::Atom(_) => 2",
        "Atom::Claim(_, ClaimTest::Present) => 1, Atom::Claim(..) => 2, Atom::Host(_) => 3",
        "Atom::Claim(_, ClaimTest::Present) => 1, Atom::Claim(id, test) => 2",
        "Some(Operand::Now) => 1, Some(_) | None => 2",
        "Some(Operand::Now) => 1, None | Some(_) => 2",
        "TextTest::Equals { operand: Operand::Now, .. } => 1, TextTest::Equals { .. } => 2",
        "TextTest::Equals { operand: Operand::Now, negated } => 1, TextTest::Equals { operand, negated } => 2",
        "crate::model::Operand::Now => 1, _ => 2",
        "a @ Atom::Host(_) => 1, a => 2",
        "(View::Text, Shape::Empty) => 1, (_, Shape::Empty) => 2",
    ] {
        assert!(!arms(swallows).is_empty(), "{swallows}");
    }
    for decides in [
        "Atom::Host(_) => 1, Atom::Method(_) => 2",
        "Atom::Host(_) if yes => 1, _ if no => 2, Atom::Host(_) | Atom::Method(_) => 3",
        "ast::Operand::Now(_) => 1, _ => 2",
        "Some(Operand::Now) => 1, Some(Operand::Host) | None => 2",
        "Fact::Text(_) => Operand::Now, _ => Operand::Host",
        "Some(1) => 1, _ => Atom::Host(test)",
    ] {
        assert_eq!(arms(decides), Vec::<String>::new(), "{decides}");
    }
    for asks in [
        "if let Atom::Host(test) = atom {}",
        "if let Some(Operand::Claim(claim)) = operand {}",
        "let Operand::String(text) = operand else { return };",
        "let yes = matches!(atom, Atom::Host(_) | Atom::Method(_));",
        "while let Some(Atom::Host(_)) = next() {}",
    ] {
        assert!(!swallowing(asks).is_empty(), "{asks}");
    }
    for fine in [
        "let atom = Atom::Host(test);",
        "if let Some(text) = operand.string() {}",
        "let list = [Operand::Now, Operand::Host];",
        "let yes = matches!(Atom::Host(test), other);",
    ] {
        assert_eq!(swallowing(fine), Vec::<String>::new(), "{fine}");
    }
}

#[test]
fn comments_strings_and_characters_are_no_code() {
    let code = code("a // match x {\n \"match \\\" y\" r#\"match \" z\"# '{' '\\'' b'}' <'a> b");
    let words: Vec<&str> = code.split_whitespace().collect();
    assert_eq!(words, ["a", "b", "<'a>", "b"]);
}
