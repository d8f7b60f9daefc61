//! Values that policies and tokens share: types, numbers, and ranges of addresses.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Deref;
use std::sync::Arc;

/// The type of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClaimType {
    /// A JSON string.
    String,
    /// A JSON number; integers beyond ±(2^53-1) are missing.
    Number,
    /// A JSON boolean.
    Boolean,
    /// A NumericDate (RFC 7519, section 2).
    Time,
    /// A JSON array of strings, or a single string.
    ListOfString,
    /// A JSON array of numbers.
    ListOfNumber,
    /// A string, split at spaces into a list.
    Words,
}

impl ClaimType {
    /// The name in policies.
    pub fn as_str(self) -> &'static str {
        match self {
            ClaimType::String => "string",
            ClaimType::Number => "number",
            ClaimType::Boolean => "boolean",
            ClaimType::Time => "time",
            ClaimType::ListOfString => "list of string",
            ClaimType::ListOfNumber => "list of number",
            ClaimType::Words => "words",
        }
    }
}

impl fmt::Display for ClaimType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The largest integer that a JSON number represents exactly in every implementation (RFC 8259,
/// section 6): 2^53-1.
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// [`MAX_SAFE_INTEGER`] as a double.
#[expect(clippy::cast_precision_loss, reason = "2^53-1 is exact as a double")]
pub const MAX_SAFE_NUMBER: f64 = MAX_SAFE_INTEGER as f64;

/// A number in a policy. Zero has no sign, so numbers that compare as equal are equal as keys too.
#[derive(Debug, Clone, Copy)]
pub struct Number(f64);

impl Number {
    /// A number; it must be finite.
    pub fn new(number: f64) -> Number {
        // The sum of both zeros is the positive one.
        Number(number + 0.0)
    }

    /// The number as a double.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

/// Numbers of a list in a policy: sorted, without duplicates.
#[derive(Debug, Clone)]
pub struct Numbers(Arc<[f64]>);

impl Numbers {
    /// The set of these numbers.
    pub fn new(numbers: impl IntoIterator<Item = f64>) -> Numbers {
        let numbers = numbers.into_iter().map(|number| Number::new(number).get());
        let mut numbers: Vec<f64> = numbers.collect();
        numbers.sort_by(f64::total_cmp);
        numbers.dedup();
        Numbers(numbers.into())
    }

    fn bits(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|number| number.to_bits())
    }
}

impl Deref for Numbers {
    type Target = [f64];

    fn deref(&self) -> &[f64] {
        &self.0
    }
}

impl PartialEq for Numbers {
    fn eq(&self, other: &Numbers) -> bool {
        self.bits().eq(other.bits())
    }
}

impl Eq for Numbers {}

impl Hash for Numbers {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.len().hash(state);
        self.bits().for_each(|bits| bits.hash(state));
    }
}

/// A range of addresses of one family, from `first` to `last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange {
    v6: bool,
    first: u128,
    last: u128,
}

/// Why a text isn't an address range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressRangeError {
    /// It is neither an address nor an address, `/` and a prefix length.
    NotARange,
    /// Bits after the prefix are set.
    HostBits,
}

impl AddressRange {
    /// Reads `192.0.2.1`, `192.0.2.0/24`, `2001:db8::/32`.
    ///
    /// An IPv4-mapped IPv6 address is IPv4, as it is in a request.
    pub fn parse(text: &str) -> Result<AddressRange, AddressRangeError> {
        let (address, length) = match text.split_once('/') {
            None => (text, None),
            Some((address, length)) => {
                let plain = !length.is_empty()
                    && length.len() <= 3
                    && length.bytes().all(|byte| byte.is_ascii_digit())
                    && (length == "0" || !length.starts_with('0'));
                let length = plain
                    .then(|| length.parse::<u32>().ok())
                    .flatten()
                    .ok_or(AddressRangeError::NotARange)?;
                (address, Some(length))
            }
        };
        let address: IpAddr = address.parse().map_err(|_| AddressRangeError::NotARange)?;
        let (v6, bits, width) = match address {
            IpAddr::V4(v4) => (false, u128::from(u32::from(v4)), 32),
            IpAddr::V6(v6) => (true, u128::from(v6), 128),
        };
        let length = length.unwrap_or(width);
        if length > width {
            return Err(AddressRangeError::NotARange);
        }
        let host_bits = match width - length {
            128 => u128::MAX,
            free => (1_u128 << free) - 1,
        };
        if bits & host_bits != 0 {
            return Err(AddressRangeError::HostBits);
        }
        Ok(AddressRange {
            v6,
            first: bits,
            last: bits | host_bits,
        }
        .canonical())
    }

