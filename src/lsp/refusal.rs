//! Errors in response to requests.

use gen_lsp_types::{ErrorCodes, LspErrorCodes};

/// The error of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The code, of JSON-RPC or of the protocol.
    pub code: i32,
    /// The message, which an editor may show.
    pub message: String,
}

impl Refusal {
    /// The message isn't valid JSON-RPC.
    pub fn malformed(message: impl Into<String>) -> Refusal {
        Refusal::of(ErrorCodes::ParseError, message)
    }

    /// The message comes at the wrong time, or isn't part of the protocol.
    pub fn invalid(message: impl Into<String>) -> Refusal {
        Refusal::of(ErrorCodes::InvalidRequest, message)
    }

    /// The method is unknown.
    pub fn unknown(method: &str) -> Refusal {
        Refusal::of(
            ErrorCodes::MethodNotFound,
            format!("there is no request `{method}`"),
        )
    }

    /// The parameters don't fit the method.
    pub fn parameters(message: impl Into<String>) -> Refusal {
        Refusal::of(ErrorCodes::InvalidParams, message)
    }

    /// `initialize` must come first.
    pub fn not_initialized() -> Refusal {
        Refusal::of(ErrorCodes::ServerNotInitialized, "`initialize` comes first")
    }

    /// The client has cancelled it.
    pub fn cancelled() -> Refusal {
        Refusal {
            code: LspErrorCodes::RequestCancelled.into(),
            message: "the request was cancelled".to_owned(),
        }
    }

    /// The request is valid but can't be fulfilled; the message is for the user.
    pub fn failed(message: impl Into<String>) -> Refusal {
        Refusal {
            code: LspErrorCodes::RequestFailed.into(),
            message: message.into(),
        }
    }

    fn of(code: ErrorCodes, message: impl Into<String>) -> Refusal {
        Refusal {
            code: code.into(),
            message: message.into(),
        }
    }
}
