//! All that is unsafe: nginx' structures, the hooks that it calls, and the functions of it that are called.
//!
//! nginx calls every hook in the one thread of its process, with pointers that are valid for the call. What a request
//! holds lives in its pool and is valid until the pool's cleanup, which is where the module forgets the request.
//! A panic never crosses a hook: it becomes the hook's word for failure.

#![allow(unsafe_code, reason = "nginx is C")]

use std::ffi::{CStr, c_char, c_void};
use std::marker::PhantomData;
use std::mem::{offset_of, size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::ptr::{self, NonNull};
use std::slice;
use std::time::Duration;

use nginx_sys::*;
use portcullis_embed::{Adapter, Level, Prepared, Response, prepare};

use crate::access::{self, Location, Step};
use crate::board;
use crate::inbox::Key;
use crate::target::{Rewrites, with_port};
use crate::worker;

type Request = *mut ngx_http_request_t;

const OK: ngx_int_t = NGX_OK as ngx_int_t;
const ERROR: ngx_int_t = NGX_ERROR as ngx_int_t;
const NO_ERRNO: ngx_err_t = 0;
const CONF_OK: *mut c_char = ptr::null_mut();
/// `NGX_CONF_ERROR`
const CONF_ERROR: *mut c_char = ptr::without_provenance_mut(usize::MAX);

#[unsafe(no_mangle)]
static mut ngx_modules: [*const ngx_module_t; 2] = [&raw const MODULE, ptr::null()];
#[unsafe(no_mangle)]
static mut ngx_module_names: [*const c_char; 2] =
    [c"ngx_http_portcullis_module".as_ptr(), ptr::null()];
#[unsafe(no_mangle)]
static mut ngx_module_order: [*const c_char; 1] = [ptr::null()];

static mut MODULE: ngx_module_t = ngx_module_t {
    ctx: (&raw const CONTEXT).cast_mut().cast(),
    commands: (&raw mut COMMANDS).cast(),
    type_: NGX_HTTP_MODULE as ngx_uint_t,
    init_process: Some(init_process),
    exit_process: Some(exit_process),
    ..ngx_module_t::default()
};

static CONTEXT: ngx_http_module_t = ngx_http_module_t {
    preconfiguration: Some(preconfiguration),
    postconfiguration: Some(postconfiguration),
    create_main_conf: Some(create_main_conf),
    init_main_conf: None,
    create_srv_conf: None,
    merge_srv_conf: None,
    create_loc_conf: Some(create_loc_conf),
    merge_loc_conf: Some(merge_loc_conf),
};

const PLACES: u32 = NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF;

static mut COMMANDS: [ngx_command_t; 6] = [
    ngx_command_t {
        name: text(c"portcullis_config"),
        type_: (NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1) as ngx_uint_t,
        set: Some(set_config),
        conf: NGX_HTTP_MAIN_CONF_OFFSET,
        offset: 0,
        post: ptr::null_mut(),
    },
    ngx_command_t {
        name: text(c"portcullis_zone"),
        type_: (NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1) as ngx_uint_t,
        set: Some(ngx_conf_set_size_slot),
        conf: NGX_HTTP_MAIN_CONF_OFFSET,
        offset: offset_of!(MainConf, zone_bytes),
        post: ptr::null_mut(),
    },
    ngx_command_t {
        name: text(c"portcullis_metrics"),
        type_: (NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS) as ngx_uint_t,
        set: Some(set_metrics),
        conf: NGX_HTTP_LOC_CONF_OFFSET,
        offset: 0,
        post: ptr::null_mut(),
    },
    ngx_command_t {
        name: text(c"portcullis"),
        type_: (PLACES | NGX_CONF_FLAG) as ngx_uint_t,
        set: Some(ngx_conf_set_flag_slot),
        conf: NGX_HTTP_LOC_CONF_OFFSET,
        offset: offset_of!(LocationConf, on),
        post: ptr::null_mut(),
    },
    ngx_command_t {
        name: text(c"portcullis_rewrites"),
        type_: (PLACES | NGX_CONF_TAKE1) as ngx_uint_t,
        set: Some(ngx_conf_set_enum_slot),
        conf: NGX_HTTP_LOC_CONF_OFFSET,
        offset: offset_of!(LocationConf, rewrites),
        post: (&raw mut REWRITES).cast(),
    },
    ngx_command_t::empty(),
];

const JUDGE: ngx_uint_t = 0;
const TRUST: ngx_uint_t = 1;
const UNSET: ngx_int_t = NGX_CONF_UNSET as ngx_int_t;

static mut REWRITES: [ngx_conf_enum_t; 3] = [
    ngx_conf_enum_t {
        name: text(c"judge"),
        value: JUDGE,
    },
    ngx_conf_enum_t {
        name: text(c"trust"),
        value: TRUST,
    },
    ngx_conf_enum_t {
        name: ngx_str_t::empty(),
        value: 0,
    },
];

/// What `http { }` says.
#[repr(C)]
struct MainConf {
    /// May be unset.
    zone_bytes: usize,
    zone: *mut ngx_shm_zone_t,
    prepared: Option<Prepared>,
}

const UNSET_BYTES: usize = usize::MAX;
/// Room for the metrics of 16 workers with 4,000 series each. What is not used takes no memory.
const ZONE_BYTES: usize = 8 << 20;
const MIN_ZONE_BYTES: usize = 128 << 10;

/// What a location says; each may be unset.
#[repr(C)]
struct LocationConf {
    on: ngx_flag_t,
    rewrites: ngx_uint_t,
}

const fn text(text: &'static CStr) -> ngx_str_t {
    ngx_str_t {
        len: text.count_bytes(),
        data: text.as_ptr().cast::<u_char>().cast_mut(),
    }
}

/// What a hook answers, or, after a panic, its word for failure.
fn guarded<T>(failure: T, hook: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(hook)).unwrap_or(failure)
}

