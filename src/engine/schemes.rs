//! The authentication schemes that hints name.
//!
//! The first word in `Authorization` may be the secret itself, sent without a scheme. So a hint
//! never repeats it: it names a scheme of this list, or none.

/// The schemes of IANA's HTTP Authentication Scheme Registry and other common ones, in their usual
/// spelling.
const KNOWN: [&str; 37] = [
    // In the registry.
    "Basic",
    "Bearer",
    "Concealed",
    "Digest",
    "DPoP",
    "GNAP",
    "HOBA",
    "Mutual",
    "Negotiate",
    "OAuth",
    "PrivateToken",
    "SCRAM-SHA-1",
    "SCRAM-SHA-256",
    "vapid",
    // In use, but not in the registry.
    "AccessToken",
    "Access-Token",
    "ApiKey",
    "Api-Key",
    "AWS4-HMAC-SHA256",
    "EdgeGrid",
    "EG1-HMAC-SHA256",
    "GoogleLogin",
    "Hawk",
    "HMAC",
    "HMAC-SHA256",
    "JWT",
    "Kerberos",
    "Key",
    "MAC",
    "NTLM",
    "SharedAccessSignature",
    "SharedKey",
    "Signature",
    "Splunk",
    "Token",
    "WSSE",
    "X-API-Key",
];

/// The scheme at the beginning of a value, alone or followed by a blank.
pub(super) fn of(value: &str) -> Option<&'static str> {
    let first = value.split(' ').next().unwrap_or_default();
    KNOWN
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(first))
}

/// The text after a scheme and a blank, also if the blank was encoded in a cookie; and the scheme.
/// `+` counts as a blank only after `Bearer`: an opaque token may well begin with `key+`.
pub(super) fn before(value: &str) -> Option<(&'static str, &str)> {
    KNOWN.into_iter().find_map(|known| {
        let (first, rest) = value.split_at_checked(known.len())?;
        let rest = first.eq_ignore_ascii_case(known).then_some(rest)?;
        let blanks: &[&str] = match known {
            "Bearer" => &[" ", "%20", "+"],
            _ => &[" ", "%20"],
        };
        let rest = blanks.iter().find_map(|blank| rest.strip_prefix(blank))?;
        Some((known, rest))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_is_one_of_the_list_and_nothing_else() {
        for (value, scheme) in [
            ("Basic YWxhZGRpbg==", Some("Basic")),
            ("basic", Some("Basic")),
            ("TOKEN abc", Some("Token")),
            ("dpop abc", Some("DPoP")),
            ("s3cr3t", None),
            ("s3cr3t Basic", None),
            ("Basic:abc", None),
            ("Bearer=abc", None),
            ("Basicabc", None),
            ("", None),
        ] {
            assert_eq!(of(value), scheme, "{value}");
        }
    }

    #[test]
    fn what_follows_a_scheme_is_found_behind_each_kind_of_blank() {
        for (value, found) in [
            ("Bearer a", Some(("Bearer", "a"))),
            ("bearer%20a", Some(("Bearer", "a"))),
            ("Bearer+a", Some(("Bearer", "a"))),
            ("JWT a", Some(("JWT", "a"))),
            ("key+a", None),
            ("Bearera", None),
            ("Bearer", None),
            ("BearerΔ", None),
            ("éBearer a", None),
        ] {
            assert_eq!(before(value), found, "{value}");
        }
    }
}
