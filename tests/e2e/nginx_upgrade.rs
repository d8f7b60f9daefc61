//! A new nginx takes over from an old one while requests run (nginx's "upgrading an executable on
//! the fly").

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use super::caller::Request;
use super::process::{self, PATIENCE};
use super::proxies::{self, Kind};
use super::reload::EndWhenDropped;
use super::world::{World, reason};

/// An nginx in the background, as the system runs one: only there it takes the signal.
struct Background<'f>(&'f Path);

impl Background<'_> {
    fn master(&self, file: &str) -> Option<String> {
        let id = fs::read_to_string(self.0.join(file)).ok()?;
        Some(id.trim().to_owned()).filter(|id| !id.is_empty())
    }

    fn signal(&self, file: &str, name: &str) {
        let id = self.master(file).expect("it runs");
        let status = Command::new("kill").args(["-s", name, "--", &id]).status();
        assert!(status.is_ok_and(|status| status.success()), "{name} {id}");
    }

    fn log(&self) -> String {
        fs::read_to_string(self.0.join("error.log")).unwrap_or_default()
    }
}

impl Drop for Background<'_> {
    fn drop(&mut self) {
        for file in ["nginx.pid", "nginx.pid.oldbin"] {
            let Some(id) = self.master(file) else {
                continue;
            };
            Command::new("kill")
                .args(["-s", "TERM", "--", &id])
                .status()
                .ok();
            let folder = PathBuf::from("/proc").join(id);
            let end = Instant::now() + PATIENCE;
            while folder.exists() && Instant::now() < end {
                thread::yield_now();
            }
        }
        if thread::panicking() {
            eprintln!("--- what nginx logged\n{}\n---", self.log());
        }
    }
}

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_new_binary_takes_over_under_load() {
    let world = World::start();
    let folder = tempfile::tempdir().expect("a folder");
    let port = process::free_port();
    let text = proxies::deployed(Kind::NginxModule).replacen(
        "worker_processes auto",
        "worker_processes 2",
        1,
    );
    let ports = [("8000", port), ("8080", world.upstream.address.port())];
    let text = proxies::moved(&text, &ports);
    let text = proxies::with_module(&text, &world.daemon.configuration());
    let mut foreground = proxies::nginx(&text, folder.path());
    let mut command = Command::new(foreground.get_program());
    command
        .arg("-p")
        .arg(folder.path())
        .arg("-c")
        .arg(folder.path().join("nginx.conf"))
        .args([
            "-e",
            "error.log",
            "-g",
            "pid nginx.pid; error_log error.log notice;",
        ]);
    // What would run in the foreground is a check of the same configuration.
    let checked = foreground.arg("-t").output().expect("nginx runs");
    assert!(checked.status.success(), "{checked:?}");
    let nginx = Background(folder.path());
    let started = command.output().expect("nginx starts");
    assert!(started.status.success(), "{started:?}");
    process::wait_until("nginx runs", || nginx.master("nginx.pid").is_some());
    let first = nginx.master("nginx.pid");

    let address = process::local(port);
    let token = world.login("read:orders").access_token;
    let done = AtomicBool::new(false);
    let ask = || {
        let mut asked = 0;
        while !done.load(Ordering::SeqCst) {
            let request = Request::new("GET", "/orders");
            let denied = request.clone().send(address);
            assert_eq!(reason(&denied), Some("token.missing"), "{denied:?}");
            let allowed = request.bearer(&token).send(address);
            assert_eq!(allowed.status, 200, "{allowed:?} {}", allowed.text());
            asked += 1;
        }
        asked
    };
    let ends = |count: usize| nginx.log().matches("exited with code 0").count() >= count;
    thread::scope(|scope| {
        let clients = [(); 2].map(|()| scope.spawn(ask));
        let end = EndWhenDropped(&done);
        nginx.signal("nginx.pid", "USR2");
        process::wait_until("both run", || {
            nginx.master("nginx.pid.oldbin") == first
                && nginx
                    .master("nginx.pid")
                    .is_some_and(|id| Some(&id) != first.as_ref())
        });
        process::wait_until("the new one has workers", || {
            nginx.log().matches("start worker process ").count() >= 4
        });
        nginx.signal("nginx.pid.oldbin", "WINCH");
        process::wait_until("the old workers have ended", || ends(2));
        nginx.signal("nginx.pid.oldbin", "QUIT");
        process::wait_until("the old master has ended", || {
            nginx.master("nginx.pid.oldbin").is_none()
        });
        drop(end);
        for client in clients {
            assert!(client.join().expect("no client fails") > 0);
        }
    });
    let health = Request::new("GET", "/health").send(address);
    assert_eq!(health.status, 200, "{health:?}");
    let log = nginx.log();
    for word in [
        "[alert]",
        "[emerg]",
        "[crit]",
        "exited on signal",
        "panicked",
    ] {
        assert!(!log.contains(word), "{log}");
    }
}
