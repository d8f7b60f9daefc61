//! Reads the fields of `portcullis.yaml`. Each error names the field, its line, and the likely
//! intention.
//!
//! For many errors the YAML library gives neither field nor line. So the lines are first collected
//! from the events of a parser that has them; then the values are read by a deserializer that knows
//! the current field.

use std::collections::BTreeMap;
use std::fmt;

use saphyr_parser::{Event, Parser};
use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};
use serde::{Deserialize, forward_to_deserialize_any};
use serde_yaml::{Mapping, Value};

use super::FieldError;
use crate::diagnostic::suggest;
use crate::text::clean;

/// Reads a value from YAML.
pub fn from_yaml<T: for<'de> Deserialize<'de>>(text: &str, lines: &Lines) -> Result<T, FieldError> {
    let value: Value =
        serde_yaml::from_str(text).map_err(|error| FieldError::in_text(None, error.to_string()))?;
    let root = Node {
        value: &value,
        path: String::new(),
    };
    T::deserialize(root).map_err(|Fault(mut error)| {
        error.field = error.field.filter(|path| !path.is_empty());
        match &error.field {
            None => FieldError {
                line: Some(1),
                ..error
            },
            Some(_) => lines.locate(error),
        }
    })
}

/// The line of each field, by the field's path, such as `listeners.http.address`.
#[derive(Debug, Default)]
pub struct Lines(BTreeMap<String, usize>);

impl Lines {
    /// The lines of a document; an error if it isn't YAML or has a field twice.
    pub fn of(text: &str) -> Result<Lines, FieldError> {
        let mut lines = Lines::default();
        let mut open: Vec<Open> = Vec::new();
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|fault| {
                FieldError::in_text(
                    Some(fault.marker().line()),
                    format!("this is not YAML: {}", clean(fault.info())),
                )
            })?;
            let line = span.start.line();
            match event {
                Event::Scalar(name, ..) => match open.last_mut() {
                    Some(Open::Mapping { path, name: None }) => {
                        let field = join(path, &name);
                        lines.add(&field, line)?;
                        if let Some(Open::Mapping { name, .. }) = open.last_mut() {
                            *name = Some(field);
                        }
                    }
                    _ => {
                        lines.value(&mut open, line)?;
                    }
                },
                Event::Alias(_) => {
                    lines.value(&mut open, line)?;
                }
                Event::SequenceStart(..) => {
                    let path = lines.value(&mut open, line)?;
                    open.push(Open::List { path, next: 0 });
                }
                Event::MappingStart(..) => {
                    let path = lines.value(&mut open, line)?;
                    open.push(Open::Mapping { path, name: None });
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    open.pop();
                }
                _ => {}
            }
        }
        Ok(lines)
    }

    /// Records the line of a value, and returns its path.
    fn value(&mut self, open: &mut [Open], line: usize) -> Result<String, FieldError> {
        match open.last_mut() {
            None => Ok(String::new()),
            // A name that is a list or a mapping has no path, and no field has such a name.
            Some(Open::Mapping { path, name }) => Ok(name.take().unwrap_or_else(|| path.clone())),
            Some(Open::List { path, next }) => {
                let element = format!("{path}[{next}]");
                *next += 1;
                self.add(&element, line)?;
                Ok(element)
            }
        }
    }

    fn add(&mut self, path: &str, line: usize) -> Result<(), FieldError> {
        match self.0.insert(path.to_owned(), line) {
            None => Ok(()),
            Some(first) => Err(FieldError {
                line: Some(line),
                ..FieldError::new(
                    path,
                    format!("duplicate field; it was given in line {first}"),
                )
            }),
        }
    }

    /// An error with the line of its field, or of what holds that.
    pub fn locate(&self, error: FieldError) -> FieldError {
        let mut path = error.field.as_deref().unwrap_or_default();
        let line = loop {
            if let Some(line) = self.0.get(path) {
                break Some(*line);
            }
            match path.rfind(['.', '[']) {
                Some(at) => path = path.get(..at).unwrap_or_default(),
                None => break None,
            }
        };
        FieldError { line, ..error }
    }
}

