//! `portcullis import`: generates a first policy from an API's description.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::Ended;
use super::openapi;
use super::output::{self, Exit, Failure, Paint, printable};
use crate::openapi::{ImportOptions, import};

/// Make a first policy from an OpenAPI document.
///
/// The policy passes `check` and covers every operation of the document. It never allows more than the
/// document does: if the document says nothing about access, the route needs a token. Guesses are
/// marked with a comment and reported on standard error.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portcullis import openapi openapi.yaml
  portcullis import openapi openapi.yaml -o policies/orders.gate
  portcullis import openapi api/openapi.yaml --root api
  portcullis import openapi openapi.json --api orders \\
    --issuer https://acme.eu.auth0.com/ --audience https://api.example.com

Afterwards:
  portcullis check policies
  portcullis coverage policies --openapi openapi.yaml

Exit codes: 0 a policy was made; 2 the document can't be read, or the output file already exists.")]
pub struct Arguments {
    /// The kind of document
    #[arg(value_enum)]
    from: From,
    /// The document: OpenAPI 3.0, 3.1 or 3.2, YAML or JSON; `-` is standard input
    file: PathBuf,
    /// Follow `$ref`s into files below this folder; by default, none may lead out of the document
    #[arg(long, value_name = "FOLDER")]
    root: Option<PathBuf>,
    /// The name of the API; by default made from the document's title
    #[arg(long, value_name = "NAME")]
    api: Option<String>,
    /// The issuer's URL, as tokens have it in `iss`
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// The audience, as tokens have it in `aud`
    #[arg(long, value_name = "AUDIENCE")]
    audience: Option<String>,
    /// The file to write, in a folder that is created if necessary; an existing file is never
    /// overwritten
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// A kind of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum From {
    /// An OpenAPI document.
    Openapi,
}

/// Writes the policy.
pub fn run(arguments: &Arguments) -> Ended {
    let From::Openapi = arguments.from;
    let document = openapi::read(&arguments.file, arguments.root.as_deref())?;
    let options = ImportOptions {
        file: name(&arguments.file),
        api: arguments.api.clone(),
        issuer: arguments.issuer.clone(),
        audience: arguments.audience.clone(),
    };
    let imported = import(&document, &options);
    let paint = Paint::of(&std::io::stderr());
    let notes: String = imported
        .notes
        .iter()
        .map(|note| format!("{} {}\n", paint.note("note:"), printable(note)))
        .collect();
    match &arguments.output {
        None => output::print_exactly(&imported.text)?,
        Some(path) => write(path, &imported.text)?,
    }
    output::eprint_all(&notes);
    Ok(Exit::Good)
}

/// The file's name in the policy, without its folder, which only this machine knows.
fn name(path: &Path) -> String {
    if path.as_os_str() == "-" {
        return "a document".to_owned();
    }
    path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(format!("{} cannot be written: {error}", path.display()))
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}
