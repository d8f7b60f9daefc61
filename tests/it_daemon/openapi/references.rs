//! `$ref`s: everything that security depends on is read through them, and an unreadable one is an
//! error.

use std::collections::BTreeMap;
use std::fs;

use portcullis::openapi::{Document, DocumentError, FileError, Files, Security, limits};

use crate::cli::support::{folder, run, text};

/// Files in memory.
struct Shelf(BTreeMap<String, String>);

impl Files for Shelf {
    fn read(&self, name: &str, _limit: usize) -> Result<Vec<u8>, FileError> {
        let text = self.0.get(name).ok_or(FileError::NotAFile)?;
        Ok(text.clone().into_bytes())
    }
}

/// The beginning of every document here: an operation without its own security asks for `default`.
const HEAD: &str = "openapi: 3.1.0\ninfo: { title: Orders }\n\
                    servers: [{ url: 'https://api.example.com' }]\nsecurity: [{ login: [default] }]\n";

const LOGIN: &str = "components:\n  securitySchemes:\n    login: { type: openIdConnect, \
                     openIdConnectUrl: 'https://id.example.com/.well-known/openid-configuration' }\n";

fn read(document: &str, files: &[(&str, &str)]) -> Result<Document, DocumentError> {
    let shelf = Shelf(
        files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect(),
    );
    Document::parse_with(document.as_bytes(), "api/openapi.yaml", &shelf)
}

/// Each operation and the scopes it asks for.
fn asked(document: &Document) -> Vec<String> {
    let scopes = |security: &Security| match security {
        Security::Unsaid => "unsaid".to_owned(),
        Security::Public => "public".to_owned(),
        Security::Alternatives { any_of, .. } => any_of
            .iter()
            .flat_map(|alternative| alternative.scopes.iter().cloned())
            .collect::<Vec<_>>()
            .join(" "),
    };
    document
        .operations
        .iter()
        .map(|one| format!("{} {} {}", one.method, one.path, scopes(&one.security)))
        .collect()
}

fn refusal(error: &DocumentError) -> String {
    let file = error.file.as_deref().unwrap_or("-");
    let line = error
        .line
        .map_or_else(String::new, |line| format!(":{line}"));
    format!("{file}{line}: {}", error.message)
}

#[test]
fn security_is_read_through_references() {
    for (paths, more, files, wanted) in [
        // An operation, in the document and in a file.
        (
            "  /a: { get: { $ref: '#/components/x-operations/a' } }\n",
            "  x-operations: { a: { security: [{ login: [admin] }] } }\n",
            &[][..],
            "GET /a admin",
        ),
        (
            "  /a: { get: { $ref: a.yaml } }\n",
            "",
            &[("api/a.yaml", "security: [{ login: [admin] }]\n")],
            "GET /a admin",
        ),
        // A path item, with others beside it, through several files and back.
        (
            "  /a: { $ref: 'items/a.yaml#/a~1b' }\n",
            "  pathItems: { c: { put: { security: [{ login: [admin] }] } } }\n",
            &[
                (
                    "api/items/a.yaml",
                    "a/b: { $ref: '../../b.json', get: {} }\n",
                ),
                (
                    "b.json",
                    "{\"$ref\": \"api/openapi.yaml#/components/pathItems/c\", \"post\": {}}",
                ),
            ],
            "GET /a default\nPOST /a default\nPUT /a admin",
        ),
        // All paths.
        (
            "  $ref: paths.yaml\n",
            "",
            &[(
                "api/paths.yaml",
                "/a: { get: { security: [{ login: [admin] }] } }\n",
            )],
            "GET /a admin",
        ),
        // The list, one of its requirements, what is asked for.
        (
            "  /a: { get: { security: { $ref: 's.yaml#/list' } } }\n",
            "",
            &[("api/s.yaml", "list: [{ login: [admin] }]\n")],
            "GET /a admin",
        ),
        (
            "  /a: { get: { security: [{ $ref: 's.yaml#/one' }] } }\n",
            "",
            &[(
                "api/s.yaml",
                "one: { login: { $ref: '#/scopes' } }\nscopes: [admin]\n",
            )],
            "GET /a admin",
        ),
        // A name that needs escapes.
        (
            "  /a: { get: { $ref: 'x%20y.yaml#/~0%7Bid%7D' } }\n",
            "",
            &[(
                "api/x y.yaml",
                "'~{id}': { security: [{ login: [admin] }] }\n",
            )],
            "GET /a admin",
        ),
    ] {
        let text = format!("{HEAD}paths:\n{paths}{LOGIN}{more}");
        let document = read(&text, files).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(asked(&document).join("\n"), wanted, "{text}");
    }
}

