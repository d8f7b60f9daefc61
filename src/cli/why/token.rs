//! Where the token comes from, and what it is worth.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::super::output::Failure;
use super::super::time;
use super::keys::Fetched;
use super::{Arguments, introspect};
use crate::daemon::adapter;
use crate::daemon::config::Config;
use crate::engine::{Api, Evidence, Fault, Policy, Presented, Request, Routed, Scheme};
use crate::json::Json;
use crate::keys::Thumbprint;
use crate::load::Loaded;
use crate::reason::Reason;
use crate::settings::Demand;
use crate::token::{self, Admitted, Demands, Sender, Shown, Verified};

/// How much is read of a file that should hold a token: more than the longest token, so that one
/// that is too long is denied as such, as it would be by the daemon.
const MAX_READ: u64 = 4 << 20;

/// Where the token comes from.
pub enum Source {
    /// From the request's own headers, if they have one.
    Request {
        /// Whether keys are not to be fetched.
        offline: bool,
    },
    /// This token.
    Token {
        /// The token.
        token: String,
        /// Whether keys are not to be fetched.
        offline: bool,
        /// Remarks for the person who asked.
        remark: Option<String>,
    },
    /// These claims, without a signature.
    Claims {
        /// A JSON object.
        json: String,
        /// Remarks for the person who asked.
        remarks: Vec<String>,
    },
}

impl Source {
    /// What the arguments say.
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

/// The token that `--token` names, and a remark where that is not quite clear.
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
        // Every JWT begins so: base64url of `{"`.
        if !given.starts_with("eyJ") {
            remark = Some(
                "there is no file of that name; `--token` is taken as the token itself".to_owned(),
            );
        }
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::new("what `--token` names is no text, and so no token"))?;
    let text = text.trim();
    // As it is copied from a header or a log.
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

/// Remarks about how a token was checked.
#[derive(Debug, Default)]
pub struct Told {
    /// Remarks for the person who asked.
    pub remarks: Vec<String>,
    /// How the signature was checked.
    pub signature: Option<&'static str>,
}

/// What is known about the token.
pub enum Proof {
    /// There is none, or it isn't read.
    Nothing,
    /// It is valid.
    Token(Arc<Verified>),
    /// It has a fault.
    Fault(Fault),
}

impl Proof {
    /// As the engine takes it.
    pub fn evidence(&self) -> Evidence<'_> {
        match self {
            Proof::Nothing => Evidence::Nothing,
            Proof::Token(verified) => Evidence::Token {
                facts: verified.facts(),
                kind: verified.kind(),
            },
            Proof::Fault(fault) => Evidence::Fault(fault),
        }
    }

    /// Checks the token for the API that the request is for.
    pub fn of(
        source: &Source,
        loaded: &Loaded,
        policy: &Policy,
        asking: &Asking<'_>,
    ) -> Result<(Proof, Told), Failure> {
        let Asking {
            routed, request, ..
        } = asking;
        let mut told = Told::default();
        let Some(api) = routed.api().filter(|_| routed.demand() != Demand::None) else {
            return Ok((Proof::Nothing, told));
        };
        let presented = routed.token();
        let sender = asking.sender(source, &presented);
        let result = match (source, &presented) {
            (Source::Request { .. }, Presented::Absent) => return Ok((Proof::Nothing, told)),
            (_, Presented::Fault(fault)) => Err(fault.clone()),
            (Source::Token { .. } | Source::Claims { .. }, Presented::Token(..)) => {
                return Err(Failure::new(
                    "the request has a token of its own, in one of its headers",
                )
                .help("give either that or `--token`, `--claims` and the like"));
            }
            (Source::Request { offline }, Presented::Token(token, _)) => {
                asking.verify(token, *offline, loaded, (policy, api), &mut told)?
            }
            (
                Source::Token {
                    token,
                    offline,
                    remark,
                },
                Presented::Absent,
            ) => {
                told.remarks.extend(remark.iter().cloned());
                asking.verify(token, *offline, loaded, (policy, api), &mut told)?
            }
            (Source::Claims { json, remarks }, Presented::Absent) => {
                told.remarks.extend(remarks.iter().cloned());
                told.signature = Some("claims as given, without a signature");
                match Json::parse(json.as_bytes()) {
                    Ok(claims) => token::from_claims(&claims, policy, api).map(Arc::new),
                    Err(error) => Err(Fault::new(
                        Reason::TokenMalformed,
                        format!("the claims are not strict JSON: {error}"),
                    )),
                }
            }
        };
        let result = result.and_then(|verified| {
            match token::admit(&verified, policy, api, &sender, request.now)? {
                Admitted::Wholly => {}
                Admitted::Once(_) => told.remarks.push(
                    "the DPoP proof is good; whether it was used before, only the daemon knows"
                        .to_owned(),
                ),
            }
            Ok(verified)
        });
        Ok((result.map_or_else(Proof::Fault, Proof::Token), told))
    }
}

