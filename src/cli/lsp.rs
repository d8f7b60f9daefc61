//! `portcullis lsp`: the language server, for editors.

use std::io;

use clap::Args;

use super::Ended;
use super::output::{Exit, Failure};
use super::policy::ParamArguments;
use crate::load;
use crate::lsp;

/// Run the language server for an editor: errors as you type, hover, completion, rename.
///
/// Editors start it themselves and talk to it on standard input and output, using the Language
/// Server Protocol 3.17. docs/guides/editors.md says how to set them up.
#[derive(Debug, Args)]
#[command(after_help = "\
A file belongs to the policy that the nearest portcullis.yaml above it names. Without one, the
policy is every file below the topmost folder of the workspace that directly contains a *.gate file.

Exit codes: 0 the editor ended the session; 1 it disconnected; 2 it sent something that isn't a message.")]
pub struct Arguments {
    #[command(flatten)]
    params: ParamArguments,
    /// Use standard input and output, as it always does; some editors pass this option
    #[arg(long)]
    stdio: bool,
}

/// Serves until the editor ends it.
pub fn run(arguments: &Arguments) -> Ended {
    let mut params = arguments.params.params();
    // One server serves many policies. Each takes the values of the parameters that it declares.
    let given = std::mem::take(&mut params.arguments);
    params.environment.extend(given);
    let options = load::Options {
        params,
        development: None,
    };
    match lsp::serve(io::stdin(), &mut io::stdout().lock(), options) {
        Ok(lsp::Ended::Orderly) => Ok(Exit::Good),
        Ok(lsp::Ended::Abruptly) => Ok(Exit::Negative),
        Err(error) => Err(Failure::new(format!(
            "the editor cannot be served: {error}"
        ))),
    }
}
