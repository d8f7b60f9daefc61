//! Huffman-coded strings (RFC 7541, section 5.2 and appendix B).
//!
//! The code is canonical: shorter codes come first, and codes of the same length follow the order
//! of their symbols. So the lengths alone give the tables.

use super::Fault;

/// The end-of-string symbol, which must not occur in a string.
const EOS: u16 = 256;

/// The length of each symbol's code.
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5,
    5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6,
    6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22,
    23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22,
    21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20,
    22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19,
    21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22,
    22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

/// The longest code.
const LONGEST: usize = 30;

/// Codes up to this length are found with one look-up.
const SHORT: u32 = 8;

struct Tables {
    /// The symbol and the length for each first byte whose code is short; otherwise length 0.
    short: [(u16, u8); 1 << SHORT],
    /// All symbols in the order of their codes.
    symbols: [u16; 257],
    /// For each length, the end of its codes, shifted to the left of 32 bits.
    ends: [u64; LONGEST + 1],
    /// For each length, its first code and that code's place among the symbols.
    firsts: [(u32, usize); LONGEST + 1],
}

static TABLES: Tables = tables();

const fn tables() -> Tables {
    let mut made = Tables {
        short: [(0, 0); 1 << SHORT],
        symbols: [0; 257],
        ends: [0; LONGEST + 1],
        firsts: [(0, 0); LONGEST + 1],
    };
    let (mut code, mut place, mut length) = (0_u32, 0, 1);
    while length <= LONGEST {
        code <<= 1;
        made.firsts[length] = (code, place);
        let mut symbol = 0;
        while symbol < LENGTHS.len() {
            if LENGTHS[symbol] as usize == length {
                made.symbols[place] = symbol as u16;
                if length <= SHORT as usize {
                    let spare = SHORT - length as u32;
                    let first = (code << spare) as usize;
                    let mut other = 0;
                    while other < 1 << spare {
                        made.short[first + other] = (symbol as u16, length as u8);
                        other += 1;
                    }
                }
                code += 1;
                place += 1;
            }
            symbol += 1;
        }
        made.ends[length] = (code as u64) << (32 - length);
        length += 1;
    }
    made
}

impl Tables {
    /// The first symbol of these bits, and the length of its code. A code is complete, so there is
    /// always one.
    fn first(&self, bits: u32) -> (u16, u32) {
        let (symbol, length) = self.short[(bits >> (32 - SHORT)) as usize];
        if length > 0 {
            return (symbol, u32::from(length));
        }
        for length in SHORT as usize + 1..=LONGEST {
            if u64::from(bits) < self.ends[length] {
                let (first, place) = self.firsts[length];
                let code = bits >> (32 - length);
                let symbol = self.symbols.get(place + (code - first) as usize);
                return (symbol.copied().unwrap_or(EOS), length as u32);
            }
        }
        (EOS, LONGEST as u32)
    }
}

/// Appends the string that these bytes encode.
pub fn decode(bytes: &[u8], into: &mut Vec<u8>) -> Result<(), Fault> {
    let mut input = bytes.iter();
    // The unread bits, from the left, and their number.
    let (mut window, mut count) = (0_u64, 0_u32);
    loop {
        while count <= 56
            && let Some(byte) = input.next()
        {
            window |= u64::from(*byte) << (56 - count);
            count += 8;
        }
        let (symbol, length) = TABLES.first((window >> 32) as u32);
        if length > count {
            // The rest is padding: less than a byte, and the beginning of the end-of-string code.
            let ones = !(u64::MAX >> count);
            return if count < 8 && window == ones {
                Ok(())
            } else {
                Err(Fault)
            };
        }
        let Ok(byte) = u8::try_from(symbol) else {
            return Err(Fault);
        };
        into.push(byte);
        window <<= length;
        count -= length;
    }
}
