//! The user's shell: which one it is, and how a process of ours becomes it on a terminal of its own.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// The hidden first argument with which `sshctl` starts itself to become a shell.
pub(crate) const BECOME_SHELL: &str = "__become-shell";

/// Exit code of a shell that could not be started, as shells have it for commands.
const CANNOT_RUN: u8 = 127;

/// The shells that the demo can be played in.
const KNOWN: [&str; 3] = ["bash", "zsh", "dash"];

/// The user's own shell if it is one of those, else the first there is.
pub(super) fn own() -> PathBuf {
    let own = env::var_os("SHELL").map(PathBuf::from).filter(|shell| {
        shell.is_absolute()
            && shell.is_file()
            && KNOWN
                .iter()
                .any(|known| shell.file_name() == Some(known.as_ref()))
    });
    own.or_else(|| {
        ["/bin/bash", "/usr/bin/bash", "/bin/zsh"]
            .into_iter()
            .map(PathBuf::from)
            .find(|it| it.is_file())
    })
    .unwrap_or_else(|| PathBuf::from("/bin/sh"))
}

/// A shell's name as a login shell sees itself: `-bash`.
pub(super) fn login_name(shell: &Path) -> OsString {
    let mut name = OsString::from("-");
    name.push(shell.file_name().unwrap_or("sh".as_ref()));
    name
}

/// Becomes the program that the arguments name, as leader of a new session whose terminal is stdin: name to show,
/// program, its arguments. A new process must do this itself, because doing it between fork and exec is not safe code.
pub(crate) fn become_shell(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let (Some(name), Some(program)) = (arguments.next(), arguments.next()) else {
        return ExitCode::from(CANNOT_RUN);
    };
    // Fails only for a leader of a session, which a new process is not.
    let _ = rustix::process::setsid();
    let _ = rustix::process::ioctl_tiocsctty(rustix::stdio::stdin());
    let _error = Command::new(program).arg0(name).args(arguments).exec();
    ExitCode::from(CANNOT_RUN)
}
