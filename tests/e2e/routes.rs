//! What ssh_config says of the way to a host, seen from the host: the daemon's own connections obey it, or say what they
//! cannot.

use std::{fmt::Write as _, fs};

use serde_json::{Value, json};
use sshmcp_tests::{Shell, Shim, SshdOptions, TestBed, ToolError, wait::eventually};

/// A bed whose sshd tells what was agreed on, and takes variables.
fn bed() -> TestBed {
    TestBed::with(&SshdOptions {
        lines: ["LogLevel DEBUG", "AcceptEnv ROUTE_*"].map(str::to_owned).into(),
        ..SshdOptions::default()
    })
}

/// A host of the operator's ssh_config: whose account it is, and what is said of it.
fn host(bed: &TestBed, name: &str, shell: Shell, lines: &[&str]) {
    let port = bed.sshd().port();
    let mut text = format!(
        "Host {name}\n User {}\n Port {port}\n HostKeyAlias [127.0.0.1]:{port}\n",
        bed.user(shell).name
    );
    for line in lines {
        let line = line.replace("%PORT", &port.to_string());
        writeln!(text, " {line}").expect("a string takes all");
    }
    bed.append(".ssh/config", &text);
}

fn refused(shim: &mut Shim, host: &str) -> ToolError {
    let arguments = json!({"host": host, "command": "true"});
    shim.execute(arguments).expect_err(host)
}

/// Address, program, algorithms and variables.
#[test]
fn as_ssh_config_says() {
    let bed = bed();
    host(
        &bed,
        "by-program",
        Shell::Bash,
        &[
            "HostName nowhere.invalid",
            "ProxyCommand busybox nc 127.0.0.1 %PORT",
        ],
    );
    host(
        &bed,
        "from",
        Shell::Dash,
        &["HostName 127.0.0.1", "BindAddress 127.0.0.9"],
    );
    host(
        &bed,
        "four",
        Shell::Zsh,
        &["HostName localhost", "AddressFamily inet"],
    );
    host(
        &bed,
        "agreed",
        Shell::Ksh,
        &[
            "HostName 127.0.0.1",
            "Ciphers aes128-ctr",
            "MACs hmac-sha2-512",
            "KexAlgorithms diffie-hellman-group14-sha256",
            "HostKeyAlgorithms ssh-ed25519",
            "Compression yes",
        ],
    );
    host(
        &bed,
        "variables",
        Shell::Ash,
        &["HostName 127.0.0.1", "SetEnv ROUTE_A=said ROUTE_B=\"two words\""],
    );
    let mut shim = bed.shim();
    let program = shim.run("by-program", "echo through");
    assert_eq!(program.stdout, "through\n", "{program:?}");
    let from = shim.run("from", "echo $SSH_CONNECTION");
    assert!(from.stdout.starts_with("127.0.0.9 "), "{from:?}");
    let four = shim.run("four", "echo $SSH_CONNECTION");
    assert!(four.stdout.starts_with("127.0.0.1 "), "{four:?}");
    let variables = shim.run("variables", "echo \"$ROUTE_A $ROUTE_B\"");
    assert_eq!(variables.stdout, "said two words\n", "{variables:?}");
    bed.sshd().log();
    assert_eq!(shim.run("agreed", "echo over it").stdout, "over it\n");
    let mut log = String::new();
    eventually("the server tells what was agreed on", || {
        log += &bed.sshd().log().join("\n");
        [
            "cipher: aes128-ctr MAC: hmac-sha2-512 compression: zlib@openssh.com",
            "kex: algorithm: diffie-hellman-group14-sha256",
            "host key algorithm: ssh-ed25519",
        ]
        .iter()
        .all(|words| log.contains(words))
    });
    let listed = shim.call("list_hosts", json!({"host": "from"})).expect("a host");
    assert_eq!(listed["hosts"][0]["resolved_by"], "ssh -G", "{listed}");
    shim.close();
    bed.finish();
}

/// The agent of this machine answers on the host, where ssh_config says so, and nowhere else.
#[test]
fn a_forwarded_agent() {
    let bed = bed();
    let socket = bed.home().join("agent");
    let mut agent = bed
        .tool("ssh-agent")
        .arg("-D")
        .arg("-a")
        .arg(&socket)
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("ssh-agent runs");
    eventually("the agent listens", || socket.exists());
    let added = bed
        .tool("ssh-add")
        .env("SSH_AUTH_SOCK", &socket)
        .arg(bed.home().join(".ssh/id_ed25519"))
        .output()
        .expect("ssh-add runs");
    assert!(added.status.success(), "{added:?}");
    let own = format!("IdentityAgent {}", socket.display());
    host(
        &bed,
        "forwarded",
        Shell::Bash,
        &["HostName 127.0.0.1", &own, "ForwardAgent yes"],
    );
    host(&bed, "alone", Shell::Dash, &["HostName 127.0.0.1", &own]);
    let mut shim = bed.shim();
    let listed = shim.run("forwarded", "ssh-add -l");
    assert!(listed.stdout.contains("(ED25519)"), "{listed:?}");
    let alone = shim.run("alone", "echo \"[$SSH_AUTH_SOCK]\"");
    assert_eq!(alone.stdout, "[]\n", "{alone:?}");
    agent.kill().expect("it runs");
    agent.wait().expect("it ends");
    shim.close();
    bed.finish();
}

