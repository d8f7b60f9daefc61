//! Why a request gets no result.

use gen_lsp_types::{ErrorCodes, LspErrorCodes};

/// The error of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The code, of JSON-RPC or of the protocol.
    pub code: i32,
    /// What an editor may show.
    pub message: String,
}

impl Refusal {
    /// The message is no message of JSON-RPC's.
    pub fn malformed(message: impl Into<String>) -> Refusal {
        Refusal::of(ErrorCodes::ParseError, message)
    }

    /// The message comes at the wrong time, or isn't part of the protocol.
    pub fn invalid(message: impl Into<String>) -> Refusal {
        Refusal::of(ErrorCodes::InvalidRequest, message)
    }

    /// There is no such request.
    pub fn unknown(method: &str) -> Refusal {
        Refusal::of(
            ErrorCodes::MethodNotFound,
            format!("there is no request `{method}`"),
        )
    }

    /// The parameters are not those of the request.
    pub fn parameters(message: impl Into<String>) -> Refusal {
        Refusal::of(ErrorCodes::InvalidParams, message)
    }

    /// Nothing comes before `initialize`.
    pub fn not_initialized() -> Refusal {
        Refusal::of(ErrorCodes::ServerNotInitialized, "`initialize` comes first")
    }

    /// The client does not want it any more.
    pub fn cancelled() -> Refusal {
        Refusal {
            code: LspErrorCodes::RequestCancelled.into(),
            message: "the request was cancelled".to_owned(),
        }
    }

    /// It was understood and cannot be done; the message is for the user.
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
