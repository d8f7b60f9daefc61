//! Reads a CheckRequest from its bytes, without copying it.
//!
//! It reads exactly what prost reads with the types in `messages.rs`, and refuses what prost
//! refuses: a field that comes again replaces a scalar and merges with a message, unknown fields
//! are skipped, text is UTF-8. A test compares the two on any bytes.

use std::fmt;

use super::seen::{Http, Seen, Source};

/// How deep messages and groups may be nested, the message itself not counted (prost's limit).
const DEPTH: u32 = 100;

/// Bytes that are not a CheckRequest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotProtobuf;

impl fmt::Display for NotProtobuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is not the protobuf message that Envoy sends")
    }
}

/// How a field is written (protobuf, "Message Structure").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    Varint,
    Fixed64,
    Bytes,
    Group,
    EndOfGroup,
    Fixed32,
}

/// Reads a CheckRequest.
pub fn check_request(bytes: &[u8]) -> Result<Seen<'_>, NotProtobuf> {
    let mut seen = Seen::default();
    Message(bytes).each(DEPTH, |field, rest, depth| match field {
        (1, Wire::Bytes) => rest.message(depth, |message, depth| {
            attributes(message, depth, &mut seen)
        }),
        _ => rest.skip_unless_known(field, &[1], depth),
    })?;
    if let Some(http) = &mut seen.http {
        last_of_each(&mut http.joined);
    }
    Ok(seen)
}

fn attributes<'m>(message: Message<'m>, depth: u32, seen: &mut Seen<'m>) -> Read {
    message.each(depth, |field, rest, depth| match field {
        (1, Wire::Bytes) => {
            let source = seen.source.get_or_insert_default();
            rest.message(depth, |message, depth| peer(message, depth, source))
        }
        (4, Wire::Bytes) => rest.message(depth, |message, depth| {
            request(message, depth, &mut seen.http)
        }),
        _ => rest.skip_unless_known(field, &[1, 4], depth),
    })
}

fn peer<'m>(message: Message<'m>, depth: u32, source: &mut Source<'m>) -> Read {
    message.each(depth, |field, rest, depth| match field {
        (1, Wire::Bytes) => rest.message(depth, |message, depth| {
            address(message, depth, &mut source.address)
        }),
        (5, Wire::Bytes) => rest.text(&mut source.certificate),
        _ => rest.skip_unless_known(field, &[1, 5], depth),
    })
}

fn address<'m>(message: Message<'m>, depth: u32, into: &mut Option<&'m str>) -> Read {
    message.each(depth, |field, rest, depth| match field {
        (1, Wire::Bytes) => {
            let text = into.get_or_insert_default();
            rest.message(depth, |message, depth| socket_address(message, depth, text))
        }
        _ => rest.skip_unless_known(field, &[1], depth),
    })
}

fn socket_address<'m>(message: Message<'m>, depth: u32, text: &mut &'m str) -> Read {
    message.each(depth, |field, rest, depth| match field {
        (2, Wire::Bytes) => rest.text(text),
        _ => rest.skip_unless_known(field, &[2], depth),
    })
}

fn request<'m>(message: Message<'m>, depth: u32, into: &mut Option<Http<'m>>) -> Read {
    message.each(depth, |field, rest, depth| match field {
        (2, Wire::Bytes) => {
            let into = into.get_or_insert_default();
            rest.message(depth, |message, depth| http(message, depth, into))
        }
        _ => rest.skip_unless_known(field, &[2], depth),
    })
}

fn http<'m>(message: Message<'m>, depth: u32, http: &mut Http<'m>) -> Read {
    message.each(depth, |field, rest, depth| match field {
        (2, Wire::Bytes) => rest.text(&mut http.method),
        (3, Wire::Bytes) => {
            let mut entry = ("", "");
            rest.message(depth, |message, depth| {
                message.each(depth, |field, rest, depth| match field {
                    (1, Wire::Bytes) => rest.text(&mut entry.0),
                    (2, Wire::Bytes) => rest.text(&mut entry.1),
                    _ => rest.skip_unless_known(field, &[1, 2], depth),
                })
            })?;
            http.joined.push(entry);
            Ok(())
        }
        (4, Wire::Bytes) => rest.text(&mut http.path),
        (5, Wire::Bytes) => rest.text(&mut http.host),
        (6, Wire::Bytes) => rest.text(&mut http.scheme),
        (13, Wire::Bytes) => {
            let raw = http.raw.get_or_insert_default();
            rest.message(depth, |message, depth| header_map(message, depth, raw))
        }
        _ => rest.skip_unless_known(field, &[2, 3, 4, 5, 6, 13], depth),
    })
}