/// A list or mapping that has begun and not ended.
enum Open {
    Mapping {
        path: String,
        /// The path of the field whose value comes next.
        name: Option<String>,
    },
    List {
        path: String,
        next: usize,
    },
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// What is wrong with a field, as serde hands it on.
#[derive(Debug)]
struct Fault(FieldError);

impl Fault {
    /// Adds this field, unless a field inside it is known already.
    fn at(mut self, path: &str) -> Fault {
        self.0.field.get_or_insert_with(|| path.to_owned());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Fault {
        Fault(FieldError::in_text(None, message.to_string()))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Fault {
        Fault::custom(unknown("field", field, expected))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Fault {
        Fault::custom(unknown("value", variant, expected))
    }
}

/// An unknown name.
fn unknown(what: &str, name: &str, expected: &'static [&'static str]) -> String {
    let shown = clean(name);
    match suggest::nearest(name, expected.iter().copied()) {
        Some(near) => format!("unknown {what} `{shown}`; did you mean `{near}`?"),
        None => {
            let names: Vec<String> = expected.iter().map(|name| format!("`{name}`")).collect();
            format!("unknown {what} `{shown}`; there are {}", names.join(", "))
        }
    }
}

/// A value, and the path of its field.
struct Node<'v> {
    value: &'v Value,
    path: String,
}

impl<'de> Deserializer<'de> for Node<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Node { value, path } = self;
        let read = match value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(bool) => visitor.visit_bool(*bool),
            Value::Number(number) => {
                if let Some(number) = number.as_u64() {
                    visitor.visit_u64(number)
                } else if let Some(number) = number.as_i64() {
                    visitor.visit_i64(number)
                } else {
                    visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN))
                }
            }
            Value::String(text) => visitor.visit_str(text),
            Value::Sequence(values) => visitor.visit_seq(Elements {
                values,
                next: 0,
                path: &path,
            }),
            Value::Mapping(members) => visitor.visit_map(Members::new(members, &path)),
            Value::Tagged(_) => Err(de::Error::custom("a tag (`!`) has no meaning here")),
        };
        read.map_err(|fault| fault.at(&path))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let read = match self.value {
            Value::String(text) => visitor.visit_enum(Word(text)),
            _ => Err(de::Error::custom("expected a word")),
        };
        read.map_err(|fault| fault.at(&self.path))
    }

    /// Fields have names: serde would also take a list of values in the fields' order, which is a
    /// mistake here.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if let Value::Sequence(_) = self.value {
            let fault = Fault::custom("expected fields with names, and this is a list");
            return Err(fault.at(&self.path));
        }
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

/// A word of an enumeration.
struct Word<'v>(&'v str);

impl<'de> EnumAccess<'de> for Word<'_> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Fault> {
        let word: StrDeserializer<'_, Fault> = self.0.into_deserializer();
        Ok((seed.deserialize(word)?, self))
    }
}

impl<'de> VariantAccess<'de> for Word<'_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, _: S) -> Result<S::Value, Fault> {
        Err(de::Error::custom("expected a word alone"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Fault> {
        Err(de::Error::custom("expected a word alone"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Fault> {
        Err(de::Error::custom("expected a word alone"))
    }
}

/// The elements of a list.
struct Elements<'v> {
    values: &'v [Value],
    next: usize,
    path: &'v str,
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Fault> {
        let Some(value) = self.values.get(self.next) else {
            return Ok(None);
        };
        let path = format!("{}[{}]", self.path, self.next);
        self.next += 1;
        let element = Node {
            value,
            path: path.clone(),
        };
        let read = seed.deserialize(element);
        read.map(Some).map_err(|fault| fault.at(&path))
    }
}

/// The members of a mapping.
struct Members<'v> {
    members: serde_yaml::mapping::Iter<'v>,
    path: &'v str,
    value: Option<(String, &'v Value)>,
}

impl<'v> Members<'v> {
    fn new(members: &'v Mapping, path: &'v str) -> Members<'v> {
        Members {
            members: members.iter(),
            path,
            value: None,
        }
    }
}

impl<'de> MapAccess<'de> for Members<'_> {
    type Error = Fault;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Fault> {
        let Some((name, value)) = self.members.next() else {
            return Ok(None);
        };
        let Some(name) = name.as_str() else {
            return Err(de::Error::custom(
                "a field's name must be a string; quote it",
            ));
        };
        let path = join(self.path, name);
        self.value = Some((path.clone(), value));
        let name: StrDeserializer<'_, Fault> = name.into_deserializer();
        let read = seed.deserialize(name);
        read.map(Some).map_err(|fault| fault.at(&path))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let (path, value) = self
            .value
            .take()
            .ok_or_else(|| Fault::custom("a value without a name"))?;
        let node = Node {
            value,
            path: path.clone(),
        };
        seed.deserialize(node).map_err(|fault| fault.at(&path))
    }
}
