//! The bearer token of the listener `admin`.
//!
//! Only its digest is kept, and digests are compared in constant time. No message contains a token,
//! neither the right one nor one that was sent.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Digest, SHA256, digest};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};

use crate::runtime::secret::{self, SecretError};

/// The fewest characters of a token. Thirty-two hexadecimal digits have 128 bits, which nobody guesses.
const MIN_LENGTH: usize = 32;

/// A token that callers must send.
#[derive(Debug, Clone)]
pub struct Token(Arc<Digest>);

impl Token {
    /// Reads it from a file.
    pub fn read(file: &Path) -> Result<Token, TokenError> {
        let token = secret::read(file).map_err(TokenError::Unread)?;
        if token.len() < MIN_LENGTH {
            return Err(TokenError::Short(token.len()));
        }
        if !token.bytes().all(is_token68) {
            return Err(TokenError::Character);
        }
        Ok(Token(Arc::new(digest(&SHA256, token.as_bytes()))))
    }

    /// Whether a request has it, exactly once.
    fn is_in(&self, headers: &HeaderMap) -> bool {
        let mut sent = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(value), None) = (sent.next(), sent.next()) else {
            return false;
        };
        let Some((scheme, token)) = value.to_str().ok().and_then(|value| value.split_once(' '))
        else {
            return false;
        };
        let sent = digest(&SHA256, token.trim_start().as_bytes());
        scheme.eq_ignore_ascii_case("bearer")
            && verify_slices_are_equal(sent.as_ref(), self.0.as_ref().as_ref()).is_ok()
    }
}

/// The characters of a bearer token (RFC 6750, section 2.1).
fn is_token68(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}

/// Why a file has no token.
#[derive(Debug)]
pub enum TokenError {
    /// It can't be read.
    Unread(SecretError),
    /// It has only so many characters.
    Short(usize),
    /// It has a character that no bearer token has.
    Character,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TokenError::Unread(fault) => write!(f, "{fault}"),
            TokenError::Short(length) => write!(
                f,
                "the token has {length} characters, at least {MIN_LENGTH} are needed; make one with \
                 `openssl rand -hex 32`"
            ),
            TokenError::Character => f.write_str(
                "a token has only letters, digits and `-._~+/=`; make one with `openssl rand -hex 32`",
            ),
        }
    }
}

impl std::error::Error for TokenError {}

/// Refuses requests without the token.
pub async fn required(State(token): State<Token>, request: Request, next: Next) -> Response {
    if token.is_in(request.headers()) {
        return next.run(request).await;
    }
    (
        StatusCode::UNAUTHORIZED,
        [(
            header::WWW_AUTHENTICATE,
            "Bearer realm=\"portcullis admin\"",
        )],
        "this listener needs the bearer token of `listeners.admin.token_file`\n",
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    fn read(content: &str) -> Result<Token, TokenError> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), content).expect("the file");
        Token::read(file.path())
    }

    #[test]
    fn only_the_whole_token_is_the_token() {
        let token = read(&format!("{TOKEN}\n")).expect("a token");
        let is_in = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                let value = HeaderValue::from_str(value).expect("a value");
                headers.append(header::AUTHORIZATION, value);
            }
            token.is_in(&headers)
        };
        let right = format!("Bearer {TOKEN}");
        assert!(is_in(&[&right]));
        assert!(is_in(&[&right.replace("Bearer", "bearer")]));
        for wrong in [
            TOKEN.to_owned(),
            format!("Basic {TOKEN}"),
            format!("Bearer{TOKEN}"),
            format!("{right} "),
            format!("{right}0"),
            right[..right.len() - 1].to_owned(),
            right.to_uppercase(),
            "Bearer ".to_owned(),
            String::new(),
        ] {
            assert!(!is_in(&[&wrong]), "{wrong}");
        }
        assert!(!is_in(&[]));
        assert!(!is_in(&[&right, &right]), "twice");
    }

    #[test]
    fn a_weak_or_odd_token_is_refused_without_repeating_it() {
        for (content, said) in [
            ("", "0 characters"),
            ("hunter2", "7 characters"),
            ("0123456789abcdef 0123456789abcdef", "only letters"),
            ("0123456789abcdef\n0123456789abcdef", "only letters"),
            ("0123456789abcdefé0123456789abcdef", "only letters"),
        ] {
            let fault = read(content).expect_err(content).to_string();
            assert!(fault.contains(said), "{fault}");
            assert!(content.is_empty() || !fault.contains(content), "{fault}");
        }
        let missing = Token::read(Path::new("/nowhere/token")).expect_err("no file");
        assert!(missing.to_string().contains("/nowhere/token"), "{missing}");
    }
}
