//! The script that looks at an account for `sshctl doctor`, and what it says. When its lines came is for who reads them.

/// The script as it is in the source.
const SCRIPT: &str = include_str!("examine.sh");

/// What the exec channel's shell prints when it takes the script.
pub const READY: &str = "@ready";

/// The command line that runs the script, the same in every login shell's syntax, and the script.
pub fn command(private_dir: &str) -> (String, Vec<u8>) {
    let script: String = SCRIPT
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(|line| [line, "\n"])
        .collect::<String>()
        .replace("@DIR@", &super::order::quote(private_dir));
    // Start-up files that read would swallow a script that came before this word.
    let command = format!(
        r#"exec /bin/sh -c 'echo {READY}; eval "$(head -c {})"'"#,
        script.len()
    );
    (command, script.into_bytes())
}

/// One line of what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said<'l> {
    /// It takes the script.
    Ready,
    /// A fact by name.
    Fact(&'l str, &'l str),
    /// The host's clock: seconds and, where it tells them, milliseconds.
    Clock(i64, Option<i64>),
    /// A path's mode as `ls` shows it, and its owner.
    Path {
        /// `drwxr-xr-x`
        mode: &'l str,
        /// The owner's number.
        uid: u32,
        /// The path.
        path: &'l str,
    },
    /// Free KiB at a path.
    Free(u64, &'l str),
    /// Something ended that began at the last mark; empty: only a beginning.
    Mark(&'l str),
    /// A start-up file with its time and its slowest line's.
    File {
        /// Milliseconds.
        ms: u64,
        /// Milliseconds of its slowest line.
        line_ms: u64,
        /// That line.
        line: u32,
        /// The file.
        path: &'l str,
    },
}

/// Reads a line; what is none of the script's is nothing.
pub fn parse(line: &str) -> Option<Said<'_>> {
    let line = line.trim_end_matches(['\r', '\n']);
    if line == READY {
        return Some(Said::Ready);
    }
    let (name, value) = line
        .strip_prefix('@')?
        .split_once(' ')
        .unwrap_or((line.strip_prefix('@')?, ""));
    Some(match name {
        "clock" => {
            let (seconds, fraction) = value.split_once('.').unwrap_or((value, ""));
            let digits = fraction
                .get(..3)
                .filter(|_| fraction.bytes().all(|byte| byte.is_ascii_digit()));
            Said::Clock(
                seconds.parse().ok()?,
                digits.and_then(|digits| digits.parse().ok()),
            )
        }
        "path" => {
            let mut words = value.splitn(3, ' ');
            Said::Path {
                mode: words.next()?,
                uid: words.next()?.parse().ok()?,
                path: words.next()?,
            }
        }
        "private" => {
            let (free, path) = value.split_once(' ')?;
            Said::Free(free.parse().ok()?, path)
        }
        "mark" => Said::Mark(value),
        "file" => {
            let mut words = value.splitn(4, ' ');
            Said::File {
                ms: words.next()?.parse().ok()?,
                line_ms: words.next()?.parse().ok()?,
                line: words.next()?.parse().ok()?,
                path: words.next()?,
            }
        }
        name => Said::Fact(name, value),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its lines are read; others, and torn ones, are nothing.
    #[test]
    fn lines() {
        for (line, said) in [
            ("@ready\r\n", Some(Said::Ready)),
            (
                "@clock 1795678477.306053333",
                Some(Said::Clock(1_795_678_477, Some(306))),
            ),
            ("@clock 1795678477.%N", Some(Said::Clock(1_795_678_477, None))),
            ("@umask 0022", Some(Said::Fact("umask", "0022"))),
            ("@tmout ", Some(Said::Fact("tmout", ""))),
            (
                "@path drwx------ 0 /home/a b",
                Some(Said::Path {
                    mode: "drwx------",
                    uid: 0,
                    path: "/home/a b",
                }),
            ),
            (
                "@private 24683644 /dev/shm/x",
                Some(Said::Free(24_683_644, "/dev/shm/x")),
            ),
            ("@mark", Some(Said::Mark(""))),
            ("@mark file /etc/profile", Some(Said::Mark("file /etc/profile"))),
            (
                "@file 1202 1200 7 /home/a/.nvm/nvm.sh",
                Some(Said::File {
                    ms: 1202,
                    line_ms: 1200,
                    line: 7,
                    path: "/home/a/.nvm/nvm.sh",
                }),
            ),
            ("@file 1202 x", None),
            ("motd: @ready", None),
            ("", None),
        ] {
            assert_eq!(parse(line), said, "{line:?}");
        }
    }
}
