//! The report of a replay.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::super::diff::{command, markdown};
use super::super::output::{self, Failure, Paint, printable};
use crate::replay::{Change, Example, Open, Row, Tally, Unrelated, Who};

/// How many clients a report for people names.
const SHOWN_CLIENTS: usize = 20;

/// The length of a comment, below what GitHub accepts.
const MAX_COMMENT: usize = 60_000;

/// The first line of the comment, by which a workflow finds its earlier one.
const MARKER: &str = "<!-- portcullis replay -->";

/// Everything that a report says.
pub struct Report<'a> {
    /// The decisions, added up.
    pub tally: &'a Tally,
    /// The policy on the command line.
    pub policy: &'a Path,
    /// Its revision.
    pub revision: &'a str,
    /// The parameters on the command line.
    pub params: &'a [(String, String)],
    /// The logs.
    pub files: &'a [PathBuf],
    /// The offset behind the last whole line of the last log.
    pub end: u64,
    /// Whether the examples have claims and addresses.
    pub shows_subjects: bool,
}

/// A kind of changes, with its heading.
type Kind = (&'static str, fn(&Change) -> bool);

/// The kinds of changes.
const KINDS: [Kind; 4] = [
    ("Would be denied", Change::denies),
    ("Would be allowed", Change::allows),
    ("Would be denied for another reason", |change| {
        !change.denies() && !change.allows() && !change.clears()
    }),
    (
        "Would pass, though the policy in force denies it (observed)",
        Change::clears,
    ),
];

impl Report<'_> {
    /// For people.
    pub fn human(&self, paint: Paint) -> String {
        let mut text = String::new();
        for line in self.summary() {
            text.push_str(&line);
            text.push('\n');
        }
        for (heading, is) in KINDS {
            let rows = self.rows(is);
            if rows.is_empty() {
                continue;
            }
            text.push_str(&format!("\n{}:\n", paint.strong(heading)));
            for (change, row) in rows {
                text.push_str(&format!("  {:>9}  {}\n", row.count, words(change)));
                text.push_str(&format!("             first: {}\n", self.place(&row.first)));
                if let Some(command) = self.why(&row.first) {
                    text.push_str(&format!("             {}\n", paint.faint(command)));
                }
            }
        }
        if let Some(hint) = self.hint() {
            text.push_str(&format!("\n{hint}\n"));
        }
        let clients = self.clients();
        if !clients.is_empty() {
            text.push_str(&format!(
                "\n{}:\n",
                paint.strong("Clients that would be denied")
            ));
            for (who, count) in clients.iter().take(SHOWN_CLIENTS) {
                text.push_str(&format!("  {count:>9}  {}\n", named(who)));
            }
            let more = clients.len().saturating_sub(SHOWN_CLIENTS);
            if more > 0 {
                text.push_str(&format!("             and {more} more\n"));
            }
        }
        self.rest(&mut text, paint);
        text
    }

    /// What could not be decided or read, and where to continue.
    fn rest(&self, text: &mut String, paint: Paint) {
        if !self.tally.open.is_empty() {
            text.push_str(&format!(
                "\n{}:\n",
                paint.strong("Not decidable: the log lacks what a rule reads")
            ));
            for ((api, route, missing), row) in self.open() {
                text.push_str(&format!(
                    "  {:>9}  {}: {}; first: {}\n",
                    row.count,
                    routed(api, route),
                    joined(missing),
                    self.place(&row.first)
                ));
            }
        }
        if !self.tally.unread.is_empty() {
            text.push_str(&format!("\n{}:\n", paint.strong("Not read")));
            for (error, row) in &self.tally.unread {
                text.push_str(&format!(
                    "  {:>9}  {error}; first: {}\n",
                    row.count,
                    self.place(&row.first)
                ));
            }
        }
        if let [_] = self.files {
            text.push_str(&format!(
                "\nTo continue behind the last line: --from-offset {}\n",
                self.end
            ));
        }
    }

    /// For a comment on a pull request.
    pub fn markdown(&self) -> String {
        let mut text = format!("{MARKER}\n### Replay of the log\n\n{}\n\n", self.sentence());
        for line in self.summary() {
            text.push_str(&format!("- {}\n", markdown::inline(line.trim())));
        }
        let mut parts = Vec::new();
        for (heading, is) in KINDS {
            let rows = self.rows(is);
            if !rows.is_empty() {
                parts.push(format!("\n#### {heading}\n\n"));
            }
            for (change, row) in rows {
                let mut part =
                    format!("- **{}** {}\n", row.count, markdown::inline(&words(change)));
                if let Some(command) = self.why(&row.first) {
                    part.push_str("  <details><summary>example</summary>\n\n");
                    for line in markdown::block("sh", &command).lines() {
                        part.push_str(&format!("  {line}\n"));
                    }
                    part.push_str("\n  </details>\n");
                }
                parts.push(part);
            }
        }
        if let Some(hint) = self.hint() {
            parts.push(format!("\n{hint}\n"));
        }
        let clients = self.clients();
        if !clients.is_empty() {
            let shown = clients.iter().take(SHOWN_CLIENTS);
            let shown: Vec<String> = shown
                .map(|(who, count)| format!("{} ({count})", markdown::inline(&named(who))))
                .collect();
            let more = clients.len().saturating_sub(SHOWN_CLIENTS);
            let more = if more > 0 {
                format!(", and {more} more")
            } else {
                String::new()
            };
            parts.push(format!(
                "\n#### Clients that would be denied\n\n{}{more}\n",
                shown.join(", ")
            ));
        }
        if !self.tally.open.is_empty() {
            parts.push("\n#### Not decidable: the log lacks what a rule reads\n\n".to_owned());
            for ((api, route, missing), row) in self.open() {
                let what = format!("{}: {}", routed(api, route), joined(missing));
                parts.push(format!("- **{}** {}\n", row.count, markdown::inline(&what)));
            }
        }
        for part in parts {
            if text.len().saturating_add(part.len()) > MAX_COMMENT {
                text.push_str("\n… and more, which `portcullis replay` lists.\n");
                break;
            }
            text.push_str(&part);
        }
        text
    }

    /// What matters most, in a sentence.
    fn sentence(&self) -> String {
        let tally = self.tally;
        let denied = match tally.count(Change::denies) {
            0 => "none that passed before would be denied.".to_owned(),
            denied => format!(
                "{denied} from {} would be denied; they passed before.",
                self.named_clients()
            ),
        };
        let open = tally.open_count() + tally.unrelated.open;
        let open = match open {
            0 => String::new(),
            open => format!(" Of {open}, the log doesn't say enough to decide them."),
        };
        format!(
            "Of the {} in the log, {denied}{open}",
            count(tally.lines - tally.unread_count(), "request")
        )
    }

    /// How many clients would be denied.
    fn named_clients(&self) -> String {
        let more = if self.tally.other_clients > 0 {
            "more than "
        } else {
            ""
        };
        let known = self.tally.clients.keys();
        let known = known.filter(|who| **who != Who::Unknown).count();
        let has_unknown = self.tally.clients.contains_key(&Who::Unknown);
        let known_clients = format!("{more}{}", output::count(known, "client"));
        match (known, has_unknown) {
            (0, true) => "unknown clients".to_owned(),
            (_, true) => format!("{known_clients} and unknown clients"),
            (_, false) => known_clients,
        }
    }

    /// What the examples lack, if there are any.
    fn hint(&self) -> Option<&'static str> {
        let mut rows = self.tally.changes.values();
        let has_example = rows.any(|row| row.first.why.is_some());
        (has_example && !self.shows_subjects).then_some(
            "The examples have no claims and no addresses; `--show-subjects` shows them.",
        )
    }

    /// For programs.
    pub fn json(&self) -> Result<String, Failure> {
        let tally = self.tally;
        let changes = tally.changes.iter().map(|(change, row)| JsonChange {
            api: none_if_empty(&change.api),
            route: none_if_empty(&change.route),
            effect: if change.denies() {
                "tightened"
            } else if change.allows() {
                "loosened"
            } else if change.clears() {
                "cleared"
            } else {
                "changed"
            },
            old: &change.old,
            observed: change.observed.as_deref(),
            new: &change.new,
            requests: row.count,
            example: self.example(&row.first),
        });
        let undecidable = tally
            .open
            .iter()
            .map(|((api, route, missing), row)| JsonOpen {
                api: none_if_empty(api),
                route: none_if_empty(route),
                missing,
                requests: row.count,
                example: self.example(&row.first),
            });
        let clients = self.clients().into_iter().map(|(who, requests)| {
            let (client, sub) = match who {
                Who::Client(client) => (Some(client.as_str()), None),
                Who::Subject(sub) => (None, Some(sub.as_str())),
                Who::Unknown => (None, None),
            };
            JsonClient {
                client,
                sub,
                requests,
            }
        });
        let unread = tally.unread.iter().map(|(error, row)| JsonUnread {
            error: error.to_string(),
            lines: row.count,
            first: self.example(&row.first),
        });
        output::json(&Json {
            policy: self.revision,
            lines: tally.lines,
            same: tally.same,
            denied: tally.count(Change::denies),
            denied_observed: tally.count(Change::enforces),
            allowed: tally.count(Change::allows),
            cleared: tally.count(Change::clears),
            undecidable: tally.open_count(),
            unrelated: JsonUnrelated {
                allowed: tally.unrelated.allowed,
                denied: tally.unrelated.denied,
                undecidable: tally.unrelated.open,
            },
            unread: tally.unread_count(),
            changes: changes.collect(),
            clients: clients.collect(),
            other_clients_requests: tally.other_clients,
            not_decidable: undecidable.collect(),
            not_read: unread.collect(),
            end_offset: self.end,
        })
    }

    /// The first lines of a report.
    fn summary(&self) -> Vec<String> {
        let tally = self.tally;
        let mut lines = vec![format!(
            "{} decided again by `{}` (revision {}):",
            count(tally.lines, "line"),
            printable(&self.policy.to_string_lossy()),
            self.revision
        )];
        lines.push(format!("  {:>9}  as before", tally.same));
        for (heading, is) in KINDS {
            let requests = tally.count(is);
            if heading == KINDS[3].0 && requests == 0 {
                continue;
            }
            let of = if heading == KINDS[0].0 && requests > 0 {
                let observed = match tally.count(Change::enforces) {
                    0 => String::new(),
                    observed => format!(
                        "; the policy in force denies {observed} of them too, but only observes"
                    ),
                };
                format!(", from {}{observed}", self.named_clients())
            } else {
                String::new()
            };
            let heading = heading.to_lowercase();
            lines.push(format!("  {requests:>9}  {heading}{of}"));
        }
        lines.push(format!("  {:>9}  not decidable", tally.open_count()));
        let Unrelated {
            allowed,
            denied,
            open,
        } = tally.unrelated;
        let unrelated = allowed + denied + open;
        if unrelated > 0 {
            lines.push(format!(
                "  {unrelated:>9}  with a status that says nothing about authorization: {allowed} \
                 would be allowed, {denied} denied, {open} not decidable"
            ));
        }
        if tally.unread_count() > 0 {
            lines.push(format!("  {:>9}  not read", tally.unread_count()));
        }
        lines
    }

    fn rows(&self, is: fn(&Change) -> bool) -> Vec<(&Change, &Row)> {
        let mut rows: Vec<_> = self
            .tally
            .changes
            .iter()
            .filter(|(change, _)| is(change))
            .collect();
        rows.sort_by_key(|(_, row)| std::cmp::Reverse(row.count));
        rows
    }

    fn open(&self) -> Vec<(&Open, &Row)> {
        let mut rows: Vec<_> = self.tally.open.iter().collect();
        rows.sort_by_key(|(_, row)| std::cmp::Reverse(row.count));
        rows
    }

    fn clients(&self) -> Vec<(&Who, u64)> {
        let clients = self.tally.clients.iter();
        let mut clients: Vec<_> = clients.map(|(who, count)| (who, *count)).collect();
        clients.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        clients
    }

    fn place(&self, example: &Example) -> String {
        let file = self.files.get(example.file);
        let file = file.map(|file| file.display().to_string());
        format!("{}:{}", printable(&file.unwrap_or_default()), example.line)
    }

    fn example(&self, example: &Example) -> JsonExample {
        let file = self.files.get(example.file);
        JsonExample {
            file: file.map_or_else(String::new, |file| file.display().to_string()),
            line: example.line,
            why: self.why(example),
        }
    }

    /// The command that shows the new decision.
    fn why(&self, example: &Example) -> Option<String> {
        let mut words = vec![
            "portcullis".to_owned(),
            "why".to_owned(),
            self.policy.display().to_string(),
        ];
        let mut is_json = false;
        for word in example.why.as_ref()? {
            words.push(if is_json {
                command::ascii(word)
            } else {
                word.clone()
            });
            is_json = word == "--claims";
        }
        for (name, value) in self.params {
            words.extend(["--param".to_owned(), format!("{name}={value}")]);
        }
        Some(command::line(&words))
    }
}

