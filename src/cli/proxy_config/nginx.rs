//! nginx: `auth_request`.
//!
//! It takes only 200, 401 and 403 as answers and passes on one challenge and no body; what else
//! is to reach the client is carried by variables.

use std::fmt::Write;

use super::{Address, Needs, capitalised, underscored};

/// Both parts, each under a line that says where it goes.
pub fn both(needs: &Needs, address: &Address) -> String {
    format!(
        "\
# ---- 1. In http {{ }}, once: portcullis proxy-config nginx --part http

{}
# ---- 2. In each server {{ }} that is to be protected: portcullis proxy-config nginx --part server

{}",
        http(needs, address),
        server(needs)
    )
}

/// What stands in `http { }`.
pub fn http(needs: &Needs, address: &Address) -> String {
    let websocket = if needs.websocket { WEBSOCKET_MAPS } else { "" };
    format!(
        "\
# `x_user_id` and `x-user-id` are one header to many frameworks: nginx drops
# names with an underscore, as it does unless told otherwise.
underscores_in_headers off;

upstream portcullis {{
    server {};
    keepalive 64;
}}

# nginx copies the challenge of a 401 by itself; this is the one of a 403.
map $portcullis_status $portcullis_challenge_of_403 {{
    403     $portcullis_challenge;
    default \"\";
}}
{websocket}",
        address.authority()
    )
}

const WEBSOCKET_MAPS: &str = "
# The handshake of a WebSocket is handed on, and no other: over `h2c` a client
# could ask the application for more, past portcullis.
map $http_upgrade $portcullis_upgrade {
    ~*^websocket$ websocket;
    default       \"\";
}
map $portcullis_upgrade $portcullis_connection {
    websocket upgrade;
    default   \"\";
}
";

/// What stands in `server { }`.
pub fn server(needs: &Needs) -> String {
    let mut identity = String::new();
    for name in &needs.forwarded {
        let variable = underscored(name);
        // Writing to a string cannot fail.
        let _ = writeln!(
            identity,
            "auth_request_set $portcullis_{variable} $upstream_http_{variable};\nproxy_set_header {} $portcullis_{variable};",
            capitalised(name)
        );
    }
    if needs.token_kept {
        identity.push_str("# The policy keeps the token from the application.\n");
    }
    for name in needs.kept() {
        let _ = writeln!(identity, "proxy_set_header {} \"\";", capitalised(name));
    }
    if let Some(remark) = needs.token_remark() {
        let _ = writeln!(
            identity,
            "# {remark}, as in\n#   proxy_set_header Authorization \"\";"
        );
    }
    let connection = if needs.websocket {
        WEBSOCKET
    } else {
        "proxy_set_header Connection        \"\";\n"
    };
    format!("{SERVER_HEAD}{identity}{SERVER_HOST}{connection}{SERVER_TAIL}")
}

const SERVER_HEAD: &str = "\
auth_request /_portcullis;

auth_request_set $portcullis_status    $upstream_status;
auth_request_set $portcullis_reason    $upstream_http_x_portcullis_reason;
auth_request_set $portcullis_decision  $upstream_http_x_portcullis_decision;
auth_request_set $portcullis_challenge $upstream_http_www_authenticate;
auth_request_set $portcullis_allow_origin      $upstream_http_access_control_allow_origin;
auth_request_set $portcullis_allow_credentials $upstream_http_access_control_allow_credentials;
auth_request_set $portcullis_expose_headers    $upstream_http_access_control_expose_headers;
auth_request_set $portcullis_vary              $upstream_http_vary;
auth_request_set $portcullis_dpop_nonce        $upstream_http_dpop_nonce;

# The headers that the policy forwards. An empty one is not sent at all, so what
# a client wrote under these names never passes. A location with a
# proxy_set_header of its own inherits none of these lines: repeat them there.
";

const WEBSOCKET: &str = "\
proxy_set_header Upgrade           $portcullis_upgrade;
proxy_set_header Connection        $portcullis_connection;
";

const SERVER_HOST: &str = "
# The application gets the host, and should get the path, that were judged: give
# proxy_pass no path of its own.
proxy_set_header Host              $http_host;
proxy_set_header X-Forwarded-For   $remote_addr;
proxy_set_header X-Forwarded-Proto $scheme;
";

const SERVER_TAIL: &str = "\
proxy_http_version 1.1;

location = /_portcullis {
    internal;
    auth_request off;
    proxy_pass http://portcullis/nginx;

    proxy_pass_request_body off;
    proxy_set_header Content-Length    \"\";
    proxy_set_header X-Original-Method $request_method;
    proxy_set_header X-Original-URI    $request_uri;
    proxy_set_header X-Original-Host   $http_host;
    proxy_set_header X-Forwarded-For   $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme;
    # The client's certificate, or nothing, whatever the client sent.
    proxy_set_header X-Client-Cert     $ssl_client_escaped_cert;
    proxy_set_header Connection        \"\";
    proxy_http_version 1.1;

    proxy_connect_timeout 1s;
    proxy_send_timeout    1s;
    proxy_read_timeout    1s;
    proxy_buffer_size 16k;
    proxy_buffers     4 16k;
}

# The client's answer to a denial: nginx drops the body of portcullis' own.
error_page 401 @portcullis_401;
error_page 403 @portcullis_403;
error_page 500 =503 @portcullis_unavailable;

location @portcullis_401 {
    auth_request off;
    default_type application/problem+json;
    add_header X-Portcullis-Reason   $portcullis_reason   always;
    add_header X-Portcullis-Decision $portcullis_decision always;
    add_header DPoP-Nonce            $portcullis_dpop_nonce always;
    add_header Access-Control-Allow-Origin      $portcullis_allow_origin      always;
    add_header Access-Control-Allow-Credentials $portcullis_allow_credentials always;
    add_header Access-Control-Expose-Headers    $portcullis_expose_headers    always;
    add_header Vary                             $portcullis_vary              always;
    return 401 '{\"type\":\"about:blank\",\"title\":\"Unauthorized\",\"status\":401,\"reason\":\"$portcullis_reason\",\"decision_id\":\"$portcullis_decision\"}\\n';
}

location @portcullis_403 {
    auth_request off;
    default_type application/problem+json;
    add_header WWW-Authenticate      $portcullis_challenge_of_403 always;
    add_header X-Portcullis-Reason   $portcullis_reason   always;
    add_header X-Portcullis-Decision $portcullis_decision always;
    add_header Access-Control-Allow-Origin      $portcullis_allow_origin      always;
    add_header Access-Control-Allow-Credentials $portcullis_allow_credentials always;
    add_header Access-Control-Expose-Headers    $portcullis_expose_headers    always;
    add_header Vary                             $portcullis_vary              always;
    return 403 '{\"type\":\"about:blank\",\"title\":\"Forbidden\",\"status\":403,\"reason\":\"$portcullis_reason\",\"decision_id\":\"$portcullis_decision\"}\\n';
}

# No answer is no permission.
location @portcullis_unavailable {
    auth_request off;
    default_type application/problem+json;
    return 503 '{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503}\\n';
}
";
