//! Envoy: `ext_authz`, over gRPC or HTTP, and the module, which asks nobody.

use std::fmt::Write;
use std::path::Path;

use super::{Address, Certificate, Needs, Told};
use crate::headers::Handling;

/// Over gRPC, no header depends on the policy: portcullis names them in its response.
pub fn grpc(needs: &Needs, told: &Told, address: &Address) -> String {
    let sanitize = sanitize(told);
    format!(
        "\
{CONNECTION_MANAGER}{sanitize}{}
# In http_filters, in this order, before envoy.filters.http.router:
http_filters:
{}- name: envoy.filters.http.ext_authz
  typed_config:
    \"@type\": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
    transport_api_version: V3
    grpc_service:
      envoy_grpc: {{ cluster_name: portcullis }}
      # Longer than portcullis' own deadline (150 ms).
      timeout: 0.2s
    # Without an answer, the request is denied.
    failure_mode_allow: false
    status_on_error: {{ code: ServiceUnavailable }}
    # Sends non-ASCII bytes unchanged, and most repeated headers separately.
    encode_raw_headers: true
    # The client's certificate, if TLS ends here and the client sends one.
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
        mutations(told, contradicting(needs, told, Handling::Remove)),
        cluster_type(address),
        endpoints(address)
    )
}