// ---- The configuration.

unsafe extern "C" fn create_main_conf(cf: *mut ngx_conf_t) -> *mut c_void {
    unsafe extern "C" fn free(conf: *mut c_void) {
        guarded((), || {
            // SAFETY: `conf` is the box below, and a pool runs a cleanup once.
            drop(unsafe { Box::from_raw(conf.cast::<MainConf>()) })
        });
    }
    // SAFETY: `cf` and its pool are valid while the configuration is read.
    unsafe {
        let cleanup = ngx_pool_cleanup_add((*cf).pool, 0);
        if cleanup.is_null() {
            return ptr::null_mut();
        }
        let conf = MainConf {
            zone_bytes: UNSET_BYTES,
            zone: ptr::null_mut(),
            prepared: None,
        };
        let conf: *mut c_void = Box::into_raw(Box::new(conf)).cast();
        (*cleanup).handler = Some(free);
        (*cleanup).data = conf;
        conf
    }
}

unsafe extern "C" fn create_loc_conf(cf: *mut ngx_conf_t) -> *mut c_void {
    // SAFETY: as above; what the pool gives is aligned for any type, and is written whole.
    unsafe {
        let conf: *mut LocationConf = ngx_palloc((*cf).pool, size_of::<LocationConf>()).cast();
        if !conf.is_null() {
            let (on, rewrites) = (UNSET, UNSET as ngx_uint_t);
            conf.write(LocationConf { on, rewrites });
        }
        conf.cast()
    }
}

unsafe extern "C" fn merge_loc_conf(
    cf: *mut ngx_conf_t,
    outer: *mut c_void,
    inner: *mut c_void,
) -> *mut c_char {
    // SAFETY: both were made by `create_loc_conf`, and the main one by `create_main_conf`.
    unsafe {
        let (outer, inner) = (
            &*outer.cast::<LocationConf>(),
            &mut *inner.cast::<LocationConf>(),
        );
        if inner.on == UNSET {
            inner.on = outer.on;
        }
        if inner.rewrites == UNSET as ngx_uint_t {
            inner.rewrites = outer.rewrites;
        }
        if inner.on == 1 && (*main_conf(cf)).prepared.is_none() {
            let message = c"\"portcullis on\" needs a \"portcullis_config\" in \"http\"";
            ngx_conf_log_error(NGX_LOG_EMERG as ngx_uint_t, cf, NO_ERRNO, message.as_ptr());
            return CONF_ERROR;
        }
    }
    CONF_OK
}

/// # Safety
///
/// `cf` is that of a hook below `http { }`.
unsafe fn main_conf(cf: *mut ngx_conf_t) -> *mut MainConf {
    // SAFETY: below `http { }` the context is one of its modules' configurations, of this one's too.
    unsafe {
        let context: *mut ngx_http_conf_ctx_t = (*cf).ctx.cast();
        (*(*context).main_conf.add(MODULE.ctx_index)).cast()
    }
}

/// `portcullis_config PATH;` reads policy and keys, in the master.
unsafe extern "C" fn set_config(
    cf: *mut ngx_conf_t,
    _: *mut ngx_command_t,
    conf: *mut c_void,
) -> *mut c_char {
    // SAFETY: `conf` was made by `create_main_conf`, and a TAKE1 directive has two words.
    let (conf, mut path) = unsafe {
        let words: *const ngx_str_t = (*(*cf).args).elts.cast();
        (&mut *conf.cast::<MainConf>(), *words.add(1))
    };
    if conf.prepared.is_some() {
        return c"is duplicate".as_ptr().cast_mut();
    }
    // SAFETY: `path` is a copy whose bytes are the configuration's; the cycle is the one that is being made.
    let processes = unsafe {
        if ngx_conf_full_name((*cf).cycle, &raw mut path, 1) != OK {
            return CONF_ERROR;
        }
        processes((*cf).cycle)
    };
    let read = guarded(Err("a fault inside portcullis".to_owned()), || {
        let path = path.to_str().map_err(|error| error.to_string())?;
        prepare(Path::new(path), Adapter::nginx_module, processes)
            .map_err(|error| error.to_string())
    });
    match read {
        Ok(prepared) => conf.prepared = Some(prepared),
        Err(error) => {
            // SAFETY: the log is that of the configuration; a line of log is one line.
            unsafe {
                error
                    .lines()
                    .for_each(|line| write_log((*cf).log, NGX_LOG_EMERG, line))
            };
            return c"names a configuration that can't be used, see above"
                .as_ptr()
                .cast_mut();
        }
    }
    CONF_OK
}

