//! `portcullis proxy-config`: the proxies themselves accept its output.

use std::fs;
use std::path::Path;
use std::process::Command;

use portcullis::headers::{CONTRADICTING, Handling};
use serde_yaml::Value;
use tempfile::TempDir;

use super::support::{GOOD, examples, folder, run, text};
use crate::support::envoy::config as envoy_config;
use crate::support::manual::fenced;
use crate::support::process::{free_port, module, program};

/// A policy with everything that matters to a proxy.
pub const EVERYTHING: &str = r#"language 1
issuer acme {
    url "https://acme.example/"
    claims { roles list of string }
    sender dpop optional
    sender mtls optional
}
api shop {
    host "api.example.com"
    issuer acme
    audience "https://api.example.com"
    cors "https://app.example.com"
    token in header "x-access-token"
    forward sub as "x-user-id"
    forward roles as "x-roles" as json
    forward payload as "x-claims"
    forward no token
    GET /orders requires scope "read:orders" and header "x-tenant" == "a"
}
"#;

/// Policies of all shapes: the examples, one without forwarded headers, one with everything.
fn policies() -> (TempDir, Vec<String>) {
    let own = folder(&[
        ("good/a.gate", GOOD),
        ("everything/a.gate", EVERYTHING),
        ("browsers/a.gate", BROWSERS),
    ]);
    let mut paths: Vec<String> = examples().iter().map(text).collect();
    paths.push(text(own.path().join("good")));
    paths.push(text(own.path().join("everything")));
    paths.push(text(own.path().join("browsers")));
    (own, paths)
}

pub fn fragment(arguments: &[&str]) -> String {
    let ran = run(&[&["proxy-config"], arguments].concat());
    assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.everything());
    ran.stdout
}

