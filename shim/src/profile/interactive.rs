//! The tools of mcp-ssh-interactive, as its page has them: a session is a terminal, a command is typed into it, and what came
//! of it is looked at. Answers were JSON texts, and are; the structured content is ours.

use rmcp::model::JsonObject;
use serde_json::{Value, json};
use sshmcp_proto::{
    error::Fault,
    v1::{ListHostsResponse, Reason},
};

use super::{Listing, Preset, Profile, Setting, listing::Parameter};
use crate::{
    render::{Reply, line},
    tools::Effect,
};

/// Names that a hint lists; more are a list's matter.
const NAMES: usize = 20;

/// The name of a configured connection.
const CONFIG: Parameter = Parameter::required(
    "connection_config_name",
    "Name of the connection, from list_available_configs",
);
/// The name of a session.
const SESSION: Parameter = Parameter::required("session_name", "Name of the session");

pub(super) static LISTINGS: [Listing; 8] = [
    Listing {
        name: "list_available_configs",
        title: "List configured servers",
        description: "Lists the SSH servers that can be connected to: name, host, user, port, description. Begin here.",
        effect: Effect::Looks,
        parameters: &[],
        instead: None,
        presets: &[],
        told: configs,
    },
    Listing {
        name: "open_connection",
        title: "Open connection",
        description: "Opens a persistent session on a server, under a name of your choice; it stays until close_connection. Says \
                      whether there is server information to read with get_server_info first.",
        effect: Effect::Opens,
        parameters: &[
            CONFIG,
            Parameter::required("session_name", "A new name of letters, digits, _ and -"),
        ],
        instead: None,
        presets: &[("prefer_local_tmux", Preset::Always(Setting::Flag(true)))],
        told: opened,
    },
    Listing {
        name: "list_connections",
        title: "List connections",
        description: "Lists all sessions: name, server, active or disconnected, host, user, and where their logs are.",
        effect: Effect::Looks,
        parameters: &[],
        instead: None,
        presets: &[],
        told: connections,
    },
    Listing {
        name: "execute_command",
        title: "Type command",
        description: "Types a command and Enter into the session's terminal and returns at once, without output: look with \
                      get_terminal_output until it is done. Where a program asks something, this types the answer. Never type \
                      passwords.",
        effect: Effect::Acts,
        parameters: &[SESSION, Parameter::required("command", "The command")],
        instead: Some(("send_input", &[("command", "text")])),
        presets: &[
            ("enter", Preset::Always(Setting::Flag(true))),
            ("is_line", Preset::Always(Setting::Flag(true))),
            ("timeout", Preset::Always(Setting::Number(0))),
        ],
        told: sent,
    },
    Listing {
        name: "get_terminal_output",
        title: "Read terminal",
        description: "The last lines of the session's terminal, as a person sees them, with the prompt once a command is done.",
        effect: Effect::Looks,
        parameters: &[
            SESSION,
            Parameter::new("num_lines", "integer", "Lines").or(Setting::Number(200)),
        ],
        instead: None,
        presets: &[("lines", Preset::Unless(Setting::Number(200)))],
        told: terminal,
    },
    Listing {
        name: "interrupt_command",
        title: "Interrupt command",
        description: "Types Ctrl-C into the session's terminal; says what it reached. For a command that takes too long.",
        effect: Effect::Ends,
        parameters: &[SESSION],
        instead: None,
        presets: &[],
        told: interrupted,
    },
    Listing {
        name: "close_connection",
        title: "Close connection",
        description: "Ends a session and what runs in it; its log stays.",
        effect: Effect::Ends,
        parameters: &[SESSION],
        instead: None,
        presets: &[],
        told: closed,
    },
    Listing {
        name: "get_server_info",
        title: "Read server information",
        description: "What the server's owner wrote down about working there: procedures, commands, limits. Read it once a server.",
        effect: Effect::Looks,
        parameters: &[CONFIG],
        instead: None,
        presets: &[],
        told: server_info,
    },
];

