//! The filter's configuration in Envoy: what it does, and the path of a `portcullis.yaml`, or an object
//! that names it.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

/// What an instance of the filter does, by its `filter_name`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It decides requests.
    Decide,
    /// It answers all requests with the policy's metrics.
    ShowMetrics,
}

impl Role {
    /// The role of this name.
    pub fn named(name: &[u8]) -> Result<Self, UnknownRole> {
        match name {
            b"portcullis" => Ok(Self::Decide),
            b"portcullis_metrics" => Ok(Self::ShowMetrics),
            _ => Err(UnknownRole),
        }
    }
}

/// A `filter_name` that stands for nothing.
#[derive(Debug)]
pub struct UnknownRole;

impl fmt::Display for UnknownRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown `filter_name`; write `portcullis` or `portcullis_metrics`")
    }
}

/// What Envoy's configuration says to the filter.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The `portcullis.yaml`.
    pub config: PathBuf,
    /// Whether Envoy chooses the route again after the policy has set or removed headers.
    #[serde(default = "yes")]
    pub clear_route_cache: bool,
}

fn yes() -> bool {
    true
}

impl Settings {
    /// Reads what Envoy hands over: a `StringValue` as it stands, a `Struct` as JSON.
    pub fn read(bytes: &[u8]) -> Result<Self, SettingsError> {
        let text = std::str::from_utf8(bytes).map_err(|_| SettingsError::NotText)?;
        let text = text.trim();
        if text.is_empty() {
            return Err(SettingsError::Empty);
        }
        if text.starts_with('{') {
            return serde_json::from_str(text).map_err(SettingsError::Object);
        }
        Ok(Self {
            config: PathBuf::from(text),
            clear_route_cache: true,
        })
    }
}

/// What is wrong with it.
#[derive(Debug)]
pub enum SettingsError {
    /// There is none.
    Empty,
    /// It is not UTF-8.
    NotText,
    /// It is an object with something wrong in it.
    Object(serde_json::Error),
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty; write the path of a `portcullis.yaml`"),
            Self::NotText => f.write_str("it is not UTF-8"),
            Self::Object(error) => write!(
                f,
                "{error}; write `config` with the path of a `portcullis.yaml`, and `clear_route_cache` \
                 if Envoy must keep the route"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

    use super::*;

    #[test]
    fn a_path_or_an_object() {
        let path = |clear_route_cache| Settings {
            config: PathBuf::from("/etc/portcullis/portcullis.yaml"),
            clear_route_cache,
        };
        for (written, read) in [
            ("/etc/portcullis/portcullis.yaml", path(true)),
            ("/etc/portcullis/portcullis.yaml\n", path(true)),
            (
                r#"{"config": "/etc/portcullis/portcullis.yaml"}"#,
                path(true),
            ),
            (
                r#"{"config": "/etc/portcullis/portcullis.yaml", "clear_route_cache": false}"#,
                path(false),
            ),
        ] {
            assert_eq!(
                Settings::read(written.as_bytes()).unwrap(),
                read,
                "{written}"
            );
        }
    }

    #[test]
    fn a_name_is_one_of_two() {
        let role = |name: &str| Role::named(name.as_bytes()).ok();
        assert_eq!(role("portcullis"), Some(Role::Decide));
        assert_eq!(role("portcullis_metrics"), Some(Role::ShowMetrics));
        for wrong in ["", "Portcullis", "portcullis_metric"] {
            assert_eq!(role(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let told = |bytes: &[u8]| Settings::read(bytes).unwrap_err().to_string();
        assert!(told(b" ").starts_with("it is empty"));
        assert!(told(b"\xff").starts_with("it is not UTF-8"));
        assert!(told(b"{}").starts_with("missing field `config`"));
        let unknown = told(br#"{"config": "a", "clear_routes": true}"#);
        assert!(
            unknown.starts_with("unknown field `clear_routes`"),
            "{unknown}"
        );
    }
}
