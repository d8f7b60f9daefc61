//! The examples of RFC 7541, and another implementation's blocks.

use http::Request;
use proptest::prelude::*;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::super::frame::{Frame, PREFACE, flag, kind};
use super::*;

#[derive(Default)]
struct Collected(Vec<(String, String)>);

impl Fields for Collected {
    fn field(&mut self, field: &Field<'_>) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.0.push((text(field.text), text(field.value)));
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits
        .chunks(2)
        .map(|pair| u8::try_from(pair[0] << 4 | pair[1]).expect("a byte"))
        .collect()
}

fn read(decoder: &mut Decoder, hex: &str) -> Result<String, Fault> {
    let mut fields = Collected::default();
    decoder.read(&bytes(hex), &mut fields)?;
    let lines = fields.0.iter();
    Ok(lines
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect())
}

/// RFC 7541, appendix C.1.
#[test]
fn integers() {
    for (hex, prefix, value) in [("0a", 5, 10), ("1f9a0a", 5, 1337), ("2a", 8, 42)] {
        let bytes = bytes(hex);
        let mut rest = &bytes[..];
        assert_eq!(integer(&mut rest, prefix), Ok(value), "{hex}");
        assert!(rest.is_empty());
    }
    for hex in ["", "1f", "1f80", "1f8080808080", "1fffffffff7f"] {
        assert_eq!(integer(&mut &bytes(hex)[..], 5), Err(Fault), "{hex}");
    }
}

/// RFC 7541, appendix C.2: each kind of field.
#[test]
fn single_fields() {
    for (hex, line) in [
        (
            "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
            "custom-key: custom-header\n",
        ),
        (
            "040c 2f73 616d 706c 652f 7061 7468",
            ":path: /sample/path\n",
        ),
        (
            "1008 7061 7373 776f 7264 0673 6563 7265 74",
            "password: secret\n",
        ),
        ("82", ":method: GET\n"),
    ] {
        assert_eq!(read(&mut Decoder::new(), hex).as_deref(), Ok(line));
    }
}

const REQUESTS: [&str; 3] = [
    ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\n",
    ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\ncache-control: no-cache\n",
    ":method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\ncustom-key: custom-value\n",
];

/// RFC 7541, appendices C.3 (as they are) and C.4 (Huffman-coded).
#[test]
fn three_requests_on_one_connection() {
    let plain = [
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ];
    let coded = [
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ];
    for blocks in [plain, coded] {
        let mut decoder = Decoder::new();
        for (block, request) in blocks.iter().zip(REQUESTS) {
            assert_eq!(read(&mut decoder, block).as_deref(), Ok(request), "{block}");
        }
    }
}

/// RFC 7541, appendix C.6, whose table has 256 bytes: entries are evicted.
#[test]
fn three_responses_with_a_small_table() {
    let blocks = [
        // With the change of the size that the appendix takes for granted.
        "3fe1 0148 8264 0258 85ae c377 1a4b 6196 d07a be94 1054 d444 a820 0595 040b 8166 e082 a62d 1bff 6e91 9d29 ad17 1863 c78f 0b97 c8e9 ae82 ae43 d3",
        "4883 640e ffc1 c0bf",
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
    ];
    let date = "date: Mon, 21 Oct 2013 20:13:21 GMT\n";
    let location = "location: https://www.example.com\n";
    let responses = [
        format!(":status: 302\ncache-control: private\n{date}{location}"),
        format!(":status: 307\ncache-control: private\n{date}{location}"),
        format!(
            ":status: 200\ncache-control: private\n{}{location}content-encoding: gzip\nset-cookie: \
             foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1\n",
            date.replace(":21 ", ":22 ")
        ),
    ];
    let mut decoder = Decoder::new();
    for (block, response) in blocks.iter().zip(responses) {
        assert_eq!(read(&mut decoder, block), Ok(response), "{block}");
    }
}

#[test]
fn what_no_encoder_writes_is_refused() {
    for (what, hex) in [
        ("index 0", "80"),
        ("an index behind the tables", "be"),
        ("a name behind the tables", "7e00"),
        ("a string without its end", "0005 6162"),
        ("a literal without its value", "0001 61"),
        ("a table that is too large", "3fe2 1f"),
        ("a size after a field", "8220"),
        ("padding of a whole byte", "0082 1fff 00"),
        ("padding that is not the end-of-string code", "0081 1800"),
        ("the end-of-string code", "0084 ffff ffff 00"),
        ("an integer without an end", "ffff ffff ffff ffff"),
    ] {
        assert_eq!(read(&mut Decoder::new(), hex), Err(Fault), "{what}");
    }
}

/// What one connection's table holds, however often it is replaced.
#[test]
fn the_table_stays_small() {
    let mut decoder = Decoder::new();
    for at in 0..2000_u32 {
        let mut block = vec![0x40];
        put_string(&mut block, format!("name-{at}").as_bytes());
        put_string(&mut block, &[b'v'; 200]);
        decoder
            .read(&block, &mut Collected::default())
            .expect("a block");
    }
    let kept = (62..).take_while(|index| decoder.table.field(*index).is_some());
    assert_eq!(kept.count(), 4096 / (9 + 200 + 32));
    // One that is larger than the table empties it.
    let mut block = vec![0x40];
    put_string(&mut block, b"large");
    put_string(&mut block, &[b'v'; 5000]);
    decoder
        .read(&block, &mut Collected::default())
        .expect("a block");
    assert!(decoder.table.field(62).is_none());
}

/// Names and values that h2 sends: its own types refuse others.
fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop_oneof![
        Just("x-request-id".to_owned()),
        Just("user-agent".to_owned()),
        Just("traceparent".to_owned()),
        "x-[a-z0-9_-]{1,30}",
    ];
    // Characters with codes of every length, and values longer than the table.
    let value = prop_oneof![
        4 => "[ -~]{0,60}".prop_map(|text| text.trim().to_owned()),
        1 => "[0-9a-f-]{36}",
        1 => "[\u{80}-\u{2fff}]{0,20}",
        1 => "[a-z]{4000,5000}",
    ];
    prop::collection::vec((name, value), 0..12)
}

