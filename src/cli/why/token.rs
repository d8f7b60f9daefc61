//! The source of the token, and its verification.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::super::output::Failure;
use super::super::time;
use super::keys::Fetched;
use super::told::Told;
use super::{Arguments, introspect};
use crate::daemon::adapter;
use crate::engine::{Evidence, Fault, Policy, Presented, Request};
use crate::json::Json;
use crate::judge::{self, Client, Judged, Judging};
use crate::keys::Thumbprint;
use crate::load::Loaded;
use crate::reason::Reason;
use crate::runtime::config::Config;
use crate::token::{self, Demands};

/// How many bytes of a token file are read: more than the longest token, so that a longer one is
/// denied for its length, as in the daemon.
const MAX_READ: u64 = 4 << 20;

/// The source of the token.
pub enum Source {
    /// The request's own headers, if they have one.
    Request {
        /// Whether keys must not be fetched.
        offline: bool,
    },
    /// A given token.
    Token {
        /// The token.
        token: String,
        /// Whether keys must not be fetched.
        offline: bool,
        /// A remark for the user.
        remark: Option<String>,
    },
    /// Given claims, without a signature.
    Claims {
        /// A JSON object.
        json: String,
        /// Remarks for the user.
        remarks: Vec<String>,
    },
}

impl Source {
    /// The source that the arguments name.
    pub fn of(arguments: &Arguments, loaded: &Loaded, now: f64) -> Result<Source, Failure> {
        if let Some(given) = &arguments.token {
            let (token, remark) = read(given)?;
            return Ok(Source::Token {
                token,
                offline: arguments.offline,
                remark,
            });
        }
        if let Some(json) = &arguments.claims {
            if let Err(error) = serde_json::from_str::<serde_json::Map<String, Value>>(json) {
                return Err(
                    Failure::new(format!("`--claims` is not a JSON object: {error}")).help(
                        "for example '{\"iss\":\"https://…\",\"aud\":\"https://…\",\"exp\":4102444800,\"scope\":\"read:orders\"}'; `--scope` and `--claim` fill in what is left out",
                    ),
                );
            }
            return Ok(Source::Claims {
                json: json.clone(),
                remarks: Vec::new(),
            });
        }
        let (true, Some(model)) = (arguments.minted.are_given(), &loaded.checked.model) else {
            return Ok(Source::Request {
                offline: arguments.offline,
            });
        };
        let minted = arguments.minted.mint(model, time::whole_seconds(now))?;
        Ok(Source::Claims {
            json: Value::Object(minted.claims).to_string(),
            remarks: minted.remarks,
        })
    }
}

/// The token that `--token` names, with a remark if the meaning isn't obvious.
fn read(given: &str) -> Result<(String, Option<String>), Failure> {
    let failed = |what: &str, error: &io::Error| {
        Failure::new(format!("can't read a token from {what}: {error}"))
    };
    let mut bytes = Vec::new();
    let mut remark = None;
    if given == "-" {
        io::stdin()
            .lock()
            .take(MAX_READ)
            .read_to_end(&mut bytes)
            .map_err(|error| failed("standard input", &error))?;
    } else if Path::new(given).is_file() {
        File::open(given)
            .and_then(|file| file.take(MAX_READ).read_to_end(&mut bytes))
            .map_err(|error| failed(&format!("`{given}`"), &error))?;
    } else if given.contains('/') && !given.starts_with("eyJ") {
        return Err(Failure::new(format!("there is no file `{given}`"))
            .help("`--token` takes a file that holds the token, - for standard input, or the token itself"));
    } else {
        bytes = given.as_bytes().to_vec();
        // Every JWT begins this way: it is `{"` in base64url.
        if !given.starts_with("eyJ") {
            remark = Some(
                "there is no file of that name; `--token` is taken as the token itself".to_owned(),
            );
        }
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::new("`--token` doesn't contain text, so it isn't a token"))?;
    let text = text.trim();
    // It was copied from a header or a log.
    let text = text
        .strip_prefix("Authorization:")
        .map_or(text, str::trim_start);
    let token = ["Bearer ", "DPoP "]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme))
        .unwrap_or(text)
        .trim();
    Ok((token.to_owned(), remark))
}

/// The request to decide.
pub struct Asking<'a> {
    /// The request itself.
    pub request: &'a Request<'a>,
    /// The settings for fetching keys, and the client credentials for introspection.
    pub config: &'a Config,
    /// The certificate of the client's connection.
    pub certificate: Option<Thumbprint>,
}

