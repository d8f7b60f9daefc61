//! The strict JSON reader, and how foreign text is shown.

use portcullis::json::{Json, MAX_BYTES, MAX_DEPTH};
use portcullis::text;
use proptest::prelude::*;
use serde_json::Value;

/// Whether serde_json's own reader has the same value.
fn same(json: &Json<'_>, value: &Value) -> bool {
    match (json, value) {
        (Json::Null, Value::Null) => true,
        (Json::Bool(json), Value::Bool(value)) => json == value,
        (Json::Number(json), Value::Number(value)) => value.as_f64() == Some(json.nearest()),
        (Json::String(json), Value::String(value)) => json == value,
        (Json::Array(json), Value::Array(value)) => {
            json.len() == value.len() && json.iter().zip(value).all(|(a, b)| same(a, b))
        }
        (Json::Object(json), Value::Object(value)) => {
            json.len() == value.len()
                && json
                    .iter()
                    .all(|(name, member)| value.get(&**name).is_some_and(|v| same(member, v)))
        }
        _ => false,
    }
}

#[test]
fn what_is_json_is_read() {
    for text in [
        "null",
        " \t\r\n true ",
        "-0",
        "0.5",
        "12E+3",
        "1e-7",
        "[]",
        "[ ]",
        "{ }",
        r#"[1,[2,{"a":[]}],"x"]"#,
        r#"{"a":1,"b":{"a":1},"":null}"#,
        r#""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é😀""#,
        "\"\u{7f}\u{85}\"",
        r#""\u0000""#,
    ] {
        let read = Json::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"));
        let value: Value = serde_json::from_str(text).expect("serde_json agrees");
        assert!(same(&read, &value), "{text}");
        assert_eq!(read.clone().into_owned(), read, "{text}");
        let written = read.to_string();
        assert_eq!(Json::parse(written.as_bytes()), Ok(read), "{written}");
    }
}

#[test]
fn what_is_not_json_is_refused() {
    for bytes in [
        &b""[..],
        &b"  "[..],
        &b"{"[..],
        &b"[1"[..],
        &b"[1,"[..],
        &b"\"a"[..],
        &b"\"\\"[..],
        &b"\"\\u12"[..],
        &b"tru"[..],
        &b"True"[..],
        &b"nul!"[..],
        &b"[1,]"[..],
        &b"[,1]"[..],
        &b"[1 2]"[..],
        &b"{\"a\":1,}"[..],
        &b"{a:1}"[..],
        &b"{'a':1}"[..],
        &b"{\"a\" 1}"[..],
        &b"{\"a\":}"[..],
        &b"{\"a\":1 \"b\":2}"[..],
        &b"// x\n1"[..],
        &b"NaN"[..],
        &b"[Infinity]"[..],
        &b"\xef\xbb\xbf{}"[..],
        &b"\xc2\xa0{}"[..],
        &b"\0"[..],
        &b"`"[..],
        &b"{}{}"[..],
        &b"{}\0"[..],
        &b"1 1"[..],
        &b"01"[..],
        &b"-"[..],
        &b"-01"[..],
        &b"[1.]"[..],
        &b"1e"[..],
        &b"1e+"[..],
        &b".5"[..],
        &b"+1"[..],
        &b"0x10"[..],
        &b"\"\t\""[..],
        &b"\"a\n\""[..],
        &b"\"\\x41\""[..],
        &b"\"\\'\""[..],
        &b"\"\\u+123\""[..],
        &b"\"\\ud800\""[..],
        &b"\"\\ud800\\u0041\""[..],
        &b"\"\\ud800\\n\""[..],
        &b"\"x\\udc00\""[..],
        &b"\"\xff\""[..],
        &b"\"\xc0\xaf\""[..],
        &b"\"\xed\xa0\x80\""[..],
    ] {
        assert!(
            Json::parse(bytes).is_err(),
            "{}",
            String::from_utf8_lossy(bytes)
        );
    }
}