/// `portcullis_metrics;` has the location answer with them.
unsafe extern "C" fn set_metrics(
    cf: *mut ngx_conf_t,
    _: *mut ngx_command_t,
    _: *mut c_void,
) -> *mut c_char {
    // SAFETY: in a location, the context has the core module's configuration of it.
    unsafe {
        let context: *mut ngx_http_conf_ctx_t = (*cf).ctx.cast();
        let core: *mut ngx_http_core_loc_conf_t =
            (*(*context).loc_conf.add(ngx_http_core_module.ctx_index)).cast();
        (*core).handler = Some(on_metrics);
    }
    CONF_OK
}

const SEVERAL: usize = 2;

/// How many worker processes there will be; where the configuration has not said yet, there may be several.
///
/// # Safety
///
/// The cycle has its modules' configurations.
unsafe fn processes(cycle: *mut ngx_cycle_t) -> usize {
    // SAFETY: the core module's configuration is made before any directive is read.
    unsafe {
        let core: *const ngx_core_conf_t = (*(*cycle).conf_ctx.add(ngx_core_module.index)).cast();
        usize::try_from((*core).worker_processes).unwrap_or(SEVERAL)
    }
}

unsafe extern "C" fn preconfiguration(cf: *mut ngx_conf_t) -> ngx_int_t {
    // SAFETY: `cf` is that of this hook.
    if unsafe { add_variables(cf) } {
        OK
    } else {
        ERROR
    }
}

/// The header filter that comes after this module's.
static mut NEXT: ngx_http_output_header_filter_pt = None;

unsafe extern "C" fn postconfiguration(cf: *mut ngx_conf_t) -> ngx_int_t {
    // SAFETY: the configurations of `http { }` are complete; no request is served while filters are chained.
    unsafe {
        let conf = main_conf(cf);
        if (*conf).prepared.is_none() {
            return OK;
        }
        let bytes = match (*conf).zone_bytes {
            UNSET_BYTES => ZONE_BYTES,
            bytes if bytes < MIN_ZONE_BYTES => {
                write_log(
                    (*cf).log,
                    NGX_LOG_EMERG,
                    "portcullis_zone needs 128k at least",
                );
                return ERROR;
            }
            bytes => bytes,
        };
        let Some(zone) = Zone::make(cf, bytes) else {
            return ERROR;
        };
        (*conf).zone = zone;
        let context: *mut ngx_http_conf_ctx_t = (*cf).ctx.cast();
        let core: *mut ngx_http_core_main_conf_t =
            (*(*context).main_conf.add(ngx_http_core_module.ctx_index)).cast();
        let hooks: [(_, unsafe extern "C" fn(Request) -> ngx_int_t); 2] = [
            (ngx_http_phases_NGX_HTTP_ACCESS_PHASE, on_access),
            (ngx_http_phases_NGX_HTTP_PRECONTENT_PHASE, on_content),
        ];
        for (phase, hook) in hooks {
            let handlers = &raw mut (*core).phases[phase as usize].handlers;
            let handler: *mut ngx_http_handler_pt = ngx_array_push(handlers).cast();
            if handler.is_null() {
                return ERROR;
            }
            handler.write(Some(hook));
        }
        NEXT = ngx_http_top_header_filter;
        ngx_http_top_header_filter = Some(on_response);
    }
    OK
}

// ---- The processes.

unsafe extern "C" fn init_process(cycle: *mut ngx_cycle_t) -> ngx_int_t {
    // SAFETY: the cycle is the one that this process serves; without `http { }` it has no context of it.
    let (prepared, zone) = unsafe {
        let context: *mut ngx_http_conf_ctx_t =
            (*(*cycle).conf_ctx.add(ngx_http_module.index)).cast();
        // Not in those that look after caches.
        let serves = [NGX_PROCESS_WORKER, NGX_PROCESS_SINGLE].contains(&(ngx_process as u32));
        if context.is_null() || !serves {
            return OK;
        }
        let conf: *mut MainConf = (*(*context).main_conf.add(MODULE.ctx_index)).cast();
        ((*conf).prepared.take(), Zone::of((*conf).zone))
    };
    if let Some(prepared) = prepared {
        let fault = Err("a fault inside portcullis".to_owned());
        let start = || worker::start(prepared, zone.ok_or("it has no shared memory")?);
        if let Err(error) = guarded(fault, start) {
            log(
                NGX_LOG_EMERG,
                &format!("every request is denied, since portcullis did not start: {error}"),
            );
        }
    }
    OK
}

unsafe extern "C" fn exit_process(_: *mut ngx_cycle_t) {
    guarded((), worker::stop);
}

/// The number of this process among those of the master, which another has only after its end.
pub fn process() -> u32 {
    // SAFETY: it was set before the process began.
    let slot = unsafe { ngx_process_slot };
    u32::try_from(slot).unwrap_or_default()
}

