//! The variables.

use super::*;

/// What the name of a variable for a forwarded header begins with.
const FORWARDED: &CStr = c"portcullis_header_";

/// Adds them to a configuration; whether nginx could.
///
/// # Safety
///
/// `cf` is that of a hook below `http { }`.
pub(super) unsafe fn add(cf: *mut ngx_conf_t) -> bool {
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
