//! Conditions, accesses and paths in the syntax of other tools: functions, roles, regular
//! expressions, arrows, comments.

use super::super::build::is_name;
use super::super::parse::{Rule, parse};
use super::super::tokens::{Kind, Token, token_at, tokens};
use super::expected::ACCESS;
use super::synonyms::{self, meant};
use super::{Site, shown};
use crate::diagnostic::{Code, Diagnostic};
use crate::pattern::Method;

/// `GET * public`, `GET [/a, /b] public`, `GET /a /b public`, `GET /a or /b public`
pub(super) fn not_one_path(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found.filter(|_| !site.line_ends())?;
    let joins = ["and", "or", "|"]
        .iter()
        .any(|sign| found.text.eq_ignore_ascii_case(sign))
        && token_at(site.text, found.end()).is_some_and(|next| next.kind == Kind::Raw);
    if site.expects(Rule::access) && (found.kind == Kind::Raw || joins) {
        return Some(
            site.error(format!("expected an access, found `{}`", shown(found)))
                .help("a route has one path; write a line for each"),
        );
    }
    if !site.expects(Rule::path) {
        return None;
    }
    if found.is_sign("*") {
        let next = token_at(site.text, found.end()).filter(|next| next.is_sign("*"));
        let span = site.span(found.start, next.map_or(found.end(), |next| next.end()));
        return Some(
            site.error("expected a path, found `*`")
                .help("`/**` is any path")
                .suggest(span, "/**"),
        );
    }
    found.is_sign("[").then(|| {
        site.error("expected a path, found `[`")
            .help("a route has one path; write a line for each")
    })
}

/// `scope ALL […]`, `NOT scope "a"`
pub(super) fn capitals(site: &Site<'_>) -> Option<Diagnostic> {
    let near = [site.before_previous(), site.previous(), site.found];
    near.into_iter().flatten().find_map(|token| {
        let word = token.word()?;
        let lower = word.to_ascii_lowercase();
        let is_keyword = lower != word
            && Method::parse(word).is_none()
            && parse(Rule::name, site.file, &lower, 0).is_err();
        is_keyword.then(|| {
            site.replace(token, format!("expected `{lower}`, found `{word}`"), &lower)
                .help("keywords are written in lower case")
        })
    })
}

/// `requires role "admin"`, `requires role/user`, `requires email "a@b"`
pub(super) fn claim_without_keyword(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found?;
    let word = site.previous()?;
    let name = word.word()?;
    if !site.behind_condition() || !super::conditions::stands_as_condition(site) {
        return None;
    }
    let known = synonyms::CLAIMS
        .iter()
        .find(|(foreign, ..)| *foreign == name);
    if let Some((_, claim, is_list)) = known
        && let Some(error) = known_claim_compared(site, word, found, claim, *is_list)
    {
        return Some(error);
    }
    let value = match found.kind {
        Kind::String => found.text.trim_matches('"'),
        Kind::Raw if site.touches() => found.text.get(1..)?,
        _ => return None,
    };
    let condition = match known {
        Some((_, claim, true)) => format!("claim {claim} contains \"{value}\""),
        Some((_, claim, false)) => format!("claim {claim} == \"{value}\""),
        None if is_name(name) && found.kind == Kind::String => {
            format!("claim {name} == \"{value}\"")
        }
        None => return None,
    };
    let help = match known {
        Some((_, "sub", _)) => format!("the user is a claim of the token: `{condition}`"),
        Some((_, claim, _)) => format!("`{claim}` is a claim of the token: `{condition}`"),
        None => format!("if a claim of the token is meant, write `{condition}`"),
    };
    let span = site.place(word).to(site.place(found));
    Some(
        Diagnostic::new(
            Code::Syntax,
            site.place(word),
            format!("expected a condition, found `{name}`"),
        )
        .help(help)
        .suggest(span, condition),
    )
}

/// `role == "admin"`, `user == "alice"`, `roles ["admin"]`
fn known_claim_compared(
    site: &Site<'_>,
    word: Token<'_>,
    found: Token<'_>,
    claim: &str,
    is_list: bool,
) -> Option<Diagnostic> {
    let test = match (found.text, is_list) {
        ("[", true) => " contains any [",
        ("[", false) => " in [",
        ("==" | "=" | "is", true) => " contains",
        ("==" | "=" | "is", false) => " ==",
        ("in" | "contains" | "!=", _) => "",
        _ => return None,
    };
    let (end, test) = if test.is_empty() {
        (word.end(), "")
    } else {
        (found.end(), test)
    };
    let span = site.span(word.start, end);
    Some(
        Diagnostic::new(
            Code::Syntax,
            site.place(word),
            format!("expected a condition, found `{}`", word.text),
        )
        .help(format!(
            "`{claim}` is a claim of the token: `claim {claim}`"
        ))
        .suggest(span, format!("claim {claim}{test}")),
    )
}