/// Runs what starts threads so that they get no signals: those are for nginx' own thread, which a signal has to wake.
pub fn without_signals<T>(start: impl FnOnce() -> T) -> T {
    // SAFETY: both sets are this frame's; a mask is changed and put back.
    unsafe {
        let (mut all, mut before): (sigset_t, sigset_t) = (zeroed(), zeroed());
        sigfillset(&raw mut all);
        pthread_sigmask(SIG_SETMASK as i32, &raw const all, &raw mut before);
        let started = start();
        pthread_sigmask(SIG_SETMASK as i32, &raw const before, ptr::null_mut());
        started
    }
}

/// What makes the event loop look into the inbox.
pub struct Bell(NonNull<ngx_connection_t>);

impl Bell {
    /// Listens to it; nginx gets the socket. `None` where nginx has no connection left.
    pub fn new(ear: UnixStream) -> Option<Bell> {
        unsafe extern "C" fn rung(_: *mut ngx_event_t) {
            guarded((), worker::answer_the_bell);
        }
        // SAFETY: a connection of nginx' table stays where it is; it owns the socket from here on.
        unsafe {
            let log = (*ngx_cycle).log;
            let connection = NonNull::new(ngx_get_connection(ear.as_raw_fd(), log))?;
            std::mem::forget(ear);
            let read = (*connection.as_ptr()).read;
            (*read).log = log;
            (*read).handler = Some(rung);
            let bell = Bell(connection);
            (ngx_handle_read_event(read, 0) == OK).then_some(bell)
        }
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        // SAFETY: only this closes it.
        unsafe { ngx_close_connection(self.0.as_ptr()) };
    }
}

/// Comes back to a request after a time, unless it is dropped.
pub struct Timer(Box<(ngx_event_t, Key, u64)>);

impl Timer {
    /// For the answer to a question.
    pub fn new(key: Key, question: u64, after: Duration) -> Timer {
        unsafe extern "C" fn expired(event: *mut ngx_event_t) {
            // SAFETY: the data is the box that the event is in, and that it ends with.
            let (key, question) = unsafe {
                let timer: *const (ngx_event_t, Key, u64) = (*event).data.cast();
                ((*timer).1, (*timer).2)
            };
            guarded((), || worker::go_on(key, question));
        }
        // SAFETY: an event of zeros is one at rest; the box keeps it where it is until it is dropped.
        unsafe {
            let mut timer = Box::new((zeroed::<ngx_event_t>(), key, question));
            timer.0.data = (&raw mut *timer).cast();
            timer.0.handler = Some(expired);
            timer.0.log = (*ngx_cycle).log;
            ngx_add_timer(&raw mut timer.0, after.as_millis() as ngx_msec_t);
            Timer(timer)
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if self.0.0.timer_set() != 0 {
            // SAFETY: it is in the tree of timers.
            unsafe { ngx_del_timer(&raw mut self.0.0) };
        }
    }
}

// ---- The log.

/// Writes a line to the worker's log.
pub fn log(level: u32, line: &str) {
    // SAFETY: the cycle's log lives as long as the cycle.
    unsafe { write_log((*ngx_cycle).log, level, line) };
}

/// nginx' level.
pub fn level(level: Level) -> u32 {
    match level {
        Level::Error => NGX_LOG_ERR,
        Level::Warn => NGX_LOG_WARN,
        Level::Info => NGX_LOG_INFO,
        Level::Debug | Level::Trace => NGX_LOG_DEBUG,
    }
}

/// # Safety
///
/// The log is one of nginx', and this is its thread.
unsafe fn write_log(log: *mut ngx_log_t, level: u32, line: &str) {
    let line = ngx_str_t {
        len: line.len(),
        data: line.as_ptr().cast_mut(),
    };
    // SAFETY: `%V` reads the string that is here for the call.
    unsafe {
        if (*log).log_level >= level as ngx_uint_t {
            let format = c"portcullis: %V".as_ptr();
            ngx_log_error_core(level as ngx_uint_t, log, NO_ERRNO, format, &raw const line);
        }
    }
}

// ---- The requests.

unsafe extern "C" fn on_access(r: Request) -> ngx_int_t {
    // SAFETY: the request is valid for the hook.
    code(guarded(Step::Unavailable, || {
        // SAFETY: the request is valid for the hook.
        access::access(unsafe { Http::new(r) })
    }))
}

unsafe extern "C" fn on_content(r: Request) -> ngx_int_t {
    // SAFETY: the request is valid for the hook.
    code(guarded(Step::Unavailable, || {
        // SAFETY: the request is valid for the hook.
        access::guard(&unsafe { Http::new(r) })
    }))
}

unsafe extern "C" fn on_metrics(r: Request) -> ngx_int_t {
    guarded(SERVICE_UNAVAILABLE, || {
        // SAFETY: the request is valid for the hook.
        let mut http = unsafe { Http::new(r) };
        let response = worker::metrics(http.method());
        http.serve(&response)
    })
}

const SERVICE_UNAVAILABLE: ngx_int_t = NGX_HTTP_SERVICE_UNAVAILABLE as ngx_int_t;

/// A step as the phases take it. An allow says nothing for the other modules, so that `satisfy any` neither takes it
/// for theirs nor theirs for it.
fn code(step: Step) -> ngx_int_t {
    match step {
        Step::Pass => NGX_DECLINED as ngx_int_t,
        Step::Wait => NGX_AGAIN as ngx_int_t,
        Step::Answered => NGX_DONE as ngx_int_t,
        Step::Unavailable => SERVICE_UNAVAILABLE,
    }
}

unsafe extern "C" fn on_response(r: Request) -> ngx_int_t {
    // SAFETY: the request is valid for the hook; the next filter was set before any request.
    unsafe {
        if !guarded(false, || access::decorate(&mut Http::new(r))) {
            return ERROR;
        }
        NEXT.map_or(ERROR, |next| next(r))
    }
}

// ---- A request: reading it, changing its headers, answering it. Whatever is written into it lives in its pool.

/// A request, for the length of one hook.
pub struct Http<'h> {
    r: Request,
    _hook: PhantomData<&'h ()>,
}

