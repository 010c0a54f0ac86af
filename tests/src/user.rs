//! Ordinary users: made once a machine where root runs the tests, ourselves otherwise. Never removed again.

use std::{
    fs,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use crate::{program::tool, wait::eventually};

/// A login shell of a host user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shell {
    /// bash with what Debian puts into a new home.
    Bash,
    /// zsh with an empty `.zshrc`.
    Zsh,
    /// zsh with a prompt of several lines, colours, a right prompt and hooks.
    ZshThemed,
    /// dash with Debian's `.profile`.
    Dash,
    /// busybox's ash with Debian's `.profile`.
    Ash,
    /// ksh93u+m with an empty `.kshrc`.
    Ksh,
    /// mksh with Debian's `.mkshrc`.
    Mksh,
    /// fish with no files of its own.
    Fish,
}

impl Shell {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Bash,
        Self::Zsh,
        Self::ZshThemed,
        Self::Dash,
        Self::Ash,
        Self::Ksh,
        Self::Mksh,
        Self::Fish,
    ];

    /// Those that understand a POSIX script.
    pub const POSIX: [Self; 7] = [
        Self::Bash,
        Self::Zsh,
        Self::ZshThemed,
        Self::Dash,
        Self::Ash,
        Self::Ksh,
        Self::Mksh,
    ];

    /// The name of the host whose user has this shell.
    pub fn host(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::ZshThemed => "zsh-themed",
            Self::Dash => "dash",
            Self::Ash => "ash",
            Self::Ksh => "ksh",
            Self::Mksh => "mksh",
            Self::Fish => "fish",
        }
    }

    /// The shell's executable.
    pub fn program(self) -> PathBuf {
        tool(match self {
            Self::Bash => "bash",
            Self::Zsh | Self::ZshThemed => "zsh",
            Self::Dash => "dash",
            Self::Ash => return ash(),
            Self::Ksh => "ksh93",
            Self::Mksh => "mksh",
            Self::Fish => "fish",
        })
    }

    /// zsh, with a theme or without.
    pub fn is_zsh(self) -> bool {
        matches!(self, Self::Zsh | Self::ZshThemed)
    }

    /// Files of the home beyond what a new home has.
    pub(crate) fn home_files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Bash | Self::Dash | Self::Ash | Self::Mksh | Self::Fish => &[],
            // Debian's replaces cd by a function.
            Self::Ksh => &[(".kshrc", "")],
            Self::Zsh => &[(".zshrc", "")],
            Self::ZshThemed => &[(".zshrc", THEME)],
        }
    }
}

/// busybox by the name under which it is a shell; a login shell is a path.
fn ash() -> PathBuf {
    let place = if User::many() {
        PathBuf::from("/run/sshmcp-tests")
    } else {
        std::env::temp_dir().join(format!("sshmcp-tests-{}", rustix::process::getuid().as_raw()))
    };
    let link = place.join("ash");
    let busybox = tool("busybox");
    if fs::read_link(&link).is_ok_and(|to| to == busybox) {
        return link;
    }
    fs::create_dir_all(&place).expect("a directory");
    // Another story may make it at this moment.
    let own = place.join(format!(
        "ash-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    std::os::unix::fs::symlink(&busybox, &own).expect("a link");
    fs::rename(&own, &link).expect("rename");
    link
}

/// What themes do to a prompt.
const THEME: &str = r"setopt prompt_subst
autoload -Uz vcs_info add-zsh-hook
theme_before() { vcs_info; print; print -P '%F{blue}┌─[%n@%m]─[%~]${vcs_info_msg_0_}%f'; }
theme_ran() { theme_last=$1; }
add-zsh-hook precmd theme_before
add-zsh-hook preexec theme_ran
PROMPT='%F{blue}│%f
└─%(?.%F{green}.%F{red}%? )❯%f '
RPROMPT='%F{yellow}%*%f'
";

/// Somebody whom processes run as.
#[derive(Clone, Debug)]
pub struct User {
    /// Login name.
    pub name: String,
    /// Home directory.
    pub home: PathBuf,
    /// User and group to become; not set where that is ourselves.
    id: Option<(u32, u32)>,
}

impl User {
    /// True if the tests may become other users.
    pub fn many() -> bool {
        rustix::process::geteuid().is_root()
    }

    /// Who runs the daemon and its clients.
    pub fn operator() -> Self {
        Self::named("sshmcp-t-op", Path::new("/bin/sh"))
    }

    /// Who logs in on the host with this shell. `home` is where one is made who is ourselves.
    pub fn of(shell: Shell, home: &Path) -> Self {
        let mut user = Self::named(&format!("sshmcp-t-{}", shell.host()), &shell.program());
        if !Self::many() {
            user.home = home.join(shell.host());
            fs::create_dir_all(&user.home).expect("a home");
        }
        for (name, text) in shell.home_files() {
            let file = user.home.join(name);
            if fs::read_to_string(&file).is_ok_and(|there| there == *text) {
                continue;
            }
            fs::write(&file, text).expect("a file of the home");
            user.own(&file);
        }
        user
    }

    /// A user with this login shell, made where there is none.
    pub fn named(name: &str, shell: &Path) -> Self {
        if !Self::many() {
            let name = said("id", &["-un"]).expect("we have a name");
            let home = std::env::var_os("HOME").map_or_else(|| "/".into(), PathBuf::from);
            return Self { name, home, id: None };
        }
        // `*` matches no password, yet does not lock the account. Several runs that make users at one time give them
        // homes of other users.
        let lock = fs::File::create("/run/sshmcp-tests.lock").expect("a lock");
        lock.lock().expect("a lock");
        eventually(&format!("the user {name}"), || {
            said("getent", &["passwd", name]).is_some() || {
                let shell = shell.to_str().expect("a plain path");
                said("useradd", &["-m", "-s", shell, "-p", "*", name]);
                said("getent", &["passwd", name]).is_some()
            }
        });
        let line = said("getent", &["passwd", name]).expect("just made");
        let fields: Vec<&str> = line.split(':').collect();
        let number = |at: usize| fields[at].parse().expect("a number");
        Self {
            name: name.to_owned(),
            home: fields[5].into(),
            id: Some((number(2), number(3))),
        }
    }

    /// The user's number.
    pub fn uid(&self) -> u32 {
        self.id
            .map_or_else(|| rustix::process::getuid().as_raw(), |(uid, _)| uid)
    }

    /// Gives a file or directory to the user.
    pub fn own(&self, path: &Path) {
        if let Some((uid, gid)) = self.id {
            chown(path, Some(uid), Some(gid)).expect("chown");
        }
    }

    /// A program run as the user, with an environment of `HOME`, `PATH` and the user's name alone.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some((uid, gid)) = self.id {
            command.uid(uid).gid(gid);
        }
        command
            .env_clear()
            .env("HOME", &self.home)
            .env("USER", &self.name)
            .env("LOGNAME", &self.name)
            .env("PATH", PATH)
            .current_dir(&self.home);
        command
    }
}

/// What Debian's sshd gives to its users.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/games";

fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(tool(program)).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}
