//! The command line: one file per command.
//!
//! A command parses its arguments, calls the library, and returns how it ended. Only this file and
//! `output` decide where output goes and what the exit code is.

mod check;
mod claims;
mod completions;
#[cfg(feature = "openapi")]
mod coverage;
mod dev;
mod diff;
mod expected;
mod explanation;
mod fmt;
#[cfg(feature = "openapi")]
mod import;
#[cfg(feature = "lsp")]
mod lsp;
mod mint;
#[cfg(feature = "openapi")]
mod openapi;
mod output;
mod policy;
mod ports;
mod proxy_config;
mod replay;
mod routes;
mod serve;
mod test;
mod time;
mod token;
mod why;
mod wording;

use std::env;
use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::text::{is_unshowable, visible};
use output::{Exit, Failure, Paint};

/// The maximum width of help. Longer lines are hard to read.
const HELP_WIDTH: usize = 100;

/// Decides who may call which route of the APIs behind a proxy, and says why not.
#[derive(Debug, Parser)]
#[command(
    name = "portcullis",
    version,
    arg_required_else_help = true,
    max_term_width = HELP_WIDTH,
    after_help = HELP
)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

const HELP: &str = "\
A policy is a folder of `*.gate` files. For every route, it says what a request's token must
contain. Requests that match no route are denied. A proxy (Envoy, nginx, Caddy, Traefik) asks
the daemon about each request.

First steps:
  portcullis dev policies/spa      try a policy on this machine, with built-in tokens
  portcullis check policies/spa    its errors and warnings
  portcullis fmt policies/spa      format it, so that reviewers see only real changes
  portcullis routes policies/spa   what every route needs
  portcullis test policies/spa     run its tests
  portcullis why policies/spa \"GET https://api.example.com/orders\" --scope read:orders
                                   why a request is allowed or denied

In production:
  portcullis serve policies        the daemon
  portcullis proxy-config envoy    the lines for the proxy's configuration

Exit codes: 0 success; 1 a negative answer (denied, a failed test, a policy with errors); 2 the
job could not be done. Colours are used on a terminal only, and never if NO_COLOR is set.";

#[derive(Debug, Subcommand)]
enum Verb {
    Dev(dev::Arguments),
    Token(token::Arguments),
    Check(check::Arguments),
    Fmt(fmt::Arguments),
    Routes(routes::Arguments),
    Test(test::Arguments),
    Why(Box<why::Arguments>),
    Diff(diff::Arguments),
    Replay(replay::Arguments),
    #[cfg(feature = "openapi")]
    Coverage(coverage::Arguments),
    #[cfg(feature = "openapi")]
    Import(import::Arguments),
    ProxyConfig(proxy_config::Arguments),
    Serve(serve::Arguments),
    #[cfg(feature = "lsp")]
    Lsp(lsp::Arguments),
    Completions(completions::Arguments),
}

/// Runs the command of this process.
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() => return misused(&error),
        Err(help) => help.exit(),
    };
    let ended = match arguments.verb {
        Verb::Dev(arguments) => dev::run(&arguments),
        Verb::Token(arguments) => token::run(&arguments),
        Verb::Check(arguments) => check::run(&arguments),
        Verb::Fmt(arguments) => fmt::run(&arguments),
        Verb::Routes(arguments) => routes::run(&arguments),
        Verb::Test(arguments) => test::run(&arguments),
        Verb::Why(arguments) => why::run(&arguments),
        Verb::Diff(arguments) => diff::run(&arguments),
        Verb::Replay(arguments) => replay::run(&arguments),
        #[cfg(feature = "openapi")]
        Verb::Coverage(arguments) => coverage::run(&arguments),
        #[cfg(feature = "openapi")]
        Verb::Import(arguments) => import::run(&arguments),
        Verb::ProxyConfig(arguments) => proxy_config::run(&arguments),
        Verb::Serve(arguments) => serve::run(&arguments),
        #[cfg(feature = "lsp")]
        Verb::Lsp(arguments) => lsp::run(&arguments),
        Verb::Completions(arguments) => completions::run(&arguments),
    };
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.report();
            failure.code()
        }
    }
}

/// Reports an error in the command line. Quoted text may come from elsewhere: a script's file
/// names, a request from a bug report.
fn misused(error: &clap::Error) -> ExitCode {
    let styled = error.render();
    let mut text = if Paint::of(&io::stderr()).is_on() {
        styled.ansi().to_string()
    } else {
        styled.to_string()
    };
    for argument in env::args_os() {
        let argument = argument.to_string_lossy();
        let value = argument.split_once('=').map_or("", |(_, value)| value);
        for quoted in [argument.as_ref(), value] {
            if quoted.contains(is_unshowable) {
                text = text.replace(quoted, &visible(quoted));
            }
        }
    }
    output::eprint_all(&text);
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(u8::MAX))
}

/// The result of a command.
type Ended = Result<Exit, Failure>;
