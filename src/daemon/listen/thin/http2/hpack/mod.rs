//! HPACK (RFC 7541): reads the header blocks of requests, and writes those of responses.
//!
//! A peer chooses what is in a block, so nothing here copies more than one field at a time, however
//! often a block refers to a large one. Responses use no dynamic table: nothing has to be kept, and
//! what never changes is written once.

mod field;
mod huffman;
mod table;
#[cfg(test)]
mod tests;

pub use field::{Field, Name};
pub use table::OVERHEAD;

use table::{MAX_SIZE, Table};

/// A block that can't be read. The tables of both sides may differ from here on, so it ends the
/// connection (RFC 9113, section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault;

/// How much memory is kept for the next block. A usual field is far smaller.
const KEPT: usize = 8192;

/// Takes the fields of a block.
pub trait Fields {
    /// The next field.
    fn field(&mut self, field: &Field<'_>);
}

/// Reads header blocks.
#[derive(Debug)]
pub struct Decoder {
    table: Table,
    /// The name and the value of a field that is not in a table.
    literal: Vec<u8>,
}

impl Decoder {
    pub fn new() -> Decoder {
        Decoder {
            table: Table::new(),
            literal: Vec::new(),
        }
    }

    /// Reads a block. The fields before a fault are not worth anything either.
    pub fn read(&mut self, block: &[u8], fields: &mut impl Fields) -> Result<(), Fault> {
        let mut rest = block;
        let mut begun = false;
        while let Some(first) = rest.first() {
            match first {
                0x80.. => {
                    let index = integer(&mut rest, 7)?;
                    fields.field(&self.table.field(index).ok_or(Fault)?);
                }
                0x40.. => self.literal(&mut rest, 6, fields)?,
                0x20.. => {
                    let max = integer(&mut rest, 5)?;
                    // At the beginning of a block (RFC 7541, section 4.2).
                    if begun || max > MAX_SIZE {
                        return Err(Fault);
                    }
                    self.table.resize(max);
                    continue;
                }
                _ => self.literal(&mut rest, 4, fields)?,
            }
            begun = true;
        }
        if self.literal.capacity() > KEPT {
            self.literal = Vec::new();
        }
        Ok(())
    }

    /// A field that is not in a table, or only its name is; with a prefix of six bits it is added
    /// to the dynamic table (RFC 7541, section 6.2).
    fn literal(
        &mut self,
        rest: &mut &[u8],
        prefix: u32,
        fields: &mut impl Fields,
    ) -> Result<(), Fault> {
        let index = integer(rest, prefix)?;
        self.literal.clear();
        let known = if index == 0 {
            string(rest, &mut self.literal)?;
            None
        } else {
            let field = self.table.field(index).ok_or(Fault)?;
            self.literal.extend_from_slice(field.text);
            Some(field.name)
        };
        let split = self.literal.len();
        string(rest, &mut self.literal)?;
        let (text, value) = self.literal.split_at(split);
        let name = known.unwrap_or_else(|| Name::of(text));
        let field = Field {
            name,
            text,
            value,
            is_sound: field::is_sound(name, text, value),
        };
        fields.field(&field);
        if prefix == 6 {
            self.table.add(&field);
        }
        Ok(())
    }
}

/// How many bytes may follow the prefix of an integer: more would be for numbers of more than 28
/// bits, which nothing here can have.
const INTEGER_BYTES: u32 = 4;

/// An integer with a prefix of so many bits (RFC 7541, section 5.1).
fn integer(rest: &mut &[u8], prefix: u32) -> Result<usize, Fault> {
    let mut next = || {
        let (first, more) = rest.split_first()?;
        *rest = more;
        Some(usize::from(*first))
    };
    let most = (1 << prefix) - 1;
    let mut value = next().ok_or(Fault)? & most;
    if value < most {
        return Ok(value);
    }
    for at in 0..INTEGER_BYTES {
        let byte = next().ok_or(Fault)?;
        value += (byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Fault)
}

/// Appends a string (RFC 7541, section 5.2).
fn string(rest: &mut &[u8], into: &mut Vec<u8>) -> Result<(), Fault> {
    let is_coded = rest.first().is_some_and(|first| first & 0x80 != 0);
    let length = integer(rest, 7)?;
    let (text, more) = rest.split_at_checked(length).ok_or(Fault)?;
    *rest = more;
    if is_coded {
        huffman::decode(text, into)
    } else {
        into.extend_from_slice(text);
        Ok(())
    }
}

/// Shrinks the peer's table for responses to nothing. It comes before the first block, so that a
/// later setting of the peer changes nothing (RFC 7541, section 4.2).
pub const NO_TABLE: u8 = 0x20;

/// `:status: 200`, which is in the static table.
pub const STATUS_OK: u8 = 0x88;

/// Writes a field that no table remembers.
pub fn put(block: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    block.push(0);
    put_string(block, name);
    put_string(block, value);
}

fn put_string(block: &mut Vec<u8>, text: &[u8]) {
    const MOST: usize = 0x7f;
    let length = text.len();
    if length < MOST {
        block.push(length as u8);
    } else {
        block.push(MOST as u8);
        let mut more = length - MOST;
        while more > MOST {
            block.push((more & MOST) as u8 | 0x80);
            more >>= 7;
        }
        block.push(more as u8);
    }
    block.extend_from_slice(text);
}