/// The header blocks that h2 sends on one connection for these requests.
async fn blocks_of_h2(requests: &[Vec<(String, String)>]) -> Vec<Vec<u8>> {
    let (ours, theirs) = tokio::io::duplex(1 << 22);
    let (mut send, connection) = h2::client::handshake(ours).await.expect("a connection");
    // A request that nobody waits for is reset.
    let mut answers = Vec::new();
    for headers in requests {
        let mut request = Request::post("http://host.example/path");
        for (name, value) in headers {
            request = request.header(name, value.as_bytes());
        }
        let request = request.body(()).expect("a request");
        answers.push(send.send_request(request, true).expect("sent"));
    }
    tokio::select! {
        ended = connection => panic!("{ended:?}"),
        blocks = read_blocks(theirs, requests.len()) => blocks,
    }
}

/// Reads so many header blocks.
async fn read_blocks(mut from: impl AsyncRead + Unpin, count: usize) -> Vec<Vec<u8>> {
    let mut preface = [0; PREFACE.len()];
    from.read_exact(&mut preface).await.expect("a preface");
    let (mut bytes, mut blocks, mut block) = (Vec::new(), Vec::new(), Vec::new());
    while blocks.len() < count {
        let mut rest = &bytes[..];
        while let Some((frame, more)) = Frame::split(rest).expect("a frame") {
            rest = more;
            if matches!(frame.kind, kind::HEADERS | kind::CONTINUATION) {
                block.extend_from_slice(frame.payload);
                if frame.has(flag::END_HEADERS) {
                    blocks.push(std::mem::take(&mut block));
                }
            }
        }
        bytes = rest.to_vec();
        if blocks.len() < count {
            assert!(from.read_buf(&mut bytes).await.expect("bytes") > 0);
        }
    }
    blocks
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// What h2 encodes, with its table and its Huffman code, is read as it was meant.
    #[test]
    fn blocks_of_another_implementation(requests in prop::collection::vec(headers(), 1..6)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let blocks = runtime.expect("a runtime").block_on(blocks_of_h2(&requests));
        let mut decoder = Decoder::new();
        for (block, headers) in blocks.iter().zip(&requests) {
            let mut fields = Collected::default();
            decoder.read(block, &mut fields).expect("a block");
            let mut seen: Vec<_> = fields.0;
            seen.retain(|(name, _)| !name.starts_with(':'));
            // h2 keeps the values of a name together.
            let mut sent = headers.clone();
            sent.sort_by(|(one, _), (other, _)| one.cmp(other));
            seen.sort_by(|(one, _), (other, _)| one.cmp(other));
            prop_assert_eq!(seen, sent);
        }
    }

    /// No block is anything but read or refused.
    #[test]
    fn any_bytes(blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..4)) {
        let mut decoder = Decoder::new();
        for block in blocks {
            let _ = decoder.read(&block, &mut Collected::default());
        }
    }

    /// What is written here is read as it was meant.
    #[test]
    fn blocks_of_our_own(headers in headers()) {
        let mut block = vec![NO_TABLE];
        for (name, value) in &headers {
            put(&mut block, name.as_bytes(), value.as_bytes());
        }
        let mut fields = Collected::default();
        Decoder::new().read(&block, &mut fields).expect("a block");
        prop_assert_eq!(fields.0, headers);
    }
}
