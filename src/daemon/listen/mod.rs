//! One accept loop for every listener: TCP or Unix socket, with or without TLS, HTTP/1 or HTTP/2.
//!
//! Everything that a peer can make grow has a limit, and shutdown lets requests in flight finish.

mod bind;
#[doc(hidden)]
pub mod fuzzed;
mod idle;
pub mod thin;
mod tls;
mod wire;

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

pub use bind::{Socket, Stream};
pub use tls::TlsError;
pub use wire::RequestLine;

use crate::daemon::workers::Workers;
use crate::runtime::config::{Address, Limits, Listener, ListenerId, Protocol};
use crate::runtime::notices::{Notice, Notices};
use idle::Connections;
use thin::{Left, Opened, Serve};
use wire::{Watch, Wire};

/// How many requests one HTTP/2 connection may have in progress; Envoy opens more connections.
const STREAMS: u32 = 1024;

/// How often an HTTP/2 peer is pinged.
const PING: Duration = Duration::from_secs(30);

/// How long it may take to answer a ping.
const PONG: Duration = Duration::from_secs(20);

/// The pause after an error that isn't the peer's (such as too many open files), so that the loop
/// doesn't burn a core.
const REST: Duration = Duration::from_millis(50);

impl Protocol {
    fn alpn(self) -> &'static [u8] {
        match self {
            Protocol::Http1 => b"http/1.1",
            Protocol::Http2 => b"h2",
        }
    }
}

/// What answers the requests of a listener.
pub struct Service {
    /// Answers them, over an HTTP library.
    pub router: Router,
    /// The server of the daemon's own that comes before it, if there is one.
    pub thin: Option<Box<dyn Serve>>,
}

impl Service {
    /// A router alone.
    pub fn general(router: Router) -> Service {
        Service { router, thin: None }
    }
}

/// An open listener that doesn't accept connections yet.
pub struct Bound {
    /// Which listener it is.
    pub id: ListenerId,
    socket: Socket,
    tls: Option<TlsAcceptor>,
}

impl Bound {
    /// Opens a listener.
    pub async fn open(id: ListenerId, listener: &Listener) -> Result<Bound, OpenError> {
        let error = |fault: OpenFault| OpenError {
            listener: id,
            fault,
        };
        let tls = listener
            .tls
            .as_ref()
            .map(|tls| tls::acceptor(tls, id.kind().protocol))
            .transpose()
            .map_err(|fault| error(OpenFault::Tls(fault)))?;
        let socket = Socket::bind(&listener.address)
            .await
            .map_err(|fault| error(OpenFault::Socket(listener.address.clone(), fault)))?;
        Ok(Bound { id, socket, tls })
    }

    /// Its address, with the port that the system chose.
    pub fn address(&self) -> String {
        self.socket.to_string()
    }

    /// Accepts connections until `stop` changes, then lets the open ones finish within the drain
    /// time. They are served on the workers' threads, or, without workers, in the current runtime.
    pub async fn run(
        self,
        service: Service,
        limits: Limits,
        notices: Arc<Notices>,
        workers: Option<Arc<Workers>>,
        mut stop: watch::Receiver<bool>,
    ) {
        let graceful = GracefulShutdown::new();
        let connections = Connections::new(limits.connections);
        let (name, protocol) = (self.id.as_str(), self.id.kind().protocol);
        let server = Arc::new(Server {
            name,
            notices,
            builder: builder(protocol, &limits),
            tls: self.tls,
            service,
            protocol,
            stop: stop.clone(),
            connections: connections.clone(),
            arrive: limits.header_timeout.get(),
            idle: limits.idle_timeout.get(),
        });
        loop {
            let accepted = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                // The connection comes first: only a real one may replace another.
                accepted = async {
                    let stream = self.socket.accept().await;
                    match stream {
                        Ok(stream) => Ok((connections.room().await, stream)),
                        Err(fault) => Err(fault),
                    }
                } => accepted,
            };
            let (permit, stream) = match accepted {
                Ok((Some(permit), stream)) => (permit, stream),
                Ok((None, _)) => break,
                Err(fault) => {
                    tracing::warn!(listener = name, %fault, "can't accept a connection");
                    tokio::time::sleep(REST).await;
                    continue;
                }
            };
            let (server, watcher) = (server.clone(), graceful.watcher());
            let connection = async move {
                match stream.here() {
                    Ok(stream) => server.connection(stream, watcher).await,
                    Err(fault) => {
                        tracing::warn!(listener = name, %fault, "can't serve a connection");
                    }
                }
                drop(permit);
            };
            match &workers {
                Some(workers) => workers.serve(connection),
                None => drop(tokio::spawn(connection)),
            }
        }
        // From here on no new connection is accepted; a Unix socket's file goes with the socket.
        drop(self.socket);
        if tokio::time::timeout(limits.drain.get(), graceful.shutdown())
            .await
            .is_err()
        {
            tracing::warn!(
                listener = name,
                "connections were still busy after the drain time"
            );
        }
    }
}

