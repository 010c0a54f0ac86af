//! Values printed as the text around them is written.

use serde_json::Value;

/// A value to be printed, its fields in order.
pub(super) enum Printed {
    Object(Vec<(String, Self)>),
    Value(Value),
}

pub(super) fn object(fields: &[(String, Value)]) -> Printed {
    let fields = fields
        .iter()
        .map(|(name, value)| (name.clone(), Printed::Value(value.clone())));
    Printed::Object(fields.collect())
}

pub(super) fn nested(path: &[String], name: &str, value: Printed) -> Printed {
    let inner = Printed::Object(vec![(name.to_owned(), value)]);
    path.iter()
        .rev()
        .fold(inner, |inner, key| Printed::Object(vec![(key.clone(), inner)]))
}

pub(super) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// How values are printed.
pub(super) struct Printer {
    pub(super) unit: String,
    pub(super) newline: &'static str,
    pub(super) spaced: bool,
}

impl Printer {
    /// Over several lines, the later ones indented.
    pub(super) fn lines(&self, value: &Printed, indent: &str) -> String {
        let fields = match value {
            Printed::Value(value) => return value.to_string(),
            Printed::Object(fields) if fields.is_empty() => return "{}".to_owned(),
            Printed::Object(fields) => fields,
        };
        let (newline, inner) = (self.newline, format!("{indent}{}", self.unit));
        let lines: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{newline}{inner}{}: {}", quoted(name), self.lines(value, &inner)))
            .collect();
        format!("{{{}{newline}{indent}}}", lines.join(","))
    }

    /// A member in one line.
    pub(super) fn line(&self, name: &str, value: &Printed) -> String {
        let blank = if self.spaced { " " } else { "" };
        let value = match value {
            Printed::Value(value) => value.to_string(),
            Printed::Object(fields) => {
                let fields: Vec<String> = fields
                    .iter()
                    .map(|(name, value)| self.line(name, value))
                    .collect();
                format!("{{{}}}", fields.join(&format!(",{blank}")))
            }
        };
        format!("{}:{blank}{value}", quoted(name))
    }
}
