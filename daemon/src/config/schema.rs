//! The JSON schema of `config.toml`, made from the same table that the parser reads by.

use serde_json::{Map, Value, json};

use super::fields::{self, Field, SECRET_KEYS, Shape};

/// The JSON schema (2020-12) of `config.toml`.
pub fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "sshmcp config.toml",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "settings": table(fields::SETTINGS, "What holds for the daemon as a whole."),
            "logs": table(fields::LOGS, "Sessions' transcripts and recordings."),
            "tags": {
                "type": "object",
                "description": "What holds for all connections with a tag.",
                "propertyNames": {"minLength": 1, "maxLength": 64},
                "additionalProperties": table(fields::TAG, "One tag."),
            },
            "connections": {
                "type": "object",
                "description": "Connections by name.",
                "propertyNames": {"minLength": 1, "maxLength": 128, "pattern": "^[^-]"},
                "additionalProperties": table(fields::CONNECTION, "One connection."),
            },
        },
    })
}

fn table(known: &[Field], about: &str) -> Value {
    let properties: Map<String, Value> = known
        .iter()
        // A refused key is no key of the schema.
        .filter(|field| field.shape != Shape::Refused)
        .map(|field| {
            let mut shape = shape(field.shape);
            if let Some(object) = shape.as_object_mut() {
                object.insert("description".to_owned(), field.about.into());
            }
            (field.name.to_owned(), shape)
        })
        .collect();
    json!({
        "type": "object",
        "description": about,
        "additionalProperties": false,
        "properties": properties,
    })
}

fn shape(shape: Shape) -> Value {
    match shape {
        Shape::Text | Shape::Path => json!({"type": "string", "minLength": 1}),
        Shape::Number(from, to) => json!({"type": "integer", "minimum": from, "maximum": to}),
        Shape::Boolean => json!({"type": "boolean"}),
        Shape::Word(words) => json!({"type": "string", "enum": words}),
        Shape::Secret => {
            let places: Map<String, Value> = SECRET_KEYS
                .iter()
                .map(|key| ((*key).to_owned(), json!({"type": "string", "minLength": 1})))
                .collect();
            json!({"oneOf": [
                {"type": "string", "minLength": 1},
                {
                    "type": "object",
                    "additionalProperties": false,
                    "minProperties": 1,
                    "maxProperties": 1,
                    "properties": places,
                },
            ]})
        }
        Shape::Secrets => json!({"type": "object", "additionalProperties": self::shape(Shape::Secret)}),
        Shape::Hosts => json!({"oneOf": [
            {"type": "string", "minLength": 1},
            {"type": "array", "items": {"type": "string", "minLength": 1}, "maxItems": 64},
        ]}),
        Shape::Tags => json!({
            "type": "array",
            "items": {"type": "string", "minLength": 1, "maxLength": 64},
            "maxItems": 64,
        }),
        Shape::Refused => json!(false),
    }
}
