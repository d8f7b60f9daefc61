//! `portcullis completions`: prints a shell's completion script.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Ended;
use super::output::{self, Exit};

/// Print a shell's completion script.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portcullis completions bash > /etc/bash_completion.d/portcullis
  portcullis completions zsh  > \"${fpath[1]}/_portcullis\"
  portcullis completions fish > ~/.config/fish/completions/portcullis.fish")]
pub struct Arguments {
    /// The shell.
    shell: Shell,
}

/// Prints the script.
pub fn run(arguments: &Arguments) -> Ended {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut super::Arguments::command(),
        "portcullis",
        &mut script,
    );
    output::print_exactly(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Good)
}
