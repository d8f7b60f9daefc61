//! From a text without errors to a sheet.
//!
//! The tree drops what a layout has to keep: comments, blank lines, the author's way to write a
//! duration. So the words are taken from the grammar's own nodes, and each comment goes to the word
//! after it. Nothing is left out, whatever is added to the language.

use super::sheet::{Block, Comment, Entry, Kind, Sort, Word};
use crate::source::FileId;
use crate::syntax::context::Context;
use crate::syntax::parse::{Node, Rule, parse};
use crate::syntax::scan::Scanned;
use crate::syntax::tokens::token_at;

/// Reads a text in which `syntax::parse` has found no error; returns `None` for any other.
pub(super) fn read<'a>(file: FileId, source: &'a str, scanned: &'a Scanned) -> Option<Block<'a>> {
    let mut reader = Reader {
        source,
        text: &scanned.text,
        comments: scanned.comments.iter().peekable(),
        end: 0,
        open: Vec::new(),
        file: Open {
            entry: None,
            context: Context::Top,
            block: Block::default(),
            pending: Vec::new(),
        },
    };
    reader.run(file)?;
    reader.open.is_empty().then_some(reader.file.block)
}

struct Reader<'a> {
    source: &'a str,
    /// The text without its comments.
    text: &'a str,
    /// The remaining comments.
    comments: std::iter::Peekable<std::slice::Iter<'a, std::ops::Range<usize>>>,
    /// The end of the last word or comment.
    end: usize,
    /// The open blocks, the outer ones first.
    open: Vec<Open<'a>>,
    file: Open<'a>,
}

/// A block that isn't closed yet.
struct Open<'a> {
    /// The statement that opened it; `None` for the file.
    entry: Option<Entry<'a>>,
    context: Context,
    block: Block<'a>,
    /// Comments before the brace, which come first in the block.
    pending: Vec<Comment<'a>>,
}

impl<'a> Reader<'a> {
    fn run(&mut self, file: FileId) -> Option<()> {
        let mut at = 0;
        while let Some(token) = token_at(self.text, at) {
            let context = self.innermost().context;
            let node = parse(context.statement(), file, self.text, token.start).ok()?;
            let mut words = Vec::new();
            self.words(&node, &mut words);
            at = node.span().end as usize;
            match (opens(node.rule()), node.rule()) {
                (_, Rule::close) => self.close(words)?,
                (Some((kind, inner)), _) => self.open(kind, inner, words, at)?,
                (None, rule) => {
                    let kind = kind(rule, context)?;
                    let entry = self.entry(kind, words)?;
                    self.innermost().block.entries.push(entry);
                }
            }
        }
        let (comments, _) = self.before(self.source.len());
        let last = self.own_lines(comments);
        self.file.block.last = last;
        Some(())
    }

