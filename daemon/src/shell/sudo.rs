//! sudo's own prompt made unmistakable, a text run below sudo, and who would take what is typed now. Pure text: it
//! knows no password.

use super::order::{Capture, quote};
use crate::id::CommandId;

/// How a command meets sudo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sudo {
    /// Not at all: prompts of sudo are left to whoever looks.
    Ignored,
    /// It runs as it is; sudo's prompts in it carry this nonce.
    Answered(String),
    /// Its text runs in a child shell below sudo, whose prompt carries this nonce.
    Below {
        /// In the prompt.
        nonce: String,
        /// The child shell's program.
        shell: String,
    },
}

impl Sudo {
    /// In sudo's prompt; none where prompts are left alone.
    pub fn nonce(&self) -> Option<&str> {
        match self {
            Self::Ignored => None,
            Self::Answered(nonce) | Self::Below { nonce, .. } => Some(nonce),
        }
    }
}

/// What the prompt begins with when the command's mode (`order::mode`) is this one.
pub fn tag(mode: &str) -> Vec<u8> {
    format!("[sudo {mode}").into_bytes()
}

/// Ends what `tag` begins.
pub const TAG_END: u8 = b']';

/// What is shown in the place of the tag.
pub const SHOWN: &[u8] = b"[sudo]";

/// The assignment that gives sudo its prompt, for one command line of a POSIX shell; the mode is in our variable.
pub(super) const PROMPT: &str = "SUDO_PROMPT=\"[sudo $__sshmcp_m] password for %p: \"";

/// The program of a child shell in the session's language: the login shell where that is the one that runs.
pub fn child_shell(kind: &str, login_shell: &str) -> String {
    let name = login_shell.rsplit('/').next().unwrap_or_default();
    let is_plain = login_shell
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte));
    if name.starts_with(kind) && is_plain {
        login_shell.to_owned()
    } else {
        kind.to_owned()
    }
}

/// sudo and its arguments: a child shell that says it runs, then evaluates the text of the file `u`. The text is no
/// argument: of those the kernel takes 128 KiB each, and everybody can read them.
pub(super) fn below(shell: &str, dir: &str, nonce: &str, id: CommandId, capture: Capture) -> String {
    let began = match capture {
        Capture::Apart => format!("\\036{nonce};S;{id}\\037"),
        Capture::Terminal => format!("\\033]6973;{nonce};S;{id}\\007"),
    };
    let name = shell.rsplit('/').next().unwrap_or(shell);
    let script = if name == "fish" {
        format!("printf \"{began}\"; eval (cat {dir}/u | string collect)")
    } else {
        format!("printf \"{began}\"; eval \"$(cat {dir}/u)\"")
    };
    format!("sudo -- {shell} -c {} {name}", quote(&script))
}

/// The order that puts a text where the child shell finds it.
pub fn text(text: &str) -> Vec<u8> {
    let mut order = format!("u {}\n", text.len()).into_bytes();
    order.extend_from_slice(text.as_bytes());
    order
}

/// The order that asks who would take what is typed.
pub const LOOK: &[u8] = b"s\n";

/// An order that the helper takes for none, longer than a password.
pub const FILLER: &[u8] = &{
    let mut filler = [b'#'; 2048];
    filler[filler.len() - 1] = b'\n';
    filler
};

/// The text begins with sudo itself.
pub fn begins_with_sudo(text: &str) -> bool {
    text.trim_start()
        .strip_prefix("sudo")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(|c: char| c.is_whitespace() || c == ';'))
}

/// What of a text would have stayed in the session and does not in a child shell.
pub fn changes_shell(text: &str) -> bool {
    const WORDS: [&str; 10] = [
        "cd", "pushd", "popd", "export", "source", ".", "alias", "umask", "declare", "typeset",
    ];
    text.split(['\n', ';', '&', '|', '('])
        .filter_map(|part| part.split_whitespace().next())
        .any(|word| WORDS.contains(&word))
}

/// The terminal and the processes in front of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Front {
    /// The terminal shows what is typed.
    pub echo: bool,
    /// The login's own user id.
    pub uid: u32,
    /// Processes of the foreground group.
    pub processes: Vec<Taker>,
}

/// A process that may take what is typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taker {
    /// Process id.
    pub pid: u32,
    /// Effective user id.
    pub uid: u32,
    /// It started something that lives.
    pub has_children: bool,
    /// It was seen in a read of the terminal; never seen of another user's.
    pub reads: bool,
    /// State letter and counters: the same again if it slept in between.
    pub stamp: String,
    /// Name.
    pub name: String,
}

