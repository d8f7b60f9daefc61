//! Recognises the kind of a token: an access token, or one that an API must refuse.
//!
//! An ID token is signed with the same keys as an access token and is a perfectly valid JWT. It
//! tells a client who signed in. If an API accepts it as an access token, any client that gets hold
//! of one can use the API. The signs are those that providers put into tokens.

use super::claims::Registered;
use crate::engine::SeenKind;
use crate::json::Json;
use crate::settings::TokenKind;
use crate::text::quoted;

/// The recognised kind of a token, and the sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recognised {
    pub(super) kind: SeenKind,
    /// The sign, for a hint: `it has ...`.
    pub(super) sign: String,
    /// Whether tokens of other kinds never have this sign.
    pub(super) certain: bool,
}

impl Recognised {
    fn new(kind: SeenKind, sign: impl Into<String>) -> Recognised {
        Recognised {
            kind,
            sign: sign.into(),
            certain: true,
        }
    }
}

/// Recognises a token. `scopes_from` is the path of its issuer's scopes, if not `scope` or `scp`.
pub(super) fn recognise(
    typ: Option<&str>,
    claims: &Json<'_>,
    registered: &Registered<'_>,
    scopes_from: Option<&[String]>,
) -> Recognised {
    refresh(typ, claims)
        .or_else(|| id(typ, claims))
        .or_else(|| marked_as_access(typ, claims))
        .or_else(|| {
            if has_scopes(claims, scopes_from) {
                None
            } else {
                id_without_scopes(claims, registered)
            }
        })
        .or_else(|| access(claims, scopes_from))
        .unwrap_or_else(|| Recognised::new(SeenKind::Unknown, "nothing tells its kind"))
}

/// A claim with one of these values, regardless of case.
fn says(claims: &Json<'_>, name: &str, values: &[&str]) -> Option<String> {
    let value = claims.get(name)?.as_str()?;
    values
        .iter()
        .any(|known| value.eq_ignore_ascii_case(known))
        .then(|| format!("its claim `{name}` is {}", quoted(value)))
}

/// A claim that is present and not null.
fn there<'n>(claims: &Json<'_>, names: &[&'n str]) -> Option<&'n str> {
    names
        .iter()
        .find(|name| claims.get(name).is_some_and(|value| !value.is_null()))
        .copied()
}

/// Keycloak's `typ` (offline tokens are refresh tokens that don't expire), the `token_use`,
/// `token_type` and `type` of other providers, and explicit typing (RFC 8725, section 3.11).
fn refresh(typ: Option<&str>, claims: &Json<'_>) -> Option<Recognised> {
    let sign = match typ.map(media_type) {
        Some("refresh+jwt" | "rt+jwt") => Some("its `typ` says so".to_owned()),
        _ => says(claims, "typ", &["Refresh", "Offline"]).or_else(|| {
            ["token_use", "token_type", "type"]
                .iter()
                .find_map(|name| says(claims, name, &["refresh", "refresh_token"]))
        }),
    };
    sign.map(|sign| Recognised::new(SeenKind::Refresh, sign))
}

/// The signs that only ID tokens have (OpenID Connect Core, section 3.1.3.6 and 3.3.2.11).
fn id(typ: Option<&str>, claims: &Json<'_>) -> Option<Recognised> {
    if let Some(hash) = there(claims, &["at_hash", "c_hash"]) {
        return Some(Recognised::new(
            SeenKind::Id,
            format!("it has the claim `{hash}`"),
        ));
    }
    match typ.map(media_type) {
        Some("id+jwt" | "id_token+jwt") => Some("its `typ` says so".to_owned()),
        _ => says(claims, "token_use", &["id"]).or_else(|| says(claims, "typ", &["ID"])),
    }
    .map(|sign| Recognised::new(SeenKind::Id, sign))
}

/// Signs that an access token may have too, but then together with scopes: Keycloak before 25 adds
/// `nonce`, and a client may be its own audience.
fn id_without_scopes(claims: &Json<'_>, registered: &Registered<'_>) -> Option<Recognised> {
    let sign = if there(claims, &["nonce"]).is_some() {
        "it has the claim `nonce` and no scopes".to_owned()
    } else {
        let client = claims.get("azp")?.as_str()?;
        if !registered.audiences.contains(&client) {
            return None;
        }
        format!(
            "its audience is {}, the client that asked for it (`azp`), and it has no scopes",
            quoted(client)
        )
    };
    Some(Recognised::new(SeenKind::Id, sign))
}

/// The signs that only access tokens have. They outweigh those that both may have: a token of
/// Keycloak before 25 with `nonce` and without scopes has `typ: Bearer`.
fn marked_as_access(typ: Option<&str>, claims: &Json<'_>) -> Option<Recognised> {
    if typ.map(media_type) == Some("at+jwt") {
        return Some(Recognised::new(SeenKind::Access, "its `typ` is `at+jwt`"));
    }
    says(claims, "token_use", &["access"])
        .or_else(|| says(claims, "typ", &["Bearer"]))
        // How the client authenticated at Entra, in version 2 and 1.
        .or_else(|| {
            there(claims, &["azpacr", "appidacr"]).map(|name| format!("it has the claim `{name}`"))
        })
        .map(|sign| Recognised::new(SeenKind::Access, sign))
}

fn access(claims: &Json<'_>, scopes_from: Option<&[String]>) -> Option<Recognised> {
    if has_scopes(claims, scopes_from) {
        return Some(Recognised::new(SeenKind::Access, "it has scopes"));
    }
    there(claims, &["client_id", "cid", "appid"]).map(|name| Recognised {
        certain: false,
        ..Recognised::new(SeenKind::Access, format!("it has the claim `{name}`"))
    })
}

/// Whether there is a scope, in this issuer's claim or in others.
fn has_scopes(claims: &Json<'_>, scopes_from: Option<&[String]>) -> bool {
    let some = |value: Option<&Json<'_>>| match value {
        Some(Json::String(text)) => !text.trim().is_empty(),
        Some(Json::Array(scopes)) => !scopes.is_empty(),
        _ => false,
    };
    some(claims.get("scope"))
        || some(claims.get("scp"))
        || scopes_from.is_some_and(|path| some(claims.at(path)))
}

/// Whether an issuer's `tokens` setting accepts this `typ`.
pub(super) fn typ_fits(typ: Option<&str>, wanted: TokenKind) -> bool {
    match (wanted, typ.map(media_type)) {
        (TokenKind::Jwt, None | Some("jwt" | "at+jwt"))
        | (TokenKind::Access, Some("at+jwt"))
        | (TokenKind::Id, None | Some("jwt" | "id+jwt" | "id_token+jwt")) => true,
        (TokenKind::Jwt | TokenKind::Access | TokenKind::Id, _) => false,
    }
}

/// A `typ` in the form in which media types compare: without case, and with or without
/// `application/` (RFC 7515, section 4.1.9; RFC 2045, section 5.1). Only known types are
/// distinguished.
fn media_type(typ: &str) -> &'static str {
    const KNOWN: [&str; 6] = [
        "jwt",
        "at+jwt",
        "id+jwt",
        "id_token+jwt",
        "refresh+jwt",
        "rt+jwt",
    ];
    const APPLICATION: &str = "application/";
    let name = match typ.get(..APPLICATION.len()) {
        Some(prefix) if prefix.eq_ignore_ascii_case(APPLICATION) => {
            typ.get(APPLICATION.len()..).unwrap_or_default()
        }
        _ => typ,
    };
    KNOWN
        .into_iter()
        .find(|known| name.eq_ignore_ascii_case(known))
        .unwrap_or("another")
}
