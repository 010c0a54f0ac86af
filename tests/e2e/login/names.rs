//! Names that would be something else to a shell, to ssh, to tmux or to ssh_config: wherever one is given, it is refused, or
//! it is a name.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use serde_json::{Value, json};
use sshmcp_tests::{Shell, Shim, TestBed};

/// `%` stands for a command that leaves a file behind.
const INPUTS: [&str; 72] = [
    "-oProxyCommand=%",
    "-oProxyCommand=%@x",
    "-o",
    "-J",
    "-F/etc/passwd",
    "-G",
    "--",
    "--help",
    "-x",
    "-L@127.0.0.1",
    "-E%",
    "$(%)",
    "`%`",
    "$((%))",
    "${IFS}%",
    "$HOME",
    "x$(%)y",
    "a;%",
    "a|%",
    "a&%",
    "a&&%",
    "a||%",
    "a\n%",
    "a\r%",
    "a\n-oProxyCommand=%",
    "\n",
    "a b",
    "a\tb",
    "'",
    "''%''",
    "a'%'",
    "\"",
    "a\"%\"",
    "\"$(%)\"",
    "\\",
    "a\\$(%)",
    "a\\\n%",
    "%h",
    "%%",
    "a%r",
    "%{x}",
    "#(%)",
    "a#(%)",
    "#{session_name}",
    "#[fg=red]",
    "{last}",
    "=",
    "=a",
    "a:0.1",
    "a.b:c",
    "@1",
    "$1",
    "%1",
    "*",
    "?",
    "!a",
    "a,b",
    "~",
    "~root",
    "../x",
    "a/../../b",
    "/etc/passwd",
    "a/b",
    "a\u{1b}]0;%\u{7}",
    "a\u{202e}b",
    "a\u{200b}b",
    "ｌocalhost",
    "lосalhost",
    "‐x",
    "<%",
    ">%",
    "(%)",
];

/// What stands in the place of a program: it writes its arguments down, each with a NUL behind it, and runs the program.
fn recorder(directory: &Path, name: &str, log: &Path) {
    let script = format!(
        "#!/bin/sh\n{{ printf '%s\\0' {name} \"$@\"; printf '\\n\\0'; }} >>'{}'\nPATH=/usr/local/bin:/usr/bin:/bin\nexec {name} \"$@\"\n",
        log.display()
    );
    let file = directory.join(name);
    fs::write(&file, script).expect("a program");
    fs::set_permissions(&file, Permissions::from_mode(0o755)).expect("chmod");
}

/// Calls whose outcome may be either, but never `internal`.
fn harmless(shim: &mut Shim, tool: &str, arguments: &Value) {
    if let Err(error) = shim.call(tool, arguments.clone()) {
        assert_ne!(error.code, "internal", "{tool} {arguments}: {error:?}");
        assert!(
            !error.message.chars().any(char::is_control),
            "{arguments}: {error:?}"
        );
    }
}

