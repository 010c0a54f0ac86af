//! `OVRD_ALIAS_HOST`, `…_USER` and so on in the environment of `mcp-ssh --profile session`: what an alias stands for, hidden
//! from the model, which is shown the alias instead. It knows no tool.

use std::{collections::BTreeMap, ffi::OsString};

use rmcp::model::JsonObject;
use serde_json::{Value, json};
use sshmcp_proto::{error::Fault, v1::Reason};
use zeroize::Zeroizing;

/// What begins the name of such a variable.
const PREFIX: &str = "OVRD_";

/// Words behind the alias, and the parameters that they set.
const LOGIN: [(&str, &str); 5] = [
    ("HOST", "hostname"),
    ("USER", "username"),
    ("PORT", "port"),
    ("KEY", "key_filename"),
    ("PASS", "password"),
];

/// Fields that hold what hosts wrote, or what the model did: they are nobody's configuration.
const WRITTEN: [&str; 9] = [
    "stdout",
    "stderr",
    "text",
    "content",
    "notes",
    "greeting",
    "last_line",
    "prompt",
    "running_command",
];

/// The variables that there are.
#[derive(Default)]
pub(crate) struct Environment(BTreeMap<String, Zeroizing<String>>);

impl Environment {
    /// Those among all variables of this process.
    pub(crate) fn of(variables: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let ours = variables.filter_map(|(name, value)| {
            let (name, value) = (name.into_string().ok()?, value.into_string().ok()?);
            let name = name.strip_prefix(PREFIX)?;
            (!value.is_empty()).then(|| (name.to_owned(), Zeroizing::new(value)))
        });
        Self(ours.collect())
    }

    /// The variable of this word for a host as a call names it; a name that no shell could export is also found with `_`
    /// for what it has besides letters and digits.
    fn get(&self, host: &str, word: &str) -> Option<&str> {
        let plain: String = host
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        let found = self.0.get(&format!("{host}_{word}"));
        let found = found.or_else(|| self.0.get(&format!("{plain}_{word}")));
        found.map(|value| value.as_str())
    }

    /// What is laid over a call with this host. Where to and who is decided here, whatever the call says; passwords for sudo
    /// and privileged mode only where the call has none, the former only for a command that begins with sudo.
    pub(crate) fn over(&self, arguments: &JsonObject) -> Result<JsonObject, Fault> {
        let mut over = JsonObject::new();
        let Some(host) = arguments.get("host").and_then(Value::as_str) else {
            return Ok(over);
        };
        for (word, parameter) in LOGIN {
            let Some(value) = self.get(host, word) else {
                continue;
            };
            let value = if word == "PORT" {
                let port: u16 = value.trim().parse().map_err(|_| wrong(host, word))?;
                json!(port)
            } else {
                json!(value)
            };
            over.insert(parameter.to_owned(), value);
        }
        let is_given = |name: &str| arguments.get(name).is_some_and(|value| !value.is_null());
        let command = arguments
            .get("command")
            .and_then(Value::as_str)
            .unwrap_or_default();
        for (word, parameter, is_wanted) in [
            (
                "SUDO_PASS",
                "sudo_password",
                begins_with_sudo(command) || is_true(arguments, "sudo"),
            ),
            ("ENABLE_PASS", "enable_password", true),
        ] {
            if let Some(value) = self.get(host, word).filter(|_| is_wanted && !is_given(parameter)) {
                over.insert(parameter.to_owned(), json!(value));
            }
        }
        Ok(over)
    }

    /// Aliases with what they stand for, the longest first, so that no part of one is taken for another.
    fn shown_as(&self) -> Vec<(String, String)> {
        let mut shown = Vec::new();
        for (name, host) in &self.0 {
            let Some(alias) = name.strip_suffix("_HOST") else {
                continue;
            };
            let host = host.as_str();
            let with_user = self.get(alias, "USER").map(|user| format!("{user}@{host}"));
            for place in with_user.into_iter().chain([host.to_owned()]) {
                if let Some(port) = self.get(alias, "PORT") {
                    shown.push((format!("{place}:{port}"), alias.to_owned()));
                }
                shown.push((place, alias.to_owned()));
            }
        }
        shown.sort_by_key(|(hidden, _)| std::cmp::Reverse(hidden.len()));
        shown
    }

