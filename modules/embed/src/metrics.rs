//! Metrics for a scrape, in the OpenMetrics text format.
//!
//! A proxy with several processes has one set of metrics for each, and whichever process is asked
//! answers for all of them: their texts are added up, family by family.

use std::collections::HashMap;
use std::fmt::{self, Write as _};

use portcullis::runtime::metrics::CONTENT_TYPE;

use crate::decide::Response;

/// The response to a scrape. `text` is only called if the method is one that reads.
pub fn response(method: &[u8], text: impl FnOnce() -> Option<String>) -> Response {
    let of = |status, name, value: &str, body| Response {
        status,
        headers: vec![
            (name, value.to_owned()),
            ("cache-control", "no-store".to_owned()),
        ],
        body,
    };
    match method {
        b"GET" | b"HEAD" => match text() {
            Some(text) => of(200, "content-type", CONTENT_TYPE, Some(text.into_bytes())),
            None => Response::lost(),
        },
        _ => of(405, "allow", "GET, HEAD", None),
    }
}

/// The metrics of several processes together. Counters and histograms are added. Of a gauge, the
/// result is what an alert needs: see [`of_gauge`].
pub fn sum<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    let mut families = Families::default();
    for text in texts {
        families.add(text);
    }
    families.text(|_| true)
}

/// The part of the metrics that counts on after the process has ended: all but the gauges.
pub fn counters(text: &str) -> String {
    let mut families = Families::default();
    families.add(text);
    families.text(|family| family.together == Together::Added)
}

/// How samples of several processes become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Together {
    Added,
    Least,
    Most,
    /// Added, but nothing of it is left when the process ends.
    Held,
}

/// The rule for a gauge.
fn of_gauge(name: &str) -> Option<Together> {
    Some(match name {
        "portcullis_token_cache_entries" | "portcullis_token_cache_bytes" => Together::Held,
        // The process whose policy is the oldest.
        "portcullis_policy_loaded_timestamp_seconds" => Together::Least,
        // A single process that lags behind.
        "portcullis_policy_last_load_failed" => Together::Most,
        // Each revision that is in force somewhere.
        "portcullis_policy_info" => Together::Most,
        _ => return None,
    })
}

#[derive(Default)]
struct Families<'t> {
    all: Vec<Family<'t>>,
    by_name: HashMap<&'t str, usize>,
}

struct Family<'t> {
    /// The lines with its type and its meaning.
    head: Vec<&'t str>,
    together: Together,
    /// In the order in which they came: those of a histogram belong together.
    samples: Vec<(&'t str, Value)>,
    by_name: HashMap<&'t str, usize>,
}

impl<'t> Families<'t> {
    fn add(&mut self, text: &'t str) {
        let mut current = None;
        for line in text.lines() {
            if let Some(comment) = line.strip_prefix("# ") {
                let mut words = comment.splitn(3, ' ');
                if let (Some(word), Some(name)) = (words.next(), words.next()) {
                    let family = self.family(name);
                    current = Some(family);
                    self.all[family].describe(word, name, words.next(), line);
                }
            } else if let (Some(family), Some((name, value))) = (current, line.rsplit_once(' '))
                && let Some(value) = Value::read(value)
            {
                self.all[family].add(name, value);
            }
        }
    }

    fn family(&mut self, name: &'t str) -> usize {
        *self.by_name.entry(name).or_insert_with(|| {
            self.all.push(Family {
                head: Vec::new(),
                together: Together::Added,
                samples: Vec::new(),
                by_name: HashMap::new(),
            });
            self.all.len() - 1
        })
    }

    fn text(&self, wanted: impl Fn(&Family<'t>) -> bool) -> String {
        let mut text = String::new();
        for family in self.all.iter().filter(|family| wanted(family)) {
            for line in &family.head {
                text.push_str(line);
                text.push('\n');
            }
            for (name, value) in &family.samples {
                // Writing to a string can't fail.
                let _ = writeln!(text, "{name} {value}");
            }
        }
        text.push_str("# EOF\n");
        text
    }
}

impl<'t> Family<'t> {
    fn describe(&mut self, word: &str, name: &str, kind: Option<&str>, line: &'t str) {
        if !self.head.contains(&line) {
            self.head.push(line);
        }
        if word == "TYPE" && kind == Some("gauge") {
            self.together = of_gauge(name).unwrap_or(Together::Most);
        }
    }

    fn add(&mut self, name: &'t str, value: Value) {
        let Some(known) = self.by_name.get(name) else {
            self.by_name.insert(name, self.samples.len());
            self.samples.push((name, value));
            return;
        };
        let so_far = &mut self.samples[*known].1;
        *so_far = match self.together {
            Together::Added | Together::Held => so_far.plus(value),
            Together::Least if value.real() < so_far.real() => value,
            Together::Most if value.real() > so_far.real() => value,
            Together::Least | Together::Most => *so_far,
        };
    }
}

/// A sample's value. Counts stay whole, whatever their size.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Value {
    Whole(u64),
    Real(f64),
}

