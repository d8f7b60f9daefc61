//! Envoy's ABI for dynamic modules: the hooks that Envoy calls, the callbacks that it offers.
//!
//! Names and layouts are those of `source/extensions/dynamic_modules/abi/abi.h` of Envoy 1.38 to 1.40,
//! where all that is used here is the same; `host.rs` refuses any other Envoy. This is the one file
//! with unsafe code. What all of it relies on is what Envoy promises: a hook gets the pointers that
//! the module itself gave for this filter or configuration, neither earlier nor after they were
//! destroyed, and all hooks of one stream are called on one thread.

#![allow(unsafe_code, reason = "Envoy is written in C++")]

mod types;

use std::ffi::{c_char, c_void};
use std::path::Path;
use std::ptr;
use std::rc::Rc;
use std::slice;
use std::sync::Arc;

use portcullis_embed::{Adapter, Embedded, Level, Request, Response};

use self::types::*;
use crate::filter::{Filter, Stream, Verdict, caught, show_metrics};
use crate::host;
use crate::request;
use crate::settings::{Role, Settings};
use crate::wake::Waker;

/// The executable of this process.
const PROGRAM: &str = "/proc/self/exe";

/// As whom it decides.
const ADAPTER: Adapter = Adapter::envoy_module;

/// What Envoy's access log shows as `%RESPONSE_CODE_DETAILS%` of an answer of portcullis.
const DETAILS: &[u8] = b"portcullis";

impl Buffer {
    /// # Safety
    ///
    /// The buffer is Envoy's, for the hook under way, and no callback has changed since what it is
    /// part of.
    unsafe fn bytes<'a>(self) -> &'a [u8] {
        if self.ptr.is_null() {
            return &[];
        }
        // SAFETY: what is not null is the start of so many bytes, which live as said above.
        unsafe { slice::from_raw_parts(self.ptr.cast(), self.length) }
    }
}

/// A filter's stream in Envoy.
type EnvoyFilter = *mut c_void;

/// The module's own filter, a `Live` in an `Rc`.
type ModuleFilter = *const c_void;

/// The module's own configuration, an `Opened` in an `Arc`.
type ModuleConfig = *const c_void;

unsafe extern "C" {
    fn envoy_dynamic_module_callback_log(level: u32, message: Buffer);
    fn envoy_dynamic_module_callback_log_enabled(level: u32) -> bool;
    fn envoy_dynamic_module_callback_is_validation_mode() -> bool;
    fn envoy_dynamic_module_callback_http_get_headers_size(filter: EnvoyFilter, kind: u32)
    -> usize;
    fn envoy_dynamic_module_callback_http_get_headers(
        filter: EnvoyFilter,
        kind: u32,
        headers: *mut Header,
    ) -> bool;
    fn envoy_dynamic_module_callback_http_set_header(
        filter: EnvoyFilter,
        kind: u32,
        key: Buffer,
        value: Buffer,
    ) -> bool;
    fn envoy_dynamic_module_callback_http_add_header(
        filter: EnvoyFilter,
        kind: u32,
        key: Buffer,
        value: Buffer,
    ) -> bool;
    fn envoy_dynamic_module_callback_http_filter_get_attribute_string(
        filter: EnvoyFilter,
        attribute: u32,
        result: *mut Buffer,
    ) -> bool;
    fn envoy_dynamic_module_callback_http_send_response(
        filter: EnvoyFilter,
        status: u32,
        headers: *mut Header,
        headers_size: usize,
        body: Buffer,
        details: Buffer,
    );
    fn envoy_dynamic_module_callback_http_clear_route_cache(filter: EnvoyFilter);
    fn envoy_dynamic_module_callback_http_filter_continue_decoding(filter: EnvoyFilter);
    fn envoy_dynamic_module_callback_http_filter_scheduler_new(filter: EnvoyFilter) -> *mut c_void;
    fn envoy_dynamic_module_callback_http_filter_scheduler_commit(
        scheduler: *mut c_void,
        event: u64,
    );
    fn envoy_dynamic_module_callback_http_filter_scheduler_delete(scheduler: *mut c_void);
}