fn assert_runs(command: &mut Command, config: &str) {
    let output = command.output().expect("the proxy runs");
    assert!(
        output.status.success(),
        "{}{}\n{config}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn nginx_takes_it() {
    let (_own, paths) = policies();
    for path in paths {
        let http = fragment(&["nginx", &path, "--part", "http"]);
        let server = fragment(&["nginx", &path, "--part", "server"]);
        let config = format!(
            "events {{}}\nhttp {{\n{http}\nserver {{\nlisten 127.0.0.1:{};\n{server}\nlocation / {{ proxy_pass http://127.0.0.1:8080; }}\n}}\n}}\n",
            free_port()
        );
        assert_nginx_takes(&config);
    }
}

/// nginx's own check of a configuration.
fn assert_nginx_takes(config: &str) {
    let folder = folder(&[("nginx.conf", config)]);
    assert_runs(
        Command::new(program("nginx"))
            .args(["-t", "-q", "-e", "stderr", "-g", "pid nginx.pid;", "-p"])
            .arg(folder.path())
            .arg("-c")
            .arg(folder.path().join("nginx.conf")),
        config,
    );
}

/// Whatever hands a request on, with the module and a policy of each shape.
#[test]
#[ignore = "needs the proxies: run tests/run"]
fn nginx_takes_it_with_the_module() {
    let (_own, paths) = policies();
    for path in paths {
        let settings = folder(&[("portcullis.yaml", &format!("policy: {path:?}\n"))]);
        let settings = text(settings.path().join("portcullis.yaml"));
        let part = |part| {
            fragment(&[
                "nginx", &path, "--module", "--config", &settings, "--part", part,
            ])
        };
        let locations: String = ["proxy", "fastcgi", "uwsgi", "scgi", "grpc"]
            .map(|pass| {
                format!(
                    "location /{pass} {{\n{}\n{pass}_pass 127.0.0.1:8080;\n}}\n",
                    part(pass)
                )
                .replace("proxy_pass 127", "proxy_pass http://127")
            })
            .concat();
        let config = format!(
            "load_module {};\nworker_processes 1;\nevents {{}}\nhttp {{\n{}\nserver {{\nlisten 127.0.0.1:{};\n{}\n{locations}\n}}\n}}\n",
            module("nginx/ngx_http_portcullis_module.so").display(),
            part("http"),
            free_port(),
            part("server"),
        );
        assert_nginx_takes(&config);
    }
}

#[test]
fn a_module_is_not_for_every_proxy() {
    let ran = run(&["proxy-config", "caddy", &text(&examples()[0]), "--module"]);
    assert_ne!(ran.code, Some(0));
    assert!(
        ran.everything()
            .contains("`--module` is for Envoy and nginx"),
        "{}",
        ran.everything()
    );
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn envoy_takes_it() {
    let (_own, paths) = policies();
    // Over gRPC only WebSockets depend on the policy: two are enough.
    let mut fragments = vec![
        fragment(&["envoy", &paths[0]]),
        fragment(&["envoy", paths.last().expect("the one for browsers")]),
        fragment(&[
            "envoy",
            &paths[0],
            "--portcullis",
            "portcullis.internal:9191",
        ]),
    ];
    fragments.extend(
        paths
            .iter()
            .map(|path| fragment(&["envoy", path, "--over", "http"])),
    );
    for fragment in fragments {
        let config = envoy_config(&fragment);
        let folder = folder(&[("envoy.yaml", &config)]);
        assert_runs(
            Command::new(program("envoy"))
                .args([
                    "--mode",
                    "validate",
                    "--log-level",
                    "error",
                    "--config-path",
                ])
                .arg(folder.path().join("envoy.yaml")),
            &config,
        );
    }
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn caddy_takes_it() {
    let (_own, paths) = policies();
    for path in paths {
        let snippet = fragment(&["caddy", &path]);
        let config = "{\n\tadmin off\n}\nimport portcullis.caddy\nhttp://:8000 {\n\troute {\n\t\timport portcullis\n\t\treverse_proxy 127.0.0.1:8080\n\t}\n}\n";
        let folder = folder(&[("portcullis.caddy", &snippet), ("Caddyfile", config)]);
        assert_runs(
            Command::new(program("caddy"))
                .args(["validate", "--adapter", "caddyfile", "--config"])
                .arg(folder.path().join("Caddyfile"))
                .env("XDG_CONFIG_HOME", folder.path())
                .env("XDG_DATA_HOME", folder.path()),
            &snippet,
        );
    }
}

/// The guide shows the filter that the command prints.
#[test]
fn the_filter_of_the_guide_is_the_one_that_is_printed() {
    let folder = folder(&[("a.gate", GOOD)]);
    let printed: Value =
        serde_yaml::from_str(&fragment(&["envoy", &text(&folder), "--module"])).expect("YAML");
    let printed = printed["http_filters"].as_sequence().and_then(|f| f.last());
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guides/envoy-module.md");
    let blocks = fenced(&page);
    let shown = blocks.iter().find(|block| block.info == "yaml envoy");
    let shown: Value = serde_yaml::from_str(&shown.expect("a block").text).expect("YAML");
    assert_eq!(printed, shown.as_sequence().and_then(|f| f.first()));
}

#[test]
fn every_forwarded_name_is_removed() {
    let folder = folder(&[("a.gate", EVERYTHING)]);
    let path = text(&folder);
    let forwarded = ["x-user-id", "x-roles", "x-claims"];

    let envoy: Value =
        serde_yaml::from_str(&fragment(&["envoy", &path, "--over", "http"])).expect("YAML");
    let removed: Vec<&str> =
        envoy["http_filters"][0]["typed_config"]["mutations"]["request_mutations"]
            .as_sequence()
            .expect("mutations")
            .iter()
            .filter_map(|mutation| mutation["remove"].as_str())
            .collect();
    for name in &forwarded {
        assert!(removed.contains(name), "{name}: {removed:?}");
    }
    let patterns = &envoy["http_filters"][1]["typed_config"]["allowed_headers"]["patterns"];
    // Their other spellings reach portcullis, which refuses them.
    let odd = patterns.as_sequence().and_then(|patterns| patterns.last());
    let odd = odd.and_then(|odd| odd["safe_regex"]["regex"].as_str());
    assert_eq!(odd, Some("[a-z0-9-]*[^a-z0-9:-].*"));
    let read: Vec<&str> = patterns
        .as_sequence()
        .expect("patterns")
        .iter()
        .filter_map(|pattern| pattern["exact"].as_str())
        .collect();
    assert_eq!(
        read,
        [
            "access-control-request-headers",
            "access-control-request-method",
            "authorization",
            "dpop",
            "origin",
            "x-access-token",
            "x-tenant",
            "x-forwarded-client-cert",
            // Refused by portcullis, and so passed on to it.
            "x-http-method-override",
            "x-http-method",
            "x-method-override"
        ]
    );
    // The client's certificate comes from the proxy, never from a header that the client sent.
    assert_eq!(
        envoy["http_connection_manager"]["forward_client_cert_details"],
        "SANITIZE_SET"
    );
    let nginx = fragment(&["nginx", &path, "--part", "server"]);
    assert!(nginx.contains("proxy_set_header X-Client-Cert $ssl_client_escaped_cert;"));

    let caddy = fragment(&["caddy", &path]).to_lowercase();
    let print = "request_header x-client-cert-sha256 {http.request.tls.client.fingerprint}";
    assert!(caddy.contains(print), "{caddy}");
    let traefik: Value = serde_yaml::from_str(&fragment(&["traefik", &path])).expect("YAML");
    let listed: Vec<String> =
        traefik["http"]["middlewares"]["portcullis-ask"]["forwardAuth"]["authResponseHeaders"]
            .as_sequence()
            .expect("names")
            .iter()
            .filter_map(|name| name.as_str().map(str::to_lowercase))
            .collect();
    // Caddy drops names with unusual characters.
    for line in ["\"-*_*\"", "\"-*.*\"", "-x-user-id"] {
        let line = format!("request_header {line}\n");
        assert!(caddy.contains(&line), "{line}: {caddy}");
    }
    for name in forwarded {
        assert!(listed.iter().any(|listed| listed == name), "{listed:?}");
    }
}

#[test]
fn the_token_is_kept_from_the_application_where_the_policy_says_so() {
    let folder = folder(&[("a.gate", EVERYTHING)]);
    let path = text(&folder);
    for (proxy, lines) in [
        (
            &["nginx"][..],
            [
                "proxy_set_header Authorization \"\";",
                "proxy_set_header X-Access-Token \"\";",
            ],
        ),
        (
            &["envoy", "--over", "http"],
            ["- remove: authorization", "- remove: x-access-token"],
        ),
        (
            &["caddy"],
            [
                "request_header -Authorization",
                "request_header -X-Access-Token",
            ],
        ),
        (
            &["traefik"],
            ["Authorization: \"\"", "X-Access-Token: \"\""],
        ),
    ] {
        let fragment = fragment(&[proxy, &[&path]].concat());
        for line in lines {
            assert!(fragment.contains(line), "{line}: {fragment}");
        }
    }
}

/// A policy whose tokens come in cookies and with WebSockets.
const BROWSERS: &str = r#"language 1
issuer acme { url "https://acme.example/" }
api shop {
    host "api.example.com"
    issuer acme
    audience "https://api.example.com"
    token in cookie "session", subprotocol "bearer"
    GET /orders authenticated
}
"#;

#[test]
fn what_the_places_of_tokens_need_is_handed_on() {
    let folder = folder(&[("a.gate", BROWSERS)]);
    let path = text(&folder);
    let envoy: Value =
        serde_yaml::from_str(&fragment(&["envoy", &path, "--over", "http"])).expect("YAML");
    let read: Vec<&str> = envoy["http_filters"][1]["typed_config"]["allowed_headers"]["patterns"]
        .as_sequence()
        .expect("patterns")
        .iter()
        .filter_map(|pattern| pattern["exact"].as_str())
        .collect();
    assert_eq!(
        read,
        [
            "access-control-request-method",
            "authorization",
            "cookie",
            "origin",
            "sec-websocket-protocol",
            "sec-websocket-version",
            "x-http-method-override",
            "x-http-method",
            "x-method-override"
        ]
    );
    for way in [&["--over", "grpc"][..], &["--over", "http"], &["--module"]] {
        let arguments = [&["envoy", &path], way].concat();
        let envoy: Value = serde_yaml::from_str(&fragment(&arguments)).expect("YAML");
        let upgrades = &envoy["http_connection_manager"]["upgrade_configs"];
        assert_eq!(upgrades[0]["upgrade_type"], "websocket", "{way:?}");
        assert!(upgrades[1].is_null(), "{way:?}");
    }
    let http = fragment(&["nginx", &path, "--part", "http"]);
    assert!(http.contains("~*^websocket$ websocket;"), "{http}");
    let server = fragment(&["nginx", &path, "--part", "server"]);
    let upgrade = "proxy_set_header Upgrade           $portcullis_upgrade;";
    assert!(server.contains(upgrade), "{server}");
}

/// Each fragment, and each file of `deploy/`, sets or removes every header that could make an
/// application see another request.
#[test]
fn what_contradicts_the_judged_request_is_set_or_removed_everywhere() {
    let folder = folder(&[("a.gate", GOOD)]);
    let path = text(&folder);
    let deployed = |file: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("deploy")
            .join(file);
        fs::read_to_string(path).expect("a file of deploy/")
    };
    let nginx = |name: &str| format!("proxy_set_header {name} ");
    let part = |directive: &'static str| {
        move |name: &str| format!("{directive}_param http_{} ", name.replace('-', "_"))
    };
    let caddy = |name: &str| format!("request_header -{name}\n");
    // Before it asks, Envoy removes nothing that portcullis refuses.
    let envoy = |name: &str| {
        let header = CONTRADICTING.iter().find(|header| header.name == name);
        match header.map(|header| header.with_envoy) {
            Some(Handling::Refuse) => "http_filters:".to_owned(),
            _ => format!("- remove: {name}\n"),
        }
    };
    let grpc = |name: &str| format!("grpc_set_header {name} ");
    // A name with one more hyphen wouldn't do.
    let traefik = |name: &str| format!("          {name}: \"\"\n");
    type Line<'l> = &'l dyn Fn(&str) -> String;
    let cases: [(String, Line<'_>, &[&str]); 14] = [
        (fragment(&["nginx", &path]), &nginx, &[]),
        (fragment(&["nginx", &path, "--part", "proxy"]), &nginx, &[]),
        (
            fragment(&["nginx", &path, "--part", "fastcgi"]),
            &part("fastcgi"),
            &[],
        ),
        (
            fragment(&["nginx", &path, "--part", "uwsgi"]),
            &part("uwsgi"),
            &[],
        ),
        (
            fragment(&["nginx", &path, "--part", "scgi"]),
            &part("scgi"),
            &[],
        ),
        (fragment(&["nginx", &path, "--part", "grpc"]), &grpc, &[]),
        (deployed("nginx/nginx.conf"), &nginx, &[]),
        (fragment(&["envoy", &path]), &envoy, &["x-forwarded-proto"]),
        (
            fragment(&["envoy", &path, "--over", "http"]),
            &envoy,
            &["x-forwarded-proto"],
        ),
        (
            fragment(&["envoy", &path, "--module"]),
            &envoy,
            &["x-forwarded-proto"],
        ),
        (
            deployed("envoy/ext-authz-grpc.yaml"),
            &envoy,
            &["x-forwarded-proto", "x-forwarded-for"],
        ),
        (
            deployed("envoy/ext-authz-http.yaml"),
            &envoy,
            &["x-forwarded-proto", "x-forwarded-for"],
        ),
        (
            deployed("envoy/module.yaml"),
            &envoy,
            &["x-forwarded-proto", "x-forwarded-for"],
        ),
        (
            fragment(&["traefik", &path]),
            &traefik,
            &[
                "x-forwarded-for",
                "x-forwarded-host",
                "x-forwarded-port",
                "x-forwarded-proto",
                "x-forwarded-server",
                "x-real-ip",
            ],
        ),
    ];
    let by_itself = ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"];
    let caddies = [fragment(&["caddy", &path]), deployed("caddy/Caddyfile")]
        .map(|text| (text, &caddy as Line<'_>, &by_itself[..]));
    for (text, line, sets) in cases.into_iter().chain(caddies) {
        let text = text.to_lowercase();
        for header in CONTRADICTING {
            let line = line(header.name);
            let handled = sets.contains(&header.name) || text.contains(&line);
            assert!(handled, "{line}: {text}");
            let early = text.contains(&format!("- remove: {}\n", header.name));
            assert!(!early || header.with_envoy != Handling::Refuse, "{line}");
        }
    }
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn nginx_takes_the_parts_for_every_way_to_hand_a_request_on() {
    let folder = folder(&[("a.gate", EVERYTHING)]);
    let path = text(&folder);
    let part = |name: &str| fragment(&["nginx", &path, "--part", name]);
    let locations: String = ["proxy", "fastcgi", "uwsgi", "scgi", "grpc"]
        .map(|name| {
            let scheme = match name {
                "proxy" => "http://",
                "grpc" => "grpc://",
                _ => "",
            };
            format!(
                "location /{name} {{\n{}\n{name}_pass {scheme}127.0.0.1:8080;\n}}\n",
                part(name)
            )
        })
        .concat();
    let config = format!(
        "events {{}}\nhttp {{\n{}\nserver {{\nlisten 127.0.0.1:{};\n{}\n{locations}}}\n}}\n",
        part("http"),
        free_port(),
        part("server")
    );
    let folder = super::support::folder(&[("nginx.conf", &config)]);
    assert_runs(
        Command::new(program("nginx"))
            .args(["-t", "-q", "-e", "stderr", "-g", "pid nginx.pid;", "-p"])
            .arg(folder.path())
            .arg("-c")
            .arg(folder.path().join("nginx.conf")),
        &config,
    );
    for (name, line) in [
        (
            "fastcgi",
            "fastcgi_param HTTP_X_USER_ID $portcullis_x_user_id if_not_empty;",
        ),
        (
            "fastcgi",
            "fastcgi_param HTTP_AUTHORIZATION \"\" if_not_empty;",
        ),
        (
            "uwsgi",
            "uwsgi_param HTTP_X_USER_ID $portcullis_x_user_id if_not_empty;",
        ),
        (
            "scgi",
            "scgi_param HTTP_X_USER_ID $portcullis_x_user_id if_not_empty;",
        ),
        ("grpc", "grpc_set_header X-User-Id $portcullis_x_user_id;"),
        ("grpc", "grpc_set_header Authorization \"\";"),
    ] {
        assert!(part(name).contains(line), "{line}: {}", part(name));
    }
    let whole = fragment(&["nginx", &path]);
    assert!(whole.contains("--part fastcgi"), "{whole}");
}

/// Traefik continues after a 2xx and adds nothing to an answer.
#[test]
fn traefik_says_that_it_does_not_speak_cors() {
    let folder = folder(&[("with/a.gate", EVERYTHING), ("without/a.gate", GOOD)]);
    let written = |name: &str| fragment(&["traefik", &text(folder.path().join(name))]);
    assert!(written("with").contains("accessControlAllowOriginList"));
    assert!(!written("without").contains("accessControlAllowOriginList"));
}

#[test]
fn an_option_of_another_proxy_is_a_mistake() {
    for arguments in [
        &["proxy-config", "caddy", "policies/spa", "--part", "http"][..],
        &["proxy-config", "nginx", "policies/spa", "--over", "http"],
        &[
            "proxy-config",
            "nginx",
            "policies/spa",
            "--portcullis",
            "9190",
        ],
    ] {
        let ran = run(arguments);
        assert_eq!(ran.code, Some(2), "{}", ran.everything());
    }
}
