//! What a peer may send, and what it may not.

mod faults;

use http::Request;
use proptest::prelude::*;

use super::*;
use crate::daemon::listen::thin::http2::call::Reply;
use crate::daemon::listen::thin::http2::frame::{Frame, PREFACE, flag, kind, put};
use crate::daemon::listen::thin::http2::hpack::put as put_field;

const HOT: &str = "/a.Service/Hot";

const LIMITS: Limits = Limits {
    streams: 3,
    head: 1000,
    message: 100,
    head_time: Duration::from_secs(1),
    request_time: Duration::from_secs(2),
    ping: Duration::from_secs(3),
    pong: Duration::from_secs(4),
};

/// The other side.
#[derive(Default)]
struct Fake {
    seen: Vec<String>,
    /// Whether it answers at once.
    waits: bool,
    /// Whether there is no room.
    is_full: bool,
}

fn reply(text: &str) -> Reply {
    let mut bytes = b"\x88".to_vec();
    bytes.extend(message(text));
    Reply { bytes, message: 1 }
}

impl Calls for Fake {
    type Room = ();

    fn room(&mut self) -> Option<()> {
        (!self.is_full).then_some(())
    }

    fn overloaded(&mut self) -> Reply {
        reply("full")
    }

    fn call(&mut self, stream: u32, call: Call<'_>) -> Option<Reply> {
        let message = call.message.map(String::from_utf8_lossy);
        self.seen.push(format!("{stream} called: {message:?}"));
        (!self.waits).then(|| reply("yes"))
    }

    fn forward(&mut self, stream: u32, request: Request<Vec<u8>>) {
        let body = request.body().len();
        self.seen
            .push(format!("{stream} forwarded: {} {body}", request.uri()));
    }

    fn cancel(&mut self, stream: u32) {
        self.seen.push(format!("{stream} cancelled"));
    }
}

/// A connection and its other side.
struct World {
    machine: Machine<()>,
    fake: Fake,
    now: Instant,
}

impl World {
    /// A connection whose preface and settings are exchanged.
    fn new() -> World {
        let mut world = World::unheard();
        let begin = [PREFACE, &frame(kind::SETTINGS, 0, 0, &[])].concat();
        assert_eq!(world.receive(&begin), Ok(()));
        let _ = world.sent();
        world
    }

    fn unheard() -> World {
        World::with(LIMITS)
    }

    fn with(limits: Limits) -> World {
        let now = Instant::now();
        World {
            machine: Machine::new(HOT, limits, now),
            fake: Fake::default(),
            now,
        }
    }

    fn receive(&mut self, bytes: &[u8]) -> Result<(), Code> {
        let taken = self.machine.receive(bytes, self.now, &mut self.fake)?;
        assert_eq!(taken, bytes.len(), "whole frames");
        Ok(())
    }

    /// What was sent, a word for each frame.
    fn sent(&mut self) -> Vec<String> {
        let bytes = self.machine.out.unwritten().to_vec();
        self.machine.out.wrote(bytes.len());
        let mut rest = &bytes[..];
        let mut sent = Vec::new();
        while let Some((frame, more)) = Frame::split(rest).expect("a frame") {
            rest = more;
            let Frame {
                kind,
                flags,
                stream,
                payload,
            } = frame;
            let end = if flags & flag::END_STREAM == 0 {
                ""
            } else {
                " end"
            };
            let last = payload.last().copied().unwrap_or_default();
            sent.push(match kind {
                kind::DATA => format!("{stream} data {}{end}", payload.len()),
                kind::HEADERS => format!("{stream} headers{end}"),
                kind::CONTINUATION => format!("{stream} continuation"),
                kind::RST_STREAM => format!("{stream} reset {last}"),
                kind::SETTINGS => format!("settings{end}"),
                kind::PING => format!("ping{end}"),
                kind::GOAWAY => format!("go away {last}"),
                kind::WINDOW_UPDATE => format!("{stream} window"),
                other => panic!("a frame of the kind {other}"),
            });
        }
        sent
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, kind, flags, stream, payload);
    out
}

fn message(text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).expect("short").to_be_bytes();
    [&[0], &length[..], text.as_bytes()].concat()
}

/// The fields of a call.
fn fields(path: &str) -> Vec<(&str, &str)> {
    vec![(":method", "POST"), (":scheme", "http"), (":path", path)]
}

fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        put_field(&mut block, name.as_bytes(), value.as_bytes());
    }
    block
}

fn head(stream: u32, path: &str) -> Vec<u8> {
    frame(
        kind::HEADERS,
        flag::END_HEADERS,
        stream,
        &block(&fields(path)),
    )
}

