//! The configuration as its users meet it: files on disk in, values or problems with their places out.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::*;

mod errors;
mod files;
mod secrecy;

/// A home directory with configuration files in it.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn with(toml: &str) -> Self {
        let home = Self::new();
        home.write("config.toml", toml);
        home
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn write(&self, file: &str, text: impl AsRef<[u8]>) {
        self.write_mode(file, text, 0o600);
    }

    fn write_mode(&self, file: &str, text: impl AsRef<[u8]>, mode: u32) {
        let path = self.path(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        // A new file each time, as editors do it.
        let new = self.path("new");
        std::fs::write(&new, text).unwrap();
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(mode)).unwrap();
        std::fs::rename(new, path).unwrap();
    }

    fn sources(&self) -> Sources {
        Sources {
            toml: self.path("config.toml"),
            toml_named: false,
            yaml: vec![
                self.path(".ssh_mcp_config.yml"),
                self.path(".mcp-ssh-interactive/config.yml"),
            ],
            home: self.0.path().to_owned(),
        }
    }

    fn store(&self) -> ConfigStore {
        ConfigStore::open(self.sources())
    }

    fn load(&self) -> Arc<Config> {
        self.store().current()
    }
}

/// `line:column message (hint)` of everything that is wrong.
fn problems(config: &Config) -> Vec<String> {
    config
        .all_problems()
        .map(|problem| {
            let place = problem
                .at
                .map_or("-".to_owned(), |at| format!("{}:{}", at.line, at.column));
            format!("{place} {} ({})", problem.message, problem.hint)
        })
        .collect()
}

fn usable<'a>(config: &'a Config, name: &str) -> &'a Connection {
    config
        .connection(name)
        .unwrap_or_else(|fault| panic!("{fault}"))
        .unwrap_or_else(|| panic!("no connection {name}"))
}

const EVERYTHING: &str = r#"
[settings]
max_wait = 40
idle_exit = 0
host_key_policy = "strict"
expose_secret_parameters = true
connect_timeout = 5
max_sessions = 10
max_sessions_per_host = 3
spool_limit_mib = 1
spool_total_mib = 20
keep_commands = 7
max_queued_commands = 4
max_clients = 11
max_calls = 12
max_calls_per_client = 13
max_command_kib = 14
max_stdin_kib = 15
idle_after = 16
close_idle_after = 17
keeper = "auto"
orphan_after = 60

[logs]
transcripts = false
recordings = false
max_mib = 3
keep_files = 2
keep_days = 0

[connections.web]
host = "web.example.com"
user = "deploy"
port = 2200
key_path = "~/key"
password = "hunter2"
description = "the web\nserver"
kind = "posix"
keeper = "remote-tmux"
jump = ["bastion", "u@second:2222"]
tags = ["prod", "eu:web"]
sudo_password = { env = "SUDO" }
enable_password = { command = "pass show x" }
enable_command = "enable 15"
host_key_policy = "accept-new"
notes_path = "notes/web.md"

[connections.direct]
jump = "none"
password = { keyring = "direct" }
"#;

#[test]
fn every_field_is_read() {
    let home = Home::with(EVERYTHING);
    home.write("key", "");
    let config = home.load();
    assert_eq!(problems(&config), Vec::<String>::new());
    let expected = Settings {
        max_wait: Duration::from_secs(40),
        idle_exit: None,
        host_key_policy: Some(HostKeyPolicy::Strict),
        expose_secret_parameters: true,
        connect_timeout: Duration::from_secs(5),
        max_sessions: 10,
        max_sessions_per_host: 3,
        spool_limit_mib: 1,
        spool_total_mib: 20,
        keep_commands: 7,
        max_queued_commands: 4,
        max_clients: 11,
        max_calls: 12,
        max_calls_per_client: 13,
        max_command_kib: 14,
        max_stdin_kib: 15,
        idle_after: Some(Duration::from_secs(16)),
        close_idle_after: Some(Duration::from_secs(17)),
        keeper: Keeper::Auto,
        orphan_after: Duration::from_secs(60),
    };
    assert_eq!(config.settings, expected);
    let logs = Limits {
        transcripts: false,
        casts: false,
        file_bytes: 3 << 20,
        files: 2,
        age: None,
    };
    assert_eq!(config.logs, logs);
    let web = usable(&config, "web");
    assert_eq!(web.host.as_deref(), Some("web.example.com"));
    assert_eq!(web.user.as_deref(), Some("deploy"));
    assert_eq!(web.port, Some(2200));
    assert_eq!(web.keeper, Some(Keeper::RemoteTmux));
    assert_eq!(web.key_path, Some(home.path("key")));
    assert!(
        matches!(&web.password, Some(SecretSource::Literal(secret)) if secret.expose().as_str() == "hunter2")
    );
    assert_eq!(web.description.as_deref(), Some("the web\nserver"));
    assert_eq!(web.kind, Some(Kind::Posix));
    assert_eq!(web.jump.as_deref().unwrap(), ["bastion", "u@second:2222"]);
    assert_eq!(web.tags.as_deref().unwrap(), ["prod", "eu:web"]);
    assert!(matches!(web.sudo_password, Some(SecretSource::Env(_))));
    assert!(matches!(web.enable_password, Some(SecretSource::Command(_))));
    assert_eq!(web.enable_command.as_deref(), Some("enable 15"));
    assert_eq!(web.host_key_policy, Some(HostKeyPolicy::AcceptNew));
    assert_eq!(web.notes_path, Some(home.path("notes/web.md")));
    assert_eq!(web.source, "config");
    assert_eq!(usable(&config, "direct").jump.as_deref(), Some(&[][..]));
    assert!(matches!(
        usable(&config, "direct").password,
        Some(SecretSource::Keyring(_))
    ));
}

