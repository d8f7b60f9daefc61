//! Decisions as data: `tests/cases/decide/NAME.gate` is a policy, `NAME.table` what it decides.
//!
//! A line of a table is one of
//!
//! ```text
//! token NAME = ISSUER JSON                           a token's claims set
//! METHOD HOST TARGET [; CONTEXT]… => OUTCOME [; DETAIL]…
//! ```
//!
//! HOST is `-` where the request has none. `\xHH` in a target or header is that byte.
//! CONTEXT: `with TOKEN`, `header NAME: VALUE`, `from ADDRESS`, `at NUMERICDATE`, `masked`,
//! `by SCHEME` (`-` where nobody says it; `https` unless said).
//! OUTCOME: `allow`, or the code of the denial's reason.
//! DETAIL: `route NAME`, `line N`, `api NAME`, `set NAME: VALUE` (all that are set, in order),
//! `set nothing`, `scope …`, `acr_values …`, `max_age N`, `hint …` (a part of it), `told …` (a
//! part of what whoever runs the policy is told, and not the client),
//! `removes NAME`, `cors NAME: VALUE`, `no cors`, `trace CONDITION is VALUE because …`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis::compile::compile;
use portcullis::engine::{
    self, Decision, Denial, Evidence, Facts, Fault, Policy, Presented, Request, SeenKind, Step,
};
use portcullis::json::Json;
use portcullis::reason::Reason;
use portcullis::settings::IssuerId;

use crate::support::policy::check_files;

/// 2023-11-14T22:13:20Z.
const NOW: f64 = 1_700_000_000.0;

#[test]
fn decisions_are_as_the_tables_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/decide");
    let mut tables: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the folder of cases")
        .map(|entry| entry.expect("an entry of it").path())
        .filter(|path| path.extension().is_some_and(|end| end == "table"))
        .collect();
    tables.sort();
    assert!(!tables.is_empty());
    let wrong: Vec<String> = tables.iter().flat_map(|table| run(table)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The policy in a file, with the set files beside it.
fn policy(path: &Path) -> Policy {
    let read = |path: &Path| std::fs::read(path).expect("a file of the case");
    let mut files = BTreeMap::from([("policy.gate".to_owned(), read(path))]);
    for set in ["empty.txt", "suspended.txt"] {
        files.insert(set.to_owned(), read(&path.with_file_name(set)));
    }
    let set = check_files(&files, &BTreeMap::new());
    let shown =
        portcullis::diagnostic::render::human(&set.sources, &set.checked.diagnostics, false);
    let model = set
        .checked
        .model
        .unwrap_or_else(|| panic!("{path:?}: {shown}"));
    compile(model, Arc::new(set.sources))
}

fn run(table: &Path) -> Vec<String> {
    let policy = policy(&table.with_extension("gate"));
    let text = std::fs::read_to_string(table).expect("a table");
    let name = table.file_name().unwrap_or_default().to_string_lossy();
    let mut tokens: BTreeMap<String, Facts> = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut cases = 0;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(token) = line.strip_prefix("token ") {
            let (name, facts) = read_token(&policy, token);
            tokens.insert(name, facts);
            continue;
        }
        cases += 1;
        if let Err(difference) = case(&policy, &tokens, line) {
            wrong.push(format!("{name}:{}: {line}\n    {difference}", number + 1));
        }
    }
    assert!(cases > 0, "{name} has no case");
    wrong
}

fn read_token(policy: &Policy, text: &str) -> (String, Facts) {
    let (name, rest) = text.split_once(" = ").expect("`NAME = ISSUER JSON`");
    let (issuer, json) = rest.trim().split_once(' ').expect("`ISSUER JSON`");
    let at = policy
        .issuers()
        .iter()
        .position(|declared| declared.name == issuer)
        .expect("a declared issuer");
    let claims = Json::parse(json.as_bytes()).unwrap_or_else(|error| panic!("{json}: {error}"));
    let id = IssuerId(u32::try_from(at).expect("few issuers"));
    (
        name.trim().to_owned(),
        policy.facts(id, &claims, Some("cGF5bG9hZA")),
    )
}

fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\x") {
        bytes.extend(before.as_bytes());
        bytes.push(u8::from_str_radix(&after[..2], 16).expect("two hexadecimal digits"));
        rest = &after[2..];
    }
    bytes.extend(rest.as_bytes());
    bytes
}

