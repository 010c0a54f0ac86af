//! What a model gives as arguments, made to fit a tool's schema: near misses of type are taken, everything else is told
//! in words. It knows schemas, not tools.

use rmcp::model::JsonObject;
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};
use sshmcp_proto::{error::Fault, v1::Reason};

use crate::{render, schema};

/// How like a known name an unknown one must be to be worth suggesting; 0.6 finds typos and misses mere anagrams.
const ALIKE: f64 = 0.6;

/// The longest time in seconds that is asked for: ten years; more is no other wish, and the daemon bounds every wait.
const SECONDS_MAX: f64 = 315_360_000.0;

/// What the hint that names all parameters begins with.
pub(crate) const PARAMETERS: &str = "its parameters are ";

/// A fault of the caller, in one sentence.
pub(crate) fn invalid(message: impl Into<String>) -> Fault {
    Fault::new(Reason::InvalidArgument, message)
}

/// Fits `given` to the properties of a schema, or says what does not fit.
pub(crate) fn check(
    properties: &JsonObject,
    required: &[String],
    given: JsonObject,
) -> Result<JsonObject, Fault> {
    let mut fitted = Map::new();
    for (name, value) in given {
        let Some(property) = properties.get(&name) else {
            return Err(unknown(&name, properties));
        };
        if value.is_null() {
            continue;
        }
        let kind = property.get("type").and_then(Value::as_str).unwrap_or_default();
        let most = property
            .get(schema::MAXIMUM)
            .and_then(Value::as_u64)
            .unwrap_or(u64::MAX);
        // `finished` reads like a switch, and models use it as one.
        let meant = match (name.as_str(), &value) {
            ("finished", Value::Bool(true)) => Value::from(FINISHED),
            ("finished", Value::Bool(false)) => Value::from(0),
            _ => value.clone(),
        };
        let Some(value) = fit(kind, meant).filter(|fitted| fitted.as_u64().is_none_or(|n| n <= most)) else {
            // A text is not repeated: it may be a secret.
            let given = match &value {
                Value::Number(number) => number.to_string(),
                other => kind_of(other).to_owned(),
            };
            return Err(
                invalid(format!("`{name}` must be {}, not {given}", article(kind)))
                    .hint(format!("call again with `{name}` as {}", article(kind))),
            );
        };
        let value = match property.get("enum").and_then(Value::as_array) {
            Some(choices) => chosen(&value, choices).ok_or_else(|| choice(&name, choices))?,
            None => value,
        };
        fitted.insert(name, value);
    }
    for name in required {
        if !fitted.contains_key(name) {
            return Err(invalid(format!("`{name}` is missing")).hint(format!("call again with `{name}`")));
        }
    }
    Ok(fitted)
}

/// Ended commands that `finished: true` means.
const FINISHED: u32 = 10;

/// Arguments that passed `check` as the tool's struct.
pub(crate) fn decode<T: DeserializeOwned>(arguments: JsonObject) -> Result<T, Fault> {
    // What fits the schema fits the struct that it was made from; serde's words may hold a value, and stay here.
    serde_json::from_value(Value::Object(arguments))
        .map_err(|_| Fault::new(Reason::Internal, "a parameter fits its schema, but not the tool"))
}

/// Seconds, whole or not, as milliseconds.
pub(crate) fn millis(name: &str, seconds: f64) -> Result<u64, Fault> {
    if seconds.is_nan() || seconds < 0.0 {
        return Err(invalid(format!("`{name}` must be a number of seconds from 0 up"))
            .hint(format!("call again with `{name}` in seconds, such as 30 or 0.5")));
    }
    let millis = std::time::Duration::from_secs_f64(seconds.min(SECONDS_MAX)).as_millis();
    Ok(u64::try_from(millis).unwrap_or(u64::MAX))
}

/// Characters of output that an answer may have; 0 on the wire leaves that to the daemon.
pub(crate) fn output_limit(limit: Option<u32>) -> Result<u32, Fault> {
    match limit {
        Some(0) => Err(
            invalid("`output_limit` is 0, and at least one character of output is returned")
                .hint("call again with 1 to 40000, or without it for 8000"),
        ),
        limit => Ok(limit.unwrap_or(0)),
    }
}

/// The known name that an unknown one probably means.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_ascii_lowercase();
    known
        .map(|candidate| (strsim::jaro_winkler(&lower, candidate), candidate))
        .filter(|(alike, _)| *alike > ALIKE)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, candidate)| candidate)
}