/// An error opening a listener.
#[derive(Debug)]
pub struct OpenError {
    /// The listener.
    pub listener: ListenerId,
    /// The error.
    pub fault: OpenFault,
}

/// The error that keeps a listener from being opened.
#[derive(Debug)]
pub enum OpenFault {
    /// Its certificate, key or authorities can't be used.
    Tls(TlsError),
    /// Its address can't be bound.
    Socket(Address, io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "listeners.{}: ", self.listener.as_str())?;
        match &self.fault {
            OpenFault::Tls(fault) => write!(f, "{fault}"),
            OpenFault::Socket(address, fault) => {
                write!(f, "can't listen on `{address}`: {fault}")
            }
        }
    }
}

impl std::error::Error for OpenError {}

/// The state that the connections of one listener share.
struct Server {
    name: &'static str,
    notices: Arc<Notices>,
    builder: Builder<TokioExecutor>,
    tls: Option<TlsAcceptor>,
    service: Service,
    protocol: Protocol,
    stop: watch::Receiver<bool>,
    connections: Arc<Connections>,
    arrive: Duration,
    idle: Duration,
}

impl Server {
    async fn connection(&self, stream: Box<dyn Stream>, watcher: Watcher) {
        match &self.tls {
            None => self.serve(stream, watcher).await,
            Some(tls) => match tokio::time::timeout(self.arrive, tls.accept(stream)).await {
                Ok(Ok(stream)) => self.serve(Box::new(stream), watcher).await,
                Ok(Err(fault)) => {
                    self.notices.say(Notice::Tls {
                        listener: self.name,
                        fault: &fault.to_string(),
                    });
                }
                Err(_) => tracing::debug!("a TLS handshake took too long"),
            },
        }
    }

    async fn serve(&self, stream: Box<dyn Stream>, watcher: Watcher) {
        let watch = Watch::new(self.protocol == Protocol::Http2);
        let _registered = self.connections.register(watch.clone());
        tokio::select! {
            () = self.served(stream, watch.clone(), watcher) => {}
            () = watch.closed() => {
                tracing::debug!("an idle connection was closed: the listener is full");
            }
        }
        if watch.is_foreign() {
            self.notices.say(Notice::OtherProtocol {
                listener: self.name,
            });
        }
    }

    async fn served(&self, stream: Box<dyn Stream>, watch: Arc<Watch>, watcher: Watcher) {
        let left = match &self.service.thin {
            None => Some(Left {
                stream,
                first: Vec::new(),
            }),
            // The end of the listener waits for it, since the watcher lives.
            Some(thin) => {
                let opened = Opened {
                    stream,
                    watch: watch.clone(),
                    stop: self.stop.clone(),
                    arrive: self.arrive,
                    idle: self.idle,
                };
                thin.serve(opened).await
            }
        };
        if let Some(Left { stream, first }) = left {
            let wire = Wire::new(stream, first, watch.clone(), self.arrive, self.idle);
            self.general(wire, watch, watcher).await;
        }
    }

    async fn general(&self, wire: Wire<Box<dyn Stream>>, watch: Arc<Watch>, watcher: Watcher) {
        let router = self.service.router.clone();
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            answer(router.clone(), watch.clone(), request)
        });
        let connection = self.builder.serve_connection(TokioIo::new(wire), service);
        if let Err(fault) = watcher.watch(connection).await {
            // Peers disconnect all the time; nobody needs to act on that.
            tracing::debug!(%fault, "a connection ended early");
        }
    }
}

/// Hands a request to the router together with its request line.
async fn answer(
    router: Router,
    seen: Arc<Watch>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let (line, _answering) = seen.begin();
    let mut request = request.map(Body::new);
    if let Some(line) = line {
        request.extensions_mut().insert(line);
    }
    router.oneshot(request).await
}

fn builder(protocol: Protocol, limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    match protocol {
        Protocol::Http1 => {
            builder
                .http1()
                .timer(TokioTimer::new())
                // The connection's own watch handles it.
                .header_read_timeout(None)
                .max_buf_size(limits.header_bytes)
                .max_headers(limits.headers);
            builder.http1_only()
        }
        Protocol::Http2 => {
            builder
                .http2()
                .timer(TokioTimer::new())
                .max_concurrent_streams(STREAMS)
                .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
                .keep_alive_interval(PING)
                .keep_alive_timeout(PONG);
            builder.http2_only()
        }
    }
}
