//! Other names of tools and parameters: what clients of the two predecessors call them, in one table.

use std::str::FromStr;

use rmcp::model::JsonObject;
use serde_json::{Value, json};
use sshmcp_proto::error::Fault;

use crate::arguments::invalid;

/// Which tools are listed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Ours.
    Default,
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "default" => Ok(Self::Default),
            "interactive" | "session" => Err(format!(
                "the profile `{name}` is not built yet; leave out --profile: its tool names are accepted all the same"
            )),
            _ => Err(format!(
                "no profile is called `{}`; there are default, interactive and session",
                crate::render::line(name)
            )),
        }
    }
}

/// A call in our own names.
pub(crate) struct Plan<'a> {
    /// The tool, if it exists.
    pub(crate) tool: &'a str,
    /// Its arguments, renamed.
    pub(crate) arguments: Result<JsonObject, Fault>,
}

/// Another name of a tool: (name, tool, its own names of parameters, parameters that it sets).
type Alias = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [(&'static str, Preset)],
);

/// What an alias sets.
enum Preset {
    /// Always so, whatever is given.
    Always(Setting),
    /// So unless it is given.
    Unless(Setting),
}

enum Setting {
    Flag(bool),
    Number(u32),
}

const ALIASES: [Alias; 14] = [
    ("list_available_configs", "list_hosts", &[], &[]),
    ("get_server_info", "list_hosts", &[], &[]),
    ("open_connection", "open_session", &[], &[]),
    ("list_connections", "list_sessions", &[], &[]),
    ("close_connection", "close_session", &[], &[]),
    (
        "close_all_sessions",
        "close_session",
        &[],
        &[("all", Preset::Always(Setting::Flag(true)))],
    ),
    // Its `timeout` bounded the command; ours bounds the wait, and it answers at once.
    (
        "execute_command_async",
        "execute_command",
        &[],
        &[("timeout", Preset::Always(Setting::Number(0)))],
    ),
    ("list_running_commands", "get_active_commands", &[], &[]),
    (
        "list_command_history",
        "get_active_commands",
        &[("limit", "finished")],
        &[("finished", Preset::Unless(Setting::Number(50)))],
    ),
    ("get_command_status", "get_command_output", &[], &[]),
    ("interrupt_command_by_id", "interrupt_command", &[], &[]),
    ("read_screen", "get_terminal_output", &[], &[]),
    (
        "send_input_by_session",
        "send_input",
        &[],
        &[("enter", Preset::Unless(Setting::Flag(false)))],
    ),
    (
        "send_keys",
        "send_input",
        &[("keys", "typed")],
        &[("enter", Preset::Unless(Setting::Flag(false)))],
    ),
];

/// Other names of parameters, in every tool that has the right-hand one.
const PARAMETERS: [(&str, &str); 6] = [
    ("connection_config_name", "host"),
    ("connection_name", "host"),
    ("session_name", "session"),
    ("num_lines", "lines"),
    ("max_lines", "lines"),
    ("input_text", "text"),
];

/// Puts a call into our own names.
pub(crate) fn plan(name: &str, given: JsonObject) -> Plan<'_> {
    let (tool, own, presets) = ALIASES
        .iter()
        .find(|alias| alias.0 == name)
        .map_or((name, &[] as &[_], &[] as &[_]), |alias| {
            (alias.1, alias.2, alias.3)
        });
    let mut arguments = rename(given, own);
    if let Ok(arguments) = &mut arguments {
        if tool == "send_input" && name != "send_keys" {
            spell_out_enter(arguments, name == "send_input_by_session");
        }
        for (parameter, preset) in presets {
            match preset {
                Preset::Always(setting) => {
                    arguments.insert((*parameter).to_owned(), setting.value());
                }
                Preset::Unless(setting) => {
                    arguments.entry(*parameter).or_insert_with(|| setting.value());
                }
            }
        }
    }
    Plan { tool, arguments }
}

impl Setting {
    fn value(&self) -> Value {
        match self {
            Self::Flag(flag) => json!(flag),
            Self::Number(number) => json!(number),
        }
    }
}

/// Marks text that came by mcp-ssh-session's name, where a literal `\n` means Enter.
const ITS_TEXT: &str = "input_text";

fn rename(given: JsonObject, own: &[(&str, &str)]) -> Result<JsonObject, Fault> {
    let mut renamed = JsonObject::new();
    for (name, value) in given {
        let ours = own
            .iter()
            .chain(&PARAMETERS)
            // A list of keys is ours already, by whatever name the tool is called.
            .find(|(theirs, ours)| *theirs == name && !(*ours == "typed" && value.is_array()))
            .map_or(name.as_str(), |(_, ours)| ours);
        // `input_text` is renamed later: what it means differs by a little.
        let ours = if name == ITS_TEXT { ITS_TEXT } else { ours };
        if renamed.contains_key(ours) {
            return Err(invalid(format!("`{ours}` is given twice, also by another name"))
                .hint(format!("call again with `{ours}` alone")));
        }
        renamed.insert(ours.to_owned(), value);
    }
    Ok(renamed)
}

