//! The identity provider, run by `tests/world/provider/provider.mjs`.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::caller::Request;
use super::process::{self, Process};
use crate::support::dpop::Client;

/// The resource that the tests' policies protect.
pub const ORDERS: &str = "https://api.example.com";
/// The resource of another API.
pub const INVOICES: &str = "https://invoices.example.com";
/// A resource whose tokens are encrypted.
pub const ENCRYPTED: &str = "https://encrypted.example.com";

/// A resource whose tokens are opaque.
pub const REPORTS: &str = "https://reports.example.com";
/// The client secret with which its API introspects them.
pub const REPORTS_SECRET: &str = "s3cret: 100% + more & = /";

/// How often the provider is started before a test gives up. Node.js sometimes hangs or ends while it
/// starts, and what is tested has not begun by then.
const STARTS: usize = 3;

/// How long one start may take; it usually takes two seconds.
const START_PATIENCE: Duration = Duration::from_secs(30);

/// A running identity provider.
pub struct Provider {
    /// The `iss` of its tokens.
    pub issuer: String,
    /// Where it listens.
    pub endpoint: SocketAddr,
    control: SocketAddr,
    _process: Process,
    _folder: TempDir,
}

/// The result of the authorization-code flow.
pub struct Login {
    pub access_token: String,
    pub id_token: String,
    pub refresh_token: Option<String>,
}

impl Provider {
    /// Starts the provider with new keys.
    pub fn start() -> Self {
        let mut failures = Vec::new();
        while failures.len() < STARTS {
            match Self::try_start() {
                Ok(provider) => return provider,
                Err(why) => failures.push(why),
            }
        }
        panic!("{failures:?}");
    }

    fn try_start() -> Result<Self, String> {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let script =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/world/provider/provider.mjs");
        let mut command = Command::new(process::program("node"));
        command.arg(script).arg(process::world().join("provider"));
        let mut process = Process::start("provider", &command, folder.path());
        let addresses: Value = process.look_for(START_PATIENCE, |process| {
            let output = process.output();
            let line = output
                .lines()
                .find(|line| line.starts_with("{\"issuer\""))?;
            serde_json::from_str(line).ok()
        })?;
        let address = |name: &str| {
            let url = addresses[name].as_str().expect("both are there");
            let address = url.trim_start_matches("http://").parse();
            address.expect("a URL of host and port")
        };
        Ok(Self {
            issuer: addresses["issuer"]
                .as_str()
                .expect("it is there")
                .to_owned(),
            endpoint: address("issuer"),
            control: address("control"),
            _process: process,
            _folder: folder,
        })
    }

