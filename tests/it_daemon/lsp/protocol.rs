//! Initialization, shutdown, and malformed messages.

use serde_json::{Value, json};

use super::editor::Editor;

#[test]
fn it_ends_as_the_protocol_says() {
    let mut editor = Editor::with(&[]);
    assert_eq!(editor.ask("shutdown", Value::Null), Ok(Value::Null));
    let refused = editor.ask("textDocument/hover", json!({})).unwrap_err();
    assert_eq!(refused["code"], -32600);
    editor.notify("exit", Value::Null);
    assert_eq!(editor.end(), (Some(0), String::new()));

    let mut editor = Editor::with(&[]);
    editor.notify("exit", Value::Null);
    assert_eq!(editor.end().0, Some(1), "`exit` without `shutdown`");

    let mut editor = Editor::with(&[]);
    assert_eq!(editor.end().0, Some(1), "the stream ends without a word");

    let mut editor = Editor::with(&[]);
    editor.ask("shutdown", Value::Null).unwrap();
    assert_eq!(editor.end().0, Some(0), "the stream ends after `shutdown`");
}

#[test]
fn nothing_comes_before_the_greeting_and_that_comes_once() {
    let mut editor = Editor::unacquainted(&[]);
    let refused = editor.ask("textDocument/hover", json!({})).unwrap_err();
    assert_eq!(refused["code"], -32002);
    editor.notify("textDocument/didOpen", json!({}));
    editor.hello(json!({}));
    let refused = editor.ask("initialize", json!({})).unwrap_err();
    assert_eq!(refused["code"], -32600);
}

#[test]
fn what_is_no_message_is_refused_and_the_next_one_is_answered() {
    let mut editor = Editor::with(&[]);
    for (body, code, id) in [
        ("{\"jsonrpc\":", -32700, Value::Null),
        ("", -32700, Value::Null),
        ("\u{feff}{}", -32700, Value::Null),
        ("[]", -32600, Value::Null),
        ("7", -32600, Value::Null),
        ("{}", -32600, Value::Null),
        ("{\"jsonrpc\":\"2.0\",\"id\":7}", -32600, json!(7)),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"shutdown\"}",
            -32600,
            Value::Null,
        ),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":8}",
            -32600,
            json!("x"),
        ),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"textDocument/nonsense\"}",
            -32601,
            json!(9),
        ),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"$/nonsense\"}",
            -32601,
            json!(9),
        ),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"textDocument/codeAction\"}",
            -32602,
            json!(9),
        ),
    ] {
        editor.send_raw(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
        let error = editor.answer(&id).expect_err(body);
        assert_eq!(error["code"], code, "{body}");
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    editor.send_raw(format!("Content-Length: {}\r\n\r\n{deep}", deep.len()).as_bytes());
    assert_eq!(editor.answer(&Value::Null).unwrap_err()["code"], -32700);
    editor.send_raw(b"Content-Length: 3\r\n\r\n\"\xff\"");
    assert_eq!(editor.answer(&Value::Null).unwrap_err()["code"], -32700);
    // Unknown notifications and responses are ignored.
    for message in [
        json!({ "jsonrpc": "2.0", "method": "textDocument/didChange", "params": { "odd": true } }),
        json!({ "jsonrpc": "2.0", "method": "$/setTrace", "params": { "value": "off" } }),
        json!({ "jsonrpc": "2.0", "id": "nobody", "result": null }),
        json!({ "jsonrpc": "2.0", "method": "$/cancelRequest", "params": { "id": 4711 } }),
    ] {
        editor.send(&message);
    }
    editor.barrier();
}

#[test]
fn a_broken_header_ends_the_conversation_with_a_word() {
    let mut editor = Editor::with(&[]);
    editor.send_raw(b"Content-Length: many\r\n\r\n{}");
    let (code, errors) = editor.end();
    assert_eq!(code, Some(2));
    assert!(errors.contains("Content-Length"), "{errors}");
}

#[test]
fn a_message_beyond_all_measure_is_refused_without_being_held() {
    const SIZE: usize = (64 << 20) + 1;
    let mut editor = Editor::with(&[]);
    editor.send_raw(format!("Content-Length: {SIZE}\r\n\r\n").as_bytes());
    let part = vec![b' '; 1 << 20];
    let mut left = SIZE;
    while left > 0 {
        let now = left.min(part.len());
        editor.send_raw(&part[..now]);
        left -= now;
    }
    assert_eq!(editor.answer(&Value::Null).unwrap_err()["code"], -32600);
    editor.barrier();
}

#[test]
fn a_text_that_is_too_large_or_too_deep_gets_a_diagnostic() {
    let mut editor = Editor::with(&[("a.gate", "language 1\n")]);
    editor.open_as("a.gate", &"# much\n".repeat((8 << 20) / 7 + 1));
    editor.settle("a.gate");
    assert!(
        editor.diagnostics("a.gate")[0].contains("P0003"),
        "{:?}",
        editor.diagnostics("a.gate")
    );
    editor.rewrite("a.gate", &format!("let x = {}\n", "(".repeat(100_000)));
    editor.settle("a.gate");
    assert!(!editor.diagnostics("a.gate").is_empty());
}

#[test]
fn a_request_that_waits_can_be_cancelled() {
    let mut editor = Editor::with(&[]);
    // All in one write, so the request is still waiting when its cancellation is read: the one
    // before it takes longer than reading the rest.
    let routes: String = (0..2000).map(|n| format!("GET /r{n} public\n")).collect();
    let text = format!("api a {{\naudience any \"x\"\n{routes}}}\n");
    editor.open_as("a.gate", &text);
    let uri = editor.uri("a.gate");
    let range = json!({
        "start": { "line": 0, "character": 0 }, "end": { "line": 0, "character": 0 },
    });
    let params = json!({
        "textDocument": { "uri": uri }, "range": range, "context": { "diagnostics": [] },
    });
    let mut bytes = Vec::new();
    for message in [
        json!({ "jsonrpc": "2.0", "id": "first", "method": "textDocument/codeAction", "params": params }),
        json!({ "jsonrpc": "2.0", "id": "second", "method": "textDocument/codeAction", "params": params }),
        json!({ "jsonrpc": "2.0", "method": "$/cancelRequest", "params": { "id": "second" } }),
    ] {
        let text = message.to_string();
        bytes.extend(format!("Content-Length: {}\r\n\r\n{text}", text.len()).into_bytes());
    }
    editor.send_raw(&bytes);
    let mut answers = Vec::new();
    while answers.len() < 2 {
        let message = editor.message();
        if message.get("id").is_some() {
            answers.push(message);
        }
    }
    answers.sort_by_key(|answer| answer["id"].to_string());
    assert!(answers[0].get("result").is_some(), "{}", answers[0]);
    // It is cancelled, or was answered just before: there is one answer either way.
    let second = &answers[1];
    assert!(
        second["error"]["code"] == -32800 || second.get("result").is_some(),
        "{second}"
    );
}

#[test]
fn files_are_watched_where_the_client_can() {
    let mut editor = Editor::unacquainted(&[]);
    editor.hello(
        json!({ "workspace": { "didChangeWatchedFiles": { "dynamicRegistration": true } } }),
    );
    let request = editor.message();
    assert_eq!(request["method"], "client/registerCapability");
    let registration = &request["params"]["registrations"][0];
    assert_eq!(registration["method"], "workspace/didChangeWatchedFiles");
    assert_eq!(
        registration["registerOptions"]["watchers"][0]["globPattern"],
        "**/*.gate"
    );
    editor.send(&json!({ "jsonrpc": "2.0", "id": request["id"], "result": null }));
    editor.barrier();
}
