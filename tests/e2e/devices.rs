//! Network devices: a router of our own that makes it hard, in one dialect and in all, and simulators that others made.

mod nasty;
mod simulated;
mod spoken;
mod switches;

use std::{fs, os::unix::fs::PermissionsExt as _};

use sshmcp_tests::{Shell, Shim, SshdOptions, TestBed};

use crate::clients::workspace;

/// The router's password; it must be found nowhere.
pub(crate) const PASSWORD: &str = "en4ble-S3CRET";

/// A bed with the nasty router as the host `router`, and further lines of its connection.
pub(crate) struct Stage {
    pub(crate) bed: TestBed,
    number: usize,
    shim: Shim,
}

impl Stage {
    pub(crate) fn new(lines: &str) -> Self {
        Self::with(lines, "")
    }

    /// The same with a further line of its server's configuration.
    fn with(lines: &str, further: &str) -> Self {
        let mut bed = TestBed::new();
        let here = bed.scratch(Shell::Bash);
        let script = here.join("nasty.py");
        fs::copy(workspace().join("tests/devices/nasty.py"), &script).expect("the router's script");
        let asked = here.join("asked");
        let options = SshdOptions {
            max_sessions: Some(1),
            lines: vec![
                further.to_owned(),
                format!(
                    "ForceCommand exec python3 {} {PASSWORD} {}",
                    script.display(),
                    asked.display()
                ),
            ],
            ..SshdOptions::default()
        };
        let number = bed.add_sshd(&options, &[]);
        let user = bed.user(Shell::Bash).clone();
        bed.authorize(&bed.sshds()[number], &user);
        let port = bed.sshds()[number].port();
        bed.alias("bare", &user.name, port);
        let config = format!(
            "[connections.router]\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"{}\"\n{lines}\n",
            user.name
        );
        fs::create_dir_all(bed.home().join(".config/sshmcp")).expect("a directory");
        bed.append(".config/sshmcp/config.toml", &config);
        let file = bed.home().join(".config/sshmcp/config.toml");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("chmod");
        bed.give(".config");
        let shim = bed.shim();
        Self { bed, number, shim }
    }

    /// How often the router asked for its password.
    fn asked(&self) -> usize {
        let path = self.bed.path("scratch-bash").join("asked");
        fs::read_to_string(path).unwrap_or_default().lines().count()
    }

    /// The password is nowhere in what we keep.
    pub(crate) fn finish(self) {
        self.shim.close();
        self.bed.stop_daemon();
        let state = self.bed.home().join(".local");
        let mut open = vec![state];
        while let Some(path) = open.pop() {
            for entry in fs::read_dir(path).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    let bytes = fs::read(&path).unwrap_or_default();
                    let found = String::from_utf8_lossy(&bytes).contains(PASSWORD);
                    assert!(!found, "the password is in {}", path.display());
                }
            }
        }
        self.bed.finish();
    }
}
