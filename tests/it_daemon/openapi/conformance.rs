//! Real documents of real APIs: read, imported, and compared with the imported policies.

use portcullis::openapi::Document;

use super::round;
use crate::support::conformance;

#[test]
fn real_documents_are_what_the_policies_made_of_them_say() {
    for (file, operations) in [
        ("petstore.yaml", 19),
        ("xero_projects.yaml", 16),
        ("spotify.yaml", 96),
        ("box.json", 296),
    ] {
        let Some(bytes) = conformance::bytes(&format!("openapi/{file}")) else {
            continue;
        };
        let document = Document::parse(&bytes).expect("a document");
        assert_eq!(document.operations.len(), operations, "{file}");
        assert!(
            document.operations.iter().all(|one| one.line.is_some()),
            "{file}: each operation has a line"
        );
        let (report, text) = round(&document);
        assert_eq!(report.findings, [], "{file}:\n{text}");
        assert_eq!(report.agreeing, operations, "{file}");
    }
}

#[test]
fn a_line_is_where_the_operation_begins() {
    for file in ["petstore.yaml", "box.json"] {
        let Some(bytes) = conformance::bytes(&format!("openapi/{file}")) else {
            continue;
        };
        let document = Document::parse(&bytes).expect("a document");
        let text = String::from_utf8(bytes).expect("UTF-8");
        let lines: Vec<&str> = text.lines().collect();
        for operation in &document.operations {
            let line = operation.line.expect("a line") as usize;
            let method = operation.method.as_str().to_ascii_lowercase();
            let found = lines[line - 1].trim().trim_start_matches('"');
            assert!(found.starts_with(&method), "{file}:{line}: {found}");
        }
    }
}
