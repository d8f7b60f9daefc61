//! Blocks: opens them, fills them with statements, closes them.

use super::super::MAX_NESTING;
use super::super::ast::{
    Api, ApiSetting, ClaimDeclaration, Condition, Expectation, Issuer, IssuerSetting, Item, Name,
    Path, RouteItem, TestBlock, TestClaim, TestStep, TestToken, Under,
};
use super::super::build;
use super::super::context::Context;
use super::super::explain;
use super::super::parse::{Node, Rule};
use super::Reader;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Span, Spanned};

/// A block that isn't closed yet.
pub(super) struct Block {
    /// The place of its opening.
    pub(super) opening: Span,
    /// The place of a closing brace inside it that is indented like a different line than its
    /// opening. If a brace is missing later, it is probably missing there.
    pub(super) suspect: Option<(Span, Span)>,
    /// Whether a statement in it couldn't be parsed.
    pub(super) is_incomplete: bool,
    pub(super) body: Body,
}

/// The contents of a block so far.
pub(super) enum Body {
    Issuer(Name, Vec<Spanned<IssuerSetting>>),
    Claims(Vec<ClaimDeclaration>),
    Api(Name, Vec<Spanned<ApiSetting>>, Vec<RouteItem>),
    Under(Path, Option<Condition>, Vec<RouteItem>),
    Test(Spanned<String>, Vec<TestStep>),
    Token(Name, Name, Vec<TestClaim>),
    /// A block whose opening is broken: only its errors are collected.
    Broken(Context),
    /// A block that the language doesn't have, with the number of further open blocks in it. Its
    /// contents are skipped, so it may nest to any depth.
    Unknown(usize),
}

impl Body {
    pub(super) fn context(&self) -> Context {
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

/// The part that a statement adds to the block around it.
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
    pub(super) fn build(&mut self, node: &Node<'a>) -> Option<()> {
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
            Rule::route => {
                let before = notes.diagnostics.len();
                let route = build::route(node, notes)?;
                // With another path or method it would be a different route. That it overlaps
                // others, or lacks something, isn't a second error.
                let head = route.methods.span.to(route.path.span);
                let is_wrong = |error: &Diagnostic| {
                    error
                        .primary
                        .as_ref()
                        .is_some_and(|label| label.span.start < head.end)
                };
                if notes.diagnostics.iter().skip(before).any(is_wrong) {
                    // A line that doesn't begin with a method isn't a route, whatever follows.
                    let is_no_route = notes.diagnostics.get(before).is_some_and(|first| {
                        first.suggestion.is_none()
                            && first
                                .primary
                                .as_ref()
                                .is_some_and(|label| label.span.end <= route.methods.span.end)
                    });
                    if is_no_route {
                        notes.diagnostics.truncate(before + 1);
                    }
                    return Some(());
                }
                Part::Route(RouteItem::Route(route))
            }
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

    /// Adds a part to the innermost block. A part of a broken block is dropped.
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

    pub(super) fn open_block(&mut self, opening: Span, body: Body) -> Option<()> {
        let depth = self.blocks.len() + 1;
        let body = if depth <= MAX_NESTING {
            body
        } else {
            // One report is enough, and the contents of the block aren't worth parsing.
            if depth == MAX_NESTING + 1 {
                self.notes.report(
                    Diagnostic::new(
                        Code::TooDeep,
                        opening,
                        format!("blocks are nested more than {MAX_NESTING} deep"),
                    )
                    .help("write a longer path on one `under`"),
                );
            }
            Body::Unknown(0)
        };
        self.blocks.push(Block {
            opening,
            suspect: None,
            is_incomplete: false,
            body,
        });
        Some(())
    }

    pub(super) fn closing_brace(&mut self, brace: Span) {
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

    /// Closes the innermost block, at its brace or at the end of the file.
    pub(super) fn close_block(&mut self, brace: Option<Span>) {
        let Some(block) = self.blocks.pop() else {
            return;
        };
        let span = brace.map_or(block.opening, |brace| block.opening.to(brace));
        if block.is_incomplete {
            self.lost.blocks.push(span);
        }
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
                // With 100,000 routes, unused capacity adds up.
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
}
