//! `portcullis proxy-config`: what to put into a proxy's own configuration for a policy.
//!
//! A proxy sets, removes and hands on only the headers that its configuration lists, so the lists
//! are made from the policy. `deploy/` has whole files, which the end-to-end tests run; these
//! fragments say the same for any policy.

mod caddy;
mod envoy;
mod nginx;
mod traefik;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Ended;
use super::output::{self, Exit, Failure};
use super::policy::{self, ParamArguments};
use crate::model::{Access, Api, Atom, Condition, ConditionKind, Model};
use crate::settings::TokenPlace;

/// The most ways to write a name that are listed: six hyphens. A proxy that can only remove names
/// one by one (Caddy, Traefik) gets a line for each way.
const MAX_SPELLINGS: usize = 64;

/// Write the proxy's configuration for a policy.
///
/// A proxy sets, removes and passes on only the headers that its own configuration lists. This
/// command writes those lists from the policy's `forward` lines, with the lines that ask portcullis
/// and pass its challenge and CORS headers to the client. Run it again when they change.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portcullis proxy-config nginx policies/spa
  portcullis proxy-config nginx policies/spa --part server > /etc/nginx/portcullis.conf
  portcullis proxy-config envoy policies/spa --over http
  portcullis proxy-config caddy policies/spa > portcullis.caddy

Whole files to start from are in deploy/, guides in docs/guides/.")]
pub struct Arguments {
    /// The proxy
    proxy: Proxy,
    /// The policy: folders or files
    #[arg(default_value = "policies")]
    policy: Vec<PathBuf>,
    #[command(flatten)]
    params: ParamArguments,
    /// Where portcullis listens, as the proxy sees it; by default 127.0.0.1:9190 (http) or :9191
    /// (grpc)
    #[arg(long, value_name = "HOST:PORT")]
    portcullis: Option<String>,
    /// Envoy: how it asks
    #[arg(long, value_enum, default_value_t)]
    over: Over,
    /// nginx: the part for `http { }` or the one for `server { }` alone, ready to be included
    #[arg(long, value_enum)]
    part: Option<Part>,
}

/// A proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Proxy {
    /// auth_request
    Nginx,
    /// ext_authz, over gRPC unless `--over http`
    Envoy,
    /// ForwardAuth
    Traefik,
    /// forward_auth
    Caddy,
}

/// How Envoy asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Over {
    /// Preferred: nothing is lost, and headers need no lists.
    #[default]
    Grpc,
    /// Where gRPC isn't available.
    Http,
}

/// A part of nginx's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// What stands in `http { }`, once.
    Http,
    /// What stands in each `server { }` that is to be protected.
    Server,
}

/// Prints the fragment.
pub fn run(arguments: &Arguments) -> Ended {
    if arguments.part.is_some() && arguments.proxy != Proxy::Nginx {
        return Err(Failure::new("`--part` is for nginx"));
    }
    if arguments.over != Over::Grpc && arguments.proxy != Proxy::Envoy {
        return Err(Failure::new("`--over` is for Envoy"));
    }
    let loaded = policy::load_model(&arguments.policy, &arguments.params.options())?;
    let Some(model) = &loaded.checked.model else {
        return Ok(Exit::Good);
    };
    let needs = Needs::of(model)?;
    let default = match (arguments.proxy, arguments.over) {
        (Proxy::Envoy, Over::Grpc) => "127.0.0.1:9191",
        _ => "127.0.0.1:9190",
    };
    let address = Address::parse(arguments.portcullis.as_deref().unwrap_or(default))?;
    let fragment = match (arguments.proxy, arguments.over) {
        (Proxy::Nginx, _) => match arguments.part {
            Some(Part::Http) => nginx::http(&needs, &address),
            Some(Part::Server) => nginx::server(&needs),
            None => nginx::both(&needs, &address),
        },
        (Proxy::Envoy, Over::Grpc) => envoy::grpc(&needs, &address),
        (Proxy::Envoy, Over::Http) => envoy::http(&needs, &address),
        (Proxy::Caddy, _) => caddy::snippet(&needs, &address),
        (Proxy::Traefik, _) => traefik::middlewares(&needs, &address),
    };
    output::print_exactly(&fragment)?;
    Ok(Exit::Good)
}

/// Where portcullis listens.
struct Address {
    host: String,
    port: u16,
}

impl Address {
    fn parse(text: &str) -> Result<Address, Failure> {
        let wrong = || {
            Failure::new(format!("`{text}` is no HOST:PORT"))
                .help("give the address of the listener, such as 127.0.0.1:9190 or portcullis:9190")
        };
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Address {
                host: address.ip().to_string(),
                port: address.port(),
            });
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let is_name = !host.is_empty()
            && host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.');
        let port = port.parse().map_err(|_| wrong())?;
        if !is_name {
            return Err(wrong());
        }
        Ok(Address {
            host: host.to_owned(),
            port,
        })
    }

    /// As it stands in a URL: an IPv6 address in brackets.
    fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// What a policy needs of a proxy.
struct Needs {
    /// The headers that the policy sets, in lower case, sorted.
    forwarded: Vec<String>,
    /// The headers that the policy reads, in lower case, sorted.
    read: Vec<String>,
    /// The APIs that keep the token from the application, each with the headers that hold it.
    token_kept_by: Vec<(String, Vec<String>)>,
    /// Whether all APIs do.
    token_kept: bool,
    /// Whether tokens are taken that a page sends with the handshake of a WebSocket.
    websocket: bool,
    /// Whether tokens are taken that are bound to the client's certificate.
    certificate: bool,
}

