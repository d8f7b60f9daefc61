//! Conditions and accesses in unsupported spellings.

use super::super::parse::Rule;
use super::super::tokens::Kind;
use super::expected::{ACCESS, ATOMS, TESTS};
use super::synonyms::{self, meant};
use super::{Site, shown};
use crate::diagnostic::suggest::nearest;
use crate::diagnostic::{Code, Diagnostic};

/// `requires "read:orders"`
pub(super) fn scope_alone(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site
        .found
        .filter(|found| found.kind == Kind::String && site.expects_condition())?;
    Some(
        site.replace(
            found,
            format!("`{}` alone is not a condition", shown(found)),
            format!("scope {}", found.text),
        )
        .help("a scope is asked for by `scope \"…\"`, a claim's value by `claim NAME == \"…\"`"),
    )
}

/// `scope == "a"`, `scope in ["a"]`
pub(super) fn scope_compared(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found?;
    let scope = site.previous().filter(|token| token.text == "scope")?;
    let compared = ["=", "==", "in", "contains", "["].contains(&found.text);
    if !compared || !site.expects(Rule::k_any) {
        return None;
    }
    Some(
        site.error(format!("`{}` cannot follow `{}`", shown(found), scope.text))
            .help("scopes are asked for by `scope \"…\"`, `scope any […]` or `scope all […]`"),
    )
}

/// `requires claim x`
pub(super) fn claim_without_test(site: &Site<'_>) -> Option<Diagnostic> {
    let name = site.previous().filter(|_| {
        site.expects(Rule::test)
            && (site.line_ends()
                || site
                    .word()
                    .is_some_and(|word| word == "and" || word == "or"))
    })?;
    let claim = site.before_previous()?;
    if claim.text != "claim" {
        return None;
    }
    Some(
        site.error_at(
            name,
            format!("nothing is asked of the claim `{}`", name.text),
        )
        .help(format!(
            "that the token has it is `claim {0} present`; a claim that is true or false is \
                 compared, `claim {0} == true`",
            name.text
        )),
    )
}

/// `claim x not contains "y"`, `claim x not present`
pub(super) fn not_before_a_test(site: &Site<'_>) -> Option<Diagnostic> {
    let not = site.previous().filter(|token| token.text == "not")?;
    let found = site.found?;
    if site.expected != [Rule::k_in] {
        return None;
    }
    let span = site.place(not).to(site.place(found));
    let error = Diagnostic::new(
        Code::Syntax,
        span,
        format!("`not` cannot stand before `{}`", shown(found)),
    );
    Some(match found.text {
        "present" => error
            .help("the opposite of `present` is `absent`")
            .suggest(span, "absent"),
        "absent" => error
            .help("the opposite of `absent` is `present`")
            .suggest(span, "present"),
        "==" | "=" => error.help("write `!=`").suggest(span, "!="),
        _ => error.help("only `in` takes it here: write `not` before the whole, `not claim …`"),
    })
}

/// A bare word as a condition, and then what no condition goes on with: `scop "x"`,
/// `plan == "pro"`, `jwt.roles contains "x"`
pub(super) fn not_a_condition(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found?;
    let word = site.previous()?;
    let name = word.word()?;
    if name == "token" && found.is_sign(".") {
        return Some(
            site.error_at(word, "`token.` begins no condition")
                .help("a claim is read by `claim NAME`, the token's scopes by `scope \"…\"`"),
        );
    }
    if !site.behind_condition() {
        return None;
    }
    if !stands_as_condition(site) || found.word().is_some_and(is_connective) {
        return None;
    }
    if found.is_sign(".") {
        return Some(
            Diagnostic::new(
                Code::Syntax,
                site.place(word),
                format!("`{name}.` begins no condition"),
            )
            .help(
                "a claim is read by `claim NAME`, by the name that the issuer's `claims` give it",
            ),
        );
    }
    let meant = meant(name, synonyms::CONDITIONS)
        .or_else(|| nearest(name, ATOMS.iter().copied()))
        .or_else(|| {
            ATOMS
                .iter()
                .copied()
                .find(|atom| found.kind == Kind::String && *atom == name)
        });
    if let Some(meant) = meant {
        return Some(
            site.replace(word, format!("`{name}` begins no condition"), meant)
                .help(format!("did you mean `{meant}`?")),
        );
    }
    let tests = found
        .word()
        .is_some_and(|word| TESTS.contains(&word) || word == "not")
        || ["==", "!=", "<", "<=", ">", ">=", "="].contains(&found.text);
    tests.then(|| {
        site.replace(
            word,
            format!("`{name}` alone is the name of a condition and cannot be compared"),
            format!("claim {name}"),
        )
        .help(format!(
            "if the token's claim is meant, write `claim {name}`"
        ))
    })
}