/// `input_text` becomes `text`: a literal `\n` at its end is Enter, one inside is a line break.
fn spell_out_enter(arguments: &mut JsonObject, enter_only_if_spelled: bool) {
    let Some(value) = arguments.remove(ITS_TEXT) else {
        return;
    };
    let Value::String(typed) = value else {
        arguments.entry("text").or_insert(value);
        return;
    };
    let typed = typed.replace("\\n", "\n");
    let (text, spelled) = match typed.strip_suffix('\n') {
        Some(text) => (text.to_owned(), true),
        None => (typed, false),
    };
    arguments.entry("text").or_insert(Value::String(text));
    if enter_only_if_spelled {
        arguments.entry("enter").or_insert(Value::Bool(spelled));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(name: &str, given: &Value) -> (String, Value) {
        let plan = plan(name, given.as_object().cloned().unwrap_or_default());
        (
            plan.tool.to_owned(),
            Value::Object(plan.arguments.expect("renamed")),
        )
    }

    /// Each name of the predecessors reaches its tool with the parameters that it had there.
    #[test]
    fn predecessors_names_are_known() {
        for (name, given, tool, ours) in [
            ("list_available_configs", json!({}), "list_hosts", json!({})),
            (
                "get_server_info",
                json!({"connection_config_name": "w"}),
                "list_hosts",
                json!({"host": "w"}),
            ),
            (
                "open_connection",
                json!({"connection_name": "w", "session_name": "s"}),
                "open_session",
                json!({"host": "w", "session": "s"}),
            ),
            ("list_connections", json!({}), "list_sessions", json!({})),
            (
                "close_connection",
                json!({"session_name": "s"}),
                "close_session",
                json!({"session": "s"}),
            ),
            (
                "close_all_sessions",
                json!({}),
                "close_session",
                json!({"all": true}),
            ),
            (
                "execute_command_async",
                json!({"host": "w", "command": "c", "timeout": 300}),
                "execute_command",
                json!({"host": "w", "command": "c", "timeout": 0}),
            ),
            (
                "list_running_commands",
                json!({}),
                "get_active_commands",
                json!({}),
            ),
            (
                "list_command_history",
                json!({}),
                "get_active_commands",
                json!({"finished": 50}),
            ),
            (
                "list_command_history",
                json!({"limit": 5}),
                "get_active_commands",
                json!({"finished": 5}),
            ),
            (
                "get_command_status",
                json!({"command_id": "c1"}),
                "get_command_output",
                json!({"command_id": "c1"}),
            ),
            (
                "interrupt_command_by_id",
                json!({"command_id": "c1"}),
                "interrupt_command",
                json!({"command_id": "c1"}),
            ),
            (
                "interrupt_command",
                json!({"session_name": "s"}),
                "interrupt_command",
                json!({"session": "s"}),
            ),
            (
                "read_screen",
                json!({"host": "w", "max_lines": 24}),
                "get_terminal_output",
                json!({"host": "w", "lines": 24}),
            ),
            (
                "get_terminal_output",
                json!({"session_name": "s", "num_lines": 200}),
                "get_terminal_output",
                json!({"session": "s", "lines": 200}),
            ),
            (
                "send_input",
                json!({"command_id": "c1", "input_text": "yes\\n"}),
                "send_input",
                json!({"command_id": "c1", "text": "yes"}),
            ),
            (
                "send_input_by_session",
                json!({"host": "w", "input_text": "yes\\n"}),
                "send_input",
                json!({"host": "w", "text": "yes", "enter": true}),
            ),
            (
                "send_input_by_session",
                json!({"host": "w", "input_text": "q"}),
                "send_input",
                json!({"host": "w", "text": "q", "enter": false}),
            ),
            (
                "send_keys",
                json!({"host": "w", "keys": ":q<enter>"}),
                "send_input",
                json!({"host": "w", "typed": ":q<enter>", "enter": false}),
            ),
            ("no_such_tool", json!({}), "no_such_tool", json!({})),
        ] {
            assert_eq!(planned(name, &given), (tool.to_owned(), ours), "{name}");
        }
    }

    /// Two names for one parameter contradict each other.
    #[test]
    fn one_parameter_by_two_names_is_refused() {
        let given = json!({"session": "a", "session_name": "b"});
        let fault = plan("execute_command", given.as_object().cloned().unwrap_or_default())
            .arguments
            .expect_err("refused");
        assert!(fault.message.contains("`session` is given twice"), "{fault}");
    }

    /// A profile that is not built says so instead of listing something else.
    #[test]
    fn only_the_default_profile_is_built() {
        assert_eq!("default".parse(), Ok(Profile::Default));
        for name in ["interactive", "session", "other"] {
            assert!(name.parse::<Profile>().is_err(), "{name}");
        }
    }
}
