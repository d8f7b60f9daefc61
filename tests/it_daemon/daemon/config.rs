//! `portcullis.yaml`.

use std::collections::BTreeMap;

use portcullis::runtime::config::{Address, Config, DecisionLog, Explain, Level, Span};
use serde_yaml::Value;

fn refused(text: &str, saying: &[&str]) {
    let fault = Config::parse(text).expect_err(text).to_string();
    for part in saying {
        assert!(fault.contains(part), "`{part}` is not in: {fault}\n{text}");
    }
}

#[test]
fn an_empty_file_is_the_default() {
    for text in ["", "\n\n", "# nothing yet\n", "{}"] {
        assert_eq!(Config::parse(text), Ok(Config::default()), "{text:?}");
    }
}

#[test]
fn a_whole_file() {
    let config = Config::parse(
        r#"
policy: [policies, more/orders.gate]
params: { region: eu, seats: 5, beta: true }
explain: full
deadline: 1s
listeners:
  grpc:
    address: 0.0.0.0:9191
    tls: { certificate: tls.crt, key: tls.key, client_ca: ca.crt }
  http: unix:/run/portcullis/http.sock
  pdp: off
  admin:
    address: "[::]:9192"
    insecure: true
adapters:
  grpc: { scheme: attribute, address: attribute }
  nginx: { scheme: https, address: "header:X-Real-IP" }
  forward: { address: "header:x-real-ip" }
keys:
  max_stale: 2h
  allow_addresses: [10.0.0.0/8]
log:
  level: debug
  format: json
  decisions: decisions.log
  claims: [org_id]
"#,
    )
    .expect("a configuration");
    assert_eq!(config.policy.0.len(), 2);
    assert_eq!(config.params["seats"].0, "5");
    assert_eq!(config.explain, Explain::Full);
    assert_eq!(config.deadline, Span::from_secs(1));
    assert!(config.listeners.pdp.0.is_none());
    let http = config.listeners.http.0.expect("a listener");
    assert_eq!(
        http.address,
        Address::Unix("/run/portcullis/http.sock".into())
    );
    assert_eq!(config.log.level, Level::Debug);
    assert_eq!(
        config.log.decisions,
        DecisionLog::File("decisions.log".into())
    );
}

#[test]
fn a_typo_is_an_error_with_its_place() {
    refused(
        "explian: full\n",
        &["unknown field `explian`", "`explain`", "line 1"],
    );
    refused(
        "listeners:\n  http:\n    adress: 127.0.0.1:1\n",
        &["listeners.http", "adress", "line 3"],
    );
    refused(
        "keys:\n  max_stale: 1 day\n",
        &["keys", "`1 day`", "line 2"],
    );
    refused("explain: all\n", &["explain", "all", "`reason`"]);
    refused("deadline: 150\n", &["`150`", "line 1"]);
    refused("explain: full\nexplain: none\n", &["duplicate"]);
    refused("- a list\n", &["line 1"]);
    refused(
        "log:\n  level: info\nlimits: [1, 2]\n",
        &["line 3: limits", "list"],
    );
    refused("log: {level: loud}", &["log.level", "loud"]);
    refused(
        "adapters: {nginx: {address: x-real-ip}}",
        &["adapters.nginx", "header:NAME"],
    );
    refused("adapters: {nginx: {address: \"header:x y\"}}", &["`x y`"]);
    refused("params: {tags: [a, b]}", &["params"]);
}

#[test]
fn what_other_machines_reach_needs_mutual_tls_or_a_word() {
    for address in ["0.0.0.0:9191", "192.0.2.1:9191", "\"[::]:9191\""] {
        refused(
            &format!("listeners:\n  grpc: {address}\n"),
            &["listeners.grpc", "client_ca", "insecure: true"],
        );
        let tls = "tls: {certificate: a, key: b}";
        refused(
            &format!("listeners: {{grpc: {{address: {address}, {tls}}}}}"),
            &["client_ca"],
        );
    }
    for address in [
        "127.0.0.1:0",
        "127.8.8.8:1",
        "\"[::1]:1\"",
        "localhost:1",
        "\"[::ffff:127.0.0.1]:1\"",
        "unix:/a",
    ] {
        let text = format!("listeners:\n  grpc: {address}\n");
        Config::parse(&text).expect(address);
    }
}

