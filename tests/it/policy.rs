//! From texts to a policy in one call.

use portcullis::check::Files;
use portcullis::policy::{from_text, from_texts};

const ISSUER: &str = r#"issuer acme { url "https://login.example.com/"  keys file "acme.pem" }"#;

const API: &str = r#"
api shop {
    host      "shop.example.com"
    issuer    acme
    audience  "https://shop.example.com"
    GET /**  authenticated
}
guard * /admin/** of shop denied
"#;

#[test]
fn texts_are_one_policy() {
    let mut files = Files::new();
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key");
    files.insert("acme.pem", Ok(key.public_key_pem().into_bytes()));
    let policy = from_texts([("issuer.gate", ISSUER), ("shop.gate", API)], &files);
    assert_eq!(policy.expect("a policy").apis().len(), 1);
}

/// An error in any step leaves no policy: in syntax, in meaning, or a missing file.
#[test]
fn an_error_leaves_no_policy() {
    let shop = |text: &str| {
        from_text("shop.gate", text)
            .expect_err("an error")
            .to_string()
    };
    for (text, told) in [
        (API.replace("denied", "denid"), "denid"),
        (API.to_owned(), "acme"),
        (format!("{ISSUER}{API}"), "acme.pem"),
    ] {
        let error = shop(&text);
        assert!(error.contains(told), "{error}");
        assert!(error.contains("shop.gate"), "{error}");
    }
}
