//! Lines that are no requests, or hardly: each that asks is answered by the codes of JSON-RPC, and the next one is served.

use serde_json::{Value, json};

use crate::client::{Client, Daemon};

/// What the server keeps of a line.
const LINE_BYTES: usize = 16 << 20; // 16 MiB

/// A call whose argument is written as given.
fn call(id: u32, argument: &str) -> Vec<u8> {
    format!(
        r#"{{"jsonrpc":"2.0","method":"tools/call","params":{{"name":"list_hosts","arguments":{{"host":{argument}}}}},"id":{id}}}"#
    )
    .into_bytes()
}

/// Whatever a line is, its sender gets one answer with its id, or with null where it has none that can be read.
#[test]
fn each_line_that_asks_is_answered_once() {
    let mut client = Client::start(&Daemon::Missing);
    client.send_bytes(b"{bad");
    assert_eq!(
        client.next()["error"]["code"],
        -32_700,
        "before the handshake too"
    );
    client.initialize("2025-06-18");
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    for (line, id, code) in [
        (b"{bad".to_vec(), json!(null), -32_700),
        (b"\xff\xfe\x00".to_vec(), json!(null), -32_700),
        (b"7".to_vec(), json!(null), -32_600),
        (b"[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]".to_vec(), json!(null), -32_600),
        (call(10, r#""\ud800""#), json!(10), -32_602),
        (call(11, "1e999"), json!(11), -32_602),
        (call(12, &deep), json!(12), -32_602),
        (call(13, &format!("\"{}\"", "x".repeat(LINE_BYTES))), json!(13), -32_600),
        (b"{bad".repeat(LINE_BYTES / 4 + 1), json!(null), -32_700),
        ([&call(14, "\"")[..], b"\xff\"}"].concat(), json!(null), -32_700),
        (
            [&br#"{"jsonrpc":"2.0","id":15,"method":"tools/call","params":{"name":""#[..], b"\xff\"}}"].concat(),
            json!(15),
            -32_700,
        ),
        (br#"{"jsonrpc":"2.0","id":16,"method":"ping","params":[]}"#.to_vec(), json!(16), -32_602),
        (br#"{"jsonrpc":"2.0","id":17,"method":"tools/call","params":{}}"#.to_vec(), json!(17), -32_602),
        (
            br#"{"jsonrpc":"2.0","id":18,"method":"tools/call","params":{"name":"list_hosts","arguments":[]}}"#.to_vec(),
            json!(18),
            -32_602,
        ),
        (br#"{"jsonrpc":"2.0","id":19,"method":"no/such/method"}"#.to_vec(), json!(19), -32_601),
    ] {
        client.send_bytes(&line);
        let answer = client.next();
        let shown = String::from_utf8_lossy(&line[..line.len().min(100)]).into_owned();
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&id, &json!(code)), "{shown}: {answer}");
        assert_eq!(client.ask(99, "ping", json!({})).get("result"), Some(&json!({})), "{shown}");
    }
    assert!(client.close().0.success());
}

/// Several messages in one line are answered in one, where the agreed version has that.
#[test]
fn a_batch_is_answered_as_one() {
    let mut client = Client::start(&Daemon::Missing);
    client.initialize("2025-03-26");
    client.send(&json!([
        {"jsonrpc": "2.0", "id": 20, "method": "ping"},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": "b", "method": "tools/call", "params": {"name": "list_sessions", "arguments": {}}},
        {"jsonrpc": "2.0", "id": 22, "method": "ping", "params": []},
        7,
    ]));
    let answer = client.next();
    let answers = answer.as_array().expect("an array");
    let by_id = |id: Value| {
        let mut own = answers.iter().filter(|answer| answer["id"] == id);
        let first = own.next().expect("answered").clone();
        assert_eq!(own.next(), None, "{answers:?}");
        first
    };
    assert_eq!(answers.len(), 4, "{answers:?}");
    assert_eq!(by_id(json!(20))["result"], json!({}));
    assert_eq!(by_id(json!("b"))["result"]["isError"], true);
    assert_eq!(by_id(json!(22))["error"]["code"], -32_602);
    assert_eq!(by_id(json!(null))["error"]["code"], -32_600);
    client.send(&json!([]));
    assert_eq!(client.next()["error"]["code"], -32_600);
    client.send(&json!([{"jsonrpc": "2.0", "method": "notifications/initialized"}]));
    assert_eq!(
        client.ask(23, "ping", json!({})).get("result"),
        Some(&json!({})),
        "nothing was answered to it"
    );
    assert!(client.close().0.success());
}

/// A client that writes no more after its last message need not end the line.
#[test]
fn the_last_line_needs_no_end() {
    let mut client = Client::start(&Daemon::Missing);
    client.initialize("2025-06-18");
    client.end_with(br#"{"jsonrpc":"2.0","id":5,"method":"ping"}"#);
    assert_eq!(client.next(), json!({"jsonrpc": "2.0", "id": 5, "result": {}}));
    assert!(client.close().0.success());
}
