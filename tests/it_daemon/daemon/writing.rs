//! Files that are being written, or have lost content: a reload takes a loss only if it is known to
//! be intended, and never silently.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use portcullis::runtime::metrics::ReloadResult;
use serde_json::json;

use super::harness::{Http, Testbed, until};

const POLICY: &str = r#"
issuer acme { url "https://id.example.com/" keys file "keys.json" }
api orders {
    host      "api.example.com"
    issuer    acme
    audience  "https://api.example.com"
    GET /orders authenticated
}
"#;

const GUARD: &str = "set revoked = file \"../../lists/revoked.txt\" may be empty\n\
                     guard * /** of orders requires claim jti not in revoked\n";

/// Longer than any test waits.
const LONG: &str = "reload: {settle: 100ms, hold: 1h}\n";

/// A daemon with a guard in its own folder, and a list of revoked tokens beside the policy.
struct World(Testbed);

impl World {
    async fn with(config: &str, revoked: &str) -> World {
        let bed = Testbed::prepared(POLICY, config, |policies| {
            let lists = policies.with_file_name("lists");
            fs::create_dir_all(policies.join("guards")).expect("made");
            fs::create_dir_all(&lists).expect("made");
            fs::write(lists.join("revoked.txt"), revoked).expect("written");
            fs::write(policies.join("guards/revoked.gate"), GUARD).expect("written");
        })
        .await;
        World(bed)
    }

    fn list(&self) -> PathBuf {
        self.0.folder().join("lists/revoked.txt")
    }

    fn guards(&self) -> PathBuf {
        self.0.folder().join("policies/guards")
    }

    async fn allows(&self, id: &str) -> bool {
        let token = self.0.token(json!({ "jti": id }));
        let request = Http::nginx("GET", "/orders").bearer(&token);
        match self.0.send("http", &request).await.status {
            200 => true,
            403 => false,
            other => panic!("{other}"),
        }
    }

    async fn comes_to(&self, id: &str, allowed: bool) {
        until(&format!("`{id}` is allowed: {allowed}"), || async {
            self.allows(id).await == allowed
        })
        .await;
    }

    /// Waits until the daemon reports this about files that it didn't take.
    async fn says(&self, part: &str) {
        until(part, || async {
            let state = self.0.admin("/policy").await.json();
            let message = state["last_error"]["message"]
                .as_str()
                .unwrap_or("")
                .to_owned();
            message.contains(part)
        })
        .await;
    }

    async fn is_content(&self) {
        until("nothing is said", || async {
            self.0.admin("/policy").await.json()["last_error"].is_null()
        })
        .await;
    }
}

fn rename_over(path: &Path, text: &str) {
    let draft = path.with_file_name("draft");
    fs::write(&draft, text).expect("written");
    fs::rename(&draft, path).expect("renamed");
}

#[tokio::test]
async fn a_file_that_is_open_for_writing_is_not_read() {
    let world = World::with(LONG, "stolen\nlost\n").await;
    for half in ["", "stolen\n", "stolen\nlost\nlea"] {
        // As the shell does for `command > revoked.txt`: emptied at once, then line by line.
        let mut file = File::create(world.list()).expect("opened");
        file.write_all(half.as_bytes()).expect("written");
        world.says("open for writing").await;
        assert!(
            !world.allows("stolen").await && !world.allows("lost").await,
            "{half:?}"
        );
        assert!(world.allows("lea").await, "{half:?}");
        // Not even on request: the file is only half written.
        let answer = world.0.send("admin", &Http::new("POST", "/reload")).await;
        assert_eq!(answer.status, 409, "{answer:?}");
        assert_eq!(answer.json()["result"], "held");
        assert!(!world.allows("stolen").await);
        file.set_len(0).expect("emptied");
        file.write_all(b"").expect("written");
        drop(file);
        rename_over(&world.list(), "stolen\nlost\n");
        world.is_content().await;
    }
    let mut file = File::create(world.list()).expect("opened");
    file.write_all(b"stolen\nlost\nleaked\n").expect("written");
    drop(file);
    world.comes_to("leaked", false).await;
}

#[tokio::test]
async fn a_policy_file_that_is_open_for_writing_is_not_read() {
    let world = World::with(LONG, "stolen\n").await;
    let guard = world.guards().join("revoked.gate");
    let text = fs::read_to_string(&guard).expect("the guard");
    let mut file = File::create(&guard).expect("opened");
    file.write_all(b"let later = header \"x\" == \"1\"\n")
        .expect("written");
    world.says("open for writing").await;
    assert!(!world.allows("stolen").await);
    file.write_all(text.as_bytes()).expect("written");
    drop(file);
    world.is_content().await;
    assert!(!world.allows("stolen").await);
}