fn unknown(name: &str, properties: &JsonObject) -> Fault {
    let shown = render::line(name);
    let known = properties
        .iter()
        .filter(|(_, property)| property.get(schema::HIDDEN).is_none())
        .map(|(name, _)| name.as_str());
    let hint = nearest(name, known.clone()).map_or_else(
        || {
            let all: Vec<_> = known.collect();
            if all.is_empty() {
                "call again without parameters".to_owned()
            } else {
                format!("{PARAMETERS}{}", all.join(", "))
            }
        },
        |name| format!("did you mean `{name}`?"),
    );
    invalid(format!("unknown parameter `{shown}`")).hint(hint)
}

/// The choice that is meant; models write `int` and `SIGINT` for INT.
fn chosen(value: &Value, choices: &[Value]) -> Option<Value> {
    let given = value.as_str()?.trim().to_ascii_lowercase();
    let plain = given.strip_prefix("sig").unwrap_or(&given);
    let find = |wanted: &str| {
        let mut all = choices.iter();
        all.find(|choice| {
            choice
                .as_str()
                .is_some_and(|choice| choice.eq_ignore_ascii_case(wanted))
        })
    };
    find(&given).or_else(|| find(plain)).cloned()
}

fn choice(name: &str, choices: &[Value]) -> Fault {
    let all: Vec<_> = choices.iter().filter_map(Value::as_str).collect();
    invalid(format!("`{name}` must be one of {}", all.join(", "))).hint("call again with one of these")
}

/// `value` as this type, if it can be meant so.
fn fit(kind: &str, value: Value) -> Option<Value> {
    match (kind, value) {
        ("string", Value::Number(number)) => Some(Value::String(number.to_string())),
        ("number", Value::String(text)) => number(text.trim()),
        ("integer", Value::Number(number)) => whole(&number),
        // 0644 means another number to some.
        ("integer", Value::String(text)) if text.trim().len() > 1 && text.trim().starts_with('0') => None,
        ("integer", Value::String(text)) => match number(text.trim())? {
            Value::Number(number) => whole(&number),
            _ => None,
        },
        ("boolean", Value::String(text)) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Some(Value::Bool(true)),
            "false" | "no" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
        ("boolean", Value::Number(number)) => match number.as_u64() {
            Some(0) => Some(Value::Bool(false)),
            Some(1) => Some(Value::Bool(true)),
            _ => None,
        },
        ("array", Value::Array(items)) => items
            .into_iter()
            .map(|item| fit("string", item))
            .collect::<Option<_>>()
            .map(Value::Array),
        // Some clients send a list as the text of one; a single name stands for a list of one.
        ("array", Value::String(text)) => match serde_json::from_str(&text) {
            Ok(Value::Array(items)) => fit("array", Value::Array(items)),
            _ => Some(Value::Array(vec![Value::String(text)])),
        },
        (kind, value) if kind_of(&value) == kind => Some(value),
        _ => None,
    }
}

fn number(text: &str) -> Option<Value> {
    let parsed: Option<Number> = text
        .parse::<u64>()
        .ok()
        .map(Number::from)
        .or_else(|| text.parse().ok().and_then(Number::from_f64));
    parsed.map(Value::Number)
}

/// 30.0 is a whole number to a model.
fn whole(number: &Number) -> Option<Value> {
    if number.is_u64() {
        return Some(Value::Number(number.clone()));
    }
    let float = number.as_f64()?;
    // Above 2^53 a float no longer says which whole number is meant.
    let exact = float.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&float);
    exact
        .then(|| format!("{float:.0}").parse::<u64>().ok())
        .flatten()
        .map(Value::from)
}

