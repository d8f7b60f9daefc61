//! nginx with portcullis as a module in its workers.
//!
//! The module itself sets and removes the headers of the request, whatever hands it on. The configuration
//! says which `portcullis.yaml` it reads, and what nginx alone knows of the connection.

use std::fmt::Write;
use std::path::Path;

use super::nginx::{LARGE_HEADERS, Pass, USUAL, WEBSOCKET, WEBSOCKET_MAPS};
use super::{Needs, Part};
use crate::cli::output::Failure;

/// The part that is asked for, or those of `http { }` and `server { }`, each under a line that says
/// where it goes.
pub fn part(part: Option<Part>, needs: &Needs, config: &Path) -> Result<String, Failure> {
    let http = http(needs, config)?;
    Ok(match part {
        Some(Part::Http) => http,
        Some(Part::Server) => server(needs),
        Some(Part::Proxy) => location(Pass::Proxy, needs),
        Some(Part::Grpc) => location(Pass::Grpc, needs),
        Some(Part::Fastcgi) => location(Pass::Fastcgi, needs),
        Some(Part::Uwsgi) => location(Pass::Uwsgi, needs),
        Some(Part::Scgi) => location(Pass::Scgi, needs),
        None => format!(
            "\
# ---- 1. In http {{ }}, once: portcullis proxy-config nginx --module --part http
#         (and `load_module …/ngx_http_portcullis_module.so;` at the top of nginx.conf)

{http}
# ---- 2. In each server {{ }}: portcullis proxy-config nginx --module --part server

{}
# ---- 3. proxy_set_header means nothing to fastcgi_pass, uwsgi_pass, scgi_pass and grpc_pass. In
#         each location {{ }} that has one: portcullis proxy-config nginx --module --part fastcgi
#         (or uwsgi, scgi, grpc); in one with a proxy_set_header of its own: --part proxy
",
            server(needs)
        ),
    })
}

/// What stands in `http { }`.
fn http(needs: &Needs, config: &Path) -> Result<String, Failure> {
    // nginx would look for a relative one beside its own configuration.
    let path = std::path::absolute(config)
        .map_err(|error| Failure::new(error.to_string()))?
        .display()
        .to_string();
    if path.contains(['"', '\\', '$']) || path.contains(char::is_control) {
        return Err(Failure::new(format!(
            "the path of the configuration, {config:?}, holds what nginx reads as the end of a text or as a variable"
        )));
    }
    let websocket = if needs.websocket { WEBSOCKET_MAPS } else { "" };
    let large = if needs.payload { LARGE_HEADERS } else { "" };
    Ok(format!(
        "\
# Policy and keys are read before the workers start. Every location is protected, unless it says
# `portcullis off`.
portcullis_config \"{path}\";

# `x_user_id` and `x-user-id` are one header to many frameworks: nginx drops
# names with an underscore, as it does unless told otherwise.
underscores_in_headers off;
{large}{websocket}"
    ))
}

/// What stands in `server { }`.
fn server(needs: &Needs) -> String {
    format!("{}proxy_http_version 1.1;\n", passed(Pass::Proxy, needs))
}

/// What stands in a location beside one of the directives that pass requests on.
fn location(pass: Pass, needs: &Needs) -> String {
    format!("{}{}", pass.head(), passed(pass, needs))
}

/// The headers that nginx sets: what the module has left of the client's is not about the connection.
fn passed(pass: Pass, needs: &Needs) -> String {
    let mut lines = String::from(
        "\
# The application gets the host, and should get the path, that were judged: give
# proxy_pass no path of its own. The module removes what the client wrote into the
# other headers of this kind; these are nginx's own.
",
    );
    lines += &pass.set("host", "$http_host");
    for (name, value) in USUAL {
        lines += &pass.set(name, value);
    }
    match pass {
        Pass::Proxy if needs.websocket => lines.push_str(WEBSOCKET),
        Pass::Proxy => lines.push_str("proxy_set_header Connection \"\";\n"),
        Pass::Grpc => {}
        Pass::Fastcgi | Pass::Uwsgi | Pass::Scgi => {
            // Writing to a string cannot fail.
            let _ = writeln!(
                lines,
                "# CGI programs take this one for the proxy that they are to use.\n{}",
                pass.set("proxy", "\"\"").trim_end()
            );
        }
    }
    lines
}
