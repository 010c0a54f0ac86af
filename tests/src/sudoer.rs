//! Users who have a password and what sudoers says of them. Made for one story as root, and gone with it.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use crate::{
    program::tool,
    user::{Shell, User},
};

/// Users of this process so far.
static USERS: AtomicU32 = AtomicU32::new(0);

/// A host user with a password; removed when dropped.
pub struct Sudoer {
    /// The user.
    pub user: User,
    /// The user's password.
    pub password: String,
    rules: PathBuf,
}

impl Sudoer {
    /// A new user with this login shell, of whom sudoers says nothing yet.
    pub fn new(shell: Shell) -> Self {
        assert!(
            User::many(),
            "the stories of sudo make users and sudoers: run them as root"
        );
        let sudo = tool("sudo");
        assert!(sudo.is_file(), "sudo is not installed; the tests need it");
        let number = USERS.fetch_add(1, Ordering::Relaxed);
        let name = format!("sshmcp-s{}-{number}", std::process::id());
        let user = User::named(&name, &shell.program());
        for (name, text) in shell.home_files() {
            let file = user.home.join(name);
            fs::write(&file, text).expect("a file of the home");
            user.own(&file);
        }
        let sudoer = Self {
            password: format!("Pw-{number}-{:016x}", rand::random::<u64>()),
            rules: Path::new("/etc/sudoers.d").join(&name),
            user,
        };
        let mut chpasswd = Command::new(tool("chpasswd"))
            .stdin(Stdio::piped())
            .spawn()
            .expect("chpasswd runs");
        let mut input = chpasswd.stdin.take().expect("piped");
        writeln!(input, "{name}:{}", sudoer.password).expect("chpasswd reads");
        drop(input);
        assert!(chpasswd.wait().expect("ours").success(), "chpasswd failed");
        sudoer
    }

    /// What sudoers says from now on; `@` is the user's name. A password that sudo remembers is forgotten.
    pub fn allow(&self, rules: &str) {
        let partial = self.rules.with_extension("new");
        fs::write(&partial, rules.replace('@', &self.user.name) + "\n").expect("sudoers");
        fs::set_permissions(&partial, fs::Permissions::from_mode(0o440)).expect("chmod");
        let checked = Command::new(tool("visudo")).arg("-cqf").arg(&partial).status();
        assert!(checked.expect("visudo runs").success(), "{rules}");
        // A name with a dot is not read, so that it is whole when it counts.
        fs::rename(&partial, &self.rules).expect("rename");
        self.forget();
    }

    /// The password has to be changed before anything else.
    pub fn expire(&self) {
        let expired = Command::new(tool("chage"))
            .args(["-d", "0", &self.user.name])
            .status();
        assert!(expired.expect("chage runs").success(), "chage failed");
    }

    /// sudo asks again.
    pub fn forget(&self) {
        fs::remove_file(Path::new("/run/sudo/ts").join(&self.user.name)).ok();
    }
}

impl Drop for Sudoer {
    fn drop(&mut self) {
        self.forget();
        fs::remove_file(&self.rules).ok();
        // What still runs as the user keeps it from being removed.
        Command::new(tool("pkill"))
            .args(["-KILL", "-U", &self.user.uid().to_string()])
            .status()
            .ok();
        Command::new(tool("userdel"))
            .args(["-rf", &self.user.name])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .ok();
    }
}
