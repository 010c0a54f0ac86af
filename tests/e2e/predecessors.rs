//! Who comes from mcp-ssh-interactive or mcp-ssh-session changes the command in a client's configuration and nothing else: their
//! workflows under their profiles, their configuration, and what was wrong there. The workflows are in
//! `tests/clients/predecessors.py`; here is what they need.

mod configuration;
mod environment;
pub(crate) mod faults;

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use sshmcp_tests::{Shell, Shim, TestBed};

use crate::clients::{installed, server, workspace};

/// A client of `mcp-ssh --profile PROFILE`.
fn profile(bed: &TestBed, profile: &str) -> Shim {
    let mut command = bed.program("mcp-ssh");
    command.args(["--profile", profile]);
    Shim::start(command)
}

/// The answer of a tool as a model reads it, and whether it is a failure.
fn told(shim: &mut Shim, tool: &str, arguments: &Value) -> (bool, String) {
    let id = shim.begin_call(tool, arguments.clone());
    let answer = shim.answer(id);
    let text = answer["result"]["content"][0]["text"].as_str();
    let text = text.unwrap_or_else(|| panic!("{tool} {arguments}: {answer}"));
    (answer["result"]["isError"] == json!(true), text.to_owned())
}

/// A file of the operator's, below the home.
fn put(bed: &TestBed, name: &str, text: &str) {
    let path = bed.home().join(name);
    fs::create_dir_all(path.parent().expect("below the home")).expect("directories");
    fs::write(&path, text).expect("written");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("chmod");
    let top = name.split('/').next().expect("a name");
    bed.give(top);
}

/// One connection as mcp-ssh-interactive's YAML has it.
fn yaml(bed: &TestBed, name: &str, more: &str) -> String {
    format!(
        "connections:\n  {name}:\n    host: 127.0.0.1\n    user: {}\n    key_path: ~/.ssh/id_ed25519\n    port: {}\n{more}",
        bed.user(Shell::Bash).name,
        bed.sshd().port()
    )
}

/// `mode` is the client's: it shakes hands as MCP did until 2025 (`legacy`), or asks `server/discover` first (`auto`).
fn play(bed: &TestBed, profile: &str, mode: &str, host: &str) {
    let scratch = bed.scratch(Shell::Bash);
    let output = Command::new(installed("venv/bin/python"))
        // The checkout is not written to.
        .arg("-B")
        .arg(workspace().join("tests/clients/predecessors.py"))
        .args([profile, mode, host])
        .arg(scratch)
        .args(server(bed))
        .stdin(Stdio::null())
        .output()
        .expect("python runs");
    let (told, wrong) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{told}{wrong}");
    assert!(
        told.contains("every tool was used"),
        "the story has no end: {told}"
    );
}

/// The documented workflow of mcp-ssh-interactive, over its own configuration file, in both eras of MCP.
#[test]
fn interactive_workflow() {
    for mode in ["auto", "legacy"] {
        let bed = TestBed::new();
        let more = "    description: The shop\n    info_file: shop.md\n";
        put(
            &bed,
            ".mcp-ssh-interactive/config.yml",
            &yaml(&bed, "my-server", more),
        );
        put(
            &bed,
            ".mcp-ssh-interactive/info/shop.md",
            "# The shop\nDeploy with care.\n",
        );
        play(&bed, "interactive", mode, "my-server");
        bed.finish();
    }
}

/// The tools of mcp-ssh-session in the order in which its users meet them, over ssh_config, in both eras of MCP.
#[test]
fn session_workflow() {
    for mode in ["legacy", "auto"] {
        let bed = TestBed::new();
        play(&bed, "session", mode, Shell::Bash.host());
        bed.finish();
    }
}
