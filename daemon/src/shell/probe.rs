//! What the helper saw of a terminal and of the processes in front of it, and what follows from it. A wait is only
//! called one when the process was seen reading from that terminal; text decides nothing here.

/// How a terminal takes input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineMode {
    /// A line at a time (`icanon`).
    Canonical,
    /// Every key (`-icanon`): a line editor or a full-screen program.
    Raw,
    /// Could not be asked.
    Unknown,
}

/// The answer to one probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Line mode.
    pub mode: LineMode,
    /// True if the terminal shows what is typed.
    pub echo: bool,
    /// The foreground process group; none if unknown.
    pub foreground: Option<u32>,
    /// The processes of that group that hang below the shell.
    pub processes: Vec<Process>,
}

/// One process of the foreground group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// State letter of /proc/PID/stat.
    pub state: char,
    /// Kernel function that it sleeps in; `0` or `-` if not readable.
    pub wchan: String,
    /// Number of the system call that it is in; `running`, or `-` if not readable.
    pub syscall: String,
    /// What the file descriptor that it reads (or 0) is: `tty`, `other`, or `-` if not readable.
    pub fd: String,
    /// Name.
    pub name: String,
}

/// A login shell that may be the one of a session that is being opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Process id.
    pub pid: u32,
    /// Terminal.
    pub tty: String,
    /// Line mode of it.
    pub mode: LineMode,
    /// True if the shell is the foreground process group itself.
    pub in_front: bool,
    /// True if it sleeps in a read of a terminal, as far as that can be seen.
    pub reading: bool,
    /// Name.
    pub name: String,
}

/// What a probe says of the command that is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody reads the terminal.
    Working,
    /// A process reads a line from the terminal.
    Reading {
        /// Whether what is typed is shown.
        echo: bool,
    },
    /// A full-screen program or line editor waits for keys.
    FullScreen,
    /// The shell's own line editor has the terminal: no command is running in it.
    ShellPrompt,
    /// Cannot be told: a relay (sudo, ssh, …) or a process that may not be inspected is in front.
    Unclear {
        /// Whether what is typed is shown.
        echo: bool,
    },
}

/// Programs that pass a terminal through: what they wait for is not what the program behind them does.
const RELAYS: [&str; 12] = [
    "sudo",
    "su",
    "ssh",
    "docker",
    "podman",
    "kubectl",
    "script",
    "tmux",
    "screen",
    "mosh-client",
    "doas",
    "machinectl",
];

/// Shells whose `read` can have a time limit.
const SHELLS: [&str; 6] = ["bash", "zsh", "ksh", "ksh93", "mksh", "fish"];

fn parse_mode(letters: &str) -> (LineMode, bool) {
    let mode = match letters.chars().next() {
        Some('c') => LineMode::Canonical,
        Some('r') => LineMode::Raw,
        _ => LineMode::Unknown,
    };
    (mode, letters.chars().nth(1) != Some('n'))
}

fn is_tty_wait(wchan: &str) -> bool {
    matches!(wchan, "n_tty_read" | "tty_read" | "wait_woken")
}

impl Probe {
    /// What is seen where nobody can look.
    pub const fn blind() -> Self {
        Self {
            mode: LineMode::Unknown,
            echo: true,
            foreground: None,
            processes: Vec::new(),
        }
    }

    /// Nothing was seen at all.
    pub fn is_blind(&self) -> bool {
        self.foreground.is_none() && self.processes.is_empty()
    }

    /// Parses `MODES;PGID;PROCESS|PROCESS|`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut fields = text.splitn(3, ';');
        let (mode, echo) = parse_mode(fields.next()?);
        let foreground = fields.next()?.parse().ok();
        let processes = fields
            .next()
            .unwrap_or_default()
            .split('|')
            .filter_map(Process::parse)
            .collect();
        Some(Self {
            mode,
            echo,
            foreground,
            processes,
        })
    }

    /// What it says, given the shell's process id.
    pub fn verdict(&self, shell: u32) -> Verdict {
        let reader = self.processes.iter().find(|process| process.reads_terminal());
        if let Some(reader) = reader {
            return match self.mode {
                LineMode::Raw if reader.pid == shell => Verdict::ShellPrompt,
                LineMode::Raw => Verdict::FullScreen,
                LineMode::Canonical | LineMode::Unknown => Verdict::Reading { echo: self.echo },
            };
        }
        let relay = self
            .processes
            .iter()
            .any(|process| RELAYS.contains(&process.name.as_str()));
        let hidden = self
            .processes
            .iter()
            .any(|process| process.fd == "-" && process.state == 'S' && process.pid != shell);
        if relay || hidden || self.processes.is_empty() {
            return Verdict::Unclear {
                echo: self.mode != LineMode::Canonical || self.echo,
            };
        }
        let poller = self.processes.iter().find(|process| process.polls_terminal());
        // `read -t`, and any read under TMOUT: a shell that waits for a child sits in another call.
        if let (LineMode::Canonical, Some(process)) = (self.mode, poller)
            && (process.pid == shell || SHELLS.contains(&process.name.as_str()))
        {
            return Verdict::Reading { echo: self.echo };
        }
        match (self.mode, poller) {
            (LineMode::Raw, Some(process)) if process.pid == shell => Verdict::ShellPrompt,
            (LineMode::Raw, Some(_)) => Verdict::FullScreen,
            _ => Verdict::Working,
        }
    }
}

