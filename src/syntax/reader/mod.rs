//! Statement by statement through a file, with the open blocks on a stack.
//!
//! A statement that cannot be read is reported once and skipped up to where the next one seems to
//! begin, and a block whose opening is broken is still read inside: so one run shows all that is
//! wrong with a file, and what is right in it reaches the tree.

use super::ast::{
    Api, ApiSetting, ClaimDeclaration, Condition, Document, Expectation, Issuer, IssuerSetting,
    Item, Name, Path, RouteItem, TestBlock, TestClaim, TestStep, TestToken, Under,
};
use super::build::{self, Notes};
use super::context::{CONTINUATIONS, Context, DECLARATIONS, continues};
use super::explain;
use super::parse::{Failure, Node, Rule, parse};
use super::scan::Scanned;
use super::tokens::{Kind, Token, token_at, tokens};
use super::{MAX_ERRORS, MAX_NESTING};
use crate::diagnostic::suggest::nearest;
use crate::diagnostic::{Code, Diagnostic};
use crate::pattern::Method;
use crate::source::{FileId, Source, Span, Spanned};

/// How the access of a route begins.
const ACCESSES: [&str; 4] = ["public", "authenticated", "requires", "denied"];

/// Reads a scanned file.
pub(super) fn read(
    file: FileId,
    source: &Source,
    mut scanned: Scanned,
) -> (Document, Vec<Diagnostic>) {
    let said = std::mem::take(&mut scanned.diagnostics);
    let mut reader = Reader::new(file, source, &scanned);
    reader.notes.diagnostics = said;
    reader.run();
    reader.finish();
    let Reader { items, notes, .. } = reader;
    (Document { file, items }, notes.diagnostics)
}

/// Where the reader is at the end of a text.
pub(super) struct End {
    /// What stands around a new statement.
    pub(super) context: Context,
    /// The last statement: what stands around it, and where it begins.
    pub(super) last: Option<(Context, usize)>,
}

/// Reads a text that breaks off, for what may come next.
pub(super) fn end(file: FileId, source: &Source, scanned: &Scanned) -> End {
    let mut reader = Reader::new(file, source, scanned);
    reader.run();
    End {
        context: reader.context(),
        last: reader.last,
    }
}

struct Reader<'a> {
    file: FileId,
    source: &'a Source,
    text: &'a str,
    /// Where the scan has reported something, in order.
    reported: &'a [usize],
    /// Where the next statement begins, blanks apart.
    at: usize,
    /// Where the last statement ended.
    last_end: usize,
    /// Whether nothing has been read yet.
    first: bool,
    /// The last statement: what stands around it, and where it begins.
    last: Option<(Context, usize)>,
    blocks: Vec<Block>,
    items: Vec<Item>,
    notes: Notes,
}

/// A block whose closing brace has not been reached.
struct Block {
    /// What opened it.
    opening: Span,
    /// The place of a closing brace inside it that stands under another line than its opening:
    /// if a brace is missing later, it is likely missing there.
    suspect: Option<(Span, Span)>,
    body: Body,
}

/// What has been read of a block.
enum Body {
    Issuer(Name, Vec<Spanned<IssuerSetting>>),
    Claims(Vec<ClaimDeclaration>),
    Api(Name, Vec<Spanned<ApiSetting>>, Vec<RouteItem>),
    Under(Path, Option<Condition>, Vec<RouteItem>),
    Test(Spanned<String>, Vec<TestStep>),
    Token(Name, Name, Vec<TestClaim>),
    /// A block whose opening is broken: read for its errors alone.
    Broken(Context),
    /// A block that is not of the language, with how many more are open in it: what is in it is
    /// not read, so it may nest as deep as it likes.
    Unknown(usize),
}

impl Body {
    fn context(&self) -> Context {
        match self {
            Body::Issuer(..) => Context::Issuer,
            Body::Claims(_) => Context::Claims,
            Body::Api(..) => Context::Api,
            Body::Under(..) => Context::Under,
            Body::Test(..) => Context::Test,
            Body::Token(..) => Context::Token,
            Body::Broken(context) => *context,
            Body::Unknown(_) => Context::Unknown,
        }
    }
}

