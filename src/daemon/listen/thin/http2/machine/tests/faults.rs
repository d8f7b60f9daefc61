//! What ends a connection, and what ends a stream.

use super::*;
use crate::daemon::listen::thin::http2::frame::MAX_PAYLOAD;

/// Each ends the connection with this code (RFC 9113, section 5.4.1).
#[test]
fn faults_of_the_connection() {
    let settings = |name: u16, value: u32| {
        let payload = [&name.to_be_bytes()[..], &value.to_be_bytes()].concat();
        frame(kind::SETTINGS, 0, 0, &payload)
    };
    let window = |stream, by: u32| frame(kind::WINDOW_UPDATE, 0, stream, &by.to_be_bytes());
    let open = |stream| frame(kind::HEADERS, 0, stream, &block(&fields(HOT)));
    let more = |stream| frame(kind::CONTINUATION, 0, stream, &[]);
    let many = |count: usize, one: Vec<u8>| one.repeat(count);
    let mut too_large = vec![0xff; MAX_PAYLOAD + 1 + 9];
    too_large[..9].copy_from_slice(&[0, 0x40, 1, kind::DATA, 0, 0, 0, 0, 1]);
    let calm = Code::EnhanceYourCalm;
    let cases: Vec<(&str, Vec<u8>, Code)> = vec![
        ("a frame that is too large", too_large, Code::FrameSize),
        (
            "data of no stream",
            frame(kind::DATA, 0, 0, b"a"),
            Code::Protocol,
        ),
        (
            "data of an idle stream",
            frame(kind::DATA, 0, 1, b"a"),
            Code::Protocol,
        ),
        (
            "data of a server's stream",
            frame(kind::DATA, 0, 2, b"a"),
            Code::Protocol,
        ),
        ("headers of no stream", head(0, HOT), Code::Protocol),
        ("headers of a server's stream", head(2, HOT), Code::Protocol),
        (
            "a stream below the last",
            [call(3), call(1)].concat(),
            Code::StreamClosed,
        ),
        (
            "a stream again",
            [call(1), call(1)].concat(),
            Code::StreamClosed,
        ),
        (
            "data behind the end",
            [call(1), frame(kind::DATA, 0, 1, b"a")].concat(),
            Code::StreamClosed,
        ),
        (
            "padding without a length",
            frame(kind::DATA, flag::PADDED, 1, &[]),
            Code::FrameSize,
        ),
        (
            "padding longer than the frame",
            frame(kind::DATA, flag::PADDED, 1, &[9, 0]),
            Code::Protocol,
        ),
        (
            "headers too short for a priority",
            frame(
                kind::HEADERS,
                flag::END_HEADERS | flag::PRIORITY,
                1,
                &[0; 4],
            ),
            Code::FrameSize,
        ),
        (
            "a block that isn't valid HPACK",
            frame(kind::HEADERS, flag::END_HEADERS, 1, &[0x80]),
            Code::Compression,
        ),
        (
            "a frame within a block",
            [open(1), call(3)].concat(),
            Code::Protocol,
        ),
        (
            "settings within a block",
            [open(1), settings(1, 1)].concat(),
            Code::Protocol,
        ),
        (
            "another stream's block goes on",
            [open(1), more(3)].concat(),
            Code::Protocol,
        ),
        (
            "a block goes on that did not begin",
            more(1),
            Code::Protocol,
        ),
        (
            "a block without an end",
            [open(1), many(65, more(1))].concat(),
            calm,
        ),
        (
            "a block that is too large",
            [open(1), frame(kind::CONTINUATION, 0, 1, &[0; MAX_PAYLOAD])].concat(),
            calm,
        ),
        (
            "settings of a stream",
            frame(kind::SETTINGS, 0, 1, &[]),
            Code::Protocol,
        ),
        (
            "half a setting",
            frame(kind::SETTINGS, 0, 0, &[0; 5]),
            Code::FrameSize,
        ),
        (
            "an acknowledgement with settings",
            frame(kind::SETTINGS, 1, 0, &[0; 6]),
            Code::FrameSize,
        ),
        (
            "push that is neither on nor off",
            settings(2, 2),
            Code::Protocol,
        ),
        (
            "a window that is too large",
            settings(4, 1 << 31),
            Code::FlowControl,
        ),
        (
            "frames that are too small",
            settings(5, 16_383),
            Code::Protocol,
        ),
        (
            "frames that are too large",
            settings(5, 1 << 24),
            Code::Protocol,
        ),
        (
            "a ping of a stream",
            frame(kind::PING, 0, 1, &[0; 8]),
            Code::Protocol,
        ),
        (
            "half a ping",
            frame(kind::PING, 0, 0, &[0; 4]),
            Code::FrameSize,
        ),
        (
            "a push",
            frame(kind::PUSH_PROMISE, 0, 1, &[0; 4]),
            Code::Protocol,
        ),
        (
            "an end of a stream",
            frame(kind::GOAWAY, 0, 1, &[0; 8]),
            Code::Protocol,
        ),
        (
            "half an end",
            frame(kind::GOAWAY, 0, 0, &[0; 7]),
            Code::FrameSize,
        ),
        ("a window of nothing", window(0, 0), Code::Protocol),
        (
            "half a window",
            frame(kind::WINDOW_UPDATE, 0, 0, &[1]),
            Code::FrameSize,
        ),
        (
            "a window beyond the largest",
            window(0, u32::MAX >> 1),
            Code::FlowControl,
        ),
        ("a window of an idle stream", window(1, 1), Code::Protocol),
        (
            "a reset of an idle stream",
            frame(kind::RST_STREAM, 0, 1, &[0; 4]),
            Code::Protocol,
        ),
        (
            "half a reset",
            frame(kind::RST_STREAM, 0, 1, &[0; 3]),
            Code::FrameSize,
        ),
        (
            "half a priority",
            frame(kind::PRIORITY, 0, 1, &[0; 4]),
            Code::FrameSize,
        ),
        (
            "a priority of no stream",
            frame(kind::PRIORITY, 0, 0, &[0; 5]),
            Code::Protocol,
        ),
        (
            "all windows larger than the largest",
            [
                head(1, HOT),
                window(1, (u32::MAX >> 1) - 65_535),
                settings(4, 65_536),
            ]
            .concat(),
            Code::FlowControl,
        ),
        ("many settings", many(101, settings(1, 1)), calm),
        (
            "many pings",
            many(1_001, frame(kind::PING, 0, 0, &[0; 8])),
            calm,
        ),
        (
            "much data without data",
            [head(1, HOT), many(1_001, frame(kind::DATA, 0, 1, &[]))].concat(),
            calm,
        ),
        ("many windows", many(100_001, window(0, 1)), calm),
        (
            "many frames of an unknown kind",
            many(100_001, frame(99, 0, 0, &[])),
            calm,
        ),
        (
            "many resets",
            (0..2_001)
                .flat_map(|at| {
                    let id = 2 * at + 1;
                    [head(id, HOT), frame(kind::RST_STREAM, 0, id, &[0; 4])].concat()
                })
                .collect(),
            calm,
        ),
        (
            "many requests that have to be reset",
            (0..2_001)
                .flat_map(|at| head(2 * at + 1, "no path"))
                .collect(),
            calm,
        ),
    ];
    for (what, bytes, code) in cases {
        let mut world = World::new();
        assert_eq!(world.receive(&bytes), Err(code), "{what}");
        world.machine.fail(code);
        let sent = world.sent();
        assert_eq!(
            sent.last(),
            Some(&format!("go away {}", code as u32)),
            "{what}"
        );
    }
}