/// Over HTTP, Envoy passes on, sets and removes only the headers that are listed here.
pub fn http(needs: &Needs, told: &Told, address: &Address) -> String {
    let exactly = |names: &[String]| {
        names.iter().fold(String::new(), |mut lines, name| {
            // Writing to a string can't fail.
            let _ = writeln!(lines, "          - exact: {name}");
            lines
        })
    };
    let remark = needs
        .token_remark()
        .map(|remark| format!("# {remark}.\n"))
        .unwrap_or_default();
    let removed = needs.forwarded.iter().cloned();
    let removed = removed.chain(contradicting(needs, told, Handling::Remove));
    let mutation = mutations(told, removed) + RESPONSE;
    let mut token = String::new();
    if needs.token_kept {
        token.push_str(
            "\
# The application doesn't get the token.
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
            "        # Headers of an allow for the application.\n        allowed_upstream_headers:\n          patterns:\n{}",
            exactly(&needs.forwarded)
        )
    };
    let sanitize = sanitize(told);
    let read: Vec<String> = needs
        .read
        .iter()
        .cloned()
        .chain(told.names().map(str::to_owned))
        .chain(contradicting(needs, told, Handling::Refuse))
        .collect();
    let read = exactly(&read).replace("          - ", "      - ");
    format!(
        "\
{CONNECTION_MANAGER}{sanitize}{}
# In http_filters, in this order, before envoy.filters.http.router:
{remark}http_filters:
{mutation}- name: envoy.filters.http.ext_authz
  typed_config:
    \"@type\": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
    transport_api_version: V3
    # Without an answer, the request is denied.
    failure_mode_allow: false
    status_on_error: {{ code: ServiceUnavailable }}
    clear_route_cache: true
    # Headers that the policy reads, and those that portcullis refuses: headers that ask for another
    # method, and names that a framework could mistake for another header.
    allowed_headers:
      patterns:
{read}      - safe_regex: {{ regex: '[a-z0-9-]*[^a-z0-9:-].*' }}
    http_service:
      path_prefix: /envoy
      server_uri:
        uri: http://{}
        cluster: portcullis
        # Longer than portcullis' own deadline (150 ms).
        timeout: 0.2s
      authorization_response:
{upstream}        # Headers of a denial for the client.
        allowed_client_headers:
          patterns:
          - exact: www-authenticate
          - exact: dpop-nonce
          - exact: x-portcullis-reason
          - exact: x-portcullis-decision
          - exact: content-type
          - exact: vary
          - prefix: access-control-
        # Headers of an allow for the client.
        allowed_client_headers_on_success:
          patterns:
          - exact: x-portcullis-allow-origin
          - exact: x-portcullis-allow-credentials
          - exact: access-control-expose-headers
          - exact: vary
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

/// Inside Envoy nothing is told in headers: the module reads the request as Envoy has it.
pub fn module(needs: &Needs, config: Option<&Path>) -> String {
    let told = &Told::default();
    let config = config.map_or(CONFIG.into(), |file| {
        std::path::absolute(file).unwrap_or_else(|_| file.to_owned())
    });
    // A string of JSON is one of YAML.
    let config = serde_json::Value::from(config.display().to_string());
    format!(
        "\
{CONNECTION_MANAGER}{}
# In http_filters, in this order, before envoy.filters.http.router:
http_filters:
{}- name: portcullis
  typed_config:
    \"@type\": type.googleapis.com/envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter
    dynamic_module_config:
      # libportcullis_envoy.so, in the folder that ENVOY_DYNAMIC_MODULES_SEARCH_PATH names.
      name: portcullis_envoy
      do_not_close: true
    filter_name: portcullis
    filter_config:
      \"@type\": type.googleapis.com/google.protobuf.StringValue
      value: {config}
",
        websocket(needs),
        mutations(told, contradicting(needs, told, Handling::Remove)),
    )
}

/// Where `portcullis.yaml` is, unless the command is told.
const CONFIG: &str = "/etc/portcullis/portcullis.yaml";

const CONNECTION_MANAGER: &str = "\
# In the HttpConnectionManager: the application gets the path that was judged,
# and a client can't send `x_user_id` in place of `x-user-id`.
http_connection_manager:
  use_remote_address: true
  normalize_path: false
  merge_slashes: false
  path_with_escaped_slashes_action: KEEP_UNCHANGED
  common_http_protocol_options:
    headers_with_underscores_action: REJECT_REQUEST
";

/// The headers with which a client could make an application serve another request, by their
/// handling. Envoy removes some before it asks, sets some itself (`use_remote_address`), and passes
/// those on that portcullis refuses.
fn contradicting(needs: &Needs, told: &Told, handling: Handling) -> impl Iterator<Item = String> {
    told.contradicting(needs)
        .filter(move |header| header.with_envoy == handling)
        .map(|header| header.name.to_owned())
}

/// The filter that removes these headers and sets those that Envoy itself knows.
fn mutations(told: &Told, removed: impl Iterator<Item = String>) -> String {
    let mut lines = String::from(
        "\
# Headers that a client may not send: those that the policy sets, and those that would make some
# applications see another host, path, method or client than the judged one.
- name: envoy.filters.http.header_mutation
  typed_config:
    \"@type\": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation
    mutations:
      request_mutations:
",
    );
    // Writing to a string can't fail.
    for name in removed {
        let _ = writeln!(lines, "      - remove: {name}");
    }
    for (name, value) in values(told) {
        let _ = write!(
            lines,
            "      - remove: {name}
      - append:
          header: {{ key: {name}, value: \"{value}\" }}
          append_action: OVERWRITE_IF_EXISTS_OR_ADD
"
        );
    }
    lines
}

/// The headers that this filter sets, with their values.
fn values(told: &Told) -> Vec<(&str, &'static str)> {
    let address = Some(("x-forwarded-for", ADDRESS));
    let named = told.address.as_deref().map(|name| (name, ADDRESS));
    // The connection manager sets this one itself (`use_remote_address`).
    let scheme = told
        .scheme
        .as_deref()
        .filter(|name| *name != "x-forwarded-proto")
        .map(|name| (name, "%REQ(X-FORWARDED-PROTO)%"));
    let certificate = match &told.certificate {
        Some(Certificate::Whole(name)) => Some((name.as_str(), "%DOWNSTREAM_PEER_CERT%")),
        Some(Certificate::Fingerprint(name)) => {
            Some((name.as_str(), "%DOWNSTREAM_PEER_FINGERPRINT_256%"))
        }
        Some(Certificate::Xfcc) | None => None,
    };
    let mut all: Vec<(&str, &str)> = Vec::new();
    for (name, value) in [address, named, scheme, certificate].into_iter().flatten() {
        if !all.iter().any(|(known, _)| *known == name) {
            all.push((name, value));
        }
    }
    all
}

/// The response headers of an allow, in the same filter.
const RESPONSE: &str = "      response_mutations:
      # portcullis' CORS headers replace the application's.
      - append:
          header: { key: access-control-allow-origin, value: \"%RESP(x-portcullis-allow-origin)%\" }
          append_action: OVERWRITE_IF_EXISTS_OR_ADD
      - remove: x-portcullis-allow-origin
      - append:
          header: { key: access-control-allow-credentials, value: \"%RESP(x-portcullis-allow-credentials)%\" }
          append_action: OVERWRITE_IF_EXISTS_OR_ADD
      - remove: x-portcullis-allow-credentials
";

/// Only the client's address. By default, Envoy appends it to the client's own header.
const ADDRESS: &str = "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%";

/// Makes Envoy set the header for certificates itself.
fn sanitize(told: &Told) -> &'static str {
    match told.certificate {
        Some(Certificate::Xfcc) => {
            "  # Envoy sets x-forwarded-client-cert itself, replacing anything the client sent.
  forward_client_cert_details: SANITIZE_SET
"
        }
        Some(Certificate::Whole(_) | Certificate::Fingerprint(_)) | None => "",
    }
}

/// Envoy refuses every upgrade that isn't named.
fn websocket(needs: &Needs) -> &'static str {
    if needs.websocket {
        "\
  # The policy accepts tokens in a WebSocket's handshake.
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