/// What cannot be is told by the directive's name.
#[test]
fn refused_by_name() {
    let bed = bed();
    let revoked = bed.home().join("revoked");
    fs::write(&revoked, "").expect("written");
    let revoked = format!("RevokedHostKeys {}", revoked.display());
    let local = "HostName 127.0.0.1";
    host(&bed, "six", Shell::Bash, &[local, "AddressFamily inet6"]);
    host(&bed, "old", Shell::Dash, &[local, "Ciphers 3des-cbc"]);
    host(&bed, "keyless", Shell::Zsh, &[local, "PubkeyAuthentication no"]);
    host(
        &bed,
        "passwords",
        Shell::Mksh,
        &[
            local,
            "PreferredAuthentications password",
            "PKCS11Provider /nowhere.so",
        ],
    );
    host(
        &bed,
        "kinds",
        Shell::Bash,
        &[local, "PubkeyAcceptedAlgorithms ecdsa*,rsa-*"],
    );
    host(&bed, "elsewhere", Shell::Ksh, &[local, "BindAddress 203.0.113.7"]);
    host(&bed, "revoking", Shell::Ash, &[local, &revoked]);
    host(
        &bed,
        "failing",
        Shell::Fish,
        &[local, "ProxyCommand echo its own words >&2; exit 3"],
    );
    let mut shim = bed.shim();
    for (name, code, words, hint) in [
        ("six", "host_not_found", "AddressFamily", ""),
        ("old", "not_supported", "Ciphers", "local-tmux"),
        ("keyless", "auth_failed", "tried: nothing", ""),
        ("passwords", "auth_failed", "PKCS11Provider", "local-tmux"),
        (
            "kinds",
            "auth_failed",
            "PubkeyAcceptedAlgorithms leaves it out",
            "",
        ),
        ("elsewhere", "unreachable", "BindAddress 203.0.113.7", ""),
        ("revoking", "not_supported", "RevokedHostKeys", "local-tmux"),
        ("failing", "unreachable", "its own words", "by hand"),
    ] {
        let error = refused(&mut shim, name);
        assert_eq!(error.code, code, "{name}: {error:?}");
        assert!(error.message.contains(words), "{name}: {error:?}");
        assert!(error.hint.contains(hint), "{name}: {error:?}");
    }
    let listed = shim.call("list_hosts", json!({})).expect("a list");
    let hosts: Vec<&Value> = listed["hosts"].as_array().expect("hosts").iter().collect();
    let problem = hosts
        .iter()
        .find(|host| host["name"] == "revoking")
        .expect("it is listed");
    assert!(
        problem["problem"]
            .as_str()
            .unwrap_or_default()
            .contains("RevokedHostKeys"),
        "{problem}"
    );
    shim.close();
    bed.finish();
}

/// Directives that are made for a person's own `ssh` change nothing for a session, whoever keeps it.
#[test]
fn a_shell_whatever_is_said() {
    let bed = bed();
    let ran = bed.home().join("ran");
    let local_command = format!("LocalCommand touch {}", ran.display());
    let lines = [
        "HostName 127.0.0.1",
        "SessionType none",
        "StdinNull yes",
        "ForkAfterAuthentication yes",
        "RequestTTY no",
        "RemoteCommand echo not this",
        "BatchMode yes",
        "PermitLocalCommand yes",
        &local_command,
        "ControlMaster auto",
        "ControlPersist 10m",
        "ForwardX11 yes",
        "Tunnel yes",
        "EscapeChar ~",
    ];
    host(&bed, "said", Shell::Bash, &lines);
    let mut shim = bed.shim();
    for keeper in ["daemon", "local-tmux", "remote-tmux"] {
        let arguments = json!({"host": "said", "session": keeper, "keeper": keeper});
        let opened = shim.call("open_session", arguments).expect("a session");
        assert_eq!(opened["keeper"], keeper, "{opened}");
        let arguments = json!({"session": keeper, "command": "tty >/dev/null && read -r line && echo \"$line\"", "timeout": 0});
        let begun = shim.execute(arguments).expect("a command");
        let arguments = json!({"command_id": begun.id, "text": "~."});
        shim.call("send_input", arguments).expect("it is typed");
        let ended = shim.wait_for(&begun.id);
        assert_eq!(
            (ended.exit_code, ended.stdout.as_str()),
            (Some(0), "~.\n"),
            "{keeper}: {ended:?}"
        );
        shim.call("close_session", json!({"session": keeper}))
            .expect("closed");
    }
    assert!(!ran.exists(), "LocalCommand was run");
    shim.close();
    bed.finish();
}
