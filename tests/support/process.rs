//! Programs that a test starts, and that end with it.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long a condition may take to become true. Far longer than any of them needs, so a slow
/// machine fails no test, and a hang ends.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The pause between two checks of a condition.
const PAUSE: Duration = Duration::from_millis(10);

/// How much of a program's output a failing test shows.
const SHOWN_LOG_BYTES: usize = 8 * 1024;

/// The folder into which `tests/run` installs.
pub fn world() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("cargo's folder for tests lies in the target folder")
        .join("e2e")
}

/// The path of a program that `tests/run` installs.
///
/// # Panics
///
/// Where it is not there, with what to do about it.
pub fn program(name: &str) -> PathBuf {
    let path = world().join("bin").join(name);
    assert!(
        path.exists(),
        "{} is missing: the end-to-end tests need real proxies; `tests/run` installs them and runs all tests",
        path.display()
    );
    path
}

/// The path of a module that `tests/run` builds for a proxy.
///
/// # Panics
///
/// Where it is not there, with what to do about it.
pub fn module(name: &str) -> PathBuf {
    let path = world().with_file_name(name);
    assert!(
        path.exists(),
        "{} is missing: `tests/run` builds it and runs all tests",
        path.display()
    );
    path
}

/// The ports that tests give to programs. They are below those that systems assign by themselves,
/// also to connections, so nothing else takes one before the program does.
const PORTS: std::ops::Range<u16> = 12_000..32_000;

/// How many of them have been tried.
static LOOKED_AT: AtomicU16 = AtomicU16::new(0);

/// A port of the loopback interface on which nothing listens, and which no other test is given.
///
/// # Panics
///
/// Where there is none left.
pub fn free_port() -> u16 {
    // Other runs of the tests begin elsewhere.
    let first = u16::try_from(std::process::id() * 131 % PORTS.len() as u32).unwrap_or(0);
    loop {
        let looked_at = LOOKED_AT.fetch_add(1, Ordering::Relaxed);
        assert!(usize::from(looked_at) < PORTS.len(), "no port is free");
        let port = PORTS.start + (first + looked_at) % (PORTS.end - PORTS.start);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// The loopback address of a port.
pub fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Looks again and again until the condition holds.
///
/// # Panics
///
/// Where it has not come true within [`PATIENCE`].
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(
            Instant::now() < end,
            "waited {PATIENCE:?} in vain until {what}"
        );
        thread::sleep(PAUSE);
    }
}

/// How much memory a process has taken.
pub fn resident_kib(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).expect("a process has a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.expect("a size").trim().trim_end_matches(" kB");
    number.parse().expect("a number")
}

/// A running program. Dropping it ends it.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program whose output goes into a file of the folder.
    pub fn start(name: &str, command: &Command, folder: &Path) -> Self {
        let log = folder.join(format!("{name}.log"));
        let output = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .expect("the test's folder can be written");
        // The kernel ends the program together with the thread that started it, so nothing outlives
        // a killed test run.
        let mut wrapped = Command::new("setpriv");
        wrapped
            .args(["--pdeathsig", "TERM", "--"])
            .arg(command.get_program())
            .args(command.get_args())
            .envs(command.get_envs().filter_map(|(k, v)| Some((k, v?))))
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a file handle can be doubled"))
            .stderr(output);
        if let Some(folder) = command.get_current_dir() {
            wrapped.current_dir(folder);
        }
        let child = wrapped
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self {
            name: name.to_owned(),
            child,
            log,
        }
    }

    /// Looks at the program again and again until there is something to see.
    ///
    /// # Panics
    ///
    /// Where the program ends instead, or it takes too long.
    pub fn wait_for<T>(&mut self, look: impl FnMut(&Self) -> Option<T>) -> T {
        self.look_for(PATIENCE, look)
            .unwrap_or_else(|why| panic!("{why}"))
    }

    /// The same for this long at most. The error says that the program ended, or isn't ready.
    pub fn look_for<T>(
        &mut self,
        patience: Duration,
        mut look: impl FnMut(&Self) -> Option<T>,
    ) -> Result<T, String> {
        let end = Instant::now() + patience;
        loop {
            if let Some(seen) = look(self) {
                return Ok(seen);
            }
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return Err(format!(
                    "{} ended with {status} before it was ready",
                    self.name
                ));
            }
            if Instant::now() > end {
                return Err(format!("{} is not ready after {patience:?}", self.name));
            }
            thread::sleep(PAUSE);
        }
    }

    /// Waits until the program accepts connections on a port.
    pub fn wait_for_port(&mut self, port: u16) {
        self.wait_for(|_| TcpStream::connect(local(port)).ok());
    }

    /// Everything that the program has printed so far.
    pub fn output(&self) -> String {
        fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// The number of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether the program still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal by its name, `TERM`, `HUP`, `KILL`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args(["-s", name, "--", &self.child.id().to_string()])
            .status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "{} takes no signal {name}",
            self.name
        );
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.runs() {
            // Asked first: nginx ends its workers only then.
            self.signal("TERM");
            let end = Instant::now() + Duration::from_secs(5);
            while self.runs() && Instant::now() < end {
                thread::sleep(PAUSE);
            }
            if self.runs() {
                self.child.kill().ok();
                self.child.wait().ok();
            }
        }
        if thread::panicking() {
            let output = self.output();
            let start = output.len().saturating_sub(SHOWN_LOG_BYTES);
            let shown = output.get(start..).unwrap_or(&output);
            eprintln!("--- what {} printed\n{shown}\n---", self.name);
        }
    }
}