#[test]
fn values_that_would_stop_everything_are_refused() {
    for text in [
        "deadline: 0ms",
        "limits: {connections: 0}",
        "limits: {header_bytes: 100}",
        "keys: {timeout: 0s}",
        "keys: {allow_addresses: [10.0.0.1/8]}",
        "keys: {proxy: \"proxy.example.com:3128\"}",
        "keys: {proxy: \"socks5://proxy.example.com\"}",
        "keys: {proxy: \"http://proxy.example.com/path\"}",
        "keys: {proxy: \"http://proxy.example.com\", no_proxy: [\"a, b\"]}",
        "keys: {proxy: \"http://proxy.example.com\", no_proxy: [\"https://a\"]}",
        "keys: {proxy: \"http://proxy.example.com\", no_proxy: [\"10.0.0.1/8\"]}",
        "keys: {no_proxy: [\"a\"]}",
        "keys: {proxy_credentials_file: credentials}",
        "policy: []",
        "listeners: {http: on}",
        "listeners: {http: true}",
        "listeners: {pdp: {address: \"127.0.0.1:1\", server: thin}}",
        "listeners: {grpc: {address: \"127.0.0.1:1\", server: fast}}",
        "adapters: {envoy: {address: attribute}}",
        "adapters: {nginx: {certificate: attribute}}",
        "adapters: {forward: {certificate: attribute}}",
        "adapters: {envoy: {certificate: attribute}}",
        "adapters: {nginx: {certificate: x-client-cert}}",
        "adapters: {nginx: {certificate: \"fingerprint:a b\"}}",
        "dpop: {max_proofs: 0}",
        "dpop: {ports: [0x10000]}",
        "dpop: {nonce_lifetime: 59s}",
        "dpop: {redis: \"http://127.0.0.1\"}",
        "dpop: {redis: \"redis://:secret@127.0.0.1\"}",
        "dpop: {redis_password_file: password}",
        "log: {on_full: block}",
        "log: {record: everything}",
        "log: {buffer_bytes: 65535}",
        "log: {rotate: {bytes: 1000}}",
        "log: {rotate: {bytes: 65536, keep: 0}}",
        "log: {rotate: {bytes: 65536, keep: 1001}}",
        "log: {rotate: {size: 65536}}",
        "log: {rotate: true}",
        "log: {decisions: stdout, rotate: {bytes: 65536}}",
    ] {
        refused(text, &[]);
    }
}

#[test]
fn relative_paths_are_taken_from_the_files_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("portcullis.yaml");
    std::fs::write(
        &file,
        "keys: {ca_file: ca.pem}\nlisteners: {http: \"unix:http.sock\"}\n",
    )
    .expect("the file");
    let config = Config::read(&file).expect("a configuration");
    assert_eq!(config.policy.0, [folder.path().join("policies")]);
    assert_eq!(config.keys.ca_file, Some(folder.path().join("ca.pem")));
    let missing = Config::read(&folder.path().join("none.yaml")).expect_err("no file");
    assert!(missing.to_string().contains("none.yaml"), "{missing}");
}

/// The fields of the default configuration with their values, without the listeners.
fn fields(prefix: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Mapping(map) if !map.is_empty() && !prefix.starts_with("listeners.") => {
            for (name, value) in map {
                let name = name.as_str().expect("a name");
                let name = if prefix.is_empty() {
                    name.to_owned()
                } else {
                    format!("{prefix}.{name}")
                };
                fields(&name, value, into);
            }
        }
        Value::Mapping(map) => {
            let address = map.get("address").and_then(Value::as_str);
            into.insert(prefix.to_owned(), address.unwrap_or("{}").to_owned());
        }
        Value::Sequence(list) => {
            let items: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
            into.insert(prefix.to_owned(), format!("[{}]", items.join(", ")));
        }
        Value::Null => {
            into.insert(prefix.to_owned(), "none".to_owned());
        }
        Value::String(text) => {
            into.insert(prefix.to_owned(), text.clone());
        }
        other => {
            let text = serde_yaml::to_string(other).expect("a scalar");
            into.insert(prefix.to_owned(), text.trim().to_owned());
        }
    }
}

#[test]
fn only_headers_that_are_taken_away_are_trusted() {
    for (text, fine) in [
        (
            "adapters: {grpc: {trusted_headers: [X-Forwarded-Host]}}",
            true,
        ),
        ("adapters: {envoy: {trusted_headers: [x-real-ip]}}", true),
        ("adapters: {grpc: {trusted_headers: [x-user-id]}}", false),
        // Envoy's own header, which is passed on anyway.
        (
            "adapters: {grpc: {trusted_headers: [x-forwarded-for]}}",
            false,
        ),
        ("adapters: {nginx: {trusted_headers: [x-real-ip]}}", false),
        (
            "adapters: {nginx: {sent_forward_headers: removed_by_proxy}}",
            true,
        ),
        ("adapters: {nginx: {sent_forward_headers: allow}}", false),
        // portcullis itself has them removed.
        (
            "adapters: {grpc: {sent_forward_headers: removed_by_proxy}}",
            false,
        ),
    ] {
        assert_eq!(Config::parse(text).is_ok(), fine, "{text}");
    }
}

