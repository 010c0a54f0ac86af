//! A line as JSON-RPC 2.0 and MCP understand it: messages for the SDK, and refusals of what it would pass over in silence.
//! Whoever sent an id gets an answer with it; what cannot have one is answered with null.

use rmcp::{
    RoleServer,
    model::{ClientRequest, ErrorCode, JsonRpcMessage, RequestId},
    service::RxJsonRpcMessage,
};
use serde_json::json;

use crate::envelope::{BYTE_ORDER_MARK, Envelope, Id, Kind, Scan};

/// What the SDK takes.
pub(crate) type Message = RxJsonRpcMessage<RoleServer>;

/// What a line says.
pub(crate) enum Said {
    Message(Box<Message>),
    /// What is to be answered at once.
    Refused(Vec<u8>),
    /// What came in one line and is answered in one.
    Batch(Vec<Self>),
    /// Nothing that is answered: a notification or an answer that nobody understands.
    Nothing,
}

/// Methods that are served: what the SDK does not take of these has wrong parameters, and is no unknown method.
const SERVED: [&str; 8] = [
    "initialize",
    "ping",
    "server/discover",
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/read",
    "resources/templates/list",
];

/// The meaning of a line with this envelope; in a batch only where the version of MCP has them.
pub(crate) fn understand(line: &[u8], envelope: Option<Envelope>, takes_batches: bool) -> Said {
    let Some(envelope) = envelope else {
        return Said::Refused(refusal(
            &Id::Absent,
            ErrorCode::PARSE_ERROR,
            "this line is no JSON",
        ));
    };
    match envelope.kind {
        Kind::Object => single(line, &envelope),
        Kind::Array if takes_batches => batch(line, envelope.items),
        Kind::Array => Said::Refused(refusal(
            &Id::Absent,
            ErrorCode::INVALID_REQUEST,
            "several messages in one line (a batch) are a part of MCP up to 2025-03-26 only; send one message a line",
        )),
        Kind::Other => Said::Refused(refusal(
            &Id::Absent,
            ErrorCode::INVALID_REQUEST,
            "a message is a JSON object",
        )),
    }
}

/// The refusal of a line that was not kept.
pub(crate) fn too_long(envelope: Option<Envelope>, most: usize) -> Vec<u8> {
    match envelope {
        Some(Envelope { id, .. }) => refusal(
            &id,
            ErrorCode::INVALID_REQUEST,
            &format!("a message of more than {most} bytes is not taken; nothing was done"),
        ),
        None => refusal(
            &Id::Absent,
            ErrorCode::PARSE_ERROR,
            "this line is no JSON, and too long",
        ),
    }
}

/// The refusal of a request whose id is in use.
pub(crate) fn in_use(id: &RequestId) -> Vec<u8> {
    refusal(
        &Id::Given(json!(id).to_string().into_bytes()),
        ErrorCode::INVALID_REQUEST,
        "a request with this id is not answered yet; nothing was done for the second one",
    )
}

fn scanned(line: &[u8]) -> Option<Envelope> {
    let mut scan = Scan::default();
    scan.feed(line);
    scan.finish()
}

fn batch(line: &[u8], items: Option<Vec<std::ops::Range<usize>>>) -> Said {
    let items = match items {
        Some(items) if !items.is_empty() => items,
        Some(_) => {
            return Said::Refused(refusal(
                &Id::Absent,
                ErrorCode::INVALID_REQUEST,
                "a batch has at least one message",
            ));
        }
        None => {
            return Said::Refused(refusal(
                &Id::Absent,
                ErrorCode::INVALID_REQUEST,
                "a batch of so many messages is not taken; nothing was done",
            ));
        }
    };
    let said = items.into_iter().map(|item| {
        let text = line.get(item).unwrap_or_default();
        match scanned(text) {
            Some(envelope) if envelope.kind == Kind::Object => match single(text, &envelope) {
                Said::Message(message) if is_handshake(&message) => Said::Refused(refusal(
                    &envelope.id,
                    ErrorCode::INVALID_REQUEST,
                    "`initialize` is sent alone",
                )),
                said => said,
            },
            _ => Said::Refused(refusal(
                &Id::Absent,
                ErrorCode::INVALID_REQUEST,
                "a message is a JSON object",
            )),
        }
    });
    Said::Batch(said.collect())
}