/// A failure in its words.
pub(crate) fn failed(fault: &Fault) -> String {
    let code = fault.code();
    told(&json!({"success": false, "error": fault.message, "hint": fault.advice(), "code": code}))
}

/// Nothing at all is configured: that was an error there, and it is of no use to go on. What is wrong in the files is said.
pub(crate) fn nothing_configured(reply: &Reply) -> Option<Fault> {
    let of = |name: &str| reply.structured.get(name).and_then(Value::as_array);
    if of("hosts").is_some_and(|hosts| !hosts.is_empty()) {
        return None;
    }
    let problem = of("config_problems").and_then(|problems| problems.first()?.as_str().map(str::to_owned));
    let ours = text(&reply.structured, "config_path");
    let message = problem.unwrap_or_else(|| none_configured(ours));
    Some(
        Fault::new(Reason::ConfigInvalid, message).hint(
            "the user mends that file, or adds a server to it; `sshctl config check` shows what is wrong",
        ),
    )
}

/// What is configured, for whoever named something else.
pub(super) fn known(listed: &ListHostsResponse) -> String {
    if let Some(problem) = listed.config_problems.first() {
        return format!("the configuration is wrong: {}", line(problem));
    }
    let names: Vec<&str> = listed
        .hosts
        .iter()
        .take(NAMES)
        .map(|host| host.name.as_str())
        .collect();
    match names.as_slice() {
        [] => format!(
            "{}; any host that ssh knows works too",
            none_configured(&listed.config_path)
        ),
        names => format!(
            "list_available_configs shows what is configured: {}",
            line(&names.join(", "))
        ),
    }
}

fn none_configured(ours: &str) -> String {
    format!(
        "no server is configured: neither ~/.ssh_mcp_config.yml nor ~/.mcp-ssh-interactive/config.yml nor {ours} is there with one"
    )
}

fn told(answer: &Value) -> String {
    serde_json::to_string_pretty(answer).unwrap_or_else(|_| answer.to_string())
}

fn text<'a>(object: &'a JsonObject, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(object: &'a JsonObject, name: &str) -> Vec<&'a JsonObject> {
    let items = object.get(name).and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_object).collect()
}

/// User, host and port of `user@host:port`.
fn parts(target: &str) -> (Value, Value, Value) {
    let (user, place) = target.split_once('@').unwrap_or(("", target));
    let (host, port) = place.rsplit_once(':').unwrap_or((place, ""));
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (
        json!(user),
        json!(host),
        port.parse::<u16>().map_or(Value::Null, Value::from),
    )
}

fn configs(_: &JsonObject, structured: &JsonObject) -> String {
    let configs: Vec<Value> = list(structured, "hosts")
        .into_iter()
        .map(|host| {
            let mut config = json!({
                "name": host.get("name"), "host": host.get("hostname"), "user": host.get("user"),
                "port": host.get("port"), "description": text(host, "description"),
            });
            let problem = text(host, "problem");
            if let (false, Value::Object(config)) = (problem.is_empty(), &mut config) {
                config.insert("error".to_owned(), json!(problem));
            }
            config
        })
        .collect();
    told(&with_problems(json!({"configs": configs}), structured))
}

/// A listing, with what is wrong with the configuration.
fn with_problems(mut answer: Value, structured: &JsonObject) -> Value {
    let problems = structured.get("config_problems").and_then(Value::as_array);
    let problems: Vec<&str> = problems.into_iter().flatten().filter_map(Value::as_str).collect();
    if let (false, Value::Object(answer)) = (problems.is_empty(), &mut answer) {
        answer.insert("error".to_owned(), json!(problems.join("; ")));
    }
    answer
}

