//! What a line says about itself before it is understood: whether it is JSON, and which message it is. It goes byte by
//! byte, by the grammar alone, so that a line which no parser takes, or which is too long to be kept, still has its id read.

use std::{mem, ops::Range};

/// Levels of nesting that are followed; a line has none deeper, unless it is longer than what is kept of one.
const LEVELS: usize = 1 << 20; // one byte each
/// The longest id that is taken; clients count, or take a UUID.
const ID_BYTES: usize = 64 << 10; // 64 KiB
/// More messages in one line than any client sends; a range is kept of each.
const ITEMS: usize = 100;

/// RFC 8259 lets a reader pass over it.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What is known of a line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) kind: Kind,
    /// The id as it was written.
    pub(crate) id: Id,
    /// It names a method.
    pub(crate) has_method: bool,
    /// It has a result or an error: an answer.
    pub(crate) is_answer: bool,
    /// Its parameters are no object.
    pub(crate) has_odd_params: bool,
    /// It says `"jsonrpc": "2.0"`.
    pub(crate) has_version: bool,
    /// Where the elements of an array are in the line; `None` if they are too many.
    pub(crate) items: Option<Vec<Range<usize>>>,
}

/// What stands at the top.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    #[default]
    Other,
}

/// An id.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Id {
    #[default]
    Absent,
    /// The text of a string or a number.
    Given(Vec<u8>),
    /// Neither of these, given twice, or too long to be repeated.
    Unusable,
}

/// A reader of one line.
#[derive(Default)]
pub(crate) struct Scan {
    step: Step,
    /// The open brackets: true for an object.
    open: Vec<bool>,
    /// Bytes so far.
    at: usize,
    /// The text of the key or value that is kept, if one is.
    kept: Vec<u8>,
    /// A text is a key.
    in_key: bool,
    /// The key whose value comes, of the object at the top.
    key: Key,
    /// Where an element of the array at the top begins.
    item: usize,
    found: Envelope,
}

/// What may come next.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Step {
    #[default]
    Value,
    ValueOrEnd,
    KeyOrEnd,
    Key,
    Colon,
    Text,
    Escape,
    Hex(u8),
    Minus,
    Zero,
    Whole,
    Point,
    Fraction,
    E,
    ESign,
    Exponent,
    /// The rest of `true`, `false` or `null`.
    Word(&'static [u8]),
    After,
    Bad,
}

/// Keys that say what a message is.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Key {
    #[default]
    Other,
    Id,
    Method,
    Version,
    Params,
    Answer,
}

