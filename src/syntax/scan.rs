//! Prepares a text for the grammar.
//!
//! The grammar has no look-behind, no memory, and a limited stack. So this pass handles comments
//! (which need a blank before them), characters that no reviewer would see, strings without an end,
//! and brackets that nest without bound. Its output has the same length as its input, so offsets
//! stay the same. Each fault is reported once and made harmless.

use std::ops::Range;

use crate::diagnostic::{Code, Diagnostic, Suggestion};
use crate::source::{FileId, Span};

use super::tokens::is_foreign_quote;
use super::{MAX_ERRORS, MAX_NESTING};

/// A text that the grammar can parse.
pub(super) struct Scanned {
    /// As long as the original, with blanks in place of comments and faults.
    pub(super) text: String,
    /// The comments in order, each from its `#` to the end of its line.
    pub(super) comments: Vec<Range<usize>>,
    /// Offsets of reported faults, in order. The statement around a fault needs no second report.
    pub(super) reported: Vec<usize>,
    /// The reports.
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// Scans a whole file.
pub(super) fn scan(file: FileId, text: &str) -> Scanned {
    let mut scanner = Scanner {
        file,
        source: text,
        rest: text,
        after_blank: true,
        line_begins: true,
        depth: 0,
        too_deep_reported: false,
        out: Scanned {
            text: String::with_capacity(text.len()),
            comments: Vec::new(),
            reported: Vec::new(),
            diagnostics: Vec::new(),
        },
    };
    if let Some(rest) = text.strip_prefix('\u{feff}') {
        scanner.report(
            0..'\u{feff}'.len_utf8(),
            Code::Syntax,
            "the file begins with a byte order mark",
            "save it as UTF-8 without a byte order mark",
        );
        scanner.blank(text.len() - rest.len());
    }
    while scanner.step() {}
    scanner.out
}

struct Scanner<'a> {
    file: FileId,
    source: &'a str,
    /// The remaining text.
    rest: &'a str,
    /// Whether a comment may begin here.
    after_blank: bool,
    /// Whether there are only blanks before this on its line.
    line_begins: bool,
    /// The number of open `(` and `[`.
    depth: usize,
    /// Whether the depth of the open brackets has been reported.
    too_deep_reported: bool,
    out: Scanned,
}

impl<'a> Scanner<'a> {
    fn step(&mut self) -> bool {
        let Some(next) = self.rest.chars().next() else {
            return false;
        };
        match next {
            '\n' => {
                self.copy(1);
                self.after_blank = true;
                self.line_begins = true;
                return true;
            }
            '\r' if self.rest.starts_with("\r\n") => {
                self.blank(1);
                return true;
            }
            ' ' | '\t' => {
                self.copy(1);
                self.after_blank = true;
                return true;
            }
            '#' => self.comment(),
            '/' if self.line_begins && self.rest.starts_with("//") => self.foreign_comment(),
            '/' if self.line_begins && self.rest.starts_with("/*") => self.block_comment(),
            '/' => self.raw_word(),
            '"' => self.string(),
            '(' | '[' => self.open_bracket(),
            ')' | ']' => self.close_bracket(),
            '{' | '}' => {
                // Conditions and lists contain no braces, so open brackets here belong to a broken
                // statement, and the grammar won't get past it.
                self.depth = 0;
                self.too_deep_reported = false;
                self.copy(1);
            }
            _ if is_forbidden(next) => self.forbidden(next),
            _ => self.copy(self.plain().max(next.len_utf8())),
        }
        self.after_blank = false;
        self.line_begins = false;
        true
    }

    fn at(&self) -> usize {
        self.source.len() - self.rest.len()
    }

    /// The length of the characters from here on that mean nothing to this pass, wherever they are.
    /// Most of a policy is such runs.
    fn plain(&self) -> usize {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(byte);
        let bytes = self.rest.as_bytes();
        bytes
            .iter()
            .position(|byte| !plain(byte))
            .unwrap_or(bytes.len())
    }

    /// Copies the next bytes, which end at a character boundary.
    fn copy(&mut self, bytes: usize) {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.out.text.push_str(taken);
        self.rest = rest;
    }

    /// Replaces the next bytes with blanks; they end at a character boundary.
    fn blank(&mut self, bytes: usize) {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.out.text.extend(std::iter::repeat_n(' ', taken.len()));
        self.rest = rest;
    }

    fn report(
        &mut self,
        bytes: Range<usize>,
        code: Code,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let span = Span {
            file: self.file,
            start: place(bytes.start),
            end: place(bytes.end),
        };
        if self.out.diagnostics.len() <= MAX_ERRORS {
            self.out.reported.push(bytes.start);
            self.out
                .diagnostics
                .push(Diagnostic::new(code, span, message).help(help));
        }
    }