fn call(stream: u32) -> Vec<u8> {
    let data = frame(kind::DATA, flag::END_STREAM, stream, &message("ask"));
    [head(stream, HOT), data].concat()
}

const ANSWER: [&str; 3] = ["headers", "data 8", "headers end"];

fn answer(stream: u32) -> Vec<String> {
    ANSWER.map(|part| format!("{stream} {part}")).to_vec()
}

#[test]
fn a_call_and_its_answer() {
    let mut world = World::unheard();
    assert_eq!(world.sent(), ["settings", "0 window"]);
    let begin = [PREFACE, &frame(kind::SETTINGS, 0, 0, &[]), &call(1)].concat();
    // However it is cut.
    let mut kept = Vec::new();
    for byte in begin {
        kept.push(byte);
        let taken = world.machine.receive(&kept, world.now, &mut world.fake);
        kept.drain(..taken.expect("no fault"));
    }
    assert_eq!(world.fake.seen, ["1 called: Ok(\"ask\")"]);
    assert_eq!(
        world.sent(),
        [&["settings end".to_owned()], &answer(1)[..]].concat()
    );
    assert_eq!(world.machine.streams(), 0);
}

#[test]
fn messages_that_can_not_be_read_are_answered_all_the_same() {
    let data = |flags, payload: &[u8]| frame(kind::DATA, flags, 1, payload);
    let end = flag::END_STREAM;
    let long = [&[0, 0, 0, 0, 101][..], &[b'a'; 101]].concat();
    let two = [message("a"), message("b")].concat();
    let compressed = [1, 0, 0, 0, 1, b'a'];
    for (what, more, seen) in [
        ("no message", data(end, &[]), "Framing"),
        ("half a prefix", data(end, &[0, 0]), "Framing"),
        (
            "half a message",
            data(end, &[0, 0, 0, 0, 9, b'a']),
            "Framing",
        ),
        ("two messages", data(end, &two), "Framing"),
        ("two messages, not at once", data(0, &two), "Framing"),
        ("compressed", data(end, &compressed), "Head"),
        ("too large", data(end, &long), "TooLarge"),
        ("too large, not at once", data(0, &long[..50]), "TooLarge"),
    ] {
        let mut world = World::new();
        assert_eq!(
            world.receive(&[head(1, HOT), more].concat()),
            Ok(()),
            "{what}"
        );
        assert_eq!(
            world.fake.seen,
            [format!("1 called: Err({seen})")],
            "{what}"
        );
        assert_eq!(world.sent()[..3], answer(1), "{what}");
        assert_eq!(world.machine.streams(), 0, "{what}");
        assert!(!world.machine.is_arriving(), "{what}");
    }
    for (name, value) in [(":method", "GET"), ("grpc-encoding", "gzip")] {
        let mut all = fields(HOT);
        all.retain(|(other, _)| *other != name);
        all.insert(
            usize::from(!name.starts_with(':')) * all.len(),
            (name, value),
        );
        let mut world = World::new();
        let head = frame(kind::HEADERS, flag::END_HEADERS, 1, &block(&all));
        let data = data(end, &message("ask"));
        assert_eq!(world.receive(&[head, data].concat()), Ok(()));
        assert_eq!(world.fake.seen, ["1 called: Err(Head)"], "{name}");
    }
    // A head that is too large, though not as a block.
    let mut all = fields(HOT);
    all.extend([("a", "b"); 40]);
    let mut world = World::new();
    let head = frame(kind::HEADERS, flag::END_HEADERS | end, 1, &block(&all));
    assert_eq!(world.receive(&head), Ok(()));
    assert_eq!(world.fake.seen, ["1 called: Err(Head)"]);
}

#[test]
fn a_message_in_pieces_with_padding_and_trailers() {
    let mut world = World::new();
    let all = message("a message");
    let mut bytes = head(1, HOT);
    for byte in &all {
        bytes.extend(frame(kind::DATA, flag::PADDED, 1, &[2, *byte, 0, 0]));
    }
    bytes.extend(frame(
        kind::HEADERS,
        flag::END_HEADERS | flag::END_STREAM,
        1,
        &block(&[("grpc-status", "0")]),
    ));
    assert_eq!(world.receive(&bytes), Ok(()));
    assert_eq!(world.fake.seen, ["1 called: Ok(\"a message\")"]);
    // The window is given back for the padding alone.
    let sent = world.sent();
    let (windows, rest) = sent.split_at(all.len());
    assert!(windows.iter().all(|frame| frame == "1 window"), "{sent:?}");
    assert_eq!(rest, answer(1));
}

