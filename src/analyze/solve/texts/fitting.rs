//! Whether a string agrees with its bits and questions.

use super::super::super::cells::texts::TextQuestion;
use super::super::super::domains::{Domain, Holding};
use super::super::super::vocabulary::Part;
use super::super::Way;

/// Whether a list can contain, or not contain, a text.
pub(super) fn list_fits(way: &Way, holdings: &[Holding<String>], text: &str, holds: bool) -> bool {
    let holding = holdings
        .iter()
        .find(|holding| holding.class.values.iter().any(|value| value == text));
    let Some(holding) = holding else {
        return true;
    };
    let any = way.get(holding.any);
    let all = match holding.all {
        Some(all) => way.get(all),
        None if holding.class.values.len() == 1 => any,
        None => None,
    };
    if holds {
        any != Some(false)
    } else {
        all != Some(true)
    }
}

/// Whether a text has exactly the words that its bits require.
pub(super) fn words_fit(way: &Way, domain: &Domain, text: &str) -> bool {
    domain.words.iter().all(|holding| {
        let held = |word: &String| text.split(' ').any(|one| one == word);
        let any = holding.class.values.iter().any(held);
        let all = holding.class.values.iter().all(held);
        way.get(holding.any).is_none_or(|wanted| wanted == any)
            && holding
                .all
                .and_then(|wanted| way.get(wanted))
                .is_none_or(|wanted| wanted == all)
    })
}

/// A question about the whole text, converted into one about a part.
pub(super) fn of_part(question: &TextQuestion, part: &Part) -> Option<TextQuestion> {
    if part.before.is_empty() && part.behind.is_empty() {
        return Some(question.clone());
    }
    let cut = |text: &str| -> Option<String> {
        text.strip_prefix(part.before.as_str())
            .and_then(|rest| rest.strip_suffix(part.behind.as_str()))
            .map(str::to_owned)
    };
    match question {
        TextQuestion::OneOf {
            texts,
            before,
            behind,
        } if *before == part.before && *behind == part.behind => {
            Some(TextQuestion::one_of(texts.clone()))
        }
        TextQuestion::OneOf {
            texts,
            before,
            behind,
        } => {
            let members = texts
                .members()
                .iter()
                .filter_map(|text| cut(&format!("{before}{text}{behind}")))
                .collect();
            Some(TextQuestion::one_of(std::sync::Arc::new(
                crate::model::StringSet::new(None, members),
            )))
        }
        TextQuestion::Around {
            prefix,
            suffix,
            between,
        } => Some(TextQuestion::Around {
            prefix: prefix
                .strip_prefix(part.before.as_str())
                .unwrap_or("")
                .to_owned(),
            suffix: suffix
                .strip_suffix(part.behind.as_str())
                .unwrap_or("")
                .to_owned(),
            between: *between,
        }),
        TextQuestion::OneOfFolded(texts) => Some(TextQuestion::OneOfFolded(
            texts.iter().filter_map(|text| cut(text)).collect(),
        )),
        TextQuestion::Word(_)
        | TextQuestion::Label { .. }
        | TextQuestion::Slash
        | TextQuestion::Address(_) => None,
    }
}