/// `GET https://api.example.com/a public`
pub(super) fn url_as_path(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site
        .found
        .filter(|found| found.kind == Kind::Raw && site.expects(Rule::path))?;
    let (_, behind) = found.text.split_once("://")?;
    let (host, path) = behind
        .find('/')
        .map_or((behind, "/"), |at| behind.split_at(at));
    Some(
        site.replace(
            found,
            format!("expected a path, found `{}`", shown(found)),
            path,
        )
        .help(format!(
            "a route has a path alone; the host is a setting of the API, `host \"{host}\"`"
        )),
    )
}

/// `hasRole('ADMIN')`, `permitAll()`
pub(super) fn call(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found?;
    let (name, open) = if found.is_sign("(") && site.touches() {
        (site.previous()?, found)
    } else {
        let next = token_at(site.text, found.end())?;
        (
            found,
            (next.is_sign("(") && next.start == found.end()).then_some(next)?,
        )
    };
    let word = name.word()?;
    // `requires(…)` and `not(…)` are valid in this language.
    let is_keyword = parse(Rule::name, site.file, word, 0).is_err();
    let is_known = ACCESS.contains(&word) || word == "scope";
    if is_keyword && !is_known || word == "requires" {
        return None;
    }
    let line = site.text.get(open.end()..)?.lines().next()?;
    let length = line.find(')')?;
    let values: Vec<&str> = line
        .get(..length)?
        .split(',')
        .map(|value| value.trim_matches(|c: char| c.is_whitespace() || "'\"[]`".contains(c)))
        .filter(|value| !value.is_empty())
        .collect();
    let whole = site.span(name.start, open.end() + length + 1);
    let error = Diagnostic::new(
        Code::Syntax,
        whole,
        format!("`{word}(…)`: the language has no functions"),
    );
    let at_access = site.expects(Rule::access) || site.expects(Rule::k_requires);
    let before = site
        .before
        .iter()
        .rev()
        .find(|token| token.start < name.start);
    Some(match meaning(word, &values) {
        Some(Meant::Access(access)) => {
            let start = match before {
                Some(requires) if requires.text == "requires" => requires.start,
                _ => name.start,
            };
            let span = site.span(start, open.end() + length + 1);
            error
                .help(format!("write `{access}`"))
                .suggest(span, access)
        }
        Some(Meant::Condition(condition)) => {
            let requires = if at_access { "requires " } else { "" };
            error
                .help(format!("write `{requires}{condition}`"))
                .suggest(whole, format!("{requires}{condition}"))
        }
        None => error.help(
            "a condition is a test, such as `scope \"read\"` or `claim roles contains \"admin\"`",
        ),
    })
}