    /// Puts aliases into structured content in the place of what they stand for, and tells what was changed to what.
    pub(crate) fn hide(&self, structured: &mut JsonObject) -> Vec<(String, String)> {
        let mut changed = Vec::new();
        if !self.0.is_empty() {
            self.hide_in(structured, &self.shown_as(), &mut changed);
            changed.sort_by_key(|(hidden, _): &(String, String)| std::cmp::Reverse(hidden.len()));
        }
        changed
    }

    fn hide_in(
        &self,
        object: &mut JsonObject,
        shown: &[(String, String)],
        changed: &mut Vec<(String, String)>,
    ) {
        // Where the alias is told beside it, a target is that, whatever part of it was laid over.
        let alias = object.get("host").and_then(Value::as_str).map(str::to_owned);
        let alias = alias.filter(|alias| LOGIN.iter().any(|(word, _)| self.get(alias, word).is_some()));
        for (name, value) in object.iter_mut() {
            if WRITTEN.contains(&name.as_str()) {
                continue;
            }
            match (value, &alias) {
                (Value::String(target), Some(alias)) if name == "target" => {
                    changed.push((target.clone(), alias.clone()));
                    target.clone_from(alias);
                }
                (Value::String(text), _) => {
                    let hidden = replaced(text, shown);
                    if hidden != *text {
                        changed.push((text.clone(), hidden.clone()));
                        *text = hidden;
                    }
                }
                (Value::Object(inner), _) => self.hide_in(inner, shown, changed),
                (Value::Array(items), _) => {
                    for item in items.iter_mut().filter_map(Value::as_object_mut) {
                        self.hide_in(item, shown, changed);
                    }
                }
                (Value::Null | Value::Bool(_) | Value::Number(_), _) => {}
            }
        }
    }

    /// A failure of a call with these arguments, with nothing in it that is hidden.
    pub(crate) fn hide_fault(&self, arguments: &JsonObject, fault: Fault) -> Fault {
        if self.0.is_empty() {
            return fault;
        }
        let mut shown = self.shown_as();
        let mut hint = fault.hint.clone();
        if let Some(host) = arguments.get("host").and_then(Value::as_str) {
            let named = |word: &str| format!("{PREFIX}{host}_{word}");
            for word in ["USER", "KEY", "PASS", "SUDO_PASS", "ENABLE_PASS"] {
                if let Some(value) = self.get(host, word) {
                    shown.push((value.to_owned(), named(word)));
                }
            }
            shown.sort_by_key(|(hidden, _)| std::cmp::Reverse(hidden.len()));
            let words = ["HOST", "PORT", "USER"];
            let laid: Vec<String> = words
                .into_iter()
                .filter(|word| self.get(host, word).is_some())
                .map(named)
                .collect();
            // sshctl has another environment.
            if hint.contains("sshctl ") && !laid.is_empty() {
                let host = crate::render::line(host);
                hint.push_str(&format!("; there `{host}` is what {} say", laid.join(", ")));
            }
        }
        Fault {
            message: replaced(&fault.message, &shown),
            hint: replaced(&hint, &shown),
            ..fault
        }
    }
}

fn is_true(arguments: &JsonObject, name: &str) -> bool {
    arguments.get(name).and_then(Value::as_bool).unwrap_or_default()
}

fn begins_with_sudo(command: &str) -> bool {
    command.split_whitespace().next() == Some("sudo")
}

fn wrong(host: &str, word: &str) -> Fault {
    let host = crate::render::line(host);
    Fault::new(
        Reason::ConfigInvalid,
        format!("{PREFIX}{host}_{word} in the environment of mcp-ssh is no port"),
    )
    .hint("the user mends it in the MCP client's configuration")
}

