//! `portcullis coverage --log`: what the requests of logs use of a policy.

use std::path::PathBuf;

use serde::Serialize;

use super::super::Ended;
use super::super::output::{self, Exit, Failure, Format, Paint, printable};
use super::super::policy;
use super::format::LogArguments;
use super::read::{Logs, Sums};
use crate::engine::Policy;
use crate::load;
use crate::replay::{self, Asked, Unused, Usage};

/// How many rows of a kind a report for people has.
const SHOWN: usize = 50;

/// Prints what the logs use of the policy.
pub fn run(
    paths: &[PathBuf],
    files: &[PathBuf],
    log: &LogArguments,
    options: &load::Options,
    format: Format,
) -> Ended {
    let log = log.log()?;
    let (loaded, policy) = policy::load_policy(paths, options)?;
    let logs = Logs {
        log: &log,
        files,
        from: 0,
    };
    let (usage, _) = logs.read(&Sums {
        add: &|usage: &mut Usage, line, place| match log.read(line) {
            Ok(entry) => {
                let verdict = replay::decide(&entry, &policy, &loaded.revision);
                usage.add(&entry, &verdict, place);
            }
            Err(error) => usage.unread(error, place),
        },
        unread: Usage::unread,
        merge: Usage::merge,
    })?;
    let drift = Drift::of(&usage, &policy);
    output::print_all(&match format {
        Format::Human => drift.human(Paint::of(&std::io::stdout())),
        Format::Json => drift.json()?,
    })?;
    Ok(if drift.is_none() {
        Exit::Good
    } else {
        Exit::Negative
    })
}

/// Where the traffic and the policy have grown apart.
struct Drift<'a> {
    usage: &'a Usage,
    unruled: Vec<(&'a Asked, u64)>,
    unused: Vec<Unused>,
    needless: Vec<&'a str>,
}

impl<'a> Drift<'a> {
    fn of(usage: &'a Usage, policy: &Policy) -> Drift<'a> {
        let rows = usage.unruled.iter();
        let mut unruled: Vec<_> = rows.map(|(key, row)| (key, row.count)).collect();
        unruled.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        Drift {
            usage,
            unruled,
            unused: usage.unused(policy),
            needless: usage.needless_scopes(policy),
        }
    }

    fn is_none(&self) -> bool {
        self.unruled.is_empty() && self.unused.is_empty() && self.needless.is_empty()
    }

    fn human(&self, paint: Paint) -> String {
        let mut text = String::new();
        let mut part = |heading: &str, rows: Vec<String>| {
            if rows.is_empty() {
                return;
            }
            text.push_str(&format!("{}\n", paint.strong(heading)));
            let more = rows.len().saturating_sub(SHOWN);
            for row in rows.into_iter().take(SHOWN) {
                text.push_str(&format!("  {row}\n"));
            }
            if more > 0 {
                text.push_str(&format!("  and {more} more\n"));
            }
            text.push('\n');
        };
        part(
            "Requests that no rule names",
            self.unruled
                .iter()
                .map(|((method, host, path), count)| {
                    format!(
                        "{count:>9}  {} {}{}",
                        printable(method),
                        printable(host),
                        printable(path)
                    )
                })
                .collect(),
        );
        part(
            "Rules that no request used",
            self.unused
                .iter()
                .map(|rule| {
                    let Unused { api, route, place } = rule;
                    format!("{} of {} ({place})", printable(route), printable(api))
                })
                .collect(),
        );
        part(
            "Scopes that every token had and no rule names",
            self.needless.iter().map(|scope| printable(scope)).collect(),
        );
        part(
            "Lines that were not read",
            self.usage
                .unread
                .iter()
                .map(|(error, row)| {
                    format!("{:>9}  {error}; first: line {}", row.count, row.first.line)
                })
                .collect(),
        );
        text.push_str(&format!(
            "{} lines, {} tokens with scopes\n",
            self.usage.lines, self.usage.tokens
        ));
        text
    }

    fn json(&self) -> Result<String, Failure> {
        let unread = self.usage.unread.values().map(|row| row.count).sum();
        output::json(&Json {
            lines: self.usage.lines,
            unread,
            tokens: self.usage.tokens,
            requests_without_rule: self
                .unruled
                .iter()
                .map(|((method, host, path), requests)| Unruled {
                    method,
                    host,
                    path,
                    requests: *requests,
                })
                .collect(),
            other_requests_without_rule: self.usage.other_unruled,
            unused_rules: self
                .unused
                .iter()
                .map(|rule| Rule {
                    api: &rule.api,
                    route: &rule.route,
                    place: &rule.place,
                })
                .collect(),
            needless_scopes: &self.needless,
        })
    }
}

#[derive(Serialize)]
struct Json<'a> {
    lines: u64,
    unread: u64,
    tokens: u64,
    requests_without_rule: Vec<Unruled<'a>>,
    other_requests_without_rule: u64,
    unused_rules: Vec<Rule<'a>>,
    needless_scopes: &'a [&'a str],
}

#[derive(Serialize)]
struct Unruled<'a> {
    method: &'a str,
    host: &'a str,
    path: &'a str,
    requests: u64,
}

#[derive(Serialize)]
struct Rule<'a> {
    api: &'a str,
    route: &'a str,
    place: &'a str,
}