impl Process {
    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split(' ');
        Some(Self {
            pid: fields.next()?.parse().ok()?,
            state: fields.next()?.chars().next()?,
            wchan: fields.next()?.to_owned(),
            syscall: fields.next()?.to_owned(),
            fd: fields.next()?.to_owned(),
            name: fields.next().unwrap_or_default().to_owned(),
        })
    }

    /// It sleeps in read(2) on the terminal. The system call is the better witness (0 on x86-64, 63 on the others);
    /// where it may not be read, the kernel function and standard input decide.
    fn reads_terminal(&self) -> bool {
        if self.state != 'S' || self.fd != "tty" {
            return false;
        }
        match self.syscall.as_str() {
            "-" => is_tty_wait(&self.wchan),
            "0" | "63" => true,
            _ => false,
        }
    }

    /// It sleeps in a poll-like call with the terminal as its standard input.
    fn polls_terminal(&self) -> bool {
        self.state == 'S'
            && self.fd == "tty"
            && ["poll", "select", "ep_"]
                .iter()
                .any(|part| self.wchan.contains(part))
    }
}

impl Candidate {
    /// Parses `PID TTY MODES STATE PGRP TPGID WCHAN NAME`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split(' ');
        let pid: u32 = fields.next()?.parse().ok()?;
        let tty = fields.next()?.to_owned();
        let (mode, _) = parse_mode(fields.next()?);
        let state = fields.next()?;
        let group = fields.next()?;
        let foreground = fields.next()?;
        let wchan = fields.next()?;
        let name = fields.next().unwrap_or_default().to_owned();
        Some(Self {
            pid,
            tty,
            mode,
            in_front: group == foreground && group == pid.to_string(),
            reading: state == "S"
                && (is_tty_wait(wchan) || wchan == "0" || wchan.contains("select") || wchan.contains("poll")),
            name,
        })
    }

    /// It shows its prompt and reads: a line may be typed. Shells with a line editor are at their prompt only in raw
    /// mode; a `read` in a start-up file is not. Those without one cannot be told apart.
    pub fn at_prompt(&self) -> bool {
        let editor = ["bash", "zsh", "fish", "tcsh", "ash", "ksh", "ksh93", "mksh"]
            .iter()
            .any(|shell| self.name.trim_start_matches('-') == *shell);
        self.in_front
            && self.reading
            && match self.mode {
                LineMode::Raw => true,
                LineMode::Canonical => !editor,
                LineMode::Unknown => false,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(text: &str) -> Verdict {
        Probe::parse(text).expect("a probe").verdict(100)
    }

    /// Captured from Linux 6 by an ordinary user: what runs in front, and what it means.
    #[test]
    fn table() {
        let line = Verdict::Reading { echo: true };
        assert_eq!(verdict("ce;200;200 S wait_woken 0 tty cat|"), line);
        assert_eq!(verdict("ce;200;200 S wait_woken - tty cat|"), line);
        assert_eq!(
            verdict("cn;100;100 S wait_woken 0 tty bash|"),
            Verdict::Reading { echo: false }
        );
        assert_eq!(
            verdict("ce;200;200 S hrtimer_nanosleep 230 tty sleep|"),
            Verdict::Working
        );
        assert_eq!(verdict("ce;200;200 R 0 running tty yes|"), Verdict::Working);
        assert_eq!(
            verdict("ce;200;200 S wait_woken 0 other nc|"),
            Verdict::Working,
            "a socket is no terminal"
        );
        assert_eq!(
            verdict("ce;200;200 S do_wait 61 tty sh|201 S wait_woken 0 tty cat|"),
            line
        );
        assert_eq!(
            verdict("rn;200;200 S do_select 270 tty vim|"),
            Verdict::FullScreen
        );
        assert_eq!(
            verdict("rn;100;100 S do_select 270 tty bash|"),
            Verdict::ShellPrompt
        );
        assert_eq!(
            verdict("rn;200;200 S - - - sudo|"),
            Verdict::Unclear { echo: true }
        );
        assert_eq!(
            verdict("cn;200;200 S 0 - - passwd|"),
            Verdict::Unclear { echo: false }
        );
        assert_eq!(verdict("ce;100;100 S do_select 270 tty bash|"), line, "read -t");
        assert_eq!(verdict("ce;200;200 S do_sys_poll 7 tty curl|"), Verdict::Working);
        assert_eq!(verdict("ce;200;"), Verdict::Unclear { echo: true });
    }

    /// A shell with a line editor is at its prompt in raw mode only.
    #[test]
    fn candidates() {
        let at = |text: &str| Candidate::parse(text).expect("a candidate").at_prompt();
        assert!(at("5 /dev/pts/1 rn S 5 5 do_select bash"));
        assert!(!at("5 /dev/pts/1 ce S 5 5 wait_woken bash"));
        assert!(at("5 /dev/pts/1 ce S 5 5 wait_woken dash"));
        assert!(!at("5 /dev/pts/1 rn S 5 9 do_select bash"));
        assert!(!at("5 /dev/pts/1 ce R 5 5 0 dash"));
    }
}
