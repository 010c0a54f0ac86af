//! Users who have a password and what sudoers says of them. Made for one story as root, and gone with it.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use crate::{
    program::tool,
    user::{Shell, User},
};

/// Users of this process so far.
static USERS: AtomicU32 = AtomicU32::new(0);

/// What sudoers says of each of them, in one file: sudo lists the directory before it reads it, and says so to a story
/// beside us if a file has gone meanwhile.
static RULES: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// A host user with a password; removed when dropped.
pub struct Sudoer {
    /// The user.
    pub user: User,
    /// The user's password.
    pub password: String,
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
        let rules = rules.replace('@', &self.user.name) + "\n";
        change(|all| drop(all.insert(self.user.name.clone(), rules)));
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

/// Changes what sudoers says; the file goes with the last who is in it.
fn change(change: impl FnOnce(&mut BTreeMap<String, String>)) {
    let mut all = RULES.lock().unwrap_or_else(PoisonError::into_inner);
    change(&mut all);
    let file = Path::new("/etc/sudoers.d").join(format!("sshmcp-s{}", std::process::id()));
    if all.is_empty() {
        fs::remove_file(&file).ok();
        return;
    }
    // A name with a dot is not read, so that it is whole when it counts.
    let partial = file.with_extension("new");
    let text: String = all.values().map(String::as_str).collect();
    fs::write(&partial, &text).expect("sudoers");
    fs::set_permissions(&partial, fs::Permissions::from_mode(0o440)).expect("chmod");
    let checked = Command::new(tool("visudo")).arg("-cqf").arg(&partial).status();
    assert!(checked.expect("visudo runs").success(), "{text}");
    fs::rename(&partial, &file).expect("rename");
}

impl Drop for Sudoer {
    fn drop(&mut self) {
        self.forget();
        change(|all| drop(all.remove(&self.user.name)));
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
