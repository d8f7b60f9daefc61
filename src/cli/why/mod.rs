//! `portcullis why`: decides one request and explains the answer.
//!
//! It takes the same steps as the daemon (`judge`), so its answer is the daemon's. Only the source
//! of the token differs.

mod human;
mod introspect;
mod keys;
mod request;
mod token;
mod told;

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;

use super::Ended;
use super::output::{self, Exit, Failure, Format, Paint};
use super::policy::{self, ParamArguments};
use super::{mint, time};
use crate::answer;
use crate::diagnostic::suggest;
use crate::engine::{self, Fault, Request};
use crate::pattern::Method;
use crate::reason::Reason;
use crate::runtime::config::Config;

use token::{Asking, Source};
use told::Told;

/// Explain whether a request is allowed, and why or why not.
///
/// You can leave the token out, give a real one (`--token`), whose signature is verified with the
/// issuer's keys, give a claims set (`--claims`), or describe a token by the names that the policy's
/// rules use (`--scope`, `--claim` and so on), as for `portcullis token`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portcullis why policies/spa \"GET https://api.example.com/orders\"
  portcullis why policies/spa \"GET https://api.example.com/orders\" --scope read:orders
  portcullis why policies/spa /orgs/acme/orders --scope read:orders --claim org_id=globex
  portcullis why policies/spa /orders --token token.txt
  portcullis why policies/spa /orders --token - --offline < token.txt
  portcullis why policies /orders --token token.txt --config portcullis.yaml
  portcullis why --reason token.is_id_token

Exit codes: 0 allowed; 1 denied, or a policy with errors; 2 it could not be decided.")]
pub struct Arguments {
    /// The policy: a folder or a file
    #[arg(required_unless_present = "reason")]
    policy: Option<PathBuf>,
    /// The request: "GET https://api.example.com/orders?page=2". You can leave out GET, and the
    /// host if the policy has only one
    #[arg(required_unless_present = "reason", num_args = 1..=2)]
    request: Vec<String>,
    /// A header of the request; may be repeated
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = request::header)]
    headers: Vec<(String, String)>,
    /// The client's address, for conditions on it
    #[arg(long, value_name = "IP")]
    address: Option<IpAddr>,
    /// The time of the request: in RFC 3339 format, or in seconds since 1970; by default now
    #[arg(long, value_name = "TIME", value_parser = time::at, allow_negative_numbers = true)]
    at: Option<f64>,
    #[command(flatten)]
    params: ParamArguments,
    /// The format of the answer
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Print the manual page of a reason instead: cause, how to see it, how to fix it
    #[arg(long, value_name = "CODE")]
    reason: Option<String>,
    /// A token: a file, - for standard input, or the token itself
    #[arg(long, value_name = "FILE|-|JWT", help_heading = "The token", conflicts_with_all = ["claims", "issuer", "claim", "scope", "client", "audience", "expires"])]
    token: Option<String>,
    /// The client's certificate, for tokens that are bound to one: a file, in PEM
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "The token",
        requires = "token"
    )]
    certificate: Option<PathBuf>,
    /// The daemon's configuration, for fetching keys and introspecting opaque tokens; its `explain`
    /// and `params` count too
    #[arg(long, value_name = "FILE", help_heading = "The token")]
    config: Option<PathBuf>,
    /// Make no network requests: without key files the signature isn't checked, and opaque tokens that
    /// need introspection can't be decided
    #[arg(long, help_heading = "The token")]
    offline: bool,
    /// A claims set, without a signature; issuer, audience and times are checked
    #[arg(long = "claims", value_name = "JSON", help_heading = "The token", conflicts_with_all = ["issuer", "claim", "scope", "client", "audience", "expires"])]
    claims: Option<String>,
    #[command(flatten)]
    minted: mint::Arguments,
}

/// Prints the answer.
pub fn run(arguments: &Arguments) -> Ended {
    if let Some(code) = &arguments.reason {
        return page(code);
    }
    let Some(path) = &arguments.policy else {
        return Err(Failure::new("a policy and a request are needed"));
    };
    if Method::parse(&path.to_string_lossy()).is_some() && !path.exists() {
        return Err(Failure::new(format!("there is no policy `{}`", path.display()))
            .help("the policy comes first: portcullis why POLICY \"GET https://api.example.com/orders\""));
    }
    let config = match &arguments.config {
        None => Config::default(),
        Some(file) => Config::read(file).map_err(|error| Failure::new(error.to_string()))?,
    };
    let mut options = arguments.params.options();
    options.params.configuration = config.param_values();
    let (loaded, policy) = policy::load_policy(std::slice::from_ref(path), &options)?;
    let now = arguments.at.unwrap_or_else(time::now);
    // Method and URL may be one argument or two.
    let asked = request::Asked::read(&arguments.request.join(" "), &loaded, &arguments.headers)?;
    let headers = asked.headers();
    let source = Source::of(arguments, &loaded, now)?;

    let request = Request {
        method: &asked.method,
        target: asked.target.as_bytes(),
        scheme: asked.scheme.as_deref(),
        host: asked.host.as_deref(),
        headers: &headers,
        address: arguments.address,
        now,
        masked: false,
    };
    let report = |decision: &engine::Decision<'_>, steps: &[engine::Step], told: &Told| {
        // The client's view depends on the configuration. The user of this command sees everything.
        let explanation =
            answer::operator_explanation(decision, steps, config.explain.told(), None);
        for remark in &told.remarks {
            output::eprint_all(&format!("note: {remark}\n"));
        }
        let text = match arguments.format {
            Format::Json => output::json(&explanation)?,
            Format::Human => human::report(
                &explanation,
                &asked,
                told.signature,
                &loaded,
                Paint::of(&std::io::stdout()),
            ),
        };
        output::print_all(&text)?;
        Ok(if decision.allowed() {
            Exit::Good
        } else {
            Exit::Negative
        })
    };
    if let Some(hint) = &asked.malformed {
        let fault = Fault::new(Reason::RequestMalformed, hint.clone());
        let decision = engine::refuse(&policy, &fault);
        return report(&decision, &[], &Told::default());
    }
    let asking = Asking {
        request: &request,
        config: &config,
        certificate: arguments
            .certificate
            .as_deref()
            .map(token::certificate)
            .transpose()?,
    };
    let (judged, told) = token::judged(&source, &loaded, &policy, &asking)?;
    report(&judged.decide(), &judged.explain(), &told)
}

/// Prints the manual page of a reason.
fn page(code: &str) -> Ended {
    let reason = Reason::from_code(code).ok_or_else(|| {
        let failure = Failure::new(format!("there is no reason `{code}`"));
        let codes = Reason::ALL.iter().map(|reason| reason.code());
        match suggest::nearest(code, codes.clone()) {
            Some(near) => failure.help(format!("did you mean `{near}`?")),
            None => failure.help(format!(
                "the reasons are {}",
                codes.collect::<Vec<_>>().join(", ")
            )),
        }
    })?;
    output::print_all(reason.page())?;
    Ok(Exit::Good)
}
