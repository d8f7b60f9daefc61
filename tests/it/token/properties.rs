//! Properties of every token.

use std::sync::LazyLock;

use portcullis::text;
use portcullis::token::Jws;
use proptest::prelude::*;
use serde_json::json;

use super::world::{NOW, ORDERS, World, claims, said};
use crate::support::mint::{Signer, key_set};

/// One world for each type of key, each with a token that passes.
static SIGNED: LazyLock<Vec<(World, String)>> = LazyLock::new(|| {
    ["RS256", "PS256", "ES256", "ES384", "EdDSA", "HS256"]
        .into_iter()
        .map(|algorithm| {
            let signer = Signer::new(algorithm).kid("k1");
            let keys = key_set(&[&signer]);
            let mut policy = ORDERS.replace("ES256, RS256", algorithm);
            if algorithm == "HS256" {
                // HMAC keys come from files only; the file is read when the world is made.
                policy = ORDERS.replace(
                    "algorithms  ES256, RS256",
                    "algorithms  HS256\n    keys file \"keys.json\"",
                );
            }
            let world = World::with_files(&policy, signer, &keys);
            let token = world.signer.token(&claims(&json!({"exp": NOW + 60.0})));
            assert_eq!(said(&world.asked(&token)), "allowed", "{algorithm}");
            (world, token)
        })
        .collect()
});

/// Every bit: a token has about 400 bytes, and each bit is tried for every algorithm.
#[test]
fn a_flipped_bit_is_never_accepted() {
    for (world, token) in &*SIGNED {
        for at in 0..token.len() {
            for bit in 0..8 {
                let mut bytes = token.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let Ok(changed) = String::from_utf8(bytes) else {
                    continue;
                };
                assert!(
                    world.asked(&changed).is_err(),
                    "byte {at}, bit {bit}: {changed}"
                );
            }
        }
    }
}

#[test]
fn a_token_cut_or_doubled_anywhere_is_never_accepted() {
    for (world, token) in &*SIGNED {
        for at in 0..token.len() {
            let (front, back) = token.split_at(at);
            for changed in [
                front.to_owned(),
                back.to_owned(),
                format!("{front}{front}{back}"),
                format!("{front}={back}"),
                format!("{front}.{back}"),
                format!("{front}\u{0}{back}"),
            ] {
                if changed != *token {
                    assert!(world.asked(&changed).is_err(), "{changed}");
                }
            }
        }
    }
}

/// The parts of two good tokens don't form a third.
#[test]
fn parts_of_two_tokens_do_not_fit_together() {
    for (world, token) in &*SIGNED {
        let other = world.signer.token(&claims(&json!({"sub": "mallory"})));
        let (a, b): (Vec<&str>, Vec<&str>) =
            (token.split('.').collect(), other.split('.').collect());
        let mixed = format!("{}.{}.{}", a[0], b[1], a[2]);
        assert!(said(&world.asked(&mixed)).starts_with("token.bad_signature"));
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>(), which in 0..6_usize) {
        let (world, _) = &SIGNED[which];
        prop_assert!(world.asked(&text).is_err());
    }

    /// Text from the characters of tokens.
    #[test]
    fn no_token_like_text_panics(text in "(eyJ)?[A-Za-z0-9_.=-]{0,200}", which in 0..6_usize) {
        let (world, _) = &SIGNED[which];
        prop_assert!(world.asked(&text).is_err());
    }

    /// Well-signed nonsense reaches the code after the signature check, which must not panic.
    #[test]
    fn no_signed_bytes_panic(
        header in prop_oneof![
            Just(br#"{"alg":"ES256","kid":"k1"}"#.to_vec()),
            prop::collection::vec(any::<u8>(), 0..60),
        ],
        payload in prop_oneof![
            "\\{(\"(iss|sub|aud|exp|nbf|iat|jti|cnf|scope|azp|nonce)\":(1e9|null|\"x\"|\\[\"a\"\\]|\\{\\}|-1),?){0,6}\\}"
                .prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..60),
        ],
    ) {
        let (world, _) = &SIGNED[2];
        let token = world.signer.raw(&header, &payload);
        let _ = world.asked(&token);
        let _ = Jws::read(&token);
    }

    /// A hint fits in a challenge, whatever the token contains.
    #[test]
    fn hints_are_clean(iss in any::<String>(), aud in any::<String>(), kid in any::<String>()) {
        let (world, _) = &SIGNED[2];
        for members in [json!({"iss": iss}), json!({"aud": aud})] {
            let token = world.signer.token_with(&json!({"kid": kid}), &claims(&members));
            if let Err(fault) = world.asked(&token) {
                prop_assert!(!fault.hint.contains(text::is_unshowable), "{}", fault.hint);
                prop_assert!(fault.hint.chars().count() < 1200);
                let clean = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
                prop_assert!(text::clean(&fault.hint).bytes().all(clean), "{}", fault.hint);
            }
        }
    }
}
