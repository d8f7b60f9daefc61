//! Examples as command lines to paste: `curl`, with a token of `portcullis token`.

use std::net::SocketAddr;

use super::example::{self, Example};
use super::issuer::DEFAULT_ADDRESS;
use crate::cli::mint;
use crate::cli::output::Paint;
use crate::load::Loaded;
use crate::reason::Reason;
use crate::settings::TokenPlace;

/// Prints examples as commands.
pub struct Printer<'a> {
    /// How this program was called.
    pub command: &'a str,
    /// Where the `http` listener is.
    pub http: Option<&'a str>,
    /// Where `portcullis token` gets tokens.
    pub issuer_address: SocketAddr,
    /// Colours.
    pub paint: Paint,
}

impl Printer<'_> {
    /// The examples of a policy, as far as some are found.
    pub fn examples(&self, loaded: &Loaded) -> String {
        if loaded.checked.model.is_none() {
            return String::new();
        }
        let Some(http) = self.http.filter(|address| !address.starts_with("unix:")) else {
            return String::new();
        };
        let Some((allowed, denied)) = example::pair(loaded) else {
            return "\nNo example was found; `portcullis routes` lists the routes.\n".to_owned();
        };
        let mut text = format!(
            "\n{}: {} of {}\n\n{}",
            self.paint.good("Allowed"),
            allowed.route,
            allowed.api,
            self.curl(http, &allowed)
        );
        if let Some(denied) = denied {
            text.push_str(&format!(
                "\n{}: {} ({})\n\n{}",
                self.paint.bad("Denied"),
                difference(&allowed, &denied),
                denied.reason.map_or("", Reason::code),
                self.curl(http, &denied)
            ));
        }
        text
    }

    /// The command for one example: the way in which Envoy asks over HTTP is the request itself.
    fn curl(&self, http: &str, example: &Example) -> String {
        let sent = &example.sent;
        let mut line = String::from("  curl -i");
        if sent.method.as_str() != "GET" {
            line.push_str(&format!(" -X {}", sent.method));
        }
        line.push_str(&format!(
            " {} -H {}",
            quoted(&format!("http://{http}/envoy{}", sent.target)),
            quoted(&format!("Host: {}", sent.host))
        ));
        for (name, value) in &sent.headers {
            line.push_str(&format!(" -H {}", quoted(&format!("{name}: {value}"))));
        }
        let place = example.token_place.as_ref();
        if let Some(header) = sent
            .token
            .as_ref()
            .and_then(|token| self.token_header(place?, token))
        {
            line.push_str(&format!(" \\\n       -H {header}"));
            // What a page of the API's own would send, without which a cookie is not enough.
            let in_cookie = matches!(place, Some(TokenPlace::Cookie(_)));
            if in_cookie && !sent.method.is_safe() {
                let origin = format!("Origin: https://{}", sent.host);
                line.push_str(&format!(" -H {}", quoted(&origin)));
            }
        }
        line.push('\n');
        line
    }

    /// The header that carries the token, with a command in it that gets one.
    fn token_header(&self, place: &TokenPlace, token: &mint::Arguments) -> Option<String> {
        let name = match place {
            TokenPlace::Authorization => "Authorization: Bearer ".to_owned(),
            TokenPlace::Header(name) => format!("{name}: "),
            TokenPlace::Cookie(name) => format!("Cookie: {name}="),
            TokenPlace::Query(_) | TokenPlace::Subprotocol(_) => return None,
        };
        Some(format!("\"{name}$({})\"", self.token_command(token)))
    }

    fn token_command(&self, token: &mint::Arguments) -> String {
        let mut command = format!("{} token", quoted(self.command));
        let mut option = |name: &str, value: &str| {
            command.push_str(&format!(" --{name} {}", quoted(value)));
        };
        if let Some(issuer) = &token.issuer {
            option("issuer", issuer);
        }
        if self.issuer_address.to_string() != DEFAULT_ADDRESS {
            option("dev", &self.issuer_address.to_string());
        }
        if let Some(scope) = &token.scope {
            option("scope", scope);
        }
        if let Some(client) = &token.client {
            option("client", client);
        }
        for (name, value) in &token.claim {
            option("claim", &format!("{name}={value}"));
        }
        command
    }
}

/// What the denied request lacks.
fn difference(allowed: &Example, denied: &Example) -> &'static str {
    match (&allowed.sent.token, &denied.sent.token) {
        (Some(_), None) => "the same without a token",
        (Some(one), Some(other)) if one.scope != other.scope => "the same without its scopes",
        _ => "another one",
    }
}

/// A text as one word of a shell's command line.
pub fn quoted(text: &str) -> String {
    let plain = !text.is_empty()
        && text.bytes().all(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(
                    byte,
                    b'-' | b'_' | b'.' | b'/' | b':' | b'=' | b',' | b'@' | b'+'
                )
        });
    if plain {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
