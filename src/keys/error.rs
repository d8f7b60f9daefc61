//! Errors in keys, and deviations in keys that are used anyway.

use std::fmt;

use super::algorithm::Algorithm;
use super::ed25519;
use super::limits::{MAX_ID_BYTES, RSA_BITS, RSA_EXPONENT_BITS};
use crate::text::quoted;

/// Why a key can't be used. It never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyError {
    /// It is not a JSON object.
    NotAnObject(&'static str),
    /// A member that can't be read.
    Member(&'static str, MemberError),
    /// A `kid` of more than [`MAX_ID_BYTES`].
    LongId,
    /// A member that only private keys have.
    Private(&'static str),
    /// A shared secret, where keys are published.
    Shared,
    /// `kty`
    UnknownType(String),
    /// `crv`
    UnknownCurve(String),
    /// `alg`
    UnknownAlgorithm(String),
    /// `alg` doesn't fit the kind of key.
    OtherAlgorithm(Algorithm),
    /// `use` is `enc`.
    ForEncryption,
    /// `use` is neither `sig` nor `enc`.
    OtherUse(String),
    /// `key_ops` without `verify`.
    NotForVerifying,
    /// `key_ops` is not an array of strings.
    Operations,
    /// An RSA modulus with too few or too many bits.
    ModulusBits(usize),
    /// An RSA modulus that is even.
    EvenModulus,
    /// An RSA exponent that is even, too small or too large.
    Exponent,
    /// The coordinates aren't a point on the curve.
    NotAPoint(&'static str),
    /// An unsafe Ed25519 key.
    Ed25519(ed25519::Unsafe),
    /// A secret shorter than the hash, with its length in bytes.
    ShortSecret(usize),
    /// The cryptographic library rejects it.
    Invalid,
    /// A PEM block that can't be read.
    Pem(PemError),
}

/// Why a member of a JWK can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberError {
    /// It is missing.
    Missing,
    /// It is not a JSON string.
    NotAString(&'static str),
    /// It is not base64url.
    NotBase64Url,
    /// It is empty.
    Empty,
    /// It is zero, but must be positive.
    Zero,
    /// Its length doesn't fit the curve.
    Length {
        /// Its bytes.
        has: usize,
        /// The number of bytes it should have.
        wanted: usize,
    },
}

/// Why a PEM block can't be read as a public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PemError {
    /// The file is not UTF-8.
    NotText,
    /// `-----BEGIN ` without a label.
    NoLabel,
    /// A private key.
    Private,
    /// A label other than `PUBLIC KEY`.
    Label(String),
    /// The end is missing.
    NoEnd,
    /// Its content is not base64.
    NotBase64,
    /// Its content is not a key of a supported kind.
    UnknownKey,
}

/// A number in a key isn't encoded as RFC 7518 requires. The key is used anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oddity {
    /// The member begins with a zero byte.
    LeadingZero(&'static str),
    /// The coordinate has more or fewer leading zeros than its curve requires.
    Length {
        /// The member.
        member: &'static str,
        /// Its bytes.
        has: usize,
        /// The number of bytes it should have.
        wanted: usize,
    },
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyError::NotAnObject(kind) => write!(f, "{kind} where a key should be"),
            KeyError::Member(name, error) => match error {
                MemberError::Missing => write!(f, "no `{name}`"),
                MemberError::NotAString(kind) => write!(f, "`{name}` is {kind}, not a string"),
                MemberError::NotBase64Url => write!(f, "`{name}` is not base64url"),
                MemberError::Empty => write!(f, "`{name}` is empty"),
                MemberError::Zero => write!(f, "`{name}` is zero"),
                MemberError::Length { has, wanted } => {
                    write!(f, "`{name}` has {has} bytes, not {wanted}")
                }
            },
            KeyError::LongId => write!(f, "`kid` of more than {MAX_ID_BYTES} bytes"),
            KeyError::Private(member) => write!(
                f,
                "private key material (`{member}`); only the public part belongs here"
            ),
            KeyError::Shared => f.write_str("a shared secret (`oct`) where a public key belongs"),
            KeyError::UnknownType(kty) => write!(f, "unknown `kty` {}", quoted(kty)),
            KeyError::UnknownCurve(crv) => write!(f, "`crv` {} is not supported", quoted(crv)),
            KeyError::UnknownAlgorithm(alg) => write!(f, "`alg` {} is not supported", quoted(alg)),
            KeyError::OtherAlgorithm(algorithm) => {
                write!(f, "`alg` `{algorithm}` is not for this kind of key")
            }
            KeyError::ForEncryption => f.write_str("the key is for encryption (`use` is `enc`)"),
            KeyError::OtherUse(other) => write!(f, "`use` is {}, not `sig`", quoted(other)),
            KeyError::NotForVerifying => f.write_str("`key_ops` lacks `verify`"),
            KeyError::Operations => f.write_str("`key_ops` is not an array of strings"),
            KeyError::ModulusBits(size) => write!(
                f,
                "an RSA modulus of {size} bits; {} to {} are accepted",
                RSA_BITS.start(),
                RSA_BITS.end()
            ),
            KeyError::EvenModulus => f.write_str("an even RSA modulus"),
            KeyError::Exponent => write!(
                f,
                "an RSA exponent that is not odd, at least 3 and at most {RSA_EXPONENT_BITS} bits"
            ),
            KeyError::NotAPoint(curve) => write!(f, "not a point of {curve}"),
            KeyError::Ed25519(error) => write!(f, "{error}"),
            KeyError::ShortSecret(length) => write!(
                f,
                "a secret of {length} bytes, shorter than the hash (RFC 7518, section 3.2)"
            ),
            KeyError::Invalid => f.write_str("not a valid key"),
            KeyError::Pem(error) => write!(f, "{error}"),
        }
    }
}

impl fmt::Display for PemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PemError::NotText => f.write_str("not text"),
            PemError::NoLabel => f.write_str("a line that is not a label"),
            PemError::Private => {
                f.write_str("private key material; only the public part belongs here")
            }
            PemError::Label(label) => write!(f, "{}, not `PUBLIC KEY`", quoted(label)),
            PemError::NoEnd => f.write_str("no `-----END PUBLIC KEY-----`"),
            PemError::NotBase64 => f.write_str("not base64"),
            PemError::UnknownKey => {
                f.write_str("not an RSA, P-256, P-384, P-521 or Ed25519 public key")
            }
        }
    }
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Oddity::LeadingZero(member) => write!(
                f,
                "`{member}` begins with a zero byte, which RFC 7518, section 2 forbids; the key \
                is used without it"
            ),
            Oddity::Length {
                member,
                has,
                wanted,
            } => write!(
                f,
                "`{member}` has {has} bytes, and RFC 7518, section 6.2.1.2 asks for {wanted}, \
                including leading zeros; the key is used as if it had them"
            ),
        }
    }
}

impl std::error::Error for KeyError {}
