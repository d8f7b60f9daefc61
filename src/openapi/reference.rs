//! Parses the text of a `$ref`: the file, and the value in it.
//!
//! Only the text is checked here. A path that could leave the folder of the documents is refused,
//! whatever exists there: an absolute path, a URL, too many `..`, an escaped separator.

use std::borrow::Cow;

/// A parsed `$ref`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    /// The file, below the root folder; `None` for the file with the `$ref`.
    pub file: Option<String>,
    /// The names from the root of the file to the value.
    pub pointer: Vec<String>,
}

/// Why a text isn't a reference that can be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It doesn't lead to a file below the root folder.
    Outside,
    /// Its fragment isn't a JSON pointer.
    NoPointer,
}

impl Reference {
    /// Parses a `$ref` in that file. File names are paths below the root folder, with `/`.
    pub fn read(text: &str, standing_in: &str) -> Result<Reference, Unfit> {
        let (file, fragment) = text.split_once('#').unwrap_or((text, ""));
        Ok(Reference {
            file: match file {
                "" => None,
                _ => Some(beside(standing_in, file).ok_or(Unfit::Outside)?),
            },
            pointer: pointer(fragment).ok_or(Unfit::NoPointer)?,
        })
    }
}

/// The path of a file that is named relative to another, if it is below the root folder.
fn beside(standing_in: &str, path: &str) -> Option<String> {
    let first = path.split('/').next().unwrap_or_default();
    // An absolute path, a URL (RFC 3986, section 4.2: no colon in the first segment), a drive, or a
    // query, which files don't have.
    if path.starts_with('/') || first.contains(':') || path.contains(['?', '\\']) {
        return None;
    }
    let mut folders: Vec<Cow<str>> = standing_in.split('/').map(Cow::Borrowed).collect();
    folders.pop();
    for segment in path.split('/') {
        let segment = percent_decoded(segment)?;
        match segment.as_ref() {
            "" | "." => {}
            ".." => {
                folders.pop()?;
            }
            name if name.contains(['/', '\\', '\0']) => return None,
            _ => folders.push(segment),
        }
    }
    let name = folders.join("/");
    (!name.is_empty()).then_some(name)
}

/// The names of a JSON pointer in a URI fragment (RFC 6901, section 6).
fn pointer(fragment: &str) -> Option<Vec<String>> {
    let pointer = percent_decoded(fragment)?;
    if pointer.is_empty() {
        return Some(Vec::new());
    }
    pointer
        .strip_prefix('/')?
        .split('/')
        .map(unescaped)
        .collect()
}

fn unescaped(token: &str) -> Option<String> {
    let mut name = String::with_capacity(token.len());
    let mut rest = token;
    while let Some((before, behind)) = rest.split_once('~') {
        name.push_str(before);
        name.push(match behind.as_bytes().first()? {
            b'0' => '~',
            b'1' => '/',
            _ => return None,
        });
        rest = behind.get(1..)?;
    }
    name.push_str(rest);
    Some(name)
}

/// An element's index in a pointer (RFC 6901, section 4): no sign, no leading zero.
pub(super) fn element(name: &str) -> Option<usize> {
    let is_number = name == "0"
        || (!name.starts_with('0') && !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit()));
    name.parse().ok().filter(|_| is_number)
}

/// A text with its percent-escapes decoded once; `None` if one is invalid.
pub(super) fn percent_decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let value = digit()? << 4 | digit()?;
        decoded.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_outside_the_root_folder_are_refused() {
        for (standing_in, text, file) in [
            ("openapi.yaml", "a.yaml", Some("a.yaml")),
            ("openapi.yaml", "./a/b.yaml", Some("a/b.yaml")),
            (
                "api/openapi.yaml",
                "../common/a.yaml#/x",
                Some("common/a.yaml"),
            ),
            ("api/openapi.yaml", "a%20b.yaml", Some("api/a b.yaml")),
            ("api/openapi.yaml", "./x:y.yaml", Some("api/x:y.yaml")),
            ("openapi.yaml", "../a.yaml", None),
            ("api/openapi.yaml", "../../a.yaml", None),
            ("api/openapi.yaml", "%2e%2e/%2E%2E/a.yaml", None),
            ("openapi.yaml", "a%2f..%2f..%2fb.yaml", None),
            ("openapi.yaml", "a%5C..%5Cb.yaml", None),
            ("openapi.yaml", "..\\a.yaml", None),
            ("openapi.yaml", "/etc/passwd", None),
            ("openapi.yaml", "//host/a.yaml", None),
            ("openapi.yaml", "https://example.com/a.yaml", None),
            ("openapi.yaml", "file:a.yaml", None),
            ("openapi.yaml", "C:/a.yaml", None),
            ("openapi.yaml", "a.yaml?b", None),
            ("openapi.yaml", "a%00.yaml", None),
            ("openapi.yaml", "a%zz.yaml", None),
            ("openapi.yaml", ".", None),
        ] {
            let read = Reference::read(text, standing_in).map(|read| read.file);
            let wanted = match file {
                Some(file) => Ok(Some(file.to_owned())),
                None => Err(Unfit::Outside),
            };
            assert_eq!(read, wanted, "{text} in {standing_in}");
        }
    }

    #[test]
    fn escapes_in_pointers_are_decoded() {
        for (text, pointer) in [
            ("#", Some(vec![])),
            ("", Some(vec![])),
            ("#/", Some(vec![""])),
            (
                "#/paths/~1a~1%7Bid%7D/get",
                Some(vec!["paths", "/a/{id}", "get"]),
            ),
            ("#/a~01", Some(vec!["a~1"])),
            ("#/a%7E1b", Some(vec!["a/b"])),
            ("#/a%2Fb", Some(vec!["a", "b"])),
            ("#/a~2", None),
            ("#/a~", None),
            ("#anchor", None),
            ("#/a%", None),
        ] {
            let read = Reference::read(text, "openapi.yaml").map(|read| read.pointer);
            let wanted = pointer
                .map(|names| names.into_iter().map(str::to_owned).collect())
                .ok_or(Unfit::NoPointer);
            assert_eq!(read, wanted, "{text}");
        }
        for (name, number) in [
            ("0", Some(0)),
            ("12", Some(12)),
            ("01", None),
            ("+1", None),
            ("", None),
        ] {
            assert_eq!(element(name), number, "{name}");
        }
    }
}