impl Scan {
    /// Goes on with these bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.step == Step::Bad {
                return;
            }
            self.byte(byte);
            self.at += 1;
        }
    }

    /// What was found, or `None` if the line is no JSON; ready for the next line.
    pub(crate) fn finish(&mut self) -> Option<Envelope> {
        // A number at the top ends where the line does.
        if self.is_whole_number() && self.open.is_empty() {
            self.ended(false);
        }
        let done = mem::take(self);
        (done.step == Step::After && done.open.is_empty()).then_some(done.found)
    }

    /// Nothing but blanks so far.
    pub(crate) fn is_blank(&self) -> bool {
        self.step == Step::Value && self.open.is_empty()
    }

    const fn is_whole_number(&self) -> bool {
        matches!(
            self.step,
            Step::Zero | Step::Whole | Step::Fraction | Step::Exponent
        )
    }

    fn byte(&mut self, byte: u8) {
        if self.is_blank() && BYTE_ORDER_MARK.get(self.at) == Some(&byte) {
            return;
        }
        if self.is_whole_number() && matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',' | b']' | b'}') {
            self.ended(false);
        }
        let is_blank = matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        let in_token = !matches!(
            self.step,
            Step::Value | Step::ValueOrEnd | Step::KeyOrEnd | Step::Key | Step::Colon | Step::After
        );
        if is_blank && !in_token {
            return;
        }
        if in_token {
            self.keep(byte);
        }
        self.step = match (self.step, byte) {
            (Step::ValueOrEnd, b']') | (Step::KeyOrEnd, b'}') => return self.close(byte),
            (Step::Value | Step::ValueOrEnd, _) => return self.begin(byte),
            (Step::KeyOrEnd | Step::Key, b'"') => {
                self.in_key = true;
                self.kept.clear();
                self.keep(byte);
                Step::Text
            }
            (Step::Colon, b':') => Step::Value,
            (Step::Text, b'"') => return self.text_ended(),
            (Step::Text, b'\\') => Step::Escape,
            (Step::Text, 0x20..) => Step::Text,
            (Step::Escape, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Step::Text,
            (Step::Escape, b'u') => Step::Hex(4),
            (Step::Hex(left), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => match left {
                0 | 1 => Step::Text,
                _ => Step::Hex(left - 1),
            },
            (Step::Minus, b'0') => Step::Zero,
            (Step::Minus, b'1'..=b'9') | (Step::Whole, b'0'..=b'9') => Step::Whole,
            (Step::Zero | Step::Whole, b'.') => Step::Point,
            (Step::Point | Step::Fraction, b'0'..=b'9') => Step::Fraction,
            (Step::Zero | Step::Whole | Step::Fraction, b'e' | b'E') => Step::E,
            (Step::E, b'+' | b'-') => Step::ESign,
            (Step::E | Step::ESign | Step::Exponent, b'0'..=b'9') => Step::Exponent,
            (Step::Word(rest), _) => match rest.split_first() {
                Some((next, [])) if *next == byte => return self.ended(false),
                Some((next, rest)) if *next == byte => Step::Word(rest),
                _ => Step::Bad,
            },
            (Step::After, b',') => match self.open.last() {
                Some(true) => Step::Key,
                Some(false) => {
                    self.item_ended();
                    Step::Value
                }
                None => Step::Bad,
            },
            (Step::After, b']' | b'}') => return self.close(byte),
            _ => Step::Bad,
        };
    }

    /// The first byte of a value.
    fn begin(&mut self, byte: u8) {
        self.kept.clear();
        self.keep(byte);
        self.step = match byte {
            b'{' | b'[' => {
                let is_object = byte == b'{';
                if self.open.is_empty() {
                    self.found.kind = if is_object { Kind::Object } else { Kind::Array };
                    self.found.items = (!is_object).then(Vec::new);
                    self.item = self.at + 1;
                }
                if self.open.len() >= LEVELS {
                    self.step = Step::Bad;
                    return;
                }
                self.open.push(is_object);
                if is_object {
                    Step::KeyOrEnd
                } else {
                    Step::ValueOrEnd
                }
            }
            b'"' => Step::Text,
            b'-' => Step::Minus,
            b'0' => Step::Zero,
            b'1'..=b'9' => Step::Whole,
            b't' => Step::Word(b"rue"),
            b'f' => Step::Word(b"alse"),
            b'n' => Step::Word(b"ull"),
            _ => Step::Bad,
        };
    }

    fn close(&mut self, byte: u8) {
        if self.step == Step::After {
            self.item_ended();
        }
        if self.open.pop() == Some(byte == b'}') {
            // What was nested is no id.
            self.kept.clear();
            self.ended(byte == b'}');
        } else {
            self.step = Step::Bad;
        }
    }

    fn text_ended(&mut self) {
        if !mem::take(&mut self.in_key) {
            return self.ended(false);
        }
        self.step = Step::Colon;
        if self.open.len() > 1 {
            return;
        }
        self.key = match serde_json::from_slice::<String>(&self.kept).as_deref() {
            Ok("id") => Key::Id,
            Ok("method") => Key::Method,
            Ok("jsonrpc") => Key::Version,
            Ok("params") => Key::Params,
            Ok("result" | "error") => Key::Answer,
            _ => Key::Other,
        };
    }

    /// A value is whole.
    fn ended(&mut self, is_object: bool) {
        self.step = Step::After;
        if self.open.len() != 1 || self.found.kind != Kind::Object {
            return;
        }
        match mem::take(&mut self.key) {
            Key::Id if self.found.id == Id::Absent => self.found.id = Id::of(&self.kept),
            Key::Id => self.found.id = Id::Unusable,
            Key::Method => self.found.has_method = self.kept.starts_with(b"\""),
            Key::Version => self.found.has_version = self.kept == b"\"2.0\"",
            Key::Params => self.found.has_odd_params = !is_object,
            Key::Answer => self.found.is_answer = true,
            Key::Other => {}
        }
    }

    /// An element of the array at the top is whole, if this is one.
    fn item_ended(&mut self) {
        if self.open.len() == 1 && self.found.kind == Kind::Array {
            self.found.items = self.found.items.take().filter(|items| items.len() < ITEMS);
            if let Some(items) = &mut self.found.items {
                items.push(self.item..self.at);
            }
            self.item = self.at + 1;
        }
    }

    /// Keeps what may be an id or a key of the object at the top.
    fn keep(&mut self, byte: u8) {
        if self.open.len() == 1 && self.kept.len() <= ID_BYTES {
            self.kept.push(byte);
        }
    }
}

