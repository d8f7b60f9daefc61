//! `portcullis serve`: the daemon.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Ended;
use super::output::{Exit, Failure};
use super::policy::{self, ParamArguments};
use super::ports::with_ports;
use crate::daemon::{self, StartError};
use crate::runtime::{OpenError, Options, config};

/// The description and the examples; the names in braces are those of listeners.
const ABOUT: &str = "\
Run the daemon that a proxy asks about each request.

Without a configuration it uses the policy in `policies` and listens on loopback only: gRPC for Envoy \
on {grpc}, HTTP for nginx, Caddy and Traefik on {http}, the JSON interfaces on {pdp}, health, metrics \
and the policy in force on {admin}. The policy is reloaded when its files change; one with errors \
changes nothing. SIGHUP reloads too; SIGTERM shuts it down gracefully.";

const EXAMPLES: &str = "\
Examples:
  portcullis serve policies
  portcullis serve --config /etc/portcullis/portcullis.yaml
  curl http://127.0.0.1:{admin}/readyz

Fields of portcullis.yaml are in docs/configuration.md.
Exit codes: 0 shut down gracefully; 1 the policy has errors; 2 it could not start.";

/// Run the daemon that a proxy asks about each request.
#[derive(Debug, Args)]
#[command(long_about = with_ports(ABOUT), after_help = with_ports(EXAMPLES))]
pub struct Arguments {
    /// The policy: folders or files; by default the configuration's, or `policies`
    policy: Vec<PathBuf>,
    /// The configuration; by default `portcullis.yaml` in the current folder, if it is there
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A policy that decides too and answers nothing: differences are counted and logged
    #[arg(long, value_name = "POLICY")]
    candidate: Vec<PathBuf>,
    #[command(flatten)]
    params: ParamArguments,
}

/// Runs until a signal.
pub fn run(arguments: &Arguments) -> Ended {
    let options = Options {
        config_file: config_file(arguments.config.as_deref()),
        policy: given(&arguments.policy),
        candidate: given(&arguments.candidate),
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
            | OpenError::Random(_)
            | OpenError::Thread(_),
        )
        | StartError::Fault(_)
        | StartError::Listener(_)
        | StartError::Token(_)
        | StartError::Log(_)
        | StartError::Runtime(_)
        | StartError::Signals(_)) => Failure::new(fault.to_string()),
    }
}