/// Whether the token before what was found stands where a condition begins.
fn stands_as_condition(site: &Site<'_>) -> bool {
    site.before_previous()
        .is_some_and(|token| ["requires", "if", "and", "or", "not", "(", "="].contains(&token.text))
}

fn is_connective(word: &str) -> bool {
    ["and", "or", "instead", "requires"].contains(&word) || nearest(word, ["and", "or"]).is_some()
}

/// A keyword of conditions without what belongs to it: `requires path == "x"`
pub(super) fn claim_missing(site: &Site<'_>) -> Option<Diagnostic> {
    if !site.expects_condition() || site.line_ends() {
        return None;
    }
    let found = site.found?;
    let word = found.word()?;
    if word == "path" || word == "host" {
        return Some(
            site.error(format!("`{word}` alone has no value"))
                .help(format!("a part of it has a name: `{word}.NAME`")),
        );
    }
    if word == "true" || word == "false" {
        let help = match word {
            "true" => "a route that asks for a valid token and nothing else is `authenticated`",
            _ => "a route that nothing may pass is `denied`",
        };
        return Some(
            site.error(format!("`{word}` is not a condition"))
                .help(help),
        );
    }
    let meant = meant(word, synonyms::CONDITIONS)?;
    Some(
        site.replace(found, format!("`{word}` begins no condition"), meant)
            .help(format!("did you mean `{meant}`?")),
    )
}

/// `GET /x scope "read"`
pub(super) fn requires_missing(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found.filter(|_| {
        (site.expects(Rule::access) || site.expects(Rule::k_requires)) && !site.line_ends()
    })?;
    let begins = found
        .word()
        .is_some_and(|word| ATOMS.contains(&word) || word == "not")
        || found.is_sign("(")
        || found.is_sign("!");
    begins.then(|| {
        site.insert(
            format!("`requires` is missing before `{}`", shown(found)),
            "requires ",
        )
        .help("a condition stands behind `requires`")
    })
}

/// `authenticated and scope "x"`, `public authenticated`, `authenticated or scope "x"`
pub(super) fn second_access(site: &Site<'_>) -> Option<Diagnostic> {
    let previous = site.previous()?;
    let found = site.found.filter(|_| !site.line_ends())?;
    if site.expects(Rule::k_anonymous) {
        return Some(
            site.error(format!(
                "`authenticated or` goes on with `anonymous` only, found `{}`",
                shown(found)
            ))
            .help("a condition is asked for by `requires …`, which always needs a valid token"),
        );
    }
    let word = found.word()?;
    if previous.text == "public" && (word == "when" || word == "where") {
        return Some(
            site.replace(found, format!("`{word}` cannot follow `public`"), "if")
                .help("write `if`"),
        );
    }
    let complete = ["public", "authenticated", "anonymous", "denied"].contains(&previous.text);
    if !complete || !(ACCESS.contains(&word) || word == "and" || word == "or" || word == "if") {
        return None;
    }
    let help = match previous.text {
        "authenticated" => "a condition is asked for by `requires …`, which needs a valid token",
        "public" => "a public route looks at no token; one over the request alone is `public if …`",
        _ => "a route has one access",
    };
    Some(
        site.error(format!("`{word}` cannot follow `{}`", previous.text))
            .help(help),
    )
}

/// Words for the same thing in other languages.
pub(super) fn foreign_word(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found.filter(|_| !site.line_ends())?;
    let word = found.word()?;
    let (meant, what) = if site.expects(Rule::test) {
        if ["matches", "like", "regex", "match"].contains(&word) {
            return Some(
                site.error(format!("`{word}` is not a test of the language"))
                    .help(
                        "there are no regular expressions; `starts with` and `ends with` there are",
                    ),
            );
        }
        (meant(word, synonyms::TESTS)?, "a test of the language")
    } else if site.expects(Rule::access) || site.expects(Rule::k_requires) {
        (meant(word, synonyms::ACCESS)?, "an access of the language")
    } else if site.expects(Rule::outcome) {
        (meant(word, synonyms::OUTCOMES)?, "what a test can expect")
    } else {
        return None;
    };
    Some(
        site.replace(found, format!("`{word}` is not {what}"), meant)
            .help(format!("write `{meant}`")),
    )
}