    fn innermost(&mut self) -> &mut Open<'a> {
        self.open.last_mut().unwrap_or(&mut self.file)
    }

    /// The words of a node, in order.
    fn words(&mut self, node: &Node<'a>, words: &mut Vec<Word<'a>>) {
        if node.rule() == Rule::request_part
            && words.last().is_some_and(|word| word.sort != Sort::Comma)
        {
            // The comma may be left out, but the layout has it.
            words.push(Word::new(",", Sort::Comma));
        }
        let mut children = node.children().peekable();
        if children.peek().is_some() && !is_word(node.rule()) {
            for child in children {
                self.words(&child, words);
            }
            return;
        }
        let sort = match node.rule() {
            Rule::comma => Sort::Comma,
            Rule::lparen | Rule::lbracket => Sort::Open,
            Rule::rparen | Rule::rbracket => Sort::Close,
            Rule::connective => Sort::Connective,
            _ => Sort::Plain,
        };
        let (comments, blank_before) = self.before(node.span().start as usize);
        self.end = node.span().end as usize;
        let word = Word {
            comments,
            blank_before,
            ..Word::new(node.text(), sort)
        };
        push(words, word);
    }

    /// The comments before a position that no word has yet, and whether there is a blank line
    /// between the last of them, or the previous word, and the position.
    fn before(&mut self, place: usize) -> (Vec<Comment<'a>>, bool) {
        let mut comments = Vec::new();
        while let Some(range) = self.comments.next_if(|range| range.start < place) {
            let lines = self.lines_to(range.start);
            comments.push(Comment {
                text: self
                    .source
                    .get(range.clone())
                    .unwrap_or_default()
                    .trim_end(),
                same_line: lines == 0 && self.end > 0,
                blank_before: lines > 1,
            });
            self.end = range.end;
        }
        (comments, self.lines_to(place) > 1)
    }

    /// The number of line ends between the last word or comment and a position.
    fn lines_to(&self, place: usize) -> usize {
        let between = self.source.get(self.end..place).unwrap_or_default();
        between.bytes().filter(|byte| *byte == b'\n').count()
    }

    /// Gives the comment on the line of the previous word to that word. The others have lines of
    /// their own.
    fn own_lines(&mut self, mut comments: Vec<Comment<'a>>) -> Vec<Comment<'a>> {
        let open = self.open.last_mut().unwrap_or(&mut self.file);
        if comments.first().is_some_and(|comment| comment.same_line) {
            let slot = match open.block.entries.last_mut() {
                Some(entry) => &mut entry.trailing,
                None => &mut open.block.opened,
            };
            // Comments before the brace come first.
            if slot.is_none() && open.pending.is_empty() {
                *slot = Some(comments.remove(0).text);
            }
        }
        let mut all = std::mem::take(&mut open.pending);
        all.append(&mut comments);
        all
    }

    /// A statement of these words.
    fn entry(&mut self, kind: Kind, mut words: Vec<Word<'a>>) -> Option<Entry<'a>> {
        let first = words.first_mut()?;
        let comments = std::mem::take(&mut first.comments);
        let blank_before = std::mem::take(&mut first.blank_before);
        Some(Entry {
            comments: self.own_lines(comments),
            blank_before,
            ..Entry::new(kind, words)
        })
    }

    /// A statement that ends in the opening brace of a block; `end` is after the brace.
    fn open(
        &mut self,
        kind: Kind,
        context: Context,
        mut words: Vec<Word<'a>>,
        end: usize,
    ) -> Option<()> {
        let brace = words.pop().filter(|word| word.is("{"))?;
        let entry = self.entry(kind, words)?;
        let mut pending = brace.comments;
        let mut block = Block::default();
        if pending.first().is_some_and(|comment| comment.same_line) {
            block.opened = Some(pending.remove(0).text);
        }
        block.spread = token_at(self.text, end)
            .and_then(|next| self.source.get(end..next.start))
            .is_some_and(|between| between.contains('\n'));
        self.open.push(Open {
            entry: Some(entry),
            context,
            block,
            pending,
        });
        Some(())
    }

    /// The closing brace of the innermost block.
    fn close(&mut self, mut words: Vec<Word<'a>>) -> Option<()> {
        let comments = std::mem::take(&mut words.first_mut()?.comments);
        let last = self.own_lines(comments);
        let Open {
            entry, mut block, ..
        } = self.open.pop()?;
        block.last = last;
        let mut entry = entry?;
        entry.block = Some(block);
        self.innermost().block.entries.push(entry);
        Some(())
    }
}

/// Adds a word. Comments go to places where a line can end: after a comma, before `and`. A comma
/// before a closing bracket is a layout choice, not a word.
fn push<'a>(words: &mut Vec<Word<'a>>, mut word: Word<'a>) {
    if let Some(comma) = words.pop_if(|last| last.sort == Sort::Comma) {
        let mut comments = comma.comments;
        comments.append(&mut word.comments);
        word.comments = comments;
        if word.sort == Sort::Close {
            word.spread = true;
        } else {
            words.push(Word::new(comma.text, Sort::Comma));
        }
    }
    if let Some(last) = words.last_mut()
        && last.sort == Sort::Connective
    {
        last.comments.append(&mut word.comments);
    }
    words.push(word);
}

/// Whether the text of a rule is one word, even if it has parts.
fn is_word(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::path_name | Rule::host_name | Rule::claim_path | Rule::connective
    )
}

/// The statement of a rule and the block that it opens, if it opens one.
fn opens(rule: Rule) -> Option<(Kind, Context)> {
    Some(match rule {
        Rule::issuer_open => (Kind::Issuer, Context::Issuer),
        Rule::claims_open => (Kind::Claims, Context::Claims),
        Rule::api_open => (Kind::Api, Context::Api),
        Rule::under_open => (Kind::Under, Context::Under),
        Rule::test_open => (Kind::Test, Context::Test),
        Rule::token_open => (Kind::Token, Context::Token),
        _ => return None,
    })
}

/// The statement of a rule that opens no block.
fn kind(rule: Rule, context: Context) -> Option<Kind> {
    Some(match rule {
        Rule::language => Kind::Language,
        Rule::guard => Kind::Guard,
        Rule::let_declaration | Rule::set_declaration => Kind::Named,
        Rule::param_declaration => Kind::Param,
        Rule::claim_declaration => Kind::Claim,
        Rule::route => Kind::Route,
        Rule::expectation => Kind::Expectation,
        Rule::test_claim => Kind::TestClaim,
        _ => match context {
            Context::Issuer => Kind::IssuerSetting,
            Context::Api => Kind::ApiSetting,
            _ => return None,
        },
    })
}