#[test]
fn schemes_servers_and_components_are_read_through_references() {
    let text = format!(
        "{HEAD}paths:\n  /a: {{ servers: {{ $ref: 'm.yaml#/servers' }}, get: {{}} }}\n\
         components: {{ $ref: 'm.yaml#/components' }}\n"
    );
    let more = "servers: [{ url: 'https://other.example.com' }]\n\
                components: { securitySchemes: { $ref: 'n.yaml' } }\n";
    let schemes = "login: { $ref: 'o.yaml' }\n";
    let flows =
        "type: oauth2\nflows: { $ref: '#/x' }\nx: { implicit: { scopes: { default: '' } } }\n";
    let files = [
        ("api/m.yaml", more),
        ("api/n.yaml", schemes),
        ("api/o.yaml", flows),
    ];
    let document = read(&text, &files).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(asked(&document), ["GET /a default"]);
    let [server] = &*document.operations[0].servers else {
        panic!("one server");
    };
    assert_eq!(server.host.as_deref(), Some("other.example.com"));
    assert!(document.schemes["login"].scopes.contains("default"));

    let files = [
        ("api/m.yaml", more),
        ("api/n.yaml", "\nlogin: { flows: {} }\n"),
    ];
    let error = read(&text, &files).expect_err("a scheme without a type");
    assert_eq!(
        refusal(&error),
        "api/n.yaml:2: a security scheme has no `type`"
    );
}

/// OpenAPI 3.2 lets a requirement name its scheme by a URI.
#[test]
fn a_requirement_may_name_a_uri_since_3_2() {
    let text = format!(
        "{HEAD}paths:\n  /a: {{ get: {{ security: [{{ 'schemes.yaml#/admin': [admin] }}] }} }}\n{LOGIN}"
    );
    let files = [("api/schemes.yaml", "admin: { type: oauth2 }\n")];
    let document = read(&text.replace("3.1.0", "3.2.0"), &files).expect("a document");
    assert_eq!(asked(&document), ["GET /a admin"]);
    let error = read(&text, &files).expect_err("3.1 has names only");
    assert!(error.message.contains("no security scheme"), "{error}");
}

#[test]
fn an_unresolved_reference_is_an_error() {
    for (paths, files, message) in [
        (
            "  /a: { get: { $ref: b.yaml } }\n",
            &[][..],
            "-:6: the file of the `$ref` `b.yaml` can't be read: it is not a file",
        ),
        (
            "  /a: { get: { $ref: '../../b.yaml' } }\n",
            &[],
            "-:6: the `$ref` `../../b.yaml` leads out of the folder of `--root`",
        ),
        (
            "  /a: { get: { $ref: 'https://example.com/b.yaml' } }\n",
            &[],
            "-:6: the `$ref` `https://example.com/b.yaml` leads out of the folder of `--root`",
        ),
        (
            "  /a: { get: { $ref: 'b.yaml#/x' } }\n",
            &[("api/b.yaml", "y: {}\n")],
            "-:6: the `$ref` `b.yaml#/x` leads nowhere",
        ),
        (
            "  /a: { get: { $ref: '#anchor' } }\n",
            &[],
            "-:6: the `$ref` `#anchor` leads nowhere",
        ),
        (
            "  /a: { get: { $ref: b.yaml } }\n",
            &[("api/b.yaml", "a: [\n")],
            "api/b.yaml:2: the document is not YAML: ",
        ),
        (
            "  /a: { get: { $ref: b.yaml } }\n",
            &[
                ("api/b.yaml", "x: 1\n$ref: c.yaml\n"),
                ("api/c.yaml", "\n$ref: b.yaml\n"),
            ],
            "api/c.yaml:2: more than 32 `$ref`s lead from one to the next",
        ),
        (
            "  /a: { get: { $ref: b.yaml } }\n",
            &[("api/b.yaml", "- x\n")],
            "-:6: the operation GET `/a` is not a mapping",
        ),
        (
            "  /a: { get: { $ref: [b.yaml] } }\n",
            &[],
            "-:6: a `$ref` is not a string",
        ),
        // Tools read these in two ways.
        (
            "  /a: { get: { $ref: b.yaml, security: [] } }\n",
            &[("api/b.yaml", "{}")],
            "-:6: `security` is beside a `$ref`, where some tools read it and others don't",
        ),
        (
            "  /a: { $ref: b.yaml, get: { security: [] } }\n",
            &[("api/b.yaml", "x-a: 1\nget: { security: [{ login: [] }] }\n")],
            "api/b.yaml:2: `get` is both beside a `$ref` and in its target",
        ),
        (
            "  /a: { get: { $ref: 'b.yaml#/paths/~1a/get' } }\n",
            &[(
                "api/b.yaml",
                "openapi: 3.1.0\nsecurity: []\npaths: { /a: { get: {} } }\n",
            )],
            "-:6: an operation without `security` is in a file whose own `security` is not that of the document",
        ),
        (
            "  /a: { get: { $ref: 'b.yaml#/get' } }\n",
            &[(
                "api/b.yaml",
                "get: { security: [{ login: [] }] }\n\
                 components: { securitySchemes: { login: { type: apiKey } } }\n",
            )],
            "api/b.yaml:1: the document and the file that asks for the security scheme `login` declare it differently",
        ),
    ] {
        let text = format!("{HEAD}paths:\n{paths}{LOGIN}");
        let error = read(&text, files).expect_err(&text);
        let refusal = refusal(&error);
        assert!(refusal.starts_with(message), "{refusal}\n{text}");
    }
    let text = format!("{HEAD}$self: https://example.com/\npaths: {{ $ref: b.yaml }}\n{LOGIN}");
    let error = read(&text, &[("api/b.yaml", "{}")]).expect_err("another base");
    assert!(
        error
            .message
            .contains("is relative to the document's `$self`"),
        "{error}"
    );
}

