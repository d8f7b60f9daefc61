//! `portcullis.yaml`: the daemon's whole configuration, except for the policy.
//!
//! An unknown field is an error, so a typo can't quietly leave a default in force. Every field has
//! a default and is documented here and in `docs/configuration.md`; a test compares the two.

mod adapters;
mod cache;
mod dpop;
mod duration;
mod error;
pub mod introspection;
mod keys;
mod listeners;
mod log;
mod observe;
mod read;
mod resource_metadata;
mod sources;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use adapters::{
    AdapterSettings, Adapters, EnvoySources, ForwardSources, GrpcSources, ModuleSources,
    SentForwardHeaders, Sources,
};
pub use cache::Cache;
pub use dpop::Dpop;
pub use duration::Span;
pub use error::FieldError;
pub use introspection::Introspection;
pub use keys::KeyFetching;
pub use listeners::{
    Address, Callers, Listener, ListenerId, ListenerKind, ListenerServer, ListenerSetting,
    Listeners, Protocol, Tls, asked_at,
};
pub use log::{DecisionLog, Level, Log, LogFormat, OnFull, Record, Rotate};
pub use observe::{Mode, Observed};
use read::Lines;
pub use resource_metadata::{ProtectedResource, identifier as resource_identifier};
pub use sources::{ClientAddress, ClientCertificate, Scheme};

use crate::answer;
use crate::engine::Denial;

/// The largest configuration that is read; a real one has a few kilobytes.
pub const MAX_CONFIG_BYTES: u64 = 1024 * 1024;

/// The file name that `serve` looks for in the current folder.
pub const DEFAULT_FILE: &str = "portcullis.yaml";

/// The whole of `portcullis.yaml`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The policy: folders or files.
    pub policy: Paths,
    /// The candidate: a policy that decides too, and answers nothing.
    pub candidate: Paths,
    /// Values of the policy's `param`s, by name; the command line and the environment take
    /// precedence.
    pub params: BTreeMap<String, Param>,
    /// Whether denials are enforced.
    pub mode: Mode,
    /// APIs and routes whose denials are only observed in the mode `enforce` too.
    pub observe: Vec<Observed>,
    /// How much a denial tells the client besides its code.
    pub explain: Explain,
    /// The base URL of the reasons' pages, for the `type` in the body of a denial.
    pub docs: Option<String>,
    /// How long a decision may take; after that the request is denied (`internal`). Envoy waits 200
    /// ms.
    pub deadline: Span,
    /// The APIs whose metadata as protected resources are published (RFC 9728), by name.
    pub resource_metadata: BTreeMap<String, ProtectedResource>,
    /// Where the daemon listens.
    pub listeners: Listeners,
    /// Where each adapter finds the facts that the request itself doesn't contain.
    pub adapters: Adapters,
    /// The requirements on DPoP proofs, for policies that accept them.
    pub dpop: Dpop,
    /// How issuers' keys are fetched.
    pub keys: KeyFetching,
    /// How opaque tokens are introspected.
    pub introspection: Introspection,
    /// The size of the cache of verified tokens.
    pub cache: Cache,
    /// Limits on connections and requests.
    pub limits: Limits,
    /// How the policy's files are watched.
    pub reload: Reload,
    /// The log's level, format and destinations.
    pub log: Log,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            policy: Paths(vec![PathBuf::from("policies")]),
            candidate: Paths(Vec::new()),
            params: BTreeMap::new(),
            mode: Mode::Enforce,
            observe: Vec::new(),
            explain: Explain::Reason,
            docs: None,
            deadline: Span::from_millis(150),
            resource_metadata: BTreeMap::new(),
            listeners: Listeners::default(),
            adapters: Adapters::default(),
            dpop: Dpop::default(),
            keys: KeyFetching::default(),
            introspection: Introspection::default(),
            cache: Cache::default(),
            limits: Limits::default(),
            reload: Reload::default(),
            log: Log::default(),
        }
    }
}

/// One path or a list of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Paths(pub Vec<PathBuf>);

