//! A plain JSON-RPC client over the pipes of a spawned `mcp-ssh`, in a home of its own.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::PoisonError,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    fake::FORKS,
    patient::{self, Patient},
};

/// What stands in for the daemon.
pub(crate) enum Daemon {
    /// Nothing that could be started.
    Missing,
    /// A program that runs and never serves.
    Mute,
    /// Whoever serves on this socket; none can be started.
    At(PathBuf),
}

/// A running server and our ends of its pipes.
pub(crate) struct Client {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<Patient>,
    // The mute daemon lives as long as this directory.
    _home: TempDir,
}

impl Client {
    /// Starts the server with nothing but HOME and PATH.
    pub(crate) fn start(daemon: &Daemon) -> Self {
        let home = tempfile::tempdir().expect("a home");
        let program = match daemon {
            Daemon::Missing | Daemon::At(_) => "/nonexistent".into(),
            Daemon::Mute => {
                let script = home.path().join("mute");
                let text = format!(
                    "#!/bin/sh\nwhile [ -e '{}' ]; do sleep 0.1; done\n",
                    script.display()
                );
                fs::write(&script, text).expect("written");
                fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).expect("executable");
                script
            }
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-ssh"));
        if let Daemon::At(socket) = daemon {
            command.arg("--socket").arg(socket);
        }
        let no_daemon_ends = FORKS.lock().unwrap_or_else(PoisonError::into_inner);
        let mut child = command
            .env_clear()
            .env("HOME", home.path())
            .env("PATH", "/usr/bin:/bin")
            .env("SSHMCP_DAEMON", program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        drop(no_daemon_ends);
        let input = child.stdin.take();
        let output = BufReader::new(Patient::new(child.stdout.take().expect("piped")));
        Self {
            child,
            input,
            output,
            _home: home,
        }
    }

    /// One line to the server.
    pub(crate) fn send(&mut self, message: &Value) {
        let input = self.input.as_mut().expect("open");
        writeln!(input, "{message}").expect("the server reads");
    }

    /// These bytes as a line to the server, whatever they are.
    pub(crate) fn send_bytes(&mut self, line: &[u8]) {
        let input = self.input.as_mut().expect("open");
        input.write_all(line).expect("the server reads");
        input.write_all(b"\n").expect("the server reads");
    }

    /// These bytes without the end of a line, and nothing more.
    pub(crate) fn end_with(&mut self, text: &[u8]) {
        let mut input = self.input.take().expect("open");
        input.write_all(text).expect("the server reads");
    }

    /// The next line from the server.
    pub(crate) fn next(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the server writes");
        serde_json::from_str(&line).expect("one JSON text a line")
    }

    /// One request and its answer.
    pub(crate) fn ask(&mut self, id: u32, method: &str, params: Value) -> Value {
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        let answer = self.next();
        assert_eq!(answer.get("id"), Some(&json!(id)), "{answer}");
        answer
    }

    /// The handshake up to 2025-11-25.
    pub(crate) fn initialize(&mut self, version: &str) -> Value {
        let answer = self.ask(
            1,
            "initialize",
            json!({"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}),
        );
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        answer
    }

    /// Closes the server's input and tells how it ended, and how long that took.
    pub(crate) fn close(mut self) -> (ExitStatus, Duration) {
        let began = Instant::now();
        drop(self.input.take());
        let status = patient::end(&mut self.child);
        (status, began.elapsed())
    }

    /// Closes our end of the server's output, and gives back the server with its input still open.
    pub(crate) fn deafen(self) -> (Child, Option<ChildStdin>) {
        drop(self.output);
        (self.child, self.input)
    }
}
