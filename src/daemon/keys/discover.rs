//! From an issuer's URL to where its keys are: OpenID Connect Discovery 1.0, then RFC 8414.

use reqwest::Url;

use super::fetch::Fetcher;

/// The part of a provider's metadata that matters here.
#[derive(Debug, serde::Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: Option<String>,
}

/// Where the keys of an issuer are.
pub async fn jwks_uri(fetcher: &Fetcher, issuer: &str, loopback: bool) -> Result<String, String> {
    let first = match ask(fetcher, &openid(issuer), issuer, loopback).await {
        Ok(uri) => return Ok(uri),
        Err(fault) => fault,
    };
    let second = match oauth(issuer) {
        Some(url) => ask(fetcher, &url, issuer, loopback).await,
        None => Err(format!("`{issuer}` is no URL")),
    };
    second.map_err(|second| format!("{first}; {second}"))
}

async fn ask(fetcher: &Fetcher, url: &str, issuer: &str, loopback: bool) -> Result<String, String> {
    let document = fetcher.get(url, loopback).await?;
    let metadata: Metadata = serde_json::from_slice(&document.bytes)
        .map_err(|error| format!("`{url}` is no metadata of a provider: {error}"))?;
    // OpenID Connect Discovery, section 4.3; RFC 8414, section 3.3: or one provider could speak
    // for another.
    if metadata.issuer != issuer {
        return Err(format!(
            "`{url}` is the metadata of {}, not of `{issuer}`",
            crate::text::quoted(&metadata.issuer)
        ));
    }
    metadata
        .jwks_uri
        .ok_or_else(|| format!("`{url}` names no `jwks_uri`"))
}

/// OpenID Connect Discovery 1.0, section 4.1: behind the issuer's path.
fn openid(issuer: &str) -> String {
    format!(
        "{}/.well-known/openid-configuration",
        issuer.strip_suffix('/').unwrap_or(issuer)
    )
}

/// RFC 8414, section 3.1: between host and path.
fn oauth(issuer: &str) -> Option<String> {
    let mut url = Url::parse(issuer).ok()?;
    let path = url.path();
    let path = path.strip_suffix('/').unwrap_or(path);
    let path = format!("/.well-known/oauth-authorization-server{path}");
    url.set_path(&path);
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_well_known_places() {
        for (issuer, first, second) in [
            (
                "https://id.example.com/",
                "https://id.example.com/.well-known/openid-configuration",
                "https://id.example.com/.well-known/oauth-authorization-server",
            ),
            (
                "https://id.example.com/realms/acme",
                "https://id.example.com/realms/acme/.well-known/openid-configuration",
                "https://id.example.com/.well-known/oauth-authorization-server/realms/acme",
            ),
        ] {
            assert_eq!(openid(issuer), first);
            assert_eq!(oauth(issuer).as_deref(), Some(second));
        }
    }
}
