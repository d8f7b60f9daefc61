//! Seats for requests that wait for keys.
//!
//! Requests for an issuer whose provider hangs would take every seat, and those for another issuer,
//! whose new key is a moment away, would find none. So the requests for one issuer may take at most
//! as many seats as they leave free: one hanging issuer gets half of them, two get a third each,
//! and there is always some space for the next.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

/// Seats for waiting requests, shared by all issuers.
#[derive(Debug)]
pub struct Room {
    seats: Semaphore,
}

/// How many seats the requests for one issuer take.
#[derive(Debug, Default)]
pub struct Taken(AtomicUsize);

/// A seat, freed when this is dropped.
#[derive(Debug)]
pub struct Seat<'r> {
    // Dropped first, so that nobody sees an issuer without seats while none are free.
    _permit: SemaphorePermit<'r>,
    _counted: Counted<'r>,
}

/// One seat in an issuer's count.
#[derive(Debug)]
struct Counted<'r>(&'r Taken);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Room {
    /// A room with this many seats.
    pub fn new(seats: usize) -> Room {
        Room {
            seats: Semaphore::new(seats),
        }
    }

    /// A seat for a request for the issuer with this count, if there is one.
    pub fn seat<'r>(&'r self, taken: &'r Taken) -> Option<Seat<'r>> {
        // Counted before the check, so that concurrent requests see each other.
        let before = taken.0.fetch_add(1, Ordering::Relaxed);
        let counted = Counted(taken);
        if before >= self.seats.available_permits() {
            return None;
        }
        Some(Seat {
            _permit: self.seats.try_acquire().ok()?,
            _counted: counted,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill<'r>(room: &'r Room, taken: &'r Taken) -> Vec<Seat<'r>> {
        std::iter::from_fn(|| room.seat(taken)).collect()
    }

    #[test]
    fn who_hangs_leaves_room_for_the_next() {
        let room = Room::new(60);
        let issuers: Vec<Taken> = std::iter::repeat_with(Taken::default).take(4).collect();
        let seats: Vec<Vec<Seat<'_>>> = issuers.iter().map(|taken| fill(&room, taken)).collect();
        let counts: Vec<usize> = seats.iter().map(Vec::len).collect();
        assert_eq!(counts, [30, 15, 8, 4]);
        assert!(room.seat(&Taken::default()).is_some(), "and for a fifth");
    }

    #[test]
    fn a_seat_that_is_left_is_free_again() {
        let room = Room::new(8);
        let taken = Taken::default();
        let seats = fill(&room, &taken);
        assert_eq!(seats.len(), 4);
        drop(seats);
        assert_eq!(fill(&room, &taken).len(), 4, "those refused left no trace");
    }

    #[test]
    fn the_smallest_room_has_a_seat() {
        let room = Room::new(1);
        let taken = Taken::default();
        assert_eq!(fill(&room, &taken).len(), 1);
    }
}
