//! `portcullis serve`: the daemon.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Ended;
use super::output::{Exit, Failure};
use super::policy::{self, ParamArguments};
use crate::daemon::config::DEFAULT_FILE;
use crate::daemon::{self, Options, StartError};
use crate::diagnostic::Code;

/// Answer the questions of proxies by a policy, until SIGTERM or SIGINT.
///
/// The policy's folder and the configuration are watched; SIGHUP and `POST /reload` at the admin
/// listener have them read again. A policy with errors changes nothing while the daemon runs; at
/// start it ends it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portcullis serve                              ./policies, with ./portcullis.yaml if it is there
  portcullis serve policies/spa --config /etc/portcullis.yaml

Exit codes: 0 ended by a signal; 1 the policy has errors; 2 the configuration, a file, or a socket \
can't be had.")]
pub struct Arguments {
    /// The policy: folders or files; without it, what the configuration says, else `policies`
    policy: Vec<PathBuf>,
    /// The configuration; without it, `portcullis.yaml` in the current folder if there is one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    params: ParamArguments,
}

/// Runs the daemon.
pub fn run(arguments: &Arguments) -> Ended {
    let default = || Some(PathBuf::from(DEFAULT_FILE)).filter(|file| Path::exists(file));
    let options = Options {
        config_file: arguments.config.clone().or_else(default),
        policy: Some(arguments.policy.clone()).filter(|paths| !paths.is_empty()),
        load: arguments.params.options(),
        ..Options::default()
    };
    match daemon::run(options, |_| {}) {
        Ok(()) => Ok(Exit::Good),
        Err(StartError::Environment(fault)) => Err(Failure::new(fault)),
        Err(StartError::Policy(loaded)) => {
            let diagnostics = &loaded.checked.diagnostics;
            policy::explain(&loaded.sources, diagnostics);
            // What can't be read is no policy with errors: there is none.
            let unreadable = diagnostics.iter().any(|diagnostic| {
                diagnostic.code == Code::Unreadable && diagnostic.primary.is_none()
            });
            if unreadable {
                return Err(Failure::said());
            }
            Ok(Exit::Negative)
        }
    }
}
