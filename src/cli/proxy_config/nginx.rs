//! nginx: `auth_request`.
//!
//! It accepts only 200, 401 and 403 as answers, and passes on only one challenge and no body.
//! Variables carry everything else to the client.

use std::fmt::Write;

use super::{Address, Certificate, Needs, Part, Told, capitalised, underscored};
use crate::answer::{Explain, page};
use crate::cli::output::Failure;
use crate::runtime::config::Config;

/// The requested part, or those for `http { }` and `server { }`, each with a heading that says
/// where it goes.
pub fn part(
    part: Option<Part>,
    needs: &Needs,
    told: &Told,
    types: &Types,
    address: &Address,
) -> String {
    match part {
        Some(Part::Http) => http(needs, address),
        Some(Part::Server) => server(needs, told, types),
        Some(Part::Proxy) => location(Pass::Proxy, needs, told),
        Some(Part::Fastcgi) => location(Pass::Fastcgi, needs, told),
        Some(Part::Uwsgi) => location(Pass::Uwsgi, needs, told),
        Some(Part::Scgi) => location(Pass::Scgi, needs, told),
        Some(Part::Grpc) => location(Pass::Grpc, needs, told),
        None => format!(
            "\
# ---- 1. In http {{ }}, once: portcullis proxy-config nginx --part http

{}
# ---- 2. In each server {{ }} to protect: portcullis proxy-config nginx --part server

{}
# ---- 3. fastcgi_pass, uwsgi_pass, scgi_pass and grpc_pass ignore proxy_set_header. In each
#         location {{ }} that has one of them: portcullis proxy-config nginx --part fastcgi
#         (or uwsgi, scgi, grpc); in one with its own proxy_set_header: --part proxy
",
            http(needs, address),
            server(needs, told, types)
        ),
    }
}

/// The `type` of a denial's body, as the daemon writes it.
pub struct Types {
    /// The text before the reason's code; `None` if the client isn't told the reason.
    before_code: Option<String>,
}

impl Types {
    /// The setting of the configuration, or the default.
    pub fn of(config: Option<&Config>) -> Result<Types, Failure> {
        let defaults = Config::default();
        let config = config.unwrap_or(&defaults);
        if let Some(docs) = &config.docs
            && docs.contains(['\'', '$'])
        {
            return Err(Failure::new(format!(
                "`docs: {docs}` holds `'` or `$`, which nginx takes for the end of a text or a variable"
            ))
            .help("write them percent-encoded, `%27` or `%24`"));
        }
        Ok(Types {
            before_code: (config.explain.told() != Explain::None)
                .then(|| page(config.docs.as_deref(), "")),
        })
    }

    /// The members of a body that depend on the reason, which come first.
    fn members(&self) -> (String, &'static str) {
        match &self.before_code {
            Some(before) => (
                format!("\"type\":\"{before}$portcullis_reason\""),
                "\"reason\":\"$portcullis_reason\",\"help\":\"portcullis why --reason $portcullis_reason\",",
            ),
            None => ("\"type\":\"about:blank\"".to_owned(), ""),
        }
    }
}

/// A way in which nginx passes requests on. Each has its own directive for headers, and ignores
/// those of the others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    Proxy,
    Grpc,
    Fastcgi,
    Uwsgi,
    Scgi,
}

