//! `portcullis fmt`: formats policy files.

mod replace;

use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::json;
use similar::TextDiff;

use super::Ended;
use super::output::{self, Exit, Failure, Format, Paint};
use super::policy;
use crate::diagnostic;
use crate::load::{self, Overlay, Parsed};
use crate::source::{FileId, Sources};
use crate::syntax::{self, MAX_FILE_BYTES};

/// The argument for standard input.
const STANDARD_INPUT: &str = "-";

/// Format policy files.
///
/// Only white space changes: comments stay where they are, and the policy keeps its meaning. A file
/// with an error is left alone. Test files (`*.test.gate`) are formatted too.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portcullis fmt policies              format every `*.gate` file below the folder
  portcullis fmt --check policies      change nothing; show what would change
  portcullis fmt - < shop.gate         from standard input to standard output

Exit codes: 0 done, or nothing to do; 1 a file with errors, or with --check one that would change;
2 a file that cannot be read or written.")]
pub struct Arguments {
    /// The policy: folders or files; - is standard input
    #[arg(required = true)]
    policy: Vec<PathBuf>,
    /// Write nothing; print the differences, and exit with 1 if there are any
    #[arg(long)]
    check: bool,
    /// The format of the report
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// A file, with the result of formatting it.
struct File<'p> {
    name: &'p str,
    path: &'p Path,
    text: &'p str,
    state: State,
}

enum State {
    /// It is formatted already.
    Good,
    /// Its formatted text differs from it.
    Differs(String),
    /// It has an error, which is reported.
    Wrong,
    /// It couldn't be formatted, or not be written.
    Failed(Failure),
}

/// Formats, or reports what isn't formatted.
pub fn run(arguments: &Arguments) -> Ended {
    let is_input = |path: &PathBuf| path.as_os_str() == STANDARD_INPUT;
    let piped = arguments.policy.iter().any(is_input);
    if piped && arguments.policy.len() > 1 {
        return Err(Failure::new(
            "`-` is standard input, and can't be combined with other paths",
        ));
    }
    let parsed = if piped {
        standard_input()?
    } else {
        load::parse(&arguments.policy, true, &Overlay::default())
    };
    policy::explain(&parsed.sources, &parsed.diagnostics);
    let mut files = lay_out(&parsed);
    if piped && !arguments.check {
        for file in &files {
            match &file.state {
                State::Good => output::print_exactly(file.text)?,
                State::Differs(text) => output::print_exactly(text)?,
                State::Wrong | State::Failed(_) => {}
            }
        }
    } else {
        if !arguments.check {
            files.iter_mut().for_each(write);
        }
        output::print_all(&match arguments.format {
            Format::Human => human(arguments, &files),
            Format::Json => output::json(&programs(&files))?,
        })?;
    }
    let differs = |file: &File<'_>| matches!(file.state, State::Differs(_));
    let negative = diagnostic::has_errors(&parsed.diagnostics)
        || (arguments.check && files.iter().any(differs));
    let mut could_not = policy::is_unreadable(&parsed.diagnostics);
    for file in &files {
        if let State::Failed(failure) = &file.state {
            failure.report();
            could_not = true;
        }
    }
    if could_not {
        return Err(Failure::said());
    }
    Ok(if negative { Exit::Negative } else { Exit::Good })
}

/// Reads standard input, up to the size limit of a policy file.
fn standard_input() -> Result<Parsed, Failure> {
    let mut bytes = Vec::new();
    let most = u64::try_from(MAX_FILE_BYTES).map_or(u64::MAX, |most| most + 1);
    io::stdin()
        .lock()
        .take(most)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::new(format!("standard input cannot be read: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|_| {
        Failure::new("standard input is not UTF-8").help("a policy is saved as UTF-8")
    })?;
    Ok(Parsed::of_text(STANDARD_INPUT, &text))
}

