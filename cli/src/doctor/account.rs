//! The account on a host: its shell and start-up files, its surroundings, and what sshd checks of its home.

use sshmcp_proto::v1::{AccountPath, ExamineHostResponse, StartupFile};

use super::Findings;
use crate::view;

/// Milliseconds of start-up files that are worth a word: every session and every program run by ssh pays them.
const STARTUP_SLOW: u64 = 500;
/// Milliseconds of one file that is named beside the slowest.
const FILE_SLOW: u64 = 100;
/// Free KiB that the FIFOs and texts of some sessions need.
const PRIVATE_LOW_KIB: u64 = 10 << 10; // 10 MiB

/// Judges what was found.
pub(crate) fn judge(found: &ExamineHostResponse, findings: &mut Findings) {
    shell(found, findings);
    startup(found, findings);
    surroundings(found, findings);
    for path in &found.paths {
        strict_modes(path, found.uid, findings);
    }
    if !found.tmout.is_empty() && found.tmout != "0" {
        findings.warning(
            "TMOUT",
            format!(
                "the shell ends after {} s without a command; a session is then opened again",
                found.tmout
            ),
            "if it is yours to decide, unset it in the account's start-up files",
        );
    }
    let others = found
        .umask
        .chars()
        .rev()
        .take(1)
        .next()
        .and_then(|digit| digit.to_digit(8));
    match others {
        Some(digit) if digit & 2 == 0 => findings.warning(
            "umask",
            format!("{}: everybody may change the files that are made", found.umask),
            "set `umask 022` in the account's start-up files",
        ),
        Some(_) => findings.ok("umask", &found.umask),
        None => {}
    }
}

fn shell(found: &ExamineHostResponse, findings: &mut Findings) {
    let seen = format!("{} on {}", found.shell, found.system);
    if found.capture == "captured" {
        findings.ok(
            "shell",
            format!("{seen}; worked exactly, stdout and stderr apart"),
        );
    } else {
        findings.warning(
            "shell",
            format!("{seen}; ends and exit codes by marks in the terminal, stdout and stderr are one stream"),
            "for two streams: bash, zsh or dash as the login shell, and a writable /dev/shm or /tmp",
        );
    }
}

fn startup(found: &ExamineHostResponse, findings: &mut Findings) {
    let (Some(with), Some(without)) = (found.startup_ms, found.bare_ms) else {
        return;
    };
    let cost = with.saturating_sub(without);
    let seen = format!(
        "the login shell starts in {}, without its start-up files in {}",
        view::duration(with),
        view::duration(without)
    );
    if cost <= STARTUP_SLOW {
        return findings.ok("start-up files", seen);
    }
    let slow: Vec<String> = found
        .startup_files
        .iter()
        .enumerate()
        .filter(|(place, file)| *place == 0 || file.ms > FILE_SLOW)
        .take(3)
        .map(|(_, file)| named(file))
        .collect();
    if slow.is_empty() {
        return findings.warning(
            "start-up files",
            seen,
            "look at what they start; which one it is is not known",
        );
    }
    findings.warning(
        "start-up files",
        format!("{seen}: {}", slow.join(", ")),
        "do there only what every shell needs, or only when a person is at the terminal; load the rest when it is used",
    );
}

fn named(file: &StartupFile) -> String {
    let StartupFile {
        path,
        ms,
        line,
        line_ms,
    } = file;
    let time = view::duration(*ms);
    if *line == 0 {
        format!("{path} takes {time}")
    } else {
        format!("{path} takes {time} (line {line}: {})", view::duration(*line_ms))
    }
}

fn surroundings(found: &ExamineHostResponse, findings: &mut Findings) {
    let free = view::bytes(found.private_free_kib.saturating_mul(1024));
    if found.private_dir.is_empty() {
        findings.warning(
            "private directory",
            "no directory can be written to: stdout and stderr are one stream",
            "make /dev/shm or /tmp writable for the account",
        );
    } else if found.private_free_kib < PRIVATE_LOW_KIB {
        findings.warning(
            "private directory",
            format!("{free} free at {}", found.private_dir),
            "make room there",
        );
    } else {
        findings.ok(
            "private directory",
            format!("{free} free at {}", found.private_dir),
        );
    }
    match found.charmap.to_ascii_uppercase().as_str() {
        "" => {}
        "UTF-8" | "UTF8" => findings.ok("locale", "UTF-8"),
        _ => findings.warning(
            "locale",
            format!("{}: text that is not English may be shown wrongly", found.charmap),
            "set LANG=C.UTF-8 in the account's start-up files",
        ),
    }
    for (check, version) in [("sudo", &found.sudo), ("tmux", &found.tmux)] {
        let seen = if version.is_empty() {
            "not installed"
        } else {
            version
        };
        findings.ok(check, seen);
    }
}

/// sshd's StrictModes refuses keys where others could change them.
fn strict_modes(path: &AccountPath, uid: u32, findings: &mut Findings) {
    let AccountPath {
        path,
        mode,
        uid: owner,
    } = path;
    let others_write = [5, 8].iter().any(|&at| mode.as_bytes().get(at) == Some(&b'w'));
    if *owner != uid && *owner != 0 {
        findings.problem(
            "permissions",
            format!("{path} belongs to user {owner}: sshd takes no key of this account (StrictModes)"),
            format!("chown it to the account: `sudo chown {uid} {path}`"),
        );
    } else if others_write {
        findings.problem(
            "permissions",
            format!("others can change {path} ({mode}): sshd takes no key of this account (StrictModes)"),
            format!("there: `chmod go-w {path}`"),
        );
    } else {
        findings.ok("permissions", format!("{path} {mode}"));
    }
}