fn header_map<'m>(message: Message<'m>, depth: u32, raw: &mut Vec<(&'m str, &'m [u8])>) -> Read {
    message.each(depth, |field, rest, depth| match field {
        (1, Wire::Bytes) => {
            let (mut key, mut value, mut raw_value) = ("", "", &[][..]);
            rest.message(depth, |message, depth| {
                message.each(depth, |field, rest, depth| match field {
                    (1, Wire::Bytes) => rest.text(&mut key),
                    // Not used, but it has to be text.
                    (2, Wire::Bytes) => rest.text(&mut value),
                    (3, Wire::Bytes) => {
                        raw_value = rest.bytes()?;
                        Ok(())
                    }
                    _ => rest.skip_unless_known(field, &[1, 2, 3], depth),
                })
            })?;
            raw.push((key, raw_value));
            Ok(())
        }
        _ => rest.skip_unless_known(field, &[1], depth),
    })
}

/// Sorts the entries of a map by name, and keeps the last one of each name.
fn last_of_each<'m>(entries: &mut Vec<(&'m str, &'m str)>) {
    entries.sort_by_key(|(name, _)| *name);
    entries.dedup_by(|next, kept| {
        let is_same = next.0 == kept.0;
        if is_same {
            kept.1 = next.1;
        }
        is_same
    });
}

type Read = Result<(), NotProtobuf>;

/// A field's number and how it is written.
type Field = (u32, Wire);

/// The bytes of a message.
#[derive(Clone, Copy)]
struct Message<'m>(&'m [u8]);

impl<'m> Message<'m> {
    /// Hands each field on, together with the bytes behind its key.
    fn each(self, depth: u32, mut take: impl FnMut(Field, &mut Rest<'m>, u32) -> Read) -> Read {
        let mut rest = Rest(self.0);
        while !rest.0.is_empty() {
            let field = rest.key()?;
            take(field, &mut rest, depth)?;
        }
        Ok(())
    }
}

/// What is left of a message.
struct Rest<'m>(&'m [u8]);

impl<'m> Rest<'m> {
    fn key(&mut self) -> Result<Field, NotProtobuf> {
        let key = u32::try_from(self.varint()?).map_err(|_| NotProtobuf)?;
        let wire = match key & 7 {
            0 => Wire::Varint,
            1 => Wire::Fixed64,
            2 => Wire::Bytes,
            3 => Wire::Group,
            4 => Wire::EndOfGroup,
            5 => Wire::Fixed32,
            _ => return Err(NotProtobuf),
        };
        match key >> 3 {
            0 => Err(NotProtobuf),
            number => Ok((number, wire)),
        }
    }

    fn varint(&mut self) -> Result<u64, NotProtobuf> {
        let mut value = 0;
        for at in 0..10 {
            let (byte, rest) = self.0.split_first().ok_or(NotProtobuf)?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << (7 * at);
            if *byte < 0x80 {
                // The tenth byte has room for one bit.
                return if at < 9 || *byte < 2 {
                    Ok(value)
                } else {
                    Err(NotProtobuf)
                };
            }
        }
        Err(NotProtobuf)
    }

    fn take(&mut self, count: u64) -> Result<&'m [u8], NotProtobuf> {
        let count = usize::try_from(count).map_err(|_| NotProtobuf)?;
        let (taken, rest) = self.0.split_at_checked(count).ok_or(NotProtobuf)?;
        self.0 = rest;
        Ok(taken)
    }

    fn bytes(&mut self) -> Result<&'m [u8], NotProtobuf> {
        let length = self.varint()?;
        self.take(length)
    }

    fn text(&mut self, into: &mut &'m str) -> Read {
        *into = std::str::from_utf8(self.bytes()?).map_err(|_| NotProtobuf)?;
        Ok(())
    }

    fn message(&mut self, depth: u32, read: impl FnOnce(Message<'m>, u32) -> Read) -> Read {
        let depth = depth.checked_sub(1).ok_or(NotProtobuf)?;
        let bytes = self.bytes()?;
        read(Message(bytes), depth)
    }

    /// Skips a field that this program doesn't know; one that it knows is written in another way.
    fn skip_unless_known(&mut self, field: Field, known: &[u32], depth: u32) -> Read {
        if known.contains(&field.0) {
            return Err(NotProtobuf);
        }
        self.skip(field, depth)
    }

    fn skip(&mut self, (number, wire): Field, depth: u32) -> Read {
        if depth == 0 {
            return Err(NotProtobuf);
        }
        match wire {
            Wire::Varint => self.varint().map(|_| ()),
            Wire::Fixed64 => self.take(8).map(|_| ()),
            Wire::Bytes => self.bytes().map(|_| ()),
            Wire::Fixed32 => self.take(4).map(|_| ()),
            Wire::Group => loop {
                match self.key()? {
                    (end, Wire::EndOfGroup) if end == number => return Ok(()),
                    (_, Wire::EndOfGroup) => return Err(NotProtobuf),
                    field => self.skip(field, depth - 1)?,
                }
            },
            Wire::EndOfGroup => Err(NotProtobuf),
        }
    }
}

#[cfg(test)]
mod tests;