/// What a statement adds to the block around it.
enum Part {
    Item(Item),
    IssuerSetting(Spanned<IssuerSetting>),
    ApiSetting(Spanned<ApiSetting>),
    Claim(ClaimDeclaration),
    Route(RouteItem),
    Step(TestStep),
    TestClaim(TestClaim),
}

impl<'a> Reader<'a> {
    fn new(file: FileId, source: &'a Source, scanned: &'a Scanned) -> Reader<'a> {
        Reader {
            file,
            source,
            text: &scanned.text,
            reported: &scanned.reported,
            at: 0,
            last_end: 0,
            first: true,
            last: None,
            blocks: Vec::new(),
            items: Vec::new(),
            notes: Notes::default(),
        }
    }

    fn run(&mut self) {
        while let Some(token) = token_at(self.text, self.at) {
            if self.notes.diagnostics.len() >= MAX_ERRORS {
                return self.give_up(self.token_span(token));
            }
            self.at = token.start;
            self.last = Some((self.context(), self.at));
            self.statement(token);
            self.first = false;
        }
    }

    /// Closes what is open at the end of the file.
    fn finish(&mut self) {
        if let Some(block) = self.blocks.last() {
            let error = explain::unclosed(block.opening, block.suspect, None);
            self.notes.report(error);
        }
        if self.notes.diagnostics.len() > MAX_ERRORS {
            self.give_up(self.span(self.text.len(), self.text.len()));
        }
        while !self.blocks.is_empty() {
            self.close_block(None);
        }
    }

    /// Too much is wrong to go on.
    fn give_up(&mut self, place: Span) {
        self.notes.diagnostics.truncate(MAX_ERRORS);
        self.notes.report(
            Diagnostic::new(
                Code::TooLarge,
                place,
                format!("more than {MAX_ERRORS} errors: the rest of the file is not read"),
            )
            .help("correct those above first"),
        );
    }

    fn context(&self) -> Context {
        self.blocks
            .last()
            .map_or(Context::Top, |block| block.body.context())
    }

    fn statement(&mut self, token: Token<'a>) {
        let context = self.context();
        if context == Context::Unknown {
            self.skip_in_unknown(token);
        } else if context != Context::Top && self.declaration_begins(token) {
            self.closing_brace_missing(token);
        } else {
            match parse(context.statement(), self.file, self.text, self.at) {
                Ok(node) => self.take(&node, context),
                Err(failure) => self.broken(context, self.at, &failure),
            }
        }
    }

    /// Adds a statement to the tree, and looks whether another one follows.
    fn take(&mut self, node: &Node<'a>, context: Context) {
        let start = self.at;
        self.at = node.span().end as usize;
        self.last_end = self.at;
        if node.rule() == Rule::close {
            self.closing_brace(node.span());
            return;
        }
        if node.rule() == Rule::route
            && let Some(brace) = token_at(self.text, self.at).filter(|next| next.is_sign("{"))
        {
            let failure = self.failure_in(context, start, brace.end(), brace);
            self.broken(context, start, &failure);
            return;
        }
        if self.build(node).is_none() {
            // INVARIANT: no statement is left out in silence; a policy without it could be laxer.
            self.notes.report(Diagnostic::new(
                Code::Syntax,
                node.span(),
                "this statement could not be read",
            ));
        }
        let Some(next) = token_at(self.text, self.at) else {
            return;
        };
        let opened = self
            .text
            .get(start..self.at)
            .is_some_and(|text| text.ends_with('{'))
            && context != self.context();
        let follows = token_at(self.text, next.end());
        if opened || self.begins_line(next) || context.begins(next, follows) {
            return;
        }
        let end = self.statement_end(next.end(), context);
        let failure = self.failure_in(context, start, end, next);
        self.drop_broken_route();
        self.broken(context, start, &failure);
    }

    /// Takes the route back that was just read: what is broken behind it is a part of it. That it
    /// lacks an access, or that a word in it is unknown, is then no news.
    fn drop_broken_route(&mut self) {
        if let Some(Body::Api(_, _, items) | Body::Under(_, _, items)) =
            self.blocks.last_mut().map(|block| &mut block.body)
            && let Some(RouteItem::Route(route)) = items.last()
            && route.span.end as usize == self.last_end
        {
            items.pop();
        }
    }

    /// Where and why the grammar does not go on: the statement that begins at `start` is complete
    /// before `next`, but `next` begins no other. The grammar may have come further than that: an
    /// access that is broken inside leaves a route that is complete without it.
    fn failure_in(&self, context: Context, start: usize, end: usize, next: Token<'a>) -> Failure {
        let text = self.text.get(..end).unwrap_or(self.text);
        match parse(context.lone_statement(), self.file, text, start) {
            Err(failure) if failure.at >= next.start => failure,
            _ => Failure {
                at: next.start,
                expected: Vec::new(),
            },
        }
    }

    fn build(&mut self, node: &Node<'a>) -> Option<()> {
        let notes = &mut self.notes;
        let span = node.span();
        let part = match node.rule() {
            Rule::language => return build::language(node, self.first, notes),
            Rule::issuer_open => {
                let name = build::issuer_name(node, notes)?;
                return self.open_block(span, Body::Issuer(name, Vec::new()));
            }
            Rule::claims_open => return self.open_block(span, Body::Claims(Vec::new())),
            Rule::api_open => {
                let name = build::api_name(node, notes)?;
                return self.open_block(span, Body::Api(name, Vec::new(), Vec::new()));
            }
            Rule::under_open => {
                let (path, requires) = build::under(node, notes)?;
                return self.open_block(span, Body::Under(path, requires, Vec::new()));
            }
            Rule::test_open => {
                let name = build::test_name(node, notes)?;
                return self.open_block(span, Body::Test(name, Vec::new()));
            }
            Rule::token_open => {
                let (name, issuer) = build::test_token(node, notes)?;
                return self.open_block(span, Body::Token(name, issuer, Vec::new()));
            }
            Rule::guard => Part::Item(Item::Guard(build::guard(node, notes)?)),
            Rule::let_declaration => Part::Item(Item::Let(build::let_declaration(node, notes)?)),
            Rule::set_declaration => Part::Item(Item::Set(build::set_declaration(node, notes)?)),
            Rule::param_declaration => {
                Part::Item(Item::Param(build::param_declaration(node, notes)?))
            }
            Rule::claim_declaration => Part::Claim(build::claim_declaration(node, notes)?),
            Rule::route => Part::Route(RouteItem::Route(build::route(node, notes)?)),
            Rule::expectation => {
                let expectation: Expectation = build::expectation(node, notes)?;
                Part::Step(TestStep::Expectation(expectation))
            }
            Rule::test_claim => Part::TestClaim(build::test_claim(node, notes)?),
            _ => match self.context() {
                Context::Issuer => Part::IssuerSetting(Spanned::new(
                    build::issuer_setting(node, &mut self.notes)?,
                    span,
                )),
                Context::Api => Part::ApiSetting(Spanned::new(
                    build::api_setting(node, &mut self.notes)?,
                    span,
                )),
                _ => return None,
            },
        };
        self.add(part)
    }

    /// Adds a part to the innermost block; a part of a broken block has no place and is dropped.
    fn add(&mut self, part: Part) -> Option<()> {
        match (self.blocks.last_mut().map(|block| &mut block.body), part) {
            (None, Part::Item(item)) => self.items.push(item),
            (Some(Body::Issuer(_, settings)), Part::IssuerSetting(part)) => settings.push(part),
            (Some(Body::Claims(claims)), Part::Claim(part)) => claims.push(part),
            (Some(Body::Api(_, settings, _)), Part::ApiSetting(part)) => settings.push(part),
            (Some(Body::Api(_, _, items) | Body::Under(_, _, items)), Part::Route(part)) => {
                items.push(part);
            }
            (Some(Body::Test(_, steps)), Part::Step(part)) => steps.push(part),
            (Some(Body::Token(_, _, claims)), Part::TestClaim(part)) => claims.push(part),
            (Some(Body::Broken(_) | Body::Unknown(_)), _) => {}
            _ => return None,
        }
        Some(())
    }

    fn open_block(&mut self, opening: Span, body: Body) -> Option<()> {
        let depth = self.blocks.len() + 1;
        let body = if depth <= MAX_NESTING {
            body
        } else {
            // One report is enough, and what is in the block is not worth reading.
            if depth == MAX_NESTING + 1 {
                self.notes.report(
                    Diagnostic::new(
                        Code::TooDeep,
                        opening,
                        format!("blocks are nested more than {MAX_NESTING} deep"),
                    )
                    .help("write the longer path on one `under`"),
                );
            }
            Body::Unknown(0)
        };
        self.blocks.push(Block {
            opening,
            suspect: None,
            body,
        });
        Some(())
    }

    fn closing_brace(&mut self, brace: Span) {
        let Some(block) = self.blocks.last() else {
            self.notes.report(explain::unopened(brace));
            return;
        };
        let opening = block.opening;
        let other_line = self.source.line(opening.start) != self.source.line(brace.start);
        let odd = self
            .indentation(brace.start as usize)
            .zip(self.indentation(opening.start as usize))
            .is_some_and(|(brace, opening)| brace != opening);
        let suspect = (other_line && odd).then_some((opening, brace));
        self.close_block(Some(brace));
        if let (Some(suspect), Some(outer)) = (suspect, self.blocks.last_mut()) {
            outer.suspect.get_or_insert(suspect);
        }
    }

    /// Closes the innermost block, at its brace or where the file ends without one.
    fn close_block(&mut self, brace: Option<Span>) {
        let Some(block) = self.blocks.pop() else {
            return;
        };
        let span = brace.map_or(block.opening, |brace| block.opening.to(brace));
        let part = match block.body {
            Body::Issuer(name, settings) => Part::Item(Item::Issuer(Issuer {
                span,
                name,
                settings,
            })),
            Body::Claims(claims) => {
                Part::IssuerSetting(Spanned::new(IssuerSetting::Claims(claims), span))
            }
            Body::Api(name, settings, mut routes) => {
                // What growing left unused adds up, with a hundred thousand routes.
                routes.shrink_to_fit();
                Part::Item(Item::Api(Api {
                    span,
                    name,
                    settings,
                    routes,
                }))
            }
            Body::Under(path, requires, items) => Part::Route(RouteItem::Under(Under {
                span,
                path,
                requires,
                items,
            })),
            Body::Test(name, steps) => Part::Item(Item::Test(TestBlock { span, name, steps })),
            Body::Token(name, issuer, claims) => Part::Step(TestStep::Token(TestToken {
                span,
                name,
                issuer,
                claims,
            })),
            Body::Broken(_) | Body::Unknown(_) => return,
        };
        // A part that fits nowhere belongs to a block whose brace is missing, which is reported.
        let _fits = self.add(part);
    }

    /// Reports a statement that cannot be read, and goes on behind it.
    fn broken(&mut self, context: Context, start: usize, failure: &Failure) {
        let after = match token_at(self.text, start) {
            Some(first) if failure.at <= first.start => first.end(),
            _ => failure.at,
        };
        let end = self.statement_end(after, context);
        let first = token_at(self.text, start).and_then(|token| token.word());
        if first.is_some_and(|word| ACCESSES.contains(&word)) {
            self.drop_broken_route();
        }
        if !self.is_reported(start, end) {
            let error = explain::Broken {
                file: self.file,
                text: self.text,
                context,
                start,
                failure,
                goes_on: self.goes_on(start),
            }
            .explain();
            self.notes.report(error);
        }
        self.at = end;
        self.last_end = end;
        let brace = token_at(self.text, end).filter(|token| token.is_sign("{"));
        // Where only the brace is missing, the block is there all the same; a token of a test may
        // have been meant without one.
        let missing =
            brace.is_none() && failure.expected.contains(&Rule::open) && context != Context::Test;
        if let Some(brace) = brace {
            self.at = brace.end();
            self.last_end = self.at;
        }
        if brace.is_some() || missing {
            let opening = self.span(start, self.at);
            let body = self.broken_block(context, start);
            let _always = self.open_block(opening, body);
        }
    }

    /// What the block is that a broken statement opens.
    fn broken_block(&self, context: Context, start: usize) -> Body {
        let first = token_at(self.text, start).and_then(|token| token.word());
        Body::Broken(match (context, first) {
            (Context::Top, Some("issuer")) => Context::Issuer,
            (Context::Top, Some("api")) => Context::Api,
            (Context::Top, Some("test")) => Context::Test,
            (Context::Issuer, Some("claims")) => Context::Claims,
            (Context::Test, Some("token")) => Context::Token,
            (Context::Api | Context::Under, Some(word))
                if Method::parse(word).is_some()
                    || word == "under"
                    || nearest(word, ["under"]).is_some() =>
            {
                Context::Under
            }
            _ => return Body::Unknown(0),
        })
    }

    /// Where a broken statement ends: before a brace, or before a line that begins like another
    /// statement.
    fn statement_end(&self, from: usize, context: Context) -> usize {
        let mut ahead = tokens(self.text, from).peekable();
        while let Some(token) = ahead.next() {
            let next = ahead.peek().copied();
            let another = self.begins_line(token)
                && (context.begins(token, next)
                    || token
                        .word()
                        .is_some_and(|word| DECLARATIONS.contains(&word))
                    || !continues(token));
            if another || token.is_sign("{") || token.is_sign("}") {
                return token.start;
            }
        }
        self.text.len()
    }

    fn is_reported(&self, start: usize, end: usize) -> bool {
        let after = self.reported.partition_point(|at| *at < start);
        self.reported.get(after).is_some_and(|at| *at < end)
    }

    fn skip_in_unknown(&mut self, token: Token<'a>) {
        self.at = token.end();
        self.last_end = self.at;
        let Some(Body::Unknown(inner)) = self.blocks.last_mut().map(|block| &mut block.body) else {
            return;
        };
        if token.is_sign("{") {
            *inner += 1;
        } else if token.is_sign("}") {
            match inner.checked_sub(1) {
                Some(fewer) => *inner = fewer,
                None => self.close_block(None),
            }
        }
    }

    /// Whether a declaration begins with this token, as far as a glance tells: claims and tokens
    /// may have such names too.
    fn declaration_begins(&self, token: Token<'a>) -> bool {
        if !self.begins_line(token) {
            return false;
        }
        let mut ahead = tokens(self.text, token.end());
        let second = ahead.next();
        let third = ahead.next();
        let second_is = |kind: Kind| second.is_some_and(|token| token.kind == kind);
        let third_is = |sign: &str| third.is_some_and(|token| token.is_sign(sign));
        match token.word() {
            Some("issuer" | "api") => second_is(Kind::Word) && third_is("{"),
            Some("test") => second_is(Kind::String) && third_is("{"),
            Some("let" | "set") => second_is(Kind::Word) && third_is("="),
            Some("param") => {
                second_is(Kind::Word)
                    && third.is_some_and(|ty| {
                        ty.kind == Kind::Word && !CONTINUATIONS.contains(&ty.text)
                    })
                    && self.context() != Context::Claims
            }
            Some("guard") => {
                second.is_some_and(|second| {
                    second.is_sign("*") || Method::parse(second.text).is_some()
                }) && third.is_some_and(|third| third.kind == Kind::Raw || third.is_sign(","))
            }
            _ => false,
        }
    }

    fn closing_brace_missing(&mut self, declaration: Token<'a>) {
        if let Some(block) = self.blocks.last() {
            let here = self.token_span(declaration);
            let error = explain::unclosed(block.opening, block.suspect, Some(here));
            self.notes.report(error);
        }
        while !self.blocks.is_empty() {
            self.close_block(None);
        }
    }

    /// Whether a statement begins on the line on which the one before it ends.
    fn goes_on(&self, start: usize) -> bool {
        self.last_end > 0
            && self
                .text
                .get(self.last_end..start)
                .is_some_and(|between| !between.contains('\n'))
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span {
            file: self.file,
            start: offset(start),
            end: offset(end),
        }
    }

    fn token_span(&self, token: Token<'_>) -> Span {
        self.span(token.start, token.end())
    }

    /// Whether nothing but blanks stands before a token on its line.
    fn begins_line(&self, token: Token<'_>) -> bool {
        self.indentation(token.start).is_some()
    }

    /// How many blanks stand before what begins a line. It looks no further back than they reach,
    /// for a line may be as long as a file.
    fn indentation(&self, at: usize) -> Option<usize> {
        let before = self.source.text.get(..at)?;
        let line = before.trim_end_matches([' ', '\t']);
        (line.is_empty() || line.ends_with('\n')).then_some(before.len() - line.len())
    }
}

/// A place in a file, which is far smaller than 4 GiB.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
