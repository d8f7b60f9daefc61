//! Replaces the policy in force without affecting requests.
//!
//! Files change one after another, and a load in between would see half of a change. So nothing is
//! taken while a file is open for writing, nor before two reads, a moment apart, agree; and a
//! policy that has become less is taken at once only where that is known to be intended. The new
//! policy is built next to the old one and swapped whole; one with errors changes nothing.

mod less;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::config::Reload;
use super::low_priority::Panicked;
use super::metrics::ReloadResult;
use super::source::Wanted;
use super::writers::Whole;
use super::{Authorizer, BuildError, Good, News, Snapshot, SourceError};
use crate::diagnostic::render::{self, Problem};
use crate::diagnostic::{Diagnostic, Severity};
use crate::load::{self, Fingerprint, Loaded};
use less::Less;

/// How often the files are read again because they keep changing. After that, the current contents
/// are taken if no file has lost any, so a feed that constantly renames new files into place takes
/// effect too.
const READS: usize = 10;

/// How many times `reload.settle` a file that was closed with lost content must stay unchanged: a
/// loop that opens the file for each line closes it between two lines.
const CLOSED: u32 = 10;

/// How many times `reload.hold` lost content waits at most if it keeps changing.
const HOLDS: u32 = 10;

/// How many files a message lists.
const NAMED: usize = 5;

/// Why the last load wasn't taken.
#[derive(Debug, Clone)]
pub struct LastError {
    /// When.
    pub at: SystemTime,
    /// The error.
    pub message: String,
    /// The errors of the policy one by one, with their lines, if they are the reason.
    pub problems: Arc<[Problem]>,
}

impl LastError {
    /// An error of now.
    pub fn now(message: String, problems: Vec<Problem>) -> LastError {
        LastError {
            at: SystemTime::now(),
            message,
            problems: problems.into(),
        }
    }
}

/// The outcome of a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// The result.
    pub result: ReloadResult,
    /// When to try again even if nothing changes.
    pub retry_in: Option<Duration>,
}

/// A policy that has lost content, and isn't taken yet.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    what: Fingerprint,
    /// Since when it has been unchanged.
    since: Instant,
    /// Since when something has been held back.
    first: Instant,
}

/// Why nothing was taken.
enum Kept {
    /// There is an error.
    Wrong(ReloadError),
    /// The policy is incomplete, or may be: why, and when to look again. The reason is `None` if it
    /// isn't worth a message yet.
    Waiting(Option<String>, Duration),
}

impl From<ReloadError> for Kept {
    fn from(error: ReloadError) -> Kept {
        Kept::Wrong(error)
    }
}

/// An error that keeps the files' policy from being taken.
#[derive(Debug)]
pub enum ReloadError {
    /// The configuration can't be read.
    Source(SourceError),
    /// The policy has errors.
    Policy(Box<Loaded>),
    /// The policy can't be in force with this configuration.
    Build(BuildError),
    /// The files keep changing, and these have lost content.
    Unsettled(String),
    /// An internal fault in this step.
    Fault(&'static str, Panicked),
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReloadError::Source(error) => write!(f, "{error}"),
            ReloadError::Policy(loaded) => f.write_str(&errors(loaded)),
            ReloadError::Build(error) => write!(f, "{error}"),
            ReloadError::Unsettled(less) => {
                write!(f, "the files did not stop changing, and {less}")
            }
            ReloadError::Fault(done, Panicked) => {
                write!(f, "an internal fault while the policy was {done}")
            }
        }
    }
}

impl std::error::Error for ReloadError {}

impl ReloadError {
    /// The errors of the policy one by one, if they are the reason.
    pub fn problems(&self) -> Vec<Problem> {
        match self {
            ReloadError::Policy(loaded) => {
                render::problems(&loaded.sources, &loaded.checked.diagnostics)
            }
            ReloadError::Source(_)
            | ReloadError::Build(_)
            | ReloadError::Unsettled(_)
            | ReloadError::Fault(..) => Vec::new(),
        }
    }
}

/// The cause of a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A request: SIGHUP or `POST /reload`.
    Asked,
    /// A change in a watched folder, which may not concern the policy.
    Watch,
}

/// Reloads now; concurrent reloads run one after another.
pub async fn now(authorizer: &Arc<Authorizer>, cause: Cause) -> Outcome {
    let _one = authorizer.reloading.lock().await;
    let begun = Instant::now();
    let mut problems = Vec::new();
    let (result, message, retry_in) = match attempt(authorizer, cause).await {
        Ok(result) => {
            authorizer.writers.taken(begun);
            authorizer.known().held = None;
            (result, None, None)
        }
        Err(Kept::Wrong(error)) => {
            problems = error.problems();
            (ReloadResult::Failed, Some(error.to_string()), None)
        }
        Err(Kept::Waiting(message, retry_in)) => (ReloadResult::Held, message, Some(retry_in)),
    };
    let is_news = match message {
        None if result == ReloadResult::Held => false,
        None => {
            if result == ReloadResult::Unchanged && authorizer.last_error().is_some() {
                tracing::info!("the files contain the policy in force again");
            }
            authorizer.set_last_error(None);
            result == ReloadResult::Changed
        }
        Some(message) if cause == Cause::Watch && authorizer.has_last_error(&message) => false,
        Some(message) => {
            let revision = &authorizer.snapshot().revision;
            if result == ReloadResult::Held {
                tracing::warn!(%revision, "the policy is not reloaded yet: {message}");
            } else {
                tracing::error!(
                    %revision,
                    "the policy was not reloaded, and the last good one stays in force: {message}"
                );
            }
            authorizer.set_last_error(Some(LastError::now(message, problems)));
            true
        }
    };
    if cause == Cause::Asked || is_news {
        authorizer.metrics().reload(result);
    }
    Outcome { result, retry_in }
}

