//! The client certificate of the connection, in the forms that proxies use to pass it on.
//!
//! In the TLS handshake, the client has already proven to the proxy that it has the private key.
//! Only the thumbprint matters here; it is compared with the token's. An ambiguous form, such as
//! several certificates, is refused: the client could have written one of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::keys::Thumbprint;
use crate::runtime::original::Malformed;

/// The largest text of a certificate; proxies accept no larger headers.
const MAX_BYTES: usize = 64 * 1024;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Reads a certificate: PEM (with spaces for line ends, or percent-encoded), the base64 in it
/// alone, or the form with colons around it (RFC 9440, section 2.1). `None` if there is none.
pub fn read(text: &str, source: &str) -> Result<Option<Thumbprint>, Malformed> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let der =
        der(text).ok_or_else(|| Malformed::new(format!("`{source}` contains no certificate")))?;
    Ok(Some(Thumbprint::of_certificate(&der)))
}

fn der(text: &str) -> Option<Vec<u8>> {
    if text.len() > MAX_BYTES {
        return None;
    }
    let text = unescaped(text)?;
    let text = text.trim();
    let encoded = if let Some(rest) = text.strip_prefix(BEGIN) {
        rest.strip_suffix(END)?
    } else if let Some(rest) = text.strip_prefix(':') {
        rest.strip_suffix(':')?
    } else {
        text
    };
    let encoded: String = encoded
        .chars()
        .filter(|character| !character.is_ascii_whitespace())
        .collect();
    // Anything between two certificates isn't base64, so exactly one can be read.
    let der = STANDARD.decode(encoded).ok()?;
    // A certificate is a SEQUENCE (X.690, section 8.9).
    (der.first() == Some(&0x30)).then_some(der)
}

/// Decodes percent-encoding; `+` is part of base64, not a space.
fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let octet = digit()? * 16 + digit()?;
        bytes.push(u8::try_from(octet).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// Reads a SHA-256 fingerprint: hexadecimal, with or without colons, or base64url.
pub fn fingerprint(text: &str, source: &str) -> Result<Option<Thumbprint>, Malformed> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    hexadecimal(text)
        .or_else(|| Thumbprint::parse(text))
        .map(Some)
        .ok_or_else(|| Malformed::new(format!("`{source}` contains no SHA-256 fingerprint")))
}

fn hexadecimal(text: &str) -> Option<Thumbprint> {
    let digits: Vec<u32> = text
        .chars()
        .filter(|character| *character != ':')
        .map(|character| character.to_digit(16))
        .collect::<Option<_>>()?;
    let mut bytes = [0; 32];
    if digits.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(Thumbprint::from(bytes))
}

/// Reads Envoy's `x-forwarded-client-cert` if it has one element. With several, the client or an
/// earlier proxy wrote some of them (`forward_client_cert_details` isn't `SANITIZE_SET`).
pub fn xfcc(text: &str) -> Result<Option<Thumbprint>, Malformed> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let broken = || Malformed::new("`x-forwarded-client-cert` can't be read".to_owned());
    let mut hash = None;
    for pair in pairs(text).ok_or_else(broken)? {
        let (name, value) = pair.split_once('=').ok_or_else(broken)?;
        if !name.trim().eq_ignore_ascii_case("hash") {
            continue;
        }
        if hash.is_some() {
            return Err(Malformed::new(
                "`x-forwarded-client-cert` contains two hashes".to_owned(),
            ));
        }
        hash = Some(hexadecimal(value.trim()).ok_or_else(broken)?);
    }
    hash.map(Some)
        .ok_or_else(|| Malformed::new("`x-forwarded-client-cert` contains no `Hash`".to_owned()))
}

