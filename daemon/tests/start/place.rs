//! A home of its own for a daemon, which ends with it. Knows of processes only what /proc tells.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, net::UnixListener},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use sshmcp_proto::{
    client::{ConnectOptions, Daemon, connect},
    error::Fault,
    v1::Client,
};

/// A home with a socket; whatever serves there ends with it.
pub(crate) struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("tempdir");
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).expect("chmod");
        let place = Self { directory };
        let script = format!(
            "#!/bin/sh\nexec env -i HOME='{}' PATH=\"$PATH\" '{}' \"$@\"\n",
            place.home().display(),
            env!("CARGO_BIN_EXE_sshmcpd"),
        );
        // Written by another process: a file that a fork of this one has open for writing cannot be run.
        let written = Command::new("sh")
            .args([
                "-c",
                "printf %s \"$1\" > \"$2\" && chmod 700 \"$2\"",
                "sh",
                &script,
            ])
            .arg(place.daemon())
            .status()
            .expect("sh");
        assert!(written.success());
        place
    }

    pub(crate) fn home(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn run(&self) -> PathBuf {
        self.home().join("run")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.run().join("d.sock")
    }

    pub(crate) fn daemon(&self) -> PathBuf {
        self.home().join("daemon")
    }

    pub(crate) fn options(&self, start: bool) -> ConnectOptions {
        ConnectOptions {
            socket: Some(self.socket()),
            daemon: Some(self.daemon()),
            start,
            client: Client {
                program: "test".into(),
                ..Client::default()
            },
            ..ConnectOptions::default()
        }
    }

    pub(crate) async fn connect(&self, start: bool) -> Result<Daemon, Fault> {
        connect(self.options(start)).await
    }

    /// Processes that serve here, or are about to.
    pub(crate) fn processes(&self) -> Vec<i32> {
        let socket = self.socket().into_os_string().into_encoded_bytes();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").expect("proc").flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            if line.split(|byte| *byte == 0).any(|argument| argument == socket) {
                found.push(pid);
            }
        }
        found
    }

    pub(crate) fn signal(&self, signal: Signal) {
        for pid in self.processes() {
            // Gone meanwhile is what we want.
            let _gone = kill_process(Pid::from_raw(pid).expect("positive"), signal);
        }
    }

    pub(crate) fn wait_until_gone(&self) {
        wait_for("the daemon to end", || self.processes().is_empty());
    }

    /// Leaves a socket that nobody serves, as a crash does.
    pub(crate) fn stale_socket(&self) {
        fs::create_dir_all(self.run()).expect("run");
        drop(UnixListener::bind(self.socket()).expect("bind"));
        assert!(self.socket().exists());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        self.wait_until_gone();
    }
}

/// Waits for a condition that other processes bring about.
pub(crate) fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "waited in vain for {what}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("metadata").permissions().mode() & 0o777
}
