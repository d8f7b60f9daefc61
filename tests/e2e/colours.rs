//! The colours of a policy in an editor, computed with the library that VS Code uses.

use std::path::Path;
use std::process::Command;

use super::process;

#[test]
#[ignore = "needs the proxies: run tests/run"]
fn a_policy_has_the_colours_that_it_should() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(process::program("node"))
        .arg(root.join("tests/world/colours/colours.mjs"))
        .arg(process::world().join("colours"))
        .arg(root.join("editors/vscode/syntaxes/portcullis.tmLanguage.json"))
        .arg(root.join("tests/cases/colours/policy.gate"))
        .output()
        .expect("node runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let colours = String::from_utf8(output.stdout).expect("the output is UTF-8");
    insta::with_settings!({
        snapshot_path => "../cases/colours/snapshots",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, { insta::assert_snapshot!("policy", colours) });
}