/// A policy, and what this instance of the filter does with it.
struct Opened {
    /// None where Envoy only validates its configuration.
    embedded: Option<Embedded>,
    role: Role,
    clear_route_cache: bool,
}

/// One request, and the policy that decides it.
struct Live {
    filter: Filter<Embedded, Scheduler>,
    opened: Arc<Opened>,
}

/// `DynamicModuleHttpFilterScheduler`: it knows the worker thread, and the stream as long as it lives.
struct Scheduler(*mut c_void);

// SAFETY: Envoy made it for this: `commit` and `delete` may be called on any thread, and `Call` sees
// to it that only one does at a time.
unsafe impl Send for Scheduler {}

impl Waker for Scheduler {
    fn wake(&self) {
        // SAFETY: it is deleted only when `self` is dropped. `Call::end` drops it when the filter is
        // destroyed, so that the worker's event loop still exists here.
        unsafe { envoy_dynamic_module_callback_http_filter_scheduler_commit(self.0, 0) }
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        // SAFETY: it came from `scheduler_new`, and nobody else has it.
        unsafe { envoy_dynamic_module_callback_http_filter_scheduler_delete(self.0) }
    }
}

/// The stream in Envoy, within one of its hooks: the pointer that Envoy gave to that hook.
struct InHook(EnvoyFilter);

impl InHook {
    /// What is read of the attribute, where Envoy has it.
    fn attribute<T>(&self, attribute: u32, read: fn(&str) -> Option<T>) -> Option<T> {
        let mut result = Buffer::NONE;
        // SAFETY: the filter is that of the hook, and the result lives on this stack.
        let there = unsafe {
            envoy_dynamic_module_callback_http_filter_get_attribute_string(
                self.0,
                attribute,
                &raw mut result,
            )
        };
        // SAFETY: Envoy keeps it at least until it is asked for another one.
        let bytes = there.then(|| unsafe { result.bytes() })?;
        read(std::str::from_utf8(bytes).ok()?)
    }

    fn set(&self, kind: u32, name: &str, value: Buffer) {
        // SAFETY: the filter is that of the hook; name and value live until the call returns. Without
        // a header map, which cannot be in these hooks, Envoy does nothing.
        unsafe {
            envoy_dynamic_module_callback_http_set_header(
                self.0,
                kind,
                Buffer::of(name.as_bytes()),
                value,
            );
        }
    }
}

impl Stream for InHook {
    type Waker = Scheduler;

    fn request(&self) -> Request {
        // SAFETY: the filter is that of the hook.
        let size =
            unsafe { envoy_dynamic_module_callback_http_get_headers_size(self.0, REQUEST_HEADER) };
        let none = Header {
            key: Buffer::NONE,
            value: Buffer::NONE,
        };
        let mut headers = vec![none; size];
        // SAFETY: there is room for as many headers as Envoy has just said, and nothing was changed
        // since.
        let there = unsafe {
            envoy_dynamic_module_callback_http_get_headers(
                self.0,
                REQUEST_HEADER,
                headers.as_mut_ptr(),
            )
        };
        if !there {
            headers.clear();
        }
        // SAFETY: the buffers are Envoy's headers, which nobody changes before they are copied.
        let headers = headers
            .iter()
            .map(|header| unsafe { (header.key.bytes(), header.value.bytes()) });
        request::read(
            headers,
            self.attribute(SOURCE_ADDRESS, request::address),
            self.attribute(PEER_CERTIFICATE_DIGEST, request::digest),
        )
    }

    fn set_request_header(&self, name: &str, value: &str) {
        self.set(REQUEST_HEADER, name, Buffer::of(value.as_bytes()));
    }

    fn remove_request_header(&self, name: &str) {
        self.set(REQUEST_HEADER, name, Buffer::NONE);
    }

