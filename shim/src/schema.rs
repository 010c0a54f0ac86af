//! JSON schemas as the many MCP clients take them: flat, one type a parameter, nothing that only a validator likes.

use rmcp::model::JsonObject;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// Marks a parameter that is accepted but not shown to a model; `SECRET` where it carries a secret.
pub(crate) const HIDDEN: &str = "x-hidden";

/// How a hidden parameter is marked that is shown where the owner of the configuration wants that.
const SECRET: &str = "secret";

/// The largest number that a parameter takes; left out of what a model reads.
pub(crate) const MAXIMUM: &str = "x-maximum";

/// The input schema of a tool, all parameters with plain types, hidden ones still marked.
pub(crate) fn input<T: JsonSchema>() -> JsonObject {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    settings.meta_schema = None;
    let mut whole = settings.into_generator().into_root_schema_for::<T>();
    let properties = match whole.remove("properties") {
        Some(Value::Object(properties)) => properties
            .into_iter()
            .map(|(name, one)| (name, plain(one)))
            .collect(),
        _ => Map::new(),
    };
    let mut flat = Map::new();
    flat.insert("type".to_owned(), json!("object"));
    flat.insert("properties".to_owned(), Value::Object(properties));
    if let Some(required) = whole.remove("required") {
        flat.insert("required".to_owned(), required);
    }
    flat.insert("additionalProperties".to_owned(), json!(false));
    flat
}

/// That schema as a model sees it, with parameters that carry secrets or without them.
pub(crate) fn listed(input: &JsonObject, exposes_secrets: bool) -> JsonObject {
    let mut shown = input.clone();
    if let Some(Value::Object(properties)) = shown.get_mut("properties") {
        properties.retain(|_, property| match property.get(HIDDEN) {
            None => true,
            Some(mark) => exposes_secrets && mark == SECRET,
        });
        for property in properties.values_mut().filter_map(Value::as_object_mut) {
            property.remove(MAXIMUM);
            property.remove(HIDDEN);
        }
    }
    shown
}

/// One parameter: its type without `null`, its words, and its choices.
fn plain(property: Value) -> Value {
    let Value::Object(mut property) = property else {
        return property;
    };
    if let Some(Value::Array(types)) = property.get("type") {
        let first = types
            .iter()
            .find(|one| *one != "null")
            .cloned()
            .unwrap_or(Value::Null);
        property.insert("type".to_owned(), first);
    }
    if property.get("format").is_some_and(|format| format == "uint32") {
        property.insert(MAXIMUM.to_owned(), u32::MAX.into());
    }
    property
        .retain(|key, _| ["type", "description", "enum", "items", HIDDEN, MAXIMUM].contains(&key.as_str()));
    // Doc comments are broken where the source's lines end.
    if let Some(Value::String(words)) = property.get_mut("description") {
        *words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    Value::Object(property)
}

/// An output schema. No field is required and none has a type that null would break: clients hold errors against it too.
pub(crate) fn output(fields: &[(&str, Value)]) -> JsonObject {
    let mut properties: Map<String, Value> = fields
        .iter()
        .map(|(name, field)| ((*name).to_owned(), field.clone()))
        .collect();
    properties.insert(
        "error".to_owned(),
        json!({"type": "object", "description": "only if the call failed: code, message, hint, retryable"}),
    );
    let mut flat = Map::new();
    flat.insert("type".to_owned(), json!("object"));
    flat.insert("properties".to_owned(), Value::Object(properties));
    flat
}

/// A field of this type that is never null.
pub(crate) fn field(kind: &str, description: &str) -> Value {
    json!({"type": kind, "description": description})
}

/// A field that is null where it is not known.
pub(crate) fn maybe(description: &str) -> Value {
    json!({"description": description})
}

/// A list of words.
pub(crate) fn words(description: &str) -> Value {
    json!({"type": "array", "description": description, "items": {"type": "string"}})
}

/// A list of objects.
pub(crate) fn list(of: &JsonObject, description: &str) -> Value {
    let mut item = of.clone();
    if let Some(Value::Object(properties)) = item.get_mut("properties") {
        properties.remove("error");
    }
    json!({"type": "array", "description": description, "items": item})
}

/// The fields of the object that stands for one command, wherever one is reported.
pub(crate) fn command_fields() -> Vec<(&'static str, Value)> {
    vec![
        ("session", maybe("string: the session it runs in")),
        ("command_id", maybe("string")),
        (
            "status",
            maybe("completed, running, awaiting_input, interrupted or lost"),
        ),
        (
            "exit_code",
            maybe("integer if the far side gave it, else null; 128+n for signal n"),
        ),
        (
            "stdout",
            maybe("string: the output this answer carries; null where none is"),
        ),
        (
            "stderr",
            maybe("string; null where it cannot be told apart: then stdout has both"),
        ),
        (
            "omitted_bytes",
            maybe("integer: raw bytes left out between head and tail, or before the tail asked for"),
        ),
        ("total_bytes", maybe("integer: raw bytes written so far")),
        ("offset", maybe("integer: where to go on reading")),
        ("cwd", maybe("string or null: working directory")),
        ("duration_ms", maybe("integer")),
        (
            "completion",
            maybe("how the end is known: exact, prompt, idle; null before it"),
        ),
        (
            "prompt",
            maybe(
                "object or null: the question it asks: text, echo (false: a secret, unless keys is true), source (terminal or text)",
            ),
        ),
        ("notice", maybe("string or null: what you must know")),
        (
            "stdout_encoding",
            maybe("\"base64\" if stdout is raw and not UTF-8; else absent"),
        ),
        (
            "stderr_encoding",
            maybe("\"base64\" if stderr is raw and not UTF-8; else absent"),
        ),
    ]
}
