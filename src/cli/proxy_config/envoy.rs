//! Envoy: `ext_authz`, over gRPC or HTTP.

use std::fmt::Write;

use super::{Address, Needs};

/// Over gRPC no header depends on the policy: portcullis names them in its answer.
pub fn grpc(needs: &Needs, address: &Address) -> String {
    format!(
        "\
{CONNECTION_MANAGER}{}
# In http_filters, before envoy.filters.http.router:
http_filters:
- name: envoy.filters.http.ext_authz
  typed_config:
    \"@type\": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
    transport_api_version: V3
    grpc_service:
      envoy_grpc: {{ cluster_name: portcullis }}
      # Above portcullis' own deadline (150 ms).
      timeout: 0.2s
    # No answer is no permission.
    failure_mode_allow: false
    status_on_error: {{ code: ServiceUnavailable }}
    # Bytes that are not ASCII as they are, and most repeated headers one by one.
    encode_raw_headers: true
    # The client's certificate, where TLS ends here and the client has one.
    include_peer_certificate: true
    clear_route_cache: true

# In static_resources:
clusters:
- name: portcullis
  type: {}
  connect_timeout: 0.1s
  typed_extension_protocol_options:
    envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
      \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
      explicit_http_config:
        http2_protocol_options: {{}}
  circuit_breakers:
    thresholds:
    - max_requests: 100000
      max_pending_requests: 100000
{}",
        websocket(needs),
        cluster_type(address),
        endpoints(address)
    )
}

/// Over HTTP Envoy hands on, sets and removes only what is listed here.
pub fn http(needs: &Needs, address: &Address) -> String {
    let exactly = |names: &[String]| {
        names.iter().fold(String::new(), |mut lines, name| {
            // Writing to a string cannot fail.
            let _ = writeln!(lines, "          - exact: {name}");
            lines
        })
    };
    let mut removed: Vec<String> = needs.spelled();
    let remark = needs
        .token_remark()
        .map(|remark| format!("# {remark}.\n"))
        .unwrap_or_default();
    removed.sort_unstable();
    let mutation = if removed.is_empty() {
        String::new()
    } else {
        let lines = removed.iter().fold(String::new(), |mut lines, name| {
            let _ = writeln!(lines, "      - remove: {name}");
            lines
        });
        format!(
            "\
# Every name that the policy sets is removed first, and comes back only from
# portcullis' answer.
- name: envoy.filters.http.header_mutation
  typed_config:
    \"@type\": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation
    mutations:
      request_mutations:
{lines}"
        )
    };
    let mut token = String::new();
    if needs.token_kept {
        token.push_str(
            "\
# The policy keeps the token from the application.
- name: envoy.filters.http.header_mutation
  typed_config:
    \"@type\": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation
    mutations:
      request_mutations:
",
        );
        for name in needs.kept() {
            let _ = writeln!(token, "      - remove: {name}");
        }
    }
    let upstream = if needs.forwarded.is_empty() {
        String::new()
    } else {
        format!(
            "        # From an allow to the application.\n        allowed_upstream_headers:\n          patterns:\n{}",
            exactly(&needs.forwarded)
        )
    };
    let certificate = needs
        .certificate
        .then(|| "x-forwarded-client-cert".to_owned());
    let sanitize = if needs.certificate {
        "  # x-forwarded-client-cert is Envoy's own word on the client's certificate, whatever the
  # client sent.
  forward_client_cert_details: SANITIZE_SET
"
    } else {
        ""
    };
    let read = if needs.read.is_empty() {
        String::new()
    } else {
        let patterns =
            needs
                .read
                .iter()
                .chain(&certificate)
                .fold(String::new(), |mut lines, name| {
                    let _ = writeln!(lines, "      - exact: {name}");
                    lines
                });
        format!("    # What the policy reads.\n    allowed_headers:\n      patterns:\n{patterns}")
    };
    format!(
        "\
{CONNECTION_MANAGER}{sanitize}{}
# In http_filters, in this order, before envoy.filters.http.router:
{remark}http_filters:
{mutation}- name: envoy.filters.http.ext_authz
  typed_config:
    \"@type\": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
    transport_api_version: V3
    # No answer is no permission.
    failure_mode_allow: false
    status_on_error: {{ code: ServiceUnavailable }}
    clear_route_cache: true
{read}    http_service:
      path_prefix: /envoy
      server_uri:
        uri: http://{}
        cluster: portcullis
        # Above portcullis' own deadline (150 ms).
        timeout: 0.2s
      authorization_response:
{upstream}        # From a denial to the client.
        allowed_client_headers:
          patterns:
          - exact: www-authenticate
          - exact: dpop-nonce
          - exact: x-portcullis-reason
          - exact: x-portcullis-decision
          - exact: content-type
          - exact: vary
          - prefix: access-control-
        # From an allow to the client.
        allowed_client_headers_on_success:
          patterns:
          - exact: dpop-nonce
          - exact: x-portcullis-reason
          - exact: x-portcullis-decision
{token}
# In static_resources:
clusters:
- name: portcullis
  type: {}
  connect_timeout: 0.1s
  circuit_breakers:
    thresholds:
    - max_connections: 1024
      max_requests: 100000
      max_pending_requests: 100000
{}",
        websocket(needs),
        address.authority(),
        cluster_type(address),
        endpoints(address)
    )
}

const CONNECTION_MANAGER: &str = "\
# In the HttpConnectionManager: the path that is judged is the one that the
# application gets, and a client cannot write `x_user_id` for `x-user-id`.
http_connection_manager:
  use_remote_address: true
  normalize_path: false
  merge_slashes: false
  path_with_escaped_slashes_action: KEEP_UNCHANGED
  common_http_protocol_options:
    headers_with_underscores_action: REJECT_REQUEST
";

/// Envoy lets no handshake through but those that are named.
fn websocket(needs: &Needs) -> &'static str {
    if needs.websocket {
        "\
  # Tokens come with the handshake of a WebSocket.
  upgrade_configs:
  - upgrade_type: websocket
"
    } else {
        ""
    }
}

fn cluster_type(address: &Address) -> &'static str {
    if address.host.parse::<std::net::IpAddr>().is_ok() {
        "STATIC"
    } else {
        "STRICT_DNS"
    }
}

fn endpoints(address: &Address) -> String {
    format!(
        "  load_assignment:
    cluster_name: portcullis
    endpoints:
    - lb_endpoints:
      - endpoint:
          address:
            socket_address: {{ address: \"{}\", port_value: {} }}
",
        address.host, address.port
    )
}
