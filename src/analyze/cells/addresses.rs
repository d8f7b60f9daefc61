//! Addresses, grouped by the ranges that contain them.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::value::AddressSet;

use super::super::limits::MAX_CELLS;
use super::texts::TooMany;

/// Addresses that are in the same ranges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressCell {
    /// For each set, in order, whether it contains these addresses.
    pub answers: Vec<bool>,
    /// One of the addresses.
    pub example: IpAddr,
}

/// Preferred examples: addresses reserved for documentation (RFC 5737, RFC 3849).
const USUAL: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)),
    IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7)),
];

/// The cells of all addresses. A cell begins at the start of a range and after its end.
pub fn cells(sets: &[Arc<AddressSet>]) -> Result<Vec<AddressCell>, TooMany> {
    let mut starts: BTreeSet<IpAddr> = BTreeSet::from([
        IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    ]);
    for range in sets.iter().flat_map(|set| set.ranges()) {
        starts.insert(range.first());
        starts.extend(next(range.last()));
    }
    // IPv4-mapped addresses are IPv4, so they are no cell of IPv6.
    starts.retain(|address| *address == address.to_canonical());
    let mut cells: Vec<AddressCell> = Vec::new();
    let mut by_answers: HashMap<Vec<bool>, usize> = HashMap::new();
    for example in USUAL.into_iter().chain(starts) {
        let answers: Vec<bool> = sets.iter().map(|set| set.contains(example)).collect();
        by_answers.entry(answers.clone()).or_insert_with(|| {
            cells.push(AddressCell { answers, example });
            cells.len() - 1
        });
    }
    if cells.len() > MAX_CELLS {
        return Err(TooMany);
    }
    Ok(cells)
}

/// The next address of the family, skipping the IPv4-mapped ones of IPv6.
fn next(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(v4) => u32::from(v4)
            .checked_add(1)
            .map(|bits| IpAddr::V4(Ipv4Addr::from(bits))),
        IpAddr::V6(v6) => {
            let bits = u128::from(v6).checked_add(1)?;
            let next = IpAddr::V6(Ipv6Addr::from(bits));
            match next.to_canonical() {
                IpAddr::V6(_) => Some(next),
                IpAddr::V4(_) => Some(IpAddr::V6(Ipv6Addr::from(0x1_0000_0000_0000))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::AddressRange;

    fn set(ranges: &[&str]) -> Arc<AddressSet> {
        Arc::new(AddressSet::new(
            ranges
                .iter()
                .map(|text| AddressRange::parse(text).expect("a range"))
                .collect(),
        ))
    }

    #[test]
    fn two_halves_equal_the_whole_and_a_gap_is_found() {
        let whole = set(&["192.0.2.0/24"]);
        let halves = set(&["192.0.2.0/25", "192.0.2.128/25"]);
        let without_last = set(&["192.0.2.0/25", "192.0.2.128/26", "192.0.2.192/27"]);
        assert_eq!(cells(&[whole.clone(), halves]).expect("few").len(), 2);
        let cells = cells(&[whole, without_last]).expect("few");
        let hole = cells
            .iter()
            .find(|cell| cell.answers == [true, false])
            .expect("a hole");
        assert_eq!(hole.example.to_string(), "192.0.2.224");
    }
}