/// As tonic's clients do it.
#[test]
fn any_number_of_calls_may_end_with_empty_data() {
    let mut world = World::new();
    for at in 0..3_000 {
        let id = 2 * at + 1;
        let data = frame(kind::DATA, 0, id, &message("ask"));
        let end = frame(kind::DATA, flag::END_STREAM, id, &[]);
        assert_eq!(world.receive(&[head(id, HOT), data, end].concat()), Ok(()));
        assert!(world.sent().ends_with(&answer(id)));
    }
}

#[test]
fn streams_beyond_the_limit_are_refused() {
    let mut world = World::new();
    world.fake.waits = true;
    let all: Vec<u8> = [1, 3, 5, 7].into_iter().flat_map(call).collect();
    assert_eq!(world.receive(&all), Ok(()));
    assert_eq!(world.sent(), ["7 reset 7"]);
    world.machine.answer(3, &reply("yes"));
    assert_eq!(world.sent(), answer(3));
    assert_eq!(world.receive(&call(9)), Ok(()));
    assert_eq!(
        world.fake.seen.last().map(String::as_str),
        Some("9 called: Ok(\"ask\")")
    );
}

#[test]
fn other_requests_are_few() {
    let mut world = World::with(Limits {
        streams: 100,
        ..LIMITS
    });
    let begin = [PREFACE, &frame(kind::SETTINGS, 0, 0, &[])].concat();
    assert_eq!(world.receive(&begin), Ok(()));
    let _ = world.sent();
    let all: Vec<u8> = (0..65).flat_map(|at| head(2 * at + 1, "/b")).collect();
    assert_eq!(world.receive(&all), Ok(()));
    assert_eq!(world.sent(), ["129 reset 7"]);
    // One that ends makes room.
    let reset = frame(kind::RST_STREAM, 0, 1, &[0; 4]);
    let more = [reset, head(131, "/b"), call(133)].concat();
    assert_eq!(world.receive(&more), Ok(()));
    assert_eq!(world.sent(), answer(133));
}

#[test]
fn a_call_without_room_is_answered_before_it_has_arrived() {
    let mut world = World::new();
    world.fake.is_full = true;
    assert_eq!(world.receive(&head(1, HOT)), Ok(()));
    // And the peer is told to stop.
    let expected = ["1 headers", "1 data 9", "1 headers end", "1 reset 0"];
    assert_eq!(world.sent(), expected);
    assert_eq!(
        world.receive(&frame(kind::DATA, flag::END_STREAM, 1, b"ask")),
        Ok(())
    );
    assert_eq!(world.fake.seen, [""; 0]);
}

#[test]
fn a_window_is_not_for_what_nobody_reads() {
    let mut world = World::new();
    world.fake.waits = true;
    let full = frame(kind::DATA, 0, 1, &[0, 0, 0, 9, 9].repeat(3000));
    assert_eq!(
        world.receive(&[head(1, HOT), full.repeat(5)].concat()),
        Ok(())
    );
    assert_eq!(world.fake.seen, ["1 called: Err(TooLarge)", "1 cancelled"]);
    assert_eq!(world.sent(), ["1 reset 3"]);
}

#[test]
fn an_answer_waits_for_windows() {
    let window = |stream, by: u32| frame(kind::WINDOW_UPDATE, 0, stream, &by.to_be_bytes());
    let initial = |value: u32| {
        let payload = [&4_u16.to_be_bytes()[..], &value.to_be_bytes()].concat();
        frame(kind::SETTINGS, 0, 0, &payload)
    };
    let mut world = World::new();
    assert_eq!(world.receive(&[initial(3), call(1)].concat()), Ok(()));
    assert_eq!(world.sent(), ["settings end", "1 headers", "1 data 3"]);
    assert_eq!(world.receive(&window(1, 1)), Ok(()));
    assert_eq!(world.sent(), ["1 data 1"]);
    assert_eq!(world.receive(&initial(5)), Ok(()));
    assert_eq!(world.sent(), ["settings end", "1 data 2"]);
    // A window may become negative.
    assert_eq!(world.receive(&[initial(1), window(1, 4)].concat()), Ok(()));
    assert_eq!(world.sent(), ["settings end"]);
    assert_eq!(world.receive(&window(1, 10)), Ok(()));
    assert_eq!(world.sent(), ["1 data 2", "1 headers end"]);
    // The connection's window, which all streams share.
    world.machine.out.window = 10;
    let more = [initial(100), call(3), call(5), call(7)].concat();
    assert_eq!(world.receive(&more), Ok(()));
    assert_eq!(
        world.sent(),
        [
            "settings end",
            "3 headers",
            "3 data 8",
            "3 headers end",
            "5 headers",
            "5 data 2",
            "7 headers"
        ]
    );
    let reset = frame(kind::RST_STREAM, 0, 5, &[0; 4]);
    assert_eq!(world.receive(&[reset, window(0, 100)].concat()), Ok(()));
    assert_eq!(world.sent(), ["7 data 8", "7 headers end"]);
}