fn words(change: &Change) -> String {
    let Change {
        api,
        route,
        old,
        observed,
        new,
    } = change;
    let observed = observed
        .as_ref()
        .map_or_else(String::new, |denied| format!(" (observed: `{denied}`)"));
    format!("{}: `{old}`{observed} → `{new}`", routed(api, route))
}

fn routed(api: &str, route: &str) -> String {
    match (route, api) {
        ("", "") => "no route".to_owned(),
        ("", api) => format!("no route of `{}`", printable(api)),
        (route, api) => format!("`{}` of `{}`", printable(route), printable(api)),
    }
}

fn joined(missing: &BTreeSet<String>) -> String {
    let names: Vec<String> = missing.iter().map(|name| printable(name)).collect();
    names.join(", ")
}

fn named(who: &Who) -> String {
    match who {
        Who::Client(client) => format!("`{}`", printable(client)),
        Who::Subject(sub) => format!("subject `{}`", printable(sub)),
        Who::Unknown => "unknown".to_owned(),
    }
}

fn count(count: u64, one: &str) -> String {
    usize::try_from(count).map_or_else(
        |_| format!("{count} {one}s"),
        |count| output::count(count, one),
    )
}

fn none_if_empty(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

#[derive(Serialize)]
struct Json<'a> {
    policy: &'a str,
    lines: u64,
    same: u64,
    denied: u64,
    denied_observed: u64,
    allowed: u64,
    cleared: u64,
    undecidable: u64,
    unrelated: JsonUnrelated,
    unread: u64,
    changes: Vec<JsonChange<'a>>,
    clients: Vec<JsonClient<'a>>,
    other_clients_requests: u64,
    not_decidable: Vec<JsonOpen<'a>>,
    not_read: Vec<JsonUnread>,
    end_offset: u64,
}

#[derive(Serialize)]
struct JsonUnrelated {
    allowed: u64,
    denied: u64,
    undecidable: u64,
}

#[derive(Serialize)]
struct JsonChange<'a> {
    api: Option<&'a str>,
    route: Option<&'a str>,
    effect: &'static str,
    old: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed: Option<&'a str>,
    new: &'a str,
    requests: u64,
    example: JsonExample,
}

#[derive(Serialize)]
struct JsonOpen<'a> {
    api: Option<&'a str>,
    route: Option<&'a str>,
    missing: &'a BTreeSet<String>,
    requests: u64,
    example: JsonExample,
}

#[derive(Serialize)]
struct JsonClient<'a> {
    client: Option<&'a str>,
    sub: Option<&'a str>,
    requests: u64,
}

#[derive(Serialize)]
struct JsonUnread {
    error: String,
    lines: u64,
    first: JsonExample,
}

#[derive(Serialize)]
struct JsonExample {
    file: String,
    line: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}
