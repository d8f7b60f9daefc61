//! Digests that stand for tokens in the memories of this process.
//!
//! A digest is a key of a map and nothing else. It is made with keys that exist only as long as the
//! process, and it never leaves the process, so a client learns of it at most whether a token was
//! found, and how long that took.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;

use super::SHARDS;
use crate::runtime::random::{self, NoRandom};

/// The bytes of a digest.
const BYTES: usize = 32;

/// The bytes of each of the two tags that make a digest (NIST SP 800-38D, section 5.2.1.2).
const TAG_BYTES: usize = BYTES / 2;

/// The digest that stands for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub(super) [u8; BYTES]);

impl Digest {
    /// The shard it belongs to.
    pub fn shard<'s, T>(&self, shards: &'s [T; SHARDS]) -> &'s T {
        let [first, ..] = self.0;
        let [any, ..] = shards;
        shards.get(usize::from(first) % SHARDS).unwrap_or(any)
    }
}

/// Makes the digests of JWTs: by two GMACs under independent keys (NIST SP 800-38D), which takes
/// about half the time of HMAC-SHA-256 for a token of usual size, and a quarter on processors without
/// instructions for SHA.
///
/// ```text
/// inner  = GMAC(first key, nonce 0, token)
/// outer  = GMAC(second key, nonce = the first 96 bits of inner, token)
/// digest = outer ‖ inner
/// ```
///
/// A GMAC is a polynomial in a secret point of GF(2^128), whose coefficients are the token's blocks
/// and its length, plus a pad that depends on the nonce. This is why it is safe here, although GCM
/// forbids to use a nonce twice:
///
/// - **Nobody finds two tokens with one digest.** The tags of two different tokens of at most n
///   blocks are equal under one key for at most n + 1 of the 2^128 points, whether or not the pads
///   are. Two keys have independent points. The longest token has 4,096 blocks, so the digests of
///   any two tokens are equal with a probability below 2^-230, and those of 2^60 tokens all differ
///   but for 2^-110. That the attacker chooses the tokens doesn't help, since the bound holds for
///   every pair. A token that is the beginning of another, or differs only in its length, is
///   another polynomial like any other.
/// - **Nothing is learned about the points.** Two tags under one nonce would give the point away
///   (Joux, 2006), but no tag ever leaves the process. What may show itself in times and evictions
///   are the shard of a digest and the beginning of a comparison, so the part that comes first is
///   `outer`: its pad is AES of a nonce that is different for each token (but for a probability of
///   2^-84 for each pair of tokens), and so it looks random, like the result of a keyed random
///   function. The maps hash digests once more, each with a key of its own.
/// - **A hit never depends on less than all 256 bits**: maps compare the whole digest.
///
/// Unlike HMAC, a GMAC can be solved for a short text by who has both tags and the keys, as in an
/// image of the memory. A JWT's signature has more bits than a digest, unless it is made with a
/// shared secret, which then is in the same memory. Opaque tokens can be shorter: their digests come
/// from [`OneWayDigester`].
///
/// On processors without instructions for AES and carry-less multiplication, aws-lc computes GMAC in
/// constant time too, but several times as slowly as HMAC-SHA-256. All servers have had them since
/// 2013.
pub struct Digester {
    inner: LessSafeKey,
    outer: LessSafeKey,
}

impl Digester {
    /// With new keys.
    pub fn new() -> Result<Digester, NoRandom> {
        let key = || {
            let secret: [u8; 32] = random::bytes()?;
            // A key of this length is never refused.
            let key = UnboundKey::new(&AES_256_GCM, &secret).map_err(|_| NoRandom)?;
            Ok(LessSafeKey::new(key))
        };
        Ok(Digester {
            inner: key()?,
            outer: key()?,
        })
    }

    /// The digest of a token; `None` only for a text of 2^61 bytes.
    pub fn digest(&self, token: &str) -> Option<Digest> {
        let inner = gmac(&self.inner, [0; NONCE_LEN], token)?;
        let outer = gmac(&self.outer, *inner.first_chunk()?, token)?;
        let mut digest = [0; BYTES];
        let (first, second) = digest.split_first_chunk_mut::<TAG_BYTES>()?;
        *first = outer;
        *second.first_chunk_mut()? = inner;
        Some(Digest(digest))
    }
}

/// The tag of an encryption of nothing, with the text as the additional data.
fn gmac(key: &LessSafeKey, nonce: [u8; NONCE_LEN], text: &str) -> Option<[u8; TAG_BYTES]> {
    let nonce = Nonce::assume_unique_for_key(nonce);
    let tag = key.seal_in_place_separate_tag(nonce, Aad::from(text), &mut []);
    tag.ok()?.as_ref().try_into().ok()
}

