//! Strict JSON for access decisions (RFC 8259, and RFC 7493 where that leaves a choice): UTF-8, no
//! duplicate member at any depth, bounded, nothing after the value.
//!
//! A reader that takes the last of two equal members can be shown a different document from the one
//! that was signed or reviewed. serde_json does the parsing, and this module refuses what it would
//! accept beyond this. It reads token headers and claims sets, key sets, and documents of
//! providers.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::text::visible;
use crate::value::MAX_SAFE_NUMBER;

/// The maximum size of a document in bytes: larger than any key set or claims set, and small enough
/// to read without concern.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The maximum depth of arrays and objects. Claims sets and key sets stay below ten, and the reader
/// recurses.
pub const MAX_DEPTH: usize = 32;

/// The limits on a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The maximum size in bytes.
    pub bytes: usize,
    /// The maximum depth of arrays and objects. Beyond 127, the parser itself gives up.
    pub depth: usize,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            bytes: MAX_BYTES,
            depth: MAX_DEPTH,
        }
    }
}

/// Up to this many members are compared with each other; more are sorted.
const FEW_MEMBERS: usize = 8;

/// A JSON value. Text without escapes is borrowed from the document.
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
    /// An object: its members in the order of the document, without duplicates.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

/// A JSON number, with the precision of a double.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number(f64);

impl Number {
    /// The number, if its absolute value is at most 2^53-1.
    ///
    /// Beyond that, neighbouring integers are the same double, and two different values would
    /// compare as equal (RFC 8259, section 6). So there is no value then.
    pub fn exact(self) -> Option<f64> {
        (self.0.abs() <= MAX_SAFE_NUMBER).then_some(self.0)
    }

    /// The nearest double, or an infinity. For display, not for comparisons.
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

/// A number for claims that are made here, as providers write it: an integer has no fraction.
pub fn number(value: f64) -> serde_json::Value {
    if value.fract() == 0.0 && value.abs() <= MAX_SAFE_NUMBER {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it is whole, and within the range"
        )]
        let whole = value as i64;
        whole.into()
    } else {
        value.into()
    }
}

/// The value at a path of names, in claims that are made here rather than read from a token.
pub fn value_at<'v>(
    claims: &'v serde_json::Map<String, serde_json::Value>,
    path: &[String],
) -> Option<&'v serde_json::Value> {
    let (first, rest) = path.split_first()?;
    rest.iter()
        .try_fold(claims.get(first)?, |value, name| value.get(name))
}

impl<'a> Json<'a> {
    /// Parses a document.
    pub fn parse(bytes: &'a [u8]) -> Result<Json<'a>, JsonError> {
        Json::parse_within(bytes, &Bounds::default())
    }

    /// Parses a document that may be larger or deeper than tokens and key sets.
    pub fn parse_within(bytes: &'a [u8], bounds: &Bounds) -> Result<Json<'a>, JsonError> {
        if bytes.len() > bounds.bytes {
            return Err(JsonError(format!("more than {} bytes", bounds.bytes)));
        }
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        let below = Below {
            depth: 0,
            most: bounds.depth,
        };
        let value = below.deserialize(&mut reader)?;
        reader.end()?;
        Ok(value)
    }

    /// The member of that name, if this is an object that has it.
    pub fn get(&self, name: &str) -> Option<&Json<'a>> {
        self.as_object()?
            .iter()
            .find(|(member, _)| member == name)
            .map(|(_, value)| value)
    }

    /// The value at a path of member names, from the outside in.
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

    /// The value, if this is a number that a double represents exactly enough to compare.
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

    /// The name of the type with its article, for messages.
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

/// Written as short as possible: an integer has no fraction.
impl Serialize for Number {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "what is whole and exact is in the range of an i64"
    )]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.exact() {
            Some(whole) if whole.fract() == 0.0 => serializer.serialize_i64(whole as i64),
            _ => serializer.serialize_f64(self.0),
        }
    }
}

/// Written without blanks.
impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Json::Null => serializer.serialize_unit(),
            Json::Bool(value) => serializer.serialize_bool(*value),
            Json::Number(number) => number.serialize(serializer),
            Json::String(text) => serializer.serialize_str(text),
            Json::Array(elements) => serializer.collect_seq(elements),
            Json::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

/// Why bytes aren't a JSON document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError(String);

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> JsonError {
        // This ends up in hints, and so in challenges. serde_json shows control characters as
        // escapes.
        JsonError(visible(&error.to_string()).into_owned())
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for JsonError {}

/// Reads one value at this depth.
#[derive(Clone, Copy)]
struct Below {
    depth: usize,
    most: usize,
}

impl Below {
    fn deeper<E: de::Error>(self) -> Result<Below, E> {
        if self.depth == self.most {
            return Err(E::custom(format_args!("nested deeper than {}", self.most)));
        }
        Ok(Below {
            depth: self.depth + 1,
            ..self
        })
    }
}

impl<'de> DeserializeSeed<'de> for Below {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "an integer that a double does not carry has no exact value anyway"
)]
impl<'de> Visitor<'de> for Below {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(Number(value as f64)))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(Number(value as f64)))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Json<'de>, E> {
        Ok(Json::Number(Number(value)))
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::String(Cow::Borrowed(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::String(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Json<'de>, A::Error> {
        let below = self.deeper()?;
        let mut array = Vec::new();
        while let Some(element) = elements.next_element_seed(below)? {
            array.push(element);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json<'de>, A::Error> {
        let below = self.deeper()?;
        let mut object: Vec<(Cow<'de, str>, Json<'de>)> = Vec::new();
        while let Some(name) = members.next_key_seed(Name)? {
            if object.len() < FEW_MEMBERS && object.iter().any(|(other, _)| *other == name) {
                return Err(twice(&name));
            }
            object.push((name, members.next_value_seed(below)?));
        }
        if object.len() > FEW_MEMBERS
            && let Some(name) = first_duplicate(&object)
        {
            return Err(twice(name));
        }
        Ok(Json::Object(object))
    }
}

fn twice<E: de::Error>(name: &str) -> E {
    E::custom(format_args!(
        "the member {} occurs twice",
        crate::text::quoted(name)
    ))
}

/// Reads the name of a member, borrowed where it has no escape.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

fn first_duplicate<'m>(members: &'m [(Cow<'_, str>, Json<'_>)]) -> Option<&'m str> {
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_ref()).collect();
    names.sort_unstable();
    names.windows(2).find_map(|pair| match pair {
        [one, next] if one == next => Some(*one),
        _ => None,
    })
}
