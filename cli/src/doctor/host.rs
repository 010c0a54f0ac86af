//! One host as the daemon examined it: reached, trusted, logged in, and how fast. The account itself is in `account`.

use sshmcp_proto::v1::ExamineHostResponse;

use super::{Findings, Level, account};
use crate::view;

/// Milliseconds that a step of opening a session may take before it is worth a word.
const SLOW: [(&str, u64, &str); 4] = [
    (
        "tcp",
        1000,
        "the network is slow, or the name resolves to an address that does not answer first",
    ),
    (
        "handshake",
        1500,
        "a slow network or host; where it takes some 5 or 10 s, the server looks up names: `UseDNS no` in its sshd_config",
    ),
    (
        "login",
        2000,
        "the server's PAM, its user directory, or many keys that are offered before the right one: name it by key_path or IdentityFile",
    ),
    ("shell", 2000, "the start-up files of the account; see below"),
];
/// OpenSSH's own MaxSessions.
const CHANNELS_USUAL: u32 = 10;
/// Milliseconds by which clocks may differ unnoticed, and by which certificates and tickets fail.
const CLOCK_OFF: u64 = 2_000;
const CLOCK_WRONG: u64 = 300_000;

/// Judges what was found.
pub(crate) fn judge(name: &str, found: &ExamineHostResponse, findings: &mut Findings) {
    if !found.fingerprint.is_empty() {
        host_key(name, found, findings);
    }
    if !found.server.is_empty() {
        findings.ok("reached", format!("{}, {}", found.target, found.server));
    }
    steps(found, findings);
    if let Some(failure) = &found.failure {
        let check = match found.failed_step.as_str() {
            "tcp" => "reached",
            "login" => "login",
            _ => "account",
        };
        findings.problem(check, &failure.message, &failure.hint);
    }
    if found.shell.is_empty() {
        return;
    }
    channels(found, findings);
    clock(found, findings);
    account::judge(found, findings);
}

fn host_key(name: &str, found: &ExamineHostResponse, findings: &mut Findings) {
    let key = &found.fingerprint;
    match found.host_key_state.as_str() {
        "trusted" => findings.ok("host key", format!("{key} is known")),
        "unknown" => findings.problem(
            "host key",
            format!("{key} is not known; nothing more was looked at"),
            format!("compare it with the host's owner, then `sshctl trust {name}`"),
        ),
        "revoked" => findings.problem(
            "host key",
            format!("{key} is revoked; nothing more was looked at"),
            "do not connect; ask the host's owner",
        ),
        _ => findings.problem(
            "host key",
            format!("{key} is not the one that is known; nothing more was looked at"),
            format!("ask the host's owner; `sshctl trust {name}` says which line of known_hosts it is"),
        ),
    }
}

fn steps(found: &ExamineHostResponse, findings: &mut Findings) {
    if found.steps.is_empty() {
        return;
    }
    let all: Vec<String> = found
        .steps
        .iter()
        .map(|step| format!("{} {}", step.name, view::duration(step.ms)))
        .collect();
    let seen = all.join(", ");
    let slow: Vec<&str> = SLOW
        .iter()
        .filter(|(name, most, _)| {
            found
                .steps
                .iter()
                .any(|step| step.name == *name && step.ms > *most)
        })
        .map(|(_, _, todo)| *todo)
        .collect();
    if slow.is_empty() {
        findings.ok("opening", seen);
    } else {
        findings.warning("opening", format!("slow: {seen}"), slow.join("; "));
    }
}

fn channels(found: &ExamineHostResponse, findings: &mut Findings) {
    let channels = found.channels;
    if channels == 0 {
        return;
    }
    if !found.channels_refused {
        return findings.ok(
            "MaxSessions",
            format!("{channels} channels and more on one connection"),
        );
    }
    let seen = format!("{channels} channels on one connection; a session takes two");
    if channels >= CHANNELS_USUAL {
        findings.ok("MaxSessions", seen);
    } else {
        findings.warning(
            "MaxSessions",
            format!("{seen}, so many sessions need many connections"),
            "raise MaxSessions in the server's sshd_config (10 is usual)",
        );
    }
}

fn clock(found: &ExamineHostResponse, findings: &mut Findings) {
    let Some(ahead) = found.clock_ahead_ms else { return };
    let off = ahead.unsigned_abs().saturating_sub(found.clock_error_ms);
    let level = match off {
        0..CLOCK_OFF => Level::Ok,
        CLOCK_OFF..CLOCK_WRONG => Level::Warning,
        CLOCK_WRONG.. => Level::Problem,
    };
    if level == Level::Ok {
        return findings.ok("clock", "as here");
    }
    let which = if ahead > 0 { "ahead of" } else { "behind" };
    findings.add(
        level,
        "clock",
        format!(
            "the host's clock is {} {which} this machine's",
            view::duration(ahead.unsigned_abs())
        ),
        "have both set by NTP; times of files and logs do not match",
    );
}

#[cfg(test)]
mod tests {
    use sshmcp_proto::v1::{AccountPath, ErrorDetail, StartupFile, Step};

    use super::*;

