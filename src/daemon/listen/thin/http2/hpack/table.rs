//! The tables of header fields (RFC 7541, section 2.3).

use std::collections::VecDeque;

use super::field::{Field, Name};

/// How large the dynamic table may become: the size that applies without a setting, which this
/// server doesn't change.
pub const MAX_SIZE: usize = 4096;

/// What an entry counts beyond its bytes (RFC 7541, section 4.1).
pub const OVERHEAD: usize = 32;

/// The dynamic table, behind the static one.
#[derive(Debug)]
pub struct Table {
    /// The newest comes first.
    entries: VecDeque<Entry>,
    size: usize,
    max: usize,
}

#[derive(Debug)]
struct Entry {
    /// The name, then the value.
    bytes: Box<[u8]>,
    split: usize,
    name: Name,
    is_sound: bool,
}

impl Entry {
    fn field(&self) -> Field<'_> {
        let (text, value) = self.bytes.split_at(self.split);
        Field {
            name: self.name,
            text,
            value,
            is_sound: self.is_sound,
        }
    }

    fn size(&self) -> usize {
        self.bytes.len() + OVERHEAD
    }
}

impl Table {
    pub fn new() -> Table {
        Table {
            entries: VecDeque::new(),
            size: 0,
            max: MAX_SIZE,
        }
    }

    /// The field of an index, which counts from 1 (RFC 7541, section 2.3.3).
    pub fn field(&self, index: usize) -> Option<Field<'_>> {
        let index = index.checked_sub(1)?;
        if let Some((text, value)) = STATIC.get(index) {
            let name = *NAMES.get(index)?;
            return Some(Field {
                name,
                text: text.as_bytes(),
                value: value.as_bytes(),
                // Their characters are.
                is_sound: !matches!(name, Name::UnknownPseudo | Name::Connection),
            });
        }
        self.entries.get(index - STATIC.len()).map(Entry::field)
    }

    /// Adds a field; one that is larger than the table empties it (RFC 7541, section 4.4).
    pub fn add(&mut self, field: &Field<'_>) {
        let size = field.text.len() + field.value.len() + OVERHEAD;
        self.evict(self.max.saturating_sub(size));
        if size <= self.max {
            self.size += size;
            self.entries.push_front(Entry {
                bytes: [field.text, field.value].concat().into(),
                split: field.text.len(),
                name: field.name,
                is_sound: field.is_sound,
            });
        }
    }

    /// Changes how large it may become.
    pub fn resize(&mut self, max: usize) {
        self.max = max;
        self.evict(max);
    }

    fn evict(&mut self, room: usize) {
        while self.size > room
            && let Some(oldest) = self.entries.pop_back()
        {
            self.size -= oldest.size();
        }
    }
}

/// What the names of the static table are to this server.
static NAMES: [Name; STATIC.len()] = {
    let mut names = [Name::Other; STATIC.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = Name::of(STATIC[at].0.as_bytes());
        at += 1;
    }
    names
};

/// The static table (RFC 7541, appendix A).
const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];
