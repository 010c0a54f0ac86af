//! What `SHELL -c TEXT` says on the same host, and in what its messages differ from those of an interactive shell: by
//! the name in front alone.

use std::{path::Path, process::Stdio};

use regex::Regex;
use sshmcp_tests::{Shell, User};

/// Exit code, standard output and standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) code: Option<i64>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `SHELL -c TEXT` as the host's user, with nothing to read.
pub(crate) fn run(user: &User, shell: Shell, cwd: &Path, text: &str) -> Said {
    let output = user
        .command(&shell.program())
        .args(["-c", text])
        .env("SHELL", shell.program())
        .current_dir(cwd)
        .stdin(Stdio::null())
        .output()
        .expect("the shell runs");
    let ended = std::os::unix::process::ExitStatusExt::signal(&output.status);
    let code = output.status.code().or(ended.map(|signal| 128 + signal));
    Said {
        code: code.map(i64::from),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Messages without the shell's name and the line's number. A bash that is not interactive also repeats the line that
/// it does not understand.
pub(crate) fn without_names(shell: Shell, stderr: &str) -> String {
    let (name, repeated) = match shell {
        // bash calls itself by its path, and names the line in -c and in eval.
        Shell::Bash => (
            r"(?:-?bash|/\S*/bash|environment|main): (?:eval: )?(?:-c: )?(?:line \d+: )?",
            r"^`.*'\n$",
        ),
        // zsh names the builtin with the line's number, or without one.
        Shell::Zsh | Shell::ZshThemed => (
            r"(?:-?zsh|/\S*/zsh|\(eval\)):(?:(?<of>[a-z]+:))?(?:\d+:)? ",
            r"^\z.",
        ),
        Shell::Ash => (
            r"(?:-?ash|/\S*/ash): (?:(?:eval|cd|exit): )*(?:line \d+: )?",
            r"^\z.",
        ),
        Shell::Ksh => (
            r"(?:-?ksh93|/\S*/ksh93)(?:\[\d+\])?: (?:eval(?:\[\d+\])?: )?(?:line \d+: )?| at line \d+",
            r"^\z.",
        ),
        Shell::Mksh => (r"(?:-?mksh|/\S*/mksh): (?:\S+\[\d+\]: )*", r"^\z."),
        Shell::Fish => (r"^fish: ", r"^\z."),
        Shell::Dash => (r"(?:-dash|dash|/\S*/dash): \d+: (?:eval: )?", r"^\z."),
    };
    // Elsewhere than at its prompt fish shows the place of an error, too.
    let place = r"(?m)(?:^\n)?^(?:fish|\S+ \(line \d+\)): \n(?:.*\n)*? *[~^]+\n(?:in function .*\n)*(?:^\n)?";
    let place = Regex::new(place).expect("a constant");
    let stderr = match shell {
        Shell::Fish => place.replace_all(stderr, ""),
        _ => stderr.into(),
    };
    let name = Regex::new(name).expect("a constant");
    let repeated = Regex::new(repeated).expect("a constant");
    stderr
        .split_inclusive('\n')
        .map(|line| {
            name.replace_all(line, |found: &regex::Captures<'_>| {
                found
                    .name("of")
                    .map_or_else(String::new, |of| format!("{} ", of.as_str()))
            })
        })
        .filter(|line| !repeated.is_match(line))
        .collect()
}
