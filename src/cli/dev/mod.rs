//! `portcullis dev`: the daemon, with a built-in issuer in place of every issuer of the policy.
//!
//! It is for one developer on one machine. Everything listens on loopback, the key is made at start
//! and lives as long as the process, and a reloaded policy gets the same issuer.

mod commands;
mod example;
pub mod issuer;
mod told;

use std::collections::BTreeMap;
use std::env;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::Ended;
use super::output::{self, Exit, Failure, Paint};
use super::policy::ParamArguments;
use super::ports::with_ports;
use super::serve;
use crate::daemon::listen::{OpenError, OpenFault};
use crate::daemon::{self, Running, StartError};
use crate::load;
use crate::runtime::config::{Address, Config, Explain, ListenerId};
use crate::runtime::{Options, Watcher};
use issuer::{About, Issuer};

/// Try a policy on this machine, with a built-in token issuer.
///
/// A built-in issuer takes the place of every issuer of the policy. `portcullis token` gives you its
/// tokens; there is nothing to set up. It prints two curl lines, for a request that is allowed and one
/// that is denied, and then each decision with its hint and the command that explains it. You can
/// change the policy while it runs: each save takes effect at once.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portcullis dev policies/spa
  portcullis token --issuer acme --scope read:orders      (in another terminal)
  portcullis dev policies/spa --real-issuers              (your provider's tokens, too)

It listens on loopback only, and so does everything that accepts its tokens.")]
pub struct Arguments {
    /// The policy: folders or files; by default the configuration's, or `policies`
    policy: Vec<PathBuf>,
    /// A configuration, for the adapters and addresses; its listeners must be on loopback
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    params: ParamArguments,
    /// Where `portcullis token` gets its tokens; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = issuer::DEFAULT_ADDRESS)]
    issuer_address: SocketAddr,
    /// Let the system choose free ports for the daemon's listeners
    #[arg(long)]
    free_ports: bool,
    /// Accept tokens of the policy's own issuers too, verified with their keys; those of `dev` stay
    /// valid
    #[arg(long)]
    real_issuers: bool,
}

/// Runs until a signal.
pub fn run(arguments: &Arguments) -> Ended {
    let config_file = arguments.config.as_deref();
    let mut config = match config_file {
        Some(file) => Config::read(file).map_err(|error| Failure::new(error.to_string()))?,
        None => Config::default(),
    };
    if arguments.free_ports {
        free_ports(&mut config);
    }
    refuse_other_machines(&config)?;
    if config_file.is_none() {
        // A developer wants full explanations.
        config.explain = Explain::Full;
    }
    let paths = serve::given(&arguments.policy).unwrap_or_else(|| config.policy.0.clone());

    let issuer = Arc::new(Issuer::new()?);
    let listener = issuer::bind(arguments.issuer_address)?;
    let mut load = arguments.params.options();
    load.development = Some(issuer.development(arguments.real_issuers)?);
    let about = About {
        policy: paths.iter().map(|path| absolute(path)).collect(),
        params: given_params(&load.params, &config),
    };
    let program = env::args()
        .next()
        .map_or_else(|| "portcullis".to_owned(), |name| told::anywhere(&name));
    let paint = Paint::of(&std::io::stdout());
    let command = told::Command {
        program: program.clone(),
        policy: match paths.as_slice() {
            [path] => Some(absolute(path)),
            _ => None,
        },
        params: about.params.clone().into_iter().collect(),
    };
    let printer = told::Printer::start(command, paint);
    let shown = Shown {
        program,
        real_issuers: arguments.real_issuers,
        paths: paths.clone(),
        load: load.clone(),
        issuer_address: listener
            .local_addr()
            .map_err(|error| Failure::new(error.to_string()))?,
        paint,
    };
    let options = Options {
        base: config,
        config_file: None,
        policy: Some(paths),
        load,
        watcher: Some(Watcher::new(move |seen| printer.tell(seen))),
        ..Options::default()
    };
    daemon::run(options, move |running| {
        tokio::spawn(issuer::serve(listener, issuer, about));
        // The daemon continues if the reader of standard output has gone.
        let _ = output::print_all(&shown.greeting(running));
    })
    .map_err(|error| {
        let in_use = matches!(
            &error,
            StartError::Listener(OpenError {
                fault: OpenFault::Socket(..),
                ..
            })
        );
        let failure = serve::failure(error);
        if in_use {
            failure.help("is another daemon running? `--free-ports` uses free ports")
        } else {
            failure
        }
    })?;
    Ok(Exit::Good)
}

/// The parameter values that `portcullis token` needs.
fn given_params(params: &load::Params, config: &Config) -> BTreeMap<String, String> {
    let mut given: BTreeMap<String, String> = config
        .params
        .iter()
        .map(|(name, value)| (name.clone(), value.0.clone()))
        .collect();
    given.extend(params.environment.clone());
    given.extend(params.arguments.clone());
    given
}

fn absolute(path: &Path) -> String {
    std::path::absolute(path)
        .unwrap_or_else(|_| path.to_owned())
        .to_string_lossy()
        .into_owned()
}

/// The text that is printed when the daemon is ready.
struct Shown {
    program: String,
    real_issuers: bool,
    paths: Vec<PathBuf>,
    load: load::Options,
    issuer_address: SocketAddr,
    paint: Paint,
}

impl Shown {
    fn greeting(&self, running: &Running) -> String {
        let loaded = load::load(&self.paths, &self.load, false);
        let paths: Vec<String> = self.paths.iter().map(|path| absolute(path)).collect();
        let mut greeting = format!(
            "{} {}, with its own issuer {}\n\n",
            self.paint.strong("portcullis dev:"),
            paths.join(", "),
            if self.real_issuers {
                "beside the policy's"
            } else {
                "in place of every other"
            }
        );
        for id in ListenerId::ALL {
            let name = id.as_str();
            if let Some(address) = running.address(name) {
                let asked = id.kind().asked;
                greeting.push_str(&format!("  {name:6} {address:24} {asked}\n"));
            }
        }
        greeting.push_str(&format!(
            "  tokens {:24} portcullis token\n",
            self.issuer_address.to_string()
        ));
        let printer = commands::Printer {
            command: &self.program,
            http: running.address("http"),
            issuer_address: self.issuer_address,
            paint: self.paint,
        };
        greeting.push_str(&printer.examples(&loaded));
        greeting.push_str(
            "\nWhat you save is in force at once; an error in it changes nothing. Ctrl-C ends it.\n\
             From here to production: docs/guides/going-live.md. Each decision, as it is made:\n\n",
        );
        greeting
    }
}

fn free_ports(config: &mut Config) {
    for listener in config.listeners.iter_mut() {
        if let Address::Tcp(address) = &mut listener.address {
            address.set_port(0);
        }
    }
}

/// Refuses listeners that other machines can reach. Anybody on this machine can make tokens that
/// they accept.
fn refuse_other_machines(config: &Config) -> Result<(), Failure> {
    for (id, listener) in config.listeners.iter() {
        if let Address::Tcp(address) = &listener.address
            && !address.ip().to_canonical().is_loopback()
        {
            return Err(Failure::new(format!(
                "`dev` does not listen on {address} (`{}`): its tokens are only for this machine",
                id.as_str()
            ))
            .help(with_ports(
                "use an address such as 127.0.0.1:{http}, or `portcullis serve` with a real issuer",
            )));
        }
    }
    Ok(())
}
