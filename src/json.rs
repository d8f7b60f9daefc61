//! JSON as it must be for what decides over access (RFC 8259, and RFC 7493 where that leaves a
//! choice): UTF-8, no member twice at any depth, bounded, nothing behind the value.
//!
//! A reader that takes the last of two equal members, or an unpaired surrogate, can be shown
//! another document than the one that was signed or reviewed. So there is one reader, this one,
//! for headers and claims sets of tokens, key sets, and documents of providers.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use crate::value::MAX_SAFE_INTEGER;

/// The most bytes of a document: more than any key set or claims set needs, and little enough to
/// be read without thought.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

/// How deep arrays and objects may nest: claims sets and key sets stay below ten, and the reader
/// recurses.
pub const MAX_DEPTH: usize = 32;

/// Up to so many members are compared with each other; more are sorted.
const FEW_MEMBERS: usize = 8;

/// A JSON value; text without escapes is borrowed from the document.
#[derive(Debug, Clone, PartialEq)]
pub enum Json<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    String(Cow<'a, str>),
    /// An array.
    Array(Vec<Json<'a>>),
    /// An object: its members in the order of the document, no name twice.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

/// A JSON number, as exact as a double.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number(f64);

impl Number {
    /// A number that is at most 2^53-1 from zero.
    ///
    /// Beyond that neighbouring integers are the same double, so that two different values would
    /// compare as equal (RFC 8259, section 6): there is no value then.
    pub fn exact(self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "2^53-1 is exact as a double")]
        let limit = MAX_SAFE_INTEGER as f64;
        (self.0.abs() <= limit).then_some(self.0)
    }

    /// The nearest double, an infinity for what no double can hold. To show, not to compare.
    pub fn nearest(self) -> f64 {
        self.0
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Number {
        Number(value)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'a> Json<'a> {
    /// Reads a document.
    pub fn parse(bytes: &'a [u8]) -> Result<Json<'a>, JsonError> {
        if bytes.len() > MAX_BYTES {
            return Err(JsonError::at(MAX_BYTES, Problem::TooLarge));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|error| JsonError::at(error.valid_up_to(), Problem::NotUtf8))?;
        let mut reader = Reader { text, at: 0 };
        reader.blanks();
        let value = reader.value(0)?;
        reader.blanks();
        if reader.at < text.len() {
            return Err(reader.error(Problem::Trailing));
        }
        Ok(value)
    }

    /// The member of that name, if this is an object that has it.
    pub fn get(&self, name: &str) -> Option<&Json<'a>> {
        self.as_object()?
            .iter()
            .find(|(member, _)| member == name)
            .map(|(_, value)| value)
    }

    /// The value behind member names, from the outside in.
    pub fn at<S: AsRef<str>>(&self, path: &[S]) -> Option<&Json<'a>> {
        path.iter()
            .try_fold(self, |value, name| value.get(name.as_ref()))
    }

    /// The text, if this is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Json::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value, if this is a number that a double holds exactly enough to compare.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Json::Number(number) => number.exact(),
            _ => None,
        }
    }

    /// The value, if this is `true` or `false`.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Json::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The elements, if this is an array.
    pub fn as_array(&self) -> Option<&[Json<'a>]> {
        match self {
            Json::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// The members, if this is an object.
    pub fn as_object(&self) -> Option<&[(Cow<'a, str>, Json<'a>)]> {
        match self {
            Json::Object(members) => Some(members),
            _ => None,
        }
    }

    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Json::Null)
    }

    /// What kind of value this is, with its article, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "a boolean",
            Json::Number(_) => "a number",
            Json::String(_) => "a string",
            Json::Array(_) => "an array",
            Json::Object(_) => "an object",
        }
    }

    /// The same value, independent of the document.
    pub fn into_owned(self) -> Json<'static> {
        let owned = |text: Cow<'a, str>| Cow::Owned(text.into_owned());
        match self {
            Json::Null => Json::Null,
            Json::Bool(value) => Json::Bool(value),
            Json::Number(number) => Json::Number(number),
            Json::String(text) => Json::String(owned(text)),
            Json::Array(elements) => {
                Json::Array(elements.into_iter().map(Json::into_owned).collect())
            }
            Json::Object(members) => Json::Object(
                members
                    .into_iter()
                    .map(|(name, value)| (owned(name), value.into_owned()))
                    .collect(),
            ),
        }
    }
}