/// The headers as they came; nginx never frees a part of a list.
#[derive(Clone, Copy)]
pub struct Sent(ngx_list_t);

/// A request that nginx has put aside. Whoever keeps one forgets it when the request ends.
#[derive(Clone, Copy)]
pub struct Suspended(Request);

impl<'h> Http<'h> {
    /// # Safety
    ///
    /// The request is valid, and stays so until the hook that was called with it returns or answers it.
    unsafe fn new(r: Request) -> Http<'h> {
        Http {
            r,
            _hook: PhantomData,
        }
    }

    /// What the request is known by until it ends, with its subrequests.
    pub fn key(&self) -> Key {
        // SAFETY: `r` is valid.
        Key(unsafe { (*self.r).pool.addr() })
    }

    /// Whether it is the client's own request.
    pub fn is_main(&self) -> bool {
        // SAFETY: `r` is valid.
        unsafe { (*self.r).main == self.r }
    }

    /// The settings of its location.
    pub fn location(&self) -> Location {
        // SAFETY: every location has what `create_loc_conf` made.
        unsafe {
            let conf: *const LocationConf = (*(*self.r).loc_conf.add(MODULE.ctx_index)).cast();
            Location {
                on: (*conf).on != 0,
                rewrites: match (*conf).rewrites {
                    TRUST => Rewrites::Trust,
                    // The other value, and none.
                    _ => Rewrites::Judge,
                },
            }
        }
    }

    /// The method.
    pub fn method(&self) -> &'h [u8] {
        // SAFETY: `r` is valid; the bytes are those of its buffer, or constants of nginx.
        unsafe { bytes((*self.r).method_name) }
    }

    /// The target as it came: the path, raw, with the query.
    pub fn target(&self) -> &'h [u8] {
        // SAFETY: as above.
        unsafe { bytes((*self.r).unparsed_uri) }
    }

    /// The path, decoded, as it is now.
    pub fn path(&self) -> &'h [u8] {
        // SAFETY: as above.
        unsafe { bytes((*self.r).uri) }
    }

    /// The query as it is now.
    pub fn arguments(&self) -> &'h [u8] {
        // SAFETY: as above.
        unsafe { bytes((*self.r).args) }
    }

    /// Whether path and query are still those of the target.
    pub fn is_as_sent(&self) -> bool {
        // SAFETY: `r` is valid.
        unsafe { (*self.r).valid_unparsed_uri() != 0 }
    }

    /// Host and port of a target in absolute form; newer versions have HTTP/2's `:authority` here too.
    pub fn authority(&self) -> Option<&'h [u8]> {
        // SAFETY: the marks are into the buffer with the request line, or around the value of `:authority`.
        unsafe {
            let r = &*self.r;
            if r.host_start.is_null() || r.host_end.is_null() {
                return None;
            }
            let length = usize::try_from(r.host_end.offset_from(r.host_start)).ok()?;
            let line = bytes(r.request_line);
            let start = r.host_start.addr().wrapping_sub(line.as_ptr().addr());
            let here = || slice::from_raw_parts(r.host_start, length);
            Some(with_port(line, start, length).unwrap_or_else(here))
        }
    }

    /// The headers as they are now, to be kept.
    pub fn sent(&self) -> Sent {
        // SAFETY: `r` is valid.
        Sent(unsafe { (*self.r).headers_in.headers })
    }

    /// The headers that were kept: names as they were written, and values.
    pub fn headers(&self, sent: &Sent) -> impl Iterator<Item = (&'h [u8], &'h [u8])> + use<'h> {
        // SAFETY: the list is one of this request.
        elements(sent).map(|element| unsafe { (bytes((*element).key), bytes((*element).value)) })
    }

    /// Whether the connection has TLS.
    pub fn is_tls(&self) -> bool {
        // SAFETY: a request has a connection.
        unsafe { !(*(*self.r).connection).ssl.is_null() }
    }

    /// The client's address, as nginx believes it to be.
    pub fn address(&self) -> Option<IpAddr> {
        // SAFETY: the family says what the address is.
        unsafe {
            let address = (*(*self.r).connection).sockaddr;
            match u32::from((*address).sa_family) {
                AF_INET => {
                    let address: *const sockaddr_in = address.cast();
                    let bytes = (*address).sin_addr.s_addr.to_ne_bytes();
                    Some(Ipv4Addr::from(bytes).into())
                }
                AF_INET6 => {
                    let address: *const sockaddr_in6 = address.cast();
                    Some(Ipv6Addr::from((*address).sin6_addr.__in6_u.__u6_addr8).into())
                }
                _ => None,
            }
        }
    }

    /// The client's certificate as PEM, if it showed one.
    pub fn certificate(&self) -> Option<Vec<u8>> {
        if !self.is_tls() {
            return None;
        }
        let mut pem = ngx_str_t::empty();
        // SAFETY: the connection has TLS; the text is put in the pool.
        unsafe {
            let r = &*self.r;
            let read = ngx_ssl_get_raw_certificate(r.connection, r.pool, &raw mut pem);
            (read == OK && pem.len > 0).then(|| pem.as_bytes().to_vec())
        }
    }

    /// Has the module forget the request when it ends.
    pub fn forget_at_end(&self) -> bool {
        unsafe extern "C" fn ended(pool: *mut c_void) {
            guarded((), || worker::forget(Key(pool.addr())));
        }
        // SAFETY: `r` is valid; the pool itself is the cleanup's data, and is only counted on as a number.
        unsafe {
            let cleanup = ngx_pool_cleanup_add((*self.r).pool, 0);
            if cleanup.is_null() {
                return false;
            }
            (*cleanup).data = (*self.r).pool.cast();
            (*cleanup).handler = Some(ended);
        }
        true
    }

    /// Puts the request aside until it is resumed; a client that goes away ends it.
    pub fn suspend(&mut self) -> Suspended {
        // SAFETY: `r` is valid. Nothing is counted: nothing finalizes a request whose phases wait.
        unsafe {
            (*self.r).read_event_handler = Some(ngx_http_test_reading);
            (*self.r).write_event_handler = Some(ngx_http_request_empty_handler);
        }
        Suspended(self.r)
    }

    /// Ends what `suspend` began.
    pub fn go_on(&mut self) {
        // SAFETY: `r` is valid; these are what nginx itself has between the phases.
        unsafe {
            (*self.r).read_event_handler = Some(ngx_http_block_reading);
            (*self.r).write_event_handler = Some(ngx_http_core_run_phases);
        }
    }

    /// Gives the request other headers: those that were kept but for those that go, and new ones. Whether there was
    /// memory for it.
    pub fn set_headers(
        &mut self,
        sent: &Sent,
        goes: &dyn Fn(&[u8]) -> bool,
        set: &[(String, String)],
    ) -> bool {
        // SAFETY: `r` and the kept list are valid. The new list is complete before anybody reads it; elements of the
        // old one stay where nginx' own pointers have them.
        unsafe {
            let (pool, list) = ((*self.r).pool, &raw mut (*self.r).headers_in.headers);
            if ngx_list_init(list, pool, 20, size_of::<ngx_table_elt_t>()) != OK {
                return false;
            }
            for element in elements(sent) {
                if goes(bytes((*element).key)) {
                    self.point(bytes((*element).key), ptr::null_mut());
                    continue;
                }
                let copy: *mut ngx_table_elt_t = ngx_list_push(list).cast();
                if copy.is_null() {
                    return false;
                }
                copy.write(*element);
            }
            for (name, value) in set {
                let Some(element) = push(list, pool, name, value) else {
                    return false;
                };
                self.point(name.as_bytes(), element);
            }
        }
        true
    }

    /// Has nginx' own pointer to a header, if there is one for this name, point there.
    fn point(&mut self, name: &[u8], element: *mut ngx_table_elt_t) {
        // SAFETY: the table ends with an empty name; an offset in it is that of a pointer in the struct, and before
        // 1.23 that of an array for the two names.
        unsafe {
            let mut known: *const ngx_http_header_t = (&raw const ngx_http_headers_in).cast();
            while (*known).name.len != 0 {
                if (*known).name.as_bytes().eq_ignore_ascii_case(name) {
                    let headers = &raw mut (*self.r).headers_in;
                    let field = headers.byte_add((*known).offset);
                    let array = [&b"cookie"[..], b"x-forwarded-for"];
                    if nginx_version < 1_023_000
                        && array.iter().any(|array| array.eq_ignore_ascii_case(name))
                    {
                        (*field.cast::<ngx_array_t>()).nelts = 0;
                    } else {
                        *field.cast::<*mut ngx_table_elt_t>() = element;
                    }
                }
                known = known.add(1);
            }
        }
    }

    /// Adds a header to the response. Whether there was memory for it.
    pub fn add_response(&mut self, name: &str, value: &str) -> bool {
        // SAFETY: `r` is valid.
        unsafe {
            let (pool, list) = ((*self.r).pool, &raw mut (*self.r).headers_out.headers);
            push(list, pool, name, value).is_some()
        }
    }

    /// Drops a header of the response.
    pub fn drop_response(&mut self, name: &str) {
        // SAFETY: `r` is valid; nginx sends no header whose hash is 0.
        unsafe {
            for element in elements(&Sent((*self.r).headers_out.headers)) {
                if bytes((*element).key).eq_ignore_ascii_case(name.as_bytes()) {
                    (*element).hash = 0;
                }
            }
        }
    }

    /// Answers the client, and is done with the request.
    pub fn respond(mut self, response: &Response) -> Step {
        let Some(sent) = self.send(response) else {
            return Step::Unavailable;
        };
        // SAFETY: `r` is valid, and nobody touches it after it was finalized: the phases end on `NGX_DONE`.
        unsafe { ngx_http_finalize_request(self.r, sent) };
        Step::Answered
    }

    /// Answers the client from the content phase, which gets nginx's own word for how that went.
    fn serve(&mut self, response: &Response) -> ngx_int_t {
        // SAFETY: `r` is valid.
        let discarded = unsafe { ngx_http_discard_request_body(self.r) };
        if discarded != OK {
            return discarded;
        }
        self.send(response).unwrap_or(SERVICE_UNAVAILABLE)
    }

    /// Sends a response; `None` where there was no memory for it.
    fn send(&mut self, response: &Response) -> Option<ngx_int_t> {
        let mut kind = "";
        for (name, value) in &response.headers {
            if name.eq_ignore_ascii_case("content-type") {
                kind = value;
            } else if !self.add_response(name, value) {
                return None;
            }
        }
        // SAFETY: `r` is valid; what is sent is in its pool.
        unsafe {
            let (r, pool) = (self.r, (*self.r).pool);
            let copy = |bytes: &[u8]| ngx_str_t::from_bytes(pool, bytes);
            let mut kind = copy(kind.as_bytes())?;
            let mut body: ngx_http_complex_value_t = zeroed();
            body.value = copy(response.body.as_deref().unwrap_or_default())?;
            // After an `error_page … =200`, the response's own status still stands.
            (*r).err_status = 0;
            let status = response.status.into();
            Some(ngx_http_send_response(
                r,
                status,
                &raw mut kind,
                &raw mut body,
            ))
        }
    }

    /// Writes an error about the request to the log.
    pub fn complain(&self, line: &str) {
        // SAFETY: a connection has a log.
        unsafe { write_log((*(*self.r).connection).log, NGX_LOG_ERR, line) };
    }
}