fn case(policy: &Policy, tokens: &BTreeMap<String, Facts>, line: &str) -> Result<(), String> {
    let (asked, expected) = line.split_once(" => ").ok_or("no `=>`")?;
    let mut context = asked.split(" ; ").map(str::trim);
    let words: Vec<&str> = context.next().unwrap_or_default().split(' ').collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let [method, host, target] = words.as_slice() else {
        return Err("a request is `METHOD HOST TARGET`".to_owned());
    };
    let target = bytes(target);
    let mut headers: Vec<(&str, Vec<u8>)> = Vec::new();
    let mut address: Option<IpAddr> = None;
    let mut now = NOW;
    let mut masked = false;
    let mut scheme = Some("https");
    let mut with = None;
    for item in context {
        match item.split_once(' ').unwrap_or((item, "")) {
            ("with", token) => with = Some(tokens.get(token).ok_or("an unknown token")?),
            ("header", header) => {
                let (name, value) = header.split_once(": ").ok_or("`header NAME: VALUE`")?;
                headers.push((name, bytes(value)));
            }
            ("from", text) => address = Some(text.parse().map_err(|_| "an address")?),
            ("at", text) => now = text.parse().map_err(|_| "a time")?,
            ("masked", _) => masked = true,
            ("by", by) => scheme = (by != "-").then_some(by),
            _ => return Err(format!("unknown context `{item}`")),
        }
    }
    let headers: Vec<(&str, &[u8])> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_slice()))
        .collect();
    let request = Request {
        method,
        target: &target,
        scheme,
        host: (*host != "-").then_some(*host),
        headers: &headers,
        address,
        now,
        masked,
    };
    let routed = policy.route(&request);
    // Like the daemon, except that the table names the token in the header.
    let fault: Fault;
    let evidence = match (routed.token(), with) {
        (Presented::Fault(found), _) => {
            fault = found;
            Evidence::Fault(&fault)
        }
        (Presented::Absent | Presented::Token(..), Some(facts)) => Evidence::Token {
            facts,
            kind: SeenKind::Access,
        },
        (Presented::Absent, None) => Evidence::Nothing,
        (Presented::Token(token, _), None) => {
            let hint = format!("found {token}");
            fault = Fault::new(Reason::TokenOpaque, hint);
            Evidence::Fault(&fault)
        }
    };
    let decision = engine::decide(&routed, evidence);
    let trace = engine::explain(&routed, evidence);
    compare(policy, &decision, &trace, expected)
}

fn compare(
    policy: &Policy,
    decision: &Decision<'_>,
    trace: &[Step],
    expected: &str,
) -> Result<(), String> {
    let mut details = expected.split(" ; ").map(str::trim);
    let got = decision.reason().map_or("allow", Reason::code);
    let hint = decision.hint().unwrap_or("");
    let outcome = details.next().unwrap_or_default();
    if got != outcome {
        return Err(format!("got {got} ({hint}), {trace:#?}"));
    }
    let (set, removed): (Vec<String>, Vec<String>) = match decision {
        Decision::Allow(permit) => (
            permit
                .headers_to_set()
                .iter()
                .map(|(name, value)| format!("{name}: {value}"))
                .collect(),
            permit.headers_to_remove().map(str::to_owned).collect(),
        ),
        Decision::Deny(_) => (Vec::new(), Vec::new()),
    };
    let denial: Option<&Denial<'_>> = match decision {
        Decision::Deny(denial) => Some(denial),
        Decision::Allow(_) => None,
    };
    for name in &removed {
        let both = set.iter().any(|one| one.starts_with(&format!("{name}: ")));
        assert!(!both, "`{name}` is set and removed");
    }
    let wanted_set: Vec<&str> = expected
        .split(" ; ")
        .filter_map(|detail| detail.trim().strip_prefix("set "))
        .filter(|set| *set != "nothing")
        .collect();
    let challenge = denial.map(Denial::challenge);
    let cors = match decision {
        Decision::Allow(permit) => permit.cors_headers(),
        Decision::Deny(denial) => denial.cors_headers(),
    };
    for detail in details {
        let (what, value) = detail.split_once(' ').unwrap_or((detail, ""));
        let found = match what {
            "route" => decision.route().unwrap_or_default().into_owned(),
            "line" => decision
                .place()
                .map_or("none".to_owned(), |place| place.line.to_string()),
            "api" => decision.api().map_or("none", |api| &api.name).to_owned(),
            "set" if set == wanted_set => value.to_owned(),
            "set" => set.join(", "),
            "scope" => challenge.map_or(String::new(), |challenge| challenge.scope.join(" ")),
            "acr_values" => {
                challenge.map_or(String::new(), |challenge| challenge.acr_values.join(" "))
            }
            "max_age" => challenge
                .and_then(|challenge| challenge.max_age)
                .map_or("none".to_owned(), |age| age.to_string()),
            "hint" if hint.contains(value) => value.to_owned(),
            "hint" => hint.to_owned(),
            "told" => {
                let told = decision
                    .denial()
                    .and_then(|denial| denial.operator_hint())
                    .unwrap_or_default();
                if told.contains(value) && !hint.contains(value) {
                    value.to_owned()
                } else {
                    told.into_owned()
                }
            }
            "removes" if removed.iter().any(|name| name == value) => value.to_owned(),
            "removes" => removed.join(", "),
            "cors" | "no" => {
                let all: Vec<String> = cors
                    .iter()
                    .map(|(name, value)| format!("{name}: {value}"))
                    .collect();
                match what {
                    "no" if all.is_empty() => value.to_owned(),
                    "cors" if all.iter().any(|one| one == value) => value.to_owned(),
                    _ => all.join(", "),
                }
            }
            "trace" => {
                let all: Vec<String> = trace
                    .iter()
                    .map(|step| {
                        format!(
                            "{} is {} because {}",
                            step.condition, step.value, step.because
                        )
                    })
                    .collect();
                if all.iter().any(|one| one == value) {
                    value.to_owned()
                } else {
                    all.join(" | ")
                }
            }
            _ => {
                return Err(format!(
                    "unknown detail `{detail}` of {}",
                    policy.apis().len()
                ));
            }
        };
        if found != value {
            return Err(format!("{what}: got {found}"));
        }
    }
    Ok(())
}