/// Written without blanks; a number that no double can hold is `null`.
impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Null => f.write_str("null"),
            Json::Bool(value) => value.fmt(f),
            Json::Number(Number(value)) if value.is_finite() => value.fmt(f),
            Json::Number(_) => f.write_str("null"),
            Json::String(text) => write_string(f, text),
            Json::Array(elements) => {
                f.write_char('[')?;
                for (at, element) in elements.iter().enumerate() {
                    if at > 0 {
                        f.write_char(',')?;
                    }
                    element.fmt(f)?;
                }
                f.write_char(']')
            }
            Json::Object(members) => {
                f.write_char('{')?;
                for (at, (name, value)) in members.iter().enumerate() {
                    if at > 0 {
                        f.write_char(',')?;
                    }
                    write_string(f, name)?;
                    f.write_char(':')?;
                    value.fmt(f)?;
                }
                f.write_char('}')
            }
        }
    }
}

fn write_string(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for character in text.chars() {
        match character {
            '"' | '\\' => write!(f, "\\{character}")?,
            '\0'..='\x1f' => write!(f, "\\u{:04x}", u32::from(character))?,
            other => f.write_char(other)?,
        }
    }
    f.write_char('"')
}

/// Why bytes are no JSON document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError {
    at: usize,
    problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Problem {
    TooLarge,
    NotUtf8,
    Trailing,
    TooDeep,
    End,
    Unexpected(char),
    Number,
    Escape,
    Surrogate,
    Control,
    Duplicate(String),
}

impl JsonError {
    fn at(at: usize, problem: Problem) -> JsonError {
        JsonError { at, problem }
    }

    /// Where, in bytes from the start.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// The member that is there twice, if that is what is wrong.
    pub fn duplicate(&self) -> Option<&str> {
        match &self.problem {
            Problem::Duplicate(name) => Some(name),
            _ => None,
        }
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at;
        match &self.problem {
            Problem::TooLarge => write!(f, "more than {MAX_BYTES} bytes"),
            Problem::NotUtf8 => write!(f, "not UTF-8 at byte {at}"),
            Problem::Trailing => write!(f, "something behind the value, at byte {at}"),
            Problem::TooDeep => write!(f, "nested deeper than {MAX_DEPTH}, at byte {at}"),
            Problem::End => write!(f, "ends too early, at byte {at}"),
            Problem::Unexpected(found) => {
                write!(f, "unexpected {} at byte {at}", Shown(*found))
            }
            Problem::Number => write!(f, "not a number, at byte {at}"),
            Problem::Escape => write!(f, "an unknown escape in a string, at byte {at}"),
            Problem::Surrogate => write!(f, "half a surrogate pair, at byte {at}"),
            Problem::Control => write!(f, "a control character in a string, at byte {at}"),
            Problem::Duplicate(name) => {
                write!(
                    f,
                    "the member {} is there twice, at byte {at}",
                    crate::text::quoted(name)
                )
            }
        }
    }
}

impl std::error::Error for JsonError {}

/// A character as a message shows it.
struct Shown(char);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            '`' => f.write_str("backtick"),
            // Neither may stand in a challenge, where such a message can end up.
            '"' | '\\' => write!(f, "U+{:04X}", u32::from(self.0)),
            graphic if graphic.is_ascii_graphic() => write!(f, "`{graphic}`"),
            other => write!(f, "U+{:04X}", u32::from(other)),
        }
    }
}

