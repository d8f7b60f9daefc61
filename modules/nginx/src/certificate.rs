//! The client certificate of the connection.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The SHA-256 of a certificate's DER; `None` where the text is not one certificate as PEM.
pub fn thumbprint(pem: &[u8]) -> Option<[u8; 32]> {
    let text = std::str::from_utf8(pem).ok()?.trim();
    let body = text
        .strip_prefix("-----BEGIN CERTIFICATE-----")?
        .strip_suffix("-----END CERTIFICATE-----")?;
    let body: String = body.split_ascii_whitespace().collect();
    // What stands between two certificates is not base64.
    let der = STANDARD.decode(body).ok()?;
    digest(&SHA256, &der).as_ref().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::thumbprint;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    /// The certificate of RFC 8705, appendix A, and its thumbprint.
    const BODY: &str = "MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAxODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzENMAsGA1UEAwwEbXRsczBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ/Au08/coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8wCgYIKoZIzj0EAwIDSQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+hlV/PpQEKTWUVeORWz83AiEA5x2eXZOVbUlJSGQgjwD5vaUaKlLR50Q2DmFfQj1L+SY=";
    const X5T: &str = "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0";

    fn pem(body: &str) -> String {
        format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    }

    #[test]
    fn a_certificate_is_known_by_its_digest() {
        let (first, second) = BODY.split_at(64);
        let digest = thumbprint(pem(&format!("{first}\n{second}")).as_bytes());
        let shown = digest.map(|digest| URL_SAFE_NO_PAD.encode(digest));
        assert_eq!(shown.as_deref(), Some(X5T));
    }

    #[test]
    fn what_is_not_one_certificate_is_none() {
        let twice = pem(BODY).repeat(2);
        for text in ["", BODY, "-----BEGIN CERTIFICATE-----", &twice, &pem("*")] {
            assert_eq!(thumbprint(text.as_bytes()), None, "{text}");
        }
    }
}