    /// The rest of the line, without its line end.
    fn line(&self) -> &'a str {
        let line = self.rest.split('\n').next().unwrap_or("");
        line.strip_suffix('\r').unwrap_or(line)
    }

    fn comment(&mut self) {
        let length = self.line().len();
        if !self.after_blank {
            let at = self.at();
            self.report(
                at..at + 1,
                Code::Syntax,
                "`#` begins a comment only at the start of a line or after a space",
                "put a space before it; text with a `#` must be in quotes",
            );
        }
        let start = self.at();
        self.out.comments.push(start..start + length);
        for c in self.line().chars() {
            if is_forbidden(c) && !is_joiner(c) {
                self.forbidden(c);
            } else {
                self.blank(c.len_utf8());
            }
        }
    }

    fn foreign_comment(&mut self) {
        let length = self.line().len();
        let at = self.at();
        self.report(
            at..at + 2,
            Code::Syntax,
            "`//` does not begin a comment",
            "comments begin with `#`",
        );
        self.blank(length);
    }

    /// `/* … */`, over several lines: one error, and all of it is skipped.
    fn block_comment(&mut self) {
        let Some(end) = self.rest.find("*/") else {
            return self.raw_word();
        };
        let at = self.at();
        self.report(
            at..at + 2,
            Code::Syntax,
            "`/*` does not begin a comment",
            "begin each line of a comment with `#`",
        );
        let end = at + end + 2;
        while self.at() < end {
            match self.rest.chars().next() {
                Some('\n') => self.copy(1),
                Some(c) => self.blank(c.len_utf8()),
                None => break,
            }
        }
    }

    /// A path or a test's target: everything up to the next blank.
    fn raw_word(&mut self) {
        self.parameter_with_blanks();
        while let Some(next) = self.rest.chars().next() {
            if matches!(next, ' ' | '\t' | '\r' | '\n') {
                break;
            }
            if is_forbidden(next) {
                self.forbidden(next);
            } else {
                self.copy(self.plain().max(next.len_utf8()));
            }
        }
    }

    /// Blanks inside the braces of a parameter would look like the end of the path and a block.
    /// They become part of the name.
    fn parameter_with_blanks(&mut self) {
        const LONGEST_NAME: usize = 64;
        let blank = [' ', '\t', '\r', '\n'];
        let word_end = self.rest.find(blank).unwrap_or(self.rest.len());
        let word = self.rest.get(..word_end).unwrap_or("");
        let Some(brace) = word
            .rfind('{')
            .filter(|brace| word.rfind('}') < Some(*brace))
        else {
            return;
        };
        let behind = self.rest.get(brace + 1..).unwrap_or("");
        let name = behind
            .char_indices()
            .take(LONGEST_NAME)
            .find(|(_, c)| ['}', '{', '/', '"', '#', '\n'].contains(c))
            .filter(|(_, c)| *c == '}')
            .and_then(|(end, _)| behind.get(..end))
            .filter(|name| name.contains(blank) && name.contains(char::is_alphanumeric));
        let Some(name) = name else {
            return;
        };
        // The name has to begin with a letter.
        let filled: String = name
            .char_indices()
            .map(|(at, c)| match c {
                ' ' | '\t' | '\r' if at == 0 => 'x',
                ' ' | '\t' | '\r' => '_',
                c => c,
            })
            .collect();
        let (to_brace, to_end) = (brace + 1, brace + 1 + name.len());
        let at = self.at();
        let whole = self.rest.get(brace..=to_end).unwrap_or("").to_owned();
        self.report(
            at + brace..at + to_end + 1,
            Code::Syntax,
            format!("`{whole}` contains a space"),
            "a path parameter is written `{name}`, without spaces",
        );
        self.copy(to_brace);
        self.out.text.push_str(&filled);
        self.rest = self.rest.get(name.len()..).unwrap_or("");
    }

    fn string(&mut self) {
        let mut escaped = false;
        for (at, c) in self.rest.char_indices().skip(1) {
            match c {
                '\n' => break,
                '"' if !escaped => return self.closed_string(at + 1),
                c => escaped = c == '\\' && !escaped,
            }
        }
        self.open_string(self.line().trim_ascii_end().len());
    }

    fn closed_string(&mut self, length: usize) {
        let end = self.at() + length;
        while self.at() < end {
            match self.rest.chars().next() {
                Some(c) if is_forbidden(c) => self.forbidden(c),
                Some(c) => self.copy(self.plain().max(c.len_utf8())),
                None => break,
            }
        }
    }

    /// A string that isn't closed on its line becomes an empty one, so that the text after it can
    /// be parsed. A brace at the end of the line is taken as the block's.
    fn open_string(&mut self, length: usize) {
        self.report_open_string(length);
        let line = self.rest.get(..length).unwrap_or(self.rest);
        let body = line.strip_suffix(" {").unwrap_or(line).len();
        if body < 2 {
            self.blank(body);
            return;
        }
        let before = self.out.text.len();
        self.blank(body);
        self.out.text.replace_range(before..before + 1, "\"");
        self.out.text.replace_range(before + body - 1.., "\"");
    }

    fn report_open_string(&mut self, length: usize) {
        let at = self.at();
        let text = self.rest.get(1..length).unwrap_or_default();
        let before = self.source.get(..at).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        // `"a”`, and `“a"`: the other quotation mark isn't the language's.
        let odd = text
            .char_indices()
            .find(|(_, c)| is_foreign_quote(*c) && *c != '\'')
            .map(|(place, c)| (at + 1 + place, c))
            .or_else(|| {
                let (place, c) = line.char_indices().rfind(|(_, c)| is_foreign_quote(*c))?;
                text.is_empty().then_some((at - line.len() + place, c))
            });
        if let Some((place, c)) = odd {
            return self.report_with(
                place..place + c.len_utf8(),
                at,
                format!("`{c}` is not a quotation mark here"),
                "put text between `\"` and `\"`",
                "\"".to_owned(),
            );
        }
        // `scope a"`
        let word = line
            .rsplit(|c: char| c.is_whitespace() || "[(,=".contains(c))
            .next()
            .unwrap_or_default();
        if text.is_empty() && !word.is_empty() && !word.contains('"') {
            let whole = format!("\"{word}\"");
            return self.report_with(
                at - word.len()..at + 1,
                at,
                "this string has no opening quote",
                format!("write `{whole}`"),
                whole,
            );
        }
        self.report(
            at..at + length,
            Code::Syntax,
            "this string has no closing quote on its line",
            "end it with `\"`; a string can't span lines",
        );
    }

    /// A report with an edit that fixes it, for the statement that contains `inside`.
    fn report_with(
        &mut self,
        bytes: Range<usize>,
        inside: usize,
        message: impl Into<String>,
        help: impl Into<String>,
        replacement: String,
    ) {
        let before = self.out.diagnostics.len();
        self.report(bytes, Code::Syntax, message, help);
        let suggested = self.out.diagnostics.get_mut(before);
        let span = suggested
            .as_ref()
            .and_then(|error| error.primary.as_ref())
            .map(|label| label.span);
        if let (Some(error), Some(span)) = (suggested, span) {
            error.suggestion = Some(Suggestion { span, replacement });
        }
        // Offsets are sorted, and that of the error may be before another one.
        if let Some(last) = self.out.reported.last_mut() {
            *last = inside;
        }
    }

    fn open_bracket(&mut self) {
        self.depth += 1;
        if self.depth <= MAX_NESTING {
            self.copy(1);
            return;
        }
        if !self.too_deep_reported {
            self.too_deep_reported = true;
            let at = self.at();
            self.report(
                at..at + 1,
                Code::TooDeep,
                format!("brackets are nested more than {MAX_NESTING} deep"),
                "name a part of the condition with `let`",
            );
        }
        self.blank(1);
    }

    fn close_bracket(&mut self) {
        if self.depth <= MAX_NESTING {
            self.copy(1);
        } else {
            self.blank(1);
        }
        self.depth = self.depth.saturating_sub(1);
        if self.depth == 0 {
            self.too_deep_reported = false;
        }
    }

    fn forbidden(&mut self, c: char) {
        let at = self.at();
        let length = c.len_utf8();
        self.report(
            at..at + length,
            Code::Syntax,
            format!("the character U+{:04X} is not allowed", u32::from(c)),
            "it is invisible to reviewers; remove it",
        );
        self.blank(length);
    }
}

/// Characters that a reviewer wouldn't see, or that make the text look different from what it is:
/// controls, line ends other than LF, byte order marks, and direction marks.
fn is_forbidden(c: char) -> bool {
    (c.is_control() && c != '\t' && c != '\n')
        || matches!(
            c,
            '\u{feff}'
                | '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{2069}'
        )
}

/// Joiners, which are visible in their effect: in emoji, and in the scripts of several languages,
/// which a comment may use.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}
