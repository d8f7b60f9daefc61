//! The example policies have no warnings and pass their own tests.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use portcullis::diagnostic::render;

use crate::support::expectations;
use crate::support::policy::{check_files, check_text};

#[test]
fn they_have_no_warning_and_do_what_their_tests_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let mut folders = 0;
    for folder in fs::read_dir(root).expect("policies/") {
        let folder = folder.expect("an entry").path();
        let name = folder.display();
        let files: BTreeMap<String, Vec<u8>> = fs::read_dir(&folder)
            .expect("a folder of a policy")
            .map(|file| {
                let path = file.expect("an entry").path();
                let file = path.file_name().expect("a file has a name");
                let content = fs::read(&path).expect("the file is readable");
                (file.to_string_lossy().into_owned(), content)
            })
            .collect();
        let set = check_files(&files, &BTreeMap::new());
        let shown = render::human(&set.sources, &set.checked.diagnostics, false);
        assert!(shown.is_empty(), "{name}:\n{shown}");
        let model = set.checked.model.expect("a policy without errors");
        let (count, wrong) = expectations::run(&model, set.sources);
        assert!(count > 0, "{name} has no tests");
        assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
        folders += 1;
    }
    assert!(folders >= 5, "the policies were not found");
}

/// The test runner can fail.
#[test]
fn a_test_that_is_not_true_is_reported() {
    let set = check_text(
        r#"
        api site {
            host  "www.example.com"
            GET /  public
        }
        test "wrong thrice" {
            GET /       is denied
            GET /else   is allowed
            GET /else   is denied by request.denied
            GET /else   is denied by request.no_route
        }
        "#,
    );
    let model = set.checked.model.expect("a policy without errors");
    let (count, wrong) = expectations::run(&model, set.sources);
    assert_eq!((count, wrong.len()), (4, 3), "{wrong:?}");
}
