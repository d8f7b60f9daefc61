//! Works on many items in parallel, and returns the results in the order of the items.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How many items a worker takes at a time: few enough that all workers end together, and enough
/// that taking them costs nothing.
const BATCH: usize = 16;

/// The result of `work` for each item, in the order of the items.
pub(super) fn map<T: Sync, R: Send>(
    items: &[T],
    workers: NonZeroUsize,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Vec<R>)>> = Mutex::new(Vec::new());
    let keep_working = || {
        loop {
            let from = next.fetch_add(BATCH, Ordering::Relaxed);
            let Some(rest) = items.get(from..).filter(|rest| !rest.is_empty()) else {
                return;
            };
            let results: Vec<R> = rest.iter().take(BATCH).map(&work).collect();
            // Only a panic poisons a lock, and it also ends the scope below.
            if let Ok(mut done) = done.lock() {
                done.push((from, results));
            }
        }
    };
    let batches = items.len().div_ceil(BATCH);
    thread::scope(|scope| {
        for _ in 1..workers.get().min(batches) {
            // If the system can't create a thread, the others do its share.
            let _ = thread::Builder::new().spawn_scoped(scope, keep_working);
        }
        keep_working();
    });
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_unstable_by_key(|(from, _)| *from);
    done.into_iter().flat_map(|(_, results)| results).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        for count in [0, 1, BATCH, 10 * BATCH + 3] {
            let items: Vec<usize> = (0..count).collect();
            for workers in [1, 2, 7] {
                let workers = NonZeroUsize::new(workers).unwrap_or(NonZeroUsize::MIN);
                let doubled = map(&items, workers, |item| item * 2);
                assert!(doubled.iter().copied().eq((0..count).map(|item| item * 2)));
            }
        }
    }
}