    fn good() -> ExamineHostResponse {
        ExamineHostResponse {
            target: "u@h:22".into(),
            host_key_state: "trusted".into(),
            fingerprint: "SHA256:x".into(),
            server: "SSH-2.0-OpenSSH_9.2".into(),
            steps: vec![Step {
                name: "tcp".into(),
                ms: 3,
            }],
            shell: "bash 5.2".into(),
            capture: "captured".into(),
            channels: 10,
            channels_refused: true,
            private_dir: "/dev/shm/x".into(),
            private_free_kib: 1 << 20,
            clock_ahead_ms: Some(-900),
            clock_error_ms: 20,
            uid: 1000,
            paths: vec![AccountPath {
                path: "/home/u".into(),
                mode: "drwxr-xr-x".into(),
                uid: 1000,
            }],
            umask: "0022".into(),
            charmap: "UTF-8".into(),
            startup_ms: Some(40),
            bare_ms: Some(10),
            ..ExamineHostResponse::default()
        }
    }

    /// What each finding is, and the worst of all.
    fn judged(found: &ExamineHostResponse) -> (Level, Vec<String>) {
        let mut findings = Findings::default();
        judge("web1", found, &mut findings);
        let bad = findings.0.iter().filter(|finding| finding.level != Level::Ok);
        let words = bad.map(|finding| format!("{}: {} -> {}", finding.check, finding.seen, finding.todo));
        (findings.worst(), words.collect())
    }

    /// A good host is good; each thing that is not is told, as bad as it is, with what to do.
    #[test]
    fn each_matter_is_told() {
        assert_eq!(judged(&good()), (Level::Ok, vec![]));
        type Change = fn(&mut ExamineHostResponse);
        let table: [(Change, Level, &[&str]); 13] = [
            (
                |found| found.steps[0].ms = 4000,
                Level::Warning,
                &["opening", "tcp 4.0s", "network"],
            ),
            (
                |found| found.channels = 2,
                Level::Warning,
                &["MaxSessions", "2 channels", "sshd_config"],
            ),
            (
                |found| found.clock_ahead_ms = Some(90_000),
                Level::Warning,
                &["clock", "1m30s ahead", "NTP"],
            ),
            (
                |found| found.clock_ahead_ms = Some(-900_000),
                Level::Problem,
                &["clock", "15m00s behind"],
            ),
            (
                |found| found.charmap = "ANSI_X3.4-1968".into(),
                Level::Warning,
                &["locale", "ANSI", "LANG"],
            ),
            (
                |found| found.private_dir.clear(),
                Level::Warning,
                &["private directory", "stderr"],
            ),
            (
                |found| found.private_free_kib = 100,
                Level::Warning,
                &["private directory", "100.0 KiB"],
            ),
            (
                |found| found.capture = "terminal".into(),
                Level::Warning,
                &["shell", "bash 5.2"],
            ),
            (
                |found| found.tmout = "300".into(),
                Level::Warning,
                &["TMOUT", "300 s", "unset"],
            ),
            (
                |found| found.umask = "0000".into(),
                Level::Warning,
                &["umask", "0000"],
            ),
            (
                |found| found.paths[0].mode = "drwxrwxr-x".into(),
                Level::Problem,
                &["/home/u", "chmod go-w"],
            ),
            (
                |found| found.paths[0].uid = 7,
                Level::Problem,
                &["/home/u", "user 7"],
            ),
            (
                |found| {
                    found.startup_ms = Some(2400);
                    found.startup_files = vec![
                        StartupFile {
                            path: "/home/u/.nvm/nvm.sh".into(),
                            ms: 2100,
                            line: 7,
                            line_ms: 2000,
                        },
                        StartupFile {
                            path: "/home/u/.bashrc".into(),
                            ms: 200,
                            line: 1,
                            line_ms: 100,
                        },
                    ];
                },
                Level::Warning,
                &["start-up files", "/home/u/.nvm/nvm.sh takes 2.1s", "line 7"],
            ),
        ];
        for (change, level, words) in table {
            let mut found = good();
            change(&mut found);
            let (worst, told) = judged(&found);
            assert_eq!((worst, told.len()), (level, 1), "{told:?}");
            for word in words {
                assert!(told[0].contains(word), "{word:?} is not in {told:?}");
            }
        }
    }

    /// Where it ended early, that is all that is told; nothing is guessed of what was not seen.
    #[test]
    fn early_ends() {
        let unknown = ExamineHostResponse {
            host_key_state: "unknown".into(),
            fingerprint: "SHA256:x".into(),
            ..ExamineHostResponse::default()
        };
        let (level, told) = judged(&unknown);
        assert_eq!(level, Level::Problem);
        assert!(
            told.len() == 1 && told[0].contains("sshctl trust web1"),
            "{told:?}"
        );
        let refused = ExamineHostResponse {
            failure: Some(ErrorDetail {
                message: "nobody answers".into(),
                hint: "check the port".into(),
                ..ErrorDetail::default()
            }),
            failed_step: "tcp".into(),
            ..ExamineHostResponse::default()
        };
        assert_eq!(
            judged(&refused),
            (
                Level::Problem,
                vec!["reached: nobody answers -> check the port".to_owned()]
            )
        );
    }
}
