//! `portcullis proxy-config`: the lines for a proxy's own configuration.
//!
//! A proxy sets, removes and passes on only the headers that its configuration lists. So the lists
//! are generated from the policy, and from the headers that `portcullis.yaml` names. `deploy/` has
//! complete files, which the end-to-end tests run. These fragments do the same for any policy.

mod address;
mod caddy;
mod envoy;
mod needs;
mod nginx;
mod nginx_module;
mod told;
mod traefik;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use self::address::Address;
use self::needs::Needs;
use self::told::{Certificate, Told};
use super::Ended;
use super::output::{self, Exit, Failure};
use super::policy::{self, ParamArguments};
use super::ports::with_ports;
use super::serve;
use crate::runtime::config::{Config, ListenerId};

/// The description of `--portcullis`; the names in braces are those of listeners.
const LISTENS: &str = "\
Where portcullis listens, as the proxy sees it; by default 127.0.0.1:{http} (http) or :{grpc} (grpc)";

/// Write the proxy's configuration for a policy.
///
/// A proxy sets, removes and passes on only the headers that its own configuration lists. This
/// command writes those lists from the policy's `forward` lines and from `adapters` in
/// portcullis.yaml, with the lines that ask portcullis and pass its challenge and CORS headers to
/// the client. Run it again when they change.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portcullis proxy-config nginx policies/spa
  portcullis proxy-config nginx policies/spa --part server > /etc/nginx/portcullis.conf
  portcullis proxy-config nginx policies/spa --part fastcgi > /etc/nginx/portcullis-fastcgi.conf
  portcullis proxy-config nginx policies/spa --module --config /etc/portcullis/portcullis.yaml
  portcullis proxy-config envoy policies/spa --over http
  portcullis proxy-config envoy policies/spa --module
  portcullis proxy-config caddy policies/spa > portcullis.caddy

Whole files to start from are in deploy/, guides in docs/guides/.")]
pub struct Arguments {
    /// The proxy
    proxy: Proxy,
    /// The policy: folders or files; by default the configuration's, or `policies`
    policy: Vec<PathBuf>,
    /// The configuration; by default `portcullis.yaml` in the current folder, if it is there
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    params: ParamArguments,
    #[arg(long, value_name = "HOST:PORT", help = with_ports(LISTENS))]
    portcullis: Option<String>,
    /// Envoy: the protocol
    #[arg(long, value_enum, default_value_t)]
    over: Over,
    /// Envoy and nginx: use the module, which decides inside the proxy without the daemon
    #[arg(long, conflicts_with_all = ["over", "portcullis"])]
    module: bool,
    /// nginx: only this part, ready to include
    #[arg(long, value_enum)]
    part: Option<Part>,
}

/// A proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Proxy {
    /// auth_request; or a dynamic module, with `--module`
    Nginx,
    /// ext_authz, over gRPC unless `--over http`; or a dynamic module, with `--module`
    Envoy,
    /// ForwardAuth
    Traefik,
    /// forward_auth
    Caddy,
}

/// How Envoy asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Over {
    /// Preferred: complete requests and answers, and no lists of headers.
    #[default]
    Grpc,
    /// If gRPC isn't available.
    Http,
}

/// A part of nginx's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The lines for `http { }`, once.
    Http,
    /// The lines for each `server { }` to protect.
    Server,
    /// The lines beside `proxy_pass`, in a location with its own `proxy_set_header`.
    Proxy,
    /// The lines beside each `fastcgi_pass`.
    Fastcgi,
    /// The lines beside each `uwsgi_pass`.
    Uwsgi,
    /// The lines beside each `scgi_pass`.
    Scgi,
    /// The lines beside each `grpc_pass`.
    Grpc,
}

/// What a module reads where no configuration is at hand.
const MODULES_CONFIG: &str = "/etc/portcullis/portcullis.yaml";