#[test]
fn what_is_refused_says_why_and_where() {
    for (bytes, message) in [
        (
            &b"{\"a\":"[..],
            "EOF while parsing a value at line 1 column 5",
        ),
        (b"{\"a\":1}\n{}", "trailing characters at line 2 column 1"),
        (
            b"{\"a\":1,\"a\":1}",
            "the member `a` occurs twice at line 1 column 10",
        ),
        // A name written with and without escapes is the same name.
        (
            b"{\"a\":1,\"\\u0061\":1}",
            "the member `a` occurs twice at line 1 column 15",
        ),
    ] {
        let error = Json::parse(bytes).expect_err("refused");
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn a_member_twice_is_found_among_many() {
    let members = |twice: usize| -> String {
        let names: Vec<String> = (0..100)
            .chain([twice])
            .map(|name| format!("\"{name}\":0"))
            .collect();
        format!("{{{}}}", names.join(","))
    };
    assert!(Json::parse(members(100).as_bytes()).is_ok());
    for twice in [0, 7, 8, 50, 99] {
        let error = Json::parse(members(twice).as_bytes()).expect_err("a duplicate");
        let said = format!("the member `{twice}` occurs twice");
        assert!(error.to_string().starts_with(&said), "{error}");
    }
}

#[test]
fn size_and_depth_are_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(Json::parse(nested(MAX_DEPTH).as_bytes()).is_ok());
    for depth in [MAX_DEPTH + 1, 100_000] {
        let error = Json::parse(nested(depth).as_bytes()).expect_err("too deep");
        assert!(error.to_string().starts_with("nested deeper than 32"));
    }
    assert!(Json::parse("{\"a\":".repeat(100_000).as_bytes()).is_err());
    let padded = format!("1{}", " ".repeat(MAX_BYTES));
    assert_eq!(
        Json::parse(padded.as_bytes())
            .expect_err("too large")
            .to_string(),
        "more than 4194304 bytes"
    );
    assert!(Json::parse(padded.trim_end().as_bytes()).is_ok());
}

#[test]
fn a_number_that_a_double_cannot_tell_from_its_neighbour_has_no_value() {
    for (text, exact) in [
        ("0", Some(0.0)),
        ("-1.5", Some(-1.5)),
        ("9007199254740991", Some(9_007_199_254_740_991.0)),
        ("-9007199254740991", Some(-9_007_199_254_740_991.0)),
        ("9007199254740992", None),
        ("9007199254740993", None),
        ("-9007199254740992", None),
        ("9007199254740993.0", None),
        ("1e16", None),
        ("1e-99999999999999999999", Some(0.0)),
    ] {
        let number = Json::parse(text.as_bytes()).expect("a number");
        assert_eq!(number.as_f64(), exact, "{text}");
    }
    // Numbers that no double can hold are refused.
    for text in ["1e400", "-1e400", "1e99999999999999999999"] {
        assert!(Json::parse(text.as_bytes()).is_err(), "{text}");
    }
    assert!(Json::parse("9".repeat(100_000).as_bytes()).is_err());
}

#[test]
fn members_are_found_from_the_outside_in() {
    let json = Json::parse(br#"{"a":{"b.c":[true]},"s":"x"}"#).expect("JSON");
    assert_eq!(json.at(&["a", "b.c"]).map(Json::kind), Some("an array"));
    assert_eq!(json.at(&["a", "b", "c"]), None);
    assert_eq!(json.at(&["s", "x"]), None);
    assert_eq!(json.at::<&str>(&[]), Some(&json));
    assert_eq!(json.get("s").and_then(Json::as_str), Some("x"));
}

#[test]
fn foreign_text_is_cleaned_and_shortened() {
    for (text, cleaned) in [
        ("plain text, [all] of it!", "plain text, [all] of it!"),
        ("say \"no\"", "say 'no'"),
        ("a\\b\r\nSet-Cookie: x\u{7f}\0", "a?b??Set-Cookie: x??"),
        ("é😀", "??"),
    ] {
        assert_eq!(text::clean(text), cleaned);
    }
    assert_eq!(text::quoted("a`b\"c"), "`a\\u{60}b\"c`");
    assert_eq!(text::quoted(""), "``");
    let exact = "x".repeat(text::MAX_QUOTED);
    assert_eq!(text::quoted(&exact), format!("`{exact}`"));
    assert_eq!(text::quoted(&format!("{exact}y")), format!("`{exact}...`"));
}

proptest! {
    /// Whatever this reader accepts, the other one accepts too, with the same value.
    #[test]
    fn no_input_panics_and_what_is_read_is_json(bytes in prop::collection::vec(
        prop_oneof![
            4 => prop::sample::select(&b"{}[]\",:\\u0019.-+eEtrufalsn dD8"[..]),
            1 => any::<u8>(),
        ],
        0..40,
    )) {
        if let Ok(read) = Json::parse(&bytes) {
            let value = serde_json::from_slice::<Value>(&bytes);
            prop_assert!(value.is_ok_and(|value| same(&read, &value)));
        }
    }

    /// A claim equals the policy's literal of the same digits, up to fifteen of them.
    #[test]
    fn a_number_is_the_double_that_its_digits_say(
        text in "-?(0|[1-9][0-9]{0,7})\\.[0-9]{1,7}",
    ) {
        let read = Json::parse(text.as_bytes()).expect("a number");
        let Json::Number(number) = read else {
            panic!("{text} is a number");
        };
        prop_assert_eq!(number.nearest(), text.parse::<f64>().expect("a number"));
    }

    /// Errors use only characters that a challenge may contain.
    #[test]
    fn errors_can_be_shown(text in "[\\[{\"\\\\u\u{1}\u{e9}a:,0]{0,12}") {
        if let Err(error) = Json::parse(text.as_bytes()) {
            let error = error.to_string();
            prop_assert!(!error.contains(text::is_unshowable), "{}", error);
        }
    }

    #[test]
    fn cleaned_text_fits_a_challenge(text in any::<String>()) {
        let quoted = text::quoted(&text);
        prop_assert!(!quoted.contains(text::is_unshowable), "{}", quoted);
        prop_assert_eq!(quoted.matches('`').count(), 2);
        let challenge = text::clean(&quoted);
        prop_assert!(challenge.bytes().all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)));
    }
}
