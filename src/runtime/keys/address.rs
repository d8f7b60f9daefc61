//! Checks from which addresses keys may be fetched.
//!
//! A provider's documents name further URLs, and names resolve to whatever their owner says.
//! Neither may point the daemon into its own network, unless the configuration says that a provider
//! is there.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::value::{AddressRange, AddressSet};

/// The addresses, in addition to public ones, from which keys may be fetched.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    /// The ranges that the configuration allows.
    pub allowed: AddressSet,
    /// The proxy's host, which the operator has chosen.
    pub proxy: Option<String>,
    /// The hosts from which keys may be fetched over plain HTTP. The operator says that they are
    /// near, so they may have private addresses too.
    pub plain: Hosts,
}

/// Hosts in the configuration: names, which include the names below them, and address ranges for
/// hosts that are addresses.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    names: Vec<String>,
    ranges: AddressSet,
}

impl Hosts {
    /// The hosts of a setting; what isn't an address range is a name.
    pub fn new(hosts: &[String]) -> Hosts {
        let (mut names, mut ranges) = (Vec::new(), Vec::new());
        for host in hosts {
            match AddressRange::parse(host) {
                Ok(range) => ranges.push(range),
                Err(_) => names.push(host.trim_start_matches('.').to_ascii_lowercase()),
            }
        }
        Hosts {
            names,
            ranges: AddressSet::new(ranges),
        }
    }

    /// Whether the host of a URL is among them.
    pub fn contains(&self, host: &str) -> bool {
        if let Some(address) = address(host) {
            return self.ranges.contains(address);
        }
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        self.names.iter().any(|name| {
            let below = host.strip_suffix(name);
            below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
        })
    }
}

impl Reach {
    /// Whether connecting to an address is allowed for this host name.
    fn permits(&self, host: &str, address: IpAddr) -> bool {
        // `::ffff:10.0.0.1` leads to 10.0.0.1, so it is judged as that.
        let address = address.to_canonical();
        is_public(address)
            || self.allowed.contains(address)
            || (address.is_loopback() && is_loopback_name(host))
            || self.plain.contains(host)
    }

    /// Refuses a host that is an address itself, which no resolver checks. That includes the
    /// proxy's address: a proxy isn't a provider.
    pub fn check_literal(&self, host: &str) -> Result<(), Unresolved> {
        match address(host) {
            Some(address) if !self.permits(host, address) => {
                Err(Unresolved::Refused(refused(host, address)))
            }
            _ => Ok(()),
        }
    }

    /// The allowed ones among a host's addresses.
    fn choose(&self, host: &str, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Unresolved> {
        // The operator named the proxy, so its address may be private. The URLs that are fetched
        // through it are checked by themselves.
        if self.proxy.as_deref() == Some(host) {
            return Ok(found);
        }
        let (fine, other): (Vec<_>, Vec<_>) = found
            .into_iter()
            .partition(|address| self.permits(host, address.ip()));
        match (fine.is_empty(), other.first()) {
            (true, Some(address)) => Err(Unresolved::Refused(refused(host, address.ip()))),
            _ => Ok(fine),
        }
    }
}

/// Why a host has no usable address.
#[derive(Debug)]
pub enum Unresolved {
    /// All its addresses are refused.
    Refused(String),
    /// The lookup failed.
    Unknown(io::Error),
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unresolved::Refused(sentence) => f.write_str(sentence),
            Unresolved::Unknown(error) => {
                let text = error.to_string();
                let short = text.strip_prefix("failed to lookup address information: ");
                let text = short.unwrap_or(&text);
                write!(f, "its name can't be resolved ({text})")
            }
        }
    }
}

impl std::error::Error for Unresolved {}

fn refused(host: &str, address: IpAddr) -> String {
    let address = address.to_canonical();
    format!(
        "`{host}` is at the private address {address}; `keys.allow_addresses` in the configuration can allow it"
    )
}

/// Whether a host is this machine, judging by the name or address alone (RFC 6761, section 6.3).
pub fn is_loopback_name(host: &str) -> bool {
    address(host).map_or_else(
        || {
            let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
            name == "localhost" || name.ends_with(".localhost")
        },
        |address| address.is_loopback(),
    )
}

/// The address in the host of a URL, if the host is an address.
pub fn address(host: &str) -> Option<IpAddr> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address: IpAddr = bare.parse().ok()?;
    Some(address.to_canonical())
}

/// Whether an address belongs to the public internet (the IANA special-purpose registries).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19));
    !(special
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [s0, s1, s2, s3, s4, s5, s6, s7] = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match (s0, s1) {
        // NAT64 and 6to4 addresses contain the IPv4 address that they lead to.
        (0x64, 0xff9b) => [s2, s3, s4, s5] == [0; 4] && embedded(s6, s7),
        (0x2002, _) => embedded(s1, s2),
        (0x2001, 0xdb8) => false,
        // Teredo (RFC 4380), benchmarking and other special purposes (RFC 6890); more documentation
        // (RFC 9637).
        (0x2001, 0..0x200) | (0x3fff, 0..0x1000) => false,
        // Global unicast.
        _ => s0 & 0xe000 == 0x2000,
    }
}

