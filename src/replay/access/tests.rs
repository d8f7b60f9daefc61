use super::*;

fn combined(host: Option<&str>) -> AccessLog {
    let host = host.map(str::to_owned);
    AccessLog::nginx_combined(Given { host, claims: None }).expect("a format")
}

fn line(request: &str, status: &str) -> String {
    format!(
        r#"192.0.2.7 - - [02/Mar/2026:09:12:44 +0100] "{request}" {status} 5 "-" "curl/8 (a; b)""#
    )
}

#[test]
fn a_line_of_combined_has_a_request_and_its_outcome() {
    let log = combined(Some("api.example.com"));
    let text = line("GET /a%2Fb?c=d HTTP/1.1", "204");
    let entry = log.read(text.as_bytes()).expect("a line");
    assert_eq!(entry.method, "GET");
    assert_eq!(entry.target, b"/a%2Fb?c=d");
    assert_eq!(entry.host.as_deref(), Some("api.example.com"));
    assert_eq!(entry.address, "192.0.2.7".parse().ok());
    assert_eq!((entry.was, entry.unknown), (Was::Allowed, None));
    // 2026-03-02T08:12:44Z
    assert!((entry.times.now - 1_772_439_164.0).abs() < 0.5);
    // It doesn't say how long the request took.
    assert!(entry.times.earliest < 1.0 && entry.times.now < entry.times.latest);
    assert!(
        !combined(None)
            .read(text.as_bytes())
            .expect("a line")
            .has_host
    );
}

#[test]
fn a_status_says_something_about_authorization_or_nothing() {
    for (status, was) in [
        ("200", Was::Allowed),
        ("304", Was::Allowed),
        ("401", Was::Denied(None)),
        ("403", Was::Denied(None)),
        ("101", Was::Unrelated),
        ("400", Was::Unrelated),
        ("404", Was::Unrelated),
        ("499", Was::Unrelated),
        ("502", Was::Unrelated),
    ] {
        let text = line("GET / HTTP/1.1", status);
        let entry = combined(None).read(text.as_bytes()).expect("a line");
        assert_eq!(entry.was, was, "{status}");
    }
    for status in ["", "-", "20", "2000", "abc", "000"] {
        let read = combined(None)
            .read(line("GET / HTTP/1.1", status).as_bytes())
            .map(|_| ());
        assert_eq!(read, Err(LineError::NotInFormat), "{status}");
    }
}

#[test]
fn what_a_request_line_does_not_say_is_unknown() {
    for (request, unknown) in [
        ("-", Some("request")),
        ("", Some("request")),
        (r"\x16\x03\x01", Some("request")),
        ("GET /", Some("request")),
        ("GET http://api.example.com/ HTTP/1.1", Some("request")),
        ("OPTIONS * HTTP/1.1", Some("request")),
        ("CONNECT api.example.com:443 HTTP/1.1", Some("request")),
        ("GET /a b HTTP/1.1", Some("path")),
        (r"GET /\xFF HTTP/1.1", Some("request")),
        (r"GET /\x22\x5C HTTP/1.1", None),
    ] {
        let text = line(request, "400");
        let entry = combined(None).read(text.as_bytes()).expect("a line");
        assert_eq!(entry.unknown, unknown, "{request}");
    }
    let read = combined(None)
        .read(line(r"GET /\x2 HTTP/1.1", "400").as_bytes())
        .map(|_| ());
    assert_eq!(read, Err(LineError::NotInFormat));
}

#[test]
fn a_log_format_is_read_as_it_is_in_nginx_conf() {
    let text = r#"{"t":"1772442764.123","took":"0.250","r":"GET /a\"\u0001\\ HTTP/2.0","s":403,"h":"","p":"2001:db8::1","c":"{\"sub\":\"alice\",\"azp\":\"spa\"}"}"#;
    let whole = r#"log_format main escape=json '{"t":"$msec","took":"$request_time","r":"$request",'
        '"s":$status,"h":"$host","p":"$remote_addr","c":"${claims}"}';"#;
    let only = r#"escape=json {"t":"$msec","took":"$request_time","r":"$request","s":$status,"h":"$host","p":"$remote_addr","c":"$claims"}"#;
    for format in [whole, only] {
        let claims = Some("$claims".to_owned());
        let log = AccessLog::nginx(format, Given { host: None, claims }).expect("a format");
        let entry = log.read(text.as_bytes()).expect("a line");
        assert_eq!(entry.target, b"/a\"\x01\\");
        assert_eq!((entry.was, entry.has_host), (Was::Denied(None), false));
        assert_eq!(
            (entry.client.as_deref(), entry.sub.as_deref()),
            (Some("spa"), Some("alice"))
        );
        assert!((entry.times.now - entry.times.earliest - 0.25).abs() < 1e-6);
    }
}

