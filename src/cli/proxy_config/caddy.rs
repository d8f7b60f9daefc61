//! Caddy: `forward_auth`.
//!
//! It hands a denial on whole. It copies the headers that are listed and removes none, so each
//! name is removed first, in each spelling.

use std::fmt::Write;

use super::{Address, Needs, capitalised, underscored};

/// A snippet to import into a site.
pub fn snippet(needs: &Needs, address: &Address) -> String {
    let mut snippet = String::from(
        "\
# In a site's route { }, before reverse_proxy: import portcullis
#
#   api.example.com {
#       route {
#           import portcullis
#           reverse_proxy 127.0.0.1:8080
#       }
#   }
(portcullis) {
",
    );
    if !needs.forwarded.is_empty() {
        snippet.push_str("\t# The names that the policy sets, however a client may write them.\n");
    }
    // Writing to a string cannot fail.
    for name in needs.spelled() {
        let _ = writeln!(snippet, "\trequest_header -{}", capitalised(&name));
    }
    snippet.push_str(CONNECTION);
    if needs.certificate {
        snippet.push_str(CERTIFICATE);
    }
    let _ = write!(
        snippet,
        "\n\tforward_auth {} {{\n\t\turi /forward\n",
        address.authority()
    );
    if !needs.forwarded.is_empty() {
        let names: Vec<String> = needs
            .forwarded
            .iter()
            .map(|name| capitalised(name))
            .collect();
        let _ = writeln!(snippet, "\t\tcopy_headers {}", names.join(" "));
    }
    snippet.push_str("\t}\n");
    if !needs.forwarded.is_empty() {
        snippet.push_str(
            "\n\t# Where portcullis sets no such header, copy_headers leaves the name of its own\n\t# placeholder as the value. It must not reach the application.\n",
        );
    }
    for name in &needs.forwarded {
        let header = capitalised(name);
        let matcher = format!("@portcullis_no_{}", underscored(name));
        let value = format!("{{http.reverse_proxy.header.{header}}}");
        let _ = writeln!(
            snippet,
            "\t{matcher} expression `{value} == null || {value} == \"\"`\n\trequest_header {matcher} -{header}",
        );
    }
    if needs.token_kept {
        snippet.push_str("\n\t# The policy keeps the token from the application.\n");
    }
    for name in needs.kept() {
        let _ = writeln!(snippet, "\trequest_header -{}", capitalised(name));
    }
    if let Some(remark) = needs.token_remark() {
        let _ = writeln!(
            snippet,
            "\n\t# {remark}, as in\n\t#   request_header -Authorization"
        );
    }
    snippet.push_str("}\n");
    snippet
}

const CONNECTION: &str = "
\t# A client may name any header in Connection, and Caddy then drops it on the way
\t# to the application, even one that portcullis has set. The handshake of a
\t# WebSocket is handed on, and no other: over `h2c` a client could ask the
\t# application for more, past portcullis.
\t@portcullis_websocket header_regexp Upgrade (?i)^websocket$
\t@portcullis_no_websocket not header_regexp Upgrade (?i)^websocket$
\trequest_header @portcullis_websocket Connection Upgrade
\trequest_header @portcullis_websocket Upgrade websocket
\trequest_header @portcullis_no_websocket -Connection
\trequest_header @portcullis_no_websocket -Upgrade
";

const CERTIFICATE: &str = "
\t# The certificate that the client showed, whatever the client wrote there. Without one Caddy
\t# leaves the name of the placeholder as the value.
\trequest_header X-Client-Cert-Sha256 {http.request.tls.client.fingerprint}
\t@portcullis_no_certificate expression `{http.request.tls.client.fingerprint} == null || {http.request.tls.client.fingerprint} == \"\"`
\trequest_header @portcullis_no_certificate -X-Client-Cert-Sha256
";
