//! The syntax of other tools, and other mistakes of newcomers: each is one error, and its help
//! leads to the fix.

use portcullis::diagnostic::Severity;

use super::suggestions::applied;
use super::*;
use crate::support::policy::check_text;

const HEAD: &str = "language 1\n\nissuer idp {\n    url  \"https://id.example.com/\"\n}\n\n\
                    api a {\n    host      \"api.example.com\"\n    issuer    idp\n    audience  \"x\"\n\n";

/// A policy with this line in its API.
fn with_line(line: &str) -> String {
    format!("{HEAD}    {line}\n}}\n")
}

/// The only error of a text, or all its errors.
fn only_error(text: &str) -> Result<Diagnostic, String> {
    let set = check_text(text);
    let errors: Vec<Diagnostic> = set
        .checked
        .diagnostics
        .into_iter()
        .filter(|diagnostic| diagnostic.severity() == Severity::Error)
        .collect();
    match errors.as_slice() {
        [error] => Ok(error.clone()),
        errors => Err(errors
            .iter()
            .map(|error| format!("\n  {} ({:?})", error.message, error.help))
            .collect()),
    }
}

/// The text, what the help has to name, and the line after the suggestion.
const WRITTEN: &[(&str, &str, Option<&str>)] = &[
    // Roles, users and other claims.
    (
        r#"GET /a requires role "admin""#,
        r#"claim roles contains "admin""#,
        Some(r#"GET /a requires claim roles contains "admin""#),
    ),
    (
        "GET /a requires role/user",
        r#"claim roles contains "user""#,
        Some(r#"GET /a requires claim roles contains "user""#),
    ),
    (
        r#"GET /a requires scope "a" and not user "alice""#,
        r#"claim sub == "alice""#,
        Some(r#"GET /a requires scope "a" and not claim sub == "alice""#),
    ),
    (
        r#"GET /a requires acr "mfa""#,
        r#"claim acr == "mfa""#,
        Some(r#"GET /a requires claim acr == "mfa""#),
    ),
    (
        r#"GET /a requires claim "https://acme.example/roles" contains "admin""#,
        r#"roles list of string from "https://acme.example/roles""#,
        None,
    ),
    (
        r#"GET /a requires claim cognito:groups contains "admin""#,
        r#"groups list of string from "cognito:groups""#,
        None,
    ),
    (
        r#"GET /a requires claim realm_access.roles contains "admin""#,
        "roles list of string from realm_access.roles",
        None,
    ),
    (
        r#"GET /a requires claim urn:acme:plan == "pro""#,
        r#"plan string from "urn:acme:plan""#,
        None,
    ),
    (
        r#"GET /a requires claim "sub" == "x""#,
        "a bare word is a name",
        Some(r#"GET /a requires claim sub == "x""#),
    ),
    // Several values.
    (
        r#"GET /a requires scope "a", "b""#,
        r#"`scope all ["a", "b"]`"#,
        None,
    ),
    (
        r#"GET /a requires scope "a" "b""#,
        r#"`scope any ["a", "b"]`"#,
        None,
    ),
    (
        r#"GET /a requires scope all "a", "b""#,
        "[…]",
        Some(r#"GET /a requires scope all ["a", "b"]"#),
    ),
    (
        r#"GET /a requires address in "10.0.0.0/8""#,
        "[…]",
        Some(r#"GET /a requires address in ["10.0.0.0/8"]"#),
    ),
    (
        r#"GET /a requires any ["a", "b"]"#,
        "scope any",
        Some(r#"GET /a requires scope any ["a", "b"]"#),
    ),
    (
        r#"GET /a requires claim sub == "a", "b""#,
        r#"in ["a", "b"]"#,
        None,
    ),
    // Accesses.
    (
        "GET /a requires authenticated",
        "without `requires`",
        Some("GET /a authenticated"),
    ),
    (
        r#"GET /a requires authenticated and scope "a""#,
        "leave",
        Some(r#"GET /a requires scope "a""#),
    ),
    (
        "GET /a requires public",
        "without `requires`",
        Some("GET /a public"),
    ),
    ("GET /a permitAll", "public", Some("GET /a public")),
    ("GET /a permitAll()", "public", Some("GET /a public")),
    ("GET /a deny", "denied", Some("GET /a denied")),
    (
        "GET /a allow",
        "authenticated",
        Some("GET /a authenticated"),
    ),
    ("GET /a => public", "after a blank", Some("GET /a  public")),
    ("GET /a -> public", "after a blank", Some("GET /a  public")),
    ("GET /a { public }", "one line", None),
    // Functions.
    (
        "GET /a requires hasRole('ADMIN')",
        r#"claim roles contains "ADMIN""#,
        Some(r#"GET /a requires claim roles contains "ADMIN""#),
    ),
    (
        "GET /a requires hasAnyRole('A', 'B')",
        r#"contains any ["A", "B"]"#,
        Some(r#"GET /a requires claim roles contains any ["A", "B"]"#),
    ),
    (
        r#"GET /a hasAuthority("SCOPE_read")"#,
        r#"requires scope "read""#,
        Some(r#"GET /a requires scope "read""#),
    ),
    (
        "GET /a requires isAuthenticated()",
        "authenticated",
        Some("GET /a authenticated"),
    ),
    (
        "GET /a authenticated()",
        "authenticated",
        Some("GET /a authenticated"),
    ),
    ("GET /a requires isOwner(id)", "a condition is a test", None),
    // Operators.
    (
        r#"GET /a requires scope "a" && scope "b""#,
        "and",
        Some(r#"GET /a requires scope "a" and scope "b""#),
    ),
    (
        r#"GET /a requires !scope "a"||scope "b""#,
        "not",
        Some(r#"GET /a requires not scope "a" or scope "b""#),
    ),
    (
        r#"GET /a requires claim sub = "x""#,
        "==",
        Some(r#"GET /a requires claim sub == "x""#),
    ),
    (
        r#"GET /a requires claim sub === "x""#,
        "equality",
        Some(r#"GET /a requires claim sub == "x""#),
    ),
    (
        r#"GET /a requires claim sub =~ "a.*""#,
        "no regular expressions",
        None,
    ),
    (
        "GET /a requires claim sub != null",
        "present",
        Some("GET /a requires claim sub present"),
    ),
    (
        r#"GET /a requires: scope "a""#,
        "spaces",
        Some(r#"GET /a requires scope "a""#),
    ),
    (
        r#"GET /a requires scope: "a""#,
        "spaces",
        Some(r#"GET /a requires scope "a""#),
    ),
    (
        "GET /a authenticated;",
        "the next one begins",
        Some("GET /a authenticated"),
    ),
    (
        "GET /a authenticated,",
        "the next one begins",
        Some("GET /a authenticated"),
    ),
    (
        "GET /a authenticated // why",
        "begin with `#`",
        Some("GET /a authenticated #  why"),
    ),
    (
        "GET /a authenticated; // why",
        "the next one begins",
        Some("GET /a authenticated #  why"),
    ),
    (
        "GET /a authenticated /* why */",
        "begin with `#`",
        Some("GET /a authenticated #  why */"),
    ),
    // Quotes.
    (
        "GET /a requires scope “a”",
        "put text between",
        Some(r#"GET /a requires scope "a""#),
    ),
    (
        "GET /a requires scope ‘a’ && scope «b»",
        "put text between",
        Some(r#"GET /a requires scope "a" and scope "b""#),
    ),
    (
        "GET /a requires scope 'a b'",
        "put text between",
        Some(r#"GET /a requires scope "a b""#),
    ),
    (r#"GET /a requires scope "a"#, "end it with", None),
    (
        "GET /a requires scope read:a",
        "in quotes",
        Some(r#"GET /a requires scope "read:a""#),
    ),
    (
        r#"GET /a requires header X-A == "b""#,
        "in quotes",
        Some(r#"GET /a requires header "X-A" == "b""#),
    ),
    // Letters in another case.
    (
        r#"GET /a requires scope ALL ["a", "b"]"#,
        "lower case",
        Some(r#"GET /a requires scope all ["a", "b"]"#),
    ),
    (
        r#"GET /a Requires SCOPE ANY ["a", "b"]"#,
        "",
        Some(r#"GET /a requires scope any ["a", "b"]"#),
    ),
    (
        r#"GET /a requires NOT scope "a""#,
        "lower case",
        Some(r#"GET /a requires not scope "a""#),
    ),
    (
        r#"GET /a requires scope "a" AND scope "b""#,
        "",
        Some(r#"GET /a requires scope "a" and scope "b""#),
    ),
    ("get /a public", "upper case", Some("GET /a public")),
    ("ALL /a public", "every method", Some("* /a public")),
    ("any /a public", "every method", Some("* /a public")),
    ("GET|POST /a public", "`,`", Some("GET,POST /a public")),
    // Any valid token, and the checks of each token.
    (
        "GET /a requires valid token",
        "`authenticated`",
        Some("GET /a authenticated"),
    ),
    (
        "GET /a requires token",
        "`authenticated`",
        Some("GET /a authenticated"),
    ),
    (
        "GET /a requires login",
        "`authenticated`",
        Some("GET /a authenticated"),
    ),
    ("GET /a requires jwt", "`authenticated`", None),
    (
        "GET /a authenticated with scope \"a\"",
        "needs a valid token",
        Some("GET /a requires scope \"a\""),
    ),
    (r#"GET /a requires audience "x""#, "setting `audience", None),
    (r#"GET /a requires aud == "x""#, "setting `audience", None),
    (
        r#"GET /a requires iss "https://id.example.com/""#,
        "token from",
        None,
    ),
    // Tests and values.
    (
        r#"GET /a requires address "10.0.0.0/8""#,
        "address in",
        Some(r#"GET /a requires address in ["10.0.0.0/8"]"#),
    ),
    (
        "GET /a requires address in 10.0.0.0/8",
        "address in",
        Some(r#"GET /a requires address in ["10.0.0.0/8"]"#),
    ),
    (
        "GET /a requires method GET",
        "== GET",
        Some("GET /a requires method == GET"),
    ),
    (
        r#"GET /a requires claim sub "x""#,
        r#"claim sub == "x""#,
        None,
    ),
    (
        r#"GET /a requires header "x-a" "b""#,
        "==",
        Some(r#"GET /a requires header "x-a" == "b""#),
    ),
    (
        r#"GET /a requires header["x-a"] == "b""#,
        r#"header "x-a""#,
        Some(r#"GET /a requires header "x-a" == "b""#),
    ),
    (
        r#"GET /a requires claims["sub"] == "b""#,
        "`claim`",
        Some(r#"GET /a requires claim sub == "b""#),
    ),
    (
        r#"GET /a requires claim.sub == "b""#,
        "claim sub",
        Some(r#"GET /a requires claim sub == "b""#),
    ),
    (
        "GET /a requires scope(\"a\")",
        "scope \"a\"",
        Some("GET /a requires scope \"a\""),
    ),
    (
        "GET /a requires scope any('a', 'b')",
        "any [",
        Some(r#"GET /a requires scope any ["a", "b"]"#),
    ),
    (
        "GET /a requires scope=a",
        "write `scope",
        Some("GET /a requires scope \"a\""),
    ),
    (
        "GET /a scope:a",
        "follows `requires`",
        Some("GET /a requires scope \"a\""),
    ),
    (
        r#"GET /a requires scope "a" in token"#,
        "of the token",
        Some(r#"GET /a requires scope "a""#),
    ),
    (
        r#"GET /a requires "a" in claim roles"#,
        "value last",
        Some(r#"GET /a requires claim roles contains "a""#),
    ),
    (
        r#"GET /a requires claim roles contains "a" or "b""#,
        "in full",
        Some(r#"GET /a requires claim roles contains "a" or claim roles contains "b""#),
    ),
    (r#"GET /a requires claim sub == ["a", "b"]"#, "in […]", None),
    (
        r#"GET /a requires user == "alice""#,
        "claim sub",
        Some(r#"GET /a requires claim sub == "alice""#),
    ),
    (
        r#"GET /a requires roles ["a"]"#,
        "claim roles",
        Some(r#"GET /a requires claim roles contains any ["a"]"#),
    ),
    (
        "GET /a/{id} requires claim sub == {id}",
        "path.id",
        Some("GET /a/{id} requires claim sub == path.id"),
    ),
    (
        "GET /a/{id} requires claim sub == path[\"id\"]",
        "path.id",
        Some("GET /a/{id} requires claim sub == path.id"),
    ),
    (
        r#"GET /a requires (scope "a" and scope "b""#,
        "close it with `)`",
        Some(r#"GET /a requires (scope "a" and scope "b")"#),
    ),
    (
        r#"GET /a requires { scope "a" }"#,
        "a condition is a test",
        None,
    ),
    (
        r#"GET /a requires scope "a" unless scope "b""#,
        "and not",
        Some(r#"GET /a requires scope "a" and not scope "b""#),
    ),
    (
        r#"GET /a requires all(scope "a", scope "b")"#,
        "joined by `and`",
        None,
    ),
    (
        "GET /a requires scope \"a\"\n        claim sub == \"x\"",
        "begins with `and`",
        None,
    ),
    // Quotation marks: one is missing, or is of another kind.
    (
        "GET /a requires scope “a\"",
        "put text between",
        Some("GET /a requires scope \"a\""),
    ),
    (
        "GET /a requires scope \"a”",
        "put text between",
        Some("GET /a requires scope \"a\""),
    ),
    (
        "GET /a requires scope b\"",
        "\"b\"",
        Some("GET /a requires scope \"b\""),
    ),
    // Lines of other tools.
    ("p, alice, data1, read", "METHODS PATH ACCESS", None),
    (
        "- path: /a\n      access: public",
        "METHODS PATH ACCESS",
        None,
    ),
    ("app.get('/a', auth)", "METHODS PATH ACCESS", None),
    (
        "PathPrefix(`/a`) && Method(`GET`)",
        "METHODS PATH ACCESS",
        None,
    ),
    (
        "antMatchers(\"/a\").permitAll()",
        "METHODS PATH ACCESS",
        None,
    ),
    ("deny all;", "METHODS PATH ACCESS", None),
    ("[GET, POST] /a public", "commas", None),
    (r#""GET" /a public"#, "quotes", Some("GET /a public")),
    (
        "GET and POST /a public",
        "`,`",
        Some("GET , POST /a public"),
    ),
    ("/*\n     * why\n     */\n    GET /a public", "`#`", None),
    (
        "GET /a public -- why",
        "begin with `#`",
        Some("GET /a public #  why"),
    ),
    // Paths.
    ("GET ^/g public", "not a regular expression", None),
    (
        "GET ^/g$ public",
        "not a regular expression",
        Some("GET /g public"),
    ),
    (r"GET ~* \.php$ public", "not a regular expression", None),
    ("GET a public", "begins with `/`", Some("GET /a public")),
    ("GET /a/* public", "{id}", Some("GET /a/{id} public")),
    ("GET /a/<id> public", "braces", Some("GET /a/{id} public")),
    (
        "GET /a/{id:[0-9]+} public",
        "not a regular expression",
        None,
    ),
    ("GET /a/{id:int} public", "`path.`", None),
    ("* /**/healthz public", "a line for each depth", None),
    ("GET /a: public", "after a space", Some("GET /a public")),
    ("GET /a/(.*) public", "not a regular expression", None),
    ("GET /a/[0-9]+ public", "not a regular expression", None),
    ("GET * public", "any path", Some("GET /** public")),
    ("GET /a, /b public", "a line for each", None),
    ("GET /a /b public", "a line for each", None),
    ("GET /a OR /b public", "a line for each", None),
    ("GET /a or /b public", "a line for each", None),
    ("GET /a | /b public", "a line for each", None),
    (
        "GET https://api.example.com/a public",
        "host \"api.example.com\"",
        Some("GET /a public"),
    ),
    // Settings.
    (
        "scopes [\"a\", \"b\"]",
        "commas",
        Some("scopes \"a\", \"b\""),
    ),
    ("cors *", "in quotes", Some("cors \"*\"")),
    (
        "cors \"https://a.example\" passed on with credentials",
        "with credentials passed on",
        Some("cors \"https://a.example\" with credentials passed on"),
    ),
    ("location /x { return 403; }", "METHODS PATH ACCESS", None),
    ("auth_request /auth;", "registered HTTP methods", None),
];

#[test]
fn what_other_tools_write_is_one_error_that_leads_to_the_fix() {
    let mut wrong = Vec::new();
    for (line, help, fixed) in WRITTEN {
        let text = with_line(line);
        let error = match only_error(&text) {
            Ok(error) => error,
            Err(errors) => {
                wrong.push(format!("{line}: not one error:{errors}"));
                continue;
            }
        };
        let said = error.help.clone().unwrap_or_default();
        let made = error
            .suggestion
            .as_ref()
            .map(|suggestion| applied(&text, suggestion));
        let wanted = fixed.map(with_line);
        if !said.contains(help) || said.is_empty() || made != wanted {
            wrong.push(format!(
                "{line}\n  {}\n  help: {said}\n  made: {:?}",
                error.message,
                made.and_then(|text| text.lines().nth(11).map(str::to_owned))
            ));
        }
        if fixed.is_some() {
            let (_, left) = parse(&text_after(&text, &error));
            if !left.is_empty() {
                wrong.push(format!("{line}: {left:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn text_after(text: &str, error: &Diagnostic) -> String {
    error
        .suggestion
        .as_ref()
        .map_or_else(|| text.to_owned(), |suggestion| applied(text, suggestion))
}

/// A host, a URL and a file of another format, outside of routes.
#[test]
fn other_mistakes_are_one_error_too() {
    for (from, to, help) in [
        (
            "\"api.example.com\"",
            "\"api.example.com:*\"",
            "leave it out",
        ),
        ("\"api.example.com\"", "\"2001:db8::5\"", "[2001:db8::5]"),
        ("\"api.example.com\"", "api.example.com", "in quotes"),
        (
            "\"https://id.example.com/\"",
            "https://id.example.com/",
            "in quotes",
        ),
        (
            "\"https://id.example.com/\"",
            "\"https://id.example.com/",
            "end it with",
        ),
        ("\"api.example.com\"", "“api.example.com”", "between"),
        (
            "\"https://id.example.com/\"",
            "“https://id.example.com/”",
            "between",
        ),
        ("audience  \"x\"", "audience: \"x\"", "spaces"),
        ("audience  \"x\"", "audience = \"x\"", "space"),
        ("audience  \"x\"", "AUDIENCE \"x\"", ""),
    ] {
        let text = with_line("GET /a public").replace(from, to);
        let error = only_error(&text).unwrap_or_else(|errors| panic!("{to}: {errors}"));
        let said = error.help.clone().unwrap_or_default();
        assert!(said.contains(help), "{to}: {said}");
        if let Some(suggestion) = &error.suggestion {
            let (_, left) = parse(&applied(&text, suggestion));
            assert!(left.is_empty(), "{to}: {left:#?}");
        }
    }
}

/// A file in another language is reported once, not line by line.
#[test]
fn a_file_of_another_format_is_one_error() {
    for (text, format) in [
        (
            "routes:\n  - path: /a\n    methods: [GET]\n    access: public\n",
            "YAML",
        ),
        ("---\napiVersion: v1\nkind: Policy\n", "YAML"),
        ("- path: /a\n  access: public\n", "YAML"),
        ("{\n  \"routes\": [{ \"path\": \"/a\" }]\n}\n", "JSON"),
        ("[\n  { \"path\": \"/a\" }\n]\n", "JSON"),
        (
            "package authz\n\ndefault allow := false\n\nallow if { input.method == \"GET\" }\n",
            "Rego",
        ),
        (
            "permit (\n  principal,\n  action == Action::\"view\",\n  resource\n);\n",
            "Cedar",
        ),
        ("<policy>\n  <rule/>\n</policy>\n", "XML"),
        ("p, alice, /a, GET\np, bob, /b, POST\n", "Casbin"),
        ("server {\n  location / { deny all; }\n}\n", "nginx"),
    ] {
        let (_, errors) = parse(text);
        let [error] = errors.as_slice() else {
            panic!("{errors:#?}\n{text}");
        };
        assert!(error.message.contains(format), "{}", error.message);
        let help = error.help.as_deref().unwrap_or_default();
        assert!(help.contains("GET /orders"), "{help}");
    }
}
