//! The MCP clients that we know: where each keeps its user's servers, and how an entry looks there. Their files are not
//! touched here.
//!
//! Sources: the clients' own documentation, read in November 2026.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::edit::{Entry, Language};

/// The name of our entry.
pub(crate) const ENTRY: &str = "ssh";

/// The field that says what an entry starts.
const COMMAND: &str = "command";

/// One client.
pub(crate) struct Client {
    /// Its name on our command line.
    pub(crate) name: &'static str,
    /// Its name.
    pub(crate) title: &'static str,
    language: Language,
    /// Files below the home on Linux; the first that is there, else the first.
    linux: &'static [&'static str],
    /// The same on macOS.
    macos: &'static [&'static str],
    /// A variable that names another directory than the home's for the file, and what is to be taken off the path then.
    elsewhere: Option<(&'static str, &'static str)>,
    /// What is there, below the home, where the client is; beside the file and its directory.
    sign: Option<&'static str>,
    /// The tables that lead to its servers.
    path: &'static [&'static str],
    fields: fn(&str) -> Vec<(&'static str, Value)>,
}

fn command(program: &str) -> Vec<(&'static str, Value)> {
    vec![("command", program.into())]
}

fn stdio(program: &str) -> Vec<(&'static str, Value)> {
    vec![("type", "stdio".into()), ("command", program.into())]
}

/// Version 2 of opencode in its own form.
static OPENCODE_2: Client = Client {
    name: "opencode",
    title: "opencode",
    language: Language::Json,
    linux: OPENCODE,
    macos: OPENCODE,
    elsewhere: None,
    sign: None,
    path: &["mcp", "servers"],
    fields: |program| vec![("type", "local".into()), ("command", json!([program]))],
};

const OPENCODE: &[&str] = &[
    ".config/opencode/opencode.json",
    ".config/opencode/opencode.jsonc",
];

/// All of them.
pub(crate) static CLIENTS: &[Client] = &[
    Client {
        name: "claude-desktop",
        title: "Claude Desktop",
        language: Language::Json,
        linux: &[".config/Claude/claude_desktop_config.json"],
        macos: &["Library/Application Support/Claude/claude_desktop_config.json"],
        elsewhere: None,
        sign: None,
        path: &["mcpServers"],
        fields: command,
    },
    Client {
        name: "claude-code",
        title: "Claude Code",
        language: Language::Json,
        linux: &[".claude.json"],
        macos: &[".claude.json"],
        elsewhere: Some(("CLAUDE_CONFIG_DIR", "")),
        sign: Some(".claude"),
        path: &["mcpServers"],
        fields: stdio,
    },
    Client {
        name: "cursor",
        title: "Cursor",
        language: Language::Json,
        linux: &[".cursor/mcp.json"],
        macos: &[".cursor/mcp.json"],
        elsewhere: None,
        sign: None,
        path: &["mcpServers"],
        fields: command,
    },
    Client {
        name: "vscode",
        title: "VS Code",
        language: Language::Json,
        linux: &[".config/Code/User/mcp.json"],
        macos: &["Library/Application Support/Code/User/mcp.json"],
        elsewhere: None,
        sign: None,
        path: &["servers"],
        fields: stdio,
    },
    Client {
        name: "windsurf",
        title: "Windsurf",
        language: Language::Json,
        linux: &[".codeium/windsurf/mcp_config.json"],
        macos: &[".codeium/windsurf/mcp_config.json"],
        elsewhere: None,
        sign: None,
        path: &["mcpServers"],
        fields: command,
    },
    Client {
        name: "zed",
        title: "Zed",
        language: Language::Json,
        linux: &[".config/zed/settings.json"],
        macos: &[".config/zed/settings.json"],
        elsewhere: None,
        sign: None,
        path: &["context_servers"],
        fields: |program| {
            vec![
                ("command", program.into()),
                ("args", json!([])),
                ("env", json!({})),
            ]
        },
    },
    Client {
        name: "codex",
        title: "Codex",
        language: Language::Toml,
        linux: &[".codex/config.toml"],
        macos: &[".codex/config.toml"],
        elsewhere: Some(("CODEX_HOME", ".codex")),
        sign: None,
        path: &["mcp_servers"],
        fields: command,
    },
    Client {
        name: "gemini",
        title: "Gemini CLI",
        language: Language::Json,
        linux: &[".gemini/settings.json"],
        macos: &[".gemini/settings.json"],
        elsewhere: None,
        sign: None,
        path: &["mcpServers"],
        fields: command,
    },
    Client {
        name: "opencode",
        title: "opencode",
        language: Language::Json,
        linux: OPENCODE,
        macos: OPENCODE,
        elsewhere: None,
        sign: None,
        path: &["mcp"],
        fields: |program| {
            vec![
                ("type", "local".into()),
                ("command", json!([program])),
                ("enabled", true.into()),
            ]
        },
    },
];