#[test]
fn envoys_formats_are_read() {
    let text = r#"[2026-03-02T09:12:44.310Z] "POST /a?b HTTP/2" 401 - 154 0 226 - "10.0.35.28, 10.0.0.1" "nsq" "cc21" "api.example.com:8443" "-""#;
    let log = AccessLog::envoy_text(Given::default()).expect("a format");
    let entry = log.read(text.as_bytes()).expect("a line");
    assert_eq!(
        (entry.method.as_ref(), entry.target.as_slice()),
        ("POST", b"/a?b".as_slice())
    );
    assert_eq!(entry.host.as_deref(), Some("api.example.com:8443"));
    assert_eq!((entry.was, entry.unknown), (Was::Denied(None), None));
    assert!((entry.times.now - entry.times.earliest).abs() < 1e-9);
    // It took 226 ms, and both are cut to whole milliseconds.
    assert!((entry.times.latest - entry.times.now - 0.228).abs() < 1e-6);
    // A client may write what looks like the end of a field.
    let hostile = text.replace("\"nsq\"", "\"x\" \"y\"");
    assert_eq!(
        log.read(hostile.as_bytes()).map(|_| ()),
        Err(LineError::Ambiguous)
    );

    let log = AccessLog::envoy_json(Given::default()).expect("a format");
    let json = r#"{"start_time":"2026-03-02T09:12:44.310Z","method":"GET","path":"/a","authority":null,"response_code":200,"downstream_remote_address":"[::1]:55","more":[1]}"#;
    let entry = log.read(json.as_bytes()).expect("a line");
    assert_eq!((entry.has_host, entry.address), (false, "::1".parse().ok()));
    assert_eq!(entry.unknown, None);
    assert!(entry.times.latest > 1e12, "without a duration");
    for (path, unknown) in [("/a!", "path"), ("/\u{e9}", "path"), ("/a\\\\303", "path")] {
        let json = json.replace("/a", path);
        assert_eq!(
            log.read(json.as_bytes()).expect("a line").unknown,
            Some(unknown),
            "{path}"
        );
    }
    let torn = &json[..60];
    assert_eq!(log.read(torn.as_bytes()).map(|_| ()), Err(LineError::Torn));
    let doubled = json.replace("\"more\"", "\"path\":\"/b\",\"more\"");
    for foreign in ["{}", "[]", r#"{"response_code":{}}"#, &doubled] {
        assert_eq!(
            log.read(foreign.as_bytes()).map(|_| ()),
            Err(LineError::NotInFormat),
            "{foreign}"
        );
    }
    assert_eq!(log.read(b"nothing").map(|_| ()), Err(LineError::NotJson));
}

#[test]
fn fields_that_are_empty_or_contradict_each_other_are_no_request() {
    let read = |format: &str, given: &str, line: &str| {
        let given = Some(given.to_owned()).filter(|given| !given.is_empty());
        let log = AccessLog::nginx(
            format,
            Given {
                host: given,
                claims: None,
            },
        );
        let entry = log
            .expect("a format")
            .read(line.as_bytes())
            .expect("a line");
        (
            entry.method.into_owned(),
            entry.unknown,
            entry.has_host,
            entry.host.map(Cow::into_owned),
        )
    };
    let both = "$status $request_method $host \"$request\"";
    let host = |host: &str| Some(host.to_owned());
    // An internal redirect changed the method.
    for (line, given, expected) in [
        (
            "200 PUT a \"PUT / HTTP/1.1\"",
            "",
            ("PUT", None, true, host("a")),
        ),
        (
            "200 GET a \"PUT / HTTP/1.1\"",
            "",
            ("PUT", Some("request"), true, host("a")),
        ),
        (
            "200 PUT - \"PUT / HTTP/1.1\"",
            "b",
            ("PUT", None, true, host("b")),
        ),
        (
            r#"200 PUT \xFF "PUT / HTTP/1.1""#,
            "b",
            ("PUT", None, false, None),
        ),
    ] {
        let (method, unknown, has_host, host) = expected;
        let expected = (method.to_owned(), unknown, has_host, host);
        assert_eq!(read(both, given, line), expected, "{line}");
    }
    let json = "escape=json $status $host \"$request\"";
    assert_eq!(read(json, "b", "200 - \"GET / HTTP/1.1\"").3, host("b"));
    let cut =
        "%RESPONSE_CODE% %REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %REQ(:AUTHORITY):3%";
    let given = Given {
        host: host("b"),
        claims: None,
    };
    let log = AccessLog::envoy(cut, given).expect("a format");
    assert!(!log.read(b"200 GET / abc").expect("a line").has_host);
}

