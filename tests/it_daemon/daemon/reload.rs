//! Policy changes while requests run, through all the ways in which files change.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use portcullis::daemon::start;
use portcullis::runtime::Options;
use portcullis::runtime::config::Config;
use portcullis::runtime::metrics::ReloadResult;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::harness::{Http, POLICY, Testbed, configuration, exchange, read_answer, until};

const FIRST: &str = "api a { host \"api.example.com\" GET /page public GET /first public }\n";
const SECOND: &str = "api a { host \"api.example.com\" GET /page denied GET /second public }\n";
const BROKEN: &str = "api a { host \"api.example.com\" GET /page publik }\n";

async fn page(bed: &Testbed) -> u16 {
    bed.send("http", &Http::nginx("GET", "/page")).await.status
}

/// Replaces a file by renaming, as editors do.
fn rename_over(path: &Path, text: &str) {
    let draft = path.with_extension("draft");
    fs::write(&draft, text).expect("written");
    fs::rename(&draft, path).expect("renamed");
}

#[tokio::test]
async fn a_file_that_is_written_or_replaced_is_noticed() {
    let bed = Testbed::with(FIRST, "reload: {hold: 300ms}\n").await;
    assert_eq!(page(&bed).await, 200);
    let file = bed.policy_file();
    fs::write(&file, SECOND).expect("written");
    until("the written file is in force", || async {
        page(&bed).await == 403
    })
    .await;
    rename_over(&file, FIRST);
    until("the replaced file is in force", || async {
        page(&bed).await == 200
    })
    .await;
    fs::write(
        file.with_file_name("more.gate"),
        "api a { GET /more public }\n",
    )
    .expect("written");
    let more = || async { bed.send("http", &Http::nginx("GET", "/more")).await.status == 200 };
    until("the new file is in force", more).await;
    fs::remove_file(file.with_file_name("more.gate")).expect("removed");
    until("the file is gone", || async { !more().await }).await;
}