impl Pass {
    fn directive(self) -> &'static str {
        match self {
            Pass::Proxy => "proxy_set_header",
            Pass::Grpc => "grpc_set_header",
            Pass::Fastcgi => "fastcgi_param",
            Pass::Uwsgi => "uwsgi_param",
            Pass::Scgi => "scgi_param",
        }
    }

    /// The prefix of its directives.
    fn word(self) -> &'static str {
        match self {
            Pass::Proxy => "proxy",
            Pass::Grpc => "grpc",
            Pass::Fastcgi => "fastcgi",
            Pass::Uwsgi => "uwsgi",
            Pass::Scgi => "scgi",
        }
    }

    /// Where its lines stand.
    pub fn head(self) -> String {
        let beside = match self {
            Pass::Proxy => "proxy_pass, if the location has its own proxy_set_header",
            Pass::Grpc => "grpc_pass",
            Pass::Fastcgi => "fastcgi_pass, after `include fastcgi_params;`",
            Pass::Uwsgi => "uwsgi_pass, after `include uwsgi_params;`",
            Pass::Scgi => "scgi_pass, after `include scgi_params;`",
        };
        let directive = self.directive();
        format!(
            "\
# Beside {beside}.
# A location with its own {directive} inherits none, so it needs all of these.
"
        )
    }

    /// The line that sets a header, replacing the client's own. An empty value removes it.
    pub fn set(self, name: &str, value: &str) -> String {
        let directive = self.directive();
        match self {
            Pass::Proxy | Pass::Grpc => format!("{directive} {} {value};\n", capitalised(name)),
            // A parameter `HTTP_…` replaces the header of that name in any spelling that nginx
            // accepts. Without `if_not_empty`, an empty parameter would be present.
            Pass::Fastcgi | Pass::Uwsgi | Pass::Scgi => format!(
                "{directive} HTTP_{} {value} if_not_empty;\n",
                underscored(name).to_ascii_uppercase()
            ),
        }
    }
}

/// The value that removes a header.
const NOTHING: &str = "\"\"";

/// The headers of the request for the application.
fn passed(pass: Pass, needs: &Needs, told: &Told) -> String {
    let mut lines = String::new();
    for name in &needs.forwarded {
        lines += &pass.set(name, &format!("$portcullis_{}", underscored(name)));
    }
    if needs.token_kept {
        lines.push_str("# The application doesn't get the token.\n");
    }
    for name in needs.kept() {
        lines += &pass.set(name, NOTHING);
    }
    if let Some(remark) = needs.token_remark() {
        // Writing to a string can't fail.
        let _ = writeln!(
            lines,
            "# {remark}, as in\n#   {}",
            pass.set("authorization", NOTHING).trim_end()
        );
    }
    lines.push_str(JUDGED);
    lines += &pass.set("host", "$http_host");
    for (name, value) in values(told, &USUAL) {
        lines += &pass.set(name, value);
    }
    lines.push_str(CONTRADICTING);
    let set = values(told, &USUAL);
    for header in told.contradicting(needs) {
        if !set.iter().any(|(name, _)| *name == header.name) {
            lines += &pass.set(header.name, NOTHING);
        }
    }
    for name in [
        "Access-Control-Allow-Origin",
        "Access-Control-Allow-Credentials",
    ] {
        let _ = writeln!(lines, "{}_hide_header {name};", pass.word());
    }
    match pass {
        Pass::Proxy if needs.websocket => lines.push_str(WEBSOCKET),
        Pass::Proxy => lines += &pass.set("connection", NOTHING),
        Pass::Grpc => {}
        Pass::Fastcgi | Pass::Uwsgi | Pass::Scgi => {
            lines.push_str("# CGI programs would use the value of this header as their proxy.\n");
            lines += &pass.set("proxy", NOTHING);
        }
    }
    lines
}

/// The headers that every application gets.
pub const USUAL: [(&str, &str); 4] = [
    ("x-forwarded-for", "$remote_addr"),
    ("x-forwarded-host", "$http_host"),
    ("x-forwarded-proto", "$scheme"),
    ("x-real-ip", "$remote_addr"),
];

/// The headers that nginx sets, with the variable of each: those that portcullis reads, and these.
fn values<'t>(told: &'t Told, usual: &[(&'t str, &'t str)]) -> Vec<(&'t str, &'t str)> {
    let scheme = told.scheme.as_deref().map(|name| (name, "$scheme"));
    let address = told.address.as_deref().map(|name| (name, "$remote_addr"));
    let certificate = match &told.certificate {
        Some(Certificate::Whole(name)) => Some((name.as_str(), "$ssl_client_escaped_cert")),
        // Refused for nginx.
        Some(Certificate::Fingerprint(_) | Certificate::Xfcc) | None => None,
    };
    let mut all: Vec<(&str, &str)> = [scheme, address, certificate]
        .into_iter()
        .flatten()
        .collect();
    for (name, value) in usual {
        if !all.iter().any(|(known, _)| known == name) {
            all.push((name, value));
        }
    }
    all
}

