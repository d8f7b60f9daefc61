//! The fields of a line of text, told apart by what stands between them.

use std::ops::Range;

use super::super::line::LineError;

/// Texts, and between them the fields.
#[derive(Debug, Clone)]
pub struct Pattern<F> {
    first: Vec<u8>,
    /// The fields, each with the text after it.
    fields: Vec<(F, Vec<u8>)>,
}

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part<F> {
    /// A text.
    Text(String),
    /// A field.
    Field(F),
}

impl<F: PartialEq> Pattern<F> {
    /// Makes a pattern of its parts; `None` if nothing stands between two fields.
    pub fn new(parts: Vec<Part<F>>) -> Option<Pattern<F>> {
        let mut pattern = Pattern {
            first: Vec::new(),
            fields: Vec::new(),
        };
        for part in parts {
            match part {
                Part::Text(text) => pattern.last_text().extend_from_slice(text.as_bytes()),
                Part::Field(field) => {
                    if !pattern.fields.is_empty() && pattern.last_text().is_empty() {
                        return None;
                    }
                    pattern.fields.push((field, Vec::new()));
                }
            }
        }
        Some(pattern)
    }

    fn last_text(&mut self) -> &mut Vec<u8> {
        match self.fields.last_mut() {
            Some((_, text)) => text,
            None => &mut self.first,
        }
    }

    /// The fields.
    pub fn fields(&self) -> impl Iterator<Item = &F> {
        self.fields.iter().map(|(field, _)| field)
    }

    /// Whether a line that is cut off can't have the format.
    pub fn has_end(&self) -> bool {
        self.fields.last().is_none_or(|(_, text)| !text.is_empty())
    }

    /// The values of the fields.
    ///
    /// A value may contain the text that ends it, and who sent the request chose many of them. So
    /// the line is divided twice, with each text as early and as late as possible. Any other
    /// division is between the two, so if they are the same, there is no other.
    pub fn split<'l>(&self, line: &'l [u8]) -> Result<Vec<(&F, &'l [u8])>, LineError> {
        let early = self.early(line).ok_or(LineError::NotInFormat)?;
        let late = self.late(line).ok_or(LineError::NotInFormat)?;
        if early != late {
            return Err(LineError::Ambiguous);
        }
        let values = early.into_iter().map(|range| line.get(range));
        let values = self.fields().zip(values);
        values
            .map(|(field, value)| Some((field, value?)))
            .collect::<Option<_>>()
            .ok_or(LineError::NotInFormat)
    }

    fn early(&self, line: &[u8]) -> Option<Vec<Range<usize>>> {
        let mut from = line.starts_with(&self.first).then_some(self.first.len())?;
        let Some(((_, last), others)) = self.fields.split_last() else {
            return (from == line.len()).then(Vec::new);
        };
        let mut ranges = Vec::with_capacity(self.fields.len());
        for (_, text) in others {
            let found = find(line.get(from..)?, text)?;
            ranges.push(from..from + found);
            from += found + text.len();
        }
        let end = line.len().checked_sub(last.len())?;
        ranges.push(from..end);
        (from <= end && line.ends_with(last)).then_some(ranges)
    }

    fn late(&self, line: &[u8]) -> Option<Vec<Range<usize>>> {
        let mut ranges = Vec::with_capacity(self.fields.len());
        let mut end = line.len();
        let Some((_, last)) = self.fields.last() else {
            return (end == self.first.len()).then_some(ranges);
        };
        end = end.checked_sub(last.len())?;
        for (_, text) in self.fields.iter().rev().skip(1) {
            let found = rfind(line.get(..end)?, text)?;
            ranges.push(found + text.len()..end);
            end = found;
        }
        ranges.push(self.first.len()..end);
        ranges.reverse();
        (self.first.len() <= end).then_some(ranges)
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

fn rfind(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).rposition(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> Result<Vec<&str>, LineError> {
        let field = Part::Field("");
        let text = |text: &str| Part::Text(text.to_owned());
        let parts = vec![
            text("["),
            field.clone(),
            text("] \""),
            field.clone(),
            text("\" "),
            field,
        ];
        let pattern = Pattern::new(parts).expect("a pattern");
        let values = pattern.split(line.as_bytes())?;
        let values = values.into_iter().map(|(_, value)| value);
        Ok(values
            .map(|value| std::str::from_utf8(value).expect("text"))
            .collect())
    }

    #[test]
    fn a_line_is_divided_in_one_way_or_not_at_all() {
        assert_eq!(split(r#"[t] "a b" 5"#), Ok(vec!["t", "a b", "5"]));
        assert_eq!(split(r#"[] "" "#), Ok(vec!["", "", ""]));
        assert_eq!(split(r#"[t] "a" b" 5"#), Err(LineError::Ambiguous));
        assert_eq!(split(r#"[t] "x] "a" 5"#), Err(LineError::Ambiguous));
        for line in ["", "[", r#"[t] "a"#, r#"t] "a" 5"#] {
            assert_eq!(split(line), Err(LineError::NotInFormat), "{line}");
        }
    }

    #[test]
    fn a_text_without_fields_is_the_text() {
        let pattern = Pattern::<()>::new(vec![Part::Text("a".to_owned())]).expect("a pattern");
        assert_eq!(pattern.split(b"a"), Ok(Vec::new()));
        for other in ["", "b", "aa"] {
            assert_eq!(pattern.split(other.as_bytes()), Err(LineError::NotInFormat));
        }
    }

    #[test]
    fn two_fields_need_something_between_them() {
        let field = || Part::Field(());
        assert!(Pattern::new(vec![field(), field()]).is_none());
        assert!(Pattern::new(vec![field(), Part::Text(String::new()), field()]).is_none());
    }
}