impl Front {
    /// Parses `MODES;UID;PID EUID CHILDREN READS STAMP NAME|…`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut fields = text.splitn(3, ';');
        let modes = fields.next()?;
        let uid = fields.next()?.parse().ok()?;
        let processes = fields
            .next()?
            .split('|')
            .filter(|entry| !entry.is_empty())
            .map(Taker::parse)
            .collect::<Option<_>>()?;
        Some(Self {
            // Not known counts as shown.
            echo: modes.chars().nth(1) != Some('n'),
            uid,
            processes,
        })
    }

    /// They were asleep and did nothing since an earlier look: sudo that only starts may have asked nothing yet.
    pub fn rests_since(&self, earlier: &Self) -> bool {
        let sudos = |front: &Self| {
            let sudos = front.processes.iter().filter(|process| process.name == "sudo");
            sudos
                .map(|process| (process.pid, process.stamp.clone()))
                .collect::<Vec<_>>()
        };
        let now = sudos(self);
        now == sudos(earlier) && now.iter().all(|(_, stamp)| stamp.starts_with('S'))
    }

    /// The sudos that ask for a password now; in words why there is none that may be given one. A sudo that has a
    /// child runs it already, and would hand on to it what is typed.
    pub fn asking(&self) -> Result<Vec<u32>, &'static str> {
        if self.echo {
            return Err("the terminal shows what is typed");
        }
        if self.uid == 0 {
            return Err("the login is root, which sudo does not ask");
        }
        let sudos: Vec<u32> = self
            .processes
            .iter()
            .filter(|process| process.uid == 0 && process.name == "sudo" && !process.has_children)
            .map(|process| process.pid)
            .collect();
        if sudos.is_empty() {
            return Err("what reads the terminal is not sudo");
        }
        if self
            .processes
            .iter()
            .any(|process| process.uid != 0 && process.reads)
        {
            return Err("another program reads the terminal beside sudo");
        }
        Ok(sudos)
    }
}

impl Taker {
    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split(' ');
        Some(Self {
            pid: fields.next()?.parse().ok()?,
            uid: fields.next()?.parse().ok()?,
            has_children: fields.next()? != "0",
            reads: fields.next()? == "tty",
            stamp: fields.next()?.to_owned(),
            name: fields.next()?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(text: &str) -> Result<Vec<u32>, &'static str> {
        Front::parse(text).expect("what the helper prints").asking()
    }

    /// Who gets a password: sudo that asks, and nobody who looks like it.
    #[test]
    fn sudo_alone_is_answered() {
        assert_eq!(asking("cnk;1000;50 0 0 - S.1 sudo|"), Ok(vec![50]));
        assert_eq!(
            asking("rn;1000;50 0 0 - S.1 sudo|51 1000 0 - S.1 less|"),
            Ok(vec![50]),
            "pwfeedback, a pipeline"
        );
        for (no, why) in [
            ("ce;1000;50 0 0 - S.1 sudo|", "echo"),
            ("u;1000;50 0 0 - S.1 sudo|", "modes not known"),
            (
                "cn;1000;50 1000 0 tty S.1 sudo|",
                "a program of the user by that name",
            ),
            ("cn;1000;50 0 1 - S.1 sudo|", "sudo that runs something"),
            ("cn;1000;50 0 0 - S.1 su|", "another program of root's"),
            ("cn;1000;", "nobody"),
            ("cn;0;50 0 0 - S.1 sudo|", "a login as root"),
            (
                "cn;1000;50 0 0 - S.1 sudo|51 1000 0 tty S.1 cat|",
                "a reader beside it",
            ),
        ] {
            assert!(asking(no).is_err(), "{why}");
        }
        let look = |stamp: &str| Front::parse(&format!("cn;1000;50 0 0 - {stamp} sudo|")).expect("a front");
        assert!(look("S.1").rests_since(&look("S.1")));
        assert!(!look("S.2").rests_since(&look("S.1")) && !look("R.1").rests_since(&look("R.1")));
        assert_eq!(Front::parse("cn;x;"), None);
        assert_eq!(Front::parse("cn;1000;50 0 sudo|"), None);
    }

    /// Which texts are sudo's own.
    #[test]
    fn texts() {
        for own in ["sudo", "sudo id", "  sudo\tid", "\nsudo -u x id", "sudo;id"] {
            assert!(begins_with_sudo(own), "{own:?}");
        }
        for other in ["sudoedit x", "id", "echo sudo", "sudo-x", ""] {
            assert!(!begins_with_sudo(other), "{other:?}");
        }
        assert!(
            changes_shell("cd /srv && ls") && changes_shell("ls\nexport A=1") && !changes_shell("echo cd")
        );
    }

    /// A child shell is the login shell where that runs, and never a word of the host's that is more than a path.
    #[test]
    fn child_shells() {
        assert_eq!(child_shell("bash", "/bin/bash"), "/bin/bash");
        assert_eq!(child_shell("ksh", "/usr/bin/ksh93"), "/usr/bin/ksh93");
        assert_eq!(child_shell("zsh", "/bin/bash"), "zsh");
        assert_eq!(child_shell("bash", "/x y/bash;id"), "bash");
    }
}