const JUDGED: &str = "
# The application gets the host that was judged. For it to get the path too, give
# proxy_pass no path of its own.
";

const CONTRADICTING: &str = "
# If a client could send these headers, some applications would see another host,
# path, method or client than the judged one.
";

/// The lines beside one of the directives that pass requests on.
fn location(pass: Pass, needs: &Needs, told: &Told) -> String {
    format!("{}{}", pass.head(), passed(pass, needs, told))
}

/// The lines for `http { }`.
fn http(needs: &Needs, address: &Address) -> String {
    let websocket = if needs.websocket { WEBSOCKET_MAPS } else { "" };
    let large = if needs.payload { LARGE_HEADERS } else { "" };
    format!(
        "\
# To many frameworks, `x_user_id` and `x-user-id` are the same header, so nginx
# drops names with an underscore. This is also its default.
underscores_in_headers off;
{large}
upstream portcullis {{
    server {};
    keepalive 64;
}}

# nginx copies the challenge of a 401 itself; this adds that of a 403.
map $portcullis_status $portcullis_challenge_of_403 {{
    403     $portcullis_challenge;
    default \"\";
}}

# Exactly one Access-Control-Allow-Origin: portcullis', or, if it has none, the application's.
map $portcullis_allow_origin $portcullis_cors_origin {{
    \"\"      $upstream_http_access_control_allow_origin;
    default $portcullis_allow_origin;
}}
map $portcullis_allow_credentials $portcullis_cors_credentials {{
    \"\"      $upstream_http_access_control_allow_credentials;
    default $portcullis_allow_credentials;
}}
{websocket}",
        address.authority()
    )
}

pub const LARGE_HEADERS: &str = "
# A token with a large payload makes a large header: nginx's default is 8 KiB, and a token may have
# 64 KiB.
large_client_header_buffers 4 72k;
";

pub const WEBSOCKET_MAPS: &str = "
# Only a WebSocket's handshake is passed on: with `h2c`, a client could send the
# application requests that portcullis never sees.
map $http_upgrade $portcullis_upgrade {
    ~*^websocket$ websocket;
    default       \"\";
}
map $portcullis_upgrade $portcullis_connection {
    websocket upgrade;
    default   \"\";
}
";

