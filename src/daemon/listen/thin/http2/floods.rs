//! Frames that make work and bring nothing. Each kind has its limit; who exceeds it loses the
//! connection. The limits are per second: a connection may last for days.

use std::time::Duration;

use tokio::time::Instant;

use super::frame::Code;

/// The time that the limits are for.
const SECOND: Duration = Duration::from_secs(1);

/// A kind of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flood {
    /// Streams that end early: the peer resets them, or breaks the rules so that they are reset
    /// here (CVE-2023-44487, CVE-2025-8671). They don't count as concurrent, however many there
    /// are. A proxy resets as many as it has open when its own timeout is too short.
    Resets,
    /// `SETTINGS`, which are acknowledged and may change every stream (CVE-2019-9515).
    Settings,
    /// `PING`, which is answered (CVE-2019-9512). A client that measures the bandwidth sends one
    /// in each round trip.
    Pings,
    /// `DATA` without data that doesn't end its stream (CVE-2019-9518). Many clients end every
    /// stream with an empty one, which is not counted.
    Empty,
    /// `WINDOW_UPDATE`, `PRIORITY` and unknown frames (CVE-2019-9511, CVE-2019-9513). A client may
    /// send one for each answer.
    Others,
}

impl Flood {
    const ALL: [Flood; 5] = [
        Flood::Resets,
        Flood::Settings,
        Flood::Pings,
        Flood::Empty,
        Flood::Others,
    ];

    /// How many may come in a second.
    const fn limit(self) -> u32 {
        match self {
            Flood::Resets => 2_000,
            Flood::Settings => 100,
            Flood::Pings => 1_000,
            Flood::Empty => 1_000,
            Flood::Others => 100_000,
        }
    }
}

/// Counts them.
#[derive(Debug)]
pub struct Floods {
    since: Instant,
    counts: [u32; Flood::ALL.len()],
}

impl Floods {
    pub fn new(now: Instant) -> Floods {
        Floods {
            since: now,
            counts: [0; Flood::ALL.len()],
        }
    }

    /// Counts a frame.
    pub fn count(&mut self, flood: Flood, now: Instant) -> Result<(), Code> {
        if now.duration_since(self.since) >= SECOND {
            *self = Floods::new(now);
        }
        let Some(count) = self.counts.get_mut(flood as usize) else {
            return Ok(());
        };
        *count += 1;
        if *count > flood.limit() {
            return Err(Code::EnhanceYourCalm);
        }
        Ok(())
    }
}