/// Prints the fragment.
pub fn run(arguments: &Arguments) -> Ended {
    if arguments.part.is_some() && arguments.proxy != Proxy::Nginx {
        return Err(Failure::new("`--part` is for nginx"));
    }
    if arguments.over != Over::Grpc && arguments.proxy != Proxy::Envoy {
        return Err(Failure::new("`--over` is for Envoy"));
    }
    if arguments.module && !matches!(arguments.proxy, Proxy::Envoy | Proxy::Nginx) {
        return Err(Failure::new("`--module` is for Envoy and nginx"));
    }
    let file = serve::config_file(arguments.config.as_deref());
    let config = match &file {
        Some(file) => {
            let config = Config::read(file).map_err(|error| Failure::new(error.to_string()))?;
            Some(config)
        }
        None => None,
    };
    let paths = match (&arguments.policy, &config) {
        (given, _) if !given.is_empty() => given.clone(),
        (_, Some(config)) => config.policy.0.clone(),
        (_, None) => Config::default().policy.0,
    };
    let mut options = arguments.params.options();
    if let Some(config) = &config {
        options.params.configuration = config.param_values();
    }
    let loaded = policy::load_model(&paths, &options)?;
    let Some(model) = &loaded.checked.model else {
        return Ok(Exit::Good);
    };
    let needs = Needs::of(model);
    if arguments.module {
        let fragment = match arguments.proxy {
            Proxy::Nginx => {
                let file = file.unwrap_or_else(|| PathBuf::from(MODULES_CONFIG));
                nginx_module::part(arguments.part, &needs, &file)?
            }
            Proxy::Envoy | Proxy::Traefik | Proxy::Caddy => envoy::module(&needs, file.as_deref()),
        };
        output::print_exactly(&fragment)?;
        return Ok(Exit::Good);
    }
    let adapters = config.as_ref().map(|config| &config.adapters);
    let told = Told::of(adapters, arguments.proxy, arguments.over, &needs)?;
    let listener = match (arguments.proxy, arguments.over) {
        (Proxy::Envoy, Over::Grpc) => ListenerId::Grpc,
        _ => ListenerId::Http,
    };
    let default = format!("127.0.0.1:{}", listener.kind().port);
    let address = Address::parse(arguments.portcullis.as_deref().unwrap_or(&default))?;
    let fragment = match (arguments.proxy, arguments.over) {
        (Proxy::Nginx, _) => {
            let types = nginx::Types::of(config.as_ref())?;
            nginx::part(arguments.part, &needs, &told, &types, &address)
        }
        (Proxy::Envoy, Over::Grpc) => envoy::grpc(&needs, &told, &address),
        (Proxy::Envoy, Over::Http) => envoy::http(&needs, &told, &address),
        (Proxy::Caddy, _) => caddy::snippet(&needs, &told, &address),
        (Proxy::Traefik, _) => traefik::middlewares(&needs, &told, &address),
    };
    output::print_exactly(&fragment)?;
    Ok(Exit::Good)
}

/// `x-user-id` in its usual spelling, `X-User-Id`.
fn capitalised(name: &str) -> String {
    let mut upper = true;
    name.chars()
        .map(|character| {
            let shown = if upper {
                character.to_ascii_uppercase()
            } else {
                character
            };
            upper = !character.is_ascii_alphanumeric();
            shown
        })
        .collect()
}

/// `x-user-id` as a part of a variable's name, `x_user_id`.
fn underscored(name: &str) -> String {
    name.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_names_in_each_proxys_spelling() {
        assert_eq!(capitalised("x-user_id"), "X-User_Id");
        assert_eq!(underscored("x-user-id"), "x_user_id");
    }

    #[test]
    fn addresses() {
        let authority = |text: &str| Address::parse(text).map(|address| address.authority()).ok();
        assert_eq!(
            authority("127.0.0.1:9190").as_deref(),
            Some("127.0.0.1:9190")
        );
        assert_eq!(authority("[::1]:9190").as_deref(), Some("[::1]:9190"));
        assert_eq!(
            authority("portcullis:9190").as_deref(),
            Some("portcullis:9190")
        );
        for wrong in [
            "9190",
            ":9190",
            "a b:9190",
            "a;b:1",
            "portcullis:99999",
            "portcullis",
        ] {
            assert_eq!(authority(wrong), None, "{wrong}");
        }
    }
}