#[test]
fn they_are_only_names() {
    let bed = TestBed::new();
    // Everything that is run by mistake runs as the operator or as a host's user.
    let left = bed.path("left");
    fs::create_dir(&left).expect("a directory");
    fs::set_permissions(&left, Permissions::from_mode(0o777)).expect("chmod");
    let command = format!("touch {}/ran", left.display());
    let programs = bed.path("programs");
    fs::create_dir(&programs).expect("a directory");
    fs::set_permissions(&programs, Permissions::from_mode(0o755)).expect("chmod");
    let log = left.join("arguments");
    fs::write(&log, "").expect("a log");
    fs::set_permissions(&log, Permissions::from_mode(0o666)).expect("chmod");
    for name in ["ssh", "tmux", "sh"] {
        recorder(&programs, name, &log);
    }
    let inputs = INPUTS.map(|input| input.replace('%', &command));
    let port = bed.sshd().port();
    let user = bed.user(Shell::Dash).name.clone();

    // In the operator's own files: as jump hosts, users and addresses of configured hosts, and in ssh_config.
    let mut config = String::new();
    for (number, input) in inputs.iter().enumerate() {
        let text = json!(input);
        config.push_str(&format!(
            "[connections.jump{number}]\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"{user}\"\njump = {text}\n\
             [connections.user{number}]\nhost = \"127.0.0.1\"\nport = {port}\nuser = {text}\n\
             [connections.host{number}]\nhost = {text}\n"
        ));
    }
    let file = bed.path("config.toml");
    fs::write(&file, config).expect("a configuration");
    for (number, input) in inputs.iter().enumerate() {
        if !input.contains(['\n', '\r']) {
            let lines = format!(
                "Host sc-jump{number}\n HostName 127.0.0.1\n Port {port}\n ProxyJump {input}\n\
                 Host sc-name{number}\n HostName {input}\n"
            );
            // A line that ssh itself does not take makes the whole file unreadable to it: each has a file.
            fs::write(bed.path(&format!("sc{number}")), lines).expect("a file");
        }
    }

    let mut server = bed.program("mcp-ssh");
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", programs.display());
    server.arg("--config").arg(&file).env("PATH", path);
    let mut shim = Shim::start(server);
    assert_eq!(shim.run("dash", "echo fine").stdout, "fine\n");
    for (number, input) in inputs.iter().enumerate() {
        let execute = |host: &str| json!({"host": host, "command": "true", "timeout": 5});
        let mut given = vec![
            execute(input),
            execute(&format!("{input}@127.0.0.1:{port}")),
            execute(&format!("{user}@{input}")),
            execute(&format!("127.0.0.1:{input}")),
            json!({"host": "dash", "username": input, "command": "true"}),
            json!({"host": "dash", "key_filename": input, "command": "true"}),
        ];
        given.extend(["jump", "user", "host"].map(|kind| execute(&format!("{kind}{number}"))));
        for arguments in &given {
            harmless(&mut shim, "execute_command", arguments);
        }
        for keeper in ["daemon", "remote-tmux", "local-tmux"] {
            let arguments = json!({"host": "dash", "session": input, "keeper": keeper});
            let fault = shim.call("open_session", arguments).expect_err(input);
            assert_eq!(fault.code, "invalid_argument", "{input}: {fault:?}");
        }
        let arguments = json!({"session": input, "text": "x"});
        harmless(&mut shim, "send_input", &arguments);
        harmless(&mut shim, "get_terminal_output", &json!({"session": input}));
    }
    // ssh_config is read as it is when it is used.
    let own = bed.home().join(".ssh/config");
    let before = fs::read_to_string(&own).expect("ssh_config");
    for (number, input) in inputs.iter().enumerate() {
        let Ok(lines) = fs::read_to_string(bed.path(&format!("sc{number}"))) else {
            continue;
        };
        fs::write(&own, format!("{before}{lines}")).expect("ssh_config");
        for kind in ["jump", "name"] {
            let call = json!({"host": format!("sc-{kind}{number}"), "command": "true", "timeout": 5});
            assert!(shim.call("execute_command", call).is_err(), "{kind} {input}");
        }
    }
    fs::write(&own, before).expect("ssh_config");
    assert_eq!(shim.run("dash", "echo fine").stdout, "fine\n");

    assert!(!left.join("ran").exists(), "something was run");
    let text = fs::read_to_string(&log).expect("a log");
    let runs: Vec<Vec<&str>> = text
        .split("\n\0")
        .map(|run| run.split_terminator('\0').collect())
        .collect();
    assert!(
        runs.iter().any(|run| run.first() == Some(&"ssh")),
        "ssh was never asked: the record is not one"
    );
    for run in &runs {
        // One may stand behind the end of the options, as the whole last argument.
        let options = run.iter().position(|word| *word == "--").unwrap_or(run.len());
        for (at, word) in run.iter().enumerate().skip(1) {
            let is_last_name = at > options && at + 1 == run.len() && !word.starts_with('-');
            // A user's name is an option's own argument.
            let is_user = run.get(at.wrapping_sub(1)) == Some(&"-l") && !word.starts_with('-');
            let is_input = |input: &String| input.len() > 2 && word.contains(input.as_str());
            assert!(is_last_name || is_user || !inputs.iter().any(is_input), "{run:?}");
            assert!(!word.contains("/ran"), "{run:?}");
        }
    }
    shim.close();
    bed.finish();
}