const fn is_handshake(message: &Message) -> bool {
    matches!(message, JsonRpcMessage::Request(request) if matches!(request.request, ClientRequest::InitializeRequest(_)))
}

fn single(line: &[u8], envelope: &Envelope) -> Said {
    let refused = |code, words: &str| Said::Refused(refusal(&envelope.id, code, words));
    match (envelope.has_method, &envelope.id, envelope.is_answer) {
        // Nobody asked; and what is told is not answered.
        (false, _, true) | (true, Id::Absent, false) => {
            return match parsed(line) {
                Ok(message) => Said::Message(Box::new(message)),
                Err(_) => Said::Nothing,
            };
        }
        (false, _, false) => {
            return refused(ErrorCode::INVALID_REQUEST, "`method` is missing, or is no string");
        }
        (true, _, true) => {
            return refused(
                ErrorCode::INVALID_REQUEST,
                "a message has either a `method`, or a `result` or an `error`",
            );
        }
        (true, Id::Unusable, false) => {
            return refused(
                ErrorCode::INVALID_REQUEST,
                "`id` is a string or a whole number, and is given once",
            );
        }
        (true, Id::Given(_), false) => {}
    }
    if !envelope.has_version {
        return refused(ErrorCode::INVALID_REQUEST, "`jsonrpc` must be \"2.0\"");
    }
    if std::str::from_utf8(line).is_err() {
        return refused(
            ErrorCode::PARSE_ERROR,
            "this line is not UTF-8; bytes that are not go as base64",
        );
    }
    match parsed(line) {
        Ok(JsonRpcMessage::Request(request)) => match &request.request {
            ClientRequest::CustomRequest(custom) if SERVED.contains(&custom.method.as_str()) => {
                refused(ErrorCode::INVALID_PARAMS, wrong(&custom.method))
            }
            _ => Said::Message(Box::new(JsonRpcMessage::Request(request))),
        },
        Ok(_) => refused(ErrorCode::INVALID_REQUEST, "this message is no request"),
        // A parser's words on syntax hold nothing of the text.
        Err(error) if !error.is_data() => refused(
            ErrorCode::INVALID_PARAMS,
            &format!("the parameters cannot be read: {error}"),
        ),
        Err(_) if envelope.has_odd_params => refused(ErrorCode::INVALID_PARAMS, "`params` must be an object"),
        Err(_) => refused(
            ErrorCode::INVALID_REQUEST,
            "`id` is a string or a whole number of 64 bits, and no name is given twice",
        ),
    }
}

fn parsed(line: &[u8]) -> Result<Message, serde_json::Error> {
    serde_json::from_slice(line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line))
}

/// What is wrong with parameters that the SDK did not take.
fn wrong(method: &str) -> &'static str {
    match method {
        "tools/call" => "`params` must be an object with `name`, a string, and `arguments`, an object",
        "resources/read" => "`params` must be an object with `uri`, a string",
        "initialize" => {
            "`params` must be an object with `protocolVersion`, `capabilities` and `clientInfo` (`name`, `version`)"
        }
        _ => "`params` must be an object",
    }
}

