//! OpenSSH as scripts use it: a login for each command, or, for speed, one master connection and a fresh `ssh` process
//! for each command.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use sshmcp_tests::{TestBed, eventually};

/// One login, one command.
pub(crate) fn run_true(bed: &TestBed, host: &str) {
    let status = ssh(bed, Path::new("none")).args([host, "true"]).status();
    assert!(status.expect("ssh runs").success());
}

/// A master connection; it ends with this.
pub(crate) struct Master<'a> {
    bed: &'a TestBed,
    host: String,
    path: PathBuf,
    child: Child,
}

impl<'a> Master<'a> {
    /// Connects, and waits until others can use the connection.
    pub(crate) fn open(bed: &'a TestBed, host: &str) -> Self {
        let path = bed.home().join(format!("master-{host}"));
        let child = ssh(bed, &path)
            .args(["-M", "-N", host])
            .spawn()
            .expect("ssh runs");
        eventually("a master connection", || path.exists());
        Self {
            bed,
            host: host.to_owned(),
            path,
            child,
        }
    }

    /// One process, one command.
    pub(crate) fn run_true(&self) {
        let status = ssh(self.bed, &self.path).args([&*self.host, "true"]).status();
        assert!(status.expect("ssh runs").success());
    }

    /// One process, one command, whose output is read from a pipe and counted.
    pub(crate) fn run_counted(&self, command: &str, bytes: u64) {
        let mut child = ssh(self.bed, &self.path)
            .args([&*self.host, command])
            .stdout(Stdio::piped())
            .spawn()
            .expect("ssh runs");
        let output = child.stdout.take().expect("piped");
        let read = io::copy(&mut output.take(u64::MAX), &mut io::sink()).expect("a pipe");
        assert!(child.wait().expect("ours").success());
        assert_eq!(read, bytes);
    }
}

impl Drop for Master<'_> {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// `ssh` reads the home of the user database; the bed's home is another.
fn ssh(bed: &TestBed, path: &Path) -> Command {
    let files = bed.home().join(".ssh");
    let mut command = bed.tool("ssh");
    command
        .arg("-F")
        .arg(files.join("config"))
        .arg("-i")
        .arg(files.join("id_ed25519"))
        .arg("-o")
        .arg(format!(
            "UserKnownHostsFile={}",
            files.join("known_hosts").display()
        ))
        .arg("-o")
        .arg(format!("ControlPath={}", path.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}
