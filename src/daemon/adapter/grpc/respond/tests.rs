//! Reads what is written with messages that were generated from Envoy's own files.

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction as Action;
use envoy_types::pb::envoy::service::auth::v3 as auth;
use envoy_types::pb::envoy::r#type::v3 as kinds;
use envoy_types::pb::google;
use prost::Message;

use super::{Allow, allow, deny};
use crate::answer::Answer;
use crate::reason::Reason;

/// Lengths of values: the length of a message around them has one, two and three bytes.
const LENGTHS: [usize; 6] = [0, 5, 100, 127, 10_000, 20_000];

#[test]
fn envoy_reads_an_allow_as_it_is_meant() {
    for value in LENGTHS.map(|length| "v".repeat(length)) {
        let mut written = Vec::new();
        let said = Allow {
            set: [("upstream", value.as_str())].into_iter(),
            remove: ["removed"].into_iter(),
            for_the_client: &[
                ("vary", value.clone()),
                ("x-portcullis-reason", value.clone()),
                ("access-control-allow-origin", value.clone()),
            ],
        };
        allow(said, &mut written);
        let expected = auth::CheckResponse {
            status: Some(google::rpc::Status::default()),
            http_response: Some(auth::check_response::HttpResponse::OkResponse(
                auth::OkHttpResponse {
                    headers: vec![theirs("upstream", &value, Action::OverwriteIfExistsOrAdd)],
                    headers_to_remove: vec!["removed".to_owned()],
                    response_headers_to_add: vec![
                        theirs("vary", &value, Action::AppendIfExistsOrAdd),
                        theirs(
                            "access-control-allow-origin",
                            &value,
                            Action::OverwriteIfExistsOrAdd,
                        ),
                    ],
                    ..auth::OkHttpResponse::default()
                },
            )),
            dynamic_metadata: None,
        };
        assert_eq!(read(&written), expected);
    }
}

#[test]
fn envoy_reads_a_denial_as_it_is_meant() {
    for body in LENGTHS.map(|length| "b".repeat(length)) {
        let mut written = Vec::new();
        let answer = Answer {
            status: 401,
            headers: vec![("client", body.clone())],
            body: Some(body.clone().into_bytes()),
        };
        deny(&answer, &mut written);
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
                    headers: vec![theirs("client", &body, Action::OverwriteIfExistsOrAdd)],
                    body: body.clone(),
                },
            )),
            dynamic_metadata: None,
        };
        assert_eq!(read(&written), expected);
    }
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

/// What Envoy reads; and nothing is written in another way than protobuf has it.
fn read(written: &[u8]) -> auth::CheckResponse {
    let read = auth::CheckResponse::decode(written).expect("a message");
    assert_eq!(read.encode_to_vec(), written);
    read
}

fn theirs(key: &str, value: &str, action: Action) -> core::HeaderValueOption {
    let append = action == Action::AppendIfExistsOrAdd;
    #[expect(deprecated, reason = "Envoy before 1.24 reads `append` alone")]
    core::HeaderValueOption {
        header: Some(core::HeaderValue {
            key: key.to_owned(),
            value: value.to_owned(),
            raw_value: Vec::new(),
        }),
        append: Some(google::protobuf::BoolValue { value: append }),
        append_action: action.into(),
        keep_empty_value: false,
    }
}