#[test]
fn what_is_late_is_answered() {
    let mut world = World::new();
    assert_eq!(
        world.receive(&[head(1, HOT), head(3, "/b")].concat()),
        Ok(())
    );
    assert!(world.machine.is_arriving());
    let due = world.now + LIMITS.request_time;
    assert_eq!(
        world.machine.overdue(world.now, &mut world.fake),
        Ok(Some(due))
    );
    assert_eq!(world.machine.overdue(due, &mut world.fake), Ok(None));
    assert_eq!(world.fake.seen, ["1 called: Err(TooLate)", "3 cancelled"]);
    let mut sent = world.sent();
    sent.sort();
    assert_eq!(
        sent,
        [
            "1 data 8",
            "1 headers",
            "1 headers end",
            "1 reset 0",
            "3 reset 8"
        ]
    );
    // A block without an end has a time as well.
    let open = frame(kind::HEADERS, 0, 5, &block(&fields(HOT)));
    assert_eq!(world.receive(&open), Ok(()));
    let late = world
        .machine
        .overdue(world.now + LIMITS.head_time, &mut world.fake);
    assert_eq!(late, Err(Code::EnhanceYourCalm));
}

#[test]
fn the_end_comes_when_the_peer_has_heard_of_it() {
    let mut world = World::new();
    world.fake.waits = true;
    assert_eq!(world.receive(&call(1)), Ok(()));
    world.machine.drain();
    assert_eq!(world.sent(), ["go away 0", "ping"]);
    // On its way when the peer heard of it.
    assert_eq!(world.receive(&call(3)), Ok(()));
    let pong = frame(kind::PING, flag::ACK, 0, &LAST_PING);
    assert_eq!(world.receive(&[pong, call(5)].concat()), Ok(()));
    assert_eq!(world.sent(), ["go away 0"]);
    assert_eq!(world.fake.seen.len(), 2);
    for id in [1, 3] {
        assert!(!world.machine.is_done());
        world.machine.answer(id, &reply("yes"));
        assert_eq!(world.sent(), answer(id));
    }
    assert!(world.machine.is_done());
}

#[test]
fn a_reset_gives_up_the_work() {
    let mut world = World::new();
    world.fake.waits = true;
    let reset = frame(kind::RST_STREAM, 0, 1, &[0; 4]);
    assert_eq!(world.receive(&[call(1), reset].concat()), Ok(()));
    assert_eq!(world.fake.seen, ["1 called: Ok(\"ask\")", "1 cancelled"]);
    world.machine.answer(1, &reply("yes"));
    assert_eq!(world.sent(), [""; 0]);
}

/// Frames that make sense now and then.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let flags = prop_oneof![4 => prop::sample::select(vec![0_u8, 1, 4, 5]), 1 => any::<u8>()];
    let payload = prop_oneof![
        2 => Just(block(&fields(HOT))),
        1 => Just(block(&fields("/b"))),
        2 => Just(message("ask")),
        1 => Just(vec![0; 4]),
        1 => Just(vec![0, 0, 0, 9]),
        1 => Just(vec![0; 8]),
        1 => Just(vec![0, 4, 0, 0, 0, 2]),
        2 => prop::collection::vec(any::<u8>(), 0..20),
    ];
    let one = (0_u8..11, flags, 0_u32..9, payload)
        .prop_map(|(kind, flags, stream, payload)| frame(kind, flags, stream, &payload));
    let usual = (0_u32..5).prop_map(|at| call(2 * at + 1));
    prop::collection::vec(prop_oneof![3 => one, 2 => usual], 0..20).prop_map(|all| all.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    /// Any frames: no panic, the counts fit, and there is an answer only where there was a call.
    #[test]
    fn any_frames(bytes in frames(), waits: bool) {
        let mut world = World::new();
        world.fake.waits = waits;
        let _ = world.machine.receive(&bytes, world.now, &mut world.fake);
        let arriving = world.machine.streams.values();
        let arriving = arriving.filter(|stream| !stream.incoming.is_ended()).count();
        prop_assert_eq!(world.machine.arriving, arriving);
        prop_assert!(world.machine.streams.len() <= LIMITS.streams as usize);
        let seen = world.fake.seen.clone();
        for sent in world.sent() {
            if let Some((stream, "headers")) = sent.split_once(' ') {
                let asked = format!("{stream} called");
                prop_assert!(seen.iter().any(|seen| seen.starts_with(&asked)), "{}", sent);
            }
        }
    }
}