impl Client {
    /// The client of that name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        CLIENTS.iter().find(|client| client.name == name)
    }

    /// The language of its file.
    pub(crate) const fn language(&self) -> Language {
        self.language
    }

    /// Its file, there or not.
    pub(crate) fn file(&self, home: &Path) -> PathBuf {
        let names = if cfg!(target_os = "macos") {
            self.macos
        } else {
            self.linux
        };
        let other = self.elsewhere.and_then(|(variable, taken)| {
            let directory = std::env::var_os(variable).filter(|value| !value.is_empty())?;
            let name = Path::new(names.first()?).strip_prefix(taken).ok()?;
            Some(Path::new(&directory).join(name))
        });
        // Where XDG has another directory for settings, those who keep theirs in ~/.config have them there.
        let settings = std::env::var_os("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .filter(|directory| directory.is_absolute());
        let place = |name: &&str| match (&settings, name.strip_prefix(".config/")) {
            (Some(settings), Some(rest)) => settings.join(rest),
            _ => home.join(name),
        };
        other.unwrap_or_else(|| {
            let mut files = names.iter().map(place);
            let first = files.clone().next().unwrap_or_default();
            files.find(|file| file.exists()).unwrap_or(first)
        })
    }

    /// True if the client is, or was, on this machine.
    pub(crate) fn is_here(&self, home: &Path) -> bool {
        let file = self.file(home);
        // Nobody's home says anything of a client.
        let own = file.parent().filter(|directory| *directory != home);
        file.exists()
            || own.is_some_and(Path::exists)
            || self.sign.is_some_and(|sign| home.join(sign).exists())
    }

    /// Our entry, with this program.
    pub(crate) fn entry(&self, program: &str) -> Entry {
        Entry {
            path: self.path.iter().map(|key| (*key).to_owned()).collect(),
            name: ENTRY.to_owned(),
            fields: (self.fields)(program)
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        }
    }

    /// Our entry as its user has it by now, with another program.
    pub(crate) fn moved(&self, found: &Value, program: &str) -> Entry {
        let mut entry = self.entry(program);
        for (name, value) in found.as_object().into_iter().flatten() {
            let value = if name == COMMAND {
                with_program(value, program)
            } else {
                value.clone()
            };
            match entry.fields.iter_mut().find(|(known, _)| known == name) {
                Some((_, known)) => *known = value,
                None => entry.fields.push((name.clone(), value)),
            }
        }
        entry
    }

    /// The client as this file of its has it: version 2 of opencode reads both forms, and writes its own.
    pub(crate) fn of(&'static self, whole: &Value) -> &'static Self {
        // A server of version 1 may have that name, and is no map of servers.
        let is_second = self.name == OPENCODE_2.name
            && whole
                .pointer("/mcp/servers")
                .and_then(Value::as_object)
                .is_some_and(|servers| servers.values().all(Value::is_object));
        if is_second { &OPENCODE_2 } else { self }
    }
}

/// The program that an entry starts.
pub(crate) fn starts(entry: &Value) -> Option<&str> {
    let command = entry.get(COMMAND)?;
    // Zed had it one table deeper once.
    let command = command.get("path").unwrap_or(command);
    command.as_str().or_else(|| command.get(0)?.as_str())
}

/// What an entry starts, with another program in the place of the first word.
fn with_program(command: &Value, program: &str) -> Value {
    let mut command = command.clone();
    let first = match &mut command {
        Value::Array(words) => words.first_mut(),
        Value::Object(parts) => parts.get_mut("path"),
        _ => None,
    };
    match first {
        Some(first) => *first = program.into(),
        None => command = program.into(),
    }
    command
}

/// True if that is our server, wherever it is.
pub(crate) fn is_ours(program: &str) -> bool {
    Path::new(program)
        .file_name()
        .is_some_and(|name| name == "mcp-ssh")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every entry can be put into an empty file, and starts what it should.
    #[test]
    fn entries() {
        for client in CLIENTS {
            let entry = client.entry("/b/mcp-ssh");
            let text = client.language().with("", &entry).expect(client.name);
            let value = client.language().read(&text).expect("read").expect("something");
            let found = crate::edit::find(&value, &entry.path).and_then(|servers| servers.get(ENTRY));
            assert_eq!(found.and_then(starts), Some("/b/mcp-ssh"), "{text}");
            assert_eq!(client.of(&value).path, client.path, "{text}");
        }
        assert!(is_ours("mcp-ssh") && is_ours("/b/mcp-ssh") && !is_ours("/b/mcp-ssh-session"));
    }

    /// What somebody added to our entry is theirs when the program moves.
    #[test]
    fn moved() {
        for (client, found, moved) in [
            (
                "cursor",
                json!({"command": "/a/mcp-ssh", "args": ["--profile", "session"], "env": {"OVRD_a_USER": "u"}}),
                json!({"command": "/b/mcp-ssh", "args": ["--profile", "session"], "env": {"OVRD_a_USER": "u"}}),
            ),
            (
                "zed",
                json!({"command": {"path": "/a/mcp-ssh", "args": ["x"]}, "args": ["y"]}),
                json!({"command": {"path": "/b/mcp-ssh", "args": ["x"]}, "args": ["y"], "env": {}}),
            ),
            (
                "opencode",
                json!({"type": "local", "command": ["/a/mcp-ssh", "--profile", "session"], "enabled": false}),
                json!({"type": "local", "command": ["/b/mcp-ssh", "--profile", "session"], "enabled": false}),
            ),
        ] {
            let client = Client::named(client).expect("known");
            assert_eq!(client.moved(&found, "/b/mcp-ssh").value(), moved, "{found}");
        }
    }

    /// A client is here if its file or its own directory is.
    #[test]
    fn found() {
        let home = tempfile::tempdir().expect("a directory");
        let here = || {
            CLIENTS
                .iter()
                .filter(|client| client.is_here(home.path()))
                .map(|client| client.name)
                .collect::<Vec<_>>()
        };
        assert_eq!(here(), [""; 0]);
        for directory in [".claude", ".cursor", ".codex"] {
            std::fs::create_dir(home.path().join(directory)).expect("a directory");
        }
        assert_eq!(here(), ["claude-code", "cursor", "codex"]);
        let opencode = Client::named("opencode").expect("known");
        assert!(opencode.file(home.path()).ends_with("opencode.json"));
        std::fs::create_dir_all(home.path().join(".config/opencode")).expect("a directory");
        std::fs::write(home.path().join(".config/opencode/opencode.jsonc"), "{}").expect("a file");
        assert!(opencode.file(home.path()).ends_with("opencode.jsonc"));
    }

    /// The form of opencode's file is what is in it, whatever a server is called.
    #[test]
    fn forms_of_opencode() {
        let opencode = Client::named("opencode").expect("known");
        for (whole, path) in [
            (json!({}), &["mcp"][..]),
            (json!({"mcp": {"a": {"type": "local"}}}), &["mcp"]),
            (
                json!({"mcp": {"servers": {"type": "local", "command": ["a"]}}}),
                &["mcp"],
            ),
            (json!({"mcp": {"servers": {"enabled": false}}}), &["mcp"]),
            (json!({"mcp": {"servers": {}}}), &["mcp", "servers"]),
            (
                json!({"mcp": {"timeout": 5, "servers": {"type": {"type": "local"}}}}),
                &["mcp", "servers"],
            ),
        ] {
            assert_eq!(opencode.of(&whole).path, path, "{whole}");
        }
        let written = Language::Json.with("{\"mcp\": {\"servers\": {}}}", &OPENCODE_2.entry("/b/mcp-ssh"));
        let value = Language::Json
            .read(&written.expect("written"))
            .expect("read")
            .expect("something");
        assert_eq!(
            value,
            json!({"mcp": {"servers": {"ssh": {"type": "local", "command": ["/b/mcp-ssh"]}}}})
        );
    }
}