#[test]
fn an_error_has_the_line_the_field_and_what_was_meant() {
    for (text, wanted) in [
        (
            "# a comment\nlisteners:\n  http:\n    adress: 127.0.0.1:1\n",
            "line 4: listeners.http.adress: unknown field `adress`; did you mean `address`?",
        ),
        (
            "keys:\n  timeout: 5\n",
            "line 2: keys.timeout: invalid type: integer `5`, expected digits and one of `ms`, `s`, \
             `m`, `h`, `d`, such as `150ms`",
        ),
        (
            "\nlog:\n\n  level: verbose\n",
            "line 4: log.level: unknown value `verbose`; there are `error`, `warn`, `info`, `debug`, \
             `trace`",
        ),
        (
            "explain: Full\n",
            "line 1: explain: unknown value `Full`; did you mean `full`?",
        ),
        (
            "limits: { decisions: 5,\n  headers: 0 }\n",
            "line 2: limits.headers: must be more than 0",
        ),
        (
            "introspection:\n  issuers:\n    acme: {}\n",
            "line 3: introspection.issuers.acme: missing field `client_id`",
        ),
        (
            "introspection:\n  issuers:\n    acme:\n      clientid: a\n",
            "line 4: introspection.issuers.acme.clientid: unknown field `clientid`; did you mean \
             `client_id`?",
        ),
        (
            "explain: full\nlog: {}\nexplain: none\n",
            "line 3: explain: duplicate field; it was given in line 1",
        ),
        (
            "docs: pages\n",
            "line 1: docs: `pages` is not the URL of a folder of pages, such as \
             `https://docs.example.com/reasons`",
        ),
    ] {
        let error = Config::parse(text).expect_err(text);
        assert_eq!(error.to_string(), wanted, "{text}");
    }
    for (text, line) in [("log: {level: info\n", "line "), ("a: b: c\n", "line 1")] {
        refused(text, &[line, "this is not YAML"]);
    }
}

/// If a value has the wrong type or a name is mistyped, the error names the field and its line.
#[test]
fn every_field_is_named_with_its_line() {
    let value = serde_yaml::to_value(Config::default()).expect("a value");
    let mut all = BTreeMap::new();
    fields("", &value, &mut all);
    assert!(all.len() > 40);
    for path in all.keys() {
        let names: Vec<&str> = path.split('.').collect();
        let document = |last: &str| {
            let mut text = String::new();
            for (depth, name) in names.iter().enumerate() {
                let name = if depth + 1 == names.len() { last } else { name };
                text.push_str(&format!("{}{name}:\n", "  ".repeat(depth)));
            }
            format!("{} [[[1]]]\n", text.trim_end())
        };
        let own = names.last().expect("a name");
        let line = names.len();
        refused(&document(own), &[&format!("line {line}: {path}")]);
        refused(
            &document(&format!("{own}x")),
            &[
                &format!("line {line}: {path}x: unknown field"),
                &format!("did you mean `{own}`?"),
            ],
        );
    }
}

#[test]
fn the_manual_has_every_field_and_its_default() {
    let manual = include_str!("../../../docs/configuration.md");
    let fields_alone = manual
        .split("\n## ")
        .find(|section| section.starts_with("Fields"))
        .expect("the section");
    let described: BTreeMap<String, String> = fields_alone
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
            let name = cells.next()?.trim_end_matches('`').to_owned();
            let default = cells.next()?.trim_matches('`').to_owned();
            Some((name, default))
        })
        .collect();
    let value = serde_yaml::to_value(Config::default()).expect("a value");
    let mut expected = BTreeMap::new();
    fields("", &value, &mut expected);
    assert_eq!(described, expected);
    for field in [
        "address",
        "tls.certificate",
        "tls.key",
        "tls.client_ca",
        "insecure",
        "server",
    ] {
        assert!(
            manual.contains(&format!("| `listeners.*.{field}`")),
            "{field}"
        );
    }
}

#[test]
fn the_manuals_example_is_a_configuration() {
    let manual = include_str!("../../../docs/configuration.md");
    let example = manual
        .split("```yaml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("an example");
    Config::parse(example).expect("the example is valid");
}