    /// Converts an IPv4-mapped range to the IPv4 range.
    fn canonical(self) -> AddressRange {
        const MAPPED: u128 = 0xffff_0000_0000;
        if self.v6 && self.first & !0xffff_ffff == MAPPED && self.last & !0xffff_ffff == MAPPED {
            AddressRange {
                v6: false,
                first: self.first & 0xffff_ffff,
                last: self.last & 0xffff_ffff,
            }
        } else {
            self
        }
    }

    /// The first address.
    pub fn first(&self) -> IpAddr {
        self.address(self.first)
    }

    /// The last address.
    pub fn last(&self) -> IpAddr {
        self.address(self.last)
    }

    fn address(&self, bits: u128) -> IpAddr {
        if self.v6 {
            IpAddr::V6(Ipv6Addr::from(bits))
        } else {
            IpAddr::V4(Ipv4Addr::from(u32::try_from(bits).unwrap_or(u32::MAX)))
        }
    }
}

/// A set of addresses: sorted ranges that neither overlap nor touch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct AddressSet {
    ranges: Vec<AddressRange>,
}

impl AddressSet {
    /// The union of ranges.
    pub fn new(mut ranges: Vec<AddressRange>) -> AddressSet {
        ranges.sort_unstable();
        let mut merged: Vec<AddressRange> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match merged.last_mut() {
                Some(last) if last.v6 == range.v6 && range.first <= last.last.saturating_add(1) => {
                    last.last = last.last.max(range.last);
                }
                _ => merged.push(range),
            }
        }
        AddressSet { ranges: merged }
    }

    /// Its ranges, in order.
    pub fn ranges(&self) -> &[AddressRange] {
        &self.ranges
    }

    /// Whether it contains an address; an IPv4-mapped address counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (v6, bits) = match address.to_canonical() {
            IpAddr::V4(v4) => (false, u128::from(u32::from(v4))),
            IpAddr::V6(v6) => (true, u128::from(v6)),
        };
        let after = self
            .ranges
            .partition_point(|range| (range.v6, range.first) <= (v6, bits));
        after
            .checked_sub(1)
            .and_then(|at| self.ranges.get(at))
            .is_some_and(|range| range.v6 == v6 && bits <= range.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ranges: &[&str]) -> AddressSet {
        AddressSet::new(
            ranges
                .iter()
                .map(|text| AddressRange::parse(text).expect("a range"))
                .collect(),
        )
    }

    #[test]
    fn ranges_are_exact_at_both_ends() {
        let office = set(&["192.0.2.0/25", "192.0.2.128/25", "2001:db8::/32"]);
        assert_eq!(office.ranges().len(), 2, "the halves touch and are one");
        for (address, inside) in [
            ("192.0.1.255", false),
            ("192.0.2.0", true),
            ("192.0.2.255", true),
            ("192.0.3.0", false),
            ("::ffff:192.0.2.7", true),
            ("2001:db8::1", true),
            ("2001:db9::", false),
        ] {
            assert_eq!(
                office.contains(address.parse().expect("an address")),
                inside,
                "{address}"
            );
        }
    }

    #[test]
    fn an_invalid_range_is_refused() {
        for text in [
            "",
            "10.0.0.0/33",
            "10.0.0.0/08",
            "10.0.0.0/+8",
            "10.0.0.0/",
            "10.0.0",
            "x",
        ] {
            assert_eq!(
                AddressRange::parse(text),
                Err(AddressRangeError::NotARange),
                "{text}"
            );
        }
        assert_eq!(
            AddressRange::parse("10.0.0.1/8"),
            Err(AddressRangeError::HostBits)
        );
        assert!(AddressRange::parse("0.0.0.0/0").is_ok());
        assert!(AddressRange::parse("::/0").is_ok());
    }
}
