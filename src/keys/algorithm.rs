//! The signature algorithms that a policy can name.

use std::fmt;

/// A JWS algorithm (RFC 7518, section 3; RFC 8037; RFC 9864). `none` is not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 using SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 using SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 using SHA-512.
    Rs512,
    /// RSASSA-PSS using SHA-256.
    Ps256,
    /// RSASSA-PSS using SHA-384.
    Ps384,
    /// RSASSA-PSS using SHA-512.
    Ps512,
    /// ECDSA using P-256 and SHA-256.
    Es256,
    /// ECDSA using P-384 and SHA-384.
    Es384,
    /// ECDSA using P-521 and SHA-512.
    Es512,
    /// EdDSA using Ed25519. It has two names: `EdDSA`, and `Ed25519`, which RFC 9864 prefers.
    EdDsa,
    /// HMAC using SHA-256.
    Hs256,
    /// HMAC using SHA-384.
    Hs384,
    /// HMAC using SHA-512.
    Hs512,
}

/// The kind of key that an algorithm needs (RFC 7518, section 6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyType {
    /// `RSA`
    Rsa,
    /// `EC` with `crv` `P-256`
    P256,
    /// `EC` with `crv` `P-384`
    P384,
    /// `EC` with `crv` `P-521`
    P521,
    /// `OKP` with `crv` `Ed25519`
    Ed25519,
    /// `oct`
    Oct,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Algorithm; 13] = [
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Ps256,
        Algorithm::Ps384,
        Algorithm::Ps512,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::Es512,
        Algorithm::EdDsa,
        Algorithm::Hs256,
        Algorithm::Hs384,
        Algorithm::Hs512,
    ];

    /// The algorithms whose verification key is public. An issuer has these by default.
    pub fn asymmetric() -> impl Iterator<Item = Algorithm> {
        Self::ALL
            .into_iter()
            .filter(|algorithm| algorithm.key_type() != KeyType::Oct)
    }

    /// The name that portcullis itself uses; names are case-sensitive.
    pub fn as_str(self) -> &'static str {
        match self {
            Algorithm::Rs256 => "RS256",
            Algorithm::Rs384 => "RS384",
            Algorithm::Rs512 => "RS512",
            Algorithm::Ps256 => "PS256",
            Algorithm::Ps384 => "PS384",
            Algorithm::Ps512 => "PS512",
            Algorithm::Es256 => "ES256",
            Algorithm::Es384 => "ES384",
            Algorithm::Es512 => "ES512",
            Algorithm::EdDsa => "EdDSA",
            Algorithm::Hs256 => "HS256",
            Algorithm::Hs384 => "HS384",
            Algorithm::Hs512 => "HS512",
        }
    }

    /// Every name of the algorithm in headers, keys and policies; the first is [`Self::as_str`].
    ///
    /// `EdDSA` alone would allow Ed448 as well (RFC 8037, section 3.1). portcullis supports no
    /// Ed448 keys, so both names mean the same here.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let other = (self == Algorithm::EdDsa).then_some("Ed25519");
        std::iter::once(self.as_str()).chain(other)
    }

    /// The algorithm of that name.
    pub fn parse(name: &str) -> Option<Algorithm> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.names().any(|known| known == name))
    }

    /// The kind of key that it needs.
    pub fn key_type(self) -> KeyType {
        match self {
            Algorithm::Rs256
            | Algorithm::Rs384
            | Algorithm::Rs512
            | Algorithm::Ps256
            | Algorithm::Ps384
            | Algorithm::Ps512 => KeyType::Rsa,
            Algorithm::Es256 => KeyType::P256,
            Algorithm::Es384 => KeyType::P384,
            Algorithm::Es512 => KeyType::P521,
            Algorithm::EdDsa => KeyType::Ed25519,
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => KeyType::Oct,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