#[tokio::test]
async fn what_is_gone_or_emptied_is_held_back_and_said_at_once() {
    type Change = fn(&World);
    let losses: [(&str, Change); 4] = [
        ("revoked.gate` is gone", |world| {
            fs::remove_file(world.guards().join("revoked.gate")).expect("removed");
        }),
        ("revoked.gate` is gone", |world| {
            fs::rename(world.guards(), world.0.folder().join("away")).expect("moved");
        }),
        ("revoked.gate` is gone", |world| {
            fs::rename(
                world.guards().join("revoked.gate"),
                world.0.folder().join("away.gate"),
            )
            .expect("moved");
        }),
        ("revoked.txt` is empty", |world| {
            fs::write(world.list(), "").expect("written");
        }),
    ];
    for (said, lose) in losses {
        let world = World::with(LONG, "stolen\n").await;
        lose(&world);
        world.says(said).await;
        assert!(!world.allows("stolen").await, "{said}");
        let metrics = world.0.admin("/metrics").await.body;
        assert!(
            metrics.contains(r#"portcullis_reloads_total{result="held"} 1"#),
            "{metrics}"
        );
        assert!(
            metrics.contains("portcullis_policy_last_load_failed 1"),
            "{metrics}"
        );
        // A requested reload means that the loss is intended.
        assert_eq!(
            world.0.running.reload().await,
            ReloadResult::Changed,
            "{said}"
        );
        assert!(world.allows("stolen").await, "{said}");
        world.is_content().await;
    }
}

#[tokio::test]
async fn what_comes_back_in_time_was_never_gone() {
    let world = World::with(LONG, "stolen\n").await;
    let before = world.0.admin("/policy").await.json()["revision"].clone();
    let away = world.0.folder().join("away");
    for _ in 0..2 {
        fs::rename(world.guards(), &away).expect("moved");
        world.says("is gone").await;
        fs::rename(&away, world.guards()).expect("moved");
        world.is_content().await;
        assert!(!world.allows("stolen").await);
    }
    assert_eq!(world.0.admin("/policy").await.json()["revision"], before);
}

#[tokio::test]
async fn what_stays_less_is_taken_after_a_while() {
    let world = World::with("reload: {settle: 10ms, hold: 300ms}\n", "stolen\n").await;
    fs::remove_file(world.guards().join("revoked.gate")).expect("removed");
    world.comes_to("stolen", true).await;
    world.is_content().await;
}

#[tokio::test]
async fn what_is_known_to_be_whole_is_taken_though_it_is_less() {
    let world = World::with(LONG, "stolen\nlost\nleaked\n").await;
    rename_over(&world.list(), "stolen\nlost\n");
    world.comes_to("leaked", true).await;
    fs::write(world.list(), "stolen\n").expect("written and closed");
    world.comes_to("lost", true).await;
    rename_over(&world.list(), "");
    world.comes_to("stolen", true).await;
}

/// A writer that the system doesn't report: through another name of the file, in a folder that
/// isn't watched.
#[tokio::test]
async fn what_shrank_without_a_word_is_held_back() {
    let world = World::with(LONG, "stolen\nlost\n").await;
    let elsewhere = world.0.folder().join("elsewhere");
    fs::create_dir(&elsewhere).expect("made");
    fs::hard_link(world.list(), elsewhere.join("list")).expect("another name");
    let wake = || {
        rename_over(
            &world.guards().join("more.gate"),
            "let more = header \"x\" == \"1\"\n",
        );
    };
    fs::write(elsewhere.join("list"), "stolen\n").expect("written");
    wake();
    world.says("revoked.txt` has lost 1 of its 2 lines").await;
    assert!(!world.allows("lost").await);
    // A file that has grown can be taken at once.
    fs::write(elsewhere.join("list"), "stolen\nlost\nleaked\n").expect("written");
    fs::remove_file(world.guards().join("more.gate")).expect("removed");
    wake();
    world.comes_to("leaked", false).await;
}

#[tokio::test]
async fn a_feed_that_never_rests_is_in_force_all_the_same() {
    let world = World::with("reload: {settle: 50ms, hold: 1h}\n", "stolen\n").await;
    let done = Arc::new(AtomicBool::new(false));
    let feed = {
        let (done, list) = (done.clone(), world.list());
        std::thread::spawn(move || {
            let mut text = "stolen\nleaked\n".to_owned();
            for row in 0.. {
                if done.load(Ordering::SeqCst) {
                    break;
                }
                text.push_str(&format!("row-{row}\n"));
                rename_over(&list, &text);
                std::thread::sleep(Duration::from_millis(5));
            }
        })
    };
    world.comes_to("leaked", false).await;
    done.store(true, Ordering::SeqCst);
    feed.join().expect("the feed ends");
}

#[tokio::test]
async fn every_link_on_the_way_is_watched() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().to_owned();
    let release = |name: &str, access: &str| {
        let policies = root.join("releases").join(name).join("policies");
        fs::create_dir_all(&policies).expect("made");
        let text = format!(
            "set office = file \"office.txt\"\napi a {{ host \"api.example.com\" GET /page {access} GET /office public if address in office }}\n"
        );
        fs::write(policies.join("a.gate"), text).expect("written");
        symlink("../../../shared/office.txt", policies.join("office.txt")).expect("a link");
    };
    fs::create_dir(root.join("shared")).expect("made");
    fs::write(root.join("shared/office.txt"), "192.0.2.0/24\n").expect("written");
    release("1", "public");
    release("2", "denied");
    symlink("releases/1", root.join("current")).expect("a link");
    let config = super::harness::configuration(
        "reload: {hold: 1h}\nadapters: {nginx: {address: \"header:x-real-ip\"}}\n",
    );
    let running = portcullis::daemon::start(portcullis::runtime::Options {
        base: portcullis::runtime::config::Config::parse(&config).expect("a configuration"),
        policy: Some(vec![root.join("current/policies")]),
        ..portcullis::runtime::Options::default()
    })
    .await
    .unwrap_or_else(|fault| panic!("{fault}"));
    let http = running
        .address("http")
        .and_then(|address| address.parse().ok())
        .expect("TCP");
    let status = |path: &'static str| async move {
        let request = Http::nginx("GET", path).header("X-Real-IP", "198.51.100.1");
        super::harness::exchange(http, &request.bytes())
            .await
            .status
    };
    assert_eq!(status("/page").await, 200);
    // The policy's folder is behind a link that is swapped.
    symlink("releases/2", root.join("next")).expect("a link");
    fs::rename(root.join("next"), root.join("current")).expect("swapped");
    until("the other release is in force", || async {
        status("/page").await == 403
    })
    .await;
    // And a set's file is in a folder that the policy doesn't name.
    assert_eq!(status("/office").await, 403);
    fs::write(
        root.join("shared/office.txt"),
        "198.51.100.0/24\n192.0.2.0/24\n",
    )
    .expect("written");
    until("the written set is in force", || async {
        status("/office").await == 200
    })
    .await;
    rename_over(&root.join("shared/office.txt"), "192.0.2.0/24\n");
    until("the renamed set is in force", || async {
        status("/office").await == 403
    })
    .await;
    // A folder further up is replaced.
    fs::create_dir(root.join("fresh")).expect("made");
    fs::write(root.join("fresh/office.txt"), "198.51.100.0/24\n").expect("written");
    fs::rename(root.join("shared"), root.join("old")).expect("moved");
    fs::rename(root.join("fresh"), root.join("shared")).expect("moved");
    until("the other folder is in force", || async {
        status("/office").await == 200
    })
    .await;
    running.shutdown().await;
}