impl Suspended {
    /// Goes on with the phases.
    pub fn resume(self) {
        // SAFETY: the request lives, since it was not forgotten. The connection's memory stays after the request has
        // ended, and says whether it is closed.
        unsafe {
            let connection = (*self.0).connection;
            let context: *mut ngx_http_log_ctx_t = (*(*connection).log).data.cast();
            (*context).current_request = self.0;
            ngx_http_core_run_phases(self.0);
            ngx_http_run_posted_requests(connection);
        }
    }
}

/// The elements of a list of headers.
fn elements(list: &Sent) -> impl Iterator<Item = *mut ngx_table_elt_t> + use<> {
    let mut part = list.0.part;
    let mut at = 0;
    std::iter::from_fn(move || {
        while at == part.nelts {
            // SAFETY: the parts of a list end with a null pointer.
            part = unsafe { *NonNull::new(part.next)?.as_ptr() };
            at = 0;
        }
        at += 1;
        // SAFETY: below the part's count.
        Some(unsafe { part.elts.cast::<ngx_table_elt_t>().add(at - 1) })
    })
}

/// Adds a header to a list.
///
/// # Safety
///
/// List and pool are those of one request.
unsafe fn push(
    list: *mut ngx_list_t,
    pool: *mut ngx_pool_t,
    name: &str,
    value: &str,
) -> Option<*mut ngx_table_elt_t> {
    // SAFETY: an element of zeros is one that links to no other; all else is set before it is pushed.
    unsafe {
        let mut element: ngx_table_elt_t = zeroed();
        element.key = ngx_str_t::from_bytes(pool, name.as_bytes())?;
        element.value = ngx_str_t::from_bytes(pool, value.as_bytes())?;
        let lower = ngx_str_t::from_bytes(pool, name.to_ascii_lowercase().as_bytes())?;
        element.lowcase_key = lower.data;
        element.hash = ngx_hash_key_lc(lower.data, lower.len);
        let pushed: *mut ngx_table_elt_t = ngx_list_push(list).cast();
        if pushed.is_null() {
            return None;
        }
        pushed.write(element);
        Some(pushed)
    }
}

