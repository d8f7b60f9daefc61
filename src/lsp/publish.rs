//! Publishes diagnostics to the editor: for all files of a policy, and without leaving old ones
//! behind.

use std::collections::BTreeMap;

use gen_lsp_types::{
    Code as LspCode, Diagnostic as Shown, DiagnosticRelatedInformation, DiagnosticSeverity,
    DiagnosticTag, Message, PublishDiagnosticsParams, Range, Uri,
};

use super::documents::Documents;
use super::policy::Policy;
use crate::diagnostic::{Code, Diagnostic, Severity, render};

/// The source of the diagnostics, for the editor.
const SOURCE: &str = "portcullis";

/// The published diagnostics, by URI and policy. A file may belong to two policies, and the editor
/// keeps only the last message, so each message has the diagnostics of both.
#[derive(Debug, Default)]
pub struct Published {
    by_address: BTreeMap<Uri, BTreeMap<String, Vec<Shown>>>,
    told: BTreeMap<Uri, PublishDiagnosticsParams>,
}

impl Published {
    /// Takes the diagnostics of a policy with these open texts, and returns the messages for the
    /// editor.
    pub fn policy(
        &mut self,
        key: &str,
        policy: &mut Policy,
        open: &[Uri],
        documents: &Documents,
    ) -> Vec<PublishDiagnosticsParams> {
        self.update(key, by_address(policy, open), documents)
    }

    /// Removes a policy that is no longer open.
    pub fn gone(&mut self, key: &str, documents: &Documents) -> Vec<PublishDiagnosticsParams> {
        self.update(key, BTreeMap::new(), documents)
    }

    fn update(
        &mut self,
        key: &str,
        now: BTreeMap<Uri, Vec<Shown>>,
        documents: &Documents,
    ) -> Vec<PublishDiagnosticsParams> {
        for policies in self.by_address.values_mut() {
            policies.remove(key);
        }
        for (uri, diagnostics) in now {
            self.by_address
                .entry(uri)
                .or_default()
                .insert(key.to_owned(), diagnostics);
        }
        let news: Vec<PublishDiagnosticsParams> = self
            .by_address
            .iter()
            .map(|(uri, policies)| PublishDiagnosticsParams {
                uri: uri.clone(),
                version: documents.get(uri).map(|document| document.version),
                diagnostics: policies.values().flatten().cloned().collect(),
            })
            .filter(|news| match self.told.get(&news.uri) {
                Some(told) => told != news,
                None => !news.diagnostics.is_empty() || news.version.is_some(),
            })
            .collect();
        self.by_address.retain(|_, policies| !policies.is_empty());
        for news in &news {
            if news.diagnostics.is_empty() && news.version.is_none() {
                self.told.remove(&news.uri);
            } else {
                self.told.insert(news.uri.clone(), news.clone());
            }
        }
        news
    }
}

/// The diagnostics of every file. Those without a place are shown at the top of the first open one.
fn by_address(policy: &mut Policy, open: &[Uri]) -> BTreeMap<Uri, Vec<Shown>> {
    // An unreadable text is no file of the policy, but its error belongs to it.
    let mut by_address: BTreeMap<Uri, Vec<Shown>> = policy
        .uris()
        .chain(open)
        .map(|uri| (uri.clone(), Vec::new()))
        .collect();
    let found = policy.diagnostics().to_vec();
    for diagnostic in render::ordered(&found) {
        let uri = match &diagnostic.primary {
            Some(label) => policy.uri(label.span.file).cloned(),
            None => open.first().cloned(),
        };
        if let Some(uri) = uri {
            let shown = shown(policy, diagnostic);
            by_address.entry(uri).or_default().push(shown);
        }
    }
    by_address
}

/// A diagnostic in the protocol's form.
pub fn shown(policy: &Policy, diagnostic: &Diagnostic) -> Shown {
    let mut message = diagnostic.message.clone();
    let label = diagnostic.primary.as_ref().map(|label| &label.message);
    if let Some(label) = label.filter(|label| !label.is_empty()) {
        message.push_str(&format!("\n{label}"));
    }
    if let Some(help) = &diagnostic.help {
        message.push_str(&format!("\nhelp: {help}"));
    }
    let related: Vec<DiagnosticRelatedInformation> = diagnostic
        .secondary
        .iter()
        .filter_map(|label| {
            Some(DiagnosticRelatedInformation {
                location: policy.location(label.span)?,
                message: label.message.clone(),
            })
        })
        .collect();
    Shown {
        range: diagnostic
            .primary
            .as_ref()
            .map_or_else(Range::default, |label| policy.range(label.span)),
        severity: Some(match diagnostic.severity() {
            Severity::Error => DiagnosticSeverity::Error,
            Severity::Warning => DiagnosticSeverity::Warning,
        }),
        code: Some(LspCode::String(diagnostic.code.as_str().to_owned())),
        source: Some(SOURCE.to_owned()),
        message: Message::String(message),
        tags: (diagnostic.code == Code::Unused).then(|| vec![DiagnosticTag::Unnecessary]),
        related_information: (!related.is_empty()).then_some(related),
        ..Shown::default()
    }
}
