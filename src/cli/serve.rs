//! `portcullis serve`: the daemon.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Ended;
use super::output::{Exit, Failure};
use super::policy::{self, ParamArguments};
use crate::daemon::{self, StartError};
use crate::runtime::{OpenError, Options, config};

/// Run the daemon that a proxy asks about each request.
///
/// Without a configuration it uses the policy in `policies` and listens on loopback only:
/// gRPC for Envoy on 9191, HTTP for nginx, Caddy and Traefik on 9190, the JSON interfaces on 9193,
/// health, metrics and the policy in force on 9192. The policy is reloaded when its files change;
/// one with errors changes nothing. SIGHUP reloads too; SIGTERM shuts it down gracefully.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portcullis serve policies
  portcullis serve --config /etc/portcullis/portcullis.yaml
  curl http://127.0.0.1:9192/readyz

Fields of portcullis.yaml are in docs/configuration.md.
Exit codes: 0 shut down gracefully; 1 the policy has errors; 2 it could not start.")]
pub struct Arguments {
    /// The policy: folders or files; by default the configuration's, or `policies`
    policy: Vec<PathBuf>,
    /// The configuration; by default `portcullis.yaml` in the current folder, if it is there
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    params: ParamArguments,
}

/// Runs until a signal.
pub fn run(arguments: &Arguments) -> Ended {
    let options = Options {
        config_file: config_file(arguments.config.as_deref()),
        policy: given(&arguments.policy),
        load: arguments.params.options(),
        ..Options::default()
    };
    daemon::run(options, |_| {}).map_err(failure)?;
    Ok(Exit::Good)
}

/// The configuration file: the given one, otherwise the default if it exists.
pub fn config_file(named: Option<&Path>) -> Option<PathBuf> {
    match named {
        Some(path) => Some(path.to_owned()),
        None => Some(PathBuf::from(config::DEFAULT_FILE)).filter(|path| path.exists()),
    }
}

/// The policy's paths, if any were given.
pub fn given(policy: &[PathBuf]) -> Option<Vec<PathBuf>> {
    (!policy.is_empty()).then(|| policy.to_vec())
}

/// Why it didn't start.
pub fn failure(error: StartError) -> Failure {
    match error {
        StartError::Open(OpenError::Policy(loaded)) => policy::refuse(&loaded),
        fault @ (StartError::Open(
            OpenError::Source(_)
            | OpenError::Fetching(_)
            | OpenError::Dpop(_)
            | OpenError::Build(_)
            | OpenError::DecisionLog(_)
            | OpenError::Random(_),
        )
        | StartError::Fault(_)
        | StartError::Listener(_)
        | StartError::Log(_)
        | StartError::Runtime(_)
        | StartError::Signals(_)) => Failure::new(fault.to_string()),
    }
}
