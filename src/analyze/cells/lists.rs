//! Lists, grouped by what they contain.
//!
//! A list may contain any of the values that conditions ask about, so each would need a Boolean.
//! But values that occur in the same questions needn't be distinguished: for such a class, it only
//! matters whether the list contains one of them, and whether it contains all.

use std::collections::BTreeMap;

/// A question about a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuestion<K> {
    /// The values.
    pub values: Vec<K>,
    /// Whether the list must contain all of the values instead of one.
    pub all: bool,
}

/// Values that occur in the same questions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class<K> {
    /// The values; never empty.
    pub values: Vec<K>,
    /// The numbers of the questions in which they occur.
    pub questions: Vec<usize>,
    /// Whether some question asks for all values, and there are several.
    pub counts_all: bool,
}

/// Groups the values of all questions into classes.
pub fn classes<K: Ord + Clone>(questions: &[ListQuestion<K>]) -> Vec<Class<K>> {
    let mut stands_in: BTreeMap<&K, Vec<usize>> = BTreeMap::new();
    for (number, question) in questions.iter().enumerate() {
        for value in &question.values {
            let places = stands_in.entry(value).or_default();
            if places.last() != Some(&number) {
                places.push(number);
            }
        }
    }
    let mut classes: BTreeMap<Vec<usize>, Vec<K>> = BTreeMap::new();
    for (value, places) in stands_in {
        classes.entry(places).or_default().push(value.clone());
    }
    classes
        .into_iter()
        .map(|(places, values)| Class {
            counts_all: values.len() > 1
                && places
                    .iter()
                    .filter_map(|place| questions.get(*place))
                    .any(|question| question.all),
            values,
            questions: places,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_with_the_same_answers_form_one_class() {
        let ask = |values: &[u8], all| ListQuestion {
            values: values.to_vec(),
            all,
        };
        let classes = classes(&[
            ask(&[1, 2, 3], false),
            ask(&[2, 3, 4], true),
            ask(&[4], false),
        ]);
        let shown: Vec<(Vec<u8>, bool)> = classes
            .iter()
            .map(|class| (class.values.clone(), class.counts_all))
            .collect();
        assert_eq!(
            shown,
            [(vec![1], false), (vec![2, 3], true), (vec![4], false)]
        );
    }
}