enum Meant {
    Access(&'static str),
    Condition(String),
}

/// The meaning of a function of other tools.
fn meaning(function: &str, values: &[&str]) -> Option<Meant> {
    let quoted = |prefix: &str| -> Vec<String> {
        values
            .iter()
            .map(|value| format!("\"{}\"", value.strip_prefix(prefix).unwrap_or(value)))
            .collect()
    };
    let of = |test: &str, prefix: &str, many: &str| {
        let values = quoted(prefix);
        match values.as_slice() {
            [] => None,
            [one] => Some(Meant::Condition(format!("{test} {one}"))),
            _ => Some(Meant::Condition(format!(
                "{test} {many} [{}]",
                values.join(", ")
            ))),
        }
    };
    let all = |prefix: &str| values.iter().all(|value| value.starts_with(prefix));
    match function.to_ascii_lowercase().as_str() {
        "permitall" => Some(Meant::Access("public")),
        "denyall" => Some(Meant::Access("denied")),
        "isauthenticated" | "isfullyauthenticated" | "authenticated" => {
            Some(Meant::Access("authenticated"))
        }
        "public" => Some(Meant::Access("public")),
        "denied" => Some(Meant::Access("denied")),
        "hasrole" | "hasanyrole" | "role" | "roles" => of("claim roles contains", "ROLE_", "any"),
        "hasauthority" | "hasanyauthority" if all("ROLE_") => {
            of("claim roles contains", "ROLE_", "any")
        }
        "hasauthority" | "hasanyauthority" if all("SCOPE_") => of("scope", "SCOPE_", "any"),
        "hasscope" | "hasanyscope" | "scope" | "scopes" => of("scope", "SCOPE_", "any"),
        "hasallscopes" => of("scope", "SCOPE_", "all"),
        "hasgroup" | "ismemberof" => of("claim groups contains", "", "any"),
        "hasipaddress" => Some(Meant::Condition(format!(
            "address in [{}]",
            quoted("").join(", ")
        ))),
        _ => None,
    }
}

/// `scope "a", "b"`, `claim x == "a", "b"`
pub(super) fn several_values(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found?;
    let first = site.previous().filter(|token| token.kind == Kind::String)?;
    if !site.behind_condition() {
        return None;
    }
    let second = match found.kind {
        Kind::String => found,
        Kind::Sign if found.text == "," => {
            token_at(site.text, found.end()).filter(|next| next.kind == Kind::String)?
        }
        _ => return None,
    };
    let list = format!("[{}, {}]", shown(first), shown(second));
    let before = site.before_previous()?;
    let help = match before.text {
        "scope" => format!(
            "write `scope all {list}` if all of them are needed, `scope any {list}` if one is enough"
        ),
        "contains" => format!(
            "write `contains all {list}` if all of them are needed, `contains any {list}` if one is \
             enough"
        ),
        "client" => format!("write `client in {list}`"),
        "==" => format!("write `in {list}`"),
        _ => return None,
    };
    let message = format!(
        "`{}` takes one value, found `{}`",
        before.text,
        shown(found)
    );
    Some(site.error(message).help(help))
}

/// `requires authenticated`, `requires public`
pub(super) fn access_as_condition(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found.filter(|_| site.expects_condition())?;
    let requires = site.previous().filter(|token| token.text == "requires")?;
    let word = found.word()?;
    let access = if ACCESS.contains(&word) {
        word
    } else {
        meant(word, synonyms::ACCESS).filter(|access| *access != "requires")?
    };
    let error = site.error(format!("expected a condition, found `{word}`"));
    let next = token_at(site.text, found.end());
    Some(match next {
        Some(next) if next.text == "and" && access == "authenticated" => error
            .help("`requires …` needs a valid token anyway: leave `authenticated and` out")
            .suggest(site.span(found.start, next.end() + 1), ""),
        _ => error
            .help(format!("`{access}` is written without `requires`"))
            .suggest(site.place(requires).to(site.place(found)), access),
    })
}

/// `requires any ["a"]`
pub(super) fn list_without_scope(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found.filter(|_| site.expects_condition())?;
    let word = found.word().filter(|word| ["any", "all"].contains(word))?;
    if token_at(site.text, found.end()).is_none_or(|next| !next.is_sign("[")) {
        return Some(
            site.error(format!("expected a condition, found `{word}`")).help(format!(
                "several scopes are `scope {word} [\"…\", \"…\"]`; conditions are joined by `and` and \
                 `or`"
            )),
        );
    }
    Some(
        site.insert(format!("expected a condition, found `{word}`"), "scope ")
            .help(format!("scopes are asked for by `scope {word} […]`")),
    )
}

/// `claim x != null`
pub(super) fn null(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found.filter(|found| {
        ["null", "nil", "None", "undefined"].contains(&found.text) && site.expects(Rule::value)
    })?;
    let comparison = site.previous()?;
    let test = match comparison.text {
        "!=" => "present",
        "==" => "absent",
        _ => return None,
    };
    let span = site.place(comparison).to(site.place(found));
    let message = format!("expected a value, found `{}`", found.text);
    Some(
        site.error(message)
            .help(format!("write `{test}`"))
            .suggest(span, test),
    )
}

/// `claim x =~ "a.*"`, `claim x ~ "a.*"`
pub(super) fn regex_test(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found.filter(|_| site.expects(Rule::test))?;
    let next = token_at(site.text, found.end()).filter(|next| next.start == found.end());
    let operator = match (found.text, next) {
        ("~", _) => "~",
        ("=", Some(next)) if next.is_sign("~") => "=~",
        ("!", Some(next)) if next.is_sign("~") => "!~",
        _ => return None,
    };
    Some(
        site.error(format!("expected a test, found `{operator}`"))
            .help("there are no regular expressions; `starts with` and `ends with` compare a part"),
    )
}

/// `GET ^/api/.*$ public`
pub(super) fn regex_path(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found.filter(|found| {
        site.expects(Rule::path) && ["^", "~", "\\", "$", "."].contains(&found.text)
    })?;
    let rest = site.text.get(found.start..)?;
    let length = rest.find([' ', '\t', '\r', '\n']).unwrap_or(rest.len());
    let written = Token {
        text: rest.get(..length)?,
        ..found
    };
    let error = site
        .error_at(
            written,
            format!("expected a path, found `{}`", shown(written)),
        )
        .help(
            "a path begins with `/` and is not a regular expression: `{id}` is any one segment, \
             `/**` any number of them at the end",
        );
    let plain = written
        .text
        .strip_prefix('^')
        .and_then(|path| path.strip_suffix('$'))
        .filter(|path| {
            path.starts_with('/')
                && path
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "/-_".contains(c))
        });
    Some(match plain {
        Some(plain) => error.suggest(site.place(written), plain),
        None => error,
    })
}

