//! Caddy: `forward_auth`.
//!
//! Caddy passes a denial on unchanged. It copies the listed headers and removes none, so each name
//! is removed first. Names with characters other than letters, digits and hyphens are removed
//! altogether, as nginx does, since many frameworks treat them as other spellings of names with
//! hyphens.

use std::fmt::Write;

use super::{Address, Certificate, Needs, Told, capitalised, underscored};

/// A snippet to import into a site.
pub fn snippet(needs: &Needs, told: &Told, address: &Address) -> String {
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
    snippet.push_str(ODD_NAMES);
    for character in ODD {
        // Writing to a string can't fail.
        let _ = writeln!(snippet, "\trequest_header \"-*{character}*\"");
    }
    if !needs.forwarded.is_empty() {
        snippet.push_str("\n\t# The headers that the policy sets.\n");
    }
    for name in &needs.forwarded {
        let _ = writeln!(snippet, "\trequest_header -{}", capitalised(name));
    }
    snippet.push_str(CONTRADICTING);
    for header in told.contradicting(needs) {
        if !SET_BY_CADDY.contains(&header.name) {
            let _ = writeln!(snippet, "\trequest_header -{}", capitalised(header.name));
        }
    }
    snippet.push_str(CONNECTION);
    if let Some(address) = &told.address
        && !SET_BY_CADDY.contains(&address.as_str())
    {
        let _ = writeln!(
            snippet,
            "\n\t# The client's real address, replacing anything the client sent.\n\trequest_header {} {{http.request.remote.host}}",
            capitalised(address)
        );
    }
    snippet.push_str(&certificate(told));
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
            "\n\t# If portcullis doesn't set a header, copy_headers writes the name of its own\n\t# placeholder as the value, which must not reach the application.\n",
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
        snippet.push_str("\n\t# The application doesn't get the token.\n");
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
    snippet.push_str(CORS);
    snippet.push_str("}\n");
    snippet
}

const CORS: &str = "
\t# A preflight that portcullis answers: the application never sees it.
\t@portcullis_preflight expression `{http.reverse_proxy.header.X-Portcullis-Preflight} == \"answered\"`
\thandle @portcullis_preflight {
\t\theader Access-Control-Allow-Methods {http.reverse_proxy.header.Access-Control-Allow-Methods}
\t\t@portcullis_allow_headers expression `{http.reverse_proxy.header.Access-Control-Allow-Headers} != null && {http.reverse_proxy.header.Access-Control-Allow-Headers} != \"\"`
\t\theader @portcullis_allow_headers Access-Control-Allow-Headers {http.reverse_proxy.header.Access-Control-Allow-Headers}
\t\theader Access-Control-Max-Age {http.reverse_proxy.header.Access-Control-Max-Age}
\t}
\t# Pages of the origins that the policy lists may read the answer. portcullis' headers replace
\t# the application's.
\t@portcullis_origin expression `{http.reverse_proxy.header.Access-Control-Allow-Origin} != null && {http.reverse_proxy.header.Access-Control-Allow-Origin} != \"\"`
\theader @portcullis_origin {
\t\tAccess-Control-Allow-Origin {http.reverse_proxy.header.Access-Control-Allow-Origin}
\t\tdefer
\t}
\t@portcullis_credentials expression `{http.reverse_proxy.header.Access-Control-Allow-Credentials} != null && {http.reverse_proxy.header.Access-Control-Allow-Credentials} != \"\"`
\theader @portcullis_credentials {
\t\tAccess-Control-Allow-Credentials {http.reverse_proxy.header.Access-Control-Allow-Credentials}
\t\tdefer
\t}
\t@portcullis_vary expression `{http.reverse_proxy.header.Vary} != null && {http.reverse_proxy.header.Vary} != \"\"`
\theader @portcullis_vary +Vary {http.reverse_proxy.header.Vary}
\trespond @portcullis_preflight 204
";

const CONNECTION: &str = "
\t# A client may name any header in Connection, and Caddy then drops it on the way
\t# to the application, even one that portcullis has set. Only a WebSocket's
\t# handshake is passed on: with `h2c`, a client could send the application
\t# requests that portcullis never sees.
\t@portcullis_websocket header_regexp Upgrade (?i)^websocket$
\t@portcullis_no_websocket not header_regexp Upgrade (?i)^websocket$
\trequest_header @portcullis_websocket Connection Upgrade
\trequest_header @portcullis_websocket Upgrade websocket
\trequest_header @portcullis_no_websocket -Connection
\trequest_header @portcullis_no_websocket -Upgrade
";

/// The header with the client's certificate, if there is one.
fn certificate(told: &Told) -> String {
    let (name, placeholder) = match &told.certificate {
        Some(Certificate::Whole(name)) => {
            (name, "{http.request.tls.client.certificate_der_base64}")
        }
        Some(Certificate::Fingerprint(name)) => (name, "{http.request.tls.client.fingerprint}"),
        // Refused for Caddy.
        Some(Certificate::Xfcc) | None => return String::new(),
    };
    let name = capitalised(name);
    format!(
        "
\t# The client's certificate, replacing anything the client sent. Without one, Caddy writes the
\t# name of the placeholder as the value.
\trequest_header {name} {placeholder}
\t@portcullis_no_certificate expression `{placeholder} == null || {placeholder} == \"\"`
\trequest_header @portcullis_no_certificate -{name}
"
    )
}

/// The headers that Caddy itself sets for portcullis and the application, replacing those of a
/// client that isn't one of `trusted_proxies`.
const SET_BY_CADDY: [&str; 3] = ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"];

/// The characters of header names (RFC 9110, section 5.6.2) other than letters, digits and `-`.
const ODD: [char; 14] = [
    '!', '#', '$', '%', '&', '\'', '*', '+', '.', '^', '_', '`', '|', '~',
];

const ODD_NAMES: &str =
    "\t# To many frameworks, `x_user_id`, `x.user.id` and `x-user-id` are the same
\t# header, so names with any of these characters are removed.
";

const CONTRADICTING: &str = "
\t# If a client could send these headers, some applications would see another host,
\t# path, method or client than the judged one. Caddy sets X-Forwarded-For, -Host
\t# and -Proto itself.
";
