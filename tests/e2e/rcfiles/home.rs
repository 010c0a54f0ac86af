//! Users with a home that is one row's own. They stay for the next run; their homes are written anew.

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use sshmcp_tests::{Shell, User, program::tool};

/// While it lives nobody else writes these homes.
pub(super) struct Homes {
    _lock: File,
}

impl Homes {
    pub(super) fn new() -> Self {
        assert!(
            User::many(),
            "the stories of start-up files make users: run them as root"
        );
        let lock = File::create("/run/sshmcp-tests-homes.lock").expect("a lock");
        lock.lock().expect("a lock");
        Self { _lock: lock }
    }

    /// The row's user, with these files in the home and no others.
    pub(super) fn make(&self, row: &str, shell: Shell, files: &[(&str, String)]) -> User {
        self.make_with(row, &shell.program(), files)
    }

    /// The same with any program as login shell.
    pub(super) fn make_with(&self, row: &str, shell: &Path, files: &[(&str, String)]) -> User {
        let name = format!("sshmcp-rc-{row}");
        assert!(name.len() <= 32, "{name} is too long for a user's name");
        let user = User::named(&name, shell);
        if login_shell(&name).as_deref() != Some(shell) {
            let changed = Command::new(tool("usermod"))
                .arg("-s")
                .args([shell.as_os_str(), name.as_ref()])
                .status();
            assert!(changed.expect("usermod runs").success(), "usermod {name}");
        }
        fs::set_permissions(&user.home, fs::Permissions::from_mode(0o755)).expect("chmod");
        for entry in fs::read_dir(&user.home).expect("a home").flatten() {
            let path = entry.path();
            let is_tree = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let removed = if is_tree {
                fs::remove_dir_all(path)
            } else {
                fs::remove_file(path)
            };
            removed.expect("an empty home");
        }
        let own = |mut above: PathBuf| {
            fs::create_dir_all(&above).expect("a directory");
            while above != user.home {
                user.own(&above);
                above.pop();
            }
        };
        // fish reads all manuals where it finds none of this.
        own(user.home.join(".local/share/fish/generated_completions"));
        for (name, text) in files {
            let path = user.home.join(name);
            own(path.parent().expect("below the home").to_owned());
            fs::write(&path, text).expect("a file of the home");
            user.own(&path);
        }
        user
    }
}

fn login_shell(name: &str) -> Option<PathBuf> {
    let said = Command::new(tool("getent")).args(["passwd", name]).output();
    let line = String::from_utf8(said.expect("getent runs").stdout).ok()?;
    line.trim().rsplit(':').next().map(PathBuf::from)
}
