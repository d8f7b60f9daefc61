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
use portcullis_embed::{Adapter, Level, Prepared, prepare};

use crate::access::{self, Location, Step};
use crate::inbox::Key;
use crate::target::Rewrites;
use crate::worker;

mod request;
mod variables;
mod zone;
pub use request::{Http, Sent, Suspended};
pub use zone::Zone;

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
    if unsafe { variables::add(cf) } {
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