/// `GET /a public // why`
pub(super) fn comment_behind(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found.filter(|found| {
        let rest = site.text.get(found.start..).unwrap_or_default();
        let comment = ["//", "/*", "--"].iter().any(|sign| rest.starts_with(sign));
        comment && !site.expects(Rule::path) && !site.expects(Rule::target)
    })?;
    let sign = site.text.get(found.start..found.start + 2)?;
    let place = site.span(found.start, found.start + 2);
    Some(
        Diagnostic::new(
            Code::Syntax,
            place,
            format!("`{sign}` does not begin a comment"),
        )
        .help("comments begin with `#` and end with the line")
        .suggest(place, "# "),
    )
}

/// `GET /a => public`
pub(super) fn arrow(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found.filter(|_| site.expects(Rule::access))?;
    let next = token_at(site.text, found.end());
    let end = match (found.text, next) {
        ("=>" | ":", _) => found.end(),
        ("-" | "=", Some(next)) if next.is_sign(">") && next.start == found.end() => next.end(),
        _ => return None,
    };
    let span = site.span(found.start, end);
    let sign = site.text.get(found.start..end)?;
    Some(
        Diagnostic::new(
            Code::Syntax,
            span,
            format!("expected an access, found `{sign}`"),
        )
        .help("the access follows the path after a blank: `GET /orders authenticated`")
        .suggest(span, ""),
    )
}

/// `GET /a public,`
pub(super) fn comma_at_the_end(site: &Site<'_>) -> Option<Diagnostic> {
    let found = site.found.filter(|found| found.is_sign(","))?;
    let complete = site.behind_condition()
        || site
            .previous()
            .is_some_and(|token| ACCESS.contains(&token.text) || token.text == "anonymous");
    let next = token_at(site.text, found.end());
    let ends = next.is_none_or(|next| {
        site.text
            .get(found.end()..next.start)
            .is_some_and(|between| between.contains('\n'))
    });
    (complete && ends).then(|| {
        site.replace(found, "statements have no separator; remove the `,`", "")
            .help("a statement ends where the next one begins")
    })
}

/// The strings from a token on, with or without commas between them, and their end.
pub(super) fn strings<'a>(text: &'a str, first: Token<'a>) -> (Vec<&'a str>, usize) {
    let mut found = Vec::new();
    let mut end = first.start;
    for token in tokens(text, first.start) {
        match token.kind {
            Kind::String | Kind::Number => {
                found.push(token.text);
                end = token.end();
            }
            Kind::Sign if token.text == "," => {}
            _ => break,
        }
        let line_ends = text.get(token.end()..).is_some_and(|rest| {
            rest.trim_start_matches([' ', '\t'])
                .starts_with(['\n', '\r'])
        });
        if line_ends && token.kind != Kind::Sign {
            break;
        }
    }
    (found, end)
}

/// A line that declares a claim: `groups list of string from "cognito:groups"`.
pub(super) fn declaration_of(path: &str, is_list: bool) -> String {
    let last = path
        .trim_end_matches(['/', '.'])
        .rsplit(['/', ':', '.', '#'])
        .next()
        .unwrap_or(path);
    let name: String = last
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let name = if is_name(&name) {
        name
    } else {
        "NAME".to_owned()
    };
    let ty = if is_list { "list of string" } else { "string" };
    let is_member = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let path = if path.contains("://") || !path.contains('.') {
        if is_member(path) {
            path.to_owned()
        } else {
            format!("\"{path}\"")
        }
    } else {
        let parts: Vec<String> = path
            .split('.')
            .map(|part| {
                if is_member(part) {
                    part.to_owned()
                } else {
                    format!("\"{part}\"")
                }
            })
            .collect();
        parts.join(".")
    };
    format!("{name} {ty} from {path}")
}