impl Id {
    fn of(text: &[u8]) -> Self {
        let is_plain = matches!(
            serde_json::from_slice(text),
            Ok(serde_json::Value::String(_) | serde_json::Value::Number(_))
        );
        if is_plain && text.len() <= ID_BYTES {
            Self::Given(text.to_vec())
        } else {
            Self::Unusable
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn scanned(line: &[u8]) -> Option<Envelope> {
        let mut scan = Scan::default();
        scan.feed(line);
        scan.finish()
    }

    fn id(line: &str) -> Id {
        scanned(line.as_bytes()).expect("JSON").id
    }

    /// The id is read from where it stands at the top, also where a parser would not take the rest.
    #[test]
    fn an_id_is_read_exactly() {
        let given = |text: &str| Id::Given(text.as_bytes().to_vec());
        for (line, found) in [
            (r#"{"method":"ping","id":5}"#, given("5")),
            (
                r#" { "\u0069d" : "a\"b" , "method":"ping" } "#,
                given(r#""a\"b""#),
            ),
            (r#"{"params":{"id":1,"x":["id",2]},"id":3}"#, given("3")),
            (r#"{"params":"\ud800","id":3}"#, given("3")),
            (r#"{"params":1e999,"id":-3}"#, given("-3")),
            (r#"{"id":12345678901234567890}"#, given("12345678901234567890")),
            (r#"{"params":{"id":1}}"#, Id::Absent),
            (r#"{"id":null}"#, Id::Unusable),
            (r#"{"id":{"a":1}}"#, Id::Unusable),
            (r#"{"id":[]}"#, Id::Unusable),
            (r#"{"id":true}"#, Id::Unusable),
            (r#"{"id":1,"id":2}"#, Id::Unusable),
            (r#"{"id":"\ud800"}"#, Id::Unusable),
            (r#"{"id":1e999}"#, Id::Unusable),
        ] {
            assert_eq!(id(line), found, "{line}");
        }
        let long = format!("{{\"id\":\"{}\"}}", "x".repeat(ID_BYTES));
        assert_eq!(id(&long), Id::Unusable);
        let deep = format!(
            "{{\"a\":{}1{},\"id\":7}}",
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        assert_eq!(id(&deep), given("7"));
    }

    /// Requests, answers and lists of them are told apart.
    #[test]
    fn a_message_is_known_by_its_keys() {
        let envelope = scanned(br#"{"jsonrpc":"2.0","method":"m","id":1}"#).expect("JSON");
        assert!(
            envelope.has_version && envelope.has_method && !envelope.is_answer && !envelope.has_odd_params
        );
        assert!(
            !scanned(br#"{"params":{"params":[]}}"#)
                .expect("JSON")
                .has_odd_params
        );
        assert!(scanned(br#"{"params":[{}]}"#).expect("JSON").has_odd_params);
        let envelope = scanned(br#"{"jsonrpc":"1.0","method":4,"result":{}}"#).expect("JSON");
        assert!(!envelope.has_version && !envelope.has_method && envelope.is_answer);
        let line = br#" [ {"id":1}, [2, 3] ,"x"] "#;
        let envelope = scanned(line).expect("JSON");
        assert_eq!(envelope.kind, Kind::Array);
        let items: Vec<_> = envelope
            .items
            .expect("few")
            .into_iter()
            .map(|item| &line[item])
            .collect();
        assert_eq!(items, [&br#" {"id":1}"#[..], b" [2, 3] ", br#""x""#]);
        assert_eq!(scanned(b"[]").expect("JSON").items, Some(Vec::new()));
        let many = format!("[{}1]", "1,".repeat(ITEMS));
        assert_eq!(scanned(many.as_bytes()).expect("JSON").items, None);
        for other in ["1", "\"x\"", "null", "-0.5e+3"] {
            assert_eq!(scanned(other.as_bytes()).expect("JSON").kind, Kind::Other);
        }
    }

    /// What the grammar forbids is no JSON, however it breaks off.
    #[test]
    fn what_is_no_json_is_known() {
        for line in [
            "",
            "{bad",
            "{",
            "[1,]",
            "{\"a\":1,}",
            "{\"a\"}",
            "01",
            "1.",
            "-",
            "1e",
            "tru",
            "truex",
            "\"\\x\"",
            "\"\\u12\"",
            "[}",
            "{]",
            "1 2",
            "{\"a\":1}}",
            "\"a\tb\"",
            "{\"a\" 1}",
            ",",
            "[1 2]",
        ] {
            assert_eq!(scanned(line.as_bytes()), None, "{line}");
        }
    }

    /// Texts that are JSON, and such that are nearly so.
    fn lines() -> impl Strategy<Value = Vec<u8>> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(|number| json!(number)),
            ".{0,8}".prop_map(Value::from),
        ];
        let tree = leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map("id|method|a", inner, 0..4).prop_map(|map| json!(map)),
            ]
        });
        (tree, any::<prop::sample::Index>(), any::<Option<u8>>()).prop_map(|(tree, place, byte)| {
            let mut text = tree.to_string().into_bytes();
            let place = place.index(text.len());
            if let Some(byte) = byte {
                text[place] = byte;
            }
            text
        })
    }

    proptest! {
        /// It takes what a parser takes, and more only where that stumbles over a text's or a number's meaning.
        #[test]
        fn it_knows_the_grammar(line in lines()) {
            let ours = scanned(&line);
            match serde_json::from_slice::<Value>(&line) {
                Ok(value) => {
                    let envelope = ours.expect("JSON");
                    if let Some(id) = value.get("id").filter(|id| id.is_number() || id.is_string()) {
                        let Id::Given(text) = envelope.id else { panic!("{envelope:?}") };
                        prop_assert_eq!(&serde_json::from_slice::<Value>(&text).expect("JSON"), id);
                    }
                    if let Value::Array(items) = value {
                        prop_assert_eq!(envelope.items.expect("few").len(), items.len());
                    }
                }
                Err(_) if std::str::from_utf8(&line).is_err() || line.contains(&b'\\') => {}
                Err(error) => prop_assert!(ours.is_none() || error.to_string().contains("out of range"), "{}", error),
            }
        }

        /// How the bytes are cut makes no difference, and nothing stops it.
        #[test]
        fn pieces_make_no_difference(line in prop::collection::vec(any::<u8>(), 0..200), cut in any::<prop::sample::Index>()) {
            let (left, right) = line.split_at(cut.index(line.len() + 1));
            let mut scan = Scan::default();
            scan.feed(left);
            scan.feed(right);
            prop_assert_eq!(scan.finish(), scanned(&line));
        }
    }
}