#[test]
fn nothing_at_all_is_useful() {
    let config = Home::new().load();
    assert_eq!(problems(&config), Vec::<String>::new());
    assert_eq!(config.settings, Settings::default());
    assert!(config.connections.is_empty());
}

#[test]
fn check_reports() {
    let home = Home::with("[connections.a]\nport = 'x'\n[connections.b]\n");
    let report = check(home.sources());
    assert!(!report.ok());
    assert_eq!(report.usable, ["b"]);
    assert_eq!(report.broken, ["a"]);
    let text = report.to_string();
    assert!(text.contains("config.toml:2:8: `port` must be"), "{text}");
    assert!(
        text.ends_with("1 connections fit for use, 1 not, 1 problems"),
        "{text}"
    );
    let json = report.json();
    assert_eq!(json["problems"][0]["line"], 2);
    assert_eq!(json["ok"], false);
    let empty = check(Home::new().sources());
    assert!(empty.ok() && empty.to_string().contains("no configuration file is there"));
}

/// Schema and parser know the same keys: each key of the schema is accepted by the parser, with a value that the
/// schema allows, and each refused value is refused by both.
#[test]
fn the_schema_agrees_with_the_parser() {
    let schema = schema();
    let sample = |shape: &serde_json::Value, name: &str| -> String {
        if let Some(words) = shape["enum"].as_array() {
            return words[0].to_string();
        }
        match shape["type"].as_str() {
            Some("integer") => shape["minimum"].to_string(),
            Some("boolean") => "true".to_owned(),
            Some("array") => "['a']".to_owned(),
            _ if name == "secrets" => "{ a = 'a' }".to_owned(),
            _ if name == "key_path" => "'~/k'".to_owned(),
            _ => "'a'".to_owned(),
        }
    };
    let settings = schema["properties"]["settings"]["properties"]
        .as_object()
        .unwrap();
    let logs = schema["properties"]["logs"]["properties"].as_object().unwrap();
    let connection = schema["properties"]["connections"]["additionalProperties"]["properties"]
        .as_object()
        .unwrap();
    let tag = schema["properties"]["tags"]["additionalProperties"]["properties"]
        .as_object()
        .unwrap();
    for (table, known) in [
        ("settings", settings),
        ("logs", logs),
        ("connections.a", connection),
        ("tags.a", tag),
    ] {
        for (name, shape) in known {
            let home = Home::with(&format!("[{table}]\n{name} = {}\n", sample(shape, name)));
            home.write("k", "");
            assert_eq!(problems(&home.load()), Vec::<String>::new(), "{name}");
            assert!(
                shape["description"]
                    .as_str()
                    .is_some_and(|about| !about.is_empty())
            );
            for wrong in ["1979-05-27", "''", "[[]]"] {
                let home = Home::with(&format!("[{table}]\n{name} = {wrong}\n"));
                assert_eq!(problems(&home.load()).len(), 1, "{name} = {wrong}");
            }
            for word in shape["enum"].as_array().into_iter().flatten() {
                let home = Home::with(&format!("[{table}]\n{name} = {word}\n"));
                assert!(problems(&home.load()).is_empty(), "{name} = {word}");
            }
            for bound in ["minimum", "maximum"] {
                let Some(bound) = shape[bound].as_i64() else {
                    continue;
                };
                let past = if shape["minimum"] == bound {
                    bound - 1
                } else {
                    bound + 1
                };
                let home = Home::with(&format!("[{table}]\n{name} = {bound}\n"));
                assert!(problems(&home.load()).is_empty(), "{name} = {bound}");
                let home = Home::with(&format!("[{table}]\n{name} = {past}\n"));
                assert_eq!(problems(&home.load()).len(), 1, "{name} = {past}");
            }
        }
    }
    assert!(
        !connection.contains_key("policy") && !tag.contains_key("policy"),
        "refused keys are none of the schema's"
    );
    assert_eq!(settings.len(), fields::SETTINGS.len());
    assert_eq!(logs.len(), fields::LOGS.len());
    assert_eq!(connection.len() + 1, fields::CONNECTION.len());
    assert_eq!(tag.len() + 1, fields::TAG.len());
}

