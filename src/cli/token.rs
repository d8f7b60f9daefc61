//! `portcullis token`: gets a token from the running development issuer.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::de::DeserializeOwned;

use super::Ended;
use super::dev::issuer::{About, DEFAULT_ADDRESS, Order, Signed};
use super::mint;
use super::output::{self, Exit, Failure};
use super::policy::{self, ParamArguments};
use super::time;
use crate::load::Loaded;

/// The timeout for the development issuer. It is on this machine, and signing takes a fraction of a
/// millisecond.
const PATIENCE: Duration = Duration::from_secs(5);

/// Print a token of the running `portcullis dev`.
///
/// Give claims by the names that the policy's rules use; they go to the places that the issuer
/// declares. Everything you leave out is filled in to make a valid token: the issuer's URL, an
/// audience of every API that accepts its tokens, a subject, times.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portcullis token --issuer acme --scope \"read:orders write:orders\"
  portcullis token --issuer acme --claim sub=bob --claim org_id=acme --expires 5m
  portcullis token --issuer acme --claim \"auth_time=2h ago\" --claim amr=pwd,otp
  portcullis token --issuer acme --audience https://other.example.com    (a wrong one, on purpose)
  curl -H \"Authorization: Bearer $(portcullis token --issuer acme)\" …")]
pub struct Arguments {
    /// The policy; by default the one that `dev` runs
    #[arg(long, value_name = "POLICY")]
    policy: Vec<PathBuf>,
    #[command(flatten)]
    params: ParamArguments,
    /// The address where `dev` issues tokens
    #[arg(long, value_name = "ADDRESS", default_value = DEFAULT_ADDRESS)]
    dev: SocketAddr,
    #[command(flatten)]
    token: mint::Arguments,
    /// The `typ` of the token's header; by default what the issuer's tokens have
    #[arg(long, value_name = "TYP", help_heading = "The token")]
    typ: Option<String>,
}

/// Prints the token.
pub fn run(arguments: &Arguments) -> Ended {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("can't start the runtime: {error}")))?;
    let token = runtime.block_on(token(arguments))?;
    output::print_all(&format!("{token}\n"))?;
    Ok(Exit::Good)
}

async fn token(arguments: &Arguments) -> Result<String, Failure> {
    let dev = Dev::new(arguments.dev)?;
    let about: About = dev.ask("/", None).await?;
    let loaded = load(arguments, about)?;
    let Some(model) = &loaded.checked.model else {
        return Err(Failure::said());
    };
    let minted = arguments
        .token
        .mint(model, time::whole_seconds(time::now()))?;
    for remark in &minted.remarks {
        output::eprint_all(&format!("note: {remark}\n"));
    }
    let typ = arguments
        .typ
        .clone()
        .unwrap_or_else(|| minted.typ.to_owned());
    let order = Order {
        typ,
        claims: minted.claims,
    };
    let signed: Signed = dev.ask("/sign", Some(&order)).await?;
    Ok(signed.token)
}

fn load(arguments: &Arguments, about: About) -> Result<Loaded, Failure> {
    let mut options = arguments.params.options();
    if !arguments.policy.is_empty() {
        return policy::load_model(&arguments.policy, &options);
    }
    // The values given to `dev` count as the configuration, so an argument here takes precedence.
    options.params.configuration = about.params;
    let paths: Vec<PathBuf> = about.policy.into_iter().map(PathBuf::from).collect();
    policy::load_model(&paths, &options)
}

/// The endpoint of the running `portcullis dev`.
struct Dev {
    address: SocketAddr,
    client: reqwest::Client,
}

impl Dev {
    fn new(address: SocketAddr) -> Result<Dev, Failure> {
        let client = reqwest::Client::builder()
            // It is on this machine, so no proxy from the environment is used.
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .map_err(|error| Failure::new(format!("no HTTP client can be made: {error}")))?;
        Ok(Dev { address, client })
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        order: Option<&Order>,
    ) -> Result<T, Failure> {
        let url = format!("http://{}{path}", self.address);
        let request = match order {
            None => self.client.get(url),
            Some(order) => self
                .client
                .post(url)
                .header("content-type", "application/json")
                .body(serde_json::json!(order).to_string()),
        };
        let unreachable = |error: &reqwest::Error| {
            let failure = Failure::new(format!(
                "no `portcullis dev` answers at {}{}",
                self.address,
                if error.is_timeout() { " in time" } else { "" }
            ));
            failure.help(
                "start one: `portcullis dev POLICY`; if it listens elsewhere, say so with `--dev ADDRESS`",
            )
        };
        let response = request.send().await.map_err(|error| unreachable(&error))?;
        let status = response.status();
        let body = response
            .bytes()
            .await
            .map_err(|error| unreachable(&error))?;
        serde_json::from_slice(&body)
            .ok()
            .filter(|_| status.is_success())
            .ok_or_else(|| {
                Failure::new(format!(
                    "what listens at {} is no `portcullis dev`, or one of another version",
                    self.address
                ))
            })
    }
}