/// A JSON type's name; any number is a `number`.
const fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn article(kind: &str) -> &'static str {
    match kind {
        "string" => "a string",
        "number" => "a number",
        "integer" => "a whole number from 0 up",
        "boolean" => "true or false",
        "array" => "a list of strings",
        _ => "of another type",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn properties() -> JsonObject {
        let all = json!({
            "host": {"type": "string"}, "timeout": {"type": "number"}, "tail": {"type": "integer", "x-maximum": 100},
            "raw": {"type": "boolean"}, "commands": {"type": "array"},
            "until": {"type": "string", "enum": ["any", "all"]}, "signal": {"type": "string", "enum": ["INT", "KILL"]},
            "password": {"type": "string", "x-hidden": true},
        });
        all.as_object().cloned().unwrap_or_default()
    }

    fn checked(given: &Value) -> Result<Value, Fault> {
        check(&properties(), &[], given.as_object().cloned().unwrap_or_default()).map(Value::Object)
    }

    /// Models write numbers, booleans and lists as text, and leave out by null.
    #[test]
    fn near_misses_are_taken() {
        for (given, taken) in [
            (json!({"timeout": "30"}), json!({"timeout": 30})),
            (json!({"timeout": "0.5"}), json!({"timeout": 0.5})),
            (json!({"tail": "30"}), json!({"tail": 30})),
            (json!({"tail": 30.0}), json!({"tail": 30})),
            (json!({"raw": "true"}), json!({"raw": true})),
            (json!({"raw": "False"}), json!({"raw": false})),
            (json!({"raw": 1}), json!({"raw": true})),
            (json!({"commands": "c1"}), json!({"commands": ["c1"]})),
            (
                json!({"commands": "[\"c1\", \"c2\"]"}),
                json!({"commands": ["c1", "c2"]}),
            ),
            (json!({"commands": ["c1", 2]}), json!({"commands": ["c1", "2"]})),
            (json!({"host": 5}), json!({"host": "5"})),
            (json!({"host": null}), json!({})),
            (json!({"until": "any"}), json!({"until": "any"})),
            (json!({"until": "ALL"}), json!({"until": "all"})),
            (json!({"signal": "sigint"}), json!({"signal": "INT"})),
        ] {
            assert_eq!(checked(&given).expect("taken"), taken, "{given}");
        }
    }

    /// What cannot be meant is refused in words that name the parameter, and never repeats the value.
    #[test]
    fn wrong_types_are_told_in_words() {
        for (given, message) in [
            (
                json!({"timeout": "soon"}),
                "`timeout` must be a number, not string",
            ),
            (json!({"timeout": [1]}), "`timeout` must be a number, not array"),
            (
                json!({"tail": -1}),
                "`tail` must be a whole number from 0 up, not -1",
            ),
            (
                json!({"tail": "0644"}),
                "`tail` must be a whole number from 0 up, not string",
            ),
            (
                json!({"tail": 1.5}),
                "`tail` must be a whole number from 0 up, not 1.5",
            ),
            (
                json!({"raw": "perhaps"}),
                "`raw` must be true or false, not string",
            ),
            (json!({"raw": 2}), "`raw` must be true or false, not 2"),
            (
                json!({"host": {"name": "x"}}),
                "`host` must be a string, not object",
            ),
            (
                json!({"commands": 3}),
                "`commands` must be a list of strings, not 3",
            ),
            (
                json!({"commands": [[]]}),
                "`commands` must be a list of strings, not array",
            ),
            (json!({"until": "some"}), "`until` must be one of any, all"),
            (
                json!({"password": ["hunter2"]}),
                "`password` must be a string, not array",
            ),
        ] {
            let fault = checked(&given).expect_err("refused");
            assert_eq!(
                (fault.reason, fault.message.as_str()),
                (Reason::InvalidArgument, message),
                "{given}"
            );
            assert!(!fault.hint.is_empty());
        }
    }

    /// An unknown name is answered with the one that was meant, never with a hidden one.
    #[test]
    fn unknown_names_are_suggested() {
        for (name, hint) in [
            ("hst", "did you mean `host`?"),
            ("Timeout", "did you mean `timeout`?"),
            ("time_out", "did you mean `timeout`?"),
            (
                "qqq",
                "its parameters are commands, host, raw, signal, tail, timeout, until",
            ),
        ] {
            let fault = checked(&json!({name: 1})).expect_err("refused");
            assert_eq!(fault.message, format!("unknown parameter `{name}`"));
            assert_eq!(fault.hint, hint, "{name}");
        }
    }

    /// What is required is named when it is missing, also when it is null.
    #[test]
    fn missing_names_are_told() {
        let given = json!({"host": null}).as_object().cloned().unwrap_or_default();
        let fault = check(&properties(), &["host".to_owned()], given).expect_err("refused");
        assert_eq!(fault.message, "`host` is missing");
    }

    /// Seconds may be fractions, and nothing absurd passes.
    #[test]
    fn seconds_are_bounded() {
        assert_eq!(millis("timeout", 0.25).ok(), Some(250));
        assert_eq!(millis("timeout", 0.0).ok(), Some(0));
        for wrong in [-1.0, f64::NAN, f64::NEG_INFINITY] {
            assert!(millis("timeout", wrong).is_err(), "{wrong}");
        }
        // As long as possible is not wrong.
        for long in [1e9, 1e12, f64::INFINITY] {
            assert_eq!(millis("timeout", long).ok(), Some(315_360_000_000), "{long}");
        }
    }
}
