//! The structures and numbers of Envoy's ABI, as `abi.h` has them.

#![deny(unsafe_code)]

use std::ffi::c_char;
use std::ptr;

/// `envoy_dynamic_module_type_envoy_buffer`, and `…_module_buffer`, which looks the same.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Buffer {
    pub ptr: *const c_char,
    pub length: usize,
}

impl Buffer {
    pub const NONE: Self = Self {
        ptr: ptr::null(),
        length: 0,
    };

    /// Of the module: it must live until the callback has returned.
    pub fn of(bytes: &[u8]) -> Self {
        Self {
            ptr: bytes.as_ptr().cast(),
            length: bytes.len(),
        }
    }
}

/// `envoy_dynamic_module_type_envoy_http_header`, and `…_module_http_header`, which looks the same.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Header {
    pub key: Buffer,
    pub value: Buffer,
}

/// `envoy_dynamic_module_type_http_header_type`
pub const REQUEST_HEADER: u32 = 0;
pub const RESPONSE_HEADER: u32 = 2;

/// `envoy_dynamic_module_type_attribute_id`: `source.address` and
/// `connection.sha256_peer_certificate_digest`.
pub const SOURCE_ADDRESS: u32 = 24;
pub const PEER_CERTIFICATE_DIGEST: u32 = 38;

/// `envoy_dynamic_module_type_log_level`
pub const LOG_TRACE: u32 = 0;
pub const LOG_DEBUG: u32 = 1;
pub const LOG_INFO: u32 = 2;
pub const LOG_WARN: u32 = 3;
pub const LOG_ERROR: u32 = 4;

/// `envoy_dynamic_module_type_on_http_filter_request_headers_status`: `Continue`, `StopIteration`,
/// `StopAllIterationAndWatermark`. With the last, body and trailers wait in Envoy, within the limits
/// of its buffers, and the client is slowed down.
pub const HEADERS_CONTINUE: u32 = 0;
pub const HEADERS_STOP: u32 = 1;
pub const HEADERS_WAIT: u32 = 4;

/// `…_request_body_status`: `Continue`, `StopIterationNoBuffer`.
pub const BODY_CONTINUE: u32 = 0;
pub const BODY_STOP: u32 = 3;

/// `…_request_trailers_status`
pub const TRAILERS_CONTINUE: u32 = 0;
pub const TRAILERS_STOP: u32 = 1;

/// `envoy_dynamic_module_type_on_http_filter_local_reply_status_Continue`
pub const LOCAL_REPLY_CONTINUE: u32 = 0;
