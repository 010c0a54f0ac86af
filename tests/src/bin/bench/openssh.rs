//! OpenSSH as scripts use it for speed: one master connection, and a fresh `ssh` process for each command.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use sshmcp_tests::{Shell, TestBed, eventually};

/// A master connection; it ends with this.
pub(crate) struct Master<'a> {
    bed: &'a TestBed,
    shell: Shell,
    path: PathBuf,
    child: Child,
}

impl<'a> Master<'a> {
    /// Connects, and waits until others can use the connection.
    pub(crate) fn open(bed: &'a TestBed, shell: Shell) -> Self {
        let path = bed.home().join(format!("master-{}", shell.host()));
        let child = ssh(bed, &path)
            .args(["-M", "-N", shell.host()])
            .spawn()
            .expect("ssh runs");
        eventually("a master connection", || path.exists());
        Self {
            bed,
            shell,
            path,
            child,
        }
    }

    /// One process, one command.
    pub(crate) fn run_true(&self) {
        let status = ssh(self.bed, &self.path)
            .args([self.shell.host(), "true"])
            .status();
        assert!(status.expect("ssh runs").success());
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
