//! A request, as nginx keeps it: reading it, changing its headers, answering it.
//!
//! Whatever is written into it lives in its pool.

use portcullis_embed::Response;

use super::*;
use crate::target::with_port;

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
    pub(super) unsafe fn new(r: Request) -> Http<'h> {
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
    pub(super) fn serve(&mut self, response: &Response) -> ngx_int_t {
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
