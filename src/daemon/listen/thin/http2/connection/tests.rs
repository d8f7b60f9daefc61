//! A peer that is silent.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::watch as value;

use super::Connection;
use crate::daemon::listen::thin::http2::Hot;
use crate::daemon::listen::thin::http2::call::{Reply, Unreadable};
use crate::daemon::listen::thin::http2::frame::{PREFACE, flag, kind, put};
use crate::daemon::listen::thin::http2::head::Timeout;
use crate::daemon::listen::thin::http2::machine::Limits;
use crate::daemon::listen::wire::Watch;

/// Nobody calls.
struct Nobody;

impl Hot for Nobody {
    type Room = ();

    const PATH: &'static str = "/a.Service/Hot";

    fn room(&self) -> Option<()> {
        None
    }

    fn overloaded(&self) -> Reply {
        Reply {
            bytes: Vec::new(),
            message: 0,
        }
    }

    async fn call(self: Arc<Self>, _: Result<Vec<u8>, Unreadable>, _: Option<Timeout>) -> Reply {
        self.overloaded()
    }
}

/// The other side of a connection that pings early, and the connection.
async fn open(pong: Duration) -> (DuplexStream, tokio::task::JoinHandle<()>) {
    let limits = Limits {
        streams: 1,
        head: 1000,
        message: 1000,
        head_time: Duration::from_secs(60),
        request_time: Duration::from_secs(60),
        ping: Duration::from_millis(20),
        pong,
    };
    let (mut ours, theirs) = tokio::io::duplex(10_000);
    let (going_on, stop) = value::channel(false);
    let watch = Watch::new(true);
    let connection = Connection::new(theirs, Arc::new(Nobody), Router::new(), limits, watch, stop);
    let serving = tokio::spawn(async move {
        connection.await;
        drop(going_on);
    });
    let mut begin = PREFACE.to_vec();
    put(&mut begin, kind::SETTINGS, 0, 0, &[]);
    ours.write_all(&begin).await.expect("sent");
    (ours, serving)
}

/// The payload of the next ping; `None` at the end.
async fn ping(stream: &mut DuplexStream) -> Option<Vec<u8>> {
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.ok()?;
        let mut payload = vec![0; usize::from(head[2])];
        stream.read_exact(&mut payload).await.ok()?;
        if head[3] == kind::PING {
            assert_eq!(head[4], 0, "a question");
            return Some(payload);
        }
    }
}

#[tokio::test]
async fn a_silent_peer_is_asked_and_lost_if_it_does_not_answer() {
    let (mut ours, serving) = open(Duration::from_millis(20)).await;
    assert!(ping(&mut ours).await.is_some());
    assert_eq!(ping(&mut ours).await, None);
    serving.await.expect("an end");
}

#[tokio::test]
async fn a_silent_peer_that_answers_stays() {
    // The next ping comes when this is over.
    let (mut ours, serving) = open(Duration::from_secs(2)).await;
    for _ in 0..2 {
        let payload = ping(&mut ours).await.expect("a ping");
        let mut pong = Vec::new();
        put(&mut pong, kind::PING, flag::ACK, 0, &payload);
        ours.write_all(&pong).await.expect("sent");
    }
    assert!(!serving.is_finished());
    drop(ours);
    serving.await.expect("an end");
}