/// An error as an answer; `id` as it was written, null where there is none to repeat.
fn refusal(id: &Id, code: ErrorCode, words: &str) -> Vec<u8> {
    let mut answer = b"{\"jsonrpc\":\"2.0\",\"id\":".to_vec();
    answer.extend(match id {
        Id::Given(text) => text.as_slice(),
        Id::Absent | Id::Unusable => b"null",
    });
    let error = json!({"code": code.0, "message": words});
    answer.extend(format!(",\"error\":{error}}}").into_bytes());
    answer
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn said(line: &[u8], takes_batches: bool) -> Said {
        understand(line, scanned(line), takes_batches)
    }

    fn refused(line: &[u8]) -> Option<(Value, i64)> {
        let Said::Refused(answer) = said(line, false) else {
            return None;
        };
        let answer: Value = serde_json::from_slice(&answer).expect("JSON");
        assert_eq!(answer["jsonrpc"], "2.0");
        assert!(
            answer["error"]["message"]
                .as_str()
                .is_some_and(|words| !words.is_empty())
        );
        Some((
            answer["id"].clone(),
            answer["error"]["code"].as_i64().expect("a code"),
        ))
    }

    /// What the SDK passes over or answers without its id is refused by the codes of JSON-RPC.
    #[test]
    fn what_is_wrong_is_refused_with_its_id() {
        let deep = format!(
            r#"{{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{{"name":"x","arguments":{{"a":{}1{}}}}}}}"#,
            "[".repeat(200),
            "]".repeat(200)
        );
        for (line, id, code) in [
            (&b"{bad"[..], json!(null), -32_700),
            (b"\"\xff\"x", json!(null), -32_700),
            (b"5", json!(null), -32_600),
            (b"[]", json!(null), -32_600),
            (b"{}", json!(null), -32_600),
            (br#"{"jsonrpc":"2.0","id":1}"#, json!(1), -32_600),
            (br#"{"jsonrpc":"2.0","id":1,"method":5}"#, json!(1), -32_600),
            (br#"{"id":1,"method":"ping"}"#, json!(1), -32_600),
            (br#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, json!(1), -32_600),
            (br#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, json!(null), -32_600),
            (br#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#, json!(null), -32_600),
            (br#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, json!(1.5), -32_600),
            (br#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, json!(null), -32_600),
            (
                br#"{"jsonrpc":"2.0","id":18446744073709551615,"method":"ping"}"#,
                json!(u64::MAX),
                -32_600,
            ),
            (
                br#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#,
                json!(1),
                -32_600,
            ),
            (
                br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#,
                json!(1),
                -32_602,
            ),
            (
                br#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"arguments":{}}}"#,
                json!("a"),
                -32_602,
            ),
            (
                br#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"x","arguments":[1]}}"#,
                json!(3),
                -32_602,
            ),
            (
                br#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"x","arguments":"{}"}}"#,
                json!(3),
                -32_602,
            ),
            (
                br#"{"jsonrpc":"2.0","id":3,"method":"tools/call"}"#,
                json!(3),
                -32_602,
            ),
            (
                br#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"x","arguments":{"a":"\ud800"}}}"#,
                json!(3),
                -32_602,
            ),
            (
                br#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"x","arguments":{"a":1e999}}}"#,
                json!(3),
                -32_602,
            ),
            (deep.as_bytes(), json!(8), -32_602),
            (
                b"{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"tools/call\",\"params\":{\"name\":\"\xff\xfe\"}}",
                json!(4),
                -32_700,
            ),
        ] {
            let shown = String::from_utf8_lossy(line);
            assert_eq!(refused(line), Some((id, code)), "{shown}");
        }
    }

    /// What the SDK answers goes to it, and what nobody answers is no request.
    #[test]
    fn what_is_right_goes_on() {
        for line in [
            &br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#[..],
            br#"{"jsonrpc":"2.0","id":"1","method":"ping","params":{}}"#,
            br#"{"jsonrpc":"2.0","id":1,"method":"no/such","params":{"a":[1]}}"#,
            br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x"}}"#,
            br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            "\u{feff}{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}\r".as_bytes(),
        ] {
            let shown = String::from_utf8_lossy(line);
            assert!(matches!(said(line, false), Said::Message(_)), "{shown}");
        }
        for line in [
            &br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":1e999}"#[..],
            br#"{"jsonrpc":"2.0","id":1,"error":"\ud800"}"#,
        ] {
            let shown = String::from_utf8_lossy(line);
            assert!(matches!(said(line, false), Said::Nothing), "{shown}");
        }
    }

    /// A batch is taken apart where it is a part of MCP, each message by itself.
    #[test]
    fn a_batch_is_taken_apart() {
        let line = br#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping","params":"\ud800"},7,
            {"jsonrpc":"2.0","method":"notifications/initialized"},
            {"jsonrpc":"2.0","id":3,"method":"initialize","params":{"protocolVersion":"x","capabilities":{},"clientInfo":{"name":"n","version":"v"}}}]"#;
        let Said::Batch(parts) = said(line, true) else {
            panic!("no batch")
        };
        let [
            Said::Message(_),
            Said::Refused(second),
            Said::Refused(third),
            Said::Message(_),
            Said::Refused(last),
        ] = &parts[..]
        else {
            panic!("{} parts", parts.len())
        };
        for (answer, id) in [(second, json!(2)), (third, json!(null)), (last, json!(3))] {
            let answer: Value = serde_json::from_slice(answer).expect("JSON");
            assert_eq!(answer["id"], id, "{answer}");
        }
        assert!(matches!(said(b"[]", true), Said::Refused(_)));
        let many = format!("[{}1]", "1,".repeat(1_000));
        assert!(matches!(said(many.as_bytes(), true), Said::Refused(_)));
    }
}