/// # Safety
///
/// The bytes outlive what they are read for: those of a request and of nginx' constants do.
unsafe fn bytes<'b>(text: ngx_str_t) -> &'b [u8] {
    if text.len == 0 {
        return &[];
    }
    // SAFETY: a string that is not empty has its bytes.
    unsafe { slice::from_raw_parts(text.data, text.len) }
}

// ---- The variables.

/// What the name of a variable for a forwarded header begins with.
const FORWARDED: &CStr = c"portcullis_header_";

/// Adds them to a configuration; whether nginx could.
///
/// # Safety
///
/// `cf` is that of a hook below `http { }`.
unsafe fn add_variables(cf: *mut ngx_conf_t) -> bool {
    let prefix = NGX_HTTP_VAR_PREFIX;
    let variables: [(&CStr, ngx_http_get_variable_pt, u32); 3] = [
        (c"portcullis_reason", Some(get_reason), 0),
        (c"portcullis_decision", Some(get_decision), 0),
        (FORWARDED, Some(get_forwarded), prefix),
    ];
    for (name, get, flags) in variables {
        // SAFETY: nginx copies the name; the variable that it returns is its own.
        unsafe {
            let flags = (NGX_HTTP_VAR_NOCACHEABLE | flags) as ngx_uint_t;
            let variable = ngx_http_add_variable(cf, &mut text(name), flags);
            if variable.is_null() {
                return false;
            }
            (*variable).get_handler = get;
        }
    }
    true
}

