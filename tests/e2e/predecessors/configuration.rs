//! The YAML of mcp-ssh-interactive as it is, in both of its places, and what a person wrote there and elsewhere for agents.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
};

use serde_json::{Value, json};
use sshmcp_tests::{Shell, Shim, TestBed, User, eventually, program::tool};

use super::{profile, put, told, yaml};

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A configuration that is missing, or invalid, is an error that says which file; one connection's fault is its own.
#[test]
fn a_missing_or_invalid_one_is_a_clear_error() {
    let bed = TestBed::new();
    fs::write(bed.home().join(".ssh/config"), "").expect("no aliases");
    let mut shim = profile(&bed, "interactive");
    let none = json!({});
    let (is_error, text) = told(&mut shim, "list_available_configs", &none);
    assert!(is_error, "{text}");
    let missing = read(&text);
    assert_eq!(missing["success"], false, "{missing}");
    assert_eq!(missing["code"], "config_invalid", "{missing}");
    let words = missing["error"].as_str().expect("words");
    assert!(
        words.contains("~/.ssh_mcp_config.yml") && words.contains("~/.mcp-ssh-interactive/config.yml"),
        "{words}"
    );

    put(&bed, ".ssh_mcp_config.yml", "connections:\n  web:\n   host: [\n");
    let (is_error, text) = told(&mut shim, "list_available_configs", &none);
    let place = bed.home().join(".ssh_mcp_config.yml");
    assert!(
        is_error && text.contains(&format!("{}:", place.display())),
        "{text}"
    );
    let open = json!({"connection_config_name": "web", "session_name": "main"});
    let (is_error, text) = told(&mut shim, "open_connection", &open);
    assert!(
        is_error && text.contains(&format!("{}:", place.display())),
        "{text}"
    );

    let broken = format!(
        "{}  broken:\n    host: h\n    user: u\n    key_path: ~/no-such-key\n",
        yaml(&bed, "web", "")
    );
    put(&bed, ".ssh_mcp_config.yml", &broken);
    let (is_error, text) = told(&mut shim, "list_available_configs", &none);
    assert!(!is_error, "{text}");
    let configs = read(&text);
    let of = |name: &str| {
        let mut all = configs["configs"].as_array().expect("a list").iter();
        all.find(|one| one["name"] == name)
            .unwrap_or_else(|| panic!("{name}: {configs}"))
    };
    assert_eq!(of("web")["host"], "127.0.0.1", "{configs}");
    let error = of("broken")["error"].as_str().unwrap_or_default().to_owned();
    assert!(
        error.contains("no-such-key") && error.contains("config.yml:"),
        "{error}"
    );
    let (is_error, text) = told(&mut shim, "open_connection", &open);
    assert!(!is_error, "{text}");
    told(&mut shim, "close_connection", &json!({"session_name": "main"}));

    put(&bed, ".ssh_mcp_config.yml", &yaml(&bed, "web", ""));
    let open = json!({"connection_config_name": "no-such.invalid", "session_name": "main"});
    let (is_error, text) = told(&mut shim, "open_connection", &open);
    assert!(is_error && text.contains("what is configured: web"), "{text}");
    let (_, text) = told(
        &mut shim,
        "get_server_info",
        &json!({"connection_config_name": "no-such.invalid"}),
    );
    assert!(
        text.contains("no connection of this name is configured"),
        "{text}"
    );
    shim.close();
    bed.finish();
}

/// The older of its places; its password is typed at OpenSSH's client, where its sessions were.
#[test]
fn a_password_is_used_as_it_was() {
    let mut bed = TestBed::new();
    let sudoer = sshmcp_tests::Sudoer::new(Shell::Bash);
    let number = bed.add_sshd(&super::faults::password_only(), &[]);
    let text = format!(
        "connections:\n  old:\n    host: 127.0.0.1\n    port: {}\n    user: {}\n    password: {}\n",
        bed.sshds()[number].port(),
        sudoer.user.name,
        sudoer.password
    );
    put(&bed, ".ssh_mcp_config.yml", &text);
    let mut shim = profile(&bed, "interactive");
    let open = json!({"connection_config_name": "old", "session_name": "main"});
    let opened = shim.call("open_connection", open).expect("it opens");
    assert_eq!(opened["keeper"], "local-tmux", "{opened}");
    let (_, listed) = told(&mut shim, "list_available_configs", &json!({}));
    let (_, connections) = told(&mut shim, "list_connections", &json!({}));
    for text in [listed, connections, opened.to_string()] {
        assert!(!text.contains(&sudoer.password), "{text}");
    }
    shim.call("close_connection", json!({"session_name": "main"}))
        .expect("closed");
    shim.close();
    bed.finish();
}

