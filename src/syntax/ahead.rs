//! Finds out what may come next at a position of a text, for completion.
//!
//! The grammar itself gives the answer, as for an error: the text up to the position is parsed, and
//! everything that the grammar would have accepted next is offered.

use super::context::Context;
use super::explain;
use super::parse::{Rule, parse};
use super::reader;
use super::scan::scan;
use super::tokens::tokens;
use crate::source::{FileId, Sources};

/// The lexical context at the end of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lexical {
    /// A word, perhaps an empty one.
    Word,
    /// An open string.
    String,
    /// A comment, a path or an address, without words of the language.
    Free,
}

/// A kind of thing that may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// A condition.
    Condition,
    /// A value.
    Value,
    /// A list, or the name of a set.
    List,
    /// A declared name.
    Name,
    /// A name, whose kind follows from the words before it.
    Word,
    /// A method.
    Method,
    /// The code of a reason.
    Reason,
}

/// What may come at a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ahead {
    /// The lexical context.
    pub lexical: Lexical,
    /// Where it starts; in a string, after the quote.
    pub start: usize,
    /// The enclosing block.
    pub block: Context,
    /// Whether a statement may begin here.
    pub begins: bool,
    /// The tokens of the current statement so far; empty if there is none.
    pub before: Vec<String>,
    /// The keywords that may come.
    pub keywords: Vec<String>,
    /// Other things that may come, in order and without duplicates.
    pub wanted: Vec<Wanted>,
}

/// What may come at an offset, which must be a character boundary.
pub fn ahead(text: &str, offset: usize) -> Ahead {
    let text = text.get(..offset).unwrap_or(text);
    let (lexical, start) = lexical(text);
    let mut ahead = Ahead {
        lexical,
        start,
        block: Context::Unknown,
        begins: false,
        before: Vec::new(),
        keywords: Vec::new(),
        wanted: Vec::new(),
    };
    if lexical != Lexical::Free {
        let quote = usize::from(lexical == Lexical::String);
        let head = text.get(..start.saturating_sub(quote)).unwrap_or("");
        look(head, &mut ahead);
    }
    ahead
}

/// The lexical context at the end of a text, and where it starts.
fn lexical(text: &str) -> (Lexical, usize) {
    let line = text.rfind('\n').map_or(0, |at| at + 1);
    let mut word = line;
    let mut string = None;
    let mut escaped = false;
    let mut raw = false;
    let mut after_blank = true;
    for (at, c) in text.get(line..).unwrap_or("").char_indices() {
        let behind = line + at + c.len_utf8();
        if string.is_some() {
            if c == '"' && !escaped {
                string = None;
                word = behind;
            }
            escaped = c == '\\' && !escaped;
            continue;
        }
        let blank = matches!(c, ' ' | '\t' | '\r');
        match c {
            _ if blank => {
                raw = false;
                word = behind;
            }
            _ if raw => {}
            '#' if after_blank => return (Lexical::Free, line + at),
            '"' => string = Some(behind),
            '/' => raw = true,
            _ if c.is_alphanumeric() || matches!(c, '_' | '-' | '.') => {}
            _ => word = behind,
        }
        after_blank = blank;
    }
    match string {
        Some(start) => (Lexical::String, start),
        None if raw => (Lexical::Free, word),
        None => (Lexical::Word, word),
    }
}

/// What the grammar would accept after a text.
fn look(head: &str, ahead: &mut Ahead) {
    let mut sources = Sources::new();
    let file = sources.add("", head);
    let Some(source) = sources.get(file) else {
        return;
    };
    let scanned = scan(file, head);
    let end = reader::end(file, source, &scanned);
    let text = scanned.text.trim_ascii_end();
    let new_line = head
        .rsplit('\n')
        .next()
        .is_some_and(|line| line.trim_ascii().is_empty());
    let (context, last) = match end.last {
        Some((context, start)) if !text.ends_with(['{', '}']) => (context, Some(start)),
        _ => (end.context, None),
    };
    let expected = last.map(|start| expected(context, file, text, start));
    ahead.block = context;
    ahead.begins = context != Context::Unknown
        && match &expected {
            None => true,
            Some(None) => new_line,
            Some(Some(expected)) => new_line && expected.contains(&Rule::EOI),
        };
    if ahead.begins {
        let words = context.keywords().iter().map(|word| (*word).to_owned());
        ahead.keywords.extend(words);
        match context {
            Context::Api | Context::Under | Context::Test => ahead.wanted.push(Wanted::Method),
            Context::Claims | Context::Token => ahead.wanted.push(Wanted::Word),
            Context::Top | Context::Issuer | Context::Unknown => {}
        }
    }
    if let (Some(start), Some(Some(expected))) = (last, &expected) {
        ahead.keywords.extend(explain::keywords(expected));
        ahead
            .wanted
            .extend(expected.iter().filter_map(|rule| wanted(*rule)));
        ahead.before = tokens(text, start)
            .map(|token| token.text.to_owned())
            .collect();
    }
    ahead.keywords.sort_unstable();
    ahead.keywords.dedup();
    ahead.wanted.sort_unstable();
    ahead.wanted.dedup();
}

/// How the statement that begins at `start` could continue; `None` if it is broken before the end
/// of the text.
fn expected(context: Context, file: FileId, text: &str, start: usize) -> Option<Vec<Rule>> {
    match parse(context.lone_statement(), file, text, start) {
        Err(failure) => (failure.at >= text.len()).then_some(failure.expected),
        // It is complete. A character that nothing accepts shows how else it might have continued.
        Ok(_) => {
            let text = format!("{text} \u{1}");
            let failure = parse(context.lone_statement(), file, &text, start).err()?;
            Some(failure.expected)
        }
    }
}

fn wanted(rule: Rule) -> Option<Wanted> {
    Some(match rule {
        Rule::condition | Rule::operand | Rule::atom | Rule::named_atom => Wanted::Condition,
        Rule::term | Rule::value | Rule::claim_value => Wanted::Value,
        Rule::list => Wanted::List,
        Rule::name | Rule::names => Wanted::Name,
        Rule::word => Wanted::Word,
        Rule::method | Rule::methods | Rule::method_list | Rule::method_items => Wanted::Method,
        Rule::reason => Wanted::Reason,
        _ => return None,
    })
}