/// The pairs of the only element; `None` if there are several, or if a quote isn't closed.
fn pairs(text: &str) -> Option<Vec<&str>> {
    let mut pairs = Vec::new();
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => return None,
            b';' if !quoted => {
                pairs.push(text.get(start..at)?);
                start = at + 1;
            }
            _ => {}
        }
    }
    pairs.push(text.get(start..)?);
    (!quoted).then_some(pairs)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a test says so and stops")]

    use super::*;

    /// The certificate in RFC 8705, appendix A, and its thumbprint.
    const BODY: &str = "MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAxODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzENMAsGA1UEAwwEbXRsczBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ/Au08/coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8wCgYIKoZIzj0EAwIDSQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+hlV/PpQEKTWUVeORWz83AiEA5x2eXZOVbUlJSGQgjwD5vaUaKlLR50Q2DmFfQj1L+SY=";
    const X5T: &str = "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0";
    const HEX: &str = "0380ed2f626650c840b2f263e6d2b29fae12ab39ae5db32b25ad27efad72e6fd";

    fn shown(read: Result<Option<Thumbprint>, Malformed>) -> String {
        match read {
            Ok(Some(thumbprint)) => thumbprint.to_string(),
            Ok(None) => "none".to_owned(),
            Err(malformed) => malformed.hint,
        }
    }

    #[test]
    fn a_certificate_in_each_form() {
        let pem = format!("{BEGIN}\n{}\n{}\n{END}\n", &BODY[..64], &BODY[64..]);
        let escaped: String = pem
            .bytes()
            .map(|byte| match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' => char::from(byte).to_string(),
                _ => format!("%{byte:02X}"),
            })
            .collect();
        for text in [
            pem.clone(),
            // nginx's `$ssl_client_cert` has a tab before each line but the first.
            pem.replace('\n', "\n\t"),
            pem.replace('\n', " "),
            escaped,
            BODY.to_owned(),
            format!(":{BODY}:"),
        ] {
            assert_eq!(shown(read(&text, "x")), X5T, "{text}");
        }
        assert_eq!(shown(read(" ", "x")), "none");
        for text in [
            format!("{pem}{pem}"),
            format!("{BODY},{BODY}"),
            format!(":{BODY}"),
            format!("{BEGIN}{BODY}"),
            format!("{BODY}%2"),
            "(null)".to_owned(),
            "AAAA".to_owned(),
        ] {
            assert_eq!(
                shown(read(&text, "x")),
                "`x` contains no certificate",
                "{text}"
            );
        }
    }

    #[test]
    fn a_fingerprint_in_each_form() {
        let colons: Vec<&str> = HEX
            .as_bytes()
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).expect("ASCII"))
            .collect();
        for text in [HEX, &HEX.to_uppercase(), &colons.join(":"), X5T] {
            assert_eq!(shown(fingerprint(text, "x")), X5T, "{text}");
        }
        assert_eq!(shown(fingerprint("", "x")), "none");
        // nginx's `$ssl_client_fingerprint` is a SHA-1.
        for text in [&HEX[..40], &HEX[..62], "zz", &format!("{HEX},{HEX}")] {
            let expected = "`x` contains no SHA-256 fingerprint";
            assert_eq!(shown(fingerprint(text, "x")), expected, "{text}");
        }
    }

    #[test]
    fn envoy_s_header_of_one_element() {
        for text in [
            format!("Hash={HEX}"),
            format!("By=spiffe://a/b;Hash={HEX};Subject=\"CN=a,O=\\\"b;Hash=0\\\"\""),
        ] {
            assert_eq!(shown(xfcc(&text)), X5T, "{text}");
        }
        assert_eq!(shown(xfcc("")), "none");
        for text in [
            format!("Hash={HEX},Hash={HEX}"),
            format!("Hash={HEX};Hash={HEX}"),
            format!("Hash={HEX};Subject=\"CN=a"),
            format!("By=spiffe://a/b,Hash={HEX}"),
            // Written by the client or a proxy, followed by Envoy's own.
            format!("Hash={HEX};URI=spiffe://a,Hash={HEX}"),
            format!("Hash={HEX};Subject=\"\",By=spiffe://a"),
            "By=spiffe://a/b".to_owned(),
            "Hash=0".to_owned(),
            "Hash".to_owned(),
        ] {
            let said = shown(xfcc(&text));
            assert!(
                said.starts_with("`x-forwarded-client-cert`"),
                "{text}: {said}"
            );
        }
    }
}
