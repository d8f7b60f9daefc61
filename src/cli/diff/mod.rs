//! `portcullis diff`: compares what two policies decide, and shows each difference with a request.

pub mod command;
mod human;
pub mod markdown;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::Ended;
use super::output::{self, Exit, Failure, Paint};
use super::policy::{self, ParamArguments};
use super::time;
use crate::analyze::{self, Change, Difference};
use crate::changes::{self, Side, Verdict};
use crate::engine::Policy;
use crate::load::{self, Loaded};
use crate::source::Sources;

/// Show what changes in meaning between two policies.
///
/// Two policies are equal if they make the same decision about every request with every token,
/// however different their texts are. Each change comes with a request that shows it, which
/// `portcullis why` confirms in both. A policy is a folder, a file, or `git:REV:PATH`: a folder or
/// a file in a revision of the repository around the current folder, read without a checkout.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portcullis diff git:main:policies policies
  portcullis diff git:HEAD~1:./spa git:HEAD:./spa
  portcullis diff git:main:policies policies --format markdown --fail-on loosened

Exit codes: 0 equal in meaning, or nothing that --fail-on names; 1 different; 2 they could not be
compared.")]
pub struct Arguments {
    /// The policy before the change
    old: PathBuf,
    /// The policy after it
    new: PathBuf,
    /// Which changes exit with 1
    #[arg(long, value_enum, value_name = "WHAT", default_value_t)]
    fail_on: FailOn,
    #[command(flatten)]
    params: ParamArguments,
    /// The time of the requests that show a change: in RFC 3339 format, or in seconds since 1970;
    /// by default now
    #[arg(long, value_name = "TIME", value_parser = time::at, allow_negative_numbers = true)]
    at: Option<f64>,
    /// The format of the report
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Which changes exit with 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum FailOn {
    /// Any difference.
    #[default]
    Any,
    /// Changes that may allow something new.
    Loosened,
    /// None: only print the report.
    Never,
}

/// The format of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Human,
    /// For programs.
    Json,
    /// For a comment on a pull request.
    Markdown,
}

/// Two policies, with their names on the command line.
struct Compared<'c> {
    new: &'c Path,
    sources: [&'c Sources; 2],
    /// The given parameter values, which `why` needs too.
    params: &'c [(String, String)],
}

impl Compared<'_> {
    fn said(&self, change: &Change, side: Side) -> Option<Verdict<'_>> {
        let [old, new] = self.sources;
        side.verdict(
            change,
            match side {
                Side::Old => old,
                Side::New => new,
            },
        )
    }
}

/// Prints the report.
pub fn run(arguments: &Arguments) -> Ended {
    let mut options = arguments.params.options();
    options.params.shared = true;
    let (old, new) = (
        load(&arguments.old, &options)?,
        load(&arguments.new, &options)?,
    );
    let (Some(old_policy), Some(new_policy)) = (
        ready("old", &arguments.old, &old),
        ready("new", &arguments.new, &new),
    ) else {
        return Err(Failure::said());
    };
    for name in options.params.arguments.keys() {
        if !old.params.contains_key(name) && !new.params.contains_key(name) {
            return Err(Failure::new(format!(
                "neither policy has a parameter `{name}`"
            )));
        }
    }
    let now = arguments.at.unwrap_or_else(time::now);
    let difference =
        analyze::diff(&old_policy, &new_policy, now).map_err(|failure| refused(&failure))?;

    let compared = Compared {
        new: &arguments.new,
        sources: [&old.sources, &new.sources],
        params: arguments.params.given(),
    };
    let report = match arguments.format {
        Format::Human => human::report(&difference, &compared, Paint::of(&std::io::stdout())),
        Format::Json => {
            let report = changes::report(&difference);
            output::json(&report.map_err(|error| Failure::new(error.to_string()))?)?
        }
        Format::Markdown => markdown::report(&difference, &compared),
    };
    output::print_all(&report)?;
    Ok(if fails(arguments.fail_on, &difference) {
        Exit::Negative
    } else {
        Exit::Good
    })
}

fn load(path: &Path, options: &load::Options) -> Result<Loaded, Failure> {
    policy::load(&[path.to_owned()], options, false)
}

/// The policy, ready to decide. If it has errors, they are printed with the side that has them.
///
/// A policy with errors isn't a negative answer here, because the difference is unknown.
fn ready(side: &str, path: &Path, loaded: &Loaded) -> Option<Policy> {
    let policy = loaded.policy();
    if policy.is_none() {
        output::eprint_all(&format!(
            "the {side} policy, `{}`, cannot be compared:\n\n",
            output::printable(&path.to_string_lossy())
        ));
        policy::refuse(loaded);
    }
    policy
}

fn refused(failure: &analyze::Failure) -> Failure {
    let said = Failure::new(failure.to_string());
    match failure {
        analyze::Failure::TooComplex { .. } => said
            .help("the difference is not known; simplify the condition, or compare smaller steps"),
        analyze::Failure::Mismatch { .. } => {
            said.help("this is a bug in portcullis; please report it with both policies")
        }
    }
}

fn fails(fail_on: FailOn, difference: &Difference) -> bool {
    match fail_on {
        FailOn::Any => !difference.changes.is_empty(),
        FailOn::Loosened => difference.changes.iter().any(Change::may_loosen),
        FailOn::Never => false,
    }
}
