//! The decision log when it can't be written.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::harness::{Answer, Http, POLICY, Testbed, until};

/// A path that makes its line long, so that few lines fill the buffer.
fn request() -> Http {
    Http::nginx("GET", format!("/health?x={}", "x".repeat(10))).host(&"h".repeat(500))
}

async fn id(bed: &Testbed) -> (Answer, String) {
    let answer = bed.send("http", &request()).await;
    let id = answer.header("x-portcullis-decision").expect("a number");
    let id = id.to_owned();
    (answer, id)
}

/// A folder where the file was: each attempt to write fails, as with a full disk.
#[tokio::test]
async fn no_decision_is_made_without_its_line_if_the_configuration_says_so() {
    let config = "log: {decisions: decisions.log, on_full: deny, buffer_bytes: 65536}\n";
    let bed = Testbed::with(POLICY, config).await;
    let file = bed.folder().join("decisions.log");
    let moved = bed.folder().join("moved.log");
    fs::rename(&file, &moved).expect("moved");
    fs::create_dir(&file).expect("a folder");
    let mut answered = BTreeSet::new();
    let mut denied = BTreeSet::new();
    let mut both = |answer: &Answer, id: String| {
        let is_full = answer.reason() == "internal";
        let ids = if is_full { &mut denied } else { &mut answered };
        ids.insert(id);
        is_full
    };
    let mut full = false;
    for _ in 0..2000 {
        let (answer, number) = id(&bed).await;
        full = both(&answer, number);
        if full {
            break;
        }
    }
    assert!(full, "the buffer is never full");
    let text = bed.admin("/metrics").await.body;
    let counted = "portcullis_decision_log_dropped_lines_total 1";
    assert!(text.lines().any(|line| line == counted), "{text}");
    let internal = r#"decision="deny",reason="internal"} 1"#;
    assert!(text.contains(internal), "{text}");
    let (answer, number) = id(&bed).await;
    assert!(both(&answer, number), "as long as it is full");
    fs::remove_dir(&file).expect("removed");
    until("there is room again", || async {
        bed.send("http", &request()).await.reason() != "internal"
    })
    .await;
    bed.running.shutdown().await;
    let text =
        fs::read_to_string(&moved).expect("the log") + &fs::read_to_string(&file).expect("a log");
    let written: BTreeSet<String> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .map(|line| line["decision_id"].as_str().expect("a number").to_owned())
        .collect();
    assert!(
        answered.is_subset(&written),
        "{} lines are lost",
        answered.difference(&written).count()
    );
    assert!(denied.is_disjoint(&written));
}
