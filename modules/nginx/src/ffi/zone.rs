//! Memory that all workers share: a zone of nginx's, which stays over reloads.

use super::*;
use crate::board;

/// A zone in use; copies are the same memory.
#[derive(Clone, Copy)]
pub struct Zone(NonNull<ngx_slab_pool_t>);

impl Zone {
    /// Has nginx make it before the workers start, unless it has one of this size already. `None` where it can't.
    ///
    /// # Safety
    ///
    /// `cf` is that of a hook below `http { }`.
    pub(super) unsafe fn make(cf: *mut ngx_conf_t, size: usize) -> Option<*mut ngx_shm_zone_t> {
        // SAFETY: nginx copies the name's text pointer, which is a constant's. The tag is only compared.
        unsafe {
            let tag = (&raw mut MODULE).cast();
            let zone = ngx_shared_memory_add(cf, &mut text(c"portcullis"), size, tag);
            let made = NonNull::new(zone)?;
            (*zone).init = Some(init);
            Some(made.as_ptr())
        }
    }

    /// # Safety
    ///
    /// The zone is null, or was made for the cycle that this process serves.
    pub(super) unsafe fn of(zone: *mut ngx_shm_zone_t) -> Option<Zone> {
        // SAFETY: nginx has called `init`, which has set it.
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
        // SAFETY: the pool stays mapped as long as the process lives. `data` is what `init` took of it, all there was,
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
unsafe extern "C" fn init(zone: *mut ngx_shm_zone_t, last: *mut c_void) -> ngx_int_t {
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
