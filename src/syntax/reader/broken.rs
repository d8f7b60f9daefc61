//! Text that can't be parsed: reported once, and skipped up to the probable start of the next
//! statement.

use super::super::ast::RouteItem;
use super::super::context::{CONTINUATIONS, Context, DECLARATIONS, continues};
use super::super::explain;
use super::super::parse::{Failure, Rule};
use super::super::tokens::{Kind, Token, token_at, tokens};
use super::Reader;
use super::blocks::Body;
use crate::diagnostic::suggest::nearest;
use crate::pattern::Method;
use crate::source::Span;

/// The first words of accesses.
const ACCESSES: [&str; 4] = ["public", "authenticated", "requires", "denied"];

impl<'a> Reader<'a> {
    /// Reports a statement that can't be parsed, and continues after it.
    pub(super) fn broken(&mut self, context: Context, start: usize, failure: &Failure) {
        let first = token_at(self.text, start);
        if let Some(first) = first
            && let Some(begins) = self.begins_before(first, context)
        {
            let end = self.statement_end(first.end(), context);
            let failure = self.failure_in(context, begins, end, first);
            self.drop_last();
            return self.broken(context, begins, &failure);
        }
        self.lose(context, start);
        let after = match first {
            Some(first) if failure.at <= first.start => first.end(),
            _ => self.braces_in_condition(failure).unwrap_or(failure.at),
        };
        let end = self.statement_end(after, context);
        let first = first.and_then(|token| token.word());
        if first.is_some_and(|word| ACCESSES.contains(&word)) {
            self.drop_last();
        }
        let brace = token_at(self.text, end).filter(|token| token.is_sign("{"));
        let whole = self.span(start, brace.map_or(end, |brace| brace.end()));
        if self.is_reported(start, end) {
            self.complete_reported(context, whole);
        } else {
            let error = explain::Broken {
                file: self.file,
                text: self.text,
                context,
                start,
                failure,
                goes_on: self.goes_on(start),
            }
            .explain();
            let error = self.with_whole_suggestion(error, context, whole);
            self.notes.report(error);
        }
        self.at = end;
        self.last_end = end;
        // If only the brace is missing, there is still a block. A token of a test may not need one.
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

    /// The kind of block that a broken statement opens.
    fn broken_block(&self, context: Context, start: usize) -> Body {
        let first = token_at(self.text, start).and_then(|token| token.word());
        Body::Broken(match (context, first) {
            (Context::Top, Some("issuer")) => Context::Issuer,
            (Context::Top, Some("api")) => Context::Api,
            (Context::Top, Some("test")) => Context::Test,
            (Context::Issuer, Some("claims")) => Context::Claims,
            (Context::Test, Some("token")) => Context::Token,
            (Context::Api | Context::Under, Some(word))
                if word == "under"
                    || nearest(word, ["under"]).is_some()
                    || (Method::parse(word).is_some() && !self.holds_an_access()) =>
            {
                Context::Under
            }
            _ => return Body::Unknown(0),
        })
    }

    /// Whether the block that was just opened contains the access of a route, or nothing:
    /// `GET /a { public }`.
    fn holds_an_access(&self) -> bool {
        token_at(self.text, self.at)
            .is_none_or(|token| token.is_sign("}") || ACCESSES.contains(&token.text))
    }

    /// The end of a broken statement: before a brace, or before a line that begins like another
    /// statement.
    pub(super) fn statement_end(&self, from: usize, context: Context) -> usize {
        let mut ahead = tokens(self.text, from).peekable();
        let in_yaml = self.is_yaml(self.at, context);
        while let Some(token) = ahead.next() {
            let next = ahead.peek().copied();
            let another = self.begins_line(token)
                && !(in_yaml && self.is_yaml(token.start, context))
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

    /// Whether a line of YAML begins here, `- path: /a` or `access: public`, whose words don't
    /// begin a statement.
    fn is_yaml(&self, at: usize, context: Context) -> bool {
        let mut ahead = tokens(self.text, at);
        let first = ahead.next();
        match first {
            Some(dash) if dash.is_sign("-") => true,
            Some(first) => {
                first
                    .word()
                    .is_some_and(|word| !context.keywords().contains(&word))
                    && ahead
                        .next()
                        .is_some_and(|colon| colon.is_sign(":") && colon.start == first.end())
            }
            None => false,
        }
    }

    pub(super) fn is_reported(&self, start: usize, end: usize) -> bool {
        let after = self.reported.partition_point(|at| *at < start);
        self.reported.get(after).is_some_and(|at| *at < end)
    }

    /// Removes the statement that was just parsed, because the broken text after it is a part of
    /// it. A missing access or an unknown word in it is then not another error.
    pub(super) fn drop_last(&mut self) {
        let ends = |span: Span| span.end as usize == self.last_end;
        match self.blocks.last_mut().map(|block| &mut block.body) {
            Some(Body::Api(_, settings, items)) => {
                items.pop_if(|item| matches!(item, RouteItem::Route(route) if ends(route.span)));
                settings.pop_if(|setting| ends(setting.span));
            }
            Some(Body::Under(_, _, items)) => {
                items.pop_if(|item| matches!(item, RouteItem::Route(route) if ends(route.span)));
            }
            Some(Body::Issuer(_, settings)) => {
                settings.pop_if(|setting| ends(setting.span));
            }
            _ => {}
        }
    }

    /// Records that a statement is missing from the tree.
    pub(super) fn lose(&mut self, context: Context, start: usize) {
        for block in &mut self.blocks {
            block.is_incomplete = true;
        }
        let mut ahead = tokens(self.text, start).filter_map(|token| token.word());
        let (first, second) = (ahead.next(), ahead.next());
        let name = match (context, first) {
            (Context::Top, Some("let" | "set" | "param" | "issuer" | "api")) => second,
            (Context::Claims, first) => first,
            _ => None,
        };
        self.lost.names.extend(name.map(str::to_owned));
    }

    /// The start of a statement that continues with `first` although it is complete without it, as
    /// in `GET /a requires valid token`.
    fn begins_before(&self, first: Token<'a>, context: Context) -> Option<usize> {
        let is_method = first
            .word()
            .is_some_and(|word| Method::parse(word).is_some() || word == "under");
        if is_method
            || !matches!(context, Context::Api | Context::Under)
            || !self.goes_on(first.start)
        {
            return None;
        }
        let ends = |span: Span| (span.end as usize == self.last_end).then_some(span.start as usize);
        match self.blocks.last().map(|block| &block.body) {
            Some(Body::Api(_, settings, items)) => match items.last() {
                Some(RouteItem::Route(route)) => ends(route.span),
                _ => None,
            }
            .or_else(|| settings.last().and_then(|setting| ends(setting.span))),
            Some(Body::Under(_, _, items)) => match items.last() {
                Some(RouteItem::Route(route)) => ends(route.span),
                _ => None,
            },
            _ => None,
        }
    }

    /// The end of braces on one line in a condition, as in `claim sub == {id}`, which don't open a
    /// block.
    fn braces_in_condition(&self, failure: &Failure) -> Option<usize> {
        let wants_value = [
            Rule::value,
            Rule::term,
            Rule::condition,
            Rule::operand,
            Rule::atom,
            Rule::list,
        ];
        let inside = failure
            .expected
            .iter()
            .any(|rule| wants_value.contains(rule));
        let open = token_at(self.text, failure.at).filter(|token| inside && token.is_sign("{"))?;
        let line = self.text.get(open.start..)?.lines().next()?;
        Some(open.start + line.find('}')? + 1)
    }

    pub(super) fn skip_in_unknown(&mut self, token: Token<'a>) {
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

    /// Whether a declaration seems to begin with this token. Claims and tokens may have such names
    /// too.
    pub(super) fn declaration_begins(&self, token: Token<'a>) -> bool {
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

    pub(super) fn closing_brace_missing(&mut self, declaration: Token<'a>) {
        if let Some(block) = self.blocks.last() {
            let here = self.token_span(declaration);
            let error = explain::unclosed(block.opening, block.suspect, Some(here));
            self.notes.report(error);
        }
        while !self.blocks.is_empty() {
            self.close_block(None);
        }
    }

    /// Whether a statement begins on the last line of the statement before it.
    fn goes_on(&self, start: usize) -> bool {
        self.last_end > 0
            && self
                .text
                .get(self.last_end..start)
                .is_some_and(|between| !between.contains('\n'))
    }
}