/// The request that is asked about.
pub struct Asking<'a> {
    /// The rules that answer it.
    pub routed: &'a Routed<'a, 'a>,
    /// The request itself.
    pub request: &'a Request<'a>,
    /// How keys are fetched, and the client credentials for introspection.
    pub config: &'a Config,
    /// The certificate of the client's connection.
    pub certificate: Option<Thumbprint>,
}

impl Asking<'_> {
    /// Who sends the token: claims are taken as sent by whom the policy asks for; a token shows
    /// it by the request's headers. One that `--token` gives stands by itself, and came as the
    /// proof beside it says.
    fn sender<'s>(&'s self, source: &'s Source, presented: &'s Presented<'_>) -> Sender<'s> {
        let (token, scheme) = match (source, presented) {
            (_, Presented::Token(token, scheme)) => (token.as_ref(), *scheme),
            (Source::Token { token, .. }, _) if self.request.header("dpop").next().is_some() => {
                (token.as_str(), Scheme::Dpop)
            }
            (Source::Token { token, .. }, _) => (token.as_str(), Scheme::Bearer),
            (Source::Claims { .. } | Source::Request { .. }, _) => return Sender::Assumed,
        };
        Sender::Shown(Shown {
            request: self.request,
            token,
            scheme,
            certificate: self.certificate,
            demands: Demands::default(),
        })
    }

    /// Finds out what a token is worth: by the issuer's keys, those of files and those that are
    /// fetched, or by asking the issuer.
    fn verify(
        &self,
        token: &str,
        offline: bool,
        loaded: &Loaded,
        (policy, api): (&Policy, &Api),
        told: &mut Told,
    ) -> Result<Result<Arc<Verified>, Fault>, Failure> {
        match token::whom_to_ask(token, policy, api) {
            Ok(None) => {}
            Ok(Some(issuer)) if offline => return Err(introspect::nobody_asked(policy, issuer)),
            Ok(Some(issuer)) => {
                return introspect::ask(token, issuer, self.config, (policy, api), told);
            }
            Err(fault) => return Ok(Err(fault)),
        }
        let mut keys = Fetched::new(loaded, &self.config.keys);
        let mut result = token::verify(token, policy, api, &keys);
        if let Some(asked) = keys.wanted() {
            if offline {
                told.signature = Some("its signature was NOT checked (--offline)");
                told.remarks
                    .push("the signature was NOT checked: `--offline` fetches no keys".to_owned());
                return Ok(token::unsigned(token, policy, api).map(Arc::new));
            }
            if let Err(error) = keys.fetch(&asked)? {
                told.remarks.push(format!(
                    "{error}; `--offline` decides without the signature"
                ));
            }
            result = token::verify(token, policy, api, &keys);
        }
        if result.is_ok() {
            told.signature = Some("its signature is good");
        }
        Ok(result.map(Arc::new))
    }
}

/// Reads the certificate that `--certificate` names.
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