/// Makes digests that nobody can turn back into a token, even with the key: by HMAC-SHA-256.
pub struct OneWayDigester(hmac::Key);

impl OneWayDigester {
    /// With a new key.
    pub fn new() -> Result<OneWayDigester, NoRandom> {
        let secret: [u8; 32] = random::bytes()?;
        Ok(OneWayDigester(hmac::Key::new(hmac::HMAC_SHA256, &secret)))
    }

    /// The digest of a token.
    pub fn digest(&self, token: &str) -> Digest {
        let tag = hmac::sign(&self.0, token.as_bytes());
        let mut digest = [0; BYTES];
        for (byte, signed) in digest.iter_mut().zip(tag.as_ref()) {
            *byte = *signed;
        }
        Digest(digest)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a test says so and stops")]

    use std::collections::HashSet;

    use super::*;

    /// As long as a token of RS256 with a few claims, and no multiple of a block.
    const LENGTH: usize = 805;

    fn token() -> String {
        (b'a'..=b'z').cycle().take(LENGTH).map(char::from).collect()
    }

    fn digester() -> Digester {
        Digester::new().expect("random numbers")
    }

    /// Each text that differs from the token in one byte, ends before it, or goes on after it, also
    /// by the zeros that fill a block.
    fn others() -> Vec<String> {
        let token = token();
        let mut others: Vec<String> = (0..LENGTH)
            .flat_map(|at| {
                let (begin, end) = (&token[..at], &token[at + 1..]);
                [begin.to_owned(), format!("{begin}_{end}")]
            })
            .collect();
        others.extend((1..40).map(|more| format!("{token}{}", "\0".repeat(more))));
        others.push(format!("{token}a"));
        others.push(format!("{token}{token}"));
        // Two blocks, exchanged.
        others.push([&token[16..32], &token[..16], &token[32..]].concat());
        others
    }

    #[test]
    fn a_token_has_one_digest_and_no_other_text_has_it() {
        let digester = digester();
        let known = digester.digest(&token()).expect("a digest");
        let others = others();
        let digests: HashSet<Digest> = others
            .iter()
            .map(|other| digester.digest(other).expect("a digest"))
            .collect();
        assert_eq!(digests.len(), others.len(), "and no two others share one");
        assert!(!digests.contains(&known));
        assert_eq!(digester.digest(&token()), Some(known));
    }

    #[test]
    fn each_half_tells_texts_apart_and_so_do_the_first_bytes() {
        let digester = digester();
        let digests: Vec<[u8; BYTES]> = others()
            .iter()
            .map(|other| digester.digest(other).expect("a digest").0)
            .collect();
        for (part, of) in [("outer", 0..16), ("inner", 16..32), ("the beginning", 0..8)] {
            let parts: HashSet<&[u8]> = digests.iter().map(|all| &all[of.clone()]).collect();
            assert_eq!(parts.len(), digests.len(), "{part}");
        }
    }

    #[test]
    fn another_process_has_other_digests() {
        let (one, other) = (digester(), digester());
        let (first, second) = (one.digest("token"), other.digest("token"));
        let (first, second) = (first.expect("a digest").0, second.expect("a digest").0);
        assert_ne!(first[..16], second[..16]);
        assert_ne!(first[16..], second[16..]);
        let one_way = |digester: OneWayDigester| digester.digest("token");
        assert_ne!(
            OneWayDigester::new().map(one_way),
            OneWayDigester::new().map(one_way)
        );
    }

    #[test]
    fn the_longest_token_has_a_digest_too() {
        let longest = "a".repeat(crate::token::MAX_TOKEN_BYTES);
        let digester = digester();
        let digest = digester.digest(&longest);
        assert!(digest.is_some());
        assert_ne!(digest, digester.digest(&longest[1..]));
    }

    /// The pad of `outer` changes with the token. With one nonce, what two tokens' tags differ by
    /// would depend only on what the tokens differ by: the polynomial is linear.
    #[test]
    fn the_beginning_of_a_digest_is_not_linear() {
        let digester = digester();
        let difference = |one: &str, other: &str| {
            let [one, other] = [one, other].map(|it| digester.digest(it).expect("a digest").0);
            std::array::from_fn::<u8, BYTES, _>(|at| one[at] ^ other[at])
        };
        // Both pairs differ by the same bits at the same place.
        let (first, second) = (difference("aaaa", "aaab"), difference("bbba", "bbbb"));
        assert_eq!(first[16..], second[16..], "the inner tags are linear");
        assert_ne!(first[..16], second[..16], "the outer ones are not");
    }
}
