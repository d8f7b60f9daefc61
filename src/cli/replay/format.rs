//! The format of logs, on the command line.

use clap::{Args, ValueEnum};

use super::super::output::Failure;
use crate::replay::{AccessLog, Given, Log};

/// The format of logs.
#[derive(Debug, Args)]
#[command(next_help_heading = "Access logs of proxies")]
pub struct LogArguments {
    /// The format of the logs
    #[arg(long, value_enum, value_name = "FORMAT", conflicts_with_all = ["envoy_format", "nginx_format"])]
    log_format: Option<LogFormat>,
    /// The logs are Envoy's, with this `text_format`, or this `json_format` in JSON
    #[arg(long, value_name = "FORMAT", conflicts_with = "nginx_format")]
    envoy_format: Option<String>,
    /// The logs are nginx', with this `log_format`: its text, or the whole directive
    #[arg(long, value_name = "FORMAT")]
    nginx_format: Option<String>,
    /// The host of all requests whose line doesn't have one
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// The field of the format that has all claims of the token, as JSON or base64url; only a
    /// program that verified the token may have set it
    #[arg(long, value_name = "FIELD")]
    claims_field: Option<String>,
}

/// A format that needs no description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// portcullis' own decision log; the default
    Portcullis,
    /// Envoy's default format
    Envoy,
    /// Envoy's JSON with the members that Istio's default has
    EnvoyJson,
    /// nginx' `combined`
    Combined,
}

impl LogArguments {
    /// The format.
    pub fn log(&self) -> Result<Log, Failure> {
        let given = Given {
            host: self.host.clone(),
            claims: self.claims_field.clone(),
        };
        let log = match (self.log_format, &self.envoy_format, &self.nginx_format) {
            (_, Some(format), _) => AccessLog::envoy(format, given),
            (_, _, Some(format)) => AccessLog::nginx(format, given),
            (Some(LogFormat::Envoy), ..) => AccessLog::envoy_text(given),
            (Some(LogFormat::EnvoyJson), ..) => AccessLog::envoy_json(given),
            (Some(LogFormat::Combined), ..) => AccessLog::nginx_combined(given),
            (Some(LogFormat::Portcullis) | None, None, None) => {
                return match (&self.host, &self.claims_field) {
                    (None, None) => Ok(Log::Decisions),
                    (Some(_), _) | (_, Some(_)) => Err(Failure::new(
                        "`--host` and `--claims-field` are for access logs of proxies",
                    )
                    .help("name their format, such as `--log-format combined`")),
                };
            }
        };
        log.map(Log::Access)
            .map_err(|error| Failure::new(error.to_string()))
    }
}
