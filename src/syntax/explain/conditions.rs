//! Conditions and accesses in unsupported spellings.

use super::super::context::Context;
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
            format!("expected a condition, found `{}`", shown(found)),
            format!("scope {}", found.text),
        )
        .help("`scope \"…\"` requires a scope, `claim NAME == \"…\"` a claim's value"),
    )
}

/// `scope == "a"`, `scope in ["a"]`
pub(super) fn scope_compared(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found?;
    let scope = site.previous().filter(|token| token.text == "scope")?;
    let compared = ["=", "==", "in", "contains", "[", ":"].contains(&found.text);
    if !compared || !site.expects(Rule::k_any) {
        return None;
    }
    let error = site
        .error(format!("`{}` cannot follow `{}`", shown(found), scope.text))
        .help("write `scope \"…\"`, `scope any […]` or `scope all […]`");
    let rest = site.text.get(found.end()..)?;
    let blanks = rest.len() - rest.trim_start_matches(' ').len();
    let end = rest
        .trim_start_matches(' ')
        .find([' ', '\t', '\r', '\n', ',', ')'])
        .map_or(rest.len(), |end| end + blanks);
    let value = rest.get(..end)?.trim().trim_matches('"');
    let is_one = ["=", "==", ":"].contains(&found.text)
        && !value.is_empty()
        && value
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.:/".contains(c));
    Some(if is_one {
        let span = site.span(scope.end(), found.end() + end);
        error.suggest(span, format!(" \"{value}\""))
    } else {
        error
    })
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
            format!("expected a test of the claim `{}`", name.text),
        )
        .help(format!(
            "`claim {0} present` requires that the token has it; compare a boolean with \
                 `claim {0} == true`",
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
        _ => error.help("write `not` before the whole condition: `not claim …`"),
    })
}

/// `claim email in domain company.com`, `claim email not in domain "company.com"`
pub(super) fn domain_of_address(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found.filter(|_| !site.line_ends())?;
    let domain = site.previous().filter(|token| token.text == "domain")?;
    let before = site.before_previous().filter(|token| token.text == "in")?;
    let is_name = found.word().is_some_and(|word| !is_connective(word));
    if is_name && site.behind_condition() {
        return Some(
            site.error_at(found, "the domain must be in quotes")
                .help("write it as in `claim email in domain \"example.com\"`"),
        );
    }
    let negated = site.before.iter().rev().nth(2)?.text == "not";
    (negated && found.text.starts_with('"')).then(|| {
        let span = site.place(before).to(site.place(domain));
        Diagnostic::new(Code::Syntax, span, "there is no `not in domain`")
            .help("write `not` before the whole condition: `not claim … in domain \"…\"`")
    })
}

/// A bare word as a condition, followed by something that can't follow a condition: `scop "x"`,
/// `plan == "pro"`, `jwt.roles contains "x"`
pub(super) fn not_a_condition(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found?;
    let word = site.previous()?;
    let name = word.word()?;
    if name == "token" && found.is_sign(".") {
        return Some(
            site.error_at(word, "expected a condition, found `token.`")
                .help("`claim NAME` reads a claim, `scope \"…\"` the token's scopes"),
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
                format!("expected a condition, found `{name}.`"),
            )
            .help("`claim NAME` reads a claim, by the name that the issuer's `claims` give it"),
        );
    }
    if super::synonyms::is_claim_of_others(name) {
        return None;
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
            site.replace(word, format!("expected a condition, found `{name}`"), meant)
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
            format!("`{name}` is the name of a condition, which can't be compared"),
            format!("claim {name}"),
        )
        .help(format!(
            "to compare the token's claim, write `claim {name}`"
        ))
    })
}

/// Whether the token before the found one is where a condition begins.
pub(super) fn stands_as_condition(site: &Site<'_>) -> bool {
    site.before_previous()
        .is_some_and(|token| ["requires", "if", "and", "or", "not", "(", "="].contains(&token.text))
}

fn is_connective(word: &str) -> bool {
    ["and", "or", "instead", "requires"].contains(&word) || nearest(word, ["and", "or"]).is_some()
}

/// A keyword of conditions without the rest of its test: `requires path == "x"`
pub(super) fn claim_missing(site: &Site<'_>) -> Option<Diagnostic> {
    if !site.expects_condition() || site.line_ends() {
        return None;
    }
    let found = site.found?;
    let word = found.word()?;
    if word == "path" || word == "host" {
        return Some(
            site.error(format!("`{word}` has no value of its own"))
                .help(format!("compare a part of it by its name: `{word}.NAME`")),
        );
    }
    if word == "true" || word == "false" {
        let help = match word {
            "true" => "to ask for a valid token and nothing else, write `authenticated`",
            _ => "to let nothing pass, write `denied`",
        };
        return Some(
            site.error(format!("`{word}` is not a condition"))
                .help(help),
        );
    }
    let meant = meant(word, synonyms::CONDITIONS)?;
    Some(
        site.replace(
            found,
            format!("expected a condition, found `{word}`"),
            meant,
        )
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
        .help("a condition follows `requires`")
    })
}

/// `authenticated and scope "x"`, `public authenticated`, `authenticated or scope "x"`
pub(super) fn second_access(site: &Site<'_>) -> Option<Diagnostic> {
    let previous = site.previous()?;
    let found = site.found.filter(|_| !site.line_ends())?;
    if site.expects(Rule::k_anonymous) {
        return Some(
            site.error(format!(
                "expected `anonymous` after `authenticated or`, found `{}`",
                shown(found)
            ))
            .help("`requires …` asks for a condition and always needs a valid token"),
        );
    }
    let word = found.word()?;
    if previous.text == "public" && (word == "when" || word == "where") {
        return Some(
            site.replace(found, format!("`{word}` cannot follow `public`"), "if")
                .help("write `if`"),
        );
    }
    if previous.text == "public" && word == "unless" {
        return Some(
            site.replace(found, "`unless` cannot follow `public`", "if not")
                .help("write `if not`"),
        );
    }
    let complete = ["public", "authenticated", "anonymous", "denied"].contains(&previous.text);
    let follows =
        ["and", "or", "if"].contains(&word) || (word == "with" && site.context != Context::Test);
    if !complete || !(ACCESS.contains(&word) || follows) {
        return None;
    }
    if previous.text == "authenticated" && ["requires", "and", "with", "if"].contains(&word) {
        let span = site.place(previous).to(site.place(found));
        return Some(
            site.error(format!("`{word}` cannot follow `authenticated`"))
                .help("`requires …` asks for a condition and needs a valid token")
                .suggest(span, "requires"),
        );
    }
    let help = match previous.text {
        "authenticated" => "`requires …` asks for a condition and needs a valid token",
        "public" => "a public route ignores tokens; `public if …` can test the request",
        _ => "a route has one kind of access",
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
            return Some(site.error(format!("expected a test, found `{word}`")).help(
                "there are no regular expressions; `starts with` and `ends with` compare a part",
            ));
        }
        (meant(word, synonyms::TESTS)?, "a test")
    } else if site.expects(Rule::access) || site.expects(Rule::k_requires) {
        (meant(word, synonyms::ACCESS)?, "an access")
    } else if site.expects(Rule::outcome) {
        (meant(word, synonyms::OUTCOMES)?, "an outcome")
    } else {
        return None;
    };
    Some(
        site.replace(found, format!("expected {what}, found `{word}`"), meant)
            .help(format!("write `{meant}`")),
    )
}
