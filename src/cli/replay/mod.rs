//! `portcullis replay`: decides the requests of logs again, and shows what would change.

mod compressed;
pub mod format;
mod read;
mod report;
#[cfg(feature = "openapi")]
pub mod usage;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Ended;
use super::output::{self, Exit, Failure, Paint};
use super::policy::{self, ParamArguments};
use crate::replay::{self, Shown, Tally};

use format::LogArguments;
use read::{Logs, Sums};
use report::Report;

/// Decide the requests of a log again, and show what would change.
///
/// The log is portcullis' own decision log, or an access log of Envoy or nginx; compressed files
/// (gzip, zstd) are read too. With `log.record: inputs` in portcullis.yaml, the lines of the decision
/// log hold what the rules read. Where a line lacks something that a rule reads, the request is
/// reported as not decidable, with what is missing. In an access log, a status of 2xx or 3xx means
/// that the request was allowed, and 401 or 403 that it was denied. A policy is a folder, a file, or
/// `git:REV:PATH`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portcullis replay policies --log decisions.jsonl
  portcullis replay git:main:policies --log decisions.jsonl.1.gz --log decisions.jsonl
  portcullis replay policies --log decisions.jsonl --format markdown
  portcullis replay policies --log access.log --log-format combined --host api.example.com

Exit codes: 0 every request that can be decided is decided as before; 1 some are not; 2 the job could
not be done.")]
pub struct Arguments {
    /// The policy: a folder, a file, or `git:REV:PATH`
    policy: PathBuf,
    /// A log, or - for standard input; may be repeated
    #[arg(long = "log", value_name = "FILE", required = true, num_args = 1..)]
    logs: Vec<PathBuf>,
    /// Where to begin in the log, in bytes: what an earlier replay printed as the end. Compressed
    /// logs are counted uncompressed
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    from_offset: u64,
    /// Name subjects as they are, for tokens that name no client, and show claims and addresses in the
    /// examples; by default subjects are hashed
    #[arg(long)]
    show_subjects: bool,
    #[command(flatten)]
    params: ParamArguments,
    /// The format of the report
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    log: LogArguments,
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

/// Prints the report.
pub fn run(arguments: &Arguments) -> Ended {
    if arguments.from_offset > 0 && arguments.logs.len() > 1 {
        return Err(Failure::new(
            "`--from-offset` is for one log, and there are several",
        ));
    }
    let log = arguments.log.log()?;
    let options = arguments.params.options();
    let (loaded, policy) = policy::load_policy(std::slice::from_ref(&arguments.policy), &options)?;
    let logs = Logs {
        log: &log,
        files: &arguments.logs,
        from: arguments.from_offset,
    };
    let (tally, end) = logs.read(&Sums {
        add: &|tally: &mut Tally, line, place| match log.read(line) {
            Ok(entry) => {
                let verdict = replay::decide(&entry, &policy, &loaded.revision);
                let shown = Shown {
                    subjects: arguments.show_subjects,
                    is_secret: &|name| policy.may_hold_secret(name),
                };
                tally.add(&entry, verdict, place, &shown);
            }
            Err(error) => tally.unread(error, place),
        },
        unread: Tally::unread,
        merge: Tally::merge,
    })?;
    let report = Report {
        tally: &tally,
        policy: &arguments.policy,
        revision: &loaded.revision,
        params: arguments.params.given(),
        files: &arguments.logs,
        end,
        shows_subjects: arguments.show_subjects,
    };
    let text = match arguments.format {
        Format::Human => report.human(Paint::of(&std::io::stdout())),
        Format::Json => report.json()?,
        Format::Markdown => report.markdown(),
    };
    output::print_all(&text)?;
    Ok(if tally.changes.is_empty() {
        Exit::Good
    } else {
        Exit::Negative
    })
}
