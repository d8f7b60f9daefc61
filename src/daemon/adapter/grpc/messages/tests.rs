//! Compares our messages with a second description of them, generated from Envoy's own files.

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction as Action;
use envoy_types::pb::envoy::service::auth::v3 as auth;
use envoy_types::pb::envoy::r#type::v3 as kinds;
use envoy_types::pb::google;
use prost::Message;

use super::{
    Address, AttributeContext, CheckRequest, CheckResponse, DeniedHttpResponse, HeaderAppendAction,
    HeaderMap, HeaderValue, HeaderValueOption, HttpRequest, HttpResponse, HttpStatus,
    OkHttpResponse, Peer, Request, SocketAddress, Status,
};
use crate::reason::Reason;

/// Everything that Envoy can send, with one entry in each list.
fn said() -> auth::CheckRequest {
    let text = |text: &str| text.to_owned();
    let pairs = |key: &str| [(text(key), text(key))].into();
    let metadata = || {
        Some(core::Metadata {
            filter_metadata: [(text("filter"), google::protobuf::Struct::default())].into(),
            typed_filter_metadata: [(text("filter"), google::protobuf::Any::default())].into(),
        })
    };
    let peer = |name: &str| {
        Some(auth::attribute_context::Peer {
            address: Some(core::Address {
                address: Some(core::address::Address::SocketAddress(core::SocketAddress {
                    protocol: core::socket_address::Protocol::Udp.into(),
                    address: format!("{name}: address"),
                    resolver_name: text("resolver"),
                    ipv4_compat: true,
                    network_namespace_filepath: text("namespace"),
                    port_specifier: Some(core::socket_address::PortSpecifier::PortValue(1234)),
                })),
            }),
            service: text("service"),
            labels: pairs("label"),
            principal: text("principal"),
            certificate: format!("{name}: certificate"),
        })
    };
    auth::CheckRequest {
        attributes: Some(auth::AttributeContext {
            source: peer("source"),
            destination: peer("destination"),
            request: Some(auth::attribute_context::Request {
                time: Some(google::protobuf::Timestamp {
                    seconds: 1,
                    nanos: 2,
                }),
                http: Some(auth::attribute_context::HttpRequest {
                    id: text("id"),
                    method: text("method"),
                    headers: pairs("joined"),
                    header_map: Some(core::HeaderMap {
                        headers: vec![core::HeaderValue {
                            key: text("key"),
                            value: text("value"),
                            raw_value: b"raw \xff".to_vec(),
                        }],
                    }),
                    path: text("path"),
                    host: text("host"),
                    scheme: text("scheme"),
                    query: text("query"),
                    fragment: text("fragment"),
                    size: -1,
                    protocol: text("protocol"),
                    body: text("body"),
                    raw_body: b"raw body".to_vec(),
                }),
            }),
            context_extensions: pairs("extension"),
            metadata_context: metadata(),
            route_metadata_context: metadata(),
            tls_session: Some(auth::attribute_context::TlsSession { sni: text("sni") }),
        }),
    }
}

#[test]
fn what_envoy_says_is_read_from_the_right_fields() {
    let read = CheckRequest::decode(said().encode_to_vec().as_slice()).expect("a message");
    let text = |text: &str| text.to_owned();
    let expected = CheckRequest {
        attributes: Some(AttributeContext {
            source: Some(Peer {
                address: Some(Address {
                    socket_address: Some(SocketAddress {
                        address: text("source: address"),
                    }),
                }),
                certificate: text("source: certificate"),
            }),
            request: Some(Request {
                http: Some(HttpRequest {
                    method: text("method"),
                    headers: [(text("joined"), text("joined"))].into(),
                    path: text("path"),
                    host: text("host"),
                    scheme: text("scheme"),
                    header_map: Some(HeaderMap {
                        headers: vec![HeaderValue {
                            key: text("key"),
                            value: text("value"),
                            raw_value: b"raw \xff".to_vec(),
                        }],
                    }),
                }),
            }),
        }),
    };
    assert_eq!(read, expected);
}

