//! Completion: the words that the grammar allows at a position, and the policy's names that fit.

use std::collections::{BTreeMap, BTreeSet};

use gen_lsp_types::{
    CompletionItem, CompletionItemKind, CompletionItemTextEdit, CompletionParams, Range, TextEdit,
};

use super::index::{Kind, Symbol};
use super::policy::Policy;
use super::refusal::Refusal;
use super::workspace::Workspace;
use crate::check::REGISTERED;
use crate::keys::Algorithm;
use crate::pattern::Method;
use crate::reason::Reason;
use crate::source::{FileId, one_line};
use crate::syntax::ast::{Item, RouteItem, TestStep};
use crate::syntax::{Ahead, Context, Lexical, Wanted, ahead};

/// The claims of a test's token in addition to those of its issuer.
const TEST_CLAIMS: [&str; 8] = ["aud", "exp", "iat", "iss", "nbf", "scope", "scp", "typ"];

/// The completions at a position.
pub fn complete(
    workspace: &mut Workspace,
    params: CompletionParams,
) -> Result<Vec<CompletionItem>, Refusal> {
    let at = params.text_document_position_params;
    let (policy, file) = workspace.policy(&at.text_document.uri)?;
    let policy: &Policy = policy;
    let text = policy.text(file);
    let offset = policy.offset(file, at.position);
    let mut place = Place {
        policy,
        file,
        offset,
        ahead: ahead(text, offset),
        found: BTreeMap::new(),
    };
    place.look();
    let (start, end) = (place.ahead.start, place.end(text));
    let Some(lines) = policy.lines(file) else {
        return Ok(Vec::new());
    };
    let range = Range::new(lines.position(text, start), lines.position(text, end));
    Ok(place
        .found
        .into_iter()
        .map(|((group, label), candidate)| CompletionItem {
            kind: Some(candidate.kind),
            detail: candidate.detail,
            sort_text: Some(format!("{group}{label}")),
            text_edit: Some(CompletionItemTextEdit::TextEdit(TextEdit::new(
                range,
                label.clone(),
            ))),
            label,
            ..CompletionItem::default()
        })
        .collect())
}

/// A completion.
struct Candidate {
    kind: CompletionItemKind,
    detail: Option<String>,
}

/// Likelier completions come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Declared,
    Known,
    Word,
}

impl std::fmt::Display for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Group::Declared => "1 ",
            Group::Known => "2 ",
            Group::Word => "3 ",
        })
    }
}

struct Place<'p> {
    policy: &'p Policy,
    file: FileId,
    offset: usize,
    ahead: Ahead,
    found: BTreeMap<(Group, String), Candidate>,
}

