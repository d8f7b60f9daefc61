//! What is published about APIs as protected resources (RFC 9728).

use std::net::IpAddr;

use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::FieldError;

/// What is published about one API, besides what the policy says. The fields have the RFC's names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProtectedResource {
    /// The resource identifier; without it, the policy's audience or host.
    pub resource: Option<String>,
    /// The API's name for people.
    pub resource_name: Option<String>,
    /// The page for developers.
    pub resource_documentation: Option<String>,
    /// The page on how clients may use the data.
    pub resource_policy_uri: Option<String>,
    /// The page with the terms of service.
    pub resource_tos_uri: Option<String>,
}

impl ProtectedResource {
    /// What can't be seen field by field.
    pub(super) fn validate(&self, api: &str) -> Result<(), FieldError> {
        let field = |name: &str| format!("resource_metadata.{api}.{name}");
        if let Some(resource) = &self.resource
            && identifier(resource).is_none()
        {
            return Err(FieldError::new(
                field("resource"),
                format!(
                    "`{resource}` is not a resource identifier, such as `https://api.example.com`: an \
                    `https` URL without query and fragment (RFC 9728, section 1.2)"
                ),
            ));
        }
        let pages = [
            ("resource_documentation", &self.resource_documentation),
            ("resource_policy_uri", &self.resource_policy_uri),
            ("resource_tos_uri", &self.resource_tos_uri),
        ];
        for (name, page) in pages {
            if let Some(page) = page
                && !Url::parse(page).is_ok_and(|url| matches!(url.scheme(), "https" | "http"))
            {
                return Err(FieldError::new(
                    field(name),
                    format!("`{page}` is not the URL of a page"),
                ));
            }
        }
        Ok(())
    }
}

/// A resource identifier as a URL (RFC 9728, section 1.2); plain `http` only on this machine. It has to be
/// written as it is sent, since clients compare it as a text.
pub fn identifier(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let secure = match url.scheme() {
        "https" => true,
        "http" => is_this_machine(url.host_str()?),
        _ => false,
    };
    let bare = url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    let as_sent = url.as_str() == text || url.as_str().strip_suffix('/') == Some(text);
    (secure && bare && as_sent).then_some(url)
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::identifier;

    #[test]
    fn identifiers_are_https_urls_written_as_they_are_sent() {
        for good in [
            "https://api.example.com",
            "https://api.example.com/",
            "https://api.example.com/v1",
            "https://api.example.com:8443/v1/",
            "http://127.0.0.1:8080/mcp",
            "http://localhost:8080",
            "http://[::1]:8080",
        ] {
            assert!(identifier(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "api",
            "orders-api",
            "api.example.com",
            "urn:example:api",
            "http://api.example.com",
            "http://localhost.example.com",
            "https://api.example.com?x=1",
            "https://api.example.com/#x",
            "https://user@api.example.com",
            "https://API.example.com",
            "https://api.example.com:443",
            "https://api.example.com/a/../b",
            "https://api.example.com/\"",
            "https://api.example.com/ x",
        ] {
            assert!(identifier(bad).is_none(), "{bad}");
        }
    }
}