/// All files, formatted.
fn lay_out(parsed: &Parsed) -> Vec<File<'_>> {
    let sources = parsed.sources.iter().zip(&parsed.paths);
    sources
        .map(|((id, source), path)| File {
            name: &source.name,
            path,
            text: &source.text,
            state: state(&parsed.sources, id),
        })
        .collect()
}

/// The result of formatting a file. A result with another meaning is never used: this checks it, so
/// that a bug in the layout is found before the file is written.
fn state(sources: &Sources, file: FileId) -> State {
    let (name, text) = match sources.get(file) {
        Some(source) => (&*source.name, &*source.text),
        None => ("", ""),
    };
    match syntax::layout(sources, file) {
        Ok(laid) if laid == text => State::Good,
        Ok(laid) if syntax::is_relaid(text, &laid) => State::Differs(laid),
        Err(errors) if diagnostic::has_errors(&errors) => State::Wrong,
        Ok(_) | Err(_) => State::Failed(
            Failure::new(format!(
                "`{name}` is left unchanged: formatted, it would not be the same policy"
            ))
            .help("this is a bug in portcullis; please report it with the file"),
        ),
    }
}

/// Writes a file that isn't formatted.
fn write(file: &mut File<'_>) {
    if let State::Differs(text) = &file.state
        && let Err(error) = replace::replace(file.path, text)
    {
        let cause = format!("`{}` cannot be written: {error}", file.name);
        file.state = State::Failed(Failure::new(cause));
    }
}

/// The report for people.
fn human(arguments: &Arguments, files: &[File<'_>]) -> String {
    let paint = Paint::of(&io::stdout());
    let mut said = String::new();
    let mut changed = 0;
    for file in files {
        let State::Differs(laid) = &file.state else {
            continue;
        };
        changed += 1;
        if arguments.check {
            said.push_str(&difference(file, laid, paint));
        } else {
            said.push_str(&format!("formatted {}\n", file.name));
        }
    }
    let spoilt = |file: &File<'_>| matches!(file.state, State::Wrong | State::Failed(_));
    let all = match files.len() {
        1 => "1 file".to_owned(),
        count => format!("{count} files"),
    };
    if arguments.check && changed > 0 {
        let verb = if changed == 1 { "is" } else { "are" };
        let failed = paint.bad("failed:");
        said.push_str(&format!(
            "{failed} {changed} of {all} {verb} not formatted; run `portcullis fmt`\n"
        ));
    } else if !files.iter().any(spoilt) && !files.is_empty() {
        let ok = paint.good("ok:");
        said.push_str(&format!("{ok} {all}, {changed} changed\n"));
    }
    said
}

/// How long to search for the shortest diff of a file. The search takes quadratic time in the
/// number of changed lines. After that, a longer diff is used.
const SHORTEST_DIFFERENCE: Duration = Duration::from_secs(1);

/// The diff between a file and its formatted text, in the format of `patch`.
fn difference(file: &File<'_>, laid: &str, paint: Paint) -> String {
    let diff = TextDiff::configure()
        .timeout(SHORTEST_DIFFERENCE)
        .diff_lines(file.text, laid);
    let text = diff.unified_diff().header(file.name, file.name).to_string();
    if !io::stdout().is_terminal() {
        return text;
    }
    // A comment may contain anything, including escape sequences for the terminal.
    text.lines()
        .map(|line| {
            let shown = output::printable(&line.replace('\t', "    "));
            match line.as_bytes().first() {
                Some(b'+') => paint.good(shown),
                Some(b'-') => paint.bad(shown),
                Some(b'@') => paint.faint(shown),
                _ => shown,
            }
        })
        .flat_map(|line| [line, "\n".to_owned()])
        .collect()
}

/// The report for programs.
fn programs(files: &[File<'_>]) -> serde_json::Value {
    let files: Vec<_> = files
        .iter()
        .map(|file| {
            let state = match &file.state {
                State::Good => "unchanged",
                State::Differs(_) => "changed",
                State::Wrong => "errors",
                State::Failed(_) => "failed",
            };
            json!({"file": file.name, "state": state})
        })
        .collect();
    json!({ "files": files })
}