/// The lines for `server { }`.
fn server(needs: &Needs, told: &Told, types: &Types) -> String {
    let mut kept = String::new();
    for name in &needs.forwarded {
        let variable = underscored(name);
        // Writing to a string can't fail.
        let _ = writeln!(
            kept,
            "auth_request_set $portcullis_{variable} $upstream_http_{variable};"
        );
    }
    let asked = values(told, &[])
        .into_iter()
        .fold(String::new(), |mut lines, (name, value)| {
            let _ = writeln!(lines, "    proxy_set_header {} {value};", capitalised(name));
            lines
        });
    let asking = if asked.is_empty() {
        String::new()
    } else {
        format!(
            "    # The headers that portcullis believes (`adapters.nginx`), replacing the client's.\n{asked}"
        )
    };
    let buffers = if needs.payload {
        LARGE_BUFFERS
    } else {
        BUFFERS
    };
    let (kind, told_reason) = types.members();
    let denials = DENIALS
        .replace("TYPE", &kind)
        .replace("REASON", told_reason);
    format!(
        "{SERVER_HEAD}{kept}{SERVER_SETS}{}{SERVER_ASKS}{asking}{SERVER_LIMITS}{buffers}{denials}",
        passed(Pass::Proxy, needs, told)
    )
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
auth_request_set $portcullis_preflight         $upstream_http_x_portcullis_preflight;
auth_request_set $portcullis_allow_methods     $upstream_http_access_control_allow_methods;
auth_request_set $portcullis_allow_headers     $upstream_http_access_control_allow_headers;
auth_request_set $portcullis_max_age           $upstream_http_access_control_max_age;
auth_request_set $portcullis_dpop_nonce        $upstream_http_dpop_nonce;
";

const SERVER_SETS: &str = "
# The headers that the policy forwards. nginx doesn't send an empty header, so a
# client's own headers with these names never get through. A location with its own
# proxy_set_header inherits none of these lines: add those of `--part proxy` there.
# fastcgi_pass, uwsgi_pass, scgi_pass and grpc_pass ignore them: use
# `--part fastcgi` and so on.
";

pub const WEBSOCKET: &str = "\
proxy_set_header Upgrade           $portcullis_upgrade;
proxy_set_header Connection        $portcullis_connection;
";

const SERVER_ASKS: &str = "\
# Pages of the origins that the policy lists may read the answer. A location with its own add_header
# inherits none of these: repeat them there.
add_header Access-Control-Allow-Origin      $portcullis_cors_origin      always;
add_header Access-Control-Allow-Credentials $portcullis_cors_credentials always;
add_header Access-Control-Expose-Headers    $portcullis_expose_headers   always;
add_header Vary                             $portcullis_vary             always;
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
";

const SERVER_LIMITS: &str = "    proxy_set_header Connection        \"\";
    proxy_http_version 1.1;

    proxy_connect_timeout 1s;
    proxy_send_timeout    1s;
    proxy_read_timeout    1s;
";

const BUFFERS: &str = "    proxy_buffer_size 16k;
    proxy_buffers     4 16k;
";

/// Enough for a token of the maximum size ([`crate::token::MAX_TOKEN_BYTES`]) and the other
/// headers.
const LARGE_BUFFERS: &str = "    # Room for `forward payload`: a token may have 64 KiB.
    proxy_buffer_size       72k;
    proxy_buffers           4 72k;
    proxy_busy_buffers_size 144k;
";

/// `TYPE` and `REASON` are replaced with members of the bodies.
const DENIALS: &str = "}

# The client's answer to a denial, since nginx drops the body of portcullis' answer.
error_page 401 @portcullis_401;
error_page 403 = @portcullis_403;
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
    return 401 '{TYPE,\"title\":\"Unauthorized\",\"status\":401,REASON\"decision_id\":\"$portcullis_decision\"}\\n';
}

location @portcullis_403 {
    auth_request off;
    # A preflight that portcullis answers: the application never sees it.
    if ($portcullis_preflight = answered) {
        add_header Access-Control-Allow-Origin      $portcullis_allow_origin      always;
        add_header Access-Control-Allow-Credentials $portcullis_allow_credentials always;
        add_header Access-Control-Allow-Methods     $portcullis_allow_methods     always;
        add_header Access-Control-Allow-Headers     $portcullis_allow_headers     always;
        add_header Access-Control-Max-Age           $portcullis_max_age           always;
        add_header Vary                             $portcullis_vary              always;
        add_header X-Portcullis-Reason              $portcullis_reason            always;
        add_header X-Portcullis-Decision            $portcullis_decision          always;
        return 204;
    }
    default_type application/problem+json;
    add_header WWW-Authenticate      $portcullis_challenge_of_403 always;
    add_header X-Portcullis-Reason   $portcullis_reason   always;
    add_header X-Portcullis-Decision $portcullis_decision always;
    add_header Access-Control-Allow-Origin      $portcullis_allow_origin      always;
    add_header Access-Control-Allow-Credentials $portcullis_allow_credentials always;
    add_header Access-Control-Expose-Headers    $portcullis_expose_headers    always;
    add_header Vary                             $portcullis_vary              always;
    return 403 '{TYPE,\"title\":\"Forbidden\",\"status\":403,REASON\"decision_id\":\"$portcullis_decision\"}\\n';
}

# Without an answer, the request is denied.
location @portcullis_unavailable {
    auth_request off;
    default_type application/problem+json;
    return 503 '{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503}\\n';
}
";
