//! The values of a policy's parameters.
//!
//! `--param NAME=VALUE` takes precedence over the environment's `PORTCULLIS_PARAM_NAME`, which
//! takes precedence over the configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use crate::syntax::ast::{Document, Item};

/// The prefix of the environment variables.
pub const ENVIRONMENT_PREFIX: &str = "PORTCULLIS_PARAM_";

/// The given values, by their source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params {
    /// From `--param`.
    pub arguments: BTreeMap<String, String>,
    /// From the environment, without the prefix.
    pub environment: BTreeMap<String, String>,
    /// From `portcullis.yaml`.
    pub configuration: BTreeMap<String, String>,
    /// Whether another policy gets the same values. Arguments that name no parameter of this one
    /// are then ignored.
    pub shared: bool,
}

impl Params {
    /// Keeps the environment variables for parameters.
    ///
    /// Invalid UTF-8 in a value is replaced, so that the check of its type can report it.
    #[must_use]
    pub fn with_environment(
        mut self,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        self.environment
            .extend(variables.into_iter().filter_map(|(name, value)| {
                let name = name.to_str()?.strip_prefix(ENVIRONMENT_PREFIX)?;
                Some((name.to_owned(), value.to_string_lossy().into_owned()))
            }));
        self
    }

    /// The values for a policy.
    ///
    /// An environment variable may spell a parameter's name in capitals, as is usual. Variables
    /// that name no parameter of this policy are ignored, since an environment is shared. Arguments
    /// and the configuration are passed on even then, so that the checker can report the typo.
    pub fn resolve(&self, documents: &[Document]) -> BTreeMap<String, String> {
        let mut values = self.configuration.clone();
        let declared: BTreeSet<&str> = documents
            .iter()
            .flat_map(|document| &document.items)
            .filter_map(|item| match item {
                Item::Param(param) => Some(param.name.node.as_str()),
                _ => None,
            })
            .collect();
        for name in &declared {
            let name = *name;
            let value = self
                .environment
                .get(name)
                .or_else(|| self.environment.get(&name.to_ascii_uppercase()));
            if let Some(value) = value {
                values.insert(name.to_owned(), value.clone());
            }
        }
        values.extend(
            self.arguments
                .iter()
                .filter(|(name, _)| !self.shared || declared.contains(name.as_str()))
                .map(|(name, value)| (name.clone(), value.clone())),
        );
        values
    }
}