impl<'de> Deserialize<'de> for Paths {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Paths;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path or a list of paths")
            }
            fn visit_str<E: serde::de::Error>(self, path: &str) -> Result<Paths, E> {
                Ok(Paths(vec![PathBuf::from(path)]))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut seq: A,
            ) -> Result<Paths, A::Error> {
                let mut paths = Vec::new();
                while let Some(path) = seq.next_element::<PathBuf>()? {
                    paths.push(path);
                }
                Ok(Paths(paths))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// The value of a `param`, as text; YAML's numbers and booleans are taken as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Param(pub String);

impl<'de> Deserialize<'de> for Param {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Param;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, a number or a boolean")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Param, E> {
                Ok(Param(text.to_owned()))
            }
            fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Param, E> {
                Ok(Param(value.to_string()))
            }
            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Param, E> {
                Ok(Param(value.to_string()))
            }
            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Param, E> {
                Ok(Param(value.to_string()))
            }
            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Param, E> {
                Ok(Param(value.to_string()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// How much a denial tells the client besides its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Explain {
    /// Only the status and the challenge.
    None,
    /// The reason's code and one general sentence.
    Reason,
    /// Also the hint: what exactly was wrong, and what would be allowed.
    Full,
}

impl Explain {
    /// The same, for the code that words denials.
    pub fn told(self) -> answer::Explain {
        match self {
            Explain::None => answer::Explain::None,
            Explain::Reason => answer::Explain::Reason,
            Explain::Full => answer::Explain::Full,
        }
    }
}

/// Limits on connections and requests.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// How many connections each listener has open at once. One more replaces the connection that
    /// has been idle longest, or waits.
    pub connections: usize,
    /// How many decisions run at once; further requests are denied (`internal`).
    pub decisions: usize,
    /// How many calls are open at once on all connections of the listener `grpc`; further calls are
    /// denied (`internal`).
    pub streams: usize,
    /// The size of a request's line and headers together, in bytes.
    pub header_bytes: usize,
    /// How many headers a request may have.
    pub headers: usize,
    /// The size of a request's body at `pdp` and of a gRPC message, in bytes.
    pub body_bytes: usize,
    /// How many requests one call of `POST /v1/check` may hold.
    pub batch: usize,
    /// How long a request's headers (or a TLS handshake) may take to arrive, from their first byte.
    pub header_timeout: Span,
    /// How long a connection may stay open between two requests.
    pub idle_timeout: Span,
    /// How long requests in flight may take after SIGTERM.
    pub drain: Span,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 4096,
            decisions: 1024,
            streams: 2048,
            header_bytes: 128 * 1024,
            headers: 200,
            body_bytes: 1024 * 1024,
            batch: 1000,
            header_timeout: Span::from_secs(10),
            idle_timeout: Span::from_secs(60 * 60),
            drain: Span::from_secs(10),
        }
    }
}

/// How changes of the policy's files are noticed and taken.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reload {
    /// Whether the folders are watched; SIGHUP and `POST /reload` always work.
    pub watch: bool,
    /// How far apart two reads of all files must be that find the same contents.
    pub settle: Span,
    /// How long a file that has lost content must stay unchanged before it is taken, if nothing
    /// shows that the loss is intended. Also how long a file may stay open for writing before it is
    /// read anyway.
    pub hold: Span,
}

impl Default for Reload {
    fn default() -> Self {
        Reload {
            watch: true,
            settle: Span::from_millis(100),
            hold: Span::from_secs(10),
        }
    }
}

/// An error in the configuration.
#[derive(Debug)]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub fault: ConfigFault,
}

