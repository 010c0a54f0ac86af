//! Answers in their two forms, for programs and for models; the models' form says each fact once and is never JSON.

use rmcp::model::JsonObject;
use serde_json::{Value, json};
use sshmcp_proto::error::Fault;

pub(crate) mod command;
pub(crate) mod file;
pub(crate) mod host;
pub(crate) mod session;
pub(crate) mod terminal;

/// What a tool answers.
pub(crate) struct Reply {
    /// For programs.
    pub(crate) structured: JsonObject,
    /// For a model.
    pub(crate) text: String,
}

impl Reply {
    /// An answer; `structured` is an object.
    pub(crate) fn new(structured: Value, text: String) -> Self {
        let structured = match structured {
            Value::Object(object) => object,
            other => JsonObject::from_iter([("value".to_owned(), other)]),
        };
        Self { structured, text }
    }
}

/// A failure: what happened, what to do next, and the code to branch on.
pub(crate) fn fault(fault: &Fault) -> Reply {
    let code = fault.code();
    let hint = fault.advice();
    let text = format!("{} {} [{code}]", sentence(&fault.message), sentence(hint));
    Reply::new(
        json!({"error": {
            "code": code, "message": fault.message, "hint": hint, "retryable": fault.retryable,
        }}),
        text,
    )
}

/// Words with a full stop; their first letter stays, for it may be a name's.
fn sentence(words: &str) -> String {
    let mut sentence = words.trim().to_owned();
    if !sentence.ends_with(['.', '?', '!']) {
        sentence.push('.');
    }
    sentence
}

/// Text from elsewhere on one line: nothing in it can end the line, move a cursor, or turn the reading direction.
pub(crate) fn line(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' => '\u{fffd}',
            c if c.is_control() => ' ',
            c => c,
        })
        .collect()
}

/// A number as people read it: `1,234,567`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A length of time as people say it, in two units at most.
pub(crate) fn duration(millis: u64) -> String {
    let seconds = millis / 1_000;
    match seconds {
        0 => format!("{millis} ms"),
        1..60 => format!("{seconds}.{} s", millis % 1_000 / 100),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
    }
}

/// A text, or null for none: the wire's empty string is "not known".
pub(crate) fn known(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { json!(text) }
}

/// Seconds since a time on the wire; null if there is none.
pub(crate) fn seconds_ago(millis: i64) -> Value {
    let Ok(then) = u64::try_from(millis) else {
        return Value::Null;
    };
    if then == 0 {
        return Value::Null;
    }
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
    json!(now.saturating_sub(then) / 1_000)
}

#[cfg(test)]
mod tests {
    use sshmcp_proto::v1::Reason;

    use super::*;

    /// Numbers are grouped, times keep two units.
    #[test]
    fn numbers_and_times_read_well() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), text);
        }
        for (millis, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_234, "1.2 s"),
            (59_999, "59.9 s"),
            (65_000, "1 min 5 s"),
            (3_720_000, "1 h 2 min"),
        ] {
            assert_eq!(duration(millis), text);
        }
    }

    /// One sentence of what happened, one of what to do, the code, and all of it for programs too.
    #[test]
    fn faults_carry_a_sentence_a_hint_and_a_code() {
        let one = Fault::new(Reason::SessionBusy, "session web1 is busy with c4")
            .hint("wait for it with wait_for")
            .retryable();
        let reply = fault(&one);
        assert_eq!(
            reply.text,
            "session web1 is busy with c4. wait for it with wait_for. [session_busy]"
        );
        assert_eq!(
            Value::Object(reply.structured),
            json!({"error": {"code": "session_busy", "message": "session web1 is busy with c4",
                "hint": "wait for it with wait_for", "retryable": true}})
        );
    }

    /// Whatever failed, something is said of what to do next.
    #[test]
    fn no_fault_is_without_a_hint() {
        for number in 0..=25 {
            let reason = Reason::try_from(number).expect("reasons are numbered without a gap");
            let reply = fault(&Fault::new(reason, "it failed"));
            let hint = reply.structured["error"]["hint"].as_str().unwrap_or_default();
            assert!(!hint.is_empty() && reply.text.contains(hint), "{}", reply.text);
        }
    }

    /// What a host put into a name cannot break out of its line.
    #[test]
    fn a_line_stays_a_line() {
        assert_eq!(line("a\nb\x1b[2Jc\u{202e}d"), "a b [2Jc\u{fffd}d");
    }
}
