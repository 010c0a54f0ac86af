//! Other names of tools and parameters: what clients of the two predecessors call them, in one table; and the profiles, each
//! of which lists one project's tools. Every name is accepted in every profile.

pub(crate) mod environment;
mod interactive;
mod listing;
mod session;
mod words;

use std::str::FromStr;

use rmcp::model::JsonObject;
use serde_json::{Value, json};
use sshmcp_proto::{
    error::Fault,
    v1::{ListHostsRequest, Reason},
};

use crate::{
    arguments::invalid,
    call::Call,
    render::{self, Reply},
};
pub(crate) use listing::Listing;

/// Which tools are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Ours.
    Default,
    /// Those of mcp-ssh-interactive.
    Interactive,
    /// Those of mcp-ssh-session.
    Session,
}

impl Profile {
    /// Its tools, in the order in which they are listed, where these are not ours.
    pub(crate) fn listings(self) -> &'static [Listing] {
        match self {
            Self::Default => &[],
            Self::Interactive => &interactive::LISTINGS,
            Self::Session => &session::LISTINGS,
        }
    }

    /// A failure of a tool, in its words.
    pub(crate) fn told_fault(self, tool: &str, fault: &Fault) -> Reply {
        let fault = self.fault_in_words(tool, fault);
        let mut reply = render::fault(&fault);
        match self {
            Self::Default => {}
            Self::Interactive => reply.text = interactive::failed(&fault),
            Self::Session => reply.text = session::files::failed(tool, &fault, &reply.text),
        }
        reply
    }

    /// An answer that is a failure in this profile.
    pub(crate) fn refusal(self, tool: &str, reply: &Reply) -> Option<Fault> {
        if self == Self::Interactive && tool == "list_hosts" {
            return interactive::nothing_configured(reply);
        }
        None
    }

    /// A failure with what its user has to know besides: there a name was a configured one, and it is not if the
    /// configuration is wrong.
    pub(crate) async fn fault(self, call: &Call<'_>, tool: &str, fault: Fault) -> Fault {
        if self == Self::Interactive && tool == "send_input" && fault.reason == Reason::ConnectionLost {
            return fault.hint("open_connection with the same names opens it again");
        }
        let is_unknown = matches!(fault.reason, Reason::HostNotFound | Reason::Unreachable);
        if self != Self::Interactive || !is_unknown || tool != "open_session" {
            return fault;
        }
        let listed = call
            .rpc(|daemon| async move { daemon.hosts().list_hosts(ListHostsRequest::default()).await })
            .await;
        let listed = listed.unwrap_or_default();
        let hint = interactive::known(&listed);
        fault.hint(hint)
    }

    /// What an agent must know before its first call.
    pub(crate) const fn instructions(self) -> &'static str {
        match self {
            Self::Default => include_str!("instructions.md"),
            Self::Interactive => include_str!("profile/interactive.md"),
            Self::Session => include_str!("profile/session.md"),
        }
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "default" => Ok(Self::Default),
            "interactive" => Ok(Self::Interactive),
            "session" => Ok(Self::Session),
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
    /// This is what the listed default says, and means no more than nothing given.
    Unsaid(Setting),
}

