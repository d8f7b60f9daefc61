//! Published key vectors, from the folder beside the repository.

use portcullis::keys::{Provenance, parse};
use serde_json::{Value, json};

use crate::support::conformance;

/// RFC 7638, section 3.1; RFC 8037, appendix A.3; RFC 9449, figure 9; RFC 7517, appendix A.
#[test]
fn thumbprints_are_those_of_the_rfcs() {
    let Some(rows) = conformance::json("rfc-vectors/thumbprints.json") else {
        return;
    };
    let sets = conformance::json("rfc-vectors/rfc7517_keysets.json").expect("beside the other");
    let mut expected: Vec<(Value, Value)> = rows
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| (row["jwk"].clone(), row["sha256"].clone()))
        .collect();
    let public = &sets["rfc7517_A1_public_keys"];
    for at in 0..2 {
        expected.push((
            public["keys"][at].clone(),
            public["thumbprints"][at].clone(),
        ));
    }
    for (mut jwk, thumbprint) in expected {
        jwk.as_object_mut().expect("a key").remove("use");
        let set = parse(
            json!({"keys": [jwk]}).to_string().as_bytes(),
            Provenance::Published,
        )
        .expect("a key set");
        assert_eq!(json!(set.keys()[0].thumbprint().to_string()), thumbprint);
    }
}

/// RFC 7517, appendix A.2: portcullis uses no key of a set with private keys.
#[test]
fn private_keys_are_refused() {
    let Some(sets) = conformance::json("rfc-vectors/rfc7517_keysets.json") else {
        return;
    };
    let error = parse(
        sets["rfc7517_A2_private_keys"].to_string().as_bytes(),
        Provenance::File,
    )
    .expect_err("no usable key")
    .to_string();
    assert!(error.contains("private key material"), "{error}");
}
