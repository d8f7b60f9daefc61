//! Outlines: the declarations of a file or a workspace.

use gen_lsp_types::{
    BaseSymbolInformation, DocumentSymbol, DocumentSymbolParams, Location, SymbolInformation,
    SymbolKind, WorkspaceSymbolParams,
};

use super::policy::Policy;
use super::refusal::Refusal;
use super::workspace::Workspace;
use crate::source::{Span, one_line};
use crate::syntax::ast::{ClaimDeclaration, IssuerSetting, Item, RouteItem, TestStep};

/// The outline of a file.
pub fn of_document(
    workspace: &mut Workspace,
    params: DocumentSymbolParams,
) -> Result<Vec<DocumentSymbol>, Refusal> {
    let (policy, file) = workspace.policy(&params.text_document.uri)?;
    let policy: &Policy = policy;
    let document = policy.parsed.documents.get(file.0 as usize);
    Ok(document
        .into_iter()
        .flat_map(|document| &document.items)
        .map(|item| Outline { policy }.item(item))
        .collect())
}

/// The declarations in all open policies whose names contain the query.
pub fn of_workspace(
    workspace: &mut Workspace,
    params: WorkspaceSymbolParams,
) -> Result<Vec<SymbolInformation>, Refusal> {
    let query = params.query.to_lowercase();
    let mut found = Vec::new();
    for policy in workspace.all_policies() {
        let outline = Outline { policy };
        let items = policy
            .parsed
            .documents
            .iter()
            .flat_map(|document| document.items.iter().map(move |item| (document.file, item)));
        for (file, item) in items {
            let Some(uri) = policy.uri(file) else {
                continue;
            };
            flat(&outline.item(item), None, &mut |symbol, container| {
                if symbol.name.to_lowercase().contains(&query) {
                    let base = BaseSymbolInformation {
                        name: symbol.name.clone(),
                        kind: symbol.kind,
                        tags: None,
                        container_name: container.map(str::to_owned),
                    };
                    let place = Location::new(uri.clone(), symbol.selection_range);
                    found.push(SymbolInformation::new(None, place, base));
                }
            });
        }
    }
    Ok(found)
}

struct Outline<'p> {
    policy: &'p Policy,
}

impl Outline<'_> {
    fn item(&self, item: &Item) -> DocumentSymbol {
        match item {
            Item::Issuer(item) => {
                let claims = item
                    .settings
                    .iter()
                    .filter_map(|setting| match &setting.node {
                        IssuerSetting::Claims(claims) => Some(claims),
                        _ => None,
                    });
                let children = claims.flatten().map(|claim| self.claim(claim)).collect();
                let symbol = self.symbol(
                    &item.name.node,
                    SymbolKind::Object,
                    item.span,
                    item.name.span,
                );
                with(symbol, "issuer", children)
            }
            Item::Api(item) => {
                let symbol = self.symbol(
                    &item.name.node,
                    SymbolKind::Module,
                    item.span,
                    item.name.span,
                );
                with(symbol, "api", self.routes(&item.routes))
            }
            Item::Guard(item) => {
                let head = item.methods.span.to(item.path.span);
                let name = format!("guard {}", self.text(head));
                let detail = item.requires.as_ref().map_or_else(
                    || "denied".to_owned(),
                    |condition| format!("requires {}", self.text(condition.span)),
                );
                with(
                    self.symbol(&name, SymbolKind::Interface, item.span, head),
                    &detail,
                    Vec::new(),
                )
            }
            Item::Let(item) => {
                let symbol = self.symbol(
                    &item.name.node,
                    SymbolKind::Function,
                    item.span,
                    item.name.span,
                );
                with(symbol, &self.text(item.condition.span), Vec::new())
            }
            Item::Set(item) => {
                let symbol = self.symbol(
                    &item.name.node,
                    SymbolKind::Array,
                    item.span,
                    item.name.span,
                );
                with(symbol, "set", Vec::new())
            }
            Item::Param(item) => {
                let symbol = self.symbol(
                    &item.name.node,
                    SymbolKind::Constant,
                    item.span,
                    item.name.span,
                );
                with(symbol, &self.text(item.ty.span), Vec::new())
            }
            Item::Test(item) => {
                let tokens = item.steps.iter().filter_map(|step| match step {
                    TestStep::Token(token) => Some(with(
                        self.symbol(
                            &token.name.node,
                            SymbolKind::Variable,
                            token.span,
                            token.name.span,
                        ),
                        &token.issuer.node,
                        Vec::new(),
                    )),
                    TestStep::Expectation(_) => None,
                });
                let symbol = self.symbol(
                    &item.name.node,
                    SymbolKind::Event,
                    item.span,
                    item.name.span,
                );
                with(symbol, "test", tokens.collect())
            }
        }
    }

    fn claim(&self, claim: &ClaimDeclaration) -> DocumentSymbol {
        let symbol = self.symbol(
            &claim.name.node,
            SymbolKind::Field,
            claim.span,
            claim.name.span,
        );
        with(symbol, &self.text(claim.ty.span), Vec::new())
    }

    fn routes(&self, items: &[RouteItem]) -> Vec<DocumentSymbol> {
        items
            .iter()
            .map(|item| match item {
                RouteItem::Route(route) => {
                    let head = route.methods.span.to(route.path.span);
                    let detail = route
                        .access
                        .as_ref()
                        .map(|access| self.text(access.span))
                        .unwrap_or_default();
                    let symbol =
                        self.symbol(&self.text(head), SymbolKind::Method, route.span, head);
                    with(symbol, &detail, Vec::new())
                }
                RouteItem::Under(under) => {
                    let name = format!("under {}", self.text(under.path.span));
                    let detail = under
                        .requires
                        .as_ref()
                        .map(|condition| format!("requires {}", self.text(condition.span)));
                    let symbol =
                        self.symbol(&name, SymbolKind::Namespace, under.span, under.path.span);
                    with(
                        symbol,
                        &detail.unwrap_or_default(),
                        self.routes(&under.items),
                    )
                }
            })
            .collect()
    }

    fn text(&self, span: Span) -> String {
        one_line(self.policy.parsed.sources.text(span))
    }

    fn symbol(&self, name: &str, kind: SymbolKind, whole: Span, name_span: Span) -> DocumentSymbol {
        // The protocol requires a name that isn't blank.
        let name = if name.trim().is_empty() { "\"\"" } else { name };
        DocumentSymbol::new(
            name.to_owned(),
            None,
            kind,
            None,
            None,
            self.policy.range(whole.to(name_span)),
            self.policy.range(name_span),
            None,
        )
    }
}

/// Calls `each` for a symbol and all symbols below it, with the name of the one around it.
fn flat<'s>(
    symbol: &'s DocumentSymbol,
    container: Option<&'s str>,
    each: &mut impl FnMut(&'s DocumentSymbol, Option<&'s str>),
) {
    each(symbol, container);
    for child in symbol.children.iter().flatten() {
        flat(child, Some(&symbol.name), each);
    }
}

fn with(mut symbol: DocumentSymbol, detail: &str, children: Vec<DocumentSymbol>) -> DocumentSymbol {
    symbol.detail = (!detail.is_empty()).then(|| detail.to_owned());
    symbol.children = (!children.is_empty()).then_some(children);
    symbol
}