    /// An access token of the machine client, for a resource (a JWT) or without one (opaque). `e2e`
    /// may contain `claims`, `alg` and `ttl`.
    pub fn machine_token(&self, resource: Option<&str>, scope: &str, e2e: &Value) -> String {
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_id", "machine"),
            ("client_secret", "machine-secret"),
            ("scope", scope),
        ];
        let e2e = e2e.to_string();
        form.push(("e2e", &e2e));
        form.extend(resource.map(|resource| ("resource", resource)));
        let body: Vec<String> = form
            .iter()
            .map(|(name, value)| format!("{name}={}", form_encoded(value)))
            .collect();
        let answer = Request::to_host("POST", "/token", &self.endpoint.to_string())
            .body("application/x-www-form-urlencoded", &body.join("&"))
            .send(self.endpoint);
        assert_eq!(answer.status, 200, "{}", answer.text());
        text(&answer.json(), "access_token").expect("a token response holds a token")
    }

    /// An access token of the machine client for the API, bound to a client's key.
    pub fn bound_token(&self, client: &Client) -> String {
        self.bound_token_for(client, ORDERS, "read:orders")
    }

    /// The same for another API.
    pub fn bound_token_for(&self, client: &Client, resource: &str, scope: &str) -> String {
        let url = format!("{}/token", self.issuer);
        let proof = client.proof("POST", &url, None, &json!({}));
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "machine"),
            ("client_secret", "machine-secret"),
            ("scope", scope),
            ("resource", resource),
        ];
        self.token_for(&form, ("DPoP", &proof))
    }

    /// The same, bound to a certificate in PEM.
    pub fn certified_token(&self, certificate: &str) -> String {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "certified"),
            ("client_secret", "certified-secret"),
            ("scope", "read:orders"),
            ("resource", ORDERS),
        ];
        self.token_for(&form, ("X-Client-Cert", &form_encoded(certificate)))
    }

    fn token_for(&self, form: &[(&str, &str)], header: (&str, &str)) -> String {
        let body: Vec<String> = form
            .iter()
            .map(|(name, value)| format!("{name}={}", form_encoded(value)))
            .collect();
        let answer = Request::to_host("POST", "/token", &self.endpoint.to_string())
            .header(header.0, header.1)
            .body("application/x-www-form-urlencoded", &body.join("&"))
            .send(self.endpoint);
        assert_eq!(answer.status, 200, "{}", answer.text());
        text(&answer.json(), "access_token").expect("a token response holds a token")
    }

    /// A person's login to the single-page application with the authorization-code flow, for
    /// `openid` and further scopes.
    pub fn login(&self, sub: &str, scope: &str, resource: Option<&str>, e2e: &Value) -> Login {
        let asked = json!({ "sub": sub, "resource": resource, "e2e": e2e });
        self.login_with(scope, asked)
    }

    /// The same for the API, in a browser that keeps its session under a name, with parameters for
    /// the authorization request. If the provider asks for a login, it happened `ago` seconds ago.
    pub fn login_in(&self, browser: &str, scope: &str, parameters: &Value, ago: u64) -> Login {
        let asked = json!({
            "sub": "alice",
            "resource": ORDERS,
            "browser": browser,
            "parameters": parameters,
            "ago": ago,
        });
        self.login_with(scope, asked)
    }

    /// The tokens that the single-page application gets for a refresh token.
    pub fn refresh(&self, refresh_token: &str) -> String {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", "spa"),
            ("refresh_token", refresh_token),
            ("resource", ORDERS),
        ];
        self.token_for(&form, ("Accept", "application/json"))
    }

    fn login_with(&self, scope: &str, mut asked: Value) -> Login {
        asked["scope"] = format!("openid {scope}").into();
        asked["nonce"] = "n-1".into();
        let response = self.command("/login", &asked);
        Login {
            access_token: text(&response, "access_token").expect("a token response holds a token"),
            id_token: text(&response, "id_token").expect("openid was asked for"),
            refresh_token: text(&response, "refresh_token"),
        }
    }

    /// Makes new keys, which sign from now on. The old ones stay in the key set or are removed.
    pub fn rotate(&self, keep_old: bool) {
        self.command("/rotate", &json!({ "keep": keep_old }));
    }

    /// How the key set endpoint behaves from now on: `none` (normally), `slow`, `hang`, `html`,
    /// `empty`, `error`, `huge`.
    pub fn fault(&self, kind: &str) {
        self.command("/fault", &json!({ "kind": kind }));
    }

    /// Stops listening.
    pub fn go_down(&self) {
        self.command("/down", &json!({}));
    }

    /// Listens again, at the same address.
    pub fn come_up(&self) {
        self.command("/up", &json!({}));
    }

    /// Revokes a token of the machine client (RFC 7009).
    pub fn revoke(&self, token: &str) {
        let body = format!(
            "client_id=machine&client_secret=machine-secret&token={}",
            form_encoded(token)
        );
        let answer = Request::to_host("POST", "/token/revocation", &self.endpoint.to_string())
            .body("application/x-www-form-urlencoded", &body)
            .send(self.endpoint);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// The private key of the client `reports-signed`, in PEM.
    pub fn client_key(&self) -> String {
        let answer = Request::new("GET", "/client-key").send(self.control);
        text(&answer.json(), "pem").expect("a key")
    }

    /// How many times introspection was called.
    pub fn introspections(&self) -> u64 {
        let answer = Request::new("GET", "/seen").send(self.control);
        answer.json()["introspection"].as_u64().expect("a count")
    }

    /// How many times the key set was requested.
    pub fn key_requests(&self) -> u64 {
        let answer = Request::new("GET", "/seen").send(self.control);
        answer.json()["keys"].as_u64().expect("a count")
    }

    fn command(&self, target: &str, body: &Value) -> Value {
        let answer = Request::new("POST", target)
            .body("application/json", &body.to_string())
            .send(self.control);
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        answer.json()
    }
}

fn text(object: &Value, member: &str) -> Option<String> {
    object[member].as_str().map(str::to_owned)
}

/// `application/x-www-form-urlencoded`, with everything escaped except letters and digits.
fn form_encoded(value: &str) -> String {
    let mut encoded = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