enum Setting {
    Flag(bool),
    Number(u32),
    Word(&'static str),
}

const ALIASES: [Alias; 16] = [
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
    // The screen, and nothing that was scrolled out of it.
    (
        "read_screen",
        "get_terminal_output",
        &[("max_lines", "screen_rows")],
        &[],
    ),
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
    (
        "read_file",
        "read_file",
        &[
            ("remote_path", "path"),
            ("max_bytes", "limit"),
            ("use_sudo", "sudo"),
        ],
        &[],
    ),
    (
        "write_file",
        "write_file",
        &[("remote_path", "path"), ("use_sudo", "sudo")],
        &[],
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
        set(arguments, presets);
    }
    Plan { tool, arguments }
}

fn set(arguments: &mut JsonObject, presets: &[(&str, Preset)]) {
    for (parameter, preset) in presets {
        match preset {
            Preset::Always(setting) => {
                arguments.insert((*parameter).to_owned(), setting.value());
            }
            Preset::Unsaid(setting) => {
                if arguments.get(*parameter) == Some(&setting.value()) {
                    arguments.remove(*parameter);
                }
            }
            Preset::Unless(setting) => {
                // Clients leave out by null as well.
                if arguments.get(*parameter).is_none_or(Value::is_null) {
                    arguments.insert((*parameter).to_owned(), setting.value());
                }
            }
        }
    }
}

impl Setting {
    /// As JSON.
    fn value(&self) -> Value {
        match self {
            Self::Flag(flag) => json!(flag),
            Self::Number(number) => json!(number),
            Self::Word(word) => json!(word),
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
        let (ours, meant) = if name == ITS_TEXT {
            (ITS_TEXT, "text")
        } else {
            (ours, ours)
        };
        // Clients leave out by null as well.
        let given = |name: &str| renamed.get(name).is_some_and(|value| !value.is_null());
        let twin = if meant == "text" { ITS_TEXT } else { meant };
        match (value.is_null(), given(meant) || given(twin)) {
            (false, true) => {
                return Err(invalid(format!("`{meant}` is given twice, also by another name"))
                    .hint(format!("call again with `{meant}` alone")));
            }
            (true, true) => {}
            (_, false) => {
                renamed.insert(ours.to_owned(), value);
            }
        }
    }
    Ok(renamed)
}

/// `input_text` becomes `text`: a literal `\n` at its end is Enter, one inside is a line break.
fn spell_out_enter(arguments: &mut JsonObject, enter_only_if_spelled: bool) {
    let Some(value) = arguments.remove(ITS_TEXT) else {
        return;
    };
    // Two texts were refused: one of them is null.
    let typed = match value {
        Value::String(typed) => typed,
        Value::Null => return,
        other => {
            arguments.insert("text".to_owned(), other);
            return;
        }
    };
    let typed = typed.replace("\\n", "\n");
    let (text, spelled) = match typed.strip_suffix('\n') {
        Some(text) => (text.to_owned(), true),
        None => (typed, false),
    };
    arguments.insert("text".to_owned(), Value::String(text));
    if enter_only_if_spelled && arguments.get("enter").is_none_or(Value::is_null) {
        arguments.insert("enter".to_owned(), Value::Bool(spelled));
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
                json!({"host": "w", "screen_rows": 24}),
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
            (
                "read_file",
                json!({"host": "w", "remote_path": "/x", "max_bytes": 9, "use_sudo": true}),
                "read_file",
                json!({"host": "w", "path": "/x", "limit": 9, "sudo": true}),
            ),
            (
                "write_file",
                json!({"host": "w", "remote_path": "/x", "content": "c", "append": true, "max_bytes": 9}),
                "write_file",
                json!({"host": "w", "path": "/x", "content": "c", "append": true, "max_bytes": 9}),
            ),
            ("no_such_tool", json!({}), "no_such_tool", json!({})),
        ] {
            assert_eq!(planned(name, &given), (tool.to_owned(), ours), "{name}");
        }
    }

    /// Two names for one parameter contradict each other; null is none given.
    #[test]
    fn one_parameter_by_two_names_is_refused() {
        for (name, given, twice) in [
            (
                "execute_command",
                json!({"session": "a", "session_name": "b"}),
                "session",
            ),
            ("send_input", json!({"text": "a", "input_text": "b"}), "text"),
            (
                "send_input_by_session",
                json!({"input_text": "a", "text": "b"}),
                "text",
            ),
        ] {
            let fault = plan(name, given.as_object().cloned().unwrap_or_default())
                .arguments
                .expect_err("refused");
            assert_eq!(
                fault.message,
                format!("`{twice}` is given twice, also by another name")
            );
        }
        for (name, given, ours) in [
            (
                "execute_command",
                json!({"session": null, "session_name": "a", "host": "h", "connection_name": null}),
                json!({"session": "a", "host": "h"}),
            ),
            (
                "send_input_by_session",
                json!({"text": null, "input_text": "yes\\n", "enter": null}),
                json!({"text": "yes", "enter": true}),
            ),
            (
                "send_input",
                json!({"text": "a", "input_text": null}),
                json!({"text": "a"}),
            ),
        ] {
            assert_eq!(planned(name, &given).1, ours, "{given}");
        }
    }

    /// What is no profile's name is told, instead of something else listed.
    #[test]
    fn profiles_are_known_by_name() {
        for (name, profile) in [
            ("default", Profile::Default),
            ("interactive", Profile::Interactive),
            ("session", Profile::Session),
        ] {
            assert_eq!(name.parse(), Ok(profile));
        }
        for name in ["", "other", "Session"] {
            let refusal = name.parse::<Profile>().expect_err("refused");
            assert!(refusal.contains("default, interactive and session"), "{refusal}");
        }
    }
}