/// Notes of a host and of its tags: hinted at when a session is opened, read when they are asked for, bounded, and told by
/// their path where they are missing.
#[test]
fn notes_are_read_when_they_are_asked_for() {
    let bed = TestBed::new();
    let (user, port) = (bed.user(Shell::Bash).name.clone(), bed.sshd().port());
    let connection = |name: &str, more: &str| {
        format!("[connections.{name}]\nhost = '127.0.0.1'\nport = {port}\nuser = '{user}'\n{more}\n")
    };
    let config = connection(
        "web",
        "notes_path = '~/web.md'\ntags = ['prod']\nsudo_password = 's3cret-word'",
    ) + &connection("db", "tags = ['prod']")
        + &connection("lost", "notes_path = '~/lost.md'")
        + &connection("bare", "")
        + "[tags.prod]\nnotes_path = '~/prod.md'\n";
    put(&bed, ".config/sshmcp/config.toml", &config);
    put(&bed, "web.md", "# web\nBlue.\n");
    put(&bed, "prod.md", "Ask before a restart.\n");
    let mut shim = bed.shim();
    let both = "# web\nBlue.\nFor every host with the tag prod:\nAsk before a restart.\n";
    for (name, notes) in [("web", both), ("db", &both["# web\nBlue.\n".len()..])] {
        let opened = shim.call("open_session", json!({"host": name, "session": name}));
        assert_eq!(opened.expect("it opens")["has_notes"], true, "{name}");
        let (_, text) = told(&mut shim, "open_session", &json!({"host": name, "session": name}));
        assert!(text.contains(&format!("list_hosts(host=\"{name}\")")), "{text}");
        let listed = shim.call("list_hosts", json!({"host": name})).expect("listed");
        assert_eq!(listed["hosts"][0]["notes"], notes, "{listed}");
        // By the name that it had, in any profile.
        let (_, text) = told(
            &mut shim,
            "get_server_info",
            &json!({"connection_config_name": name}),
        );
        assert!(text.contains(notes.trim_end()), "{text}");
    }
    put(&bed, "web.md", "# web\nGreen now.\nsudo takes s3cret-word.\n");
    let listed = shim.call("list_hosts", json!({"host": "web"})).expect("listed");
    let notes = listed["hosts"][0]["notes"].as_str().unwrap_or_default();
    assert!(
        notes.starts_with("# web\nGreen now.\nsudo takes [a stored secret].\n"),
        "{listed}"
    );

    put(&bed, "web.md", &"long ".repeat(50_000));
    let listed = shim.call("list_hosts", json!({"host": "web"})).expect("listed");
    let notes = listed["hosts"][0]["notes"].as_str().unwrap_or_default();
    assert!(
        notes.len() < 70_000 && notes.contains("[cut after 64 KiB: "),
        "{} bytes",
        notes.len()
    );
    assert!(
        notes.ends_with("Ask before a restart.\n"),
        "the tag's are there all the same"
    );

    let opened = shim
        .call("open_session", json!({"host": "lost", "session": "lost"}))
        .expect("it opens");
    assert_eq!(opened["has_notes"], false, "{opened}");
    let lost = bed.home().join("lost.md").display().to_string();
    let (is_error, text) = told(&mut shim, "list_hosts", &json!({"host": "lost"}));
    assert!(!is_error && text.contains(&lost), "{text}");
    let mut interactive = profile(&bed, "interactive");
    let (_, text) = told(
        &mut interactive,
        "get_server_info",
        &json!({"connection_config_name": "lost"}),
    );
    let info = read(&text);
    assert!(
        info["success"] == false && info["error"].as_str().unwrap_or_default().contains(&lost),
        "{info}"
    );
    let (_, text) = told(
        &mut interactive,
        "get_server_info",
        &json!({"connection_config_name": "bare"}),
    );
    assert!(
        read(&text)["error"]
            .as_str()
            .unwrap_or_default()
            .contains("info_file"),
        "{text}"
    );
    interactive.close();
    shim.call("close_session", json!({"all": true})).expect("closed");
    shim.close();
    bed.finish();
}

