//! Writes protobuf.

/// Writes the fields of a message.
pub struct Writer<'o>(pub &'o mut Vec<u8>);

impl Writer<'_> {
    /// A number. Zero isn't written, as protobuf has it.
    pub fn number(&mut self, field: u32, number: u64) {
        if number != 0 {
            self.varint(u64::from(field) << 3);
            self.varint(number);
        }
    }

    /// A text. The empty one isn't written, except that a list would lose it; no list has one.
    pub fn text(&mut self, field: u32, text: &str) {
        if !text.is_empty() {
            self.varint(u64::from(field) << 3 | 2);
            self.varint(text.len() as u64);
            self.0.extend_from_slice(text.as_bytes());
        }
    }

    /// A message, whose length is known when it is written.
    pub fn message(&mut self, field: u32, write: impl FnOnce(&mut Writer<'_>)) {
        self.varint(u64::from(field) << 3 | 2);
        let begin = self.0.len();
        // Most are so short that one byte is enough.
        self.0.push(0);
        write(&mut Writer(self.0));
        let mut length = self.0.len() - begin - 1;
        let mut at = begin;
        loop {
            let [low, ..] = length.to_le_bytes();
            length >>= 7;
            let more = if length > 0 { 0x80 } else { 0 };
            if let Some(byte) = self.0.get_mut(at) {
                *byte = low & 0x7f | more;
            }
            if length == 0 {
                return;
            }
            at += 1;
            self.0.insert(at, 0);
        }
    }

    fn varint(&mut self, mut number: u64) {
        loop {
            let [low, ..] = number.to_le_bytes();
            number >>= 7;
            if number == 0 {
                self.0.push(low & 0x7f);
                return;
            }
            self.0.push(low | 0x80);
        }
    }
}