/// A keeper is a connection's own, else its tags', where they agree, else everybody's.
#[test]
fn keepers_by_tag() {
    const TAGS: &str = "[settings]\nkeeper = 'auto'\n[tags.far]\nkeeper = 'remote-tmux'\n[tags.'eu:web']\n\
        keeper = 'remote-tmux'\n[tags.near]\nkeeper = 'daemon'\n[tags.other]\n[connections.a]\n";
    for (line, expected) in [
        ("", Ok(None)),
        ("tags = ['other', 'unknown']", Ok(None)),
        ("tags = ['far']", Ok(Some(Keeper::RemoteTmux))),
        ("tags = ['other', 'eu:web', 'far']", Ok(Some(Keeper::RemoteTmux))),
        ("tags = ['near', 'far']\nkeeper = 'auto'", Ok(Some(Keeper::Auto))),
        (
            "tags = ['other', 'far', 'near']",
            Err(
                "11:8 its tags say different values of `keeper`: `far` remote-tmux, `near` daemon (give the connection one of its own)",
            ),
        ),
    ] {
        let config = Home::with(&format!("{TAGS}{line}\n")).load();
        match expected {
            Ok(keeper) => {
                assert_eq!(problems(&config), Vec::<String>::new(), "{line}");
                assert_eq!(usable(&config, "a").keeper, keeper, "{line}");
            }
            Err(words) => {
                assert_eq!(problems(&config), [words], "{line}");
                assert!(config.connection("a").is_err() && config.problems.is_empty());
            }
        }
    }
}

/// The time for which a kept shell waits: a connection's own, else its tags'.
#[test]
fn orphans_by_tag() {
    const TAGS: &str = "[tags.lab]\norphan_after = 3600\n[tags.far]\norphan_after = 86400\n[connections.a]\n";
    for (line, expected) in [
        ("", None),
        ("tags = ['lab']", Some(3600)),
        ("tags = ['lab', 'far']\norphan_after = 60", Some(60)),
    ] {
        let config = Home::with(&format!("{TAGS}{line}\n")).load();
        assert_eq!(problems(&config), Vec::<String>::new(), "{line}");
        let seconds = usable(&config, "a").orphan_after.map(|time| time.as_secs());
        assert_eq!(seconds, expected, "{line}");
    }
    let config = Home::with(&format!("{TAGS}tags = ['far', 'lab']\n")).load();
    let words = "6:8 its tags say different values of `orphan_after`: `far` 86400, `lab` 3600 (give the connection one of its own)";
    assert_eq!(problems(&config), [words]);
    let config = Home::with("[connections.a]\norphan_after = 5\n").load();
    assert_eq!(problems(&config).len(), 1);
}

/// Notes of tags stand beside a connection's own; a relative path is the file's, or where mcp-ssh-interactive has its notes.
#[test]
fn notes_by_host_and_tag() {
    let home = Home::with(
        "[tags.prod]\nnotes_path = 'prod.md'\nkeeper = 'auto'\n[tags.lab]\n[connections.a]\nnotes_path = '~/a.md'\n\
         tags = ['lab', 'prod', 'unknown']\n[connections.b]\n",
    );
    let config = home.load();
    assert_eq!(problems(&config), Vec::<String>::new());
    let notes = usable(&config, "a").notes();
    let found: Vec<_> = notes
        .iter()
        .map(|file| (file.tag.as_deref(), file.path.clone()))
        .collect();
    assert_eq!(
        found,
        [(None, home.path("a.md")), (Some("prod"), home.path("prod.md"))]
    );
    assert_eq!(usable(&config, "b").notes(), []);
}

/// The usual places hang on HOME alone unless a file is named.
#[test]
fn the_usual_places() {
    let sources = Sources::find(Some(PathBuf::from("/x/c.toml"))).unwrap();
    assert_eq!(sources.toml, Path::new("/x/c.toml"));
    assert!(sources.toml_named);
    assert_eq!(sources.yaml[0], sources.home.join(".ssh_mcp_config.yml"));
    assert!(Sources::find(None).unwrap().toml.ends_with("config.toml"));
}