/// A host whose shell OpenSSH's client in a tmux cannot be worked with is opened by another keeper, and one that names its
/// own by that.
#[test]
fn other_keepers_serve_where_a_local_tmux_does_not() {
    assert!(
        User::many(),
        "the story of a login shell that is csh makes a user: run it as root"
    );
    let mut bed = TestBed::new();
    let csh = fs::canonicalize(tool("tcsh")).expect("tcsh");
    let user = User::named("sshmcp-t-csh", &csh);
    bed.add_guest("csh", &user);
    let own = format!(
        "[connections.own]\nhost = '127.0.0.1'\nport = {}\nuser = '{}'\nkeeper = 'daemon'\n",
        bed.sshd().port(),
        bed.user(Shell::Bash).name
    );
    put(&bed, ".config/sshmcp/config.toml", &own);
    let mut shim = profile(&bed, "interactive");
    for name in ["csh", "own"] {
        let open = json!({"connection_config_name": name, "session_name": name});
        let opened = shim.call("open_connection", open).expect("it opens");
        assert_ne!(opened["keeper"], "local-tmux", "{opened}");
        let run = json!({"session_name": name, "command": "echo it''works"});
        shim.call("execute_command", run).expect("typed");
        eventually("it is shown", || {
            let (_, text) = told(&mut shim, "get_terminal_output", &json!({"session_name": name}));
            text.contains("\\nitworks")
        });
    }
    let own = shim.call("list_connections", json!({})).expect("a list");
    let keepers: Vec<_> = own["sessions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|session| (&session["session"], &session["keeper"]))
        .collect();
    assert_eq!(
        keepers,
        [
            (&json!("csh"), &json!("daemon")),
            (&json!("own"), &json!("daemon"))
        ]
    );
    for name in ["csh", "own"] {
        shim.call("close_connection", json!({"session_name": name}))
            .expect("closed");
    }
    shim.close();
    bed.finish();
}

/// Where this machine has no tmux that serves, a session has the keeper that `auto` gives, and works as ever.
#[test]
fn without_a_tmux_that_serves_here() {
    let bed = TestBed::new();
    put(&bed, ".ssh_mcp_config.yml", &yaml(&bed, "web", ""));
    let few = bed.path("few");
    fs::create_dir(&few).expect("a directory");
    fs::write(few.join("tmux"), "#!/bin/sh\necho 'tmux 1.8'\n").expect("a file");
    fs::set_permissions(few.join("tmux"), Permissions::from_mode(0o755)).expect("chmod");
    let mut command = bed.program("mcp-ssh");
    command
        .args(["--profile", "interactive"])
        .env("PATH", format!("{}:/usr/bin:/bin", few.display()));
    let mut shim = Shim::start(command);
    let open = json!({"connection_config_name": "web", "session_name": "main"});
    let opened = shim.call("open_connection", open).expect("it opens");
    let auto = json!({"host": "web", "session": "other", "keeper": "auto"});
    let auto = shim.call("open_session", auto).expect("it opens");
    assert_eq!(opened["keeper"], auto["keeper"], "{opened}");
    assert_ne!(opened["keeper"], "local-tmux", "{opened}");
    let run = json!({"session_name": "main", "command": "echo it''works"});
    shim.call("execute_command", run).expect("typed");
    eventually("it is shown", || {
        let (_, text) = told(&mut shim, "get_terminal_output", &json!({"session_name": "main"}));
        text.contains("\\nitworks")
    });
    shim.call("close_session", json!({"all": true})).expect("closed");
    shim.close();
    bed.finish();
}