/// A resolver that returns only allowed addresses: the connection uses exactly the checked address,
/// so a second lookup can't differ.
#[derive(Debug, Clone)]
pub struct Resolver(pub Arc<Reach>);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0.clone();
        Box::pin(async move {
            let host = name.as_str();
            let found = tokio::net::lookup_host((host, 0))
                .await
                .map_err(Unresolved::Unknown)?;
            let fine = reach.choose(host, found.collect())?;
            Ok(Box::new(fine.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for (address, public) in [
            ("8.8.8.8", true),
            ("2606:4700::1111", true),
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("172.16.0.1", false),
            ("192.168.0.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("0.0.0.0", false),
            ("255.255.255.255", false),
            ("224.0.0.1", false),
            ("::", false),
            ("::1", false),
            ("fe80::1", false),
            ("fd00::1", false),
            ("ff02::1", false),
            ("64:ff9b::a9fe:a9fe", false),
            ("64:ff9b::808:808", true),
            ("2002:a00:1::", false),
            ("2001:db8::1", false),
            ("2001:0:a9fe:a9fe::1", false),
            ("3fff::1", false),
            ("2001:4860:4860::8888", true),
        ] {
            let parsed: IpAddr = address.parse().expect("an address");
            assert_eq!(is_public(parsed.to_canonical()), public, "{address}");
        }
    }

    #[test]
    fn a_mapped_address_is_the_address_that_it_maps() {
        let reach = Reach::default();
        assert!(reach.check_literal("[::ffff:10.0.0.1]").is_err());
        assert!(reach.check_literal("[::ffff:8.8.8.8]").is_ok());
    }

    #[test]
    fn what_the_configuration_allows_is_allowed() {
        let reach = Reach {
            allowed: AddressSet::new(vec![AddressRange::parse("10.0.0.0/8").expect("a range")]),
            ..Reach::default()
        };
        assert!(reach.check_literal("10.9.8.7").is_ok());
        assert!(reach.check_literal("192.168.0.1").is_err());
    }

    fn sockets(addresses: &[&str]) -> Vec<SocketAddr> {
        let ip = |text: &&str| SocketAddr::new(text.parse().expect("an address"), 0);
        addresses.iter().map(ip).collect()
    }

    #[test]
    fn of_a_names_addresses_the_private_ones_are_left_out() {
        let reach = Reach::default();
        let host = "keys.example.com";
        let fine = reach.choose(host, sockets(&["10.0.0.1", "8.8.8.8", "::1"]));
        assert_eq!(fine.expect("one is public"), sockets(&["8.8.8.8"]));
        let private = [
            "10.0.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "::ffff:10.0.0.1",
        ];
        for address in private {
            let fault = reach.choose(host, sockets(&[address])).expect_err(address);
            assert!(
                fault.to_string().contains("keys.allow_addresses"),
                "{fault}"
            );
        }
    }

    #[test]
    fn the_proxy_may_be_at_a_private_address_and_is_no_provider() {
        let named = Reach {
            proxy: Some("proxy.example.com".to_owned()),
            ..Reach::default()
        };
        assert!(
            named
                .choose("proxy.example.com", sockets(&["10.0.0.1"]))
                .is_ok()
        );
        assert!(
            named
                .choose("id.example.com", sockets(&["10.0.0.1"]))
                .is_err()
        );
        let literal = Reach {
            proxy: Some("10.0.0.1".to_owned()),
            ..Reach::default()
        };
        assert!(literal.check_literal("10.0.0.1").is_err());
    }

    #[test]
    fn a_host_that_is_named_for_plain_http_may_be_at_a_private_address() {
        let reach = Reach {
            plain: Hosts::new(&["dex.auth.svc".to_owned(), "10.0.0.0/8".to_owned()]),
            ..Reach::default()
        };
        for (host, address, fine) in [
            ("dex.auth.svc", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.3", true),
            ("other.auth.svc", "10.1.2.3", false),
            ("192.168.0.1", "192.168.0.1", false),
        ] {
            let address = address.parse().expect("an address");
            assert_eq!(reach.permits(host, address), fine, "{host}");
        }
    }

    #[test]
    fn loopback_is_a_name_not_what_a_name_resolves_to() {
        let reach = Reach::default();
        let loopback: IpAddr = "127.0.0.1".parse().expect("an address");
        assert!(reach.permits("localhost", loopback));
        assert!(reach.permits("127.0.0.1", loopback));
        assert!(!reach.permits("keys.example.com", loopback));
    }
}