fn opened(_: &JsonObject, structured: &JsonObject) -> String {
    let (user, host, port) = parts(text(structured, "target"));
    let config = text(structured, "host");
    let has_notes = structured.get("has_notes") == Some(&json!(true));
    let is_new = structured.get("opened") == Some(&json!(true));
    let mut answer = json!({
        "success": true, "session_name": text(structured, "session"),
        "message": if is_new { "SSH connection established" } else { "The session was open already" },
        "connection_info": {"host": host, "user": user, "port": port},
        "has_server_info": has_notes, "keeper": structured.get("keeper"), "log_file": structured.get("log_path"),
    });
    if let (true, Value::Object(answer)) = (has_notes, &mut answer) {
        let hint = format!(
            "Its owner wrote down how to work there: get_server_info(connection_config_name='{config}')"
        );
        answer.insert("info_hint".to_owned(), json!(hint));
    }
    told(&with_notice(answer, structured))
}

fn connections(_: &JsonObject, structured: &JsonObject) -> String {
    let sessions: Vec<Value> = list(structured, "sessions")
        .into_iter()
        .map(|session| {
            let (user, host, port) = parts(text(session, "target"));
            let state = text(session, "state");
            let status = if state == "disconnected" { state } else { "active" };
            let answer = json!({
                "session_name": session.get("session"), "connection_config": session.get("host"), "status": status,
                "state": state, "host": host, "user": user, "port": port, "log_file": session.get("log_path"),
            });
            with_notice(answer, session)
        })
        .collect();
    told(&with_problems(
        json!({
            "total": sessions.len(), "sessions": sessions, "state_directory": structured.get("state_dir"),
        }),
        structured,
    ))
}

fn sent(arguments: &JsonObject, structured: &JsonObject) -> String {
    told(&json!({
        "success": true, "session_name": structured.get("session"), "command": arguments.get("text"),
        "message": "Command sent",
    }))
}

fn terminal(_: &JsonObject, structured: &JsonObject) -> String {
    told(&json!({
        "success": true, "session_name": structured.get("session"), "output": structured.get("text"),
        "lines": structured.get("lines"),
    }))
}

fn interrupted(_: &JsonObject, structured: &JsonObject) -> String {
    told(&json!({
        "success": true, "session_name": structured.get("session"),
        "message": Profile::Interactive.says(text(structured, "message")), "ended": structured.get("ended"),
    }))
}

fn closed(_: &JsonObject, structured: &JsonObject) -> String {
    let closed = list(structured, "closed")
        .into_iter()
        .next()
        .cloned()
        .unwrap_or_default();
    let running = text(&closed, "running_command");
    let message = if running.is_empty() {
        "Connection closed; its log is kept".to_owned()
    } else {
        format!("Connection closed; its log is kept. This was still running and has ended: {running}")
    };
    told(&json!({"success": true, "session_name": closed.get("session"), "message": message}))
}

fn server_info(arguments: &JsonObject, structured: &JsonObject) -> String {
    let host = list(structured, "hosts")
        .into_iter()
        .next()
        .cloned()
        .unwrap_or_default();
    let notes = text(&host, "notes");
    let problem = text(&host, "problem");
    let mut answer = json!({
        "success": !notes.is_empty(), "connection_config_name": arguments.get("host"),
        "info_content": notes,
    });
    let files = host
        .get("notes_paths")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let file = match files.as_slice() {
        [] => Value::Null,
        [one] => one.clone(),
        _ => files.into(),
    };
    if let Value::Object(answer) = &mut answer {
        answer.insert("info_file".to_owned(), file);
    }
    let error = match (notes.is_empty(), problem.is_empty()) {
        (_, false) => problem.to_owned(),
        (true, true) if text(&host, "source") == "argument" => {
            "no connection of this name is configured".to_owned()
        }
        (true, true) => "no server information is written down for it (info_file, notes_path)".to_owned(),
        (false, true) => String::new(),
    };
    if let (false, Value::Object(answer)) = (error.is_empty(), &mut answer) {
        answer.insert("error".to_owned(), json!(error));
    }
    told(&answer)
}

