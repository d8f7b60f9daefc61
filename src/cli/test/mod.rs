//! `portcullis test`: runs the policy's own tests.

mod human;
mod programs;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;

use clap::{Args, ValueEnum};

use super::output::{self, Exit, Failure, Paint};
use super::policy::{self, ParamArguments};
use super::{Ended, time};
use crate::diagnostic::render;
use crate::suite::{self, Report};

/// Run a policy's own tests.
///
/// The tests are the `test` blocks of the policy's files and of its `*.test.gate` files. A request
/// that names no time takes place now. Nothing is fetched: a test's tokens need no keys.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portcullis test policies/spa
  portcullis test policies/spa --filter reports     the tests with `reports` in their name
  portcullis test policies --format github          annotations for a workflow of GitHub Actions

Exit codes: 0 every expectation is met; 1 one is not, or a policy with errors; 2 the tests could
not be run.")]
pub struct Arguments {
    /// The policy: folders or files
    #[arg(required = true)]
    policy: Vec<PathBuf>,
    #[command(flatten)]
    params: ParamArguments,
    /// Run the tests alone whose name has this in it
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// The format of the report
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The format of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Human,
    /// For programs.
    Json,
    /// Annotations of GitHub Actions.
    Github,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
}

/// Runs the tests and prints the report.
pub fn run(arguments: &Arguments) -> Ended {
    let (loaded, policy) = policy::load_tests(&arguments.policy, &arguments.params.options())?;
    let report = suite::run(
        &policy,
        &suite::Options {
            now: time::now(),
            filter: arguments.filter.as_deref(),
            workers: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        },
    );
    say_if_empty(arguments, &report)?;
    let sources = &loaded.sources;
    let text = match arguments.format {
        Format::Human => human::report(&report, sources, Paint::of(&std::io::stdout())),
        Format::Json => output::json(&programs::Object::of(&report))?,
        Format::Github => render::github_findings(sources, &programs::findings(&report)),
        Format::Sarif => render::sarif_findings(sources, &programs::findings(&report)),
    };
    output::print_all(&text)?;
    Ok(if report.failed_tests() > 0 {
        Exit::Negative
    } else {
        Exit::Good
    })
}

/// A policy without tests has none that fails, but whoever runs them should know; a filter that
/// no name fits is a typing error.
fn say_if_empty(arguments: &Arguments, report: &Report) -> Result<(), Failure> {
    if !report.tests.is_empty() {
        return Ok(());
    }
    match &arguments.filter {
        Some(filter) => Err(Failure::new(format!("no test has `{filter}` in its name"))),
        None => {
            output::eprint_all(
                "note: the policy has no tests; write them as `test \"…\" { … }` blocks, in files \
                 that end in `.test.gate` or beside the rules\n",
            );
            Ok(())
        }
    }
}
