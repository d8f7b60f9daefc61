//! `portcullis test`: runs the policy's own tests.

mod coverage;
mod human;
mod mutants;
mod programs;

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread;

use clap::Args;

use super::output::{self, Exit, Failure, FindingsFormat, Paint};
use super::policy::{self, ParamArguments};
use super::{Ended, time};
use crate::diagnostic::render::{self, Finding};
use crate::load;
use crate::source::Sources;
use crate::suite::{self, Coverage, Mutants, Report};

/// Run a policy's own tests.
///
/// Runs the `test` blocks of the policy's files, including `*.test.gate` files. A request without a
/// time happens now. Nothing is fetched: a test's tokens need no keys.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portcullis test policies/spa
  portcullis test policies/spa --filter reports     the tests with `reports` in their name
  portcullis test policies/spa --coverage           what no test has seen
  portcullis test policies/spa --mutate             which changes of the policy no test notices
  portcullis test policies --format github          annotations for a workflow of GitHub Actions

Exit codes: 0 every expectation is met, and with --mutate every change is noticed or explained;
1 otherwise, or the policy has errors; 2 the tests could not run.")]
pub struct Arguments {
    /// The policy: folders or files
    #[arg(required = true)]
    policy: Vec<PathBuf>,
    #[command(flatten)]
    params: ParamArguments,
    /// Run only the tests whose name contains this text
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// List routes that no test has seen allowed and denied, and conditions that no test has seen
    /// true, false and missing
    #[arg(long)]
    coverage: bool,
    /// Write the coverage as an lcov tracefile; `-` writes it to standard output and the report to
    /// standard error
    #[arg(long, value_name = "FILE")]
    lcov: Option<PathBuf>,
    /// Change the policy in one place at a time, and list the changes that no test notices
    #[arg(long)]
    mutate: bool,
    /// The format of the report
    #[arg(long, value_enum, default_value_t)]
    format: FindingsFormat,
}

/// Runs the tests and prints the report.
pub fn run(arguments: &Arguments) -> Ended {
    let (loaded, policy) = policy::load_tests(&arguments.policy, &arguments.params.options())?;
    let options = suite::Options {
        now: time::now(),
        filter: arguments.filter.as_deref(),
        workers: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
    };
    let report = suite::run(&policy, &options);
    say_if_empty(arguments, &report)?;
    let measured = (arguments.coverage || arguments.lcov.is_some())
        .then(|| suite::coverage(&policy, &options));
    let to_stdout = match (&arguments.lcov, &measured) {
        (Some(path), Some(measured)) => write(path, &coverage::lcov(measured))?,
        _ => false,
    };
    let failed = report.failed_tests() > 0;
    // Whether a test notices a change is only meaningful if the test passes without it.
    let tried = (arguments.mutate && !failed).then(|| {
        let files = load::referenced(&loaded.sources);
        suite::mutants(&policy, &files, &loaded.params, &options)
    });
    if arguments.mutate && failed {
        output::eprint_all("note: changes to the policy are only tried when all its tests pass\n");
    }
    let survived = tried
        .as_ref()
        .is_some_and(|tried| tried.survivors().next().is_some());
    let whole = Whole {
        report: &report,
        coverage: measured.as_ref().filter(|_| arguments.coverage),
        mutants: tried.as_ref(),
    };
    let text = whole.print(arguments.format, &loaded.sources)?;
    if to_stdout {
        output::eprint_all(&text);
    } else {
        output::print_all(&text)?;
    }
    Ok(if failed || survived {
        Exit::Negative
    } else {
        Exit::Good
    })
}

/// Everything in the report.
struct Whole<'r> {
    report: &'r Report,
    coverage: Option<&'r Coverage>,
    mutants: Option<&'r Mutants>,
}

impl Whole<'_> {
    /// Prints the report in the chosen format.
    fn print(&self, format: FindingsFormat, sources: &Sources) -> Result<String, Failure> {
        Ok(match format {
            FindingsFormat::Human => {
                let paint = Paint::of(&std::io::stdout());
                let mut text = human::report(self.report, sources, paint);
                if let Some(coverage) = self.coverage {
                    text.push_str(&coverage::human(coverage, paint));
                }
                if let Some(mutants) = self.mutants {
                    text.push_str(&mutants::human(mutants, paint));
                }
                text
            }
            FindingsFormat::Json => output::json(&programs::Object::of(self))?,
            FindingsFormat::Github => render::github_findings(sources, &self.findings()),
            FindingsFormat::Sarif => render::sarif_findings(sources, &self.findings()),
        })
    }

    fn findings(&self) -> Vec<Finding> {
        let mut findings = programs::findings(self.report);
        findings.extend(self.coverage.into_iter().flat_map(coverage::findings));
        findings.extend(self.mutants.into_iter().flat_map(mutants::findings));
        findings
    }
}

/// Writes a file, or standard output for `-`. Returns whether it was standard output.
fn write(path: &Path, text: &str) -> Result<bool, Failure> {
    if path == Path::new("-") {
        output::print_all(text)?;
        return Ok(true);
    }
    fs::write(path, text)
        .map(|()| false)
        .map_err(|error| Failure::new(format!("`{}` cannot be written: {error}", path.display())))
}

/// A policy without tests is not a failure, but the user should know. A filter that matches no name
/// is a typo.
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
