//! Finds the URL of an issuer's keys from the issuer's own URL: OpenID Connect Discovery 1.0, then
//! RFC 8414.

use reqwest::Url;

use super::fetch::{Fetcher, Named};
use super::fetch_error::FetchError;

/// The members of a provider's metadata that are used here.
#[derive(Debug, serde::Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: Option<String>,
}

/// Why a well-known place has no usable metadata.
enum Untold {
    /// It has none; the other place may have it.
    Absent(FetchError),
    /// Asking the other place wouldn't help.
    Final(FetchError),
}

/// The URL of an issuer's keys.
pub async fn jwks_uri(
    fetcher: &Fetcher,
    issuer: &str,
    named: &Named,
) -> Result<String, FetchError> {
    let first = match ask(fetcher, &openid(issuer), issuer, named).await {
        Ok(uri) => return Ok(uri),
        Err(Untold::Final(error)) => return Err(error),
        Err(Untold::Absent(error)) => error,
    };
    let Some(second) = oauth(issuer) else {
        return Err(first);
    };
    match ask(fetcher, &second, issuer, named).await {
        Ok(uri) => Ok(uri),
        Err(Untold::Final(error)) => Err(error),
        Err(Untold::Absent(second)) => Err(FetchError::Useless(format!(
            "`{issuer}` has no metadata: {first}, and {second}; \
             `keys url` in the policy can name the key set itself"
        ))),
    }
}

async fn ask(fetcher: &Fetcher, url: &str, issuer: &str, named: &Named) -> Result<String, Untold> {
    let document = fetcher.get(url, named).await.map_err(|error| match error {
        FetchError::Unreached(_) => Untold::Final(error),
        FetchError::Useless(_) => Untold::Absent(error),
    })?;
    let metadata: Metadata = serde_json::from_slice(&document.bytes).map_err(|error| {
        // The parser's own message may repeat what was received, at any length.
        let (line, column) = (error.line(), error.column());
        let sentence =
            format!("`{url}` isn't a provider's metadata (line {line}, column {column})");
        Untold::Absent(FetchError::Useless(sentence))
    })?;
    // OpenID Connect Discovery, section 4.3; RFC 8414, section 3.3: otherwise one provider could
    // speak for another.
    let found = &metadata.issuer;
    if found != issuer {
        return Err(Untold::Final(FetchError::Useless(format!(
            "`{url}` is the metadata of {}, not of `{issuer}`; \
             the issuer's `url` in the policy must be the same to the letter",
            crate::text::quoted(found)
        ))));
    }
    metadata.jwks_uri.ok_or_else(|| {
        Untold::Final(FetchError::Useless(format!(
            "`{url}` names no `jwks_uri`; `keys url` in the policy can name the key set itself"
        )))
    })
}

/// OpenID Connect Discovery 1.0, section 4.1: after the issuer's path.
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