impl Place<'_> {
    /// The end of the word or string around the position, which is replaced as a whole.
    fn end(&self, text: &str) -> usize {
        let behind = text.get(self.offset..).unwrap_or("");
        let part = |c: char| match self.ahead.lexical {
            Lexical::String => !matches!(c, '"' | ' ' | '\t' | '\r' | '\n'),
            Lexical::Word | Lexical::Free => c.is_alphanumeric() || c == '_' || c == '-',
        };
        self.offset + behind.find(|c| !part(c)).unwrap_or(behind.len())
    }

    fn look(&mut self) {
        match self.ahead.lexical {
            Lexical::Free => {}
            Lexical::String => {
                if self.is_scope() {
                    self.scopes();
                }
            }
            Lexical::Word => self.words(),
        }
    }

    fn words(&mut self) {
        let text = self.policy.text(self.file);
        let word = text
            .get(self.ahead.start..self.offset)
            .unwrap_or("")
            .to_owned();
        for (of, names) in [
            ("path.", Place::parameters as fn(&Self) -> BTreeSet<String>),
            ("host.", Place::host_labels),
        ] {
            if word.starts_with(of) {
                self.ahead.start += of.len();
                for name in names(self) {
                    self.add(Group::Declared, name, CompletionItemKind::Variable, None);
                }
                return;
            }
        }
        for wanted in std::mem::take(&mut self.ahead.wanted) {
            match wanted {
                Wanted::Condition => self.named(Kind::Let),
                Wanted::Value => {
                    self.named(Kind::Param);
                    if self.ahead.keywords.iter().any(|word| word == "claim") {
                        self.word("path.");
                        self.word("host.");
                    }
                }
                Wanted::List => {
                    self.named(Kind::Set);
                    self.named(Kind::Param);
                }
                Wanted::Name => self.names(),
                Wanted::Word => self.free_word(),
                Wanted::Method => self.methods(),
                Wanted::Reason => self.reasons(),
            }
        }
        let claims = self.ahead.block == Context::Claims;
        for word in std::mem::take(&mut self.ahead.keywords) {
            match word.as_str() {
                // Only types of parameters.
                "duration" | "address" if claims => {}
                // A completion that follows directly has no space before it.
                "path" | "host" if self.ahead.before.is_empty() && self.ahead.begins => {
                    self.word(&word);
                }
                "path" | "host" => self.word(&format!("{word}.")),
                _ => self.word(&word),
            }
        }
    }

    fn add(
        &mut self,
        group: Group,
        label: impl Into<String>,
        kind: CompletionItemKind,
        detail: Option<String>,
    ) {
        self.found
            .insert((group, label.into()), Candidate { kind, detail });
    }

    fn word(&mut self, word: &str) {
        self.add(Group::Word, word, CompletionItemKind::Keyword, None);
    }

    /// The token this many places before the position.
    fn before(&self, back: usize) -> &str {
        let tokens = &self.ahead.before;
        tokens
            .len()
            .checked_sub(back)
            .and_then(|at| tokens.get(at))
            .map_or("", String::as_str)
    }

    fn first(&self) -> &str {
        self.ahead.before.first().map_or("", String::as_str)
    }

    fn named(&mut self, kind: Kind) {
        let index = self.policy.index();
        let names: Vec<(String, String)> = index
            .named(kind)
            .map(|(name, declared)| {
                let text = one_line(self.policy.parsed.sources.text(declared.span));
                (name.to_owned(), text)
            })
            .collect();
        for (name, text) in names {
            let (shown, detail) = match kind {
                Kind::Issuer => (CompletionItemKind::Class, "issuer".to_owned()),
                Kind::Api => (CompletionItemKind::Module, "api".to_owned()),
                Kind::Let => (CompletionItemKind::Function, text),
                Kind::Set => (CompletionItemKind::Enum, text),
                Kind::Param => (CompletionItemKind::Constant, text),
            };
            self.add(Group::Declared, name, shown, Some(detail));
        }
    }

    /// The names of a kind, chosen by the words before.
    fn names(&mut self) {
        match (self.ahead.block, self.first()) {
            (Context::Api, "issuer") | (Context::Test, "token") => self.named(Kind::Issuer),
            (_, "guard") if !self.ahead.before.iter().any(|word| word == "requires") => {
                self.named(Kind::Api);
            }
            _ if self.before(1) == "from" => self.named(Kind::Issuer),
            _ => {}
        }
    }

    /// A word without a fixed kind, by the words before it.
    fn free_word(&mut self) {
        match (self.ahead.block, self.before(1)) {
            (_, "claim") | (Context::Api, "forward") => self.claims(),
            (Context::Test, "with") => self.test_tokens(),
            (Context::Issuer, _) if self.first() == "algorithms" => {
                for name in Algorithm::ALL.into_iter().flat_map(Algorithm::names) {
                    self.add(Group::Known, name, CompletionItemKind::EnumMember, None);
                }
            }
            (Context::Token, _) if self.ahead.begins || self.ahead.before.is_empty() => {
                self.claims();
                for name in TEST_CLAIMS {
                    self.add(Group::Known, name, CompletionItemKind::Field, None);
                }
            }
            _ if self
                .ahead
                .before
                .iter()
                .rev()
                .take_while(|word| *word != "and")
                .any(|word| word == "method") =>
            {
                self.methods();
            }
            _ => {}
        }
    }

    fn methods(&mut self) {
        for method in Method::all() {
            let usual = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
            let group = if usual.contains(&method.as_str()) {
                Group::Known
            } else {
                Group::Word
            };
            self.add(group, method.as_str(), CompletionItemKind::EnumMember, None);
        }
    }

    fn reasons(&mut self) {
        for reason in Reason::ALL {
            let detail = Some(reason.summary().to_owned());
            self.add(
                Group::Known,
                reason.code(),
                CompletionItemKind::EnumMember,
                detail,
            );
        }
    }

    /// The API around the position: the last that began, since its end may be missing yet.
    fn api(&self) -> Option<&str> {
        let document = self.policy.parsed.documents.get(self.file.0 as usize)?;
        document
            .items
            .iter()
            .filter_map(|item| match item {
                Item::Api(api) if (api.span.start as usize) < self.offset => Some(api),
                _ => None,
            })
            .next_back()
            .map(|api| api.name.node.as_str())
    }

    /// The issuers whose tokens are tested here; `None` for any.
    fn issuers(&self) -> Option<Vec<String>> {
        let index = self.policy.index();
        let of = |api: &str| index.issuers_of.get(api).cloned().unwrap_or_default();
        match self.ahead.block {
            Context::Api | Context::Under => self.api().map(of),
            Context::Token => self.test_issuer().map(|issuer| vec![issuer]),
            _ if self.first() == "guard" => {
                let names = self
                    .ahead
                    .before
                    .iter()
                    .skip_while(|word| *word != "of")
                    .skip(1);
                let apis: Vec<&String> = names
                    .take_while(|word| !["except", "requires"].contains(&word.as_str()))
                    .filter(|word| *word != ",")
                    .collect();
                (!apis.iter().any(|api| *api == "all"))
                    .then(|| apis.into_iter().flat_map(|api| of(api)).collect())
            }
            _ => None,
        }
    }

    /// The issuer of the test's token around the position.
    fn test_issuer(&self) -> Option<String> {
        let document = self.policy.parsed.documents.get(self.file.0 as usize)?;
        document
            .items
            .iter()
            .filter_map(|item| match item {
                Item::Test(test) => Some(&test.steps),
                _ => None,
            })
            .flatten()
            .filter_map(|step| match step {
                TestStep::Token(token) if (token.span.start as usize) < self.offset => Some(token),
                _ => None,
            })
            .next_back()
            .map(|token| token.issuer.node.clone())
    }

    fn claims(&mut self) {
        let issuers = self.issuers();
        let index = self.policy.index();
        let mut declared: BTreeMap<String, String> = BTreeMap::new();
        for (issuer, claims) in &index.claims_of {
            if issuers
                .as_ref()
                .is_some_and(|issuers| !issuers.contains(issuer))
            {
                continue;
            }
            for (name, line) in claims {
                let ty = self.policy.parsed.sources.text(line.ty);
                let of = declared
                    .entry(name.clone())
                    .or_insert_with(|| format!("{}, of {issuer}", one_line(ty)));
                if !of.ends_with(issuer.as_str()) {
                    of.push_str(&format!(", {issuer}"));
                }
            }
        }
        for (name, ty) in REGISTERED {
            if !declared.contains_key(name) {
                let detail = Some(format!("{}, registered", ty.as_str()));
                self.add(Group::Known, name, CompletionItemKind::Field, detail);
            }
        }
        for (name, detail) in declared {
            self.add(
                Group::Declared,
                name,
                CompletionItemKind::Field,
                Some(detail),
            );
        }
    }

    fn test_tokens(&mut self) {
        let test = self
            .policy
            .parsed
            .documents
            .get(self.file.0 as usize)
            .into_iter()
            .flat_map(|document| &document.items)
            .filter_map(|item| match item {
                Item::Test(test) if (test.span.start as usize) < self.offset => Some(test),
                _ => None,
            })
            .next_back();
        let tokens: Vec<(String, String)> = test
            .into_iter()
            .flat_map(|test| &test.steps)
            .filter_map(|step| match step {
                TestStep::Token(token) => {
                    let text = one_line(self.policy.parsed.sources.text(token.span));
                    Some((token.name.node.clone(), text))
                }
                TestStep::Expectation(_) => None,
            })
            .collect();
        for (name, text) in tokens {
            self.add(
                Group::Declared,
                name,
                CompletionItemKind::Variable,
                Some(text),
            );
        }
    }

    /// Whether a string is a scope here: after `scope`, or in the list of `scope any`. In a test's
    /// token it contains several.
    fn is_scope(&self) -> bool {
        if self.ahead.block == Context::Token {
            return ["scope", "scp"].contains(&self.before(1));
        }
        let mut words = self
            .ahead
            .before
            .iter()
            .rev()
            .map(String::as_str)
            .skip_while(|word| *word == "," || word.starts_with('"'));
        match words.next() {
            Some("scope") => self.before(1) == "scope",
            Some("[") => {
                matches!(words.next(), Some("any" | "all")) && words.next() == Some("scope")
            }
            _ => false,
        }
    }

    fn scopes(&mut self) {
        let index = self.policy.index();
        let listed = match self.ahead.block {
            Context::Api | Context::Under => self.api().and_then(|api| index.scopes_of.get(api)),
            _ => None,
        };
        let scopes: BTreeSet<String> = match listed {
            Some(listed) => listed.iter().cloned().collect(),
            None => index
                .iter()
                .filter_map(|occurrence| match &occurrence.symbol {
                    // The scope being typed isn't complete yet.
                    Symbol::Scope(scope)
                        if !(occurrence.span.file == self.file
                            && (occurrence.span.start as usize..=occurrence.span.end as usize)
                                .contains(&self.offset)) =>
                    {
                        Some(scope.clone())
                    }
                    _ => None,
                })
                .collect(),
        };
        if self.ahead.block == Context::Token {
            // Only the last one is being typed.
            let text = self.policy.text(self.file);
            let typed = text.get(self.ahead.start..self.offset).unwrap_or("");
            self.ahead.start += typed.rfind(' ').map_or(0, |blank| blank + 1);
        }
        for scope in scopes {
            self.add(Group::Declared, scope, CompletionItemKind::Value, None);
        }
    }

    /// The parameters of the paths around the position, or of all paths if they are unknown, as in
    /// a `let`.
    fn parameters(&self) -> BTreeSet<String> {
        let written: BTreeSet<String> = self
            .ahead
            .before
            .iter()
            .filter(|token| token.starts_with('/'))
            .flat_map(|path| path.split('{').skip(1))
            .filter_map(|part| part.split_once('}'))
            .map(|(name, _)| name.to_owned())
            .collect();
        match self.ahead.block {
            Context::Api | Context::Under => written.into_iter().chain(self.around()).collect(),
            _ if self.first() == "guard" => written,
            _ => {
                let index = self.policy.index();
                index
                    .iter()
                    .filter(|found| found.declares && matches!(found.symbol, Symbol::Parameter(_)))
                    .map(|found| self.policy.parsed.sources.text(found.span).to_owned())
                    .collect()
            }
        }
    }

    /// The parameters of the `under` blocks around the position.
    fn around(&self) -> Vec<String> {
        fn of(items: &[RouteItem], offset: usize, names: &mut Vec<String>) {
            for item in items {
                if let RouteItem::Under(under) = item
                    && (under.span.start as usize..under.span.end as usize).contains(&offset)
                {
                    let parameters = under.path.segments.iter().filter_map(|part| match part {
                        crate::syntax::ast::Segment::Parameter { name, .. } => {
                            Some(name.node.clone())
                        }
                        crate::syntax::ast::Segment::Literal(_) => None,
                    });
                    names.extend(parameters);
                    of(&under.items, offset, names);
                }
            }
        }
        let mut names = Vec::new();
        let document = self.policy.parsed.documents.get(self.file.0 as usize);
        for item in document.into_iter().flat_map(|document| &document.items) {
            if let Item::Api(api) = item {
                of(&api.routes, self.offset, &mut names);
            }
        }
        names
    }

    fn host_labels(&self) -> BTreeSet<String> {
        self.policy
            .index()
            .iter()
            .filter(|found| found.declares)
            .filter_map(|found| match &found.symbol {
                Symbol::HostLabel(name) => Some(name.clone()),
                _ => None,
            })
            .collect()
    }
}