#[test]
fn a_grpc_status_says_what_the_http_status_does_not() {
    let format = "%RESPONSE_CODE% %GRPC_STATUS% %REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%";
    let log = AccessLog::envoy(format, Given::default()).expect("a format");
    for (statuses, was) in [
        ("200 -", Was::Allowed),
        ("200 OK", Was::Allowed),
        ("200 PermissionDenied", Was::Denied(None)),
        ("200 PERMISSION_DENIED", Was::Denied(None)),
        ("200 16", Was::Denied(None)),
        ("200 Internal", Was::Unrelated),
        ("403 -", Was::Denied(None)),
    ] {
        let line = format!("{statuses} POST /shop.Orders/List");
        assert_eq!(
            log.read(line.as_bytes()).expect("a line").was,
            was,
            "{line}"
        );
    }
}

#[test]
fn a_start_time_of_another_form_is_no_time() {
    for (argument, line, is_known) in [
        ("%s.%3f", "1772442764.310", true),
        ("%S", "44", false),
        ("%S.%3F", "44.310", false),
        ("%H", "09", false),
    ] {
        let format = format!(
            "%RESPONSE_CODE% %REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %START_TIME({argument})% %REQ(X)%"
        );
        let claims = Some("REQ(X)".to_owned());
        let log = AccessLog::envoy(&format, Given { host: None, claims }).expect("a format");
        let line = format!("200 GET / {line} {{}}");
        let entry = log.read(line.as_bytes()).expect("a line");
        assert_eq!(
            matches!(entry.token, Token::Claims(_)),
            is_known,
            "{argument}"
        );
    }
}

#[test]
fn a_format_dictionary_names_its_members() {
    let format = r#"{"http":{"what":"%REQUEST_HEADER(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH):9%","code":"%RESPONSE_CODE%"},
        "at":"%START_TIME(%s.%3f)%","jwt":"%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload)%"}"#;
    let claims = Some("DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload)".to_owned());
    let log = AccessLog::envoy(format, Given { host: None, claims }).expect("a format");
    let line = |path: &str| {
        format!(
            r#"{{"http":{{"what":"GET {path}","code":200}},"at":"1772442764.310","jwt":{{"sub":"alice","client_id":"spa"}}}}"#
        )
    };
    let text = line("/a");
    let entry = log.read(text.as_bytes()).expect("a line");
    assert_eq!(
        (entry.client.as_deref(), entry.unknown),
        (Some("spa"), None)
    );
    // It may have been cut.
    let text = line("/12345678");
    assert_eq!(
        log.read(text.as_bytes()).expect("a line").unknown,
        Some("path")
    );
}

#[test]
fn a_format_that_cannot_be_replayed_says_what_is_missing() {
    let given = |claims: Option<&str>| Given {
        host: None,
        claims: claims.map(str::to_owned),
    };
    let nginx = |format: &str| AccessLog::nginx(format, given(None)).map(|_| ());
    let envoy = |format: &str| AccessLog::envoy(format, given(None)).map(|_| ());
    assert_eq!(nginx("$request"), Err(FormatError::NoStatus));
    assert_eq!(
        nginx("$request_method $uri $status"),
        Err(FormatError::NoRequest)
    );
    assert_eq!(nginx("$request_uri $status"), Err(FormatError::NoMethod));
    assert_eq!(nginx("$request$status"), Err(FormatError::Adjacent));
    assert_eq!(
        nginx("escape=xml '$request $status'"),
        Err(FormatError::Escape("xml".to_owned()))
    );
    assert_eq!(
        nginx("escape=none '$request $status $remote_user'"),
        Err(FormatError::Unescaped("remote_user".to_owned()))
    );
    assert_eq!(
        nginx("log_format a '$request $status"),
        Err(FormatError::Quotes)
    );
    let path = "%REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE%";
    assert_eq!(envoy(path), Err(FormatError::Rewritten));
    assert_eq!(
        envoy("%req%"),
        Err(FormatError::Operator("req%".to_owned()))
    );
    assert_eq!(envoy("{"), Err(FormatError::Json));
    let unnamed = AccessLog::nginx_combined(given(Some("$claims"))).map(|_| ());
    assert_eq!(unnamed, Err(FormatError::NoField("$claims".to_owned())));
}

#[test]
fn claims_are_an_object_or_base64url_of_one() {
    let read = |text: &str| value::claims(text.as_bytes()).map(|(text, _)| text);
    let claims = r#"{"sub":"a"}"#;
    for written in [claims, "eyJzdWIiOiJhIn0", "eyJzdWIiOiJhIn0="] {
        assert_eq!(read(written).as_deref(), Some(claims), "{written}");
    }
    for other in [
        r#"{"sub":"a","sub":"b"}"#,
        "{",
        "[]",
        "W10",
        "null",
        "e30.e30.x",
        "\u{e9}",
    ] {
        assert_eq!(read(other), None, "{other}");
    }
}
