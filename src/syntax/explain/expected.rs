//! What the grammar would have taken, in the words of the language.

use super::super::context::Context;
use super::super::parse::Rule;

/// All of it as a phrase: "`and`, `or` or a route".
pub(super) fn in_words(context: Context, expected: &[Rule]) -> String {
    let mut words: Vec<String> = Vec::new();
    for rule in expected {
        let word = name(context, *rule);
        if !word.is_empty() && !words.contains(&word) {
            words.push(word);
        }
    }
    match words.split_last() {
        None => context.noun().to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
    }
}

/// The keywords among what was expected.
pub(super) fn keywords(expected: &[Rule]) -> Vec<&'static str> {
    expected.iter().copied().filter_map(keyword).collect()
}

fn name(context: Context, rule: Rule) -> String {
    match (keyword(rule), rule) {
        (Some(word), _) => format!("`{word}`"),
        (None, Rule::condition | Rule::operand | Rule::atom) => "a condition".to_owned(),
        (None, Rule::path) => "a path".to_owned(),
        (None, Rule::string) => "a string".to_owned(),
        (None, Rule::term | Rule::value | Rule::literal | Rule::test_value) => "a value".to_owned(),
        (None, Rule::name | Rule::word) => "a name".to_owned(),
        _ => context.noun().to_owned(),
    }
}

fn keyword(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::k_and => "and",
        Rule::k_or => "or",
        Rule::k_requires => "requires",
        Rule::k_instead => "instead",
        Rule::k_from => "from",
        Rule::k_as => "as",
        Rule::k_of => "of",
        Rule::k_is => "is",
        _ => return None,
    })
}
