//! `portcullis check`: reports errors and warnings.

use std::path::PathBuf;

use clap::Args;

use super::Ended;
use super::output::{self, Exit, Failure, FindingsFormat, Paint, count};
use super::policy::{self, ParamArguments};
use crate::diagnostic::{self, render};
use crate::load::Loaded;
use crate::runtime::config::Config;
use crate::runtime::{self, introspect};

/// Report errors and warnings in a policy.
///
/// Reports everything at once: each error and warning with its line, and what to do about it. Tests
/// (`*.test.gate` files) are checked too, but not run.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portcullis check policies/spa
  portcullis check policies --format github     annotations for a workflow of GitHub Actions
  portcullis check policies --format sarif      for code scanning
  portcullis check policies --config portcullis.yaml

With --config it also reports, on standard error, what the configuration lacks: sources of facts
that rules need (warnings), and client credentials for introspection (errors; secrets are read).

Exit codes: 0 no errors, whatever the warnings; 1 errors; 2 a path that cannot be read.")]
pub struct Arguments {
    /// The policy: folders or files
    #[arg(required = true)]
    policy: Vec<PathBuf>,
    #[command(flatten)]
    params: ParamArguments,
    /// The daemon's configuration: uses its `params`, and reports what the policy needs and the
    /// configuration lacks
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The format of the report; `human` goes to standard error, the others to standard output
    #[arg(long, value_enum, default_value_t)]
    format: FindingsFormat,
}

/// Prints the report.
pub fn run(arguments: &Arguments) -> Ended {
    let mut options = arguments.params.options();
    let config = arguments
        .config
        .as_deref()
        .map(|file| Config::read(file).map_err(|error| Failure::new(error.to_string())))
        .transpose()?;
    if let Some(config) = &config {
        options.params.configuration = config.param_values();
    }
    let loaded = policy::load(&arguments.policy, &options, true)?;
    let lacks = lacks(&loaded, config.as_ref());
    let (sources, diagnostics) = (&loaded.sources, &loaded.checked.diagnostics);
    match arguments.format {
        FindingsFormat::Human => {
            policy::explain(sources, diagnostics);
            if !loaded.has_errors() && !lacks {
                output::print_all(&summary(&loaded, Paint::of(&std::io::stdout())))?;
            }
        }
        FindingsFormat::Json => output::print_all(&render::json(sources, diagnostics))?,
        FindingsFormat::Github => output::print_all(&render::github(sources, diagnostics))?,
        FindingsFormat::Sarif => output::print_all(&render::sarif(sources, diagnostics))?,
    }
    // A file that can't be read isn't a negative answer: there is no answer.
    if policy::is_unreadable(diagnostics) {
        return Err(Failure::said());
    }
    Ok(if diagnostic::has_errors(diagnostics) || lacks {
        Exit::Negative
    } else {
        Exit::Good
    })
}

/// Reports the settings that the daemon would lack with this configuration. Returns whether it
/// wouldn't start.
fn lacks(loaded: &Loaded, config: Option<&Config>) -> bool {
    let (Some(model), Some(config)) = (&loaded.checked.model, config) else {
        return false;
    };
    for sentence in runtime::unmet(model, config, None) {
        output::eprint_all(&format!("warning: {sentence}\n"));
    }
    let missing = introspect::unconfigured(model, &config.introspection);
    for sentence in &missing {
        output::eprint_all(&format!("error: {sentence}\n"));
    }
    !missing.is_empty()
}

/// A line that says what was checked.
fn summary(loaded: &Loaded, paint: Paint) -> String {
    let Some(model) = &loaded.checked.model else {
        return String::new();
    };
    let routes = model.apis.iter().map(|api| api.routes.len()).sum();
    format!(
        "{} {}, {}, {}, {}\n",
        paint.good("ok:"),
        count(loaded.sources.iter().count(), "file"),
        count(model.apis.len(), "API"),
        count(routes, "route"),
        count(model.tests.len(), "test"),
    )
}