    fn clear_route_cache(&self) {
        // SAFETY: the filter is that of the hook.
        unsafe { envoy_dynamic_module_callback_http_clear_route_cache(self.0) }
    }

    fn waker(&self) -> Scheduler {
        // SAFETY: the filter is that of the hook, which runs on the stream's worker thread.
        Scheduler(unsafe { envoy_dynamic_module_callback_http_filter_scheduler_new(self.0) })
    }

    fn set_response_header(&self, name: &str, value: &str) {
        self.set(RESPONSE_HEADER, name, Buffer::of(value.as_bytes()));
    }

    fn add_response_header(&self, name: &str, value: &str) {
        // SAFETY: as in `set`.
        unsafe {
            envoy_dynamic_module_callback_http_add_header(
                self.0,
                RESPONSE_HEADER,
                Buffer::of(name.as_bytes()),
                Buffer::of(value.as_bytes()),
            );
        }
    }

    fn respond(&self, response: &Response) {
        let mut headers: Vec<Header> = response
            .headers
            .iter()
            .map(|(name, value)| Header {
                key: Buffer::of(name.as_bytes()),
                value: Buffer::of(value.as_bytes()),
            })
            .collect();
        let body = response.body.as_deref().unwrap_or_default();
        // SAFETY: the filter is that of the hook; headers and body live until the call returns, and
        // Envoy copies them.
        unsafe {
            envoy_dynamic_module_callback_http_send_response(
                self.0,
                u32::from(response.status),
                headers.as_mut_ptr(),
                headers.len(),
                Buffer::of(body),
                Buffer::of(DETAILS),
            );
        }
    }

    fn go_on(&self) {
        // SAFETY: the filter is that of the hook.
        unsafe { envoy_dynamic_module_callback_http_filter_continue_decoding(self.0) }
    }
}

/// Writes to Envoy's log, as `dynamic_modules`.
fn log(level: u32, message: &str) {
    // SAFETY: the message lives until the call returns.
    unsafe {
        if envoy_dynamic_module_callback_log_enabled(level) {
            envoy_dynamic_module_callback_log(level, Buffer::of(message.as_bytes()));
        }
    }
}

fn error(message: &str) {
    log(LOG_ERROR, &format!("portcullis: {message}"));
}

/// Tells of a panic. What follows is a denial.
fn panicked(what: &str) {
    error(&format!("a fault in portcullis: {what}"));
}

/// Runs a hook, or what Envoy takes for a refusal where it panics.
fn guarded<T>(refusal: T, hook: impl FnOnce() -> T) -> T {
    caught(hook, |what| {
        panicked(what);
        refusal
    })
}

/// The module's own filter, where Envoy has one.
///
/// # Safety
///
/// The pointer is null, or it came from `on_http_filter_new` and was not destroyed yet.
unsafe fn own(filter: ModuleFilter) -> Option<Rc<Live>> {
    let filter: *const Live = filter.cast();
    if filter.is_null() {
        return None;
    }
    // SAFETY: it is that of an `Rc` that still exists. The hook holds one of its own, since the stream
    // may end, and its filter be destroyed, before the hook returns.
    unsafe {
        Rc::increment_strong_count(filter);
        Some(Rc::from_raw(filter))
    }
}

// --- The program and its configuration.

/// The first call, on the main thread: null keeps the module from being loaded.
#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_program_init() -> *const c_char {
    guarded(ptr::null(), || match host::abi(Path::new(PROGRAM)) {
        Ok(abi) => {
            portcullis_embed::log_to(|level, message| log(number(level), message));
            abi.version.as_ptr()
        }
        Err(unknown) => {
            error(&unknown.to_string());
            ptr::null()
        }
    })
}

fn number(level: Level) -> u32 {
    match level {
        Level::Trace => LOG_TRACE,
        Level::Debug => LOG_DEBUG,
        Level::Info => LOG_INFO,
        Level::Warn => LOG_WARN,
        Level::Error => LOG_ERROR,
    }
}