fn with_notice(mut answer: Value, session: &JsonObject) -> Value {
    let notice = text(session, "notice");
    if let (false, Value::Object(answer)) = (notice.is_empty(), &mut answer) {
        answer.insert("notice".to_owned(), json!(Profile::Interactive.says(notice)));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: &Value) -> JsonObject {
        value.as_object().cloned().unwrap_or_default()
    }

    fn read(text: &str) -> Value {
        serde_json::from_str(text).expect("JSON")
    }

    /// A target is told in its parts, whatever its address looks like.
    #[test]
    fn targets_have_parts() {
        for (target, user, host, port) in [
            ("deploy@10.0.0.5:22", "deploy", "10.0.0.5", json!(22)),
            ("u@[fe80::1]:2222", "u", "fe80::1", json!(2222)),
            ("", "", "", Value::Null),
        ] {
            assert_eq!(parts(target), (json!(user), json!(host), port), "{target}");
        }
    }

    /// What was opened, and where to read on; nothing is said of notes where there are none.
    #[test]
    fn opening_says_whether_there_are_notes() {
        for has_notes in [true, false] {
            let structured = json!({
                "session": "s", "target": "u@h:22", "host": "web", "has_notes": has_notes, "opened": true, "notice": null,
            });
            let answer = read(&opened(&JsonObject::new(), &object(&structured)));
            assert_eq!(answer["success"], true);
            assert_eq!(
                answer["connection_info"],
                json!({"user": "u", "host": "h", "port": 22})
            );
            assert_eq!(answer["has_server_info"], has_notes);
            let hint = answer["info_hint"].as_str().unwrap_or_default();
            assert_eq!(
                hint.contains("get_server_info(connection_config_name='web')"),
                has_notes,
                "{answer}"
            );
        }
    }

    /// Notes that are missing are told with their path, and notes that nobody wrote as that.
    #[test]
    fn missing_notes_are_told() {
        for (notes, problem, success, error) in [
            (json!("# web\n"), Value::Null, true, ""),
            (
                Value::Null,
                json!("the notes /n.md cannot be read: gone"),
                false,
                "/n.md",
            ),
            (Value::Null, Value::Null, false, "no server information"),
            (
                json!("# tag\n"),
                json!("the notes /n.md cannot be read: gone"),
                true,
                "/n.md",
            ),
        ] {
            let structured = json!({"hosts": [{"name": "web", "notes": notes, "problem": problem}]});
            let arguments = object(&json!({"host": "web"}));
            let answer = read(&server_info(&arguments, &object(&structured)));
            assert_eq!(answer["success"], success, "{answer}");
            assert_eq!(answer["info_content"], notes.as_str().unwrap_or_default());
            let told = answer["error"].as_str().unwrap_or_default();
            assert!(
                told.contains(error) && told.is_empty() == error.is_empty(),
                "{answer}"
            );
        }
    }

    /// No configuration is an error that names the files; a broken one is told with its place; an ssh_config's aliases do.
    #[test]
    fn nothing_configured_is_an_error() {
        let reply = |hosts: Value, problems: Value| {
            let structured = json!({"hosts": hosts, "config_problems": problems, "config_path": "/c.toml"});
            Reply::new(structured, String::new())
        };
        let missing = nothing_configured(&reply(json!([]), json!([])))
            .expect("a fault")
            .to_string();
        assert!(
            missing.contains("~/.ssh_mcp_config.yml") && missing.contains("/c.toml"),
            "{missing}"
        );
        let broken = nothing_configured(&reply(json!([]), json!(["/c.yml:3:1: not valid YAML"])));
        assert!(broken.expect("a fault").message.contains("/c.yml:3:1"));
        assert!(nothing_configured(&reply(json!([{"name": "web"}]), json!(["x"]))).is_none());
    }
}
