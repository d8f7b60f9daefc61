//! The metrics of all workers, in memory that they share.
//!
//! Each process writes its own, whole, and whoever is asked adds them up. Those of processes that have ended are one
//! more entry, so that counters never fall. The memory is locked by whoever calls, and is a list of entries: the
//! number of a process, a length, a text.

use portcullis_embed::metrics::{counters, sum};

/// The entry of all processes that have ended.
const ENDED: u32 = u32::MAX;

/// The length of the list comes first.
const HEAD: usize = size_of::<u32>();
/// The numbers before each text.
const ENTRY_HEAD: usize = 2 * size_of::<u32>();

/// Room that texts leave, so that every process has an entry, if only an empty one.
pub const RESERVED: usize = 16 << 10;

/// Empties memory of any content.
pub fn clear(memory: &mut [u8]) {
    write(memory, &[], 0);
}

/// Replaces the metrics of a process. Returns whether there was room for them. If there isn't, the counters of ended
/// processes are dropped, since their routes may have been removed. If that isn't enough, no metrics are served until
/// there is room, because they would be incomplete.
pub fn publish(memory: &mut [u8], process: u32, text: &str) -> bool {
    let mut entries = read(memory);
    entries.retain(|(other, _)| *other != process);
    entries.push((process, text.to_owned()));
    if write(memory, &entries, RESERVED) {
        return true;
    }
    entries.retain(|(other, _)| *other != ENDED);
    if write(memory, &entries, RESERVED) {
        return true;
    }
    entries.pop();
    entries.push((process, String::new()));
    write(memory, &entries, 0);
    false
}

/// Adds the counters of a process that has ended, or that begins anew under this number, to those of the others.
pub fn retire(memory: &mut [u8], process: u32) {
    let (over, mut rest): (Vec<_>, Vec<_>) = read(memory)
        .into_iter()
        .partition(|(other, _)| [process, ENDED].contains(other));
    if !over.iter().any(|(other, _)| *other == process) {
        return;
    }
    let together = counters(&sum(over.iter().map(|(_, text)| text.as_str())));
    rest.push((ENDED, together));
    write(memory, &rest, 0);
}

/// The metrics of all; `None` if some process had no room for its own.
pub fn together(memory: &[u8]) -> Option<String> {
    let entries = read(memory);
    let complete = entries.iter().all(|(_, text)| !text.is_empty());
    complete.then(|| sum(entries.iter().map(|(_, text)| text.as_str())))
}

/// A process that was killed while it wrote has left an empty list.
fn read(memory: &[u8]) -> Vec<(u32, String)> {
    let Some((length, rest)) = number(memory) else {
        return Vec::new();
    };
    let mut rest = rest.get(..length as usize).unwrap_or_default();
    let mut entries = Vec::new();
    while let Some((process, length, text)) = entry(rest) {
        entries.push((process, String::from_utf8_lossy(text).into_owned()));
        rest = rest.get(ENTRY_HEAD + length..).unwrap_or_default();
    }
    entries
}

fn entry(bytes: &[u8]) -> Option<(u32, usize, &[u8])> {
    let (process, rest) = number(bytes)?;
    let (length, rest) = number(rest)?;
    let length = length as usize;
    Some((process, length, rest.get(..length)?))
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_ne_bytes(*number), rest))
}

/// Writes all entries if so much room is left behind them.
fn write(memory: &mut [u8], entries: &[(u32, String)], reserved: usize) -> bool {
    let mut list = Vec::new();
    for (process, text) in entries {
        let Ok(length) = u32::try_from(text.len()) else {
            return false;
        };
        list.extend(process.to_ne_bytes());
        list.extend(length.to_ne_bytes());
        list.extend(text.as_bytes());
    }
    let Ok(length) = u32::try_from(list.len()) else {
        return false;
    };
    let Some((head, rest)) = memory.split_at_mut_checked(HEAD) else {
        return false;
    };
    if list.len().saturating_add(reserved) > rest.len() {
        return false;
    }
    head.fill(0);
    if let Some(room) = rest.get_mut(..list.len()) {
        room.copy_from_slice(&list);
    }
    head.copy_from_slice(&length.to_ne_bytes());
    true
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test says so and stops")]

    use super::*;

    fn memory() -> Vec<u8> {
        let mut memory = vec![0xa5; 2 * RESERVED];
        clear(&mut memory);
        memory
    }

    fn text(count: u64) -> String {
        format!("# TYPE a counter\na_total {count}\n# TYPE b gauge\nb {count}\n# EOF\n")
    }

    #[test]
    fn processes_are_added_up_and_each_replaces_its_own() {
        let mut memory = memory();
        assert_eq!(together(&memory).unwrap(), "# EOF\n");
        assert!(publish(&mut memory, 1, &text(2)));
        assert!(publish(&mut memory, 2, &text(3)));
        assert!(publish(&mut memory, 1, &text(5)));
        let all = together(&memory).unwrap();
        assert!(all.contains("a_total 8\n"), "{all}");
    }

    #[test]
    fn counters_outlive_their_processes_and_gauges_do_not() {
        let mut memory = memory();
        for _ in 0..3 {
            // It begins where another has ended, in order or not.
            retire(&mut memory, 1);
            publish(&mut memory, 1, &text(7));
        }
        let all = together(&memory).unwrap();
        assert!(
            all.contains("a_total 21\n") && all.contains("b 7\n"),
            "{all}"
        );
        retire(&mut memory, 1);
        let all = together(&memory).unwrap();
        assert!(
            all.contains("a_total 21\n") && !all.contains("b 7\n"),
            "{all}"
        );
    }

    #[test]
    fn without_room_there_are_no_metrics_until_there_is() {
        let mut memory = memory();
        assert!(publish(&mut memory, 1, &text(1)));
        let long = "x".repeat(RESERVED);
        assert!(!publish(&mut memory, 2, &long));
        assert_eq!(together(&memory), None);
        assert!(publish(&mut memory, 1, &text(2)));
        assert_eq!(together(&memory), None);
        assert!(publish(&mut memory, 2, &text(3)));
        assert!(together(&memory).unwrap().contains("a_total 5\n"));
    }

    #[test]
    fn what_has_ended_makes_room() {
        let mut memory = memory();
        let long = format!(
            "# TYPE a counter\na_total{{b=\"{}\"}} 1\n# EOF\n",
            "x".repeat(RESERVED / 2)
        );
        assert!(publish(&mut memory, 1, &long));
        retire(&mut memory, 1);
        assert!(together(&memory).unwrap().contains("xxx"));
        let other = long.replace('x', "y");
        assert!(publish(&mut memory, 1, &other));
        let all = together(&memory).unwrap();
        assert!(all.contains("yyy") && !all.contains("xxx"));
    }

    #[test]
    fn memory_that_makes_no_sense_is_read_within_its_bounds() {
        for length in [0, 1, 3, 4, 5, 12, 64] {
            for byte in [0, 1, 0xff] {
                let mut memory = vec![byte; length];
                together(&memory);
                publish(&mut memory, 1, "text");
                retire(&mut memory, 1);
            }
        }
    }
}