/// A filter of Envoy's configuration, on the main thread: null rejects the configuration.
#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_config_new(
    _config: *mut c_void,
    name: Buffer,
    settings: Buffer,
) -> ModuleConfig {
    guarded(ptr::null(), || {
        // SAFETY: they are the configuration's texts, which live until this hook returns.
        let (name, settings) = unsafe { (name.bytes(), settings.bytes()) };
        match open(name, settings) {
            Ok(opened) => Arc::into_raw(Arc::new(opened)).cast(),
            Err(wrong) => {
                error(&wrong);
                ptr::null()
            }
        }
    })
}

/// The policy at work; or what is wrong, ready for the log.
fn open(name: &[u8], settings: &[u8]) -> Result<Opened, String> {
    let role = Role::named(name).map_err(|unknown| unknown.to_string())?;
    let settings = Settings::read(settings).map_err(|wrong| format!("`filter_config`: {wrong}"))?;
    // SAFETY: this is the main thread.
    let validates = unsafe { envoy_dynamic_module_callback_is_validation_mode() };
    let embedded = if validates {
        // A validation fetches nothing and leaves no thread behind.
        portcullis_embed::prepare(&settings.config, ADAPTER, 1).map(|_| None)
    } else {
        Embedded::open(&settings.config, ADAPTER).map(Some)
    };
    Ok(Opened {
        embedded: embedded.map_err(|wrong| wrong.to_string())?,
        role,
        clear_route_cache: settings.clear_route_cache,
    })
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_config_destroy(config: ModuleConfig) {
    if config.is_null() {
        return;
    }
    guarded((), || {
        // SAFETY: it came from `config_new`, and this is the one call for it. Streams that are under
        // way have an `Arc` of their own.
        drop(unsafe { Arc::from_raw(config.cast::<Opened>()) });
    });
}

/// There is no configuration for a route: the policy says what each route needs.
#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_per_route_config_new(
    _name: Buffer,
    _settings: Buffer,
) -> *const c_void {
    error("a route has no configuration of its own: the policy says what it needs");
    ptr::null()
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_per_route_config_destroy(_config: *const c_void) {
}

// --- A stream.

/// A request begins. Null closes its stream.
#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_new(
    config: ModuleConfig,
    _filter: EnvoyFilter,
) -> ModuleFilter {
    if config.is_null() {
        return ptr::null();
    }
    guarded(ptr::null(), || {
        let config: *const Opened = config.cast();
        // SAFETY: it came from `config_new`, and was not destroyed yet.
        let opened = unsafe {
            Arc::increment_strong_count(config);
            Arc::from_raw(config)
        };
        let filter = Filter::new(opened.clear_route_cache);
        Rc::into_raw(Rc::new(Live { filter, opened })).cast()
    })
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_request_headers(
    envoy: EnvoyFilter,
    filter: ModuleFilter,
    _end_of_stream: bool,
) -> u32 {
    let stream = InHook(envoy);
    let asked = || {
        // SAFETY: Envoy's promise above.
        let live = unsafe { own(filter) };
        let decides = live.as_ref().and_then(|live| {
            let embedded = live.opened.embedded.as_ref()?;
            Some((live, embedded))
        });
        let Some((live, embedded)) = decides else {
            stream.respond(&Response::lost());
            return HEADERS_STOP;
        };
        let verdict = match live.opened.role {
            Role::Decide => live.filter.on_request(embedded, &stream),
            Role::ShowMetrics => show_metrics(|| embedded.metrics(), &stream),
        };
        match verdict {
            Verdict::Pass => HEADERS_CONTINUE,
            Verdict::Stop => HEADERS_STOP,
            Verdict::Wait => HEADERS_WAIT,
        }
    };
    caught(asked, |what| {
        deny(&stream, what);
        HEADERS_STOP
    })
}

/// The decision that the stream waits for is there.
#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_scheduled(
    envoy: EnvoyFilter,
    filter: ModuleFilter,
    _event: u64,
) {
    let stream = InHook(envoy);
    let woken = || {
        // SAFETY: Envoy's promise above.
        if let Some(live) = unsafe { own(filter) } {
            live.filter.on_wake(&stream);
        }
    };
    caught(woken, |what| deny(&stream, what));
}