/// A file named in an error is watched, although no policy in force uses it.
#[tokio::test]
async fn what_was_missing_is_taken_when_it_comes() {
    let world = World::with(LONG, "stolen\n").await;
    let lists = world.0.folder().join("lists");
    rename_over(
        &world.guards().join("more.gate"),
        "set banned = file \"../../lists/late/banned.txt\"\nguard * /** of orders requires claim sub not in banned\n",
    );
    world.says("banned.txt").await;
    fs::create_dir(lists.join("late")).expect("made");
    rename_over(&lists.join("late/banned.txt"), "alice\n");
    world.is_content().await;
    assert!(!world.allows("any").await, "alice is banned");
}

#[tokio::test]
async fn an_entry_that_leads_nowhere_keeps_what_is_in_force() {
    let world = World::with(LONG, "stolen\n").await;
    fs::rename(world.guards(), world.0.folder().join("mounted")).expect("moved");
    symlink("../mounted", world.guards()).expect("a link");
    world.is_content().await;
    fs::rename(
        world.0.folder().join("mounted"),
        world.0.folder().join("gone"),
    )
    .expect("moved");
    assert_eq!(world.0.running.reload().await, ReloadResult::Failed);
    assert!(!world.allows("stolen").await);
    world.says("guards` cannot be read").await;
}