/// What is wrong with a file of configuration.
#[derive(Debug)]
pub enum ConfigFault {
    /// It can't be read.
    Unread(io::Error),
    /// It has so many bytes, more than [`MAX_CONFIG_BYTES`].
    TooLarge(u64),
    /// It is no configuration.
    Field(FieldError),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file.display())?;
        match &self.fault {
            ConfigFault::Unread(error) => write!(f, "{error}"),
            ConfigFault::TooLarge(length) => write!(
                f,
                "the file has {length} bytes, at most {MAX_CONFIG_BYTES} are read"
            ),
            ConfigFault::Field(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads a configuration. Relative paths in it start at the file's folder.
    pub fn read(file: &Path) -> Result<Config, ConfigError> {
        let error = |fault| ConfigError {
            file: file.to_owned(),
            fault,
        };
        let unread = |fault| error(ConfigFault::Unread(fault));
        let length = std::fs::metadata(file).map_err(unread)?.len();
        if length > MAX_CONFIG_BYTES {
            return Err(error(ConfigFault::TooLarge(length)));
        }
        let text = std::fs::read_to_string(file).map_err(unread)?;
        let mut config = Config::parse(&text).map_err(|fault| error(ConfigFault::Field(fault)))?;
        if let Some(folder) = file.parent() {
            config.resolve(folder);
        }
        Ok(config)
    }

    /// Reads a configuration from text; an empty text is the default configuration.
    pub fn parse(text: &str) -> Result<Config, FieldError> {
        let blank = text.lines().all(|line| {
            let line = line.trim_start();
            line.is_empty() || line.starts_with('#')
        });
        if blank {
            return Ok(Config::default());
        }
        let lines = Lines::of(text)?;
        let config: Config = read::from_yaml(text, &lines)?;
        config.validate().map_err(|error| lines.locate(error))?;
        Ok(config)
    }

    /// Whether a denial is only observed.
    pub fn only_observes(&self, denial: &Denial<'_>) -> bool {
        observe::only_observed(self.mode, &self.observe, denial)
    }

    /// What is only observed, as a part of a sentence; `None` if every denial is enforced.
    pub fn observed(&self) -> Option<String> {
        observe::told(self.mode, &self.observe)
    }

    /// The values of the policy's parameters, by name.
    pub fn param_values(&self) -> BTreeMap<String, String> {
        let text = |(name, value): (&String, &Param)| (name.clone(), value.0.clone());
        self.params.iter().map(text).collect()
    }

    /// What can't be seen field by field.
    fn validate(&self) -> Result<(), FieldError> {
        for (id, listener) in self.listeners.iter() {
            listener.validate(id)?;
        }
        if let Some(docs) = &self.docs {
            let web = docs.starts_with("https://") || docs.starts_with("http://");
            let plain = docs.bytes().all(|byte| byte.is_ascii_graphic());
            if !web || !plain || docs.contains(['?', '#', '"', '\\']) {
                return Err(FieldError::new(
                    "docs",
                    format!(
                        "`{docs}` is not the URL of a folder of pages, such as \
                        `https://docs.example.com/reasons`"
                    ),
                ));
            }
        }
        for (api, published) in &self.resource_metadata {
            published.validate(api)?;
        }
        self.adapters.validate()?;
        self.dpop.validate()?;
        self.introspection.validate()?;
        self.keys.validate()?;
        self.log.validate()?;
        if self.policy.0.is_empty() {
            return Err(FieldError::new("policy", "no path is named"));
        }
        let above_zero = [
            ("deadline", !self.deadline.get().is_zero()),
            ("dpop.max_proofs", self.dpop.max_proofs > 0),
            (
                "introspection.timeout",
                !self.introspection.timeout.get().is_zero(),
            ),
            ("introspection.in_flight", self.introspection.in_flight > 0),
            ("limits.connections", self.limits.connections > 0),
            ("limits.decisions", self.limits.decisions > 0),
            ("limits.streams", self.limits.streams > 0),
            ("limits.headers", self.limits.headers > 0),
            ("limits.body_bytes", self.limits.body_bytes > 0),
            ("limits.batch", self.limits.batch > 0),
            (
                "limits.header_timeout",
                !self.limits.header_timeout.get().is_zero(),
            ),
            (
                "limits.idle_timeout",
                !self.limits.idle_timeout.get().is_zero(),
            ),
        ];
        if let Some((field, _)) = above_zero.iter().find(|(_, fine)| !fine) {
            return Err(FieldError::new(*field, "must be more than 0"));
        }
        if self.limits.header_bytes < MIN_HEADER_BYTES {
            return Err(FieldError::new(
                "limits.header_bytes",
                format!("must be at least {MIN_HEADER_BYTES}"),
            ));
        }
        Ok(())
    }

    fn resolve(&mut self, folder: &Path) {
        for path in self.policy.0.iter_mut().chain(&mut self.candidate.0) {
            *path = folder.join(&*path);
        }
        self.log.resolve(folder);
        self.dpop.resolve(folder);
        self.introspection.resolve(folder);
        self.keys.resolve(folder);
        self.listeners.resolve(folder);
    }
}

/// With less, no request of a real proxy would fit, and the HTTP server's buffer would have no
/// room.
const MIN_HEADER_BYTES: usize = 8 * 1024;