/// Replaces what stands there as a whole word.
fn replaced(text: &str, shown: &[(String, String)]) -> String {
    let is_word = |c: char| c.is_alphanumeric() || "._-".contains(c);
    let mut text = text.to_owned();
    for (hidden, alias) in shown {
        let mut done = String::new();
        let mut rest = text.as_str();
        while let Some((before, behind)) = rest.split_once(hidden.as_str()) {
            let last = before.chars().next_back().or_else(|| done.chars().next_back());
            // A full stop at the end is the sentence's.
            let next = behind.trim_start_matches('.').chars().next();
            let joined = behind.chars().next().is_some_and(is_word) && next.is_some_and(is_word);
            done.push_str(before);
            done.push_str(if last.is_some_and(is_word) || joined {
                hidden
            } else {
                alias
            });
            rest = behind;
        }
        done.push_str(rest);
        text = done;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        Environment::of(variables)
    }

    fn object(value: &Value) -> JsonObject {
        value.as_object().cloned().unwrap_or_default()
    }

    fn full() -> Environment {
        environment(&[
            ("OVRD_web_HOST", "10.0.0.5"),
            ("OVRD_web_USER", "admin"),
            ("OVRD_web_PORT", "2222"),
            ("OVRD_web_KEY", "/keys/web"),
            ("OVRD_web_PASS", "pw"),
            ("OVRD_web_SUDO_PASS", "sp"),
            ("OVRD_web_ENABLE_PASS", "ep"),
            ("OVRD_my_box_USER", "me"),
            ("OVRD_db_HOST", "10.0.0.50"),
            ("OVRD_empty_USER", ""),
            ("OTHER_web_USER", "nobody"),
        ])
    }

    /// Where to and who is the environment's; a secret is given only where the call has none and needs it.
    #[test]
    fn it_lies_over_a_call() {
        for (given, over) in [
            (json!({"session": "s"}), json!({})),
            (json!({"host": "other"}), json!({})),
            (json!({"host": "empty"}), json!({})),
            (json!({"host": "my-box"}), json!({"username": "me"})),
            (
                json!({"host": "web", "username": "root", "command": "ls", "enable_password": "given"}),
                json!({"hostname": "10.0.0.5", "username": "admin", "port": 2222, "key_filename": "/keys/web", "password": "pw"}),
            ),
            (
                json!({"host": "web", "command": " sudo ls"}),
                json!({"hostname": "10.0.0.5", "username": "admin", "port": 2222, "key_filename": "/keys/web", "password": "pw",
                    "sudo_password": "sp", "enable_password": "ep"}),
            ),
        ] {
            let found = full().over(&object(&given)).expect("well-formed");
            assert_eq!(Value::Object(found), over, "{given}");
        }
        let broken = environment(&[("OVRD_web_PORT", "S3cret")]).over(&object(&json!({"host": "web"})));
        let fault = broken.expect_err("no port");
        assert_eq!(fault.reason, Reason::ConfigInvalid);
        assert!(
            fault.message.contains("OVRD_web_PORT") && !fault.to_string().contains("S3cret"),
            "{fault}"
        );
    }

    /// A model is shown the alias; what hosts wrote stays as it is.
    #[test]
    fn it_is_hidden() {
        let mut structured = object(&json!({
            "sessions": [
                {"host": "web", "target": "admin@10.0.0.5:2222", "session": "web", "log_path": "/logs/web.log"},
                {"host": "my-box", "target": "me@box:22", "notice": null},
                {"host": "other", "target": "admin@other:22"},
            ],
            "stdout": "inet 10.0.0.5", "notice": "admin@10.0.0.5:2222 is not 10.0.0.50 or 10.0.0.51",
        }));
        let changed = full().hide(&mut structured);
        assert_eq!(
            Value::Object(structured),
            json!({
                "sessions": [
                    {"host": "web", "target": "web", "session": "web", "log_path": "/logs/web.log"},
                    {"host": "my-box", "target": "my-box", "notice": null},
                    {"host": "other", "target": "admin@other:22"},
                ],
                "stdout": "inet 10.0.0.5", "notice": "web is not db or 10.0.0.51",
            })
        );
        assert_eq!(changed.len(), 3, "{changed:?}");
        let fault = Fault::new(Reason::AuthFailed, "10.0.0.5 refused admin with /keys/web and pw")
            .hint("look at 10.0.0.5. Or ask.");
        let hidden = full().hide_fault(&object(&json!({"host": "web"})), fault);
        assert_eq!(
            hidden.message,
            "web refused OVRD_web_USER with OVRD_web_KEY and OVRD_web_PASS"
        );
        assert_eq!(hidden.hint, "look at web. Or ask.");
        let unknown = Fault::new(
            Reason::HostKeyUnknown,
            "the host key of 10.0.0.5:2222 is not known",
        )
        .hint("a person runs `sshctl trust web`");
        let hidden = full().hide_fault(&object(&json!({"host": "web"})), unknown);
        assert_eq!(hidden.message, "the host key of web is not known");
        assert_eq!(
            hidden.hint,
            "a person runs `sshctl trust web`; there `web` is what OVRD_web_HOST, OVRD_web_PORT, OVRD_web_USER say"
        );
    }
}