#[tokio::test]
async fn a_policy_with_errors_changes_nothing() {
    let bed = Testbed::with(FIRST, "").await;
    let before = bed.admin("/policy").await.json();
    fs::write(bed.policy_file(), BROKEN).expect("written");
    let answer = bed.send("admin", &Http::new("POST", "/reload")).await;
    assert_eq!(answer.status, 422, "{answer:?}");
    assert_eq!(answer.json()["result"], "failed");
    let state = bed.admin("/policy").await.json();
    assert_eq!(state["revision"], before["revision"]);
    let message = state["last_error"]["message"].as_str().expect("an error");
    assert!(
        message.contains("orders.gate:1") && message.contains("publik"),
        "{message}"
    );
    assert_eq!(page(&bed).await, 200, "the last good one goes on");
    assert_eq!(bed.admin("/readyz").await.status, 200);
    let metrics = bed.admin("/metrics").await.body;
    assert!(
        metrics.contains("portcullis_policy_last_load_failed 1"),
        "{metrics}"
    );

    fs::write(bed.policy_file(), FIRST).expect("written");
    let answer = bed.send("admin", &Http::new("POST", "/reload")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let state = bed.admin("/policy").await.json();
    assert!(state["last_error"].is_null());
    let metrics = bed.admin("/metrics").await.body;
    assert!(
        metrics.contains("portcullis_policy_last_load_failed 0"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_policy_that_is_gone_or_unreadable_changes_nothing() {
    let bed = Testbed::with(FIRST, "reload: {watch: false, settle: 5ms}\n").await;
    let folder = bed.folder().join("policies");
    fs::rename(&folder, bed.folder().join("elsewhere")).expect("moved");
    assert_eq!(bed.running.reload().await, ReloadResult::Failed);
    assert_eq!(page(&bed).await, 200);
    fs::create_dir(&folder).expect("made");
    assert_eq!(
        bed.running.reload().await,
        ReloadResult::Failed,
        "an empty folder"
    );
    fs::write(folder.join("a.gate"), b"\xff\xfe").expect("written");
    assert_eq!(
        bed.running.reload().await,
        ReloadResult::Failed,
        "not UTF-8"
    );
    assert_eq!(page(&bed).await, 200);
    fs::write(folder.join("a.gate"), SECOND).expect("written");
    assert_eq!(bed.running.reload().await, ReloadResult::Changed);
    assert_eq!(page(&bed).await, 403);
}

#[tokio::test]
async fn the_same_bytes_are_no_reload() {
    let bed = Testbed::with(FIRST, "").await;
    let before = bed.admin("/policy").await.json();
    rename_over(&bed.policy_file(), FIRST);
    let answer = bed.send("admin", &Http::new("POST", "/reload")).await;
    assert_eq!(answer.json()["result"], "unchanged");
    let after = bed.admin("/policy").await.json();
    assert_eq!(before, after, "loaded_at included");
}

#[tokio::test]
async fn a_folder_that_is_made_anew_is_noticed() {
    let bed = Testbed::with(FIRST, "").await;
    let folder = bed.folder().join("policies");
    for round in 0..3 {
        let (text, status) = if round % 2 == 0 {
            (SECOND, 403)
        } else {
            (FIRST, 200)
        };
        let fresh = bed.folder().join("fresh");
        fs::create_dir(&fresh).expect("made");
        fs::write(fresh.join("a.gate"), text).expect("written");
        fs::rename(&folder, bed.folder().join(format!("old-{round}"))).expect("moved");
        fs::rename(&fresh, &folder).expect("moved");
        until("the folder is in force", || async {
            page(&bed).await == status
        })
        .await;
    }
}

/// A ConfigMap as Kubernetes mounts it: `..data` is swapped, and the files are links through it.
#[tokio::test]
async fn a_configmap_is_swapped() {
    let folder = tempfile::tempdir().expect("a folder");
    let mount = folder.path().join("mount");
    fs::create_dir(&mount).expect("made");
    let version = |name: &str, text: &str| {
        let data = mount.join(name);
        fs::create_dir(&data).expect("made");
        fs::write(data.join("orders.gate"), text).expect("written");
    };
    version("..2026_01", FIRST);
    symlink("..2026_01", mount.join("..data")).expect("a link");
    symlink("..data/orders.gate", mount.join("orders.gate")).expect("a link");
    let running = start(Options {
        base: Config::parse(&configuration("")).expect("a configuration"),
        policy: Some(vec![mount.clone()]),
        ..Options::default()
    })
    .await
    .unwrap_or_else(|fault| panic!("{fault}"));
    let http = running
        .address("http")
        .expect("an address")
        .parse()
        .expect("TCP");
    let page = || async {
        exchange(http, &Http::nginx("GET", "/page").bytes())
            .await
            .status
    };
    assert_eq!(page().await, 200);
    for (name, before, text, status) in [
        ("..2026_02", "..2026_01", SECOND, 403),
        ("..2026_03", "..2026_02", FIRST, 200),
    ] {
        version(name, text);
        symlink(name, mount.join("..data_tmp")).expect("a link");
        fs::rename(mount.join("..data_tmp"), mount.join("..data")).expect("swapped");
        fs::remove_dir_all(mount.join(before)).expect("removed");
        until("the new data is in force", || async {
            page().await == status
        })
        .await;
    }
    running.shutdown().await;
}

#[tokio::test]
async fn set_and_key_files_are_part_of_the_policy() {
    let policy = "set office = file \"../sets/office.txt\"\n\
                  api a { host \"api.example.com\" GET /page public if address in office }\n";
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("sets")).expect("made");
    fs::create_dir(folder.path().join("policies")).expect("made");
    let set = folder.path().join("sets/office.txt");
    fs::write(&set, "192.0.2.0/24\n").expect("written");
    fs::write(folder.path().join("policies/a.gate"), policy).expect("written");
    let config = configuration("adapters: {nginx: {address: \"header:x-real-ip\"}}\n");
    let running = start(Options {
        base: Config::parse(&config).expect("a configuration"),
        policy: Some(vec![folder.path().join("policies")]),
        ..Options::default()
    })
    .await
    .unwrap_or_else(|fault| panic!("{fault}"));
    let http = running
        .address("http")
        .expect("an address")
        .parse()
        .expect("TCP");
    let request = Http::nginx("GET", "/page")
        .header("X-Real-IP", "198.51.100.1")
        .bytes();
    let page = || async { exchange(http, &request).await.status };
    assert_eq!(page().await, 403);
    fs::write(&set, "198.51.100.0/24\n").expect("written");
    until("the set is in force", || async { page().await == 200 }).await;
}

#[tokio::test]
async fn the_configuration_changes_too_as_far_as_it_can() {
    let bed = Testbed::with(POLICY, "").await;
    let file = bed.folder().join("portcullis.yaml");
    let hint = || async {
        let answer = bed.send("http", &Http::forward("GET", "/nowhere")).await;
        answer.json()["hint"].is_string()
    };
    assert!(hint().await);
    let revision = bed.admin("/policy").await.json()["revision"].clone();
    fs::write(&file, configuration("explain: reason\n")).expect("written");
    until("the configuration is in force", || async { !hint().await }).await;
    assert_eq!(bed.admin("/policy").await.json()["revision"], revision);

    fs::write(&file, configuration("explian: full\n")).expect("written");
    assert_eq!(bed.running.reload().await, ReloadResult::Failed);
    let state = bed.admin("/policy").await.json();
    let message = state["last_error"]["message"].as_str().expect("an error");
    assert!(message.contains("explian"), "{message}");
    assert!(!hint().await, "what was in force stays");

    // Another port needs a restart; the rest of the file is taken.
    let moved =
        "listeners: {http: \"127.0.0.1:1\", grpc: off, pdp: off, admin: off}\nexplain: full\n";
    fs::write(&file, configuration(moved)).expect("written");
    // The folder is watched as well, and either may take the change first.
    assert_ne!(bed.running.reload().await, ReloadResult::Failed);
    assert!(hint().await);
}

/// Invariant 9: a thousand reloads under load, and every answer comes from one whole policy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_reloads_under_load() {
    // The policies differ in the route, in the headers and in the reason: a mix would be noticed.
    let policy = |header: &str, access: &str| {
        format!(
            "issuer acme {{ url \"https://id.example.com/\" keys file \"keys.json\" }}\n\
             api a {{\n host \"api.example.com\"\n issuer acme\n audience \"https://api.example.com\"\n\
             forward sub as \"{header}\"\n GET /page authenticated\n GET /other {access}\n}}\n"
        )
    };
    let policies = [policy("x-first", "public"), policy("x-second", "denied")];
    let bed = Arc::new(Testbed::with(&policies[0], "reload: {watch: false, settle: 1ms}\n").await);
    let token = bed.token(json!({}));
    let done = Arc::new(AtomicBool::new(false));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (done, token, address) = (done.clone(), token.clone(), bed.address("http"));
        clients.spawn(async move {
            let mut seen = [0_u64; 2];
            let mut stream = TcpStream::connect(address).await.expect("open");
            let page = Http::forward("GET", "/page").bearer(&token).bytes();
            let other = Http::forward("GET", "/other").bytes();
            while !done.load(Ordering::SeqCst) {
                stream.write_all(&page).await.expect("sent");
                let answer = read_answer(&mut stream).await;
                assert_eq!(answer.status, 200, "{answer:?}");
                match (answer.header("x-first"), answer.header("x-second")) {
                    (Some("alice"), None) => seen[0] += 1,
                    (None, Some("alice")) => seen[1] += 1,
                    other => panic!("of neither policy: {other:?}"),
                }
                stream.write_all(&other).await.expect("sent");
                let answer = read_answer(&mut stream).await;
                assert!(
                    matches!(answer.outcome(), (200, "allowed") | (403, "request.denied")),
                    "{answer:?}"
                );
                // Reloads yield to requests: with busy cores, a thousand take minutes.
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            seen
        });
    }
    for round in 0..1000 {
        fs::write(bed.policy_file(), &policies[(round + 1) % 2]).expect("written");
        assert_eq!(bed.running.reload().await, ReloadResult::Changed, "{round}");
    }
    done.store(true, Ordering::SeqCst);
    let seen = clients.join_all().await;
    for policy in 0..2 {
        assert!(seen.iter().any(|seen| seen[policy] > 0), "{seen:?}");
    }
    let metrics = bed.admin("/metrics").await.body;
    assert!(
        metrics.contains(r#"portcullis_reloads_total{result="changed"} 1001"#),
        "{metrics}"
    );
}

/// Files that change while they are read aren't taken half-way.
#[tokio::test]
async fn a_change_in_progress_is_waited_for() {
    let bed = Testbed::with(FIRST, "reload: {watch: false, settle: 150ms}\n").await;
    let second = bed.policy_file().with_file_name("second.gate");
    let files = [bed.policy_file(), second];
    fs::write(
        &files[0],
        "api a { host \"api.example.com\" GET /page denied }\n",
    )
    .expect("written");
    let reload = bed.running.reload();
    let finish = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        fs::write(&files[1], "api a { GET /second public }\n").expect("written");
    };
    let (result, ()) = tokio::join!(reload, finish);
    assert_eq!(result, ReloadResult::Changed);
    let answer = bed.send("http", &Http::nginx("GET", "/second")).await;
    assert_eq!(answer.status, 200, "both files were taken together");
    let files: Value = bed.admin("/policy").await.json()["files"].clone();
    assert_eq!(files.as_array().map(Vec::len), Some(2));
}