#[test]
fn files_are_bounded_in_number_and_size() {
    let paths: String = (0..limits::MAX_FILES)
        .map(|number| format!("  /a{number}: {{ $ref: 'f{number}.yaml' }}\n"))
        .collect();
    let names: Vec<String> = (0..limits::MAX_FILES)
        .map(|number| format!("api/f{number}.yaml"))
        .collect();
    let many: Vec<(&str, &str)> = names
        .iter()
        .map(|name| (name.as_str(), "get: {}\n"))
        .collect();
    let text = format!("{HEAD}paths:\n{paths}{LOGIN}");
    let error = read(&text, &many).expect_err("too many files");
    assert!(error.message.contains("one file too many"), "{error}");

    let large = format!("get: {{}}\n#{}", "#".repeat(limits::MAX_BYTES / 2));
    let large = ["api/f0.yaml", "api/f1.yaml"].map(|name| (name, large.as_str()));
    let error = read(&text, &large).expect_err("files that are too large");
    assert_eq!(
        error.message,
        "the document and its files are larger than 32 MiB together"
    );
}

/// Each of thousands of `$ref`s into one large mapping costs a lookup, not a walk.
#[test]
fn many_references_into_a_large_mapping_are_found() {
    let number = 20_000;
    let paths: String = (0..number)
        .map(|one| format!("  /a{one}: {{ get: {{ $ref: '#/components/x/a{one}' }} }}\n"))
        .collect();
    let operations: String = (0..number)
        .map(|one| format!("    a{one}: {{ security: [{{ login: [s{one}] }}] }}\n"))
        .collect();
    let text = format!("{HEAD}paths:\n{paths}{LOGIN}  x:\n{operations}");
    let document = read(&text, &[]).expect("a document");
    assert_eq!(document.operations.len(), number);
    assert_eq!(
        asked(&document)[number - 1],
        format!("GET /a{0} s{0}", number - 1)
    );
}

const SPLIT: &str = "paths:\n  /a: { get: { $ref: parts/a.yaml } }\n";

