//! Servers that a Python program of ours or of others plays, each on a port of its own.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    process::{Child, Command, Stdio},
};

use serde_json::{Map, Value};
use sshmcp_tests::{TestBed, patient::Patient};

use crate::clients::{installed, workspace};

/// All servers of one program; gone when this is dropped.
pub(crate) struct Simulator {
    child: Child,
    ports: Map<String, Value>,
}

impl Simulator {
    /// A program of `tests`, with its arguments: it prints its servers' ports by name as JSON.
    pub(crate) fn start(script: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(installed("venv/bin/python"))
            .arg("-B")
            .arg(workspace().join("tests").join(script))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Libraries log whatever a client does that they do not know.
            .stderr(Stdio::null())
            .spawn()
            .expect("python runs");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(Patient::new(stdout))
            .read_line(&mut line)
            .expect("its ports");
        let ports =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{script} said {line:?}: {error}"));
        Self { child, ports }
    }

    /// Its servers' names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.ports.keys().map(String::as_str)
    }

    /// A bed whose connections are these servers, with further lines for each.
    pub(crate) fn bed(&self, lines: &str) -> TestBed {
        let bed = TestBed::new();
        let mut config = String::new();
        for (name, port) in &self.ports {
            config += &format!(
                "[connections.{name}]\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"user\"\nhost_key_policy = \"accept-new\"\n\
                 password = {{ command = \"echo let-me-in\" }}\n{lines}\n"
            );
        }
        let file = bed.home().join(".config/sshmcp/config.toml");
        fs::create_dir_all(file.parent().expect("a directory")).expect("a directory");
        bed.append(".config/sshmcp/config.toml", &config);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("chmod");
        bed.give(".config");
        bed
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
