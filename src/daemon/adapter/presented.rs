//! What a proxy sends over HTTP, whichever server has read it.

use memchr::memchr2;

use crate::runtime::original::Malformed;

/// A proxy's message.
#[derive(Debug, Clone, Copy)]
pub struct Sent<'a> {
    /// The method and the target as they stand in the request line; `None` if the line can't be
    /// told from what came before it.
    pub line: Option<(&'a [u8], &'a [u8])>,
    /// The headers.
    pub headers: &'a Headers<'a>,
}

/// Headers with names in lower case. Several of one name are in the order in which they were sent,
/// and so are the first ones of all names.
pub type Headers<'a> = [(&'a str, &'a [u8])];

/// The value of a header of the adapter's protocol: exactly once, printable ASCII.
///
/// A proxy that sets it replaces the client's value. If the proxy appended instead, there are two
/// values, and either could be the client's.
pub fn one<'a>(headers: &Headers<'a>, name: &str) -> Result<&'a str, Malformed> {
    let bytes = one_raw(headers, name)?;
    let text = std::str::from_utf8(bytes)
        .ok()
        .filter(|text| text.bytes().all(|byte| (0x20..0x7f).contains(&byte)))
        .ok_or_else(|| Malformed::new(format!("the header `{name}` is not printable ASCII")))?;
    if text.contains(',') {
        return Err(Malformed::header(name, "has several values"));
    }
    Ok(text)
}

/// A request target in a header of the adapter's protocol: exactly once, with its bytes unchanged.
///
/// A comma may occur in a target, but not before a space, which no target contains, nor, in the
/// path, before a slash: that is two targets joined.
pub fn one_target<'a>(headers: &Headers<'a>, name: &str) -> Result<&'a [u8], Malformed> {
    let target = one_raw(headers, name)?;
    let path = target.split(|byte| *byte == b'?').next().unwrap_or(target);
    let blank = memchr2(b' ', b'\t', target).is_some();
    if blank || path.windows(2).any(|pair| pair == b",/") {
        return Err(Malformed::header(
            name,
            "has several values, or a blank in it",
        ));
    }
    Ok(target)
}

fn one_raw<'a>(headers: &Headers<'a>, name: &str) -> Result<&'a [u8], Malformed> {
    let mut values = values(headers, name);
    let value = values
        .next()
        .ok_or_else(|| Malformed::header(name, "is missing"))?;
    if values.next().is_some() {
        return Err(Malformed::header(name, "occurs more than once"));
    }
    if value.is_empty() {
        return Err(Malformed::header(name, "is empty"));
    }
    Ok(value)
}

/// The values of a header.
pub fn values<'h, 'a>(
    headers: &'h Headers<'a>,
    name: &'h str,
) -> impl Iterator<Item = &'a [u8]> + 'h {
    let of_the_name = headers.iter().filter(move |(sent, _)| *sent == name);
    of_the_name.map(|(_, value)| *value)
}

/// The client's headers: all except the adapter's own and `Host`, which has been read already.
pub fn headers<'a>(headers: &Headers<'a>, own: &[&str]) -> Vec<(&'a str, &'a [u8])> {
    let mut clients = Vec::with_capacity(headers.len());
    let sent = headers.iter().copied();
    clients.extend(sent.filter(|(name, _)| *name != "host" && !own.contains(name)));
    clients
}