/// Reads one document; `at` is always on a character's first byte.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn error(&self, problem: Problem) -> JsonError {
        JsonError::at(self.at, problem)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The complaint about what stands here.
    fn unexpected(&self) -> JsonError {
        let found = self
            .text
            .get(self.at..)
            .and_then(|rest| rest.chars().next());
        self.error(found.map_or(Problem::End, Problem::Unexpected))
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Steps over one ASCII character, if it is here.
    fn eat(&mut self, byte: u8) -> bool {
        let here = self.peek() == Some(byte);
        if here {
            self.at += 1;
        }
        here
    }

    fn value(&mut self, depth: usize) -> Result<Json<'a>, JsonError> {
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => Ok(Json::String(self.string()?)),
            Some(b'-' | b'0'..=b'9') => Ok(Json::Number(self.number()?)),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            _ => Err(self.unexpected()),
        }
    }

    fn word(&mut self, word: &str, value: Json<'a>) -> Result<Json<'a>, JsonError> {
        for byte in word.bytes() {
            if !self.eat(byte) {
                return Err(self.unexpected());
            }
        }
        Ok(value)
    }

    /// Enters an array or an object.
    fn deeper(&mut self, depth: usize) -> Result<usize, JsonError> {
        if depth >= MAX_DEPTH {
            return Err(self.error(Problem::TooDeep));
        }
        self.at += 1;
        self.blanks();
        Ok(depth + 1)
    }

    fn array(&mut self, depth: usize) -> Result<Json<'a>, JsonError> {
        let depth = self.deeper(depth)?;
        let mut elements = Vec::new();
        if self.eat(b']') {
            return Ok(Json::Array(elements));
        }
        loop {
            elements.push(self.value(depth)?);
            self.blanks();
            if self.eat(b']') {
                return Ok(Json::Array(elements));
            }
            if !self.eat(b',') {
                return Err(self.unexpected());
            }
            self.blanks();
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json<'a>, JsonError> {
        let start = self.at;
        let depth = self.deeper(depth)?;
        let mut members: Vec<(Cow<'a, str>, Json<'a>)> = Vec::new();
        if self.eat(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.unexpected());
            }
            let at = self.at;
            let name = self.string()?;
            if members.len() < FEW_MEMBERS && members.iter().any(|(other, _)| *other == name) {
                return Err(JsonError::at(at, Problem::Duplicate(name.into_owned())));
            }
            self.blanks();
            if !self.eat(b':') {
                return Err(self.unexpected());
            }
            self.blanks();
            members.push((name, self.value(depth)?));
            self.blanks();
            if self.eat(b'}') {
                break;
            }
            if !self.eat(b',') {
                return Err(self.unexpected());
            }
            self.blanks();
        }
        if members.len() > FEW_MEMBERS
            && let Some(name) = first_duplicate(&members)
        {
            return Err(JsonError::at(start, Problem::Duplicate(name.to_owned())));
        }
        Ok(Json::Object(members))
    }

    fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.at += 1;
        let mut unescaped: Option<String> = None;
        loop {
            let start = self.at;
            while !matches!(self.peek(), None | Some(b'"' | b'\\' | 0..=0x1f)) {
                self.at += 1;
            }
            let plain = self.text.get(start..self.at).unwrap_or_default();
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(match unescaped {
                        None => Cow::Borrowed(plain),
                        Some(text) => Cow::Owned(text + plain),
                    });
                }
                Some(b'\\') => {
                    let text = unescaped.get_or_insert_default();
                    text.push_str(plain);
                    text.push(self.escape()?);
                }
                Some(_) => return Err(self.error(Problem::Control)),
                None => return Err(self.error(Problem::End)),
            }
        }
    }

    /// Reads what a backslash begins.
    fn escape(&mut self) -> Result<char, JsonError> {
        let start = self.at;
        self.at += 1;
        let escaped = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.code_point(start);
            }
            None => return Err(self.error(Problem::End)),
            Some(_) => return Err(JsonError::at(start, Problem::Escape)),
        };
        self.at += 1;
        Ok(escaped)
    }

    /// Reads the digits of `\u`, and of the escape behind it where they are half a pair.
    fn code_point(&mut self, start: usize) -> Result<char, JsonError> {
        let half = JsonError::at(start, Problem::Surrogate);
        let first = self.hex(start)?;
        let code = match first {
            0xd800..=0xdbff => {
                if !(self.eat(b'\\') && self.eat(b'u')) {
                    return Err(half);
                }
                match self.hex(start)? {
                    second @ 0xdc00..=0xdfff => {
                        0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)
                    }
                    _ => return Err(half),
                }
            }
            other => other,
        };
        char::from_u32(code).ok_or(half)
    }

    fn hex(&mut self, start: usize) -> Result<u32, JsonError> {
        let mut value = 0;
        for _ in 0..4 {
            let digit = match self.peek() {
                None => return Err(self.error(Problem::End)),
                Some(byte) => char::from(byte)
                    .to_digit(16)
                    .ok_or_else(|| JsonError::at(start, Problem::Escape))?,
            };
            value = value * 16 + digit;
            self.at += 1;
        }
        Ok(value)
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> Result<Number, JsonError> {
        let start = self.at;
        let wrong = JsonError::at(start, Problem::Number);
        self.eat(b'-');
        let zero = self.peek() == Some(b'0');
        let whole = self.digits();
        if whole == 0 || (zero && whole > 1) {
            return Err(wrong);
        }
        if self.eat(b'.') && self.digits() == 0 {
            return Err(wrong);
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _sign = self.eat(b'-') || self.eat(b'+');
            if self.digits() == 0 {
                return Err(wrong);
            }
        }
        self.text
            .get(start..self.at)
            .and_then(|text| text.parse().ok())
            .map(Number)
            .ok_or(wrong)
    }
}

/// The name that is first there for the second time.
fn first_duplicate<'m>(members: &'m [(Cow<'_, str>, Json<'_>)]) -> Option<&'m str> {
    let mut names: Vec<(&str, usize)> = members
        .iter()
        .enumerate()
        .map(|(at, (name, _))| (name.as_ref(), at))
        .collect();
    names.sort_unstable();
    names
        .windows(2)
        .filter_map(|pair| match pair {
            [(first, _), (second, at)] if first == second => Some((*at, *second)),
            _ => None,
        })
        .min()
        .map(|(_, name)| name)
}
