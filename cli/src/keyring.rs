//! The system's keyring, by the program that the system has for it: the Secret Service's `secret-tool`, or macOS's
//! `security`. Entries belong to the service `sshmcp`, where the daemon looks them up. A secret goes through a pipe, never
//! through an argument.

use std::io::{self, Write as _};
use std::process::{Command, Output, Stdio};

use sshmcp_proto::error::Fault;
use sshmcp_proto::v1::Reason;

/// Longest name of an entry.
const NAME_MAX: usize = 128;

/// A name that is no option of those programs.
pub(crate) fn check(name: &str) -> Result<(), Fault> {
    let fits = !name.is_empty()
        && name.len() <= NAME_MAX
        && !name.starts_with('-')
        && !name.chars().any(char::is_control);
    if fits {
        return Ok(());
    }
    Err(Fault::new(
        Reason::InvalidArgument,
        "an entry's name has 1 to 128 bytes, no control characters, and does not begin with `-`",
    ))
}

/// Stores a secret, in the place of one of that name.
#[cfg(not(target_os = "macos"))]
pub(crate) fn store(name: &str, secret: &str) -> Result<(), Fault> {
    let label = format!("--label=sshmcp {name}");
    let done = run(&["store", &label, "service", "sshmcp", "name", name], secret)?;
    succeeded(&done)
}

/// Stores a secret, in the place of one of that name.
#[cfg(target_os = "macos")]
pub(crate) fn store(name: &str, secret: &str) -> Result<(), Fault> {
    // Without a value behind it, `-w` asks, twice.
    let typed = format!("{secret}\n{secret}\n");
    let done = run(
        &["add-generic-password", "-U", "-s", "sshmcp", "-a", name, "-w"],
        &typed,
    )?;
    succeeded(&done)
}

/// Removes the secret of that name; false if there was none.
#[cfg(not(target_os = "macos"))]
pub(crate) fn remove(name: &str) -> Result<bool, Fault> {
    let was_there = is_there(name)?;
    if was_there {
        succeeded(&run(&["clear", "service", "sshmcp", "name", name], "")?)?;
    }
    Ok(was_there)
}

/// Removes the secret of that name; false if there was none.
#[cfg(target_os = "macos")]
pub(crate) fn remove(name: &str) -> Result<bool, Fault> {
    let was_there = is_there(name)?;
    if was_there {
        succeeded(&run(
            &["delete-generic-password", "-s", "sshmcp", "-a", name],
            "",
        )?)?;
    }
    Ok(was_there)
}

/// True if there is a secret of that name. It is not shown.
#[cfg(not(target_os = "macos"))]
pub(crate) fn is_there(name: &str) -> Result<bool, Fault> {
    let found = run(&["lookup", "service", "sshmcp", "name", name], "")?;
    // A keyring that cannot be asked says why; one that has no such entry says nothing.
    if !found.status.success() && !found.stderr.is_empty() {
        return Err(failed(&found));
    }
    Ok(found.status.success() && !found.stdout.is_empty())
}

/// True if there is a secret of that name. It is not shown.
#[cfg(target_os = "macos")]
pub(crate) fn is_there(name: &str) -> Result<bool, Fault> {
    /// errSecItemNotFound, as an exit code.
    const NOT_FOUND: i32 = 44;
    let found = run(&["find-generic-password", "-s", "sshmcp", "-a", name], "")?;
    match found.status.code() {
        Some(0) => Ok(true),
        Some(NOT_FOUND) => Ok(false),
        _ => Err(failed(&found)),
    }
}

#[cfg(not(target_os = "macos"))]
const PROGRAM: &str = "secret-tool";
#[cfg(target_os = "macos")]
const PROGRAM: &str = "/usr/bin/security";

fn run(arguments: &[&str], input: &str) -> Result<Output, Fault> {
    let missing = |error: io::Error| {
        Fault::new(
            Reason::NotSupported,
            format!("the keyring cannot be asked: {PROGRAM}: {error}"),
        )
        .hint("install secret-tool (Debian: libsecret-tools), or configure { command = \"…\" } instead")
    };
    let mut child = Command::new(PROGRAM)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(missing)?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read says so itself.
        let _ = stdin.write_all(input.as_bytes());
    }
    child.wait_with_output().map_err(missing)
}

fn succeeded(done: &Output) -> Result<(), Fault> {
    if done.status.success() {
        Ok(())
    } else {
        Err(failed(done))
    }
}

fn failed(done: &Output) -> Fault {
    let said = String::from_utf8_lossy(&done.stderr);
    Fault::new(
        Reason::NotSupported,
        format!("the keyring refused: {}", crate::sanitise::line(said.trim())),
    )
    .hint(
        "it has to run and to be unlocked in your desktop session; or configure { command = \"…\" } instead",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name is never an option.
    #[test]
    fn names() {
        for good in ["web1", "a b", "ä", "x-y"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in ["", "-x", "--label=x", "a\nb", "\u{1b}[2J", &"x".repeat(129)] {
            assert_eq!(check(bad).unwrap_err().reason, Reason::InvalidArgument, "{bad}");
        }
    }
}
