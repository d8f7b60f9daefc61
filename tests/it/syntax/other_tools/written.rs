//! Lines as other tools would have them, in the place of a route.

/// What is written, what the help has to name, and the line that the suggestion makes of it.
pub const WRITTEN: &[(&str, &str, Option<&str>)] = &[
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
    // Signs.
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
    // Letters of another case.
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
    // Any valid token, and what is checked for each.
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
    // Quotation marks that are missing or don't match.
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