async fn attempt(authorizer: &Arc<Authorizer>, cause: Cause) -> Result<ReloadResult, Kept> {
    let settings = authorizer.settings().reload.clone();
    if cause == Cause::Watch
        && let Some(waiting) = being_written(authorizer, &settings)
    {
        return Err(waiting);
    }
    let Some((wanted, loaded, settled)) = settled(authorizer, &settings).await? else {
        tracing::debug!("nothing has changed");
        return Ok(ReloadResult::Unchanged);
    };
    // Checked again after the reads: a writer may have begun in between.
    if let Some(waiting) = being_written(authorizer, &settings) {
        return Err(waiting);
    }
    if loaded.has_errors() {
        return Err(Kept::Wrong(ReloadError::Policy(Box::new(loaded))));
    }
    let less = {
        let known = authorizer.known();
        less::than(
            authorizer.snapshot().files.iter().chain(&known.good.config),
            loaded.files.iter().chain(&wanted.file),
            &authorizer.writers,
        )
    };
    if !settled && less.iter().any(|less| less.meant < Whole::Replaced) {
        return Err(Kept::Wrong(ReloadError::Unsettled(sentences(&less))));
    }
    held(authorizer, cause, &settings, &loaded, &less)?;
    if !less.is_empty() {
        tracing::warn!("the new policy has lost content: {}", sentences(&less));
    }
    Ok(take(authorizer, wanted, loaded).await?)
}

/// Whether a file is open for writing, so nothing is taken yet. One that stays open is read after a
/// while anyway, if no file has lost content: a feed may append to it for days.
fn being_written(authorizer: &Authorizer, settings: &Reload) -> Option<Kept> {
    let hold = settings.hold.get();
    let (path, since) = authorizer.writers.open()?;
    let rest = hold.checked_sub(since).filter(|rest| !rest.is_zero())?;
    let worth_a_word = settings.settle.get().saturating_mul(CLOSED);
    Some(match worth_a_word.checked_sub(since) {
        Some(silent) if !silent.is_zero() => Kept::Waiting(None, silent.min(rest)),
        _ => Kept::Waiting(Some(open_for_writing(&path)), rest),
    })
}

fn open_for_writing(path: &std::path::Path) -> String {
    format!(
        "`{}` is open for writing, and the last good policy stays in force until it is closed; write a file beside it and rename it over",
        path.display()
    )
}

/// Whether lost content must stay unchanged for longer.
fn held(
    authorizer: &Authorizer,
    cause: Cause,
    settings: &Reload,
    loaded: &Loaded,
    less: &[Less],
) -> Result<(), Kept> {
    let hold = settings.hold.get();
    if !less.is_empty()
        && let Some((path, _)) = authorizer.writers.open()
    {
        let message = format!("{}; {}", open_for_writing(&path), sentences(less));
        return Err(Kept::Waiting(Some(message), hold));
    }
    // A requested reload means that the files are as they should be.
    let wait = match (cause, less.iter().map(|less| less.meant).min()) {
        (Cause::Asked, _) | (Cause::Watch, None | Some(Whole::Replaced)) => return Ok(()),
        (Cause::Watch, Some(Whole::Closed)) => {
            settings.settle.get().saturating_mul(CLOSED).min(hold)
        }
        (Cause::Watch, Some(Whole::Unknown)) => hold,
    };
    let now = Instant::now();
    let mut known = authorizer.known();
    let held = match known.held {
        Some(held) if held.what == loaded.fingerprint => held,
        other => Held {
            what: loaded.fingerprint,
            since: now,
            first: other.map_or(now, |held| held.first),
        },
    };
    let rest = wait
        .saturating_sub(now - held.since)
        .min(wait.saturating_mul(HOLDS).saturating_sub(now - held.first));
    if rest.is_zero() {
        return Ok(());
    }
    known.held = Some(held);
    let message = format!(
        "{}; the last good policy stays in force, and this is taken if it is still so after {wait:?}; `POST /reload` takes it at once",
        sentences(less)
    );
    Err(Kept::Waiting(Some(message), rest))
}

