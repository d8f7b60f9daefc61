//! JSON-RPC 2.0 messages, received and sent.

use serde::Serialize;
use serde_json::{Value, json};

use super::refusal::Refusal;
use super::wire::{Frame, MAX_MESSAGE_BYTES};

/// A message from the client.
#[derive(Debug)]
pub enum Incoming {
    /// A request, which expects a response.
    Request(Request),
    /// A notification, which doesn't.
    Notification {
        /// The method.
        method: String,
        /// The parameters.
        params: Value,
    },
    /// The response to one of our requests, none of which needs a result.
    Response,
    /// Not a message; this is the response to it.
    Malformed(Value, Refusal),
}

/// A request from the client.
#[derive(Debug)]
pub struct Request {
    /// A number or a string.
    pub id: Value,
    /// The method.
    pub method: String,
    /// The parameters.
    pub params: Value,
}

impl Incoming {
    /// The message in a frame.
    pub fn read(frame: Frame) -> Incoming {
        let bytes = match frame {
            Frame::Message(bytes) => bytes,
            Frame::TooLarge(length) => {
                let message =
                    format!("the message has {length} bytes, at most {MAX_MESSAGE_BYTES} are read");
                return Incoming::Malformed(Value::Null, Refusal::invalid(message));
            }
        };
        let value: Value = match serde_json::from_slice(&bytes) {
            Ok(value) => value,
            Err(error) => {
                return Incoming::Malformed(Value::Null, Refusal::malformed(error.to_string()));
            }
        };
        let Value::Object(mut members) = value else {
            return Incoming::Malformed(
                Value::Null,
                Refusal::invalid("a message is a JSON object"),
            );
        };
        let id = members.remove("id");
        let params = members.remove("params").unwrap_or(Value::Null);
        match (members.remove("method"), id) {
            (Some(Value::String(method)), Some(id @ (Value::Number(_) | Value::String(_)))) => {
                Incoming::Request(Request { id, method, params })
            }
            (Some(Value::String(method)), None) => Incoming::Notification { method, params },
            (None, Some(_)) if members.contains_key("result") || members.contains_key("error") => {
                Incoming::Response
            }
            (_, id) => Incoming::Malformed(
                id.filter(|id| id.is_number() || id.is_string())
                    .unwrap_or(Value::Null),
                Refusal::invalid("the message is neither a request nor a notification"),
            ),
        }
    }
}

/// The response to a request.
pub fn response(id: &Value, answer: Result<Value, Refusal>) -> Vec<u8> {
    bytes(&match answer {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(Refusal { code, message }) => json!({
            "jsonrpc": "2.0",
            "id": id,
            "error": { "code": code, "message": message },
        }),
    })
}

/// A notification to the client.
pub fn notification(method: &str, params: impl Serialize) -> Vec<u8> {
    bytes(&json!({ "jsonrpc": "2.0", "method": method, "params": value(params) }))
}

/// A request to the client.
pub fn request(id: &str, method: &str, params: impl Serialize) -> Vec<u8> {
    bytes(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": value(params) }))
}

/// A value as JSON, with members sorted by name, so that equal values give equal text.
pub fn value(of: impl Serialize) -> Value {
    // The protocol's types have only string keys, so this can't fail.
    serde_json::to_value(of).unwrap_or(Value::Null)
}

fn bytes(message: &Value) -> Vec<u8> {
    message.to_string().into_bytes()
}
