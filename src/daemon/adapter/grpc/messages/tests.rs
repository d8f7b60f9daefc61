//! Compares our messages with a second description of them, generated from Envoy's own files.

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::service::auth::v3 as auth;
use envoy_types::pb::google;
use prost::Message;

use super::{
    Address, AttributeContext, CheckRequest, HeaderMap, HeaderValue, HttpRequest, Peer, Request,
    SocketAddress,
};

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
