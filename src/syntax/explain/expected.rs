//! Describes what the grammar would have accepted, in the words of the language.

use super::super::context::Context;
use super::super::parse::Rule;

/// The words that begin a kind of condition.
pub(super) const ATOMS: &[&str] = &[
    "scope", "claim", "token", "client", "login", "path", "host", "method", "address", "header",
    "query",
];

/// The words that begin an access.
pub(super) const ACCESS: &[&str] = &["public", "authenticated", "requires", "denied"];

/// The words that begin a test.
pub(super) const TESTS: &[&str] = &["in", "contains", "starts", "ends", "present", "absent"];

/// The types.
pub(super) const TYPES: &[&str] = &[
    "string", "number", "boolean", "time", "words", "list", "duration", "address",
];

/// Everything that was expected, as a phrase: "`and`, `or` or the next route".
pub(super) fn phrase(context: Context, expected: &[Rule]) -> String {
    let mut parts: Vec<String> = Vec::new();
    // `instead` ends an access, so it only distracts if the access is still missing.
    let access = expected.contains(&Rule::access);
    // A condition may begin with either.
    let condition = expected
        .iter()
        .any(|rule| matches!(rule, Rule::condition | Rule::operand | Rule::atom));
    let distracts = |rule: &Rule| match rule {
        Rule::EOI => true,
        Rule::k_instead => access,
        Rule::k_not | Rule::lparen | Rule::group => condition,
        _ => false,
    };
    for rule in expected.iter().filter(|rule| !distracts(rule)) {
        for part in words(*rule) {
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
    }
    // First what could continue the statement, then what could end it.
    if let Some(at) = parts.iter().position(|part| part == "`instead`") {
        let instead = parts.remove(at);
        parts.push(instead);
    }
    if expected.contains(&Rule::EOI) {
        parts.push(format!("the next {}", context.noun()));
    }
    match parts.split_last() {
        None => format!("{} {}", article(context.noun()), context.noun()),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
    }
}

/// The expected keywords, for finding the one that was meant.
pub(in super::super) fn keywords(expected: &[Rule]) -> Vec<String> {
    expected
        .iter()
        .flat_map(|rule| match rule {
            Rule::condition | Rule::operand | Rule::atom => listed(ATOMS, "not"),
            Rule::access => ACCESS.iter().map(|word| (*word).to_owned()).collect(),
            Rule::test => listed(TESTS, "not"),
            Rule::method_test => vec!["in".to_owned(), "not".to_owned()],
            Rule::type_name => TYPES.iter().map(|word| (*word).to_owned()).collect(),
            Rule::value => vec!["claim".to_owned(), "now".to_owned()],
            Rule::api_audience => vec!["any".to_owned()],
            rule => words(*rule)
                .into_iter()
                .filter_map(|word| {
                    let inner = word.strip_prefix('`')?.strip_suffix('`')?;
                    let first = inner.split(' ').next()?;
                    first
                        .starts_with(|c: char| c.is_ascii_lowercase())
                        .then(|| first.to_owned())
                })
                .collect(),
        })
        .collect()
}

fn listed(words: &[&str], one_more: &str) -> Vec<String> {
    words
        .iter()
        .copied()
        .chain([one_more])
        .map(str::to_owned)
        .collect()
}

/// The words for a rule in errors: keywords in backticks, or a description.
fn words(rule: Rule) -> Vec<String> {
    let fixed: &[&str] = match rule {
        Rule::connective => &["`and`", "`or`"],
        Rule::condition | Rule::operand | Rule::atom | Rule::group | Rule::named_atom => {
            &["a condition"]
        }
        Rule::access => &["`public`", "`authenticated`", "`requires …`", "`denied`"],
        Rule::test | Rule::method_test => &["`==`", "`in`", "another test"],
        Rule::comparison => &["a comparison such as `==`"],
        Rule::path | Rule::target => &["a path"],
        Rule::methods | Rule::method => &["a method"],
        Rule::string => &["text in quotes"],
        Rule::numeric => &["a number"],
        Rule::term | Rule::value | Rule::literal | Rule::test_value | Rule::audience_any => {
            &["a value"]
        }
        Rule::items | Rule::list | Rule::method_list | Rule::method_items | Rule::literal_items => {
            &["a list in `[` and `]`"]
        }
        Rule::set_file => &["`file`"],
        Rule::name | Rule::names | Rule::word => &["a name"],
        Rule::claim_path | Rule::member_name => &["the path of a claim"],
        Rule::type_name => &["a type"],
        Rule::token_place => &["`header`", "`cookie`", "`query`", "`subprotocol`"],
        Rule::outcome => &["`allowed`", "`denied`"],
        Rule::request_part => &["`header`", "`from`", "`at`"],
        Rule::may_be_empty => &["`may be empty`"],
        Rule::except_public => &["`except public`"],
        Rule::with_credentials => &["`with credentials`"],
        Rule::passed_on => &["`passed on`"],
        Rule::as_json => &["`as json`"],
        Rule::reason => &["the code of a reason"],
        Rule::open => &["`{`"],
        Rule::close => &["`}`"],
        Rule::lbracket => &["`[`"],
        Rule::rbracket => &["`]`"],
        Rule::lparen => &["`(`"],
        Rule::rparen => &["`)`"],
        Rule::comma => &["`,`"],
        Rule::equals => &["`=`"],
        Rule::star => &["`*`"],
        _ => &[],
    };
    if fixed.is_empty() {
        keyword(rule).into_iter().collect()
    } else {
        fixed.iter().map(|word| (*word).to_owned()).collect()
    }
}

/// The word or sign of a rule that consists of just one.
pub(super) fn fixed_word(rule: Rule) -> Option<String> {
    let words = words(rule);
    let [word] = words.as_slice() else {
        return None;
    };
    let inner = word.strip_prefix('`')?.strip_suffix('`')?;
    Some(inner.to_owned())
}

/// The keyword of a rule, whose name is derived from it.
fn keyword(rule: Rule) -> Option<String> {
    let name = format!("{rule:?}");
    let word = name.strip_prefix("k_")?.replace('_', "-");
    Some(format!("`{word}`"))
}

/// The indefinite article before a noun of the language.
pub(super) fn article(noun: &str) -> &'static str {
    if noun.starts_with(['a', 'e', 'i', 'o']) {
        "an"
    } else {
        "a"
    }
}