/// Judges the request with the token from this source.
pub fn judged<'a>(
    source: &'a Source,
    loaded: &Loaded,
    policy: &'a Policy,
    asking: &Asking<'a>,
) -> Result<(Judged<'a>, Told), Failure> {
    let Asking {
        request,
        certificate,
        ..
    } = *asking;
    let client = Client {
        certificate,
        demands: Demands::default(),
    };
    let mut told = Told::default();
    let judged = match source {
        Source::Request { offline } => {
            let judging = judge::begin(policy, request, client);
            asking.finish(judging, *offline, loaded, policy, &mut told)?
        }
        Source::Token { .. } | Source::Claims { .. }
            if matches!(policy.route(request).token(), Presented::Token(..)) =>
        {
            return Err(
                Failure::new("the request has its own token, in one of its headers")
                    .help("give either that or `--token`, `--claims` and the like"),
            );
        }
        Source::Token {
            token,
            offline,
            remark,
        } => {
            let judging = judge::beside(policy, request, token, client);
            let judged = asking.finish(judging, *offline, loaded, policy, &mut told)?;
            if !matches!(judged.evidence(), Evidence::Nothing) {
                told.remarks.splice(..0, remark.iter().cloned());
            }
            judged
        }
        Source::Claims { json, remarks } => judge::assumed(policy, request, |api| {
            told.remarks.extend(remarks.iter().cloned());
            told.signature = Some("claims as given, without a signature");
            let claims = Json::parse(json.as_bytes()).map_err(|error| {
                Fault::new(
                    Reason::TokenMalformed,
                    format!("the claims are not strict JSON: {error}"),
                )
            })?;
            token::from_claims(&claims, policy, api)
        }),
    };
    Ok((judged, told))
}

impl Asking<'_> {
    /// Completes the judgement with the issuer's keys, from files or fetched, or with the issuer's
    /// introspection result.
    fn finish<'a>(
        &self,
        judging: Judging<'a>,
        offline: bool,
        loaded: &Loaded,
        policy: &Policy,
        told: &mut Told,
    ) -> Result<Judged<'a>, Failure> {
        let mut keys = Fetched::new(loaded, &self.config.keys);
        let mut without_keys = false;
        let mut judging = judging;
        loop {
            judging = match judging {
                Judging::Judged(judged) => return Ok(judged),
                Judging::Verify(verify) if without_keys => {
                    let verified = token::unsigned(verify.token(), policy, verify.api());
                    verify.resume(verified.map(Arc::new))
                }
                Judging::Verify(verify) => {
                    let verified = token::verify(verify.token(), policy, verify.api(), &keys);
                    if verified.is_ok() {
                        told.signature = Some("its signature is good");
                    }
                    verify.resume(verified.map(Arc::new))
                }
                // Keys from files can't be fetched again.
                Judging::AwaitKeys(wanted) if !wanted.are_missing() => wanted.give_up(),
                Judging::AwaitKeys(wanted) if offline => {
                    without_keys = true;
                    told.signature = Some("its signature was NOT checked (--offline)");
                    told.remarks.push(
                        "the signature was NOT checked: `--offline` fetches no keys".to_owned(),
                    );
                    wanted.retry()
                }
                Judging::AwaitKeys(wanted) => {
                    if let Err(error) = keys.fetch(wanted.owner())? {
                        told.remarks.push(format!(
                            "{error}; `--offline` decides without the signature"
                        ));
                    }
                    wanted.retry()
                }
                Judging::Introspect(question) if offline => {
                    return Err(introspect::nobody_asked(policy, question.issuer()));
                }
                Judging::Introspect(question) => {
                    introspect::ask(question, self.config, policy, told)?
                }
                Judging::UseProof(once) => {
                    told.remarks.push(
                        "the DPoP proof is good; whether it was used before, only the daemon knows"
                            .to_owned(),
                    );
                    Judging::Judged(once.resume(Ok(())))
                }
            };
        }
    }
}

/// Reads the certificate from the file in `--certificate`.
pub fn certificate(file: &Path) -> Result<Thumbprint, Failure> {
    let name = file.display().to_string();
    let failed =
        |why: String| Failure::new(format!("no certificate can be read from `{name}`: {why}"));
    let text = std::fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
    match adapter::read_certificate(&text, &name) {
        Ok(Some(thumbprint)) => Ok(thumbprint),
        Ok(None) => Err(failed("it is empty".to_owned())),
        Err(malformed) => Err(failed(malformed.hint)),
    }
}