/// After a panic. Nothing that may have caused it is done again.
fn deny(stream: &InHook, what: &str) {
    panicked(what);
    caught(|| stream.respond(&Response::lost()), panicked);
}

/// While a decision is waited for, Envoy holds the body back by itself.
#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_request_body(
    _envoy: EnvoyFilter,
    filter: ModuleFilter,
    _end_of_stream: bool,
) -> u32 {
    if passes(filter) {
        BODY_CONTINUE
    } else {
        BODY_STOP
    }
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_request_trailers(
    _envoy: EnvoyFilter,
    filter: ModuleFilter,
) -> u32 {
    if passes(filter) {
        TRAILERS_CONTINUE
    } else {
        TRAILERS_STOP
    }
}

fn passes(filter: ModuleFilter) -> bool {
    guarded(false, || {
        // SAFETY: Envoy's promise above.
        let live = unsafe { own(filter) };
        live.is_some_and(|live| live.filter.passes())
    })
}

/// What there is to deny has been denied: here only the client's headers come to the response.
#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_response_headers(
    envoy: EnvoyFilter,
    filter: ModuleFilter,
    _end_of_stream: bool,
) -> u32 {
    guarded((), || {
        // SAFETY: Envoy's promise above.
        if let Some(live) = unsafe { own(filter) } {
            live.filter.on_response(&InHook(envoy));
        }
    });
    HEADERS_CONTINUE
}

/// The stream is no more, whether or not it was decided.
#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_http_filter_destroy(filter: ModuleFilter) {
    if filter.is_null() {
        return;
    }
    guarded((), || {
        // SAFETY: it came from `on_http_filter_new`, and this is the one call for it.
        let live = unsafe { Rc::from_raw(filter.cast::<Live>()) };
        live.filter.end();
    });
}

// --- Hooks that Envoy looks for, for what the module doesn't care about.

macro_rules! unused {
    ($($hook:ident($($argument:ty),*) $(-> $status:ident)?;)*) => {
        $(#[unsafe(no_mangle)]
        extern "C" fn $hook(
            _envoy: EnvoyFilter,
            _filter: ModuleFilter,
            $(_: $argument),*
        ) $(-> status!($status))? {
            $($status)?
        })*
    };
}

macro_rules! status {
    ($status:ident) => {
        u32
    };
}

unused! {
    envoy_dynamic_module_on_http_filter_response_body(bool) -> BODY_CONTINUE;
    envoy_dynamic_module_on_http_filter_response_trailers() -> TRAILERS_CONTINUE;
    envoy_dynamic_module_on_http_filter_local_reply(u32, Buffer, bool) -> LOCAL_REPLY_CONTINUE;
    envoy_dynamic_module_on_http_filter_stream_complete();
    envoy_dynamic_module_on_http_filter_http_callout_done(
        u64, u32, *mut Header, usize, *mut Buffer, usize
    );
    envoy_dynamic_module_on_http_filter_http_stream_headers(u64, *mut Header, usize, bool);
    envoy_dynamic_module_on_http_filter_http_stream_data(u64, *const Buffer, usize, bool);
    envoy_dynamic_module_on_http_filter_http_stream_trailers(u64, *mut Header, usize);
    envoy_dynamic_module_on_http_filter_http_stream_complete(u64);
    envoy_dynamic_module_on_http_filter_http_stream_reset(u64, u32);
    envoy_dynamic_module_on_http_filter_downstream_above_write_buffer_high_watermark();
    envoy_dynamic_module_on_http_filter_downstream_below_write_buffer_low_watermark();
}
