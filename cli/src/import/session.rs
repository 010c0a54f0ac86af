//! The variables by which mcp-ssh-session hides credentials, `OVRD_ALIAS_HOST` and so on: connections in our words. They are in
//! the environment, or in the `env` of an MCP client's entry.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Found;

/// What its names begin with.
const HEAD: &str = "OVRD_";

/// How they end, longer ones first, and which field each is.
const FIELDS: [(&str, &str); 7] = [
    ("_ENABLE_PASS", "enable_password"),
    ("_SUDO_PASS", "sudo_password"),
    ("_HOST", "host"),
    ("_PORT", "port"),
    ("_USER", "user"),
    ("_PASS", "password"),
    ("_KEY", "key_path"),
];

/// The connections that variables make.
pub(crate) fn read(variables: impl IntoIterator<Item = (String, String)>, source: &str) -> Vec<Found> {
    let mut found: BTreeMap<String, BTreeMap<usize, Value>> = BTreeMap::new();
    for (name, value) in variables {
        let Some(rest) = name.strip_prefix(HEAD) else {
            continue;
        };
        let fields = FIELDS.iter().enumerate();
        let field = fields
            .into_iter()
            .find_map(|(place, (ending, field))| Some((place, rest.strip_suffix(ending)?, *field)));
        let Some((place, alias, field)) =
            field.filter(|(_, alias, _)| !alias.is_empty() && !value.is_empty())
        else {
            continue;
        };
        let value = match value.parse::<u16>() {
            Ok(port) if field == "port" => port.into(),
            _ => value.into(),
        };
        found.entry(alias.to_owned()).or_default().insert(place, value);
    }
    let connection = |(name, mut fields): (String, BTreeMap<usize, Value>)| Found {
        name,
        // Where it is, before who one is there.
        fields: [2, 3, 4, 6, 5, 1, 0]
            .iter()
            .filter_map(|place| Some((FIELDS.get(*place)?.1.to_owned(), fields.remove(place)?)))
            .collect(),
        source: source.to_owned(),
    };
    found.into_iter().map(connection).collect()
}

/// Every such variable in a client's settings, wherever its entries are.
pub(crate) fn variables(settings: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = vec![settings];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value {
                        Value::String(text) if name.starts_with(HEAD) => {
                            found.push((name.clone(), text.clone()));
                        }
                        value => open.push(value),
                    }
                }
            }
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Found in any client's entry; each name is one field of one alias.
    #[test]
    fn aliases() {
        let settings = json!({"projects": {"/p": {"mcpServers": {"ssh": {"command": "uvx", "env": {
            "OVRD_web_1_HOST": "10.0.0.1", "OVRD_web_1_PORT": "2222", "OVRD_web_1_PASS": "p", "OVRD_web_1_SUDO_PASS": "s",
            "OVRD_sw_ENABLE_PASS": "e", "OVRD_sw_KEY": "~/k", "OVRD__HOST": "x", "OVRD_x_OTHER": "y", "PATH": "/bin",
        }}}}}});
        let found = read(variables(&settings), "a file");
        let [sw, web] = found.as_slice() else {
            panic!("{found:?}")
        };
        let text = |name: &str, value: &str| (name.to_owned(), Value::from(value));
        assert_eq!(sw.fields, [text("key_path", "~/k"), text("enable_password", "e")]);
        assert_eq!(web.name, "web_1");
        assert_eq!(
            web.fields,
            [
                text("host", "10.0.0.1"),
                ("port".to_owned(), 2222.into()),
                text("password", "p"),
                text("sudo_password", "s")
            ]
        );
    }
}