impl Value {
    fn read(text: &str) -> Option<Value> {
        let whole = text.parse().map(Value::Whole);
        whole.or_else(|_| text.parse().map(Value::Real)).ok()
    }

    fn real(self) -> f64 {
        match self {
            Value::Whole(whole) => whole as f64,
            Value::Real(real) => real,
        }
    }

    fn plus(self, other: Value) -> Value {
        match (self, other) {
            (Value::Whole(one), Value::Whole(two)) => Value::Whole(one.saturating_add(two)),
            _ => Value::Real(self.real() + other.real()),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Whole(whole) => write!(f, "{whole}"),
            Value::Real(real) if real.fract() == 0.0 => write!(f, "{real:.1}"),
            Value::Real(real) => write!(f, "{real}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portcullis::runtime::metrics::{Adapter, Metrics};
    use std::time::{Duration, UNIX_EPOCH};

    fn process(revision: &str, loaded: u64, refreshes: &[(&str, bool)]) -> String {
        let metrics = Metrics::new();
        let loaded = UNIX_EPOCH + Duration::from_secs(loaded);
        metrics.policy(revision, loaded, &[]);
        metrics.tokens_kept(2, 100);
        for (issuer, success) in refreshes {
            metrics.key_refresh(issuer, *success);
            metrics.decision_took(Adapter::nginx_module, Duration::from_micros(30));
        }
        metrics.text()
    }

    fn has(text: &str, line: &str) {
        let lines = text.lines().filter(|other| *other == line);
        assert_eq!(lines.count(), 1, "{line}\n{text}");
    }

    const FETCHED: &str = r#"portcullis_key_refreshes_total{issuer="a b",result="success"}"#;

    #[test]
    fn one_process_alone_is_what_it_says() {
        let text = process("r1", 7, &[("a b", true), ("c", false)]);
        assert_eq!(sum([text.as_str()]), text);
    }

    #[test]
    fn several_processes_are_added_up() {
        let one = process("r1", 7, &[("a b", true), ("a b", true)]);
        let two = process("r2", 9, &[("c", true), ("a b", true)]);
        let text = sum([one.as_str(), &two]);
        has(&text, &format!("{FETCHED} 3"));
        has(&text, &format!("{} 1", FETCHED.replace("a b", "c")));
        let took = r#"portcullis_decision_duration_seconds"#;
        has(
            &text,
            &format!(r#"{took}_bucket{{le="+Inf",adapter="nginx_module"}} 4"#),
        );
        has(
            &text,
            &format!(r#"{took}_count{{adapter="nginx_module"}} 4"#),
        );
        has(&text, "portcullis_token_cache_entries 4");
        has(&text, "portcullis_policy_loaded_timestamp_seconds 7");
        has(&text, r#"portcullis_policy_info{revision="r1"} 1"#);
        has(&text, r#"portcullis_policy_info{revision="r2"} 1"#);
        assert_eq!(text.matches("# TYPE portcullis_key_refreshes ").count(), 1);
        assert!(text.ends_with("\n# EOF\n") && text.matches("# EOF").count() == 1);
    }

    #[test]
    fn what_has_ended_still_counts_and_holds_nothing() {
        let one = process("r1", 7, &[("a b", true)]);
        let ended = counters(&one);
        assert!(!ended.contains("policy_info"), "{ended}");
        assert!(!ended.contains("token_cache_entries"), "{ended}");
        let two = process("r2", 9, &[("a b", true)]);
        let text = sum([ended.as_str(), &two]);
        has(&text, &format!("{FETCHED} 2"));
        has(&text, "portcullis_token_cache_entries 2");
        has(&text, "portcullis_policy_loaded_timestamp_seconds 9");
        assert!(!text.contains("r1"), "{text}");
    }

    /// A gauge that is new needs a decision: what do several processes have of it?
    #[test]
    fn every_gauge_has_a_rule() {
        let text = process("r1", 7, &[]);
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let gauges: Vec<&str> = types
            .filter_map(|line| line.strip_suffix(" gauge"))
            .collect();
        assert!(gauges.len() >= 5, "{text}");
        for gauge in gauges {
            assert!(of_gauge(gauge).is_some(), "{gauge}");
        }
    }

    #[test]
    fn only_reading_methods_scrape() {
        let text = || Some("# EOF\n".to_owned());
        let read = response(b"GET", text);
        assert_eq!(
            (read.status, read.body.as_deref()),
            (200, Some(&b"# EOF\n"[..]))
        );
        let written = response(b"POST", || unreachable!());
        assert_eq!((written.status, written.body), (405, None));
        assert_eq!(response(b"GET", || None).status, 503);
    }
}