#[test]
fn a_connection_begins_with_the_preface_and_settings() {
    let settings = frame(kind::SETTINGS, 0, 0, &[]);
    let ack = frame(kind::SETTINGS, flag::ACK, 0, &[]);
    let ping = frame(kind::PING, 0, 0, &[0; 8]);
    for bytes in [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\rx".to_vec(),
        settings,
        [PREFACE, &ack].concat(),
        [PREFACE, &ping].concat(),
        [PREFACE, &call(1)].concat(),
    ] {
        let mut world = World::unheard();
        assert_eq!(world.receive(&bytes), Err(Code::Protocol), "{bytes:02x?}");
    }
}

/// Each resets the stream with this code, and the connection goes on (RFC 9113, section 5.4.2).
#[test]
fn faults_of_a_stream() {
    let with = |more: &[(&str, &str)]| {
        let all = [&fields(HOT)[..], more].concat();
        frame(kind::HEADERS, flag::END_HEADERS, 1, &block(&all))
    };
    let only = |all: &[(&str, &str)]| frame(kind::HEADERS, flag::END_HEADERS, 1, &block(all));
    let data = |flags, payload: &[u8]| frame(kind::DATA, flags, 1, payload);
    let end = flag::END_STREAM;
    let large = vec![("a", "b"); 40];
    let trailers = |flags, all: &[(&str, &str)]| {
        [
            head(1, HOT),
            frame(kind::HEADERS, flag::END_HEADERS | flags, 1, &block(all)),
        ]
        .concat()
    };
    let protocol = Code::Protocol;
    for (what, bytes, code) in [
        ("no method", only(&fields(HOT)[1..]), protocol),
        ("no path", only(&fields(HOT)[..2]), protocol),
        (
            "no scheme",
            only(&[(":method", "POST"), (":path", HOT)]),
            protocol,
        ),
        ("two paths", with(&[(":path", HOT)]), protocol),
        (
            "a pseudo-header behind a header",
            with(&[("a", "b"), (":authority", "c")]),
            protocol,
        ),
        (
            "an unknown pseudo-header",
            with(&[(":protocol", "websocket")]),
            protocol,
        ),
        (
            "the pseudo-header of an answer",
            with(&[(":status", "200")]),
            protocol,
        ),
        ("a path that is none", only(&fields("*")), protocol),
        ("a name in upper case", with(&[("Accept", "a")]), protocol),
        ("a name with a blank", with(&[("a b", "a")]), protocol),
        ("no name", with(&[("", "a")]), protocol),
        (
            "a value with a line end",
            with(&[("a", "b\r\nc: d")]),
            protocol,
        ),
        ("a value with a zero", with(&[("a", "b\0")]), protocol),
        (
            "a value with a blank around it",
            with(&[("a", " b")]),
            protocol,
        ),
        (
            "a header of the connection",
            with(&[("connection", "close")]),
            protocol,
        ),
        (
            "transfer-encoding",
            with(&[("transfer-encoding", "chunked")]),
            protocol,
        ),
        ("another te", with(&[("te", "gzip")]), protocol),
        (
            "a length that is none",
            with(&[("content-length", "+8")]),
            protocol,
        ),
        (
            "two lengths",
            with(&[("content-length", "8"), ("content-length", "9")]),
            protocol,
        ),
        (
            "another length than the body's",
            [with(&[("content-length", "9")]), data(end, &message("ask"))].concat(),
            protocol,
        ),
        (
            "trailers that end nothing",
            trailers(0, &[("a", "b")]),
            protocol,
        ),
        (
            "a pseudo-header in trailers",
            trailers(end, &[(":path", "/")]),
            protocol,
        ),
        (
            "a head of another call that is too large",
            only(&[&fields("/b")[..], &large].concat()),
            Code::EnhanceYourCalm,
        ),
        (
            "a body of another call that is too large",
            [head(1, "/b"), data(0, &[0; 4097])].concat(),
            Code::EnhanceYourCalm,
        ),
        (
            "the same at its end",
            [head(1, "/b"), data(end, &[0; 4097])].concat(),
            Code::EnhanceYourCalm,
        ),
        (
            "a window of nothing",
            [head(1, HOT), frame(kind::WINDOW_UPDATE, 0, 1, &[0; 4])].concat(),
            protocol,
        ),
        (
            "a window beyond the largest",
            [
                head(1, HOT),
                frame(kind::WINDOW_UPDATE, 0, 1, &[0x7f, 0xff, 0xff, 0xff]),
            ]
            .concat(),
            Code::FlowControl,
        ),
    ] {
        let mut world = World::new();
        assert_eq!(world.receive(&bytes), Ok(()), "{what}");
        assert_eq!(world.sent(), [format!("1 reset {}", code as u32)], "{what}");
        assert!(
            world.fake.seen.iter().all(|seen| seen == "1 cancelled"),
            "{what}"
        );
        // What was on its way means nothing, and the connection goes on.
        let late = [data(0, b"a"), call(3)].concat();
        let late = if bytes.ends_with(&message("ask"))
            || what.contains("at its end")
            || what.contains("in trailers")
        {
            call(3)
        } else {
            late
        };
        assert_eq!(world.receive(&late), Ok(()), "{what}");
        assert_eq!(world.sent(), answer(3), "{what}");
        assert!(!world.machine.is_arriving(), "{what}");
    }
}
