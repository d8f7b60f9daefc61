//! The address of portcullis, as the proxy sees it.

use std::net::SocketAddr;

use crate::cli::output::Failure;
use crate::cli::ports::with_ports;

/// The address of portcullis.
pub struct Address {
    pub host: String,
    pub port: u16,
}

impl Address {
    pub fn parse(text: &str) -> Result<Address, Failure> {
        let wrong = || {
            Failure::new(format!("`{text}` isn't HOST:PORT")).help(with_ports(
                "give the address of the listener, such as 127.0.0.1:{http} or portcullis:{http}",
            ))
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

    /// The form in URLs: an IPv6 address is in brackets.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}
