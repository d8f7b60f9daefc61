//! The commands: exit codes, options, messages.

use std::fs;

use crate::cli::support::{folder, run, run_with_input, text};

const DOCUMENT: &str = "openapi: 3.0.0\ninfo: { title: Shop }\nservers: [{ url: 'https://SERVER' }]\n\
                        paths:\n  /a: { get: { operationId: a, security: [] } }\n";

const TWO: &str = "api one { host \"one.example.com\" GET /a public }\n\
                   api two { host \"two.example.com\" GET /b public }\n";

#[test]
fn which_api_is_meant() {
    let case = |server: &str, api: &[&str]| {
        let folder = folder(&[
            ("policy/p.gate", TWO),
            ("openapi.yaml", &DOCUMENT.replace("https://SERVER", server)),
        ]);
        let policy = text(folder.path().join("policy"));
        let document = text(folder.path().join("openapi.yaml"));
        let mut arguments = vec!["coverage", &policy, "--openapi", &document];
        arguments.extend(api);
        let ran = run(&arguments);
        let line = ran.stderr.lines().next().unwrap_or_default().to_owned();
        (ran.code, line)
    };
    assert_eq!(case("https://one.example.com", &[]).0, Some(0));
    assert_eq!(
        case("https://one.example.com", &["--api", "one"]).0,
        Some(0)
    );
    assert_eq!(case("https://two.example.com", &[]).0, Some(1));
    assert_eq!(case("/", &["--api", "one"]).0, Some(0));
    for (server, api, error) in [
        (
            "/",
            &[][..],
            "error: the document names no host, and the policy has several APIs",
        ),
        (
            "https://three.example.com",
            &[],
            "error: no API of the policy has a host of the document's servers: `three.example.com`",
        ),
        (
            "/",
            &["--api", "three"],
            "error: the policy has no API `three`",
        ),
    ] {
        assert_eq!(case(server, api), (Some(2), error.to_owned()), "{server}");
    }
}

#[test]
fn what_cannot_be_read_is_exit_code_2() {
    let folder = folder(&[
        ("p.gate", TWO),
        ("swagger.yaml", "swagger: '2.0'\n"),
        ("none.yaml", "a: [\n"),
    ]);
    let path = |name: &str| text(folder.path().join(name));
    for name in ["swagger.yaml", "none.yaml", "nowhere.yaml"] {
        for arguments in [
            &["import", "openapi", &path(name)][..],
            &["coverage", &path("p.gate"), "--openapi", &path(name)],
        ] {
            let ran = run(arguments);
            assert_eq!(ran.code, Some(2), "{name}: {}", ran.everything());
            assert_eq!(ran.stdout, "");
            assert!(ran.stderr.contains(name), "{}", ran.stderr);
        }
    }
}

#[test]
fn import_takes_what_no_document_tells_and_writes_over_nothing() {
    let document = DOCUMENT.replace("SERVER", "api.example.com") + "  /b: { get: {} }\n";
    let arguments = [
        "import",
        "openapi",
        "-",
        "--api",
        "token",
        "--issuer",
        "https://idp.example.com/",
        "--audience",
        "shop",
    ];
    let ran = run_with_input(&arguments, &document);
    assert_eq!(ran.code, Some(0), "{}", ran.everything());
    for words in [
        "api token_api {",
        "\"https://idp.example.com/\"",
        "audience  \"shop\"",
    ] {
        assert!(ran.stdout.contains(words), "{words}: {}", ran.stdout);
    }

    let folder = folder(&[("openapi.yaml", &document), ("p.gate", "mine")]);
    let path = |name: &str| text(folder.path().join(name));
    let again = run(&[
        "import",
        "openapi",
        &path("openapi.yaml"),
        "-o",
        &path("p.gate"),
    ]);
    assert_eq!(again.code, Some(2), "{}", again.everything());
    let kept = fs::read_to_string(path("p.gate")).expect("the file");
    assert_eq!(kept, "mine");
    // A missing folder is created.
    let fresh = path("policies/shop/p.gate");
    let made = run(&["import", "openapi", &path("openapi.yaml"), "-o", &fresh]);
    assert_eq!(made.code, Some(0), "{}", made.everything());
    assert!(fs::read_to_string(fresh).is_ok_and(|text| text.contains("api ")));
}
