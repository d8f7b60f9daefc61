//! The used proofs, on a Redis server shared by several daemons.
//!
//! A single command does it, `SET key 1 NX PX …`: when several daemons see one proof at once, only
//! one is told that it is new. If the server doesn't answer in time, the proof is refused.

use std::fmt;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, IntoConnectionInfo, RedisError};
use tokio::runtime::Handle;
use tokio::sync::OnceCell;

use super::Seen;
use crate::token::Proof;

/// The prefix of the keys on the server.
const PREFIX: &str = "portcullis:dpop:";

/// How long a connection, or an answer on it, may take before the connection is given up. A request
/// waits less: as long as its deadline allows.
const PATIENCE: Duration = Duration::from_secs(2);

/// The shortest and the longest pause before a connection is tried again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// An error that keeps a server from being used.
pub type OpenError = RedisError;

/// A server that remembers proofs.
pub struct Shared {
    client: Client,
    /// Made for the first proof, and driven in the background.
    connection: OnceCell<ConnectionManager>,
    background: Handle,
}

impl Shared {
    /// The server at a URL. Nothing is connected yet: a daemon starts without the server and denies
    /// proofs until it is reachable. The current runtime drives the connections.
    pub fn new(url: &str, password: Option<&str>) -> Result<Shared, OpenError> {
        let mut info = url.into_connection_info()?;
        if let Some(password) = password {
            let settings = info.redis_settings().clone().set_password(password);
            info = info.set_redis_settings(settings);
        }
        Ok(Shared {
            client: Client::open(info)?,
            connection: OnceCell::new(),
            background: Handle::current(),
        })
    }

    /// Records a proof for as long as it is valid; an error if `patience` ends before the server
    /// answers.
    pub async fn take(
        &self,
        proof: &Proof,
        lasts: Duration,
        patience: Instant,
    ) -> Result<Seen, Unknown> {
        match tokio::time::timeout_at(patience.into(), self.set(proof, lasts)).await {
            Ok(Ok(true)) => Ok(Seen::New),
            Ok(Ok(false)) => Ok(Seen::Again),
            Ok(Err(fault)) => Err(Unknown::Failed(fault)),
            // Not `New`: the command may or may not have reached the server, so nobody knows
            // whether the proof was used.
            Err(_) => Err(Unknown::Late),
        }
    }

    /// Whether the key was new.
    async fn set(&self, proof: &Proof, lasts: Duration) -> redis::RedisResult<bool> {
        let mut connection = self
            .connection
            .get_or_try_init(|| async { self.connect() })
            .await?
            .clone();
        // Rounded up: a proof must be remembered at least as long as it is valid.
        let millis = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX) + 1;
        let set: Option<String> = redis::cmd("SET")
            .arg(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(proof.id())))
            .arg(1)
            .arg("NX")
            .arg("PX")
            .arg(millis)
            .query_async(&mut connection)
            .await?;
        Ok(set.is_some())
    }

    /// A connection that reconnects when it breaks.
    fn connect(&self) -> redis::RedisResult<ConnectionManager> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            .set_min_delay(PAUSES.0)
            .set_max_delay(PAUSES.1)
            .set_number_of_retries(1);
        let _background = self.background.enter();
        ConnectionManager::new_lazy_with_config(self.client.clone(), config)
    }
}

/// Why it is unknown whether a proof was used.
#[derive(Debug)]
pub enum Unknown {
    /// The server or the connection failed.
    Failed(RedisError),
    /// There was no answer in time.
    Late,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unknown::Failed(error) => write!(f, "`dpop.redis`: {error}"),
            Unknown::Late => f.write_str("`dpop.redis` does not answer in time"),
        }
    }
}

impl std::error::Error for Unknown {}

/// Without the password, which the client contains.
impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}