#[test]
fn a_pipe_is_no_address() {
    let mut said = said();
    let source = said.attributes.as_mut().and_then(|it| it.source.as_mut());
    source.expect("a source").address = Some(core::Address {
        address: Some(core::address::Address::Pipe(core::Pipe {
            path: "10.0.0.1".to_owned(),
            mode: 0,
        })),
    });
    let read = CheckRequest::decode(said.encode_to_vec().as_slice()).expect("a message");
    let source = read.attributes.and_then(|it| it.source).expect("a source");
    assert_eq!(source.address, Some(Address::default()));
}

#[test]
fn envoy_reads_an_allow_as_it_is_meant() {
    let written = CheckResponse {
        status: Some(Status { code: 0 }),
        http_response: Some(HttpResponse::Ok(OkHttpResponse {
            headers: vec![option(
                "upstream",
                false,
                HeaderAppendAction::OverwriteIfExistsOrAdd,
            )],
            headers_to_remove: vec!["removed".to_owned()],
            response_headers_to_add: vec![option(
                "client",
                true,
                HeaderAppendAction::AppendIfExistsOrAdd,
            )],
        })),
    };
    let expected = auth::CheckResponse {
        status: Some(google::rpc::Status::default()),
        http_response: Some(auth::check_response::HttpResponse::OkResponse(
            auth::OkHttpResponse {
                headers: vec![theirs("upstream", false, Action::OverwriteIfExistsOrAdd)],
                headers_to_remove: vec!["removed".to_owned()],
                response_headers_to_add: vec![theirs("client", true, Action::AppendIfExistsOrAdd)],
                ..auth::OkHttpResponse::default()
            },
        )),
        dynamic_metadata: None,
    };
    assert_eq!(as_envoy_reads(&written), expected);
}

#[test]
fn envoy_reads_a_denial_as_it_is_meant() {
    let written = CheckResponse {
        status: Some(Status { code: 7 }),
        http_response: Some(HttpResponse::Denied(DeniedHttpResponse {
            status: Some(HttpStatus { code: 401 }),
            headers: vec![option(
                "client",
                false,
                HeaderAppendAction::OverwriteIfExistsOrAdd,
            )],
            body: "why".to_owned(),
        })),
    };
    let expected = auth::CheckResponse {
        status: Some(google::rpc::Status {
            code: 7,
            ..google::rpc::Status::default()
        }),
        http_response: Some(auth::check_response::HttpResponse::DeniedResponse(
            auth::DeniedHttpResponse {
                status: Some(kinds::HttpStatus {
                    code: kinds::StatusCode::Unauthorized.into(),
                }),
                headers: vec![theirs("client", false, Action::OverwriteIfExistsOrAdd)],
                body: "why".to_owned(),
            },
        )),
        dynamic_metadata: None,
    };
    assert_eq!(as_envoy_reads(&written), expected);
}

#[test]
fn envoy_knows_every_status_of_an_answer() {
    let preflights = [200, 204];
    let denials = Reason::ALL.iter().map(|reason| reason.status());
    for status in denials.chain(preflights) {
        let known = kinds::StatusCode::try_from(i32::from(status));
        assert!(known.is_ok(), "{status}");
    }
}

fn as_envoy_reads(written: &CheckResponse) -> auth::CheckResponse {
    auth::CheckResponse::decode(written.encode_to_vec().as_slice()).expect("a message")
}

fn option(key: &str, append: bool, action: HeaderAppendAction) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue {
            key: key.to_owned(),
            value: "value".to_owned(),
            raw_value: Vec::new(),
        }),
        append: Some(append),
        append_action: action.into(),
    }
}

fn theirs(key: &str, append: bool, action: Action) -> core::HeaderValueOption {
    #[expect(deprecated, reason = "Envoy before 1.24 reads `append` alone")]
    core::HeaderValueOption {
        header: Some(core::HeaderValue {
            key: key.to_owned(),
            value: "value".to_owned(),
            raw_value: Vec::new(),
        }),
        append: Some(google::protobuf::BoolValue { value: append }),
        append_action: action.into(),
        keep_empty_value: false,
    }
}