type Value = *mut ngx_http_variable_value_t;

unsafe extern "C" fn get_reason(r: Request, value: Value, _: usize) -> ngx_int_t {
    // SAFETY: nginx gives a request and a value to fill.
    unsafe { fill(r, value, access::reason) }
}

unsafe extern "C" fn get_decision(r: Request, value: Value, _: usize) -> ngx_int_t {
    // SAFETY: as above.
    unsafe { fill(r, value, access::decision) }
}

unsafe extern "C" fn get_forwarded(r: Request, value: Value, name: usize) -> ngx_int_t {
    // SAFETY: as above; the data of a variable with a prefix is its whole name.
    unsafe {
        let name = (*ptr::with_exposed_provenance::<ngx_str_t>(name))
            .to_str()
            .unwrap_or_default();
        let name = name.get(FORWARDED.count_bytes()..).unwrap_or_default();
        fill(r, value, |http| access::forwarded(http, name))
    }
}

/// # Safety
///
/// Both are what nginx gave to the hook of a variable.
unsafe fn fill(
    r: Request,
    value: Value,
    get: impl FnOnce(&Http<'_>) -> Option<String>,
) -> ngx_int_t {
    // SAFETY: the value is copied to the pool, which outlives whoever reads it.
    unsafe {
        let got = guarded(None, || get(&Http::new(r)));
        let Some(text) = got.and_then(|got| ngx_str_t::from_bytes((*r).pool, got.as_bytes()))
        else {
            (*value).set_not_found(1);
            return OK;
        };
        (*value).set_not_found(0);
        (*value).set_valid(1);
        (*value).set_no_cacheable(0);
        (*value).set_len(text.len as u32);
        (*value).data = text.data;
    }
    OK
}

// ---- Memory that all workers share: a zone of nginx's, which stays over reloads.

/// A zone in use; copies are the same memory.
#[derive(Clone, Copy)]
pub struct Zone(NonNull<ngx_slab_pool_t>);

impl Zone {
    /// Has nginx make it before the workers start, unless it has one of this size already. `None` where it can't.
    ///
    /// # Safety
    ///
    /// `cf` is that of a hook below `http { }`.
    unsafe fn make(cf: *mut ngx_conf_t, size: usize) -> Option<*mut ngx_shm_zone_t> {
        // SAFETY: nginx copies the name's text pointer, which is a constant's. The tag is only compared.
        unsafe {
            let tag = (&raw mut MODULE).cast();
            let zone = ngx_shared_memory_add(cf, &mut text(c"portcullis"), size, tag);
            let made = NonNull::new(zone)?;
            (*zone).init = Some(init_zone);
            Some(made.as_ptr())
        }
    }

    /// # Safety
    ///
    /// The zone is null, or was made for the cycle that this process serves.
    unsafe fn of(zone: *mut ngx_shm_zone_t) -> Option<Zone> {
        // SAFETY: nginx has called `init_zone`, which has set it.
        let zone = unsafe { zone.as_ref() }?;
        NonNull::new(zone.data.cast()).map(Zone)
    }

    /// Gives its bytes to one process at a time. nginx unlocks it for a process that ends meanwhile.
    pub fn lock<T>(self, with: impl FnOnce(&mut [u8]) -> T) -> T {
        struct Locked(*mut ngx_shmtx_t);
        impl Drop for Locked {
            fn drop(&mut self) {
                // SAFETY: this process has locked it.
                unsafe { ngx_shmtx_unlock(self.0) };
            }
        }
        let pool = self.0.as_ptr();
        // SAFETY: the pool stays mapped as long as the process lives. `data` is what `init_zone` took of it, all there was,
        // and who has the lock is alone with it.
        unsafe {
            let mutex = &raw mut (*pool).mutex;
            ngx_shmtx_lock(mutex);
            let _locked = Locked(mutex);
            let start: *mut u8 = (*pool).data.cast();
            let length = usize::try_from((*pool).end.offset_from(start)).unwrap_or_default();
            with(slice::from_raw_parts_mut(start, length))
        }
    }
}

/// Makes the memory ready, or takes over that of the last configuration.
unsafe extern "C" fn init_zone(zone: *mut ngx_shm_zone_t, last: *mut c_void) -> ngx_int_t {
    // SAFETY: the zone is mapped, and begins with a pool that nginx has just made.
    unsafe {
        if !last.is_null() {
            (*zone).data = last;
            return OK;
        }
        let pool: *mut ngx_slab_pool_t = (*zone).shm.addr.cast();
        let all = ngx_slab_alloc(pool, (*pool).pfree * ngx_pagesize);
        if all.is_null() {
            return ERROR;
        }
        (*pool).data = all;
        (*zone).data = pool.cast();
        let Some(made) = Zone::of(zone) else {
            return ERROR;
        };
        guarded(ERROR, || {
            made.lock(board::clear);
            OK
        })
    }
}