/// The losses, as one sentence.
fn sentences(less: &[Less]) -> String {
    let mut named: Vec<&str> = less
        .iter()
        .take(NAMED)
        .map(|less| less.sentence.as_str())
        .collect();
    let more = format!("{} more have less", less.len().saturating_sub(NAMED));
    if less.len() > NAMED {
        named.push(&more);
    }
    named.join(", ")
}

/// Reads configuration and policy until two reads agree and no file is being written; `None` if
/// they are what is in force. The last value is whether the reads agreed.
async fn settled(
    authorizer: &Arc<Authorizer>,
    settings: &Reload,
) -> Result<Option<(Wanted, Loaded, bool)>, Kept> {
    let pause = settings.settle.get().max(Duration::from_millis(1));
    let good = authorizer.known().good.clone();
    // A digest of the files comes first: most events don't change contents, and parsing a large
    // policy costs far more than reading it.
    let (wanted, seen) = look(authorizer, good.reach.named.clone()).await?;
    let is_in_force = |wanted: &Wanted, seen: Fingerprint| {
        wanted.config == *authorizer.settings() && seen == good.fingerprint
    };
    if is_in_force(&wanted, seen) {
        return Ok(None);
    }
    let (mut wanted, mut loaded) = read(authorizer).await?;
    for _ in 0..READS {
        if is_in_force(&wanted, loaded.fingerprint) {
            return Ok(None);
        }
        tokio::time::sleep(pause).await;
        let (next, seen) = look(authorizer, loaded.reach.named.clone()).await?;
        if next.config == wanted.config && seen == loaded.fingerprint {
            if being_written(authorizer, settings).is_none() {
                return Ok(Some((wanted, loaded, true)));
            }
        } else {
            (wanted, loaded) = read(authorizer).await?;
        }
    }
    Ok(Some((wanted, loaded, false)))
}

/// Reads everything, and parses nothing.
async fn look(
    authorizer: &Arc<Authorizer>,
    named: Vec<PathBuf>,
) -> Result<(Wanted, Fingerprint), ReloadError> {
    let reader = authorizer.clone();
    // It takes little time, and most of it is waiting for files.
    let look = tokio::task::spawn_blocking(move || {
        let wanted = reader.source.read().map_err(ReloadError::Source)?;
        let seen = load::fingerprint(&wanted.config.policy.0, &named);
        Ok((wanted, seen))
    });
    look.await
        .map_err(|_| ReloadError::Fault("read", Panicked))?
}

async fn read(authorizer: &Arc<Authorizer>) -> Result<(Wanted, Loaded), ReloadError> {
    let reader = authorizer.clone();
    let read = authorizer.low_priority.run(move || {
        let wanted = reader.source.read().map_err(ReloadError::Source)?;
        let loaded = load::load(&wanted.config.policy.0, &wanted.load, false);
        Ok::<_, ReloadError>((wanted, loaded))
    });
    let (wanted, loaded) = read
        .await
        .map_err(|fault| ReloadError::Fault("read", fault))??;
    authorizer.known().tried = loaded.reach.clone();
    Ok((wanted, loaded))
}

async fn take(
    authorizer: &Arc<Authorizer>,
    wanted: Wanted,
    loaded: Loaded,
) -> Result<ReloadResult, ReloadError> {
    let good = Good::of(&loaded, wanted.file.clone());
    let current = authorizer.snapshot();
    let same_policy = loaded.digest == current.digest;
    if same_policy && wanted.config == *authorizer.settings() {
        tracing::debug!(revision = %current.revision, "nothing has changed");
        authorizer.known().good = good;
        return Ok(ReloadResult::Unchanged);
    }
    // The client credentials for introspection take part in decisions, and the metadata of resources
    // are made with the policy, so a change of them counts as another policy.
    let settings = authorizer.settings();
    if same_policy
        && wanted.config.introspection == settings.introspection
        && wanted.config.resource_metadata == settings.resource_metadata
    {
        authorizer.configure(wanted.config);
        authorizer.known().good = good;
        return Ok(ReloadResult::Changed);
    }
    let warnings = loaded.checked.diagnostics.len();
    let (builder, series) = (authorizer.clone(), authorizer.metrics.series());
    let built = authorizer.low_priority.run(move || {
        let config = wanted.config;
        let (keys, introspect) = (&builder.keys, &builder.introspect);
        let snapshot = Snapshot::build(loaded, keys, introspect, &config, builder.module)?;
        let news = News::of(&snapshot.policy, &config, builder.module, series);
        Ok((config, snapshot, news))
    });
    let (config, snapshot, news) = built
        .await
        .map_err(|fault| ReloadError::Fault("compiled", fault))?
        .map_err(ReloadError::Build)?;
    authorizer.configure(config);
    tracing::info!(
        revision = %snapshot.revision,
        before = %current.revision,
        files = snapshot.files.len(),
        warnings,
        "another policy is in force"
    );
    drop(current);
    let before = authorizer.put_in_force(snapshot, news);
    tokio::spawn(authorizer.low_priority.clone().release(before));
    authorizer.known().good = good;
    Ok(ReloadResult::Changed)
}

/// All errors of a load, one per line.
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
