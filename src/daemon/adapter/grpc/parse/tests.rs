//! prost, with the types in `messages.rs`, and the reader here see the same in any bytes.

use proptest::prelude::*;
use prost::Message as _;

use super::super::messages::CheckRequest;
use super::*;

/// The same answer from both, and the message if there is one.
fn both(bytes: &[u8]) -> bool {
    let general = CheckRequest::decode(bytes);
    let thin = check_request(bytes);
    match (&general, &thin) {
        (Ok(general), Ok(thin)) => assert_eq!(&Seen::from(general), thin, "{bytes:02x?}"),
        (Err(_), Err(NotProtobuf)) => {}
        (general, thin) => panic!("{bytes:02x?}:\n{general:?}\n{thin:?}"),
    }
    thin.is_ok()
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn field(number: u32, wire: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, u64::from(number << 3 | wire));
    if wire == 2 {
        put_varint(&mut out, payload.len() as u64);
    }
    out.extend_from_slice(payload);
    out
}

/// The content of a field: text, a number, or a message of fields near those of a CheckRequest.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        4 => prop::sample::select(vec!["GET", "/a", "host", ":path", "x-a", "x-a", "\u{e9}", ""])
            .prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ];
    leaf.prop_recursive(7, 60, 8, |inner| {
        let number = prop_oneof![8 => 1_u32..7, 2 => Just(13_u32), 1 => 0_u32..40];
        let wire = prop_oneof![12 => Just(2_u32), 1 => 0_u32..8];
        prop::collection::vec((number, wire, inner), 0..8).prop_map(|fields| {
            let fields = fields.iter();
            fields
                .flat_map(|(number, wire, payload)| field(*number, *wire, payload))
                .collect()
        })
    })
}

/// A message whose structure is right, with what may vary in it.
fn check() -> impl Strategy<Value = Vec<u8>> {
    let text = || {
        prop::sample::select(vec!["GET", "/a", ":path", "x-a", "x-b", "\u{e9}", ""])
            .prop_map(|text| text.as_bytes().to_vec())
    };
    let entry = || {
        prop::collection::vec((1_u32..5, text()), 0..4).prop_map(|fields| {
            let fields = fields.iter();
            fields
                .flat_map(|(number, text)| field(*number, 2, text))
                .collect::<Vec<u8>>()
        })
    };
    let http = prop_oneof![
        6 => (prop::sample::select(vec![2_u32, 4, 5, 6, 7]), text())
            .prop_map(|(number, text)| field(number, 2, &text)),
        6 => entry().prop_map(|entry| field(3, 2, &entry)),
        3 => prop::collection::vec(entry(), 0..4).prop_map(|entries| {
            let entries = entries.iter();
            let map: Vec<u8> = entries.flat_map(|entry| field(1, 2, entry)).collect();
            field(13, 2, &map)
        }),
        1 => Just(field(10, 0, &[5])),
        1 => Just(field(1, 2, b"9876543210")),
    ];
    let attributes = prop_oneof![
        4 => prop::collection::vec(http, 0..8).prop_map(|fields| {
            field(4, 2, &field(2, 2, &fields.concat()))
        }),
        1 => text().prop_map(|text| field(1, 2, &field(5, 2, &text))),
        1 => text().prop_map(|text| field(1, 2, &field(1, 2, &field(1, 2, &field(2, 2, &text))))),
    ];
    prop::collection::vec(prop::collection::vec(attributes, 0..4), 1..3).prop_map(|parts| {
        let parts = parts.iter();
        parts.flat_map(|part| field(1, 2, &part.concat())).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn fields_in_any_order_and_number(bytes in check()) {
        prop_assert!(both(&bytes));
    }

    #[test]
    fn fields_of_any_kind(bytes in message()) {
        both(&bytes);
    }

    #[test]
    fn a_message_with_a_fault(bytes in check(), at in any::<prop::sample::Index>(), byte: u8) {
        let mut bytes = bytes;
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            both(&bytes);
            bytes.truncate(at);
            both(&bytes);
        }
    }
}

#[test]
fn edges() {
    let nested = |depth: usize| {
        let mut bytes = vec![0x7b; depth];
        bytes.extend(vec![0x7c; depth]);
        bytes
    };
    for (bytes, is_fine) in [
        (vec![], true),
        // Groups within the limit and beyond it.
        (nested(99), true),
        (nested(100), true),
        (nested(101), false),
        // A group that ends as another.
        (vec![0x7b, 0x74], false),
        (vec![0x7b], false),
        (vec![0x7c], false),
        // The largest number, and one more.
        (
            b"\x78\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01".to_vec(),
            true,
        ),
        (
            b"\x78\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02".to_vec(),
            false,
        ),
        // A key of more than 32 bits, and one without a number.
        (b"\xf8\xff\xff\xff\x7f\x00".to_vec(), false),
        (vec![0x00, 0x00], false),
        // An entry of the map as a number.
        (field(1, 2, &field(4, 2, &field(2, 2, b"\x18\x03"))), false),
        // Text that isn't UTF-8, used and unused.
        (
            field(1, 2, &field(4, 2, &field(2, 2, &field(4, 2, b"\xff")))),
            false,
        ),
        (
            field(
                1,
                2,
                &field(
                    4,
                    2,
                    &field(2, 2, &field(13, 2, &field(1, 2, &field(2, 2, b"\xff")))),
                ),
            ),
            false,
        ),
        (
            field(1, 2, &field(4, 2, &field(2, 2, &field(1, 2, b"\xff")))),
            true,
        ),
    ] {
        assert_eq!(both(&bytes), is_fine, "{bytes:02x?}");
    }
}