impl Needs {
    fn of(model: &Model) -> Result<Needs, Failure> {
        let forwarded: BTreeSet<&str> = model
            .apis
            .iter()
            .flat_map(|api| &api.forward)
            .map(|forward| forward.header.as_str())
            .collect();
        for name in &forwarded {
            if spellings(name).len() > MAX_SPELLINGS {
                return Err(Failure::new(format!(
                    "the header `{name}` can be written in more than {MAX_SPELLINGS} ways with `-` and `_`"
                ))
                .help("a name with fewer hyphens can be removed from what a client sends"));
            }
        }
        let mut read = BTreeSet::new();
        for api in &model.apis {
            read_by_api(api, &mut read);
        }
        if model.binds(|senders| senders.dpop) {
            read.insert("dpop".to_owned());
        }
        for guard in &model.guards {
            if let Some(condition) = &guard.condition {
                read_by_condition(condition, &mut read);
            }
        }
        let token_kept_by: Vec<(String, Vec<String>)> = model
            .apis
            .iter()
            .filter(|api| api.forward_no_token)
            .map(|api| (api.name.clone(), token_headers(api)))
            .collect();
        let websocket = model
            .apis
            .iter()
            .flat_map(|api| &api.token_places)
            .any(|place| matches!(place, TokenPlace::Subprotocol(_) | TokenPlace::Cookie(_)));
        Ok(Needs {
            forwarded: forwarded.into_iter().map(str::to_owned).collect(),
            read: read.into_iter().collect(),
            token_kept: !model.apis.is_empty() && token_kept_by.len() == model.apis.len(),
            token_kept_by,
            websocket,
            certificate: model.binds(|senders| senders.mtls),
        })
    }

    /// Every way in which a client could write a name that the policy sets: a framework that
    /// takes `_` for `-` cannot tell them apart.
    fn spelled(&self) -> Vec<String> {
        self.forwarded
            .iter()
            .flat_map(|name| spellings(name))
            .collect()
    }

    /// The headers, in lower case, that the application never gets, because they hold the token.
    fn kept(&self) -> BTreeSet<&str> {
        self.token_kept_by
            .iter()
            .filter(|_| self.token_kept)
            .flat_map(|(_, headers)| headers)
            .map(String::as_str)
            .collect()
    }

    /// A comment where some APIs keep the token from the application and others do not: a
    /// proxy's fragment cannot tell them apart.
    fn token_remark(&self) -> Option<String> {
        if self.token_kept || self.token_kept_by.is_empty() {
            return None;
        }
        let kept: Vec<String> = self
            .token_kept_by
            .iter()
            .map(|(api, headers)| {
                let headers: Vec<String> = headers.iter().map(|name| capitalised(name)).collect();
                format!("remove {} for {api}", headers.join(" and "))
            })
            .collect();
        Some(format!("`forward no token`: {}", kept.join(", ")))
    }
}

/// The headers that hold a token of the API and nothing else, in lower case.
fn token_headers(api: &Api) -> Vec<String> {
    api.token_places
        .iter()
        .filter_map(|place| match place {
            TokenPlace::Authorization => Some("authorization".to_owned()),
            TokenPlace::Header(name) => Some(name.clone()),
            // The checker lets no API have these and keep the token.
            TokenPlace::Cookie(_) | TokenPlace::Query(_) | TokenPlace::Subprotocol(_) => None,
        })
        .collect()
}

/// The name, and the name with each choice of its hyphens as underscores.
fn spellings(name: &str) -> Vec<String> {
    let mut parts = name.split('-');
    let mut ways = vec![parts.next().unwrap_or_default().to_owned()];
    for part in parts {
        if ways.len() > MAX_SPELLINGS {
            break;
        }
        ways = ways
            .iter()
            .flat_map(|way| [format!("{way}-{part}"), format!("{way}_{part}")])
            .collect();
    }
    ways
}

/// `x-user-id` as it is usually written, `X-User-Id`.
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

/// `x-user-id` as part of a variable's name, `x_user_id`.
fn underscored(name: &str) -> String {
    name.replace('-', "_")
}

fn read_by_api(api: &Api, read: &mut BTreeSet<String>) {
    for place in &api.token_places {
        let headers: &[&str] = match place {
            TokenPlace::Authorization => &["authorization"],
            TokenPlace::Header(name) => &[name],
            // Whose page sends it, and whether for a WebSocket.
            TokenPlace::Cookie(_) => &["cookie", "origin", "sec-websocket-version"],
            TokenPlace::Subprotocol(_) => &["sec-websocket-protocol"],
            TokenPlace::Query(_) => &[],
        };
        read.extend(headers.iter().map(|header| (*header).to_owned()));
    }
    if api.cors.is_some() || api.preflight_public {
        for header in [
            "origin",
            "access-control-request-method",
            "access-control-request-headers",
        ] {
            read.insert(header.to_owned());
        }
    }
    for route in &api.routes {
        if let Access::Open {
            condition: Some(condition),
            ..
        } = &route.access
        {
            read_by_condition(condition, read);
        }
    }
}

fn read_by_condition(condition: &Condition, read: &mut BTreeSet<String>) {
    match &condition.kind {
        ConditionKind::And(parts) | ConditionKind::Or(parts) => {
            for part in parts {
                read_by_condition(part, read);
            }
        }
        ConditionKind::Not(inner) => read_by_condition(inner, read),
        ConditionKind::Atom(Atom::Header(name, _)) => {
            read.insert(name.clone());
        }
        ConditionKind::Atom(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_name() {
        assert_eq!(spellings("x"), ["x"]);
        assert_eq!(
            spellings("x-user-id"),
            ["x-user-id", "x-user_id", "x_user-id", "x_user_id"]
        );
        assert!(spellings("a-b-c-d-e-f-g-h-i").len() > MAX_SPELLINGS);
    }

    #[test]
    fn names_as_proxies_write_them() {
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
