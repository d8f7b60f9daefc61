//! Replaces the policy in force without affecting requests.
//!
//! Files change one after another, and a load in between would see half of a change. So they are
//! read twice, a moment apart, and taken only when both reads agree. The new policy is built next
//! to the old one and swapped whole; one with errors changes nothing.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::config::Config;
use super::metrics::ReloadResult;
use super::{Daemon, Snapshot};
use crate::diagnostic::{Diagnostic, Severity};
use crate::load::{self, Loaded};

/// How often the files are read again because they still change. After that, what is there is an
/// error, so that a process that writes without end can't keep an answer from coming.
const READS: usize = 50;

/// What kept the last load from being taken.
#[derive(Debug, Clone)]
pub struct LastError {
    /// When.
    pub at: SystemTime,
    /// What was wrong.
    pub message: String,
}

/// What a load looks at.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The configuration.
    pub config: Config,
    /// How the policy is loaded.
    pub load: load::Options,
}

/// Why files are read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Somebody asked for it: SIGHUP, `POST /reload`.
    Asked,
    /// Something happened in a folder that is watched; it may be none of the policy's business.
    Watch,
}

/// Reloads now; several at a time are one after another.
pub async fn now(daemon: &Arc<Daemon>, cause: Cause) -> ReloadResult {
    let _one = daemon.reloading.lock().await;
    let result = match settled(daemon).await {
        Ok((wanted, loaded)) => take(daemon, wanted, loaded).await,
        Err(message) => Err(message),
    };
    let result = match result {
        Ok(result) => {
            if result == ReloadResult::Unchanged && daemon.last_error().is_some() {
                tracing::info!("the files say again what is in force");
            }
            daemon.set_last_error(None);
            result
        }
        Err(message) if cause == Cause::Watch && daemon.has_last_error(&message) => {
            return ReloadResult::Failed;
        }
        Err(message) => {
            tracing::error!(
                revision = %daemon.snapshot().revision,
                "the policy was not reloaded, and the last good one stays in force: {message}"
            );
            daemon.set_last_error(Some(LastError {
                at: SystemTime::now(),
                message,
            }));
            ReloadResult::Failed
        }
    };
    if cause == Cause::Asked || result != ReloadResult::Unchanged {
        daemon.metrics().reload(result);
    }
    result
}

/// Reads configuration and policy until two reads see the same.
async fn settled(daemon: &Arc<Daemon>) -> Result<(Wanted, Loaded), String> {
    let pause = daemon.settings().reload.settle.get();
    let mut last = read(daemon).await?;
    for _ in 0..READS {
        // What is in force need not be waited for.
        if is_in_force(daemon, &last) {
            return Ok(last);
        }
        tokio::time::sleep(pause.max(Duration::from_millis(1))).await;
        let next = read(daemon).await?;
        let same = last.0.config == next.0.config
            && last.1.revision == next.1.revision
            && last.1.has_errors() == next.1.has_errors();
        if same {
            return Ok(next);
        }
        last = next;
    }
    Err("the files did not stop changing".to_owned())
}

fn is_in_force(daemon: &Daemon, (wanted, loaded): &(Wanted, Loaded)) -> bool {
    wanted.config == *daemon.settings()
        && loaded.revision == daemon.snapshot().revision
        && !loaded.has_errors()
}

async fn read(daemon: &Arc<Daemon>) -> Result<(Wanted, Loaded), String> {
    let daemon = daemon.clone();
    tokio::task::spawn_blocking(move || {
        let wanted = daemon.source.read()?;
        let loaded = load::load(&wanted.config.policy.0, &wanted.load, false);
        Ok((wanted, loaded))
    })
    .await
    .map_err(|fault| format!("a fault while the policy was read: {fault}"))?
}

async fn take(
    daemon: &Arc<Daemon>,
    wanted: Wanted,
    loaded: Loaded,
) -> Result<ReloadResult, String> {
    if loaded.has_errors() {
        return Err(errors(&loaded));
    }
    let current = daemon.snapshot();
    let same_policy = loaded.revision == current.revision;
    if same_policy && wanted.config == *daemon.settings() {
        tracing::debug!(revision = %current.revision, "nothing has changed");
        return Ok(ReloadResult::Unchanged);
    }
    // As whom issuers are asked about tokens is a part of what requests are decided by.
    if same_policy && wanted.config.introspection == daemon.settings().introspection {
        daemon.configure(wanted.config);
        return Ok(ReloadResult::Changed);
    }
    let warnings = loaded.checked.diagnostics.len();
    let (config, snapshot) = {
        let daemon = daemon.clone();
        tokio::task::spawn_blocking(move || {
            let config = wanted.config;
            let built = Snapshot::build(loaded, &daemon.keys, &daemon.introspect, &config);
            built.map(|snapshot| (config, snapshot))
        })
        .await
        .map_err(|fault| format!("a fault while the policy was compiled: {fault}"))??
    };
    daemon.configure(config);
    tracing::info!(
        revision = %snapshot.revision,
        before = %current.revision,
        files = snapshot.files.len(),
        warnings,
        "another policy is in force"
    );
    daemon.put_in_force(snapshot);
    Ok(ReloadResult::Changed)
}

/// All errors of a load, one a line.
pub fn errors(loaded: &Loaded) -> String {
    let lines: Vec<String> = loaded
        .checked
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity() == Severity::Error)
        .map(|diagnostic| line(loaded, diagnostic))
        .collect();
    lines.join("\n")
}

fn line(loaded: &Loaded, diagnostic: &Diagnostic) -> String {
    let place = diagnostic
        .primary
        .as_ref()
        .map(|label| format!("{}: ", loaded.sources.place(label.span)))
        .unwrap_or_default();
    let code = diagnostic.code.as_str();
    match &diagnostic.help {
        Some(help) => format!("{place}{} [{code}]; {help}", diagnostic.message),
        None => format!("{place}{} [{code}]", diagnostic.message),
    }
}
