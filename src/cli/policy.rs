//! Helpers for commands that load a policy: the `--param` option, policies in a git revision, and
//! reports about policies with errors.

use std::env;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;

use super::expected::Expected;
use super::output::{self, Failure, Paint};
use crate::diagnostic::{self, Code, Diagnostic, Severity};
use crate::engine;
use crate::load::{self, GIT_PREFIX, GitRevision, Loaded, Params};
use crate::source::Sources;

/// Values for the policy's parameters.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct ParamArguments {
    /// A value for one of the policy's parameters; wins over PORTCULLIS_PARAM_NAME in the
    /// environment
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = name_and_value)]
    params: Vec<(String, String)>,
}

impl ParamArguments {
    /// The parameters, including those of the environment.
    pub fn params(&self) -> Params {
        Params {
            arguments: self.params.iter().cloned().collect(),
            ..Params::default()
        }
        .with_environment(env::vars_os())
    }

    /// The parameters of the command line, in order.
    pub fn given(&self) -> &[(String, String)] {
        &self.params
    }

    /// The load options with these parameters.
    pub fn options(&self) -> load::Options {
        load::Options {
            params: self.params(),
            development: None,
        }
    }
}

/// Parses `NAME=VALUE`.
pub fn name_and_value(text: &str) -> Result<(String, String), Expected> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(Expected("NAME=VALUE")),
    }
}

/// Loads the policy that the arguments name: folders and files, or one policy in a git revision.
pub fn load(
    paths: &[PathBuf],
    options: &load::Options,
    include_tests: bool,
) -> Result<Loaded, Failure> {
    let revision = |path: &PathBuf| path.to_string_lossy().starts_with(GIT_PREFIX);
    match paths {
        [path] if revision(path) => {
            let revision = GitRevision::open(&path.to_string_lossy(), Path::new("."))
                .map_err(|error| Failure::of(error.message, error.help))?;
            Ok(load::load_revision(&revision, options, include_tests))
        }
        _ if paths.iter().any(revision) => Err(Failure::new(
            "a policy in a revision is one path, which can't be combined with others",
        )),
        _ => Ok(load::load(paths, options, include_tests)),
    }
}

/// Loads a policy to read it. Errors are printed and make this fail.
pub fn load_model(paths: &[PathBuf], options: &load::Options) -> Result<Loaded, Failure> {
    let loaded = load(paths, options, false)?;
    if loaded.has_errors() {
        return Err(refuse(&loaded));
    }
    Ok(loaded)
}

/// Loads a policy to decide with it. Handles errors like [`load_model`].
pub fn load_policy(
    paths: &[PathBuf],
    options: &load::Options,
) -> Result<(Loaded, engine::Policy), Failure> {
    let loaded = load(paths, options, false)?;
    match loaded.policy() {
        Some(policy) => Ok((loaded, policy)),
        None => Err(refuse(&loaded)),
    }
}

/// Loads a policy with its tests, to run them. Handles errors like [`load_model`].
pub fn load_tests(
    paths: &[PathBuf],
    options: &load::Options,
) -> Result<(Loaded, engine::Policy), Failure> {
    let loaded = load(paths, options, true)?;
    match loaded.policy() {
        Some(policy) => Ok((loaded, policy)),
        None => Err(refuse(&loaded)),
    }
}

/// Prints the errors of a policy. A policy with errors is a negative answer (exit code 1); one that
/// can't be read is no answer (2).
pub fn refuse(loaded: &Loaded) -> Failure {
    let errors: Vec<Diagnostic> = loaded
        .checked
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity() == Severity::Error)
        .cloned()
        .collect();
    explain(&loaded.sources, &errors);
    if is_unreadable(&errors) {
        Failure::said()
    } else {
        Failure::said().negative()
    }
}

/// Whether a given path, or a file below it, can't be read.
pub fn is_unreadable(diagnostics: &[Diagnostic]) -> bool {
    diagnostics
        .iter()
        .any(|diagnostic| diagnostic.code == Code::Unreadable && diagnostic.primary.is_none())
}

/// Prints diagnostics for a person.
pub fn explain(sources: &Sources, diagnostics: &[Diagnostic]) {
    let paint = Paint::of(&io::stderr());
    output::eprint_all(&diagnostic::render::human(
        sources,
        diagnostics,
        paint.is_on(),
    ));
}