/// Without `--root` both commands end with an error that names it; with it they read the file.
#[test]
fn both_commands_follow_files_below_the_root_folder() {
    let folder = folder(&[
        ("api/openapi.yaml", &format!("{HEAD}{SPLIT}{LOGIN}")),
        (
            "api/parts/a.yaml",
            "operationId: a\nsecurity: [{ login: [admin] }]\n",
        ),
    ]);
    let path = |name: &str| text(folder.path().join(name));
    let (document, policy) = (path("api/openapi.yaml"), path("p.gate"));
    let import = ["import", "openapi", &document];
    let ran = run(&import);
    assert_eq!(ran.code, Some(2), "{}", ran.everything());
    for words in ["leads out of the document", "--root FOLDER"] {
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
    for root in [path(""), path("api")] {
        let ran = run(&[&import[..], &["--root", &root]].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.everything());
        assert!(
            ran.stdout.contains("requires scope \"admin\""),
            "{}",
            ran.stdout
        );
        let drifted = ran.stdout.replace("\"admin\"", "\"other\"");
        fs::write(&policy, drifted).expect("the policy is written");
        let coverage = ["coverage", &policy, "--openapi", &document];
        assert_eq!(run(&coverage).code, Some(2));
        let ran = run(&[&coverage[..], &["--root", &root, "--format", "json"]].concat());
        assert_eq!(ran.code, Some(1), "{}", ran.everything());
        let finding = &ran.json()["findings"][0];
        assert_eq!(finding["kind"], "scope-not-asked");
        assert_eq!(finding["operations"][0]["file"], document.as_str());
    }
    // The document itself has to be below it.
    let ran = run(&[&import[..], &["--root", &path("api/parts")]].concat());
    assert_eq!(ran.code, Some(2), "{}", ran.everything());
    assert!(
        ran.stderr
            .contains("does not lie below the folder of `--root`")
    );
}

#[test]
fn a_place_in_another_file_is_shown_with_that_file() {
    let split = format!("{HEAD}paths: {{ $ref: paths.yaml }}\n{LOGIN}");
    let folder = folder(&[
        ("bad/openapi.yaml", &split),
        (
            "bad/paths.yaml",
            "\n/a:\n  get: { security: [{ nobody: [] }] }\n",
        ),
        ("fine/openapi.yaml", &split),
        ("fine/paths.yaml", "\n/a:\n  get: {}\n"),
        ("p.gate", "api a {\n    host \"api.example.com\"\n}\n"),
    ]);
    let path = |name: &str| text(folder.path().join(name));
    let ran = run(&[
        "import",
        "openapi",
        &path("bad/openapi.yaml"),
        "--root",
        &path("bad"),
    ]);
    let place = format!(
        "{}:3: the document has no security scheme",
        path("bad/paths.yaml")
    );
    assert!(ran.stderr.contains(&place), "{}", ran.stderr);
    let ran = run(&[
        "coverage",
        &path("p.gate"),
        "--openapi",
        &path("fine/openapi.yaml"),
        "--root",
        &path("fine"),
    ]);
    let place = format!("({}:3)", path("fine/paths.yaml"));
    assert!(ran.stdout.contains(&place), "{}", ran.everything());
}

/// A link may be anywhere below the folder, but may not lead out of it; a pipe would block for
/// ever.
#[cfg(unix)]
#[test]
fn no_link_leads_out_of_the_root_folder() {
    use std::os::unix::fs::symlink;

    let folder = folder(&[
        ("secret.yaml", "security: [{ login: [secret] }]\n"),
        ("a.yaml", "security: [{ login: [secret] }]\n"),
        ("api/openapi.yaml", &format!("{HEAD}{SPLIT}{LOGIN}")),
        ("api/real/a.yaml", "security: [{ login: [admin] }]\n"),
    ]);
    let path = |name: &str| text(folder.path().join(name));
    let import = || {
        run(&[
            "import",
            "openapi",
            &path("api/openapi.yaml"),
            "--root",
            &path("api"),
        ])
    };
    fs::create_dir(path("api/parts")).expect("a folder");
    for (target, words) in [
        (
            "../../secret.yaml",
            "a link leads out of the folder of `--root`",
        ),
        ("a.yaml", "can't be read"),
        ("../real", "it is not a file"),
    ] {
        symlink(target, path("api/parts/a.yaml")).expect("a link");
        let ran = import();
        assert_eq!(ran.code, Some(2), "{target}: {}", ran.everything());
        assert!(ran.stderr.contains(words), "{target}: {}", ran.stderr);
        fs::remove_file(path("api/parts/a.yaml")).expect("the link is removed");
    }
    symlink("../real/a.yaml", path("api/parts/a.yaml")).expect("a link");
    let ran = import();
    assert_eq!(ran.code, Some(0), "{}", ran.everything());
    assert!(
        ran.stdout.contains("requires scope \"admin\""),
        "{}",
        ran.stdout
    );

    fs::remove_dir_all(path("api/parts")).expect("the folder is removed");
    symlink("..", path("api/parts")).expect("a link");
    let ran = import();
    assert_eq!(ran.code, Some(2), "{}", ran.everything());
    assert!(ran.stderr.contains("a link leads out"), "{}", ran.stderr);
}
